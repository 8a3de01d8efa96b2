"""Label smoothness of maps: the first author's script as slow loops, K by the data, graphs anew without a subject."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from textbook import jackknife_interval

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import SequenceError
from stgcnlib.explain import RelevanceMap, map_smoothness
from stgcnlib.geometry import label_smoothness

LABELS = np.arange(12) % 3
PEOPLE = np.arange(12) // 3


@pytest.fixture(scope="module")
def maps() -> Any:
    """Twelve maps of two people: layer 1 is noise, layer 2 tells the class by a joint, with noise."""
    rng = np.random.default_rng(0)
    found = []
    for label in LABELS:
        noise = rng.random((2, int(rng.integers(6, 9)), 5)).astype(np.float32)
        told = 0.4 * noise
        told[..., label] += 1
        layers = {"a": (noise, 1), "b": (told, 2)}
        found.append({n: RelevanceMap(v, v, n, i, f"layer {i}", int(label)) for n, (v, i) in layers.items()})
    return found


def plain_dtw(x: np.ndarray, y: np.ndarray) -> float:
    best = np.full((len(x) + 1, len(y) + 1), np.inf)
    best[0, 0] = 0
    for a in range(len(x)):
        for b in range(len(y)):
            best[a + 1, b + 1] = abs(x[a] - y[b]) + min(best[a, b + 1], best[a + 1, b], best[a, b])
    return float(best[-1, -1])


def author(values: list[np.ndarray], k: int) -> np.ndarray:
    """(N,) share of a node's weight on other classes: k nearest by DTW of flattened maps, weights 1/d."""
    flat = [each[0].ravel().astype(np.float64) for each in values]
    nodes = []
    for i in range(len(flat)):
        others = [j for j in range(len(flat)) if PEOPLE[j] != PEOPLE[i]]
        distance = {j: plain_dtw(flat[i], flat[j]) for j in others}
        nearest = sorted(others, key=lambda j: distance[j])[:k]
        weights = np.array([1 / distance[j] for j in nearest])
        weights /= weights.sum()
        nodes.append(sum(w for w, j in zip(weights, nearest, strict=True) if LABELS[j] != LABELS[i]))
    return np.array(nodes)


def test_the_form_of_the_author_by_loops(maps: Any) -> None:
    table = map_smoothness(maps, LABELS, form="author", k=4, groups=PEOPLE).set_index("layer")
    for name in ("a", "b"):
        expected = author([each[name].values for each in maps], 4)
        assert table.loc[name, "maps"] == pytest.approx(expected.mean(), rel=1e-4)
    # Ten neighbours are asked for; nine recordings by others are there.
    assert map_smoothness(maps, LABELS, form="author", groups=PEOPLE)["k"].tolist() == [9, 9]
    assert map_smoothness(maps, LABELS, form="author")["k"].tolist() == [10, 10]


def test_equal_maps_share_all_the_weight() -> None:
    values = [np.full((1, 3, 2), v, np.float32) for v in (1, 1, 1, 5, 5, 5)]
    maps = [{"a": RelevanceMap(v, v, "a", 1, "layer 1", 0)} for v in values]
    table = map_smoothness(maps, [0, 0, 1, 2, 2, 2], form="author", k=4)
    # Two equal maps each; of the first three, nodes 0 and 1 share half of it with their class, node 2 none.
    assert table["maps"].iloc[0] == pytest.approx((0.5 + 0.5 + 1 + 0 + 0 + 0) / 6)


def test_k_is_what_the_own_class_can_fill(maps: Any) -> None:
    """Three recordings of one's class by other people: with 9 candidates even maps of one class alone stay above 0."""
    table = map_smoothness(maps, LABELS, groups=PEOPLE, dtw={"window": 2}).set_index("layer")
    assert table["k"].tolist() == [3, 3]
    assert table.loc["b", "maps"] == pytest.approx(0, abs=1e-6)
    assert table.loc["a", "maps"] > 0.3
    assert map_smoothness(maps, LABELS, k=99, groups=PEOPLE)["k"].tolist() == [9, 9]
    assert map_smoothness(maps, np.arange(12), groups=PEOPLE)["k"].tolist() == [1, 1]  # nobody else is of the class


def test_intervals_make_graphs_anew_without_each_person(maps: Any) -> None:
    row = map_smoothness(maps, LABELS, k=3, groups=PEOPLE, dtw={"window": 2}).set_index("layer").loc["a"]
    # Unit mass, times the frames, summed over people.
    mass = [each["a"].values * (each["a"].values.shape[1] / each["a"].values.sum()) for each in maps]
    distances = dtw_distances([each.sum(axis=0) for each in mass], dtw={"window": 2})
    without = []
    for person in range(4):
        keep = np.flatnonzero(person != PEOPLE)
        graph = nnk_graph(distances[np.ix_(keep, keep)], k=3, exclude=PEOPLE[keep])
        without.append(label_smoothness(graph, LABELS[keep]))
    whole = label_smoothness(nnk_graph(distances, k=3, exclude=PEOPLE), LABELS)
    low, high = jackknife_interval(whole, without)
    assert row["maps"] == pytest.approx(whole, abs=1e-5)
    assert (row["maps_low"], row["maps_high"]) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-4)


def test_the_fall_from_the_first_layer_is_paired(maps: Any) -> None:
    table = map_smoothness(maps, LABELS, k=3, groups=PEOPLE, dtw={"window": 2})
    assert table["fall"].iloc[0] == table["fall_low"].iloc[0] == table["fall_high"].iloc[0] == 0
    assert table["fall"].iloc[1] == pytest.approx(table["maps"].iloc[0] - table["maps"].iloc[1])
    assert table["fall_low"].iloc[1] <= table["fall"].iloc[1] <= table["fall_high"].iloc[1]
    twice = [{"a": m["a"], "b": m["a"]} for m in maps]  # the same maps at both layers: no fall, and no doubt of it
    same = map_smoothness(twice, LABELS, k=3, groups=PEOPLE)
    np.testing.assert_allclose(same[["fall", "fall_low", "fall_high"]], 0, atol=1e-12)


def test_an_unknown_form_is_named(maps: Any) -> None:
    with pytest.raises(SequenceError, match="did you mean 'author'"):
        map_smoothness(maps, LABELS, form="autor")  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["own", "author"])
def test_maps_without_relevance_are_left_out(maps: Any, form: Any) -> None:
    """They are equal to each other, which says nothing of their classes."""
    nothing = {n: RelevanceMap(0 * m.values, 0 * m.values, n, m.index, m.title, 0) for n, m in maps[0].items()}
    holes = list(maps)
    for i in (0, 4):
        holes[i] = {"a": maps[i]["a"], "b": nothing["b"]}
    rest = np.setdiff1d(np.arange(12), [0, 4])
    far = np.random.default_rng(1).random((12, 12)).astype(np.float32)
    far = (far + far.T) * (1 - np.eye(12, dtype=np.float32))
    few, given = far[np.ix_(rest, rest)], {"groups": PEOPLE, "form": form}
    table = map_smoothness(holes, LABELS, feature_distances={"a": far, "b": far}, **given).set_index("layer")
    same = map_smoothness(maps, LABELS, feature_distances={"a": far, "b": far}, **given).set_index("layer")
    part = map_smoothness(
        [maps[i] for i in rest], LABELS[rest], feature_distances={"a": few, "b": few}, groups=PEOPLE[rest], form=form
    ).set_index("layer")
    assert table["empty"].tolist() == [0, 2]
    assert table.loc["a"].equals(same.loc["a"])
    columns = [name for name in table.columns if not name.startswith(("fall", "empty"))]
    assert table.loc["b", columns].equals(part.loc["b", columns])
    # The fall is that of the recordings that have maps at both layers.
    assert np.isfinite(table.loc["b", ["fall", "fall_low", "fall_high"]].to_numpy(float)).all()


def test_smoothness_of_no_maps_is_unknown(maps: Any) -> None:
    nothing = RelevanceMap(np.zeros((1, 6, 5), np.float32), np.zeros((1, 6, 5), np.float32), "a", 1, "layer 1", 0)
    row = map_smoothness([{"a": nothing}] * 12, LABELS).iloc[0]
    assert row["empty"] == 12
    assert row[["maps", "maps_low", "maps_high", "fall"]].isna().all()
    # Those that are left are of one person: nobody has a neighbour.
    alone = [m if person == 0 else {"a": nothing} for m, person in zip(maps, PEOPLE, strict=True)]
    row = map_smoothness([{"a": m["a"]} for m in alone], LABELS, groups=PEOPLE).iloc[0]
    assert row["empty"] == 9
    assert np.isnan(row["maps"])
