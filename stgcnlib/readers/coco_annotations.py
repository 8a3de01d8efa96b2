"""Annotations in the manner of COCO, of videos: PoseTrack18 and 21 and what labelling tools export (CVPR 2018).

A JSON object of `images`, `annotations` and `categories`. A category names its `keypoints` and their `skeleton`; an
annotation has its `image_id`, x, y and a flag of each joint in turn (0: not annotated), and mostly a `track_id`. Images
with one `vid_id` (or `video_id`, or in one folder) are the frames of a recording, in the order of `frame_id` or of the
numbers in their names; an image without an annotation is a frame without anybody, and so is a number without an image.

Joints come in pixels, y down; the third channel is 1 for joints that were annotated. The layout is a known one
with these joints, else one made from the category. Annotations of single pictures, such as COCO's own, hold no
motion and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stgcnlib.errors import SkeletonFormatError, shorten
from stgcnlib.readers.content import Recording, add_labels, floats, gather, head, natural, read_json
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.image_names import frames_of_images
from stgcnlib.readers.joints import layout_of
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.json with 'images', 'annotations' and 'categories'"
KEYS = re.compile(r'"(images|annotations|categories)"\s*:\s*\[')
MOST_BYTES = 2**27
VIDEO = ("vid_id", "video_id")


def recognises(file: Path) -> bool:
    """Whether a file is a JSON object with one of these lists."""
    if file.suffix.lower() != ".json":
        return False
    start = head(file)
    return start.lstrip().startswith("{") and KEYS.search(start) is not None


def read(files: list[Path], source: Path) -> SequenceSet:
    """One recording per video; people are told apart by `track_id` where all have one, else by nearness.

    Raises:
        SkeletonFormatError: naming the first file that is damaged, has no keypoints, or holds single pictures.
    """
    recordings: list[Recording] = []
    folders: list[str] = []
    layout: SkeletonLayout | None = None
    for file in files:
        content = read_json(file, most=MOST_BYTES)
        lists = {key: _dicts(content, key, file) for key in ("images", "annotations", "categories")}
        skeleton = _layout(lists["categories"], file)
        if layout is not None and skeleton != layout:
            raise SkeletonFormatError(f"{file}: has other joints than {files[0].name}; read them apart")
        layout = skeleton
        found = _detections(lists["annotations"], skeleton, file)
        for video, frames in _videos(lists["images"], file).items():
            coords = tracked(_in_order(frames, found, file), axes=2, source=file)
            recordings.append(Recording(video, coords))
            folders.append(file.parent.name)
    assert layout is not None
    add_labels(recordings, folders, source)
    return gather(recordings, layout=layout, source=source)


def _dicts(content: Any, key: str, file: Path) -> list[dict[str, Any]]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise SkeletonFormatError(f"{file}: has no list {key!r} of objects; expected images, annotations, categories")
    return value


def _layout(categories: list[dict[str, Any]], file: Path) -> SkeletonLayout:
    described = [category for category in categories if category.get("keypoints")]
    if len(described) != 1:
        raise SkeletonFormatError(
            f"{file}: {len(described)} of its {len(categories)} categories have 'keypoints'; expected one that names "
            "them (annotations of boxes and outlines alone hold no skeletons)"
        )
    names, edges = described[0]["keypoints"], described[0].get("skeleton") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SkeletonFormatError(f"{file}: 'keypoints' of its category are no list of names")
    if not isinstance(edges, list) or not all(
        isinstance(edge, list) and len(edge) == 2 and all(type(end) is int for end in edge) for edge in edges
    ):
        raise SkeletonFormatError(f"{file}: 'skeleton' of its category is no list of pairs of joints, counted from 1")
    bones = [(a - 1, b - 1) for a, b in edges]
    return layout_of(
        f"{str(described[0].get('name', 'joints'))[:40]}-{len(names)}", names, bones, dimensions=2, where=str(file)
    )


def _videos(images: list[dict[str, Any]], file: Path) -> dict[str, list[tuple[int | str, str, int | str]]]:
    """Video -> its images: the frame's number or name, the file's name, and the id."""
    videos: dict[str, list[tuple[int | str, str, int | str]]] = {}
    named = frames_of_images([str(image.get("file_name", "")) for image in images], file)
    for i, image in enumerate(images):
        key, name = image.get("id", image.get("frame_id")), str(image.get("file_name", ""))
        if not isinstance(key, int | str):
            raise SkeletonFormatError(f"{file}: image {i} has no 'id'; expected a number or a text")
        folder, frame = named[name]
        video = next((str(image[k]) for k in VIDEO if image.get(k) is not None), folder)
        frame = image["frame_id"] if type(image.get("frame_id")) is int else frame if name else i
        videos.setdefault(video, []).append((frame, name, key))
    if "" in videos or (len(videos) > 1 and all(len(frames) == 1 for frames in videos.values())):
        count = len(videos.get("", [])) or len(videos)
        raise SkeletonFormatError(
            f"{file}: {count} of its {len(images)} images belong to no video (no 'vid_id' or 'video_id', and no folder "
            "in 'file_name'); single pictures hold no motion. Keypoints of a video's frames are read where these say so"
        )
    return videos


def _in_order(
    images: list[tuple[int | str, str, int | str]], found: dict[int | str, list[Detection]], file: Path
) -> Sequence[Sequence[Detection]]:
    """Who is in each frame; a number that is left out is a frame without anybody."""
    numbered = {frame: found.get(key, []) for frame, _, key in images if isinstance(frame, int)}
    if len(numbered) == len(images):
        return in_time(numbered, source=file, guessed=True)
    ordered = sorted(images, key=lambda image: (natural(str(image[0])), natural(image[1])))
    return [found.get(key, []) for _, _, key in ordered]


def _detections(
    annotations: list[dict[str, Any]], layout: SkeletonLayout, file: Path
) -> dict[int | str, list[Detection]]:
    """Image -> people in it."""
    found: dict[int | str, list[Detection]] = {}
    for i, entry in enumerate(annotations):
        where = f"{file}: annotation {i}"
        if "keypoints" not in entry:
            continue  # a box of a person without annotated joints
        values = floats(entry["keypoints"], f"{where}: 'keypoints'")
        if values.shape != (3 * len(layout),):
            raise SkeletonFormatError(
                f"{where}: 'keypoints' has shape {values.shape}; expected x, y and flag of {len(layout)} joints"
            )
        image = entry.get("image_id")
        if not isinstance(image, int | str):
            raise SkeletonFormatError(f"{where}: 'image_id' is {str(image)[:40]}; expected a number or a text")
        joints = values.reshape(-1, 3)
        joints[:, 2] = joints[:, 2] > 0
        joints[joints[:, 2] == 0] = 0
        if joints.any():
            track = entry.get("track_id")
            known = isinstance(track, int | str) and track != -1
            found.setdefault(image, []).append(Detection(joints, track if known else None, float(joints[:, 2].sum())))
    if not found:
        raise SkeletonFormatError(
            f"{file}: no annotation has joints ({shorten(annotations[0]) if annotations else ''})"
        )
    return found
