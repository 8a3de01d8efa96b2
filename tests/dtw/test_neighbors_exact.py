"""Exact neighbours by projection bounds: the answer of brute force, whatever the data and the options."""

from __future__ import annotations

import numpy as np
import pytest
from dtw_bounds import lower_bounds
from dtw_reference import reference_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import DTWOptions, dtw_distances, dtw_neighbors
from stgcnlib.dtw.bounds import CHOICES
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.refine import PairCache
from stgcnlib.dtw.source import frame_source
from stgcnlib.errors import SequenceError

pytestmark = pytest.mark.usefixtures("way")

READINGS = [
    {},
    {"reading": "frames"},
    {"reading": "segments", "segments": 3},
    {"window": 3, "stride": 2, "band": 1},
    {"reading": "frames", "band": 0, "normalize": None},
    {"window": 2, "metric": "sqeuclidean"},
    {"reading": "segments", "metric": "sqeuclidean", "normalize": None},
    {"window": 3, "metric": "cosine"},
    {"reading": "segments", "metric": "cosine", "normalize": None, "band": 2},
]


def series(rng, lengths, features, scale=1.0):
    """Smooth sequences near a plane, as features of a layer are, so that bounds rule something out."""
    plane = rng.normal(size=(3, features))
    return [
        (rng.normal(size=3) * 3 + rng.normal(size=(t, 3)).cumsum(axis=0) * 0.1) @ plane * scale
        + rng.normal(size=(t, features)) * 0.02
        for t in lengths
    ]


def by_float64(sequences, k, barred=None, **options):
    """Neighbours by the slow loops; distances that agree to 1e-10 go by index."""
    distances = reference_distances(sequences, **options)
    np.fill_diagonal(distances, np.inf)
    if barred is not None:
        distances[barred] = np.inf
    return nearest_of(distances, k)


def nearest_of(distances, k):
    indices = []
    for row in distances:
        order = list(np.argsort(row, kind="stable"))
        groups, last = np.zeros(len(row), int), None
        for place, j in enumerate(order):
            groups[j] = place if last is None or row[j] > row[last] * (1 + 1e-10) + 1e-20 else groups[last]
            last = j
        indices.append(sorted(order, key=lambda j: (groups[j], j))[:k])
    indices = np.array(indices)
    return indices, np.take_along_axis(distances, indices, axis=1)


def check(sequences, k, *, exclude=None, barred=None, dimensions=2, **options):
    table = dtw_neighbors(sequences, k, exclude=exclude, dimensions=dimensions, **options)
    indices, distances = by_float64(sequences, k, barred, **options)
    np.testing.assert_array_equal(table.indices, indices)
    np.testing.assert_allclose(table.distances, distances, rtol=1.1e-5, atol=1e-12)
    assert (np.diff(table.distances, axis=1) >= 0).all()
    assert table.statistics["method"] == "projection bounds"
    return table


@pytest.mark.parametrize("options", READINGS, ids=str)
def test_equals_the_slow_loops(rng, options):
    check(series(rng, rng.integers(1, 14, size=14), 6), 4, **options)


@pytest.mark.parametrize("options", READINGS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_never_exceed_the_distance(rng, options, dtype):
    sequences = [x.astype(dtype) for x in series(rng, rng.integers(1, 30, size=25), 40)]
    source = frame_source(sequences)
    chosen = DTWOptions(**options)
    exact = dtw_distances(sequences, **options).astype(np.float64)
    centred = chosen.metric != "cosine"
    tightness = []
    for dimensions in (1, 3, 40):
        lower = lower_bounds(chosen, Projection.fit(source, dimensions, centred=centred))
        assert (lower <= exact * (1 + 1e-7)).all()
        tightness.append(lower.sum() / exact.sum())
    assert tightness == sorted(tightness)
    assert tightness[-1] > 0.999


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(4, 12),
    st.integers(1, 3),
    st.sampled_from(READINGS),
    st.sampled_from([1.0, 1e-6, 1e6]),
    st.booleans(),
)
def test_small_whole_numbers_tie_everywhere(seed, count, features, options, unit, single):
    """Coordinates of -1, 0 and 1: many equal distances, duplicates and zero frames."""
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(-1, 2, size=(t, features)) * unit for t in rng.integers(1, 5, size=count)]
    if single:
        sequences = [x.astype(np.float32).astype(np.float64) for x in sequences]
    table = dtw_neighbors(sequences, 3, dimensions=1, **options)
    distances = reference_distances(sequences, **options)
    np.fill_diagonal(distances, np.inf)
    if options.get("metric") == "cosine":  # parallel vectors: 1e-32 is 0
        distances[distances < 1e-20] = 0
    indices, values = nearest_of(distances, 3)
    np.testing.assert_array_equal(table.indices, indices)
    np.testing.assert_allclose(table.distances, values, rtol=1.1e-5, atol=1e-15)


def test_duplicates_and_constant_sequences(rng):
    kinds = series(rng, (7, 3, 1, 12), 5)
    constant = [np.full((t, 5), 2.5) for t in (1, 4, 9)]
    check([*kinds, *constant, *kinds, *constant, kinds[0], np.zeros((4, 5))], 5, window=3)


def test_all_alike():
    table = check([np.ones((t, 4)) for t in (3, 1, 5, 2, 2)], 3)
    assert not table.distances.any()


def test_one_frame_each(rng):
    check([rng.normal(size=(1, 8)) for _ in range(12)], 3, reading="frames")
    check([rng.normal(size=(1, 8)) for _ in range(12)], 3)


@pytest.mark.parametrize("common", [True, False])
def test_huge_offsets_with_small_differences(rng, common):
    small = [rng.integers(-8, 9, size=(t, 4)) / 64 for t in rng.integers(1, 9, size=12)]
    offsets = [1e6 if common or i % 2 else -1e6 for i in range(len(small))]
    check([x + offset for x, offset in zip(small, offsets, strict=True)], 4, window=3)


def test_very_unequal_lengths(rng):
    check(series(rng, (1, 60, 2, 55, 1, 30, 3, 58, 1), 4), 3, window=4)
    check(series(rng, (1, 60, 2, 55, 1, 30, 3, 58, 1), 4), 3, reading="frames", band=2, normalize=None)


def test_masks_and_groups(rng):
    sequences = series(rng, rng.integers(2, 9, size=12), 5)
    subjects = np.repeat([0, 1, 2, 3], 3)
    check(sequences, 4, exclude=subjects, barred=subjects[:, None] == subjects[None], window=3)
    mask = rng.random((12, 12)) < 0.4  # not symmetric: j may be barred from i alone
    check(sequences, 3, exclude=mask, barred=mask, window=3)


def test_most_pairs_are_ruled_out_and_counted(rng, monkeypatch):
    """Statistics are of what was done: every computed pair is counted once, wherever it was asked for."""
    asked = []
    costs = PairCache._costs

    def watched(self, pairs, limits, *, precise):
        asked.extend([] if precise else map(tuple, pairs.tolist()))
        return costs(self, pairs, limits, precise=precise)

    monkeypatch.setattr(PairCache, "_costs", watched)
    sequences = series(rng, rng.integers(4, 16, size=80), 100)
    found = dtw_neighbors(sequences, 5).statistics
    assert found["pairs"] == 80 * 79 // 2
    assert found["pairs_computed"] == len(asked) == len(set(asked))
    assert 80 * 5 / 2 <= found["pairs_computed"] < 0.4 * found["pairs"]
    assert found["share"] == found["pairs_computed"] / found["pairs"]
    assert found["dimensions"] in CHOICES
    assert found["pairs_left"] < 0.4 * found["pairs"]
    assert 0 < found["seconds_bounds"] < found["seconds"]


def test_where_no_bound_is_known_it_says_so(rng):
    found = dtw_neighbors(series(rng, (3, 4, 5), 70), 1, normalize="path").statistics
    assert found["method"] == "brute force"
    assert "path" in found["reason"]
    assert found["pairs"] == found["pairs_computed"] == 3
    assert found["share"] == 1


def test_layers_of_many_tiles(rng, monkeypatch):
    monkeypatch.setattr("stgcnlib.dtw.bounds.TILE_SEQUENCES", 16)
    monkeypatch.setattr("stgcnlib.dtw.bounds.ROW_FRAMES", 20)
    monkeypatch.setattr("stgcnlib.dtw.bounds.COLUMN_FRAMES", 40)
    monkeypatch.setattr("stgcnlib.dtw.listed.PAIRS", 20)
    sequences = [x.astype(np.float32) for x in series(rng, rng.integers(1, 20, size=60), 90)]
    table = dtw_neighbors(sequences, 6)
    distances = dtw_distances(sequences)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(table.indices, np.argsort(distances, axis=1, kind="stable")[:, :6])
    np.testing.assert_allclose(table.distances, np.sort(distances, axis=1)[:, :6], rtol=2.2e-5)


def test_few_sequences_and_bad_dimensions(rng):
    check(series(rng, (3, 4), 5), 1)
    with pytest.raises(SequenceError, match="dimensions=0"):
        dtw_neighbors(series(rng, (3, 4), 5), 1, dimensions=0)


def test_approximate_reports_its_recall(rng):
    sequences = series(rng, rng.integers(4, 16, size=90), 100)
    subjects = np.arange(90) % 5
    exact = dtw_neighbors(sequences, 6, exclude=subjects)
    table = dtw_neighbors(sequences, 6, exclude=subjects, method="approximate")
    found = table.statistics
    assert found["method"] == "approximate"
    assert found["candidates"] == 24
    assert found["recall_nodes"] == 32
    assert found["pairs_computed"] + found["pairs_for_recall"] <= found["pairs"]
    truth = np.mean(table.distances <= exact.distances[:, -1:] * (1 + 2e-5))
    assert truth > 0.8
    assert abs(found["recall"] - truth) < 0.1
    assert (subjects[table.indices] != subjects[:, None]).all()
    assert (table.distances >= exact.distances * (1 - 2e-5)).all()
    everyone = dtw_neighbors(sequences, 30, method="approximate", normalize="path")
    np.testing.assert_array_equal(everyone.indices, dtw_neighbors(sequences, 30, normalize="path").indices)
    assert everyone.statistics["recall"] == 1
    cosine = dtw_neighbors(sequences, 6, method="approximate", metric="cosine").statistics
    assert 0.5 < cosine["recall"] <= 1


@pytest.mark.parametrize("options", [{"window": 3}, {"window": 2, "metric": "cosine"}], ids=str)
def test_frames_that_are_read_in_blocks_give_the_same_neighbours(rng, monkeypatch, options):
    a = series(rng, rng.integers(3, 20, 30), 40)
    expected = dtw_neighbors(a, 4, dimensions=5, **options)
    monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    monkeypatch.setattr("stgcnlib.dtw.source.BLOCK_BYTES", 20_000)
    for size in ("NARROW_BYTES", "WIDE_BYTES"):
        monkeypatch.setattr(f"stgcnlib.dtw.set_costs.{size}", 30_000)
    found = dtw_neighbors(a, 4, dimensions=5, **options)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=2e-5)
    a[29][1, 3] = np.nan
    with pytest.raises(SequenceError, match=r"a\[29\] has a NaN or infinite value at frame 1"):
        dtw_neighbors(a, 4, **options)
