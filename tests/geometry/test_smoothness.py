"""Label smoothness of graphs small enough for paper and pencil, and its forms as matrix formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import label_smoothness

BOUNDED = ("random-walk", "quadratic-normalized", "symmetric")


def ring() -> DSGraph:
    """Four nodes in a ring; the directed weights of the two sides are 3 and 1."""
    return DSGraph(
        candidates=np.array([[1, 3], [2, 0], [3, 1], [0, 2]]),
        candidate_distances=np.ones((4, 2)),
        weights=np.tile([3.0, 1.0], (4, 1)),
        sigma=1.0,
        kkt_residual=np.zeros(4),
        symmetrize="mean",
    )


@pytest.mark.parametrize("form", BOUNDED)
def test_all_alike_is_0_and_all_different_is_1(form: str) -> None:
    assert label_smoothness(ring(), [2, 2, 2, 2], form=form) == pytest.approx(0, abs=1e-12)
    assert label_smoothness(ring(), [0, 1, 0, 1], form=form) == pytest.approx(1)
    assert label_smoothness(ring(), [0, 1, 2, 3], form=form) == pytest.approx(1)


def test_by_hand() -> None:
    graph, labels = ring(), [0, 0, 1, 1]  # 0→1 alike (3 of 4), 1→2 differ (3), 2→3 alike, 3→0 differ
    np.testing.assert_allclose(label_smoothness(graph, labels, per="node"), [0.25, 0.75, 0.25, 0.75])
    assert label_smoothness(graph, labels) == pytest.approx(0.5)
    # undirected mean: every edge weighs 2, degree 4
    assert label_smoothness(graph, labels, form="quadratic") == pytest.approx(2 * 2 * 2)  # two cut edges, both ends
    assert label_smoothness(graph, labels, form="quadratic-normalized") == pytest.approx(0.5)
    assert label_smoothness(graph, labels, form="symmetric") == pytest.approx(0.5)
    # ŷ of node 0 is (0.75, 0.25): squares 0.0625 twice; of node 1 (0.25, 0.75): 0.5625 twice. Each node's own root
    # is averaged; the root of the overall mean square would be 0.559.
    assert label_smoothness(graph, labels, form="rmse") == pytest.approx((0.25 + 0.75) / 2)
    np.testing.assert_allclose(label_smoothness(graph, labels, form="rmse", per="node"), [0.25, 0.75, 0.25, 0.75])


def test_rmse_counts_all_classes() -> None:
    assert label_smoothness(ring(), [0, 1, 0, 1], form="rmse") == pytest.approx(1)
    assert label_smoothness(ring(), [0, 1, 0, 1], form="rmse", classes=4) == pytest.approx(np.sqrt(0.5))


def test_per_class() -> None:
    labels = [0, 0, 0, 2]
    rmse = label_smoothness(ring(), labels, form="rmse", per="node")
    np.testing.assert_allclose(
        label_smoothness(ring(), labels, form="rmse", per="class"), [rmse[:3].mean(), np.nan, rmse[3]]
    )
    np.testing.assert_allclose(label_smoothness(ring(), labels, per="class"), [(0.25 + 0 + 0.75) / 3, np.nan, 1.0])
    np.testing.assert_allclose(label_smoothness(ring(), labels, form="quadratic", per="class"), [4, np.nan, 4])
    np.testing.assert_allclose(
        label_smoothness(ring(), labels, form="quadratic-normalized", per="class"), [4 / 12, np.nan, 1.0]
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["max", "mean", "mutual", "pynnk"]))
@example(577, "max")  # one of the three classes has no recording
def test_forms_are_the_traces_of_the_paper(seed: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    points, y = rng.normal(size=(18, 3)), rng.integers(0, 3, 18)
    graph = nnk_graph(cdist(points, points), k=6, symmetrize=how)
    Y = np.eye(3)[y]
    directed, W = graph.directed().toarray(), graph.undirected().toarray()
    P = directed / directed.sum(axis=1, keepdims=True)
    assert label_smoothness(graph, y) == pytest.approx(np.trace(Y.T @ (np.eye(18) - P) @ Y) / 18)
    d = W.sum(axis=1)
    quadratic = np.trace(Y.T @ (np.diag(d) - W) @ Y)
    pairs = ((Y[:, None] - Y[None]) ** 2).sum(axis=2)
    assert quadratic == pytest.approx(0.5 * (W * pairs).sum())
    assert label_smoothness(graph, y, form="quadratic") == pytest.approx(quadratic)
    assert label_smoothness(graph, y, form="quadratic-normalized") == pytest.approx(quadratic / W.sum())
    root = np.divide(1, np.sqrt(d), out=np.zeros(18), where=d > 0)
    L = np.eye(18) - root[:, None] * W * root[None]
    assert label_smoothness(graph, y, form="symmetric") == pytest.approx(np.trace(Y.T @ L @ Y) / 18)
    # A class that has no recording counts only if it is said that there is one.
    errors = np.mean([np.sqrt(np.mean((P[i] @ Y - Y[i]) ** 2)) for i in range(18)])
    assert label_smoothness(graph, y, form="rmse", classes=3) == pytest.approx(errors)
    for form in ("random-walk", "quadratic", "quadratic-normalized", "symmetric", "rmse"):
        nodes = label_smoothness(graph, y, form=form, per="node")
        whole = label_smoothness(graph, y, form=form)
        known = np.nan_to_num(nodes)
        joined = {
            "quadratic": known.sum(),
            "quadratic-normalized": (known * d).sum() / d.sum(),
        }.get(form, known.mean())
        assert joined == pytest.approx(whole)


def test_node_without_neighbours_counts_as_rough() -> None:
    graph = DSGraph(np.array([[1], [0], [0]]), np.ones((3, 1)), np.array([[1.0], [1.0], [0.0]]), 1.0, np.zeros(3))
    np.testing.assert_allclose(label_smoothness(graph, [0, 0, 0], per="node"), [0, 0, 1])
    np.testing.assert_allclose(label_smoothness(graph, [0, 0, 0], form="symmetric", per="node"), [0, 0, 1])
    assert np.isnan(label_smoothness(graph, [0, 0, 0], form="quadratic-normalized", per="node")[2])
    assert label_smoothness(graph, [0, 0, 0], form="quadratic-normalized") == 0


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1], {}, r"shape \(2,\); expected \(4,\)"),
        ([0.0, 1.0, 0.5, 1.0], {}, "class indices"),
        ([0, -1, 0, 1], {}, "class indices"),
        ([0, 1, 0, 5], {"classes": 3}, "classes=3"),
        ([0, 1, 0, 1], {"form": "randomwalk"}, "'random-walk'"),
        ([0, 1, 0, 1], {"per": "classes"}, "'class'"),
    ],
)
def test_bad_input(labels: list[float], options: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        label_smoothness(ring(), labels, **options)
