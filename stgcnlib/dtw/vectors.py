"""One vector per sequence: its projected frames at a few moments. Sequences with near vectors are probably near.

This proves nothing: vectors only decide which pairs are compared first, or at all in an approximate search.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.groups import Exclusion

__all__ = ["near_order", "nearest_vectors", "sequence_vectors"]

MOMENTS = 16  # of a sequence, evenly spaced from its first frame to its last
BLOCK = 128
DIRECTIONS, LEAF, SAMPLED = 8, 8, 2048


def sequence_vectors(options: DTWOptions, projection: Projection) -> NDArray[np.float32]:
    """(N, moments * (p + 1)): short frames at evenly spaced moments, interpolated; of unit norm for cosine."""
    table = projection.table
    at = np.linspace(0, 1, MOMENTS)[None, :] * (table.lengths - 1)[:, None]
    before = np.floor(at).astype(np.int64)
    after = np.minimum(before + 1, table.lengths[:, None] - 1)
    part = (at - before).astype(np.float32)[..., None]
    start, short = table.offsets[:-1, None], table.values
    vectors = np.empty((len(table), MOMENTS * short.shape[1]), np.float32)
    largest = max(float(np.abs(short).max()), np.finfo(np.float64).tiny) if options.metric == "cosine" else 1.0
    for i in range(0, len(table), BLOCK):
        rows = slice(i, i + BLOCK)
        first, last = short[(start + before)[rows]] / largest, short[(start + after)[rows]] / largest
        vectors[rows] = (first * (1 - part[rows]) + last * part[rows]).reshape(len(first), -1)
    if options.metric == "cosine":
        size = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(size > 0, size, 1)
    return vectors


def nearest_vectors(
    vectors: NDArray[np.float32],
    count: int,
    exclusion: Exclusion,
    options: DTWOptions,
    lengths: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(N, count) admissible sequences whose vectors are nearest, nearest first; -1 where there are fewer.

    Where costs are divided by nothing, a longer path costs more: distances count in proportion to the longer sequence.
    """
    total = len(vectors)
    count = min(count, total - 1)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    longest = None
    if options.normalize is None:
        longest = (lengths / lengths.max()).astype(np.float32) ** (1 if options.metric == "sqeuclidean" else 2)
    found = np.empty((total, count), np.int64)
    everyone = np.arange(total)
    for i in range(0, total, BLOCK):
        rows = everyone[i : i + BLOCK]
        gap = squares[rows, None] + squares - 2 * (vectors[rows] @ vectors.T)
        np.maximum(gap, 0, out=gap)
        if longest is not None:
            gap *= np.maximum(longest[rows, None], longest)
        gap[exclusion.barred(rows[:, None], everyone)] = np.inf
        chosen = np.argpartition(gap, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(gap, chosen, axis=1)
        ranked = np.lexsort((chosen, values), axis=1)
        chosen = np.take_along_axis(chosen, ranked, axis=1)
        chosen[np.isinf(np.take_along_axis(values, ranked, axis=1))] = -1
        found[rows] = chosen
    return found


def near_order(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) an order in which near vectors follow each other: halves, quarters, … along the widest direction of each."""
    from sklearn.utils.extmath import randomized_svd

    sample = vectors[:: -(-len(vectors) // SAMPLED)]
    _, _, directions = randomized_svd(
        sample - sample.mean(axis=0), min(DIRECTIONS, *sample.shape), n_iter=1, random_state=0
    )
    return _halved(vectors @ directions.T, np.arange(len(vectors)))


def _halved(places: NDArray[np.float32], members: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(members) <= LEAF:
        return members
    own = places[members]
    widest = int(own.var(axis=0).argmax())
    order, half = members[np.argsort(own[:, widest], kind="stable")], len(members) // 2
    return np.concatenate([_halved(places, order[:half]), _halved(places, order[half:])])
