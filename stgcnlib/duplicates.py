"""Recordings that are in a set twice: which ones, and which of them to leave out of a split.

Equal means number for number; `stgcnlib.leakage` also looks for recordings that are nearly equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.sequences import SequenceSet

__all__ = ["class_of", "contents", "equal_to_first", "repeated_recordings"]


def contents(data: SequenceSet) -> Iterator[bytes]:
    """A hash of each recording's coordinates, without empty frames at its ends and people who are never there.

    For signals on a graph that is no body, a zero is a value, and everything counts.
    """
    for i in range(len(data)):
        people = data.people(i)
        if not data.layout.dimensions:
            yield _digest(people)
            continue
        there = np.any(people, axis=(2, 3))
        frames = np.flatnonzero(there.any(axis=0))
        first, last = (frames[0], frames[-1] + 1) if len(frames) else (0, 0)
        yield _digest(people[there.any(axis=1), first:last])


def _digest(values: NDArray[np.float32]) -> bytes:
    # Adding 0 turns -0 into 0: they are equal numbers with different bytes.
    return hashlib.sha256(repr(values.shape).encode() + (values + np.float32(0)).tobytes()).digest()


def class_of(data: SequenceSet, i: int) -> str:
    """The class of a recording; "" in a set without classes."""
    return str(data.class_names[data.labels[i]]) if data.class_names else ""


def equal_to_first(data: SequenceSet) -> NDArray[np.int64]:
    """(N,) index of the first recording that each one equals number for number: its own where there is none before."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(content, i) for i, content in enumerate(contents(data))], dtype=np.int64)


def repeated_recordings(train: SequenceSet | None, test: SequenceSet) -> pd.DataFrame:
    """The recordings to leave out of a split so that none is in it twice.

    These are test recordings that equal a training recording, and in each part all but the first of equal ones. Without
    a training part, `None`, only the test part is looked at.

    Returns:
        One row per recording to leave out: index (in its part), name, part ("train" or "test"), class_name, and of the
        recording that it equals and that stays: equals, equals_part, equals_class.
    """
    parts = {"test": test} if train is None else {"train": train, "test": test}
    first: dict[bytes, tuple[str, int]] = {}
    rows = []
    for part, data in parts.items():
        for i, content in enumerate(contents(data)):
            other, j = first.setdefault(content, (part, i))
            if (other, j) != (part, i):
                kept = parts[other]
                row = {"index": i, "name": data.names[i], "part": part, "class_name": class_of(data, i)}
                row |= {"equals": kept.names[j], "equals_part": other}
                rows.append(row | {"equals_class": class_of(kept, j)})
    columns = ["index", "name", "part", "class_name", "equals", "equals_part", "equals_class"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], "str") | {"index": np.int64})
