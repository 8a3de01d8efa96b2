"""The schedule: tiles of frames against frames, one product and one kernel call each, on every core.

A tile is small enough to stay near the processor; a column block is interleaved once and used by all row
blocks. Memory beyond the frames and their centred copy is one column block plus one row block and one tile per thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from stgcnlib.dtw import kernels
from stgcnlib.dtw.costs import CostModel, Lanes, Operand, Rows
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.errors import SequenceError
from stgcnlib.progress import track

__all__ = ["pair_costs", "panel_costs", "threads", "turn"]

ROW_FRAMES = 512
COLUMN_FRAMES = 4096
GAP_FRAMES = 64  # rather multiplied for nothing than left out: a product of few columns is slow
INTERLEAVED = np.empty((0, kernels.LANES), np.int64)

METRICS = {"euclidean": kernels.EUCLIDEAN, "sqeuclidean": kernels.SQEUCLIDEAN, "cosine": kernels.COSINE}
NORMALIZATIONS = {None: kernels.BY_NOTHING, "length": kernels.BY_LENGTH, "path": kernels.BY_PATH}

# The BLAS limit is process-wide, so comparisons take turns; each uses all cores by itself.
turn = threading.Lock()


def threads() -> int:
    """Threads to use: what both BLAS (OMP_NUM_THREADS, threadpoolctl) and numba (NUMBA_NUM_THREADS) may have."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return int(min([numba.get_num_threads(), *blas]))


def panel_costs(
    model: CostModel, operand: Operand, rows: NDArray[np.int64], columns: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """DTW costs (n, m) of sequences `rows` (n,) with `columns` (m,), at least where `wanted` (n, m); NaN elsewhere.

    Columns that are near each other in the operand are multiplied where they lie, without a copy. Columns of
    similar length next to each other cost least.
    """
    groups = -(-len(columns) // kernels.LANES)
    needed = np.logical_or.reduceat(wanted, np.arange(groups) * kernels.LANES, axis=1)
    total = np.zeros((len(rows), groups, kernels.LANES))
    filled = np.append(columns, np.full(groups * kernels.LANES - len(columns), columns[-1]))
    for part in range(operand.options.parts):
        side = operand.rows(rows, part)
        begin, end = operand.rows_of(columns, part)
        runs, where = _runs(begin, end)
        products = np.empty((len(side.values), int(np.sum(runs[:, 1] - runs[:, 0]))), side.values.dtype)
        column = 0
        for first, last in runs:
            np.matmul(side.values, operand.values[first:last].T, out=products[:, column : column + last - first])
            column += last - first
        where = np.append(where, np.full(len(filled) - len(columns), where[-1])).reshape(groups, kernels.LANES)
        lanes = operand.lanes(columns, part, copied=False)
        total += _lane_costs(model, operand, operand, side, lanes, needed, products, where)
    return (total / operand.options.parts).reshape(len(rows), -1)[:, : len(columns)]


def _runs(begin: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Few ranges of rows (r, 2) that cover all begin:end, small gaps included, and where each begins in their sum."""
    order = np.argsort(begin)
    new = np.append(True, begin[order[1:]] > end[order[:-1]] + GAP_FRAMES)
    runs = np.stack([begin[order][new], end[order][np.append(np.flatnonzero(new)[1:] - 1, len(order) - 1)]], axis=1)
    shift = np.cumsum(runs[:, 1] - runs[:, 0]) - (runs[:, 1] - runs[:, 0]) - runs[:, 0]
    where = np.empty_like(begin)
    where[order] = begin[order] + shift[np.cumsum(new) - 1]
    return runs, where


def _lane_costs(
    model: CostModel,
    x: Operand,
    y: Operand,
    rows: Rows,
    lanes: Lanes,
    needed: NDArray[np.bool_],
    products: NDArray[Any],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    options = x.options
    costs = np.full((*needed.shape, kernels.LANES), np.nan)
    kernels.dtw_tile(
        products, x.raw, rows.starts, rows.lengths, rows.edges, rows.items, rows.norms,
        y.raw, lanes.starts, lanes.lengths, lanes.edges, lanes.items, lanes.norms, columns, needed,
        options.item_frames, options.item_stride, -1 if options.band is None else int(options.band),
        METRICS[options.metric], NORMALIZATIONS[options.normalize],
        model.dtype.type(model.threshold), x.raw.dtype.type(model.scale), costs,
    )  # fmt: skip
    return costs


def pair_costs(
    options: DTWOptions, a: FrameTable, b: FrameTable | None, *, progress: bool | None
) -> NDArray[np.float32]:
    """All DTW costs (N, N') float32; with `b` None each pair is computed once, and mirrored."""
    model = CostModel.fit(options, a) if b is None else CostModel.fit(options, a, b)
    x = model.operand(a, options)
    y = x if b is None else model.operand(b, options)
    costs = np.zeros((len(a), len(a) if b is None else len(b)), np.float32)
    # by length, so that lanes are filled evenly; within a set both sides in the same order: a triangle of pairs
    by_row, by_column = (np.argsort(side.lengths, kind="stable") for side in (x, y))

    def one_tile(first: int, last: int, begin: int, end: int, lanes: list[Lanes]) -> None:
        if b is None and first > begin:  # groups of columns before the rows' own are mirrored
            skipped = (first - begin) // kernels.LANES
            lanes, begin = [each.after(skipped) for each in lanes], begin + skipped * kernels.LANES
        groups = np.arange(begin, end, kernels.LANES)
        numbers = np.arange(first, last)
        needed = np.ones((len(numbers), len(groups)), np.bool_)
        if b is None:
            needed = np.minimum(groups + kernels.LANES, end) - 1 > numbers[:, None]
        rows = by_row[first:last]
        total = np.zeros((len(rows), len(groups), kernels.LANES))
        for part in range(options.parts):
            side, other = x.rows(rows, part), lanes[part]
            products = side.values @ other.values.T
            total += _lane_costs(model, x, y, side, other, needed, products, INTERLEAVED)
        found = (total / options.parts).reshape(len(rows), -1)[:, : end - begin]
        i, j = np.nonzero(np.arange(begin, end) > numbers[:, None] if b is None else np.ones_like(found, np.bool_))
        with np.errstate(over="ignore"):  # refused below
            costs[rows[i], by_column[begin:end][j]] = found[i, j]

    def jobs() -> Iterator[list[Callable[[], None]]]:
        for begin, end in _blocks(y.lengths[by_column], COLUMN_FRAMES, kernels.LANES):
            lanes = [y.lanes(by_column[begin:end], part) for part in range(options.parts)]
            stop = end if b is None else len(a)
            yield [
                lambda i=i, j=j, begin=begin, end=end, lanes=lanes: one_tile(i, j, begin, end, lanes)  # type: ignore[misc]
                for i, j in _blocks(x.lengths[by_row[:stop]], ROW_FRAMES, 1)
            ]

    count = len(_blocks(y.lengths[by_column], COLUMN_FRAMES, kernels.LANES))
    with turn, threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        for block in track(jobs(), "DTW distances", total=count, show=progress):
            for future in [pool.submit(job) for job in block]:
                future.result()
    if not np.isfinite(costs).all():
        raise SequenceError("DTW distances exceed float32; scale the features down")
    if b is None:
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
