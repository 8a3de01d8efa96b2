"""Who is where in a recording, and which joints were found: the cells that are about somebody.

In recordings of bodies, zeros mark a person who is absent and a joint that was not found. In a graph of signals
(`SkeletonLayout.dimensions` of 0) a zero is a value like any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.transforms.prepare import present_frames

__all__ = ["found_joints", "people_there"]

NEAR = 0.1
"""Of a body's largest extent: so near to its joints, the origin is on the body."""


def people_there(people: NDArray[np.float32], layout: SkeletonLayout | None) -> NDArray[np.bool_]:
    """(M, T) bool: whether a person is in a frame.

    Args:
        people: (M, T, V, C) float32.
        layout: of the recording; `None` counts as a body.
    """
    if layout is not None and not layout.dimensions:
        return np.ones(people.shape[:2], dtype=np.bool_)
    return present_frames(people)


def found_joints(people: NDArray[np.float32], layout: SkeletonLayout | None) -> NDArray[np.bool_]:
    """(M, T, V) bool: whether a joint was found at a frame, that is, has a position other than zero.

    `centre` and published preparations put a joint of the trunk at the origin, in a person's first frame or in all. A
    joint of the trunk, or the centre, that is at the origin from that frame on counts as found until it leaves it,
    where the origin lies within the body and the joint's confidence, if there is one, is not zero.

    Args:
        people: (M, T, V, C) float32.
        layout: of the recording; `None` counts as a body, of which all channels are positions.
    """
    if layout is None:
        return np.asarray(people.any(axis=-1), dtype=np.bool_)
    if not layout.dimensions:
        return np.ones(people.shape[:3], dtype=np.bool_)
    places = people[..., : layout.dimensions]
    found = np.asarray(places.any(axis=-1), dtype=np.bool_)
    centred = ~found & _origin_within(places, found)[..., None]
    if people.shape[-1] > layout.dimensions:
        centred &= people[..., layout.dimensions :].any(axis=-1)
    origins = sorted(
        {*layout.limbs.get("trunk", ()), *(layout.spine or ()), *(() if layout.centre is None else (layout.centre,))}
    )
    absent = ~present_frames(people)[..., None]
    found[..., origins] |= centred[..., origins] & np.logical_and.accumulate(centred[..., origins] | absent, axis=1)
    return found


def _origin_within(places: NDArray[np.float32], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(M, T) whether the origin lies among the joints that were found, or near them, at places (M, T, V, axes)."""
    low = np.where(found[..., None], places, np.inf).min(axis=2)
    high = np.where(found[..., None], places, -np.inf).max(axis=2)
    around = NEAR * (high - low).max(axis=-1, keepdims=True)
    return np.asarray(((low - around <= 0) & (high + around >= 0)).all(axis=-1))
