"""FrameSource: a collection of sequences whose frames are read when they are asked for, some at a time.

What fits into memory is read once (`frames.FrameTable`); of anything larger only blocks are ever held. Reading copies:
no file is mapped into memory, so the memory that a search needs is known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.executor import Executor, HereExecutor
from stgcnlib.dtw.frames import (
    FrameTable,
    NewRows,
    check_finite,
    checked_array,
    checked_input,
    frame_table,
    kept_dtype,
    row_bytes,
    rows_for,
)
from stgcnlib.errors import SequenceError

__all__ = ["BLOCK_BYTES", "Block", "FrameSource", "Spread", "frame_source"]

RESIDENT_BYTES = 2**30
"""Up to this size all frames of a set are held in memory."""

BLOCK_BYTES = 2**27
"""Bytes that are read at a time of a larger set."""


class Block(NamedTuple):
    """Sequences start:stop, and what else a task on them depends on, as a hash."""

    start: int
    stop: int
    mark: str = ""


class Spread(NamedTuple):
    """Mean, least and largest number of each feature over all frames: (D,) float64 each."""

    mean: NDArray[np.float64]
    least: NDArray[np.float64]
    largest: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FrameSource:
    """N sequences of D numbers per frame.

    Attributes:
        sequences: what they are read from: a LayerActivations, a list, or anything with ``.sequence(i)``.
        offsets: (N + 1,) int64, frame numbers at which they begin, one after the other.
        features: D.
        dtype: float32 or float64.
        temporal_stride: input frames per frame.
        whole: all frames, where they are few enough to be held in memory.
        name: of the collection, in errors.
        measured: what `spread` gives, where it is known already.
    """

    sequences: Any
    offsets: NDArray[np.int64]
    features: int
    dtype: np.dtype[Any]
    temporal_stride: int = 1
    whole: FrameTable | None = None
    name: str = "a"
    measured: Spread | None = None

    @classmethod
    def of(cls, table: FrameTable, name: str = "a") -> FrameSource:
        """A table as a source that is in memory."""
        return cls(None, table.offsets, table.features, table.rows.dtype, table.temporal_stride, table, name)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) frames per sequence."""
        return np.diff(self.offsets)

    def table(self, wanted: NDArray[np.int64], new_rows: NewRows = rows_for) -> FrameTable:
        """Some sequences (n,), in the order given; a copy. Those that follow each other are read at once."""
        lengths = self.lengths[wanted]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = new_rows(int(offsets[-1]), self.features, self.dtype)
        rows[:, self.features :] = 0
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        edges = np.concatenate([[0], breaks, [len(wanted)]]) if len(wanted) else np.zeros(1, np.int64)
        for start, stop in pairwise(edges):
            self._read(int(wanted[start]), int(stop - start), rows[offsets[start] : offsets[stop]])
        return FrameTable(rows, offsets, self.temporal_stride, self.features)

    def everything(self) -> FrameTable:
        """All sequences, held in memory."""
        return self.table(np.arange(len(self))) if self.whole is None else self.whole

    def blocks(self) -> list[Block]:
        """All sequences a block at a time; one block where they are in memory."""
        if self.whole is not None:
            return [Block(0, len(self))]
        edges = np.append(np.unique(self.block_of(BLOCK_BYTES), return_index=True)[1], len(self))
        return [Block(int(start), int(stop)) for start, stop in pairwise(edges)]

    def block_of(self, size: int) -> NDArray[np.int64]:
        """(N,) the number of each sequence's block, if each block has about so many bytes."""
        return np.asarray(self.offsets[:-1] * row_bytes(self.features, self.dtype) // size)

    def block(self, block: Block) -> FrameTable:
        """Sequences that follow each other; not a copy where all are in memory and wanted."""
        if self.whole is not None and block[:2] == (0, len(self)):
            return self.whole
        return self.table(np.arange(block.start, block.stop))

    def frames(self, picked: NDArray[np.int64]) -> NDArray[Any]:
        """(n, D) frames by their numbers, ascending."""
        if self.whole is not None:
            return np.asarray(self.whole.values[picked])
        owner = np.searchsorted(self.offsets, picked, side="right") - 1
        kept = np.empty((len(picked), self.features), self.dtype)
        own = np.unique(owner)
        blocks = self.block_of(BLOCK_BYTES)[own]
        for some in np.split(own, np.flatnonzero(np.diff(blocks)) + 1):
            table = self.table(some)
            here = np.flatnonzero((owner >= some[0]) & (owner <= some[-1]))
            place = np.searchsorted(some, owner[here])
            kept[here] = table.values[table.offsets[place] + picked[here] - self.offsets[owner[here]]]
        return kept

    @cached_property
    def spread(self) -> Spread:
        """Mean, least and largest number of each feature.

        Raises:
            SequenceError: a value is NaN or infinite.
        """
        return _spread(self, HereExecutor()) if self.measured is None else self.measured

    def _read(self, first: int, count: int, rows: NDArray[Any]) -> None:
        """Put `count` sequences from `first` on into rows."""
        start, width = int(self.offsets[first]), self.features
        if self.whole is not None:
            rows[:, :width] = self.whole.values[start : start + len(rows)]
        elif _stored(self.sequences):
            rows[:, :width] = self.sequences.features[start : start + len(rows)]
        else:
            for i in range(first, first + count):
                at = int(self.offsets[i]) - start
                array = checked_array(self.sequences, i, self.name)
                rows[at : at + len(array), :width] = array


def _spread(source: FrameSource, executor: Executor) -> Spread:
    totals, least, largest = zip(*executor.map(_of_block, source, source.blocks()), strict=True)
    return Spread(
        sum(totals, np.zeros(source.features)) / int(source.offsets[-1]), np.min(least, 0), np.max(largest, 0)
    )


def _of_block(source: FrameSource, block: Block) -> Spread:
    """Sums over its frames instead of means."""
    table = source.block(block)
    if source.whole is None:
        check_finite(table, source.name, block.start)
    values = table.values
    least, largest = (np.asarray(x, np.float64) for x in (values.min(axis=0), values.max(axis=0)))
    return Spread(values.sum(axis=0, dtype=np.float64), least, largest)


def frame_source(sequences: Any, name: str = "a", executor: Executor | None = None) -> FrameSource:
    """Sequences as `frames.frame_table` takes them, in memory or to be read, by tasks of an executor if there is one.

    Raises:
        SequenceError: nothing given, an empty sequence, D differs, or a value is NaN or infinite.
    """
    stride = int(getattr(sequences, "temporal_stride", 1))
    if _stored(sequences):
        offsets = np.asarray(sequences.offsets, dtype=np.int64)
        count, width = (int(size) for size in sequences.features.shape)
        dtype = kept_dtype(sequences.features.dtype)
        if len(offsets) < 2 or (np.diff(offsets) < 1).any():
            raise SequenceError(f"{name} holds an empty sequence; leave it out")
    else:
        checked_input(sequences, name)
        lengths, width, kinds = [], 0, set()
        for i in range(len(sequences)):
            array = checked_array(sequences, i, name, width)
            lengths.append(len(array))
            width = int(array.shape[1])
            kinds.add(kept_dtype(array.dtype))
        dtype, count = np.result_type(*kinds), int(np.sum(lengths))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    whole = frame_table(sequences, name) if count * width * dtype.itemsize <= RESIDENT_BYTES else None
    source = FrameSource(sequences if whole is None else None, offsets, width, dtype, stride, whole, name)
    if whole is None:  # every frame is read and checked
        return replace(source, measured=_spread(source, executor or HereExecutor()))
    return source


def _stored(sequences: Any) -> bool:
    return hasattr(sequences, "features") and hasattr(sequences, "offsets")
