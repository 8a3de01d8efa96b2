"""UTKinect-Action3D: Kinect v1 skeletons as text (Xia, Chen, Aggarwal, CVPR Workshops 2012).

One ``joints_sXX_eYY.txt`` per take, in which a subject does ten actions one after the other: a line per tracked frame,
the frame's number and x, y, z of 20 joints in metres (x to the sensor's left, y up, z away from it). Numbers skip
(about 15 Hz remain): a step of up to `JUMP` leads to the next frame; a longer one stands for frames without anybody, at
the usual rate of the action. About 2 % of the frames are there twice; the first is kept.
``actionLabel.txt``, in the folder or above it, has a line with the take (``s01_e01``), then lines of action, first and
last frame (``walk: 252 390``; NaN where an action is missing).

Joints come in the order of the Kinect SDK, hip centre first, and become those of layout "kinect-v1".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, beside, gather, number, read_text, row
from stgcnlib.readers.frames import spread
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "joints_sXX_eYY.txt"
NAME = re.compile(r"joints_s(\d{2})_e(\d{2})\.txt", re.IGNORECASE)
TAKE = re.compile(r"s\d{2}_e\d{2}")
LABEL_FILE = "actionLabel.txt"
JOINTS = 20
JUMP = 5  # numbers: a sixth of a second
# Place in the SDK's order for each joint of "kinect-v1".
ORDER = (3, 2, 1, 0, *range(4, JOINTS))

# As the label file spells them -> class names.
ACTIONS = {
    "walk": "walk", "sitDown": "sit down", "standUp": "stand up", "pickUp": "pick up", "carry": "carry",
    "throw": "throw", "push": "push", "pull": "pull", "waveHands": "wave hands", "clapHands": "clap hands",
}  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per action of the takes in `files`, with groups subject and trial; layout "kinect-v1".

    Raises:
        SkeletonFormatError: naming the first file that is damaged, or the label file that is missing.
    """
    folder = files[0].parent
    labels = beside(folder, LABEL_FILE) or beside(folder.parent, LABEL_FILE)
    if labels is None:
        raise SkeletonFormatError(f"{source}: {LABEL_FILE} is not there; put it beside the joints files or above them")
    segments = _segments(labels)
    recordings = []
    for file in files:
        match = NAME.fullmatch(file.name)
        assert match is not None
        take = file.stem.lower().removeprefix("joints_")
        if take not in segments:
            raise SkeletonFormatError(f"{labels}: has no take {take}; it has {shorten(segments)}")
        numbers, coords = _frames(file)
        for action, (first, last) in segments[take].items():
            inside = (numbers >= first) & (numbers <= last)
            moving = _in_time(numbers[inside], coords[inside], f"{file}: {action}")
            recordings.append(
                Recording(
                    f"{take}_{action}",
                    moving,
                    list(ACTIONS).index(action),
                    {"subject": int(match[1]), "trial": int(match[2])},
                )
            )
    return gather(recordings, layout="kinect-v1", source=source, class_names=tuple(ACTIONS.values()))


def _in_time(numbers: NDArray[np.int64], coords: NDArray[np.float64], what: str) -> NDArray[np.float64] | None:
    """(T, 20, 3) with zero frames where numbers jump; `None` without frames."""
    if not len(numbers):
        return None
    order = np.argsort(numbers)
    numbers, coords = numbers[order], coords[order]
    steps = np.diff(numbers)
    usual = max(1, int(np.median(steps[steps <= JUMP]))) if (steps <= JUMP).any() else 1
    at = np.cumsum([0, *np.where(steps <= JUMP, 1, steps // usual)])
    return spread(at.tolist(), coords, source=what)


def _segments(file: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Take -> action -> first and last frame."""
    takes: dict[str, dict[str, tuple[int, int]]] = {}
    actions: dict[str, tuple[int, int]] | None = None
    for i, line in enumerate(read_text(file).splitlines(), start=1):
        fields = line.replace(":", " ").split()
        if not fields:
            continue
        if len(fields) == 1 and TAKE.fullmatch(fields[0]):
            actions = takes.setdefault(fields[0], {})
        elif len(fields) == 3 and fields[0] in ACTIONS and actions is not None:
            if "nan" not in (fields[1].lower(), fields[2].lower()):
                first, last = (number(field, file, f"a frame of line {i}") for field in fields[1:])
                actions[fields[0]] = (first, last)
        else:
            raise SkeletonFormatError(f"{file}: line {i} is neither a take nor an action with its frames; mend it")
    return takes


def _frames(file: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Frame numbers (T,), and (T, 20, 3) coordinates."""
    frames: dict[int, list[float]] = {}
    for i, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        values = row(line, file, f"line {i}", least=1 + 3 * JOINTS)
        if not (values[0].is_integer() and 0 <= values[0] < 2**53):
            raise SkeletonFormatError(f"{file}: line {i} starts with {values[0]}; expected a frame's number")
        frames.setdefault(int(values[0]), values[1 : 1 + 3 * JOINTS])
    if not frames:
        raise SkeletonFormatError(f"{file}: holds no frame; copy it again")
    coords = np.array(list(frames.values())).reshape(-1, JOINTS, 3)[:, list(ORDER)]
    return np.array(list(frames), dtype=np.int64), coords
