"""Normalisations that published checkpoints expect, each by the name of who published it; streams are beside it.

They reproduce what the published training code feeds a network, its peculiarities included; for a network of
your own, `stgcnlib.transforms.normalize` is the better choice. Networks and their weights are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgcnlib.errors import SequenceError, suggest
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms.streams import bone_stream, each_in_double, motion_stream

__all__ = [
    "PUBLISHED",
    "kinetics_normalize",
    "kinetics_normalize_up",
    "ntu_normalize",
    "pad_with_zeros",
    "published",
    "pyskl_normalize_2d",
    "pyskl_normalize_3d",
]

Array64 = NDArray[np.float64]
SMALL = 1e-6  # what counts as no angle, in radians, and as no length
LARGEST_SHARE = 5.0  # of a picture; beyond, coordinates are pixels
LEAST_PIXELS = 10  # extent up to which PYSKL leaves 2-D joints alone
SPINE, SHOULDERS = (0, 1), (4, 8)  # NTU's hip to mid-spine, and left to right shoulder


def ntu_normalize(data: SequenceSet, *, frames: int = 300, people: int = 2) -> SequenceSet:
    """The input of 2s-AGCN, AAGCN, Shift-GCN and MS-G3D on NTU RGB+D (Shi et al., CVPR 2019).

    For a person who is absent in the first frame, all frames without this person are left out. Each person's frames
    are then repeated until there are `frames` of them (a longer recording is cut). Every frame is centred on the first
    person's mid-spine (joint 1); joints at exactly 0 stay. One rotation turns the first frame's hip-to-spine line to z,
    another its shoulder line, left to right, to x.

    Args:
        data: recordings of layout "ntu-rgb+d", coordinates in metres, as `stgcnlib.read` gives them.
        frames: T of all recordings, in frames; 300 is the longest of NTU RGB+D.
        people: M of all recordings; those who are not there are zero.

    Raises:
        SequenceError: if the layout is another, or a number is below 1.
    """
    _expect_ntu(data, "ntu_normalize")
    _expect_positive("ntu_normalize", frames, people)

    def prepared(coords: Array64, i: int) -> Array64:
        result = np.zeros((people, frames, *coords.shape[2:]))
        for place, person in zip(result, coords, strict=False):
            place[:] = _repeated(person, frames)
        # As in the published code, a joint whose x, y and z sum to 0 was not tracked.
        there = result.sum(axis=-1, keepdims=True) != 0
        result = (result - result[:1, :, 1:2]) * there
        return _upright(result)

    return each_in_double(data, prepared)


def kinetics_normalize(data: SequenceSet, *, frames: int = 300, people: int = 2) -> SequenceSet:
    """The input of ST-GCN on Kinetics-Skeleton, y pointing down (Yan et al., AAAI 2018).

    2s-AGCN, AAGCN and MS-G3D need `kinetics_normalize_up`.

    x and y are moved by half a picture, joints of confidence 0 go to 0, and in every frame separately the people with
    the most confidence come first. A recording is cut at `frames`, or followed by zeros. The published code chooses
    among the first five people of a frame and begins at frame 0, which is empty; here all people count, from the first
    frame on.

    Args:
        data: recordings of layout "openpose-18"; x and y in shares of the picture, confidence as third channel.
        frames: T of all recordings, in frames.
        people: M of all recordings.

    Raises:
        SequenceError: if the layout is another, coordinates are pixels, or a number is below 1.
    """
    return _kinetics(data, "kinetics_normalize", frames, people, up=1.0)


def kinetics_normalize_up(data: SequenceSet, *, frames: int = 300, people: int = 2) -> SequenceSet:
    """The input of 2s-AGCN, AAGCN and MS-G3D on Kinetics-Skeleton: as `kinetics_normalize`, y pointing up (0.5 - y).

    Their preparation turns the picture over (Shi et al., CVPR 2019; Liu et al., CVPR 2020), that of ST-GCN does not: a
    network that gets the other one sees people upside down. Arguments and errors are those of `kinetics_normalize`.
    """
    return _kinetics(data, "kinetics_normalize_up", frames, people, up=-1.0)


def pyskl_normalize_3d(data: SequenceSet, *, people: int = 2) -> SequenceSet:
    """PYSKL's `PreNormalize3D` (Duan et al., ACM MM 2022), which MMAction2 shares, on NTU RGB+D: ST-GCN++ and others.

    Of two people the one who is there longer comes first, and frames without that one are dropped. All is centred on
    that person's mid-spine in the first frame and turned as by `ntu_normalize`. Sizes stay as they are. Then the first
    `people` are kept, and those who are missing are zeros, as `FormatGCNInput` does: the published heads average over
    them too.

    Args:
        data: recordings of layout "ntu-rgb+d".
        people: M of all recordings.

    Raises:
        SequenceError: if the layout is not "ntu-rgb+d", or `people` is below 1.
    """
    _expect_ntu(data, "pyskl_normalize_3d")
    _expect_positive("pyskl_normalize_3d", 1, people)

    def prepared(coords: Array64, i: int) -> Array64:
        there: NDArray[np.bool_] = np.any(~np.isclose(coords, 0), axis=(2, 3))
        if len(coords) == 2 and there[0].sum() < there[1].sum():
            coords, there = coords[::-1], there[::-1]
        coords = coords[:, there[0]] if there[0].any() else coords
        tracked = (coords != 0).any(axis=-1, keepdims=True)
        return _filled(_upright((coords - coords[0, 0, 1]) * tracked), people)

    return each_in_double(data, prepared)


def pyskl_normalize_2d(
    data: SequenceSet,
    *,
    image: tuple[int, int] | Literal["auto", "recorded"] = "auto",
    threshold: float = 0.01,
    people: int = 2,
) -> SequenceSet:
    """PYSKL's `PreNormalize2D`: image coordinates to -1 … 1; joints of low confidence to 0.

    MMAction2's networks of the same names expect the extent of the picture: ``image="recorded", threshold=0.0``, which
    is "mmaction2-2d" among `PUBLISHED`.

    Args:
        data: 2-D recordings, x and y in pixels and the confidence, if there is one, as third channel.
        image: (height, width) of the pictures, as MMAction2 takes it (1080, 1920 by default there); "recorded" takes
            the groups "image height" and "image width" that an annotation file gave; "auto" the extent of the joints
            of the recording (one of at most 10 pixels in x or y is left alone).
        threshold: confidence up to which a joint counts as not found.
        people: M of all recordings: the first ones are kept, those who are missing are zeros, as in
            `pyskl_normalize_3d`.

    Raises:
        SequenceError: if the layout is 3-D, sizes are missing or not positive, nothing passes `threshold`, or `people`
            is below 1.
    """
    if data.layout.dimensions != 2 or data.channels not in (2, 3):
        raise SequenceError(
            f"pyskl_normalize_2d: layout {data.layout.name!r} with {data.channels} channels is not 2-D; "
            "use pyskl_normalize_3d or normalize"
        )
    _expect_positive("pyskl_normalize_2d", 1, people)
    sizes = _image_sizes(data, image)

    def prepared(coords: Array64, i: int) -> Array64:
        found = coords[..., 2] > threshold if coords.shape[-1] == 3 else np.ones(coords.shape[:-1], dtype=bool)
        if not found.any():
            raise SequenceError(
                f"pyskl_normalize_2d: {data.names[i]} has no confidence above {threshold}; lower the threshold"
            )
        result = coords.copy()
        if sizes is None:
            low, high = coords[found][:, :2].min(axis=0), coords[found][:, :2].max(axis=0)
            if (high - low > LEAST_PIXELS).all():
                result[..., :2] = (coords[..., :2] - (low + high) / 2) / (high - low) * 2
        else:
            half = sizes[i] / 2
            result[..., :2] = (coords[..., :2] - half) / half
        result[~found, :2] = 0
        return _filled(result, people)

    return each_in_double(data, prepared)


def pad_with_zeros(data: SequenceSet, *, frames: int = 288, people: int = 2) -> SequenceSet:
    """What EfficientGCN was trained on (Song et al., TPAMI 2022): raw coordinates, zeros after the end, two people.

    ST-GCN was trained on NTU RGB+D likewise, with ``frames=300`` (Yan et al., AAAI 2018).

    Frames beyond `frames` and people beyond `people` are cut off; people who are absent are zeros.

    Raises:
        SequenceError: if `frames` or `people` is below 1.
    """
    if frames < 1 or people < 1:
        raise SequenceError(f"pad_with_zeros: {frames} frames and {people} people asked for; give at least 1 of each")

    return each_in_double(data, lambda coords, _: _filled(coords, people, frames))


PUBLISHED: Mapping[str, Callable[[SequenceSet], SequenceSet]] = {
    "ntu": ntu_normalize,
    "kinetics": kinetics_normalize,
    "kinetics-up": kinetics_normalize_up,
    "efficientgcn": pad_with_zeros,
    "pyskl-3d": pyskl_normalize_3d,
    "pyskl-2d": pyskl_normalize_2d,
    "mmaction2-2d": partial(pyskl_normalize_2d, image="recorded", threshold=0.0),
    "bone": bone_stream,
    "motion": motion_stream,
    "kinetics-bone": partial(bone_stream, confidence="difference"),
    "kinetics-motion": partial(motion_stream, confidence="difference"),
}


def published(data: SequenceSet, *names: str) -> SequenceSet:
    """The transforms of these names (`PUBLISHED`) one after the other: ``published(data, "ntu", "bone")``.

    `names` are keys of `PUBLISHED`.

    Raises:
        SequenceError: if there is no transform of a name.
    """
    for name in names:
        if name not in PUBLISHED:
            raise SequenceError(f"no published transform is named {name!r}; {suggest(name, PUBLISHED)}")
        data = PUBLISHED[name](data)
    return data


def _kinetics(data: SequenceSet, who: str, frames: int, people: int, *, up: float) -> SequenceSet:
    if data.layout.name != "openpose-18" or data.channels != 3:
        raise SequenceError(
            f"{who}: layout {data.layout.name!r} with {data.channels} channels; "
            "it is made for x, y, confidence of 'openpose-18'"
        )
    _expect_positive(who, frames, people)

    def prepared(coords: Array64, i: int) -> Array64:
        if np.abs(coords[..., :2]).max() > LARGEST_SHARE:
            raise SequenceError(
                f"{who}: x or y of {data.names[i]} is {np.abs(coords[..., :2]).max():.3g}; "
                "divide pixels by the picture's width and height"
            )
        coords = coords[:, :frames].copy()
        coords[..., :2] = np.where(coords[..., 2:] != 0, (coords[..., :2] - 0.5) * [1.0, up], 0)
        order = np.argsort(-coords[..., 2].sum(axis=2), axis=0, kind="stable")
        chosen = np.take_along_axis(coords, order[:, :, None, None], axis=0)[:people]
        return _filled(chosen, people, frames)

    return each_in_double(data, prepared)


def _filled(coords: Array64, people: int, frames: int | None = None) -> Array64:
    """The first people and frames of (M, T, V, C), followed by zeros where there are fewer; `None`: all frames."""
    kept = coords[:people, :frames]
    length = kept.shape[1] if frames is None else frames
    return np.pad(kept, [(0, people - len(kept)), (0, length - kept.shape[1]), (0, 0), (0, 0)])


def _expect_ntu(data: SequenceSet, who: str) -> None:
    if data.layout.name != "ntu-rgb+d" or data.channels != 3:
        raise SequenceError(
            f"{who}: layout {data.layout.name!r} with {data.channels} channels; it is made for x, y, z of 'ntu-rgb+d'; "
            "use normalize for other skeletons"
        )


def _expect_positive(who: str, frames: int, people: int) -> None:
    if frames < 1 or people < 1:
        raise SequenceError(f"{who}: frames={frames}, people={people}; at least 1 of each is needed")


def _repeated(person: Array64, frames: int) -> Array64:
    """(frames, V, C): a person cut or repeated, without absent frames at the end (anywhere, if the first is absent)."""
    person = person[:frames]
    there = person.sum(axis=(1, 2)) != 0
    if not there.any():
        return np.zeros((frames, *person.shape[1:]))
    person = person[: np.flatnonzero(there)[-1] + 1] if there[0] else person[there]
    return person[np.arange(frames) % len(person)]


def _upright(coords: Array64) -> Array64:
    """Turned so that the first person's first frame has the spine along z, then the shoulder line along x.

    The second rotation is the shortest one to x, as published, and may tilt the spine a little.
    """
    for (start, end), axis in ((SPINE, (0.0, 0.0, 1.0)), (SHOULDERS, (1.0, 0.0, 0.0))):
        coords = coords @ _rotation(coords[0, 0, end] - coords[0, 0, start], np.array(axis)).T
    return coords


def _rotation(direction: Array64, axis: Array64) -> Array64:
    """The shortest rotation (3, 3) of a direction to a unit vector; identity for no direction, or an opposite one."""
    length = float(np.linalg.norm(direction))
    if length < SMALL:
        return np.eye(3)
    normal = np.cross(direction / length, axis)
    sine, cosine = float(np.linalg.norm(normal)), float(direction @ axis) / length
    if sine < SMALL:
        return np.eye(3)
    return Rotation.from_rotvec(normal / sine * np.arctan2(sine, cosine)).as_matrix()


def _image_sizes(data: SequenceSet, image: tuple[int, int] | Literal["auto", "recorded"]) -> NDArray[np.float64] | None:
    """(N, 2) width and height of every recording's pictures; `None` for the extent of the joints."""
    if image == "auto":
        return None
    if image == "recorded":
        if missing := [name for name in ("image height", "image width") if name not in data.groups]:
            raise SequenceError(f"pyskl_normalize_2d: the recordings have no group {missing[0]!r}; give image=(h, w)")
        sizes = np.stack([data.groups["image width"], data.groups["image height"]], axis=1).astype(np.float64)
    else:
        sizes = np.tile(np.array(image[::-1], dtype=np.float64), (len(data), 1))
    if not (sizes > 0).all():
        raise SequenceError(f"pyskl_normalize_2d: image={image!r} has a size of 0 or less; give (height, width)")
    return sizes
