"""Compiled exact DTW that compares whole frames only along cheapest paths.

Each cell of a pair begins with a lower bound of its cost. The cheapest path is found, and the true costs of its cells
are computed; this is repeated until all cells of the cheapest path have their true costs. No other path is cheaper
then, since no cell costs less than its bound. Frames are compared by their differences, which avoids cancellation.
Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stgcnlib.dtw.kernels import FAST, LANES

__all__ = ["first_path", "frame_square", "least_cost", "true_cost"]

CHUNK = 1312  # features summed in one go, by eight or more vector lanes: rounding stays below 1e-5


@njit(cache=True, nogil=True, fastmath=FAST)
def frame_square(x: Any, y: Any, unit: Any) -> Any:
    """Squared distance of two frames (D,), formed and summed in the dtype of the array `unit`."""
    kind = unit.dtype.type
    total = kind(0)
    for start in range(0, x.shape[0], CHUNK):
        u, v, part = x[start : start + CHUNK], y[start : start + CHUNK], kind(0)
        for d in range(u.shape[0]):  # counting from 0 lets the compiler use vectors
            difference = kind(u[d]) - kind(v[d])
            part += difference * difference
        total += part
    return total


@njit(cache=True, nogil=True)
def true_cost(
    a: int, b: int, x: Any, y: Any, frames: int, stride: int, squared: int, number: int, squares: Any, stamps: Any
) -> Any:
    """Cost of windows a and b of two sequences x, y (., D); squares of frames are kept for the pair's other windows."""
    cost = 0.0
    for k in range(frames):
        r, c = a * stride + k, b * stride + k
        if stamps[r, c] != number:
            stamps[r, c] = number
            squares[r, c] = frame_square(x[min(r, x.shape[0] - 1)], y[min(c, y.shape[0] - 1)], squares)
        cost += squares[r, c]
    return cost if squared else np.sqrt(cost)


@njit(cache=True, nogil=True)
def first_path(reached: Any, lane: int, n: int, m: int, path: Any) -> int:
    """Cells path[:count] (count, 2), first to last: each step goes to the cell with the cheapest path through it."""
    a = b = count = 0
    while True:
        path[count, 0], path[count, 1] = a, b
        count += 1
        if a == n - 1 and b == m - 1:
            return count
        best = np.inf
        down, right = (1, 0) if a < n - 1 else (0, 1)
        for i, j in ((1, 1), (1, 0), (0, 1)):
            if a + i < n and b + j < m and reached[a + i, (b + j) * LANES + lane] < best:
                best, down, right = reached[a + i, (b + j) * LANES + lane], i, j
        a, b = a + down, b + right


@njit(cache=True, nogil=True)
def _advance(mixed: Any, low: Any, high: Any, first: int, sums: Any) -> None:
    """Rows `first` and later of the recursion within low:high of each row; cell (a, b) is sums[a, b + 1]."""
    n = low.shape[0]
    for a in range(first, n):
        left = np.inf
        sums[a, low[a]] = left
        for b in range(low[a], high[a]):
            best = left if a or b else 0.0
            if a > 0:
                best = min(min(left, sums[a - 1, b + 1]), sums[a - 1, b])
            left = mixed[a, b] + best
            sums[a, b + 1] = left
        if a < n - 1:
            sums[a, high[a] + 1 : high[a + 1] + 1] = np.inf


@njit(cache=True, nogil=True)
def _cheapest_path(sums: Any, n: int, m: int, path: Any) -> int:
    """Cells path[:count] (count, 2) of the cheapest path, last to first."""
    a, b, count = n - 1, m - 1, 0
    while True:
        path[count, 0], path[count, 1] = a, b
        count += 1
        if a == 0 and b == 0:
            return count
        if a == 0:
            b -= 1
            continue
        diagonal, above, left = sums[a - 1, b], sums[a - 1, b + 1], sums[a, b]
        if diagonal <= above and diagonal <= left:
            a, b = a - 1, b - 1
        elif above <= left:
            a -= 1
        else:
            b -= 1


@njit(cache=True, nogil=True)
def least_cost(
    x: Any, y: Any, low: Any, high: Any, m: int, frames: int, stride: int, squared: int, most: float, number: int,
    squares: Any, stamps: Any, mixed: Any, known: Any, sums: Any, path: Any,
) -> Any:  # fmt: skip
    """Cost of the cheapest path through the cells low:high (n,) of each row; infinite where it exceeds `most`.

    Args:
        x, y: (., D) frames of the two sequences.
        low, high: limits of each row; neither ever decreases.
        m: windows of y.
        frames, stride, squared: of a window's cost.
        most: a larger cost is returned as infinity.
        number: of the pair; entries of `stamps` and `known` with another number are not valid.
        squares, stamps: squared distances of frames (rows of x, of y), and for which pair they are.
        mixed, known: costs of cells, true where `known` is the number, else lower bounds of the computed costs.
        sums, path: to work in.
    """
    n, first = low.shape[0], 0
    if low[0] > 0 or high[n - 1] < m:
        return np.inf
    while True:
        _advance(mixed, low, high, first, sums)
        total = sums[n - 1, m]
        if not total <= most:
            return np.inf
        first = n
        for p in range(_cheapest_path(sums, n, m, path)):
            a, b = path[p, 0], path[p, 1]
            if known[a, b] != number:
                known[a, b] = number
                mixed[a, b] = true_cost(a, b, x, y, frames, stride, squared, number, squares, stamps)
                first = a  # the path goes backwards
        if first == n:
            return total
