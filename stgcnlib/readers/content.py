"""What the readers share: bounded reading of text and JSON, and recordings gathered into a SequenceSet.

Nothing here depends on a format. Sizes are checked before a file is read, and arrays are made from what was found in a
file, never from what it declares.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten, warn
from stgcnlib.json_text import parse_json
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = [
    "LABELS",
    "MOST_BYTES",
    "Recording",
    "add_labels",
    "beside",
    "floats",
    "gather",
    "head",
    "natural",
    "number",
    "numbers_of",
    "read_bytes",
    "read_json",
    "read_text",
    "row",
]

LABELS = "labels.csv"
MOST_BYTES = 2**26  # a larger text is no single recording
HEAD_BYTES = 2**14


@dataclass
class Recording:
    """One recording on its way into a SequenceSet.

    Attributes:
        name: what it is called in messages and in the set.
        coords: (T, V, C) or (M, T, V, C), or `None` where nobody was tracked.
        label: class index, or the class's name, or `None` where the file says nothing.
        groups: name -> value.
    """

    name: str
    coords: NDArray[np.floating[Any]] | None
    label: int | str | None = None
    groups: dict[str, int | str] = field(default_factory=dict)


def read_bytes(file: Path, *, most: int = MOST_BYTES) -> bytes:
    """A file's bytes.

    Raises:
        SkeletonFormatError: if it cannot be read, or is larger than `most` bytes.
    """
    try:
        if (size := file.stat().st_size) > most:
            raise SkeletonFormatError(f"{file}: {size} bytes is too large for one recording; is it the right file?")
        return file.read_bytes()
    except OSError as error:
        raise SkeletonFormatError(f"{file}: cannot be read ({error.strerror or error})") from None


def read_text(file: Path, *, most: int = MOST_BYTES) -> str:
    """A file's UTF-8 text, without a byte-order mark.

    Raises:
        SkeletonFormatError: if it cannot be read, is too large, or is not text.
    """
    try:
        text = read_bytes(file, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SkeletonFormatError(f"{file}: not a text file (byte {error.start} is no UTF-8); copy it again") from None
    if "\0" in text:
        raise SkeletonFormatError(f"{file}: not a text file (it holds zero bytes); copy it again")
    return text


def read_json(file: Path, *, most: int = MOST_BYTES) -> Any:
    """A file's JSON value.

    Raises:
        SkeletonFormatError: if it cannot be read, is too large, truncated or not JSON.
    """
    content = read_bytes(file, most=most)
    try:
        return parse_json(content)
    except ValueError as error:
        raise SkeletonFormatError(f"{file}: truncated or not JSON ({error}); copy it again") from None


def head(file: Path) -> str:
    """The first 16 kB as text, for telling formats apart; empty where a file cannot be read or is binary."""
    try:
        with file.open("rb") as stream:
            content = stream.read(HEAD_BYTES)
    except OSError:
        return ""
    if b"\0" in content:
        return ""
    return content.decode("utf-8", errors="replace").removeprefix("\ufeff")


def beside(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, upper and lower case being the same; `None` if there is none."""
    if (file := folder / name).is_file():
        return file
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return None
    return next((entry for entry in entries if entry.name.lower() == name.lower() and entry.is_file()), None)


def number(value: str, file: Path, where: str) -> int:
    """A count or an index from text.

    Raises:
        SkeletonFormatError: if it is no whole number of at most 18 digits, or negative.
    """
    text = value.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise SkeletonFormatError(f"{file}: {where} is {_cut(text)}; expected a whole number; copy the file again")
    return int(text)


def row(line: str, file: Path, where: str, *, least: int) -> list[float]:
    """The first `least` numbers of one line of text, separated by blanks; what follows is not looked at.

    Raises:
        SkeletonFormatError: if there are fewer than `least`, or one is no number.
    """
    fields = line.split(None, least)[:least]
    if len(fields) < least:
        raise SkeletonFormatError(f"{file}: {where} has {len(fields)} numbers, expected {least}; copy the file again")
    try:
        return [float(value) for value in fields]
    except ValueError:
        raise SkeletonFormatError(f"{file}: {where} holds other than numbers ({_cut(line)}); mend it") from None


def floats(value: Any, where: str) -> NDArray[np.float32]:
    """A float32 array of nested lists of numbers.

    Raises:
        SkeletonFormatError: if the lists are ragged, hold something other than numbers (`None` counts as NaN), or hold
            an infinite number.
    """
    try:
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused below
            array = np.array(value, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise SkeletonFormatError(f"{where} is ragged or holds other than numbers; copy the file again") from None
    if np.isinf(array).any():
        raise SkeletonFormatError(f"{where} holds an infinite number; mend or drop that frame")
    return array


def add_labels(recordings: Sequence[Recording], folders: Sequence[str], source: Path) -> None:
    """Add labels for formats that hold none: of ``labels.csv`` in the folder, else the subfolders' names, if several.

    ``labels.csv`` has the columns name and label; any other column becomes a group, of numbers where all its values
    are whole numbers. Recordings that have a label keep it.

    Args:
        recordings: changed in place.
        folders: name of the folder that each recording lies in.
        source: what `read` was given.

    Raises:
        SkeletonFormatError: if ``labels.csv`` lacks a column, or a recording.
    """
    file = beside(source if source.is_dir() else source.parent, LABELS)
    if file is None:
        if len(set(folders)) > 1:
            for recording, folder in zip(recordings, folders, strict=True):
                recording.label = folder if recording.label is None else recording.label
        return
    try:
        lines = read_text(file).splitlines()
        rows = list(csv.reader(lines, delimiter=max(",;\t", key=lines[0].count) if lines else ","))
    except csv.Error as error:
        raise SkeletonFormatError(f"{file}: is no table ({error}); save it again") from None
    columns = [column.strip() for column in rows[0]] if rows else []
    columns = [column.lower() if column.lower() in ("name", "label") else column for column in columns]
    if not {"name", "label"} <= set(columns) or len(set(columns)) < len(columns):
        raise SkeletonFormatError(f"{file}: has the columns {shorten(columns)}; expected name, label and groups")
    known: dict[str, dict[str, str]] = {}
    for i, fields in enumerate(rows[1:], start=2):
        if fields and len(fields) != len(columns):
            raise SkeletonFormatError(f"{file}: line {i} has {len(fields)} fields, expected {len(columns)}")
        if fields:
            entry = dict(zip(columns, (field.strip() for field in fields), strict=True))
            name = entry.pop("name")
            if known.setdefault(name, entry) != entry:
                raise SkeletonFormatError(f"{file}: line {i} contradicts an earlier line about {name[:80]!r}; keep one")
    if missing := [r.name for r in recordings if r.name not in known]:
        raise SkeletonFormatError(f"{file}: has no line for {shorten(missing)}; add name and label")
    columns = [column for column in columns if column not in ("name", "label")]
    groups = {column: numbers_of([known[r.name][column] for r in recordings]) for column in columns}
    differing = []
    for i, recording in enumerate(recordings):
        said = known[recording.name]["label"]
        if recording.label in (None, ""):
            recording.label = said
        elif said not in ("", str(recording.label)):
            differing.append(f"{recording.name} ({str(recording.label)[:40]!r}, not {said[:40]!r})")
        recording.groups.update({column: values[i] for column, values in groups.items()})
    if differing:
        warn(
            f"{file}: its labels differ from those in {len(differing)} recordings, which are used: "
            f"{', '.join(differing[:4])}{', …' * (len(differing) > 4)}"
        )


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """A key that sorts numbers within texts as numbers: "a2" before "a10", and "2" before "10"."""
    parts = [part for part in re.split(r"(\d+)", text) if part]
    return tuple((0, int(part)) if part.isdecimal() and len(part) < 19 else (1, part) for part in parts)


def numbers_of(values: list[str]) -> list[int] | list[str]:
    """The values as whole numbers if all are such and none is written in two ways ("1" and "01"); else the texts."""
    if not all(re.fullmatch(r"-?[0-9]{1,18}", value) for value in values):
        return values
    numbers = [int(value) for value in values]
    return numbers if len(set(numbers)) == len(set(values)) else values


def gather(
    recordings: Sequence[Recording],
    *,
    layout: SkeletonLayout | str,
    source: Path,
    class_names: Sequence[str] | None = None,
) -> SequenceSet:
    """Recordings as one SequenceSet; those in which nobody was tracked are left out with a warning.

    Args:
        recordings: in the order of the set; all with the same groups.
        layout: of the skeletons.
        source: the file or folder, for messages.
        class_names: what class indices mean; `None` names the classes by the labels, if those are text, in the order of
            `natural`: "2" comes before "10".

    Raises:
        SkeletonFormatError: if nothing is left, only some are labelled, or an array does not fit.
    """
    tracked = [r.coords is not None and bool(np.nan_to_num(r.coords).any()) for r in recordings]
    kept = [r for r, there in zip(recordings, tracked, strict=True) if there]
    if empty := [r.name for r, there in zip(recordings, tracked, strict=True) if not there]:
        if not kept:
            raise SkeletonFormatError(f"{source}: nobody was tracked in {shorten(empty)}; there is nothing to read")
        warn(f"{source}: {len(empty)} of {len(recordings)} recordings left out, nobody was tracked: {shorten(empty)}")
    if not kept:
        raise SkeletonFormatError(f"{source}: holds no recording")
    labels: list[int] | None = None
    if any(r.label not in (None, "") for r in kept):
        if without := [r.name for r in kept if r.label in (None, "")]:
            raise SkeletonFormatError(
                f"{source}: {shorten(without)} have no label but others have; complete the labels"
            )
        if class_names is None and any(isinstance(r.label, str) for r in kept):
            class_names = sorted({str(r.label) for r in kept}, key=natural)
            index = {name: c for c, name in enumerate(class_names)}
            labels = [index[str(r.label)] for r in kept]
        else:
            labels = [int(r.label) for r in kept if r.label is not None]
    keys = list(kept[0].groups)
    if odd := [r.name for r in kept if list(r.groups) != keys and set(r.groups) != set(keys)]:
        raise SkeletonFormatError(
            f"{source}: {shorten(odd, 4)} have other groups than {kept[0].name!r} ({shorten(keys)}); give all the same"
        )
    try:
        return SequenceSet(
            [r.coords for r in kept if r.coords is not None],
            labels=labels,
            class_names=class_names,
            groups={key: [r.groups[key] for r in kept] for key in keys},
            layout=layout,
            names=[r.name for r in kept],
        )
    except SequenceError as error:
        raise SkeletonFormatError(f"{source}: {error}") from None


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
