"""What frame numbers mean, for every reader alike: numbers that are left out are frames in which nobody was found.

Many tools write nothing for such a frame. Numbers that go in steps mean a lower frame rate. Numbers too far apart to
count frames only give their order. Both give a warning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import warn
from stgcnlib.readers.tracks import MOST_FRAMES, Detection

__all__ = ["in_time", "places", "spread"]

LONG = 3000  # a span of so many frames is always accepted, unless `guessed`: 100 s at 30 Hz
STEADY = 8  # from so many frames on, numbers in steps show a lower frame rate; with fewer it may be chance
SPARSE = 4  # frame numbers that span more than so many times their count do not count frames


def in_time(
    found: Mapping[int, Sequence[Detection]], *, source: Path | str, guessed: bool = False
) -> list[Sequence[Detection]]:
    """Frames one after the other, from the first number to the last, with empty ones where a number is left out.

    Arguments and warnings are those of `places`.
    """
    numbers = sorted(found)
    at = places(numbers, source=source, guessed=guessed)
    frames: list[Sequence[Detection]] = [()] * (at[-1] + 1) if at else []
    for place, number in zip(at, numbers, strict=True):
        frames[place] = found[number]
    return frames


def spread(numbers: Sequence[int], coords: NDArray[np.float64], *, source: Path | str) -> NDArray[np.float64]:
    """Frames (K, …) with ascending numbers, placed in time: (T, …), zero where a number is left out.

    Arguments and warnings are those of `places`.
    """
    at = places(numbers, source=source)
    if len(at) == at[-1] + 1:
        return coords
    frames = np.zeros((at[-1] + 1, *coords.shape[1:]), dtype=coords.dtype)
    frames[at] = coords
    return frames


def places(numbers: Sequence[int], *, source: Path | str, guessed: bool = False) -> list[int]:
    """Where the frames of ascending numbers lie in time, the first at 0.

    Args:
        numbers: in ascending order, each once.
        source: the file or folder, for messages.
        guessed: whether the numbers may count something else, as the number of an image may; then they count as frames
            only if they span at most `SPARSE` times as many frames as there are numbers.

    Warns:
        UserWarning: where all numbers are multiples of a step, which is taken for one frame; and where they are too
            far apart, so that they only tell the order.
    """
    if not numbers:
        return []
    count, first, last = len(numbers), numbers[0], numbers[-1]
    step = math.gcd(*(after - before for before, after in pairwise(numbers))) if count >= STEADY else 1
    span = (last - first) // step + 1
    if span > min(max(SPARSE * count, 0 if guessed else LONG), MOST_FRAMES):
        warn(
            f"{source}: {count} frames have numbers from {first} to {last}, too far apart for a count of frames; "
            "they only tell which comes first"
        )
        return list(range(count))
    if step > 1:
        warn(f"{source}: frame numbers go in steps of {step}; a step is read as one frame")
    return [(number - first) // step for number in numbers]
