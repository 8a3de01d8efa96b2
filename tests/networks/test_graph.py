"""Partitioned adjacency, checked by hand on a chain of four joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import LayoutError
from stgcnlib.networks import adjacency
from stgcnlib.networks.graph import STRATEGIES, hop_distance
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout

CHAIN = SkeletonLayout(name="chain", joints=("a", "b", "c", "d"), bones=((0, 1), (2, 1), (3, 2)), centre=1)
PIECES = SkeletonLayout(name="pieces", joints=("a", "b", "c", "d", "e"), bones=((0, 1), (3, 2)), centre=0)


def test_hop_distance_of_a_chain_and_of_separate_pieces() -> None:
    np.testing.assert_array_equal(hop_distance(CHAIN), np.abs(np.subtract.outer(np.arange(4), np.arange(4))))
    hops = hop_distance(PIECES)
    assert hops[0, 1] == 1
    assert np.isinf(hops[0, 2])
    assert np.isinf(hops[4, :4]).all()


def test_uniform_weights_are_the_column_normalised_graph() -> None:
    expected = [[1 / 2, 1 / 3, 0, 0], [1 / 2, 1 / 3, 1 / 3, 0], [0, 1 / 3, 1 / 3, 1 / 2], [0, 0, 1 / 3, 1 / 2]]
    np.testing.assert_allclose(adjacency(CHAIN, strategy="uniform"), [expected], rtol=1e-6)


def test_distance_parts_the_joint_itself_from_its_neighbours() -> None:
    own, near = adjacency(CHAIN, strategy="distance")
    np.testing.assert_allclose(own, np.diag([1 / 2, 1 / 3, 1 / 3, 1 / 2]), rtol=1e-6)
    np.testing.assert_allclose(own + near, adjacency(CHAIN, strategy="uniform")[0])


def test_spatial_parts_by_hand() -> None:
    root, centripetal_or_equal, centrifugal = adjacency(CHAIN)
    np.testing.assert_allclose(root, np.diag([1 / 2, 1 / 3, 1 / 3, 1 / 2]), rtol=1e-6)
    # Bones of the centre b: a and c are farther than b. Joint d is beyond max_hop, which counts as farther than c.
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[2, 1] = expected[3, 2] = 1 / 3
    np.testing.assert_allclose(centripetal_or_equal, expected, rtol=1e-6)
    expected = np.zeros((4, 4))
    expected[1, 0], expected[1, 2], expected[2, 3] = 1 / 2, 1 / 3, 1 / 2
    np.testing.assert_allclose(centrifugal, expected, rtol=1e-6)


def test_separate_pieces_and_lone_joints_stay_by_themselves() -> None:
    for strategy in STRATEGIES:
        whole = adjacency(PIECES, strategy=strategy).sum(axis=0)
        assert np.isfinite(whole).all()
        assert whole[4, 4] == 1
        assert not whole[:2, 2:].any()
        np.testing.assert_allclose(whole.sum(axis=0), 1, rtol=1e-6)


@given(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(STRATEGIES), st.integers(1, 3))
def test_parts_sum_to_the_normalised_neighbourhood(name: str, strategy: str, max_hop: int) -> None:
    parts = adjacency(name, strategy=strategy, max_hop=max_hop)  # type: ignore[arg-type]
    near = hop_distance(name) <= max_hop
    np.testing.assert_allclose(parts.sum(axis=0), near / near.sum(axis=0), rtol=1e-6)
    assert ((parts > 0).sum(axis=0) <= 1).all()
    expected = {"uniform": 1, "distance": max_hop + 1, "spatial": 2 * max_hop + 1}
    assert parts.shape == (expected[strategy], *near.shape)
    assert parts.dtype == np.float32


def test_unknown_strategy_suggests_the_nearest() -> None:
    with pytest.raises(LayoutError, match="'spatial'"):
        adjacency(CHAIN, strategy="spacial")  # type: ignore[arg-type]
    with pytest.raises(LayoutError, match="max_hop is 0"):
        adjacency(CHAIN, max_hop=0)
