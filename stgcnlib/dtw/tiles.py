"""The schedule: tiles of frames against frames, one product and one kernel call each, on every core.

A tile is small enough to stay near the processor; a column block is interleaved once and used by all row
blocks. Memory beyond the frames and their centred copy is one column block plus one row block and one tile per thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from stgcnlib.dtw import kernels
from stgcnlib.dtw.costs import CostModel, Lanes
from stgcnlib.dtw.frames import FrameTable, threads
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import RELATIVE_ERROR, Projection
from stgcnlib.dtw.tile_costs import INTERLEAVED, SCALES, DenseCosts, ShortCosts, TileCosts
from stgcnlib.errors import SequenceError
from stgcnlib.progress import track

__all__ = ["corridor_dimensions", "exact_costs", "lower_bounds", "pair_costs", "panel_costs", "turn"]

ROW_FRAMES = 512
COLUMN_FRAMES = 4096
GAP_FRAMES = 64  # rather multiplied for nothing than left out: a product of few columns is slow

# The BLAS limit is process-wide, so comparisons take turns; each uses all cores by itself.
turn = threading.Lock()


def corridor_dimensions(table: FrameTable) -> int:
    """Coordinates per frame for corridors: the more features they save, the more of them pay."""
    return int(np.clip(table.features // 10, 64, 128))


def panel_costs(
    tile_costs: TileCosts,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    pairs: NDArray[np.int64],
    limits: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """DTW costs (P,) of the pairs (P, 2) of numbers within sequences `rows` and `columns`.

    Columns that are near each other in the operand are multiplied where they lie, without a copy. Columns of
    similar length next to each other cost least. Costs above `limits` (P,) may be infinite.
    """
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    row, column = pairs[order].T
    # each row's own columns in groups of lanes, the last one filled up by repeating its last column
    counts = np.bincount(row, minlength=len(rows))
    groups = -(-counts // kernels.LANES)
    slot = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    slot += np.repeat((np.cumsum(groups) - groups) * kernels.LANES, counts)
    filled = np.zeros(int(groups.sum()) * kernels.LANES, np.int64)
    used = np.zeros(len(filled), np.bool_)
    used[slot] = True
    filled[slot] = np.arange(len(row))
    filled = column[np.maximum.accumulate(filled)]
    jobs = np.stack([np.repeat(np.arange(len(rows)), groups), np.arange(groups.sum())], axis=1)
    # first groups of all rows, then second ones: rows share most columns, whose frames then stay near
    turns = np.argsort(jobs[:, 1] - np.repeat(np.cumsum(groups) - groups, groups), kind="stable")
    most = np.full((len(jobs), kernels.LANES), np.inf)
    if limits is not None and tile_costs.x.options.parts == 1:  # a limit of the mean says nothing about one part
        most.reshape(-1)[slot] = limits[order]
    x, y = tile_costs.x, tile_costs.y
    total = np.zeros(most.shape)
    for part in range(x.options.parts):
        side = x.rows(rows, part)
        begin, end = y.rows_of(columns, part)
        ranges, where = _ranges(begin, end)
        products = np.empty((len(side.values), int(np.sum(ranges[:, 1] - ranges[:, 0]))), side.values.dtype)
        at = 0
        for first, last in ranges:
            np.matmul(side.values, y.values[first:last].T, out=products[:, at : at + last - first])
            at += last - first
        lanes = y.lanes(columns[filled], part, copied=False, used=used)
        begins = where[filled].reshape(-1, kernels.LANES)
        total[turns] += tile_costs(side, lanes, jobs[turns], products, begins, most[turns])
    costs = np.empty(len(row))
    costs[order] = (total / x.options.parts).reshape(-1)[slot]
    return costs


def _ranges(begin: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Few ranges of rows (r, 2) that cover all begin:end, small gaps included, and where each begins in their sum."""
    order = np.argsort(begin)
    new = np.append(True, begin[order[1:]] > end[order[:-1]] + GAP_FRAMES)
    ranges = np.stack([begin[order][new], end[order][np.append(np.flatnonzero(new)[1:] - 1, len(order) - 1)]], axis=1)
    shift = np.cumsum(ranges[:, 1] - ranges[:, 0]) - (ranges[:, 1] - ranges[:, 0]) - ranges[:, 0]
    where = np.empty_like(begin)
    where[order] = begin[order] + shift[np.cumsum(new) - 1]
    return ranges, where


def pair_costs(
    options: DTWOptions, a: FrameTable, b: FrameTable | None, *, progress: bool | None
) -> NDArray[np.float32]:
    """All DTW costs (N, N') float32; with `b` None each pair is computed once, and mirrored."""
    if b is None:
        return _all_pairs(exact_costs(options, a), symmetric=True, progress=progress)
    model = CostModel.fit(options, a, b)
    dense = DenseCosts(model, model.operand(a, options), model.operand(b, options))
    return _all_pairs(dense, symmetric=False, progress=progress)


def lower_bounds(options: DTWOptions, projection: Projection, *, progress: bool | None = None) -> NDArray[np.float32]:
    """(N, N) float32, symmetric: no entry is above the DTW distance in exact arithmetic.

    `options` must not normalise by "path", for which nothing is known. For cosine the products are formed in float64,
    and what rounding may have added is taken off at the end: a cosine distance is half the square of the distance of
    unit windows, each moved by twice the slack at most (2 * 2 / sqrt(2) < 3); of a sum of squares over a path, which
    has fewer cells than n + m, the root is too large by s sqrt(n + m).
    """
    table = projection.table
    if options.metric != "cosine":
        costs = ShortCosts.fit(options, table, projection, exact=False)
        return _all_pairs(costs, symmetric=True, progress=progress)
    model = CostModel.fit(options, table)
    operand = model.operand(table, options)
    bounds = _all_pairs(DenseCosts(model, operand, operand), symmetric=True, progress=progress)
    lengths = table.lengths.astype(np.float32)
    item = np.float32(3.003 * projection.slack * np.sqrt(options.item_frames))
    shrink = np.float32(1 - 2 * RELATIVE_ERROR)
    extra = 2.0 * options.parts  # repeated frames of parts, and rounding
    for i, row in enumerate(bounds):
        cells = 1.0 if options.normalize == "length" else (lengths[i] + lengths + extra) * 1.001
        root = np.sqrt(row * shrink) - item * np.sqrt(cells)
        row[:] = np.maximum(root, 0) ** 2 * shrink
    return bounds


def exact_costs(
    options: DTWOptions,
    table: FrameTable,
    projection: Projection | None = None,
    order: NDArray[np.int64] | None = None,
) -> TileCosts:
    """Costs within one set, by corridors where that is defined and pays; `order` as in `CostModel.operand`."""
    if ShortCosts.serves(options, table):
        projection = projection or Projection.fit(table, corridor_dimensions(table), centred=True)
        if SCALES[0] <= projection.scale <= SCALES[1]:
            return ShortCosts.fit(options, table, projection, exact=True, order=order)
    model = CostModel.fit(options, table)
    operand = model.operand(table, options, order)
    return DenseCosts(model, operand, operand)


def _all_pairs(tile_costs: TileCosts, *, symmetric: bool, progress: bool | None) -> NDArray[np.float32]:
    x, y = tile_costs.x, tile_costs.y
    parts = x.options.parts
    costs = np.zeros((len(x.lengths), len(y.lengths)), np.float32)
    # by length, so that lanes are filled evenly; within a set both sides in the same order: a triangle of pairs
    by_row, by_column = (np.argsort(side.lengths, kind="stable") for side in (x, y))

    def one_tile(first: int, last: int, begin: int, end: int, lanes: list[Lanes]) -> None:
        if symmetric and first > begin:  # groups of columns before the rows' own are mirrored
            skipped = (first - begin) // kernels.LANES
            lanes, begin = [each.after(skipped) for each in lanes], begin + skipped * kernels.LANES
        groups = np.arange(begin, end, kernels.LANES)
        numbers = np.arange(first, last)
        needed = np.ones((len(groups), len(numbers)), np.bool_)
        if symmetric:
            needed = (np.minimum(groups + kernels.LANES, end) - 1)[:, None] > numbers
        jobs = np.argwhere(needed)[:, ::-1]  # all rows with one group, then with the next: its frames stay near
        limits = None
        if symmetric:  # what is mirrored may be left out
            mirrored = (groups[:, None] + np.arange(kernels.LANES))[jobs[:, 1]] <= numbers[jobs[:, :1]]
            limits = np.where(mirrored, -1.0, np.inf)
        rows = by_row[first:last]
        total = np.zeros((len(rows), len(groups), kernels.LANES))
        for part in range(parts):
            side, other = x.rows(rows, part), lanes[part]
            products = side.values @ other.values.T
            total[jobs[:, 0], jobs[:, 1]] += tile_costs(side, other, jobs, products, INTERLEAVED, limits)
        found = (total / parts).reshape(len(rows), -1)[:, : end - begin]
        i, j = np.nonzero(np.arange(begin, end) > numbers[:, None] if symmetric else np.ones_like(found, np.bool_))
        with np.errstate(over="ignore"):  # refused below
            costs[rows[i], by_column[begin:end][j]] = found[i, j]

    def jobs() -> Iterator[list[Callable[[], None]]]:
        for begin, end in _blocks(y.lengths[by_column], COLUMN_FRAMES, kernels.LANES):
            lanes = [y.lanes(by_column[begin:end], part) for part in range(parts)]
            stop = end if symmetric else len(x.lengths)
            yield [
                lambda i=i, j=j, begin=begin, end=end, lanes=lanes: one_tile(i, j, begin, end, lanes)  # type: ignore[misc]
                for i, j in _blocks(x.lengths[by_row[:stop]], ROW_FRAMES, 1)
            ]

    count = len(_blocks(y.lengths[by_column], COLUMN_FRAMES, kernels.LANES))
    with turn, ThreadPoolExecutor(threads()) as pool, threadpool_limits(limits=1, user_api="blas"):
        for block in track(jobs(), "DTW distances", total=count, show=progress):
            for future in [pool.submit(job) for job in block]:
                future.result()
    if not np.isfinite(costs).all():
        raise SequenceError("DTW distances exceed float32; scale the features down")
    if symmetric:
        costs += costs.T
    return costs


def _blocks(lengths: NDArray[np.int64], frames: int, step: int) -> list[tuple[int, int]]:
    """Ranges of sequences, multiples of `step` long, of about so many frames each."""
    edges = np.append(np.arange(0, len(lengths), step), len(lengths))
    ends = np.concatenate([[0], np.cumsum(lengths)])[edges]
    blocks, start = [], 0
    while start < len(edges) - 1:
        stop = max(int(np.searchsorted(ends, ends[start] + frames, side="right")) - 1, start + 1)
        blocks.append((int(edges[start]), int(edges[stop])))
        start = stop
    return blocks
