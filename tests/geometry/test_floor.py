"""The floor of label smoothness against an oracle that tries every assignment, and the K that suits the recordings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import DSGraph, knn_graph, nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import choose_k, label_smoothness, rescaled, same_class_candidates, smoothness_floor
from stgcnlib.groups import barred_pairs


def counted_by_hand(labels: np.ndarray, exclude: np.ndarray | None) -> list[int]:
    barred = barred_pairs(exclude, len(labels))
    return [sum(labels[j] == labels[i] and not barred[i, j] for j in range(len(labels))) for i in range(len(labels))]


def lowest_by_trying(weights: np.ndarray, own: int) -> float:
    """The least weight on others over all ways to put at most `own` same-class candidates on the places."""
    places = [True] * min(own, len(weights)) + [False] * max(len(weights) - own, 0)
    return min(
        sum(w for w, same in zip(weights, order, strict=True) if not same) / sum(weights)
        for order in set(permutations(places))
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["none", "groups", "mask"]), st.sampled_from([nnk_graph, knn_graph]))
def test_floor_is_the_best_of_all_assignments_and_below_smoothness(seed: int, kind: str, build: object) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 20))
    points, y = rng.normal(size=(n, 2)), rng.integers(0, 5, n)
    groups = np.arange(n) % 3
    mask = rng.random((n, n)) < 0.2
    exclude = {"none": None, "groups": groups, "mask": mask}[kind]
    k = min(5, int((~barred_pairs(exclude, n)).sum(axis=1).min()))
    graph = build(cdist(points, points), k=k, exclude=exclude)
    own = same_class_candidates(y, exclude)
    assert own.tolist() == counted_by_hand(y, exclude)
    floor = smoothness_floor(graph, y, exclude)
    expected = [lowest_by_trying(w, int(m)) for w, m in zip(graph.weights, own, strict=True)]
    np.testing.assert_allclose(floor, expected, atol=1e-12)
    assert (floor <= label_smoothness(graph, y, per="node") + 1e-15).all()
    assert (floor[own >= graph.neighbor_counts()] == 0).all()


def test_a_perfect_layer_reaches_the_floor() -> None:
    """Classes infinitely far apart, 3 of each: with 5 candidates 2 places are others', whatever the features."""
    y = np.repeat(np.arange(4), 4)
    near = 100 * np.eye(4)[y] + 0.01 * np.random.default_rng(0).normal(size=(16, 4))
    d = cdist(near, near)
    graph = knn_graph(d, k=5, sigma=1e3)
    assert label_smoothness(graph, y) == pytest.approx(0.4, abs=0.01)
    np.testing.assert_allclose(smoothness_floor(graph, y), label_smoothness(graph, y, per="node"), atol=1e-12)
    assert smoothness_floor(knn_graph(d, k=3, sigma=1e3), y).max() == 0


def test_a_node_without_neighbours_has_the_floor_1() -> None:
    graph = DSGraph(np.array([[1], [0]]), np.ones((2, 1)), np.array([[1.0], [0.0]]), 1.0, np.zeros(2))
    assert smoothness_floor(graph, [0, 0]).tolist() == [0.0, 1.0]


def test_rescaled() -> None:
    np.testing.assert_allclose(rescaled([0.1, 0.5, 0.9], 0.1, [0.9, 0.9, 0.9]), [0, 0.5, 1])
    assert np.isnan(rescaled(0.2, 0.5, 0.5))


@pytest.mark.parametrize(
    ("labels", "exclude", "k", "why", "warns"),
    [
        (np.repeat(np.arange(10), 16), np.tile(np.repeat(np.arange(4), 4), 10), 12, "the median number", False),
        (np.repeat(np.arange(8), 3), None, 5, "the least that is chosen; the median number of candidates of a node's "
         "own class is 2", True),
        (np.zeros(200, dtype=int), None, 50, "the most that is chosen; the median number of candidates of a node's own "
         "class is 199", False),
        (np.arange(4), None, 3, "the most that every node can provide", True),
    ],
    ids=["suited", "few of a class", "many of a class", "few in all"],
)  # fmt: skip
def test_k_suits_the_recordings(labels: np.ndarray, exclude: np.ndarray | None, k: int, why: str, warns: bool) -> None:
    chosen = choose_k(labels, exclude)
    assert (chosen.k, chosen.why.startswith(why), chosen.warning is not None) == (k, True, warns)


def test_a_given_k_is_taken_and_warned_of() -> None:
    labels, people = np.repeat(np.arange(10), 16), np.tile(np.repeat(np.arange(4), 4), 10)
    chosen = choose_k(labels, people, wanted=20)
    assert (chosen.k, chosen.median, chosen.least) == (20, 12, 12)
    assert chosen.warning is not None
    assert "K = 20 exceeds the 12 candidates" in chosen.warning
    assert chosen.text.startswith(
        "K = 20: as the study says. A node has 12 candidates of its own class (median; least 12). K = 20 exceeds"
    )
    assert choose_k(labels, people, wanted=12).warning is None


def test_recordings_without_classes_take_the_root_of_their_number() -> None:
    chosen = choose_k(None, count=400)
    assert (chosen.k, chosen.warning) == (20, None)
    assert chosen.text == "K = 20: the square root of the number of nodes (400)."
    assert choose_k(None, np.repeat([0, 1], 3), count=6).k == 3


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(GraphError, match="give labels, or the count"):
        choose_k(None)
    with pytest.raises(GraphError, match="k=0; expected at least one"):
        choose_k([0, 0, 1], wanted=0)
    with pytest.raises(GraphError, match="groups have shape"):
        same_class_candidates([0, 0, 1], [1, 2])
    with pytest.raises(GraphError, match="labels have shape"):
        smoothness_floor(knn_graph(cdist(np.eye(4), np.eye(4)), k=2), [0, 1])
