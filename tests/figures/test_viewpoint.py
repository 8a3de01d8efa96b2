"""Bodies stand upright in pictures, their sides where someone sees them who stands before them, people side by side."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stgcnlib import figures, transforms
from stgcnlib.demo import demo_sequences
from stgcnlib.errors import SequenceError
from stgcnlib.explain import RelevanceMap
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.space import camera_of, space_of
from stgcnlib.figures.viewpoint import project
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout, layout

HEIGHTS = {
    "hip": 0.95, "knee": 0.5, "ankle": 0.08, "heel": 0.03, "foot": 0.02, "toe": 0.02, "base": 1.0, "mid": 1.2,
    "spine": 1.2, "shoulder": 1.45, "elbow": 1.15, "wrist": 0.9, "hand": 0.85, "pinky": 0.82, "index": 0.8, "tip": 0.8,
    "thumb": 0.85, "neck": 1.5, "mouth": 1.6, "nose": 1.65, "eye": 1.7, "ear": 1.68, "head": 1.7,
    "pelvis": 0.95, "torso": 1.2, "thorax": 1.4, "collar": 1.45, "palm": 0.82, "finger": 0.8, "middle": 0.8,
    "ring": 0.8, "little": 0.8, "face": 1.62,
}  # fmt: skip
BODIES = [body for body in LAYOUTS.values() if {"head", "nose"} & set(body.joints) and "left hip" in body.joints]
ROTATIONS = [
    matrix
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
    if np.linalg.det(matrix := np.eye(3)[list(order)] * np.array(signs)[:, None]) > 0
]


def standing(body: SkeletonLayout) -> NDArray[np.float64]:
    """(4, V, 3): someone who looks along -y, x to the left hand's side, z up, swaying a little."""
    points = np.zeros((len(body), 3))
    for j, name in enumerate(body.joints):
        words = name.split()
        side = 0.1 * (("left" in words) - ("right" in words))
        arm = {"shoulder": 2.0, "elbow": 2.5, "wrist": 2.7, "hand": 2.8}
        height = next(HEIGHTS[w] for w in reversed(words) if w in HEIGHTS)
        height = HEIGHTS["foot"] if "foot" in words else height
        points[j] = side * next((arm[w] for w in words if w in arm), 1.0), -0.1 * ("nose" in words), height
    sway = 0.03 * np.sin(np.arange(4))[:, None, None] * points[:, 2:] * np.array([1.0, 0.5, 0.0])
    return points + sway + np.array([0.3, 2.0, 0.1])


def joints(body: SkeletonLayout, pattern: str) -> list[int]:
    return [j for j, name in enumerate(body.joints) if re.search(pattern, name)]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_every_layout_stands_upright_seen_from_the_front(body: SkeletonLayout) -> None:
    high, low = joints(body, "^head$|nose"), joints(body, "ankle|foot")
    left, right = np.array(body.mirror).T
    for rotation in ROTATIONS if body.dimensions == 3 else [np.eye(3)[[0, 2, 1]], np.diag([1, 0, -1])[[0, 2, 1]]]:
        points = standing(body) @ rotation.T
        flat = project(points if body.dimensions == 3 else points[..., :2], body)
        assert (flat[:, high, 1].min(axis=1) > flat[:, low, 1].max(axis=1) + 1).all()
        assert (flat[:, left, 0] > flat[:, right, 0]).all()


def test_every_layout_of_a_body_is_tried() -> None:
    assert {"ntu-rgb+d", "kinect-v1", "openpose-18", "openpose-25", "coco-17", "mediapipe-33"} <= {
        b.name for b in BODIES
    }


@pytest.mark.parametrize("name", ["coco-17", "openpose-18"])
def test_images_of_a_half_or_of_an_upside_down_y_stand_upright(name: str) -> None:
    body = layout(name)
    image = standing(body)[..., [0, 2]] * np.array([1.0, -1.0]) + np.array([0.0, 2.0])
    image[:, joints(body, "hip|knee|ankle")] = 0  # not in the image
    for given in (image, image * np.array([1.0, -1.0])):
        flat = project(given, body)
        assert (flat[:, joints(body, "nose"), 1] > flat[:, joints(body, "shoulder"), 1]).all()
        assert np.isnan(flat[:, joints(body, "ankle")]).all()


def test_an_image_of_joints_without_height_stays_as_it_was_seen() -> None:
    hand = SkeletonLayout("hand", ("palm", "thumb", "index"), ((1, 0), (2, 0)), dimensions=2)
    flat = project(np.array([[[5.0, 9.0], [3.0, 4.0], [6.0, 2.0]]]), hand)
    assert flat[0, 2, 1] > flat[0, 1, 1] > flat[0, 0, 1]


def test_words_within_words_tell_no_height() -> None:
    """ "LeftForeArm" and "forearm" hold the letters of an ear."""
    arm = SkeletonLayout("arm", ("forearm", "LeftForeArm", "LeftToeBase", "Head"), ((0, 1),))
    points = np.array([[[0.0, 9.0, 0.0], [0.0, 9.0, 0.0], [0.0, -1.0, 0.0], [1.0, 1.0, 0.0]]])
    flat = project(points, arm)
    assert flat[0, 3, 1] == 1
    assert flat[0, 2, 1] == -1


@pytest.mark.parametrize("turn", np.linspace(0, 2 * np.pi, 7))
@pytest.mark.parametrize("name", ["ntu-rgb+d", "mediapipe-33"])
def test_a_single_person_shows_the_front_and_then_the_side(name: str, turn: float) -> None:
    body = layout(name)
    points = standing(body) - np.array([0.0, 0.0, 1.0])
    turned = turned_by(points, turn)
    left, right = joints(body, "left shoulder")[0], joints(body, "right shoulder")[0]
    width = np.linalg.norm(points[:, left, :2] - points[:, right, :2], axis=-1)
    front, side = project(turned, body), project(turned, body, view="side")
    np.testing.assert_allclose(front[:, left, 0] - front[:, right, 0], width, rtol=1e-3)
    np.testing.assert_allclose(side[:, left, 0] - side[:, right, 0], 0, atol=0.05)


@pytest.mark.parametrize("turn", np.linspace(0, np.pi, 6))
@pytest.mark.parametrize("facing", ["each other", "the viewer", "away from each other"])
@pytest.mark.parametrize("name", ["ntu-rgb+d", "mediapipe-33"])
def test_two_people_do_not_overlap(name: str, facing: str, turn: float) -> None:
    body = layout(name)
    someone = standing(body)
    someone = someone - someone.mean(axis=(0, 1))
    angle = {"each other": np.pi / 2, "the viewer": 0.0, "away from each other": -np.pi / 2}[facing]
    first, second = turned_by(someone, angle), turned_by(someone, -angle)
    pair = np.stack([first - np.array([0.45, 0, 0]), second + np.array([0.45, 0, 0])])
    pair[1, 0] = 0  # not tracked yet
    flat = project(turned_by(pair, turn), body)
    assert np.isnan(flat[1, 0]).all()
    spans = [(flat[m, 1:, :, 0].min(), flat[m, 1:, :, 0].max()) for m in (0, 1)]
    (_, end), (begin, _) = sorted(spans)
    assert end < begin
    # The player's viewer stands likewise, but for the angle from which a body looks round.
    space = space_of(turned_by(pair, turn).astype(np.float32), body)
    azimuth = np.deg2rad(camera_of(space, body)["azimuth"] - 22)
    across = np.array([-np.sin(azimuth), np.cos(azimuth)])
    centres = np.nanmean(space[..., :2], axis=(1, 2)) @ across
    assert abs(centres[0] - centres[1]) == pytest.approx(0.9, abs=0.05)


def turned_by(points: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Turned about z; people who are absent stay so."""
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def test_people_at_one_place_are_seen_from_the_front() -> None:
    body = layout("ntu-rgb+d")
    alone = standing(body)
    flat = project(np.stack([alone, alone + 0.01]), body)
    np.testing.assert_allclose(flat[0], project(alone, body), atol=1e-9)


def test_people_share_one_view() -> None:
    """The second one lies: alone, it would be drawn along another axis."""
    body = layout("ntu-rgb+d")
    alone = standing(body)
    lying = alone[..., [2, 1, 0]] * 0.5
    flat = project(np.stack([alone, lying]), body)
    assert np.ptp(flat[1, ..., 1]) < 0.4 * np.ptp(flat[0, ..., 1])


def test_joints_that_were_not_found_are_left_out_but_not_the_centred_one() -> None:
    body = layout("mediapipe-33")
    data = SequenceSet([standing(body)], layout=body)
    lost = data.coords[0].copy()
    lost[1, 5] = 0
    flat = project(transforms.normalize(data.with_coords([lost])).coords[0], body)
    expected = np.zeros((4, 33), dtype=bool)
    expected[1, 5] = True
    np.testing.assert_array_equal(np.isnan(flat[..., 0]), expected)  # the nose, at the origin in frame 0, is there


def test_the_demo_keeps_its_left_and_right() -> None:
    data = demo_sequences(subjects=2, repeats=1)
    left, right = np.array(data.layout.mirror).T
    for prepared in (data, transforms.normalize(data)):
        flat = project(prepared.people(0), prepared.layout)[0]
        assert (flat[0, left, 0] - flat[0, right, 0]).mean() > 0


# -- relevance strips -------------------------------------------------------------------------------


def maps(people: int, frames: int = 4) -> dict[str, RelevanceMap]:
    values = np.ones((people, frames, 25), dtype=np.float32) * np.arange(1, people + 1, dtype=np.float32)[:, None, None]
    return {"net.1": RelevanceMap(values, values, "net.1", 1, "layer 1", 0)}


def drawn_bodies(figure: object) -> int:
    return sum(len(collection.get_offsets()) == 25 for collection in figure.axes[0].collections) // 2  # type: ignore[attr-defined]


def test_a_strip_shows_every_person_or_says_which() -> None:
    body = layout("ntu-rgb+d")
    alone = standing(body)
    pair = np.stack([alone, alone + np.array([1.0, 0, 0])])
    both = figures.skeleton_strip(pair, body, maps(2))
    assert drawn_bodies(both) == 2
    assert "person" not in both.get_suptitle()
    first = figures.skeleton_strip(pair[0], body, maps(2), title="hug")
    assert drawn_bodies(first) == 1
    assert first.get_suptitle().endswith("; person 1 of 2)")
    assert figures.skeleton_strip(pair, body, maps(3)).get_suptitle().endswith("; people 1 to 2 of 3)")
    with pytest.raises(SequenceError, match="maps are of 1 people, the sequence is of 2"):
        figures.skeleton_strip(pair, body, maps(1))


def test_heat_maps_say_whose_they_are() -> None:
    body = layout("ntu-rgb+d")
    assert "person" not in figures.joint_time_maps(maps(1), body).get_suptitle()
    assert figures.joint_time_maps(maps(2), body, person=1).get_suptitle().endswith("; person 2 of 2)")
    with pytest.raises(SequenceError, match="no person 2"):
        figures.joint_time_maps(maps(2), body, person=2)


def test_frames_of_two_people_stand_apart() -> None:
    body = layout("ntu-rgb+d")
    alone = standing(body)
    pair = np.stack([alone, alone + np.array([0.9, 0, 0])]) + 0.2 * np.arange(4)[:, None, None]
    ax = Figure().subplots()
    chronophoto(ax, pair, body, count=3)
    places = [np.asarray(c.get_offsets())[:, 0] for c in ax.collections if len(np.asarray(c.get_offsets())) == 25]
    frames = [np.concatenate(places[k : k + 2]) for k in (0, 2, 4)]
    assert frames[0].max() < frames[1].min()
    assert frames[1].max() < frames[2].min()
    low, high = ax.get_xlim()
    assert low <= min(map(np.min, frames))
    assert high >= max(map(np.max, frames))
