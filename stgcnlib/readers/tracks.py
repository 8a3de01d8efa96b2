"""From detections per frame to people over time: by given identities, else by nearness.

It serves formats that list whoever was found in each frame, and those whose sensor gives one person several
identities one after the other. It predicts no motion and looks at no picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stgcnlib.errors import SkeletonFormatError, warn

__all__ = ["MOST_FRAMES", "MOST_PEOPLE", "Detection", "Piece", "joined", "tracked"]

MOST_PEOPLE = 10  # more at once are a crowd; those with the least confidence are left out
MOST_FRAMES = 100_000  # an hour at 30 Hz
IMPOSSIBLE = 1e30  # the cost for a person who has another piece in these frames


@dataclass
class Detection:
    """Somebody in one frame.

    Attributes:
        joints: (V, C), the first `axes` channels being coordinates; joints not found are zero or NaN. A further channel
            that is NaN beside coordinates is a confidence that is not given, and counts as 1.
        identity: as the estimator tracked it, or `None`.
        score: the higher, the surer.
    """

    joints: NDArray[np.float32]
    identity: int | str | None = None
    score: float = 0.0


@dataclass
class Piece:
    """What was tracked under one identity.

    Attributes:
        frames: (K,) in which it was seen, ascending.
        joints: (K, V, C) in those.
    """

    frames: NDArray[np.int64]
    joints: NDArray[np.floating[Any]]


def tracked(frames: Sequence[Sequence[Detection]], *, axes: int, source: Path) -> NDArray[np.float32] | None:
    """(T, V, C), or (M, T, V, C) where several people are seen; `None` where nobody is. Absent frames are zero.

    Where every detection has an identity, and none is there twice in a frame, each identity is a person, the one seen
    in most frames first; more than `MOST_PEOPLE` identities are joined by `joined`. Otherwise there are as many people
    as are seen at once, `MOST_PEOPLE` at most. The detections of a frame are assigned together, to the people who were
    last seen nearest (the assignment of least total distance); a detection that is further off than its own size goes
    to a person not yet seen, if one is left.

    Raises:
        SkeletonFormatError: if there are more than `MOST_FRAMES` frames, or an infinite coordinate.

    Warns:
        UserWarning: if an identity is there twice in a frame, so that identities do not count, or if there are more
            people than are kept.
    """
    if len(frames) > MOST_FRAMES:
        raise SkeletonFormatError(f"{source}: {len(frames)} frames are more than {MOST_FRAMES}; cut it into actions")
    everybody = [found for frame in frames for found in frame]
    if not everybody:
        return None
    for found in everybody:
        joints = found.joints
        if np.isinf(joints).any():
            raise SkeletonFormatError(f"{source}: holds an infinite coordinate; mend or drop that frame")
        joints[np.isnan(joints[:, :axes]).any(axis=1)] = 0
        joints[:, axes:][np.isnan(joints[:, axes:])] = 1
    by_identity = all(found.identity is not None for found in everybody)
    if by_identity and (twice := _twice(frames)) is not None:
        t, identity = twice
        warn(f"{source}: identity {str(identity)[:40]} is there twice in frame {t}; people are followed by nearness")
        by_identity = False
    places = _by_identity(frames, axes) if by_identity else _by_nearness(frames, axes)
    if lost := len(everybody) - len(places):
        warn(f"{source}: {lost} of {len(everybody)} detections left out, beyond the {MOST_PEOPLE} people that are kept")
    people = np.zeros((max(place for _, place, _ in places) + 1, len(frames), *everybody[0].joints.shape), np.float32)
    for t, place, found in places:
        people[place, t] = found.joints
    return people if len(people) > 1 else people[0]


def joined(pieces: Sequence[Piece], *, most: int, axes: int) -> list[int | None]:
    """Who is who among pieces of tracks: one person under several identities, one after the other.

    There are as many people as are seen at once, `most` at most; where more are seen, the pieces that come first in the
    list are kept. In the order in which they begin, pieces then go to the person who was last seen nearest, all that
    begin in one frame together; a piece that begins further off than its own size goes to a person not yet seen, if one
    is left.

    Args:
        pieces: the more important ones first.
        most: people at any time.
        axes: coordinates of a joint, its first channels.

    Returns:
        The person of each piece, from 0; `None` for pieces that are not kept.
    """
    if not pieces:
        return []
    seen = np.zeros(1 + max(int(piece.frames[-1]) for piece in pieces), dtype=np.int64)
    kept = []
    for i, piece in enumerate(pieces):
        if (seen[piece.frames] < most).all():
            seen[piece.frames] += 1
            kept.append(i)
    M = int(seen.max())
    person: list[int | None] = [None] * len(pieces)
    last: list[Piece | None] = [None] * M
    taken = np.zeros((M, len(seen)), dtype=bool)
    starts = sorted({int(pieces[i].frames[0]) for i in kept})
    for start in starts:
        group = [i for i in kept if int(pieces[i].frames[0]) == start]
        cost = np.array([[_step(last[m], pieces[i], taken[m], axes) for i in group] for m in range(M)])
        for m, g in zip(*linear_sum_assignment(cost), strict=True):
            if cost[m, g] < IMPOSSIBLE:
                i = group[g]
                person[i] = int(m)
                taken[m, pieces[i].frames] = True
                before = last[m]
                last[m] = pieces[i] if before is None or pieces[i].frames[-1] > before.frames[-1] else before
    return person


def _step(last: Piece | None, piece: Piece, taken: NDArray[np.bool_], axes: int) -> float:
    """Distance from a person's last place to the begin of a piece; the piece's size for a person not yet seen."""
    if taken[piece.frames].any():
        return IMPOSSIBLE
    place, size = _place_and_size(piece.joints[0], axes)
    if last is None:
        return size
    before = int(np.searchsorted(last.frames, piece.frames[0])) - 1
    seen, _ = _place_and_size(last.joints[before], axes)
    return float(np.linalg.norm(place - seen))


def _twice(frames: Sequence[Sequence[Detection]]) -> tuple[int, int | str | None] | None:
    """The first frame in which an identity is there twice, and that identity."""
    for t, frame in enumerate(frames):
        names = [found.identity for found in frame]
        if len(set(names)) < len(names):
            return t, next(name for name in names if names.count(name) > 1)
    return None


def _by_identity(frames: Sequence[Sequence[Detection]], axes: int) -> list[tuple[int, int, Detection]]:
    counts = Counter(found.identity for frame in frames for found in frame)
    names = [identity for identity, _ in counts.most_common()]
    order: dict[int | str | None, int | None] = {identity: place for place, identity in enumerate(names)}
    if len(names) > MOST_PEOPLE:
        own: dict[int | str | None, list[tuple[int, Detection]]] = {name: [] for name in names}
        for t, frame in enumerate(frames):
            for found in frame:
                own[found.identity].append((t, found))
        pieces = [
            Piece(np.array([t for t, _ in seen]), np.stack([found.joints for _, found in seen]))
            for seen in own.values()
        ]
        order = dict(zip(names, joined(pieces, most=MOST_PEOPLE, axes=axes), strict=True))
    return [
        (t, place, found)
        for t, frame in enumerate(frames)
        for found in frame
        if (place := order[found.identity]) is not None
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


def _place_and_size(joints: NDArray[np.floating[Any]], axes: int) -> tuple[NDArray[np.float64], float]:
    """Mean of the joints that were found, and the diagonal of their box."""
    points = joints[joints[:, :axes].any(axis=1), :axes].astype(np.float64)
    if not len(points):
        return np.zeros(axes), 0.0
    return points.mean(axis=0), float(np.linalg.norm(np.ptp(points, axis=0)))
