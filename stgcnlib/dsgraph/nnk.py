"""Non-negative kernel regression: the weights of one node's candidates, and the certificate of optimality.

The exact solver is an active-set method for min ½θᵀKθ − kᵀθ over θ ≥ 0 (Lawson and Hanson, on the Gram
matrix); "pynnk" is the published solver's pruning, which never takes a candidate back. Graphs are made in `build`.
"""

from __future__ import annotations

from typing import Literal

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph.kernel import project_psd
from stgcnlib.errors import GraphError, suggest

__all__ = ["Solver", "merge_twins", "nnk_weights", "share", "solve_blocks"]

Floats = NDArray[np.float64]
Solver = Literal["exact", "pynnk"]

_ENTER = 1e-12  # gradient, relative to the largest target, at which a candidate may still enter
_PRUNE = 1e-6  # the published solver's only threshold
_ALIKE = 1e-6  # similarities of two equal candidates differ by less: float32 rounding of their distances


def nnk_weights(kernel: ArrayLike, target: ArrayLike, *, solver: Solver = "exact") -> tuple[Floats, float]:
    """Solve one node's problem: θ = argmin over θ ≥ 0 of ½ θᵀ K θ − kᵀ θ (Shekkizhar and Ortega, 1910.09383).

    If K has an eigenvalue below ε (1e-8 times its mean diagonal), it is first projected onto the PSD cone by
    clipping there; k stays as it is. With K ≥ 0 and unit diagonal the projected problem is strongly convex
    on θ ≥ 0, so that θ is unique and bounded whatever k is. Equal candidates share their weight equally
    (`merge_twins`), which is as good as any other division of it.

    Args:
        kernel: (K, K) symmetric similarities among the candidates.
        target: (K,) similarities of the node to its candidates.
        solver: "exact", or "pynnk" for the published pruning (see `solve_blocks`).

    Returns:
        θ (K,) float64, and the KKT residual on the problem solved: the largest of |Kθ − k| where θ > 0,
        max(0, k − Kθ) where θ = 0, |θ (Kθ − k)|, and −θ.

    Raises:
        GraphError: shapes do not fit, a value is not finite, or K is not symmetric.

    Examples:
        The second candidate lies behind the first, and is left out:

        >>> import stgcnlib
        >>> weights, residual = stgcnlib.nnk_weights([[1.0, 0.9], [0.9, 1.0]], [0.8, 0.7])
        >>> weights.round(3).tolist()
        [0.8, 0.0]
    """
    K, k = np.asarray(kernel, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.shape[0] == 0:
        raise GraphError(f"kernel has shape {K.shape}; expected (K, K) with K of at least 1")
    if k.shape != K.shape[:1]:
        raise GraphError(f"target has shape {k.shape}; expected {K.shape[:1]}, one value per candidate of the kernel")
    if not (np.isfinite(K).all() and np.isfinite(k).all()):
        raise GraphError("kernel or target holds NaN or infinity; give finite similarities")
    if np.abs(K - K.T).max() > 1e-9 * max(1.0, np.abs(K).max()):
        raise GraphError("kernel is not symmetric; give one similarity per pair of candidates")
    blocks, targets, first = (K + K.T)[None] / 2, k[None], np.arange(len(k))[None]
    if solver == "exact":
        blocks, targets, first = merge_twins(blocks, targets)
    blocks, _ = project_psd(blocks)
    weights, residual, _ = solve_blocks(blocks, targets, solver=solver)
    return share(weights, first)[0], float(residual[0])


def merge_twins(kernels: Floats, targets: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Replace equal candidates by the first of them, so that the order of the candidates decides nothing.

    Two candidates are equal if their similarity is that of each to itself, and those to the node and to all
    other candidates agree to 1e-6. All but the first stay in the problem without effect: similarity and target 0.

    Args:
        kernels: (B, K, K), before any projection: equal candidates make a block singular.
        targets: (B, K).

    Returns:
        Kernels, targets, and (B, K) index of the candidate that stands for each, for `share`.
    """
    size = targets.shape[1]
    first = np.tile(np.arange(size), (len(targets), 1))
    own = np.einsum("bii->bi", kernels)
    equal = (kernels == own[:, :, None]) & (kernels == own[:, None, :])
    found = np.flatnonzero(equal.sum(axis=(1, 2)) > size)
    if not len(found):
        return kernels, targets, first
    kernels, targets = kernels.copy(), targets.copy()
    for b in found:
        for i in np.flatnonzero(equal[b].sum(axis=1) > 1):
            others = i + 1 + np.flatnonzero(equal[b, i, i + 1 :])
            others = others[first[b, others] == others] if first[b, i] == i else others[:0]
            apart = np.abs(kernels[b, others] - kernels[b, i]).max(axis=1, initial=0.0)
            apart = np.maximum(apart, np.abs(targets[b, others] - targets[b, i]))
            first[b, others[apart <= _ALIKE]] = i
        gone = np.flatnonzero(first[b] != np.arange(size))
        kernels[b, gone, :] = kernels[b, :, gone] = 0.0
        kernels[b, gone, gone] = own[b, gone]
        targets[b, gone] = 0.0
    return kernels, targets, first


def share(weights: Floats, first: NDArray[np.int64]) -> Floats:
    """(B, K) weights: the weight of each `first` candidate, shared equally among those that it stands for."""
    rows = np.arange(len(weights))[:, None]
    counts = np.zeros(weights.shape)
    np.add.at(counts, (rows, first), 1.0)
    return weights[rows, first] / counts[rows, first]


def solve_blocks(kernels: Floats, targets: Floats, *, solver: Solver = "exact") -> tuple[Floats, Floats, Floats]:
    """Solve B problems at once, in parallel.

    "exact" is optimal to rounding. "pynnk" follows the published Python: candidates with a target above
    1 − 1e-6 keep it as their weight and all others get 0; else the candidates with a target above 1e-6 are
    regressed without constraint, those that come out below 1e-6 are pruned for good, and so on until none is
    negative. It may leave a node without neighbours.

    Args:
        kernels: (B, K, K), positive definite (`project_psd`).
        targets: (B, K).

    Returns:
        Weights (B, K), KKT residuals (B,), and reconstruction errors 1 − 2θᵀk + θᵀKθ (B,).
    """
    K, k = np.ascontiguousarray(kernels), np.ascontiguousarray(targets)
    match solver:
        case "exact":
            weights = _exact(K, k)
        case "pynnk":
            weights = _pruned(K, k)
        case _:
            raise GraphError(f"solver={solver!r} is unknown; {suggest(str(solver), ('exact', 'pynnk'))}")
    fitted = np.einsum("bij,bj->bi", K, weights)
    gradient = fitted - k
    stationarity = np.where(weights > 0, np.abs(gradient), np.maximum(-gradient, 0.0))
    violations = np.stack([stationarity, np.abs(weights * gradient), np.maximum(-weights, 0.0)])
    errors = 1.0 - 2.0 * (weights * k).sum(axis=1) + (weights * fitted).sum(axis=1)
    return weights, violations.max(axis=(0, 2)), errors


@numba.njit(cache=True)
def _factor(K: Floats, members: NDArray[np.int64], start: int, size: int, L: Floats) -> bool:
    """Rows start…size−1 of the Cholesky factor of K[members, members]; False where a pivot is not positive."""
    for i in range(start, size):
        for j in range(i + 1):
            value = K[members[i], members[j]]
            for t in range(j):
                value -= L[i, t] * L[j, t]
            if i == j:
                if not value > 0.0:
                    return False
                L[i, i] = np.sqrt(value)
            else:
                L[i, j] = value / L[j, j]
    return True


@numba.njit(cache=True)
def _solve(L: Floats, k: Floats, members: NDArray[np.int64], size: int, z: Floats) -> None:
    """z[:size] = (L Lᵀ)⁻¹ k[members]."""
    for i in range(size):
        value = k[members[i]]
        for t in range(i):
            value -= L[i, t] * z[t]
        z[i] = value / L[i, i]
    for i in range(size - 1, -1, -1):
        value = z[i]
        for t in range(i + 1, size):
            value -= L[t, i] * z[t]
        z[i] = value / L[i, i]


@numba.njit(cache=True)
def _active_set(K: Floats, k: Floats) -> Floats:
    """Optimal weights of one problem whose largest target is 1."""
    n = len(k)
    theta = np.zeros(n)
    members = np.zeros(n, dtype=np.int64)  # candidates with a weight, in the order of the factor's rows
    inside = np.zeros(n, dtype=np.bool_)
    barred = np.zeros(n, dtype=np.bool_)  # candidates that could not enter because of rounding
    L, z = np.zeros((n, n)), np.zeros(n)
    size = 0
    for _ in range(20 * n + 20):
        best, steepest = -1, _ENTER
        for j in range(n):
            if inside[j] or barred[j]:
                continue
            descent = k[j]
            for t in range(size):
                descent -= K[j, members[t]] * theta[members[t]]
            if descent > steepest:
                best, steepest = j, descent
        if best < 0:
            break
        members[size] = best
        if not _factor(K, members, size, size + 1, L):
            barred[best] = True
            continue
        _solve(L, k, members, size + 1, z)
        if z[size] <= 0.0:
            barred[best] = True
            continue
        inside[best] = True
        size += 1
        while True:
            step, leaving = 1.0, -1
            for t in range(size):
                if z[t] <= 0.0:
                    ratio = theta[members[t]] / (theta[members[t]] - z[t])
                    if ratio < step:
                        step, leaving = ratio, t
            for t in range(size):
                theta[members[t]] += step * (z[t] - theta[members[t]])
            if leaving < 0:
                break
            gone, kept, first = members[leaving], 0, size
            for t in range(size):
                j = members[t]
                if j == gone or (z[t] <= 0.0 and theta[j] <= 0.0):
                    theta[j] = 0.0
                    inside[j] = False
                    first = min(first, t)
                else:
                    members[kept] = j
                    kept += 1
            size = kept
            _factor(K, members, first, size, L)
            _solve(L, k, members, size, z)
        barred[:] = False
    return theta


@numba.njit(cache=True, parallel=True)
def _exact(kernels: Floats, targets: Floats) -> Floats:
    """(B, K) optimal weights; each problem is scaled to a largest target of 1, since θ is linear in it."""
    weights = np.zeros_like(targets)
    for b in numba.prange(targets.shape[0]):
        largest = targets[b].max()
        if largest > 0.0:
            weights[b] = _active_set(kernels[b], targets[b] / largest) * largest
    return weights


@numba.njit(cache=True)
def _prune(K: Floats, k: Floats) -> Floats:
    """Weights of one problem by the published pruning."""
    n = len(k)
    if k.max() > 1.0 - _PRUNE:
        return np.where(k > 1.0 - _PRUNE, k, 0.0)
    members = np.flatnonzero(k > _PRUNE)
    L, z = np.zeros((n, n)), np.zeros(n)
    theta = np.zeros(n)
    for _ in range(50 * n):
        size = len(members)
        theta[:] = 0.0
        _factor(K, members, 0, size, L)
        _solve(L, k, members, size, z)
        worst = 0.0
        for t in range(size):
            theta[members[t]] = z[t]
            if z[t] < _PRUNE:
                worst = max(worst, abs(z[t]))
        members = members[z[:size] > _PRUNE]
        if worst <= _PRUNE:
            break
    return np.where(theta < _PRUNE, 0.0, theta)


@numba.njit(cache=True, parallel=True)
def _pruned(kernels: Floats, targets: Floats) -> Floats:
    """(B, K) weights by the published pruning."""
    weights = np.zeros_like(targets)
    for b in numba.prange(targets.shape[0]):
        weights[b] = _prune(kernels[b], targets[b])
    return weights
