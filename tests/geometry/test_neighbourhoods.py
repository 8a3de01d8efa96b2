"""Diameters and overlaps by sets and loops, intrinsic dimension on manifolds whose dimension is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import DSGraph, knn_graph, nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import graph_similarity, intrinsic_dimension, neighbourhood_overlap, polytope_diameters
from stgcnlib.geometry.neighbourhoods import chance_overlap, pointwise_dimension


def clouds(seed: int, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(count, 4))
    second = first + rng.normal(size=(count, 4))
    return cdist(first, first), cdist(second, second)


def kept(graph: DSGraph, i: int) -> set[int]:
    return set(graph.neighbors(i)[0].tolist())


def test_diameters_by_loops() -> None:
    distances, _ = clouds(0)
    graph = nnk_graph(distances, k=9)
    found = polytope_diameters(graph, distances)
    for i in range(len(graph)):
        pairs = [distances[a, b] for a, b in itertools.combinations(kept(graph, i), 2)]
        assert found[i] == pytest.approx(max(pairs, default=0.0))
    assert (polytope_diameters(knn_graph(distances, k=9), distances) >= found - 1e-12).all()
    assert (polytope_diameters(nnk_graph(distances, k=1), distances) == 0).all()


@pytest.mark.parametrize("of", ["kept", "candidates"])
def test_overlap_by_sets(of: str) -> None:
    first, second = (nnk_graph(d, k=7) for d in clouds(1))
    found = neighbourhood_overlap(first, second, of=of)
    for i in range(len(first)):
        a, b = (kept(g, i) if of == "kept" else set(g.candidates[i].tolist()) for g in (first, second))
        assert found[i] == pytest.approx(len(a & b) / len(a | b))
    np.testing.assert_array_equal(neighbourhood_overlap(first, first, of=of), 1.0)


@pytest.mark.parametrize("of", ["kept", "candidates"])
def test_chance_of_overlap_by_all_subsets(of: str) -> None:
    first, second = (nnk_graph(d[:7, :7], k=k) for d, k in zip(clouds(1), (3, 4), strict=True))
    found = chance_overlap(first, second, of=of)
    for i in range(7):
        a, b = (len(kept(g, i)) if of == "kept" else g.candidates.shape[1] for g in (first, second))
        pairs = itertools.product(itertools.combinations(range(6), a), itertools.combinations(range(6), b))
        assert found[i] == pytest.approx(np.mean([len({*x} & {*y}) / len({*x} | {*y}) for x, y in pairs]))


def test_chance_of_overlap_is_that_of_unrelated_layers_with_unequal_groups() -> None:
    """A person with half of the recordings has few neighbours: the level is 0.264; N - 1 for all gives 0.146."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2, 3], [30, 15, 10, 5])
    found: dict[str, list[np.ndarray]] = {"kept": [], "candidates": []}
    expected: dict[str, list[np.ndarray]] = {"kept": [], "candidates": []}
    for _ in range(40):
        first, second = (nnk_graph(cdist(p, p), k=15, exclude=groups) for p in rng.normal(size=(2, 60, 8)))
        for of in ("kept", "candidates"):
            found[of].append(neighbourhood_overlap(first, second, of=of))
            expected[of].append(chance_overlap(first, second, of=of, exclude=groups))
    for of, values in found.items():
        for people in ([0, 1, 2, 3], [0], [3]):
            mine = np.isin(groups, people)
            means = (np.mean(values, axis=0) - np.mean(expected[of], axis=0))[mine]
            error = np.std([v[mine].mean() for v in values]) / np.sqrt(len(values))
            assert abs(means.mean()) < 4 * error + 0.003, (of, people)
    assert np.mean(expected["candidates"]) == pytest.approx(0.264, abs=0.001)
    with pytest.raises(GraphError, match="neighbours that `exclude` bars"):
        chance_overlap(first, second, exclude=np.zeros(60))


def test_similarity_by_loops() -> None:
    first, second = (nnk_graph(d, k=7) for d in clouds(2))
    found = graph_similarity(first, second)
    for i in range(len(first)):
        rows = []
        for graph in (first, second):
            nodes, weights = graph.neighbors(i)
            rows.append(dict(zip(nodes.tolist(), weights / weights.sum(), strict=True)))
        assert found[i] == pytest.approx(sum(min(rows[0].get(j, 0), rows[1].get(j, 0)) for j in range(len(first))))
    np.testing.assert_allclose(graph_similarity(first, first), 1.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_overlaps_are_symmetric_and_bounded(seed: int, k: int) -> None:
    first, second = (nnk_graph(d, k=k) for d in clouds(seed, 16))
    for measure in (neighbourhood_overlap, graph_similarity):
        forward, backward = measure(first, second), measure(second, first)
        np.testing.assert_allclose(forward, backward)
        assert ((forward >= 0) & (forward <= 1 + 1e-12)).all()


@pytest.mark.parametrize("method", ["mle", "twonn"])
@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_dimension_of_manifolds(method: str, dimension: int) -> None:
    """A flat piece of R^d, rolled up into many more coordinates: distances between neighbours hardly change."""
    rng = np.random.default_rng(dimension)
    flat = rng.uniform(-1, 1, size=(600, dimension))
    turns = 0.8 * flat @ rng.normal(size=(dimension, 15))
    points = np.hstack([flat, 0.3 * np.sin(turns), 0.3 * np.cos(turns)])
    found = intrinsic_dimension(cdist(points, points), method=method, k=10)
    assert found == pytest.approx(dimension, rel=0.15)
    assert found == pytest.approx(intrinsic_dimension(7.0 * cdist(points, points), method=method, k=10))


def test_pointwise_dimension_is_the_published_formula() -> None:
    distances, _ = clouds(3, 60)
    nearest = np.sort(distances, axis=1)[:, 1:9]
    by_hand = 1 / np.mean(np.log(nearest[:, -1:] / nearest[:, :-1]), axis=1)
    np.testing.assert_allclose(pointwise_dimension(distances, k=8), by_hand, rtol=1e-6)
    assert intrinsic_dimension(distances, k=8) == pytest.approx(1 / np.mean(1 / by_hand))


def test_duplicates_say_nothing() -> None:
    points = np.random.default_rng(0).normal(size=(150, 2))
    distances = cdist(points, points)
    expected = intrinsic_dimension(distances), intrinsic_dimension(distances, method="twonn")
    twice = cdist(*[np.repeat(points, 2, axis=0)] * 2)
    assert np.isnan(intrinsic_dimension(twice))
    assert np.isnan(intrinsic_dimension(twice, method="twonn"))
    one = cdist(*[np.vstack([points, points[:1]])] * 2)
    assert np.flatnonzero(np.isnan(pointwise_dimension(one))).tolist() == [0, 150]
    found = intrinsic_dimension(one), intrinsic_dimension(one, method="twonn")
    assert found == pytest.approx(expected, rel=0.05)


def test_bad_input() -> None:
    distances, _ = clouds(5, 12)
    graph = nnk_graph(distances, k=3)
    with pytest.raises(GraphError, match=r"shape \(3, 3\); expected \(12, 12\)"):
        polytope_diameters(graph, distances[:3, :3])
    with pytest.raises(GraphError, match="12 and 8 nodes"):
        neighbourhood_overlap(graph, nnk_graph(distances[:8, :8], k=3))
    with pytest.raises(GraphError, match="did you mean 'kept'"):
        neighbourhood_overlap(graph, graph, of="keep")  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="k=12"):
        intrinsic_dimension(distances, k=12)
    with pytest.raises(GraphError, match="twonn"):
        intrinsic_dimension(distances, method="two-nn")  # type: ignore[arg-type]
