"""Simulated errors of recordings: noise on joints, lost joints, lost frames, another view.

For studies of robustness. All is drawn from a seed. With the same seed, a larger amount only enlarges what a smaller
one does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms.prepare import each_recording, main_person, present_frames
from stgcnlib.transforms.presence import found_joints

__all__ = ["drop_frames", "drop_joints", "jitter", "motion_share", "rotate"]

Array = NDArray[np.float32]


def jitter(data: SequenceSet, *, snr_db: float | None = None, std: float | None = None, seed: int = 0) -> SequenceSet:
    """Add Gaussian noise to every coordinate (not to a confidence channel, nor to people or joints that are absent).

    A joint of a body whose coordinates are all zero in a frame was not found there, unless it is the joint on which
    the recording is centred; it stays zero, and counts neither as posture nor as motion. On a graph that is no body,
    zeros are values.

    Args:
        data: any recordings.
        snr_db: signal-to-noise ratio in dB, 10 log10(signal power / noise power), per recording. The signal's power
            is the mean square of x, y (and z) about their means over all frames and joints of a person: posture
            and motion count, the place of the body in the room does not. Infinity: no noise.
        std: instead, the standard deviation in units of the coordinates.
        seed: of the noise.

    Returns:
        Recordings of the same shapes, float32.

    Raises:
        SequenceError: unless exactly one of `snr_db` and `std` is given, `snr_db` a number above minus infinity,
            `std` finite and not negative.
    """
    if (snr_db is None) == (std is None):
        raise SequenceError("jitter: give either snr_db (decibels) or std (units of the coordinates)")
    if snr_db == np.inf:
        return data
    if not np.isfinite(snr_db if snr_db is not None else std or 0.0) or (std is not None and std < 0):
        raise SequenceError(
            f"jitter: snr_db={snr_db}, std={std} is no valid noise level; give snr_db in decibels, or std of at least 0"
        )
    rng = np.random.default_rng(seed)
    axes = data.layout.dimensions or data.channels

    def noisy(people: Array) -> Array:
        found = found_joints(people, data.layout) & present_frames(people)[..., None]
        if std is not None:
            size = std
        else:
            assert snr_db is not None
            size = float(np.sqrt(_power(people, axes, found, about=(0, 1)) * 10 ** (-snr_db / 10)))
        result = people.copy()
        result[..., :axes] += rng.normal(0.0, size, result[..., :axes].shape)
        result[~found] = people[~found]
        return result

    return each_recording(data, noisy)


def motion_share(data: SequenceSet) -> NDArray[np.float64]:
    """(N,) share of each recording's signal, as `jitter` measures it, that is motion and not posture.

    Motion is each joint's mean square about its own mean over frames; the signal is about the mean over frames and
    joints. 20 dB of jitter in a recording with a share of 0.1 is 10 dB against motion. 0 where nothing moves. A joint
    counts in the frames in which it was found.

    Returns:
        (N,) float64, 0 to 1.
    """
    axes = data.layout.dimensions or data.channels
    powers = []
    for people in map(data.people, range(len(data))):
        found = found_joints(people, data.layout) & present_frames(people)[..., None]
        powers.append([_power(people, axes, found, about=about) for about in (0, (0, 1))])
    motion, signal = np.array(powers).T
    share: NDArray[np.float64] = np.divide(motion, signal, out=np.zeros(len(data)), where=signal > 0)
    return share


def _power(people: Array, axes: int, found: NDArray[np.bool_], *, about: int | tuple[int, ...]) -> float:
    """Mean square of the coordinates (M, T, V, C) of all found joints about their means over some axes."""
    around = []
    for person, there in zip(people[..., :axes].astype(np.float64), found, strict=True):
        count = np.maximum(there.sum(axis=about, keepdims=True), 1)[..., None]
        mean = (person * there[..., None]).sum(axis=about, keepdims=True) / count
        around.append((person - mean)[there].reshape(-1))
    return float(np.mean(np.concatenate(around) ** 2))


def drop_joints(data: SequenceSet, share: float, *, seed: int = 0) -> SequenceSet:
    """Lose joints as a tracker does under occlusion: their coordinates are zero in the frames concerned.

    Each joint of each person and frame is lost independently, with chance `share`, and its confidence with it. A
    person who is present keeps at least one joint, since all zeros mean absence.

    Args:
        data: any recordings.
        share: chance of each joint, 0 to below 1; 0 changes nothing.
        seed: of the draws. A joint that is lost at one share is lost at every larger share of the same seed.

    Raises:
        SequenceError: if `share` is out of range.
    """
    _check_share("drop_joints", share)
    rng, axes = np.random.default_rng(seed), data.layout.dimensions or data.channels

    def dropped(people: Array) -> Array:
        chances = rng.random(people.shape[:3])
        safest = np.where(people[..., :axes].any(axis=3), chances, -1.0).argmax(axis=2)
        lost = (chances < share) & (np.arange(people.shape[2]) != safest[..., None])
        return np.where(lost[..., None], np.float32(0), people)

    return each_recording(data, dropped) if share else data


def drop_frames(data: SequenceSet, share: float, *, seed: int = 0) -> SequenceSet:
    """Lose frames as an overloaded recorder does: they are gone, and the recording is shorter.

    Each frame is lost independently, with chance `share`, for all people at once; the first frame of the main person
    is kept, so that no recording is left empty.

    Args:
        data: any recordings.
        share: chance of each frame, 0 to below 1; 0 changes nothing.
        seed: of the draws. A frame that is lost at one share is lost at every larger share of the same seed.

    Raises:
        SequenceError: if `share` is out of range.
    """
    _check_share("drop_frames", share)
    rng = np.random.default_rng(seed)

    def dropped(people: Array) -> Array:
        kept = np.asarray(rng.random(people.shape[1]) >= share)
        kept[int(np.argmax(present_frames(people)[main_person(people)]))] = True
        return people[:, kept]

    return each_recording(data, dropped) if share else data


def rotate(data: SequenceSet, degrees: float, *, seed: int = 0) -> SequenceSet:
    """See every recording from another side: turned about the vertical z axis by an angle within ±`degrees`.

    Angles are drawn uniformly, one per recording, so that recordings of one class no longer share a view. The axis
    goes through the origin; after `normalize` it is the vertical through the main person's hips.

    Args:
        data: recordings on a 3-D layout, z up as `normalize` leaves them.
        degrees: largest angle in degrees, 0 to 180; 0 changes nothing.
        seed: of the angles; a larger `degrees` of the same seed turns each recording proportionally further.

    Raises:
        SequenceError: if the recordings are not 3-D or `degrees` is out of range.
    """
    if not 0 <= degrees <= 180:
        raise SequenceError(f"rotate: degrees={degrees}; give the largest angle, 0 to 180")
    if data.layout.dimensions != 3 or data.channels < 3:
        raise SequenceError(
            f"rotate: recordings on {data.layout.name!r} with {data.channels} channels have no view to turn; "
            "it takes x, y and z"
        )
    rng = np.random.default_rng(seed)

    def turned(people: Array) -> Array:
        angle = np.radians(degrees) * rng.uniform(-1, 1)
        cos, sin = np.cos(angle), np.sin(angle)
        result = people.copy()
        result[..., 0] = cos * people[..., 0] - sin * people[..., 1]
        result[..., 1] = sin * people[..., 0] + cos * people[..., 1]
        return result

    return each_recording(data, turned) if degrees else data


def _check_share(where: str, share: float) -> None:
    if not 0 <= share < 1:
        raise SequenceError(f"{where}: share={share}; give the chance of being lost, 0 to below 1")
