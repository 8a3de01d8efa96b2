"""Coordinates of joints for players: across, depth and up, seen from in front of the people, as small integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgcnlib.figures.viewpoint import front_of, project, upright_space
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["camera_of", "drawable", "packed_points", "reach_of", "space_of", "unit_of"]

_MISSING = -32768


def drawable(nodes: SequenceSet) -> bool:
    """Whether recordings hold positions that can be drawn as bodies."""
    return nodes.channels >= 2 or nodes.layout.dimensions == 0


def space_of(people: NDArray[np.float32], layout: SkeletonLayout) -> NDArray[np.float64]:
    """(M, T, V, 3) as across, depth, up of a right-handed frame, or (M, T, V, 2) for flat layouts; centred."""
    flat = layout.dimensions != 3 or people.shape[-1] == 2
    space = project(people, layout) if flat else upright_space(people, layout)
    low, high = np.nanmin(space, axis=(0, 1, 2)), np.nanmax(space, axis=(0, 1, 2))
    centred: NDArray[np.float64] = space - (low + high) / 2
    return centred


def reach_of(spaces: Sequence[NDArray[np.float64]]) -> list[list[float]]:
    """Limits per axis for all frames, people and recordings, so that sizes can be compared; no axis is empty."""
    reach = np.max([np.nanmax(np.abs(space), axis=(0, 1, 2)) for space in spaces], axis=0)
    reach = np.maximum(1.05 * reach, 0.12 * reach.max())
    return [[-round(float(r), 4), round(float(r), 4)] for r in reach]


def camera_of(space: NDArray[np.float64], layout: SkeletonLayout) -> dict[str, float]:
    """Where the viewer stands, in degrees: in front of the people or between them, a little above and to the side."""
    front = front_of(space, layout)
    return {"azimuth": round(float(np.rad2deg(np.arctan2(front[1], front[0]))) + 22, 1), "elevation": 13.5}


def unit_of(spaces: Sequence[NDArray[np.float64]]) -> float:
    """Length of one step of `packed_points`, so that all these points fit."""
    return max((float(np.nanmax(np.abs(space))) for space in spaces), default=1.0) / 32000 or 1.0


def packed_points(space: NDArray[np.float64], unit: float) -> NDArray[np.int16]:
    """Points as int16 in multiples of `unit`; missing ones are the smallest int16."""
    packed: NDArray[np.int16] = np.where(np.isfinite(space), np.round(space / unit), _MISSING).astype(np.int16)
    return packed
