"""FrameSource: a collection of sequences whose frames are read when they are asked for, some at a time.

What fits into memory is read once (`frames.FrameTable`); of anything larger only blocks are ever held. Reading copies:
no file is mapped into memory, so the memory that a search needs is known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.frames import (
    FrameTable,
    check_finite,
    checked_array,
    checked_input,
    frame_table,
    kept_dtype,
    rows_for,
)
from stgcnlib.errors import SequenceError

__all__ = ["BLOCK_BYTES", "FrameSource", "Spread", "frame_source"]

RESIDENT_BYTES = 2**30
"""Up to this size all frames of a set are held in memory."""

BLOCK_BYTES = 2**27
"""Bytes that are read at a time of a larger set."""


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
    """

    sequences: Any
    offsets: NDArray[np.int64]
    features: int
    dtype: np.dtype[Any]
    temporal_stride: int = 1
    whole: FrameTable | None = None
    name: str = "a"

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

    @property
    def sequence_bytes(self) -> int:
        """Mean size of a sequence."""
        return max(1, int(self.offsets[-1]) * self.features * self.dtype.itemsize // len(self))

    def table(self, wanted: NDArray[np.int64]) -> FrameTable:
        """Some sequences (n,), in the order given; a copy. Those that follow each other are read at once."""
        lengths = self.lengths[wanted]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = rows_for(int(offsets[-1]), self.features, self.dtype)
        rows[:, self.features :] = 0
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        edges = np.concatenate([[0], breaks, [len(wanted)]]) if len(wanted) else np.zeros(1, np.int64)
        for start, stop in pairwise(edges):
            self._read(int(wanted[start]), int(stop - start), rows[offsets[start] : offsets[stop]])
        return FrameTable(rows, offsets, self.temporal_stride, self.features)

    def everything(self) -> FrameTable:
        """All sequences, held in memory."""
        return self.table(np.arange(len(self))) if self.whole is None else self.whole

    def blocks(self) -> Iterator[tuple[int, FrameTable]]:
        """All sequences a block at a time: the first one's number, and the table; the whole where it is in memory."""
        if self.whole is not None:
            yield 0, self.whole
            return
        step = max(1, BLOCK_BYTES // self.sequence_bytes)
        for start in range(0, len(self), step):
            yield start, self.table(np.arange(start, min(start + step, len(self))))

    def frames(self, picked: NDArray[np.int64]) -> NDArray[Any]:
        """(n, D) frames by their numbers, ascending."""
        if self.whole is not None:
            return np.asarray(self.whole.values[picked])
        owner = np.searchsorted(self.offsets, picked, side="right") - 1
        kept = np.empty((len(picked), self.features), self.dtype)
        step = max(1, BLOCK_BYTES // self.sequence_bytes)
        own = np.unique(owner)
        for start in range(0, len(own), step):
            some = own[start : start + step]
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
        total = np.zeros(self.features)
        least, largest = np.full(self.features, np.inf), np.full(self.features, -np.inf)
        for start, table in self.blocks():
            if self.whole is None:
                check_finite(table, self.name, start)
            total += table.values.sum(axis=0, dtype=np.float64)
            least = np.minimum(least, table.values.min(axis=0))
            largest = np.maximum(largest, table.values.max(axis=0))
        return Spread(total / int(self.offsets[-1]), least, largest)

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


def frame_source(sequences: Any, name: str = "a") -> FrameSource:
    """Sequences as `frames.frame_table` takes them, in memory or to be read.

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
    if whole is None:
        _ = source.spread  # reads and checks every frame
    return source


def _stored(sequences: Any) -> bool:
    return hasattr(sequences, "features") and hasattr(sequences, "offsets")
