"""Preparing sequences: centre, turn, scale, resample, mirror, and corrupt them. SequenceSet in, SequenceSet out.

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

__all__ = [
    "centre", "drop_frames", "drop_joints", "face_front", "jitter", "main_person", "mirror", "normalize", "resample",
    "rotate", "scale",
]  # fmt: skip

Array = NDArray[np.float32]
SMALL = 1e-6  # lengths below count as no length
PARALLEL = 0.9  # largest cosine between trunk and shoulders of a frame that sets the direction


def normalize(data: SequenceSet, *, per: Literal["sequence", "frame"] = "sequence") -> SequenceSet:
    """Centre, turn to the front and scale: what remains is the motion, not the sensor's place or the body's size.

    3-D data end with the trunk of the first frame along z (up), the left shoulder towards +x (so y points to the
    person's back), and a trunk of length 1. 2-D data are centred and scaled only. Twice is the same as once.

    Args:
        data: any recordings.
        per: how `centre` does it: "sequence" keeps the way that a person walks, "frame" takes it away too.
    """
    return scale(face_front(centre(data, per=per)))


def centre(data: SequenceSet, *, per: Literal["sequence", "frame"] = "sequence") -> SequenceSet:
    """Move the lower end of the spine (else the layout's centre joint) of the main person to the origin.

    Args:
        data: any recordings; for 2-D layouts a third channel (confidence) is kept as it is.
        per: "sequence" moves all frames by the first frame's place, so walking stays visible; "frame" moves each.
    """
    joint = data.layout.spine[0] if data.layout.spine else data.layout.centre
    axes = data.layout.dimensions

    def moved(people: Array) -> Array:
        present = _present(people)
        main = main_person(people)
        place = people[main, :, joint, :axes]
        first = int(np.argmax(present[main]))
        origin = place[first : first + 1] if per == "sequence" else place
        result = people.copy()
        result[..., :axes] -= origin[None, :, None, :]
        result[~present] = people[~present]
        return result if result.any() else people  # a body in one point, at the origin, would read as absent

    return _each(data, moved)


def face_front(data: SequenceSet) -> SequenceSet:
    """Rotate 3-D recordings so that the main person stands upright along z and has the left shoulder towards +x.

    One rotation per recording, from its first frame that is well tracked: trunk and shoulders at least half as long
    as their medians over the recording, and not parallel (`PARALLEL`). Without such a frame it is the mean pose;
    where that has no direction either, and for 2-D layouts and layouts without spine and shoulders, nothing turns.

    Raises:
        SequenceError: if the layout is 3-D and the coordinates have fewer than 3 channels.
    """
    skeleton = data.layout
    if skeleton.dimensions != 3 or skeleton.spine is None or skeleton.shoulders is None:
        return data
    if data.channels < 3:
        raise SequenceError(
            f"layout {skeleton.name!r} is 3-D but the recordings have {data.channels} channels; give x, y and z, "
            "or a layout with dimensions=2"
        )

    def turned(people: Array) -> Array:
        person = people[main_person(people)].astype(np.float64)
        rotation = _body_axes(person[_first_sound_frame(person, skeleton)], skeleton)
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
    """Add Gaussian noise to every coordinate (not to a confidence channel, nor to people who are absent).

    Args:
        data: any recordings.
        snr_db: signal-to-noise ratio in dB, 10 log10(signal power / noise power), per recording. The signal's power
            is the mean square of x, y (and z) about their means over all frames and joints of a person: posture
            and motion count, the place of the body in the room does not. Infinity: no noise.
        std: instead, the standard deviation in units of the coordinates.
        seed: of the noise.

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
            f"jitter: snr_db={snr_db}, std={std} is no size of noise; give snr_db in decibels, or a std of at least 0"
        )
    rng = np.random.default_rng(seed)
    axes = data.layout.dimensions

    def noisy(people: Array) -> Array:
        present = _present(people)
        if std is not None:
            size = std
        else:
            assert snr_db is not None
            bodies = [
                person[there][..., :axes].astype(np.float64) for person, there in zip(people, present, strict=True)
            ]
            around = [(body - body.mean(axis=(0, 1))).reshape(-1) for body in bodies if len(body)]
            power = float(np.mean(np.concatenate(around) ** 2))
            size = float(np.sqrt(power * 10 ** (-snr_db / 10)))
        result = people.copy()
        result[..., :axes] += rng.normal(0.0, size, result[..., :axes].shape)
        result[~present] = people[~present]
        return result

    return _each(data, noisy)


def drop_joints(data: SequenceSet, share: float, *, seed: int = 0) -> SequenceSet:
    """Lose joints as a tracker does under occlusion: their coordinates are zero in the frames concerned.

    Each joint of each person and frame is lost by itself with chance `share`, a confidence channel with it. A
    person who is present keeps at least one joint, since all zeros mean absence.

    Args:
        data: any recordings.
        share: chance of each joint, 0 to below 1; 0 changes nothing.
        seed: of the draws. A joint that is lost at one share is lost at every larger share of the same seed.

    Raises:
        SequenceError: if `share` is out of range.
    """
    _check_share("drop_joints", share)
    rng = np.random.default_rng(seed)

    def dropped(people: Array) -> Array:
        chances = rng.random(people.shape[:3])
        safest = np.where(people.any(axis=3), chances, -1.0).argmax(axis=2)
        lost = (chances < share) & (np.arange(people.shape[2]) != safest[..., None])
        return np.where(lost[..., None], np.float32(0), people)

    return _each(data, dropped) if share else data


def drop_frames(data: SequenceSet, share: float, *, seed: int = 0) -> SequenceSet:
    """Lose frames as an overloaded recorder does: they are gone, and the recording is shorter.

    Each frame is lost by itself with chance `share`, for all people at once; the frame in which the main person
    comes first is kept, so that no recording is left empty.

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
        kept[int(np.argmax(_present(people)[main_person(people)]))] = True
        return people[:, kept]

    return _each(data, dropped) if share else data


def rotate(data: SequenceSet, degrees: float, *, seed: int = 0) -> SequenceSet:
    """See every recording from another side: turned about the vertical z axis by an angle within ±`degrees`.

    Angles are drawn uniformly, one per recording, so that recordings of one class no longer share a view. The axis
    goes through the origin; after `normalize` it is the vertical through the main person's hips.

    Args:
        data: recordings on a 3-D layout, z up as `normalize` leaves them.
        degrees: largest angle, 0 to 180; 0 changes nothing.
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

    return _each(data, turned) if degrees else data


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
    """Index of the person of (M, T, V, C) whose joints move most while present; the first present if nobody moves."""
    if len(people) == 1:
        return 0
    motion = [
        float(person[there].astype(np.float64).var(axis=0).sum()) if there.any() else -1.0
        for person, there in zip(people, _present(people), strict=True)
    ]
    return int(np.argmax(motion))


def _each(data: SequenceSet, change: Callable[[Array], Array]) -> SequenceSet:
    coords = []
    for i, original in enumerate(data.coords):
        people = change(data.people(i))
        coords.append(people if original.ndim == 4 else people[0])
    return data.with_coords(coords)


def _check_share(where: str, share: float) -> None:
    if not 0 <= share < 1:
        raise SequenceError(f"{where}: share={share}; give the chance of being lost, 0 to below 1")


def _present(people: Array) -> NDArray[np.bool_]:
    """(M, T) whether a person is in a frame; readers and networks mark absence by all coordinates zero."""
    return np.asarray(people.any(axis=(2, 3)))


def _first_sound_frame(person: NDArray[np.float64], skeleton: SkeletonLayout) -> int:
    """First frame of (T, V, C) whose trunk and shoulders can be trusted for a direction; 0 if there is none.

    A body seen from the side, or lost for a moment, has its shoulders or trunk nearly in one point, and their
    direction is then noise (about 20 recordings of NW-UCLA start so).
    """
    assert skeleton.spine is not None
    assert skeleton.shoulders is not None
    present = person.any(axis=(1, 2))
    if not present.any():
        return 0
    up = person[:, skeleton.spine[1], :3] - person[:, skeleton.spine[0], :3]
    left = person[:, skeleton.shoulders[0], :3] - person[:, skeleton.shoulders[1], :3]
    up_size, left_size = np.linalg.norm(up, axis=-1), np.linalg.norm(left, axis=-1)
    sound = np.abs(np.sum(up * left, axis=-1)) <= PARALLEL * up_size * left_size
    for size in (up_size, left_size):
        sound &= size >= max(0.5 * float(np.median(size[present])), SMALL)
    return int(np.argmax(sound))


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
