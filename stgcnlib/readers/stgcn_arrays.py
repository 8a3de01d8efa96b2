"""Arrays that ST-GCN, 2s-AGCN and their successors train from (Yan et al., AAAI 2018; Shi et al., CVPR 2019).

``train_data.npy`` or ``train_data_joint.npy`` is (N, C, T, V, M): recordings, channels, frames, joints, people, padded
with zeros (ST-GCN, MS-G3D) or by repeating the recording (2s-AGCN). ``train_label.pkl`` beside it is a pair of lists,
names and class indices; ``val_…`` likewise. NTU RGB+D has 25 joints and x, y, z, in metres as the sensor gave them
(ST-GCN) or turned and centred beforehand (2s-AGCN, MS-G3D, DSTA-Net); Kinetics has OpenPose's 18 and x, y from -0.5
to 0.5 with the confidence, y down (ST-GCN) or up (2s-AGCN).

Arrays of bones and motions beside them are not read: `stgcnlib.transforms` computes them from the joints.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SkeletonFormatError, shorten, warn
from stgcnlib.readers import ntu
from stgcnlib.readers.arrays import stored
from stgcnlib.readers.content import Recording, gather
from stgcnlib.readers.padding import unpadded
from stgcnlib.readers.pickled import PickledArray, read_pickle
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "train_data.npy or train_data_joint.npy with train_label.pkl"
NAME = re.compile(r"(?P<part>.+)_(?:data(?:_(?P<stream>[a-z]+(?:_motion)?))?\.npy|(?P<label>label)\.pkl)")
JOINTS = (None, "joint")
LAYOUTS = {(25, 3): "ntu-rgb+d", (18, 3): "openpose-18"}
MOST_PEOPLE = 20
MOST_CLASSES = 100_000


def recognises(file: Path) -> bool:
    """Whether a file is such an array with its labels beside it, or those labels."""
    match = NAME.fullmatch(file.name)
    if match is None or not _labels(file.parent, match["part"]).is_file():
        return False
    return match["label"] is None or _joints(file.parent, match["part"]) is not None


def read(files: list[Path], source: Path, *, layout: SkeletonLayout | str | None = None) -> SequenceSet:
    """The recordings of the arrays in `files`, with the group split ("train", "val") and, for NTU names, its groups.

    Args:
        files: arrays and labels of one folder.
        source: what `stgcnlib.read` was given, for messages.
        layout: of the joints; `None` takes the one of `LAYOUTS` with these numbers of joints and channels.

    Raises:
        SkeletonFormatError: naming the file that is missing, damaged, or of other axes.
    """
    matches = [(file, NAME.fullmatch(file.name)) for file in files]
    parts: dict[tuple[Path, str], None] = {(file.parent, m["part"]): None for file, m in matches if m is not None}
    if len(folders := {folder for folder, _ in parts}) > 1:
        names = shorten(sorted(folder.name for folder in folders))
        raise SkeletonFormatError(
            f"{source}: its folders {names} hold arrays each, mostly the same recordings split in other ways; name one"
        )
    left = [f.name for f, m in matches if m is not None and m["label"] is None and m["stream"] not in JOINTS]
    if left and (rest := [f.name for f, m in matches if m is not None and m["stream"] in JOINTS and not m["label"]]):
        warn(f"{source}: not read are {shorten(left)}, which transforms compute from {shorten(rest)}")
    recordings: list[Recording] = []
    kinds: set[str] = set()
    found: SkeletonLayout | None = None
    for folder, part in parts:
        file = _joints(folder, part)
        if file is None:
            raise SkeletonFormatError(
                f"{folder}: has no {part}_data.npy or {part}_data_joint.npy beside {part}_label.pkl; copy it too"
            )
        skeleton, own = _part(file, part, layout)
        kinds.add(skeleton.name)
        found = skeleton
        recordings += own
    assert found is not None
    if len(kinds) > 1:
        raise SkeletonFormatError(f"{source}: its arrays have the layouts {shorten(sorted(kinds))}; read them apart")
    return gather(recordings, layout=found, source=source, class_names=ntu.add_groups(recordings))


def _joints(folder: Path, part: str) -> Path | None:
    places = [folder / f"{part}_data_joint.npy", folder / f"{part}_data.npy"]
    return next((file for file in places if file.is_file()), None)


def _labels(folder: Path, part: str) -> Path:
    return folder / f"{part}_label.pkl"


def _part(file: Path, part: str, layout: SkeletonLayout | str | None) -> tuple[SkeletonLayout, list[Recording]]:
    names, labels = _named(_labels(file.parent, part))
    recordings = []
    with stored(file) as array:
        skeleton = _layout(array.shape, file, layout)
        if array.shape[0] != len(names):
            raise SkeletonFormatError(
                f"{file}: has {array.shape[0]} recordings, {_labels(file.parent, part)} names {len(names)}; "
                "copy both again"
            )
        for row, name, label in zip(array.rows(), names, labels, strict=True):
            recordings.append(Recording(name, unpadded(row.transpose(3, 1, 2, 0)), label, {"split": part}))
    return skeleton, recordings


def _layout(shape: tuple[int, ...], file: Path, layout: SkeletonLayout | str | None) -> SkeletonLayout:
    if len(shape) != 5 or shape[1] > 4 or shape[4] > MOST_PEOPLE or 0 in shape:
        raise SkeletonFormatError(
            f"{file}: has shape {shape}; expected (recordings, channels, frames, joints, people), as ST-GCN has them"
        )
    if layout is not None:
        skeleton = layout_named(layout)
        if len(skeleton) != shape[3]:
            raise SkeletonFormatError(
                f"{file}: has {shape[3]} joints, layout {skeleton.name!r} has {len(skeleton)}; choose another layout"
            )
        return skeleton
    if (shape[3], shape[1]) not in LAYOUTS:
        raise SkeletonFormatError(
            f"{file}: has {shape[3]} joints and {shape[1]} channels; say with layout= which joints they are "
            f"(known without: {shorten(sorted(LAYOUTS))})"
        )
    return layout_named(LAYOUTS[shape[3], shape[1]])


def _named(file: Path) -> tuple[list[str], list[int]]:
    """Names and class indices of a label file."""
    content = read_pickle(file)
    if not isinstance(content, list | tuple) or len(content) != 2:
        raise SkeletonFormatError(f"{file}: is no pair of names and labels (it is a {type(content).__name__})")
    names, labels = (_plain(value) for value in content)
    if not names or not all(isinstance(name, str) for name in names) or len(names) != len(labels):
        raise SkeletonFormatError(
            f"{file}: has {len(names)} names and {len(labels)} labels; expected texts, as many as labels"
        )
    wrong = [label for label in labels if type(label) is not int or not 0 <= label < MOST_CLASSES]
    if wrong:
        raise SkeletonFormatError(f"{file}: labels such as {str(wrong[0])[:40]} are no class indices from 0")
    return [name.removesuffix(".skeleton") for name in names], labels


def _plain(value: Any) -> list[Any]:
    if isinstance(value, PickledArray):
        return list(np.atleast_1d(value.array).reshape(-1).tolist())
    return list(value) if isinstance(value, list | tuple) else []
