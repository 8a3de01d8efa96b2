"""Which of the pairs that are left are computed first: those that are neighbours, if bounds tell truly."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.refine import kth_limits, likely
from stgcnlib.groups import Exclusion

N, K = 30, 4


@pytest.mark.parametrize("groups", [None, np.arange(N) % 5])
def test_neighbours_come_first(rng, groups):
    points = rng.normal(size=(N, 3))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    exclusion = Exclusion.of(groups, N)
    barred = exclusion.barred(np.arange(N)[:, None], np.arange(N))
    pairs = np.argwhere(np.triu(~barred, 1))
    distances = apart[tuple(pairs.T)]
    known = KnownPairs(N)
    seen = rng.random(len(pairs)) < 0.5
    known.add(*pairs[seen].T, distances[seen])
    limits = kth_limits(known, exclusion, K)
    first = likely(pairs, (0.8 * distances).astype(np.float32), limits, known, exclusion, K)
    kth = np.sort(np.where(barred, np.inf, apart), axis=1)[:, K - 1]
    neighbours = distances <= np.maximum(kth[pairs[:, 0]], kth[pairs[:, 1]])
    np.testing.assert_array_equal(first, neighbours & ~seen)


def test_bounds_of_nothing_and_limits_that_are_not_known():
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    least, limits, known = np.zeros(3, np.float32), np.full(3, np.inf), KnownPairs(3)
    known.add([0], [1], [2.0])
    first = likely(pairs, least, limits, known, Exclusion.of(None, 3), 2)
    np.testing.assert_array_equal(first, [False, True, True])
