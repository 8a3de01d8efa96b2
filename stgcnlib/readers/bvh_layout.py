"""A skeleton layout out of a hierarchy's joint names: left and right, shoulders and spine follow from the names.

Joint names in motion capture follow no standard. What is not recognised is left out of the layout,
and `stgcnlib.transforms` then works without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stgcnlib.skeleton import SkeletonLayout

__all__ = ["bvh_layout"]

# How names mark the left side, and what replaces the mark for the right side.
_SIDES = (
    (re.compile(r"left", re.IGNORECASE), {"left": "right", "Left": "Right", "LEFT": "RIGHT"}),
    (re.compile(r"(?<![A-Za-z])[lL](?=[A-Z_.:])"), {"l": "r", "L": "R"}),
    (re.compile(r"(?<=[_.])[lL]$"), {"l": "r", "L": "R"}),
)
_SHOULDERS = (r"upper_?arm|humerus|shldr", r"(?<!fore)(?<!lower)(?<!lower_)arm$", r"shoulder")
_LEGS = (r"up_?leg|thigh|femur", r"hip(?!s)", r"leg|knee|shin|calf|foot")
_NO_BODY = r"root|reference|world|origin|armature|scene|skeleton|motion|trajectory"  # no part of a body
_UPPER_SPINE = (r"^(?!.*(?:left|right)).*neck", r"chest|thorax", r"spine")


def bvh_layout(names: Sequence[str], parents: Sequence[int]) -> SkeletonLayout:
    """The layout "bvh-V" of a tree of V joints.

    Args:
        names: of the joints, the root first.
        parents: index of each joint's parent, -1 for the root.
    """
    index = {name: i for i, name in enumerate(names)}
    mirror: list[tuple[int, int]] = []
    for i, name in enumerate(names):
        for pattern, swap in _SIDES:
            other = pattern.sub(lambda found, swap=swap: swap.get(found[0], found[0]), name)  # type: ignore[misc]
            if other != name and other in index:
                mirror.append((i, index[other]))
                break
    shoulders = next(
        (pair for kind in _SHOULDERS for pair in mirror if re.search(kind, names[pair[0]], re.IGNORECASE)), None
    )
    hips = _hips(names, parents, mirror)
    upper = next(
        (i for kind in _UPPER_SPINE for i, name in enumerate(names) if re.search(kind, name, re.IGNORECASE)), hips
    )
    return SkeletonLayout(
        name=f"bvh-{len(names)}",
        joints=tuple(names),
        bones=tuple((i, parent) for i, parent in enumerate(parents) if parent >= 0),
        centre=hips,
        mirror=tuple(mirror),
        spine=(hips, upper) if upper != hips else None,
        shoulders=shoulders,
        limbs={},
    )


def _hips(names: Sequence[str], parents: Sequence[int], mirror: Sequence[tuple[int, int]]) -> int:
    """The joint from which both legs hang; without legs, the first whose name does not match `_NO_BODY`.

    Many files have a root that stays at the origin, and hips below it that move.
    """

    def above(joint: int) -> list[int]:
        chain = [joint]
        while parents[chain[-1]] >= 0:
            chain.append(parents[chain[-1]])
        return chain

    legs = next((pair for kind in _LEGS for pair in mirror if re.search(kind, names[pair[0]], re.IGNORECASE)), None)
    if legs is not None:
        return next((joint for joint in above(legs[0])[1:] if joint in above(legs[1])[1:]), 0)
    hips = 0
    while re.search(_NO_BODY, names[hips], re.IGNORECASE):
        below = [joint for joint, parent in enumerate(parents) if parent == hips]
        if len(below) != 1:
            break
        (hips,) = below
    return hips
