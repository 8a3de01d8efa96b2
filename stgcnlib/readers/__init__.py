"""Readers: published skeleton formats in, SequenceSet out.

One module per format; `read` tells them apart by names and content. Coordinates are returned as they were
published; `stgcnlib.transforms` prepares them.
"""

from __future__ import annotations

import fnmatch
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten, suggest
from stgcnlib.files import Archive, mistaken
from stgcnlib.readers import (
    basicts,
    bvh,
    coco,
    coco_annotations,
    ctrgcn_arrays,
    deeplabcut,
    keypoint_csv,
    kinetics,
    mediapipe,
    mocap_arrays,
    msr_action3d,
    ntu,
    nw_ucla,
    openni,
    openpose,
    pku_mmd,
    pyskl,
    sleap,
    smarthome,
    stgcn_arrays,
    tables,
    utd_mhad,
    utkinect,
)
from stgcnlib.readers.content import LABELS, read_text
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["FORMATS", "read"]


class _Reader(Protocol):
    PATTERN: str

    def recognises(self, file: Path) -> bool: ...

    @property
    def read(self) -> Callable[..., SequenceSet]: ...  # takes files, source, and the options in `_OPTIONS`


# Readers that recognise a file by its name come before those that look into it; the first match reads the file.
_RECORDINGS: dict[str, _Reader] = {
    "utd-mhad": utd_mhad,
    "nw-ucla": nw_ucla,
    "ntu-rgb+d": ntu,
    "msr-action3d": msr_action3d,
    "basicts": basicts,
    "st-gcn": stgcn_arrays,
    "ctr-gcn": ctrgcn_arrays,
    "utkinect": utkinect,
    "openni": openni,
    "smarthome": smarthome,
    "mocap-arrays": mocap_arrays,
    "pku-mmd": pku_mmd,
    "openpose": openpose,
    "bvh": bvh,
    "pyskl": pyskl,
    "kinetics-skeleton": kinetics,
    "coco-annotations": coco_annotations,
    "coco": coco,
    "mediapipe": mediapipe,
    "deeplabcut": deeplabcut,
    "sleap": sleap,
    "keypoint-csv": keypoint_csv,
}
FORMATS: tuple[str, ...] = ("npz", *_RECORDINGS)
OWN = "stgcnlib's *.npz"
TABLES = "tables"  # a format that is never guessed: it takes a layout
DEEPEST = 3  # levels of subfolders
# Files beside recordings that need no warning: labels that readers open by name, and files of people and systems.
_BESIDE = (
    utkinect.LABEL_FILE.lower(), "*_label.json", "*_label.pkl", pyskl.DETECTIONS,
    "readme*", "license*", "licence*", "*.md", "thumbs.db", "desktop.ini", "__macosx", "__pycache__",
)  # fmt: skip
# Archives that readers open themselves, by suffix.
_OWN: dict[str, tuple[Archive, ...]] = {".npz": ("npz",), ".h5": ("hdf5",), ".slp": ("hdf5",)}
_WAY_OUT = (
    "Tables and arrays of other joints are read with a layout of your own and a pattern for the file names (layout=, "
    "pattern=; --layout my.yml --pattern '{subject}/{label}_{trial}.csv'), and a SequenceSet is made of any arrays"
)
# Which further arguments of `read` each format takes.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "bvh": ("end_sites",),
    "deeplabcut": ("layout",),
    "pyskl": ("layout",),
    "st-gcn": ("layout",),
    "ctr-gcn": ("layout", "names"),
    TABLES: ("layout", "pattern"),
}


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    skip: str | os.PathLike[str] | Iterable[str] | None = None,
    layout: SkeletonLayout | str | None = None,
    pattern: str | None = None,
    names: str | os.PathLike[str] | Iterable[str] | None = None,
    end_sites: bool = False,
) -> SequenceSet:
    """Recordings of any supported file or folder; `stgcnlib.readers` has a module on each format.

    Args:
        path: a `SequenceSet.save` npz, one recording, one file of many, or a folder of recordings (where it has none
            itself, its subfolders are looked into, up to three levels down). Upper case in a file's suffix makes no
            difference.
        format: one of `FORMATS`, or "tables" for tables and arrays of your own, with a layout; `None` tells them apart
            by file names and content.
        skip: names of recordings to leave out, or a text file with one name a line, such as the published list of NTU
            recordings with missing skeletons; files of these names are not opened. Names that do not occur are fine.
        layout: which joints a file has, for formats that do not say it: "pyskl", "st-gcn", "ctr-gcn", "deeplabcut".
            `None` chooses by the number of joints ("ctr-gcn": NTU's joints; "deeplabcut": by their names). By name, as
            a `SkeletonLayout`, or as a YAML file of one.
        pattern: of the paths of tables and arrays of your own, which are then read as `layout` says; braces stand for
            what varies: ``{subject}/{label}_{trial}.csv``.
        names: of the recordings where a file has none (format "ctr-gcn"): texts, or a text file with one a line.
        end_sites: for BVH, keep the ends of the hierarchy as joints.

    Raises:
        SkeletonFormatError: if there is nothing to read, or a recording is not what its format promises; the message
            names the file and the field, and says how to mend it.

    Warns:
        UserWarning: for recordings in which nobody was tracked, which are left out; for files, links and subfolders
            that were not read (hidden ones aside); and for what a format's reader finds odd. Nothing is skipped
            silently.
    """
    source = Path(path)
    if format is not None and format not in (*FORMATS, TABLES):
        raise SkeletonFormatError(f"no format is named {format!r}; {suggest(format, (*FORMATS, TABLES))}")
    if not source.exists():
        raise SkeletonFormatError(f"{source}: no such file or folder")
    unwanted = _names(skip)
    if pattern is not None and format is None:
        format = TABLES
    readers: dict[str, _Reader] = {k: r for k, r in _RECORDINGS.items() if format in (None, k)}
    looked_at = _entries(source)
    if format == TABLES:
        for _ in range(DEEPEST):
            looked_at = [e for entry in looked_at for e in (_entries(entry) if entry.is_dir() else [entry])]
        fitting = tables.find(looked_at, source, pattern)
        found, readers = {TABLES: fitting} if fitting else {}, {TABLES: tables}
    else:
        found = _found(looked_at, readers)
    if source.is_file() and not found and (format == "npz" or (format is None and _is_npz(source))):
        return _without(SequenceSet.load(source), unwanted, source)
    for _ in range(DEEPEST):
        folders = [entry for entry in looked_at if entry.is_dir()]
        if found or not folders:
            break
        inside = [entry for folder in folders for entry in _entries(folder)]
        looked_at = [entry for entry in looked_at if not entry.is_dir()] + inside
        found = _found(inside, readers)
    if len(found) > 1:
        raise SkeletonFormatError(f"{source}: holds recordings of {' and '.join(found)}; say which with format=")
    if not found:
        if source.is_file() and (what := mistaken(source)):
            raise SkeletonFormatError(f"{source}: {what}")
        wanted = ", ".join(f"{reader.PATTERN} ({name})" for name, reader in readers.items())
        raise SkeletonFormatError(
            f"{source}: no recording found; it is {_seen(source)}; looked for {wanted or OWN}. {_WAY_OUT}"
        )
    (name, files), *_ = found.items()
    lists = [Path(each) for each in (skip, names, layout) if isinstance(each, str | os.PathLike)]
    _tell_of_the_rest(source, [entry for entry in looked_at if entry not in {*files, *lists}], format)
    files = [file for file in files if file.stem not in unwanted]
    if not files:
        raise SkeletonFormatError(f"{source}: all {len(found[name])} files are among those to skip")
    told = {
        "layout": layout,
        "pattern": pattern,
        "names": None if names is None else _lines(names),
        "end_sites": end_sites or None,
    }
    options = {key: value for key, value in told.items() if value is not None}
    if unfit := [key for key in options if key not in _OPTIONS.get(name, ())]:
        raise SkeletonFormatError(f"{source}: format {name!r} does not take {unfit[0]}=; leave it out")
    with _naming():
        data = readers[name].read(files, source, **options)
    return _without(data, unwanted, source)


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
    if format is not None:  # with a named format, files of other formats need no warning
        files = [file for file in files if not any(reader.recognises(file) for reader in _RECORDINGS.values())]
    folders = [entry for entry in rest if entry.is_dir()]
    links = [entry for entry in rest if not entry.exists()]
    for left, kind, more in (
        (files, "file", " of no known format"),
        (folders, "subfolder", ""),
        (links, "link", " to nothing"),
    ):
        if left:
            what = _mistaken(left[:8])
            names = [str(entry.relative_to(source)) if source.is_dir() else entry.name for entry in left]
            warnings.warn(
                f"{source}: not read: {len(left)} {kind}{'s' * (len(left) > 1)}{more}, {shorten(names, 6)}"
                + f" ({'; '.join(what)})" * bool(what),
                stacklevel=3,
            )


def _mistaken(entries: list[Path]) -> list[str]:
    """Names of the files that are of quite another kind, such as a web page, each with what it is."""
    return [f"{entry.name} {what}" for entry in entries if entry.is_file() and (what := mistaken(entry))]


def _is_beside(entry: Path, source: Path) -> bool:
    name = entry.name.lower()
    if name == LABELS:  # only labels.csv of the folder itself is read
        return entry.parent == source
    return any(fnmatch.fnmatchcase(name, known) for known in _BESIDE)


@contextmanager
def _naming() -> Iterator[None]:
    """Where a reader refuses a file that is something else altogether, the error says what the file is."""
    try:
        yield
    except SkeletonFormatError as error:
        file = Path(str(error).partition(": ")[0])
        what = mistaken(file, fine=_OWN.get(file.suffix.lower(), ())) if file.is_file() else None
        if what is None:
            raise
        raise SkeletonFormatError(f"{file}: {what}") from None


def _seen(source: Path) -> str:
    """What the source is or holds, for the error message."""
    if source.is_dir():
        entries = sorted(source.iterdir())
        names = [entry.name + "/" * entry.is_dir() for entry in entries]
        what = _mistaken(entries[:4])
        return f"a folder of {shorten(names, 4)}" + f" ({'; '.join(what)})" * bool(what) if names else "an empty folder"
    with source.open("rb") as stream:
        return f"a file that starts with {stream.read(24)!r}"


def _names(skip: str | os.PathLike[str] | Iterable[str] | None) -> frozenset[str]:
    if skip is None:
        return frozenset()
    names = _lines(skip)
    return frozenset(name.removesuffix(".skeleton") for name in names)


def _lines(names: str | os.PathLike[str] | Iterable[str]) -> list[str]:
    """Names as they are given, or the lines of the file that is named."""
    if isinstance(names, str | os.PathLike):
        if Path(names).is_file() and (what := mistaken(names)):
            raise SkeletonFormatError(f"{names}: {what}")
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


def _is_npz(file: Path) -> bool:
    """Whether a file is an npz, whole or damaged: by its name, else by its first bytes."""
    return file.suffix.lower() == ".npz" or (mistaken(file) is not None and mistaken(file, fine=["npz"]) is None)
