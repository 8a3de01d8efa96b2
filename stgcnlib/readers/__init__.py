"""Readers: published skeleton formats in, SequenceSet out.

One module per format; `read` tells them apart by names and content. Coordinates come as they were
published: preparing them is the business of `stgcnlib.transforms`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from stgcnlib.errors import SkeletonFormatError, suggest
from stgcnlib.readers import ntu, nw_ucla, utd_mhad
from stgcnlib.sequences import SequenceSet

__all__ = ["FORMATS", "read"]


class _Reader(Protocol):
    PATTERN: str

    def recognises(self, file: Path) -> bool: ...

    def read(self, files: list[Path], source: Path) -> SequenceSet: ...


_RECORDINGS: dict[str, _Reader] = {"utd-mhad": utd_mhad, "nw-ucla": nw_ucla, "ntu-rgb+d": ntu}
FORMATS: tuple[str, ...] = ("npz", *_RECORDINGS)


def read(path: str | os.PathLike[str], *, format: str | None = None) -> SequenceSet:
    """Recordings of any supported file or folder.

    Args:
        path: a `SequenceSet.save` npz; a UTD-MHAD or NW-UCLA recording; or a folder of either.
        format: "npz", "utd-mhad" or "nw-ucla"; `None` tells them apart by file names (npz also by content).

    Raises:
        SkeletonFormatError: if there is nothing to read, or a recording is not what its format promises; names
            the file, the field and the mend. No recording is skipped silently.
    """
    source = Path(path)
    if format is not None and format not in FORMATS:
        raise SkeletonFormatError(f"no format is named {format!r}; {suggest(format, FORMATS)}")
    if not source.exists():
        raise SkeletonFormatError(f"{source}: no such file or folder")
    if source.is_file() and (format == "npz" or (format is None and _is_zip(source))):
        return SequenceSet.load(source)
    candidates = sorted(source.iterdir()) if source.is_dir() else [source]
    readers: dict[str, _Reader] = {k: r for k, r in _RECORDINGS.items() if format in (None, k)}
    found = {name: [file for file in candidates if reader.recognises(file)] for name, reader in readers.items()}
    found = {name: files for name, files in found.items() if files}
    if len(found) > 1:
        raise SkeletonFormatError(f"{source}: holds recordings of {' and '.join(found)}; say which with format=")
    if not found:
        wanted = ", ".join(f"{reader.PATTERN} ({name})" for name, reader in readers.items()) or "stgcnlib's *.npz"
        raise SkeletonFormatError(f"{source}: no recording found; looked for {wanted}")
    (name, files), *_ = found.items()
    return readers[name].read(files, source)


def _is_zip(file: Path) -> bool:
    """Whether a file is an npz, whole or damaged: by its name, else by its first bytes."""
    if file.suffix == ".npz":
        return True
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"
