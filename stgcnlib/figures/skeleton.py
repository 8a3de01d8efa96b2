"""Drawing bodies on an axes: joints and bones, left and right in two colours, a recording as a few frames.

`viewpoint` decides from where they are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from stgcnlib.figures.graph import node_positions
from stgcnlib.figures.style import LEFT, MIDDLE, RIGHT, SIGNAL
from stgcnlib.figures.viewpoint import project
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["bare", "chronophoto", "draw_skeleton", "frame_box", "grouped_joints", "project", "side_colors"]


def side_colors(layout: SkeletonLayout) -> list[str]:
    """Colour per joint: left, right, or on the midline."""
    colors = [MIDDLE] * len(layout)
    for left, right in layout.mirror:
        colors[left], colors[right] = LEFT, RIGHT
    return colors


def grouped_joints(layout: SkeletonLayout) -> tuple[list[int], list[tuple[str, int, int]]]:
    """Joints ordered by limb, and (limb, first row, row after last); joints of no limb come last as "other", or
    are all "joints" where no limb is named."""
    order: list[int] = []
    groups: list[tuple[str, int, int]] = []
    rest = [j for j in range(len(layout)) if not any(j in members for members in layout.limbs.values())]
    for name, members in [*layout.limbs.items(), ("other" if layout.limbs else "joints", tuple(rest))]:
        fresh = [j for j in members if j not in order]
        if fresh:
            groups.append((name, len(order), len(order) + len(fresh)))
            order += fresh
    return order, groups


def draw_skeleton(
    ax: Axes,
    points: NDArray[np.float64],
    layout: SkeletonLayout,
    *,
    colors: Sequence[Any] | None = None,
    bone_color: Any | None = None,
    sizes: ArrayLike = 5.0,
    linewidth: float = 1.5,
    alpha: float = 1.0,
    zorder: float = 2.0,
) -> None:
    """One body from (V, 2) points.

    Args:
        colors: one per joint; `None` colours by side.
        bone_color: one for all bones; `None` gives each bone its child joint's side.
        sizes: joint area in points², one or (V,).
    """
    sides = side_colors(layout)
    bones = [(child, parent) for child, parent in layout.bones if np.isfinite(points[[child, parent]]).all()]
    lines = LineCollection(
        [points[[child, parent]] for child, parent in bones],
        colors=[sides[child] for child, _ in bones] if bone_color is None else bone_color,
        linewidths=linewidth,
        alpha=alpha,
        capstyle="round",
        zorder=zorder,
    )
    ax.add_collection(lines)
    seen = np.asarray(np.isfinite(points).all(axis=1))
    shown = sides if colors is None else list(colors)
    ax.scatter(
        points[seen, 0],
        points[seen, 1],
        s=np.broadcast_to(np.asarray(sizes, dtype=np.float64), len(points))[seen],
        c=[shown[j] for j in np.flatnonzero(seen)],
        alpha=alpha,
        linewidths=0,
        zorder=zorder + 0.1,
    )


def bare(ax: Axes) -> None:
    """No frame, no ticks, equal axes: an axes that holds only a drawing."""
    ax.set_axis_off()
    ax.set_aspect("equal")


def frame_box(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of all finite points."""
    flat = points.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if not len(flat):
        return -1.0, 1.0, -1.0, 1.0
    (left, bottom), (right, top) = flat.min(axis=0), flat.max(axis=0)
    return float(left), float(right), float(bottom), float(top)


def chronophoto(
    ax: Axes,
    people: NDArray[Any],
    layout: SkeletonLayout,
    *,
    count: int = 3,
    linewidth: float = 1.5,
    joints: float = 4.0,
    scale: Normalize | None = None,
) -> None:
    """A recording (M, T, V, C) as `count` frames side by side, evenly spaced along the path that the joints travel.

    Each frame is centred on its people, so that a walk does not leave the picture. On a graph that is not a body,
    frames are evenly spaced in time, and joints show the first channel's value on the colour scale `scale` (`None`
    takes the recording's own range).
    """
    if layout.dimensions == 0:
        own = Normalize(float(people[0, ..., 0].min()), float(people[0, ..., 0].max()))
        _draw_signal(ax, people[0], layout, count=count, scale=scale or own, linewidth=0.6 * linewidth, size=6 * joints)
        return
    flat = project(people, layout)  # (M, T, V, 2)
    # Frames in which detection failed tell nothing about the pose.
    seen = np.isfinite(flat).all(axis=-1).sum(axis=(0, 2))
    usable = np.flatnonzero(seen >= 0.6 * seen.max())
    flat = flat[:, usable]
    with np.errstate(invalid="ignore"):
        steps = np.nan_to_num(np.linalg.norm(np.diff(flat, axis=1), axis=-1)).sum(axis=(0, 2))
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if travelled[-1] > 0:
        marks = travelled[-1] * (np.arange(count) + 0.5) / count
        chosen = np.searchsorted(travelled, marks).clip(0, flat.shape[1] - 1)
    else:
        chosen = np.zeros(count, dtype=np.int64)
    left, right, bottom, top = zip(*(frame_box(flat[:, t]) for t in chosen), strict=True)
    # At 0.58 of the height, standing bodies do not overlap. Wide poses of one person may overlap, groups may not.
    shown: NDArray[np.bool_] = np.any(np.all(np.isfinite(flat), axis=-1), axis=2)
    together = shown.sum(axis=0)[chosen].max(initial=0) > 1
    reach = (1.1 if together else 0.72) * max(r - a for r, a in zip(right, left, strict=True))
    step = max(0.58 * (max(top) - min(bottom)), reach)
    sizes = np.full(len(layout), joints)
    sizes[[j for j, name in enumerate(layout.joints) if name in ("head", "nose")]] = 7 * joints
    for place, t in enumerate(chosen):
        across = flat[:, t, :, 0][np.isfinite(flat[:, t, :, 0])]
        centre = (left[place] + right[place]) / 2 if together or not len(across) else float(np.median(across))
        for person in flat[:, t]:
            moved = person - np.array([centre - place * step, 0.0])
            draw_skeleton(ax, moved, layout, linewidth=linewidth, sizes=sizes, alpha=0.95, zorder=2 + place)
    half = 0.5 * max(r - a for r, a in zip(right, left, strict=True)) + 0.1 * step
    pad = 0.05 * (max(top) - min(bottom)) or 0.1
    # One shape for all pictures of a figure, so that their titles line up.
    width, height = (count - 1) * step + 2 * half, max(top) - min(bottom) + 2.6 * pad
    wider, taller = max(0.0, count * 0.58 * height - width) / 2, max(0.0, width / (count * 0.58) - height)
    ax.set_xlim(-half - wider, (count - 1) * step + half + wider)
    ax.set_ylim(min(bottom) - pad, max(top) + 1.6 * pad + taller)
    bare(ax)


def _draw_signal(
    ax: Axes,
    recording: NDArray[Any],
    layout: SkeletonLayout,
    *,
    count: int,
    scale: Normalize,
    linewidth: float,
    size: float,
) -> None:
    """A recording (T, V, C) as `count` graphs side by side, evenly spaced in time, joints coloured by channel 0."""
    points = node_positions(layout)
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
    step = 1.25 * max(width, 0.6 * height)
    frames = ((np.arange(count) + 0.5) / count * len(recording)).astype(np.int64)
    for place, t in enumerate(frames):
        colors = list(SIGNAL(scale(recording[t, :, 0])))
        moved = points + np.array([place * step, 0.0])
        draw_skeleton(ax, moved, layout, colors=colors, bone_color="#c3cad1", linewidth=linewidth, sizes=size)
    ax.set_xlim(-0.55 * step, (count - 0.45) * step)
    ax.set_ylim(-0.62 * height, 0.62 * height)
    bare(ax)
