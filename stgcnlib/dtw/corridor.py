"""Compiled DTW that reads whole frames only where an optimal path can pass.

Lower bounds of all costs come from products of short frames (`projection`), sixteen pairs side by side as in `kernels`.
A cell that no path of cost U or less can pass, even by the bounds, is on no path of cost U or less: what is left is a
narrow corridor. Frames are compared by their differences, which cancel nothing. Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from stgcnlib.dtw.kernels import BY_LENGTH, FAST, LANES, SQEUCLIDEAN
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
CHUNK = 1312  # features summed in one go, by eight or more vector lanes: rounding stays below 1e-5
PATH_CELLS = 1.2  # cells of an optimal path per frame of the longer sequence, for a guess
CHECKED = 8  # rows of the recursion after which it is seen whether a path within the limits is left


@njit(cache=True, nogil=True)
def _limits(reached: Any, lane: int, n: int, m: int, most: float, low: Any, high: Any) -> None:
    """Cells low:high of each row through which a path of cost `most` may go.

    They are a union of paths, so that neither limit ever falls: two walks along the corridor find both.
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


@njit(cache=True, nogil=True, fastmath=FAST)
def _four_diagonals(x: Any, a0: int, a1: int, a2: int, a3: int, y: Any, b: Any, out: Any) -> None:
    """Squared distances (4, 4) of four frames of x with four of seven frames of y each: entry (r, k) is (a_r, b_(r+k)).

    Sixteen sums at once and eleven loads for them keep the multipliers of a core busy; in the dtype of `out`.
    """
    kind = out.dtype.type
    out[:] = 0
    zero = kind(0)
    for start in range(0, x.shape[1], CHUNK):
        x0, x1 = x[a0, start : start + CHUNK], x[a1, start : start + CHUNK]
        x2, x3 = x[a2, start : start + CHUNK], x[a3, start : start + CHUNK]
        y0, y1 = y[b[0], start : start + CHUNK], y[b[1], start : start + CHUNK]
        y2, y3 = y[b[2], start : start + CHUNK], y[b[3], start : start + CHUNK]
        y4, y5 = y[b[4], start : start + CHUNK], y[b[5], start : start + CHUNK]
        y6 = y[b[6], start : start + CHUNK]
        s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
        s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
        for d in range(x0.shape[0]):
            u, v0, v1, v2, v3 = kind(x0[d]), kind(y0[d]), kind(y1[d]), kind(y2[d]), kind(y3[d])
            s00 += (u - v0) * (u - v0)
            s01 += (u - v1) * (u - v1)
            s02 += (u - v2) * (u - v2)
            s03 += (u - v3) * (u - v3)
            u, v4 = kind(x1[d]), kind(y4[d])
            s10 += (u - v1) * (u - v1)
            s11 += (u - v2) * (u - v2)
            s12 += (u - v3) * (u - v3)
            s13 += (u - v4) * (u - v4)
            u, v5 = kind(x2[d]), kind(y5[d])
            s20 += (u - v2) * (u - v2)
            s21 += (u - v3) * (u - v3)
            s22 += (u - v4) * (u - v4)
            s23 += (u - v5) * (u - v5)
            u, v6 = kind(x3[d]), kind(y6[d])
            s30 += (u - v3) * (u - v3)
            s31 += (u - v4) * (u - v4)
            s32 += (u - v5) * (u - v5)
            s33 += (u - v6) * (u - v6)
        out[0] += s00
        out[1] += s01
        out[2] += s02
        out[3] += s03
        out[4] += s10
        out[5] += s11
        out[6] += s12
        out[7] += s13
        out[8] += s20
        out[9] += s21
        out[10] += s22
        out[11] += s23
        out[12] += s30
        out[13] += s31
        out[14] += s32
        out[15] += s33


@njit(cache=True, nogil=True)
def _rounding(n: int, m: int, frames: int) -> Any:
    """A factor that covers the float32 sums along two paths, and what `_four_diagonals` may be off."""
    return 1 + 4 * (n + m + frames + 8) * FLOAT32 + 1.6e-5


@njit(cache=True, nogil=True)
def _scaled(limit: float, n: int, m: int, frames: int, normalize: int, units: float) -> Any:
    """A limit as the recursion must exceed it, in its units; no rounding below."""
    divisor = units / (n + m) if normalize == BY_LENGTH else units
    return limit / divisor * _rounding(n, m, frames) * (1 + 4 * FLOAT32)


@njit(cache=True, nogil=True)
def _frame_limits(low: Any, high: Any, frames: int, stride: int, first: Any, last: Any) -> None:
    """Columns first[r]:last[r] of frames that the windows low[a]:high[a] need, for each row r of frames."""
    first[:] = np.iinfo(np.int64).max
    last[:] = 0
    for a in range(low.shape[0]):
        for k in range(frames):
            r = a * stride + k
            if high[a] > low[a]:
                first[r] = min(first[r], low[a] * stride + k)
                last[r] = max(last[r], (high[a] - 1) * stride + k + 1)


@njit(cache=True, nogil=True)
def _fill(
    x: Any, x_start: int, x_length: int, y: Any, y_start: int, y_length: int, first: Any, last: Any, out: Any
) -> None:
    """Squared frame distances out[r, first[r]:last[r]], four rows by four diagonals at a time; `out` is wider by 8."""
    height = first.shape[0]
    a, b, tile = np.empty(4, np.int64), np.empty(7, np.int64), np.empty(16, out.dtype)
    for row in range(0, height, 4):
        begin, end = np.iinfo(np.int64).max, -(2**62)  # of the diagonals
        for r in range(row, min(row + 4, height)):
            if last[r] > first[r]:
                begin, end = min(begin, first[r] - (r - row)), max(end, last[r] - (r - row))
        for r in range(4):
            a[r] = x_start + min(row + r, x_length - 1)
        for diagonal in range(begin, end, 4):
            for k in range(7):
                b[k] = y_start + min(max(diagonal + k, 0), y_length - 1)
            _four_diagonals(x, a[0], a[1], a[2], a[3], y, b, tile)
            for r in range(min(4, height - row)):
                for k in range(4):
                    column = diagonal + r + k
                    if column >= 0:
                        out[row + r, column] = tile[4 * r + k]


@njit(cache=True, nogil=True)
def _inside(squares: Any, low: Any, high: Any, frames: int, stride: int, squared: int, before: Any, row: Any) -> Any:
    """Cost of the best path in low:high of each row; windows are sums along the diagonals of squares."""
    before[:] = np.inf
    for a in range(low.shape[0]):
        row[:] = np.inf
        for b in range(low[a], high[a]):
            cost = 0.0
            for k in range(frames):
                cost += squares[a * stride + k, b * stride + k]
            if not squared:
                cost = np.sqrt(cost)
            best = 0.0 if a == 0 and b == 0 else before[b + 1]  # cell b is at b + 1
            best = min(best, row[b], before[b])
            row[b + 1] = cost + best
        before, row = row, before
    return before[-1]


@njit(cache=True, nogil=True)
def _one_pair(
    x: Any, x_start: int, x_length: int, y: Any, y_start: int, y_length: int, n: int, m: int, low: Any, high: Any,
    frames: int, stride: int, squared: int, squares: Any, limits: Any, row: Any,
) -> Any:  # fmt: skip
    height = (n - 1) * stride + frames
    first, last = limits[0, :height], limits[1, :height]
    _frame_limits(low, high, frames, stride, first, last)
    _fill(x, x_start, x_length, y, y_start, y_length, first, last, squares)
    return _inside(squares, low, high, frames, stride, squared, row[0, : m + 1], row[1, : m + 1])


@njit(cache=True, nogil=True)
def corridor_tile(
    products: Any, x: Any, x_starts: Any, x_lengths: Any, x_short: Any, x_rows: Any, x_items: Any, x_norms: Any,
    x_rest: Any, y: Any, y_starts: Any, y_lengths: Any, y_short: Any, y_first: Any, y_rows: Any, y_items: Any,
    y_norms: Any, y_rest: Any, jobs: Any, limits: Any, frames: int, stride: int, band: int, metric: int,
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
        x_rest, y_rest: (n,), (g, LANES) mean residual norm of each sequence, scaled: only for guesses.
        jobs: (q, 2) rows of x and groups of y to do.
        limits: (q, LANES) float64, distances beyond which only that they are beyond is of interest.
        frames, stride: of the windows; band: radius, or -1.
        metric: EUCLIDEAN or SQEUCLIDEAN; normalize: not BY_PATH.
        keep, slack: float32; what rounding leaves of squared norms, and may add to a window's distance.
        scale: power of two that the short frames were multiplied by.
        exact: costs, else lower bounds.
        unit: (1,) a 1 of the dtype in which differences of raw frames are formed and summed.
        out: (q, LANES) float64; infinite where the cost is proven to be above its limit.
    """
    tall, wide = x_items.max(), y_items.max()
    high_frames, wide_frames = (tall - 1) * stride + frames, (wide - 1) * stride + frames
    listed = products.shape[0] == 0
    own = np.empty((LANES, high_frames * y_lengths.max() if listed else 0), np.float32)
    # bounds alone need the last row or two of everything: row a lies at a modulo so many
    costs_kept, reached_kept = (tall, tall) if exact else (1, 2)
    short = np.empty((frames, wide_frames * LANES), np.float32)
    beside_each_other = np.empty(wide_frames * LANES if listed else 0, np.float32)
    sums, nothing, one = np.empty(wide * LANES, np.float32), np.zeros(wide * LANES, np.float32), np.float32(1)
    costs = np.empty((costs_kept, wide * LANES), np.float32)
    reached = np.empty((reached_kept, (wide + 1) * LANES), np.float32)
    beside, other = np.empty((wide + 1) * LANES, np.float32), np.empty((wide + 1) * LANES, np.float32)
    low, high = np.empty((LANES, tall), np.int64), np.empty((LANES, tall), np.int64)
    squares = np.empty((high_frames if exact else 0, wide_frames + 8), unit.dtype)
    frame_limits, rows = np.empty((2, high_frames), np.int64), np.empty((2, wide + 1), np.float64)
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
        masked = band >= 0 or (exact and ends.min() < m)
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
            longest = PATH_CELLS * max(n, ends[lane])
            apart = 2 * frames * x_rest[i] * y_rest[g, lane]
            guess = bound + longest * apart if squared else np.sqrt(bound**2 + longest**2 * apart)
            most[lane] = min(guess, limits[q, lane] / divisor * rounding**2) * rounding
        if not exact or most.max() < 0:
            continue
        below, after = beside[: cells + LANES], other[: cells + LANES]
        below[:] = np.inf
        for lane in range(LANES):
            below[ends[lane] * LANES + lane] = 0
        for a in range(n - 1, -1, -1):
            retreat(costs[a, :cells], below, after, reached[a, LANES : cells + LANES])
            below, after = after, below
        for lane in range(LANES):
            if most[lane] < 0:
                continue
            rounding = _rounding(n, ends[lane], frames)
            divisor = units / (n + ends[lane]) if normalize == BY_LENGTH else units
            limit = limits[q, lane] / divisor
            while True:
                _limits(reached[:, LANES:], lane, n, ends[lane], most[lane], low[0, :n], high[0, :n])
                found = _one_pair(
                    x, x_starts[i], x_lengths[i], y, y_starts[g, lane], y_lengths[g, lane], n, ends[lane],
                    low[0, :n], high[0, :n], frames, stride, squared, squares, frame_limits, rows,
                )  # fmt: skip
                found *= scale * scale if squared else scale
                if found * rounding <= most[lane] or most[lane] >= limit * rounding**2:
                    break
                most[lane] = min(found, limit) * rounding**3
            out[q, lane] = found * divisor if found * rounding <= most[lane] else np.inf
