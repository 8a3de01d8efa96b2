"""Tables of relevance maps, and the examples that stand for the rest."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from table_results import LAYERS, evaluation, geometry, recordings, relevance
from tiny_network import TinyNetwork

from stgcnlib import tables
from stgcnlib.activations import record
from stgcnlib.dtw import DTWOptions
from stgcnlib.errors import LayerNotFoundError, SequenceError
from stgcnlib.figures import dtw_alignment, neighbor_player
from stgcnlib.figures.live import embedded
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import graph_layout, layout

EXPLAINED = [0, 2, 3, 5]


def test_relevance_of_a_class_is_the_mean_of_its_recordings():
    nodes = recordings()
    maps = relevance(nodes, EXPLAINED)
    joints = tables.class_joint_relevance(nodes, EXPLAINED, maps, layer="blocks.0")
    expected = np.zeros((2, 20))
    expected[0, 7] = expected[1, 0] = 1
    np.testing.assert_array_equal(joints, expected)
    even = tables.class_joint_relevance(nodes, EXPLAINED, maps, layer="blocks.1")
    np.testing.assert_allclose(even, 1 / 20)
    waves = tables.class_joint_relevance(nodes, [0, 2], maps[:2], layer="blocks.0")
    assert np.isnan(waves[1]).all()
    maps[0]["blocks.0"].values[:] = maps[1]["blocks.0"].values[:] = 0
    assert (tables.class_joint_relevance(nodes, EXPLAINED, maps, layer="blocks.0")[0] == 0).all()
    assert tables.class_joint_relevance(nodes, EXPLAINED, maps, layer="input") is None
    with pytest.raises(LayerNotFoundError, match=r"did you mean 'blocks\.1'"):
        tables.class_joint_relevance(nodes, EXPLAINED, maps, layer="block.1")


def test_relevance_by_limb_adds_up():
    nodes = recordings()
    table = tables.limb_relevance(nodes, EXPLAINED, relevance(nodes, EXPLAINED))
    assert table.columns.tolist() == ["title", "index", "limb", "share", "even"]
    assert list(dict.fromkeys(table["title"])) == ["layer 1", "layer 2"]
    limbs = nodes.layout.limbs
    assert table["limb"].tolist() == [*limbs, *limbs]
    first = table[table["index"] == 1].set_index("limb")["share"]
    for limb, members in limbs.items():
        assert first[limb] == pytest.approx(0.5 * (7 in members) + 0.5 * (0 in members))
    second = table[table["index"] == 2]
    np.testing.assert_allclose(second["share"], second["even"])
    assert second["even"].tolist() == [len(members) / 20 for members in limbs.values()]


def test_without_limbs_the_strongest_nodes_stand_for_them():
    edges = [(i, i + 1) for i in range(7)]
    layout = graph_layout("chain", edges, names=[f"n{i}" for i in range(8)])
    nodes = SequenceSet(np.zeros((2, 3, 8, 1)), labels=[0, 0], class_names=["only"], layout=layout)
    maps = relevance(nodes, [0, 1])
    table = tables.limb_relevance(nodes, [0, 1], maps)
    assert table["limb"].tolist() == 2 * ["n7", "n0", "n1", "n2", "n3"]
    assert table["share"].tolist()[:2] == [1, 0]
    assert set(table["even"]) == {1 / 8}


def test_areas_beside_random_maps():
    table = tables.faithfulness_table(evaluation(), unit="joints", mode="deletion")
    assert table.index.tolist() == ["layer 1", "layer 2"]
    assert table.loc["layer 1"].to_dict() == {
        "area": "0.200 (0.100 to 0.300)",
        "random maps": "0.500 (0.450 to 0.550)", "better by": "0.300 (0.200 to 0.400)",
        "motion energy": "0.300 (0.200 to 0.400)", "better than it by": "0.100 (0.000 to 0.200)",
    }  # fmt: skip
    assert table.loc["layer 2", "better than it by"] == "worse by 0.200 (worse by 0.100 to 0.300)"
    assert tables.faithfulness_table(evaluation(), unit="frames", mode="deletion").empty


def test_checks_and_arms():
    table = tables.checks_table(evaluation())
    assert table.index.tolist() == ["layer 2", "layer 1"]
    assert table.index.name == "layer"
    assert table.loc["layer 1"].to_dict() == {
        "two classes' maps correlate": "-0.25 (-0.50 to 0.00)", "under jitter": "-0.25 (-0.50 to 0.00)",
        "label smoothness of maps": "0.30 (0.20 to 0.40)", "of features": "0.10",
    }  # fmt: skip
    found = evaluation()
    alone = found.smoothness.drop(columns=[name for name in found.smoothness if name.startswith("features")])
    without = tables.checks_table(replace(found, smoothness=alone))
    assert without.equals(table.drop(columns="of features"))
    arms = tables.arms_table(evaluation())
    assert arms.index.tolist() == ["wave (right arm)", "throw (left arm)"]
    assert arms.columns.tolist() == ["1", "2", "of the joints"]
    assert arms.loc["wave (right arm)"].tolist() == ["25%", "50%", "20%"]
    assert tables.arms_table(evaluation(arms=False)) is None


# -- examples ----------------------------------------------------------------------------------


def test_main_graphs_are_those_of_the_main_curve():
    assert tables.main_graphs(geometry()) == {
        layer["name"]: (layer["name"], "trained", "other subjects") for layer in LAYERS
    }
    assert list(tables.main_graphs(geometry())) == [layer["name"] for layer in LAYERS]
    assert tables.main_graphs(geometry(subjects=False))["input"] == ("input", "trained", "all")


def test_the_pair_at_the_median_distance():
    nodes = recordings()
    distances = np.full((6, 6), 100.0)
    for pair, distance in {(0, 1): 3.0, (0, 2): 1.0, (1, 2): 5.0, (3, 4): 2.0, (3, 5): 4.0, (4, 5): 6.0}.items():
        distances[pair] = distances[pair[::-1]] = distance
    distances[0, 3] = distances[3, 0] = 3.5  # another class
    np.fill_diagonal(distances, 0)
    assert tables.example_pair(nodes, distances, groups=nodes.groups["subject"]) == (3, 5)
    assert tables.example_pair(nodes, distances, groups=[1, 1, 2, 1, 1, 1]) == (1, 2)
    assert tables.example_pair(nodes, distances) == (3, 5)
    one_of_two_classes = nodes.select([0, 3])
    assert tables.example_pair(one_of_two_classes, distances[:2, :2]) == (0, 1)
    with pytest.raises(SequenceError, match="no two nodes may be neighbours"):
        tables.example_pair(nodes, distances, groups=np.ones(6))


def test_an_alignment_fits_its_figure():
    nodes = recordings().select(range(5))
    store = record(TinyNetwork(classes=2), nodes)
    options = DTWOptions(window=3, band=4)
    found = tables.alignment((1, 3), store["blocks.2"], nodes=nodes, options=options)
    np.testing.assert_array_equal(found["x"], store["blocks.2"].sequence(1))
    np.testing.assert_array_equal(found["y"], store["blocks.2"].sequence(3))
    assert found["names"] == ["b (wave)", "d (kick)"]
    assert (found["title"], found["temporal_stride"]) == ("layer 3", 2)
    assert found["options"]["window"] == 3
    assert dtw_alignment(**found).axes


def test_best_middle_and_worst_node():
    assert tables.example_nodes(geometry(), layer="blocks.0") == [4, 5, 0]
    with pytest.raises(LayerNotFoundError, match="did you mean 'input'"):
        tables.example_nodes(geometry(), layer="inputs")


def test_examples_are_spread_over_the_classes():
    nodes = recordings()
    maps = relevance(nodes, EXPLAINED)
    examples = tables.example_maps(nodes, EXPLAINED, maps, count=2)
    assert [title for title, _, _ in examples] == ["a: wave, explained as wave", "f: kick, explained as kick"]
    np.testing.assert_array_equal(examples[1][1], nodes.coords[5])  # both people
    assert examples[0][2] == maps[0]
    assert len(tables.example_maps(nodes, EXPLAINED, maps, count=9)) == 4
    one = tables.layer_maps(examples, layer="blocks.1")
    assert [list(each) for _, _, each in one] == [["blocks.1"], ["blocks.1"]]
    assert one[1][2]["blocks.1"] is maps[3]["blocks.1"]
    assert tables.layer_maps(examples, layer="input") == []
    with pytest.raises(LayerNotFoundError, match=r"no map of layer 'blocks\.7'"):
        tables.layer_maps(examples, layer="blocks.7")


def test_the_most_and_the_least_typical_recording():
    nodes = recordings()
    explained = [0, 1, 2, 3, 4, 5]
    maps = relevance(nodes, explained)
    place = np.array([0.0, 0.1, 0.2, 0.0, 0.1, 5.0])  # the kicks differ more
    distances = np.abs(place[:, None] - place)
    most, least = tables.extremes(nodes, explained, maps, layer="blocks.0", distances=distances)
    assert most[0] == "Most typical kick: e, mean distance 2.5"
    assert least[0] == "Least typical kick: f, mean distance 4.95"
    assert least[2] == {"blocks.0": maps[5]["blocks.0"]}
    np.testing.assert_array_equal(most[1], nodes.people(4))
    # With two kicks only, the waves are left; the distances are those of the nodes, not of the first rows.
    some = [0, 1, 2, 4, 5]
    most, least = tables.extremes(nodes, some, relevance(nodes, some), layer="blocks.0", distances=distances)
    assert most[0] == "Most typical wave: b, mean distance 0.1"
    assert tables.extremes(nodes, [0, 1, 3], maps, layer="blocks.0", distances=distances) == []


def test_a_recording_plays_beside_the_nearest_of_another_subject():
    nodes = recordings().select(range(5))
    store, explained = record(TinyNetwork(classes=2), nodes), [0, 2, 3, 4]
    maps = relevance(nodes, explained)
    distances = np.full((5, 5), 9, dtype=np.float32)
    distances[3] = distances[:, 3] = [1, 0, 3, 0, 2]
    np.fill_diagonal(distances, 0)
    chosen = {"distances": distances, "options": DTWOptions(window=3)}
    player = neighbor_player(nodes, explained, maps, activations=store["blocks.0"], **chosen)
    assert [body["title"] for body in player.content["bodies"]] == ["d: kick", "a: wave"]  # 1 has no map
    assert player.content["layers"] == ["layer 1"]
    other = neighbor_player(
        nodes, explained, maps, activations=store["blocks.1"], groups=nodes.groups["subject"], every_map=True, **chosen
    )
    assert [body["title"] for body in other.content["bodies"]] == ["d: kick", "e: kick"]  # a is of the same subject
    assert other.content["layers"] == ["layer 1", "layer 2"]
    path = other.content["path"]
    assert (path[0].tolist(), path[-1].tolist()) == ([0, 0], [6, 7])
    plain = neighbor_player(nodes, explained, maps, activations=store["input"], every_map=True, **chosen)
    assert plain.content["layers"] == []
    assert json.dumps(embedded(plain.content))


def test_what_has_no_positions_is_not_played():
    flat = SequenceSet(np.ones((2, 3, 20, 1)), layout=replace(layout("kinect-v1"), dimensions=1))
    store = record(TinyNetwork(channels=1), flat)
    found = neighbor_player(
        flat, [0, 1], relevance(flat, [0, 1]), activations=store["input"], distances=np.zeros((2, 2)),
        options=DTWOptions(),
    )  # fmt: skip
    assert found is None
