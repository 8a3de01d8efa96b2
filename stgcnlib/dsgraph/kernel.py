"""The Gaussian kernel of a DS-Graph, the rules for its width σ, and the projection onto the PSD cone.

Distances come in, kernel values go out; which nodes are candidates is decided in `build`.
"""

from __future__ import annotations

from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.known import LayerDistances
from stgcnlib.errors import GraphError, suggest

__all__ = ["PSD_FLOOR", "Sigma", "gaussian", "kernel_width", "project_psd"]

Floats = NDArray[np.float64]
Sigma = Literal["mean-kth/3", "per-node", "pynnk"]

PSD_FLOOR = 1e-8
"""ε: eigenvalues of a candidate block below it (times the mean diagonal, 1 here) are raised to it."""

_RULES = ("mean-kth/3", "per-node", "pynnk")


def kernel_width(
    rule: Sigma | float, distances: LayerDistances, candidates: NDArray[np.int64], candidate_distances: Floats
) -> float | Floats:
    """The kernel width σ, in units of the distance; 0 where all distances that set it are 0.

    Args:
        rule: "mean-kth/3": the mean over nodes of the distance to the K-th candidate, divided by 3 (published
            MATLAB). "per-node": each node's own K-th distance divided by 3. "pynnk": the published Python
            indexes whole columns, so that it takes the mean of *all* distances to those nodes that are some
            node's K-th candidate, divided by 3 (its K-th comes from an unordered partition; here the K-th by
            distance and index). A positive number: σ itself.
        distances: of the N nodes; only "pynnk" reads them, and needs all pairs.
        candidates, candidate_distances: (N, K), nearest first.

    Returns:
        A float, or (N,) for "per-node".

    Raises:
        GraphError: an unknown rule, a number that is not positive and finite, or "pynnk" without all pairs.
    """
    if isinstance(rule, bool):
        raise GraphError(f"sigma={rule!r}; expected a positive number or one of {', '.join(_RULES)}")
    if isinstance(rule, int | float | np.floating | np.integer):
        if not (np.isfinite(rule) and rule > 0):
            raise GraphError(f"sigma={rule!r}; a fixed kernel width must be positive and finite")
        return float(rule)
    kth = candidate_distances[:, -1]
    match rule:
        case "mean-kth/3":
            return float(kth.mean()) / 3
        case "per-node":
            return np.asarray(kth / 3)
        case "pynnk":
            return float(distances.matrix().mean(axis=0, dtype=np.float64)[candidates[:, -1]].mean()) / 3
    raise GraphError(f"sigma={rule!r} is unknown; {suggest(str(rule), _RULES)}, or give a positive number")


def gaussian(distances: Floats, sigma: float | Floats, other: float | Floats | None = None) -> Floats:
    """exp(−d² / 2σσ'), elementwise and broadcast; σ' is σ if left out.

    With one width per node, σσ' is the product of both ends' widths (self-tuning form), which keeps the
    kernel symmetric. Where the product is 0 the limit is taken: 1 at distance 0, else 0.
    """
    squared = np.asarray(sigma) * np.asarray(sigma if other is None else other)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponent = np.where(distances == 0, 0.0, distances**2 / (2 * squared))
    return np.exp(-exponent)


@numba.njit(cache=True, parallel=True)
def _below_floor(blocks: Floats, floors: Floats) -> NDArray[np.bool_]:
    """Which (K, K) blocks have an eigenvalue below their floor: Cholesky of block − floor·I breaks down."""
    count, size = blocks.shape[0], blocks.shape[1]
    below = np.zeros(count, dtype=np.bool_)
    for b in numba.prange(count):
        factor = np.zeros((size, size))
        broken = False
        for i in range(size):
            for j in range(i + 1):
                value = blocks[b, i, j] - (floors[b] if i == j else 0.0)
                for t in range(j):
                    value -= factor[i, t] * factor[j, t]
                if i == j:
                    if not value > 0.0:
                        broken = True
                        break
                    factor[i, i] = np.sqrt(value)
                else:
                    factor[i, j] = value / factor[j, j]
            if broken:
                break
        below[b] = broken
    return below


def project_psd(blocks: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(B, K, K) symmetric blocks with every eigenvalue at least ε, and which of them (B,) had to change.

    A DTW kernel is not positive semi-definite in general. Blocks without an eigenvalue below ε are
    returned as they are; the others get eigenvalues clipped at ε = `PSD_FLOOR` times their mean diagonal.
    """
    diagonal = np.abs(np.einsum("bii->bi", blocks)).mean(axis=1)
    floors = PSD_FLOOR * np.where(diagonal > 0, diagonal, 1.0)
    below = _below_floor(np.ascontiguousarray(blocks), floors)
    if not below.any():
        return blocks, below
    values, vectors = np.linalg.eigh(blocks[below])
    clipped = np.maximum(values, floors[below, None])
    product = (vectors * clipped[:, None, :]) @ vectors.transpose(0, 2, 1)
    projected = blocks.copy()
    projected[below] = (product + product.transpose(0, 2, 1)) / 2
    return projected, below
