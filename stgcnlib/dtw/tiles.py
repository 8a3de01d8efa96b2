"""The schedule: tiles of frames against frames, one product and one kernel call each, on every core.

A tile is small enough to stay near the processor; a column block is prepared once and used by all row
blocks. Memory beyond the frames themselves is one column block plus one row block and one tile per thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from stgcnlib.dtw import kernels
from stgcnlib.dtw.costs import CostModel, Operand
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.errors import SequenceError
from stgcnlib.progress import track

__all__ = ["pair_costs", "tile_costs", "threads", "turn"]

ROW_FRAMES = 512
COLUMN_FRAMES = 4096

METRICS = {"euclidean": kernels.EUCLIDEAN, "sqeuclidean": kernels.SQEUCLIDEAN, "cosine": kernels.COSINE}
NORMALIZATIONS = {None: kernels.BY_NOTHING, "length": kernels.BY_LENGTH, "path": kernels.BY_PATH}

# The BLAS limit is process-wide, so comparisons take turns; each uses all cores by itself.
turn = threading.Lock()


def threads() -> int:
    """Threads to use: what both BLAS (OMP_NUM_THREADS, threadpoolctl) and numba (NUMBA_NUM_THREADS) may have."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return int(min([numba.get_num_threads(), *blas]))


def tile_costs(
    model: CostModel, options: DTWOptions, x: Operand, y: Operand, pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """DTW costs (P,) of pairs (P, 2) of a sequence of `x` and one of `y`, numbered inside the operands."""
    products = x.rows @ y.rows.T
    costs = np.empty(len(pairs), np.float64)
    kernels.dtw_pairs(
        products, x.raw, y.raw, x.raw_starts, y.raw_starts, x.norms, y.norms,
        x.starts, x.lengths, y.starts, y.lengths, pairs,
        options.item_frames, options.item_stride, options.parts, -1 if options.band is None else int(options.band),
        METRICS[options.metric], NORMALIZATIONS[options.normalize],
        model.dtype.type(model.threshold), x.raw.dtype.type(model.scale), costs,
    )  # fmt: skip
    return costs


def pair_costs(
    options: DTWOptions, a: FrameTable, b: FrameTable | None, *, progress: bool | None
) -> NDArray[np.float32]:
    """All DTW costs (N, N') float32; with `b` None only pairs i < j are computed, and mirrored."""
    model = CostModel.fit(options, a) if b is None else CostModel.fit(options, a, b)
    columns = a if b is None else b
    costs = np.zeros((len(a), len(columns)), np.float32)

    def one_block(first: int, last: int, y: Operand, column: int) -> None:
        if b is None and first > column:  # columns left of the diagonal are mirrored
            y, column = y.after(first - column), first
        pairs = _pairs(first, last, column, column + len(y.starts), upper=b is None)
        if len(pairs):
            x = model.operand(a, first, last)
            found = tile_costs(model, options, x, y, pairs)
            with np.errstate(over="ignore"):  # refused below
                costs[pairs[:, 0] + first, pairs[:, 1] + column] = found

    def jobs() -> Iterator[list[Callable[[], None]]]:
        for begin, end in columns.blocks(COLUMN_FRAMES):
            y = model.operand(columns, begin, end)
            stop = end if b is None else len(a)
            yield [
                lambda i=i, j=j, y=y: one_block(i, j, y, begin)  # type: ignore[misc]  # noqa: B023
                for i, j in a.blocks(ROW_FRAMES, stop=stop)
            ]

    count = sum(1 for _ in columns.blocks(COLUMN_FRAMES))
    workers = threads()
    with turn, threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for block in track(jobs(), "DTW distances", total=count, show=progress):
            for future in [pool.submit(job) for job in block]:
                future.result()
    if not np.isfinite(costs).all():
        raise SequenceError("DTW distances exceed float32; scale the features down")
    if b is None:
        costs += costs.T
    return costs


def _pairs(first: int, last: int, begin: int, end: int, *, upper: bool) -> NDArray[np.int64]:
    """Pairs (row - first, column - begin) of a tile, only row < column if `upper`."""
    i, j = np.meshgrid(np.arange(first, last), np.arange(begin, end), indexing="ij")
    pairs = np.stack([i.ravel(), j.ravel()], axis=1)
    if upper:
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs -= np.array([first, begin])
    return np.ascontiguousarray(pairs, dtype=np.int64)
