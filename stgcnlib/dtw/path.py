"""dtw_path and local_costs: which items of two sequences DTW aligns, and how far each item is from each other one.

For looking at one pair, entirely in float64; `dtw_distances` is for many.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from stgcnlib.dtw.frames import one_sequence
from stgcnlib.dtw.kernels import band_limits, part_limits
from stgcnlib.dtw.options import DTWKeywords, DTWLike, DTWOptions, dtw_options, names_options
from stgcnlib.errors import SequenceError

__all__ = ["dtw_path", "local_costs"]


@names_options
def dtw_path(
    x: Any,
    y: Any,
    *,
    costs: NDArray[np.float64] | None = None,
    dtw: DTWLike = None,
    **options: Unpack[DTWKeywords],
) -> tuple[NDArray[np.int64], float]:
    """The optimal alignment of two sequences.

    Source: docs/method.md, "Distance".

    Args:
        x: (T, D) or (T, V, C).
        y: (T', D) or (T', V, C).
        costs: (n, m) what `local_costs` gives for them; `None` computes it.
        dtw, **options: as `dtw_distances`.

    Returns:
        The path and its cost. The path is (L, 2) int64: aligned items of x and y (windows for "sliding", otherwise
        frames), from first to last. Of several optimal paths it is the one with the fewest cells, then with diagonal
        steps latest. With "segments" the paths of the parts follow each other, in frames of the whole sequence; frames
        repeat where a sequence has fewer frames than parts. The cost is what `dtw_distances` gives for this pair,
        normalised alike.

    Raises:
        SequenceError: as `dtw_distances`, or `costs` do not fit the sequences.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> path, cost = stgcnlib.dtw_path(np.array([[0.0], [0.0], [3.0]]), np.array([[0.0], [3.0]]), window=1)
        >>> path.tolist(), cost
        ([[0, 0], [1, 0], [2, 1]], 0.0)
    """
    chosen = dtw_options(dtw, **options)
    known = local_costs(x, y, dtw=chosen) if costs is None else _checked_costs(costs, x, y, chosen)
    paths, total = [], 0.0
    for part in range(chosen.parts):
        a, a_end = part_limits(len(known), part, chosen.parts)
        b, b_end = part_limits(known.shape[1], part, chosen.parts)
        path, cost = _align(known[a:a_end, b:b_end], chosen)
        paths.append(path + np.array([a, b]))
        total += cost
    return np.concatenate(paths), total / chosen.parts


@names_options
def local_costs(x: Any, y: Any, *, dtw: DTWLike = None, **options: Unpack[DTWKeywords]) -> NDArray[np.float64]:
    """(n, m) float64 cost of each item of x with each item of y, in float64; see `DTWOptions` for what an item is.

    Source: docs/method.md, "Distance".

    Args:
        x, y, dtw, **options: as `dtw_path`.

    Raises:
        SequenceError: as `dtw_distances`.
    """
    chosen = dtw_options(dtw, **options)
    first, second = one_sequence(x, "x"), one_sequence(y, "y")
    if first.shape[1] != second.shape[1]:
        raise SequenceError(f"x has {first.shape[1]} features per frame, y has {second.shape[1]}; they must agree")
    rows, columns = _frames_of_items(len(first), chosen), _frames_of_items(len(second), chosen)
    if chosen.metric == "cosine":
        return _cosine(first[rows].reshape(len(rows), -1), second[columns].reshape(len(columns), -1))
    # Squares of windows are sums over their frames: each pair of frames is compared once.
    with np.errstate(over="ignore"):  # refused below
        frames = np.asarray(cdist(first, second, "sqeuclidean"), dtype=np.float64)
        total = np.zeros((len(rows), len(columns)))
        for a, b in zip(rows.T, columns.T, strict=True):
            total += frames[np.ix_(a, b)]
    if not np.isfinite(total).all():
        raise SequenceError("costs of single items exceed float64; scale the features down")
    return total if chosen.metric == "sqeuclidean" else np.sqrt(total)


def _checked_costs(costs: Any, x: Any, y: Any, options: DTWOptions) -> NDArray[np.float64]:
    known = np.asarray(costs, dtype=np.float64)
    expected = tuple(len(_frames_of_items(len(each), options)) for each in (x, y))
    if known.shape != expected:
        raise SequenceError(
            f"costs have shape {known.shape}; these sequences have {expected[0]} and {expected[1]} items"
        )
    if not (np.isfinite(known).all() and (known >= 0).all()):
        raise SequenceError("costs have negative, NaN or infinite values; give what local_costs returns")
    return known


def _frames_of_items(length: int, options: DTWOptions) -> NDArray[np.int64]:
    """(n, frames) the frames of each item; a sequence shorter than one item repeats its last frame."""
    frames = options.item_frames
    starts = np.arange(0, max(length - frames, 0) + 1, options.item_stride)
    found: NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(frames), length - 1)
    return found


def _align(costs: NDArray[np.float64], options: DTWOptions) -> tuple[NDArray[np.int64], float]:
    n, m = costs.shape
    low, high = np.empty(n, np.int64), np.empty(n, np.int64)
    band_limits(n, m, -1 if options.band is None else int(options.band), low, high)
    path, total = _trace(costs, low, high)
    match options.normalize:
        case "length":
            total /= n + m
        case "path":
            total /= len(path)
    return path, float(total)


def _cosine(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    x_size, y_size = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    x_unit = x / np.where(x_size > 0, x_size, 1)[:, None]
    y_unit = y / np.where(y_size > 0, y_size, 1)[:, None]
    half = 0.5 * np.asarray(cdist(x_unit, y_unit, "sqeuclidean"), dtype=np.float64)
    return np.where((x_size > 0)[:, None] ^ (y_size > 0)[None, :], 1.0, half)


@njit(cache=True)
def _trace(costs: Any, low: Any, high: Any) -> Any:
    """Optimal path (L, 2) and its cost; fewest cells first, then the diagonal."""
    n, m = costs.shape
    total = np.full((n + 1, m + 1), np.inf)
    steps = np.zeros((n + 1, m + 1), np.int64)
    came = np.zeros((n + 1, m + 1), np.int64)
    total[0, 0] = 0.0
    for a in range(n):
        for b in range(low[a], high[a]):
            best, count, move = total[a, b], steps[a, b], 0
            if total[a, b + 1] < best or (total[a, b + 1] == best and steps[a, b + 1] < count):
                best, count, move = total[a, b + 1], steps[a, b + 1], 1
            if total[a + 1, b] < best or (total[a + 1, b] == best and steps[a + 1, b] < count):
                best, count, move = total[a + 1, b], steps[a + 1, b], 2
            total[a + 1, b + 1] = costs[a, b] + best
            steps[a + 1, b + 1] = count + 1
            came[a + 1, b + 1] = move
    length = steps[n, m]
    path = np.empty((length, 2), np.int64)
    a, b = n - 1, m - 1
    for cell in range(length - 1, -1, -1):
        path[cell, 0], path[cell, 1] = a, b
        move = came[a + 1, b + 1]
        if move != 2:
            a -= 1
        if move != 1:
            b -= 1
    return path, total[n, m]
