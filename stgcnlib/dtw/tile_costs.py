"""DTW costs of the pairs of one tile, from products of its frames: in full, or within corridors.

`DenseCosts` needs products of whole frames and knows every option. `ShortCosts` needs products of short frames only,
and gives lower bounds, or exact costs that read whole frames only near the optimal path. `tiles` chooses the
tiles; `listed` groups the pairs of a list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw import corridor, kernels
from stgcnlib.dtw.costs import CostModel, Lanes, Operand, Rows
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource

__all__ = ["DenseCosts", "ShortCosts", "TileCosts", "still_allowed"]

METRICS = {"euclidean": kernels.EUCLIDEAN, "sqeuclidean": kernels.SQEUCLIDEAN, "cosine": kernels.COSINE}
NORMALIZATIONS = {None: kernels.BY_NOTHING, "length": kernels.BY_LENGTH, "path": kernels.BY_PATH}

UNIT = 2.0**-24
MOST_FRAMES = 512
"""Most frames of a sequence: to find corridors of longer ones takes more than 50 MB per thread."""

SCALES = (2.0**-30, 2.0**27)  # outside of it squares of raw float32 features may overflow or vanish
LEAST_FEATURES = 256  # with fewer, all costs in full are as fast


class TileCosts(Protocol):
    """Costs of pairs from a tile of products of `x` rows with `y` lanes.

    Attributes:
        rows_at_once: sequences of which the pairs in a list are computed by one call.
        multiplied: such a call needs products; else it forms them itself, pair by pair.
    """

    rows_at_once: ClassVar[int]
    multiplied: ClassVar[bool]

    def precise(self, sequences: NDArray[np.int64]) -> TileCosts:
        """The same costs to a relative error of 1e-11, at least for these sequences; within one set."""
        ...

    @property
    def x(self) -> Operand:
        """Frames of the rows."""
        ...

    @property
    def y(self) -> Operand:
        """Frames of the columns."""
        ...

    def __call__(
        self,
        rows: Rows,
        lanes: Lanes,
        jobs: NDArray[np.int64],
        products: NDArray[Any],
        limits: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """(q, LANES) costs of jobs (q, 2): a sequence of `rows` and a group of `lanes`.

        `products` are (R, S), columns interleaved as the lanes are. Above `limits` (q, LANES) costs may be infinite.
        """
        ...


@dataclass(frozen=True, eq=False)
class DenseCosts:
    """Every option, from products of whole frames; it ignores `limits`."""

    rows_at_once: ClassVar[int] = 1
    multiplied: ClassVar[bool] = True

    model: CostModel
    x: Operand
    y: Operand

    def precise(self, sequences: NDArray[np.int64]) -> DenseCosts:
        """In float64 throughout, to 1e-11 relative, for some sequences of one set; the others are not prepared."""
        options, starts, whole = self.x.options, self.x.starts, self.x.lengths
        lengths = np.zeros(len(whole), np.int64)
        lengths[sequences] = whole[sequences]
        present = np.flatnonzero(lengths)
        raw = [self.x.raw[starts[i] : starts[i] + whole[i]] for i in present]
        some = FrameTable(np.concatenate(raw).astype(np.float64), np.concatenate([[0], np.cumsum(lengths)]))
        model = CostModel.fit(options, FrameSource.of(some), precise=True)
        operand = model.operand(some, options, present)
        return DenseCosts(model, operand, operand)

    def __call__(
        self,
        rows: Rows,
        lanes: Lanes,
        jobs: NDArray[np.int64],
        products: NDArray[Any],
        limits: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """See `TileCosts`."""
        options = self.x.options
        wanted = np.zeros((len(rows.starts), len(lanes.starts)), np.bool_)
        wanted[jobs[:, 0], jobs[:, 1]] = True
        costs = np.empty((*wanted.shape, kernels.LANES))
        kernels.dtw_tile(
            products, self.x.raw, rows.starts, rows.lengths, rows.edges, rows.items, rows.norms,
            self.y.raw, lanes.starts, lanes.lengths, lanes.edges, lanes.items, lanes.norms, wanted,
            options.item_frames, options.item_stride, _band(options),
            METRICS[options.metric], NORMALIZATIONS[options.normalize],
            self.model.dtype.type(self.model.threshold), self.x.raw.dtype.type(self.model.scale), costs,
        )  # fmt: skip
        return costs[jobs[:, 0], jobs[:, 1]]


@dataclass(frozen=True, eq=False)
class ShortCosts:
    """Lower bounds or exact costs from products of short frames (see `corridor`), within one set.

    Attributes:
        x, y: the short frames, beside the raw ones.
        scale: power of two that the short frames were multiplied by.
        slack: what rounding may have added to the distance of two short frames, scaled.
        exact: costs, else lower bounds.
        wide: differences of raw frames are formed and summed in float64, even if these are float32.
    """

    rows_at_once: ClassVar[int] = 16
    multiplied: ClassVar[bool] = False

    x: Operand
    y: Operand
    scale: float
    slack: float
    exact: bool
    wide: bool = False

    @classmethod
    def fit(
        cls,
        options: DTWOptions,
        table: FrameTable,
        projection: Projection,
        *,
        exact: bool,
    ) -> ShortCosts:
        """Costs within one table, from its short frames (float32, scaled)."""
        short = projection.table
        norms = np.einsum("td,td->t", short.rows, short.rows, dtype=np.float64).astype(np.float32)
        starts = table.offsets[:-1].astype(np.int64)
        operand = Operand(options, table.rows, short.rows, norms, starts, short.offsets[:-1], table.lengths)
        slack = 2.02 * projection.slack
        return cls(operand, operand, projection.scale, slack, exact)

    def precise(self, sequences: NDArray[np.int64]) -> ShortCosts:
        """In float64, to 1e-11 relative; for all sequences."""
        return replace(self, wide=True)

    @staticmethod
    def serves(options: DTWOptions, source: FrameSource) -> bool:
        """Whether exact costs by corridors are defined, and pay."""
        if options.metric == "cosine" or options.normalize == "path" or source.features < LEAST_FEATURES:
            return False
        return int(source.lengths.max()) <= MOST_FRAMES

    def __call__(
        self,
        rows: Rows,
        lanes: Lanes,
        jobs: NDArray[np.int64],
        products: NDArray[Any],
        limits: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """See `TileCosts`."""
        options = self.x.options
        if limits is None:
            limits = np.full((len(jobs), kernels.LANES), np.inf)
        size = self.x.values.shape[1]
        slack = self.slack * np.sqrt(options.item_frames)
        costs = np.empty((len(jobs), kernels.LANES))
        corridor.corridor_tile(
            products, self.x.raw, rows.starts, rows.lengths, rows.values, rows.edges, rows.items, rows.norms,
            self.y.raw, lanes.starts, lanes.lengths, self.y.values, lanes.firsts, lanes.edges,
            lanes.items, lanes.norms, jobs, limits,
            options.item_frames, options.item_stride, _band(options),
            METRICS[options.metric], NORMALIZATIONS[options.normalize],
            # products of s features are off by s u |x| |y|, norms and the sum of three by a few u
            np.float32(1 - 1.01 * (size + 16) * UNIT), np.nextafter(np.float32(slack), np.float32(np.inf)),
            self.scale, int(self.exact), np.ones(1, np.float64 if self.wide else self.x.raw.dtype), costs,
        )  # fmt: skip
        return costs


def still_allowed(limits: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of limits after the costs of some parts; -1 where one of these is infinite, so above its limit."""
    left = np.full(limits.shape, -1.0)
    np.subtract(limits, costs, out=left, where=np.isfinite(costs))
    return left


def _band(options: DTWOptions) -> int:
    return -1 if options.band is None else int(options.band)
