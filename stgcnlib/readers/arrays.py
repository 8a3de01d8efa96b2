"""Arrays of numpy's npy and npz files, without loading more than is asked for and without running anything.

Headers are read and checked against the size of the file first. `rows` hands out the entries of the first axis one at
a time, so that a file of gigabytes needs the memory of one recording.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any
from zlib import error as zlib_error

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.pickled import PickledArray, read_data

__all__ = ["Stored", "member_names", "member_object", "members", "read_array", "stored"]

DAMAGED = (
    ValueError, EOFError, OSError, SyntaxError, TokenError, TypeError, OverflowError, KeyError, NotImplementedError,
    RuntimeError, zipfile.BadZipFile, zlib_error,
)  # fmt: skip
"""What numpy and zipfile raise where a file is damaged."""
MOST_MEMBERS = 1000
MOST_ROW = 2**28  # bytes of one recording
MOST_OBJECT = 2**30


@dataclass
class Stored:
    """An array in a file: what its header says, and the open stream behind that.

    Attributes:
        where: file and member, for messages.
        shape: as declared; the file is known to be large enough for it.
        dtype: of numbers only.
    """

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _fortran: bool
    _stream: IO[bytes]

    def rows(self) -> Iterator[NDArray[Any]]:
        """The entries of the first axis in turn, each of shape ``shape[1:]``, read when they are asked for.

        Raises:
            SkeletonFormatError: if the file ends early, is damaged, has its axes in Fortran's order, or has empty
                or huge entries.
        """
        if self._fortran and len(self.shape) > 1:
            raise SkeletonFormatError(
                f"{self.where}: is stored in Fortran's order; save numpy.ascontiguousarray of it again"
            )
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        if not 0 < size <= MOST_ROW:
            raise SkeletonFormatError(
                f"{self.where}: has shape {self.shape}, so that one entry has {size} bytes; at most {MOST_ROW} are read"
            )
        for i in range(self.shape[0]):
            yield np.frombuffer(self._read(size, f"entry {i}"), self.dtype).reshape(self.shape[1:])

    def load(self) -> NDArray[Any]:
        """The whole array."""
        content = self._read(math.prod(self.shape) * self.dtype.itemsize, "its end")
        return np.frombuffer(content, self.dtype).reshape(self.shape, order="F" if self._fortran else "C")

    def _read(self, size: int, before: str) -> bytes:
        try:
            content = self._stream.read(size)
            if len(content) < size:
                raise EOFError(f"ends before {before}")
        except DAMAGED as error:
            raise SkeletonFormatError(f"{self.where}: truncated or damaged ({error}); copy it again") from None
        return content


@contextmanager
def stored(file: Path) -> Iterator[Stored]:
    """The array of an npy file, not read yet.

    Raises:
        SkeletonFormatError: if the file cannot be read, is truncated, or holds something other than numbers.
    """
    try:
        size = file.stat().st_size
        stream = file.open("rb")
    except OSError as error:
        raise SkeletonFormatError(f"{file}: cannot be read ({error.strerror or error})") from None
    with stream:
        yield _opened(stream, size, str(file))


@contextmanager
def members(file: Path, names: tuple[str, ...]) -> Iterator[tuple[Stored, ...]]:
    """Arrays of an npz, by names without ``.npy``, not read yet.

    Raises:
        SkeletonFormatError: as `stored`, or if a name is not there.
    """
    opened: list[IO[bytes]] = []
    try:
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGED as error:
            raise SkeletonFormatError(f"{file}: truncated, or no npz ({error}); copy it again") from None
        with archive:
            result = []
            for name in names:
                try:
                    entry = archive.getinfo(f"{name}.npy")
                    opened.append(archive.open(entry))
                except DAMAGED as error:
                    raise SkeletonFormatError(f"{file}: {name!r} cannot be read ({error}); copy it again") from None
                result.append(_opened(opened[-1], entry.file_size, f"{file}: {name!r}"))
            yield tuple(result)
    finally:
        for stream in opened:
            stream.close()


def member_object(file: Path, name: str) -> Any:
    """The one object of an npz's array of objects, read as data and never run: see `stgcnlib.readers.pickled`.

    Raises:
        SkeletonFormatError: if the npz is damaged, or the array holds something else.
    """
    where = f"{file}: {name!r}"
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(f"{name}.npy")
            if entry.file_size > MOST_OBJECT:
                raise SkeletonFormatError(f"{where} has {entry.file_size} bytes, more than {MOST_OBJECT}")
            with archive.open(entry) as stream:
                if np.lib.format.read_magic(stream) != (1, 0):
                    raise ValueError("another npy version than 1.0")
                shape, _, kind = np.lib.format.read_array_header_1_0(stream)
                if shape != () or not kind.hasobject:
                    raise SkeletonFormatError(f"{where} is an array {shape} of {kind}; expected one object")
                held = read_data(stream, entry.file_size, where, objects=True)
    except SkeletonFormatError:
        raise
    except DAMAGED as error:
        raise SkeletonFormatError(f"{where}: truncated or damaged ({error}); copy it again") from None
    return held.value if isinstance(held, PickledArray) else None


def member_names(file: Path) -> list[str]:
    """Names of the arrays of an npz, without ``.npy``; none where the file is no zip."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()[:MOST_MEMBERS]]
    except DAMAGED:
        return []


def read_array(file: Path) -> NDArray[Any]:
    """The array of numbers of an npy file.

    Raises:
        SkeletonFormatError: as `stored`.
    """
    with stored(file) as array:
        return array.load()


def _opened(stream: IO[bytes], size: int, where: str) -> Stored:
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):  # later ones allow a header of gigabytes, and its declared length may be false
            raise ValueError(f"npy version {version[0]}.{version[1]}, expected 1.0")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
        if not kind.hasobject and math.prod(shape) * kind.itemsize > size:
            raise ValueError(f"declares {shape} of {kind}")
    except DAMAGED as error:
        raise SkeletonFormatError(f"{where}: truncated, or no array of numbers ({error}); copy it again") from None
    if kind.kind not in "biuf":
        raise SkeletonFormatError(f"{where}: holds {kind}, expected numbers; save it again as an array of numbers")
    return Stored(where, shape, kind, fortran, stream)
