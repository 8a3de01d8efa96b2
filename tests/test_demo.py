from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from stgcnlib.demo import demo_actions, demo_sequences
from stgcnlib.demo.body import ANGLES, COLUMN, LIMITS, anatomy, joint_positions, within_limits
from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet

ONE_ARM = ("wave", "raise hand", "point", "phone call")


@pytest.fixture(scope="module")
def exact() -> SequenceSet:
    """The default people and motions, seen without noise."""
    return demo_sequences(noise=0.0)


@pytest.fixture(scope="module")
def noisy() -> SequenceSet:
    return demo_sequences()


def of(data: SequenceSet, action: str) -> NDArray[np.int64]:
    return np.flatnonzero(data.labels == data.class_names.index(action))


def upright(body: NDArray[np.float32]) -> NDArray[np.float64]:
    """Frames turned about z so that the left shoulder of the first lies at +x; spine base at the origin of x and y."""
    x, y = (body[0, 4] - body[0, 8])[:2]
    c, s = np.array([x, y]) / np.hypot(x, y)
    moved = body.astype(np.float64) - body[0, 0] * [1, 1, 0]
    return moved @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def bones(data: SequenceSet, body: NDArray[np.float32]) -> NDArray[np.float64]:
    child, parent = np.array(data.layout.bones).T
    lengths: NDArray[np.float64] = np.linalg.norm(body[:, child].astype(np.float64) - body[:, parent], axis=-1)
    return lengths


def bend(body: NDArray[np.float64], upper: int, middle: int, lower: int) -> NDArray[np.float64]:
    """Angle (T,) in degrees between two successive bones: 0 is straight."""
    a, b = body[:, middle] - body[:, upper], body[:, lower] - body[:, middle]
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(cosine.clip(-1, 1)))


# -- the set ------------------------------------------------------------------------------------


def test_every_subject_does_every_action_in_every_trial(noisy: SequenceSet) -> None:
    found = list(zip(noisy.groups["subject"], noisy.labels, noisy.groups["trial"], strict=True))
    assert sorted(found) == sorted(product(range(1, 9), range(10), range(1, 5)))
    assert noisy.class_names == demo_actions()
    assert noisy.layout.name == "ntu-rgb+d"
    assert noisy.channels == 3


def test_lengths_lie_between_40_and_120_and_do_not_give_the_class_away(noisy: SequenceSet) -> None:
    assert noisy.lengths.min() >= 40
    assert noisy.lengths.max() <= 120
    means = [noisy.lengths[noisy.labels == c].mean() for c in range(10)]
    assert np.ptp(means) < noisy.lengths.std()


def test_the_same_seed_gives_the_same_set_and_another_seed_another() -> None:
    first, again, other = (demo_sequences(subjects=2, repeats=1, seed=s) for s in (5, 5, 6))
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint()


def test_a_choice_of_actions_gives_the_same_recordings_as_the_whole_set(noisy: SequenceSet) -> None:
    some = demo_sequences(actions=["squat", "wave"])
    assert some.class_names == ("squat", "wave")
    whole = np.concatenate([of(noisy, "squat"), of(noisy, "wave")])
    by_name = {noisy.names[i]: noisy.coords[i] for i in whole}
    assert set(some.names) == set(by_name)
    for name, coords in zip(some.names, some.coords, strict=True):
        np.testing.assert_array_equal(coords, by_name[name])


def test_noise_is_as_large_as_asked_and_largest_at_the_hands(exact: SequenceSet, noisy: SequenceSet) -> None:
    error = np.concatenate([a - b for a, b in zip(noisy.coords, exact.coords, strict=True)])
    spread = error.std(axis=(0, 2))
    assert spread[9] == pytest.approx(0.01 * np.hypot(1, 0.67), rel=0.1)
    assert spread[[7, 11, 21, 23]].min() > spread[[0, 1, 20]].max()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("subjects", [1, 2, 3, 8, 13])
def test_a_quarter_of_the_people_are_left_handed_in_either_half(subjects: int, seed: int) -> None:
    data = demo_sequences(subjects=subjects, repeats=1, seed=seed, actions=["wave"])
    left = data.groups["hand"] == "left"
    for half in (0, 1):
        members = data.groups["subject"] % 2 == half
        assert left[members].sum() == round(members.sum() / 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": ["wav"]}, "did you mean 'wave'"),
        ({"actions": ["wave", "kick", "wave"]}, "repeats 'wave'"),
        ({"actions": []}, "actions is empty"),
        ({"actions": "wave"}, r"give a list of names, \['wave'\]"),
        ({"subjects": 0}, "subjects=0"),
        ({"repeats": 1.5}, "repeats=1.5"),
        ({"repeats": True}, "repeats=True"),
        ({"seed": -1}, "seed=-1"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"noise": float("nan")}, "noise=nan"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        demo_sequences(**options)  # type: ignore[arg-type]


# -- the body -----------------------------------------------------------------------------------


def test_bones_keep_their_length_within_and_across_recordings_of_a_person(exact: SequenceSet) -> None:
    means = np.array([bones(exact, body).mean(axis=0) for body in exact.coords])
    for body in exact.coords:
        assert np.ptp(bones(exact, body), axis=0).max() < 1e-5
    for subject in range(1, 9):
        assert np.ptp(means[exact.groups["subject"] == subject], axis=0).max() < 1e-5
    assert len({tuple(row) for row in means.round(4)}) == 8


def test_the_lowest_foot_stands_on_the_floor_except_in_a_jump(exact: SequenceSet) -> None:
    jump = exact.class_names.index("jumping jack")
    for body, label in zip(exact.coords, exact.labels, strict=True):
        lowest = body[:, [15, 19], 2].min(axis=1)
        assert lowest.min() > -1e-6
        if label != jump:
            assert lowest.max() < 0.01
        assert body[..., 2].min() > -1e-6


def test_a_standing_foot_does_not_slide(exact: SequenceSet) -> None:
    for i in np.concatenate([of(exact, name) for name in ("walk in place", "kick", "point")]):
        body = exact.coords[i].astype(np.float64)
        for foot, other in ((15, 19), (19, 15)):
            alone = body[:, other, 2] - body[:, foot, 2] > 0.1
            assert np.linalg.norm(body[alone, foot, :2] - body[0, foot, :2], axis=-1).max(initial=0) < 0.01


def test_the_head_is_on_top_and_the_left_side_is_on_the_left(exact: SequenceSet) -> None:
    for body in exact.coords:
        first = upright(body)[0]
        assert first[3, 2] == first[:, 2].max()
        assert 1.3 < first[3, 2] < 2.0
        assert first[4, 0] > first[8, 0]
        assert first[12, 0] > first[16, 0]
        # Toes lie in front of the ankles: the person looks along -y.
        assert (first[[15, 19], 1] < first[[14, 18], 1]).all()


def test_knees_and_elbows_bend_one_way_only(exact: SequenceSet) -> None:
    for body in exact.coords:
        turned = upright(body)
        # Joints' own axes: the shank must fall behind the thigh's line, judged in the plane of the foot.
        for hip, knee, ankle, toe in ((12, 13, 14, 15), (16, 17, 18, 19)):
            straight = turned[:, knee] + (turned[:, knee] - turned[:, hip])
            back = turned[:, ankle] - straight
            forward = turned[:, toe] - turned[:, ankle]
            bent = bend(turned, hip, knee, ankle) > 12
            assert ((back * forward).sum(-1)[bent] < 0).all()
            assert bend(turned, hip, knee, ankle).max() < 146
        for shoulder, elbow, wrist in ((4, 5, 6), (8, 9, 10)):
            assert bend(turned, shoulder, elbow, wrist).max() < 151


def test_angles_stay_within_limits_whatever_is_asked(rng: np.random.Generator) -> None:
    wild = rng.normal(0, 400, (500, len(ANGLES)))
    kept = within_limits(wild)
    low, high = np.array(list(LIMITS.values())).T
    assert (kept >= low).all()
    assert (kept <= high).all()
    middle = (0.5 * (low + high))[None]
    np.testing.assert_allclose(within_limits(middle), middle, atol=1e-3)


def test_an_elbow_flexes_to_the_front_and_a_knee_to_the_back(rng: np.random.Generator) -> None:
    angles = np.zeros((2, len(ANGLES)))
    for side in ("main", "other"):
        angles[1, COLUMN[f"{side}.elbow"]] = 90
        angles[1, COLUMN[f"{side}.knee"]] = 60
    offsets = np.repeat(anatomy(rng)[None], 2, axis=0)
    still, bent = joint_positions(angles, offsets, np.zeros(2, dtype=bool), np.arange(2))
    for shoulder, elbow, wrist, knee, ankle in ((4, 5, 6, 13, 14), (8, 9, 10, 17, 18)):
        assert still[wrist, 2] < still[elbow, 2] < still[shoulder, 2]
        assert bent[wrist, 1] < bent[elbow, 1] - 0.1
        assert bent[ankle, 1] > bent[knee, 1] + 0.1


def test_movements_are_smooth(exact: SequenceSet) -> None:
    for body in exact.coords:
        acceleration = np.linalg.norm(np.diff(body.astype(np.float64), 2, axis=0), axis=-1) * 30**2
        assert acceleration.max() < 160


# -- the actions --------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ONE_ARM)
def test_one_arm_actions_are_done_with_the_preferred_arm(exact: SequenceSet, action: str) -> None:
    for i in of(exact, action):
        body = upright(exact.coords[i])
        path = {hand: np.ptp(body[:, wrist], axis=0).max() for hand, wrist in (("left", 6), ("right", 10))}
        preferred = str(exact.groups["hand"][i])
        other = "right" if preferred == "left" else "left"
        assert path[preferred] > 2 * path[other], exact.names[i]


def test_kicks_are_done_with_the_preferred_foot(exact: SequenceSet) -> None:
    for i in of(exact, "kick"):
        left, right = np.ptp(upright(exact.coords[i])[:, [15, 19]], axis=0).max(axis=-1)
        assert (left > right) == (exact.groups["hand"][i] == "left")


@pytest.mark.parametrize(
    ("plain", "more"),
    [("squat", "squat with arms forward"), ("walk in place", "walk while phoning"), ("point", "raise hand")],
)
def test_paired_actions_share_their_legs_and_differ_in_the_arms(exact: SequenceSet, plain: str, more: str) -> None:
    def knees_and_hand(action: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        knees, hands = [], []
        for i in of(exact, action):
            body = upright(exact.coords[i])
            knees.append(max(bend(body, 12, 13, 14).max(), bend(body, 16, 17, 18).max()))
            wrist = 6 if exact.groups["hand"][i] == "left" else 10
            hands.append((body[:, wrist, 2] - body[:, 20, 2]).max())
        return np.array(knees), np.array(hands)

    (knees, hand), (knees_more, hand_more) = knees_and_hand(plain), knees_and_hand(more)
    assert abs(knees.mean() - knees_more.mean()) < 0.5 * max(knees.std(), knees_more.std()) + 3
    assert (hand_more[:, None] > hand).mean() > 0.9


def test_a_phone_is_held_at_the_ear(exact: SequenceSet) -> None:
    for i in np.concatenate([of(exact, "phone call"), of(exact, "walk while phoning")]):
        body, hand = exact.coords[i], 7 if exact.groups["hand"][i] == "left" else 11
        nearest = np.linalg.norm(body[:, hand] - body[:, 3], axis=-1).min()
        assert 0.06 < nearest < 0.3


def test_people_who_squat_go_down_and_people_who_point_do_not(exact: SequenceSet) -> None:
    def drop(action: str) -> list[float]:
        return [float(np.ptp(exact.coords[i][:, 0, 2])) for i in of(exact, action)]

    assert min(drop("squat")) > 0.05
    assert max(drop("point")) < 0.02


def test_raw_coordinates_separate_the_classes_imperfectly(noisy: SequenceSet) -> None:
    """The reason to train a network on this: nearest neighbours among other people err, but not wildly."""
    features = []
    for coords in noisy.coords:
        body = upright(coords) - [0, 0, coords[0, 0, 2]]
        at = np.linspace(0, len(body) - 1, 32)
        flat = body.reshape(len(body), -1)
        features.append(np.stack([np.interp(at, np.arange(len(body)), column) for column in flat.T]).ravel())
    x = np.array(features)
    distances = cdist(x, x)
    subject = noisy.groups["subject"]
    distances[subject[:, None] == subject[None]] = np.inf
    accuracy = (noisy.labels[distances.argmin(axis=1)] == noisy.labels).mean()
    assert 0.6 < accuracy < 0.88
