"""Places by nearest neighbours: clusters stay apart, neighbours stay near, and nothing depends on threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from stgcnlib.dtw import LayerDistances, NeighborTable
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.errors import GraphError
from stgcnlib.geometry import aligned_planes, planes
from stgcnlib.geometry.layout import place_by_neighbours


def nearest(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    away = cdist(points, points)
    np.fill_diagonal(away, np.inf)
    near = np.argsort(away, axis=1, kind="stable")[:, :k]
    return near, np.take_along_axis(away, near, axis=1)


def clusters(count: int = 40, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(5), count)
    return 8.0 * rng.normal(size=(5, 12))[labels] + rng.normal(size=(len(labels), 12)), labels


def kept(places: np.ndarray, near: np.ndarray) -> float:
    """Share of each one's neighbours that are among as many nearest in the plane."""
    shown, _ = nearest(places, near.shape[1])
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(shown, near, strict=True)]))


def test_clusters_lie_apart_and_neighbours_near() -> None:
    points, labels = clusters()
    near, away = nearest(points, 15)
    places = place_by_neighbours(near, away)
    shown, _ = nearest(places, 10)
    assert (labels[shown] == labels[:, None]).all()
    assert kept(places, near) > 0.4  # by chance 15 of 199, and within a cluster 15 of 39
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-6)


def test_the_start_decides_where_points_lie() -> None:
    points, _ = clusters()
    near = nearest(points, 15)
    first = place_by_neighbours(*near)
    again = place_by_neighbours(*near, start=first)
    mirrored = place_by_neighbours(*near, start=first * [-1, 1])
    assert np.corrcoef(first[:, 0], again[:, 0])[0, 1] > 0.8
    assert np.corrcoef(first[:, 0], mirrored[:, 0])[0, 1] < -0.8


def test_neither_threads_nor_the_unit_of_distances_change_a_place() -> None:
    points, _ = clusters(12)
    near, away = nearest(points, 8)
    with threadpool_limits(limits=1):
        one = place_by_neighbours(near, away, seed=3)
    with threadpool_limits(limits=2):
        two = place_by_neighbours(near, away, seed=3)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(place_by_neighbours(near, away * 1024, seed=3), one)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 8), st.booleans(), st.integers(0, 99))
def test_any_table_has_places(count: int, k: int, equal: bool, seed: int) -> None:
    points = np.zeros((count, 3)) if equal else np.random.default_rng(seed).normal(size=(count, 3)).round(1)
    found = place_by_neighbours(*nearest(points, min(k, count - 1)), seed=seed)
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()


def test_what_does_not_fit_is_refused() -> None:
    near, away = nearest(np.random.default_rng(0).normal(size=(6, 2)), 2)
    with pytest.raises(GraphError, match=r"expected \(N, K\) of both"):
        place_by_neighbours(near, away[:, :1])
    with pytest.raises(GraphError, match="finite and not negative"):
        place_by_neighbours(near, away - 99)
    with pytest.raises(GraphError, match="there are 6 recordings"):
        place_by_neighbours(near + 3, away)
    with pytest.raises(GraphError, match=r"start has shape \(5, 2\)"):
        place_by_neighbours(near, away, start=np.zeros((5, 2)))


def test_layers_of_which_the_nearest_are_known_lie_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = clusters()
    people = np.tile(np.arange(4), len(labels) // 4)
    moved = points + np.random.default_rng(1).normal(size=points.shape)
    layers, matrices = {}, {}
    for name, each in {"a": points, "b": moved}.items():
        matrices[name] = away = cdist(each, each)
        barred = np.where(people[:, None] == people, np.inf, away)
        near = np.argsort(barred, axis=1, kind="stable")[:, :15]
        table = NeighborTable(near, np.take_along_axis(away, near, axis=1).astype(np.float32))
        layers[name] = LayerDistances.of_table(table, KnownPairs(len(people)), exclude=people)
    found = aligned_planes(layers)
    for place in found.values():
        np.testing.assert_allclose((place**2).sum(axis=1).mean(), 1, rtol=1e-5)
        assert (labels[nearest(place, 10)[0]] == labels[:, None]).mean() > 0.99
    centres = [np.stack([place[labels == c].mean(axis=0) for c in range(5)]) for place in found.values()]
    assert np.linalg.norm(centres[0] - centres[1], axis=1).max() < 0.5  # of clusters about 1 from the centre
    with pytest.raises(GraphError, match="layer 'c' has 2 recordings, the one before has 200"):
        aligned_planes({**layers, "c": np.zeros((2, 2))})

    monkeypatch.setattr(planes, "MOST_BY_DISTANCES", 199)  # a matrix of many recordings is read as its nearest
    many = aligned_planes(matrices)["a"]
    np.testing.assert_array_equal(many, aligned_planes({"a": LayerDistances.all_pairs(matrices["a"])})["a"])
    monkeypatch.setattr(planes, "MOST_BY_DISTANCES", 200)
    assert not np.allclose(many, aligned_planes(matrices)["a"], atol=0.1)
