"""layer_geometry on planted clusters whose classes part with depth, or do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from geometry_world import world
from planted_layers import CLASSES, FALLING, LABELS, PEOPLE, UNTRAINED, Layers, measure, planted

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError, LayerNotFoundError
from stgcnlib.geometry import (
    LayerGeometry,
    label_smoothness,
    layer_geometry,
    merge_geometries,
    smoothness_floor,
)


@pytest.fixture(scope="module")
def falling() -> LayerGeometry:
    return measure(FALLING)


def test_table(falling: LayerGeometry) -> None:
    table = falling.table
    assert list(table.columns) == [
        *("layer", "index", "title", "network", "neighbours", "smoothness", "low", "high", "null_mean", "null_low"),
        *("null_high", "floor", "rescaled", "rmse", "knn_smoothness", "neighbor_count", "kkt_residual", "sigma", "n"),
    ]
    assert len(table) == 6 * 3  # "all" of the trained network too
    assert not table.duplicated(["layer", "network", "neighbours"]).any()
    assert (table["low"] <= table["smoothness"]).all()
    assert (table["smoothness"] <= table["high"]).all()
    assert (table["kkt_residual"] < 1e-6).all()
    assert table["null_mean"].between(0.7, 0.9).all()
    assert table["title"].unique().tolist() == ["input", *(f"layer {i}" for i in range(1, 6))]
    main = falling.curve()
    assert main["smoothness"].iloc[-1] < main["smoothness"].iloc[0] - 0.2
    assert falling.curve("untrained")["smoothness"].iloc[-1] > main["smoothness"].iloc[-1] + 0.2


def test_tables_agree_with_each_other_and_the_graphs(falling: LayerGeometry) -> None:
    keys = ["layer", "network", "neighbours"]
    table = falling.table.set_index(keys)
    nodes = falling.per_node.groupby(keys)[["smoothness", "neighbor_count"]].mean()
    np.testing.assert_allclose(nodes["smoothness"].loc[table.index], table["smoothness"])
    np.testing.assert_allclose(nodes["neighbor_count"].loc[table.index], table["neighbor_count"])
    classes = falling.per_class
    assert len(classes) == len(table) * CLASSES
    weighted = (classes["smoothness"] * classes["n"]).groupby([classes[k] for k in keys]).sum() / len(LABELS)
    np.testing.assert_allclose(weighted.loc[table.index], table["smoothness"])
    for key, graph in falling.graphs.items():
        assert label_smoothness(graph, LABELS) == pytest.approx(table.loc[key, "smoothness"])
        own = PEOPLE[graph.candidates] == PEOPLE[:, None]
        assert own.any() == (key[2] == "all")


def test_floor_and_rescaled_smoothness() -> None:
    """15 of a class are by other people: K = 12 has no floor. Of a fifth of a class there are 3: the floor is high."""
    suited = measure([0.4, 1.6], None)
    assert (suited.table["floor"] == 0).all()
    np.testing.assert_allclose(suited.table["rescaled"], suited.table["smoothness"] / suited.table["null_mean"])
    fifths = LABELS * 5 + np.tile(np.arange(5), 20)
    crowded = layer_geometry(
        Layers(1), fifths, distances={"trained": planted([0.4, 1.6])}, groups=PEOPLE, k=12, permutations=50
    )
    for key, floor in crowded.table.set_index(["layer", "network", "neighbours"])["floor"].items():
        graph, exclude = crowded.graphs[key], PEOPLE if key[2] != "all" else None
        assert floor == pytest.approx(smoothness_floor(graph, fifths, exclude).mean())
    table = crowded.table
    assert table["floor"].min() > 0.1
    expected = (table["smoothness"] - table["floor"]) / (table["null_mean"] - table["floor"])
    np.testing.assert_allclose(table["rescaled"], expected)


def test_k_by_default_suits_the_recordings() -> None:
    """20 recordings of each class, 5 of them by each person."""
    assert measure([0.4, 1.6], None, k=None).settings["k"] == 15
    assert measure([0.4, 1.6], None, k=None, groups=None).settings["k"] == 19


def test_same_person_neighbours_show_identity(falling: LayerGeometry) -> None:
    everyone, others = falling.curve(neighbours="all"), falling.curve()
    assert falling.neighbours == "other subjects"
    own = falling.graphs[("input", "trained", "all")]
    share = (PEOPLE[own.candidates] == PEOPLE[:, None])[own.weights > 0].mean()
    assert share > 0.4  # most of what "all" counts at the input is the person, 24% by chance
    assert len(everyone) == len(others) == 6


def test_without_subjects(tmp_path: Path) -> None:
    geometry = measure(FALLING, groups=None)
    assert geometry.table["neighbours"].unique().tolist() == ["all"]
    assert geometry.jackknife.count == 20  # random parts of the recordings
    geometry.save(tmp_path / "g")
    assert LayerGeometry.load(tmp_path / "g").groups is None


def test_save_and_load(falling: LayerGeometry, tmp_path: Path) -> None:
    falling.save(tmp_path / "geometry")
    again = LayerGeometry.load(tmp_path / "geometry")
    for name in ("table", "per_class", "per_node"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(falling, name), check_dtype=False)
    for key, values in falling.left_out.items():
        np.testing.assert_array_equal(again.left_out[key], values)
    assert again.graphs.keys() == falling.graphs.keys()
    key = ("block.4", "trained", "other subjects")
    np.testing.assert_array_equal(again.graphs[key].weights, falling.graphs[key].weights)
    assert [path.name for path in tmp_path.iterdir()] == ["geometry"]
    (tmp_path / "geometry" / "nodes.npz").unlink()
    with pytest.raises(GraphError, match=r"no complete LayerGeometry.*nodes.npz"):
        LayerGeometry.load(tmp_path / "geometry")


def test_fixed_width_and_published_modes() -> None:
    geometry = measure(FALLING[:3], None, sigma=1, solver="pynnk", symmetrize="pynnk")
    assert (geometry.table["sigma"] == 1).all()
    assert geometry.table["smoothness"].between(0, 1).all()
    assert geometry.settings["solver"] == "pynnk"


def test_same_seed_same_numbers() -> None:
    first, second = measure(FALLING[:3], seed=4), measure(FALLING[:3], seed=4)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_class_names() -> None:
    names = ["a", "b", "c", "d", "e", "unused"]
    table = measure(FALLING[:3], None, class_names=names).per_class
    assert table["class_name"].unique().tolist() == names[:5]
    with pytest.raises(GraphError, match="class_names has 2 names"):
        measure(FALLING[:3], None, class_names=names[:2])


class Activations(list[np.ndarray]):
    """A list of sequences that knows which layer it is."""

    def __init__(self, sequences: list[np.ndarray], layer: SimpleNamespace) -> None:
        super().__init__(sequences)
        self.index, self.title = layer.index, layer.title


def test_distances_are_computed_where_they_are_not_given() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(6 + i % 3, 2)) for i in range(10)]

    class Store(Layers):
        def __getitem__(self, name: str) -> Activations:
            return Activations(sequences if name == "input" else [], super().__getitem__(name))

    from stgcnlib.dtw import dtw_distances

    given = {"block.0": dtw_distances(sequences, window=3)}
    geometry = layer_geometry(
        Store(1), np.arange(10) % 2, distances={"trained": given}, k=3, dtw={"window": 3}, permutations=5
    )
    first, second = geometry.curve()["smoothness"]
    assert first == pytest.approx(second)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 90}, GraphError, "k=90, but node 0 has only 75"),
        ({"groups": ["ann"]}, GraphError, r"groups have shape \(1,\)"),
        ({"permutations": 0}, GraphError, "permutations=0"),
        ({"confidence": 2.0}, GraphError, "confidence=2"),
    ],
)
def test_bad_input(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measure(FALLING[:3], None, **options)


def test_missing_or_misshapen_distances() -> None:
    with pytest.raises(LayerNotFoundError, match=r"distances of 'untrained' lack 'block.1'"):
        measure(FALLING[:3], UNTRAINED[:2])
    small = dict.fromkeys(("input", "block.0"), np.zeros((3, 3)))
    with pytest.raises(GraphError, match=r"'input' \(trained\) have shape \(3, 3\)"):
        layer_geometry(Layers(1), LABELS, distances={"trained": small}, k=1)


@pytest.mark.parametrize("distances", [{"input": np.zeros((6, 6))}, [np.zeros((6, 6))]])
def test_distances_by_layer_alone_are_told_from_those_by_network(distances: Any) -> None:
    with pytest.raises(GraphError, match=r"where a network's layers belong|distances: a list.*by network, then"):
        layer_geometry(Layers(1), LABELS, distances=distances, k=1)


def test_graphs_are_made_anew_without_each_subject(falling: LayerGeometry) -> None:
    distances, key = planted(FALLING)["block.3"], ("block.3", "trained", "other subjects")
    for part in range(4):
        keep = np.flatnonzero(falling.parts != part)
        graph = nnk_graph(distances[np.ix_(keep, keep)], k=12, exclude=PEOPLE[keep])
        expected = label_smoothness(graph, LABELS[keep], per="node")
        np.testing.assert_array_equal(falling.left_out[key][part, keep], expected)
        assert np.isnan(falling.left_out[key][part, falling.parts == part]).all()
    row = falling.curve().set_index("layer").loc["block.3"]
    found = falling.contrast({"trained": np.eye(6)[4]})
    assert (found.value, found.low, found.high) == pytest.approx((row["smoothness"], row["low"], row["high"]))


def test_k_is_lowered_where_a_part_takes_the_candidates() -> None:
    few = np.flatnonzero(np.isin(PEOPLE, ["ann", "bo"]))
    distances = {name: matrix[np.ix_(few, few)] for name, matrix in planted(FALLING[:3]).items()}
    geometry = layer_geometry(Layers(2), LABELS[few], groups=PEOPLE[few], distances={"trained": distances}, k=20)
    assert geometry.curve()["low"].isna().all()  # without one of two people nobody else is left
    assert geometry.curve(neighbours="all")["low"].notna().all()


def test_networks_of_a_kind_and_their_mean() -> None:
    curves = {"trained": FALLING, "trained-2": [0.5] * 6, "untrained": UNTRAINED, "untrained-2": [0.3] * 6}
    parts = [
        layer_geometry(
            {name: Layers(5)}, LABELS, groups=PEOPLE, k=12, permutations=5, distances={name: planted(values)}
        )
        for name, values in curves.items()
    ]
    merged = merge_geometries(parts)
    assert merged.networks("trained") == ["trained", "trained-2"]
    assert merged.networks() == list(curves)
    mean = merged.mean_curve("untrained")
    each = np.stack([merged.curve(name)["smoothness"] for name in ("untrained", "untrained-2")])
    np.testing.assert_allclose(mean["smoothness"], each.mean(axis=0))
    np.testing.assert_allclose(mean[["least", "most"]].to_numpy().T, [each.min(axis=0), each.max(axis=0)])
    assert (mean["networks"] == 2).all()
    assert merged.mean_curve("initial").empty
    alone = parts[0].mean_curve()
    pd.testing.assert_frame_equal(alone[["smoothness", "low", "high"]], parts[0].curve()[["smoothness", "low", "high"]])
    with pytest.raises(GraphError, match="occurs twice"):
        merge_geometries([parts[0], parts[0]])
    with pytest.raises(GraphError, match="no network 'initial'"):
        merged.contrast({"initial": np.ones(6)})


def test_the_error_of_a_set_does_not_depend_on_names_of_classes_that_do_not_occur() -> None:
    found = world([0.5, 1.0], classes=3)
    few = found.geometry(class_names=["a", "b", "c"]).table["rmse"]
    many = found.geometry(labels=2 * found.labels, class_names=list("abcdefgh")).table["rmse"]
    assert few.tolist() == pytest.approx(many.tolist())
