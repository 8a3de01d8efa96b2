"""Costs of pairs from a list: every pair once, by the side that has more of them, whatever the pieces."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dtw import DTWOptions, listed
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.listed import listed_costs
from stgcnlib.dtw.tiles import exact_costs

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_pieces_hold_each_pair_once_and_rows_that_follow_each_other(rng, monkeypatch, share):
    monkeypatch.setattr(listed, "PAIRS", 50)
    count = 60
    lengths, rank = rng.integers(5, 20, size=count), rng.permutation(count)
    pairs = np.argwhere(np.triu(rng.random((count, count)) < share, 1))
    often = np.bincount(pairs.ravel(), minlength=count)
    pieces = listed._pieces(pairs, lengths, rank, 16)

    np.testing.assert_array_equal(np.sort(np.concatenate([p.where for p in pieces])), np.arange(len(pairs)))
    for piece in pieces:
        ends = np.stack([piece.rows, piece.columns], axis=1)
        np.testing.assert_array_equal(np.sort(ends, axis=1), pairs[piece.where])
        assert (often[piece.rows] >= often[piece.columns]).all()
        assert len(np.unique(rank[piece.rows] // listed.ROWS)) == 1
        assert len(piece.rows) <= 50
    assert not listed._pieces(pairs[:0], lengths, rank, 16)


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
