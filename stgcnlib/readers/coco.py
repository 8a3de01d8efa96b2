"""Keypoint results in the manner of COCO, as AlphaPose, MMPose and detectors export them (Lin et al., ECCV 2014).

Either a JSON list of detections, each `image_id` (a frame's number or file name), `keypoints` (x, y and confidence of
each joint in turn, pixels, y down), `score`, and where the tool tracked, `idx` or `track_id`; `image_id` such as
``video7/000012.jpg`` separates recordings (`image_names` says how names are understood). Or MMPose's `instance_info`, a
list of frames with `frame_id` and `instances` (`keypoints` as pairs, `keypoint_scores`). 17 joints are COCO's, 26
HALPE's, 133 COCO-WholeBody's, 21 a hand's; channels x, y, confidence.

Frames are in the order of their numbers. Numbers that are left out are frames without anybody. If too many are left
out (see `stgcnlib.readers.frames`), the numbers only order the frames, with a warning. Classes come from a
``labels.csv`` in the folder (name, label, groups), or from subfolders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, add_labels, floats, gather, head, natural, read_json
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.image_names import frames_of_images
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.json with 'image_id' and 'keypoints', or 'instance_info'"
LAYOUTS = {17: "coco-17", 21: "hand-21", 26: "halpe-26", 133: "coco-wholebody-133"}
MOST_BYTES = 2**27


def recognises(file: Path) -> bool:
    """Whether a file is JSON with detections or instances."""
    if file.suffix.lower() != ".json":
        return False
    start = head(file)
    detections = start.lstrip().startswith("[") and '"image_id"' in start and '"keypoints"' in start
    return detections or '"instance_info"' in start or '"meta_info"' in start or '"instances"' in start


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per file and video; people are told apart by track where all have one, else by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged or of other joints.
    """
    recordings, folders = [], []
    counts: set[int] = set()
    for file in files:
        content = read_json(file, most=MOST_BYTES)
        if isinstance(content, dict):
            content = content.get("instance_info")
        if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
            raise SkeletonFormatError(f"{file}: is no list of detections or frames; is it a keypoint result?")
        by_instances = any("instances" in entry for entry in content)
        videos = _instances(content, file) if by_instances else _detections(content, file)
        counts |= {len(found.joints) for frames in videos.values() for people in frames.values() for found in people}
        if len(counts) > 1:
            raise SkeletonFormatError(
                f"{file}: has people of {sorted(counts)} joints, with those before; read them apart"
            )
        for video, frames in videos.items():
            name = file.stem if len(videos) == 1 else f"{file.stem}/{video}"
            in_order = _in_order(frames, file, guessed=not by_instances)
            recordings.append(Recording(name, tracked(in_order, axes=2, source=file)))
            folders.append(file.parent.name)
    add_labels(recordings, folders, source)
    return gather(recordings, layout=LAYOUTS[counts.pop() if counts else 17], source=source)


def _detections(content: list[dict[str, Any]], file: Path) -> dict[str, dict[int | str, list[Detection]]]:
    """Video -> frame -> detections, from one flat list."""
    videos: dict[str, dict[int | str, list[Detection]]] = {}
    names = [image for entry in content if isinstance(image := entry.get("image_id"), str) and image]
    known = frames_of_images(names, file)
    for i, entry in enumerate(content):
        where = f"{file}: detection {i}"
        values = floats(entry.get("keypoints"), f"{where}: 'keypoints'")
        if values.ndim != 1 or len(values) / 3 not in LAYOUTS:
            raise SkeletonFormatError(
                f"{where}: 'keypoints' has shape {values.shape}; expected x, y, confidence of COCO's 17 joints, or of "
                f"{shorten(list(LAYOUTS)[1:])}"
            )
        image = entry.get("image_id")
        if type(image) is not int and not (isinstance(image, str) and image):
            raise SkeletonFormatError(f"{where}: 'image_id' is {str(image)[:40]!r}; expected a number or a file name")
        video, frame = known[image] if isinstance(image, str) else ("", image)
        track = entry.get("idx") if entry.get("track_id") is None else entry["track_id"]
        found = _detection(values.reshape(-1, 3), track, entry.get("score"))
        videos.setdefault(video, {}).setdefault(frame, []).append(found)
    return videos


def _instances(content: list[dict[str, Any]], file: Path) -> dict[str, dict[int | str, list[Detection]]]:
    """Frame -> detections of MMPose's frames, which are one video."""
    frames: dict[int | str, list[Detection]] = {}
    for i, entry in enumerate(content):
        frame, instances = entry.get("frame_id", i), entry.get("instances")
        where = f"{file}: frame {str(frame)[:40]}"
        if type(frame) is not int or frame in frames or not isinstance(instances, list):
            raise SkeletonFormatError(
                f"{where}: 'frame_id' is not a number or occurs twice, or 'instances' is not a list"
            )
        frames[frame] = []
        for instance in instances:
            if not isinstance(instance, dict):
                raise SkeletonFormatError(f"{where}: an instance is no object with 'keypoints'")
            points = floats(instance.get("keypoints"), f"{where}: 'keypoints'")
            said = instance.get("keypoint_scores")
            V = len(points) if points.ndim else 0
            scores = floats([None] * V if said is None else said, f"{where}: 'keypoint_scores'")
            if V not in LAYOUTS or points.shape != (V, 2) or scores.shape != (V,):
                raise SkeletonFormatError(
                    f"{where}: 'keypoints' has shape {points.shape} and 'keypoint_scores' {scores.shape}; "
                    f"expected (V, 2) and (V,) for {shorten(LAYOUTS)} joints"
                )
            joints = np.concatenate([points, scores[:, None]], axis=1)
            frames[frame].append(_detection(joints, instance.get("track_id"), instance.get("bbox_score")))
    return {"": frames}


def _detection(joints: NDArray[np.float32], track: Any, score: Any) -> Detection:
    while isinstance(track, list) and len(track) == 1:  # AlphaPose nests it
        track = track[0]
    if isinstance(track, float) and track.is_integer():
        track = int(track)
    sure = float(score) if type(score) in (int, float) and abs(score) < 1e9 else float(np.nansum(joints[:, 2]))
    return Detection(joints, track if type(track) in (int, str) and track != -1 else None, sure)


def _in_order(frames: dict[int | str, list[Detection]], file: Path, *, guessed: bool) -> Sequence[Sequence[Detection]]:
    numbered = {frame: found for frame, found in frames.items() if isinstance(frame, int)}
    if len(numbered) < len(frames):
        return [frames[key] for key in sorted(frames, key=lambda key: natural(str(key)))]
    return in_time(numbered, source=file, guessed=guessed)
