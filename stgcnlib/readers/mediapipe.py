"""MediaPipe Pose landmarks as JSON (Bazarevsky et al., BlazePose, 2020); as CSV, see `keypoint_csv`.

MediaPipe has no file format of its own. What people write is a list of frames (or an object with `frames`), each a
list of 33 landmarks, or an object that holds them as `landmarks`, `pose_landmarks` or `pose_world_landmarks` (also
in camel case). The newer task interface nests one list per person. Null or an empty list is a frame without anybody,
and so is a number that is left out where the objects have `frame` (or `frame_id`, `frame_index`, `frame_number`). A
landmark has `x`, `y`, `z` and mostly `visibility`: x and y are shares of the picture's width and height, y down, z is
depth from the hips in the scale of x. World landmarks are metres from the middle of the hips, and are preferred where
a frame has both. Layout "mediapipe-33", channels x, y, z and, where all have it (not null), the visibility.

MediaPipe Hands has 21 landmarks a hand, as `hand_landmarks`, `multi_hand_landmarks` or a plain list; several hands
are several people. Layout "hand-21", channels x and y; z, which is relative to the wrist, is not kept.

Classes come from a ``labels.csv`` in the folder (name, label, groups), or from subfolders.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers.content import Recording, add_labels, floats, gather, head, read_json
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.json with 33 landmarks, or 21 of a hand"
START = re.compile(
    r'"(pose_?|hand_?|multi_?hand_?)?(world_?)?landmarks?"|"x"\s*:[^{}]*"y"\s*:[^{}]*"z"\s*:', re.IGNORECASE
)
LAYOUTS = {33: "mediapipe-33", 21: "hand-21"}
NUMBER = ("frame", "frame_id", "frame_index", "frame_number", "frameNumber", "frameIndex")
KEYS = (
    "poseworldlandmarks", "worldlandmarks", "poselandmarks", "multihandlandmarks", "handlandmarks", "landmarks",
    "landmark",
)  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file is JSON with landmarks."""
    return file.suffix.lower() == ".json" and START.search(head(file)) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per file, several people by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    recordings = []
    counts: set[int] = set()
    for file in files:
        content = read_json(file)
        if isinstance(content, dict):
            content = content.get("frames")
        if not isinstance(content, list):
            raise SkeletonFormatError(f"{file}: is no list of frames, nor an object with 'frames'")
        frames = [_frame(entry, f"{file}: frame {i}") for i, entry in enumerate(content)]
        channels = min((found.joints.shape[1] for frame in frames for found in frame), default=3)
        for found in (found for frame in frames for found in frame):
            found.joints = found.joints[:, :channels]
        counts |= {len(found.joints) for frame in frames for found in frame}
        if len(counts) > 1:
            raise SkeletonFormatError(
                f"{file}: holds {sorted(counts)} landmarks, with the files before; read them apart"
            )
        numbers = _numbers(content, file)
        listed = frames if numbers is None else in_time(dict(zip(numbers, frames, strict=True)), source=file)
        recordings.append(Recording(file.stem, tracked(listed, axes=2 if 21 in counts else 3, source=file)))
    widths = {r.coords.shape[-1] for r in recordings if r.coords is not None}
    if len(widths) > 1:
        raise SkeletonFormatError(f"{source}: some files have the visibility and others not; read them apart")
    add_labels(recordings, [file.parent.name for file in files], source)
    return gather(recordings, layout=LAYOUTS[counts.pop() if counts else 33], source=source)


def _frame(entry: Any, where: str) -> list[Detection]:
    if isinstance(entry, dict):
        plain = {str(key).lower().replace("_", ""): value for key, value in entry.items()}
        known = [key for key in KEYS if key in plain]
        if not known:
            raise SkeletonFormatError(f"{where}: holds neither 'landmarks' nor 'pose_landmarks'")
        entry = next((plain[key] for key in known if plain[key]), None)
        if isinstance(entry, dict):
            entry = entry.get("landmark")  # the message of the older interface, as an object
    if not entry:
        return []
    people = entry if isinstance(entry, list) and isinstance(entry[0], list) else [entry]
    return [_person(person, where) for person in people if person]


def _numbers(content: list[Any], file: Path) -> list[int] | None:
    """Numbers of the frames, where every frame is an object that has one."""
    for key in NUMBER:
        told = [entry[key] for entry in content if isinstance(entry, dict) and type(entry.get(key)) is int]
        if told and len(told) == len(content):
            if len(set(told)) < len(told):
                twice = next(number for number in told if told.count(number) > 1)
                raise SkeletonFormatError(f"{file}: {key!r} {str(twice)[:40]} is there twice; number the frames")
            return told
    return None


def _person(landmarks: Any, where: str) -> Detection:
    if isinstance(landmarks, dict):
        landmarks = landmarks.get("landmark")  # a hand of the older interface, as an object
    if not isinstance(landmarks, list) or len(landmarks) not in LAYOUTS:
        count = len(landmarks) if isinstance(landmarks, list) else 0
        raise SkeletonFormatError(f"{where}: {count} landmarks; MediaPipe Pose has 33, a hand 21")
    hand = len(landmarks) == 21
    keys = ["x", "y"] if hand else ["x", "y", "z"]
    if not all(isinstance(landmark, dict) and set(keys) <= landmark.keys() for landmark in landmarks):
        raise SkeletonFormatError(f"{where}: a landmark lacks {', '.join(keys[:-1])} or {keys[-1]}")
    if not hand and all(landmark.get("visibility") is not None for landmark in landmarks):
        keys.append("visibility")
    joints = floats([[landmark[key] for key in keys] for landmark in landmarks], where)
    if joints.shape != (len(landmarks), len(keys)):
        raise SkeletonFormatError(f"{where}: a landmark holds other than numbers; mend it")
    return Detection(joints, score=float(np.nansum(joints[:, 3:])))
