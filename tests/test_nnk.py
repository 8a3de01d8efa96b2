"""One node's NNK problem against independent solvers, and the certificate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import nnk_weights
from stgcnlib.dsgraph.kernel import PSD_FLOOR, gaussian, project_psd
from stgcnlib.errors import GraphError


def problem(seed: int, size: int, width: float, warp: float) -> tuple[np.ndarray, np.ndarray]:
    """A kernel of points whose distances are warped, as DTW does, so that it need not be PSD."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(size + 1, 3))
    distances = cdist(points, points) * np.exp(warp * rng.normal(size=(size + 1, size + 1)))
    distances = np.triu(distances, 1)
    kernel = gaussian(distances + distances.T, width)
    return kernel[1:, 1:], kernel[1:, 0]


def objective(kernel: np.ndarray, target: np.ndarray, theta: np.ndarray) -> float:
    return float(0.5 * theta @ kernel @ theta - target @ theta)


def by_nnls(kernel: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same problem as least squares with a Cholesky factor."""
    factor = np.linalg.cholesky(kernel).T
    return nnls(factor, np.linalg.solve(factor.T, target))[0]


problems = st.builds(
    problem,
    st.integers(0, 10_000),
    st.integers(1, 12),
    st.floats(0.3, 5.0),
    st.sampled_from([0.0, 0.3, 0.8]),
)


@settings(max_examples=60, deadline=None)
@given(problems)
def test_never_above_nnls_and_certified(given_problem: tuple[np.ndarray, np.ndarray]) -> None:
    kernel, target = given_problem
    theta, residual = nnk_weights(kernel, target)
    projected = project_psd(kernel[None])[0][0]
    assert (theta >= 0).all()
    assert residual < 1e-9
    gradient = projected @ theta - target
    assert gradient.min() > -1e-9
    assert np.abs(theta * gradient).max() < 1e-9
    reference = by_nnls(projected, target)
    assert objective(projected, target, theta) <= objective(projected, target, reference) + 1e-9


@settings(max_examples=30, deadline=None)
@given(problems, st.integers(0, 1000))
def test_order_of_candidates_does_not_matter(given_problem: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    kernel, target = given_problem
    order = np.random.default_rng(seed).permutation(len(target))
    theta, _ = nnk_weights(kernel, target)
    permuted, _ = nnk_weights(kernel[np.ix_(order, order)], target[order])
    np.testing.assert_allclose(permuted, theta[order], atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_quadratic_programme(seed: int) -> None:
    cvxopt = pytest.importorskip("cvxopt")
    kernel, target = problem(seed, 15, 1.5, 0.4)
    projected = project_psd(kernel[None])[0][0]
    n = len(target)
    solution = cvxopt.solvers.qp(
        cvxopt.matrix(projected),
        cvxopt.matrix(-target),
        cvxopt.matrix(-np.eye(n)),
        cvxopt.matrix(np.zeros(n)),
        options={"show_progress": False, "abstol": 1e-12, "reltol": 1e-12, "feastol": 1e-12},
    )
    reference = np.array(solution["x"]).ravel()
    theta, _ = nnk_weights(kernel, target)
    assert objective(projected, target, theta) <= objective(projected, target, np.maximum(reference, 0)) + 1e-9
    np.testing.assert_allclose(theta, reference, atol=1e-4)


def test_two_candidates_by_hand() -> None:
    # Without constraint: (k1 - c k2)/(1 - c²); the second is redundant where k2 <= c k1.
    theta, residual = nnk_weights([[1, 0.5], [0.5, 1]], [0.8, 0.6])
    np.testing.assert_allclose(theta, [(0.8 - 0.3) / 0.75, (0.6 - 0.4) / 0.75])
    assert residual < 1e-12
    theta, residual = nnk_weights([[1, 0.9], [0.9, 1]], [0.8, 0.6])
    np.testing.assert_allclose(theta, [0.8, 0.0])
    assert residual < 1e-12


def test_projection_only_where_needed() -> None:
    definite = np.array([[1.0, 0.5], [0.5, 1.0]])
    indefinite = np.array([[1.0, 1.1], [1.1, 1.0]])
    blocks, changed = project_psd(np.stack([definite, indefinite]))
    assert changed.tolist() == [False, True]
    np.testing.assert_array_equal(blocks[0], definite)
    np.testing.assert_allclose(np.linalg.eigvalsh(blocks[1]), [PSD_FLOOR, 2.1], rtol=1e-6)


def test_indefinite_kernels_do_occur_and_are_certified() -> None:
    changed = 0
    for seed in range(10):
        kernel, target = problem(seed, 12, 4.0, 0.8)
        changed += bool(project_psd(kernel[None])[1][0])
        assert nnk_weights(kernel, target)[1] < 1e-9
    assert changed >= 5


def test_twins_among_candidates_share_their_weight() -> None:
    kernel = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]])
    theta, residual = nnk_weights(kernel, [0.7, 0.7, 0.4])
    assert theta[0] == theta[1]
    single, _ = nnk_weights(kernel[1:, 1:], [0.7, 0.4])
    np.testing.assert_allclose([theta[:2].sum(), theta[2]], single, atol=1e-12)
    assert residual < 1e-12
    assert np.abs(kernel @ theta - [0.7, 0.7, 0.4]).max() < 1e-12  # optimal for the whole problem too


@settings(max_examples=40, deadline=None)
@given(problems, st.integers(1, 6), st.integers(0, 1000))
def test_repeated_candidates_share_what_one_of_them_has(
    given_problem: tuple[np.ndarray, np.ndarray], copies: int, seed: int
) -> None:
    kernel, target = given_problem
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.concatenate([np.arange(len(target)), rng.integers(0, len(target), copies)]))
    theta, residual = nnk_weights(kernel[np.ix_(chosen, chosen)], target[chosen])
    alone, _ = nnk_weights(kernel, target)
    assert residual < 1e-9
    # Where the kernel has to be projected, each problem is projected for itself.
    order = [int(np.flatnonzero(chosen == j)[0]) for j in range(len(target))]
    together = np.bincount(chosen, weights=theta, minlength=len(target))
    np.testing.assert_allclose(together / np.bincount(chosen), theta[order], atol=1e-15)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert theta.min() >= 0


def test_candidates_at_distance_0_that_differ_otherwise_are_no_twins() -> None:
    """Warping can make two recordings of one distance 0 that are not equally far from a third."""
    kernel = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.5], [0.2, 0.5, 1.0]])
    theta, residual = nnk_weights(kernel, [0.7, 0.6, 0.4])
    assert theta[0] > theta[1] + 0.05
    assert residual < 1e-9


def test_all_candidates_equal() -> None:
    theta, residual = nnk_weights(np.ones((5, 5)), np.full(5, 0.5))
    np.testing.assert_allclose(theta, 0.1, atol=1e-15)
    assert residual < 1e-15


def test_faint_targets_are_solved_too() -> None:
    theta, _ = nnk_weights([[1, 0.5], [0.5, 1]], [8e-200, 6e-200])
    np.testing.assert_allclose(theta / 1e-200, [5 / 0.75, 2 / 0.75])
    assert nnk_weights(np.eye(2), [0.0, 0.0])[0].tolist() == [0.0, 0.0]


def slow_pruning(kernel: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A loop reading of the published solver's behaviour, on dictionaries."""
    if any(value > 1 - 1e-6 for value in target):
        return np.array([value if value > 1 - 1e-6 else 0.0 for value in target])
    alive = [j for j, value in enumerate(target) if value > 1e-6]
    while alive:
        values = np.linalg.solve(kernel[np.ix_(alive, alive)], target[alive])
        found = dict(zip(alive, values, strict=True))
        negligible = [abs(v) for v in found.values() if v < 1e-6]
        alive = [j for j in alive if found[j] > 1e-6]
        if not negligible or max(negligible) <= 1e-6:
            break
    theta = np.zeros(len(target))
    for j in alive:
        theta[j] = found[j]
    return theta


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0.3, 2.0))
def test_published_pruning(seed: int, size: int, width: float) -> None:
    kernel, target = problem(seed, size, width, 0.0)
    kernel = project_psd(kernel[None])[0][0]
    theta, _ = nnk_weights(kernel, target, solver="pynnk")
    np.testing.assert_allclose(theta, slow_pruning(kernel, target), rtol=1e-5, atol=1e-7)


def test_published_pruning_is_not_optimal_and_says_so() -> None:
    worse = 0
    for seed in range(40):
        kernel, target = problem(seed, 12, 1.5, 0.0)
        kernel = project_psd(kernel[None])[0][0]
        exact, _ = nnk_weights(kernel, target)
        pruned, residual = nnk_weights(kernel, target, solver="pynnk")
        gap = objective(kernel, target, pruned) - objective(kernel, target, exact)
        assert gap > -1e-9
        if gap > 1e-6:
            worse += 1
            assert residual > 1e-6
    assert worse > 0


@pytest.mark.parametrize(
    ("kernel", "target", "message"),
    [
        (np.eye(3)[:2], [1, 1], r"shape \(2, 3\)"),
        (np.eye(2), [1, 1, 1], r"target has shape \(3,\)"),
        (np.full((2, 2), np.nan), [1, 1], "NaN"),
        ([[1, 0.5], [0.1, 1]], [1, 1], "not symmetric"),
        (np.zeros((0, 0)), [], "at least 1"),
    ],
)
def test_bad_problems(kernel: object, target: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        nnk_weights(kernel, target)


def test_unknown_solver() -> None:
    with pytest.raises(GraphError, match=r"solver='exakt'.*'exact'"):
        nnk_weights(np.eye(2), [1, 1], solver="exakt")
