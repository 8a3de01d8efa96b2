"""DTW costs of one block of sequences with another, as tensor operations on any device that torch has float64 for.

One matrix product gives the costs of all frames, sums along its diagonals those of windows. The recursion goes from one
antidiagonal to the next, for all pairs of the tile at once: cells of an antidiagonal do not need each other. The
definitions are those of `options.DTWOptions`, and precision is that of `costs.CostModel`. `gpu` chooses the
blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgcnlib.dtw.costs import TOLERANCE, CostModel
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.kernels import VANISHING
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.source import BLOCK_BYTES, FrameSource

__all__ = ["Cells", "DeviceFrames", "Side", "cell_costs", "columns_of", "device_model", "frame_products", "path_costs",
           "rows_of"]  # fmt: skip

FAR = 4.0
"""Squared norm, per feature, of a frame that only fills a tile: it is never near another one."""

ALIGNED = 8  # an operand's width is a multiple of this: products read several numbers at a time
ROUND_ROWS = 1024  # frames converted to float64 at a time
GATHERED_BYTES = 2**27  # of the frames whose costs are recomputed at a time


@dataclass(frozen=True, eq=False)
class DeviceFrames:
    """Frames of some sequences on the device, and behind the last one a frame to fill up tiles with.

    Attributes:
        raw: (F + 1, D) as they were given.
        values: (F + 1, E) centred and scaled float32, then the squared norm, 1, and zeros: the operand of a product
            that gives squared distances. For cosine (F + 1, D) float64.
        norms: (F + 1,) squared norms, of the dtype of `values`.
        starts: first frame of each sequence, by its number in the set; 0 for those that are not here.
        lengths: (N,) frames of each sequence of the set.
    """

    raw: Tensor
    values: Tensor
    norms: Tensor
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def load(
        cls, model: CostModel, source: FrameSource, sequences: NDArray[np.int64], device: torch.device
    ) -> DeviceFrames:
        """Copy some sequences to the device, a few at a time; there they are centred and scaled in float64."""
        lengths, D = source.lengths, source.features
        ends = np.cumsum(lengths[sequences])
        starts = np.zeros(len(source), np.int64)
        starts[sequences] = ends - lengths[sequences]
        wide = model.dtype == np.float64
        kind = torch.float64 if wide else torch.float32
        raw = torch.zeros(int(ends[-1]) + 1, D, dtype=getattr(torch, source.dtype.name), device=device)
        block = starts[sequences] * (D * source.dtype.itemsize) // BLOCK_BYTES
        for some in np.split(sequences, np.flatnonzero(np.diff(block)) + 1):
            rows = torch.from_numpy(source.table(some).rows).to(device)
            raw[starts[some[0]] : starts[some[-1]] + lengths[some[-1]]] = rows[:, :D]
        width = D if wide else -(-(D + 2) // ALIGNED) * ALIGNED
        values = torch.zeros(len(raw), width, dtype=kind, device=device)
        norms = torch.zeros(len(raw), dtype=kind, device=device)
        centre = torch.from_numpy(model.centre).to(device)
        for row in range(0, len(raw) - 1, ROUND_ROWS):
            part = slice(row, min(row + ROUND_ROWS, len(raw) - 1))
            exact = (raw[part].double() - centre) * model.scale
            values[part, :D] = exact.to(kind)
            norms[part] = (exact * exact).sum(1).to(kind)
        if not wide:
            norms[-1] = FAR * D
            values[:, D], values[:, D + 1] = norms, 1.0
        return cls(raw, values, norms, starts, lengths)


@dataclass(frozen=True, eq=False)
class Side:
    """One part of some sequences of a block, ready for the product; shorter ones filled up.

    Attributes:
        frames: where they are taken from.
        rows: their numbers in `frames`; (I, n) for rows of a tile, (m, J) for columns, so that neighbouring
            sequences are neighbours in memory.
        values: (rows.numel(), E) the operand.
        items: windows of each sequence.
    """

    frames: DeviceFrames
    rows: Tensor
    values: Tensor
    items: NDArray[np.int64]


def rows_of(frames: DeviceFrames, options: DTWOptions, sequences: NDArray[np.int64], part: int = 0) -> Side:
    """Some sequences, or one part of each ("segments"), as rows of a tile."""
    rows, items = _cut(frames, options, sequences, part)
    return Side(frames, rows, frames.values[rows.reshape(-1)], items)


def columns_of(frames: DeviceFrames, options: DTWOptions, sequences: NDArray[np.int64], part: int = 0) -> Side:
    """The same as columns: the product of a row (x, |x|², 1) with (-2 y, 1, |y|²) is |x - y|²."""
    rows, items = _cut(frames, options, sequences, part)
    rows = rows.T.contiguous()
    values = frames.values[rows.reshape(-1)]
    if values.dtype == torch.float32:
        D = frames.raw.shape[1]
        values[:, :D] *= -2
        values[:, [D, D + 1]] = values[:, [D + 1, D]]
    return Side(frames, rows, values, items)


def device_model(options: DTWOptions, device: torch.device, *sources: FrameSource) -> CostModel:
    """Centre, scale and threshold; the rounding is that of products on the device, measured as `CostModel` does."""
    model = CostModel.fit(options, *sources)
    if model.dtype == np.float64:
        return model
    unit = 2.0**-24
    eta = 4 * unit
    for source in sources:
        picked = np.unique(np.linspace(0, int(source.offsets[-1]) - 1, 128).astype(np.int64))
        some = FrameTable(np.ascontiguousarray(source.frames(picked)), np.arange(len(picked) + 1))
        frames = DeviceFrames.load(model, FrameSource.of(some), np.arange(len(picked)), device)
        one = DTWOptions(reading="frames")
        x, y = (side(frames, one, np.arange(len(picked))) for side in (rows_of, columns_of))
        error = frame_products(x, y).double().view(len(picked), -1) - x.values.double() @ y.values.double().T
        size = frames.norms[:-1].double()
        size = size[:, None] + size
        eta = max(eta, 2 * float((error.abs() / size.clamp_min(np.finfo(np.float64).tiny)).max()))
    threshold = (eta + 5 * unit) / TOLERANCE[options.metric]
    return CostModel(model.centre, model.scale, threshold, model.dtype)


def frame_products(x: Side, y: Side) -> Tensor:
    """(I, n, m, J) all rows with all columns; `device_model` measures how exact they are."""
    return (x.values @ y.values.T).view(*x.rows.shape, *y.rows.shape)


@dataclass(frozen=True, eq=False)
class Cells:
    """Costs of all cells of a tile, and all else that the recursion needs, on the device: it never waits for a copy.

    Attributes:
        costs: (I, n, m, J) of item a of row i with item b of column j.
        last: (3, P) row, column and a of the last cell of each pair, by antidiagonal: s has edges[s]:edges[s + 1].
        sizes: (I, J) divisor of the sum over a path: the scale of the costs, times n + m if "length" normalises.
        band: cells that paths may pass, or None.
    """

    costs: Tensor
    last: Tensor
    edges: NDArray[np.int64]
    sizes: Tensor
    band: _Band | None


def cell_costs(options: DTWOptions, model: CostModel, x: Side, y: Side, products: Tensor) -> Cells:
    """Costs from products, which are overwritten; those too small to trust are computed from differences."""
    scale = 1.0
    if options.metric == "cosine":
        costs = _angles(options, model, x, y, products)
    else:
        _recompute(model, x, y, products)
        costs = _windows(products, options.item_frames, options.item_stride)
        if options.metric == "euclidean":
            costs.sqrt_()
        scale = model.scale if options.metric == "euclidean" else model.scale**2
    lengths = x.items[:, None] + y.items
    sizes = scale * (lengths if options.normalize == "length" else np.ones_like(lengths))
    band = None if options.band is None else _Band(options.band, x.items, y.items, costs.device)
    return Cells(costs, *_last_cells(x.items, y.items, costs.device), torch.from_numpy(sizes).to(costs.device), band)


def path_costs(options: DTWOptions, cells: Cells) -> Tensor:
    """(I, J) float64 DTW costs of all rows with all columns, normalised, in the units of the features."""
    costs = cells.costs
    count, n, m, others = costs.shape
    counted = options.normalize == "path"
    # cell a of an antidiagonal at a + 1; those before the first row and after the last column stay infinite
    shape = (count, n + 1, others)
    reached = [torch.full(shape, torch.inf, dtype=torch.float64, device=costs.device) for _ in range(3)]
    steps = [torch.zeros(shape if counted else 0, dtype=torch.int64, device=costs.device) for _ in range(3)]
    result = torch.empty(count, others, dtype=torch.float64, device=costs.device)
    reached[1][:, 0] = 0.0  # start value of cell (0, 0)
    strides = (costs.stride(0), costs.stride(1) - costs.stride(2), costs.stride(3))
    for s in range(n + m - 1):
        low, high = max(0, s - m + 1), min(n - 1, s) + 1
        first = costs.storage_offset() + low * costs.stride(1) + (s - low) * costs.stride(2)
        here = costs.as_strided((count, high - low, others), strides, first)
        if cells.band is not None:
            here = cells.band.within(here, low, s)
        before, old, new = reached[(s - 1) % 3], reached[(s - 2) % 3], reached[s % 3]
        above, left, diagonal = before[:, low:high], before[:, low + 1 : high + 1], old[:, low:high]
        into = new[:, low + 1 : high + 1]
        if counted:
            one, two = steps[(s - 1) % 3], steps[(s - 2) % 3]
            counts = [one[:, low:high], one[:, low + 1 : high + 1], two[:, low:high]]
            best, fewest = _fewest([above, left, diagonal], counts)
            steps[s % 3][:, low + 1 : high + 1] = fewest + 1
            torch.add(best, here, out=into)
        else:
            torch.minimum(above, left, out=into)
            torch.minimum(into, diagonal, out=into)
            into += here
        if s == 0:
            reached[1][:, 0] = torch.inf
        if cells.edges[s] < cells.edges[s + 1]:
            i, j, a = cells.last[:, cells.edges[s] : cells.edges[s + 1]]
            found = new[i, a + 1, j]
            result[i, j] = found / steps[s % 3][i, a + 1, j] if counted else found
    return result / cells.sizes


def _cut(
    frames: DeviceFrames, options: DTWOptions, sequences: NDArray[np.int64], part: int
) -> tuple[Tensor, NDArray[np.int64]]:
    """Rows (I, n) of one part of each sequence, and windows of each; short ones repeat their last frame."""
    whole = frames.lengths[sequences]
    first = part * whole // options.parts
    lengths = np.maximum((part + 1) * whole // options.parts, first + 1) - first
    padded = np.maximum(lengths, options.item_frames)
    items = (padded - options.item_frames) // options.item_stride + 1
    frame = np.arange(padded.max())
    rows = (frames.starts[sequences] + first)[:, None] + np.minimum(frame, lengths[:, None] - 1)
    rows[frame >= padded[:, None]] = len(frames.raw) - 1
    return torch.from_numpy(rows).to(frames.raw.device), items


def _recompute(model: CostModel, x: Side, y: Side, squares: Tensor) -> None:
    """Squared distances too small to trust become those of differences of raw frames, in place."""
    squares = squares.view(x.rows.numel(), y.rows.numel())
    x_rows, y_rows = x.rows.reshape(-1), y.rows.reshape(-1)
    own, other = (side.frames.norms * model.threshold + float(VANISHING) / 2 for side in (x, y))
    doubtful = (squares < own[x_rows][:, None] + other[y_rows]).nonzero()
    step = max(1, GATHERED_BYTES // (x.frames.raw.shape[1] * x.frames.raw.element_size()))
    for start in range(0, len(doubtful), step):
        row, column = doubtful[start : start + step].T
        gap = x.frames.raw[x_rows[row]] - y.frames.raw[y_rows[column]]
        gap *= model.scale
        squares[row, column] = (gap * gap).sum(1).to(squares.dtype)


def _windows(costs: Tensor, frames: int, stride: int) -> Tensor:
    """(I, n, m, J) sums over windows of successive frames of both sides: along diagonals, by doubling."""
    n, m = costs.shape[1] - frames + 1, costs.shape[2] - frames + 1
    total, done, size = None, 0, 1
    while done < frames:
        if frames & size:
            part = costs[:, done : done + n, done : done + m]
            total = part if total is None else total + part
            done += size
        if done < frames:
            costs = costs[:, :-size, :-size] + costs[:, size:, size:]
            size *= 2
    assert total is not None
    return total[:, ::stride, ::stride]


def _angles(options: DTWOptions, model: CostModel, x: Side, y: Side, products: Tensor) -> Tensor:
    """(I, n, m, J) cosine distances of windows; near ones from differences of unit windows."""
    w, s = options.item_frames, options.item_stride
    costs = _windows(products, w, s).contiguous()
    x_sizes = x.frames.norms[x.rows].unfold(1, w, s).sum(-1).sqrt()
    y_sizes = y.frames.norms[y.rows].unfold(0, w, s).sum(-1).sqrt()
    sizes = x_sizes[:, :, None, None] * y_sizes
    costs /= -sizes
    costs += 1
    both = (x_sizes == 0)[:, :, None, None] & (y_sizes == 0)
    costs[sizes == 0] = 1.0
    costs[both] = 0.0
    doubtful = ((costs < model.threshold) & (sizes > 0)).nonzero()
    step = max(1, GATHERED_BYTES // (w * x.frames.raw.shape[1] * 8))
    window = torch.arange(w, device=costs.device)
    for start in range(0, len(doubtful), step):
        i, a, b, j = doubtful[start : start + step].T
        u = x.frames.raw[x.rows[i[:, None], a[:, None] * s + window]].double() * model.scale
        v = y.frames.raw[y.rows[b[:, None] * s + window, j[:, None]]].double() * model.scale
        u /= x_sizes[i, a][:, None, None]
        v /= y_sizes[b, j][:, None, None]
        costs[i, a, b, j] = 0.5 * (u - v).square_().sum((1, 2))
    return costs


def _fewest(costs: list[Tensor], counts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The least of some costs, and the least count among those that are equal to it."""
    best, fewest = costs[0], counts[0]
    for cost, number in zip(costs[1:], counts[1:], strict=True):
        better = (cost < best) | ((cost == best) & (number < fewest))
        best, fewest = torch.where(better, cost, best), torch.where(better, number, fewest)
    return best, fewest


def _last_cells(
    x_items: NDArray[np.int64], y_items: NDArray[np.int64], device: torch.device
) -> tuple[Tensor, NDArray[np.int64]]:
    """`last` and `edges` of `Cells`."""
    i, j = np.divmod(np.arange(len(x_items) * len(y_items)), len(y_items))
    on = x_items[i] + y_items[j] - 2
    order = np.argsort(on, kind="stable")
    i, j = i[order], j[order]
    edges = np.searchsorted(on[order], np.arange(x_items.max() + y_items.max()))
    return torch.from_numpy(np.stack([i, j, x_items[i] - 1])).to(device), edges


class _Band:
    """Which cells of an antidiagonal lie in the Sakoe-Chiba band of their own pair."""

    def __init__(self, band: int, x_items: NDArray[np.int64], y_items: NDArray[np.int64], device: torch.device) -> None:
        x, y = torch.from_numpy(x_items).to(device), torch.from_numpy(y_items).to(device)
        self.down, self.right = x[:, None, None] - 1, y[None, None, :] - 1
        self.radius = max(2 * band, 1) * (torch.maximum(self.down, self.right))

    def within(self, costs: Tensor, low: int, s: int) -> Tensor:
        """Costs (I, cells, J) from row `low` of antidiagonal `s` on; infinite outside the band."""
        a = torch.arange(low, low + costs.shape[1], device=costs.device)[None, :, None]
        outside = 2 * (a * self.right - (s - a) * self.down).abs() > self.radius
        return costs.masked_fill(outside, torch.inf)
