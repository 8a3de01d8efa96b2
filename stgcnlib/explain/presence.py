"""Who is where in a recording: the cells of a map or a comparison that are about somebody.

In recordings of bodies, zeros mark a person who is absent and a joint that was not found. In a graph of signals
(`SkeletonLayout.dimensions` of 0) a zero is a value like any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.transforms.prepare import present_frames

__all__ = ["found_joints", "people_there"]


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

    `transforms.centre` and published preparations put a joint of the trunk at the origin, in a person's first frame or
    in all. A joint of the spine, or the centre, that is at the origin from that frame on counts as found until it
    leaves it, unless its confidence is zero.

    Args:
        people: (M, T, V, C) float32.
        layout: of the recording; `None` counts as a body, of which all channels are positions.
    """
    if layout is None:
        return np.asarray(people.any(axis=-1), dtype=np.bool_)
    if not layout.dimensions:
        return np.ones(people.shape[:3], dtype=np.bool_)
    found = np.asarray(people[..., : layout.dimensions].any(axis=-1), dtype=np.bool_)
    there = present_frames(people)
    sure = people[..., layout.dimensions :].any(axis=-1) if people.shape[-1] > layout.dimensions else there[..., None]
    trunk = [*(layout.spine or ()), *(() if layout.centre is None else (layout.centre,))]
    centred = (~found & sure)[..., trunk]
    found[..., trunk] |= centred & np.logical_and.accumulate(centred | ~there[..., None], axis=1)
    return found
