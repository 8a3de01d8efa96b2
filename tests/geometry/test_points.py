"""Nearest points, and baselines of large sets: the same as from the matrix of all distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from geometry_world import world
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import layer_baselines, sensitivity
from stgcnlib.geometry.baselines import known_baseline
from stgcnlib.geometry.points import point_distances
from stgcnlib.geometry.uncertainty import Jackknife


def test_of_many_that_tie_the_first_are_taken() -> None:
    """More at the same distance than are asked for, as of durations: none of them is left out by chance."""
    points = np.random.default_rng(0).integers(0, 3, (500, 1)).astype(float)
    matrix = np.abs(points - points.T)
    np.fill_diagonal(matrix, np.inf)
    found, _ = point_distances(points, 5).nearest(5)
    np.testing.assert_array_equal(found, np.argsort(matrix, axis=1, kind="stable")[:, :5])


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 40]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_nearest_points(seed: int, width: int, whole: bool) -> None:
    """Whole numbers tie and coincide; far from the origin, products alone would not tell near points apart."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (60, width)).astype(float) if whole else rng.normal(size=(60, width)) + 1e5
    groups = rng.permutation(np.arange(60) % 5)
    for codes in (None, groups):
        parts = groups if codes is not None else rng.integers(0, 6, 60)
        matrix = cdist(points, points)
        known = point_distances(points, 4, exclude=codes, parts=parts)
        assert not known.complete
        barred = np.eye(60, dtype=bool) if codes is None else codes[:, None] == codes
        found = known.nearest(4, exclude=codes)
        expected = np.sort(np.where(barred, np.inf, matrix), axis=1)[:, :4]
        np.testing.assert_allclose(found[1], expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(np.take_along_axis(matrix, found[0], axis=1), expected, rtol=1e-6, atol=1e-6)
        if whole:
            order = np.argsort(np.where(barred, np.inf, np.round(matrix, 9)), axis=1, kind="stable")[:, :4]
            np.testing.assert_array_equal(found[0], order)
        for keep in Jackknife(parts).kept():
            among = known.select(keep)
            own = None if codes is None else codes[keep]
            graph, other = nnk_graph(among, k=4, exclude=own), nnk_graph(matrix[np.ix_(keep, keep)], k=4, exclude=own)
            np.testing.assert_allclose(graph.candidate_distances, other.candidate_distances, rtol=1e-5, atol=1e-6)
    with pytest.raises(GraphError, match="k=60"):
        point_distances(points, 60)


def test_baselines_of_a_large_set(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world([0.4, 1.5])
    geometry = made.geometry(k=6)
    expected = layer_baselines(made.store, geometry)
    options = {"k": 6, "groups": made.groups, "other_k": (), "readings": (), "windows": (), "normalizations": (),
               "sigmas": (), "permutations": 3, "distances": lambda name, _: made.distances[name]}  # fmt: skip
    swept = sensitivity(made.store, made.labels, **options)
    monkeypatch.setattr("stgcnlib.geometry.baselines.MOST", 50)
    found = layer_baselines(made.store, geometry)
    assert set(found["baseline"]) == {"pooled", "duration"}
    rest = expected[expected["baseline"] != "resampled"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, rest, rtol=1e-4, atol=1e-5)
    again = sensitivity(made.store, made.labels, **options)
    assert "resampled" not in set(again["choice"])
    pd.testing.assert_frame_equal(
        again, swept[swept["choice"] != "resampled"].reset_index(drop=True), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(GraphError, match="resampled"):
        known_baseline([np.zeros((2, 3))] * 60, "resampled", 3, count=60)
    with pytest.raises(GraphError, match="expected 61"):
        known_baseline([np.zeros((2, 3))] * 60, "pooled", 3, count=61)
    with pytest.raises(GraphError, match="unknown"):
        known_baseline([np.zeros((2, 3))] * 60, "pool", 3, count=60)
