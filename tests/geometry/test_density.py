"""Smoothness on parts of the nodes, against graphs that are made by hand and on planted data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from geometry_world import World, world
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import label_smoothness, layer_geometry, smoothness_by_density
from stgcnlib.geometry.density import COLUMNS, IN_PROPORTION, SAME
from stgcnlib.sampling import proportional_order
from stgcnlib.verdicts import describe_density


def strip(count: int, *, seed: int, width: float = 1.0) -> World:
    """Points spread evenly over a strip, its halves of two classes: only the boundary is mixed."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * [4.0, width]
    labels = (points[:, 0] > 2.0).astype(np.int64)
    return World([points, points], labels, np.arange(count) % 5)


@pytest.fixture(scope="module")
def planted() -> tuple[Any, World]:
    made = strip(900, seed=3, width=4.0)
    return made.geometry(groups=None, k=16), made


def means(table: pd.DataFrame, rule: str) -> list[float]:
    rows = table[(table["rule"] == rule) & (table["layer"] == "input")].sort_values("share")
    return rows["smoothness"].tolist()


def test_more_nodes_are_smoother_with_the_same_k(planted: tuple[Any, World]) -> None:
    """Neighbours are as far as one over the root of the nodes, and so wide is the border where classes mix."""
    geometry, made = planted
    table = smoothness_by_density(geometry, made.distances, draws=6, progress=False)
    quarter, half, whole = means(table, SAME)
    assert quarter / whole == pytest.approx(2, rel=0.3)
    assert half / whole == pytest.approx(2**0.5, rel=0.25)
    fewer = means(table, IN_PROPORTION)  # fewer candidates are nearer
    assert fewer[0] < quarter
    assert fewer[1] < half
    assert fewer[2] == whole
    said = describe_density(table)
    assert "With the same K, S still falls, by" in said
    assert "from 450 to 900 nodes" in said
    assert said.endswith("Compare S only between studies that have as many nodes of each class.")


def test_a_rise_is_called_a_rise() -> None:
    """S from the first layer to the last rises on all nodes and falls on half of them."""
    rows = [
        {"layer": title, "index": index, "title": title, "rule": rule, "share": share, "n": n, "k": 40, "draws": 4}
        | {"smoothness": value, "low": value, "high": value}
        for rule in (SAME, IN_PROPORTION)
        for share, n, values in ((0.5, 450, (0.3, 0.2)), (1.0, 900, (0.2, 0.35)))
        for index, (title, value) in enumerate(zip(("input", "layer 1"), values, strict=True))
    ]
    table = pd.DataFrame(rows)
    assert "the last, S falls by 0.100 and rises by 0.150 with the same K." in describe_density(table)
    table.loc[table["index"] == 0, "smoothness"] = 0.5
    assert "the last, S falls by 0.300 and 0.150 with the same K." in describe_density(table)


def test_where_labels_say_nothing_the_number_of_nodes_changes_nothing() -> None:
    made = strip(400, seed=1)
    geometry = made.geometry(np.random.default_rng(2).permutation(made.labels), groups=None, k=12)
    table = smoothness_by_density(geometry, made.distances, progress=False)
    assert max(means(table, SAME)) - min(means(table, SAME)) < 0.08
    assert "With the same K, S changes no more than from draw to draw;" in describe_density(table)


def test_rows_are_those_of_graphs_made_by_hand() -> None:
    made = world([0.2, 2.0], classes=3, subjects=4, repeats=10)
    geometry = made.geometry(k=8)
    table = smoothness_by_density(geometry, made.distances, shares=(0.5,), draws=1, seed=7, progress=False)
    assert list(table.columns) == COLUMNS
    nodes = np.sort(proportional_order(made.labels, made.groups, seed=7)[:60])
    points = made.store["block.0"].points[nodes]
    for rule, k in ((SAME, 8), (IN_PROPORTION, 4)):
        row = table[(table["rule"] == rule) & (table["share"] == 0.5) & (table["layer"] == "block.0")].iloc[0]
        graph = nnk_graph(cdist(points, points), k=k, exclude=made.groups[nodes])
        assert row["smoothness"] == pytest.approx(label_smoothness(graph, made.labels[nodes]))
        assert row["low"] == row["high"] == row["smoothness"]
        assert (row["n"], row["k"], row["draws"]) == (60, k, 1)
    own = table[(table["share"] == 1) & (table["rule"] == SAME)].set_index("layer")
    curve = geometry.curve().set_index("layer")
    for name in ("smoothness", "low", "high", "floor"):
        assert own[name].to_dict() == curve[name].to_dict()


def test_the_seed_decides_and_nothing_else() -> None:
    made = world([1.0])
    geometry = made.geometry()
    first = smoothness_by_density(geometry, made.distances, progress=False)
    pd.testing.assert_frame_equal(smoothness_by_density(geometry, made.distances, progress=False), first)
    assert not smoothness_by_density(geometry, made.distances, seed=9, progress=False).equals(first)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9), st.sampled_from([0.1, 0.25, 0.5, 0.9]), st.integers(1, 3))
def test_any_share_gives_numbers_that_can_be(seed: int, share: float, draws: int) -> None:
    made = world([0.5, 1.5], classes=3, subjects=3, repeats=4, seed=seed)
    geometry = made.geometry(k=6)
    table = smoothness_by_density(geometry, made.distances, shares=(share,), draws=draws, seed=seed, progress=False)
    assert table["smoothness"].between(0, 1).all()
    assert (table["low"] <= table["smoothness"] + 1e-12).all()
    assert (table["smoothness"] <= table["high"] + 1e-12).all()
    parts = table[table["share"] < 1]
    assert (parts["floor"] <= parts["smoothness"] + 1e-12).all()
    assert set(parts["n"]) <= {round(share * 36)}


def test_k_is_lowered_where_parts_have_fewer() -> None:
    made = world([1.0], classes=3, subjects=3, repeats=4)
    geometry = made.geometry(k=12)
    table = smoothness_by_density(geometry, made.distances, shares=(0.25,), draws=3, progress=False)
    same = table[(table["rule"] == SAME) & (table["share"] == 0.25)]
    assert 0 < same["k"].iloc[0] < 9
    assert "fewer where a node cannot have as many" in describe_density(table)


def test_a_part_without_neighbours_is_left_out() -> None:
    made = world([1.0], classes=2, subjects=2, repeats=2)
    geometry = made.geometry(k=2)
    table = smoothness_by_density(geometry, made.distances, shares=(0.125,), progress=False)
    assert table["share"].tolist() == [1.0, 1.0]
    assert "is not shown" in describe_density(table)


def test_real_targets() -> None:
    made = world([1.0], classes=4)
    targets = made.store["input"].points[:, :1]
    geometry = layer_geometry(made.store, targets=targets, groups=made.groups, k=10, permutations=20,
                              distances={"trained": made.distances})  # fmt: skip
    table = smoothness_by_density(geometry, made.distances, progress=False)
    assert table["floor"].isna().all()
    assert means(table, SAME)[0] > means(table, SAME)[2] > 0
    said = describe_density(table, measured="target")
    assert "target smoothness S is" in said
    assert "class" not in said


def test_without_shares_there_are_only_all_nodes() -> None:
    made = world([1.0])
    table = smoothness_by_density(made.geometry(), {}, shares=(), progress=False)
    assert (table["share"] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws=0"),
        ({"shares": (1.0,)}, r"shares=\[1.0\]"),
        ({"distances": {}}, "lack the layer 'input'"),
        ({"distances": {"input": np.zeros((3, 3))}}, "between 3 nodes, the geometry has 100"),
    ],
)
def test_what_cannot_be_measured(options: dict[str, Any], message: str) -> None:
    made = world([1.0])
    given_ = {"distances": made.distances} | options
    with pytest.raises(GraphError, match=message):
        smoothness_by_density(made.geometry(), given_.pop("distances"), **given_)
