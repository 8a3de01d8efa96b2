"""network_likeness: its table against the single functions, and what it says of networks that are alike or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from geometry_world import Store, World, world

from stgcnlib.errors import GraphError
from stgcnlib.geometry import (
    LayerGeometry,
    debiased_cka,
    graph_similarity,
    layer_geometry,
    layer_statistics,
    neighbourhood_overlap,
    network_likeness,
    pooled_features,
)
from stgcnlib.geometry.readout import gram
from stgcnlib.geometry.statistics import BETWEEN

STRENGTHS = [0.4, 1.2, 2.0]


def turned(of: World) -> World:
    """The same world seen in other axes and another unit: other features, the same arrangement."""
    axes = np.linalg.qr(np.random.default_rng(5).normal(size=(6, 6)))[0]
    points = [3.0 * of.store[name].points @ axes for name in of.store.layers]
    return World(points, of.labels, of.groups)


def measured(worlds: dict[str, World]) -> tuple[dict[str, Store], LayerGeometry, dict[str, Any]]:
    stores = {name: each.store for name, each in worlds.items()}
    distances = {name: each.distances for name, each in worlds.items()}
    first = next(iter(worlds.values()))
    options: dict[str, Any] = {"groups": first.groups, "k": 10, "permutations": 5, "distances": distances}
    return stores, layer_geometry(stores, first.labels, **options), distances


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    base = world(STRENGTHS)
    noise = [np.random.default_rng(9 + i).normal(size=(len(base.labels), 6)) for i in range(3)]
    return {"base": base, "turned": turned(base), "noise": World(noise, base.labels, base.groups)}


@pytest.fixture(scope="module")
def found(worlds: dict[str, World]) -> pd.DataFrame:
    stores, geometry, distances = measured(worlds)
    return network_likeness(stores, geometry, distances=distances)


def rows(found: pd.DataFrame, network: str, statistic: str) -> pd.DataFrame:
    return found[(found["network"] == network) & (found["statistic"] == statistic)]


def test_there_is_one_row_per_pair_of_layers_measure_and_other_network(found: pd.DataFrame) -> None:
    assert len(found) == 2 * len(BETWEEN) * 9
    assert not found.duplicated(["network", "statistic", "first", "second"]).any()
    assert set(found["base"]) == {"base"}
    assert list(found["network"].unique()) == ["turned", "noise"]


@pytest.mark.parametrize("statistic", list(BETWEEN))
def test_rotated_and_scaled_features_are_the_same(found: pd.DataFrame, statistic: str) -> None:
    mine = rows(found, "turned", statistic)
    assert mine[mine["first"] == mine["second"]]["value"].to_numpy() == pytest.approx(1.0, abs=1e-6)


def test_unrelated_features_are_alike_by_chance_only(found: pd.DataFrame) -> None:
    for statistic in ("knn_overlap", "cka"):
        mine = rows(found, "noise", statistic)
        assert (mine["value"] - mine["chance"]).abs().max() < 0.06


def test_values_are_those_of_the_single_functions(worlds: dict[str, World]) -> None:
    pair = {"trained": world(STRENGTHS), "other": world(STRENGTHS[::-1], seed=3)}
    stores, geometry, distances = measured(pair)
    found = network_likeness(stores, geometry, distances=distances)
    a, b = geometry.graphs["block.1", "trained", "other subjects"], geometry.graphs["input", "other", "other subjects"]
    grams = [gram(pooled_features(stores[name][layer])) for name, layer in (("trained", "block.1"), ("other", "input"))]
    here = found[(found["first"] == "block.1") & (found["second"] == "input")].set_index("statistic")["value"]
    assert here["cka"] == pytest.approx(debiased_cka(*grams))
    assert here["graph_similarity"] == pytest.approx(graph_similarity(a, b).mean())
    assert here["nnk_overlap"] == pytest.approx(neighbourhood_overlap(a, b).mean())
    assert here["knn_overlap"] == pytest.approx(neighbourhood_overlap(a, b, of="candidates").mean())


def test_a_network_beside_itself_shows_what_is_between_its_own_layers(worlds: dict[str, World]) -> None:
    base = worlds["base"]
    stores, geometry, distances = measured({"trained": base, "again": base})
    found = network_likeness(stores, geometry, distances=distances)
    own = layer_statistics(base.store, geometry, distances=base.distances).pairs
    columns = ["statistic", "first", "second", "value", "low", "high", "chance"]
    order = ["statistic", "first", "second"]
    pd.testing.assert_frame_equal(
        found[columns].sort_values(order, ignore_index=True), own[columns].sort_values(order, ignore_index=True)
    )


def test_another_base_turns_rows_and_columns(worlds: dict[str, World]) -> None:
    stores, geometry, distances = measured({name: worlds[name] for name in ("base", "noise")})
    forth, back = (network_likeness(stores, geometry, distances=distances, base=name) for name in ("base", "noise"))
    matrices = [rows(t, n, "cka").pivot(index="first", columns="second", values="value")
                for t, n in ((forth, "noise"), (back, "base"))]  # fmt: skip
    assert matrices[0].to_numpy() == pytest.approx(matrices[1].to_numpy().T)


def test_what_does_not_fit_is_named(worlds: dict[str, World]) -> None:
    stores, geometry, distances = measured({name: worlds[name] for name in ("base", "noise")})
    with pytest.raises(GraphError, match="two or more"):
        network_likeness({"base": stores["base"]}, geometry, distances=distances)
    with pytest.raises(GraphError, match="'bse' is unknown"):
        network_likeness(stores, geometry, distances=distances, base="bse")
    with pytest.raises(GraphError, match=r"distances of 'noise' lack .*input"):
        network_likeness(stores, geometry, distances={"base": distances["base"]})
    more, further = stores | {"third": stores["base"]}, distances | {"third": distances["base"]}
    with pytest.raises(GraphError, match="no graphs of 'third'"):
        network_likeness(more, geometry, distances=further)
