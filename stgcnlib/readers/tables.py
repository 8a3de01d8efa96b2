"""Your own tables and arrays: any joints, described by a layout, and any file names, described by a pattern.

A file is one recording, or several where a CSV has a column `name`:

- an npy of (T, V, C), (M, T, V, C) for M people, or (T, V·C) with the coordinates of each joint side by side;
- a text of numbers, a line per frame, V·C numbers a line (separated by commas, semicolons, tabs or blanks); a first
  line that holds other than numbers is a heading, and one more column in front numbers the frames: those left out are
  frames without anybody;
- a CSV whose heading names the joints, as `stgcnlib.readers.keypoint_csv` describes: the columns come in any order.

C is the layout's 2 or 3 coordinates, or one more with a confidence. NaN and empty cells are joints not found.

The pattern is a path below the folder in which braces stand for what varies: ``{subject}/{label}_{trial}.csv``. `label`
becomes the class and `name` the recording's name; everything else becomes a group, of numbers where all are. Files that
do not fit the pattern are named in a warning.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten, suggest
from stgcnlib.readers import keypoint_csv
from stgcnlib.readers.arrays import read_array
from stgcnlib.readers.content import Recording, add_labels, gather, numbers_of, read_text
from stgcnlib.readers.frames import spread
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["PATTERN", "find", "read", "recognises"]

PATTERN = "tables and arrays of your own"
SUFFIXES = (".csv", ".tsv", ".txt", ".npy")
MOST_BYTES = 2**27
FIELD = re.compile(r"\{(\w+)\}")


def recognises(file: Path) -> bool:
    """Whether a file may be a table or an array, by its suffix."""
    return file.suffix.lower() in SUFFIXES and file.name.lower() != "labels.csv"


def find(entries: list[Path], source: Path, pattern: str | None) -> list[Path]:
    """The tables and arrays among `entries` that fit the pattern.

    Raises:
        SkeletonFormatError: if none fits, or the pattern is invalid.
    """
    files = [entry for entry in entries if entry.is_file() and recognises(entry)]
    if pattern is None:
        return files
    expression = _matcher(pattern)
    fitting = [file for file in files if expression.fullmatch(_path(file, source))]
    _check_readings(fitting, source, pattern)
    if files and not fitting:
        shown = shorten((_path(file, source) for file in files), 3)
        raise SkeletonFormatError(
            f"{source}: none of its {len(files)} tables and arrays ({shown}) fits the pattern {pattern!r}"
        )
    return fitting


def _path(file: Path, source: Path) -> str:
    return (file.relative_to(source) if source.is_dir() else Path(file.name)).as_posix()


def _check_readings(files: list[Path], source: Path, pattern: str) -> None:
    """Refuse names that a pattern can read in two ways, as `sit_up_1` by ``{label}_{trial}``.

    Raises:
        SkeletonFormatError: naming the first such file and both readings.
    """
    short, long = _matcher(pattern), _matcher(pattern, greedy=True)
    for file in files:
        path = _path(file, source)
        found, other = short.fullmatch(path), long.fullmatch(path)
        assert found is not None
        assert other is not None
        if found.groupdict() != other.groupdict():
            name = next(name for name, value in found.groupdict().items() if other[name] != value)
            raise SkeletonFormatError(
                f"{file}: fits the pattern {pattern!r} in two ways, with {name} {found[name]!r} or {other[name]!r}; "
                "rename the files, or let folders separate them, as in {subject}/{label}/{trial}.csv"
            )


def _matcher(pattern: str, *, greedy: bool = False) -> re.Pattern[str]:
    """A regular expression for the end of a path, with a group for each field of a pattern.

    Each field takes as little of a name as it can, or with `greedy` as much.

    Raises:
        SkeletonFormatError: if a field is there twice, or braces do not match.
    """
    fields = FIELD.findall(pattern)
    rest = FIELD.sub("", pattern)
    if len(set(fields)) < len(fields) or "{" in rest or "}" in rest or any(field[:1].isdigit() for field in fields):
        raise SkeletonFormatError(
            f"pattern {pattern!r}: braces hold a name each, every name once, such as "
            "'{subject}/{label}_{trial}.csv'"
        )
    text = ""
    for part in re.split(r"(\{\w+\}|\*)", pattern.strip("/")):
        field = FIELD.fullmatch(part)
        own = "[^/]*" if part == "*" else re.escape(part)
        text += f"(?P<{field[1]}>[^/]+{'' if greedy else '?'})" if field else own
    return re.compile(f"(?:.*/)?{text}", re.IGNORECASE)


def read(
    files: list[Path], source: Path, *, layout: SkeletonLayout | str | None = None, pattern: str | None = None
) -> SequenceSet:
    """The recordings of tables and arrays.

    Args:
        files: those that fit the pattern.
        source: what `stgcnlib.read` was given.
        layout: of the joints; required.
        pattern: for labels and groups; `None` takes classes of ``labels.csv`` or of several subfolders.

    Raises:
        SkeletonFormatError: if there is no layout, or naming the first file that is damaged or has other numbers.
    """
    if layout is None:
        raise SkeletonFormatError(
            f"{source}: tables and arrays do not say what their joints are; give a layout, by name or as your own "
            f"(layout=, --layout my.yml; {suggest('', LAYOUTS)})"
        )
    skeleton = layout_named(layout)
    recordings: list[Recording] = []
    folders: list[str] = []
    told: list[dict[str, str]] = []
    expression = None if pattern is None else _matcher(pattern)
    for file in files:
        path = _path(file, source)
        match = None if expression is None else expression.fullmatch(path)
        found = _recordings(file, skeleton, path.removesuffix(file.suffix))
        recordings += found
        folders += [file.parent.name] * len(found)
        told += [{} if match is None else match.groupdict()] * len(found)
    for field in told[0] if told else ():
        texts = [each[field] for each in told]
        values: list[int | str] = [*(texts if field in ("label", "name") else numbers_of(texts))]
        for recording, value in zip(recordings, values, strict=True):
            if field == "label":
                recording.label = str(value)
            elif field == "name":
                recording.name = str(value)
            else:
                recording.groups[field] = value
    widths = {r.coords.shape[-1] for r in recordings if r.coords is not None}
    if len(widths) > 1:
        raise SkeletonFormatError(f"{source}: its files have {sorted(widths)} numbers a joint; all need the same")
    add_labels(recordings, folders if pattern is None else [""] * len(recordings), source)
    return gather(recordings, layout=skeleton, source=source)


def _recordings(file: Path, skeleton: SkeletonLayout, name: str) -> list[Recording]:
    if file.suffix.lower() == ".npy":
        return [Recording(name, _shaped(read_array(file), file, skeleton))]
    text = read_text(file, most=MOST_BYTES)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise SkeletonFormatError(f"{file}: holds no frame; copy it again")
    if keypoint_csv.names_joints(lines[0], skeleton):
        found = keypoint_csv.recordings(text, file, skeleton)
        if len(found) == 1 and found[0].name == file.stem:
            found[0].name = name
        return found
    if not _is_numbers(lines[0]):
        lines = lines[1:]
    rows = []
    for i, line in enumerate(lines):
        try:
            rows.append([float(field) if field.strip() else np.nan for field in _fields(line)])
        except ValueError:
            raise SkeletonFormatError(
                f"{file}: line {i + 1} of its numbers holds other than numbers; mend it"
            ) from None
        if len(rows[-1]) != len(rows[0]):
            raise SkeletonFormatError(
                f"{file}: line {i + 1} of its numbers has {len(rows[-1])} of them, the first {len(rows[0])}; mend it"
            )
    if not rows:
        raise SkeletonFormatError(f"{file}: holds a heading and no frame; copy it again")
    table = np.array(rows)
    if table.shape[1] % len(skeleton) == 1 and len(skeleton) > 1 and _counts(table[:, 0]):
        table = spread([int(number) for number in table[:, 0]], table[:, 1:], source=file)
    return [Recording(name, _shaped(table, file, skeleton))]


def _counts(column: NDArray[np.float64]) -> bool:
    """Whether numbers count frames: whole and ascending, with gaps where nobody was found."""
    return bool(np.all(np.abs(column) < 2**53) and np.all(column % 1 == 0) and np.all(np.diff(column) > 0))


def _fields(line: str) -> list[str]:
    separator = max(",;\t", key=line.count)
    return line.split(separator) if separator in line else line.split()


def _is_numbers(line: str) -> bool:
    try:
        return all(np.isfinite(float(field)) or True for field in _fields(line) if field.strip())
    except ValueError:
        return False


def _shaped(values: NDArray[Any], file: Path, skeleton: SkeletonLayout) -> NDArray[np.float32]:
    """(T, V, C) or (M, T, V, C) of an array; NaN joints are kept; `SequenceSet` treats them."""
    V, axes = len(skeleton), skeleton.dimensions
    widths = (axes, axes + 1) if axes else range(1, 17)
    if values.ndim == 2 and values.shape[1] % V == 0:
        values = values.reshape(len(values), V, -1)
    if values.ndim not in (3, 4) or values.shape[-2] != V or values.shape[-1] not in widths or 0 in values.shape:
        expected = f"{V} joints of {shorten(list(widths), 4)} numbers"
        raise SkeletonFormatError(
            f"{file}: has shape {values.shape}; layout {skeleton.name!r} has {expected}: (frames, {V}, C), "
            f"(people, frames, {V}, C), or {V}·C numbers a frame"
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, which SequenceSet refuses
        return values.astype(np.float32)
