"""Whether the joints called left and right are on the left and right side of the body.

In right-handed coordinates, as nearly all published ones are, (right - left shoulder) . (forward x up) is above 0.
Forward is the direction of the toes, else that in which the knees bend. Pictures have no depth; there, only poses
whose face is seen count: their left shoulder is on the picture's right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgcnlib.skeleton import SkeletonLayout

__all__ = ["handedness"]

Array = NDArray[np.float64]
Pair = tuple[int, int]  # left, right
SURE = 0.5  # confidence from which a point of the face is seen
_HIPS = r"up_?leg|thigh|femur|hip(?!s)"
_KNEES = r"knee|(?<!up)(?<!up_)leg$|shin|calf|tibia"
_ANKLES = r"ankle|heel"


@dataclass(frozen=True)
class _Marks:
    """Joints of a layout that tell sides; `None` where it has no such joints."""

    shoulders: Pair | None
    hips: Pair | None
    toes: Pair | None
    ankles: Pair | None
    knees: Pair | None
    feet: Pair | None
    face: tuple[int, ...]


def handedness(people: NDArray[np.float32], layout: SkeletonLayout) -> float:
    """From -1 (left and right are swapped, or an axis is mirrored) to 1; NaN where a recording does not tell.

    Args:
        people: (M, T, V, C) coordinates, those of joints not found zero.
        layout: of the joints; its pairs and names say which joints are looked at.
    """
    marks = _marks(layout)
    if marks.shoulders is None or layout.dimensions not in (2, 3):
        return np.nan
    poses = people[people.any(axis=(2, 3))].astype(np.float64)
    told = _in_space(poses, layout, marks) if layout.dimensions == 3 else _in_pictures(poses, marks)
    size = float(np.abs(told).sum())
    return float(told.sum()) / size if size > 0 else np.nan


def _in_space(poses: Array, layout: SkeletonLayout, marks: _Marks) -> Array:
    """(K,) the triple product of each pose whose joints were found."""
    assert marks.shoulders is not None
    points = poses[..., :3]
    if layout.spine is not None:
        up, used = _between((layout.spine[0],), (layout.spine[1],), points), [*layout.spine]
    elif marks.hips is not None:
        up, used = _between(marks.hips, marks.shoulders, points), [*marks.hips]
    else:
        return np.zeros(0)
    if marks.toes is not None and marks.ankles is not None:
        forward = _between(marks.ankles, marks.toes, points)
        used += [*marks.ankles, *marks.toes]
    elif marks.knees is not None and marks.hips is not None and marks.feet is not None:
        forward = sum(
            (
                _off_line(points[:, h], points[:, k], points[:, f])
                for h, k, f in zip(marks.hips, marks.knees, marks.feet, strict=True)
            ),
            start=np.zeros((len(points), 3)),
        )
        used += [*marks.knees, *marks.hips, *marks.feet]
    else:
        return np.zeros(0)
    right = points[:, marks.shoulders[1]] - points[:, marks.shoulders[0]]
    found: NDArray[np.bool_] = np.all(points[:, [*used, *marks.shoulders]].any(axis=2), axis=1)
    told: Array = np.sum(right * np.cross(forward, up), axis=1)[found]
    return told


def _in_pictures(poses: Array, marks: _Marks) -> Array:
    """(K,) how far the left shoulder lies to the right of the other, of each pose whose face is surely seen."""
    assert marks.shoulders is not None
    if poses.shape[-1] < 3 or not marks.face:
        return np.zeros(0)
    seen = (poses[:, [*marks.face, *marks.shoulders], 2] > SURE).all(axis=1)
    told: Array = (poses[:, marks.shoulders[0], 0] - poses[:, marks.shoulders[1], 0])[seen]
    return told


def _between(start: tuple[int, ...], end: tuple[int, ...], points: Array) -> Array:
    """(K, 3) from the middle of some joints to the middle of others."""
    way: Array = points[:, list(end)].mean(axis=1) - points[:, list(start)].mean(axis=1)
    return way


def _off_line(start: Array, middle: Array, end: Array) -> Array:
    """(K, 3) from the line between two joints to the one between them."""
    line = end - start
    length = np.maximum(np.sum(line * line, axis=1, keepdims=True), 1e-12)
    along = np.sum((middle - start) * line, axis=1, keepdims=True) / length
    off: Array = middle - (start + along * line)
    return off


def _marks(layout: SkeletonLayout) -> _Marks:
    def pair(*patterns: str) -> Pair | None:
        named = [(layout.joints[left].lower().strip(), (left, right)) for left, right in layout.mirror]
        return next((found for p in patterns for name, found in named if re.search(p, name)), None)

    toes = pair(r"big toe|toe", r"foot index")
    ankles = pair(r"heel", r"ankle")
    if toes is None and ankles is not None:
        toes = pair(r"foot")
    elif toes is not None and ankles is None:
        ankles = pair(r"foot")
    index = {name.lower(): v for v, name in enumerate(layout.joints)}
    face = [index[name] for name in ("nose", "left eye", "right eye") if name in index]
    return _Marks(
        shoulders=layout.shoulders,
        hips=pair(_HIPS),
        toes=toes,
        ankles=ankles,
        knees=pair(_KNEES),
        feet=pair(_ANKLES, r"foot"),
        face=tuple(face) if len(face) == 3 else (),
    )
