"""Where rounding decides: neighbours that float32 cannot tell apart, and bounds of frames that are nearly equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dtw_bounds import lower_bounds
from dtw_reference import reference_distances
from numpy.typing import NDArray

from stgcnlib.dtw import DTWOptions, dtw_neighbors
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import frame_source

pytestmark = pytest.mark.usefixtures("way")

OPTIONS: list[dict[str, Any]] = [
    {"window": 3},
    {"reading": "frames", "normalize": None},
    {"reading": "segments", "segments": 2},
    {"window": 2, "metric": "sqeuclidean"},
    {"window": 3, "normalize": "path"},
    {"window": 2, "metric": "cosine"},
    {"reading": "frames", "metric": "cosine", "normalize": None},
]


def fan(distances: NDArray[np.float64], frames: int, features: int, *, cosine: bool) -> list[NDArray[np.float64]]:
    """Sequence 0, and one at each of these distances from it (angles for cosine), all in the same direction.

    All frames of a sequence are equal, so that its DTW distance to sequence 0 grows strictly with its number.
    """
    rng = np.random.default_rng(7)
    directions, _ = np.linalg.qr(rng.normal(size=(features, 2)))
    start, aside = directions.T
    if cosine:
        points = [np.cos(r) * start + np.sin(r) * aside for r in distances]
        return [np.repeat(point[None], frames, axis=0) for point in [start, *points]]
    return [np.repeat((r * aside)[None], frames, axis=0) for r in [0.0, *distances]]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dimensions", [None, 1, 3])
def test_neighbours_closer_than_float32_are_in_their_true_order(
    options: dict[str, Any], dimensions: int | None
) -> None:
    """Distances 3e-9 apart in relation to 1, in an order that is not that of their numbers."""
    places = np.random.default_rng(3).permutation(12)
    sequences = fan(1 + 3e-9 * places, 4, 8, cosine=options.get("metric") == "cosine")
    for k in (1, 5, 12):
        table = dtw_neighbors(sequences, k, dimensions=dimensions, **options)
        np.testing.assert_array_equal(table.indices[0], np.argsort(places)[:k] + 1)
    assert table.statistics["pairs_settled"] >= 12


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dimensions", [None, 2])
def test_neighbours_that_agree_to_1e_10_go_by_number(options: dict[str, Any], dimensions: int | None) -> None:
    """Three groups 1e-8 apart; within each, distances differ by 1e-13 against the order of numbers."""
    groups = np.array([2, 0, 1, 0, 2, 1, 0, 1, 2])
    within = -1e-13 * np.arange(9)
    sequences = fan(1 + 1e-8 * groups + within, 4, 8, cosine=options.get("metric") == "cosine")
    expected = np.concatenate([np.flatnonzero(groups == g) for g in range(3)]) + 1
    for k in (2, 4, 9):
        found = dtw_neighbors(sequences, k, dimensions=dimensions, **options).indices[0]
        np.testing.assert_array_equal(found, expected[:k])


@pytest.mark.parametrize("dimensions", [None, 1])
def test_a_near_tie_at_the_last_place_is_settled(dimensions: int | None) -> None:
    """The k-th and the one after it differ by 1e-8: who is kept follows the float64 distance."""
    rng = np.random.default_rng(0)
    for nearer in (3, 4):
        distances = np.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0])
        distances[nearer - 1] -= 3e-8
        table = dtw_neighbors(fan(distances, 3, 6, cosine=False), 3, dimensions=dimensions, window=2)
        np.testing.assert_array_equal(table.indices[0], [1, 2, nearer])
    many = [rng.normal(size=(3, 6)) for _ in range(6)]
    assert dtw_neighbors(many, 3, dimensions=dimensions).statistics["pairs_settled"] == 0


@pytest.mark.parametrize("options", [o for o in OPTIONS if o.get("normalize") != "path"], ids=str)
@pytest.mark.parametrize("features", [8, 40])
def test_bounds_of_nearly_equal_frames_far_from_their_mean(options: dict[str, Any], features: int) -> None:
    """Differences far below what rounding does to short frames: only the slack keeps the bound below the distance."""
    rng = np.random.default_rng(0)
    cosine = options.get("metric") == "cosine"
    centres = rng.integers(-(2**20), 2**20, size=(3, features)).astype(float)
    unit = 2.0 ** (-8 if cosine else -30)  # sums with a centre are exact
    lengths = rng.integers(1, 6, size=15)
    sequences = [centres[i % 3] + rng.integers(-4, 5, size=(t, features)) * unit for i, t in enumerate(lengths)]
    distances = reference_distances(sequences, **options)
    for dimensions in (1, 2, 3):
        projection = Projection.fit(frame_source(sequences), dimensions, centred=not cosine)
        bounds = lower_bounds(DTWOptions(**options), projection)
        assert (bounds <= distances * (1 + 1e-6)).all()
    assert bounds.max() > 0.9 * distances.max()  # between the groups three coordinates say nearly all


@pytest.mark.parametrize("options", [o for o in OPTIONS if o.get("metric") == "cosine"], ids=str)
def test_cosine_bounds_of_parallel_frames_are_zero(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    direction = rng.normal(size=30)
    sequences = [np.repeat(rng.integers(1, 9) * direction[None], t, axis=0) for t in rng.integers(1, 6, size=12)]
    for dimensions in (1, 3):
        projection = Projection.fit(frame_source(sequences), dimensions, centred=False)
        assert (lower_bounds(DTWOptions(**options), projection) < 1e-20).all()
