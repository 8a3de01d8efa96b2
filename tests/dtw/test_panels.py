"""Panels of pairs: every pair once, near sequences together, none larger than it may be."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dtw import refine


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_panels_hold_each_pair_once_and_rows_that_follow_each_other(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(refine, "COLUMN_FRAMES", 150)
    count, frames = 60, 100
    lengths, order = rng.integers(5, 20, size=count), rng.permutation(count)
    place = np.argsort(order)  # of each sequence in the order
    pairs = np.argwhere(np.triu(rng.random((count, count)) < share, 1))
    panels = refine._panels(pairs, lengths, order, frames)

    np.testing.assert_array_equal(np.sort(np.concatenate([p.where for p in panels])), np.arange(len(pairs)))
    for panel in panels:
        ends = np.stack([panel.rows[panel.pairs[:, 0]], panel.columns[panel.pairs[:, 1]]], axis=1)
        np.testing.assert_array_equal(np.sort(ends, axis=1), pairs[panel.where])
        among = order[place[panel.rows].min() : place[panel.rows].max() + 1]
        assert lengths[among].sum() <= frames + lengths.max()
        assert lengths[panel.columns].sum() <= 150 + lengths.max()
