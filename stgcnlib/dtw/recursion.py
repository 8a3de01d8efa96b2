"""Compiled DTW of short frames, sixteen pairs side by side: squares, windows, and the recursion forwards and backwards.

Rows hold one cell of each of `LANES` pairs after the other. Every step is a loop over such rows that a compiler turns
into a few vector instructions; the recursion itself waits on its own last cell, and so goes along with everything that
does not. What a bound may lose by rounding is taken off here (`keep`, `slack`). Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stgcnlib.dtw.kernels import FAST, LANES, band_limits

__all__ = ["advance", "hide", "lane_limits", "products_listed", "retreat", "row_minima", "squares_of", "window_sums"]


@njit(cache=True, nogil=True, fastmath=FAST)
def squares_of(products: Any, x_norm: Any, norms: Any, keep: Any, out: Any) -> None:
    """Squared distances of short frames, no rounding above the true ones, from their inner products."""
    zero = keep - keep
    for c in range(out.shape[0]):
        square = (x_norm + norms[c]) * keep - (products[c] + products[c])
        out[c] = square if square > zero else zero


@njit(cache=True, nogil=True)
def products_listed(products: Any, r: int, lengths: Any, out: Any) -> None:
    """Row r of each lane's own products, which lie one lane after the other, side by side; the last column repeats."""
    width = out.shape[0] // LANES
    for lane in range(LANES):
        frames = min(lengths[lane], width)  # more where a stride leaves some
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
    """Squares of window a: sums along the diagonals of those of frames, whose row r lies at r modulo `frames`."""
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

    Costs are roots of squares, lowered by what rounding moved their windows, and squared again where they are to be.
    Squares are those of `squares_of`; where they are there, they are given as norms, with products of 0 and a `keep`
    of 1. `above` and `out` have one more column, on their left: infinite, but 0 in the row above the first.
    """
    zero = slack - slack
    out[:LANES] = np.inf
    for first in range(0, products.shape[0], LANES):
        product, norm, kept = (
            products[first : first + LANES], norms[first : first + LANES], cost[first : first + LANES]
        )  # fmt: skip
        diagonal, before = above[first : first + LANES], above[first + LANES : first + 2 * LANES]
        left, into = out[first : first + LANES], out[first + LANES : first + 2 * LANES]
        for lane in range(LANES):  # a few vector instructions, as long as squares begin by a product
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

    Both have one more column, on their right: infinite, but 0 right below the last cell of each lane. `reached`, the
    recursion up to each cell, becomes the least cost of a path through it.
    """
    width = cost.shape[0]
    out[width : width + LANES] = np.inf
    for back in range(LANES, width + 1, LANES):
        first = width - back
        here, through = cost[first : first + LANES], reached[first : first + LANES]
        under, into = below[first : first + 2 * LANES], out[first : first + 2 * LANES]
        for lane in range(here.shape[0]):  # of a number that a compiler does not know, so that it takes vectors
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
    """No way through the cells of row a that are not among low:high (LANES, n) of their own lane."""
    for lane in range(LANES):
        row[lane : low[lane, a] * LANES : LANES] = np.inf
        row[high[lane, a] * LANES + lane :: LANES] = np.inf


@njit(cache=True, nogil=True)
def lane_limits(n: int, ends: Any, band: int, low: Any, high: Any) -> None:
    """Columns low:high (LANES, n) inside the band and before each lane's end."""
    for lane in range(LANES):
        band_limits(n, ends[lane], band, low[lane, :n], high[lane, :n])
