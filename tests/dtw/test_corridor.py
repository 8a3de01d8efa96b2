"""Corridors: exact whatever their bounds leave out, and honest about limits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from dtw_reference import reference_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import DTWOptions
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.listed import listed_costs
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import LEAST_FEATURES, DenseCosts, ShortCosts
from stgcnlib.dtw.tiles import exact_costs, pair_costs

OPTIONS = [
    {"reading": "frames", "normalize": None},
    {"window": 3},
    {"window": 1, "stride": 2},
    {"window": 4, "stride": 3, "normalize": None},
    {"window": 2, "band": 1},
    {"reading": "frames", "metric": "sqeuclidean", "band": 0},
    {"window": 3, "stride": 2, "metric": "sqeuclidean"},
    {"reading": "segments", "segments": 3},
]


def walks(rng, lengths, features=20, dtype=np.float32):
    """Random walks with an offset each: far enough apart for corridors, near enough for warped paths."""
    return [(rng.normal(size=features) + rng.normal(size=(t, features)).cumsum(axis=0)).astype(dtype) for t in lengths]


def short_costs(sequences, options, dimensions):
    table = frame_table(sequences)
    projection = Projection.fit(FrameSource.of(table), dimensions, centred=True)
    return ShortCosts.fit(DTWOptions(**options), table, projection, exact=True)


def all_costs(costs, count, limits=None):
    pairs = np.argwhere(np.triu(np.ones((count, count), np.bool_), 1))
    return pairs, listed_costs(costs, pairs, limits)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dimensions", [1, 4, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_slow_loops(rng, options, dimensions, dtype):
    sequences = walks(rng, rng.integers(1, 22, size=19), dtype=dtype)
    pairs, found = all_costs(short_costs(sequences, options, dimensions), len(sequences))
    expected = reference_distances(sequences, **options)[tuple(pairs.T)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bounds_by_all_coordinates_are_nearly_the_distances(rng, options):
    """Bounds that are too low leave the costs right, but corridors wide."""
    table = frame_table(walks(rng, rng.integers(1, 15, size=6), 5))
    costs = ShortCosts.fit(
        DTWOptions(**options), table, Projection.fit(FrameSource.of(table), 5, centred=True), exact=False
    )
    pairs, found = all_costs(costs, 6)
    expected = reference_distances(np.split(table.values, table.offsets[1:-1]), **options)[tuple(pairs.T)]
    assert (found <= expected * (1 + 1e-7)).all()
    assert (found >= expected * (1 - 1e-3)).all()


@pytest.mark.parametrize("options", OPTIONS[:-1], ids=str)
def test_what_exceeds_its_limit_may_be_infinite_and_nothing_else(rng, options):
    sequences = walks(rng, rng.integers(1, 25, size=30))
    _, exact = all_costs(short_costs(sequences, options, 2), len(sequences))
    limits = np.quantile(exact, rng.random(len(exact)))
    _, found = all_costs(short_costs(sequences, options, 2), len(sequences), limits)
    infinite = np.isinf(found)
    assert (exact[infinite] > limits[infinite]).all()
    np.testing.assert_allclose(found[~infinite], exact[~infinite], rtol=1e-7)
    assert infinite.sum() > 0.3 * (exact > limits).sum()
    _, at_its_limit = all_costs(short_costs(sequences, options, 2), len(sequences), exact)
    np.testing.assert_allclose(at_its_limit, exact, rtol=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(OPTIONS),
    st.sampled_from([1e-6, 1.0, 1e6]),
    st.sampled_from([0.0, 1.0, 1e6]),
    st.integers(1, 3),
)
def test_any_scale_and_offset(seed, options, scale, offset, dimensions):
    rng = np.random.default_rng(seed)
    sequences = [x * scale + offset * scale for x in walks(rng, rng.integers(1, 12, size=6), 5, np.float64)]
    pairs, found = all_costs(short_costs(sequences, options, dimensions), len(sequences))
    np.testing.assert_allclose(found, reference_distances(sequences, **options)[tuple(pairs.T)], rtol=1e-5)


def test_precise_costs_are_exact_to_eleven_digits(rng):
    sequences = walks(rng, rng.integers(1, 22, size=19))
    costs = short_costs(sequences, OPTIONS[1], 2).precise(np.arange(2, 19))
    pairs = np.array([[2, 9], [3, 18], [11, 12]])
    found = listed_costs(costs, pairs)
    expected = reference_distances([x.astype(np.float64) for x in sequences], **OPTIONS[1])
    np.testing.assert_allclose(found, expected[tuple(pairs.T)], rtol=1e-11)


def test_which_costs_are_chosen(rng):
    def chosen(features, length=4, scale=1.0, **options):
        table = frame_table([x * scale for x in walks(rng, [length, 3], features)])
        return type(exact_costs(DTWOptions(**options), table))

    assert chosen(LEAST_FEATURES) is ShortCosts
    assert chosen(LEAST_FEATURES - 1) is DenseCosts
    assert chosen(LEAST_FEATURES, metric="cosine") is DenseCosts
    assert chosen(LEAST_FEATURES, normalize="path") is DenseCosts
    assert chosen(LEAST_FEATURES, length=600) is DenseCosts
    assert chosen(LEAST_FEATURES, scale=1e15) is DenseCosts
    assert chosen(LEAST_FEATURES, scale=1e-15) is DenseCosts


def test_real_width_equals_whole_frames(rng):
    sequences = walks(rng, rng.integers(3, 40, size=40), 1280)
    table = frame_table(sequences)
    options = DTWOptions(reading="frames")
    whole = np.asarray(reference_distances(sequences[:6], reading="frames"))
    found = pair_costs(options, table, None, progress=False)
    np.testing.assert_allclose(found[:6, :6], whole, rtol=1e-5)
    np.testing.assert_allclose(found, pair_costs(options, table, table, progress=False), rtol=2e-5, atol=1e-5)


def test_bounds_of_long_sequences_take_little_memory():
    """Exact costs of such sequences come from whole frames; their bounds must not keep a row for every frame."""
    script = """
import resource
import numpy as np
from stgcnlib.dtw import DTWOptions
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tiles import pair_costs
from dtw_bounds import lower_bounds
rng = np.random.default_rng(0)
def bounds(lengths):
    table = frame_table([rng.normal(size=(t, 300)).cumsum(axis=0) for t in lengths])
    lower = lower_bounds(DTWOptions(), Projection.fit(FrameSource.of(table), 8, centred=True))
    return lower, table
bounds((20, 30, 40))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lower, table = bounds((2000, 1900, 1950))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
exact = pair_costs(DTWOptions(), table, None, progress=False)
assert (lower <= exact).all() and lower[0, 1] > 0.1 * exact[0, 1]
assert grown < 400 * 1024, grown  # 256 MB of products; all cells, three times over, would be 768 MB more
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
