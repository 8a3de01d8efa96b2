"""UTD-MHAD: Kinect v1 skeletons as MATLAB files (Chen, Jafari, Kehtarnavaz, ICIP 2015).

One ``aA_sS_tT_skeleton.mat`` per recording with `d_skel` (20 joints, 3, T) in metres: x to the performer's
right, y up, z away from the sensor. 27 actions, 8 subjects, 4 trials.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from stgcnlib.errors import SequenceError, SkeletonFormatError
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "aA_sS_tT_skeleton.mat"
NAME = re.compile(r"a(\d{1,6})_s(\d{1,6})_t(\d{1,6})_skeleton\.mat", re.IGNORECASE)
JOINTS = 20
MOST_FRAMES = 100_000  # an hour at 30 Hz; a larger count is a damaged header
MOST_BYTES = 2**26

ACTIONS = (
    "swipe left", "swipe right", "wave", "clap", "throw", "cross arms", "basketball shoot", "draw X",
    "draw circle clockwise", "draw circle counter-clockwise", "draw triangle", "bowling", "boxing",
    "baseball swing", "tennis swing", "arm curl", "tennis serve", "push", "knock on door", "catch",
    "pick up and throw", "jog in place", "walk in place", "sit to stand", "stand to sit", "lunge", "squat",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings in `files`, with groups subject and trial; layout "kinect-v1".

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    files = sorted(files, key=_numbers)
    numbers = np.array([_numbers(file) for file in files])
    if (odd := ~np.isin(numbers[:, 0], np.arange(1, len(ACTIONS) + 1))).any():
        wrong = files[int(np.argmax(odd))]
        raise SkeletonFormatError(f"{wrong}: action {_numbers(wrong)[0]} does not exist; UTD-MHAD has actions 1 to 27")
    try:
        return SequenceSet(
            [_coords(file) for file in files],
            labels=numbers[:, 0] - 1,
            class_names=ACTIONS,
            groups={"subject": numbers[:, 1], "trial": numbers[:, 2]},
            layout="kinect-v1",
            names=[file.stem[: -len("_skeleton")] for file in files],
        )
    except SequenceError as error:
        raise SkeletonFormatError(f"{source}: {error}") from None


def _numbers(file: Path) -> tuple[int, int, int]:
    match = NAME.fullmatch(file.name)
    assert match is not None
    return int(match[1]), int(match[2]), int(match[3])


def _coords(file: Path) -> NDArray[np.float32]:
    try:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise SkeletonFormatError(f"{file}: {size} bytes is too large for one recording; is it the right file?")
        shapes = {name: shape for name, shape, _ in whosmat(file)}
        if "d_skel" not in shapes:
            held = ", ".join(map(repr, shapes)) or "nothing"
            raise SkeletonFormatError(f"{file}: holds {held}, but no 'd_skel'; is it a UTD-MHAD skeleton file?")
        shape = tuple(int(n) for n in shapes["d_skel"])
        if len(shape) != 3 or shape[:2] != (JOINTS, 3) or not 0 < shape[2] <= MOST_FRAMES:
            raise SkeletonFormatError(f"{file}: 'd_skel' has shape {shape}; expected ({JOINTS} joints, 3, frames)")
        skeleton = loadmat(file, variable_names=["d_skel"])["d_skel"]
        if skeleton.shape != shape or skeleton.dtype.kind not in "fiu":
            raise SkeletonFormatError(f"{file}: 'd_skel' holds {skeleton.dtype}; expected real numbers")
    except SkeletonFormatError:
        raise
    except Exception as error:  # scipy's reader raises exceptions of many kinds for damaged files
        kind = "truncated or damaged" if not isinstance(error, MatReadError) else "not a MATLAB file, or cut off"
        raise SkeletonFormatError(f"{file}: {kind} ({type(error).__name__}: {error}); copy it again") from None
    with np.errstate(over="ignore"):  # what overflows is infinite, which SequenceSet refuses
        return np.ascontiguousarray(skeleton.transpose(2, 0, 1), dtype=np.float32)
