"""Euclidean distances of many points: those that graphs and their intervals need."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import LayerDistances, NeighborTable, needed_reach
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.groups import check_candidates, fewest_candidates, group_codes

__all__ = ["point_distances"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_BLOCK = 2**24  # entries of a part of the matrix, or coordinates of differences, held at once


def point_distances(
    points: ArrayLike, k: int, *, exclude: ArrayLike | None = None, parts: ArrayLike | None = None
) -> LayerDistances:
    """Tables of the nearest of N points: as many as graphs of `k` candidates need, also without any one part.

    Args:
        points: (N, D) real.
        k: candidates per node, the most of any graph.
        exclude: (N,) groups whose members are no neighbours of each other, or None.
        parts: (N,) parts that a jackknife leaves out one by one, or None.

    Returns:
        Distances within 1e-6; those among candidates are computed when they are asked for.

    Raises:
        GraphError: a node has fewer than k candidates.
    """
    X = np.asarray(points, dtype=np.float64)
    X = X - X.mean(axis=0)
    count = len(X)
    check_candidates(k, exclude, count)
    codes = None if exclude is None else group_codes(exclude, count)
    most = fewest_candidates(codes, count).candidates
    reach = k if parts is None else min(most, 2 * k)
    while True:
        table = _nearest(X, reach, codes)
        needed = k if parts is None else int(needed_reach(table.indices, parts, k).max())
        if needed <= reach or reach == most:
            break
        reach = min(most, math.ceil(1.1 * needed))
    pairs = KnownPairs(count)

    def fill(wanted: Codes) -> None:
        i, j = wanted.T
        pairs.add(i, j, _apart(X, i, j))

    return LayerDistances.of_table(table, pairs, exclude=codes, fill=fill)


def _nearest(X: Floats, reach: int, codes: Codes | None) -> NeighborTable:
    """The `reach` nearest admissible points of each; those at the same float32 distance by index."""
    count = len(X)
    squares = np.einsum("ij,ij->i", X, X)
    slack = 8 * (X.shape[1] + 4) * np.finfo(np.float64).eps * squares.max(initial=0.0)
    indices, distances = np.empty((count, reach), np.int64), np.empty((count, reach), np.float32)
    for start in range(0, count, step := max(1, _BLOCK // count)):
        rows = np.arange(start, min(start + step, count))
        gap = squares[rows, None] + squares - 2 * (X[rows] @ X.T)
        gap[np.arange(len(rows)), rows] = np.inf
        if codes is not None:
            gap[codes[rows][:, None] == codes] = np.inf
        # Keep all points that rounding of the products may have ranked too far, and all ties; ties go by index.
        cut = np.partition(gap, reach - 1, axis=1)[:, reach - 1 : reach]
        within = gap <= cut + slack
        width = int(within.sum(axis=1).max())
        near = np.argsort(~within, axis=1, kind="stable")[:, :width]
        exact = _apart(X, np.repeat(rows, width), near.ravel()).reshape(near.shape).astype(np.float32)
        exact[~np.take_along_axis(within, near, axis=1)] = np.inf
        order = np.argsort(exact, axis=1, kind="stable")[:, :reach]
        indices[rows] = np.take_along_axis(near, order, axis=1)
        distances[rows] = np.take_along_axis(exact, order, axis=1)
    return NeighborTable(indices, distances)


def _apart(X: Floats, i: Codes, j: Codes) -> Floats:
    """(P,) distances of pairs of points, by their differences."""
    found = np.empty(len(i))
    step = max(1, _BLOCK // X.shape[1])
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        found[part] = np.linalg.norm(X[i[part]] - X[j[part]], axis=1)
    return found
