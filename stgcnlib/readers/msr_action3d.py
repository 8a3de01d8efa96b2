"""MSR-Action3D: skeletons of an early depth sensor as text (Li, Zhang, Liu, CVPR Workshops 2010).

One ``aXX_sXX_eXX_skeleton3D.txt`` (or ``…_skeleton.txt``) per recording, 15 Hz: a line per joint, 20 lines per frame,
each x, y, z and a confidence, which is not kept. In the real-world variant, which is the one to use, these are metres.
The other variant has picture coordinates but does not say so; x that looks like pixels gives a warning. 20 actions,
10 subjects, up to 3 trials; the usual test is on the even subjects. Ten of the 567 files are known to be badly
tracked; leave them out by `stgcnlib.read(skip=...)`.

The published joint order starts with the shoulders (see `ORDER`) and becomes that of layout "kinect-v1". The files
name no joints: bones follow from the published viewer, and sides from the recordings themselves. Of the two shoulders
the second is the right one: it lies to the right of the direction of the feet, and its arm draws, hammers and serves.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.content import Recording, gather, read_text, row
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "aXX_sXX_eXX_skeleton3D.txt"
NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_skeleton(3D)?\.txt", re.IGNORECASE)
JOINTS = 20
PIXELS = 20.0  # metres; nobody stands so far to the side of the sensor
# Line of a frame (from 1) for each joint of "kinect-v1": head to hip centre, left arm, right arm, left leg, right leg.
ORDER = (20, 3, 4, 7, 1, 8, 10, 12, 2, 9, 11, 13, 5, 14, 16, 18, 6, 15, 17, 19)

ACTIONS = (
    "high arm wave", "horizontal arm wave", "hammer", "hand catch", "forward punch", "high throw", "draw x",
    "draw tick", "draw circle", "hand clap", "two hand wave", "side-boxing", "bend", "forward kick", "side kick",
    "jogging", "tennis swing", "tennis serve", "golf swing", "pick up and throw",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings in `files`, with groups subject and trial; layout "kinect-v1".

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    recordings = []
    for file in files:
        match = NAME.fullmatch(file.name)
        assert match is not None
        action, subject, trial = (int(text) for text in match.groups()[:3])
        if not 1 <= action <= len(ACTIONS):
            raise SkeletonFormatError(f"{file}: action {action} does not exist; MSR-Action3D has 1 to {len(ACTIONS)}")
        name = file.name[: file.name.lower().index("_skeleton")]
        recordings.append(Recording(name, _coords(file), action - 1, {"subject": subject, "trial": trial}))
    pixels = [r.name for r in recordings if r.coords is not None and np.median(np.abs(r.coords[..., 0])) > PIXELS]
    if pixels:
        warnings.warn(
            f"{source}: x of {len(pixels)} recordings ({pixels[0]}, …) looks like pixels; "
            "the real-world variant (skeleton3D) has metres",
            stacklevel=2,
        )
    return gather(recordings, layout="kinect-v1", source=source, class_names=ACTIONS)


def _coords(file: Path) -> NDArray[np.float64] | None:
    lines = [line for line in read_text(file).splitlines() if line.strip()]
    if len(lines) % JOINTS:
        raise SkeletonFormatError(
            f"{file}: has {len(lines)} lines, which is no multiple of {JOINTS} joints; truncated, copy it again"
        )
    if not lines:
        return None
    rows = [row(line, file, f"joint line {i + 1}", least=4)[:3] for i, line in enumerate(lines)]
    return np.array(rows).reshape(-1, JOINTS, 3)[:, np.array(ORDER) - 1]
