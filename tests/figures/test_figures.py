"""Every figure: it draws without a warning, says what it shows, leaves nothing open, and no two labels overlap."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from stgcnlib import figures
from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import GraphError, SequenceError, StgcnlibError
from stgcnlib.figures.classes import _shortened
from stgcnlib.figures.skeleton import project
from stgcnlib.figures.style import class_styles, direct_labels, layer_colors, new_figure, spread
from stgcnlib.geometry.statistics import BETWEEN, STATISTICS
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout


def _names(count: int) -> list[str]:
    # Long names, and one that mathtext would choke on.
    return ["costs $5 to $", *(f"draw circle counter-clockwise {c}" for c in range(1, count))]


def _data(classes: int, body: str = "kinect-v1", channels: int = 3) -> SequenceSet:
    rng = np.random.default_rng(classes)
    known = layout(body)
    rest = rng.normal(0, 0.3, (len(known), channels))
    if known.spine:
        rest[known.spine[0], -1], rest[known.spine[1], -1] = 0.0, 0.6
    coords = [rest + np.cumsum(rng.normal(0, 0.02, (t, *rest.shape)), axis=0) for t in rng.integers(9, 20, 4 * classes)]
    subjects = np.tile([1, 2, 3, 4], classes)
    return SequenceSet(coords, None, np.repeat(np.arange(classes), 4), _names(classes), {"subject": subjects}, known)


def _titles(layers: int) -> list[str]:
    return ["input", *(f"layer {i}" for i in range(1, layers))]


def _layers(*indices: int) -> list[dict[str, Any]]:
    return [{"name": f"net.{i}", "title": f"layer {i}" if i else "input", "index": i} for i in indices]


def _table(layers: int, *, controls: bool = True, floor: float = 0.0) -> pd.DataFrame:
    rows = []
    for network, neighbours in [("trained", "other subjects"), ("untrained", "other subjects"), ("trained", "all")]:
        if not controls and (network, neighbours) != ("trained", "all"):
            continue
        for i, title in enumerate(_titles(layers)):
            s = 0.4 - 0.02 * i if network == "trained" else 0.4 + 0.01 * i
            rows.append(
                {
                    "layer": f"net.{i}", "index": i, "title": title, "network": network, "neighbours": neighbours,
                    "smoothness": s, "low": s - 0.03, "high": s + 0.03, "null_mean": 0.96, "null_low": 0.95,
                    "null_high": 0.97, "floor": floor,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _baselines(layers: int) -> pd.DataFrame:
    rows = []
    for i, title in enumerate(_titles(layers)):
        for name, gain in (("pooled", 0.3 - 0.02 * i), ("resampled", 0.03), ("duration", 0.5)):
            if name != "duration" or i == 0:
                rows.append(
                    {
                        "layer": f"net.{i}", "index": i, "title": title, "baseline": name, "smoothness": 0.4 + gain,
                        "low": 0.35 + gain, "high": 0.45 + gain, "floor": 0.0, "dtw": 0.4, "gain": gain,
                        "gain_low": gain - 0.05, "gain_high": gain + 0.05, "n": 40,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _density(layers: int) -> pd.DataFrame:
    rows = []
    for rule, shift in (("same K", 0.1), ("K in proportion", 0.02)):
        for share in (0.25, 0.5, 1.0):
            for i, title in enumerate(_titles(layers)):
                value = 0.5 - 0.03 * i + shift * (1 - share)
                rows.append(
                    {
                        "layer": f"net.{i}", "index": i, "title": title, "rule": rule, "share": share,
                        "n": int(2000 * share), "k": int(40 * share) if shift < 0.1 else 40, "draws": 4,
                        "smoothness": value, "low": value - 0.01, "high": value + 0.01, "floor": 0.1,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _per_class(classes: int, layers: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "layer": f"net.{i}", "index": i, "title": title, "network": "trained", "neighbours": "all",
                "class_index": c, "class_name": name, "smoothness": s, "low": s - 0.05, "high": s + 0.05, "n": 4,
            }
            for c, name in enumerate(_names(classes))
            for i, title in enumerate(_titles(layers))
            for s in [rng.uniform(0.05, 0.7)]
        ]
    )  # fmt: skip


class _Layer(SimpleNamespace):
    def __len__(self) -> int:
        return len(self.lengths)

    def sequence(self, i: int) -> np.ndarray:
        return np.random.default_rng(i).normal(0, 1, (self.lengths[i], self.joints * self.channels))


class _Store(dict[str, Any]):
    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self)


def _store(layers: int) -> _Store:
    return _Store(
        {
            f"net.{i}": _Layer(title=t, index=i, channels=3 if i == 0 else 64, joints=20, lengths=np.array([9, 12, 5]))
            for i, t in enumerate(_titles(layers))
        }
    )


def _maps(layers: int, frames: int, *, signed: bool = False) -> dict[str, SimpleNamespace]:
    rng = np.random.default_rng(1)
    low = -1.0 if signed else 0.0
    return {
        f"net.{i}": SimpleNamespace(values=rng.uniform(low, 1, (1, frames, 20)), title=t, index=i, layer=f"net.{i}")
        for i, t in enumerate(_titles(layers))
        if i
    }


def _statistics(layers: int) -> pd.DataFrame:
    rng, rows = np.random.default_rng(5), []
    for statistic in STATISTICS:
        for network in ("trained", "untrained") if statistic != "cka_untrained" else ("trained",):
            for i, title in enumerate(_titles(layers)):
                v, null = rng.uniform(0.3, 0.9), 0.1 if statistic.endswith("accuracy") else np.nan
                rows.append(
                    {"index": i, "title": title, "network": network, "statistic": statistic, "value": v}
                    | {"low": v - 0.1, "high": v + 0.1, "null_mean": null}
                )
    return pd.DataFrame(rows)


def _pairs(layers: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"first_index": i, "first": a, "first_title": a, "second_index": j, "second": b, "second_title": b}
            | {"network": "trained", "statistic": statistic, "value": 1 / (1 + abs(i - j))}
            for statistic in BETWEEN
            for i, a in enumerate(_titles(layers))
            for j, b in enumerate(_titles(layers))
        ]
    )


def _likeness(layers: int) -> pd.DataFrame:
    pairs = _pairs(layers).drop(columns="network").assign(base="joints $", chance=0.1)
    pairs = pairs.assign(low=pairs["value"] - 0.1, high=pairs["value"] + 0.1)
    return pd.concat([pairs.assign(network=name) for name in ("bones", "another seed", "untrained")])


def _sensitivity(layers: int) -> pd.DataFrame:
    choices = [
        ("own choices", ""), ("K", "10"), ("K", "50"), ("K", "81 (for 100)"), ("graph", "kNN, K = 12"),
        ("graph", "kNN, K = 81 (for 100)"), ("reading", "frames"), ("reading", "segments"), ("window", "5"),
        ("window", "17"), ("normalization", "path"), ("sigma", "per-node"), ("distance", "pooled"),
        ("distance", "resampled"),
    ]  # fmt: skip
    rows = []
    for number, (varied, choice) in enumerate(choices):
        for i, title in enumerate(_titles(layers)):
            s = 0.45 + 0.003 * number - 0.2 * i / layers
            rows.append({"index": i, "title": title, "varied": varied, "choice": choice, "k": 12, "smoothness": s,
                         "low": s - 0.02, "high": s + 0.02})  # fmt: skip
    return pd.DataFrame(rows)


def _separation(classes: int, layers: int) -> pd.DataFrame:
    status = ["separates", "does not", "separate at the input", "separates", "not decided"]
    rows = []
    for c, name in enumerate(_names(classes)):
        kind, at = status[c % 5], float(1 + c % (layers - 1))
        rows.append(
            {"class_index": c, "class_name": name, "status": kind, "index": at if kind == "separates" else np.nan}
            | {"half": np.nan if kind == "does not" else at - 0.5, "half_least": max(at - 1, 0), "half_most": at}
            | {"input": 0.6, "last": 0.01 * c, "drop": 0.6 - 0.01 * c, "low": 0.1 if c % 2 else -0.1}
        )
    return pd.DataFrame(rows)


def _confusions(classes: int, layers: int) -> pd.DataFrame:
    names = _names(classes)
    return pd.DataFrame(
        [
            {"index": i, "title": title, "class_index": c, "class_name": names[c], "other_index": (c + 1) % classes}
            | {"rank": 1, "share": 0.4 / (1 + i)}
            for i, title in enumerate(_titles(layers))
            for c in range(classes)
        ]
    )


def _suspects(data: SequenceSet) -> pd.DataFrame:
    nodes = np.arange(len(data))[:9]
    other = (data.labels[nodes] + 1) % len(data.class_names)
    named = {"class_name": [data.class_names[c] for c in data.labels[nodes]], "distance": 3.0 - 0.1 * nodes}
    return pd.DataFrame({"rank": nodes + 1, "node": nodes, "label": data.labels[nodes], "alternative": other} | named)


@dataclasses.dataclass
class World:
    """One size of study: what each figure needs."""

    classes: int
    layers: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(3)
        self.data = _data(self.classes)
        self.names = list(self.data.class_names)
        points = rng.normal(0, 1, (len(self.data), 5)) + self.data.labels[:, None] * 0.7
        self.distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
        self.graph = nnk_graph(self.distances, k=min(7, len(self.data) - 1))
        counts = np.eye(self.classes, dtype=np.int64) * 3
        counts[0, -1] += 1
        self.evaluation = SimpleNamespace(
            confusion=lambda: counts, accuracy=np.trace(counts) / counts.sum(), class_names=self.names
        )
        self.maps = _maps(self.layers, self.data.coords[0].shape[0])
        self.limbs = pd.DataFrame(
            [
                {"title": t, "index": i, "limb": limb, "share": 0.2, "even": 0.2}
                for i, t in enumerate(_titles(self.layers))
                for limb in self.data.layout.limbs
            ]
        )
        epochs = np.arange(1, 9)
        self.history = pd.DataFrame(
            {"epoch": epochs, "train_loss": 2 / epochs, "train_accuracy": epochs / 8, "test_accuracy": epochs / 8}
        )

    def graphs(self) -> dict[str, DSGraph]:
        return {("input" if i == 0 else f"net.{i}"): self.graph for i in range(self.layers)}


DRAWINGS: dict[str, Callable[[World], Figure]] = {
    "poses": lambda w: figures.poses(w.data),
    "lengths": lambda w: figures.lengths(w.data, split=w.data.split("subject", [1, 2])),
    "class_counts": lambda w: figures.class_counts(w.data),
    "training_curves": lambda w: figures.training_curves(w.history),
    "confusion": lambda w: figures.confusion(w.evaluation),
    "per_class_accuracy": lambda w: figures.per_class_accuracy(w.evaluation),
    "layer_shapes": lambda w: figures.layer_shapes(_store(w.layers)),
    "feature_norms": lambda w: figures.feature_norms(_store(w.layers)),
    "dtw_alignment": lambda w: figures.dtw_alignment(
        w.data.sequence(0), w.data.sequence(1), names=["a $ b", "c"], title="layer 1", temporal_stride=2
    ),
    "distance_matrix": lambda w: figures.distance_matrix(w.distances, w.data.labels, w.names, title="input"),
    "smoothness_curve": lambda w: figures.smoothness_curve(_table(w.layers)),
    "smoothness_curve_alone": lambda w: figures.smoothness_curve(_table(w.layers, controls=False)),
    "smoothness_curve_floor": lambda w: figures.smoothness_curve(_table(w.layers, floor=0.08)),
    "baseline_curves": lambda w: figures.baseline_curves(_baselines(w.layers)),
    "density_curves": lambda w: figures.density_curves(_density(w.layers)),
    "class_heatmap": lambda w: figures.class_heatmap(
        _per_class(w.classes, w.layers), separation=_separation(w.classes, w.layers)
    ),
    "class_heatmap_unmarked": lambda w: figures.class_heatmap(_per_class(w.classes, w.layers)),
    "class_smoothness": lambda w: figures.class_smoothness(_per_class(w.classes, w.layers), layer="net.1"),
    "ds_graph_map": lambda w: figures.ds_graph_map(w.graph, w.data.labels, w.names, distances=w.distances),
    "neighbor_counts": lambda w: figures.neighbor_counts(w.graphs()),
    "neighbors_of": lambda w: figures.neighbors_of(w.graph, 1, w.data),
    "edge_agreement": lambda w: figures.edge_agreement(w.graph, w.data.labels, w.names),
    "skeleton_strip": lambda w: figures.skeleton_strip(w.data.people(0), w.data.layout, w.maps, title="a $ b"),
    "joint_time_maps": lambda w: figures.joint_time_maps(w.maps, w.data.layout, title="a"),
    "class_joint_heatmap": lambda w: figures.class_joint_heatmap(
        np.where(np.arange(w.classes)[:, None] == 1, np.nan, 0.05) * np.ones(20), w.names, w.data.layout
    ),
    "relevance_by_limb": lambda w: figures.relevance_by_limb(w.limbs, w.data.layout),
    "statistics_curves": lambda w: figures.statistics_curves(_statistics(w.layers)),
    "layer_similarity": lambda w: figures.layer_similarity(_pairs(w.layers)),
    "likeness_curves": lambda w: figures.likeness_curves(_likeness(w.layers)),
    "likeness_matrices": lambda w: figures.likeness_matrices(_likeness(w.layers), statistic="nnk_overlap"),
    "sensitivity_curves": lambda w: figures.sensitivity_curves(_sensitivity(w.layers)),
    "sensitivity_alone": lambda w: figures.sensitivity_curves(_sensitivity(w.layers).iloc[: w.layers]),
    "class_separation_layers": lambda w: figures.class_separation_layers(
        _separation(w.classes, w.layers), layers=_layers(*range(w.layers))
    ),
    "class_mixing": lambda w: figures.class_mixing(_confusions(w.classes, w.layers)),
    "suspect_pictures": lambda w: figures.suspect_pictures(_suspects(w.data), w.graph, w.data),
    "outlier_pictures": lambda w: figures.outlier_pictures(_suspects(w.data), w.data),
}

TITLED_PICTURES = {"poses", "neighbors_of", "skeleton_strip", "suspect_pictures", "outlier_pictures"}


@pytest.fixture(scope="module", params=[(2, 2), (27, 11)], ids=["2 classes 2 layers", "27 classes 11 layers"])
def world(request: pytest.FixtureRequest) -> World:
    return World(*request.param)


def _boxes(texts: list[Any], renderer: Any) -> list[tuple[str, Any]]:
    shown = [t for t in texts if t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in shown]


def _assert_apart(boxes: list[tuple[str, Any]], where: str) -> None:
    for (a, first), (b, second) in itertools.combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        # A pixel or two of the boxes' own blank rims is no collision.
        assert not (across > 2 and down > 3), f"{where}: {a!r} and {b!r} overlap by {across:.0f} x {down:.0f} px"


@pytest.mark.parametrize("name", DRAWINGS)
def test_draws_without_warning_overlap_or_leak(name: str, world: World, caplog: pytest.LogCaptureFixture) -> None:
    before, settings = plt.get_fignums(), dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = DRAWINGS[name](world)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == before
    assert dict(mpl.rcParams) == settings
    assert not [r for r in caplog.records if r.name.startswith("matplotlib")]
    assert figure.alt.endswith(".")  # type: ignore[attr-defined]
    assert figure.get_figwidth() <= 9.61

    renderer = canvas.get_renderer()
    labelled = [ax for ax in figure.axes if ax.axison]
    titled = [t for ax in figure.axes for t in (ax.title, ax._left_title, ax._right_title) if t.get_text()]  # type: ignore[attr-defined]
    if name not in TITLED_PICTURES:
        assert any(ax.get_xlabel() or ax.get_ylabel() for ax in labelled) or figure._supylabel or name == "ds_graph_map"
    _assert_apart(_boxes(titled, renderer), "titles")
    for ax in labelled:
        # Tick labels beyond an axis's limits exist but are not drawn.
        low, high = sorted(ax.get_xlim())
        xs = [t.label1 for t in ax.xaxis.get_major_ticks() if low <= t.get_loc() <= high]
        low, high = sorted(ax.get_ylim())
        ys = [t.label1 for t in ax.yaxis.get_major_ticks() if low <= t.get_loc() <= high]
        _assert_apart(_boxes(xs, renderer) + _boxes([ax.xaxis.label], renderer), "x axis")
        for text, box in _boxes([*xs, *ys, *ax.texts, ax.xaxis.label, ax.yaxis.label], renderer):
            inside = box.x0 > -2 and box.y0 > -2 and box.x1 < figure.bbox.x1 + 2 and box.y1 < figure.bbox.y1 + 2
            assert inside, f"{text!r} is cut by the edge of the figure: {box}"
        _assert_apart(_boxes(ys, renderer) + _boxes([ax.yaxis.label], renderer), "y axis")
        _assert_apart(_boxes(list(ax.texts), renderer), "texts")
    names = [axis.label for ax in labelled for axis in (ax.xaxis, ax.yaxis)]
    for text, box in _boxes([*titled, *names, *([figure._suptitle] if figure._suptitle else [])], renderer):
        assert box.x0 >= -1, f"{text!r} leaves the figure"
        assert box.x1 <= figure.bbox.x1 + 1, f"{text!r} leaves the figure"
        assert box.y0 >= -1, f"{text!r} leaves the figure"
        assert box.y1 <= figure.bbox.y1 + 1, f"{text!r} leaves the figure"


def test_of_several_trainings_the_first_is_named_and_all_are_drawn(world: World) -> None:
    other = world.history.assign(network="trained-2", test_accuracy=world.history["test_accuracy"] / 2)
    both = pd.concat([world.history.assign(network="trained"), other], ignore_index=True)
    figure = figures.training_curves(both)
    loss, accuracy = figure.axes
    assert (len(loss.lines), len(accuracy.lines)) == (2, 4)
    assert {text.get_text() for text in accuracy.texts} == {"train 100%", "test 100%"}
    widths = sorted(line.get_linewidth() for line in loss.lines)
    assert widths[0] < widths[1]


def test_shows_itself_once_in_a_notebook(world: World) -> None:
    figure = figures.training_curves(world.history)
    data, metadata = figure._repr_mimebundle_()  # type: ignore[attr-defined]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == 960
    assert "Training" in metadata["image/png"]["alt"]


@pytest.mark.parametrize(
    ("body", "channels"), [("openpose-18", 2), ("openpose-18", 3), ("ntu-rgb+d", 3), ("coco-17", 2)]
)
def test_poses_of_other_bodies(body: str, channels: int) -> None:
    figure = figures.poses(_data(3, body, channels))
    FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 3


def test_up_is_found_whatever_the_sensor() -> None:
    body = layout("kinect-v1")
    points = np.zeros((4, 20, 3))
    points[:, 3], points[:, 1] = (0, 1.0, 2.0), (0, 0.5, 2.0)  # hip below shoulders, y pointing down
    points[:, 4], points[:, 8] = (0.2, 0.5, 2.0), (-0.2, 0.5, 2.0)
    flat = project(points, body)
    assert (flat[:, 1, 1] > flat[:, 3, 1]).all()
    assert flat[0, 4, 0] == pytest.approx(0.2)
    assert project(points, body, view="side")[0, 4, 0] == pytest.approx(2.0)


def test_missing_people_and_joints_are_left_out() -> None:
    flat = np.random.default_rng(0).uniform(0.2, 0.8, (6, 18, 3))
    flat[2, 4] = 0
    assert np.isnan(project(flat, layout("openpose-18"))[2, 4]).all()
    data = SequenceSet([np.stack([flat, np.zeros_like(flat)])], layout="openpose-18")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(figures.poses(data)).draw()


def test_embedding_keeps_plane_distances() -> None:
    points = np.random.default_rng(0).normal(size=(30, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    found = figures.embed(distances, seed=0)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=-1), distances, atol=1e-3)
    np.testing.assert_array_equal(found, figures.embed(distances, seed=0))


def test_spread_keeps_the_gap_and_moves_little() -> None:
    placed = spread([0.0, 0.1, 5.0], 1.0)
    np.testing.assert_allclose(placed, [-0.45, 0.55, 5.0])
    np.testing.assert_allclose(np.diff(np.sort(spread(np.zeros(5), 1.0, 0.0, 10.0))), 1.0)
    assert spread([9.9, 9.8], 1.0, 0.0, 10.0).tolist() == [10.0, 9.0]
    assert spread([], 1.0).size == 0
    np.testing.assert_allclose(spread([0.0, 0.0, 0.0], [1.0, 3.0, 1.0]), [-2.0, 0.0, 2.0])
    assert spread([9.0, 9.9], [1.0, 3.0], 0.0, 10.0).tolist() == [8.0, 10.0]


def test_labels_of_several_lines_have_room() -> None:
    figure = new_figure(3.0, alt="labels")
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1])
    direct_labels(ax, 1.0, [(0.50, "one", "k"), (0.51, "two\nlines", "k"), (0.52, "three", "k")])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = sorted((t.get_window_extent(canvas.get_renderer()) for t in ax.texts), key=lambda box: float(box.y0))
    assert all(lower.y1 < upper.y0 for lower, upper in itertools.pairwise(boxes))


def test_bands_that_overlap_keep_their_edges() -> None:
    figure = figures.smoothness_curve(_table(4))
    bands = [each for each in figure.axes[-1].collections if len(each.get_paths())]
    assert all(each.get_edgecolor()[0][3] > 0 and each.get_linewidth()[0] > 0 for each in bands)
    hatched = [each for each in bands if each.get_hatch()]
    assert len(hatched) == 1
    assert not len(hatched[0].get_facecolor()) or hatched[0].get_facecolor()[0][3] == 0


def _marks(figure: Figure) -> list[tuple[float, float]]:
    """(column, row) of each orange mark of a heat map of classes."""
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    return [(float(line.get_xdata()[0]), float(np.floor(line.get_ydata()[0]))) for line in lines]


def test_the_heat_map_marks_what_the_table_of_classes_says() -> None:
    table = _separation(5, 4)  # separates at 1, does not, separate at the input, separates at 1, not decided
    figure = figures.class_heatmap(_per_class(5, 4), separation=table)
    assert _marks(figure) == [(0, 0), (1, 1), (1, 2)]
    assert figure.axes[0].get_yticklabels()[0].get_text() == table["class_name"][2]
    assert not _marks(figures.class_heatmap(_per_class(5, 4)))
    undecided = figures.class_heatmap(_per_class(5, 4), separation=table.assign(status="not decided"))
    assert not _marks(undecided)


def _extent(figure: Figure, axis: int) -> tuple[float, float]:
    """The least and the most of all bands and bars of the first axes along one axis."""
    places = [path.vertices[:, axis] for each in figure.axes[0].collections for path in each.get_paths()
              if len(path.vertices) > 1 and each.get_offset_transform() is not each.get_transform()]  # fmt: skip
    return float(np.min(np.concatenate(places))), float(np.max(np.concatenate(places)))


def test_intervals_of_smoothness_are_cut_at_its_bounds() -> None:
    wide = {"low": -0.3, "high": 1.4}
    sensitivity = figures.sensitivity_curves(_sensitivity(4).assign(**wide))
    assert _extent(sensitivity, 1)[0] == 0
    assert sensitivity.axes[0].get_ylim()[0] >= 0
    curve = figures.smoothness_curve(_table(4).assign(**wide, null_low=0.9))
    assert (curve.axes[-1].get_ylim()[0], _extent(curve, 1)) == (0, (0, 1))
    bars = figures.class_smoothness(_per_class(5, 4).assign(**wide), layer="net.1")
    assert bars.axes[0].get_xlim() == (0, 1.02)
    (low, high) = bars.axes[0].collections[0].get_segments()[0][:, 0]
    assert (low, high) == (0, 1)
    for figure in (figures.density_curves(_density(4).assign(**wide)),
                   figures.baseline_curves(_baselines(4).assign(**wide))):  # fmt: skip
        assert _extent(figure, 1)[0] == 0


def test_a_class_without_a_sure_fall_is_drawn_at_the_right() -> None:
    table = _separation(5, 4).assign(status="not decided", half=1.0, low=[-0.1, 0.1, np.nan, -0.1, 0.2])
    figure = figures.class_separation_layers(table.assign(drop=[0.2, 0.2, 0.0, 0.2, 0.2]), layers=_layers(0, 1, 2, 3))
    (points,) = [each for each in figure.axes[0].collections if len(each.get_offsets()) == 5]
    assert sorted(points.get_offsets()[:, 0]) == [1, 1, 4, 4, 4]


def test_halves_lie_between_the_layers_of_some_blocks() -> None:
    """Blocks 4 and 10 alone were recorded: half of a fall at 2 lies midway between the input and layer 4."""
    table = _separation(3, 4).assign(status="separates", low=0.1, half=[2.0, 4.0, 7.0], half_least=[0.0, 2.0, 4.0],
                                     half_most=[4.0, 7.0, 10.0])  # fmt: skip
    figure = figures.class_separation_layers(table, layers=_layers(0, 4, 10))
    (ax,) = figure.axes
    (points,) = [each for each in ax.collections if len(each.get_offsets()) == 3]
    assert points.get_offsets()[:, 0].tolist() == [0.5, 1.0, 1.5]
    (bars,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    assert [segment[:, 0].tolist() for segment in bars.get_segments()] == [[0, 1], [0.5, 1.5], [1, 2]]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["input", "4", "10", "no fall\nshown"]
    assert ax.get_xlim()[1] == 3.4


def test_cells_of_classes_that_mix_hold_names() -> None:
    def written(figure: Figure) -> set[str]:
        return {text.get_text() for text in figure.axes[0].texts}

    table = _confusions(3, 4)
    names = {0: "swipe left", 1: "swipe right", 2: "sit"}
    table["class_name"] = table["class_index"].map(names)
    assert "sit" in written(figures.class_mixing(table))
    assert _shortened(list(names.values()), 20) == list(names.values())
    assert _shortened(list(names.values()), 6) == ["sw…eft", "sw…ght", "sit"]
    assert _shortened(["stand to sit", "sit to stand"], 8) == ["stand t…", "sit to…"]
    assert _shortened(["circle 1 of a hand", "circle 2 of a hand"], 8) == []
    narrow = figures.class_mixing(_confusions(3, 40))
    assert written(narrow) <= {"1", "2", "3"}


def test_a_class_beside_no_other_has_a_row_without_names() -> None:
    table = _confusions(3, 4)
    table = pd.concat([table, table[table["class_index"] == 2].assign(rank=0, other_index=2)])
    table = table[(table["class_index"] != 2) | (table["rank"] == 0)]
    ax = figures.class_mixing(table).axes[0]
    assert len(ax.get_yticklabels()) == 3
    assert {text.get_position()[1] // 1 for text in ax.texts} == {0, 1}


def test_classes_and_layers_are_told_apart() -> None:
    assert len(set(class_styles(60))) == 60
    light, dark = (np.mean(layer_colors(11)[i]) for i in (0, -1))
    assert light > dark


def test_signed_maps_and_scales() -> None:
    data = _data(2)
    frames = data.coords[0].shape[0]
    for normalize in ("map", "jointly", {"net.1": 2.0}):
        figure = figures.skeleton_strip(
            data.coords[0], data.layout, _maps(2, frames, signed=True), normalize=normalize, frames=[0, "end"]
        )
        assert "full colour" in figure.get_suptitle()
        FigureCanvasAgg(figure).draw()


def test_the_floor_is_drawn_where_it_can_be_told_from_0() -> None:
    def words(floor: float) -> list[str]:
        figure = figures.smoothness_curve(_table(4, floor=floor))
        return [text.get_text() for ax in figure.axes for text in ax.texts]

    assert "lowest possible with this K" in words(0.08)
    assert "lowest possible with this K" not in words(0.004)


def test_no_null_no_trouble() -> None:
    table = _table(3, controls=False)
    table[["null_mean", "null_low", "null_high"]] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.smoothness_curve(table)
        FigureCanvasAgg(figure).draw()
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("draw", "error", "says"),
    [
        (lambda w: figures.class_counts(w.data, by="subjct"), SequenceError, "subject"),
        (lambda w: figures.training_curves(pd.DataFrame({"epoch": [1]})), SequenceError, "train_loss"),
        (lambda w: figures.smoothness_curve(_table(2), neighbours="friends"), GraphError, "other subjects"),
        (lambda w: figures.baseline_curves(_baselines(2).iloc[:0]), GraphError, "controls.baselines"),
        (lambda w: figures.density_curves(_density(2).iloc[:0]), GraphError, "it needs 200 nodes or a sample"),
        (lambda w: figures.class_smoothness(_per_class(2, 2), layer="x"), GraphError, "net.1"),
        (lambda w: figures.ds_graph_map(w.graph, w.data.labels, w.names), GraphError, "needs distances"),
        (lambda w: figures.ds_graph_map(w.graph, [0], w.names, distances=w.distances), GraphError, "labels"),
        (lambda w: figures.neighbors_of(w.graph, 99999, w.data), GraphError, "does not exist"),
        (lambda w: figures.distance_matrix(np.ones((2, 3)), [0, 1], w.names), GraphError, "(N, N)"),
        (lambda w: figures.dtw_alignment(np.ones((4, 2)), np.ones((4, 3))), SequenceError, "features"),
        (lambda w: figures.skeleton_strip(w.data.coords[0], w.data.layout, {}), SequenceError, "no relevance map"),
        (lambda w: figures.skeleton_strip(w.data.coords[0], w.data.layout, _maps(2, 3)), SequenceError, "shape"),
        (
            lambda w: figures.skeleton_strip(w.data.coords[0], w.data.layout, w.maps, frames=["begin"]),
            SequenceError,
            "'start'",
        ),
        (lambda w: figures.joint_time_maps(w.maps, w.data.layout, normalize="max"), SequenceError, "'jointly'"),
        (lambda w: figures.class_joint_heatmap(np.ones((2, 3)), ["a", "b"], w.data.layout), SequenceError, "(2, 20)"),
        (lambda w: figures.neighbor_counts({}), GraphError, "no graph"),
        (lambda w: figures.statistics_curves(_statistics(2).iloc[:0]), GraphError, "probe_accuracy"),
        (lambda w: figures.sensitivity_curves(_sensitivity(2).iloc[2:]), GraphError, "own choices"),
        (lambda w: figures.layer_similarity(_pairs(2), network="untrained"), GraphError, "'trained'"),
        (lambda w: figures.likeness_curves(_likeness(2), statistics=("CKA",)), GraphError, "'CKA'"),
        (lambda w: figures.likeness_matrices(_likeness(2), statistic="CKA"), GraphError, "'CKA'"),
        (lambda w: figures.suspect_pictures(_suspects(w.data), w.graph, _data(3)), GraphError, "graph's own"),
        (lambda w: figures.outlier_pictures(_suspects(w.data), w.data.select([0])), GraphError, "1 recordings"),
    ],
)
def test_bad_input_is_named(draw: Callable[[World], Figure], error: type[StgcnlibError], says: str) -> None:
    with pytest.raises(error) as caught:
        draw(World(2, 2))
    assert says in str(caught.value)


@pytest.mark.parametrize("name", [f"squat with {arms}arms forward" for arms in ("", "two ", "both ", "both its ")])
def test_names_beside_a_square_of_distances_are_not_cut(name: str) -> None:
    labels = np.repeat([0, 1], 4)
    distances = np.add.outer(labels, labels) * 6.0
    figure = figures.distance_matrix(distances, labels, [name, "wave"], title="input")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert min(box.x0 for _, box in _boxes(figure.axes[0].texts, canvas.get_renderer())) > 0
