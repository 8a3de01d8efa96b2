"""PYSKL and MMAction2 annotation files: one pickle with all recordings of a data set (Duan et al., ACM MM 2022).

A dict of `split` (name -> list of `frame_dir`) and `annotations`, each a dict of `frame_dir` (the recording's name),
`label`, `total_frames`, `keypoint` (M, T, V, C) and, for 2-D poses, `keypoint_score` (M, T, V) and `img_shape`
(height, width); older files are the list of annotations alone. 3-D NTU skeletons are in metres (layout "ntu-rgb+d");
2-D poses in pixels, x to the right, y down: 17 joints are COCO's, 18 and 25 OpenPose's, 21 a hand's, 26 HALPE's, 133
the whole body's. The score becomes the third channel. Nothing of the pickle is run: see `stgcnlib.readers.pickled`.

The pickle of Kinetics (``k400_hrnet.pkl``) has no `keypoint` but `frame_inds`, a frame's number for each detection, and
the detections (K, 17, 3) in a pickle ``NAME.pkl`` of their own, beside it or in ``kpfiles``. Numbers count frames;
where all are multiples of a step, a step is one frame. People are told apart by nearness.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten, warn
from stgcnlib.readers import ntu
from stgcnlib.readers.content import Recording, gather
from stgcnlib.readers.frames import in_time
from stgcnlib.readers.pickled import PickledArray, read_pickle
from stgcnlib.readers.tracks import Detection, tracked
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.pkl with 'annotations'"
SPLIT = re.compile(r"(?:(.+?)[_-])?(train|val|test)[_-]?(\d*)")
LAYOUTS = {
    (17, 2): "coco-17", (18, 2): "openpose-18", (25, 2): "openpose-25", (25, 3): "ntu-rgb+d", (21, 2): "hand-21",
    (26, 2): "halpe-26", (133, 2): "coco-wholebody-133",
}  # fmt: skip
DETECTIONS = "kpfiles"
MOST_CLASSES = 100_000


def recognises(file: Path) -> bool:
    """Whether a file is a pickle by its name, and no list of labels that belongs to an array beside it."""
    return file.suffix.lower() in (".pkl", ".pickle") and not file.stem.lower().endswith("_label")


def read(files: list[Path], source: Path, *, layout: SkeletonLayout | str | None = None) -> SequenceSet:
    """The recordings of one annotation file, on `layout`; `None` chooses one by the number of joints.

    Groups are the splits ("xsub_train" and "xsub_val" become the group "xsub" with values "train" and "val"; "none"
    for recordings in neither), "image height" and "image width" where the file gives them (0 for recordings that lack
    it where others have it, with a warning), and for NTU names setup, camera, subject and replication. A split that
    names unknown recordings is reported as a warning.

    Raises:
        SkeletonFormatError: if there are several files, or it is damaged, unsafe or not of this kind.
    """
    if len(files) > 1:
        raise SkeletonFormatError(f"{source}: holds {len(files)} pickles ({shorten(f.name for f in files)}); name one")
    file = files[0]
    content = read_pickle(file)
    annotations = content.get("annotations") if isinstance(content, dict) else content
    splits = content.get("split", {}) if isinstance(content, dict) else {}
    if not isinstance(annotations, list) or not annotations:
        held = shorten(content) if isinstance(content, dict) else type(content).__name__
        raise SkeletonFormatError(f"{file}: holds no list 'annotations' (it holds {held}); is it a PYSKL file?")
    skeleton = None if layout is None else layout_named(layout)
    read_ones = [
        _recording(annotation, f"{file}: annotation {i}", file, skeleton) for i, annotation in enumerate(annotations)
    ]
    if sum(size for _, _, size in read_ones) > file.stat().st_size:
        # An array that many annotations share is small in the file, but is copied for each of them in memory.
        raise SkeletonFormatError(f"{file}: several annotations share one array; write each with its own")
    kinds = {kind for _, kind, _ in read_ones}
    if skeleton is not None and kinds == {(len(skeleton), skeleton.dimensions)}:
        chosen = skeleton
    elif skeleton is None and len(kinds) == 1 and kinds <= LAYOUTS.keys():
        chosen = layout_named(LAYOUTS[next(iter(kinds))])
    else:
        wanted = (
            f"layout {skeleton.name!r} has ({len(skeleton)}, {skeleton.dimensions})"
            if skeleton is not None
            else f"a file may hold one of {shorten(sorted(LAYOUTS))}; give layout= for other skeletons"
        )
        raise SkeletonFormatError(f"{file}: skeletons of (joints, axes) {shorten(sorted(kinds))}; {wanted}")
    recordings = [recording for recording, _, _ in read_ones]
    _complete_sizes(recordings, file)
    _add_splits(recordings, splits, file)
    classes = ntu.add_groups(recordings)
    return gather(recordings, layout=chosen, source=file, class_names=classes)


def _recording(
    annotation: object, where: str, file: Path, layout: SkeletonLayout | None
) -> tuple[Recording, tuple[int, int], int]:
    """A recording, its joints and axes, and the bytes that its arrays hold."""
    if not isinstance(annotation, dict):
        raise SkeletonFormatError(f"{where} is a {type(annotation).__name__}; expected a dict")
    elsewhere = "keypoint" not in annotation and "frame_inds" in annotation
    for key in ("frame_dir", "label", "keypoint"):
        if key not in annotation and not (elsewhere and key == "keypoint"):
            raise SkeletonFormatError(f"{where} lacks {key!r} (it has {shorten(annotation)}); is it a PYSKL file?")
    name, label = annotation["frame_dir"], annotation["label"]
    if not isinstance(name, str):
        raise SkeletonFormatError(f"{where}: 'frame_dir' is a {type(name).__name__}; expected text")
    where = f"{where} ({name[:80]})"
    if not isinstance(label, int) or not 0 <= label < MOST_CLASSES:
        raise SkeletonFormatError(f"{where}: 'label' is {str(label)[:40]}; expected a class index")
    groups = _picture(annotation)
    if elsewhere:
        coords, kind = _elsewhere(annotation["frame_inds"], name, where, file)
        return Recording(name, coords, label, groups), kind, 0
    points = _array(annotation["keypoint"], f"{where}: 'keypoint'")
    single = points.ndim == 3 and annotation.get("total_frames") == len(points)
    if single:  # one person, without an axis of people
        points = points[None]
    if points.ndim != 4 or points.shape[-1] not in (2, 3):
        raise SkeletonFormatError(
            f"{where}: 'keypoint' has shape {points.shape}; expected (people, frames, joints, 2 or 3)"
        )
    size = points.nbytes
    frames = annotation.get("total_frames", points.shape[1])
    if frames != points.shape[1]:
        raise SkeletonFormatError(f"{where}: 'total_frames' is {str(frames)[:40]}, 'keypoint' has {points.shape[1]}")
    kind = (points.shape[2], points.shape[3])
    if (score := annotation.get("keypoint_score")) is not None:
        confidence = _array(score, f"{where}: 'keypoint_score'")
        confidence = confidence[None] if single and confidence.ndim == 2 else confidence
        if confidence.shape != points.shape[:3] or points.shape[3] != 2:
            raise SkeletonFormatError(
                f"{where}: 'keypoint_score' has shape {confidence.shape} beside 'keypoint' {points.shape}; "
                "expected one score per 2-D joint"
            )
        size += confidence.nbytes
        points = np.concatenate([points, confidence[..., None]], axis=-1)
    elif kind[1] == 3 and (kind[0] != 25 if layout is None else layout.dimensions == 2):
        kind = (kind[0], 2)  # x, y and score in one array
    present = points.any(axis=(1, 2, 3))
    coords = points[present].astype(np.float32) if present.any() else None
    if coords is not None and len(coords) == 1:
        coords = coords[0]
    return Recording(name, coords, label, groups), kind, size


def _complete_sizes(recordings: list[Recording], file: Path) -> None:
    """Give all recordings the groups of an image's size if one has them."""
    without = [recording for recording in recordings if "image height" not in recording.groups]
    if not without or len(without) == len(recordings):
        return
    for recording in without:
        recording.groups = {"image height": 0, "image width": 0, **recording.groups}
    warn(
        f"{file}: {len(without)} of {len(recordings)} annotations have no 'img_shape' of two numbers, and 0 as image "
        f"height and width: {shorten([recording.name for recording in without], 4)}"
    )


def _picture(annotation: dict[Any, Any]) -> dict[str, int | str]:
    match annotation.get("img_shape"):
        case (int() as height, int() as width):
            return {"image height": height, "image width": width}
        case _:
            return {}


def _elsewhere(
    numbers: object, name: str, where: str, file: Path
) -> tuple[NDArray[np.float32] | None, tuple[int, int]]:
    """A recording whose detections lie in a pickle of their own, with its joints and axes."""
    places = [file.parent / f"{name}.pkl", file.parent / DETECTIONS / f"{name}.pkl"]
    own = next((place for place in places if Path(name).name == name and place.is_file()), None)
    if own is None:
        raise SkeletonFormatError(
            f"{where} has its keypoints in another file, as the pickle of Kinetics has; download the keypoints and put "
            f"them into {places[1].parent} as NAME.pkl, beside {file.name}"
        )
    points = _array(read_pickle(own), str(own))
    frames = _array(numbers, f"{where}: 'frame_inds'")
    if points.ndim != 3 or points.shape[2] != 3 or frames.shape != points.shape[:1] or frames.dtype.kind not in "iu":
        raise SkeletonFormatError(
            f"{own}: has shape {points.shape} beside 'frame_inds' {frames.shape}; expected (detections, joints, 3)"
        )
    if not len(frames):
        return None, (points.shape[1], 2)
    detections: dict[int, list[Detection]] = {}
    for frame, joints in zip(frames, points.astype(np.float32), strict=True):
        detections.setdefault(int(frame), []).append(Detection(joints, score=float(joints[:, 2].sum())))
    return tracked(in_time(detections, source=own), axes=2, source=own), (points.shape[1], 2)


def _array(value: object, where: str) -> NDArray[Any]:
    """The numbers of an array; joints with NaN were not found, and are zero."""
    if not isinstance(value, PickledArray):
        raise SkeletonFormatError(f"{where} is a {type(value).__name__}; expected a numpy array of numbers")
    if value.array.dtype.kind == "f" and not np.isfinite(value.array).all():
        if np.isinf(value.array).any():
            raise SkeletonFormatError(f"{where} holds infinite values; mend or leave out the recording")
        lost = np.isnan(value.array)
        return np.where(lost.any(axis=-1, keepdims=True) if value.array.ndim == 4 else lost, 0, value.array)
    return value.array


def _add_splits(recordings: list[Recording], splits: object, file: Path) -> None:
    """Every split as a group: "xsub_train" and "xsub_val" together are the group "xsub"."""
    if not isinstance(splits, dict):
        raise SkeletonFormatError(f"{file}: 'split' is a {type(splits).__name__}; expected a dict of lists of names")
    index: dict[str, list[Recording]] = {}
    for recording in recordings:
        index.setdefault(recording.name, []).append(recording)
    unknown: dict[str, int] = {}
    for key, names in splits.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SkeletonFormatError(f"{file}: split {str(key)[:80]!r} is no list of names")
        group, value = str(key), "in"
        if found := SPLIT.fullmatch(str(key)):
            group, value = f"{found[1] or 'split'} {found[3]}".strip(), found[2]
        for recording in recordings:
            recording.groups.setdefault(group, "none")
        for name in names:
            if name not in index:
                unknown[str(key)] = unknown.get(str(key), 0) + 1
            for recording in index.get(name, ()):
                if recording.groups[group] not in ("none", value):
                    raise SkeletonFormatError(
                        f"{file}: {name[:80]} is in two parts of the split {group!r}; each recording belongs to one"
                    )
                recording.groups[group] = value
    if unknown:
        lacking = ", ".join(f"{count} in {key!r}" for key, count in unknown.items())
        warn(f"{file}: splits name recordings that are not there ({lacking})")
