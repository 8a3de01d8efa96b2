"""The schedule: tiles of frames against frames, one product and one kernel call each, on every core.

A tile is small enough for the processor's cache; a column block is interleaved once and used by all row
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
from stgcnlib.dtw.executor import Executor
from stgcnlib.dtw.frames import FrameTable, threads_for
from stgcnlib.dtw.narrow import corridors_pay
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import SCALES, DenseCosts, ShortCosts, TileCosts, still_allowed
from stgcnlib.errors import SequenceError
from stgcnlib.progress import track

__all__ = [
    "COLUMN_FRAMES",
    "ROW_FRAMES",
    "corridor_dimensions",
    "corridor_projection",
    "exact_costs",
    "frame_blocks",
    "later",
    "pair_costs",
    "tile_costs",
    "turn",
]

ROW_FRAMES = 512
COLUMN_FRAMES = 4096

# The BLAS limit is process-wide, so comparisons take turns; each uses all cores by itself.
turn = threading.Lock()


def corridor_dimensions(features: int) -> int:
    """Coordinates per frame for corridors: with more features per frame, more coordinates pay."""
    return int(np.clip(features // 10, 64, 128))


def pair_costs(
    options: DTWOptions, a: FrameTable, b: FrameTable | None, *, progress: bool | None
) -> NDArray[np.float32]:
    """All DTW costs (N, N') float32; with `b` None each pair is computed once, and mirrored."""
    if b is None:
        return _all_pairs(exact_costs(options, a), symmetric=True, progress=progress)
    model = CostModel.fit(options, FrameSource.of(a), FrameSource.of(b))
    dense = DenseCosts(model, model.operand(a, options), model.operand(b, options))
    return _all_pairs(dense, symmetric=False, progress=progress)


def exact_costs(options: DTWOptions, table: FrameTable) -> TileCosts:
    """Costs within one table, by corridors where that is defined and pays."""
    source = FrameSource.of(table)
    projection = corridor_projection(options, source)
    if projection is not None and corridors_pay(options, source, projection):
        return ShortCosts.fit(options, table, projection, exact=True)
    model = CostModel.fit(options, source)
    operand = model.operand(table, options)
    return DenseCosts(model, operand, operand)


def corridor_projection(
    options: DTWOptions, source: FrameSource, least: int = 0, executor: Executor | None = None
) -> Projection | None:
    """Short frames for corridors, of at least `least` coordinates; None where these are undefined, or never pay."""
    if not ShortCosts.serves(options, source):
        return None
    dimensions = max(corridor_dimensions(source.features), least)
    projection = Projection.fit(source, dimensions, centred=True, executor=executor)
    return projection if SCALES[0] <= projection.scale <= SCALES[1] else None


def tile_costs(
    costs: TileCosts,
    rows: NDArray[np.int64],
    lanes: list[Lanes],
    needed: NDArray[np.bool_],
    limits: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """(n, g, LANES) costs of sequences (n,) with groups of lanes, one `Lanes` for each part.

    Args:
        needed: (n, g) which of them; the others are at 0.
        limits: (n, g, LANES) costs beyond which they may be infinite; None: all are wanted.
    """
    jobs = np.argwhere(needed.T)[:, ::-1]  # all rows with one group, then with the next: its frames stay near
    parts = costs.x.options.parts
    total = np.zeros((*needed.shape, kernels.LANES))
    most = None if limits is None else parts * limits[jobs[:, 0], jobs[:, 1]]
    for part in range(parts):
        side, other = costs.x.rows(rows, part), lanes[part]
        done = total[jobs[:, 0], jobs[:, 1]]
        left = None if most is None else still_allowed(most, done)
        total[jobs[:, 0], jobs[:, 1]] = done + costs(side, other, jobs, side.values @ other.values.T, left)
    return total / parts


def _all_pairs(costs: TileCosts, *, symmetric: bool, progress: bool | None) -> NDArray[np.float32]:
    x, y = costs.x, costs.y
    matrix = np.zeros((len(x.lengths), len(y.lengths)), np.float32)
    # by length, so that lanes are filled evenly; within a set both sides in the same order: a triangle of pairs
    by_row, by_column = (np.argsort(side.lengths, kind="stable") for side in (x, y))

    def one_tile(first: int, last: int, begin: int, end: int, lanes: list[Lanes]) -> None:
        if symmetric and first > begin:  # groups of columns before the rows' own are mirrored
            skipped = (first - begin) // kernels.LANES
            lanes, begin = [each.after(skipped) for each in lanes], begin + skipped * kernels.LANES
        rows, limits = by_row[first:last], None
        needed = np.ones((len(rows), -(-(end - begin) // kernels.LANES)), np.bool_)
        if symmetric:  # what is mirrored may be left out
            wanted = later(np.arange(first, last), begin, needed.shape[1])
            limits, needed = np.where(wanted, np.inf, -1.0), np.asarray(wanted.any(axis=2))
        found = tile_costs(costs, rows, lanes, needed, limits).reshape(len(rows), -1)[:, : end - begin]
        numbers = np.arange(first, last)[:, None]
        i, j = np.nonzero(np.arange(begin, end) > numbers if symmetric else np.ones_like(found, np.bool_))
        with np.errstate(over="ignore"):  # refused below
            matrix[rows[i], by_column[begin:end][j]] = found[i, j]

    def jobs() -> Iterator[list[Callable[[], None]]]:
        for begin, end in frame_blocks(y.padded_lengths[by_column], COLUMN_FRAMES, kernels.LANES):
            lanes = [y.lanes(by_column[begin:end], part) for part in range(x.options.parts)]
            stop = end if symmetric else len(x.lengths)
            yield [
                lambda i=i, j=j, begin=begin, end=end, lanes=lanes: one_tile(i, j, begin, end, lanes)  # type: ignore[misc]
                for i, j in frame_blocks(x.padded_lengths[by_row[:stop]], ROW_FRAMES, 1)
            ]

    count = len(frame_blocks(y.padded_lengths[by_column], COLUMN_FRAMES, kernels.LANES))
    tall = max(ROW_FRAMES, int(x.padded_lengths.max()))
    wide = max(COLUMN_FRAMES, kernels.LANES * int(y.padded_lengths.max()))
    with (
        turn,
        ThreadPoolExecutor(threads_for(x.values.itemsize * tall * wide)) as pool,
        threadpool_limits(limits=1, user_api="blas"),
    ):
        for block in track(jobs(), "DTW distances", total=count, show=progress):
            for future in [pool.submit(job) for job in block]:
                future.result()
    if not np.isfinite(matrix).all():
        raise SequenceError("DTW distances exceed float32; scale the features down")
    if symmetric:
        matrix += matrix.T
    return matrix


def later(numbers: NDArray[np.int64], begin: int, groups: int) -> NDArray[np.bool_]:
    """(n, g, LANES) whether each column, counted from `begin` on, comes after a row with one of these numbers."""
    columns = begin + np.arange(groups * kernels.LANES).reshape(groups, kernels.LANES)
    return columns > numbers[:, None, None]


def frame_blocks(lengths: NDArray[np.int64], frames: int, step: int) -> list[tuple[int, int]]:
    """Ranges of sequences, multiples of `step` long, of about so many frames each."""
    edges = np.append(np.arange(0, len(lengths), step), len(lengths))
    ends = np.concatenate([[0], np.cumsum(lengths)])[edges]
    blocks, start = [], 0
    while start < len(edges) - 1:
        stop = max(int(np.searchsorted(ends, ends[start] + frames, side="right")) - 1, start + 1)
        blocks.append((int(edges[start]), int(edges[stop])))
        start = stop
    return blocks
