"""Exact costs along cheapest paths: whatever the bounds, the cheapest of all; and few frames compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import along
from stgcnlib.dtw.kernels import LANES


def accumulated(costs):
    """The recursion in loops."""
    total = np.full((costs.shape[0] + 1, costs.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for a in range(costs.shape[0]):
        for b in range(costs.shape[1]):
            total[a + 1, b + 1] = costs[a, b] + min(total[a, b], total[a, b + 1], total[a + 1, b])
    return total[-1, -1]


def searched(x, y, lower, most=np.inf):
    """Cost, and the cells whose frames were compared."""
    n, m = lower.shape
    known, stamps, squares = np.zeros((n, m), np.int64), np.zeros((n, m), np.int64), np.empty((n, m))
    low, high = np.zeros(n, np.int64), np.full(n, m, np.int64)
    path, sums = np.empty((n + m, 2), np.int64), np.empty((n, m + 1))
    found = along.least_cost(
        x, y, low, high, m, 1, 1, 0, most, 1, squares, stamps, lower.copy(), known, sums, path
    )  # fmt: skip
    np.testing.assert_array_equal(known, stamps)
    return found, known == 1


def walks(rng, *lengths, features=7):
    return [rng.normal(size=(t, features)).cumsum(axis=0) for t in lengths]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 14), st.integers(1, 14), st.floats(0, 1))
def test_the_cheapest_path_by_any_lower_bounds(seed, n, m, tightness):
    rng = np.random.default_rng(seed)
    x, y = walks(rng, n, m)
    costs = np.linalg.norm(x[:, None] - y, axis=2)
    lower = costs * rng.uniform(tightness, 1, costs.shape) * (1 - 1e-12)
    expected = accumulated(costs)
    found, _ = searched(x, y, lower)
    assert found == pytest.approx(expected, rel=1e-12)
    assert searched(x, y, lower, most=expected * (1 + 1e-9))[0] == found
    assert searched(x, y, lower, most=expected * (1 - 1e-9) - 1e-9)[0] == np.inf


def test_few_frames_are_compared(rng):
    """Near the cheapest path alone, and hardly any of a pair that is soon beyond what it may cost."""
    x, y = walks(rng, 60, 60, features=300)
    costs = np.linalg.norm(x[:, None] - y, axis=2)
    total, compared = searched(x, y, 0.95 * costs)
    assert compared.mean() < 0.2
    beyond, compared = searched(x, y, 0.95 * costs, most=0.9 * total)
    assert beyond == np.inf
    assert not compared.any()


def test_cells_outside_the_corridor_are_no_way(rng):
    x, y = walks(rng, 5, 5)
    costs = np.linalg.norm(x[:, None] - y, axis=2)
    n, m = costs.shape
    whole = np.zeros((n, m), np.int64)
    low, high = np.arange(5), np.arange(1, 6)  # the diagonal
    given_to = np.empty((n, m)), whole.copy(), 0.5 * costs, whole.copy(), np.full((n, m + 1), np.nan)
    path = np.empty((n + m, 2), np.int64)
    found = along.least_cost(x, y, low, high, m, 1, 1, 0, np.inf, 1, *given_to, path)
    assert found == pytest.approx(np.trace(costs), rel=1e-12)
    assert along.least_cost(x, y, low, high - 1, m, 1, 1, 0, np.inf, 2, *given_to, path) == np.inf


@pytest.mark.parametrize(("frames", "stride"), [(3, 1), (3, 2), (2, 3)])
def test_windows_share_their_frames(rng, frames, stride):
    x, y = walks(rng, 9, 8)
    squares, stamps = np.empty((16, 16)), np.zeros((16, 16), np.int64)
    for a, b in ((0, 0), (1, 1), (2, 1)):
        # frames beyond the last are the last again
        rows = np.minimum(a * stride + np.arange(frames), 8), np.minimum(b * stride + np.arange(frames), 7)
        expected = np.sqrt(((x[rows[0]] - y[rows[1]]) ** 2).sum())
        found = along.true_cost(a, b, x, y, frames, stride, 0, 1, squares, stamps)
        assert found == pytest.approx(expected, rel=1e-12)
    assert stamps.sum() == {(3, 1): 3 + 1 + 3, (3, 2): 3 + 2 + 3, (2, 3): 6}[frames, stride]


def test_first_path_goes_from_corner_to_corner(rng):
    n, m, lane = 6, 9, 3
    reached = np.full((n, m * LANES), np.inf, np.float32)
    cheap = [(0, 0), (0, 1), (1, 2), (2, 3), (3, 3), (4, 4), (4, 5), (5, 6), (5, 7), (5, 8)]
    for a, b in cheap:
        reached[a, b * LANES + lane] = 1
    path = np.empty((n + m, 2), np.int64)
    count = along.first_path(reached, lane, n, m, path)
    np.testing.assert_array_equal(path[:count], cheap)
    count = along.first_path(np.full_like(reached, np.inf), lane, n, m, path)  # none is cheap: it ends all the same
    np.testing.assert_array_equal(path[count - 1], (n - 1, m - 1))


def test_squares_are_summed_in_the_dtype_asked_for(rng):
    x, y = (rng.normal(size=5000).astype(np.float32) for _ in range(2))
    exact = ((x.astype(np.float64) - y) ** 2).sum()
    assert along.frame_square(x, y, np.empty(1)) == pytest.approx(exact, rel=1e-13)
    assert along.frame_square(x, y, x) == pytest.approx(exact, rel=8e-6)
