"""Approximate neighbours for sets whose lower bounds alone would take too long.

Every sequence becomes one vector, its course in a few projected coordinates; the nearest vectors are candidates,
and exact DTW ranks them. Nothing is proven here, so the recall is measured on a sample and handed out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.projection import RELATIVE_ERROR, Projection
from stgcnlib.dtw.refine import PairCache, nearest_known

__all__ = ["approximate_nearest", "sampled_recall"]

DIMENSIONS = 16
MOMENTS = 12  # of a sequence, evenly spaced from its first frame to its last
BLOCK = 1024


def approximate_nearest(
    cache: PairCache, k: int, barred: NDArray[np.bool_], *, candidates: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and distances (N, K) of the k nearest by DTW among `candidates` nearest vectors per sequence."""
    vectors = _vectors(cache, seed)
    wanted = np.zeros(barred.shape, np.bool_)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    cache.order = np.lexsort(vectors.T[:3])
    for i in range(0, len(vectors), BLOCK):
        rows = slice(i, i + BLOCK)
        gap = squares - 2 * (vectors[rows] @ vectors.T)  # but for the row's own square
        gap[barred[rows]] = np.inf
        chosen = np.argpartition(gap, candidates - 1, axis=1)[:, :candidates] if candidates < len(vectors) else None
        if chosen is None:
            wanted[rows] = True
        else:
            np.put_along_axis(wanted[rows], chosen, True, axis=1)
    wanted &= ~barred
    cache.fill(wanted)
    return nearest_known(cache, k, barred)


def sampled_recall(
    cache: PairCache,
    distances: NDArray[np.float32],
    barred: NDArray[np.bool_],
    *,
    nodes: int = 32,
    seed: int = 0,
) -> tuple[float, int]:
    """Share of true neighbours found, over a random sample of sequences compared with all others; the sample's size.

    A neighbour counts as found if it is no further than the true k-th, so that ties do not count as misses.
    """
    count, k = distances.shape
    sample = np.random.default_rng(seed).choice(count, min(nodes, count), replace=False)
    wanted = np.zeros(barred.shape, np.bool_)
    wanted[sample] = True
    cache.fill(wanted & ~barred)
    truth = np.where(barred[sample], np.inf, cache.known[sample])
    kth = np.partition(truth, k - 1, axis=1)[:, k - 1]
    found = distances[sample] <= kth[:, None] * (1 + 2 * RELATIVE_ERROR)
    return float(found.mean()), len(sample)


def _vectors(cache: PairCache, seed: int) -> NDArray[np.float32]:
    """(N, moments * p): projected frames at evenly spaced moments, interpolated; of unit norm for cosine."""
    table, cosine = cache.table, cache.options.metric == "cosine"
    short = Projection.fit(table, DIMENSIONS, centred=not cosine, seed=seed).table.values[:, :-1]
    at = np.linspace(0, 1, MOMENTS)[None, :] * (table.lengths - 1)[:, None]
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, table.lengths[:, None] - 1)
    part = (at - before)[..., None]
    start = table.offsets[:-1, None]
    vectors = (short[start + before] * (1 - part) + short[start + after] * part).reshape(len(table), -1)
    size = np.linalg.norm(vectors, axis=1, keepdims=True) if cosine else np.abs(vectors).max()
    return np.asarray(vectors / np.where(size > 0, size, 1), dtype=np.float32)
