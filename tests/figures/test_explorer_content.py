"""What an explorer is given: the graph's own numbers, in arrays that a browser reads."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stgcnlib.demo import demo_sequences
from stgcnlib.errors import GraphError
from stgcnlib.figures import layer_maps
from stgcnlib.figures.explorer import explorer_content, map_content
from stgcnlib.figures.explorer_columns import UNKNOWN
from stgcnlib.figures.live import split
from stgcnlib.geometry import LayerGeometry, aligned_planes, layer_geometry, neighbor_flips
from stgcnlib.sequences import SequenceSet

LAYERS = ("input", "middle", "last")


@pytest.fixture(scope="module")
def nodes() -> SequenceSet:
    return demo_sequences(subjects=4, repeats=1)


@pytest.fixture(scope="module")
def distances(nodes: SequenceSet) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    points = [rng.normal(size=(len(nodes), 3)) + k * nodes.labels[:, None] for k in range(3)]
    return {layer: np.linalg.norm(x[:, None] - x[None], axis=2) for layer, x in zip(LAYERS, points, strict=True)}


class Layers:
    """As much of a layer store as geometry asks for, when distances are given."""

    layers = LAYERS

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, index=LAYERS.index(name), title=f"the {name}")


@pytest.fixture(scope="module")
def geometry(nodes: SequenceSet, distances: dict[str, NDArray[np.float64]]) -> LayerGeometry:
    return layer_geometry(
        {"trained": Layers()}, labels=nodes.labels, class_names=nodes.class_names, groups=nodes.groups["subject"],
        distances={"trained": distances}, k=6, permutations=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recordings(nodes: SequenceSet) -> pd.DataFrame:
    predicted = np.where(np.arange(len(nodes)) % 5 == 0, (nodes.labels + 1) % len(nodes.class_names), nodes.labels)
    return pd.DataFrame({
        "node": np.arange(len(nodes)), "name": nodes.names, "label": nodes.labels, "predicted": predicted,
        "margin": np.linspace(0, 1, len(nodes)), "room": ["a", None] * (len(nodes) // 2),
    })  # fmt: skip


def test_edges_are_each_nodes_own_neighbours_and_weights(geometry, distances):
    content = map_content(geometry, aligned_planes(distances))
    starts, ends, weights = (content["edges"][name] for name in ("starts", "ends", "weights"))
    assert starts.dtype == ends.dtype == np.uint32
    for k, layer in enumerate(LAYERS):
        graph = geometry.graphs[(layer, "trained", geometry.neighbours)]
        for i in range(len(graph)):
            edges = slice(starts[k, i], starts[k, i + 1])
            found = dict(zip(ends[edges].tolist(), weights[edges].tolist(), strict=True))
            wanted = {int(j): w for j, w in zip(graph.candidates[i], graph.weights[i], strict=True) if w > 0}
            assert found == pytest.approx(wanted, rel=1e-6)
    assert starts[-1, -1] == len(ends) == len(weights)


def test_numbers_are_those_of_the_geometry(geometry, distances):
    planes = aligned_planes(distances)
    content = map_content(geometry, planes, key="mine", title="my network", study="s")
    assert (content["key"], content["title"], content["study"]) == ("mine", "my network", "s")
    assert [layer["name"] for layer in content["layers"]] == list(LAYERS)
    np.testing.assert_array_equal(content["points"][1], planes["middle"])
    np.testing.assert_allclose(content["smoothness"], geometry.node_values("trained"), rtol=1e-6)
    np.testing.assert_allclose(content["curve"], geometry.curve()["smoothness"], rtol=1e-6)
    rows = geometry.per_class[(geometry.per_class["layer"] == "last") & (geometry.per_class["class_index"] == 2)]
    assert content["classes"][2, 2] == pytest.approx(float(rows["smoothness"].iloc[0]))


def test_recordings_can_be_coloured_by_all_that_is_known_of_them(nodes, geometry, recordings, distances):
    suspects = pd.DataFrame({"node": [3, 1], "score": [2.0, 0.5], "agreeing": [1, 0], "verdict": ["most", ""]})
    content = explorer_content(
        nodes, geometry, [map_content(geometry, aligned_planes(distances))], recordings=recordings,
        findings={"suspects": suspects.assign(name="x", class_name="y", alternative_name="z", layers=2)},
    )  # fmt: skip
    assert [item["nodes"] for item in content["lists"][0]["items"]] == [[3]]  # the other is not doubtful
    categories = {each["title"]: each for each in content["nodes"]["categories"]}
    assert list(categories)[:3] == ["class", "predicted class", "prediction"]
    assert {"subject", "room"} <= set(categories)
    assert [categories["class"]["values"][c] for c in categories["class"]["codes"]] == [
        nodes.class_names[label] for label in nodes.labels
    ]
    wrong = categories["prediction"]["codes"] == categories["prediction"]["values"].index("wrong")
    np.testing.assert_array_equal(wrong, recordings["predicted"] != recordings["label"])
    assert set(categories["room"]["codes"].tolist()) == {0, UNKNOWN}
    assert content["nodes"]["apart"] == "group subject"  # whose members are no neighbours of each other
    numbers = {each["title"]: each["values"] for each in content["nodes"]["numbers"]}
    np.testing.assert_array_equal(numbers["frames"], nodes.lengths)
    assert numbers["suspect score"][3] == 2
    assert np.isnan(numbers["suspect score"][0])
    assert numbers["margin"][-1] == 1


def test_classes_that_mix_more_than_by_chance_are_a_way_in(nodes, geometry, recordings, distances):
    pair = {"class_index": 0, "class_name": "a", "chance": 0.1, "title": "the last"}
    table = pd.DataFrame([
        {**pair, "other_index": 1, "other_name": "b", "share": 0.15, "index": 2},
        {**pair, "other_index": 1, "other_name": "b", "share": 0.3, "index": 0},  # in the earlier half
        {**pair, "other_index": 2, "other_name": "c", "share": 0.09, "index": 2},  # less than by chance
        {**pair, "other_index": 0, "other_name": "a", "share": 0.5, "index": 2},  # its own
    ])  # fmt: skip
    first = map_content(geometry, aligned_planes(distances))
    content = explorer_content(nodes, geometry, [first], findings={"class_confusions": table})
    (mixed,) = [each["items"] for each in content["lists"] if each["key"] == "confusions"]
    assert [item["text"] for item in mixed] == ["a: 15% of its neighbourhood (by chance 10%) is b at the last"]
    assert sorted(mixed[0]["nodes"]) == np.flatnonzero(np.isin(nodes.labels, [0, 1])).tolist()


def test_ways_in_lead_to_places_where_some_blocks_were_recorded(nodes, geometry, distances):
    """Layers of index 0, 4 and 10 are those at places 0, 1 and 2 of a map."""
    numbers = {0: 0, 1: 4, 2: 10}
    tables = {name: getattr(geometry, name) for name in ("table", "per_class", "per_node")}
    some = replace(geometry, **{name: each.assign(index=each["index"].map(numbers)) for name, each in tables.items()})
    pair = {"class_index": 0, "class_name": "a", "other_index": 1, "other_name": "b", "chance": 0.1, "title": "t"}
    mixed = pd.DataFrame([{**pair, "share": 0.3, "index": 10}, {**pair, "share": 0.2, "index": 0}])
    maps = [map_content(some, aligned_planes(distances))]
    content = explorer_content(nodes, some, maps, findings={"class_confusions": mixed})
    lists = {each["key"]: each["items"] for each in content["lists"]}
    assert [item["layer"] for item in lists["confusions"]] == [2]
    plain = explorer_content(nodes, geometry, [map_content(geometry, aligned_planes(distances))])["lists"]
    assert lists["classes"] == next(each["items"] for each in plain if each["key"] == "classes")
    assert {item["layer"] for item in lists["classes"]} == {2}
    earlier = mixed.assign(index=[4, 0]).iloc[:1]
    content = explorer_content(nodes, some, maps, findings={"class_confusions": earlier})
    assert [each["items"][0]["layer"] for each in content["lists"] if each["key"] == "confusions"] == [1]


def test_ways_in_name_the_recordings_that_they_lead_to(nodes, geometry, recordings, distances):
    content = explorer_content(
        nodes, geometry, [map_content(geometry, aligned_planes(distances))], recordings=recordings
    )
    lists = {each["key"]: each["items"] for each in content["lists"]}
    assert "suspects" not in lists
    wrong = sorted(node for item in lists["predictions"] for node in item["nodes"])
    assert wrong == np.flatnonzero(recordings["predicted"] != recordings["label"]).tolist()
    graphs = [geometry.graphs[(layer, "trained", geometry.neighbours)] for layer in LAYERS]
    assert [item["to"] for item in lists["flips"]] == [1, 1, 2, 2]
    first = lists["flips"][2]
    assert first["text"].startswith("the middle to the last: ")
    changed = neighbor_flips(graphs[first["from"]], graphs[first["to"]]).changed[first["nodes"]].mean()
    assert f"{changed:.0%}" in first["text"]
    assert set(nodes.labels[first["nodes"]].tolist()) == {int(nodes.labels[first["nodes"][0]])}
    least = lists["classes"][0]
    assert nodes.class_names[nodes.labels[least["nodes"][0]]] in least["text"]


def test_an_explorer_is_told_whose_smoothness_it_shows(nodes, geometry, distances):
    maps = [map_content(geometry, aligned_planes(distances))]
    assert explorer_content(nodes, geometry, maps)["measured"] == "label"
    real = replace(geometry, targets=np.zeros((len(nodes), 1)), target_names=("load",))
    assert explorer_content(nodes, real, maps)["measured"] == "target"


def test_poses_are_moments_of_each_recording(nodes, geometry, distances):
    content = layer_maps(nodes, geometry, aligned_planes(distances)).content
    poses = content["poses"]
    points = poses["points"].astype(np.float64) * poses["unit"]
    assert points.shape == (len(nodes), 1, poses["frames"], len(nodes.layout), 3)
    i = 4
    body, moments = nodes.people(i)[0], np.linspace(0, nodes.lengths[i] - 1, poses["frames"]).round().astype(int)
    pairs = [(0, 3), (5, 9), (2, 14)]
    for v, w in pairs:  # turning and centring keep distances
        wanted = np.linalg.norm(body[moments, v] - body[moments, w], axis=-1)
        np.testing.assert_allclose(np.linalg.norm(points[i, 0, :, v] - points[i, 0, :, w], axis=-1), wanted, atol=1e-3)
    assert layer_maps(nodes, geometry, aligned_planes(distances), poses=False).content["poses"] is None


def test_a_figure_has_a_picture_and_arrays_that_browsers_read(nodes, geometry, recordings, distances):
    figure = layer_maps(nodes, geometry, aligned_planes(distances), recordings=recordings, title="demo")
    assert figure.picture.startswith(b"\x89PNG")
    assert figure.alt == f"Maps of 3 layers, {len(nodes)} recordings of demo."
    assert sum(map(len, split(figure.content)[1])) > 1000


def test_what_does_not_fit_is_refused(nodes, geometry, distances):
    planes = aligned_planes(distances)
    with pytest.raises(GraphError, match="layer 'last' has no plane"):
        map_content(geometry, {name: planes[name] for name in LAYERS[:2]})
    with pytest.raises(GraphError, match="the set has 3"):
        explorer_content(nodes.select([0, 1, 2]), geometry, [map_content(geometry, planes)])


def many_edges(nodes, geometry, most: int):
    """The graph's edges as a page holds them, and as a map of all does: node -> {neighbour: weight}, layer by layer."""
    planes = {layer: np.zeros((len(nodes), 2)) for layer in geometry.curve()["layer"]}
    found = []
    for content in (map_content(geometry, planes, most=most), map_content(geometry, planes)):
        edges = content["edges"]
        found.append(
            [
                [dict(zip(edges["ends"][a:b], edges["weights"][a:b], strict=True)) for a, b in pairwise(starts)]
                for starts in edges["starts"]
            ]
        )
    return found


def test_a_page_holds_the_heaviest_edges_of_each_recording(nodes, geometry):
    few, every = many_edges(nodes, geometry, 2)
    for kept, whole in zip(chain.from_iterable(few), chain.from_iterable(every), strict=True):
        assert len(kept) == min(2, len(whole))
        assert kept.items() <= whole.items()
        assert min(kept.values()) >= sorted(whole.values())[-len(kept)]


def test_a_page_says_what_it_leaves_out(nodes, geometry, distances, monkeypatch):
    planes = aligned_planes(distances)
    assert layer_maps(nodes, geometry, planes).content["note"] == ""
    monkeypatch.setattr("stgcnlib.figures.explorer._EDGES", 0)
    content = layer_maps(nodes, geometry, planes).content
    assert "edges but the 3 heaviest of each recording at a layer; the workbench shows them" in content["note"]
    assert content["poses"] is not None
    monkeypatch.setattr("stgcnlib.figures.explorer._MOST_POSED", len(nodes) - 1)
    content = layer_maps(nodes, geometry, planes).content
    assert "heaviest of each recording at a layer and poses; the workbench" in content["note"]
    assert content["poses"] is None
    assert "poses" not in layer_maps(nodes, geometry, planes, poses=False).content["note"]  # none were asked for
