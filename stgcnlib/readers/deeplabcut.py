"""DeepLabCut's tables of tracked joints, of animals mostly (Mathis et al., Nature Neuroscience 2018).

A CSV with a header of three lines, `scorer`, `bodyparts` and `coords` (x, y, likelihood), or four, with `individuals`
where several animals were tracked; then a line per frame, its number first. Pixels, y down. The joints are the table's
body parts, and left and right follow from their names. The file has no bones: for networks, give a layout of your
own (``layout=``). Empty cells are joints not found; a low likelihood is kept as the third channel.

Classes come from a ``labels.csv`` in the folder (name, label, groups), or from subfolders.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, add_labels, gather, head, read_text
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.joints import layout_of
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.csv that starts with 'scorer' (DeepLabCut)"
MOST_BYTES = 2**27
COORDS = ("x", "y", "likelihood")


def recognises(file: Path) -> bool:
    """Whether a file is such a table, by its first two lines."""
    if file.suffix.lower() != ".csv":
        return False
    lines = head(file).splitlines()[:2]
    return len(lines) == 2 and lines[0].startswith("scorer,") and lines[1].startswith(("bodyparts,", "individuals,"))


def read(files: list[Path], source: Path, *, layout: SkeletonLayout | str | None = None) -> SequenceSet:
    """One recording per file; individuals are its people.

    Args:
        files: tables of the same body parts.
        source: what `stgcnlib.read` was given, for messages.
        layout: with as many joints as the table has body parts, in their order; `None` makes one of their names.

    Raises:
        SkeletonFormatError: naming the first file that is damaged or has other body parts.
    """
    recordings = []
    skeleton: SkeletonLayout | None = None
    for file in files:
        joints, coords = _table(file)
        own = layout_named(layout) if layout is not None else None
        if own is None:
            own = layout_of(f"deeplabcut-{len(joints)}", joints, (), dimensions=2, where=str(file))
        if len(own) != len(joints) or (skeleton is not None and own != skeleton):
            raise SkeletonFormatError(
                f"{file}: has the body parts {shorten(joints)}, expected {len(skeleton or own)}: "
                f"{shorten((skeleton or own).joints)}"
            )
        skeleton = own
        recordings.append(Recording(file.stem.partition("DLC")[0] or file.stem, coords))
    assert skeleton is not None
    names = [recording.name for recording in recordings]
    for recording, file in zip(recordings, files, strict=True):
        if names.count(recording.name) > 1:
            recording.name = file.stem
    add_labels(recordings, [file.parent.name for file in files], source)
    return gather(recordings, layout=skeleton, source=source)


def _table(file: Path) -> tuple[list[str], NDArray[np.float32] | None]:
    """Body parts, and (T, V, 3) or (M, T, V, 3)."""
    try:
        rows = [row for row in csv.reader(read_text(file, most=MOST_BYTES).splitlines()) if row]
    except csv.Error as error:
        raise SkeletonFormatError(f"{file}: is no table ({error}); save it again") from None
    header: dict[str, list[str]] = {}
    while rows and rows[0][0] in ("scorer", "individuals", "bodyparts", "coords"):
        header[rows[0][0]] = rows[0][1:]
        rows.pop(0)
    parts, axes = header.get("bodyparts", []), header.get("coords", [])
    people = header.get("individuals", [""] * len(parts))
    if not parts or not len(parts) == len(axes) == len(people) or set(axes) != set(COORDS):
        raise SkeletonFormatError(
            f"{file}: its header has {len(parts)} bodyparts, {len(people)} individuals and the coords "
            f"{shorten(sorted(set(axes)))}; expected x, y and likelihood of each body part"
        )
    joints, names = list(dict.fromkeys(parts)), list(dict.fromkeys(people))
    places = {(p, j, a): c for c, (p, j, a) in enumerate(zip(people, parts, axes, strict=True))}
    columns = np.array([[[places.get((p, j, a), -1) for a in COORDS] for j in joints] for p in names])
    if len(places) < len(parts):
        raise SkeletonFormatError(f"{file}: its header names a column twice; save it again")
    frames: dict[int, list[Detection]] = {}
    for i, row in enumerate(rows):
        if len(row) != len(parts) + 1:
            raise SkeletonFormatError(f"{file}: frame line {i} has {len(row)} fields, the header {len(parts) + 1}")
        try:
            number = float(row[0])
            values = np.array([float(text) if text.strip() else math.nan for text in row[1:]] + [math.nan])
        except ValueError:
            raise SkeletonFormatError(f"{file}: frame line {i} holds other than numbers; mend it") from None
        if not (number.is_integer() and 0 <= number < 2**53) or number in frames:
            raise SkeletonFormatError(
                f"{file}: frame line {i} starts with {row[0][:40]!r}; expected a number of its own"
            )
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused later
            found: NDArray[Any] = values[columns].astype(np.float32)
        seen = [m for m in range(len(names)) if np.isfinite(found[m, :, :2]).all(axis=1).any()]
        frames[int(number)] = [Detection(found[m], m) for m in seen]
    if not frames:
        raise SkeletonFormatError(f"{file}: holds no frame; copy it again")
    return joints, tracked(in_time(frames, source=file), axes=2, source=file)
