"""DS-Graphs: candidates, kernel widths, duplicates, symmetrisation, files and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import DSGraph, ds_graph, knn_graph, nnk_graph, nnk_weights
from stgcnlib.errors import GraphError
from stgcnlib.geometry import label_smoothness


def cloud(seed: int, count: int = 30, *, warp: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 4))
    distances = np.triu(cdist(points, points) * np.exp(warp * rng.normal(size=(count, count))), 1)
    return distances + distances.T


LINE = np.abs(np.subtract.outer([0.0, 1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 2.0, 4.0, 8.0]))


def test_candidates_are_nearest_first_with_ties_by_index() -> None:
    graph = knn_graph(LINE, k=2)
    assert graph.candidates.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1], [3, 2]]
    assert graph.candidate_distances.tolist() == [[1, 2], [1, 1], [1, 2], [2, 3], [4, 6]]
    tied = np.ones((4, 4)) - np.eye(4)
    assert knn_graph(tied, k=2).candidates.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_kernel_widths() -> None:
    kth = np.array([2.0, 1.0, 2.0, 3.0, 6.0])
    assert knn_graph(LINE, k=2).sigma == pytest.approx(kth.mean() / 3)
    assert knn_graph(LINE, k=2, sigma=1.5).sigma == 1.5
    per_node = knn_graph(LINE, k=2, sigma="per-node")
    np.testing.assert_allclose(per_node.sigma, kth / 3)
    # k(i, j) = exp(-d² / 2 σ_i σ_j), the same seen from both ends
    assert per_node.weights[0, 0] == pytest.approx(np.exp(-1 / (2 * (2 / 3) * (1 / 3))))
    assert per_node.weights[1, 0] == per_node.weights[0, 0]
    # published Python: whole columns of the K-th candidates 2, 2, 0, 1, 2
    columns = LINE.mean(axis=0)
    expected = (3 * columns[2] + columns[0] + columns[1]) / 5 / 3
    assert knn_graph(LINE, k=2, sigma="pynnk").sigma == pytest.approx(expected)


@pytest.mark.parametrize("sigma", ["mean-kth/3", "per-node", "pynnk", 1.0])
@pytest.mark.parametrize("warp", [0.0, 0.6])
def test_rows_solve_their_own_problem(sigma: object, warp: float) -> None:
    distances = cloud(3, 25, warp=warp)
    graph = nnk_graph(distances, k=8, sigma=sigma)
    assert graph.kkt_residual.max() < 1e-6
    width = np.broadcast_to(graph.sigma, 25)
    for i in range(25):
        S = graph.candidates[i]
        kernel = np.exp(-(distances[np.ix_(S, S)] ** 2) / (2 * np.outer(width[S], width[S])))
        target = np.exp(-(distances[i, S] ** 2) / (2 * width[i] * width[S]))
        np.testing.assert_allclose(graph.weights[i], nnk_weights(kernel, target)[0], atol=1e-7)


def test_indefinite_blocks_are_reported_and_certified() -> None:
    graph = nnk_graph(cloud(1, 40, warp=0.8), k=20, sigma=3.0)
    assert graph.projected is not None
    assert graph.projected.any()
    assert graph.kkt_residual.max() < 1e-6
    assert (graph.neighbor_counts() > 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5]), st.sampled_from(["exact", "pynnk"]))
def test_relabelling_the_nodes_relabels_the_graph(seed: int, warp: float, solver: str) -> None:
    distances = cloud(seed, 14, warp=warp)
    order = np.random.default_rng(seed + 1).permutation(14)
    first = nnk_graph(distances, k=6, solver=solver)
    second = nnk_graph(distances[np.ix_(order, order)], k=6, solver=solver)
    expected = first.directed().toarray()[np.ix_(order, order)]
    np.testing.assert_allclose(second.directed().toarray(), expected, atol=1e-6)
    for how in ("max", "mean", "mutual"):
        expected = first.undirected(how).toarray()[np.ix_(order, order)]
        np.testing.assert_allclose(second.undirected(how).toarray(), expected, atol=1e-6)


def test_geometrically_redundant_neighbours_are_dropped() -> None:
    # On a line, the nearest neighbour on each side hides all beyond it.
    points = np.arange(9.0)[:, None]
    graph = nnk_graph(cdist(points, points), k=4, sigma=1.0)
    assert set(graph.neighbors(4)[0].tolist()) == {3, 5}


def test_exact_duplicates() -> None:
    points = np.array([[0.0], [0.0], [0.0], [1.0], [2.0], [5.0]])
    graph = nnk_graph(cdist(points, points), k=5)
    for node, twins in enumerate([[1, 2], [0, 2], [0, 1]]):
        indices, weights = graph.neighbors(node)
        assert indices.tolist() == twins
        assert weights.tolist() == [0.5, 0.5]
    indices, weights = graph.neighbors(3)
    assert {0, 1, 2} <= set(indices.tolist())
    assert len(set(weights[np.isin(indices, [0, 1, 2])].tolist())) == 1
    # Together they weigh what one of them does alone.
    alone = nnk_graph(cdist(points[2:], points[2:]), k=3, sigma=float(graph.sigma))
    np.testing.assert_allclose(weights[np.isin(indices, [0, 1, 2])].sum(), alone.neighbors(1)[1][0], atol=1e-12)
    assert (graph.neighbor_counts() > 0).all()
    assert graph.kkt_residual.max() < 1e-9
    assert not graph.projected.any()


def with_duplicates(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of points on a grid, many of them equal; labels and people who do not follow from the place."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, size=(24, 2)).astype(float)
    return cdist(points, points), rng.integers(0, 3, 24), np.arange(24) % 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.02, 0.5]))
def test_the_order_of_equal_recordings_decides_nothing(seed: int, leave_out: bool, sigma: float) -> None:
    """Also where their labels differ: smoothness of each node stays the same, to rounding."""
    distances, labels, people = with_duplicates(seed)
    order = np.random.default_rng(seed + 1).permutation(len(labels))
    k = 16 if leave_out else 23  # all that are admissible
    first = nnk_graph(distances, k=k, sigma=sigma, exclude=people if leave_out else None)
    second = nnk_graph(distances[np.ix_(order, order)], k=k, sigma=sigma, exclude=people[order] if leave_out else None)
    before, after = (label_smoothness(graph, y, per="node") for graph, y in ((first, labels), (second, labels[order])))
    np.testing.assert_allclose(after, before[order], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        second.directed().toarray(), first.directed().toarray()[np.ix_(order, order)], rtol=0, atol=1e-12
    )


def test_equal_recordings_of_two_classes_count_half_each() -> None:
    points = np.array([[0.0], [1.0], [1.0], [5.0]])
    graph = nnk_graph(cdist(points, points), k=3, sigma=1.0)
    values = label_smoothness(graph, np.array([0, 0, 1, 1]), per="node")
    assert values[0] == pytest.approx(0.5, abs=1e-12)


def test_rounding_of_the_distances_of_equal_recordings_is_forgiven() -> None:
    """Two equal recordings can have distances to a third that differ in the last digit of float32."""
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.3, 1.0]])
    distances = cdist(points, points)
    distances[0, 2] = distances[2, 0] = np.nextafter(np.float32(1), np.float32(2))
    graph = nnk_graph(distances, k=3, sigma=1.0)
    assert not graph.projected[0]
    weights = dict(zip(graph.candidates[0].tolist(), graph.weights[0].tolist(), strict=True))
    assert weights[1] == weights[2] > 0


@pytest.mark.parametrize("sigma", ["mean-kth/3", "per-node", "pynnk"])
@pytest.mark.parametrize("symmetrize", ["max", "mean"])
def test_all_sequences_equal(sigma: object, symmetrize: object) -> None:
    graph = nnk_graph(np.zeros((5, 5)), k=3, sigma=sigma, symmetrize=symmetrize)
    assert graph.neighbor_counts().tolist() == [3] * 5
    np.testing.assert_allclose(graph.weights, 1 / 3)
    assert (graph.undirected().sum(axis=1) > 0).all()
    assert (knn_graph(np.zeros((5, 5)), k=3, sigma=sigma).weights == 1).all()


@pytest.mark.parametrize("sigma", ["mean-kth/3", "per-node", 0.1])
def test_far_outlier_keeps_its_nearest_neighbour(sigma: object) -> None:
    points = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1e6])[:, None]
    distances = cdist(points, points)
    graph = nnk_graph(distances, k=2, sigma=0.1 if sigma == 0.1 else sigma)
    assert 4 in graph.neighbors(5)[0]
    assert np.isfinite(graph.directed().toarray()).all()
    assert graph.kkt_residual.max() < 1e-6
    assert knn_graph(distances, k=2, sigma=sigma).neighbor_counts().tolist() == [2] * 6


def test_published_solver_leaves_the_outlier_alone() -> None:
    points = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1e6])[:, None]
    graph = nnk_graph(cdist(points, points), k=2, sigma=0.1, solver="pynnk")
    assert graph.neighbor_counts()[5] == 0


def test_far_outlier_keeps_all_its_nearest_neighbours() -> None:
    points = np.array([0.0, 0.1, 0.2, 0.3, 0.3, 1e6])[:, None]
    graph = nnk_graph(cdist(points, points), k=3, sigma=0.1)
    assert graph.neighbors(5)[0].tolist() == [3, 4]
    assert label_smoothness(graph, np.array([0, 0, 0, 0, 1, 1]), per="node")[5] == pytest.approx(0.5)


def test_leave_subject_out() -> None:
    distances = cloud(5, 12)
    subjects = np.repeat(["a", "b", "c"], 4)
    graph = nnk_graph(distances, k=8, exclude=subjects)
    assert (subjects[graph.candidates] != subjects[:, None]).all()
    mask = subjects[:, None] == subjects[None, :]
    np.testing.assert_array_equal(nnk_graph(distances, k=8, exclude=mask).weights, graph.weights)
    with pytest.raises(GraphError, match=r"k=9, but node 0 has only 8 admissible"):
        nnk_graph(distances, k=9, exclude=subjects)


def test_undirected_by_hand() -> None:
    graph = DSGraph(
        candidates=np.array([[1, 2], [0, 2], [1, 0]]),
        candidate_distances=np.ones((3, 2)),
        weights=np.array([[0.8, 0.0], [0.4, 0.2], [0.6, 0.0]]),
        sigma=1.0,
        kkt_residual=np.zeros(3),
        errors=np.array([0.1, 0.3, 0.2]),
    )
    assert graph.directed().toarray().tolist() == [[0, 0.8, 0], [0.4, 0, 0.2], [0, 0.6, 0]]
    expected = {
        "max": [[0, 0.8, 0], [0.8, 0, 0.6], [0, 0.6, 0]],
        "mean": [[0, 0.6, 0], [0.6, 0, 0.4], [0, 0.4, 0]],
        "mutual": [[0, 0.4, 0], [0.4, 0, 0.2], [0, 0.2, 0]],
        "pynnk": [[0, 0.8, 0], [0.8, 0, 0.6], [0, 0.6, 0]],
    }
    for how, matrix in expected.items():
        np.testing.assert_allclose(graph.undirected(how).toarray(), matrix, err_msg=how)
    assert [a.tolist() for a in graph.neighbors(1)] == [[0, 2], [0.4, 0.2]]
    assert graph.neighbor_counts().tolist() == [1, 2, 1]


def slow_published_union(graph: DSGraph) -> np.ndarray:
    """Loop reading of the published comparison of reconstruction errors."""
    n = len(graph)
    error, weight = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for column, j in enumerate(graph.candidates[i]):
            error[i, j], weight[i, j] = graph.errors[i], graph.weights[i, column]
    kept = np.where(error < error.T, weight, 0)
    return np.maximum(kept, kept.T)


def test_published_union_loses_edges() -> None:
    graph = nnk_graph(cloud(8, 60), k=6, symmetrize="pynnk")
    np.testing.assert_allclose(graph.undirected().toarray(), slow_published_union(graph))
    assert graph.undirected().nnz < graph.undirected("max").nnz
    baseline = knn_graph(cloud(8, 60), k=6, symmetrize="pynnk")
    np.testing.assert_array_equal(baseline.undirected().toarray(), baseline.undirected("max").toarray())


def test_reconstruction_errors() -> None:
    distances = cloud(2, 12)
    graph = nnk_graph(distances, k=5, sigma=1.0)
    for i in range(12):
        S, theta = graph.candidates[i], graph.weights[i]
        kernel = np.exp(-(distances**2) / 2)
        expected = 1 - 2 * theta @ kernel[S, i] + theta @ kernel[np.ix_(S, S)] @ theta
        assert graph.errors[i] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("build", [nnk_graph, knn_graph])
@pytest.mark.parametrize("sigma", ["mean-kth/3", "per-node"])
def test_save_and_load(tmp_path: Path, build: object, sigma: str) -> None:
    graph = build(cloud(4, 12), k=4, sigma=sigma, symmetrize="mean")
    graph.save(tmp_path / "graph.npz")
    again = DSGraph.load(tmp_path / "graph.npz")
    assert (again.kind, again.symmetrize, len(again)) == (graph.kind, "mean", 12)
    np.testing.assert_array_equal(again.sigma, graph.sigma)
    np.testing.assert_array_equal(again.undirected().toarray(), graph.undirected().toarray())
    np.testing.assert_array_equal(again.kkt_residual, graph.kkt_residual)
    assert (again.errors is None) == (graph.errors is None)
    assert [file.name for file in tmp_path.iterdir()] == ["graph.npz"]


def test_load_refuses_other_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    (tmp_path / "text.npz").write_text("no archive")
    for name, message in [("other.npz", "holds no DSGraph"), ("text.npz", "cannot be read"), ("gone.npz", "gone.npz")]:
        with pytest.raises(GraphError, match=message):
            DSGraph.load(tmp_path / name)


def broken(change: str) -> np.ndarray:
    distances = cloud(0, 6)
    match change:
        case "nan":
            distances[1, 2] = np.nan
        case "negative":
            distances[1, 2] = distances[2, 1] = -1
        case "asymmetric":
            distances[1, 2] += 1
        case "diagonal":
            distances[3, 3] = 1
        case "square":
            distances = distances[:4]
    return distances


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nan", r"distances\[1, 2\] is nan"),
        ("negative", "must not be negative"),
        ("asymmetric", r"distances\[1, 2\].*distances\[2, 1\]"),
        ("diagonal", r"distances\[3, 3\] is 1"),
        ("square", r"shape \(4, 6\)"),
    ],
)
@pytest.mark.parametrize("build", [nnk_graph, knn_graph])
def test_bad_distances(build: object, change: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        build(broken(change), k=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 6}, r"k=6, but node 0 has only 5"),
        ({"k": 0}, "k=0"),
        ({"k": 2.5}, "k=2.5"),
        ({"k": 2, "sigma": -1.0}, "positive"),
        ({"k": 2, "sigma": "mean"}, "mean-kth/3"),
        ({"k": 2, "symmetrize": "maximum"}, "'max'"),
        ({"k": 2, "exclude": [1, 2]}, r"exclude has shape \(2,\)"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        nnk_graph(cloud(0, 6), **options)


def test_float32_rounding_of_the_two_halves_is_forgiven() -> None:
    distances = cloud(0, 10).astype(np.float32)
    distances[2, 3] *= np.float32(1 + 1e-6)
    assert nnk_graph(distances, k=3).kkt_residual.max() < 1e-6


def test_ds_graph_takes_sequences() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(8 + i, 3)) for i in range(6)]
    from stgcnlib.dtw import dtw_distances

    distances = dtw_distances(sequences, window=3)
    graph = ds_graph(sequences, k=3, window=3)
    np.testing.assert_array_equal(graph.weights, nnk_graph(distances, k=3).weights)
    assert ds_graph(sequences, k=3, kind="knn", window=3).kind == "knn"
    with pytest.raises(GraphError, match="kind='nkk'"):
        ds_graph(sequences, k=3, kind="nkk")
