"""Transforms: what each promises, on made bodies, on degenerate ones, and on both real sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stgcnlib import transforms
from stgcnlib.errors import SequenceError
from stgcnlib.readers import read
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, graph_layout, layout

KINECT = layout("kinect-v1")
HIP, NECK, LEFT, RIGHT = (
    KINECT.index(joint) for joint in ("hip centre", "shoulder centre", "left shoulder", "right shoulder")
)
seeds = st.integers(0, 2**32 - 1)
frame_counts = st.integers(1, 30)


def body(seed: int, frames: int, *, people: int | None = None) -> NDArray[np.float64]:
    """A body with trunk and shoulders of lifelike size somewhere in the room: ([M,] T, 20, 3)."""
    rng = np.random.default_rng(seed)
    shape = (people or 1, frames, 20, 3)
    pose = rng.normal(0, 0.3, (shape[0], 1, 20, 3))
    pose[:, :, HIP], pose[:, :, NECK] = 0.0, (0.0, 0.5, 0.05)
    pose[:, :, LEFT], pose[:, :, RIGHT] = (-0.18, 0.45, 0.0), (0.18, 0.47, 0.05)
    moving = pose + np.cumsum(rng.normal(0, 0.01, shape), axis=1)
    moving += np.cumsum(rng.normal(0, 0.05, (shape[0], frames, 1, 3)), axis=1)
    moving = moving @ Rotation.random(rng=rng).as_matrix() + rng.normal(0, 2, (shape[0], 1, 1, 3))
    return moving if people else moving[0]


def as_set(*coords: NDArray[np.floating], name: str = "kinect-v1") -> SequenceSet:
    return SequenceSet(coords, layout=name)


def close(a: SequenceSet, b: SequenceSet, tolerance: float = 2e-5) -> None:
    for x, y in zip(a.coords, b.coords, strict=True):
        np.testing.assert_allclose(x, y, atol=tolerance, rtol=1e-5)


# -- normalize ---------------------------------------------------------------------------------


def test_normalize_per_frame_takes_the_way_away():
    coords = body(3, 12) + np.linspace(0, 4, 12, dtype=np.float32)[:, None, None]
    data = transforms.normalize(as_set(coords), per="frame")
    hips = data.layout.spine[0]
    np.testing.assert_allclose(data.coords[0][:, hips], 0, atol=1e-5)
    assert np.abs(transforms.normalize(as_set(coords)).coords[0][-1, hips]).max() > 1
    close(transforms.normalize(data, per="frame"), data)


@given(seeds, frame_counts)
@settings(max_examples=60, deadline=None)
def test_normalize_sets_upright_front_and_trunk_length(seed: int, frames: int) -> None:
    coords = transforms.normalize(as_set(body(seed, frames))).coords[0]
    np.testing.assert_allclose(coords[0, HIP], 0, atol=1e-5)
    np.testing.assert_allclose(coords[0, NECK, :2], 0, atol=1e-5)
    assert coords[0, NECK, 2] > 0
    shoulders = coords[0, LEFT] - coords[0, RIGHT]
    assert shoulders[0] > 0
    assert abs(shoulders[1]) < 1e-5
    assert np.median(np.linalg.norm(coords[:, NECK] - coords[:, HIP], axis=-1)) == pytest.approx(1, abs=1e-5)


@given(seeds, frame_counts, seeds, st.floats(0.2, 5))
@settings(max_examples=60, deadline=None)
def test_normalize_forgets_where_the_camera_stands(seed: int, frames: int, camera: int, size: float) -> None:
    rng = np.random.default_rng(camera)
    coords = body(seed, frames, people=2)
    moved = size * coords @ Rotation.random(rng=rng).as_matrix().T + rng.normal(0, 3, 3)
    close(transforms.normalize(as_set(moved)), transforms.normalize(as_set(coords)), 1e-3)


@given(seeds, frame_counts)
@settings(max_examples=40, deadline=None)
def test_normalize_twice_is_once(seed: int, frames: int) -> None:
    crowd = body(seed + 1, frames, people=3)
    crowd[0] *= 3  # clearly the main person: of two who move equally much, either may be taken
    once = transforms.normalize(as_set(body(seed, frames), crowd))
    close(transforms.normalize(once), once)


@given(seeds, frame_counts)
@settings(max_examples=30, deadline=None)
def test_normalize_keeps_shape_and_proportions(seed: int, frames: int) -> None:
    """All distances between joints, frames and people change by one factor: nobody is bent or mirrored."""
    coords = body(seed, frames, people=2)
    result = transforms.normalize(as_set(coords)).coords[0].astype(np.float64)
    points, moved = coords.reshape(-1, 3), result.reshape(-1, 3)
    factor = np.linalg.norm(moved[-1] - moved[0]) / np.linalg.norm(points[-1] - points[0])
    np.testing.assert_allclose(
        np.linalg.norm(moved - moved[0], axis=1), factor * np.linalg.norm(points - points[0], axis=1), atol=1e-3
    )
    centred, centred_moved = points - points.mean(0), moved - moved.mean(0)
    assert np.linalg.det(centred.T @ centred_moved) > 0


def test_normalize_is_pure_and_keeps_the_rest(small_set: SequenceSet) -> None:
    before = small_set.fingerprint()
    result = transforms.normalize(small_set)
    assert small_set.fingerprint() == before
    assert result.labels.tolist() == small_set.labels.tolist()
    assert result.groups["subject"].tolist() == small_set.groups["subject"].tolist()
    assert (result.names, result.class_names, result.layout) == (
        small_set.names,
        small_set.class_names,
        small_set.layout,
    )
    assert [c.shape for c in result.coords] == [c.shape for c in small_set.coords]
    assert all(c.dtype == np.float32 for c in result.coords)


@pytest.mark.parametrize("folder", ["utd_mhad", "nw_ucla"])
def test_normalize_of_the_real_sets(data_folder: Path, folder: str) -> None:
    data = transforms.normalize(read(data_folder / folder))
    close(transforms.normalize(data), data)
    joint = data.layout.index
    first = np.stack([c[0] for c in data.coords])
    head, feet = first[:, joint("head")], first[:, [joint("left foot"), joint("right foot")]].mean(1)
    assert np.mean(head[:, 2] > 1) > 0.98
    assert np.mean(feet[:, 2] < -1) > 0.98
    assert np.mean(first[:, joint("left shoulder"), 0] > first[:, joint("right shoulder"), 0]) > 0.98
    toes = np.stack([(c[:, joint("left foot")] - c[:, joint("left ankle")]).mean(0) for c in data.coords])
    assert np.mean(toes[:, 1] < 0) > 0.9  # everybody looks towards -y


# -- degenerate bodies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "coords",
    [
        np.ones((4, 20, 3)),
        np.ones((1, 20, 3)),
        np.concatenate([np.zeros((3, 20, 3)), np.ones((1, 20, 3))]),
        np.linspace(0, 1, 20)[None, :, None] * np.ones((2, 1, 3)),  # all joints on one line
        np.stack([np.zeros((3, 20, 3)), np.ones((3, 20, 3))]),  # the first person is absent
        np.full((2, 20, 3), 1e-30),
        np.full((2, 20, 3), 1e18),
    ],
)
def test_coinciding_joints_stay_finite(coords: NDArray[np.floating]) -> None:
    data = as_set(coords)
    for change in (transforms.centre, transforms.face_front, transforms.scale, transforms.normalize, transforms.mirror):
        assert np.isfinite(change(data).coords[0]).all()
    assert np.isfinite(transforms.centre(data, per="frame").coords[0]).all()
    assert np.isfinite(transforms.jitter(data, snr_db=10).coords[0]).all()
    assert np.isfinite(transforms.resample(data, 5).coords[0]).all()


def test_direction_comes_from_the_first_sound_frame() -> None:
    sound = body(5, 6)
    side = sound[:1].copy()
    side[:, LEFT] = side[:, RIGHT] + 1e-3  # seen from the side: the shoulders nearly coincide
    turned = transforms.face_front(as_set(np.concatenate([side, sound]))).coords[0]
    np.testing.assert_allclose(turned[1:], transforms.face_front(as_set(sound)).coords[0], atol=1e-5)


def test_a_frame_with_shoulders_along_the_trunk_sets_no_direction() -> None:
    sound = body(6, 6)
    lying = sound[:1].copy()
    along = lying[0, NECK] - lying[0, HIP]
    lying[0, LEFT] = lying[0, RIGHT] + 0.7 * along + 0.02  # nearly parallel, of ordinary length
    turned = transforms.face_front(as_set(np.concatenate([lying, sound]))).coords[0]
    np.testing.assert_allclose(turned[1:], transforms.face_front(as_set(sound)).coords[0], atol=1e-5)


def test_joints_that_were_not_found_stay_at_zero() -> None:
    rng = np.random.default_rng(3)
    coords = rng.uniform(0.2, 0.8, (2, 6, 18, 3))
    coords[:, :, 7] = 0
    coords[0, :2, 1] = 0  # the neck, which is the centre, is found from frame 2 on
    data = SequenceSet([coords], layout="openpose-18")
    lost = ~data.coords[0].any(axis=-1)
    main = transforms.main_person(data.coords[0])
    for per in ("sequence", "frame"):
        moved = transforms.centre(data, per=per)
        assert not moved.coords[0][lost].any()
        again = transforms.centre(moved, per=per)
        np.testing.assert_allclose(again.coords[0], moved.coords[0], atol=1e-6)
        first = 2 if main == 0 else 0
        np.testing.assert_allclose(moved.coords[0][main, first, 1, :2], 0, atol=1e-6)
        np.testing.assert_allclose(
            moved.coords[0][main, 0, 3, :2], (coords[main, 0, 3] - coords[main, first, 1])[:2], atol=1e-6
        )


def test_the_origin_is_where_the_main_person_appears() -> None:
    seen = body(7, 6)
    late = as_set(np.concatenate([np.zeros((2, 20, 3)), seen]))
    moved = transforms.centre(late).coords[0]
    assert not moved[:2].any()
    np.testing.assert_allclose(moved[2:], transforms.centre(as_set(seen)).coords[0], atol=1e-5)


def test_absent_people_stay_absent() -> None:
    pair = body(1, 8, people=2)
    pair[1, 5:] = 0
    data = as_set(np.concatenate([np.zeros((1, 8, 20, 3)), pair]))
    for result in (transforms.normalize(data), transforms.jitter(data, std=0.1), transforms.mirror(data)):
        people = result.people(0)
        assert not people[0].any()
        assert not people[2, 5:].any()
        assert people[1].any(axis=(1, 2)).all()
        assert people[2, :5].any(axis=(1, 2)).all()
    person = data.people(0)[1]
    alone = transforms.normalize(as_set(person)).coords[0]
    if transforms.main_person(data.people(0)) == 1:
        np.testing.assert_allclose(transforms.normalize(data).people(0)[1], alone, atol=1e-5)


def test_main_person_moves_most() -> None:
    still, moving = np.repeat(body(1, 1), 9, axis=0), body(2, 9)
    absent = np.zeros_like(still)
    assert transforms.main_person(np.stack([still, moving]).astype(np.float32)) == 1
    assert transforms.main_person(np.stack([moving, still]).astype(np.float32)) == 0
    assert transforms.main_person(np.stack([absent, still]).astype(np.float32)) == 1
    assert transforms.main_person(np.stack([still]).astype(np.float32)) == 0


def test_2d_keeps_confidence_and_does_not_turn(rng: np.random.Generator) -> None:
    coords = rng.normal(0, 1, (5, 18, 3))
    coords[..., 2] = rng.uniform(0, 1, (5, 18))
    data = as_set(coords, name="openpose-18")
    assert transforms.face_front(data) is data
    for result in (transforms.normalize(data), transforms.jitter(data, std=0.5)):
        np.testing.assert_array_equal(result.coords[0][..., 2], data.coords[0][..., 2])
    result = transforms.normalize(data).coords[0]
    np.testing.assert_allclose(result[0, 1, :2], 0, atol=1e-6)  # the neck, openpose's centre
    widths = np.linalg.norm(result[:, 5, :2] - result[:, 2, :2], axis=-1)
    assert np.median(widths) == pytest.approx(1, abs=1e-5)


def test_two_channels_on_a_3d_layout() -> None:
    with pytest.raises(SequenceError, match="'kinect-v1' is 3-D but the recordings have 2 channels"):
        transforms.normalize(as_set(body(1, 4)[..., :2]))


# -- centre, scale --------------------------------------------------------------------------------


def test_centre_per_frame_and_per_sequence() -> None:
    coords = body(3, 6)
    data = as_set(coords)
    np.testing.assert_allclose(transforms.centre(data).coords[0], coords - coords[0, HIP], atol=1e-5)
    np.testing.assert_allclose(
        transforms.centre(data, per="frame").coords[0], coords - coords[:, HIP : HIP + 1], atol=1e-5
    )


def test_scale_by_unit() -> None:
    assert np.abs(transforms.scale(as_set(body(3, 6)), by="unit").coords[0]).max() == pytest.approx(1)


# -- resample -------------------------------------------------------------------------------------


@given(seeds, frame_counts, st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_resample_against_interp(seed: int, frames: int, wanted: int) -> None:
    coords = body(seed, frames).astype(np.float32)
    result = transforms.resample(as_set(coords), wanted).coords[0]
    assert result.shape == (wanted, 20, 3)
    np.testing.assert_allclose(result[0], coords[0], atol=1e-6)
    if wanted > 1:
        np.testing.assert_allclose(result[-1], coords[-1], atol=1e-6)
    times = np.linspace(0, frames - 1, wanted)
    expected = np.stack([np.interp(times, np.arange(frames), track) for track in coords.reshape(frames, -1).T], -1)
    np.testing.assert_allclose(result.reshape(wanted, -1), expected, atol=1e-5)


def test_resample_to_the_same_length_changes_nothing(small_set: SequenceSet) -> None:
    close(transforms.resample(small_set.select([0]), 12), small_set.select([0]), 1e-6)


def test_resample_to_nothing(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match="0 frames asked for"):
        transforms.resample(small_set, 0)


# -- jitter ---------------------------------------------------------------------------------------


@given(seeds, st.floats(-10, 40), st.sampled_from([None, 2]))
@settings(max_examples=40, deadline=None)
def test_jitter_hits_the_stated_ratio(seed: int, snr_db: float, people: int | None) -> None:
    frames = 480  # of 20 joints: the power of so much noise is 0.036 dB off at one standard deviation
    coords = body(seed, frames, people=people).astype(np.float32)
    noise = transforms.jitter(as_set(coords), snr_db=snr_db, seed=seed).coords[0].astype(np.float64) - coords
    persons = coords.astype(np.float64).reshape(-1, frames * 20, 3)
    power = np.mean([person.var(axis=0) for person in persons])
    assert 10 * np.log10(power / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.35)


def test_jitter_does_not_depend_on_the_place_in_the_room() -> None:
    coords = body(4, 30)
    near = transforms.jitter(as_set(coords), snr_db=10, seed=1).coords[0] - coords
    far = transforms.jitter(as_set(coords + 50), snr_db=10, seed=1).coords[0] - (coords + 50)
    np.testing.assert_allclose(near, far, atol=1e-4)


def test_joints_that_were_not_found_are_no_signal_and_get_no_noise() -> None:
    found = np.random.default_rng(3).normal(300, 20, (40, 17, 2)).astype(np.float32)
    found = np.concatenate([found, np.ones((40, 17, 1), np.float32)], axis=-1)
    lost = found.copy()
    lost[:, 15:, :2] = 0  # pixels; the confidence stays, as PYSKL's preparation leaves it
    lost[::4, 3] = 0

    def coco(coords: NDArray[np.floating]) -> SequenceSet:
        return SequenceSet([coords], layout="coco-17")

    noise = transforms.jitter(coco(lost), snr_db=20, seed=0).coords[0] - lost
    assert not noise[:, 15:].any()
    assert not noise[::4, 3].any()
    assert not noise[..., 2].any()
    there = lost[..., :2].any(axis=-1)
    spread = np.mean(lost[there][:, :2].astype(np.float64).var(axis=0))
    assert np.mean(noise[there][:, :2].astype(np.float64) ** 2) == pytest.approx(spread / 100, rel=0.1)

    still = np.repeat(found[:1], 40, axis=0)
    still[::3, 15] = 0
    assert transforms.motion_share(coco(still)) == pytest.approx([0], abs=1e-9)
    by_joint = [lost[there[:, k], k, :2].astype(np.float64) for k in range(15)]
    motion = np.concatenate([(each - each.mean(axis=0)).ravel() for each in by_joint])
    assert transforms.motion_share(coco(lost)) == pytest.approx([np.mean(motion**2) / spread])


@pytest.mark.parametrize("per", ["sequence", "frame"])
def test_the_joint_on_which_recordings_are_centred_is_found(per: Any) -> None:
    still = np.repeat(body(1, 1), 30, axis=0).astype(np.float32)
    coords = transforms.normalize(as_set(still), per=per).coords[0]
    assert not coords[0, HIP].any()
    noise = transforms.jitter(as_set(coords), snr_db=10, seed=0).coords[0] - coords
    assert noise.all()
    spread = np.mean(coords.astype(np.float64).reshape(-1, 3).var(axis=0))
    assert np.mean(noise.astype(np.float64) ** 2) == pytest.approx(spread / 10, rel=0.1)
    far = coords + 5
    far[::2, HIP] = 0  # not centred there
    assert not (transforms.jitter(as_set(far), snr_db=10, seed=0).coords[0] - far)[::2, HIP].any()
    assert transforms.motion_share(as_set(far)) == pytest.approx([0], abs=1e-9)


def test_zeros_on_a_graph_that_is_no_body_are_values() -> None:
    signal = np.zeros((50, 3, 1), np.float32)
    signal[::2, 0] = 1
    data = SequenceSet([signal], layout=graph_layout("line", [(0, 1), (1, 2)]))
    noise = transforms.jitter(data, snr_db=0, seed=0).coords[0] - signal
    assert noise[::2].all()
    assert np.square(noise[::2]).mean() == pytest.approx(signal[::2].var(), rel=0.3)


def test_who_has_one_joint_found_keeps_it_when_joints_are_lost() -> None:
    coords = np.zeros((30, 17, 3), np.float32)
    coords[..., 2] = 0.5  # confidences stay where coordinates were set to zero
    coords[:, 4, :2] = 1
    dropped = transforms.drop_joints(SequenceSet([coords], layout="coco-17"), 0.9, seed=0).coords[0]
    assert dropped[:, 4, :2].all()


def test_jitter_by_deviation_and_seed() -> None:
    data = as_set(body(4, 200), body(5, 200))
    result = transforms.jitter(data, std=0.2, seed=3)
    noise = [a - b for a, b in zip(result.coords, data.coords, strict=True)]
    assert np.std(noise) == pytest.approx(0.2, rel=0.02)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    assert transforms.jitter(data, std=0.2, seed=3).fingerprint() == result.fingerprint()
    assert transforms.jitter(data, std=0.2, seed=4).fingerprint() != result.fingerprint()
    close(transforms.jitter(data, std=0.0), data, 0)


@pytest.mark.parametrize(
    "sizes", [{}, {"std": 1.0, "snr_db": 1.0}, {"std": -1.0}, {"std": np.nan}, {"snr_db": -np.inf}, {"snr_db": np.nan}]
)
def test_jitter_of_no_size(small_set: SequenceSet, sizes: dict[str, float]) -> None:
    with pytest.raises(SequenceError, match="jitter: "):
        transforms.jitter(small_set, **sizes)


# -- corruptions ----------------------------------------------------------------------------------


def test_no_corruption_is_the_same_recordings(small_set: SequenceSet) -> None:
    mark = small_set.fingerprint()
    for same in (
        transforms.jitter(small_set, snr_db=np.inf),
        transforms.drop_joints(small_set, 0.0),
        transforms.drop_frames(small_set, 0.0),
        transforms.rotate(small_set, 0.0),
    ):
        assert same.fingerprint() == mark


@given(seeds, st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_joints_are_lost_at_the_stated_share(seed: int, share: float) -> None:
    data = as_set(body(seed, 100, people=2))
    lost = ~transforms.drop_joints(data, share, seed=seed).coords[0].any(axis=-1)
    assert lost.mean() == pytest.approx(share, abs=0.05)
    more = ~transforms.drop_joints(data, min(share + 0.04, 0.99), seed=seed).coords[0].any(axis=-1)
    assert (more | ~lost).all()  # what is lost at one share is lost at every larger one


def test_nobody_disappears_when_joints_are_lost() -> None:
    coords = body(3, 200, people=2)
    coords[1, 50:] = 0
    coords[0, :, 5:] = 0  # joints that are not tracked anyway cannot be the one that stays
    result = transforms.drop_joints(as_set(coords), 0.99, seed=1).coords[0]
    assert result[0].any(axis=(1, 2)).all()
    np.testing.assert_array_equal(result[1].any(axis=(1, 2)), coords[1].any(axis=(1, 2)))


@given(seeds, st.floats(0.0, 0.99))
@settings(max_examples=40, deadline=None)
def test_frames_are_lost_in_order_and_never_all(seed: int, share: float) -> None:
    coords = body(seed, 60, people=2)
    coords[:, :7] = 0
    coords[0, 20:] = 0
    data = as_set(coords)
    result = transforms.drop_frames(data, share, seed=seed)
    kept = result.coords[0]
    assert kept.any()
    everything = data.coords[0].transpose(1, 0, 2, 3)
    places = [int(np.argmax([np.array_equal(a, b) for a in everything])) for b in kept.transpose(1, 0, 2, 3)]
    assert [p for p in places if p] == sorted(p for p in places if p)
    many = transforms.drop_frames(as_set(body(seed, 900)), share, seed=seed)
    assert many.lengths[0] / 900 == pytest.approx(1 - share, abs=0.15)  # nine standard deviations at least


@given(seeds, st.floats(1, 180))
@settings(max_examples=40, deadline=None)
def test_views_turn_about_the_vertical(seed: int, degrees: float) -> None:
    data = as_set(body(seed, 12), body(seed + 1, 9))
    turned = transforms.rotate(data, degrees, seed=seed)
    for before, after in zip(data.coords, turned.coords, strict=True):
        rotation, residual = Rotation.align_vectors(after.reshape(-1, 3), before.reshape(-1, 3))
        assert residual < 1e-3
        angles = rotation.as_rotvec(degrees=True)
        np.testing.assert_allclose(angles[:2], 0, atol=0.05)
        assert abs(angles[2]) <= degrees + 0.05
    small = transforms.rotate(data, degrees / 2, seed=seed)
    twice = transforms.rotate(small, degrees / 2, seed=seed)
    close(twice, turned, 1e-4)


@pytest.mark.parametrize("share", [-0.1, 1.0, np.nan])
def test_shares_out_of_range(small_set: SequenceSet, share: float) -> None:
    for drop in (transforms.drop_joints, transforms.drop_frames):
        with pytest.raises(SequenceError, match="chance of being lost"):
            drop(small_set, share)


def test_a_flat_body_has_no_view_to_turn(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match=r"openpose.*no view to turn"):
        transforms.rotate(as_set(np.ones((4, 18, 3)), name="openpose-18"), 10)
    with pytest.raises(SequenceError, match="largest angle"):
        transforms.rotate(small_set, 200)


# -- mirror ---------------------------------------------------------------------------------------


@given(seeds, frame_counts, st.sampled_from(sorted(LAYOUTS)))
@settings(max_examples=50, deadline=None)
def test_mirror_twice_is_the_identity(seed: int, frames: int, name: str) -> None:
    skeleton = LAYOUTS[name]
    coords = np.random.default_rng(seed).normal(0, 1, (2, frames, len(skeleton), skeleton.dimensions))
    data = as_set(coords, name=name)
    once = transforms.mirror(data)
    assert transforms.mirror(once).fingerprint() == data.fingerprint()
    for left, right in skeleton.mirror:
        np.testing.assert_array_equal(once.coords[0][:, :, left, 0], -data.coords[0][:, :, right, 0])
        np.testing.assert_array_equal(once.coords[0][:, :, left, 1:], data.coords[0][:, :, right, 1:])


@given(seeds, frame_counts)
@settings(max_examples=30, deadline=None)
def test_a_mirrored_body_still_faces_the_front(seed: int, frames: int) -> None:
    mirrored = transforms.mirror(transforms.normalize(as_set(body(seed, frames))))
    close(transforms.normalize(mirrored), mirrored)


# -- subsample ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 40])
def test_subsample_keeps_every_so_manieth_frame(small_set: SequenceSet, step: int) -> None:
    result = transforms.subsample(small_set, step)
    for before, after in zip(small_set.coords, result.coords, strict=True):
        np.testing.assert_array_equal(after, before[::step])
    np.testing.assert_array_equal(result.labels, small_set.labels)
    assert result.names == small_set.names


def test_subsample_by_nothing(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match="step is 0"):
        transforms.subsample(small_set, 0)


def test_the_scale_is_that_of_frames_that_show_the_person() -> None:
    """Found in 45 of 100 frames; elsewhere zeros, or with one end of the trunk lost."""
    openpose = layout("openpose-25")
    coords = np.zeros((100, 25, 3), dtype=np.float32)
    pose = np.random.default_rng(0).uniform(50, 300, (25, 2))
    first, last = openpose.spine
    pose[first], pose[last] = (100, 300), (100, 180)
    coords[:60, :, :2], coords[:60, :, 2] = pose, 0.9
    coords[:15, last] = 0
    result = transforms.scale(SequenceSet([coords], layout="openpose-25")).coords[0]
    np.testing.assert_allclose(result[20, first, :2] - result[20, last, :2], [0, 1], atol=1e-6)
    nowhere = np.zeros((4, 25, 3), dtype=np.float32)
    nowhere[0, 3] = 1  # somebody is there, but no trunk
    np.testing.assert_array_equal(transforms.scale(SequenceSet([nowhere], layout="openpose-25")).coords[0], nowhere)
