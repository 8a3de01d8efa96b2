"""dtw_distances against slow loops, tslearn, properties, and data made to break the products."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from dtw_reference import reference_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import dtw_distances
from stgcnlib.dtw.kernels import band_limits
from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet

pytestmark = pytest.mark.usefixtures("way")

READINGS = [
    {"reading": "frames"},
    {"reading": "sliding", "window": 4},
    {"reading": "sliding", "window": 3, "stride": 2},
    {"reading": "sliding", "window": 2, "stride": 3},
    {"reading": "segments", "segments": 3},
]


def walks(rng, lengths, features=4, dtype=np.float64):
    return [np.cumsum(rng.normal(size=(t, features)), axis=0).astype(dtype) for t in lengths]


PROMISED = 1e-5  # `dtw_distances` is within this share of float64 arithmetic, on any processor


def assert_close(found, expected, relative=PROMISED):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=relative, atol=1e-12)
    np.testing.assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("options", READINGS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_equals_slow_loops(rng, options, metric):
    a = walks(rng, [1, 2, 7, 13, 10], dtype=np.float32)
    b = walks(rng, [3, 16])
    for band, normalize in itertools.product([None, 0, 2], ["length", "path", None]):
        chosen = {**options, "metric": metric, "band": band, "normalize": normalize}
        assert_close(dtw_distances(a, b, **chosen), reference_distances(a, b, **chosen))


def test_symmetric_case_equals_both_sides_given(rng):
    a = walks(rng, [5, 20, 12, 9, 31], features=7)
    alone = dtw_distances(a)
    assert_close(alone, reference_distances(a))
    np.testing.assert_array_equal(alone, alone.T)
    np.testing.assert_array_equal(np.diag(alone), 0)
    np.testing.assert_allclose(dtw_distances(a, a), alone, rtol=2 * PROMISED, atol=0)


def test_many_blocks_equal_one(rng, monkeypatch):
    a = walks(rng, rng.integers(1, 30, size=40))
    whole, against = dtw_distances(a), dtw_distances(a, a[:17])
    monkeypatch.setattr("stgcnlib.dtw.tiles.ROW_FRAMES", 45)
    monkeypatch.setattr("stgcnlib.dtw.tiles.COLUMN_FRAMES", 110)
    np.testing.assert_allclose(dtw_distances(a), whole, rtol=2 * PROMISED)
    np.testing.assert_allclose(dtw_distances(a, a[:17]), against, rtol=2 * PROMISED)


def adversaries(rng):
    base = walks(rng, [12, 9, 1, 30])
    tiny = 1e-3 * rng.normal(size=(10, 4))
    return {
        "duplicates": [base[0], base[1], base[0].copy(), base[1]],
        "constant in time": [np.full((t, 4), v) for t, v in [(5, 1.0), (9, 1.0), (7, -2.5), (1, 1.0)]],
        "all features equal": [np.repeat(rng.normal(size=(8, 1)), 300, axis=1) for _ in range(4)],
        "zero": [np.zeros((4, 4)), np.zeros((6, 4)), base[0]],
        "one frame": [rng.normal(size=(1, 4)) for _ in range(4)],
        "unequal lengths": [*walks(rng, [90, 2]), base[2]],
        "huge offset, small differences": [1e6 + tiny, 1e6 + tiny[::-1], 1e6 + 1e-3 * rng.normal(size=(7, 4))],
        "huge offset, float32": [(1e6 + rng.normal(size=(8, 4))).astype(np.float32) for _ in range(4)],
        "two far clusters": [c + 1e-3 * rng.normal(size=(8, 4)) for c in (1e6, 1e6, -1e6, -1e6)],
        "near duplicates": [base[0], base[0] + 1e-7, base[0] * (1 + 1e-9), base[0] + 1e-4 * rng.normal(size=(12, 4))],
        "tiny": [1e-15 * x for x in base],
        "large": [1e15 * x for x in base],
        "many features": walks(rng, [6, 8, 7], features=1500, dtype=np.float32),
        "one huge feature that is constant": [
            np.column_stack([np.full(len(x), 2.0**80), x]).astype(np.float32) for x in base
        ],
    }


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("name", list(adversaries(np.random.default_rng(0))))
def test_adversarial_sets(rng, name, metric):
    a = adversaries(rng)[name]
    for reading in ({"reading": "frames"}, {"window": 4}, {"reading": "segments"}):
        expected = reference_distances(a, metric=metric, **reading)
        found = dtw_distances(a, metric=metric, **reading)
        smallest = {"cosine": 1e-15}.get(metric, 0.0)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=smallest)
        if metric != "cosine":
            off = ~np.eye(len(a), dtype=bool)
            np.testing.assert_array_equal((found == 0)[off], (expected.astype(np.float32) == 0)[off])


def test_frames_equal_tslearn(rng):
    from tslearn.metrics import dtw

    a = walks(rng, [11, 17, 6])
    # tslearn accumulates squared Euclidean costs and takes the root of the sum
    found = np.sqrt(dtw_distances(a, reading="frames", metric="sqeuclidean", normalize=None))
    np.testing.assert_allclose(found, [[dtw(x, y) for y in a] for x in a], rtol=1e-5)


lengths = st.integers(1, 14)


@st.composite
def pair_and_options(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, y = walks(rng, [draw(lengths), draw(lengths)], features=3)
    options = {
        "reading": draw(st.sampled_from(["frames", "sliding", "segments"])),
        "window": draw(st.integers(1, 6)),
        "stride": draw(st.integers(1, 3)),
        "segments": draw(st.integers(1, 4)),
        "metric": draw(st.sampled_from(["euclidean", "sqeuclidean", "cosine"])),
        "normalize": draw(st.sampled_from(["length", None])),
        "band": draw(st.none() | st.integers(0, 8)),
    }
    return x, y, options


@settings(deadline=None, max_examples=60)
@given(pair_and_options())
def test_symmetric_non_negative_zero_on_self(case):
    x, y, options = case
    there, back = dtw_distances([x], [y], **options), dtw_distances([y], [x], **options)
    np.testing.assert_allclose(there, back.T, rtol=1e-5)
    assert there >= 0
    assert dtw_distances([x], [x], **options) == 0


@settings(deadline=None, max_examples=40)
@given(pair_and_options())
def test_widening_a_band_never_raises_the_cost(case):
    x, y, options = case
    costs = [float(dtw_distances([x], [y], **{**options, "band": band})[0, 0]) for band in (0, 1, 2, 5, 14, None)]
    assert all(np.isfinite(costs))
    assert all(wide <= narrow * (1 + 1e-5) for narrow, wide in itertools.pairwise(costs))
    assert costs[-2] == costs[-1]


@settings(deadline=None, max_examples=40)
@given(pair_and_options(), st.floats(-50, 50))
def test_equivalences(case, shift):
    x, y, options = case
    frames = {**options, "reading": "frames"}
    plain = dtw_distances([x], [y], **frames)
    np.testing.assert_allclose(
        dtw_distances([x], [y], **{**frames, "reading": "sliding", "window": 1, "stride": 1}), plain
    )
    np.testing.assert_allclose(dtw_distances([x], [y], **{**frames, "reading": "segments", "segments": 1}), plain)
    np.testing.assert_allclose(dtw_distances([x[::-1]], [y[::-1]], **frames), plain, rtol=1e-5)
    if options["metric"] != "cosine":
        moved = dtw_distances([x + shift], [y + shift], **options)
        np.testing.assert_allclose(moved, dtw_distances([x], [y], **options), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 6), (6, 1), (5, 5), (4, 11), (13, 3)])
def test_band_is_symmetric_nested_and_connected(n, m):
    def cells(n, m, band):
        low, high = np.empty(n, np.int64), np.empty(n, np.int64)
        band_limits(n, m, band, low, high)
        return {(a, b) for a in range(n) for b in range(low[a], high[a])}

    every = set(itertools.product(range(n), range(m)))
    assert cells(n, m, -1) == cells(n, m, min(n, m)) == every
    for band in range(4):
        inside = cells(n, m, band)
        assert inside == {(a, b) for b, a in cells(m, n, band)}
        assert {(0, 0), (n - 1, m - 1)} <= inside <= cells(n, m, band + 1)
    assert n != m or cells(n, m, 0) == {(a, a) for a in range(n)}


def test_accepts_sets_layers_and_joints(rng, small_set: SequenceSet):
    flat = [small_set.sequence(i) for i in range(len(small_set))]
    expected = dtw_distances(flat, window=5)
    np.testing.assert_array_equal(dtw_distances(small_set, window=5), expected)
    np.testing.assert_array_equal(dtw_distances(small_set.coords, window=5), expected)
    ends = np.concatenate([[0], np.cumsum([len(x) for x in flat])])
    layer = SimpleNamespace(features=np.concatenate(flat), offsets=ends, temporal_stride=2, __len__=lambda: len(flat))
    np.testing.assert_array_equal(
        dtw_distances(layer, window=9, band=3), dtw_distances(flat, window=5, band=2)
    )  # both halved, rounded up
    with pytest.raises(SequenceError, match="one of 2 input frames, b one of 1"):
        dtw_distances(layer, flat)


@pytest.mark.parametrize(
    ("a", "options", "message"),
    [
        ([], {}, "holds no sequence"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], {}, r"a\[1\] has shape \(0, 2\)"),
        ([np.zeros((3, 2)), np.zeros((3, 4))], {}, r"a\[1\] has 4 features per frame, a\[0\] has 2"),
        ([np.zeros((3, 2)), np.array([[0, 1], [np.nan, 0]])], {}, r"a\[1\] has a NaN or infinite value at frame 1"),
        ([np.zeros(3)], {}, r"expected \(T, D\) or \(T, V, C\)"),
        (np.zeros((3, 2)), {}, "expected a list of"),
        ([np.array([["a"]])], {}, "expected numbers"),
        (3, {}, "a is a int"),
        ([np.zeros((3, 2))], {"reading": "slidding"}, "did you mean 'sliding'"),
        ([np.zeros((3, 2))], {"metric": "euclid"}, "did you mean 'euclidean'"),
        ([np.zeros((3, 2))], {"normalize": "lenght"}, "did you mean 'length'"),
        ([np.zeros((3, 2))], {"window": 0}, "window=0; expected a whole number of at least 1"),
        ([np.zeros((3, 2))], {"stride": 1.5}, "stride=1.5"),
        ([np.zeros((3, 2))], {"segments": True}, "segments=True"),
        ([np.zeros((3, 2))], {"band": -1}, "band=-1; expected a whole number of at least 0"),
    ],
)
def test_bad_input_says_what_is_wrong(a, options, message):
    with pytest.raises(SequenceError, match=message):
        dtw_distances(a, **options)


def test_costs_beyond_float32_are_refused(rng):
    with pytest.raises(SequenceError, match="exceed float32"):
        dtw_distances([1e25 * x for x in walks(rng, [4, 5])], metric="sqeuclidean")


def test_two_sets_need_the_same_features():
    with pytest.raises(SequenceError, match="a has 2 features per frame, b has 3"):
        dtw_distances([np.zeros((3, 2))], [np.zeros((3, 3))])


def test_kernels_as_plain_python_stay_in_bounds(way):
    """Compiled kernels hide reads out of bounds; numpy does not."""
    script = f"""
import numpy as np
from stgcnlib.dtw import dtw_distances, dtw_neighbors, dtw_path, tile_costs, tiles
tile_costs.LEAST_FEATURES = {1 if way == "corridors" else 10**9}
tiles.corridor_dimensions = lambda table: 1
from dtw_reference import reference_distances
rng = np.random.default_rng(3)
a = [rng.normal(size=(t, 2)) for t in (1, 3, 8)] + [np.ones((4, 2))]
for reading in ("frames", "sliding", "segments"):
    for metric in ("euclidean", "sqeuclidean", "cosine"):
        for band, normalize in ((None, "path"), (1, "length"), (None, None)):
            o = dict(reading=reading, window=3, stride=2, metric=metric, band=band, normalize=normalize, segments=2)
            expected = reference_distances(a, **o)
            np.testing.assert_allclose(dtw_distances(a, **o), expected, rtol=1e-5, atol=1e-12)
            assert abs(dtw_path(a[1], a[2], **o)[1] - expected[1, 2]) < 1e-9
            found = dtw_neighbors(a, 3, dimensions=1, **o).distances
            np.testing.assert_allclose(found, np.sort(expected, axis=1)[:, 1:], rtol=1e-5, atol=1e-12)
"""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1])])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
