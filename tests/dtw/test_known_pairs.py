"""KnownPairs against a dictionary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.errors import SequenceError

BATCHES = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.floats(0, 1e6, width=32)), max_size=12), max_size=4
)


def remembered(batches):
    """What is known after all batches: the last value of each pair, and the pairs themselves."""
    pairs, known = KnownPairs(7), {}
    for batch in batches:
        i, j, values = (np.array([entry[place] for entry in batch]) for place in range(3))
        pairs.add(i.astype(int), j.astype(int), values)
        known |= {(min(a, b), max(a, b)): value for a, b, value in batch if a != b}
    return pairs, known


@given(BATCHES)
def test_it_remembers_what_a_dictionary_does(batches):
    pairs, known = remembered(batches)
    assert len(pairs) == len(known)
    assert [tuple(pair) for pair in pairs.pairs.tolist()] == sorted(known)
    assert pairs.keys.dtype == np.int64
    assert pairs.values.dtype == np.float32
    for i in range(7):
        for j in range(7):
            expected = 0.0 if i == j else known.get((min(i, j), max(i, j)), math.nan)
            np.testing.assert_equal(float(pairs.get(i, j)), expected)
            assert bool(pairs.knows(i, j)) == (not math.isnan(expected))
    everything = pairs.get(np.arange(7)[:, None], np.arange(7))
    assert everything.dtype == np.float32
    np.testing.assert_equal(everything, everything.T)


@given(BATCHES)
def test_rows_hold_both_directions_and_explicit_zeros(batches):
    pairs, known = remembered(batches)
    rows = pairs.rows()
    assert rows.shape == (7, 7)
    assert rows.dtype == np.float32
    assert rows.nnz == 2 * len(known)
    assert rows.has_sorted_indices
    stored = {(i, int(j)): rows.data[at] for i in range(7) for at, j in _row(rows, i)}
    assert stored == {**known, **{(j, i): value for (i, j), value in known.items()}}


def _row(rows, i):
    return [(at, rows.indices[at]) for at in range(rows.indptr[i], rows.indptr[i + 1])]


@given(BATCHES)
def test_saved_keys_and_values_are_all_there_is_to_it(batches):
    pairs, _ = remembered(batches)
    again = KnownPairs(7, pairs.keys.copy(), pairs.values.copy())
    again.add([0], [1], [5.0])
    pairs.add([1], [0], [5.0])
    np.testing.assert_array_equal(again.keys, pairs.keys)
    np.testing.assert_array_equal(again.values, pairs.values)


def test_what_was_handed_over_is_not_written_to():
    values = np.ones(1, np.float32)
    pairs = KnownPairs(3, np.array([1]), values)
    pairs.add([0], [1], [2.0])
    assert values[0] == 1
    assert pairs.get(1, 0) == 2


def test_pairs_of_large_sets_do_not_overflow():
    pairs = KnownPairs(3_000_000)
    pairs.add(np.array([2_999_998], np.int32), np.array([2_999_999], np.int32), [1.5])
    assert pairs.get(np.int32(2_999_999), np.int32(2_999_998)) == 1.5


@pytest.mark.parametrize(
    ("keys", "values", "message"),
    [
        ([1, 2], [1.0], "keys have shape \\(2,\\), values \\(1,\\)"),
        ([2, 1], [1.0, 1.0], "ascending"),
        ([1, 1], [1.0, 1.0], "each once"),
        ([3], [1.0], "i < j"),  # (1, 0)
        ([4], [1.0], "i < j"),  # (1, 1)
        ([-1], [1.0], "i < j"),
        ([9], [1.0], "i < j"),
        ([1], [-1.0], "a distance is -1.0"),
        ([1], [np.nan], "a distance is nan"),
    ],
)
def test_damaged_pairs_are_refused(keys, values, message):
    with pytest.raises(SequenceError, match=message):
        KnownPairs(3, np.array(keys), np.array(values, np.float32))


@pytest.mark.parametrize(
    ("i", "j", "values", "message"),
    [
        ([0], [3], [1.0], "no sequence 3"),
        ([-1], [2], [1.0], "no sequence -1"),
        ([0, 1], [2, 2], [1.0], "2 pairs, 1 values"),
        ([0], [1], [np.inf], "a distance is inf"),
    ],
)
def test_impossible_additions(i, j, values, message):
    pairs = KnownPairs(3)
    with pytest.raises(SequenceError, match=message):
        pairs.add(i, j, values)
    assert len(pairs) == 0
