"""Readers: published skeleton formats in, SequenceSet out.

One module per format; `read` tells them apart by names and content. Coordinates come as they were
published: preparing them is the business of `stgcnlib.transforms`.
"""

from __future__ import annotations

import fnmatch
import os
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten, suggest
from stgcnlib.files import mistaken
from stgcnlib.readers import (
    basicts,
    bvh,
    coco,
    keypoint_csv,
    kinetics,
    mediapipe,
    msr_action3d,
    ntu,
    nw_ucla,
    openpose,
    pyskl,
    utd_mhad,
    utkinect,
)
from stgcnlib.readers.content import LABELS, read_text
from stgcnlib.sequences import SequenceSet

__all__ = ["FORMATS", "read"]


class _Reader(Protocol):
    PATTERN: str

    def recognises(self, file: Path) -> bool: ...

    def read(self, files: list[Path], source: Path) -> SequenceSet: ...


# Those that go by names come before those that look into a file; the first that recognises a file has it.
_RECORDINGS: dict[str, _Reader] = {
    "utd-mhad": utd_mhad,
    "nw-ucla": nw_ucla,
    "ntu-rgb+d": ntu,
    "msr-action3d": msr_action3d,
    "basicts": basicts,
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
# What lies beside recordings and is no recording: what readers ask for by name, and what people and systems leave.
_BESIDE = (
    utkinect.LABEL_FILE.lower(), "*_label.json",
    "readme*", "license*", "licence*", "*.md", "thumbs.db", "desktop.ini", "__macosx", "__pycache__",
)  # fmt: skip


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    skip: str | os.PathLike[str] | Iterable[str] | None = None,
    end_sites: bool = False,
) -> SequenceSet:
    """Recordings of any supported file or folder; `stgcnlib.readers` has a module on each format.

    Args:
        path: a `SequenceSet.save` npz, one recording, one file of many, or a folder of recordings (where it has none
            itself, its subfolders are looked into). Upper case in a file's suffix makes no difference.
        format: one of `FORMATS`; `None` tells them apart by file names and content.
        skip: names of recordings to leave out, or a text file with one name a line, such as the published list of NTU
            recordings with missing skeletons; files of these names are not opened. Names that do not occur are fine.
        end_sites: for BVH, keep the ends of the hierarchy as joints.

    Raises:
        SkeletonFormatError: if there is nothing to read, or a recording is not what its format promises; names
            the file, the field and the mend.

    Warns:
        UserWarning: for recordings in which nobody was tracked, which are left out; for files, links and subfolders
            that were not read (hidden ones aside); and for what a format's reader finds odd. Nothing is skipped
            silently.
    """
    source = Path(path)
    if format is not None and format not in FORMATS:
        raise SkeletonFormatError(f"no format is named {format!r}; {suggest(format, FORMATS)}")
    if not source.exists():
        raise SkeletonFormatError(f"{source}: no such file or folder")
    unwanted = _names(skip)
    if source.is_file() and (format == "npz" or (format is None and _is_npz(source))):
        return _without(SequenceSet.load(source), unwanted, source)
    readers: dict[str, _Reader] = {k: r for k, r in _RECORDINGS.items() if format in (None, k)}
    looked_at = _entries(source)
    found = _found(looked_at, readers)
    if not found and source.is_dir():
        inside = [entry for folder in looked_at if folder.is_dir() for entry in _entries(folder)]
        looked_at = [entry for entry in looked_at if not entry.is_dir()] + inside
        found = _found(inside, readers)
    if len(found) > 1:
        raise SkeletonFormatError(f"{source}: holds recordings of {' and '.join(found)}; say which with format=")
    if not found:
        if source.is_file() and (what := mistaken(source)):
            raise SkeletonFormatError(f"{source}: {what}")
        wanted = ", ".join(f"{reader.PATTERN} ({name})" for name, reader in readers.items())
        raise SkeletonFormatError(
            f"{source}: no recording found; it is {_seen(source)}; looked for " + (wanted or "stgcnlib's *.npz")
        )
    (name, files), *_ = found.items()
    lists = [Path(skip)] if isinstance(skip, str | os.PathLike) else []
    _tell_of_the_rest(source, [entry for entry in looked_at if entry not in {*files, *lists}], format)
    files = [file for file in files if file.stem not in unwanted]
    if not files:
        raise SkeletonFormatError(f"{source}: all {len(found[name])} files are among those to skip")
    reading = partial(bvh.read, end_sites=end_sites) if name == "bvh" else readers[name].read
    return _without(_read(reading, files, source), unwanted, source)


def _entries(source: Path) -> list[Path]:
    """What a folder holds, hidden things aside; or the file itself."""
    if source.is_dir():
        return sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    return [source]


def _found(entries: list[Path], readers: dict[str, _Reader]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in entries:
        if not file.is_file():
            continue
        for name, reader in readers.items():
            if reader.recognises(file):
                found.setdefault(name, []).append(file)
                break
    return {name: found[name] for name in readers if name in found}


def _tell_of_the_rest(source: Path, rest: list[Path], format: str | None) -> None:
    """Warn of what was looked at and not read: by name, and for damaged files by what they are."""
    rest = [entry for entry in rest if not _is_beside(entry, source)]
    files = [entry for entry in rest if entry.is_file()]
    if format is not None:  # whoever names a format knows that there are others
        files = [file for file in files if not any(reader.recognises(file) for reader in _RECORDINGS.values())]
    folders = [entry for entry in rest if entry.is_dir()]
    links = [entry for entry in rest if not entry.exists()]
    for left, kind, more in (
        (files, "file", " of no known format"),
        (folders, "subfolder", ""),
        (links, "link", " to nothing"),
    ):
        if left:
            what = [f"{entry.name} {mistaken(entry)}" for entry in left[:8] if entry.is_file() and mistaken(entry)]
            names = [str(entry.relative_to(source)) if source.is_dir() else entry.name for entry in left]
            warnings.warn(
                f"{source}: not read: {len(left)} {kind}{'s' * (len(left) > 1)}{more}, {shorten(names, 6)}"
                + f" ({'; '.join(what)})" * bool(what),
                stacklevel=3,
            )


def _is_beside(entry: Path, source: Path) -> bool:
    name = entry.name.lower()
    if name == LABELS:  # only the one of the folder itself is read
        return entry.parent == source
    return any(fnmatch.fnmatchcase(name, known) for known in _BESIDE)


def _read(reading: Callable[[list[Path], Path], SequenceSet], files: list[Path], source: Path) -> SequenceSet:
    """What the reader reads; where it refuses a file that is something else altogether, the error says what it is."""
    try:
        return reading(files, source)
    except SkeletonFormatError as error:
        file = Path(str(error).partition(": ")[0])
        what = mistaken(file) if file.is_file() else None
        if what is None:
            raise
        raise SkeletonFormatError(f"{file}: {what}") from None


def _seen(source: Path) -> str:
    """What there is instead, for the error."""
    if source.is_dir():
        entries = sorted(source.iterdir())
        names = [entry.name + "/" * entry.is_dir() for entry in entries]
        what = [f"{entry.name} {mistaken(entry)}" for entry in entries[:4] if entry.is_file() and mistaken(entry)]
        return f"a folder of {shorten(names, 4)}" + f" ({'; '.join(what)})" * bool(what) if names else "an empty folder"
    with source.open("rb") as stream:
        return f"a file that starts with {stream.read(24)!r}"


def _names(skip: str | os.PathLike[str] | Iterable[str] | None) -> frozenset[str]:
    if skip is None:
        return frozenset()
    if isinstance(skip, str | os.PathLike):
        lines = read_text(Path(skip)).splitlines()
        return frozenset(line.strip().removesuffix(".skeleton") for line in lines if line.strip())
    return frozenset(skip)


def _without(data: SequenceSet, unwanted: frozenset[str], source: Path) -> SequenceSet:
    kept = [i for i, name in enumerate(data.names) if name not in unwanted]
    if len(kept) == len(data):
        return data
    try:
        return data.select(kept)
    except SequenceError:
        raise SkeletonFormatError(f"{source}: all {len(data)} recordings are among those to skip") from None


def _is_npz(file: Path) -> bool:
    """Whether a file is an npz, whole or damaged: by its name, else by its first bytes."""
    return file.suffix.lower() == ".npz" or (mistaken(file) is not None and mistaken(file, fine=["npz"]) is None)
