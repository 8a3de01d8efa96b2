"""All pairs on a CUDA device: the order in which blocks of sequences are compared, and what fits into its memory.

Features are copied by blocks; a tile of two blocks gives a few thousand distances at a time. `wavefront` computes the
DTW costs of a tile. Nothing here needs a GPU: torch runs the same operations on a processor, which is how they are
tested.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import pairwise
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stgcnlib.devices import usable_device
from stgcnlib.dtw.costs import CostModel
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.wavefront import (
    Cells,
    DeviceFrames,
    Side,
    cell_costs,
    columns_of,
    device_model,
    frame_products,
    path_costs,
    rows_of,
)
from stgcnlib.errors import DeviceError, SequenceError
from stgcnlib.progress import track

__all__ = ["DeviceTile", "device_name", "device_pair_costs", "device_tiles", "dtw_device", "full_precision"]

P = ParamSpec("P")
R = TypeVar("R")

MOST_CELLS = 2**27
"""Most frame costs of one tile: each kernel launch has enough work, and the recursion's states stay in a cache."""

CELL_BYTES = 32  # of a tile: products, partial sums of windows, and the three antidiagonals
TILE_SHARE = 1 / 8  # of the device's total memory, for a tile: results do not depend on what else uses it
FRAME_SHARE = 0.4  # of the memory that is free, for features
LEAST_CELLS = 2**12


@dataclass(frozen=True, eq=False)
class DeviceTile:
    """DTW costs (I, J) float64 of sequences `rows` (I,) with sequences `columns` (J,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    costs: NDArray[np.float64]


def dtw_device(name: str) -> torch.device | None:
    """The CUDA device of that name; `None` where the processor is used, with a warning if another device was named.

    Raises:
        DeviceError: torch knows no such device, or this machine has fewer.
    """
    device = usable_device(name)
    if device.type == "cuda":
        return device
    if device.type != "cpu":
        warnings.warn(f"device={name!r}: DTW is for CUDA devices and processors; the processor is used", stacklevel=1)
    return None


def device_name(device: torch.device) -> str:
    """The name of a device, such as "NVIDIA H100 80GB HBM3"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def device_pair_costs(
    options: DTWOptions, a: FrameTable, b: FrameTable | None, *, device: torch.device, progress: bool | None
) -> NDArray[np.float32]:
    """All DTW costs (N, N') float32, as `tiles.pair_costs`; with `b` None exactly symmetric, and 0 on the diagonal."""
    costs = np.zeros((len(a), len(a if b is None else b)), np.float32)
    other = None if b is None else FrameSource.of(b)
    for tile in device_tiles(options, FrameSource.of(a), other, device=device, progress=progress):
        with np.errstate(over="ignore"):  # refused below
            costs[np.ix_(tile.rows, tile.columns)] = tile.costs
            if b is None:
                costs[np.ix_(tile.columns, tile.rows)] = tile.costs.T
    if not np.isfinite(costs).all():
        raise SequenceError("DTW distances exceed float32; scale the features down")
    return costs


def device_tiles(
    options: DTWOptions,
    a: FrameSource,
    b: FrameSource | None = None,
    *,
    device: torch.device,
    progress: bool | None = None,
    cells: int | None = None,
    resident: int | None = None,
) -> Iterator[DeviceTile]:
    """Every pair of sequences of `a` and `b` in some tile; with `b` None every pair once, and the diagonal as 0.

    A tile within one block has both directions of its pairs, which are equal.

    Args:
        cells: frame costs of a tile; None: by the device's memory, the same whatever else runs there.
        resident: frames of one side that are on the device at a time, which changes no distance; None: by the
            memory that is free.

    Raises:
        DeviceError: the device has not enough memory left.
    """
    model = device_model(options, device, *([a] if b is None else [a, b]))
    cells = _tile_cells(device, model) if cells is None else cells
    whole = sum(int(each.offsets[-1]) for each in (a, b) if each is not None)
    resident = _resident_frames(device, model, a) if resident is None else resident
    if whole <= 2 * resident:
        resident = whole
    rows = _loads(a, _blocks(options, a, cells), resident)
    loads = rows, rows if b is None else _loads(b, _blocks(options, b, cells), resident)
    order = _order(*loads, symmetric=b is None)
    work = _Work(options, model, (a, a if b is None else b), loads, device)
    previous: _Tile | None = None
    try:
        for place in track(order, f"DTW distances on {device}", total=len(order), show=progress):
            # launching the recursion takes longer than running it: the device multiplies the next frames meanwhile
            tile = work.multiply(*place)
            if previous is not None:
                work.accumulate(previous)
            work.weigh(tile)
            if previous is not None:
                yield previous.finished()
            previous = tile
        if previous is not None:
            work.accumulate(previous)
            yield previous.finished()
    finally:
        work.forget()
        if device.type == "cuda":  # for what else runs there
            torch.cuda.empty_cache()


Loads = list[list[NDArray[np.int64]]]
"""Blocks of sequences that are on the device together."""


def _order(rows: Loads, columns: Loads, *, symmetric: bool) -> list[tuple[int, int, int, int]]:
    """Tiles as (load of the columns, load of the rows, column block, row block), in the order of computing."""
    return [
        (c, r, column, row)
        for c in range(len(columns))
        for r in range(c + 1 if symmetric else len(rows))
        for column in range(len(columns[c]))
        for row in range(column + 1 if symmetric and r == c else len(rows[r]))
    ]


@dataclass(eq=False)
class _Tile:
    """An unfinished tile: the results of each part so far; the device may still be computing the latest."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    sides: list[tuple[Side, Side]]
    products: list[Tensor]
    cells: list[Cells] = field(default_factory=list)
    costs: list[Tensor] = field(default_factory=list)

    def finished(self) -> DeviceTile:
        """Wait for it; what is computed in both directions is made equal."""
        costs = torch.stack(self.costs).mean(0).cpu().numpy()
        if self.rows is self.columns:
            upper = np.triu(costs, 1)
            costs = upper + upper.T
        return DeviceTile(self.rows, self.columns, costs)


def _on_device(function: Callable[Concatenate[_Work, P], R]) -> Callable[Concatenate[_Work, P], R]:
    """Run a step with products in full float32 and without gradients; DeviceError if the device's memory is full."""

    @wraps(function)
    def step(work: _Work, /, *given: P.args, **named: P.kwargs) -> R:
        try:
            with torch.inference_mode(), full_precision():
                return function(work, *given, **named)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"DTW on {work.device}: its memory is full; stop other programs on it, set compute.workers to 1, or "
                "use the processor (device='cpu')"
            ) from error

    return step


class _Work:
    """Computes tiles, and keeps on the device the frames that the next one may need as well."""

    def __init__(
        self,
        options: DTWOptions,
        model: CostModel,
        sources: tuple[FrameSource, FrameSource],
        loads: tuple[Loads, Loads],
        device: torch.device,
    ) -> None:
        self.options, self.model, self.sources, self.loads, self.device = options, model, sources, loads, device
        self.held: dict[int, tuple[tuple[int, int], DeviceFrames]] = {}
        self.columns: tuple[tuple[int, int], list[Side]] | None = None

    @_on_device
    def multiply(self, column_load: int, row_load: int, column: int, row: int) -> _Tile:
        """Have the device multiply the frames of one tile of `_order`."""
        parts = range(self.options.parts)
        columns, rows = self.loads[1][column_load][column], self.loads[0][row_load][row]
        if self.columns is None or self.columns[0] != (column_load, column):
            self.columns = None
            frames = self._frames(1, column_load)
            sides = [columns_of(frames, self.options, columns, part) for part in parts]
            self.columns = (column_load, column), sides
        frames = self._frames(0, row_load)
        pairs = [(rows_of(frames, self.options, rows, part), self.columns[1][part]) for part in parts]
        return _Tile(rows, columns, pairs, [frame_products(x, y) for x, y in pairs])

    @_on_device
    def weigh(self, tile: _Tile) -> None:
        """Have the device turn products into costs of cells; wait to learn which of them must be computed exactly."""
        for x, y in tile.sides:
            tile.cells.append(cell_costs(self.options, self.model, x, y, tile.products.pop(0)))
        tile.sides.clear()

    @_on_device
    def accumulate(self, tile: _Tile) -> None:
        """Have the device run the recursion."""
        while tile.cells:
            tile.costs.append(path_costs(self.options, tile.cells.pop(0)))

    def forget(self) -> None:
        """Let go of what is on the device."""
        self.held.clear()
        self.columns = None

    def _frames(self, side: int, load: int) -> DeviceFrames:
        """Frames of the rows (0) or columns (1); within one set both sides share one copy where possible."""
        wanted = (load, 0 if self.sources[0] is self.sources[1] else side)
        if side in self.held and self.held[side][0] == wanted:
            return self.held[side][1]
        self.held.pop(side, None)
        there = [frames for key, frames in self.held.values() if key == wanted]
        if not there:
            sequences = np.concatenate(self.loads[side][load])
            there = [DeviceFrames.load(self.model, self.sources[side], sequences, self.device)]
        self.held[side] = wanted, there[0]
        return there[0]


def _blocks(options: DTWOptions, source: FrameSource, cells: int) -> list[NDArray[np.int64]]:
    """Sequences of similar length, so many that two blocks make a tile of about so many cells."""
    order = np.argsort(source.lengths, kind="stable")
    lengths = np.maximum(-(-source.lengths[order] // options.parts), options.item_frames)
    side = math.isqrt(cells)
    blocks, start = [], 0
    while start < len(order):
        count = int(np.searchsorted(lengths[start:] * np.arange(1, len(order) - start + 1), side, side="right"))
        count = max(count - count % 32 if count > 32 else count, 1)  # 32 sequences are read from memory together
        blocks.append(order[start : start + count])
        start += count
    return blocks


def _loads(source: FrameSource, blocks: list[NDArray[np.int64]], frames: int) -> Loads:
    """Successive blocks, grouped so that each group holds about `frames` frames."""
    ends = np.cumsum([source.lengths[block].sum() for block in blocks])
    number = (ends - 1) // max(frames, 1)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(blocks)]
    return [blocks[first:last] for first, last in pairwise(edges)]


def _memory(device: torch.device) -> tuple[int, int]:
    """Free bytes on the device for this process, and its total bytes; 1 GiB of each for a processor."""
    if device.type != "cuda":
        return 2**30, 2**30
    free, total = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device), total


def _tile_cells(device: torch.device, model: CostModel) -> int:
    fitting = _memory(device)[1] * TILE_SHARE / (CELL_BYTES * model.dtype.itemsize / 4)
    return int(np.clip(2 ** math.floor(math.log2(fitting)), LEAST_CELLS, MOST_CELLS))


def _resident_frames(device: torch.device, model: CostModel, source: FrameSource) -> int:
    frame = source.features * (source.dtype.itemsize + model.dtype.itemsize)
    return int(_memory(device)[0] * FRAME_SHARE / (2 * frame))


@contextmanager
def full_precision() -> Iterator[None]:
    """Products in float32 throughout, whatever this process allows elsewhere (TensorFloat-32 has 11 of 24 bits)."""
    setting = torch.backends.cuda.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "ieee"
    try:
        yield
    finally:
        setting.fp32_precision = before
