"""From detections per frame to people over time: by given identities, else by nearness.

It serves formats that list whoever was found in each frame. It predicts no motion and looks at no picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stgcnlib.errors import SkeletonFormatError

__all__ = ["MOST_FRAMES", "MOST_PEOPLE", "Detection", "tracked"]

MOST_PEOPLE = 10  # more at once are a crowd; those with the least confidence are left out
MOST_FRAMES = 100_000  # an hour at 30 Hz


@dataclass
class Detection:
    """Somebody in one frame.

    Attributes:
        joints: (V, C), the first `axes` channels being coordinates; joints not found are zero or NaN.
        identity: as the estimator tracked it, or `None`.
        score: the higher, the surer.
    """

    joints: NDArray[np.float32]
    identity: int | str | None = None
    score: float = 0.0


def tracked(frames: Sequence[Sequence[Detection]], *, axes: int, source: Path) -> NDArray[np.float32] | None:
    """(T, V, C), or (M, T, V, C) where several people are seen; `None` where nobody is. Absent frames are zero.

    Where every detection has an identity, those seen in most frames are kept, `MOST_PEOPLE` at most, in this order.
    Otherwise a place is held for as many as are seen at once, and detections go to the places whose last occupant
    was nearest, all of a frame at once (the assignment of least total distance); a detection that is further off than
    its own size goes to an empty place if there is one.

    Raises:
        SkeletonFormatError: if there are more than `MOST_FRAMES` frames, or an infinite coordinate.
    """
    if len(frames) > MOST_FRAMES:
        raise SkeletonFormatError(f"{source}: {len(frames)} frames are more than {MOST_FRAMES}; cut it into actions")
    everybody = [found for frame in frames for found in frame]
    if not everybody:
        return None
    for found in everybody:
        if np.isinf(found.joints).any():
            raise SkeletonFormatError(f"{source}: holds an infinite coordinate; mend or drop that frame")
        found.joints[np.isnan(found.joints).any(axis=1)] = 0
    by_identity = all(found.identity is not None for found in everybody)
    places = _by_identity(frames) if by_identity else _by_nearness(frames, axes)
    people = np.zeros((max(place for _, place, _ in places) + 1, len(frames), *everybody[0].joints.shape), np.float32)
    for t, place, found in places:
        people[place, t] = found.joints
    return people if len(people) > 1 else people[0]


def _by_identity(frames: Sequence[Sequence[Detection]]) -> list[tuple[int, int, Detection]]:
    counts = Counter(found.identity for frame in frames for found in frame)
    order = {identity: place for place, (identity, _) in enumerate(counts.most_common(MOST_PEOPLE))}
    return [
        (t, order[found.identity], found)
        for t, frame in enumerate(frames)
        for found in frame
        if found.identity in order
    ]


def _by_nearness(frames: Sequence[Sequence[Detection]], axes: int) -> list[tuple[int, int, Detection]]:
    kept = [sorted(frame, key=lambda found: -found.score)[:MOST_PEOPLE] for frame in frames]
    M = max(len(frame) for frame in kept)
    last: list[NDArray[np.float64] | None] = [None] * M
    result: list[tuple[int, int, Detection]] = []
    for t, frame in enumerate(kept):
        if not frame:
            continue
        where = [_place_and_size(found.joints, axes) for found in frame]
        cost = np.array(
            [[size if seen is None else float(np.linalg.norm(place - seen)) for place, size in where] for seen in last]
        )
        for m, d in zip(*linear_sum_assignment(cost), strict=True):
            last[m] = where[d][0]
            result.append((t, int(m), frame[d]))
    return result


def _place_and_size(joints: NDArray[np.float32], axes: int) -> tuple[NDArray[np.float64], float]:
    """Mean of the joints that were found, and the diagonal of their box."""
    points = joints[joints[:, :axes].any(axis=1), :axes].astype(np.float64)
    if not len(points):
        return np.zeros(axes), 0.0
    return points.mean(axis=0), float(np.linalg.norm(np.ptp(points, axis=0)))
