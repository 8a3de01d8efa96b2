"""The search for what the parts of a split share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.dtw import dtw_distances
from stgcnlib.duplicates import class_of, contents, repeated_recordings
from stgcnlib.errors import SequenceError
from stgcnlib.groups import SUBJECT
from stgcnlib.leakage.result import EQUAL, NEAR_EQUAL, SAME_PERFORMANCE, Leakage
from stgcnlib.sequences import SequenceSet

__all__ = ["find_leakage"]

NEAR = 0.05
MOST_PAIRS = 2_000_000
COLUMNS = ["kind", "train", "test", "train_class", "test_class", "distance", "why", "train_index", "test_index"]
PLACES = ("camera", "view")
"""Groups that say from where a performance was seen."""
TIMES = ("trial", "replication")
"""Groups that tell the performances of one person apart."""


def find_leakage(
    train: SequenceSet | None,
    test: SequenceSet,
    *,
    near: float = NEAR,
    most_pairs: int = MOST_PAIRS,
    progress: bool | None = None,
) -> Leakage:
    """Compare the parts of a split.

    A pair is near-equal if its windowed-DTW distance is at most `near` times the median over all pairs of a training
    and a test recording. In the demo data, UTD-MHAD and NW-UCLA, prepared and with their usual splits, the two most
    alike performances by different people lie at 0.23, 0.20 and 0.19 of the median, and two by one person at 0.08 or
    more. Copies that were moved, turned or scaled lie at 0 once they are normalised, copies rounded to a millimetre
    below 0.01, copies with noise of a millimetre at 0.01 to 0.04 (``benchmarks/near_equal.py`` measures this). So 0.05
    takes no performance for another, and finds copies that were moved, stored anew or slightly disturbed. Copies that
    lost frames or were resampled in time often lie above it and are missed.

    It computes the distances of all pairs: on one core some 40,000 to 150,000 a second for recordings of 20 joints.

    Args:
        train, test: parts of one set, prepared as the network sees them. `None` for the training part where it is not
            known: then only recordings that occur twice in the test part are found.
        near: share of the median distance, from 0 (no search) to below 1.
        most_pairs: above this number of pairs, only equal recordings and the same performances are looked for.
        progress: draw a progress bar; None: on a terminal.

    Raises:
        SequenceError: the parts have other classes, joints or channels than each other, or `near` is out of range.

    Examples:
        >>> import stgcnlib
        >>> data = stgcnlib.demo_sequences(subjects=2, repeats=1, actions=["wave", "squat"])
        >>> stgcnlib.find_leakage(data, data).pairs["kind"].tolist()  # each recording is in both parts
        ['equal', 'equal', 'equal', 'equal']
    """
    if train is not None and (train.class_names, train.layout.joints, train.channels) != (
        test.class_names, test.layout.joints, test.channels,
    ):  # fmt: skip
        raise SequenceError("find_leakage: train and test differ in classes, joints or channels; give parts of one set")
    if not 0 <= near < 1:
        raise SequenceError(f"find_leakage: near={near!r}; expected a share from 0 to below 1")
    rows, compared = [], True
    if train is not None:
        equal = _equal_pairs(train, test)
        compared = near > 0 and len(train) * len(test) <= most_pairs
        rows = [_row(EQUAL, train, test, i, j, 0.0, "equal number for number") for i, j in equal]
        if compared:
            rows += _near_equal(train, test, set(equal), near, progress=progress)
        rows += _same_performance(train, test, {(row["train_index"], row["test_index"]) for row in rows})
    counts = np.bincount(test.labels, minlength=len(test.class_names))
    labels = {*([] if train is None else train.labels.tolist()), *test.labels.tolist()}
    present = sorted(labels) if test.class_names else []
    facts = {
        "train": 0 if train is None else len(train),
        "test": len(test),
        "class_counts": {str(test.class_names[c]): int(counts[c]) for c in present},
        "near": near,
        "compared": compared or near == 0,
        "dropped": False,
    }
    numbers = {"distance": np.float64, "train_index": np.int64, "test_index": np.int64}
    pairs = pd.DataFrame(rows, columns=COLUMNS).astype({column: numbers.get(column, "str") for column in COLUMNS})
    return Leakage(pairs, repeated_recordings(train, test), facts)


def _row(kind: str, train: SequenceSet, test: SequenceSet, i: int, j: int, distance: float, why: str) -> dict[str, Any]:
    classes = {"train_class": class_of(train, i), "test_class": class_of(test, j)}
    names = {"train": train.names[i], "test": test.names[j]}
    return {"kind": kind, **names, **classes, "distance": distance, "why": why, "train_index": i, "test_index": j}


def _equal_pairs(train: SequenceSet, test: SequenceSet) -> list[tuple[int, int]]:
    """Indices of equal training and test recordings."""
    known: dict[bytes, list[int]] = {}
    for i, content in enumerate(contents(train)):
        known.setdefault(content, []).append(i)
    return [(i, j) for j, content in enumerate(contents(test)) for i in known.get(content, ())]


def _near_equal(
    train: SequenceSet, test: SequenceSet, equal: set[tuple[int, int]], near: float, *, progress: bool | None
) -> list[dict[str, Any]]:
    most = int(max(train.people_counts.max(), test.people_counts.max()))
    distances = dtw_distances(_sequences(test, most), _sequences(train, most), progress=progress)
    usual = float(np.median(distances))
    found = np.argwhere(distances <= near * usual) if usual > 0 else np.empty((0, 2), dtype=np.int64)
    return [
        _row(NEAR_EQUAL, train, test, i, j, share, f"{share:.1%} of the distance of two usual recordings")
        for j, i in found.tolist()
        for share in [float(distances[j, i]) / usual]
        if (i, j) not in equal
    ]


def _sequences(data: SequenceSet, people: int) -> list[NDArray[np.float32]]:
    """(T, V*C*people) features of each recording; people who are missing are zero."""
    found = []
    for i in range(len(data)):
        shown = data.people(i)
        shown = np.pad(shown, ((0, people - len(shown)), (0, 0), (0, 0), (0, 0)))
        found.append(np.ascontiguousarray(shown.transpose(1, 2, 0, 3)).reshape(shown.shape[1], -1))
    return found


def _same_performance(train: SequenceSet, test: SequenceSet, known: set[tuple[int, int]]) -> list[dict[str, Any]]:
    """Pairs of one class, person and time from different places, where the groups tell all of these."""
    groups = set(train.groups) & set(test.groups)
    places, times = (sorted(groups.intersection(each)) for each in (PLACES, TIMES))
    if not places or not times or SUBJECT not in groups:
        return []
    who = [name for name in (SUBJECT, "setup", *times) if name in groups]
    performed: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(train)):
        performed.setdefault(_performance(train, i, who), []).append(i)
    rows = []
    for j in range(len(test)):
        for i in performed.get(_performance(test, j, who), ()):
            if (i, j) not in known:
                said = ", ".join(f"{name} {test.groups[name][j]}" for name in who)
                seen = ", ".join(f"{name} {train.groups[name][i]} and {test.groups[name][j]}" for name in places)
                rows.append(_row(SAME_PERFORMANCE, train, test, i, j, np.nan, f"{said}; {seen}"))
    return rows


def _performance(data: SequenceSet, i: int, who: Sequence[str]) -> tuple[Any, ...]:
    return (int(data.labels[i]), *(data.groups[name][i].item() for name in who))
