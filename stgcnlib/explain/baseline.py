"""Comparison maps, and replacements for removed joints and frames.

A network was never trained on half a body. So a removed joint is replaced by a likely position: that of the class-free
mean pose, or one interpolated in time. Comparison maps are maps moved to random places, and the motion energy.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet

__all__ = ["Replacement", "mean_pose", "motion_energy", "moved", "removed"]

Replacement: TypeAlias = Literal["mean-pose", "interpolation"]
"""What replaces removed cells: the class-free mean pose, or a straight line in time between the cells that are kept."""

_PHASES = 64


def mean_pose(reference: SequenceSet, people: int, frames: int) -> NDArray[np.float32]:
    """(M, T, V, C) class-free mean pose: the mean over recordings at equal fractions of their length.

    Every class has the same weight, so that no class dominates the mean. Person m is the mean of all m-th people;
    where no recording of the reference has that many, the first person is used.

    Args:
        reference: recordings to average, such as the training part.
        people: M.
        frames: T.
    """
    phases = np.stack([_at_phases(reference.people(i)[0]) for i in range(len(reference))])
    means = [_by_class(phases, reference.labels)]
    for m in range(1, people):
        having = [i for i in range(len(reference)) if reference.people_counts[i] > m]
        others = np.stack([_at_phases(reference.people(i)[m]) for i in having]) if having else phases
        means.append(_by_class(others, reference.labels[having] if having else reference.labels))
    place = np.linspace(0, _PHASES - 1, frames)
    before = np.minimum(place.astype(np.int64), _PHASES - 2)
    share = (place - before)[:, None, None]
    result = np.stack([mean[before] * (1 - share) + mean[before + 1] * share for mean in means])
    return result.astype(np.float32)


def removed(
    people: NDArray[np.float32],
    masks: NDArray[np.bool_],
    *,
    replacement: Replacement,
    pose: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """(K, M, T, V, C) copies of one recording, each with the cells of one mask replaced.

    Args:
        people: (M, T, V, C).
        masks: (K, M, T, V), true where a joint is removed at a frame.
        replacement: "mean-pose" puts `pose` there; "interpolation" draws straight lines between the joint's
            kept frames, repeats the nearest one at the ends, and puts a joint without kept frames at its own mean.
        pose: (M, T, V, C) of `mean_pose`; only for "mean-pose".

    Raises:
        SequenceError: if "mean-pose" comes without a pose.
    """
    if replacement == "mean-pose":
        if pose is None:
            raise SequenceError("replacement='mean-pose' needs a reference set; give one, or take 'interpolation'")
        return np.where(masks[..., None], pose[None], people[None])
    T = people.shape[1]
    frames = np.arange(T)[:, None]
    left = ~masks
    # Last kept frame at or before t, and first kept frame at or after it; -1 and T where there is none.
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
    rest = people.mean(axis=1, keepdims=True)[None]
    result: NDArray[np.float32] = np.where(lost[..., None], rest, first * (1 - share) + second * share)
    return result.astype(np.float32)


def motion_energy(people: NDArray[np.float32], dimensions: int = 0) -> NDArray[np.float64]:
    """(M, T, V) squared speed of each joint at each frame: a comparison map that uses no network.

    Speed is the central difference between the frames before and after (one-sided at the ends), per frame. A recording
    of one frame has zeros.

    Args:
        people: (M, T, V, C).
        dimensions: how many of the channels are positions, the first ones; 0: all channels count.
    """
    places = people[..., : dimensions or people.shape[-1]].astype(np.float64)
    if places.shape[1] < 2:
        return np.zeros(places.shape[:3])
    energy: NDArray[np.float64] = (np.gradient(places, axis=1) ** 2).sum(axis=-1)
    return energy


def moved(values: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """A random map (M, T, V) of the same mass and smoothness in time: joints change places, frames are rolled."""
    rolled = np.roll(values, int(generator.integers(values.shape[1])), axis=1)
    # Joints are shuffled across people, or the map would still show which of two people acts.
    M, T, V = values.shape
    joints = rolled.transpose(1, 0, 2).reshape(T, M * V)[:, generator.permutation(M * V)]
    return joints.reshape(T, M, V).transpose(1, 0, 2)


def _at_phases(person: NDArray[np.float32]) -> NDArray[np.float64]:
    place = np.linspace(0, len(person) - 1, _PHASES)
    before = place.astype(np.int64)
    after = np.minimum(before + 1, len(person) - 1)
    share = (place - before)[:, None, None]
    result: NDArray[np.float64] = person[before] * (1 - share) + person[after] * share
    return result


def _by_class(values: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.mean([values[labels == c].mean(axis=0) for c in np.unique(labels)], axis=0)
    return result
