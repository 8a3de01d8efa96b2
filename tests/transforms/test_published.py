"""What published checkpoints expect: against a published network's input, and against loops written from the papers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stgcnlib import transforms
from stgcnlib.errors import SequenceError
from stgcnlib.readers import read
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout


def ntu_set(seed: int = 0, *, people: int = 2, frames: int = 12) -> SequenceSet:
    rng = np.random.default_rng(seed)
    return SequenceSet([rng.normal(0, 1, (people, frames, 25, 3)) + np.array([0.5, 0.2, 3.0])])


def angle(a: NDArray[np.float64], b: list[float]) -> float:
    return float(np.arccos(a @ np.array(b) / np.linalg.norm(a)))


# -- NTU ------------------------------------------------------------------------------------------


def test_shift_gcn_input_of_the_first_recording(data_folder: Path, golden_folder: Path) -> None:
    with np.load(golden_folder / "shiftgcn_ntu_xview.npz") as golden:
        expected, names, frames = golden["normalized"], golden["names"], golden["frames"]
    data = read(data_folder / "ntu_samples")
    assert list(data.names) == names.tolist()
    assert data.lengths.tolist() == frames.tolist()
    ours = transforms.ntu_normalize(data, frames=int(frames.max()))
    assert np.abs(ours.people(0).transpose(3, 1, 2, 0) - expected[0]).max() < 1e-5


def test_ntu_shapes_repeat_and_zero_person() -> None:
    data = transforms.ntu_normalize(ntu_set(people=1, frames=7), frames=17)
    assert data.coords[0].shape == (2, 17, 25, 3)
    np.testing.assert_array_equal(data.coords[0][0, 7:14], data.coords[0][0, :7])
    np.testing.assert_array_equal(data.coords[0][0, 14:], data.coords[0][0, :3])
    assert not data.coords[0][1].any()
    assert transforms.ntu_normalize(ntu_set(frames=7), frames=5, people=1).coords[0].shape == (1, 5, 25, 3)


def test_ntu_centre_and_axes() -> None:
    people = transforms.ntu_normalize(ntu_set(), frames=12).coords[0].astype(np.float64)
    assert np.abs(people[0, :, 1]).max() < 1e-6
    shoulders = people[0, 0, 8] - people[0, 0, 4]
    assert angle(shoulders, [1, 0, 0]) < 1e-5


def test_ntu_turns_are_rigid_and_shared() -> None:
    data = ntu_set()
    before = data.coords[0].astype(np.float64)
    after = transforms.ntu_normalize(data, frames=12).coords[0].astype(np.float64)
    for pair in ((0, 3), (5, 20)):
        sizes = [np.linalg.norm(x[:, :, pair[0]] - x[:, :, pair[1]], axis=-1) for x in (before, after)]
        np.testing.assert_allclose(*sizes, rtol=1e-5)
    between = [np.linalg.norm(x[0, :, 2] - x[1, :, 7], axis=-1) for x in (before, after)]
    np.testing.assert_allclose(*between, rtol=1e-5)


def test_ntu_late_and_early_people() -> None:
    """A person who comes late is moved to the front; one who leaves is repeated; both as published."""
    people = ntu_set(people=2, frames=10).coords[0].copy()
    people[1, :4] = 0
    late = transforms.ntu_normalize(SequenceSet([people]), frames=10).coords[0]
    assert late[1].any(axis=(1, 2)).all()
    people = ntu_set(people=2, frames=10).coords[0].copy()
    people[0, 6:] = 0
    early = transforms.ntu_normalize(SequenceSet([people]), frames=10).coords[0]
    np.testing.assert_allclose(early[0, 6:], early[0, :4], atol=1e-6)
    people = ntu_set(people=2, frames=10).coords[0].copy()
    people[0, 4] = 0  # a gap stays a gap
    gap = transforms.ntu_normalize(SequenceSet([people]), frames=10).coords[0]
    assert not gap[0, 4].any()


def test_ntu_degenerate_pose_is_not_nan() -> None:
    people = np.ones((1, 3, 25, 3))
    people[0, 1:] += np.random.default_rng(0).normal(0, 1, (2, 25, 3))
    assert np.isfinite(transforms.ntu_normalize(SequenceSet([people]), frames=3).coords[0]).all()


def test_ntu_refuses_others(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match="ntu_normalize: layout 'kinect-v1' with 3 channels; it is made for"):
        transforms.ntu_normalize(small_set)
    with pytest.raises(SequenceError, match="pyskl_normalize_3d: layout 'kinect-v1'"):
        transforms.pyskl_normalize_3d(small_set)
    with pytest.raises(SequenceError, match="frames=0, people=2"):
        transforms.ntu_normalize(ntu_set(), frames=0)


# -- Kinetics -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "up"), [("kinetics", 1), ("kinetics-up", -1)])
def test_kinetics_input_against_loops(data_folder: Path, name: str, up: int) -> None:
    data = read(data_folder / "kinetics_samples")
    ours = transforms.published(data, name)
    for i in range(len(data)):
        expected = np.zeros((2, 300, 18, 3))
        for t in range(int(data.lengths[i])):
            people = sorted(data.people(i)[:, t], key=lambda person: -person[:, 2].sum())
            for m, person in enumerate(people[:2]):
                for v, (x, y, score) in enumerate(person):
                    expected[m, t, v] = (x - 0.5, up * (y - 0.5), score) if score != 0 else (0, 0, 0)
        assert ours.coords[i].shape == (2, 300, 18, 3)
        np.testing.assert_allclose(ours.coords[i][0], expected[0], atol=1e-6)
        np.testing.assert_allclose(ours.coords[i][1, :, :, 2].sum(axis=1), expected[1, :, :, 2].sum(axis=1), atol=1e-5)


def test_kinetics_cut_and_refusals(small_set: SequenceSet) -> None:
    coords = np.random.default_rng(0).uniform(0.1, 0.9, (3, 9, 18, 3))
    data = SequenceSet([coords], layout="openpose-18")
    assert transforms.kinetics_normalize(data, frames=5, people=1).coords[0].shape == (1, 5, 18, 3)
    with pytest.raises(SequenceError, match="layout 'kinect-v1' with 3 channels; it is made for"):
        transforms.kinetics_normalize(small_set)
    with pytest.raises(SequenceError, match=r"x or y of recording 0 is .*divide pixels"):
        transforms.kinetics_normalize(SequenceSet([coords * 100], layout="openpose-18"))
    with pytest.raises(SequenceError, match="frames=300, people=0"):
        transforms.kinetics_normalize(data, people=0)
    with pytest.raises(SequenceError, match="kinetics_normalize_up: frames=0"):
        transforms.kinetics_normalize_up(data, frames=0)


def test_the_two_kinetics_inputs_differ_in_the_sign_of_y_only() -> None:
    data = SequenceSet([np.random.default_rng(0).uniform(0.1, 0.9, (3, 9, 18, 3))], layout="openpose-18")
    down, turned = (f(data).coords[0] for f in (transforms.kinetics_normalize, transforms.kinetics_normalize_up))
    np.testing.assert_array_equal(down * [1, -1, 1], turned)
    head, foot = data.layout.index("nose"), data.layout.index("left ankle")
    standing = np.full((1, 2, 18, 3), 0.5)
    standing[..., head, 1], standing[..., foot, 1] = 0.2, 0.9  # shares of the picture's height, from above
    pose = transforms.kinetics_normalize_up(SequenceSet([standing], layout="openpose-18")).coords[0][0, 0]
    assert pose[head, 1] > pose[foot, 1]


# -- PYSKL ----------------------------------------------------------------------------------------


def test_pyskl_3d_centre_axes_and_length() -> None:
    data = transforms.pyskl_normalize_3d(ntu_set())
    people = data.coords[0].astype(np.float64)
    assert people.shape == (2, 12, 25, 3)
    assert np.abs(people[0, 0, 1]).max() < 1e-6
    assert np.abs(people[0, 1:, 1]).max() > 0.1
    assert angle(people[0, 0, 8] - people[0, 0, 4], [1, 0, 0]) < 1e-5


def test_pyskl_3d_longer_person_first_and_frames_without_dropped() -> None:
    people = ntu_set(people=2, frames=10).coords[0].copy()
    people[0, 2:] = 0
    people[1, 7] = 0
    result = transforms.pyskl_normalize_3d(SequenceSet([people])).coords[0]
    assert result.shape == (2, 9, 25, 3)
    assert np.abs(result[0, 0, 1]).max() < 1e-6
    assert not result[1, 2:].any()
    single = transforms.pyskl_normalize_3d(SequenceSet([people[1]])).coords[0]
    np.testing.assert_allclose(single[0], result[0], atol=1e-6)
    assert not single[1].any()
    assert single.shape == (2, 9, 25, 3)


@pytest.mark.parametrize("there", [1, 2, 3])
def test_pyskl_keeps_two_people_and_fills_with_zeros(there: int) -> None:
    """As `FormatGCNInput(num_person=2)`: the head of those networks averages over both."""
    rng = np.random.default_rng(there)
    flat = np.concatenate([rng.uniform(50, 300, (there, 6, 17, 2)), np.ones((there, 6, 17, 1))], axis=-1)
    for coords, prepare, layout in (
        (rng.normal(size=(there, 6, 25, 3)), transforms.pyskl_normalize_3d, "ntu-rgb+d"),
        (flat, transforms.pyskl_normalize_2d, "coco-17"),
    ):
        data = SequenceSet([coords], layout=layout)
        result, all_three = prepare(data).coords[0], prepare(data, people=3).coords[0]
        assert (len(result), len(all_three)) == (2, 3)
        np.testing.assert_array_equal(result, all_three[:2])
        assert all(person.any() == (place < there) for place, person in enumerate(all_three))
    with pytest.raises(SequenceError, match="people=0"):
        transforms.pyskl_normalize_2d(flat_set(), people=0)


def test_mmaction2_takes_the_size_of_the_picture() -> None:
    data = flat_set()
    expected = transforms.pyskl_normalize_2d(data, image=(100, 400), threshold=0.0).coords[0]
    np.testing.assert_array_equal(transforms.published(data, "mmaction2-2d").coords[0], expected)


def test_bones_of_coco_hang_the_hips_from_the_nose() -> None:
    data = SequenceSet([np.random.default_rng(0).normal(size=(4, 17, 3))], layout="coco-17")
    coords, bones = data.coords[0], transforms.bone_stream(data).coords[0]
    for hip in (11, 12):
        np.testing.assert_allclose(bones[:, hip, :2], coords[:, hip, :2] - coords[:, 0, :2], atol=1e-6)
    np.testing.assert_allclose(bones[:, 13, :2], coords[:, 13, :2] - coords[:, 11, :2], atol=1e-6)


def test_kinetics_streams_subtract_the_confidence_too() -> None:
    data = SequenceSet([np.random.default_rng(0).uniform(0.1, 1, size=(4, 18, 3))], layout="openpose-18")
    coords = data.coords[0]
    bones = transforms.published(data, "kinetics-bone").coords[0]
    np.testing.assert_allclose(bones[:, 4], coords[:, 4] - coords[:, 3], atol=1e-6)
    np.testing.assert_array_equal(bones[..., :2], transforms.bone_stream(data).coords[0][..., :2])
    motion = transforms.published(data, "kinetics-motion").coords[0]
    np.testing.assert_allclose(motion[:-1], np.diff(coords, axis=0), atol=1e-6)


def flat_set(*, channels: int = 3) -> SequenceSet:
    rng = np.random.default_rng(5)
    coords = np.concatenate(
        [rng.uniform(100, 300, (2, 6, 17, 1)), rng.uniform(50, 90, (2, 6, 17, 1)), rng.uniform(0.2, 1, (2, 6, 17, 1))],
        axis=-1,
    )
    return SequenceSet([coords[..., :channels]], layout="coco-17", groups={"image height": [100], "image width": [400]})


@pytest.mark.parametrize("channels", [2, 3])
def test_pyskl_2d_fills_minus_one_to_one(channels: int) -> None:
    result = transforms.pyskl_normalize_2d(flat_set(channels=channels)).coords[0]
    np.testing.assert_allclose(result[..., :2].min(axis=(0, 1, 2)), -1, atol=1e-6)
    np.testing.assert_allclose(result[..., :2].max(axis=(0, 1, 2)), 1, atol=1e-6)
    if channels == 3:
        np.testing.assert_array_equal(result[..., 2], flat_set().coords[0][..., 2])


def test_pyskl_2d_by_image_size() -> None:
    data = flat_set()
    given_size = transforms.pyskl_normalize_2d(data, image=(100, 400)).coords[0]
    np.testing.assert_allclose(given_size[..., 0], data.coords[0][..., 0] / 200 - 1, atol=1e-6)
    np.testing.assert_allclose(given_size[..., 1], data.coords[0][..., 1] / 50 - 1, atol=1e-6)
    np.testing.assert_array_equal(transforms.pyskl_normalize_2d(data, image="recorded").coords[0], given_size)


def test_pyskl_2d_low_confidence_and_small_extent() -> None:
    coords = flat_set().coords[0].copy()
    coords[0, 0, 0] = (5000, 5000, 0.01)
    result = transforms.pyskl_normalize_2d(SequenceSet([coords], layout="coco-17")).coords[0]
    assert not result[0, 0, 0, :2].any()
    assert np.abs(result[..., :2]).max() <= 1 + 1e-6
    coords[..., 0] = 5 + coords[..., 0] / 100
    small = transforms.pyskl_normalize_2d(SequenceSet([coords], layout="coco-17")).coords[0]
    np.testing.assert_array_equal(small[1], coords[1])


def test_pyskl_2d_refuses(small_set: SequenceSet) -> None:
    with pytest.raises(SequenceError, match="layout 'kinect-v1' with 3 channels is not 2-D"):
        transforms.pyskl_normalize_2d(small_set)
    with pytest.raises(SequenceError, match="recording 0 has no confidence above 2"):
        transforms.pyskl_normalize_2d(flat_set(), threshold=2)
    with pytest.raises(SequenceError, match=r"image=\(0, 400\) has a size of 0 or less"):
        transforms.pyskl_normalize_2d(flat_set(), image=(0, 400))
    without = SequenceSet(flat_set().coords, layout="coco-17")
    with pytest.raises(SequenceError, match=r"no group 'image height'; give image=\(h, w\)"):
        transforms.pyskl_normalize_2d(without, image="recorded")


# -- streams --------------------------------------------------------------------------------------

# Child, parent of the published 2s-AGCN code (counted from 1), for NTU and Kinetics.
NTU_PAIRS = (
    (1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11), (13, 1),
    (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (21, 21), (22, 23), (23, 8), (24, 25),
    (25, 12),
)  # fmt: skip
KINETICS_PAIRS = (
    (0, 0), (1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 2), (9, 8), (10, 9), (11, 5), (12, 11),
    (13, 12), (14, 0), (15, 0), (16, 14), (17, 15),
)  # fmt: skip


def test_bones_of_ntu() -> None:
    data = ntu_set()
    bones = transforms.bone_stream(data).coords[0]
    for child, parent in NTU_PAIRS:
        np.testing.assert_allclose(
            bones[:, :, child - 1], data.coords[0][:, :, child - 1] - data.coords[0][:, :, parent - 1], atol=1e-6
        )


def test_bones_of_openpose_go_out_from_the_nose() -> None:
    coords = np.random.default_rng(1).uniform(0.1, 1, (4, 18, 3)).astype(np.float32)
    bones = transforms.bone_stream(SequenceSet([coords], layout="openpose-18")).coords[0]
    for child, parent in KINETICS_PAIRS:
        np.testing.assert_allclose(bones[:, child, :2], (coords[:, child] - coords[:, parent])[:, :2], atol=1e-6)
        np.testing.assert_allclose(bones[:, child, 2], (coords[:, child] + coords[:, parent])[:, 2] / 2, atol=1e-6)


@pytest.mark.parametrize("known", LAYOUTS.values(), ids=lambda known: known.name)
@given(seed=st.integers(0, 2**31))
@settings(max_examples=5, deadline=None)
def test_bones_give_the_joints_back(known: SkeletonLayout, seed: int) -> None:
    """The way from any joint to the root adds up to the joint minus the root."""
    coords = np.random.default_rng(seed).normal(0, 1, (3, len(known), 3)).astype(np.float32)
    bones = transforms.bone_stream(SequenceSet([coords], layout=known)).coords[0][..., : known.dimensions]
    root = int(np.flatnonzero(~bones.any(axis=(0, 2)))[0])
    near = {v: set[int]() for v in range(len(known))}
    hips = {11: 0, 12: 0} if known.name == "coco-17" else {}  # hang from the nose in the published bones
    for a, b in ((child, hips.get(child, parent)) for child, parent in known.bones):
        near[a].add(b)
        near[b].add(a)
    sums, todo = {root: np.zeros((3, known.dimensions))}, [root]
    while todo:
        here = todo.pop()
        for there in near[here] - sums.keys():
            sums[there] = sums[here] + bones[:, there]
            todo.append(there)
    for v, total in sums.items():
        np.testing.assert_allclose(total, (coords[:, v] - coords[:, root])[:, : known.dimensions], atol=1e-5)


def test_bones_need_a_tree() -> None:
    loose = SkeletonLayout("loose", ("a", "b", "c"), ((0, 1),), centre=0)
    with pytest.raises(SequenceError, match="bones of layout 'loose' are no tree"):
        transforms.bone_stream(SequenceSet([np.ones((2, 3, 3))], layout=loose))


def test_motion_adds_up_to_the_way() -> None:
    data = ntu_set(frames=9)
    motion = transforms.motion_stream(data).coords[0]
    assert not motion[:, -1].any()
    np.testing.assert_allclose(motion.sum(axis=1), data.coords[0][:, -1] - data.coords[0][:, 0], atol=1e-5)
    np.testing.assert_allclose(motion[1, 3], data.coords[0][1, 4] - data.coords[0][1, 3], atol=1e-6)


def test_motion_averages_confidence_and_refuses_stillness() -> None:
    data = flat_set()
    motion = transforms.motion_stream(data).coords[0]
    np.testing.assert_allclose(motion[0, 2, :, 2], data.coords[0][0, 2:4, :, 2].mean(axis=0), atol=1e-6)
    with pytest.raises(SequenceError, match="nothing moves in recording 0"):
        transforms.motion_stream(SequenceSet([np.ones((1, 25, 3))]))


def test_published_by_name() -> None:
    data = ntu_set()
    by_name = transforms.published(data, "ntu", "bone", "motion")
    by_hand = transforms.motion_stream(transforms.bone_stream(transforms.ntu_normalize(data)))
    assert by_name.fingerprint() == by_hand.fingerprint()
    with pytest.raises(SequenceError, match="no published transform is named 'bones'; did you mean 'bone'"):
        transforms.published(data, "bones")
