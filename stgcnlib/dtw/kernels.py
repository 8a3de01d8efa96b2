"""Compiled inner loops: from products of frames to one DTW cost per pair, many pairs per call.

They run without the GIL and on one thread each; `tiles` keeps several running. All definitions are those of
`options.DTWOptions`. Nothing here checks its input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["EUCLIDEAN", "SQEUCLIDEAN", "COSINE", "band_limits", "dtw_pairs", "part_limits"]

EUCLIDEAN, SQEUCLIDEAN, COSINE = 0, 1, 2
BY_NOTHING, BY_LENGTH, BY_PATH = 0, 1, 2

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
    """Columns low[a]:high[a] of each row a < n inside the band; all of them for band < 0. Both never fall."""
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
    runs short enough for a relative error below 8e-6 in float32."""
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
def _squares(products: Any, x_norm: Any, y_norms: Any, threshold: Any, out: Any) -> int:
    """Squared distances of one frame to several; how many of them cannot be trusted."""
    doubtful = 0
    for b in range(out.shape[0]):
        size = x_norm + y_norms[b]
        square = size - (products[b] + products[b])
        out[b] = square
        doubtful += square < threshold * size + VANISHING
    return doubtful


@njit(cache=True, nogil=True)
def _window_sizes(norms: Any, count: int, frames: int, stride: int, out: Any) -> None:
    for a in range(count):
        total = 0.0
        for k in range(frames):
            total += norms[min(a * stride + k, norms.shape[0] - 1)]
        out[a] = np.sqrt(total)


@njit(cache=True, nogil=True, fastmath=FAST)
def _diagonal_sums(frame_costs: Any, a: int, low: int, frames: int, stride: int, out: Any) -> None:
    """Sums over the frames of window a against windows from `low` on: along diagonals of the frame costs."""
    out[:] = 0.0
    for k in range(frames):
        if stride == 1:
            row = frame_costs[a + k, low + k : low + k + out.shape[0]]
            for b in range(out.shape[0]):
                out[b] += row[b]
        else:
            strided = frame_costs[a * stride + k, low * stride + k :]
            for b in range(out.shape[0]):
                out[b] += strided[b * stride]


@njit(cache=True, nogil=True, fastmath=FAST)
def _advance(cost: Any, row: Any, best: Any, a: int) -> None:
    """Row a of the recursion inside the band: row[b + 1] holds A(a - 1, b) and becomes A(a, b).

    `row` has one cell more than `cost`, on the left. It stays infinite for what follows.
    """
    count = cost.shape[0]
    reached = row[1:]
    left = np.inf
    if a == 0:
        best[:count] = np.inf
        best[0] = 0.0
    else:
        for b in range(count):
            above, diagonal = reached[b], row[b]
            best[b] = above if above < diagonal else diagonal
    for b in range(count):
        before = best[b]
        left = cost[b] + (left if left < before else before)
        reached[b] = left
    row[0] = np.inf


@njit(cache=True, nogil=True)
def _advance_counting(cost: Any, row: Any, steps: Any, a: int) -> None:
    """`_advance`, and the number of cells of the shortest optimal path beside each cost."""
    diagonal, diagonal_steps = row[0], steps[0]
    if a == 0:
        diagonal, diagonal_steps = 0.0, 0
    left, left_steps = np.inf, 0
    for b in range(cost.shape[0]):
        above, above_steps = row[b + 1], steps[b + 1]
        if diagonal < left or (diagonal == left and diagonal_steps < left_steps):
            left, left_steps = diagonal, diagonal_steps
        if above < left or (above == left and above_steps < left_steps):
            left, left_steps = above, above_steps
        left, left_steps = left + cost[b], left_steps + 1
        row[b + 1], steps[b + 1] = left, left_steps
        diagonal, diagonal_steps = above, above_steps
    row[0] = np.inf


@njit(cache=True, nogil=True)
def _fill_squares(
    products: Any, x: Any, y: Any, x_norms: Any, y_norms: Any, frames: int, stride: int,
    low: Any, high: Any, threshold: Any, scale: Any, out: Any,
) -> None:  # fmt: skip
    """Squared frame distances wherever a window inside the band needs them, doubtful ones recomputed."""
    n, m = products.shape
    count = low.shape[0]
    for a in range(min(n, (count - 1) * stride + frames)):
        first = max(0, (a - frames + stride) // stride)
        final = min(a // stride, count - 1)
        begin, end = m, 0
        for i in range(first, final + 1):
            k = a - i * stride
            if k < frames:
                begin = min(begin, low[i] * stride + k)
                end = max(end, (high[i] - 1) * stride + k + 1)
        if frames > n or frames > m:  # a padded sequence: one window, so the band is everything
            begin, end = 0, m
        end = min(end, m)
        if begin >= end:
            continue
        doubtful = _squares(products[a, begin:end], x_norms[a], y_norms[begin:end], threshold, out[a, begin:end])
        if doubtful > 0:
            for b in range(begin, end):
                size = x_norms[a] + y_norms[b]
                if out[a, b] < threshold * size + VANISHING:
                    out[a, b] = _exact_square(x[a], y[b], scale)


@njit(cache=True, nogil=True)
def _repeat_last(costs: Any, n: int, m: int, rows: int, columns: int) -> None:
    """Costs of sequences padded by their last frame."""
    for a in range(n):
        costs[a, m:columns] = costs[a, m - 1]
    for a in range(n, rows):
        costs[a, :columns] = costs[n - 1, :columns]


@njit(cache=True, nogil=True)
def _to_angles(
    cost: Any, x: Any, y: Any, a: int, low: int, frames: int, stride: int,
    x_sizes: Any, y_sizes: Any, threshold: Any, scale: Any,
) -> None:  # fmt: skip
    """Window products become cosine distances, in place."""
    for c in range(cost.shape[0]):
        b = low + c
        size = x_sizes[a] * y_sizes[b]
        if size == 0.0:
            cost[c] = 0.0 if x_sizes[a] == y_sizes[b] else 1.0
        else:
            cost[c] = 1.0 - cost[c] / size
            if cost[c] < threshold:
                cost[c] = _exact_angle(x, y, a * stride, b * stride, frames, x_sizes[a], y_sizes[b], scale)


@njit(cache=True, nogil=True)
def _series_cost(
    products: Any, x: Any, y: Any, x_norms: Any, y_norms: Any, frames: int, stride: int, band: int,
    metric: int, normalize: int, threshold: Any, scale: Any,
    frame_costs: Any, cost: Any, row: Any, best: Any, steps: Any, limits: Any, sizes: Any,
) -> float:  # fmt: skip
    """DTW of two series of windows; the arrays from `frame_costs` on are working space."""
    n, m = products.shape
    rows, columns = max(n, frames), max(m, frames)
    n_items, m_items = (rows - frames) // stride + 1, (columns - frames) // stride + 1
    low, high = limits[0, :n_items], limits[1, :n_items]
    band_limits(n_items, m_items, band, low, high)
    if metric == COSINE:
        _window_sizes(x_norms, n_items, frames, stride, sizes[0])
        _window_sizes(y_norms, m_items, frames, stride, sizes[1])
        frame_costs[:n, :m] = products
    else:
        _fill_squares(products, x, y, x_norms, y_norms, frames, stride, low, high, threshold, scale, frame_costs)
    if rows > n or columns > m:
        _repeat_last(frame_costs, n, m, rows, columns)
    row[: m_items + 1] = np.inf
    for a in range(n_items):
        begin, end = low[a], high[a]
        here = cost[: end - begin]
        _diagonal_sums(frame_costs, a, begin, frames, stride, here)
        if metric == COSINE:
            _to_angles(here, x, y, a, begin, frames, stride, sizes[0], sizes[1], threshold, scale)
        elif metric == EUCLIDEAN:
            for b in range(here.shape[0]):
                here[b] = np.sqrt(here[b])
        if normalize == BY_PATH:
            _advance_counting(here, row[begin : end + 1], steps[begin : end + 1], a)
        else:
            _advance(here, row[begin : end + 1], best, a)
    total: float = row[m_items]
    if normalize == BY_PATH:
        total /= steps[m_items]
    elif normalize == BY_LENGTH:
        total /= n_items + m_items
    return total


@njit(cache=True, nogil=True)
def dtw_pairs(
    products: Any, x: Any, y: Any, x_raw_starts: Any, y_raw_starts: Any, x_norms: Any, y_norms: Any,
    x_starts: Any, x_lengths: Any, y_starts: Any, y_lengths: Any, pairs: Any,
    frames: int, stride: int, parts: int, band: int, metric: int, normalize: int, threshold: Any, scale: Any, out: Any,
) -> None:  # fmt: skip
    """DTW costs of many pairs from one tile of products.

    Args:
        products: (R, S) inner products of the centred, scaled frames of both sides.
        x, y: (·, D) raw frames, where each sequence starts at its x_raw_starts, y_raw_starts.
        x_norms, y_norms: (R,), (S,) squared norms of the centred, scaled frames.
        x_starts, x_lengths, y_starts, y_lengths: rows of each sequence in the tile.
        pairs: (P, 2) int64 sequence numbers inside the tile.
        frames, stride: of the windows; parts: of "segments"; band: radius, or -1.
        metric, normalize: the codes of this module.
        threshold: see `CostModel`; of the dtype of `products`. scale: of the dtype of `x`.
        out: (P,) float64, written.
    """
    tall = max(x_lengths.max(), frames)
    wide = max(y_lengths.max(), frames)
    frame_costs = np.empty((tall, wide), products.dtype)
    cost = np.empty(wide, np.float64)
    best = np.empty(wide, np.float64)
    row = np.empty(wide + 1, np.float64)
    steps = np.zeros(wide + 1, np.int64)
    limits = np.empty((2, tall), np.int64)
    sizes = np.empty((2, max(tall, wide)), np.float64)
    units = 1.0
    if metric == EUCLIDEAN:
        units = 1.0 / scale
    elif metric == SQEUCLIDEAN:
        units = 1.0 / scale / scale
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        total = 0.0
        for part in range(parts):
            a, a_end = part_limits(x_lengths[i], part, parts)
            b, b_end = part_limits(y_lengths[j], part, parts)
            u, v = x[a + x_raw_starts[i] : a_end + x_raw_starts[i]], y[b + y_raw_starts[j] : b_end + y_raw_starts[j]]
            a, a_end = a + x_starts[i], a_end + x_starts[i]
            b, b_end = b + y_starts[j], b_end + y_starts[j]
            total += _series_cost(
                products[a:a_end, b:b_end], u, v, x_norms[a:a_end], y_norms[b:b_end],
                frames, stride, band, metric, normalize, threshold, scale,
                frame_costs, cost, row, best, steps, limits, sizes,
            )  # fmt: skip
        out[p] = total / parts * units
