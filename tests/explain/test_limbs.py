"""How far limbs swing, against the root mean square of a planted motion."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stgcnlib import transforms
from stgcnlib.explain.limbs import acting_limbs, one_armed
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout
from stgcnlib.transforms.presence import found_joints

KINECT = layout("kinect-v1")


def waving(sizes: list[tuple[str, float]], *, walk: float = 0.0) -> SequenceSet:
    """One recording per (limb, size): the limb's joints swing by a sine of that size, the whole body walks."""
    time = np.sin(2 * np.pi * np.arange(16) / 16)[:, None]
    body, coords = np.random.default_rng(0).normal(size=(20, 3)), []
    for limb, size in sizes:
        points = np.repeat(body[None], 16, axis=0) + walk * np.arange(16)[:, None, None]
        points[:, list(KINECT.limbs[limb]), 1] += size * time
        coords.append(points)
    return SequenceSet(
        coords, labels=np.arange(len(sizes)) // 2, layout="kinect-v1", class_names=["first", "second", "third"]
    )


@pytest.mark.parametrize("walk", [0.0, 0.3])
def test_swing_is_the_root_mean_square_seen_from_the_body(walk: float) -> None:
    data = waving([("right arm", 1.0), ("right arm", 3.0), ("left arm", 2.0), ("left arm", 2.0)], walk=walk)
    table = acting_limbs(data)
    assert list(table.columns) == ["label", "class", "limb", "swing"]
    assert len(table) == 2 * len(KINECT.limbs)
    assert table["class"].tolist() == [["first", "second"][label] for label in table["label"]]
    swing = table.set_index(["class", "limb"])["swing"]
    assert swing["first", "right arm"] == pytest.approx(2 / np.sqrt(2), rel=1e-5)  # mean of the class's recordings
    assert swing["second", "left arm"] == pytest.approx(2 / np.sqrt(2), rel=1e-5)
    others = swing.drop([("first", "right arm"), ("second", "left arm")])
    np.testing.assert_allclose(others, 0, atol=1e-5)


def test_one_arm_must_swing_far_more_than_the_other() -> None:
    assert one_armed(waving([("right arm", 1.0), ("right arm", 1.0), ("left leg", 1.0), ("left leg", 1.0)])) == {
        0: "right arm"
    }
    assert one_armed(waving([("right arm", 1.0), ("left arm", 1.0)])) == {}
    assert one_armed(waving([("right arm", 1.0), ("left arm", 0.1)])) == {0: "right arm"}


def test_swing_is_of_positions_of_found_joints_and_of_people_who_are_there() -> None:
    plain = waving([("right arm", 1.0)], walk=0.3)
    expected = acting_limbs(plain)["swing"].to_numpy()
    points = np.concatenate([plain.coords[0] + 5, np.ones((16, 20, 1), np.float32)], axis=-1)
    points[:, list(KINECT.limbs["left arm"]), 3] = np.random.default_rng(0).random((16, 4))  # a confidence is no place
    couple = np.stack([points, np.zeros_like(points)])
    np.testing.assert_allclose(acting_limbs(SequenceSet([couple], layout=KINECT))["swing"], expected, atol=1e-5)
    assert one_armed(SequenceSet([couple], layout=KINECT)) == {0: "right arm"}
    for lost in (KINECT.limbs["left arm"], KINECT.limbs["left leg"], (KINECT.centre,)):
        gone = couple.copy()
        gone[:, ::5, list(lost)] = 0
        found = acting_limbs(SequenceSet([gone], layout=KINECT))
        np.testing.assert_allclose(found["swing"], expected, atol=0.15)  # other frames count; nothing leaps
        assert one_armed(SequenceSet([gone], layout=KINECT)) == {0: "right arm"}
    never = couple.copy()
    never[:, :, list(KINECT.limbs["left arm"])] = 0
    found = acting_limbs(SequenceSet([never], layout=KINECT)).set_index("limb")["swing"]
    assert np.isnan(found["left arm"])
    assert found["right arm"] == pytest.approx(1 / np.sqrt(2), abs=1e-5)
    assert one_armed(SequenceSet([never], layout=KINECT)) == {0: "right arm"}


def test_without_a_centre_a_lost_limb_moves_no_other() -> None:
    coco = dataclasses.replace(layout("coco-17"), centre=None)
    body = np.random.default_rng(1).uniform(100, 300, (17, 2))
    points = np.repeat(body[None], 30, axis=0)
    points[:, list(coco.limbs["left arm"]), 0] += 20 * np.sin(np.arange(30))[:, None]
    points[::5, list(coco.limbs["right leg"])] = 0
    data = SequenceSet([points], layout=coco)
    swing = acting_limbs(data).set_index("limb")["swing"]
    assert swing["left arm"] == pytest.approx(20 / np.sqrt(2) * 14 / 17, rel=0.05)
    assert swing.drop("left arm").max() < 4
    assert one_armed(data) == {0: "left arm"}


def test_the_joint_that_centring_puts_at_the_origin_is_found() -> None:
    plain = waving([("right arm", 1.0)], walk=0.3)
    centred = transforms.centre(plain)
    assert not centred.coords[0][0].any(axis=-1).all()
    assert found_joints(centred.people(0), KINECT).all()
    every = transforms.centre(plain, per="frame").people(0)
    every[:, 5:8] = 0  # nobody for three frames
    assert found_joints(every, KINECT).all(axis=2).tolist() == [[not 5 <= t < 8 for t in range(16)]]
    np.testing.assert_allclose(acting_limbs(centred)["swing"], acting_limbs(plain)["swing"], atol=1e-6)
    # Lost later, or without confidence, it is lost; another joint always is.
    people = np.concatenate([centred.people(0), np.ones((1, 16, 20, 1), np.float32)], axis=-1)
    trunk, other = KINECT.spine[0], KINECT.limbs["left leg"][-1]
    people[0, 7, trunk, :3] = people[0, :2, other, :3] = 0
    lost = np.argwhere(~found_joints(people, KINECT)).tolist()
    assert sorted(lost) == sorted([[0, 7, trunk], [0, 0, other], [0, 1, other]])
    people[0, 0, trunk, 3] = 0
    assert not found_joints(people, KINECT)[0, 0, trunk]
