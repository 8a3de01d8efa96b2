"""Matrices of all distances: checks, and the nearest of each row."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import GraphError
from stgcnlib.groups import barred_pairs, group_codes

__all__ = ["checked_square", "nearest_rows"]

_TOLERANCE = 1e-5  # of the largest distance: float32 rounding of the two halves of a distance matrix


def checked_square(distances: ArrayLike) -> NDArray[np.floating]:
    """Distances as a symmetric float32 or float64 matrix of exactly zero diagonal."""
    given = np.asarray(distances)
    matrix = given if given.dtype == np.float32 else np.asarray(given, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) == 0:
        raise GraphError(f"distances have shape {matrix.shape}; expected a square (N, N) matrix")
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise GraphError(f"distances[{i}, {j}] is {matrix[i, j]}; every distance must be finite")
    if (matrix < 0).any():
        i, j = np.argwhere(matrix < 0)[0]
        raise GraphError(f"distances[{i}, {j}] is {matrix[i, j]:.6g}; distances must not be negative")
    if (matrix == matrix.T).all() and not matrix.diagonal().any():
        return matrix
    matrix = matrix.astype(np.float64)
    slack = _TOLERANCE * matrix.max()
    diagonal = matrix.diagonal()
    if diagonal.max() > slack:
        i = int(diagonal.argmax())
        raise GraphError(f"distances[{i}, {i}] is {diagonal[i]:.6g}; a node's distance to itself must be 0")
    gap = np.abs(matrix - matrix.T)
    if gap.max() > slack:
        i, j = np.unravel_index(int(gap.argmax()), gap.shape)
        raise GraphError(
            f"distances[{i}, {j}] is {matrix[i, j]:.6g} but distances[{j}, {i}] is {matrix[j, i]:.6g}; "
            "give a symmetric matrix (the mean of both, say)"
        )
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return matrix


def nearest_rows(
    rows: NDArray[np.floating], k: int, exclude: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N, k) indices and float64 distances of the k nearest admissible columns of (N, N) rows; ties by index."""
    count = len(rows)
    codes, barred = np.arange(count), np.zeros((0, 0), dtype=np.bool_)
    if exclude is not None and np.shape(exclude) == (count,):
        codes = group_codes(exclude, count)
    elif exclude is not None:
        barred = np.ascontiguousarray(barred_pairs(exclude, count))
    if rows.dtype != np.float32:
        rows = rows.astype(np.float64, copy=False)
    indices = _nearest(np.ascontiguousarray(rows), k, codes, barred)
    return indices, np.take_along_axis(rows, indices, axis=1).astype(np.float64)


@numba.njit(cache=True, parallel=True)
def _nearest(
    rows: NDArray[np.floating], k: int, codes: NDArray[np.int64], barred: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(N, k) columns of the k least values of each row, by insertion: each row is read once, and few entries move.

    Columns of a row's own code and barred ones count as infinite, and so does NaN.
    """
    count, masked = len(rows), len(barred) > 0
    found = np.empty((count, k), dtype=np.int64)
    for i in numba.prange(count):
        values = np.empty(k)
        size = 0
        for j in range(count):
            value = float(rows[i, j])
            if codes[i] == codes[j] or (masked and barred[i, j]) or np.isnan(value):
                value = np.inf
            if size == k:
                if not value < values[k - 1]:
                    continue
                size -= 1
            at = size
            while at > 0 and value < values[at - 1]:
                values[at] = values[at - 1]
                found[i, at] = found[i, at - 1]
                at -= 1
            values[at] = value
            found[i, at] = j
            size += 1
    return found
