"""Recordings out of arrays in which all have the same length and number of people.

Published arrays are filled up with zeros behind the last frame and after the last person (ST-GCN, CTR-GCN), or with
the recording over and over (2s-AGCN). What was filled in is taken away again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["unpadded"]


def unpadded(people: NDArray[Any]) -> NDArray[np.float32] | None:
    """Remove the padding of (M, T, V, C): (T, V, C), or (M, T, V, C) of several people; `None` where nobody is.

    People whose numbers are all zero are dropped, then the frames behind the last one in which anybody is. If there are
    no such frames, and the recording repeats its own beginning exactly from some frame to the end, it is cut before
    that frame. NaN joints count as not found, and become zero.
    """
    people = np.ascontiguousarray(people)
    if np.isnan(people).any():
        people = np.where(np.isnan(people).any(axis=-1, keepdims=True), 0, people)
    M, T = people.shape[:2]
    there: NDArray[np.bool_] = np.any(people.reshape(M, T, -1), axis=2)
    if not there.any():
        return None
    last = int(np.flatnonzero(there.any(axis=0))[-1]) + 1
    people = people[there.any(axis=1), : last if last < T else None]
    with np.errstate(over="ignore"):  # what overflows is infinite, which SequenceSet refuses
        coords = people.astype(np.float32)
    if last == T:
        coords = coords[:, : _period(coords)].copy()
    return coords if len(coords) > 1 else coords[0]


def _period(people: NDArray[Any]) -> int:
    """Frames until (M, T, V, C) starts again; T where it does not."""
    frames = people.swapaxes(0, 1).reshape(people.shape[1], -1)
    length = len(frames)
    for period in 1 + np.flatnonzero((frames[1:] == frames[0]).all(axis=1)):
        if np.array_equal(frames[period:], frames[: length - period]):
            return int(period)
    return length
