"""Recordings that are in a set twice: what counts as equal, and which of them a split leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib import SequenceSet
from stgcnlib.duplicates import contents, equal_to_first, repeated_recordings
from stgcnlib.skeleton import graph_layout


def with_coords(data: SequenceSet, **changed: np.ndarray) -> SequenceSet:
    """The same set with the coordinates of some recordings, ``_3=…``, replaced."""
    coords = list(data.coords)
    for key, value in changed.items():
        coords[int(key[1:])] = value
    return data.with_coords(coords)


def test_the_first_of_equal_recordings(small_set: SequenceSet) -> None:
    data = with_coords(small_set, _3=small_set.coords[1].copy(), _6=small_set.coords[1].copy())
    assert equal_to_first(data).tolist() == [0, 1, 2, 1, 4, 5, 1, 7]


def test_empty_ends_and_absent_people_do_not_count(small_set: SequenceSet) -> None:
    own = small_set.coords[0]
    padded = np.concatenate([np.zeros((2, 20, 3), np.float32), own, np.zeros((5, 20, 3), np.float32)])
    data = with_coords(small_set, _1=padded, _2=np.stack([own, np.zeros_like(own)]), _3=own[None])
    assert equal_to_first(data)[:4].tolist() == [0, 0, 0, 0]
    gap = own.copy()
    gap[3] = 0  # within the recording, a missing frame is a difference
    assert equal_to_first(with_coords(small_set, _1=gap))[1] == 1


@pytest.mark.parametrize("change", ["last digit", "one frame less", "order of joints", "sign of zero"])
def test_what_is_different(small_set: SequenceSet, change: str) -> None:
    own = small_set.coords[0].copy()
    own[2, 5] = 0.0
    other = own.copy()
    match change:
        case "last digit":
            other[4, 7, 1] = np.nextafter(other[4, 7, 1], np.float32(9))
        case "one frame less":
            other = other[:-1]
        case "order of joints":
            other = other[:, ::-1]
        case "sign of zero":
            other[2, 5] = -0.0
    found = equal_to_first(with_coords(small_set, _0=own, _1=other))
    assert (found[1] == 0) == (change == "sign of zero")


def test_of_signals_zeros_are_values() -> None:
    layout = graph_layout("sensors", [(0, 1), (1, 2)])
    signal = np.arange(1.0, 13.0).reshape(4, 3, 1)
    longer = np.concatenate([signal, np.zeros((2, 3, 1))])
    data = SequenceSet([signal, longer, signal], layout=layout)
    assert equal_to_first(data).tolist() == [0, 1, 0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), st.integers(1, 11))
def test_what_is_left_out_is_what_a_slow_search_finds(content: list[int], border: int) -> None:
    """Whatever the order: a test recording that a training recording equals, or any but the first of a part."""
    border = min(border, len(content) - 1)
    rng = np.random.default_rng(0)
    kinds = [rng.normal(size=(5 + i, 20, 3)) for i in range(5)]
    data = SequenceSet([kinds[c] for c in content], layout="kinect-v1", names=[f"r{i}" for i in range(len(content))])
    train, test = data.select(np.arange(border)), data.select(np.arange(border, len(content)))
    expected = [
        (f"r{i}", "train" if i < border else "test", f"r{content.index(c)}")
        for i, c in enumerate(content)
        if c in content[:i]
    ]
    found = repeated_recordings(train, test)
    assert list(zip(found["name"], found["part"], found["equals"], strict=True)) == expected
    for row in found.itertuples():
        assert (train if row.part == "train" else test).names[row.index] == row.name
    kept = [i for i in range(len(content)) if f"r{i}" not in set(found["name"])]
    assert len(set(contents(data.select(kept)))) == len(kept) == len(set(content))


def test_nothing_repeated_is_an_empty_table(small_set: SequenceSet) -> None:
    found = repeated_recordings(*small_set.split("subject", [1, 2]))
    assert len(found) == 0
    assert list(found) == ["index", "name", "part", "class_name", "equals", "equals_part", "equals_class"]
