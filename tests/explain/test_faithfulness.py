"""Deletion and insertion on a network whose truth is known, and what stands in for removed cells."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import in_double
from torch import Tensor, nn

from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.explain import RelevanceMap, faithfulness
from stgcnlib.explain.baseline import mean_pose, motion_energy, moved, removed
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, layout

JOINT = 11


class OneJoint(nn.Module):
    """Class 1 against 0 by the mean height of one joint alone."""

    def __init__(self, joint: int = JOINT) -> None:
        super().__init__()
        self.layout, self.channels, self.joint = layout("kinect-v1"), 3, joint
        self.layer_names = ()
        self.weight = nn.Parameter(torch.tensor([-4.0, 4.0]))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 1, :, self.joint].mean(dim=(1, 2))[:, None] * self.weight


@pytest.fixture(scope="module")
def planted() -> SequenceSet:
    """Twelve recordings of two classes by three people; the class is the sign of joint 11's height."""
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 2
    coords = []
    for label in labels:
        points = rng.normal(0, 0.3, (int(rng.integers(12, 18)), 20, 3)).astype(np.float32)
        points[:, JOINT, 1] = (2 * label - 1) + rng.normal(0, 0.1, len(points))
        coords.append(points)
    return SequenceSet(coords, labels=labels, layout="kinect-v1", groups={"subject": np.arange(12) // 4})


def maps_of(data: SequenceSet, where: str) -> list[dict[str, RelevanceMap]]:
    rng = np.random.default_rng(1)
    found = []
    for i in range(len(data)):
        values = np.zeros(data.people(i).shape[:3], np.float32)
        if where == "true":
            values[:, :, JOINT] = 1
        else:
            values[:] = rng.random((1, 1, values.shape[2]))
            values[:, :, JOINT] = 0
        found.append({"layer": RelevanceMap(values, values, "layer", 1, "layer 1", int(data.labels[i]))})
    return found


def test_the_planted_joint_beats_random_maps_with_intervals_apart(planted):
    result = faithfulness(
        OneJoint(), planted, maps_of(planted, "true"), units=["joints", "joint-frames"], steps=10, draws=6
    )
    table = result.summary()
    assert len(table) == 4
    assert (table["beats_random_low"] > 0).all()
    # By hand: once the joint is gone (at the first step), the mean pose of two balanced classes leaves about 1/2.
    deletion = table.query("unit == 'joints' and mode == 'deletion'").iloc[0]
    assert deletion["area"] == pytest.approx(0.5 + 0.05 * 0.5, abs=0.02)
    insertion = table.query("unit == 'joints' and mode == 'insertion'").iloc[0]
    assert insertion["area"] == pytest.approx(1 - 0.05 * 0.5, abs=0.02)


def test_a_map_that_looks_elsewhere_does_not_beat_random_maps(planted):
    result = faithfulness(OneJoint(), planted, maps_of(planted, "elsewhere"), units=["joints"], steps=10, draws=6)
    table = result.summary()
    assert (table["beats_random"] < 0).all()
    assert (table["beats_random_low"] < 0).all()


def test_a_flat_map_over_a_network_that_ignores_frames_is_no_better_than_chance(planted):
    result = faithfulness(OneJoint(), planted, maps_of(planted, "true"), units=["frames"], steps=5, draws=4)
    assert result.areas["area"].between(0, 1).all()
    assert (result.summary()["beats_random_low"] <= 0).all()


def energetic(joint: int) -> SequenceSet:
    """As `planted`, but one joint alone moves."""
    rng = np.random.default_rng(2)
    labels = np.arange(12) % 2
    coords = []
    for label in labels:
        points = np.repeat(rng.normal(0, 0.3, (1, 20, 3)), 16, axis=0)
        points[:, JOINT, 1] = 2 * label - 1
        points[:, joint, 0] += 0.2 * np.arange(16)
        coords.append(points.astype(np.float32))
    return SequenceSet(coords, labels=labels, layout="kinect-v1", groups={"subject": np.arange(12) // 4})


@pytest.mark.parametrize(("joint", "beaten"), [(JOINT, False), (3, True)])
def test_maps_beat_motion_energy_only_where_something_else_than_motion_decides(joint: int, beaten: bool) -> None:
    """The planted joint decides. Where it is also the one that moves, its map is no better than the motion."""
    data = energetic(joint)
    table = faithfulness(OneJoint(), data, maps_of(data, "true"), units=["joints"], steps=10, draws=4).summary()
    assert (table["beats_random_low"] > 0).all()
    assert ((table["beats_motion_low"] > 0) == beaten).all()
    if not beaten:
        np.testing.assert_allclose(table["beats_motion"], 0, atol=1e-9)


def test_the_curve_of_motion_energy_is_that_of_its_map(planted):
    """As if the energy had been given as a layer's map."""
    maps = []
    for i in range(len(planted)):
        energy = motion_energy(planted.people(i), planted.layout).astype(np.float32)
        maps.append({"layer": RelevanceMap(energy, energy, "layer", 1, "layer 1", int(planted.labels[i]))})
    result = faithfulness(OneJoint(), planted, maps, steps=4, draws=1)
    np.testing.assert_allclose(result.areas["area"], result.areas["motion"])
    for _, part in result.curves.groupby(["unit", "mode"]):
        drawn = part.pivot(index="fraction", columns="kind", values="probability")
        np.testing.assert_allclose(drawn["map"], drawn["motion"])


def test_motion_energy_by_hand():
    flat = SkeletonLayout("flat", ("a", "b"), ((1, 0),), centre=0, dimensions=2)
    people = np.zeros((1, 4, 2, 3), np.float32)
    people[0, :, 0, 0] = [1, 2, 4, 7]  # speeds 1, 1.5, 2.5, 3
    people[0, :, 0, 2] = 5 * np.arange(4)  # a third channel that is no position
    np.testing.assert_allclose(motion_energy(people, flat)[0, :, 0], [1, 2.25, 6.25, 9])
    np.testing.assert_allclose(motion_energy(people)[0, :, 0], [26, 27.25, 31.25, 34])
    assert not motion_energy(people)[0, :, 1].any()
    assert motion_energy(people[:, :1]).shape == (1, 1, 2)
    assert not motion_energy(people[:, :1]).any()


def test_curves_start_whole_and_end_empty(planted):
    data = planted.select([0, 1, 2])
    network = in_double(OneJoint())
    result = faithfulness(network, data, maps_of(data, "true"), reference=planted, steps=4, draws=2)
    with torch.no_grad():
        whole, empty = [], []
        for i in range(3):
            people, label = data.people(i), int(data.labels[i])
            for target, bodies in ((whole, people), (empty, mean_pose(planted, *people.shape[:2]))):
                x = torch.from_numpy(bodies.transpose(3, 1, 2, 0)[None].copy())
                target.append(float(torch.softmax(network(x).double(), 1)[0, label]))
    for (_, mode), part in result.curves.groupby(["kind", "mode"]):
        start = part[part["fraction"] == 0]["probability"]
        stop = part[part["fraction"] == 1]["probability"]
        first, last = (whole, empty) if mode == "deletion" else (empty, whole)
        np.testing.assert_allclose(start, np.mean(first), rtol=1e-6)
        np.testing.assert_allclose(stop, np.mean(last), rtol=1e-6)
    again = faithfulness(network, data, maps_of(data, "true"), reference=planted, steps=4, draws=2)
    assert again.curves.equals(result.curves)


def test_bad_input_is_named(planted):
    maps = maps_of(planted, "true")
    with pytest.raises(SequenceError, match="11 maps for 12 recordings"):
        faithfulness(OneJoint(), planted, maps[1:])
    with pytest.raises(SequenceError, match="explain the same recordings"):
        faithfulness(OneJoint(), planted, maps[::-1], units=["joints"])
    with pytest.raises(SequenceError, match="draws=0"):
        faithfulness(OneJoint(), planted, maps, draws=0)
    wrong = [{"layer": dataclasses.replace(m["layer"])} for m in maps]
    with pytest.raises(SequenceError, match="unit='limbs' is unknown"):
        faithfulness(OneJoint(), planted, wrong, units=["limbs"])


# -- replacements -------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**31 - 1))
def test_interpolation_keeps_what_is_left_and_is_straight_between(T, seed):
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(2, T, 3, 2)).astype(np.float32)
    masks = rng.random((2, 2, T, 3)) < 0.5
    result = removed(people, masks, replacement="interpolation")
    for k in range(2):
        np.testing.assert_array_equal(result[k][~masks[k]], people[~masks[k]])
        for m in range(2):
            for v in range(3):
                kept = np.flatnonzero(~masks[k, m, :, v])
                for c in range(2):
                    expected = (
                        np.interp(np.arange(T), kept, people[m, kept, v, c])
                        if len(kept)
                        else np.full(T, people[m, :, v, c].mean())
                    )
                    np.testing.assert_allclose(result[k, m, :, v, c], expected, atol=1e-5)


def test_the_mean_pose_favours_no_class_and_is_scaled_in_time():
    # Class 0 has three recordings at height 0, class 1 a single one rising from 1 to 3.
    rising = np.ones((5, 20, 3), np.float32) * np.linspace(1, 3, 5)[:, None, None].astype(np.float32)
    still = np.zeros((9, 20, 3), np.float32)
    still[..., 0] = 1  # of found joints: all zeros would be a joint that was lost
    data = SequenceSet([still, still, still, rising], labels=[0, 0, 0, 1], layout="kinect-v1")
    pose = mean_pose(data, 2, 3)
    assert pose.shape == (2, 3, 20, 3)
    np.testing.assert_allclose(pose[0, :, 5, 1], [0.5, 1.0, 1.5], atol=1e-6)
    np.testing.assert_array_equal(pose[0], pose[1])
    with pytest.raises(SequenceError, match="needs a reference set"):
        removed(data.people(3), np.ones((1, 1, 5, 20), bool), replacement="mean-pose")


# -- people and joints that are not there -------------------------------------------------------


def test_the_mean_pose_is_of_found_joints_and_of_people_who_are_there():
    body = np.random.default_rng(0).normal(2, 0.1, (12, 20, 3)).astype(np.float32)
    lost, late = body.copy(), body.copy()
    lost[:, 5] = 0  # a joint that is never found
    late[:4] = 0  # nobody in the first frames
    lost[3, 7] = 0
    couple = np.stack([body, np.zeros_like(body)])
    data = SequenceSet([body, lost, late, couple], labels=[0, 0, 1, 1], layout="kinect-v1")
    whole = mean_pose(SequenceSet([body], layout="kinect-v1"), 1, 12)[0]
    pose = mean_pose(data, 2, 12)
    np.testing.assert_allclose(pose[0], whole, atol=0.15)
    np.testing.assert_array_equal(pose[1], pose[0])  # no recording has a second person
    # Classes in which a joint was never found have no say in it.
    alone = mean_pose(SequenceSet([lost, body], labels=[0, 1], layout="kinect-v1"), 1, 12)[0]
    np.testing.assert_allclose(alone[:, 5], whole[:, 5], atol=1e-6)
    # Nobody is there at first: as in the first frame in which somebody is.
    early = mean_pose(SequenceSet([late], layout="kinect-v1"), 1, 12)[0]
    np.testing.assert_allclose(early[0], body[4], atol=0.01)
    assert not mean_pose(SequenceSet([lost], layout="kinect-v1"), 1, 12)[0, :, 5].any()
    # The first person is in no recording, the second is.
    turned = mean_pose(SequenceSet([couple[::-1]], layout="kinect-v1"), 2, 12)
    np.testing.assert_allclose(turned[0], whole, atol=1e-6)


def test_zeros_of_signals_count_in_the_mean():
    signals = SkeletonLayout("signals", ("a", "b"), ((1, 0),), centre=0, dimensions=0)
    data = SequenceSet([np.zeros((4, 2, 1)), np.ones((4, 2, 1))], labels=[0, 0], layout=signals)
    np.testing.assert_allclose(mean_pose(data, 1, 3), 0.5)
    every = np.ones((1, 1, 4, 2), bool)
    cleared = removed(data.people(0), every, replacement="mean-pose", pose=mean_pose(data, 1, 4), layout=signals)
    np.testing.assert_allclose(cleared, 0.5)


@pytest.mark.parametrize("replacement", ["mean-pose", "interpolation"])
def test_who_is_absent_stays_absent(rng, replacement):
    people = rng.normal(size=(2, 6, 3, 2)).astype(np.float32)
    people[1] = 0
    people[0, 4:] = 0
    result = removed(
        people, np.ones((1, 2, 6, 3), bool), replacement=replacement, pose=np.ones((2, 6, 3, 2), np.float32)
    )
    assert not result[0, 1].any()
    assert not result[0, 0, 4:].any()
    expected = np.ones((3, 2)) if replacement == "mean-pose" else people[0, :4].mean(axis=0)
    np.testing.assert_allclose(result[0, 0, :4], np.broadcast_to(expected, (4, 3, 2)), rtol=1e-5)


def test_interpolation_is_between_found_joints():
    people = np.ones((1, 5, 2, 1), np.float32) * np.arange(1, 6)[None, :, None, None]
    people[0, 3, 0] = 0  # joint 0 is lost at frame 3
    masks = np.zeros((1, 1, 5, 2), bool)
    masks[0, 0, 2] = True
    result = removed(people, masks, replacement="interpolation")[0, 0, :, :, 0]
    np.testing.assert_allclose(result[:, 0], [1, 2, 2 + 3 / 3, 0, 5])
    np.testing.assert_allclose(result[:, 1], [1, 2, 3, 4, 5])


def test_motion_energy_does_not_leap_to_lost_joints():
    flat = SkeletonLayout("flat", ("a", "b"), ((1, 0),), centre=0, dimensions=2)
    people = np.ones((2, 6, 2, 3), np.float32)
    people[0, :, 0, 0] = 10 + np.arange(6)
    people[0, 3, 0, :2] = 0  # lost, though with a confidence
    people[..., 2] = np.random.default_rng(0).random((2, 6, 2))
    people[1] = 0
    np.testing.assert_allclose(motion_energy(people, flat)[0, :, 0], [1, 1, 1, 0, 1, 1])
    assert not motion_energy(people, flat)[0, :, 1].any()
    assert not motion_energy(people, flat)[1].any()


def test_random_maps_lie_where_people_are(rng):
    values = rng.random((3, 8, 4)).astype(np.float32)
    there = np.zeros((3, 8), bool)
    there[0, 2:7] = there[2, 2:7] = True
    values[~there] = 0
    found = moved(values, rng, there)
    assert not found[~there].any()
    assert np.sort(found, axis=None).tolist() == np.sort(values, axis=None).tolist()
    assert (found != values).any()
    everybody = moved(values, np.random.default_rng(3), np.ones((3, 8), bool))
    np.testing.assert_array_equal(everybody, moved(values, np.random.default_rng(3)))


class Summed(OneJoint):
    """As OneJoint, with the sum over people: absent people change nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 1, :, self.joint].mean(dim=1).sum(dim=1)[:, None] * self.weight


def test_absent_people_are_no_units_of_deletion(planted):
    data = planted.select([0, 1, 2, 3])
    couples = data.with_coords([np.stack([each, np.zeros_like(each)]) for each in data.coords])
    maps = maps_of(data, "elsewhere")
    wide = []
    for each in maps:
        values = np.concatenate([each["layer"].values, np.zeros_like(each["layer"].values)])
        wide.append({"layer": dataclasses.replace(each["layer"], values=values)})
    one = faithfulness(Summed(), data, maps, reference=planted, steps=4, draws=2)
    two = faithfulness(Summed(), couples, wide, reference=planted, steps=4, draws=2)
    for name in ("area", "random", "motion"):
        np.testing.assert_allclose(two.areas[name], one.areas[name], rtol=1e-6)
    np.testing.assert_allclose(two.curves["probability"], one.curves["probability"], rtol=1e-6)


def test_probabilities_need_classes_and_numbers(planted):
    data, maps = planted.select([0, 1]), maps_of(planted.select([0, 1]), "true")
    alone = OneJoint()
    alone.weight = nn.Parameter(torch.tensor([4.0]))
    first = [{"layer": dataclasses.replace(each["layer"], target=0)} for each in maps]
    with pytest.raises(SequenceError, match="probability of a class among others; this network has only one output"):
        faithfulness(alone, data, first, steps=2, draws=1)
    values = SequenceSet(data.coords, layout="kinect-v1", targets=[0.5, 1.0])
    with pytest.raises(SequenceError, match="these recordings have no classes"):
        faithfulness(OneJoint(), values, first, steps=2, draws=1)
    lost = OneJoint()
    lost.weight = nn.Parameter(torch.tensor([float("nan"), 1.0]))
    with pytest.raises(StudyError, match="the network's outputs of 'recording 0' are NaN"):
        faithfulness(lost, data, maps, steps=2, draws=1)
