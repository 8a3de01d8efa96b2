"""NearestPairs against all distances at once: which pairs are kept, in whatever tiles they come."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw.nearest_pairs import NearestPairs
from stgcnlib.errors import SequenceError
from stgcnlib.groups import Exclusion


def tiles_of(distances, edges, order):
    """The upper triangle of blocks of `order`, each block between two edges."""
    blocks = np.split(order, edges)
    blocks = [block for block in blocks if len(block)]
    return [(x, y, distances[np.ix_(x, y)]) for i, x in enumerate(blocks) for y in blocks[i:]]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from(["none", "groups", "mask"]), st.integers(0, 5))
def test_the_nearest_are_kept_in_any_tiling_and_order(seed, k, how, spare):
    rng = np.random.default_rng(seed)
    count = 20
    # many ties, and some that float32 could not tell apart
    distances = rng.integers(0, 9, (count, count)) * (1 + 1e-7 * rng.integers(0, 3, (count, count)))
    distances = np.triu(distances, 1) + np.triu(distances, 1).T
    barred = {"none": None, "groups": rng.integers(0, 3, count), "mask": rng.random((count, count)) < 0.4}[how]
    exclusion = Exclusion.of(barred, count)
    known = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stgcnlib.dtw.nearest_pairs.SPARE", spare)
        for _ in range(2):
            nearest = NearestPairs(count, k, exclusion)
            found = tiles_of(distances, np.sort(rng.integers(0, count, 3)), rng.permutation(count))
            for i in rng.permutation(len(found)):
                nearest.add(*found[i])
            known.append(nearest.known())
    np.testing.assert_array_equal(known[0].keys, known[1].keys)
    np.testing.assert_array_equal(known[0].values, known[1].values)
    everyone = np.arange(count)
    admissible = np.where(exclusion.barred(everyone[:, None], everyone), np.inf, distances)
    kth = np.sort(admissible, axis=1)[:, k - 1]
    needed = admissible <= kth[:, None]
    beyond = admissible > kth[:, None] * 1.001 + 1e-12
    kept = np.zeros((count, count), np.bool_)
    kept[tuple(known[0].pairs.T)] = True
    assert not np.tril(kept).any()
    needed |= needed.T
    assert kept[np.triu(needed & np.isfinite(distances), 1)].all()
    assert not kept[np.triu(beyond & beyond.T, 1)].any()
    np.testing.assert_array_equal(known[0].values, distances[tuple(known[0].pairs.T)].astype(np.float32))


def test_nothing_of_all_pairs_is_held(rng):
    count, k, size = 3000, 5, 100
    place = rng.normal(size=(count, 3))
    nearest = NearestPairs(count, k, Exclusion())
    tracemalloc.start()
    for first in range(0, count, size):
        for begin in range(first, count, size):
            x, y = np.arange(first, first + size), np.arange(begin, begin + size)
            nearest.add(x, y, np.linalg.norm(place[x][:, None] - place[y], axis=2))
    assert len(nearest.known()) < 2 * k * count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < count * count * 4


def test_distances_beyond_float32_are_refused():
    nearest = NearestPairs(2, 1, Exclusion())
    nearest.add(np.arange(2), np.arange(2), np.array([[0.0, 1e39], [1e39, 0.0]]))
    with pytest.raises(SequenceError, match="exceed float32"):
        nearest.known()
