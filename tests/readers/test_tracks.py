"""People over time: identities, nearness, and how many are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import tracks
from stgcnlib.readers.tracks import Detection, tracked

SOURCE = Path("clip")


def figure(x: float, y: float = 0.5, *, size: float = 0.2) -> NDArray[np.float32]:
    """(5, 3): a cross around a place, with confidence."""
    points = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * size / 2 + [x, y]
    return np.concatenate([points, np.ones((5, 1))], axis=1).astype(np.float32)


def test_nobody() -> None:
    assert tracked([[], []], axes=2, source=SOURCE) is None


def test_one_person_has_no_people_axis() -> None:
    people = tracked([[Detection(figure(1))], []], axes=2, source=SOURCE)
    assert people is not None
    assert people.shape == (2, 5, 3)


@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_well_separated_people_keep_their_places(seed: int, count: int, frames: int) -> None:
    """Whatever the order in which they are listed, and whoever is missing for a while."""
    rng = np.random.default_rng(seed)
    listed, truth = [], []
    for t in range(frames):
        order = rng.permutation(count)
        seen = [k for k in order if t == 0 or rng.random() < 0.8]
        listed.append([Detection(figure(k + 0.01 * t)) for k in seen])
        truth.append(set(seen))
    people = tracked(listed, axes=2, source=SOURCE)
    assert people is not None
    for person in people:
        there = person[person.any(axis=(1, 2))]
        assert len(np.unique(there[:, 0, 0].astype(int))) == 1
    assert people.any(axis=(2, 3)).sum() == sum(len(seen) for seen in truth)


def test_a_newcomer_far_away_gets_an_empty_place() -> None:
    frames = [[Detection(figure(1))], [Detection(figure(9))], [Detection(figure(1)), Detection(figure(9))]]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    assert people.any(axis=(2, 3)).tolist() == [[True, False, True], [False, True, True]]


def test_identities_win_over_nearness() -> None:
    frames = [[Detection(figure(1), "a"), Detection(figure(2), "b")], [Detection(figure(1), "b")]]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    np.testing.assert_allclose(people[:, :, 0, 0], [[2, 1], [1, 0]])


def test_the_surest_are_kept_of_a_crowd() -> None:
    crowd = [Detection(figure(k), score=float(k)) for k in range(tracks.MOST_PEOPLE + 3)]
    with pytest.warns(UserWarning, match="clip: 3 of 13 detections left out, beyond the 10 people"):
        people = tracked([crowd], axes=2, source=SOURCE)
    assert people is not None
    assert sorted(people[:, 0, 0, 0].tolist()) == list(range(3, tracks.MOST_PEOPLE + 3))


def test_missing_joints_and_bad_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    pose = figure(1)
    pose[2, 0] = np.nan
    people = tracked([[Detection(pose)]], axes=2, source=SOURCE)
    assert people is not None
    assert not people[0, 2].any()
    assert people[0, 3].all()
    pose[2, 0] = np.inf
    with pytest.raises(SkeletonFormatError, match="clip: holds an infinite coordinate"):
        tracked([[Detection(pose)]], axes=2, source=SOURCE)
    monkeypatch.setattr(tracks, "MOST_FRAMES", 2)
    with pytest.raises(SkeletonFormatError, match="3 frames are more than 2"):
        tracked([[], [], []], axes=2, source=SOURCE)


def test_people_who_walk_past_each_others_start_keep_their_places() -> None:
    """Nearest is who was nearest a frame ago, not who began nearest."""
    steps = np.arange(10.0)
    frames = [[Detection(figure(t, 0)), Detection(figure(9 - t, 2))][:: 1 if t % 2 else -1] for t in steps]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    places = people[:, :, 0, :2]
    first, second = places if places[0, 0, 1] == 0 else places[::-1]
    np.testing.assert_allclose(first, np.stack([steps, np.zeros(10)], axis=1), atol=1e-6)
    np.testing.assert_allclose(second, np.stack([9 - steps, np.full(10, 2)], axis=1), atol=1e-6)


def test_who_comes_back_gets_the_place_left_last() -> None:
    """Two walk on, and one is not seen for a while: the place waits where this person was seen last."""
    frames = [[Detection(figure(t, 0)), Detection(figure(t, 6))] for t in (0.0, 2.0, 4.0, 6.0)]
    frames += [[Detection(figure(6, 0))], [Detection(figure(6, 1))], [Detection(figure(6, 5.5))]]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    first, second = people if people[0, 0, 0, 1] == 0 else people[::-1]
    assert first.any(axis=(1, 2)).tolist() == [True, True, True, True, True, True, False]
    assert second.any(axis=(1, 2)).tolist() == [True, True, True, True, False, False, True]
    np.testing.assert_allclose(second[6, 0, :2], [6, 5.5], atol=1e-6)


def test_a_frames_detections_are_assigned_together() -> None:
    """The least total distance: who is nearest alone may have to yield."""
    frames = [[Detection(figure(0)), Detection(figure(3))], [Detection(figure(2)), Detection(figure(8))]]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    assert sorted(people[:, :, 0, 0].tolist()) == [[0, 2], [3, 8]]  # not 3 to 2, which would leave 0 to 8


def test_size_decides_between_a_place_held_and_an_empty_one() -> None:
    """A step within one's own size keeps the place; a step beyond it is somebody new."""
    for step, places in ((0.25, [[True, True, True], [False, False, True]]), (0.3, None)):
        frames = [[Detection(figure(1))], [Detection(figure(1 + step))]]
        frames.append([Detection(figure(1 + step)), Detection(figure(5))])
        people = tracked(frames, axes=2, source=SOURCE)
        assert people is not None
        seen = people.any(axis=(2, 3)).tolist()
        assert seen == (places or [[True, False, True], [False, True, True]])


def test_more_identities_than_people_are_joined_by_nearness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker that gives out new numbers whenever it loses somebody."""
    monkeypatch.setattr(tracks, "MOST_PEOPLE", 2)
    frames = [[Detection(figure(1), 2 * t), Detection(figure(5), 2 * t + 1)][:: 1 if t % 2 else -1] for t in range(8)]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    assert sorted(people[:, :, 0, 0].tolist()) == [[1.0] * 8, [5.0] * 8]


def test_most_seen_identities_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [["a", "b"], ["b", "c"], ["c", "b"]]
    frames = [[Detection(figure(ord(name) - ord("a") + 1), name) for name in frame] for frame in names]
    people = tracked(frames, axes=2, source=SOURCE)
    assert people is not None
    np.testing.assert_allclose(people[:, :, 0, 0], [[2, 2, 2], [0, 3, 3], [1, 0, 0]])


def test_confidence_is_no_coordinate() -> None:
    """A joint at no place counts as missing, whatever its confidence; the others tell where somebody is."""
    pose, far = figure(4), figure(4.1)
    pose[0, :2] = 0  # found nowhere, yet with confidence 1
    people = tracked([[Detection(pose)], [Detection(far), Detection(figure(3.2))]], axes=2, source=SOURCE)
    assert people is not None
    (same,) = [person for person in people if person[0].any()]
    np.testing.assert_allclose(same[:, 1, 0], [4.1, 4.2], atol=1e-6)
