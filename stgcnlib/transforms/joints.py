"""Other joints: some of those that are there, or those of another layout.

Nothing is estimated: a joint of the new layout is one of the old, or the middle between two of the old where that is
how such joints are defined (the neck of OpenPose is the middle between the shoulders).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import LayoutError, SequenceError, shorten
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["keep_joints", "to_layout"]

_PELVIS = ("mid hip", "hip centre", "spine base", "pelvis", ("left hip", "right hip"))
_THORAX = ("spine shoulder", "shoulder centre", "thorax")
_SPINE = ("spine", "spine mid", "middle spine", "torso")
_BETWEEN_SHOULDERS = ("left shoulder", "right shoulder")
# Joint -> what it may be made of, the best first: a joint, or the middle between two.
_SOURCES: dict[str, tuple[str | tuple[str, str], ...]] = {
    **dict.fromkeys(("mid hip", "hip centre", "spine base", "pelvis"), _PELVIS),
    **dict.fromkeys(_THORAX, (*_THORAX, "neck", _BETWEEN_SHOULDERS)),
    **dict.fromkeys(_SPINE, _SPINE),
    "neck": ("neck", *_THORAX, _BETWEEN_SHOULDERS),
    "head": ("head", ("left ear", "right ear")),
}
_PICTURES = ("mediapipe-33",)
"""3-D layouts whose x and y are those of a picture, so that z can be left out."""


def keep_joints(data: SequenceSet, joints: Sequence[str | int], *, name: str | None = None) -> SequenceSet:
    """The same recordings with these joints only, in this order.

    A bone leads from each kept joint to the nearest kept one on its way to the root; else it has no bone.
    Landmarks of the layout (centre, spine, shoulders, mirror pairs, limbs) stay where their joints are kept.

    Args:
        data: any recordings.
        joints: names or indices.
        name: of the new layout; `None` adds the number of joints to the old one's.

    Raises:
        LayoutError: if a joint does not exist, or is named twice.
        SequenceError: if none is named, or nobody is left in a recording.
    """
    old = data.layout
    kept = [old.index(joint) if isinstance(joint, str) else int(joint) for joint in joints]
    if wrong := [joint for joint in kept if not 0 <= joint < len(old)]:
        raise LayoutError(
            f"keep_joints: layout {old.name!r} has no joint {wrong[0]}; it has joints 0 to {len(old) - 1}"
        )
    if not kept or len(set(kept)) < len(kept):
        raise SequenceError(f"keep_joints: {len(kept)} joints, {len(set(kept))} of them different; name each once")
    new = {joint: place for place, joint in enumerate(kept)}

    def pair(ends: tuple[int, int] | None) -> tuple[int, int] | None:
        return None if ends is None or not set(ends) <= new.keys() else (new[ends[0]], new[ends[1]])

    layout = SkeletonLayout(
        name=name or f"{old.name}-{len(kept)}",
        joints=tuple(old.joints[joint] for joint in kept),
        bones=_bones(old, new),
        centre=None if old.centre is None else new.get(old.centre),
        mirror=tuple(ends for each in old.mirror if (ends := pair(each)) is not None),
        spine=pair(old.spine),
        shoulders=pair(old.shoulders),
        limbs={
            limb: members
            for limb, joints_of in old.limbs.items()
            if (members := tuple(new[joint] for joint in joints_of if joint in new))
        },
        dimensions=old.dimensions,
        positions=None if old.positions is None else tuple(old.positions[joint] for joint in kept),
    )
    return _on(data, [coords[..., kept, :] for coords in data.coords], layout)


def to_layout(data: SequenceSet, layout: SkeletonLayout | str) -> SequenceSet:
    """The same recordings on another layout, where all its joints can be taken from those that are there.

    Joints are found by their names, or by the other name that a layout has for the same place ("hip centre", "spine
    base", "pelvis" and "mid hip"; "neck", "shoulder centre" and "thorax" where a layout has one of them), or lie in the
    middle between two (neck and mid hip of 2-D estimators). So whole-body 133 and HALPE-26 can be cut to COCO's 17,
    MediaPipe's 33 go to COCO's 17 (x, y and the visibility), COCO's 17 to OpenPose's 18, Human3.6M's 32 to its 17, and
    NTU's 25 to Kinect v1's 20. A joint in the middle is not found where one of the two is not; its confidence is the
    smaller one.

    Args:
        data: any recordings.
        layout: by name, file, or as a `SkeletonLayout`.

    Raises:
        SequenceError: if a joint has no counterpart, or the layouts differ in their number of dimensions.
    """
    old, new = data.layout, layout_named(layout)
    flat = old.dimensions == 3 and new.dimensions == 2 and old.name in _PICTURES
    if old.dimensions != new.dimensions and not flat:
        raise SequenceError(
            f"to_layout: {old.name!r} has {old.dimensions} dimensions, {new.name!r} has {new.dimensions}; "
            "choose a layout of the same kind"
        )
    found = [_source(joint, old, new) for joint in new.joints]
    if missing := [joint for joint, source in zip(new.joints, found, strict=True) if source is None]:
        raise SequenceError(
            f"to_layout: {old.name!r} has nothing for {shorten(missing)} of {new.name!r}; "
            "choose a layout whose joints are there, or keep_joints"
        )
    pairs = np.array([source for source in found if source is not None])
    coords = []
    for original in data.coords:
        points = np.delete(original, 2, axis=-1) if flat else original
        first, second = points[..., pairs[:, 0], :], points[..., pairs[:, 1], :]
        middle = (first + second) / np.float32(2)
        axes = new.dimensions or middle.shape[-1]
        middle[..., axes:] = np.minimum(first[..., axes:], second[..., axes:])
        lost = ~(first.any(axis=-1, keepdims=True) & second.any(axis=-1, keepdims=True))
        coords.append(np.where(lost & (new.dimensions > 0), 0, middle))
    return _on(data, coords, new)


def _source(joint: str, layout: SkeletonLayout, new: SkeletonLayout) -> tuple[int, int] | None:
    """The two joints between which a joint lies, both the same where it is there; `None` without a counterpart."""
    places = {name: v for v, name in enumerate(layout.joints)}
    others = _SOURCES.get(joint, ())
    if joint in ("neck", *_THORAX) and "neck" in new.joints and set(_THORAX) & set(new.joints):
        others = _THORAX if joint in _THORAX else ()  # two places in `new`: one joint cannot be both
    for source in (joint, *others):
        ends = (source, source) if isinstance(source, str) else source
        if set(ends) <= places.keys():
            return places[ends[0]], places[ends[1]]
    return None


def _bones(old: SkeletonLayout, new: dict[int, int]) -> tuple[tuple[int, int], ...]:
    """Bones between kept joints, past those that are gone; of a graph, its edges between kept joints."""
    if not old.dimensions:
        return tuple((new[a], new[b]) for a, b in old.bones if a in new and b in new)
    parents = dict(old.bones)
    bones = []
    for joint in new:
        above, steps = parents.get(joint), 0
        while above is not None and above not in new and steps < len(old):
            above, steps = parents.get(above), steps + 1
        if above in new and above != joint:
            bones.append((new[joint], new[above]))
    return tuple(bones)


def _on(data: SequenceSet, coords: Sequence[NDArray[np.float32]], layout: SkeletonLayout) -> SequenceSet:
    return SequenceSet(
        coords,
        labels=data.labels,
        class_names=data.class_names,
        groups=data.groups,
        layout=layout,
        names=data.names,
        targets=data.targets,
        target_names=data.target_names,
    )
