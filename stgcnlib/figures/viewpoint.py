"""From where a recording is seen: which way is up, which way people face, and joints as (across, up) of a picture.

Coordinates may have the axes of any sensor. All people of a recording are seen from one place.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.figures.graph import node_positions
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["View", "front_of", "project", "upright_space"]

View = Literal["front", "side"]

_LEVELS = (
    ({"foot", "toe", "heel", "ankle"}, 0.0),
    ({"knee"}, 1.0),
    ({"hip", "pelvis"}, 2.0),
    ({"shoulder", "chest", "thorax"}, 4.0),
    ({"neck"}, 4.5),
    ({"head", "nose", "eye", "ear", "mouth"}, 5.0),
)
"""Words in joint names, and the height of such joints on a standing body."""
_CLEAR = 0.5  # a mean direction or correlation (at most 1) above this decides which way
_APART = 0.2  # of the height of people: centres nearer than this do not decide from where to look


def project(people: ArrayLike, layout: SkeletonLayout, *, view: View = "front") -> NDArray[np.float64]:
    """Positions (M, T, V, C), (T, V, C) or (V, C) as (…, V, 2): across and up, of a picture of all of them.

    3-D bodies stand upright. "front" looks at a single person's front, so that their left is on the picture's right;
    of several people, it looks at right angles to the line on which they stand. "side" looks from a quarter turn
    further. 2-D bodies stay as the camera saw them, their heads up. The joints of a graph that is not a body stay where
    the layout, or its edges, put them. Joints that were not found (NaN, or zero in all channels) become NaN.

    Raises:
        SequenceError: if the array does not fit the layout.
    """
    points = np.asarray(people, dtype=np.float64)
    fits = points.ndim in (2, 3, 4) and points.shape[-2] == len(layout)
    if layout.dimensions == 0 and fits:
        places = node_positions(layout)
        return np.broadcast_to(places, (*points.shape[:-2], *places.shape)).copy()
    if not fits or points.shape[-1] < 2:
        raise SequenceError(
            f"positions have shape {points.shape}; {layout.name!r} needs (T, {len(layout)}, C) or ({len(layout)}, C), "
            "with people before them"
        )
    if layout.dimensions == 2 or points.shape[-1] == 2:
        flat = _found(points, layout)[..., :2]
        flat[..., 1] *= _up_sign(flat, layout)
        return flat
    space = upright_space(points, layout)
    front = front_of(space.reshape(-1, *space.shape[-3:]) if space.ndim > 2 else space[None, None], layout)
    # The picture's right is the cross product of up and front; seen from the side, it is the direction behind people.
    right = np.array([-front[1], front[0]]) if view == "front" else -front
    result: NDArray[np.float64] = np.stack([space[..., :2] @ right, space[..., 2]], axis=-1)
    return result


def upright_space(people: ArrayLike, layout: SkeletonLayout) -> NDArray[np.float64]:
    """Positions (…, V, C) of a 3-D layout as (…, V, 3): two level axes and up, a right-handed frame.

    Up is the axis along which the spine lies. For a layout without a spine, it is the axis along which joints change
    most from the feet to the head, as their names say. Joints that were not found become NaN.
    """
    points = _found(np.asarray(people, dtype=np.float64), layout)[..., :3]
    axis, sign = _upright(points.reshape(-1, *points.shape[-2:]), layout)
    # The two axes after `axis`, in cyclic order, make a right-handed frame; a flip of up flips the second with it.
    first, second = (axis + 1) % 3, (axis + 2) % 3
    return np.stack([points[..., first], sign * points[..., second], sign * points[..., axis]], axis=-1)


def front_of(space: NDArray[np.float64], layout: SkeletonLayout) -> NDArray[np.float64]:
    """Level unit vector (2,) from (M, T, V, 3) upright people towards the viewer.

    The viewer sees several people side by side, if they stand apart, and a single person from the front.
    """
    facing = _mean_facing(space, layout)
    line = _line_of_people(space)
    if line is not None:
        across = np.array([line[1], -line[0]])
        towards = facing if facing is not None else np.array([0.0, -1.0])
        return across if across @ towards >= 0 else -across
    if facing is not None:
        return facing
    default = np.array([0.0, -1.0])
    if layout.shoulders is not None:
        left, right = layout.shoulders
        apart = np.abs(space[..., left, :2] - space[..., right, :2]).reshape(-1, 2)
        width = apart[np.isfinite(apart).all(axis=1)].sum(axis=0)
        if width[1] > width[0]:
            return np.array([1.0, 0.0])
    return default


def _mean_facing(space: NDArray[np.float64], layout: SkeletonLayout) -> NDArray[np.float64] | None:
    """Level unit vector (2,) to which people turn their front on average; `None` where they turn to many sides."""
    if layout.shoulders is None:
        return None
    left, right = layout.shoulders
    line = (space[..., left, :2] - space[..., right, :2]).reshape(-1, 2)
    facing = np.stack([line[:, 1], -line[:, 0]], axis=-1)[np.isfinite(line).all(axis=1)]
    if not len(facing):
        return None
    mean = (facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > _CLEAR else None


def _line_of_people(space: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Level unit vector (2,) along which people stand; `None` of a single one, and where they are at one place."""
    found: NDArray[np.bool_] = np.all(np.isfinite(space), axis=-1)
    together = np.flatnonzero(np.any(found, axis=2).sum(axis=0) > 1)
    if not len(together):
        return None
    shown = found[:, together]
    counts = shown.sum(axis=2)
    centres = np.where(shown[..., None], space[:, together, :, :2], 0).sum(axis=2) / np.maximum(counts, 1)[..., None]
    there = (counts > 0)[..., None]
    apart = np.where(there, centres - (centres * there).sum(axis=0) / there.sum(axis=0), 0).reshape(-1, 2)
    spread, lines = np.linalg.eigh(apart.T @ apart / len(together))
    heights = space[..., 2][found]
    if 2 * np.sqrt(max(spread[-1], 0) / 2) <= _APART * np.ptp(heights):
        return None
    line: NDArray[np.float64] = lines[:, -1]
    return line


def _found(points: NDArray[np.float64], layout: SkeletonLayout) -> NDArray[np.float64]:
    """A copy with NaN for joints that were not found, which are zero in all channels.

    The joint that `transforms.centre` puts at the origin is zero as well; it counts as found if another
    joint of its frame is found.
    """
    lost: NDArray[np.bool_] = np.all(points == 0, axis=-1)
    centred = layout.centre if layout.spine is None else layout.spine[0]
    if centred is not None and points.shape[-1] == layout.dimensions and np.nanmin(points, initial=0.0) < 0:
        lost[..., centred] &= np.all(lost, axis=-1)
    return np.where(lost[..., None], np.nan, points)


def _upright(series: NDArray[np.float64], layout: SkeletonLayout) -> tuple[int, float]:
    """The axis along which bodies of (T, V, 3) stand, and +1 where larger values are higher."""
    trunk = None
    if layout.spine is not None:
        lower, upper = layout.spine
        spines = series[:, upper] - series[:, lower]
        spines = spines[np.isfinite(spines).all(axis=1)]
        trunk = spines.mean(axis=0) if len(spines) else None
    if trunk is None:
        trunk, _ = _rise(series, layout)
    if not trunk.any():
        return 2, 1.0
    axis = int(np.argmax(np.abs(trunk)))
    return axis, 1.0 if trunk[axis] >= 0 else -1.0


def _up_sign(flat: NDArray[np.float64], layout: SkeletonLayout) -> float:
    """+1 where y grows upwards, judged by the names of joints; else -1, as y grows downwards in images."""
    _, likeness = _rise(flat.reshape(-1, *flat.shape[-2:]), layout)
    return 1.0 if likeness[1] > _CLEAR else -1.0


def _rise(series: NDArray[np.float64], layout: SkeletonLayout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C,) how much coordinates of (T, V, C) change from the feet of a standing body to the head, and how closely they
    follow the order of joints: correlations from -1 to 1; both zero where no joint's name gives a height."""
    heights = np.array([_level(name) for name in layout.joints])
    known = np.isfinite(heights)
    points, levels = series[:, known], heights[known]
    seen = np.isfinite(points).all(axis=-1)
    points, levels = points[seen], np.broadcast_to(levels, seen.shape)[seen]
    frames = np.nonzero(seen)[0]
    counts = np.bincount(frames, minlength=len(series)).clip(1)
    moved = points - _per_frame(points, frames, counts)[frames]
    risen = levels - _per_frame(levels[:, None], frames, counts)[frames, 0]
    shared = risen @ moved if len(points) else np.zeros(series.shape[-1])
    size = np.sqrt((risen**2).sum() * (moved**2).sum(axis=0))
    likeness = np.divide(shared, size, out=np.zeros_like(shared), where=size > 0)
    return shared, likeness


def _per_frame(
    values: NDArray[np.float64], frames: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Means (T, C) of values (P, C) that belong to frames (P,)."""
    sums = [np.bincount(frames, weights=column, minlength=len(counts)) for column in values.T]
    return np.stack(sums, axis=-1) / counts[:, None]


def _level(name: str) -> float:
    """Height of a joint on a standing body by its name, NaN where the name gives none: arms may hang or be raised."""
    words = {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return next((level for known, level in _LEVELS if words & known), np.nan)
