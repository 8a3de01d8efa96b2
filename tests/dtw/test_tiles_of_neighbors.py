"""A search in tiles and tasks: the same bytes wherever and in whatever order they run, and nothing N x N."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from dtw_reference import reference_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import dtw_distances, dtw_neighbors, dtw_options
from stgcnlib.dtw.bounds import Bounds, bound_tile
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.neighbors import search
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.groups import Exclusion, barred_pairs

OPTIONS = [
    {"reading": "frames", "normalize": None},
    {"window": 3},
    {"window": 2, "band": 1, "stride": 2},
    {"reading": "segments", "segments": 2, "metric": "sqeuclidean"},
    {"window": 2, "metric": "cosine", "normalize": None},
]


def walks(rng, lengths, features):
    return [
        (rng.normal(size=features) + rng.normal(size=(t, features)).cumsum(axis=0)).astype(np.float32) for t in lengths
    ]


class BackwardsExecutor:
    """Tasks as another process would get them, last first; results in the order of the items."""

    def map(self, function, shared, items):
        results = [
            function(pickle.loads(pickle.dumps(shared)), pickle.loads(pickle.dumps(item))) for item in items[::-1]
        ]
        return iter(results[::-1])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(OPTIONS), st.integers(1, 3), st.booleans())
def test_bounds_leave_every_pair_within_the_limit_of_an_end(seed, options, dimensions, masked):
    rng = np.random.default_rng(seed)
    sequences = walks(rng, rng.integers(1, 24, 20), 6)
    sequences[3:5] = sequences[7], sequences[7]
    distances = reference_distances(sequences, **options)
    limits = np.quantile(distances, rng.random(20), axis=1).diagonal() * 1.0001 + 1e-12
    exclude = rng.random((20, 20)) < 0.3 if masked else rng.integers(0, 4, 20)
    barred = barred_pairs(exclude, 20)
    wanted = (distances <= limits[:, None]) & ~barred
    wanted |= wanted.T
    chosen = dtw_options(**options)
    projection = Projection.fit(FrameSource.of(frame_table(sequences)), dimensions, centred=chosen.metric != "cosine")
    bounds = Bounds.fit(chosen, projection, limits, Exclusion.of(exclude, 20))
    found = np.zeros((20, 20), np.int64)
    for tile in bounds.tiles():
        pairs, values = bound_tile(bounds, tile)
        found[pairs[:, 0], pairs[:, 1]] += 1
        assert (values <= distances[pairs[:, 0], pairs[:, 1]] * (1 + 1e-6) + 1e-12).all()
    assert found.max() <= 1
    assert not np.tril(found).any()
    assert (found[np.triu(wanted, 1)] == 1).all()
    assert not found[barred & barred.T].any()


@pytest.mark.parametrize("exclude", [None, np.arange(70) % 5], ids=["all", "groups"])
def test_the_same_bytes_whatever_the_tiles_and_wherever_they_run(rng, monkeypatch, exclude):
    sequences = walks(rng, rng.integers(3, 30, 70), 300)
    options = dtw_options(window=3)
    expected, cache = search(sequences, 6, options, exclude=exclude)
    assert expected.statistics["method"] == "projection bounds"

    def agree(**others):
        found, again = search(sequences, 6, options, exclude=exclude, **others)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.distances, expected.distances)
        np.testing.assert_array_equal(again.known.keys, cache.known.keys)
        np.testing.assert_array_equal(again.known.values, cache.known.values)
        return {name: value for name, value in found.statistics.items() if "seconds" not in name}

    same = {name: value for name, value in expected.statistics.items() if "seconds" not in name}
    monkeypatch.setattr("stgcnlib.dtw.frames.threads", lambda: 3)
    assert agree() == same
    agree(executor=BackwardsExecutor())
    monkeypatch.setattr("stgcnlib.dtw.bounds.TILE_SEQUENCES", 16)
    monkeypatch.setattr("stgcnlib.dtw.bounds.COLUMN_FRAMES", 300)
    monkeypatch.setattr("stgcnlib.dtw.listed.PAIRS", 30)
    agree(executor=BackwardsExecutor())
    monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    monkeypatch.setattr("stgcnlib.dtw.source.BLOCK_BYTES", 50_000)
    monkeypatch.setattr("stgcnlib.dtw.set_costs.WIDE_BYTES", 200_000)
    found, _ = search(sequences, 6, options, exclude=exclude, executor=BackwardsExecutor())
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.distances, expected.distances)


@pytest.mark.parametrize("options", [{"normalize": "path", "window": 2}, {"window": 2}], ids=str)
def test_many_sequences_without_bounds(rng, monkeypatch, options):
    sequences = walks(rng, rng.integers(1, 12, 50), 4)
    groups = np.arange(50) % 3
    expected = dtw_neighbors(sequences, 5, exclude=groups, **options)
    monkeypatch.setattr("stgcnlib.dtw.neighbors.ALL_PAIRS", 10)
    monkeypatch.setattr("stgcnlib.dtw.neighbors.TILE_SEQUENCES", 16)
    found = dtw_neighbors(sequences, 5, exclude=groups, **options)
    assert found.statistics["method"] == "brute force"
    assert found.statistics["pairs_computed"] <= 50 * 49 / 2
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=2e-5)


def test_nothing_is_as_large_as_all_pairs():
    rng = np.random.default_rng(0)
    count, features = 4000, 66
    centres = rng.normal(size=(300, features)).astype(np.float32)
    sequences = [centres[i % 300] + rng.normal(size=(2, features)).astype(np.float32) * 0.1 for i in range(count)]
    dtw_neighbors(sequences[:200], 3, window=1)  # compile
    tracemalloc.start()
    try:
        table = dtw_neighbors(sequences, 3, exclude=np.arange(count) % 40, window=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table.statistics["method"] == "projection bounds"
    assert peak < count * count * 4 / 1.5  # one matrix of float32 would be more, and there were several
    some = rng.choice(count, 5, replace=False)
    for i in some:
        distances = dtw_distances([sequences[i]], sequences, window=1)[0]
        distances[np.arange(count) % 40 == i % 40] = np.inf
        np.testing.assert_array_equal(table.indices[i], np.argsort(distances, kind="stable")[:3])
