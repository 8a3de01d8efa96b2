"""Partitioned adjacency, checked by hand on a chain of four joints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import LayoutError
from stgcnlib.networks import adjacency
from stgcnlib.networks.graph import (
    STRATEGIES,
    directed_adjacency,
    disentangled_adjacency,
    hands_apart,
    hierarchical_adjacency,
    hierarchy,
    hop_distance,
    parents,
    trunk_joint,
)
from stgcnlib.skeleton import LAYOUTS, SkeletonLayout, layout

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


def test_directed_parts_by_hand() -> None:
    own, inward, outward = directed_adjacency(CHAIN)
    np.testing.assert_array_equal(own, np.eye(4))
    expected = np.zeros((4, 4))
    expected[1, 0] = expected[1, 2] = expected[2, 3] = 1
    np.testing.assert_array_equal(inward, expected)
    # Joint b has two children, which share its column.
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[2, 1] = 1 / 2
    expected[3, 2] = 1
    np.testing.assert_array_equal(outward, expected)


@given(st.sampled_from(sorted(LAYOUTS)), st.integers(1, 5), st.sampled_from([1, 3]))
def test_disentangled_graphs_agree_with_matrix_powers(name: str, scales: int, window: int) -> None:
    skeleton = LAYOUTS[name]
    V = len(skeleton)
    near = np.eye(V)
    for child, parent in skeleton.bones:
        near[child, parent] = near[parent, child] = 1
    reach = np.tile(near, (window, window))
    own = np.eye(V * window)
    graphs = disentangled_adjacency(skeleton, scales=scales, window=window)
    assert graphs.shape == (scales, V * window, V * window)
    np.testing.assert_array_equal(graphs[0], own)
    for k in range(1, scales):
        exact = np.minimum(np.linalg.matrix_power(reach + own, k), 1) + own
        exact -= np.minimum(np.linalg.matrix_power(reach + own, k - 1), 1)
        degrees = exact.sum(axis=1)
        np.testing.assert_allclose(graphs[k], exact / np.sqrt(np.outer(degrees, degrees)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "joint"), [("ntu-rgb+d", "spine mid"), ("kinect-v1", "spine"), ("nw-ucla", "spine"), ("coco-17", "nose")]
)
def test_trunk_joint_is_halfway_along_the_spine(name: str, joint: str) -> None:
    assert LAYOUTS[name].joints[trunk_joint(name)] == joint


def test_parents_lead_to_the_root() -> None:
    np.testing.assert_array_equal(parents(CHAIN, 3), [1, 2, 3, 3])
    np.testing.assert_array_equal(parents(PIECES, 0), [0, 0, 2, 3, 4])
    for skeleton in LAYOUTS.values():
        hops = hop_distance(skeleton)[skeleton.centre]
        above = parents(skeleton, skeleton.centre)
        np.testing.assert_array_equal(hops[above], np.maximum(hops - 1, 0))


def test_hand_tips_hang_from_hands() -> None:
    skeleton = layout("ntu-rgb+d")
    apart = hands_apart(skeleton)
    changed = set(apart.bones) - set(skeleton.bones)
    named = {(skeleton.joints[child], skeleton.joints[parent]) for child, parent in changed}
    assert named == {("left hand tip", "left hand"), ("right hand tip", "right hand")}
    assert hands_apart("coco-17") == layout("coco-17")


def test_a_hierarchy_by_hand() -> None:
    # 0 - 1 - 2 - 3 - 4, with 5 at 1, and 6 by itself
    tree = SkeletonLayout("tree", tuple("abcdefg"), ((1, 0), (2, 1), (3, 2), (4, 3), (5, 1)))
    assert hierarchy(tree, 1, 6) == ((1,), (0, 2, 5), (3,), (4,), (6,))
    assert hierarchy(tree, 1, 2) == ((1,), (0, 2, 5), (3, 4, 6))
    graphs = hierarchical_adjacency(hierarchy(tree, 1, 2))
    assert graphs.shape == (2, 3, 7, 7)
    np.testing.assert_array_equal(np.diag(graphs[0, 0]), [1, 1, 1, 0, 0, 1, 0])
    np.testing.assert_array_equal(np.argwhere(graphs[0, 1]), [[0, 1], [2, 1], [5, 1]])
    np.testing.assert_array_equal(np.argwhere(graphs[0, 2]), [[1, 0], [1, 2], [1, 5]])
    np.testing.assert_allclose(graphs[1, 1, 3], [1 / 3, 0, 1 / 3, 0, 0, 1 / 3, 0])
    for part in graphs[:, 1:].reshape(-1, 7, 7):
        used = part.any(axis=0)
        np.testing.assert_allclose(part.sum(axis=0)[used], 1, rtol=1e-6)
    with pytest.raises(LayoutError, match="has 1 joint"):
        hierarchy(SkeletonLayout("dot", ("a",), ()), 0, 6)
