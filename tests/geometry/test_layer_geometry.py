"""layer_geometry and its verdict on planted clusters whose classes part with depth, or do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from stgcnlib.errors import GraphError, LayerNotFoundError
from stgcnlib.geometry import LayerGeometry, Verdict, bootstrap_counts, label_smoothness, layer_geometry
from stgcnlib.geometry.uncertainty import bootstrap_means, interval

CLASSES, SUBJECTS, REPEATS = 5, 4, 5
LABELS = np.repeat(np.arange(CLASSES), SUBJECTS * REPEATS)
PEOPLE = np.tile(np.repeat(np.array(["ann", "bo", "cy", "di"]), REPEATS), CLASSES)


class Layers:
    """What layer_geometry needs of a LayerStore when distances are given."""

    def __init__(self, count: int) -> None:
        self.layers = ("input", *(f"block.{i}" for i in range(count)))

    def __getitem__(self, name: str) -> SimpleNamespace:
        index = self.layers.index(name)
        return SimpleNamespace(name=name, index=index, title=f"layer {index}" if index else "input")


def planted(strengths: list[float], *, seed: int = 0, identity: float = 1.5) -> dict[str, np.ndarray]:
    """Distances per layer; classes are `strength` apart, people `identity`, and each layer has its own noise."""
    rng = np.random.default_rng(seed)
    centres, people = rng.normal(size=(CLASSES, 6)), rng.normal(size=(SUBJECTS, 6))
    own = rng.normal(size=(len(LABELS), 6))
    person = np.unique(PEOPLE, return_inverse=True)[1]
    distances = {}
    for name, strength in zip(Layers(len(strengths) - 1).layers, strengths, strict=True):
        noise = own + 0.3 * rng.normal(size=own.shape)
        points = strength * centres[LABELS] + identity * people[person] + noise
        distances[name] = cdist(points, points)
    return distances


FALLING = [0.4, 0.4, 0.4, 0.5, 0.8, 1.6]
UNTRAINED = [0.4, 0.4, 0.3, 0.2, 0.2, 0.2]


def measure(strengths: list[float], untrained: list[float] | None = UNTRAINED, **options: object) -> LayerGeometry:
    chosen: dict[str, object] = {"groups": PEOPLE, "k": 12, "permutations": 50, "bootstrap": 300}
    return layer_geometry(
        Layers(len(strengths) - 1),
        LABELS,
        distances=planted(strengths),
        untrained_distances=None if untrained is None else planted(untrained),
        **(chosen | options),
    )


@pytest.fixture(scope="module")
def falling() -> LayerGeometry:
    return measure(FALLING)


def test_table(falling: LayerGeometry) -> None:
    table = falling.table
    assert list(table.columns) == [
        *("layer", "index", "title", "network", "neighbours", "smoothness", "low", "high", "null_mean", "null_low"),
        *("null_high", "rmse", "knn_smoothness", "neighbor_count", "kkt_residual", "sigma", "n"),
    ]
    assert len(table) == 6 * 2 * 2
    assert not table.duplicated(["layer", "network", "neighbours"]).any()
    assert (table["low"] <= table["smoothness"]).all()
    assert (table["smoothness"] <= table["high"]).all()
    assert (table["kkt_residual"] < 1e-6).all()
    assert table["null_mean"].between(0.7, 0.9).all()
    assert table["title"].unique().tolist() == ["input", *(f"layer {i}" for i in range(1, 6))]
    main = falling.curve()
    assert main["smoothness"].iloc[-1] < main["smoothness"].iloc[0] - 0.2
    assert falling.curve("untrained")["smoothness"].iloc[-1] > main["smoothness"].iloc[-1] + 0.2


def test_tables_agree_with_each_other_and_the_graphs(falling: LayerGeometry) -> None:
    keys = ["layer", "network", "neighbours"]
    table = falling.table.set_index(keys)
    nodes = falling.per_node.groupby(keys)[["smoothness", "neighbor_count"]].mean()
    np.testing.assert_allclose(nodes["smoothness"].loc[table.index], table["smoothness"])
    np.testing.assert_allclose(nodes["neighbor_count"].loc[table.index], table["neighbor_count"])
    classes = falling.per_class
    assert len(classes) == len(table) * CLASSES
    weighted = (classes["smoothness"] * classes["n"]).groupby([classes[k] for k in keys]).sum() / len(LABELS)
    np.testing.assert_allclose(weighted.loc[table.index], table["smoothness"])
    for key, graph in falling.graphs.items():
        assert label_smoothness(graph, LABELS) == pytest.approx(table.loc[key, "smoothness"])
        own = PEOPLE[graph.candidates] == PEOPLE[:, None]
        assert own.any() == (key[2] == "all")


def test_same_person_neighbours_show_identity(falling: LayerGeometry) -> None:
    everyone, others = falling.curve(neighbours="all"), falling.curve()
    assert falling.neighbours == "other subjects"
    own = falling.graphs[("input", "trained", "all")]
    share = (PEOPLE[own.candidates] == PEOPLE[:, None])[own.weights > 0].mean()
    assert share > 0.4  # most of what "all" counts at the input is the person, 24% by chance
    assert len(everyone) == len(others) == 6


DAYS = np.arange(len(LABELS)) % 3


def test_neighbours_are_called_by_their_group() -> None:
    made = measure(FALLING, groups=DAYS, group="day")
    assert made.neighbours == "other days"
    assert set(made.table["neighbours"]) == {"other days", "all"}
    text = made.verdict().text
    assert "Counting only neighbours of other days" in text
    assert "If neighbours of the same day count too" in text
    assert "the 3 days and their sequences" in text
    assert "so few days say little about others" in text
    assert "subject" not in text


@pytest.mark.parametrize(
    ("groups", "resample", "drawn", "said"),
    [
        (PEOPLE, None, PEOPLE, "the 4 subjects and their sequences"),
        (None, PEOPLE, PEOPLE, "the 4 subjects and their sequences"),
        (DAYS, PEOPLE, PEOPLE, "the 4 subjects and their sequences"),
        (PEOPLE, "recordings", None, "of sequences as if independent, with the graphs held fixed."),
        (None, None, None, "with the graphs held fixed; subjects are not known."),
    ],
)
def test_what_is_resampled_is_a_question_of_its_own(
    tmp_path: Path, groups: np.ndarray | None, resample: object, drawn: np.ndarray | None, said: str
) -> None:
    made = measure(FALLING, groups=groups, resample=resample)
    made.save(tmp_path / "geometry")
    for geometry in (made, LayerGeometry.load(tmp_path / "geometry")):
        expected = bootstrap_counts(len(LABELS), draws=300, groups=drawn)
        np.testing.assert_array_equal(geometry.resamples(), expected)
        assert geometry.verdict().text.endswith(("others.", said))
        assert said.removesuffix(".") in geometry.verdict().text
        means = bootstrap_means(geometry.node_values()[-1], expected)
        assert tuple(geometry.curve().iloc[-1][["low", "high"]]) == pytest.approx(interval(means))


def test_verdict_says_yes_on_a_falling_curve(falling: LayerGeometry) -> None:
    verdict = falling.verdict()
    assert isinstance(verdict, Verdict)
    assert verdict.holds is True
    assert all(verdict.numbers["tests"].values())
    assert "holds on these data." in verdict.text
    main = falling.curve()
    for value in (main["smoothness"].iloc[0], main["smoothness"].iloc[-1], verdict.numbers["untrained_last"]):
        assert f"{value:.2f}" in verdict.text
    assert "4 subjects" in verdict.text
    assert "neighbours by the same subject" in verdict.text
    assert "\n" not in verdict.text


@pytest.mark.parametrize(
    ("strengths", "untrained", "words"),
    [
        ([0.9] * 6, UNTRAINED, ["training keeps what the untrained layers lose", "not clearly below the input"]),
        ([1.6, 1.4, 1.2, 0.8, 0.6, 0.4], UNTRAINED, ["rises by", "rises from the early layers to the last"]),
        ([0.2, 1.6, 1.6, 1.2, 0.9, 0.7], UNTRAINED, ["rises from the early layers", "by", "of the input's value"]),
        ([0.0] * 6, [0.0] * 6, ["no better than chance", "within the range of shuffled labels"]),
    ],
)
def test_verdict_says_no(strengths: list[float], untrained: list[float], words: list[str]) -> None:
    verdict = measure(strengths, untrained).verdict()
    assert verdict.holds is False
    for text in ["does not hold on these data", *words]:
        assert text in verdict.text


@pytest.mark.parametrize(
    ("strengths", "untrained", "words"),
    [
        (FALLING, None, ["only in part", "the control is missing", "what training adds is not known"]),
        (FALLING, FALLING, ["only in part", "the untrained network does as well"]),
        ([0.4, 1.4, 1.5, 1.5, 1.6, 2.0], UNTRAINED, ["only in part", "in the early layers already"]),
    ],
)
def test_verdict_says_in_part(strengths: list[float], untrained: list[float] | None, words: list[str]) -> None:
    verdict = measure(strengths, untrained).verdict()
    assert verdict.holds is None
    for text in words:
        assert text in verdict.text


def test_without_subjects(tmp_path: Path) -> None:
    geometry = measure(FALLING, groups=None)
    assert geometry.table["neighbours"].unique().tolist() == ["all"]
    assert geometry.settings["resampling"] == "sequences"
    text = geometry.verdict().text
    assert "subjects are not known" in text
    assert "whoever performed them" in text
    geometry.save(tmp_path / "g")
    assert LayerGeometry.load(tmp_path / "g").groups is None


def test_save_and_load(falling: LayerGeometry, tmp_path: Path) -> None:
    falling.save(tmp_path / "geometry")
    again = LayerGeometry.load(tmp_path / "geometry")
    for name in ("table", "per_class", "per_node"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(falling, name), check_dtype=False)
    assert again.verdict() == falling.verdict()
    assert again.graphs.keys() == falling.graphs.keys()
    key = ("block.4", "trained", "other subjects")
    np.testing.assert_array_equal(again.graphs[key].weights, falling.graphs[key].weights)
    assert [path.name for path in tmp_path.iterdir()] == ["geometry"]
    (tmp_path / "geometry" / "nodes.npz").unlink()
    with pytest.raises(GraphError, match=r"no complete LayerGeometry.*nodes.npz"):
        LayerGeometry.load(tmp_path / "geometry")


def test_fixed_width_and_published_modes() -> None:
    geometry = measure(FALLING[:3], None, sigma=1, solver="pynnk", symmetrize="pynnk")
    assert (geometry.table["sigma"] == 1).all()
    assert geometry.table["smoothness"].between(0, 1).all()
    assert geometry.settings["solver"] == "pynnk"


def test_same_seed_same_numbers() -> None:
    first, second = measure(FALLING[:3], seed=4), measure(FALLING[:3], seed=4)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_class_names() -> None:
    names = ["a", "b", "c", "d", "e", "unused"]
    table = measure(FALLING[:3], None, class_names=names).per_class
    assert table["class_name"].unique().tolist() == names[:5]
    with pytest.raises(GraphError, match="class_names has 2 names"):
        measure(FALLING[:3], None, class_names=names[:2])


class Activations(list[np.ndarray]):
    """A list of sequences that knows which layer it is."""

    def __init__(self, sequences: list[np.ndarray], layer: SimpleNamespace) -> None:
        super().__init__(sequences)
        self.index, self.title = layer.index, layer.title


def test_distances_are_computed_where_they_are_not_given() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(6 + i % 3, 2)) for i in range(10)]

    class Store(Layers):
        def __getitem__(self, name: str) -> Activations:
            return Activations(sequences if name == "input" else [], super().__getitem__(name))

    from stgcnlib.dtw import dtw_distances

    given = {"block.0": dtw_distances(sequences, window=3)}
    geometry = layer_geometry(
        Store(1), np.arange(10) % 2, distances=given, k=3, dtw={"window": 3}, permutations=5, bootstrap=5
    )
    first, second = geometry.curve()["smoothness"]
    assert first == pytest.approx(second)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 90}, GraphError, "k=90, but node 0 has only 75"),
        ({"groups": ["ann"]}, GraphError, r"groups have shape \(1,\)"),
        ({"permutations": 0}, GraphError, "permutations=0"),
        ({"confidence": 2.0}, GraphError, "confidence=2"),
    ],
)
def test_bad_input(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(FALLING[:3], None, **options)


def test_missing_or_misshapen_distances() -> None:
    with pytest.raises(LayerNotFoundError, match=r"untrained_distances lack 'block.1'"):
        measure(FALLING[:3], UNTRAINED[:2])
    with pytest.raises(GraphError, match=r"'input' \(trained\) have shape \(3, 3\)"):
        layer_geometry(Layers(1), LABELS, distances={"input": np.zeros((3, 3)), "block.0": np.zeros((3, 3))}, k=1)


def test_verdict_needs_depth() -> None:
    with pytest.raises(GraphError, match="at least two layers"):
        measure(FALLING[:2], None).verdict()
