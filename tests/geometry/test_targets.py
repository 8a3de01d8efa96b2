"""Smoothness of real targets: pencil and paper, classes as the one-hot case, pygsp, shuffles, and read-outs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygsp.graphs import Graph
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import (
    knn_estimates,
    label_smoothness,
    probe_estimates,
    r_squared,
    target_null,
    target_smoothness,
)
from stgcnlib.geometry.targets import explained, total_variance


def ring() -> DSGraph:
    """Four nodes in a ring; the directed weights of the two sides are 3 and 1."""
    return DSGraph(
        candidates=np.array([[1, 3], [2, 0], [3, 1], [0, 2]]),
        candidate_distances=np.ones((4, 2)),
        weights=np.tile([3.0, 1.0], (4, 1)),
        sigma=1.0,
        kkt_residual=np.zeros(4),
    )


def drawn(seed: int, count: int = 24, k: int = 6) -> tuple[DSGraph, np.ndarray]:
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return nnk_graph(cdist(points, points), k=k), points


def test_by_hand() -> None:
    # Squares to the next and to the one before: node 0 sees 1 and 9, and so on; Var of 0, 1, 2, 3 is 5/3.
    expected = np.array([(3 * 1 + 9) / 4, 1, 1, (3 * 9 + 1) / 4]) / (2 * 5 / 3)
    np.testing.assert_allclose(target_smoothness(ring(), [0, 1, 2, 3], per="node"), expected)
    assert target_smoothness(ring(), [0.0, 1.0, 2.0, 3.0]) == pytest.approx(expected.mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_classes_are_the_one_hot_case(seed: int, classes: int) -> None:
    graph, _ = drawn(seed)
    y = np.random.default_rng(seed).integers(0, classes, 24)
    if len(np.unique(y)) < 2:
        y[0] = (y[1] + 1) % classes
    counts = np.bincount(y)
    null = 1 - (counts * (counts - 1)).sum() / (24 * 23)
    onehot = np.eye(classes)[y]
    assert total_variance(onehot) == pytest.approx(null, rel=1e-12)
    np.testing.assert_allclose(
        target_smoothness(graph, onehot, per="node"), label_smoothness(graph, y, per="node") / null,
        rtol=1e-10, atol=1e-12,
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_it_is_the_dirichlet_energy_of_pygsp(seed: int, columns: int) -> None:
    """On the undirected mean of P and its transpose, whose energy counts each pair once."""
    graph, _ = drawn(seed)
    y = np.random.default_rng(seed + 1).normal(size=(24, columns))
    W = graph.directed().toarray()
    P = W / W.sum(axis=1, keepdims=True)
    energies = [Graph((P + P.T) / 2).dirichlet_energy(column) for column in y.T]
    variance = ((y - y.mean(axis=0)) ** 2).sum() / 23
    assert target_smoothness(graph, y) == pytest.approx(sum(energies) / (24 * variance), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_unit_origin_and_order_do_not_matter(seed: int, unit: float, origin: float) -> None:
    graph, points = drawn(seed)
    rng = np.random.default_rng(seed)
    y = rng.normal(size=24)
    expected = target_smoothness(graph, y)
    assert target_smoothness(graph, unit * y + origin) == pytest.approx(expected, rel=1e-6)
    assert target_smoothness(graph, np.c_[y, y]) == pytest.approx(expected, rel=1e-12)
    order = rng.permutation(24)
    moved = nnk_graph(cdist(points[order], points[order]), k=6)
    assert target_smoothness(moved, y[order]) == pytest.approx(expected, rel=1e-6)
    assert target_smoothness(graph, y, per="node").mean() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("columns", [1, 3])
def test_shuffled_targets_give_1_on_average(columns: int) -> None:
    """The mean over 4000 shuffles lies within four standard errors of 1; with N in the denominator it would be 1.09."""
    graph, _ = drawn(3, count=12, k=4)
    rng = np.random.default_rng(0)
    y = rng.exponential(size=(12, columns)) * (1 + np.arange(columns))
    null = target_null(graph, y, permutations=4000, seed=1)
    error = null.std() / np.sqrt(len(null))
    assert abs(null.mean() - 1) < 4 * error < 0.05
    by_hand = [target_smoothness(graph, rng.permutation(y)) for _ in range(400)]
    assert null.std() == pytest.approx(np.std(by_hand), rel=0.2)


def test_a_smooth_target_is_near_0_and_an_alternating_one_above_1() -> None:
    line = np.arange(40.0)[:, None]
    graph = nnk_graph(cdist(line, line), k=4)
    assert target_smoothness(graph, line) < 0.02
    assert target_smoothness(graph, line[:, 0] % 2) > 1.5


def test_a_node_without_neighbours_counts_1() -> None:
    weights = ring().weights.copy()
    weights[2] = 0
    alone = DSGraph(ring().candidates, ring().candidate_distances, weights, 1.0, np.zeros(4))
    assert target_smoothness(alone, [0.0, 1.0, 5.0, 3.0], per="node")[2] == 1
    null = target_null(alone, [0.0, 1.0, 5.0, 3.0], permutations=4000)
    assert null.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((4, 2, 1)), "shape"),
        (np.array(["a"] * 4), "not finite numbers"),
        (np.array([0, np.nan, 1, 2]), "not finite numbers"),
        (np.ones(4), "all equal"),
    ],
)
def test_targets_that_do_not_fit(targets: np.ndarray, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        target_smoothness(ring(), targets)
    with pytest.raises(GraphError, match=message):
        target_null(ring(), targets)


def test_unknown_words() -> None:
    with pytest.raises(GraphError, match="per='class'"):
        target_smoothness(ring(), [0, 1, 2, 3], per="class")  # type: ignore[call-overload]
    with pytest.raises(GraphError, match="permutations"):
        target_null(ring(), [0, 1, 2, 3], permutations=0)


def test_neighbours_of_the_same_group_give_no_estimate() -> None:
    """Pairs of equal recordings in one group: counted, they would give R² of 1."""
    rng = np.random.default_rng(5)
    y = np.repeat(rng.normal(size=20), 2)
    points = np.repeat(rng.normal(size=(20, 2)), 2, axis=0)
    groups = np.repeat(np.arange(20), 2)
    distances = cdist(points, points)
    assert r_squared(y, knn_estimates(distances, y, k=1)) == pytest.approx(1)
    assert r_squared(y, knn_estimates(distances, y, k=2, exclude=groups)) < 0.3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_knn_estimates_are_means_over_admissible_neighbours(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, y, groups = rng.normal(size=(20, 2)), rng.normal(size=(20, 2)), rng.integers(0, 4, 20)
    distances = cdist(points, points)
    found = knn_estimates(distances, y, k=k, exclude=groups)
    for i in range(20):
        others = [j for j in range(20) if groups[j] != groups[i]]
        nearest = sorted(others, key=lambda j: distances[i, j])[:k]
        np.testing.assert_allclose(found[i], y[nearest].mean(axis=0))


def test_the_probe_is_ridge_regression_without_the_own_group() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 10)
    X = rng.normal(size=(40, 3)) * [1, 10, 0.1]
    y = X @ [1.0, 0.2, 5.0] + 3 + rng.normal(size=40)
    found = probe_estimates(X, y, groups=groups, C=0.5)[:, 0]
    for group in range(4):
        train, test = groups != group, groups == group
        mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
        wanted = Ridge(alpha=2.0).fit((X[train] - mean) / scale, (y[train] - y[train].mean()) / y[train].std())
        estimate = wanted.predict((X[test] - mean) / scale) * y[train].std() + y[train].mean()
        np.testing.assert_allclose(found[test], estimate)
    assert r_squared(y, found) > 0.3
    assert r_squared(rng.permutation(y), found) < 0.2


def test_a_probe_needs_groups_and_variation() -> None:
    X, y = np.eye(6), np.arange(6.0)
    with pytest.raises(GraphError, match="there is only one group"):
        probe_estimates(X, y, groups=np.zeros(6, dtype=int))
    with pytest.raises(GraphError, match="only one value"):
        probe_estimates(X, np.array([0.0, 0, 0, 1, 2, 3]), groups=[0, 0, 0, 1, 1, 1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_r_squared_is_scikit_learns(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    y, estimate = rng.normal(size=(2, 15, columns)) * (1 + np.arange(columns))
    assert r_squared(y, estimate) == pytest.approx(r2_score(y, estimate, multioutput="variance_weighted"))
    assert explained(y, y).tolist() == [1] * 15
    assert r_squared(y, np.broadcast_to(y.mean(axis=0), y.shape)) == pytest.approx(0, abs=1e-12)
