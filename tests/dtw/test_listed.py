"""Costs of pairs from a list: every pair once, by the side that has more of them, whatever the pieces."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dtw import DTWOptions, frames, listed
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.kernels import LANES
from stgcnlib.dtw.listed import listed_costs
from stgcnlib.dtw.tiles import exact_costs

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_pieces_hold_each_pair_once_and_rows_that_follow_each_other(rng, share):
    count = 60
    lengths, rank = rng.integers(5, 20, size=count), rng.permutation(count)
    pairs = np.argwhere(np.triu(rng.random((count, count)) < share, 1))
    often = np.bincount(pairs.ravel(), minlength=count)
    pieces = listed._pieces(pairs, lengths, rank, 16, 50)

    np.testing.assert_array_equal(np.sort(np.concatenate([p.where for p in pieces])), np.arange(len(pairs)))
    for piece in pieces:
        ends = np.stack([piece.rows, piece.columns], axis=1)
        np.testing.assert_array_equal(np.sort(ends, axis=1), pairs[piece.where])
        assert (often[piece.rows] >= often[piece.columns]).all()
        assert len(np.unique(rank[piece.rows] // listed.ROWS)) == 1
        assert len(piece.rows) <= 50
    assert not listed._pieces(pairs[:0], lengths, rank, 16, 50)


@pytest.mark.parametrize("options", [{"window": 3}, {"reading": "segments", "segments": 2}], ids=str)
def test_a_cost_does_not_depend_on_the_other_pairs(rng, way, options):
    """By corridors to the last bit: products of short frames only say where to look."""
    sequences = [rng.normal(size=(t, 9)).cumsum(axis=0).astype(np.float32) for t in rng.integers(1, 20, 25)]
    costs = exact_costs(DTWOptions(**options), frame_table(sequences))
    pairs = np.argwhere(np.triu(np.ones((25, 25), np.bool_), 1))
    together = listed_costs(costs, pairs)
    alone = np.concatenate([listed_costs(costs, pair[None]) for pair in pairs])
    turned = listed_costs(costs, pairs[::-1, ::-1], order=rng.permutation(25))[::-1]
    for found in (alone, turned):
        if way == "corridors":
            np.testing.assert_array_equal(found, together)
        np.testing.assert_allclose(found, together, rtol=2e-5)


@pytest.mark.parametrize("options", [{"window": 3}, {"reading": "segments", "segments": 3}], ids=str)
def test_limits_of_parts_are_of_their_mean(rng, options):
    sequences = [rng.normal(size=(t, 9)).cumsum(axis=0) for t in rng.integers(3, 20, 25)]
    costs = exact_costs(DTWOptions(**options), frame_table(sequences))
    pairs = np.argwhere(np.triu(np.ones((25, 25), np.bool_), 1))
    exact = listed_costs(costs, pairs)
    limits = np.quantile(exact, rng.random(len(exact)))
    found = listed_costs(costs, pairs, limits)
    near = np.isfinite(found)
    assert near[exact <= limits].all()
    np.testing.assert_allclose(found[near], exact[near], rtol=2e-5)


def test_pieces_of_long_sequences_have_few_pairs(rng, way, monkeypatch):
    """Products of whole frames grow with the square of the lengths; a piece holds no more than it may."""
    sequences = [rng.normal(size=(t, 9)).cumsum(axis=0).astype(np.float32) for t in rng.integers(30, 60, 40)]
    costs = exact_costs(DTWOptions(window=2), frame_table(sequences))
    pairs = np.argwhere(np.triu(np.ones((40, 40), np.bool_), 1))
    expected, sizes, work = listed_costs(costs, pairs), [], listed._piece_costs

    def seen(costs, rows, columns, limits):
        sizes.append(len(rows))
        return work(costs, rows, columns, limits)

    monkeypatch.setattr(listed, "_piece_costs", seen)
    monkeypatch.setattr(listed, "PIECE_BYTES", 2)
    np.testing.assert_allclose(listed_costs(costs, pairs), expected, rtol=2e-5)
    assert sum(sizes) == len(pairs)
    assert (max(sizes) <= LANES) == (way != "corridors")  # corridors form no products of whole frames


def test_threads_share_the_memory_of_products(monkeypatch):
    monkeypatch.setattr(frames, "threads", lambda: 8)
    found = [frames.threads_for(each) for each in (0, 2**20, 2**28, 2**29, 2**30, 2**40)]
    assert found == [8, 8, 4, 2, 1, 1]
