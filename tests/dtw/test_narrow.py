"""Whether corridors pay is told from the features, and the distances are the same either way."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stgcnlib.dtw import dtw_distances, dtw_options
from stgcnlib.dtw.frames import FrameTable
from stgcnlib.dtw.narrow import FEW, corridors_pay
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import DenseCosts, ShortCosts
from stgcnlib.dtw.tiles import corridor_projection, exact_costs

FEATURES = 512


def sequences(rank: int, count: int = FEW, seed: int = 0) -> list[NDArray[np.float32]]:
    """Smooth courses in a subspace of so many dimensions."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(rank, FEATURES)) / np.sqrt(rank)
    return [
        (rng.normal(size=(int(rng.integers(8, 16)), rank)).cumsum(axis=0) @ basis).astype(np.float32)
        for _ in range(count)
    ]


def table_of(made: list[NDArray[np.float32]]) -> FrameTable:
    return FrameTable(np.concatenate(made), np.concatenate([[0], np.cumsum([len(each) for each in made])]))


@pytest.mark.parametrize(("rank", "count", "expected"), [(4, FEW, True), (FEATURES, FEW, False), (FEATURES, 20, True)])
def test_corridors_pay_where_few_directions_tell_the_distance(rank: int, count: int, expected: bool) -> None:
    table, options = table_of(sequences(rank, count)), dtw_options(None)
    source = FrameSource.of(table)
    projection = corridor_projection(options, source)
    assert projection is not None
    assert corridors_pay(options, source, projection) is expected
    assert isinstance(exact_costs(options, table), ShortCosts if expected else DenseCosts)


@pytest.mark.parametrize("rank", [4, FEATURES])
def test_distances_are_the_same_either_way(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sequences(rank, seed=1)
    chosen = dtw_distances(made, progress=False)
    for pays in (True, False):
        monkeypatch.setattr("stgcnlib.dtw.tiles.corridors_pay", lambda *_, pays=pays: pays)
        np.testing.assert_allclose(dtw_distances(made, progress=False), chosen, rtol=2e-6)


def test_equal_sequences_have_no_bound_to_judge_by() -> None:
    table, options = table_of([np.ones((9, FEATURES), np.float32)] * FEW), dtw_options(None)
    source = FrameSource.of(table)
    projection = corridor_projection(options, source)
    assert projection is None or corridors_pay(options, source, projection)
