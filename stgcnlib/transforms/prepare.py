"""Our own preparation of recordings: centre, turn, scale, resample, mirror.

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

__all__ = ["centre", "face_front", "main_person", "mirror", "normalize", "resample", "scale", "standardize"]

Array = NDArray[np.float32]
SMALL = 1e-6  # shorter lengths count as zero
PARALLEL = 0.9  # largest cosine between trunk and shoulders of a frame that sets the direction


def normalize(data: SequenceSet, *, per: Literal["sequence", "frame"] = "sequence") -> SequenceSet:
    """Centre, turn to the front and scale: what remains is the motion, not the sensor's place or the body's size.

    3-D data end with the trunk of the first frame along z (up), the left shoulder towards +x (so y points to the
    person's back), and a trunk of length 1. 2-D data are centred and scaled only. Applied twice, it gives the same as
    once, unless two people move so nearly alike that the centre joint, now at zero, changes who counts as the main
    person.

    Args:
        data: any recordings.
        per: as for `centre`: "sequence" keeps the path of a person who walks, "frame" removes it.

    Raises:
        SequenceError: if the layout is a graph that is no body; `standardize` is for those.
    """
    _needs_body("normalize", data)
    return scale(face_front(centre(data, per=per)))


def centre(data: SequenceSet, *, per: Literal["sequence", "frame"] = "sequence") -> SequenceSet:
    """Move the lower end of the spine (else the layout's centre joint) of the main person to the origin.

    Joints that were not found, zero in all channels, stay at zero. Where confidences tell that the joint to centre on
    was not found in a frame, its place in the last frame that has it is used (or in the first such frame, if none was
    before).

    Args:
        data: any recordings; for 2-D layouts a third channel (confidence) is kept as it is.
        per: "sequence" moves all frames by the first frame's place, so walking stays visible; "frame" moves each.

    Raises:
        SequenceError: if the layout is a graph that is no body, or names neither a spine nor a centre.
    """
    _needs_body("centre", data)
    joint = data.layout.spine[0] if data.layout.spine else data.layout.centre
    if joint is None:
        raise SequenceError(f"centre: layout {data.layout.name!r} names neither a spine nor a centre; give it one")
    axes = data.layout.dimensions

    def moved(people: Array) -> Array:
        present = present_frames(people)
        main = main_person(people)
        place = people[main, :, joint, :axes]
        known = present[main]
        if people.shape[-1] > axes and people[main, :, joint, axes:].any():
            known = np.any(people[main, :, joint, axes:], axis=-1)
        first = int(np.argmax(known))
        last_known = np.maximum.accumulate(np.where(known, np.arange(len(place)), first))
        origin = place[first : first + 1] if per == "sequence" else place[last_known]
        result = people.copy()
        result[..., :axes] -= origin[None, :, None, :]
        lost = ~people.any(axis=3)
        result[lost] = people[lost]
        return result if result.any() else people  # a body in one point, at the origin, would read as absent

    return each_recording(data, moved)


def face_front(data: SequenceSet) -> SequenceSet:
    """Rotate 3-D recordings so that the main person stands upright along z and has the left shoulder towards +x.

    One rotation per recording, from its first frame that is well tracked: trunk and shoulders at least half as long
    as their medians over the recording, and not parallel (`PARALLEL`). Without such a frame it is the first one;
    if that has no direction, the mean pose. If that has none either, and for 2-D layouts and layouts without spine and
    shoulders, nothing turns.

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

    return each_recording(data, turned)


def scale(data: SequenceSet, *, by: Literal["trunk", "unit"] = "trunk") -> SequenceSet:
    """Divide coordinates by one length per recording.

    Args:
        data: any recordings.
        by: "trunk", the main person's median distance between the ends of the spine (between the shoulders where
            a layout names no spine; `unit` where it names neither), over the frames in which the person is there, and
            both ends were found where there is a confidence; "unit", the largest absolute coordinate.
    """
    axes = data.layout.dimensions or data.channels
    ends = data.layout.spine or data.layout.shoulders

    def scaled(people: Array) -> Array:
        if by == "trunk" and ends is not None:
            size = _median_length(people, ends, axes)
        else:
            size = float(np.abs(people[..., :axes]).max())
        if size < SMALL:
            return people
        result = people.copy()
        result[..., :axes] /= size
        return result

    return each_recording(data, scaled)


def _median_length(people: Array, ends: tuple[int, int], axes: int) -> float:
    """Median distance between two joints of the main person of (M, T, V, C), over the frames that show both."""
    main = main_person(people)
    person, there = people[main].astype(np.float64), present_frames(people)[main]
    if person.shape[-1] > axes:
        found = there & (person[:, ends, axes] > 0).all(axis=-1)
        there = found if found.any() else there
    if not there.any():
        return 0.0
    lines = person[there][:, ends[1], :axes] - person[there][:, ends[0], :axes]
    return float(np.median(np.linalg.norm(lines, axis=-1)))


def standardize(data: SequenceSet, *, like: SequenceSet | None = None) -> SequenceSet:
    """Each channel less its mean, divided by its standard deviation: for signals on a graph that is no body.

    Mean and deviation are over all frames, joints and recordings, so that joints, and recordings, still differ in their
    levels. People who are absent stay absent. A channel that never changes is only centred.

    Args:
        data: any recordings.
        like: whose mean and deviation to take, the training part say; `None` means those of `data`.

    Raises:
        SequenceError: if `like` has another number of channels.
    """
    source = data if like is None else like
    if source.channels != data.channels:
        raise SequenceError(f"standardize: like has {source.channels} channels, the recordings have {data.channels}")
    body = data.layout.dimensions > 0
    kept = [p[present_frames(p)] if body else p for p in map(source.people, range(len(source)))]
    values = np.concatenate([p.reshape(-1, source.channels).astype(np.float64) for p in kept])
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    deviation[deviation < SMALL] = 1.0

    def standardized(people: Array) -> Array:
        result = ((people - mean) / deviation).astype(np.float32)
        return np.where(present_frames(people)[..., None, None], result, people) if body else result

    return each_recording(data, standardized)


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

    return each_recording(data, resampled)


def subsample(data: SequenceSet, step: int) -> SequenceSet:
    """Every `step`-th frame of each recording, from the first on; nothing is interpolated.

    Raises:
        SequenceError: if `step` is below 1.
    """
    if step < 1:
        raise SequenceError(f"subsample: step is {step}; at least 1 is needed")
    return data if step == 1 else each_recording(data, lambda people: people[:, ::step])


def mirror(data: SequenceSet) -> SequenceSet:
    """Swap left and right: joints of each mirror pair change places and x changes sign. Twice is the identity.

    Raises:
        SequenceError: if the layout is a graph that is no body.
    """
    _needs_body("mirror", data)
    order = np.arange(len(data.layout))
    for left, right in data.layout.mirror:
        order[[left, right]] = right, left

    def mirrored(people: Array) -> Array:
        result = people[:, :, order].copy()
        result[..., 0] *= -1
        return result

    return each_recording(data, mirrored)


def main_person(people: Array) -> int:
    """Index of the one of `people` (M, T, V, C) whose joints move most while there; the first there if nobody moves."""
    if len(people) == 1:
        return 0
    motion = []
    for person in people.astype(np.float64):
        found = person.any(axis=2)[..., None]  # joints at zero were not found, and would look like leaps
        count = np.maximum(found.sum(axis=0), 1)
        mean = person.sum(axis=0) / count
        motion.append(float(((person - mean) ** 2 * found / count).sum()) if found.any() else -1.0)
    return int(np.argmax(motion))


def _needs_body(what: str, data: SequenceSet) -> None:
    if not data.layout.dimensions:
        raise SequenceError(
            f"{what}: layout {data.layout.name!r} is a graph of signals, without a body to move; "
            "prepare such recordings with transforms.standardize"
        )


def each_recording(data: SequenceSet, change: Callable[[Array], Array]) -> SequenceSet:
    coords = []
    for i, original in enumerate(data.coords):
        people = change(data.people(i))
        coords.append(people if original.ndim == 4 else people[0])
    return data.with_coords(coords)


def present_frames(people: Array) -> NDArray[np.bool_]:
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
