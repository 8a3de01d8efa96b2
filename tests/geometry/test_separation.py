"""Where classes separate and what they are mixed with, on layers whose truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_world import World, world

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import class_confusions, class_separation, class_shares, label_smoothness
from stgcnlib.geometry.separation import node_shares


@pytest.fixture(scope="module")
def deepening() -> World:
    return world([0.3, 0.3, 0.3, 1.5, 2.5], repeats=8)


def test_shares_by_loops() -> None:
    planted = world([1.0])
    graph = nnk_graph(planted.distances["input"], k=6)
    shares = node_shares(graph, planted.labels, classes=6)
    for i in (0, 17, 99):
        nodes, weights = graph.neighbors(i)
        for c in range(6):
            expected = weights[planted.labels[nodes] == c].sum() / weights.sum()
            assert shares[i, c] == pytest.approx(expected)
    matrix = class_shares(graph, planted.labels, classes=6)
    np.testing.assert_allclose(matrix[:5].sum(axis=1), 1)
    assert np.isnan(matrix[5]).all()
    np.testing.assert_allclose(1 - matrix.diagonal()[:5], label_smoothness(graph, planted.labels, per="class"))
    with pytest.raises(GraphError, match="classes=3"):
        node_shares(graph, planted.labels, classes=3)


def test_the_layer_of_a_common_step_is_named(deepening: World) -> None:
    table = class_separation(deepening.geometry())
    assert table["title"].tolist() == ["layer 3"] * 5
    assert (table["index"] == 3).all()
    assert (table["status"] == "separates").all()
    assert (table["low"] > 0).all()
    assert (table["drop"].between(table["low"], table["high"])).all()
    assert (table["earliest"] <= table["index"]).all()
    assert (table["index"] <= table["latest"]).all()
    np.testing.assert_allclose(table["input"] - table["at"], table["drop"])


def test_a_class_split_by_a_joint_that_early_layers_cannot_see() -> None:
    """Two of five classes differ in one joint (3 of 18 coordinates): faint at the input, absent in layers 1 and 2."""
    rng = np.random.default_rng(0)
    repeats = 8
    labels, groups = np.repeat(np.arange(5), 4 * repeats), np.tile(np.repeat(np.arange(4), repeats), 5)
    action = np.array([0, 1, 2, 3, 3])[labels]  # classes 3 and 4 are one action without the joint
    body = 3.0 * rng.normal(size=(4, 15))[action] + rng.normal(size=(len(labels), 15))
    joint = np.where(labels == 4, 1.0, -1.0)[:, None] * np.array([1.0, 0.5, -0.5]) + 0.3 * rng.normal(
        size=(len(labels), 3)
    )
    weights = [0.3, 0.0, 0.0, 6.0, 6.0]
    split = World([np.hstack([body, w * joint]) for w in weights], labels, groups)
    table = class_separation(split.geometry()).set_index("class_index")
    assert table["title"].reindex([3, 4]).tolist() == ["layer 3", "layer 3"]
    assert (table["status"][:3] == "separate at the input").all()
    mixed = class_confusions(split.geometry())
    nearest = mixed[(mixed["rank"] == 1) & mixed["class_index"].isin([3, 4])].set_index(["class_index", "index"])
    assert (nearest.loc[3, "other_index"][:3] == 4).all()
    assert (nearest.loc[4, "other_index"][:3] == 3).all()
    assert nearest["share"].xs(1, level="index").min() > 0.3
    assert nearest["share"].xs(3, level="index").max() < 0.1


def test_classes_that_never_come_apart() -> None:
    table = class_separation(world([0.4, 0.4, 0.3, 0.2]).geometry())
    assert (table["status"] == "never").all()
    assert table["index"].isna().all()
    assert (table["latest"] == 4).all()


def test_a_drop_that_is_lost_again_does_not_count() -> None:
    table = class_separation(world([0.2, 2.5, 0.2, 2.5], repeats=8).geometry())
    assert (table["index"] == 3).all()


def test_confusions_agree_with_smoothness(deepening: World) -> None:
    geometry = deepening.geometry(class_names=["a", "b", "c", "d", "e"])
    table = class_confusions(geometry)
    assert len(table) == 5 * 5 * 5
    sums = table.groupby(["layer", "class_index"])["share"].sum()
    np.testing.assert_allclose(sums, 1)
    own = table[table["rank"] == 0].set_index(["layer", "class_index"])["share"]
    rows = geometry.per_class
    main = rows[(rows["network"] == "trained") & (rows["neighbours"] == "other subjects")]
    np.testing.assert_allclose(own, 1 - main.set_index(["layer", "class_index"])["smoothness"].reindex(own.index))
    assert (table["low"] <= table["share"]).all()
    assert (table["share"] <= table["high"]).all()
    assert set(table["other_name"]) == {"a", "b", "c", "d", "e"}
    chance = table[table["layer"] == "input"].groupby("class_index")["chance"].sum()
    np.testing.assert_allclose(chance, 1)


def test_missing_networks_and_layers_are_named(deepening: World) -> None:
    with pytest.raises(GraphError, match="no network 'untrained'"):
        class_confusions(deepening.geometry(), network="untrained")
    with pytest.raises(GraphError, match="needs the input"):
        class_separation(world([1.0]).geometry())
