"""Comparison maps, and replacements for removed joints and frames.

A network was never trained on half a body. So a removed joint is replaced by a likely position: that of the class-free
mean pose, or one interpolated in time. Comparison maps are maps moved to random places, and the motion energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.transforms.presence import found_joints, people_there

__all__ = ["Replacement", "mean_pose", "motion_energy", "moved", "removed"]

Replacement: TypeAlias = Literal["mean-pose", "interpolation"]
"""What replaces removed cells: the class-free mean pose, or a straight line in time between the cells that are kept."""

_PHASES = 64


def mean_pose(reference: SequenceSet, people: int, frames: int) -> NDArray[np.float32]:
    """(M, T, V, C) float32 class-free mean pose: the mean over recordings at equal fractions of their length.

    Every class has the same weight, so that no class dominates the mean. Person m is the mean of all m-th people;
    where no recording of the reference has that many, the first person is used. Only joints that were found count; at
    a fraction at which a joint was found in no recording, it is where it is at the nearest other fraction, and a joint
    that was never found is zero.

    Args:
        reference: recordings to average, such as the training part.
        people: M.
        frames: T.
    """
    known = _means.get(reference)
    if known is None:
        known = _means[reference] = _mean_phases(reference)
    first = min(known)
    place = np.linspace(0, _PHASES - 1, frames)
    before = np.minimum(place.astype(np.int64), _PHASES - 2)
    share = (place - before)[:, None, None]
    means = [known.get(m, known[first]) for m in range(people)]
    result = np.stack([mean[before] * (1 - share) + mean[before + 1] * share for mean in means])
    return result.astype(np.float32)


_means: WeakKeyDictionary[SequenceSet, dict[int, NDArray[np.float64]]] = WeakKeyDictionary()
"""`_mean_phases` of sets in use: each explained recording asks for them."""


def _mean_phases(reference: SequenceSet) -> dict[int, NDArray[np.float64]]:
    """(P, V, C) mean pose at each phase of every person m who is in a recording."""
    phases: dict[int, list[_Phases]] = {}
    labels: dict[int, list[int]] = {}
    for i in range(len(reference)):
        people = reference.people(i)
        found = found_joints(people, reference.layout)
        for m in np.flatnonzero(people_there(people, reference.layout).any(axis=1)).tolist():
            phases.setdefault(m, []).append(_at_phases(people[m], found[m]))
            labels.setdefault(m, []).append(int(reference.labels[i]))
    return {m: _by_class(own, np.array(labels[m])) for m, own in phases.items()}


def removed(
    people: NDArray[np.float32],
    masks: NDArray[np.bool_],
    *,
    replacement: Replacement,
    pose: NDArray[np.float32] | None = None,
    layout: SkeletonLayout | None = None,
) -> NDArray[np.float32]:
    """(K, M, T, V, C) float32 copies of one recording, each with the cells of one mask replaced.

    A person who is not in a frame stays absent there.

    Args:
        people: (M, T, V, C) float32.
        masks: (K, M, T, V) bool, true where a joint is removed at a frame.
        replacement: "mean-pose" puts `pose` there; "interpolation" draws straight lines between the frames in which the
            joint is kept and was found, repeats the nearest one at the ends, and puts a joint without such frames at
            its own mean.
        pose: (M, T, V, C) of `mean_pose`; only for "mean-pose".
        layout: of the recording; `None` counts as a body.

    Raises:
        SequenceError: if "mean-pose" comes without a pose.
    """
    masks = masks & people_there(people, layout)[..., None]
    if replacement == "mean-pose":
        if pose is None:
            raise SequenceError("replacement='mean-pose' needs a reference set; give one, or take 'interpolation'")
        return np.where(masks[..., None], pose[None], people[None])
    T = people.shape[1]
    frames, found = np.arange(T)[:, None], found_joints(people, layout)
    left = ~masks & found
    # Last such frame at or before t, and first one at or after it; -1 and T where there is none.
    before = np.maximum.accumulate(np.where(left, frames, -1), axis=2)
    after = np.minimum.accumulate(np.where(left, frames, T)[:, :, ::-1], axis=2)[:, :, ::-1]
    lost = (before < 0) & (after >= T)
    start = np.where(before < 0, after, before).clip(0, T - 1)
    stop = np.where(after >= T, before, after).clip(0, T - 1)
    width = np.maximum(stop - start, 1)
    share = np.where(stop > start, (frames - start) / width, 0.0).astype(np.float32)[..., None]
    copies = np.broadcast_to(people, (len(masks), *people.shape))
    first = np.take_along_axis(copies, start[..., None], axis=2)
    second = np.take_along_axis(copies, stop[..., None], axis=2)
    count = np.maximum(found.sum(axis=1, keepdims=True), 1)[..., None]
    rest = (people * found[..., None]).sum(axis=1, keepdims=True) / count
    line = np.where(lost[..., None], rest[None], first * (1 - share) + second * share)
    return np.where(masks[..., None], line, copies).astype(np.float32)


def motion_energy(people: NDArray[np.float32], layout: SkeletonLayout | None = None) -> NDArray[np.float64]:
    """(M, T, V) float64 squared speed of each joint at each frame: a comparison map that uses no network.

    Speed is the central difference between the frames before and after, per frame; one-sided at the ends, and where the
    joint was found in only one of these frames. It is 0 where the joint, or both neighbours, were not found. A
    recording of one frame has zeros.

    Args:
        people: (M, T, V, C) float32.
        layout: of the recording, which says how many channels are positions; of a layout that is no body, all are.
            `None` counts as a body, of which all channels are positions.
    """
    places = people[..., : (layout.dimensions if layout else 0) or people.shape[-1]].astype(np.float64)
    found, nobody = found_joints(people, layout), np.zeros((len(people), 1, people.shape[2]), dtype=np.bool_)
    sooner = np.concatenate([nobody, found[:, :-1]], axis=1)
    later = np.concatenate([found[:, 1:], nobody], axis=1)
    before = np.where(sooner[..., None], np.roll(places, 1, axis=1), places)
    after = np.where(later[..., None], np.roll(places, -1, axis=1), places)
    span = np.maximum(sooner.astype(np.int64) + later, 1)[..., None]
    energy: NDArray[np.float64] = (((after - before) / span) ** 2).sum(axis=-1) * found
    return energy


def moved(
    values: NDArray[np.floating], generator: np.random.Generator, there: NDArray[np.bool_] | None = None
) -> NDArray[np.floating]:
    """A random map of the same mass and smoothness in time: joints change places, frames are rolled.

    Args:
        values: (M, T, V).
        generator: draws the frames and the joints.
        there: (M, T) bool, who is in which frame; `None`: everybody in all. Joints change places among the people who
            are in some frame, and frames in which nobody is are not counted. Relevance that would fall on a person
            outside that person's own frames is lost.

    Returns:
        (M, T, V), of the dtype of `values`.
    """
    there = np.ones(values.shape[:2], dtype=np.bool_) if there is None else there
    who, when = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    some = values[np.ix_(who, when)]
    rolled = np.roll(some, int(generator.integers(max(len(when), 1))), axis=1)
    # Joints are shuffled across people, or the map would still show which of two people acts.
    M, T, V = some.shape
    joints = rolled.transpose(1, 0, 2).reshape(T, M * V)[:, generator.permutation(M * V)]
    result = np.zeros_like(values)
    result[np.ix_(who, when)] = joints.reshape(T, M, V).transpose(1, 0, 2)
    result[~there] = 0
    return result


_Phases: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(P, V) weight of what was found at each phase, at most 1, and (P, V, C) coordinates times their weight."""


def _at_phases(person: NDArray[np.float32], found: NDArray[np.bool_]) -> _Phases:
    """Of one person (T, V, C), whose joints were found or not (T, V)."""
    body = person.astype(np.float64)
    place = np.linspace(0, len(body) - 1, _PHASES)
    before = place.astype(np.int64)
    after = np.minimum(before + 1, len(body) - 1)
    share = (place - before)[:, None]
    first, second = found[before] * (1 - share), found[after] * share
    return first + second, body[before] * first[..., None] + body[after] * second[..., None]


def _by_class(phases: Sequence[_Phases], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(P, V, C) mean over classes of each class's mean; phases at which a joint is not known are filled."""
    weights, sums = (np.stack(each) for each in zip(*phases, strict=True))
    means, known = [], []
    for c in np.unique(labels):
        weight = weights[labels == c].sum(axis=0)
        known.append(weight > 0)
        means.append(sums[labels == c].sum(axis=0) / np.where(known[-1], weight, 1.0)[..., None])
    classes = np.sum(known, axis=0)
    result: NDArray[np.float64] = np.sum(means, axis=0) / np.maximum(classes, 1)[..., None]
    for joint in np.flatnonzero((classes == 0).any(axis=0) & (classes > 0).any(axis=0)):
        there = np.flatnonzero(classes[:, joint])
        nearest = there[np.abs(np.arange(_PHASES)[:, None] - there).argmin(axis=1)]
        result[:, joint] = result[nearest, joint]
    return result
