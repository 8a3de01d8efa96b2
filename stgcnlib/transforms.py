"""Preparing sequences: centre, turn, scale, resample, mirror, add noise. SequenceSet in, SequenceSet out.

Nothing is changed in place, people of one recording move together, and a degenerate pose (joints that
coincide) is left as it is rather than made NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["centre", "face_front", "jitter", "main_person", "mirror", "normalize", "resample", "scale"]

Array = NDArray[np.float32]
SMALL = 1e-6


def normalize(data: SequenceSet) -> SequenceSet:
    """Centre, turn to the front and scale: what remains is the motion, not the sensor's place or the body's size.

    3-D data end with the trunk of the first frame along z (up), the left shoulder towards +x (so y points to the
    person's back), and a trunk of length 1. 2-D data are centred and scaled only. Twice is the same as once.
    """
    return scale(face_front(centre(data)))


def centre(data: SequenceSet, *, per: Literal["sequence", "frame"] = "sequence") -> SequenceSet:
    """Move the lower end of the spine (else the layout's centre joint) of the main person to the origin.

    Args:
        data: any recordings; for 2-D layouts a third channel (confidence) is kept as it is.
        per: "sequence" moves all frames by the first frame's place, so walking stays visible; "frame" moves each.
    """
    joint = data.layout.spine[0] if data.layout.spine else data.layout.centre
    axes = data.layout.dimensions

    def moved(people: Array) -> Array:
        place = people[main_person(people), :, joint, :axes]
        origin = place[:1] if per == "sequence" else place
        result = people.copy()
        result[..., :axes] -= origin[None, :, None, :]
        return result

    return _each(data, moved)


def face_front(data: SequenceSet) -> SequenceSet:
    """Rotate 3-D recordings so that the main person stands upright along z and has the left shoulder towards +x.

    One rotation per recording, from its first frame (from the mean pose where the first frame's trunk or
    shoulders have no direction). 2-D recordings and layouts without spine and shoulders come back unchanged.
    """
    skeleton = data.layout
    if skeleton.dimensions != 3 or skeleton.spine is None or skeleton.shoulders is None:
        return data

    def turned(people: Array) -> Array:
        person = people[main_person(people)].astype(np.float64)
        rotation = _body_axes(person[0], skeleton)
        if rotation is None:
            rotation = _body_axes(person.mean(axis=0), skeleton)
        if rotation is None:
            return people
        result = people.copy()
        result[..., :3] = people[..., :3] @ rotation.T
        return result

    return _each(data, turned)


def scale(data: SequenceSet, *, by: Literal["trunk", "unit"] = "trunk") -> SequenceSet:
    """Divide coordinates by one length per recording.

    Args:
        data: any recordings.
        by: "trunk", the main person's median distance between the ends of the spine (between the shoulders where
            a layout names no spine; `unit` where it names neither); "unit", the largest absolute coordinate.
    """
    axes = data.layout.dimensions
    ends = data.layout.spine or data.layout.shoulders

    def scaled(people: Array) -> Array:
        if by == "trunk" and ends is not None:
            person = people[main_person(people), ..., :axes].astype(np.float64)
            size = float(np.median(np.linalg.norm(person[:, ends[1]] - person[:, ends[0]], axis=-1)))
        else:
            size = float(np.abs(people[..., :axes]).max())
        if size < SMALL:
            return people
        result = people.copy()
        result[..., :axes] /= size
        return result

    return _each(data, scaled)


def resample(data: SequenceSet, frames: int) -> SequenceSet:
    """Every recording at `frames` frames, linear in time; first and last frame stay (one frame is repeated).

    Raises:
        SequenceError: if `frames` is below 1.
    """
    if frames < 1:
        raise SequenceError(f"resample: {frames} frames asked for; at least 1 is needed")

    def resampled(people: Array) -> Array:
        T = people.shape[1]
        if T == 1:
            return np.repeat(people, frames, axis=1)
        spline = make_interp_spline(np.arange(T), people.astype(np.float64), k=1, axis=1)
        return np.asarray(spline(np.linspace(0, T - 1, frames)), dtype=np.float32)

    return _each(data, resampled)


def jitter(data: SequenceSet, *, snr_db: float | None = None, std: float | None = None, seed: int = 0) -> SequenceSet:
    """Add Gaussian noise to every coordinate.

    Args:
        data: any recordings.
        snr_db: signal-to-noise ratio in dB: 10 log10(signal power / noise power), where the signal's power is the
            mean squared distance of a recording's coordinates from their mean over frames and joints.
        std: instead, the standard deviation in units of the coordinates.
        seed: of the noise.

    Raises:
        SequenceError: unless exactly one of `snr_db` and `std` is given.
    """
    if (snr_db is None) == (std is None):
        raise SequenceError("jitter: give either snr_db (decibels) or std (units of the coordinates)")
    rng = np.random.default_rng(seed)
    axes = data.layout.dimensions

    def noisy(people: Array) -> Array:
        if std is not None:
            size = std
        else:
            assert snr_db is not None
            signal = people[..., :axes].astype(np.float64)
            power = float(np.mean((signal - signal.mean(axis=(1, 2), keepdims=True)) ** 2))
            size = float(np.sqrt(power * 10 ** (-snr_db / 10)))
        result = people.copy()
        result[..., :axes] += rng.normal(0.0, size, result[..., :axes].shape)
        return result

    return _each(data, noisy)


def mirror(data: SequenceSet) -> SequenceSet:
    """Swap left and right: joints of each mirror pair change places and x changes sign. Twice is the identity."""
    order = np.arange(len(data.layout))
    for left, right in data.layout.mirror:
        order[[left, right]] = right, left

    def mirrored(people: Array) -> Array:
        result = people[:, :, order].copy()
        result[..., 0] *= -1
        return result

    return _each(data, mirrored)


def main_person(people: Array) -> int:
    """Index of the person of (M, T, V, C) whose joints move most; the first if nobody moves."""
    if len(people) == 1:
        return 0
    spread = people.astype(np.float64).var(axis=1).sum(axis=(1, 2))
    return int(np.argmax(spread))


def _each(data: SequenceSet, change: Callable[[Array], Array]) -> SequenceSet:
    coords = []
    for i, original in enumerate(data.coords):
        people = change(data.people(i))
        coords.append(people if original.ndim == 4 else people[0])
    return data.with_coords(coords)


def _body_axes(pose: NDArray[np.float64], skeleton: SkeletonLayout) -> NDArray[np.float64] | None:
    """Rotation (3, 3) that sends the trunk to +z and the shoulder line to +x, or `None` without directions."""
    assert skeleton.spine is not None
    assert skeleton.shoulders is not None
    up = pose[skeleton.spine[1], :3] - pose[skeleton.spine[0], :3]
    left = pose[skeleton.shoulders[0], :3] - pose[skeleton.shoulders[1], :3]
    if np.linalg.norm(up) < SMALL:
        return None
    up /= np.linalg.norm(up)
    left -= (left @ up) * up
    if np.linalg.norm(left) < SMALL:
        return None
    left /= np.linalg.norm(left)
    return np.stack([left, np.cross(up, left), up])
