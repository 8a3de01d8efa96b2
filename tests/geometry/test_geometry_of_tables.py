"""What is measured from tables of neighbours is what all pairs give, and nothing N x N is made on the way."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from geometry_world import World, world

from stgcnlib.dsgraph import knn_graph, nnk_graph
from stgcnlib.dsgraph.asking import ask_for_graphs
from stgcnlib.dtw import LayerDistances, NeighborTable, needed_reach
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.errors import GraphError
from stgcnlib.geometry import (
    class_confusions,
    label_smoothness,
    layer_geometry,
    layer_statistics,
    permutation_null,
    sensitivity,
)
from stgcnlib.geometry.layers import TRAINED
from stgcnlib.geometry.measure import values_without
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups

K = 6


def table_of(matrix: np.ndarray, reach: int, groups: np.ndarray | None) -> NeighborTable:
    barred = np.eye(len(matrix), dtype=bool) if groups is None else groups[:, None] == groups
    order = np.argsort(np.where(barred, np.inf, matrix), axis=1, kind="stable")[:, :reach]
    return NeighborTable(order, np.take_along_axis(matrix, order, axis=1))


def tables_of(
    matrix: np.ndarray, groups: np.ndarray | None, parts: np.ndarray, k: int = K, *, everyone: bool = True
) -> LayerDistances:
    """As a search leaves them: tables that reach far enough, and the distances that graphs ask for."""
    pairs = KnownPairs(len(matrix))
    tables = []
    for barred in [groups, None] if everyone and groups is not None else [groups]:
        whole = table_of(matrix, len(matrix) - 30, barred)
        tables.append(table_of(matrix, int(needed_reach(whole.indices, parts, k).max()), barred))

    def fill(wanted: np.ndarray) -> None:
        pairs.add(*wanted.T, matrix[wanted[:, 0], wanted[:, 1]])

    second = tables[1] if len(tables) > 1 else None
    known = LayerDistances.of_table(tables[0], pairs, exclude=groups, everyone=second, fill=fill)
    for barred in [groups, None] if everyone else [groups]:
        ask_for_graphs(known, k, exclude=barred, parts=parts)
    return known


@pytest.fixture(scope="module")
def made() -> World:
    found = world([0.4, 1.0, 2.0], repeats=6)
    found.distances = {name: matrix.astype(np.float32) for name, matrix in found.distances.items()}
    return found


@pytest.fixture(scope="module", params=["groups", "recordings"])
def both(request: pytest.FixtureRequest, made: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Distances of a network by all pairs and by tables that were kept on disk, and the groups."""
    groups = made.groups if request.param == "groups" else None
    parts = deletion_groups(len(made.labels), groups=groups, seed=0)
    folder = tmp_path_factory.mktemp("tables")
    tables = {}
    for name, matrix in made.distances.items():
        tables_of(matrix, groups, parts).save(folder / f"{name}.npz")
        tables[name] = LayerDistances.load(folder / f"{name}.npz")
        assert not tables[name].complete
        assert tables[name].fill is None
    return {"groups": groups, "all": made.distances, "tables": tables}


def geometries(made: World, both: dict[str, Any]) -> list[Any]:
    return [
        made.geometry(distances={TRAINED: both[kind], "untrained": both[kind]}, groups=both["groups"], k=K)
        for kind in ("all", "tables")
    ]


def test_the_same_geometry(made: World, both: dict[str, Any]) -> None:
    expected, found = geometries(made, both)
    for name in ("table", "per_class", "per_node"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name), check_exact=True)
    assert found.table["low"].notna().all()
    for key, graph in expected.graphs.items():
        for field in ("candidates", "candidate_distances", "weights", "kkt_residual"):
            np.testing.assert_array_equal(getattr(found.graphs[key], field), getattr(graph, field))
        np.testing.assert_array_equal(found.left_out[key], expected.left_out[key])
    confused = [class_confusions(g, distances=both[kind]) for g, kind in ((expected, "all"), (found, "tables"))]
    pd.testing.assert_frame_equal(confused[1], confused[0], check_exact=True)


def test_the_same_statistics(made: World, both: dict[str, Any]) -> None:
    expected, found = (
        layer_statistics(made.store, geometry, distances=both[kind], votes=3)
        for geometry, kind in zip(geometries(made, both), ("all", "tables"), strict=True)
    )
    # The mean distance that diameters are divided by is summed in another order.
    pd.testing.assert_frame_equal(found.table, expected.table, check_exact=False, rtol=1e-6)
    pd.testing.assert_frame_equal(found.pairs, expected.pairs, check_exact=True)
    assert found.settings == expected.settings


def test_the_same_sensitivity(made: World, both: dict[str, Any]) -> None:
    def measured(kind: str) -> pd.DataFrame:
        return sensitivity(
            made.store, made.labels, groups=both["groups"], k=K, other_k=(3,), sigmas=("per-node",), readings=(),
            windows=(), normalizations=(), baselines=("pooled",), permutations=5,
            distances=lambda name, _: both[kind][name],
        )  # fmt: skip

    pd.testing.assert_frame_equal(measured("tables"), measured("all"), check_exact=True)


def test_what_is_not_known_is_said(made: World) -> None:
    matrix, parts = made.distances["input"], deletion_groups(len(made.labels), groups=made.groups)
    known = tables_of(matrix, made.groups, parts, everyone=False)
    with pytest.raises(GraphError, match="everyone"):
        made.geometry(distances={TRAINED: dict.fromkeys(made.distances, known)}, k=K)
    short = LayerDistances.of_table(table_of(matrix, K, made.groups), KnownPairs(len(matrix)), exclude=made.groups)
    jackknife = Jackknife(parts)
    with pytest.raises(GraphError, match="reach of at least"):
        values_without(jackknife, short, made.labels, k=K, exclude=made.groups, build=knn_graph)
    with pytest.raises(GraphError, match="are unknown"):
        nnk_graph(short, k=K, exclude=made.groups)
    with pytest.raises(GraphError, match="needs all distances"):
        knn_graph(short, k=K, exclude=made.groups, sigma="pynnk")
    with pytest.raises(GraphError, match="there are 100 nodes"):
        layer_geometry(made.store, made.labels[:100], distances={TRAINED: dict.fromkeys(made.distances, known)}, k=K)
    assert nnk_graph(known, k=K, exclude=made.groups).kkt_residual.max() < 1e-9


def test_statistics_of_a_sample_say_so(made: World, both: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a number of recordings the likeness of layers is that of some, whose neighbours are among all."""
    geometry = geometries(made, both)[0]
    whole = layer_statistics(made.store, geometry, distances=both["all"])
    monkeypatch.setattr("stgcnlib.geometry.shortages.MOST", 80)
    found = layer_statistics(made.store, geometry, distances=both["all"])
    assert (whole.settings["sample"], found.settings["sample"]) == (len(made.labels), 80)
    sampled = found.table["statistic"].isin(["probe_accuracy"])
    assert (found.table["n"][sampled] == 80).all()
    rest = [table[~sampled].reset_index(drop=True) for table in (whole.table, found.table)]
    pd.testing.assert_frame_equal(*rest)
    for statistic in ("knn_overlap", "graph_similarity", "cka"):
        a, b = (table.pairs[table.pairs["statistic"] == statistic]["value"].to_numpy() for table in (whole, found))
        assert a != pytest.approx(b, abs=1e-6)
        np.testing.assert_allclose(a, b, atol=0.15)


def on_a_line(count: int, groups: int | None) -> tuple[NeighborTable, np.ndarray, np.ndarray | None]:
    """Sixteen neighbours of points on a line, where they are next to each other; the points; and their groups."""
    rng = np.random.default_rng(0)
    points = np.sort(rng.random(count)).astype(np.float32)
    codes = None if groups is None else rng.integers(0, groups, count)
    near = np.clip(np.arange(count)[:, None] + np.delete(np.arange(-20, 21), 20), 0, count - 1)
    gap = np.abs(points[near] - points[:, None])
    barred = near == np.arange(count)[:, None]
    barred[:, 1:] |= near[:, 1:] == near[:, :-1]
    if codes is not None:
        barred |= codes[near] == codes[:, None]
    order = np.argsort(np.where(barred, np.inf, gap), axis=1, kind="stable")[:, :16]
    return NeighborTable(np.take_along_axis(near, order, axis=1), np.take_along_axis(gap, order, axis=1)), points, codes


@pytest.mark.parametrize("groups", [None, 40])
def test_nothing_of_all_pairs_is_made(groups: int | None, tmp_path: Path) -> None:
    """3,000 recordings: graphs, nulls and jackknife from tables take a fraction of a matrix's memory."""

    def measured(count: int) -> None:
        table, points, codes = on_a_line(count, groups)
        parts, labels = deletion_groups(count, groups=codes), (points * 10).astype(np.int64) % 10
        pairs = KnownPairs(count)
        known = LayerDistances.of_table(
            table, pairs, exclude=codes,
            fill=lambda wanted: pairs.add(*wanted.T, np.abs(points[wanted[:, 0]] - points[wanted[:, 1]])),
        )  # fmt: skip
        ask_for_graphs(known, 5, exclude=codes, parts=parts)
        known.save(tmp_path / "known.npz")
        known = LayerDistances.load(tmp_path / "known.npz")
        graph = nnk_graph(known, k=5, exclude=codes)
        without = values_without(Jackknife(parts), known, labels, k=5, exclude=codes)
        null = permutation_null(graph, labels, permutations=20)
        assert np.isfinite(without[:, 0]).any()
        assert label_smoothness(graph, labels) < 0.3 < null.min()

    measured(400)  # compiles
    tracemalloc.start()
    try:
        measured(3000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * 3000**2 * 4
