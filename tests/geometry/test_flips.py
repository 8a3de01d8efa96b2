"""Neighbours kept, lost and gained between two graphs, against sets; classes whose neighbourhoods change most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.dsgraph import DSGraph, knn_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import flip_groups, neighbor_flips


def graph(seed: int, count: int = 9, k: int = 4) -> DSGraph:
    """Random candidates, a third of them pruned."""
    rng = np.random.default_rng(seed)
    candidates = np.stack([rng.permutation(np.delete(np.arange(count), i))[:k] for i in range(count)])
    weights = rng.random((count, k)) * (rng.random((count, k)) < 0.7)
    return DSGraph(candidates, rng.random((count, k)), weights, 1.0, np.zeros(count))


def neighbours(of: DSGraph, i: int) -> set[int]:
    return {int(j) for j, w in zip(of.candidates[i], of.weights[i], strict=True) if w > 0}


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_counts_are_those_of_sets(first: int, second: int) -> None:
    a, b = graph(first), graph(second)
    found = neighbor_flips(a, b)
    for i in range(len(a)):
        before, after = neighbours(a, i), neighbours(b, i)
        assert found.kept[i] == len(before & after)
        assert found.lost[i] == len(before - after)
        assert found.gained[i] == len(after - before)
        assert found.changed[i] == pytest.approx(
            1 - len(before & after) / max(len(before | after), 1) if before | after else 0
        )


def test_the_class_that_moves_is_named_first() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(12, 2))
    moved = points.copy()
    moved[:4] = rng.normal(size=(4, 2)) + 20

    def near(x: np.ndarray) -> DSGraph:
        return knn_graph(np.linalg.norm(x[:, None] - x[None], axis=2), k=3)

    graphs = {"a": near(points), "b": near(points), "c": near(moved)}
    labels = np.repeat([0, 1, 2], 4)
    table = flip_groups(graphs, labels)
    assert len(table) == 6
    first = table.iloc[0]
    assert (first["class_index"], first["before"], first["layer"], first["index"], first["n"]) == (0, "b", "c", 2, 4)
    changed = neighbor_flips(graphs["b"], graphs["c"]).changed
    assert first["changed"] == pytest.approx(changed[:4].mean())
    assert (table.loc[table["layer"] == "b", "changed"] == 0).all()


def test_graphs_of_other_recordings_are_refused() -> None:
    with pytest.raises(GraphError, match="9 and 8 nodes"):
        neighbor_flips(graph(0), graph(0, count=8))
    with pytest.raises(GraphError, match="3 labels"):
        flip_groups({"a": graph(0)}, [0, 1, 2])
