"""Readers: published skeleton formats in, SequenceSet out.

One module per format; `read` tells them apart by names and content. Coordinates come as they were
published: preparing them is the business of `stgcnlib.transforms`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten, suggest
from stgcnlib.readers import (
    basicts,
    bvh,
    coco,
    ctrgcn_arrays,
    keypoint_csv,
    kinetics,
    mediapipe,
    msr_action3d,
    ntu,
    nw_ucla,
    openpose,
    pyskl,
    stgcn_arrays,
    utd_mhad,
    utkinect,
)
from stgcnlib.readers.content import read_text
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["FORMATS", "read"]


class _Reader(Protocol):
    PATTERN: str

    def recognises(self, file: Path) -> bool: ...

    @property
    def read(self) -> Callable[..., SequenceSet]: ...  # of files and source, and of what `_OPTIONS` names


# Those that go by names come before those that look into a file; the first that recognises a file has it.
_RECORDINGS: dict[str, _Reader] = {
    "utd-mhad": utd_mhad,
    "nw-ucla": nw_ucla,
    "ntu-rgb+d": ntu,
    "msr-action3d": msr_action3d,
    "basicts": basicts,
    "st-gcn": stgcn_arrays,
    "ctr-gcn": ctrgcn_arrays,
    "utkinect": utkinect,
    "openpose": openpose,
    "bvh": bvh,
    "pyskl": pyskl,
    "kinetics-skeleton": kinetics,
    "coco": coco,
    "mediapipe": mediapipe,
    "keypoint-csv": keypoint_csv,
}
FORMATS: tuple[str, ...] = ("npz", *_RECORDINGS)
# What else a reader may be told, as `read` takes it.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "bvh": ("end_sites",),
    "st-gcn": ("layout",),
    "ctr-gcn": ("layout", "names"),
}


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    skip: str | os.PathLike[str] | Iterable[str] | None = None,
    layout: SkeletonLayout | str | None = None,
    names: str | os.PathLike[str] | Iterable[str] | None = None,
    end_sites: bool = False,
) -> SequenceSet:
    """Recordings of any supported file or folder; `stgcnlib.readers` has a module on each format.

    Args:
        path: a `SequenceSet.save` npz, one recording, one file of many, or a folder of recordings (where it has none
            itself, its subfolders are looked into).
        format: one of `FORMATS`; `None` tells them apart by file names and content.
        skip: names of recordings to leave out, or a text file with one name a line, such as the published list of NTU
            recordings with missing skeletons; files of these names are not opened. Names that do not occur are fine.
        layout: which joints arrays have, for the formats "st-gcn" and "ctr-gcn"; `None` takes what their number says.
        names: of the recordings where a file has none (format "ctr-gcn"): texts, or a text file with one a line.
        end_sites: for BVH, keep the ends of the hierarchy as joints.

    Raises:
        SkeletonFormatError: if there is nothing to read, or a recording is not what its format promises; names
            the file, the field and the mend.

    Warns:
        UserWarning: for recordings in which nobody was tracked, which are left out, and for what a format's reader
            finds odd. Nothing is skipped silently.
    """
    source = Path(path)
    if format is not None and format not in FORMATS:
        raise SkeletonFormatError(f"no format is named {format!r}; {suggest(format, FORMATS)}")
    if not source.exists():
        raise SkeletonFormatError(f"{source}: no such file or folder")
    unwanted = _names(skip)
    readers: dict[str, _Reader] = {k: r for k, r in _RECORDINGS.items() if format in (None, k)}
    found = _found(_files(source), readers)
    if source.is_file() and not found and (format == "npz" or (format is None and _is_zip(source))):
        return _without(SequenceSet.load(source), unwanted, source)
    if not found and source.is_dir():
        found = _found([file for folder in sorted(source.iterdir()) for file in _files(folder)], readers)
    if len(found) > 1:
        raise SkeletonFormatError(f"{source}: holds recordings of {' and '.join(found)}; say which with format=")
    if not found:
        wanted = ", ".join(f"{reader.PATTERN} ({name})" for name, reader in readers.items())
        raise SkeletonFormatError(
            f"{source}: no recording found; it is {_seen(source)}; looked for " + (wanted or "stgcnlib's *.npz")
        )
    (name, files), *_ = found.items()
    files = [file for file in files if file.stem not in unwanted]
    if not files:
        raise SkeletonFormatError(f"{source}: all {len(found[name])} files are among those to skip")
    told = {"layout": layout, "names": None if names is None else _lines(names), "end_sites": end_sites or None}
    options = {key: value for key, value in told.items() if value is not None}
    if unfit := [key for key in options if key not in _OPTIONS.get(name, ())]:
        raise SkeletonFormatError(f"{source}: {unfit[0]}= says nothing to format {name!r}; leave it out")
    return _without(readers[name].read(files, source, **options), unwanted, source)


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(file for file in source.iterdir() if file.is_file() and not file.name.startswith("."))
    return [source]


def _found(files: list[Path], readers: dict[str, _Reader]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in files:
        for name, reader in readers.items():
            if reader.recognises(file):
                found.setdefault(name, []).append(file)
                break
    return {name: found[name] for name in readers if name in found}


def _seen(source: Path) -> str:
    """What there is instead, for the error."""
    if source.is_dir():
        names = [file.name + "/" * file.is_dir() for file in sorted(source.iterdir())]
        return f"a folder of {shorten(names, 4)}" if names else "an empty folder"
    with source.open("rb") as stream:
        start = stream.read(24)
    return f"a file that starts with {start!r}" if start else "an empty file"


def _names(skip: str | os.PathLike[str] | Iterable[str] | None) -> frozenset[str]:
    if skip is None:
        return frozenset()
    names = _lines(skip)
    return frozenset(name.removesuffix(".skeleton") for name in names)


def _lines(names: str | os.PathLike[str] | Iterable[str]) -> list[str]:
    """Names as they are given, or the lines of the file that is named."""
    if isinstance(names, str | os.PathLike):
        return [line.strip() for line in read_text(Path(names)).splitlines() if line.strip()]
    return list(names)


def _without(data: SequenceSet, unwanted: frozenset[str], source: Path) -> SequenceSet:
    kept = [i for i, name in enumerate(data.names) if name not in unwanted]
    if len(kept) == len(data):
        return data
    try:
        return data.select(kept)
    except SequenceError:
        raise SkeletonFormatError(f"{source}: all {len(data)} recordings are among those to skip") from None


def _is_zip(file: Path) -> bool:
    """Whether a file is an npz, whole or damaged: by its name, else by its first bytes."""
    if file.suffix == ".npz":
        return True
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"
