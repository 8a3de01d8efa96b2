"""Compiled inner loops: from products of frames to DTW costs, sixteen pairs at a time.

The sequences on the column side lie interleaved (`lanes`): frame 0 of sixteen sequences, then frame 1, and so on. Each
cell of a recursion needs the cell before it; sixteen recursions side by side keep the processor's vector units busy,
and every step before the recursion is one contiguous loop. All definitions are those of `options.DTWOptions`. The loops
run without the GIL and on one thread each; `tiles` keeps several running. Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["COSINE", "EUCLIDEAN", "LANES", "SQEUCLIDEAN", "band_limits", "dtw_tile", "part_limits"]

EUCLIDEAN, SQEUCLIDEAN, COSINE = 0, 1, 2
BY_NOTHING, BY_LENGTH, BY_PATH = 0, 1, 2

LANES = 16
"""Sequences side by side: one AVX-512 register of float32, two of AVX2."""

# reordered sums and fused multiply-adds only: infinities outside the band must stay what they are
FAST = {"reassoc", "contract", "nsz"}
VANISHING = np.float32(1e-30)  # scaled squares below this are next to float32's subnormals: recompute them


@njit(cache=True, nogil=True)
def part_limits(frames: int, part: int, parts: int) -> tuple[int, int]:
    """First and past-the-last frame of one of `parts` proportional parts, never empty."""
    first = part * frames // parts
    return first, max((part + 1) * frames // parts, first + 1)


@njit(cache=True, nogil=True)
def band_limits(n: int, m: int, band: int, low: NDArray[Any], high: NDArray[Any]) -> None:
    """Columns low[a]:high[a] of each row a < n inside the band; all of them for band < 0. Neither limit decreases."""
    radius = max(2 * band, 1) * (max(n, m) - 1)
    for a in range(n):
        if band < 0 or n == 1:
            low[a], high[a] = 0, m
        else:
            centre = 2 * a * (m - 1)
            low[a] = max(0, -((radius - centre) // (2 * (n - 1))))
            high[a] = min(m, (centre + radius) // (2 * (n - 1)) + 1)


@njit(cache=True, nogil=True, fastmath=FAST)
def _exact_square(x: Any, y: Any, scale: Any) -> float:
    """|x - y|^2 scale^2 from differences: in the dtype of x (whose differences are exact to an ulp), summed in
    parts short enough for a relative error below 8e-6 in float32."""
    total = 0.0
    for start in range(0, x.shape[0], 128):
        part = scale - scale
        u, v = x[start : start + 128], y[start : start + 128]
        for d in range(u.shape[0]):  # counting from 0 lets the compiler use vectors
            difference = (u[d] - v[d]) * scale
            part += difference * difference
        total += part
    return total


@njit(cache=True, nogil=True, fastmath=FAST)
def _exact_angle(x: Any, y: Any, a: int, b: int, frames: int, x_size: float, y_size: float, scale: float) -> float:
    """1 - cos of two windows as half the squared distance of the unit vectors; short sequences repeat."""
    total = 0.0
    for k in range(frames):
        u, v = x[min(a + k, x.shape[0] - 1)], y[min(b + k, y.shape[0] - 1)]
        for d in range(u.shape[0]):
            difference = np.float64(u[d]) * scale / x_size - np.float64(v[d]) * scale / y_size
            total += difference * difference
    return 0.5 * total


@njit(cache=True, nogil=True, fastmath=FAST)
def _squares(products: Any, x_norm: Any, y_norms: Any, threshold: Any) -> int:
    """Products of one frame become squared distances, in place; returns how many of them are too inexact."""
    doubtful = 0
    for c in range(products.shape[0]):
        size = x_norm + y_norms[c]
        square = size - (products[c] + products[c])
        products[c] = square
        doubtful += square < threshold * size + VANISHING
    return doubtful


@njit(cache=True, nogil=True)
def _recompute(
    squares: Any, x: Any, x_norm: Any, y: Any, y_starts: Any, y_lengths: Any, y_norms: Any, begin: int,
    threshold: Any, scale: Any,
) -> None:  # fmt: skip
    """Doubtful squares of frame x from differences of raw frames; unused lanes become 0."""
    for c in range(squares.shape[0]):
        if squares[c] < threshold * (x_norm + y_norms[c]) + VANISHING:
            b, lane = begin + c // LANES, c % LANES
            squares[c] = 0
            if y_lengths[lane] > 0:
                squares[c] = _exact_square(x, y[y_starts[lane] + min(b, y_lengths[lane] - 1)], scale)


@njit(cache=True, nogil=True, fastmath=FAST)
def _diagonal_sums(frame_costs: Any, a: int, low: int, frames: int, stride: int, out: Any) -> None:
    """Sums over the frames of window a against windows from `low` on: along diagonals of the frame costs."""
    out[:] = 0.0
    for k in range(frames):
        row = frame_costs[a * stride + k, (low * stride + k) * LANES :]
        if stride == 1:
            for c in range(out.shape[0]):
                out[c] += row[c]
        else:
            for b in range(out.shape[0] // LANES):
                for lane in range(LANES):
                    out[b * LANES + lane] += row[b * stride * LANES + lane]


@njit(cache=True, nogil=True)
def _root(cost: Any) -> None:
    for c in range(cost.shape[0]):
        cost[c] = np.sqrt(cost[c])


@njit(cache=True, nogil=True)
def _window_sizes(norms: Any, frames: int, stride: int, lanes: int, out: Any) -> None:
    """Norms of the windows of one sequence, or of `lanes` interleaved ones."""
    for a in range(out.shape[0] // lanes):
        for lane in range(lanes):
            total = 0.0
            for k in range(frames):
                total += norms[(a * stride + k) * lanes + lane]
            out[a * lanes + lane] = np.sqrt(total)


@njit(cache=True, nogil=True)
def _to_angles(
    cost: Any, x: Any, a: int, x_size: float, y: Any, y_starts: Any, y_lengths: Any, y_sizes: Any, low: int,
    frames: int, stride: int, threshold: Any, scale: Any,
) -> None:  # fmt: skip
    """Window products become cosine distances, in place."""
    for c in range(cost.shape[0]):
        lane = c % LANES
        size = x_size * y_sizes[c]
        if size == 0.0:
            cost[c] = 0.0 if x_size == y_sizes[c] else 1.0
            continue
        cost[c] = 1.0 - cost[c] / size
        if cost[c] < threshold and y_lengths[lane] > 0:
            b = (low + c // LANES) * stride
            one = y[y_starts[lane] : y_starts[lane] + y_lengths[lane]]
            cost[c] = _exact_angle(x, one, a * stride, b, frames, x_size, y_sizes[c], scale)


@njit(cache=True, nogil=True)
def _outside(cost: Any, low: Any, high: Any, begin: int) -> None:
    """Make cells outside the band of their own lane infinite, so that no path passes them."""
    for c in range(cost.shape[0]):
        b = begin + c // LANES
        if b < low[c % LANES] or b >= high[c % LANES]:
            cost[c] = np.inf


@njit(cache=True, nogil=True, fastmath=FAST)
def _advance(cost: Any, row: Any, best: Any, a: int) -> None:
    """Row a of the recursion inside the band: row[b + 1] holds A(a - 1, b) and becomes A(a, b), lane by lane.

    `row` has one cell more than `cost`, on the left; this cell becomes infinite.
    """
    count = cost.shape[0]
    if a == 0:
        best[:count] = np.inf
        best[:LANES] = 0.0
    else:
        reached = row[LANES:]
        for c in range(count):
            above, diagonal = reached[c], row[c]
            best[c] = above if above < diagonal else diagonal
    row[:LANES] = np.inf
    for b in range(count // LANES):
        first = b * LANES
        for lane in range(LANES):  # the compiler turns these sixteen into a few vector instructions
            left, before = row[first + lane], best[first + lane]
            row[first + LANES + lane] = cost[first + lane] + (left if left < before else before)


@njit(cache=True, nogil=True)
def _advance_counting(cost: Any, row: Any, steps: Any, a: int) -> None:
    """`_advance`, and the number of cells of the shortest optimal path beside each cost."""
    for lane in range(LANES):
        diagonal, diagonal_steps = row[lane], steps[lane]
        if a == 0:
            diagonal, diagonal_steps = 0.0, 0
        left, left_steps = np.inf, 0
        for c in range(lane, cost.shape[0], LANES):
            above, above_steps = row[c + LANES], steps[c + LANES]
            if diagonal < left or (diagonal == left and diagonal_steps < left_steps):
                left, left_steps = diagonal, diagonal_steps
            if above < left or (above == left and above_steps < left_steps):
                left, left_steps = above, above_steps
            left, left_steps = left + cost[c], left_steps + 1
            row[c + LANES], steps[c + LANES] = left, left_steps
            diagonal, diagonal_steps = above, above_steps
        row[lane] = np.inf


@njit(cache=True, nogil=True)
def _fill_squares(
    products: Any, x: Any, x_norms: Any, y: Any, y_starts: Any, y_lengths: Any, y_norms: Any,
    frames: int, stride: int, low: Any, high: Any, threshold: Any, scale: Any,
) -> None:  # fmt: skip
    """Squared frame distances wherever a window inside the band needs them, doubtful ones recomputed, in place."""
    count = low.shape[0]
    width = products.shape[1] // LANES
    for a in range((count - 1) * stride + frames):
        first = max(0, (a - frames + stride) // stride)
        final = min(a // stride, count - 1)
        begin, end = width, 0
        for i in range(first, final + 1):
            k = a - i * stride
            if k < frames:
                begin = min(begin, low[i] * stride + k)
                end = max(end, (high[i] - 1) * stride + k + 1)
        if begin >= end:
            continue
        here = products[a, begin * LANES : end * LANES]
        norms = y_norms[begin * LANES : end * LANES]
        if _squares(here, x_norms[a], norms, threshold) > 0:
            frame = x[min(a, x.shape[0] - 1)]
            _recompute(here, frame, x_norms[a], y, y_starts, y_lengths, norms, begin, threshold, scale)


@njit(cache=True, nogil=True)
def dtw_tile(
    products: Any, x: Any, x_starts: Any, x_lengths: Any, x_rows: Any, x_items: Any, x_norms: Any,
    y: Any, y_starts: Any, y_lengths: Any, y_rows: Any, y_items: Any, y_norms: Any, wanted: Any,
    frames: int, stride: int, band: int, metric: int, normalize: int, threshold: Any, scale: Any, out: Any,
) -> None:  # fmt: skip
    """DTW costs of some sequences with groups of `LANES` others, from one tile of products, which is overwritten.

    Args:
        products: (R, S) inner products of the centred, scaled frames of both sides.
        x, y: (·, D) raw frames, where each sequence starts at its x_starts (n,), y_starts (g, LANES) and
            has x_lengths, y_lengths frames; 0 for a lane that is not used.
        x_rows: (n + 1,) rows of each sequence in the tile; y_rows: (g + 1,) columns of each group, interleaved.
        x_items, y_items: (n,), (g, LANES) windows of each sequence.
        x_norms, y_norms: (R,), (S,) squared norms of the centred, scaled frames.
        wanted: (n, g) bool, which costs to compute.
        frames, stride: of the windows; band: radius, or -1.
        metric, normalize: the codes of this module.
        threshold: see `CostModel`; of the dtype of `products`. scale: of the dtype of `x`.
        out: (n, g, LANES) float64, written where wanted.
    """
    tall, wide = x_items.max(), y_items.max()
    cost = np.empty(wide * LANES, products.dtype)
    best = np.empty(wide * LANES, np.float64)
    row = np.empty((wide + 1) * LANES, np.float64)
    steps = np.zeros((wide + 1) * LANES if normalize == BY_PATH else 0, np.int64)
    low, high = np.empty((LANES, tall), np.int64), np.empty((LANES, tall), np.int64)
    lowest, highest = np.empty(tall, np.int64), np.empty(tall, np.int64)
    x_sizes, y_sizes = np.empty(tall, np.float64), np.empty(wide * LANES, np.float64)
    units = 1.0
    if metric == EUCLIDEAN:
        units = 1.0 / scale
    elif metric == SQEUCLIDEAN:
        units = 1.0 / scale / scale
    for i in range(wanted.shape[0]):
        rows, n = slice(x_rows[i], x_rows[i + 1]), x_items[i]
        own = x[x_starts[i] : x_starts[i] + x_lengths[i]]
        if metric == COSINE:
            _window_sizes(x_norms[rows], frames, stride, 1, x_sizes[:n])
        for g in range(wanted.shape[1]):
            if not wanted[i, g]:
                continue
            columns = slice(y_rows[g], y_rows[g + 1])
            norms = y_norms[columns]
            m = y_items[g].max()
            tile = products[rows, columns]
            lowest[:n], highest[:n] = 0, m
            if band >= 0:
                for lane in range(LANES):
                    band_limits(n, y_items[g, lane], band, low[lane], high[lane])
                for a in range(n):
                    lowest[a], highest[a] = low[:, a].min(), high[:, a].max()
            if metric == COSINE:
                _window_sizes(norms, frames, stride, LANES, y_sizes[: m * LANES])
            else:
                _fill_squares(
                    tile, own, x_norms[rows], y, y_starts[g], y_lengths[g], norms,
                    frames, stride, lowest[:n], highest[:n], threshold, scale,
                )  # fmt: skip
            row[: (m + 1) * LANES] = np.inf
            for a in range(n):
                begin, end = lowest[a], highest[a]
                here = cost[: (end - begin) * LANES]
                _diagonal_sums(tile, a, begin, frames, stride, here)
                if metric == COSINE:
                    _to_angles(
                        here, own, a, x_sizes[a], y, y_starts[g], y_lengths[g], y_sizes[begin * LANES :], begin,
                        frames, stride, threshold, scale,
                    )  # fmt: skip
                elif metric == EUCLIDEAN:
                    _root(here)
                if band >= 0:
                    _outside(here, low[:, a], high[:, a], begin)
                cells = slice(begin * LANES, (end + 1) * LANES)
                if normalize == BY_PATH:
                    _advance_counting(here, row[cells], steps[cells], a)
                else:
                    _advance(here, row[cells], best, a)
            for lane in range(LANES):
                last = y_items[g, lane] * LANES + lane
                total = row[last]
                if normalize == BY_PATH:
                    total /= steps[last]
                elif normalize == BY_LENGTH:
                    total /= n + y_items[g, lane]
                out[i, g, lane] = total * units
