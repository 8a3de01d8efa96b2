"""The input streams of published networks besides joints: bones and motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["bone_stream", "each_in_double", "motion_stream"]

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]
# The published bones of OpenPose-18 go out from the nose; the layout's (ST-GCN's graph) from the neck.
BONE_ROOTS: Mapping[str, int] = {"openpose-18": 0}
# In PYSKL's and MMAction2's bones the hips hang from the nose; in the layout's graph from the shoulders.
BONE_PARENTS: Mapping[str, Mapping[int, int]] = {"coco-17": {11: 0, 12: 0}}
Confidence = Literal["mean", "difference"]


def bone_stream(data: SequenceSet, *, confidence: Confidence = "mean") -> SequenceSet:
    """Every joint minus its parent along the layout's bones; 0 at the root (2s-AGCN's bone stream).

    The root is the joint without a parent in `layout.bones`; for "openpose-18" it is the nose, as in the published
    code, and for "coco-17" the hips' parent is the nose. Joints stay in their places, so the bone of joint v is
    entry v.

    Args:
        data: recordings of one layout.
        confidence: what becomes of a confidence channel: the "mean" of both ends, as PYSKL and MMAction2 have it, or
            their "difference" like any other channel, as 2s-AGCN has it on Kinetics-Skeleton.

    Raises:
        SequenceError: if the layout's bones are no tree.
    """
    parents = _parents(data.layout)
    axes = data.layout.dimensions

    def bones(coords: Array64, i: int) -> Array64:
        result = coords - coords[..., parents, :]
        if confidence == "mean":
            result[..., axes:] = (coords + coords[..., parents, :])[..., axes:] / 2
        return result

    return each_in_double(data, bones)


def motion_stream(data: SequenceSet, *, confidence: Confidence = "mean") -> SequenceSet:
    """Every frame's difference to the next, 0 in the last (2s-AGCN's motion stream); also of a bone stream.

    Args:
        data: recordings of one layout.
        confidence: what becomes of a confidence channel: the "mean" of both frames, as PYSKL and MMAction2 have it, or
            their "difference", as 2s-AGCN has it on Kinetics-Skeleton.

    Raises:
        SequenceError: if nothing moves in a recording (one frame, say): there would be nobody left in it.
    """
    axes = data.layout.dimensions

    def motion(coords: Array64, i: int) -> Array64:
        result = np.zeros_like(coords)
        result[:, :-1] = np.diff(coords, axis=1)
        if not result[..., :axes].any():
            raise SequenceError(f"motion_stream: nothing moves in {data.names[i]}; leave the recording out")
        if confidence == "mean":
            result[:, :-1, :, axes:] = (coords[:, :-1, :, axes:] + coords[:, 1:, :, axes:]) / 2
        return result

    return each_in_double(data, motion)


def each_in_double(data: SequenceSet, change: Callable[[Array64, int], Array64]) -> SequenceSet:
    """Apply `change` to (M, T, V, C) and the index of every recording; one without a people axis gets none."""
    coords: list[Array] = []
    for i, original in enumerate(data.coords):
        people = change(data.people(i).astype(np.float64), i).astype(np.float32)
        coords.append(people[0] if original.ndim == 3 and len(people) == 1 else people)
    return data.with_coords(coords)


def _parents(layout: SkeletonLayout) -> NDArray[np.int64]:
    """(V,) parent of every joint, the root its own."""
    parents = np.arange(len(layout))
    parents[[child for child, _ in layout.bones]] = [parent for _, parent in layout.bones]
    roots = np.flatnonzero(parents == np.arange(len(layout)))
    if len(layout.bones) != len(layout) - 1 or len(roots) != 1:
        raise SequenceError(
            f"bone_stream: the bones of layout {layout.name!r} are no tree of (child, parent) pairs with one root; "
            "give every joint but one exactly one parent"
        )
    joint = previous = BONE_ROOTS.get(layout.name, int(roots[0]))
    while True:  # the bones between the new root and the layout's own change direction
        parents[joint], previous, joint = previous, joint, int(parents[joint])
        if joint == previous:
            break
    for child, parent in BONE_PARENTS.get(layout.name, {}).items():
        parents[child] = parent
    return parents
