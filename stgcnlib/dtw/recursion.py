"""Compiled DTW of short frames, sixteen pairs side by side: squares, windows, and the recursion forwards and backwards.

A row holds, for one cell after the other, the values of `LANES` pairs. Every step is a loop over such rows that a
compiler turns into a few vector instructions. Each cell of the recursion needs the cell before it, so the recursion
shares its loop with work that does not. `keep` and `slack` lower bounds by what rounding may have added. Nothing here
checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stgcnlib.dtw.kernels import FAST, LANES, band_limits

__all__ = ["advance", "hide", "lane_limits", "products_listed", "retreat", "row_minima", "squares_of", "window_sums"]


@njit(cache=True, nogil=True, fastmath=FAST)
def squares_of(products: Any, x_norm: Any, norms: Any, keep: Any, out: Any) -> None:
    """Squared distances of short frames from their inner products, lowered so that none exceeds the true one."""
    zero = keep - keep
    for c in range(out.shape[0]):
        square = (x_norm + norms[c]) * keep - (products[c] + products[c])
        out[c] = square if square > zero else zero


@njit(cache=True, nogil=True)
def products_listed(products: Any, r: int, lengths: Any, out: Any) -> None:
    """Interleave row r of each lane's products, which are stored one lane after the other; the last column repeats."""
    width = out.shape[0] // LANES
    for lane in range(LANES):
        frames = min(lengths[lane], width)  # a stride may leave out the last frames
        if frames == 0:  # a lane that is not used
            for b in range(width):
                out[b * LANES + lane] = 0
            continue
        row = products[lane, r * lengths[lane] : (r + 1) * lengths[lane]]
        for b in range(frames):
            out[b * LANES + lane] = row[b]
        for b in range(frames, width):
            out[b * LANES + lane] = row[frames - 1]


@njit(cache=True, nogil=True, fastmath=FAST)
def window_sums(squares: Any, a: int, frames: int, stride: int, out: Any) -> None:
    """Squares of window a: sums along diagonals of the `squares` of frames, whose row r lies at r modulo `frames`."""
    count, k = out.shape[0], 0
    out[:] = 0
    while stride == 1 and k + 3 <= frames:
        first = squares[(a + k) % frames, k * LANES :]
        second = squares[(a + k + 1) % frames, (k + 1) * LANES :]
        third = squares[(a + k + 2) % frames, (k + 2) * LANES :]
        for c in range(count):
            out[c] += first[c] + second[c] + third[c]
        k += 3
    while k < frames:
        row = squares[(a * stride + k) % frames, k * LANES :]
        for b in range(count // LANES):
            for lane in range(LANES):
                out[b * LANES + lane] += row[b * stride * LANES + lane]
        k += 1


@njit(cache=True, nogil=True, fastmath=FAST)
def advance(
    products: Any, x_norm: Any, norms: Any, keep: Any, slack: Any, squared: int, above: Any, cost: Any, out: Any
) -> None:
    """One row of ``F(a, b) = c(a, b) + min(F(a-1, b), F(a, b-1), F(a-1, b-1))``; `above` is the row before.

    A cost is the root of a square, lowered by `slack`, and squared again if `squared`. Squares are formed as in
    `squares_of`. Known squares are given as `norms`, with `products` and `x_norm` of 0 and `keep` of 1. `above` and
    `out` have one more column, on their left: infinite, but 0 in the row above the first.
    """
    zero = slack - slack
    out[:LANES] = np.inf
    for first in range(0, products.shape[0], LANES):
        product, norm, kept = (
            products[first : first + LANES], norms[first : first + LANES], cost[first : first + LANES]
        )  # fmt: skip
        diagonal, before = above[first : first + LANES], above[first + LANES : first + 2 * LANES]
        left, into = out[first : first + LANES], out[first + LANES : first + 2 * LANES]
        for lane in range(LANES):  # the compiler uses vectors only if squares are formed from products
            square = (x_norm + norm[lane]) * keep - (product[lane] + product[lane])
            square = square if square > zero else zero
            here = np.sqrt(square) - slack
            here = here if here > zero else zero
            here = here * here if squared else here
            kept[lane] = here
            best = before[lane] if before[lane] < diagonal[lane] else diagonal[lane]
            other = left[lane]
            into[lane] = here + (best if best < other else other)


@njit(cache=True, nogil=True, fastmath=FAST)
def retreat(cost: Any, below: Any, out: Any, reached: Any) -> None:
    """One row of the recursion from the last cell back; `below` is the row after it.

    `below` and `out` have one more column, on their right: infinite, but 0 diagonally below the last cell of each lane.
    `reached` holds the recursion up to each cell, and becomes the least cost of a path through it.
    """
    width = cost.shape[0]
    out[width : width + LANES] = np.inf
    for back in range(LANES, width + 1, LANES):
        first = width - back
        here, through = cost[first : first + LANES], reached[first : first + LANES]
        under, into = below[first : first + 2 * LANES], out[first : first + 2 * LANES]
        for lane in range(here.shape[0]):  # with a count unknown to it, the compiler uses vectors
            best = min(min(under[lane], under[lane + LANES]), into[lane + LANES])
            into[lane] = here[lane] + best
            through[lane] += best


@njit(cache=True, nogil=True, fastmath=FAST)
def row_minima(row: Any, out: Any) -> None:
    """(LANES,) the least of each lane's cells: no path through this row costs less."""
    out[:] = np.inf
    for first in range(0, row.shape[0], LANES):
        here = row[first : first + LANES]
        for lane in range(LANES):
            out[lane] = here[lane] if here[lane] < out[lane] else out[lane]


@njit(cache=True, nogil=True)
def hide(row: Any, a: int, low: Any, high: Any) -> None:
    """Make cells of row a outside low:high (LANES, n) of their own lane infinite, so that no path passes them."""
    for lane in range(LANES):
        row[lane : low[lane, a] * LANES : LANES] = np.inf
        row[high[lane, a] * LANES + lane :: LANES] = np.inf


@njit(cache=True, nogil=True)
def lane_limits(n: int, ends: Any, band: int, low: Any, high: Any) -> None:
    """Columns low:high (LANES, n) inside the band and before each lane's end."""
    for lane in range(LANES):
        band_limits(n, ends[lane], band, low[lane, :n], high[lane, :n])
