"""Compiled DTW that reads whole frames only where an optimal path can pass.

Lower bounds of all costs come from products of short frames (`projection`), sixteen pairs side by side as in `kernels`.
The true cost U of one path, chosen by the bounds, is an upper bound of the DTW cost. If, by the bounds, every path
through a cell costs more than U, the cell is on no optimal path. The other cells form a narrow corridor, in which
`along` finds the cheapest path. Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stgcnlib.dtw.along import first_path, least_cost, true_cost
from stgcnlib.dtw.kernels import BY_LENGTH, LANES, SQEUCLIDEAN
from stgcnlib.dtw.recursion import (
    advance,
    hide,
    lane_limits,
    products_listed,
    retreat,
    row_minima,
    squares_of,
    window_sums,
)

__all__ = ["corridor_tile"]

FLOAT32 = 2.0**-24
LOWERED = 1 - 2e-5  # factor on a bound: the computed true cost is never below it
CHECKED = 8  # rows of the recursion between two checks whether a path within the limits is left


@njit(cache=True, nogil=True)
def _limits(reached: Any, lane: int, n: int, m: int, most: float, low: Any, high: Any) -> None:
    """Cells low:high of each row through which a path of cost `most` may go.

    These cells are a union of paths, so neither limit ever decreases: a pass down the rows finds `low`, one up `high`.
    """
    b = 0
    for a in range(n):
        while b < m and not reached[a, b * LANES + lane] <= most:  # NaN is outside
            b += 1
        low[a] = b
    b = m
    for a in range(n - 1, -1, -1):
        while b > 0 and not reached[a, (b - 1) * LANES + lane] <= most:
            b -= 1
        high[a] = b


@njit(cache=True, nogil=True)
def _rounding(n: int, m: int, frames: int) -> Any:
    """A factor that covers the rounding of float32 sums along two paths, and the error of `along.frame_square`."""
    return 1 + 4 * (n + m + frames + 8) * FLOAT32 + 1.6e-5


@njit(cache=True, nogil=True)
def _scaled(limit: float, n: int, m: int, frames: int, normalize: int, units: float) -> Any:
    """A limit in the units of the recursion, raised by what rounding may add to the recursion's sums."""
    divisor = units / (n + m) if normalize == BY_LENGTH else units
    return limit / divisor * _rounding(n, m, frames) * (1 + 4 * FLOAT32)


@njit(cache=True, nogil=True)
def _lower_bounds(costs: Any, lane: int, low: Any, high: Any, factor: float, number: int, known: Any, out: Any) -> None:
    """Fill the unknown cells low:high of each row of out (n, m) with a lane's costs by short frames, times a factor."""
    for a in range(low.shape[0]):
        for b in range(low[a], high[a]):
            if known[a, b] != number:
                out[a, b] = costs[a, b * LANES + lane] * factor


@njit(cache=True, nogil=True)
def corridor_tile(
    products: Any, x: Any, x_starts: Any, x_lengths: Any, x_short: Any, x_rows: Any, x_items: Any, x_norms: Any,
    y: Any, y_starts: Any, y_lengths: Any, y_short: Any, y_first: Any, y_rows: Any, y_items: Any,
    y_norms: Any, jobs: Any, limits: Any, frames: int, stride: int, band: int, metric: int,
    normalize: int, keep: Any, slack: Any, scale: float, exact: int, unit: Any, out: Any,
) -> None:  # fmt: skip
    """DTW costs, or lower bounds of them, of some sequences with groups of `LANES` others, by products of short frames.

    Args:
        products: (R, S) float32 inner products of the short frames of both sides, scaled, the columns of a group side
            by side; empty: they are formed here, pair by pair.
        x, y: (., D) raw frames, where each sequence starts at its x_starts (n,), y_starts (g, LANES) and has
            x_lengths, y_lengths frames; 0 for a lane that is not used.
        x_short, y_short: (., p + 1) short frames, scaled; y_first: (g, LANES) the first of each sequence.
        x_rows: (n + 1,) rows of each sequence in the tile; y_rows: (g + 1,) where each group's norms are.
        x_items, y_items: (n,), (g, LANES) windows of each sequence.
        x_norms, y_norms: squared norms of the short frames, of the rows and of the interleaved columns.
        jobs: (q, 2) rows of x and groups of y to do.
        limits: (q, LANES) float64; a larger distance may be returned as infinity.
        frames, stride: of the windows; band: radius, or -1.
        metric: EUCLIDEAN or SQEUCLIDEAN; normalize: not BY_PATH.
        keep, slack: float32; a factor on squared norms that covers rounding, and what rounding may add to a window's
            distance.
        scale: power of two that the short frames were multiplied by.
        exact: costs, else lower bounds.
        unit: (1,) a 1 of the dtype in which differences of raw frames are formed and summed.
        out: (q, LANES) float64; infinite where the cost is proven to be above its limit.
    """
    tall, wide = x_items.max(), y_items.max()
    high_frames, wide_frames = (tall - 1) * stride + frames, (wide - 1) * stride + frames
    listed = products.shape[0] == 0
    own = np.empty((LANES, high_frames * y_lengths.max() if listed else 0), np.float32)
    # lower bounds need only the last one or two rows: row a is stored at a modulo the number of rows kept
    costs_kept, reached_kept = (tall, tall) if exact else (1, 2)
    short = np.empty((frames, wide_frames * LANES), np.float32)
    beside_each_other = np.empty(wide_frames * LANES if listed else 0, np.float32)
    sums, nothing, one = np.empty(wide * LANES, np.float32), np.zeros(wide * LANES, np.float32), np.float32(1)
    costs = np.empty((costs_kept, wide * LANES), np.float32)
    reached = np.empty((reached_kept, (wide + 1) * LANES), np.float32)
    beside, other = np.empty((wide + 1) * LANES, np.float32), np.empty((wide + 1) * LANES, np.float32)
    low, high = np.empty((LANES, tall), np.int64), np.empty((LANES, tall), np.int64)
    squares = np.empty((high_frames if exact else 0, wide_frames), unit.dtype)
    stamps, known = np.zeros(squares.shape, np.int64), np.zeros((tall if exact else 0, wide), np.int64)
    mixed, totals = np.empty(known.shape, np.float64), np.empty((known.shape[0], wide + 1), np.float64)
    path, number = np.empty((tall + wide, 2), np.int64), 0
    most, ends, least = np.empty(LANES, np.float32), np.empty(LANES, np.int64), np.empty(LANES, np.float32)
    squared = metric == SQEUCLIDEAN
    units = 1.0 / scale / scale if squared else 1.0 / scale
    for q in range(jobs.shape[0]):
        i, g = jobs[q, 0], jobs[q, 1]
        n, m = x_items[i], y_items[g].max()
        height, width, cells = (n - 1) * stride + frames, ((m - 1) * stride + frames) * LANES, m * LANES
        norms = y_norms[y_rows[g] : y_rows[g] + width]
        ends[:] = y_items[g]
        out[q] = np.inf
        for lane in range(LANES):
            most[lane] = -1
            if y_lengths[g, lane] > 0 and limits[q, lane] >= 0:
                most[lane] = _scaled(limits[q, lane], n, ends[lane], frames, normalize, units)
                if listed:
                    count = y_lengths[g, lane]
                    np.dot(
                        x_short[x_rows[i] : x_rows[i] + height],
                        y_short[y_first[g, lane] : y_first[g, lane] + count].T,
                        own[lane, : height * count].reshape(height, count),
                    )
        if most.max() < 0:
            continue
        masked = band >= 0
        if masked:
            lane_limits(n, ends, band, low, high)
        direct = frames * stride == 1 and not masked
        above = other[: cells + LANES]
        above[:] = np.inf
        above[:LANES] = 0
        alive = True
        for a in range(n):
            cost, now = costs[a % costs_kept, :cells], reached[a % reached_kept, : cells + LANES]
            for r in range(max(a * stride, (a - 1) * stride + frames if a else 0), a * stride + frames):
                row = x_rows[i] + r
                here = own[0, :0] if listed else products[row, y_rows[g] : y_rows[g] + width]
                if listed:
                    here = beside_each_other[:width]
                    products_listed(own, r, y_lengths[g], here)
                if direct:
                    advance(here, x_norms[row], norms, keep, slack, squared, above, cost, now)
                else:
                    squares_of(here, x_norms[row], norms, keep, short[r % frames, :width])
            if not direct:
                window_sums(short, a, frames, stride, sums[:cells])
                if masked:
                    hide(sums[:cells], a, low, high)
                advance(nothing[:cells], slack - slack, sums[:cells], one, slack, squared, above, cost, now)
            above = now
            if a % CHECKED == CHECKED - 1:
                row_minima(now[LANES:], least)
                alive = False
                for lane in range(LANES):
                    alive |= least[lane] <= most[lane]
                if not alive:
                    break
        if not alive:
            continue
        for lane in range(LANES):
            if most[lane] < 0:
                continue
            rounding = _rounding(n, ends[lane], frames)
            divisor = units / (n + ends[lane]) if normalize == BY_LENGTH else units
            bound = reached[(n - 1) % reached_kept, ends[lane] * LANES + lane]
            if bound / rounding * divisor > limits[q, lane]:
                most[lane] = -1
                continue
            out[q, lane] = bound / rounding * divisor
        if not exact or most.max() < 0:
            continue
        below, after = beside[: cells + LANES], other[: cells + LANES]
        below[:] = np.inf
        for lane in range(LANES):
            below[ends[lane] * LANES + lane] = 0
        for a in range(n - 1, -1, -1):
            retreat(costs[a, :cells], below, after, reached[a, LANES : cells + LANES])
            below, after = after, below
            for lane in range(LANES if a == n - 1 else 0):  # no path begins beyond a lane's end
                below[ends[lane] * LANES + lane :: LANES] = np.inf
        one_x, through = x[x_starts[i] : x_starts[i] + x_lengths[i]], reached[:, LANES:]
        for lane in range(LANES):
            if most[lane] < 0:
                continue
            one_y, number = y[y_starts[g, lane] : y_starts[g, lane] + y_lengths[g, lane]], number + 1
            total = 0.0
            for p in range(first_path(through, lane, n, ends[lane], path)):
                a, b = path[p, 0], path[p, 1]
                mixed[a, b] = true_cost(a, b, one_x, one_y, frames, stride, squared, number, squares, stamps)
                known[a, b] = number
                total += mixed[a, b]
            divisor = 1.0 / (n + ends[lane]) if normalize == BY_LENGTH else 1.0
            upper = min(total * divisor * (1 + 1e-12), limits[q, lane])
            edge = _scaled(upper, n, ends[lane], frames, normalize, units)
            _limits(through, lane, n, ends[lane], edge, low[0, :n], high[0, :n])
            _lower_bounds(costs, lane, low[0, :n], high[0, :n], units * LOWERED, number, known, mixed)
            out[q, lane] = divisor * least_cost(
                one_x, one_y, low[0, :n], high[0, :n], ends[lane], frames, stride, squared,
                limits[q, lane] / divisor * (1 + 1e-12), number, squares, stamps, mixed, known, totals, path,
            )  # fmt: skip
