"""Arrays, tables and plain values of files that may be damaged or come from others: sizes are checked before reading.

Members of npz archives are numbers and texts, never objects. Expected arrays are described as in
``{"candidates": "i N K", "weights": "f N K", "errors?": "f N"}``: the kind, then the axes; equal letters mean equal
sizes.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow.parquet
from numpy.typing import NDArray

from stgcnlib.errors import shorten
from stgcnlib.files import regular_size
from stgcnlib.json_text import read_json_file

__all__ = [
    "check_arrays", "is_described", "npz_shapes", "plain_text", "read_array", "read_arrays", "read_described",
    "read_table",
]  # fmt: skip

_AMPLE = 2**29
_RATIO = 200
"""An archive may unpack to `_AMPLE` bytes, or to so many times its own size if that is more."""
_KINDS = {"b": "b", "i": "iu", "f": "f", "s": "U", "n": "biuf", "a": "biufU"}
"""Truth values, whole numbers, real numbers, texts, numbers of any kind, anything."""


def read_arrays(path: str | os.PathLike[str], expected: Mapping[str, str] | None = None) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file.

    Args:
        path: of the file.
        expected: as of `check_arrays`; `None`: whatever is there.

    Returns:
        Name -> array of any shape, in the file's order.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: it is damaged, or holds other arrays; says which. Sizes that the file cannot hold are refused before
            memory is taken for them.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with _opened(path) as stream, _archive(stream) as archive:
        size, members = os.fstat(stream.fileno()).st_size, archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > max(_AMPLE, _RATIO * size):
            raise ValueError(f"a file of {size:,} bytes declares {unpacked:,} bytes of arrays")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays or name == member.filename:
                raise ValueError(f"{member.filename[:60]!r} is there twice, or no array")
            with archive.open(member) as content:
                arrays[name] = _array(content, member.file_size, name)
    if expected is not None:
        check_arrays(arrays, expected)
    return arrays


def npz_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each array of an npz file, of any size and origin; errors as of `read_arrays`."""
    with _opened(path) as stream, _archive(stream) as archive:
        shapes = {}
        for member in archive.infolist():
            with archive.open(member) as content:
                shapes[member.filename.removesuffix(".npy")] = _header(content, member.file_size, member.filename)[0]
        return shapes


def read_array(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array of an npy file.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: it is damaged, or holds Python objects.
    """
    with _opened(path) as stream:
        return _array(stream, os.fstat(stream.fileno()).st_size, "array")


def check_arrays(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, str]) -> dict[str, int]:
    """Refuse arrays that are not just the expected ones.

    Args:
        arrays: name -> array of any shape.
        expected: name -> kind and axes: ``b`` truth values, ``i`` whole numbers, ``f`` real numbers, ``s`` texts, ``n``
            numbers, ``a`` anything of these; then a letter or number for each axis, "..." for any. A name that ends in
            ``?`` may be missing; ``|`` separates alternatives.

    Returns:
        The size that each letter stands for.

    Raises:
        ValueError: names the array and what it should be.
    """
    known = {name.removesuffix("?"): name.endswith("?") for name in expected}
    if missing := [name for name, optional in known.items() if not optional and name not in arrays]:
        raise ValueError(f"{missing[0]!r} is missing")
    if extra := [name for name in arrays if name not in known]:
        raise ValueError(f"{extra[0][:60]!r} does not belong there")
    sizes: dict[str, int] = {}
    for written, wanted in expected.items():
        name = written.removesuffix("?")
        if name in arrays and not any(_fits(arrays[name], each.split(), sizes) for each in wanted.split("|")):
            found = f"{arrays[name].dtype} {arrays[name].shape}"
            held = ", ".join(f"{letter} = {size}" for letter, size in sizes.items())
            raise ValueError(f"{name!r} is {found}, not {wanted!r}{f' with {held}' if held else ''}")
    return sizes


def plain_text(array: NDArray[Any]) -> str:
    """The text of an array without axes; "" of another.

    `array` is of any shape; a text has no axes and a dtype of unicode text.
    """
    return str(array[()]) if array.ndim == 0 and array.dtype.kind == "U" else ""


def read_table(path: str | os.PathLike[str], *layouts: Mapping[str, str]) -> pd.DataFrame:
    """The table of a parquet file.

    Args:
        path: of the file.
        layouts: name -> kind as of `check_arrays`, of columns that must be there; ``s`` are texts or categories, and
            ``NAME *`` stands for at least one column whose name begins so. Of several layouts, one has to fit.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: it is damaged, claims more than it can hold, or lacks columns; names those of the nearest layout.
    """
    file = Path(path)
    with _opened(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            about = pyarrow.parquet.ParquetFile(stream).metadata
            claimed = [about.row_group(k).total_byte_size for k in range(about.num_row_groups)]
            cells = about.num_rows * about.num_columns
            if min(claimed, default=0) < 0 or max(sum(claimed), cells) > max(_AMPLE, _RATIO * size):
                raise ValueError(f"a file of {size:,} bytes declares {cells:,} values in {sum(claimed):,} bytes")
            stream.seek(0)
            table = pd.read_parquet(stream)
        except (MemoryError, ImportError):
            raise
        except Exception as error:  # pyarrow and pandas raise many kinds of errors on damaged bytes
            raise ValueError(
                f"{file.name}: not a complete parquet table ({' '.join(str(error).split())[:160]})"
            ) from None
    wrong = [found for columns in layouts if (found := _misfit(table, columns))]
    if wrong and len(wrong) == len(layouts):
        raise ValueError(f"{file.name}: {max(wrong, key=lambda found: found[0])[1]}")
    return table


def _misfit(table: pd.DataFrame, columns: Mapping[str, str]) -> tuple[int, str] | None:
    """How many columns of a layout a table has, and a sentence about what is wrong; `None` if it fits."""
    named = {name: _named(table, name) for name in columns}
    if lacking := [name for name, found in named.items() if not found]:
        return len(columns) - len(lacking), f"has no column{'s' * (len(lacking) > 1)} {shorten(lacking)}"
    for name, kind in columns.items():
        for column in named[name] if not table.empty else ():  # a table without rows has no kind of numbers
            found = table[column].dtype
            text = getattr(found, "kind", "O") == "O"
            if kind != "a" and ((kind == "s") != text or not (text or found.kind in _KINDS[kind])):
                return len(columns), f"column {column!r} holds {found}"
    return None


def _named(table: pd.DataFrame, name: str) -> list[str]:
    """The columns that a name of a layout means."""
    if not name.endswith("*"):
        return [name] if name in table.columns else []
    return [column for column in map(str, table.columns) if column.startswith(name[:-1])]


def read_described(path: str | os.PathLike[str], form: str, **fields: type) -> dict[str, Any]:
    """The JSON file that describes a result of several files.

    Args:
        path: of the file.
        form: its "format".
        fields: name -> type of values that must be there.

    Returns:
        All its fields by name.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: it is damaged, of another format, or lacks a field.
    """
    content = read_json_file(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != form:
        raise ValueError(f"{Path(path).name} says format {str(found)[:60]!r}, not {form!r}")
    for name, kind in fields.items():
        if not isinstance(content.get(name), kind):
            raise ValueError(f"{Path(path).name}: {name!r} is {str(content.get(name))[:60]}")
    return dict(content)


def is_described(folder: Path, *, form: str) -> bool:
    """Whether the ``manifest.json`` of a `folder` says that its "format" is `form`, be it damaged or whole."""
    try:
        content = read_json_file(folder / "manifest.json")
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == form


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file, opened for reading; anything else is refused, since reading a pipe may never end."""
    regular_size(path)
    return Path(path).open("rb")


@contextmanager
def _archive(stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(stream) as archive:
            yield archive
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # zipfile and its decompressors raise many kinds of errors on damaged bytes
        raise ValueError(f"not a complete npz archive ({type(error).__name__}: {error})") from None


def _array(stream: Any, size: int, name: str) -> NDArray[Any]:
    """One array of npy bytes of which there are `size`."""
    shape, columns_first, dtype = _header(stream, size, name)
    count = math.prod(shape)
    array = np.empty(count, dtype=dtype)
    if array.nbytes:
        data: memoryview[int] = memoryview(array.view(np.uint8))  # type: ignore[arg-type]
        done = 0
        while done < len(data):
            if not (got := stream.readinto(data[done : done + 2**24])):
                raise ValueError(f"{name!r} is cut off")
            done += got
    if stream.read(1):  # reading to the end makes the archive verify the checksum
        raise ValueError(f"{name!r} is longer than it declares")
    if dtype.kind == "U" and array.nbytes:
        codes = array.view(f"{dtype.byteorder if dtype.byteorder in '<>' else '='}u4")
        if int(codes.max()) > 0x10FFFF or ((codes >= 0xD800) & (codes <= 0xDFFF)).any():  # those are halves
            raise ValueError(f"{name!r} holds no text")
    if dtype.kind == "b" and array.nbytes and int(array.view(np.uint8).max()) > 1:
        raise ValueError(f"{name!r} holds no truth values")
    return array.reshape(shape, order="F" if columns_first else "C")


def _header(stream: Any, size: int, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns lie first, and dtype of npy bytes of which there are `size`."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, columns_first, dtype = read(stream)
        head = stream.tell()
    except Exception as error:  # the header is Python source that numpy parses
        raise ValueError(f"{name!r} is no array of numpy ({type(error).__name__})") from None
    if dtype.hasobject or dtype.kind not in "biufU" or any(not 0 <= each < 2**62 for each in shape):
        raise ValueError(f"{name!r} holds {dtype} {shape}, not numbers or texts")
    if math.prod(shape) * dtype.itemsize != size - head:
        raise ValueError(f"{name!r} declares {dtype} {shape}, and {size - head:,} bytes are there")
    return shape, columns_first, dtype


def _fits(array: NDArray[Any], wanted: list[str], sizes: dict[str, int]) -> bool:
    kind, axes = wanted[0], wanted[1:]
    if array.dtype.kind not in _KINDS[kind]:
        return False
    if axes == ["..."]:
        return True
    if array.ndim != len(axes):
        return False
    found = dict(sizes)
    for axis, size in zip(axes, array.shape, strict=True):
        if size != (int(axis) if axis.isdigit() else found.setdefault(axis, size)):
            return False
    sizes.update(found)
    return True
