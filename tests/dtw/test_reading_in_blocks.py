"""Sequences that are read in blocks, and what a search keeps meanwhile: so many bytes as it says, the same answer."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib.artefacts import Tasks
from stgcnlib.dtw import DTWOptions, LayerDistances, dtw_distances, dtw_neighbors, dtw_path
from stgcnlib.dtw.frames import Spare, row_bytes
from stgcnlib.dtw.lookup import PairLookup
from stgcnlib.dtw.neighbors import search
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.source import frame_source
from stgcnlib.errors import GraphError, SequenceError


def walks(rng: np.random.Generator, lengths: Any, features: int) -> list[np.ndarray]:
    return [rng.normal(size=(t, features)).cumsum(axis=0).astype(np.float32) for t in lengths]


def test_a_block_has_as_many_bytes_as_it_should(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = np.concatenate([np.full(20, 400), np.full(600, 3)])  # the mean says little of either
    monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    monkeypatch.setattr("stgcnlib.dtw.source.BLOCK_BYTES", most := 50_000)
    source = frame_source(sequences := walks(rng, lengths, 8))
    blocks = source.blocks()
    assert [block.start for block in blocks[1:]] == [block.stop for block in blocks[:-1]]
    assert (blocks[0].start, blocks[-1].stop) == (0, len(lengths))
    sizes = [source.block(block).rows.nbytes for block in blocks]
    assert max(sizes) <= most + 400 * row_bytes(8, source.dtype)
    assert len(blocks) <= 2 + sum(sizes) / most
    frames = np.concatenate(sequences).astype(np.float64)
    np.testing.assert_allclose(source.spread.mean, frames.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(source.spread.least, frames.min(axis=0))
    picked = np.sort(rng.choice(len(frames), 200, replace=False))
    np.testing.assert_array_equal(source.frames(picked), frames[picked])


def test_short_sequences_are_counted_as_long_as_their_windows(rng: np.random.Generator) -> None:
    sequences = walks(rng, np.full(300, 2), 4)
    dtw_distances(sequences[:40], window=30, progress=False)
    tracemalloc.start()
    dtw_distances(sequences, window=30, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20  # ten times as much if two frames were counted


def test_spare_memory_is_used_again_by_one_at_a_time() -> None:
    spare = Spare()
    kind = np.dtype(np.float32)
    with spare.rows() as first, spare.rows() as second:
        a, b = first(50, 10, kind), second(50, 10, kind)
        assert not np.shares_memory(a, b)
    with spare.rows() as again:
        c = again(30, 10, kind)
        assert c.shape == (30, a.shape[1])
        assert np.shares_memory(c, a) or np.shares_memory(c, b)
    with spare.rows() as larger:
        assert larger(500, 10, kind).shape == (500, a.shape[1])
    assert pickle.loads(pickle.dumps(spare))._free == []
    spare.clear()
    with spare.rows() as fresh:
        assert not np.shares_memory(fresh(30, 10, kind), a)


def test_a_search_keeps_no_memory_of_its_tables(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgcnlib.dtw.source.RESIDENT_BYTES", 0)
    _, cache = search(walks(rng, np.full(40, 5), 80), 3, DTWOptions(window=2))
    assert cache.costs.spare._free == []


def test_pairs_above_their_limit_are_not_kept_where_each_comes_once(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stgcnlib.dtw.neighbors.ALL_PAIRS", 10)
    table, cache = search(walks(rng, np.full(60, 5), 4), 3, DTWOptions(window=2))
    assert table.statistics["method"] == "brute force"
    assert len(cache._beyond) < 60 * 10 < table.statistics["pairs_computed"]


def test_going_on_with_another_order_loses_no_pair(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine, where rounding gives another order of sequences that are nearly as near."""
    monkeypatch.setattr("stgcnlib.dtw.bounds.TILE_SEQUENCES", 16)
    sequences = walks(rng, np.full(90, 6), 80)
    expected = dtw_neighbors(sequences, 4, window=2)

    class Cut(Tasks):
        def map(self, function: Any, shared: Any, items: Any) -> Any:
            for number, result in enumerate(super().map(function, shared, items)):
                if function.__name__ == "bound_tile" and number == 12:
                    raise KeyboardInterrupt
                yield result

    with pytest.raises(KeyboardInterrupt), Cut(tmp_path) as tasks:
        dtw_neighbors(sequences, 4, window=2, executor=tasks)
    monkeypatch.setattr("stgcnlib.dtw.neighbors.near_order", lambda vectors: rng.permutation(len(vectors)))
    with Tasks(tmp_path) as tasks:
        found = dtw_neighbors(sequences, 4, window=2, executor=tasks)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.distances, expected.distances, rtol=2e-5)


def test_bounds_have_as_many_coordinates_as_is_said(rng: np.random.Generator) -> None:
    table = dtw_neighbors(walks(rng, np.full(6, 4), 80), 2, window=1, dimensions=1000)
    assert table.statistics["dimensions"] == 24  # frames


@pytest.mark.parametrize("dimensions", [2.0, float("nan"), 0, True])
def test_impossible_dimensions(rng: np.random.Generator, dimensions: Any) -> None:
    with pytest.raises(SequenceError, match=r"dimensions=.*; expected a whole number of at least 1"):
        dtw_neighbors(walks(rng, [3, 3, 3], 2), 1, dimensions=dimensions)


@pytest.mark.parametrize("k", [2.5, True, "2"])
def test_impossible_numbers_of_neighbours(rng: np.random.Generator, k: Any) -> None:
    with pytest.raises(GraphError, match=r"k=.*; expected at least one neighbour, and a whole number"):
        dtw_neighbors(walks(rng, [3, 3, 3], 2), k)


def test_a_value_that_changes_is_looked_up_anew() -> None:
    pairs = KnownPairs(3)
    pairs.add([0], [1], [1.0])
    lookup = PairLookup(pairs)
    assert lookup.among(np.array([[0, 1]]))[0, 0, 1] == 1.0
    pairs.add([0], [1], [5.0])
    assert lookup.among(np.array([[0, 1]]))[0, 0, 1] == 5.0


def test_the_mean_of_a_few_of_many() -> None:
    """None of the pairs that are drawn for the whole set lies among them."""
    count = 1000
    i, j = np.triu_indices(count, 1)
    pairs = KnownPairs(count, i * count + j, np.float32(1.0) + (j - i).astype(np.float32))
    everyone = np.arange(1, count)[None, :].repeat(count, axis=0)
    everyone[everyone <= np.arange(count)[:, None]] -= 1
    table = dtw_neighbors(np.arange(count, dtype=float)[:, None, None], 3, window=1)
    known = LayerDistances.of_table(table, pairs).select(np.array([10, 20, 30, 41]))
    expected = [1 + abs(a - b) for a in (10, 20, 30, 41) for b in (10, 20, 30, 41) if a < b]
    assert known.mean() == pytest.approx(np.mean(expected), rel=0.2)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (np.zeros((3, 2)), r"costs have shape \(3, 2\); these sequences have 3 and 4 items"),
        (np.zeros(12), r"costs have shape \(12,\)"),
        (np.full((3, 4), np.nan), "negative, NaN or infinite"),
        (np.full((3, 4), -1.0), "negative, NaN or infinite"),
    ],
)
def test_costs_that_do_not_fit_are_refused(costs: np.ndarray, message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        dtw_path(np.zeros((3, 1)), np.ones((4, 1)), window=1, costs=costs)


def test_costs_beyond_float64_are_refused() -> None:
    with pytest.raises(SequenceError, match="exceed float64; scale the features down"):
        dtw_path(np.full((3, 1), 1e200), np.full((4, 1), -1e200), window=1)
