"""OpenPose's output folder: one JSON per frame of a video (Cao et al., TPAMI 2019; `--write_json`).

``VIDEO_000000000012_keypoints.json`` holds `people`, each with `pose_keypoints_2d`: x, y and confidence of 25 joints
(BODY_25, layout "openpose-25") or 18 (COCO, layout "openpose-18") in turn, x and y in pixels from the upper left corner
(or as `--keypoint_scale` said), zero where a joint was not found; `person_id` is [-1] unless OpenPose tracked. Hands
and faces are not kept. Frames without a file are frames without anybody. A folder of such folders is a set of
recordings.

Classes come from a ``labels.csv`` in the folder (name, label, groups), or from subfolders where those hold several
videos each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.content import Recording, add_labels, floats, gather, read_json
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "VIDEO_000000000012_keypoints.json"
NAME = re.compile(r"(?:(.*)_)?(\d{1,15})_keypoints\.json", re.IGNORECASE)
LAYOUTS = {75: "openpose-25", 54: "openpose-18"}
MOST_BYTES = 2**22  # of one frame


def recognises(file: Path) -> bool:
    """Whether a file's name is of this format."""
    return NAME.fullmatch(file.name) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per video in `files`, people told apart by `person_id` where OpenPose gave one, else by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged or of another body model.
    """
    videos: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    for file in files:
        match = NAME.fullmatch(file.name)
        assert match is not None
        videos.setdefault((file.parent, match[1] or file.parent.name), []).append((int(match[2]), file))
    names = [name for _, name in videos]
    folders = {folder for folder, _ in videos}
    recordings = []
    size: int | None = None
    for (folder, name), frames in videos.items():
        detections: dict[int, list[Detection]] = {}
        for frame, file in sorted(frames):
            if frame in detections:
                raise SkeletonFormatError(f"{file}: frame {frame} of {name} is there twice; remove one of the files")
            found, own_size = _frame(file)
            if size is not None and own_size not in (None, size):
                raise SkeletonFormatError(f"{file}: has another body model than the files before; read it by itself")
            size = size if own_size is None else own_size
            detections[frame] = found
        unique = name if names.count(name) == 1 else f"{folder.name}/{name}"
        recordings.append(Recording(unique, tracked(in_time(detections, source=folder / name), axes=2, source=folder)))
    # With one video per subfolder, the subfolders' names are names of recordings, not of classes.
    classes = [folder.name if len(folders) < len(videos) else "" for folder, _ in videos]
    add_labels(recordings, classes, source)
    return gather(recordings, layout=LAYOUTS[size or 75], source=source)


def _frame(file: Path) -> tuple[list[Detection], int | None]:
    """Who is in a frame, and how many numbers a body has."""
    content = read_json(file, most=MOST_BYTES)
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise SkeletonFormatError(f"{file}: lacks the list 'people'; is it a frame of OpenPose?")
    people = []
    size: int | None = None
    for person in content["people"]:
        points = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        values = floats(points, f"{file}: 'pose_keypoints_2d'")
        if values.ndim != 1 or len(values) not in LAYOUTS or size not in (None, len(values)):
            raise SkeletonFormatError(
                f"{file}: 'pose_keypoints_2d' has shape {values.shape}; expected x, y, confidence of 25 or 18 joints"
            )
        size = len(values)
        joints = values.reshape(-1, 3)
        people.append(Detection(joints, _identity(person.get("person_id")), score=float(np.nansum(joints[:, 2]))))
    return people, size


def _identity(value: Any) -> int | None:
    """`person_id` is a list of one number, -1 where nothing is known."""
    number = value[0] if isinstance(value, list) and value else value
    return number if type(number) is int and number >= 0 else None
