"""Opening the zarr folder of a LayerStore: only what `record` writes is accepted; sizes are checked before reading.

Where an artefact's checksums are known, each file is compared with its own when it is first read. A store that is open
reads nothing from another one that took its place.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import ByteRequest
from zarr.codecs import BytesCodec
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.chunk_grids import RegularChunkGrid
from zarr.core.metadata import ArrayV3Metadata
from zarr.core.sync import sync
from zarr.storage import LocalStore

from stgcnlib.artefacts import Sums
from stgcnlib.errors import SkeletonFormatError
from stgcnlib.texts import check_texts

__all__ = ["CHUNK_BYTES", "check_array", "check_details", "open_folder"]

CHUNK_BYTES = 2**20
"""A chunk has about so many bytes; a longer row is a chunk by itself."""
_MOST = 2**26  # most bytes of a metadata file, which has the lengths of all recordings at all layers
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str, "index": int, "title": str, "array": str, "joints": int, "temporal_stride": int, "lengths": list,
    "rounding": (int, float),
}  # fmt: skip


class _Manifest:
    """The manifest file of a folder as it was when the store was opened, to tell whether another took its place."""

    def __init__(self, folder: Path) -> None:
        self._file, self._content = folder / "zarr.json", (folder / "zarr.json").read_bytes()
        self._state = self._now()

    def check(self) -> None:
        """Nothing, where the folder is that which was opened, or a copy of it.

        Raises:
            SkeletonFormatError: another store lies there now, or none.
        """
        try:
            if (state := self._now()) == self._state:
                return
            same = self._file.read_bytes() == self._content
        except OSError:
            same = False
        if not same:
            raise SkeletonFormatError(
                f"{self._file.parent}: was replaced or removed since it was opened; open it again to read what is there"
            )
        self._state = state

    def _now(self) -> tuple[int, ...]:
        found = self._file.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class _OpenedStore(LocalStore):
    """A folder of which nothing is read once another one has taken its place."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)
        self.opened = _Manifest(root)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        found = await super().get(key, prototype, byte_range)
        self.opened.check()  # afterwards: it might be replaced while it is read
        return found


class _CheckedStore(_OpenedStore):
    """A folder whose files are compared with their checksums when they are first read."""

    def __init__(self, root: Path, sums: Sums) -> None:
        super().__init__(root)
        self.sums = sums

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        found = await super().get(key, prototype, byte_range)
        whole = found if byte_range is None else await super().get(key, prototype)
        await asyncio.to_thread(self.sums.check_content, key, None if whole is None else whole.to_bytes())
        return found


def open_folder(folder: Path, sums: Sums | None) -> zarr.Group:
    """The zarr group of a folder, read only; its metadata files are checked before zarr reads them.

    Raises:
        ValueError, OSError: a metadata file is missing, is not a regular file, or is too large.
        Exception: zarr raises errors of many kinds for damaged files.
    """
    for file in (folder / "zarr.json", *sorted(folder.glob("*/zarr.json"))):
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST:
            raise ValueError(f"{file.relative_to(folder)} is not a regular file, or has more than {_MOST:,} bytes")
    store = _OpenedStore(folder) if sums is None else _CheckedStore(folder, sums)
    return zarr.open_group(store, mode="r", zarr_format=3)


def check_details(entries: Any) -> None:
    """Refuse a store's entries about its layers unless every field is there, of its type and within its range.

    Raises:
        ValueError: names the layer and the field.
    """
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("'layers' is no list of layers")
    for number, entry in enumerate(entries):
        given = {"rounding": 0.0, **entry}  # the first stores had none
        for name, kind in _FIELDS.items():
            if not isinstance(given.get(name), kind) or isinstance(given[name], bool):
                raise ValueError(f"layer {number}: {name} is {str(given.get(name))[:60]}")
        check_texts([value for value in given.values() if isinstance(value, str)])
        if not re.fullmatch(r"layer[0-9]{2,6}", given["array"]):
            raise ValueError(f"layer {number}: array is {given['array'][:60]!r}")
        if given["index"] < 0 or given["joints"] < 1 or given["temporal_stride"] < 1 or not given["rounding"] >= 0:
            raise ValueError(f"layer {number}: a number is below what is possible")
        lengths = given["lengths"]
        if not lengths or any(type(length) is not int or not 0 < length < 2**40 for length in lengths):
            raise ValueError(f"layer {number}: lengths must be positive whole numbers")
        if len(lengths) != len(entries[0]["lengths"]):
            raise ValueError(f"layer {number}: {len(lengths)} recordings, but another number in the first layer")
    if len({entry["name"] for entry in entries}) < len(entries):
        raise ValueError("a layer occurs twice")


def check_array(root: zarr.Group, name: str, dtypes: tuple[str, ...]) -> zarr.Array[Any]:
    """The array of that name, refused unless it is stored as `record` stores arrays and all its chunks are there.

    Raises:
        ValueError: says what is different.
        KeyError: there is none.
    """
    array = root[name]
    if not isinstance(array, zarr.Array):
        raise KeyError(name)
    about = array.metadata
    if not isinstance(about, ArrayV3Metadata) or not isinstance(about.chunk_grid, RegularChunkGrid):
        raise ValueError(f"{name}: no array of zarr v3 in regular chunks")
    codecs = [type(codec) for codec in about.codecs]
    parted = getattr(about.chunk_key_encoding, "separator", "")
    if codecs != [BytesCodec] or about.storage_transformers or parted != "/":
        raise ValueError(f"{name}: stored by {', '.join(each.__name__ for each in codecs)}, not as plain bytes")
    if array.dtype.name not in dtypes or len(array.shape) != 2:
        raise ValueError(f"{name}: {array.dtype} of shape {array.shape}")
    rows, width = array.shape
    step, wide = about.chunk_grid.chunk_shape
    size = step * width * array.dtype.itemsize
    if min(rows, width, step) < 1 or wide != width or (step > 1 and name != "scores" and size > 2 * CHUNK_BYTES):
        raise ValueError(f"{name}: chunks of {about.chunk_grid.chunk_shape} of {array.shape}")
    count = math.ceil(rows / step)
    held = 0
    for each in _chunk_sizes(array):
        if each is not None and each != size:
            raise ValueError(f"{name} is damaged: a chunk has {each} bytes instead of {size}")
        held += 1
    if held != count:
        raise ValueError(f"{name} has {held} of {count} chunks")
    return array


def _chunk_sizes(array: zarr.Array[Any]) -> Iterator[int | None]:
    """The bytes of each chunk that is there; `None` where only its name is known."""
    store, path = array.store_path.store, array.store_path.path
    if isinstance(store, LocalStore):
        home = store.root / path / "c"
        for entry in list(os.scandir(home)) if home.is_dir() else ():
            file = Path(entry.path) / "0"
            if re.fullmatch(r"0|[1-9][0-9]*", entry.name) and file.exists():
                yield file.stat().st_size
        return

    async def names() -> list[str]:
        return [name async for name in store.list_prefix(f"{path}/c/")]

    yield from (None for _ in sync(names()))
