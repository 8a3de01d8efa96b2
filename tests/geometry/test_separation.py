"""Where classes separate and what they are mixed with, on layers whose truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_world import World, world
from textbook import jackknife_interval

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.figures import class_mixing
from stgcnlib.geometry import class_confusions, class_separation, class_shares, label_smoothness
from stgcnlib.geometry.separation import _half, benjamini_hochberg, node_shares


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
    assert table["half"].between(2, 4).all()  # the classes part from layer 2 to layer 4
    assert (table["half_least"] <= table["half"]).all()
    assert (table["half"] <= table["half_most"]).all()
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
    """Whether that is certain depends on how many people there are."""
    for subjects, sure in ((4, 0), (16, 3)):
        table = class_separation(world([1.0, 1.0, 0.8, 0.6], subjects=subjects, repeats=3).geometry())
        assert table["status"].isin(["does not", "not decided"]).all()
        assert (table["status"] == "does not").sum() >= sure
        none = table[table["status"] == "does not"]
        assert (none["high"] < 0.1 * none["input"]).all()
        assert table["index"].isna().all()
        assert (table["half"].isna() == (table["last"] >= table["input"])).all()


def test_few_of_many_classes_are_said_to_separate_by_chance() -> None:
    """27 classes, 4 people who have their own way with each class, and layers that only differ by noise."""
    named = tested = below = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        labels, groups = np.repeat(np.arange(27), 12), np.tile(np.repeat(np.arange(4), 3), 27)
        ways = 0.5 * rng.normal(size=(27, 4, 6))[labels, groups] + 0.7 * rng.normal(size=(4, 6))[groups]
        body = 0.5 * rng.normal(size=(27, 6))[labels] + ways + rng.normal(size=(len(labels), 6))
        layers = [body + 0.5 * rng.normal(size=body.shape) for _ in range(2)]
        table = class_separation(World(layers, labels, groups).geometry(permutations=1))
        named += (table["status"] == "separates").any()
        tested += len(table)
        below += ((table["p"] < 0.1) & (table["drop"] > 0)).sum()
    assert named <= 2  # sets with any: 5% of 12 are expected at most; 3 or more would have a chance of 2%
    assert below / tested < 0.1  # and the p-values of single classes are not too small: 5% are expected
    assert below > 0


def test_half_of_a_fall_by_hand() -> None:
    layers = np.array([0.0, 1.0, 2.0, 3.0])
    assert _half(np.array([0, 0.1, 0.3, 0.4]), layers) == pytest.approx(1.5)
    assert _half(np.array([0, 0.2, 0.3, 0.4]), layers) == pytest.approx(1)
    assert _half(np.array([0, 0.3, 0.0, 0.4]), layers) == pytest.approx(2 / 3)  # the first time counts
    assert np.isnan(_half(np.array([0, 0.3, 0.2, 0.0]), layers))
    assert np.isnan(_half(np.array([0, 0.3, 0.2, -0.1]), layers))


def test_separation_corrects_for_the_number_of_classes(deepening: World) -> None:
    geometry = deepening.geometry()
    table = class_separation(geometry)
    ends = geometry.node_values()[[0, -1]], geometry.node_values_without()[[0, -1]]
    y = deepening.labels
    p = np.array([
        geometry.jackknife.mean(ends[0][0] - ends[0][1], ends[1][0] - ends[1][1], nodes=y == c).p_value
        for c in range(5)
    ])  # fmt: skip
    np.testing.assert_allclose(table["p"], p)
    order = np.sort(p)
    by_hand = [min(order[k] * 5 / (k + 1) for k in range(np.searchsorted(order, each), 5)) for each in p]
    np.testing.assert_allclose(table["p_adjusted"], by_hand)
    assert benjamini_hochberg([0.01, np.nan, 0.04]).tolist() == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_confusions_have_intervals_of_graphs_made_anew(deepening: World) -> None:
    geometry = deepening.geometry()
    table = class_confusions(geometry, distances=deepening.distances).set_index(["layer", "class_index", "other_index"])
    without = []
    for person in range(4):
        keep = np.flatnonzero(deepening.groups != person)
        graph = nnk_graph(deepening.distances["block.1"][np.ix_(keep, keep)], k=10, exclude=deepening.groups[keep])
        without.append(class_shares(graph, deepening.labels[keep], classes=5))
    for c, other in ((0, 0), (0, 3), (4, 2)):
        row = table.loc[("block.1", c, other)]
        low, high = jackknife_interval(row["share"], [each[c, other] for each in without])
        assert (row["low"], row["high"]) == pytest.approx((max(low, 0), min(high, 1)))
    assert class_confusions(geometry)[["low", "high"]].isna().all(axis=None)
    own = geometry.per_class[(geometry.per_class["neighbours"] == "other subjects")].set_index(["layer", "class_index"])
    assert 1 - table.loc[("block.1", 2, 2), "high"] == pytest.approx(max(own.loc[("block.1", 2), "low"], 0))


def test_a_drop_that_is_lost_again_does_not_count() -> None:
    table = class_separation(world([0.2, 2.5, 0.2, 2.5], repeats=8).geometry())
    assert (table["index"] == 3).all()


def test_confusions_agree_with_smoothness(deepening: World) -> None:
    geometry = deepening.geometry(class_names=["a", "b", "c", "d", "e"])
    table = class_confusions(geometry, distances=deepening.distances)
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


def test_a_class_that_does_not_occur_takes_no_rank() -> None:
    """Classes far apart, the first without recordings: whoever is mixed with nothing has another class at rank 1."""
    planted = world([8.0, 12.0])
    table = class_confusions(planted.geometry(planted.labels + 1))
    assert (table.loc[table["rank"] > 0, "share"] == 0).any()
    ranks = table.groupby(["index", "class_index"])["rank"].agg(sorted)
    assert ranks.tolist() == [[0, 1, 2, 3, 4]] * 10
    shown = class_mixing(table).axes[0]
    assert len(shown.get_yticklabels()) == 5


def test_missing_networks_and_layers_are_named(deepening: World) -> None:
    with pytest.raises(GraphError, match="no network 'untrained'"):
        class_confusions(deepening.geometry(), network="untrained")
    with pytest.raises(GraphError, match="needs the input"):
        class_separation(world([1.0]).geometry())
