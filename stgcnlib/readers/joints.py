"""Layouts of joints that a file names itself: sides and the middle follow from the names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stgcnlib.errors import LayoutError, SkeletonFormatError
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout, mirror_of

__all__ = ["MOST_JOINTS", "layout_of", "plain"]

MOST_JOINTS = 1000
CENTRES = ("neck", "head bottom", "mid hip", "pelvis", "hip centre", "thorax", "nose")


def plain(name: str) -> str:
    """A joint's name in small letters, words apart by blanks: "Left_Hip" and "leftHip" are "left hip"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    return re.sub(r"[\s_.-]+", " ", apart).strip().lower()


def layout_of(
    name: str,
    joints: Sequence[str],
    bones: Iterable[Sequence[int]],
    *,
    dimensions: int,
    where: str,
) -> SkeletonLayout:
    """The known layout with these joints in this order, else one of its own.

    Args:
        name: of a layout of its own.
        joints: in the order of the data, in any spelling.
        bones: pairs of indices; pairs that repeat, and joints with themselves, are left out.
        dimensions: 2 or 3.
        where: the file, for messages.

    Raises:
        SkeletonFormatError: if names repeat, there are none or too many, or a bone ends at a joint that is not there.
    """
    names = tuple(plain(joint) for joint in joints)
    if not 0 < len(names) <= MOST_JOINTS:
        raise SkeletonFormatError(f"{where}: names {len(names)} joints; expected 1 to {MOST_JOINTS}")
    for known in LAYOUTS.values():
        if known.joints == names and known.dimensions == dimensions:
            return known
    pairs = list({frozenset(pair): tuple(pair) for pair in bones if len(set(pair)) == 2}.values())
    mirror = mirror_of(names)
    shoulders = next((pair for pair in mirror if "shoulder" in names[pair[0]]), None)
    try:
        return SkeletonLayout(
            name=name,
            joints=names,
            bones=tuple((int(a), int(b)) for a, b in pairs),
            centre=next((names.index(joint) for joint in CENTRES if joint in names), 0),
            mirror=mirror,
            shoulders=shoulders,
            dimensions=dimensions,
        )
    except (LayoutError, ValueError, TypeError, OverflowError) as error:
        raise SkeletonFormatError(f"{where}: {error}") from None
