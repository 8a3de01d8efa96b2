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
