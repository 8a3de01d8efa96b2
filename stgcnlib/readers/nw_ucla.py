"""Northwestern-UCLA Multiview Action 3D: Kinect v1 skeletons as JSON (Wang et al., CVPR 2014).

One ``aAA_sSS_eEE_vVV.json`` per recording with `file_name`, `skeletons` (T, 20 joints, 3) in metres and `label`
(1 to 10): x to the performer's right, y up, z away from the sensor. 10 actions, 10 subjects, 3 views.

Everything is kept as published. Two recordings have a single frame, two have one frame with a few joints lost at
the origin. In the JSON copy that circulates, 95 recordings of view 3 (all 50 of "pick up with two hands", 45 of "drop
trash") equal those of view 2 number for number, so the usual test on view 3 is partly a test on training data.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, SkeletonFormatError, shorten
from stgcnlib.readers.content import MOST_BYTES, floats, read_json
from stgcnlib.sequences import SequenceSet

__all__ = ["ACTIONS", "PATTERN", "read", "recognises"]

PATTERN = "aAA_sSS_eEE_vVV.json"
NAME = re.compile(r"a(\d{1,6})_s(\d{1,6})_e(\d{1,6})_v(\d{1,6})\.json", re.IGNORECASE)
JOINTS = 20

# Action number in the file name -> class name; the label inside is the place in this list, from 1.
ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """The recordings in `files`, with groups subject, view and trial; layout "nw-ucla".

    Raises:
        SkeletonFormatError: naming the first file that is damaged or contradicts its name, and how to mend it.
    """
    files = sorted(files, key=_numbers)
    actions = list(ACTIONS)
    coords = [_coords(file) for file in files]
    numbers = np.array([_numbers(file) for file in files])
    try:
        return SequenceSet(
            coords,
            labels=np.array([actions.index(int(action)) for action in numbers[:, 0]]),
            class_names=tuple(ACTIONS.values()),
            groups={"subject": numbers[:, 1], "view": numbers[:, 3], "trial": numbers[:, 2]},
            layout="nw-ucla",
            names=[file.stem for file in files],
        )
    except SequenceError as error:
        raise SkeletonFormatError(f"{source}: {error}") from None


def _numbers(file: Path) -> tuple[int, int, int, int]:
    match = NAME.fullmatch(file.name)
    assert match is not None
    return int(match[1]), int(match[2]), int(match[3]), int(match[4])


def _coords(file: Path) -> NDArray[np.float32]:
    action = _numbers(file)[0]
    if action not in ACTIONS:
        raise SkeletonFormatError(f"{file}: action {action} does not exist; NW-UCLA has {shorten(ACTIONS, 12)}")
    content = read_json(file, most=MOST_BYTES)
    if not isinstance(content, dict) or not {"skeletons", "label"} <= content.keys():
        raise SkeletonFormatError(f"{file}: lacks 'skeletons' or 'label'; is it an NW-UCLA recording?")
    expected = list(ACTIONS).index(action) + 1
    if content["label"] != expected:
        raise SkeletonFormatError(
            f"{file}: 'label' is {content['label']!r}, the name says action {action}, which is label {expected}; "
            "rename the file or mend its label"
        )
    if content.get("file_name", file.stem) != file.stem:
        raise SkeletonFormatError(
            f"{file}: 'file_name' is {content['file_name']!r}; rename the file, or copy the right one again"
        )
    skeletons = floats(content["skeletons"], f"{file}: 'skeletons'")
    if skeletons.ndim != 3 or skeletons.shape[1:] != (JOINTS, 3) or len(skeletons) == 0:
        raise SkeletonFormatError(
            f"{file}: 'skeletons' has shape {skeletons.shape}; expected (frames, {JOINTS} joints, 3)"
        )
    return skeletons
