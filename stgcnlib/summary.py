"""What a SequenceSet holds, in numbers, and what looks wrong in it.

`summarize` looks and reports; it changes and refuses nothing. Readers judge what the numbers
mean for a study: every warning says what was seen and what is usually its cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stgcnlib.duplicates import equal_to_first
from stgcnlib.errors import shorten
from stgcnlib.sequences import SequenceSet
from stgcnlib.sides import handedness

__all__ = ["Summary", "summarize"]

METRES = (0.2, 10.0)  # sizes of a body in metres, or in lengths of its trunk
MILLIMETRES = 500.0  # a larger body is not measured in centimetres
UNSTABLE = 0.25  # spread of a bone's length over its mean; hands and finger tips of sensors reach it
UNSTABLE_SHARE = 1 / 3  # of the bones
FAR = 0.7  # mean length of bones over mean distance of joints: 0.3 to 0.5 for bodies, 1 for joints in any order
LOOKED_AT = 5  # frames per recording that this ratio is taken from
MISSING = 0.1  # share of joints not found that is worth a warning
CLEAR = 0.5  # how surely a recording must tell its sides to count
SWAPPED = 2 / 3  # share of these recordings with swapped sides that is worth a warning
STILL = 1e-6  # motion below this share of the body's size is none


@dataclass(frozen=True)
class Summary:
    """Numbers about a SequenceSet.

    Attributes:
        recordings: N.
        frames: how many frames all recordings have together.
        lengths: shortest, median, mean and longest recording, in frames.
        layout: name, joints V and channels C of the skeletons.
        people: number of people -> recordings with so many.
        classes: class name -> recordings, in the order of the labels; those without any too.
        groups: group -> value -> recordings.
        missing_joints: share of joints at zero among people who are there: not found by sensor or estimator.
        missing_people: share of frames without a person, of all people that a recording ever holds.
        body_size: median diagonal of a pose's box, in the recordings' unit.
        warnings: what looks wrong, a sentence each.
    """

    recordings: int
    frames: int
    lengths: tuple[int, float, float, int]
    layout: tuple[str, int, int]
    people: Mapping[int, int]
    classes: Mapping[str, int]
    groups: Mapping[str, Mapping[str, int]]
    missing_joints: float
    missing_people: float
    body_size: float
    warnings: tuple[str, ...]


def summarize(data: SequenceSet) -> Summary:
    """Counts, lengths, people, classes, groups and missing data of recordings, and warnings for what looks wrong.

    Warnings are given for: a unit that is not metres (3-D), recordings of one frame or without motion, equal
    recordings, joints that never move or are never found, many missing joints, bones as long as joints are apart (a
    wrong order of joints) or of changing length (3-D; bad tracking), left and right that are swapped
    (`stgcnlib.sides`), and classes with fewer than two recordings.

    Examples:
        >>> import stgcnlib
        >>> said = stgcnlib.summarize(stgcnlib.demo_sequences(subjects=2, repeats=1, actions=["wave", "squat"]))
        >>> said.recordings, said.classes, said.warnings
        (4, {'wave': 2, 'squat': 2}, ())
    """
    lengths = data.lengths
    counts = np.bincount(data.labels, minlength=len(data.class_names))
    looks = [_Look(data, i) for i in range(len(data))]
    seen = sum(look.poses for look in looks)
    places = sum(look.places for look in looks)
    lost = sum((look.lost for look in looks), np.zeros(len(data.layout), dtype=np.int64))
    missing_joints = float(lost.sum() / max(seen * len(data.layout), 1))
    size = float(np.median([look.size for look in looks]))
    return Summary(
        recordings=len(data),
        frames=int(lengths.sum()),
        lengths=(int(lengths.min()), float(np.median(lengths)), float(lengths.mean()), int(lengths.max())),
        layout=(data.layout.name, len(data.layout), data.channels),
        people=dict(sorted(Counter(data.people_counts.tolist()).items())),
        classes={str(name): int(count) for name, count in zip(data.class_names, counts, strict=True)},
        groups={name: _counted(values.tolist()) for name, values in data.groups.items()},
        missing_joints=missing_joints,
        missing_people=1 - seen / max(places, 1),
        body_size=size,
        warnings=(
            *_unit(data, size),
            *_short_still_or_equal(data, looks),
            *_joints(data, looks, lost, seen, missing_joints),
            *_order(data, looks),
            *_bones(data, looks),
            *_sides(data),
            *_classes(data, counts),
        ),
    )


class _Look:
    """Sizes, motion and missing joints of the people in one recording."""

    def __init__(self, data: SequenceSet, i: int) -> None:
        layout = data.layout
        axes = min(layout.dimensions, data.channels)
        points = data.people(i)[..., :axes].astype(np.float64)
        there: NDArray[np.bool_] = np.any(points, axis=(2, 3))
        poses = points[there]
        found: NDArray[np.bool_] = np.any(poses, axis=2)
        self.places = there.size
        self.poses = len(poses)
        self.lost: NDArray[np.int64] = np.sum(~found, axis=0)
        shown = np.where(found[..., None], poses, np.nan)
        whole = shown[found.sum(axis=1) > 1]
        boxes = np.linalg.norm(np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1), axis=1) if len(whole) else [0.0]
        self.size = float(np.median(boxes))
        # (V,) whether a joint is at one place in all frames of every person.
        spread = np.ptp(points, axis=1).max(axis=(0, 2)) if points.shape[1] > 1 else np.full(len(layout), np.inf)
        self.fixed: NDArray[np.bool_] = spread <= STILL * max(self.size, STILL)
        ends = np.array(layout.bones, dtype=np.int64).reshape(-1, 2)
        sizes = np.linalg.norm(poses[:, ends[:, 0]] - poses[:, ends[:, 1]], axis=2)
        sizes = np.where(found[:, ends[:, 0]] & found[:, ends[:, 1]], sizes, np.nan)
        self.bones = _spread(points, there, sizes)
        some = poses[found.all(axis=1)][:: max(1, len(poses) // LOOKED_AT)]
        apart = np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
        pairs = max(len(layout) * (len(layout) - 1), 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = apart[:, ends[:, 0], ends[:, 1]].sum(axis=1) / max(len(ends), 1) / (apart.sum(axis=(1, 2)) / pairs)
        self.far = float(np.median(ratio)) if len(ratio) else np.nan


def _spread(points: NDArray[np.float64], there: NDArray[np.bool_], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bones,) standard deviation of a bone's length over its mean, of the person who is there longest; else NaN."""
    person = int(np.argmax(there.sum(axis=1)))
    own = sizes[np.nonzero(there)[0] == person]
    with np.errstate(invalid="ignore", divide="ignore"):
        count = np.sum(np.isfinite(own), axis=0)
        mean = np.nansum(own, axis=0) / count
        deviation = np.sqrt(np.nansum((own - mean) ** 2, axis=0) / count)
        return np.where((count > 1) & (mean > 0), deviation / mean, np.nan)


def _unit(data: SequenceSet, size: float) -> Iterator[str]:
    if data.layout.dimensions != 3 or METRES[0] <= size <= METRES[1]:
        return
    if size > MILLIMETRES:
        guess = "millimetres; divide by 1000 to have metres"
    elif size > METRES[1]:
        guess = "centimetres or inches"
    else:
        guess = "something else than metres"
    yield f"bodies are {size:.3g} units from end to end, so the unit looks like {guess}"


def _short_still_or_equal(data: SequenceSet, looks: list[_Look]) -> Iterator[str]:
    if single := [name for name, T in zip(data.names, data.lengths, strict=True) if T == 1]:
        yield f"{_some(single, data)} one frame only, which is no motion: {shorten(single, 4)}"
    still = [name for name, look, T in zip(data.names, looks, data.lengths, strict=True) if T > 1 and look.fixed.all()]
    if still:
        yield f"{_some(still, data)} no motion at all: {shorten(still, 4)}"
    pairs = [f"{data.names[i]} = {data.names[j]}" for i, j in enumerate(equal_to_first(data)) if i != j]
    if pairs:
        yield (
            f"{len(pairs)} recordings equal another number for number, which spoils a test if they are on both "
            f"sides of a split (data.drop_duplicates: true leaves them out of a study): "
            f"{'; '.join(pairs[:3])}{'; …' * (len(pairs) > 3)}"
        )


def _joints(data: SequenceSet, looks: list[_Look], lost: NDArray[np.int64], seen: int, missing: float) -> Iterator[str]:
    never = lost == seen
    if never.any():
        yield f"never found, zero in every frame: joint {_joined(data, never)}"
    fixed = np.all([look.fixed for look in looks], axis=0) & ~never
    fixed &= ~np.all([look.fixed.all() for look in looks])
    if fixed.any():
        yield f"stays at one place in each recording, however the body moves: joint {_joined(data, fixed)}"
    if missing > MISSING:
        worst = np.argsort(-lost, kind="stable")[:3]
        names = ", ".join(f"{data.layout.joints[v]} {lost[v] / seen:.0%}" for v in worst)
        yield f"{missing:.0%} of all joints are missing (zero), most of all {names}"


def _order(data: SequenceSet, looks: list[_Look]) -> Iterator[str]:
    far = [look.far for look in looks if np.isfinite(look.far)]
    if len(data.layout.bones) >= 4 and far and np.median(far) > FAR:
        yield (
            f"ends of bones are as far apart as other joints (mean distance {np.median(far):.0%} of theirs): "
            f"the order of the joints is hardly that of layout {data.layout.name!r}"
        )


def _bones(data: SequenceSet, looks: list[_Look]) -> Iterator[str]:
    if data.layout.dimensions != 3 or not data.layout.bones:
        return
    spread = np.stack([look.bones for look in looks])
    typical = _median(spread, axis=0)
    worst = np.argsort(-typical)[: int((typical > UNSTABLE).sum())]
    if len(worst) > UNSTABLE_SHARE * len(typical):
        ends = [tuple(data.layout.joints[v] for v in reversed(data.layout.bones[b])) for b in worst[:3]]
        names = ", ".join(
            f"{upper} to {lower} {typical[b]:.0%}" for (upper, lower), b in zip(ends, worst, strict=False)
        )
        yield (
            f"{len(worst)} of {len(typical)} bones change their length by more than {UNSTABLE:.0%} within a recording "
            f"({names}{', …' * (len(worst) > 3)}), so the tracking is poor"
        )
        return
    own = _median(spread, axis=1)
    if len(poor := [data.names[i] for i in np.argsort(-own) if own[i] > UNSTABLE]):
        yield f"{_some(poor, data)} bones whose length changes throughout, so the tracking is poor: {shorten(poor, 4)}"


def _sides(data: SequenceSet) -> Iterator[str]:
    told = np.array([handedness(data.people(i), data.layout) for i in range(len(data))])
    clear = told[np.abs(told) > CLEAR]
    if len(clear) and (swapped := int((clear < 0).sum())) > SWAPPED * len(clear):
        why = (
            "the right shoulder lies to the left of where the body faces: the joints of left and right have changed "
            "places, or an axis is mirrored"
            if data.layout.dimensions == 3
            else "of faces that are seen, the left shoulder lies on the picture's left: the joints of left and right "
            "have changed places, or the pictures are mirrored"
        )
        yield f"left and right look swapped in {swapped} of the {len(clear)} recordings that tell: {why}"


def _median(spread: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    """Median of what is not NaN; 0 where all is."""
    known = np.isfinite(spread).any(axis=axis)
    result = np.zeros(known.shape)
    result[known] = np.nanmedian(np.compress(known, spread, axis=1 - axis), axis=axis)
    return result


def _classes(data: SequenceSet, counts: NDArray[np.int64]) -> Iterator[str]:
    present = np.flatnonzero(counts)
    if len(present) == 1 and len(data) > 1:
        yield f"all recordings are of one class, {data.class_names[present[0]]!r}: are the labels missing?"
    if len(few := [str(data.class_names[c]) for c in present if counts[c] < 2]):
        yield f"classes with a single recording, too few to compare: {shorten(few, 6)}"


def _counted(values: list[object]) -> dict[str, int]:
    counts = Counter(values)
    try:
        keys = sorted(counts)  # type: ignore[type-var]
    except TypeError:
        keys = sorted(counts, key=str)
    return {str(key): counts[key] for key in keys}


def _some(names: list[str], data: SequenceSet) -> str:
    return f"{len(names)} of {len(data)} recordings have" if len(names) != 1 else f"1 of {len(data)} recordings has"


def _joined(data: SequenceSet, which: NDArray[np.bool_]) -> str:
    return ", ".join(data.layout.joints[v] for v in np.flatnonzero(which))
