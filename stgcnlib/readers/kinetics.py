"""Kinetics-Skeleton of the ST-GCN authors: OpenPose on Kinetics-400 clips as JSON (Yan et al., AAAI 2018).

One ``YOUTUBEID.json`` per clip of ten seconds at 30 Hz: `data`, a list of frames with `frame_index` (from 1) and
`skeleton`, a list of people with `pose` (x and y of 18 joints in turn, as shares of the picture's width and height,
y down) and `score` (confidence of each joint); `label` and `label_index` (the place among the 400 sorted classes).
Joints that were not found are zero, and so are frames that are left out. A label file (``kinetics_val_label.json``:
clip -> label, label_index), in the folder or beside it, overrides the labels in the clips, with a warning where they
differ. Layout "openpose-18", channels x, y, confidence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SkeletonFormatError, shorten, warn
from stgcnlib.readers.content import Recording, floats, gather, head, read_json
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "CLIP.json with 'data' of 'frame_index' and 'skeleton'"
JOINTS = 18
CLASSES = 400
MOST_CLASSES = 100_000
MOST_BYTES = 2**25


def recognises(file: Path) -> bool:
    """Whether a file is JSON with frames of skeletons."""
    return file.suffix.lower() == ".json" and '"skeleton"' in (start := head(file)) and '"data"' in start


def read(files: list[Path], source: Path) -> SequenceSet:
    """The clips in `files`, several people followed by nearness (the format does not say who is who).

    Raises:
        SkeletonFormatError: naming the first file that is damaged, and how to mend it.
    """
    known = _labels(source)
    recordings = []
    names: dict[int, str] = {}
    differing: list[str] = []
    for file in files:
        content = read_json(file, most=MOST_BYTES)
        if not isinstance(content, dict) or not isinstance(content.get("data"), list):
            raise SkeletonFormatError(f"{file}: lacks the list 'data'; is it a Kinetics-Skeleton clip?")
        said = known.get(file.stem, content)
        if not isinstance(said, dict):
            raise SkeletonFormatError(f"{source}: the label of {file.stem} is no 'label' with 'label_index'")
        label, name = said.get("label_index"), said.get("label")
        if any(content.get(key) not in (None, said.get(key)) for key in ("label_index", "label")):
            differing.append(f"{file.stem} ({str(content.get('label'))[:40]!r}, not {str(name)[:40]!r})")
        if label is not None and not (type(label) is int and 0 <= label < MOST_CLASSES):
            raise SkeletonFormatError(f"{file}: 'label_index' is {str(label)[:40]}; expected a class index")
        if label is not None and names.setdefault(label, str(name)) != str(name):
            raise SkeletonFormatError(f"{file}: class {label} is {str(name)[:80]!r} here, {names[label]!r} elsewhere")
        frames = in_time(_frames(content["data"], file), source=file)
        recordings.append(Recording(file.stem, tracked(frames, axes=2, source=file), label))
    if differing:
        warn(
            f"{source}: labels in {len(differing)} clips differ from the label file, which is used: "
            f"{', '.join(differing[:4])}{', …' * (len(differing) > 4)}"
        )
    count = max(CLASSES, *(label + 1 for label in names)) if names else 0
    classes = [names.get(c, f"class {c}") for c in range(count)] or None
    return gather(recordings, layout="openpose-18", source=source, class_names=classes)


def _frames(data: list[Any], file: Path) -> dict[int, list[Detection]]:
    """Detections of every listed frame, by `frame_index`."""
    frames: dict[int, list[Detection]] = {}
    for entry in data:
        if not isinstance(entry, dict) or not isinstance(entry.get("skeleton"), list):
            raise SkeletonFormatError(
                f"{file}: 'data' holds an entry without 'skeleton'; is it a Kinetics-Skeleton clip?"
            )
        index = entry.get("frame_index")
        if type(index) is not int or index in frames:
            raise SkeletonFormatError(f"{file}: 'frame_index' is {str(index)[:40]}; expected a whole number, once each")
        frames[index] = [_detection(person, f"{file}: frame {str(index)[:40]}") for person in entry["skeleton"]]
    return frames


def _detection(person: Any, where: str) -> Detection:
    if not isinstance(person, dict):
        raise SkeletonFormatError(f"{where}: a person is no 'pose' with 'score'")
    pose = floats(person.get("pose"), f"{where}: 'pose'")
    score = floats([None] * JOINTS if person.get("score") is None else person["score"], f"{where}: 'score'")
    if pose.shape != (2 * JOINTS,) or score.shape != (JOINTS,):
        raise SkeletonFormatError(
            f"{where}: 'pose' has shape {pose.shape} and 'score' {score.shape}; "
            f"expected {2 * JOINTS} and {JOINTS} numbers"
        )
    joints = np.concatenate([pose.reshape(JOINTS, 2), score[:, None]], axis=1)
    return Detection(joints, score=float(np.nansum(score)))


def _labels(source: Path) -> dict[str, Any]:
    """What a label file in the folder or beside it says: ``*_label.json``, or the folder's name with _label.json."""
    if not source.is_dir():
        return {}
    files = sorted(source.glob("*_label.json")) or [
        file for file in [source.with_name(source.name + "_label.json")] if file.is_file()
    ]
    if len(files) > 1:
        raise SkeletonFormatError(f"{source}: has several label files ({shorten(f.name for f in files)}); keep one")
    content = read_json(files[0]) if files else {}
    if not isinstance(content, dict):
        raise SkeletonFormatError(f"{files[0]}: is no map of clips to labels")
    return content
