"""Planes of layers: they keep what MDS found, and are turned onto each other as well as they can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist, pdist

from stgcnlib.errors import GraphError
from stgcnlib.geometry import aligned_planes, embed, turned_onto

POINTS = arrays(
    np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=st.floats(-3, 3).map(lambda x: round(x, 3))
)


def turn(angle: float, *, mirrored: bool) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]]) @ np.diag([1.0, -1.0 if mirrored else 1.0])


@given(POINTS, st.floats(0, 6.3), st.booleans())
def test_a_turned_or_mirrored_plane_is_turned_back(points: np.ndarray, angle: float, mirrored: bool) -> None:
    found = turned_onto(points @ turn(angle, mirrored=mirrored), points)
    np.testing.assert_allclose(found, points, atol=1e-9)


@given(POINTS, st.integers(0, 1000))
def test_turning_keeps_distances_and_never_moves_planes_apart(points: np.ndarray, seed: int) -> None:
    target = np.random.default_rng(seed).normal(size=points.shape)
    found = turned_onto(points, target)
    np.testing.assert_allclose(pdist(found), pdist(points), atol=1e-9)
    assert ((found - target) ** 2).sum() <= ((points - target) ** 2).sum() * (1 + 1e-9) + 1e-12


@settings(max_examples=25)
@given(st.integers(4, 15), st.integers(0, 1000))
def test_turning_is_as_good_as_scipy_procrustes(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (x - x.mean(axis=0) for x in rng.normal(size=(2, count, 2)))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    # scipy also scales b by the sum s of singular values: its disparity is 1 - s^2, without scaling it is 2 - 2 s.
    _, _, disparity = procrustes(a, b)
    residual = ((turned_onto(b, a) - a) ** 2).sum()
    assert residual == pytest.approx(2 - 2 * np.sqrt(1 - disparity), abs=1e-9)


def test_points_in_common_decide_for_all() -> None:
    rng = np.random.default_rng(0)
    points, common = rng.normal(size=(9, 2)), np.array([1, 4, 6])
    target = points @ turn(1.0, mirrored=True)
    np.testing.assert_allclose(turned_onto(points, target[common], common=common), target, atol=1e-12)


def test_layers_that_differ_in_turn_and_size_alone_lie_alike() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20, 2))
    planes = aligned_planes({"a": cdist(points, points), "b": 7 * cdist(points, points), "c": cdist(points, points)})
    assert list(planes) == ["a", "b", "c"]
    assert planes["a"].dtype == np.float32
    np.testing.assert_allclose(planes["b"], planes["a"], atol=1e-4)
    np.testing.assert_allclose((planes["c"] ** 2).sum(axis=1).mean(), 1, rtol=1e-5)


def test_planes_keep_the_ratios_of_distances_in_the_plane() -> None:
    rng = np.random.default_rng(2)
    high = rng.normal(size=(2, 15, 6))
    distances = {str(k): cdist(x, x) for k, x in enumerate(high)}
    planes = aligned_planes(distances, seed=3)
    for name, matrix in distances.items():
        ratio = pdist(planes[name]) / pdist(embed(matrix, seed=3))
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_recordings_have_places(count: int) -> None:
    found = aligned_planes({"a": np.ones((count, count)), "b": np.zeros((count, count))})
    assert found["b"].shape == (count, 2)
    assert np.isfinite(found["a"]).all()


def test_layers_of_different_recordings_are_refused() -> None:
    with pytest.raises(GraphError, match="layer 'b' has 3 recordings, the one before has 2"):
        aligned_planes({"a": np.zeros((2, 2)), "b": np.zeros((3, 3))})
