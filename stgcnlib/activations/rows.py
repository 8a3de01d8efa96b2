"""Rows of numbers in a file without a name; the system removes it when it is no longer in use."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = ["UnnamedRows"]


class UnnamedRows:
    """(rows, width) numbers in a file without a name, written and read by whole rows.

    Args:
        folder: on whose disk the file is; `None`: that of the system's temporary folder.
        shape: (rows, width).
        dtype: of the numbers, as numpy names it.
    """

    ndim = 2

    def __init__(self, folder: Path | None, shape: tuple[int, int], dtype: str) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        with tempfile.TemporaryFile(dir=folder) as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._row = shape[1] * self.dtype.itemsize

    def __reduce__(self) -> NoReturn:
        raise TypeError("rows in a file without a name are of this process alone")

    def write(self, first: int, rows: NDArray[np.floating]) -> None:
        """Put rows (n, width) of the file's dtype at row `first` and after."""
        data = memoryview(np.ascontiguousarray(rows).tobytes())
        done = 0
        while done < len(data):
            done += os.pwrite(self._file, data[done:], first * self._row + done)

    def __getitem__(self, wanted: slice) -> NDArray[np.floating]:
        start, stop, step = wanted.indices(self.shape[0])
        found = np.empty((max(0, stop - start), self.shape[1]), dtype=self.dtype)
        data: memoryview[int] = memoryview(found.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        done = 0
        while done < len(data):
            got = os.preadv(self._file, [data[done:]], start * self._row + done)
            if not got:
                raise OSError("the file of a layer's features is cut off")
            done += got
        return found[::step]
