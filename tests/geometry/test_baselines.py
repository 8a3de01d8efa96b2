"""Baselines without warping against slow loops, and planted recordings that only warping, or order, tells apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import GraphError, SequenceError
from stgcnlib.geometry import LayerGeometry, baseline_distances, label_smoothness, layer_baselines, layer_geometry


def by_hand(sequences: list[np.ndarray], baseline: str, frames: int) -> np.ndarray:
    def one(a: np.ndarray, b: np.ndarray) -> float:
        if baseline == "duration":
            return abs(len(a) - len(b))
        if baseline == "pooled":
            return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)))
        total = 0.0
        for step in range(frames):
            share = step / (frames - 1) if frames > 1 else 0.5
            at = [[np.interp(share * (len(x) - 1), range(len(x)), column) for column in x.T] for x in (a, b)]
            total += sum((p - q) ** 2 for p, q in zip(*at, strict=True))
        return float(np.sqrt(total / frames))

    return np.array([[one(a, b) for b in sequences] for a in sequences])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["pooled", "resampled", "duration"]), st.sampled_from([None, 1, 2, 7]))
def test_distances_are_those_of_slow_loops(seed: int, baseline: str, frames: int | None) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, 6)
    sequences = [100 + rng.normal(size=(t, 3)) for t in lengths]
    sequences.append(sequences[2].copy())
    found = baseline_distances(sequences, baseline, frames=frames)
    count = frames or round(float(np.median([len(x) for x in sequences])))
    np.testing.assert_allclose(found, by_hand(sequences, baseline, count), atol=1e-4)  # resampled frames are float32
    assert (found == found.T).all()
    assert (np.diag(found) == 0).all()
    assert found[2, 6] == 0


def test_near_equal_recordings_keep_their_distance() -> None:
    """A difference of inner products would give 0 or noise."""
    base = np.full((4, 50), 1000.0) + np.arange(50)
    sequences = [base, base + 1e-6, -base]
    assert baseline_distances(sequences, "pooled")[0, 1] == pytest.approx(1e-6 * np.sqrt(50), rel=1e-3)


def test_bad_input() -> None:
    with pytest.raises(GraphError, match="pooled"):
        baseline_distances([np.ones((2, 2))], "poled")
    with pytest.raises(GraphError, match="frames=0; expected at least 1"):
        baseline_distances([np.ones((2, 2))], "resampled", frames=0)
    for bad in ([], [np.ones((0, 2))], [np.ones((2, 2)), np.ones((2, 3))], [np.ones(3)]):
        with pytest.raises(SequenceError, match=r"shape \(T, D\)"):
            baseline_distances(bad, "pooled")


class Store(dict):
    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self)


class Layer(list):
    index, title = 0, "input"


LABELS = np.repeat(np.arange(4), 12)
PEOPLE = np.tile(np.repeat(np.arange(4), 3), 4)


def bumps(*, late: bool) -> list[np.ndarray]:
    """Four classes: the order of two bumps on two channels, and their sizes; their moment is chance if `late`."""
    rng = np.random.default_rng(3)
    result = []
    for label in LABELS:
        t = np.arange(rng.integers(36, 44))
        x = np.zeros((len(t), 2))
        start = rng.uniform(6, 24) if late else 12.0
        for place, channel in enumerate([label % 2, 1 - label % 2]):
            x[:, channel] += (1 + 0.5 * (label // 2)) * np.exp(-(((t - start - 6 * place) / 2.0) ** 2))
        result.append(x + 0.03 * rng.normal(size=x.shape))
    return result


def measured(sequences: list[np.ndarray], **options: object) -> tuple[Store, LayerGeometry]:
    store = Store(input=Layer(sequences))
    distances = {"trained": {"input": dtw_distances(sequences, reading="frames", progress=False)}}
    chosen = {"groups": PEOPLE, "k": 6, "permutations": 5} | options
    return store, layer_geometry(store, LABELS, distances=distances, progress=False, **chosen)


def test_warping_and_order_show_where_they_tell_classes_apart() -> None:
    store, geometry = measured(bumps(late=True))
    rows = layer_baselines(store, geometry, progress=False).set_index("baseline")
    assert geometry.curve()["smoothness"][0] < 0.1
    assert (rows["gain_low"] > 0).all()  # none of them sees what DTW sees
    store, geometry = measured(bumps(late=False))
    rows = layer_baselines(store, geometry, progress=False).set_index("baseline")
    assert rows["smoothness"]["resampled"] < 0.1  # without shifts no warping is needed
    assert rows["smoothness"]["pooled"] > 0.3  # means over time do not know the order
    assert rows["smoothness"]["duration"] > 0.6


def test_table_is_that_of_the_graphs() -> None:
    store, geometry = measured(bumps(late=True), sigma=0.5)
    store["block"] = store["input"]
    table = layer_baselines(store, geometry, baselines=("resampled",), progress=False)
    assert list(table.columns) == [
        *("layer", "index", "title", "baseline", "smoothness", "low", "high", "floor", "dtw", "gain", "gain_low"),
        *("gain_high", "n"),
    ]
    assert table["layer"].tolist() == ["input"]  # layers of the geometry only
    row, matrix = table.iloc[0], baseline_distances(store["input"], "resampled")
    graph = nnk_graph(matrix, k=6, exclude=PEOPLE)  # a width in the unit of DTW distances is not for these
    assert row["smoothness"] == pytest.approx(label_smoothness(graph, LABELS))
    assert row["gain"] == pytest.approx(row["smoothness"] - row["dtw"])
    # Tukey's jackknife over four people, both graphs made anew without each.
    other = dtw_distances(store["input"], reading="frames", progress=False)
    gains = []
    for person in range(4):
        keep = np.flatnonzero(person != PEOPLE)
        values = [
            label_smoothness(nnk_graph(d[np.ix_(keep, keep)], k=6, exclude=PEOPLE[keep], sigma=s), LABELS[keep])
            for d, s in ((matrix, "mean-kth/3"), (other, 0.5))
        ]
        gains.append(values[0] - values[1])
    error = np.sqrt(3 / 4 * ((gains - np.mean(gains)) ** 2).sum())
    assert row["gain_high"] - row["gain"] == pytest.approx(3.182446 * error, rel=1e-5)


def test_duration_is_measured_once_and_a_wrong_store_is_refused() -> None:
    sequences = bumps(late=False)
    store, _ = measured(sequences)
    store["block"] = Layer(sequences)
    store["block"].index, store["block"].title = 1, "layer 1"
    distances = dict.fromkeys(store, baseline_distances(sequences, "pooled"))
    geometry = layer_geometry(store, LABELS, distances={"trained": distances}, k=6, permutations=5, progress=False)
    table = layer_baselines(store, geometry, progress=False)
    assert table.groupby("baseline")["layer"].apply(list).to_dict() == {
        "duration": ["input"], "pooled": ["input", "block"], "resampled": ["input", "block"],
    }  # fmt: skip
    assert table[table["baseline"] == "pooled"]["gain"].abs().max() == 0
    assert list(layer_baselines(store, geometry, baselines=()).columns) == list(table.columns)
    with pytest.raises(GraphError, match="has 3 recordings, the geometry 48"):
        layer_baselines(Store(input=Layer(sequences[:3]), block=Layer(sequences)), geometry, progress=False)
    with pytest.raises(GraphError, match="duration"):
        layer_baselines(SimpleNamespace(), geometry, baselines=("durations",))
