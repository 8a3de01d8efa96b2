"""FrameTable: any accepted collection of sequences as one array of frames, checked.

Blocks of successive sequences are read from it; it knows nothing of windows or costs. Arrays that are large lie in a
temporary file (`scratch`), so that features may exceed memory.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from stgcnlib.errors import SequenceError

__all__ = [
    "FrameTable",
    "NewRows",
    "Spare",
    "check_finite",
    "checked_array",
    "checked_input",
    "frame_table",
    "kept_dtype",
    "on_threads",
    "one_sequence",
    "row_bytes",
    "rows_for",
    "scratch",
    "threads",
    "threads_for",
]

SCRATCH_BYTES = 2**30
"""Arrays of frames above this size lie in a file; the system keeps in memory what fits."""

READ_BYTES = 2**26  # that each thread reads from a store at once
LINE_BYTES = 64
FEW_BYTES = 2**24  # below, threads cost more than they save
WORK_BYTES = 2**30
"""Products of whole frames that all threads may hold together; those of very long sequences take turns."""


@dataclass(frozen=True, eq=False)
class FrameTable:
    """N sequences as frames (sum T, D) in float32 or float64, sequence i in rows offsets[i]:offsets[i+1].

    Attributes:
        rows: (sum T, at least D) C-contiguous, zeros beyond D; float64 only if the input was (integers become float64).
        offsets: (N + 1,) int64.
        temporal_stride: input frames per frame, 1 except for a layer with temporal pooling.
        width: D, None if rows are no longer.
    """

    rows: NDArray[Any]
    offsets: NDArray[np.int64]
    temporal_stride: int = 1
    width: int | None = None

    @property
    def values(self) -> NDArray[Any]:
        """(sum T, D) a view of the frames."""
        return self.rows[:, : self.features]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) frames per sequence."""
        return np.diff(self.offsets)

    @property
    def features(self) -> int:
        """D, numbers per frame."""
        return int(self.rows.shape[1]) if self.width is None else self.width

    def blocks(self, frames: int, *, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
        """Ranges of successive sequences that hold at most `frames` frames, or one longer sequence."""
        stop = len(self) if stop is None else stop
        while start < stop:
            end = int(np.searchsorted(self.offsets, self.offsets[start] + frames, side="right")) - 1
            end = min(max(end, start + 1), stop)
            yield start, end
            start = end


def threads() -> int:
    """Threads to use: what both BLAS (OMP_NUM_THREADS, threadpoolctl) and numba (NUMBA_NUM_THREADS) may have."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return int(min([numba.get_num_threads(), *blas]))


def threads_for(each: int) -> int:
    """Threads to use where each takes so many bytes: together at most `WORK_BYTES`, or one thread."""
    return max(1, min(threads(), WORK_BYTES // max(1, each)))


def on_threads(work: Callable[[Any], None], items: Iterable[Any], *, size: int | None = None, each: int = 0) -> None:
    """Call `work` on each item, on as many threads as there are cores to use, with BLAS on one thread in each.

    `size`: bytes of all items together; if they are few, this thread does all items itself, which is faster.
    `each`: bytes that the work on one item takes, see `threads_for`.
    """
    if size is not None and size < FEW_BYTES:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads_for(each)) as pool, threadpool_limits(limits=1, user_api="blas"):
        for _ in pool.map(work, items):
            pass


def scratch(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """A new array to fill, aligned to a cache line; a large one lies in a temporary file (TMPDIR), deleted with it."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    if size <= SCRATCH_BYTES:
        memory = np.empty(size + LINE_BYTES, np.uint8)
        first = -memory.ctypes.data % LINE_BYTES
        return memory[first : first + size].view(kind).reshape(shape)
    with tempfile.TemporaryFile(prefix="stgcnlib-") as file:
        if hasattr(os, "posix_fallocate"):  # a full disk raises an error here, not a crash later
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, kind, "r+", shape=shape)


def rows_for(frames: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """New rows to fill, of an odd number of cache lines: nearby rows then use different cache sets."""
    return scratch((frames, row_bytes(width, dtype) // dtype.itemsize), dtype)


def row_bytes(width: int, dtype: np.dtype[Any]) -> int:
    """Bytes of a row of `rows_for`."""
    return (-(-width * dtype.itemsize // LINE_BYTES) | 1) * LINE_BYTES


NewRows = Callable[[int, int, np.dtype[Any]], NDArray[Any]]
"""As `rows_for`."""


class Spare:
    """Memory of rows that are not needed any more, for the next ones.

    Memory that is new to a process is given to it page by page, which can take longer than what is read into it. It
    stays in its process: a pickled one is empty.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []

    def __reduce__(self) -> tuple[type[Spare], tuple[()]]:
        return Spare, ()

    def clear(self) -> None:
        """Give the memory back."""
        self._free.clear()

    @contextmanager
    def rows(self) -> Iterator[NewRows]:
        """As `rows_for`, once; the rows must not be used afterwards. Threads that do this at once have one each."""
        taken: list[NDArray[np.uint8]] = []

        def rows(frames: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
            size = frames * row_bytes(width, dtype)
            with suppress(IndexError):  # none is free
                taken.append(self._free.pop())
            if not taken or len(taken[0]) < size:
                taken.clear()  # before a larger one is taken
                taken.append(scratch((size,), np.uint8))
            return taken[0][:size].view(dtype).reshape(frames, -1)

        yield rows
        self._free += taken


def _place(rows: NDArray[Any], first: int, part: NDArray[Any]) -> None:
    """Put frames (n, D) into their rows, and zeros beyond D."""
    into = rows[first : first + len(part)]
    into[:, : part.shape[1]] = part
    into[:, part.shape[1] :] = 0


def frame_table(sequences: Any, name: str = "a") -> FrameTable:
    """Read sequences into a FrameTable.

    Args:
        sequences: a list of (T, D) or (T, V, C) arrays (the latter become (T, V*C)), a LayerActivations, a
            SequenceSet, or anything with ``len()`` and ``.sequence(i)``.
        name: what to call it in errors.

    Raises:
        SequenceError: nothing given, an empty sequence, D differs, or a value is NaN or infinite.
    """
    stride = int(getattr(sequences, "temporal_stride", 1))
    if hasattr(sequences, "features") and hasattr(sequences, "offsets"):
        features = sequences.features
        offsets = np.asarray(sequences.offsets, dtype=np.int64)
        count, width = (int(size) for size in features.shape)
        rows = rows_for(count, width, kept_dtype(features.dtype))

        step = max(READ_BYTES // rows[:1].nbytes, 1)

        def read(start: int) -> None:  # run by the threads: at most one block per thread is in memory
            _place(rows, start, features[start : start + step])

        on_threads(read, range(0, count, step), size=rows.nbytes)
        table = FrameTable(rows, offsets, stride, width)
        if len(table) < 1 or (table.lengths < 1).any():
            raise SequenceError(f"{name} holds an empty sequence; leave it out")
    else:
        checked_input(sequences, name)
        arrays: list[NDArray[Any]] = []
        for i in range(len(sequences)):
            arrays.append(checked_array(sequences, i, name, arrays[0].shape[1] if arrays else 0))
        dtype = np.result_type(*{kept_dtype(x.dtype) for x in arrays})
        lengths = np.array([len(x) for x in arrays], dtype=np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        width = int(arrays[0].shape[1])
        rows = rows_for(int(offsets[-1]), width, dtype)
        on_threads(lambda i: _place(rows, offsets[i], arrays[i]), range(len(arrays)), size=rows.nbytes)
        table = FrameTable(rows, offsets, stride, width)
    check_finite(table, name)
    return table


def one_sequence(sequence: Any, name: str) -> NDArray[np.float64]:
    """A single (T, D) or (T, V, C) array as (T, D) float64, checked as `frame_table` does."""
    return frame_table([sequence], name).values.astype(np.float64)


def checked_input(sequences: Any, name: str) -> None:
    """Raise SequenceError unless `sequences` is a list of arrays, or something like it, that is not empty."""
    if isinstance(sequences, np.ndarray) and sequences.ndim < 3:
        raise SequenceError(f"{name} is one array of shape {sequences.shape}; expected a list of (T, D) arrays")
    if not hasattr(sequences, "__len__"):
        raise SequenceError(f"{name} is a {type(sequences).__name__}; expected a list of (T, D) arrays")
    if len(sequences) == 0:
        raise SequenceError(f"{name} holds no sequence; give at least one (T, D) array")


def checked_array(sequences: Any, i: int, name: str, width: int = 0) -> NDArray[Any]:
    """Sequence i as (T, D); `width` is what D has to be, or 0.

    Raises:
        SequenceError: it is empty, not numbers, or of another shape.
    """
    array = np.asarray(sequences.sequence(i) if hasattr(sequences, "sequence") else sequences[i])
    if array.dtype.kind not in "fiub":
        raise SequenceError(f"{name}[{i}] has dtype {array.dtype}; expected numbers")
    if array.ndim not in (2, 3):
        raise SequenceError(f"{name}[{i}] has shape {array.shape}; expected (T, D) or (T, V, C)")
    if 0 in array.shape:
        raise SequenceError(f"{name}[{i}] has shape {array.shape}, which is empty; leave it out")
    flat = array.reshape(len(array), -1)
    if width and flat.shape[1] != width:
        raise SequenceError(
            f"{name}[{i}] has {flat.shape[1]} features per frame, {name}[0] has {width}; all sequences need the same"
        )
    return flat


def kept_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """In which precision frames of a type are kept."""
    return np.dtype(np.float32 if dtype in (np.float32, np.float16) else np.float64)


def check_finite(table: FrameTable, name: str, start: int = 0) -> None:
    """Raise SequenceError if a value is NaN or infinite; `start` is the number of the table's first sequence."""

    def check(block: tuple[int, int]) -> None:
        first, last = table.offsets[block[0]], table.offsets[block[1]]
        finite = np.isfinite(table.values[first:last]).all(axis=1)
        if finite.all():
            return
        bad = int(np.argmin(finite)) + int(first)
        sequence = int(np.searchsorted(table.offsets, bad, side="right")) - 1
        raise SequenceError(
            f"{name}[{start + sequence}] has a NaN or infinite value at frame {bad - table.offsets[sequence]}; "
            "interpolate or drop such frames"
        )

    on_threads(check, table.blocks(1024), size=table.rows.nbytes)
