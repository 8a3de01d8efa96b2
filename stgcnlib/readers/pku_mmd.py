"""PKU-MMD: long Kinect v2 recordings with the frames of the actions in them (Liu et al., ACM MM Workshops 2017).

``0002-L.txt`` (or ``A01N01-L.txt``; L, M and R are the cameras) has a line per frame: 150 numbers, x, y, z in metres of
25 joints of two people, zeros for a second person who is not there. A file of the same name in another folder holds the
labels, a line per action: its number (1 to 51), first and last frame, and how sure the annotator was. Frames count
from 0; numbers beyond the recording are cut to it.

Each action becomes a recording; layout "ntu-rgb+d". The files do not name the actions, so that classes are numbered.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, beside, gather, head, number, read_text
from stgcnlib.readers.padding import unpadded
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "0002-L.txt with 150 numbers a line, and its labels"
NAME = re.compile(r"([A-Z0-9]{2,20})-([LMR])\.txt", re.IGNORECASE)
NUMBERS = 150
ACTIONS = 51
MOST_BYTES = 2**27


def recognises(file: Path) -> bool:
    """Whether a file is such a recording, or its labels: by its name and its first line."""
    return NAME.fullmatch(file.name) is not None and (_is_frames(file) or _is_labels(file))


def read(files: list[Path], source: Path) -> SequenceSet:
    """The actions in the recordings among `files`, with groups video and camera ("L", "M", "R").

    Raises:
        SkeletonFormatError: naming the first file that is damaged, or a recording without labels.
    """
    recordings: list[Recording] = []
    videos = [file for file in files if _is_frames(file)]
    if not videos:
        raise SkeletonFormatError(
            f"{source}: holds labels ({files[0].name}, …) but no recordings; give their folder too"
        )
    labels = {file.name.lower(): file for file in files if _is_labels(file)}
    for file in videos:
        match = NAME.fullmatch(file.name)
        assert match is not None
        own = labels.get(file.name.lower()) or labels_beside(file)
        if own is None:
            raise SkeletonFormatError(
                f"{file}: its labels are not there; put the folder with the labels' {file.name} beside that of the "
                "recordings"
            )
        frames = _frames(file)
        for action, first, last in _actions(own):
            part = frames[first : last + 1]
            people = part.reshape(len(part), 2, 25, 3).swapaxes(0, 1)
            recordings.append(
                Recording(
                    f"{file.stem}_{first}_{last}",
                    unpadded(people) if len(part) else None,
                    action - 1,
                    {"video": match[1], "camera": match[2].upper()},
                )
            )
    classes = tuple(f"action {k}" for k in range(1, ACTIONS + 1))
    return gather(recordings, layout="ntu-rgb+d", source=source, class_names=classes)


def _is_frames(file: Path) -> bool:
    return len(_first_line(file).split()) == NUMBERS


def _is_labels(file: Path) -> bool:
    return re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){2,3}", _first_line(file)) is not None


def _first_line(file: Path) -> str:
    return next(iter(head(file).splitlines()), "")


def labels_beside(file: Path) -> Path | None:
    """Labels of the same name in a folder beside that of the recording."""
    folders = [entry for entry in sorted(file.absolute().parent.parent.iterdir()) if entry.is_dir()]
    places = [beside(folder, file.name) for folder in folders]
    return next((place for place in places if place is not None and _is_labels(place)), None)


def _frames(file: Path) -> NDArray[np.float64]:
    rows = []
    for i, line in enumerate(read_text(file, most=MOST_BYTES).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = np.array(line.split(), dtype=np.float64)
        except ValueError:
            raise SkeletonFormatError(f"{file}: line {i} holds other than numbers; mend it") from None
        if len(values) != NUMBERS:
            raise SkeletonFormatError(f"{file}: line {i} has {len(values)} numbers, expected {NUMBERS}; copy it again")
        rows.append(values)
    frames = np.array(rows)
    if np.isinf(frames).any():
        raise SkeletonFormatError(f"{file}: holds infinite numbers; mend or leave out the file")
    return frames


def _actions(file: Path) -> list[tuple[int, int, int]]:
    """Action, first and last frame of each line."""
    found = []
    for i, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split(",")
        if len(fields) not in (3, 4):
            raise SkeletonFormatError(f"{file}: line {i} has {len(fields)} fields; expected action, first, last frame")
        action, first, last = (number(field, file, f"a field of line {i}") for field in fields[:3])
        if not 1 <= action <= ACTIONS or last < first:
            raise SkeletonFormatError(
                f"{file}: line {i} tells action {action} from frame {first} to {last}; "
                f"expected 1 to {ACTIONS}, and frames in order"
            )
        found.append((action, first, last))
    if not found:
        raise SkeletonFormatError(f"{file}: holds no action ({shorten([file.name])})")
    return found
