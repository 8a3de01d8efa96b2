"""Graphs of a geometry are read one by one, and never those of another than was opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from planted_layers import FALLING, measure

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import LayerGeometry, merge_geometries
from stgcnlib.geometry.stored import StoredGraphs


@pytest.fixture(scope="module")
def geometry() -> LayerGeometry:
    return measure(FALLING)


@pytest.fixture
def folder(geometry: LayerGeometry, tmp_path: Path) -> Path:
    geometry.save(tmp_path / "geometry")
    return tmp_path / "geometry"


def same(one: DSGraph, other: DSGraph) -> None:
    for name in ("candidates", "candidate_distances", "weights", "kkt_residual", "errors", "projected"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    found: list[Path] = []
    load = DSGraph.load

    def noting(path: Path) -> DSGraph:
        found.append(path)
        return load(path)

    monkeypatch.setattr(DSGraph, "load", staticmethod(noting))
    return found


def test_only_what_is_asked_for_is_read(geometry: LayerGeometry, folder: Path, reads: list[Path]) -> None:
    stored = LayerGeometry.load(folder)
    assert list(stored.graphs) == list(geometry.graphs)
    assert not reads
    key = list(geometry.graphs)[3]
    same(stored.graphs[key], geometry.graphs[key])
    assert stored.graphs[key] is stored.graphs[key]
    assert len(reads) == 1
    with pytest.raises(KeyError):
        _ = stored.graphs[("no", "such", "graph")]


def test_few_stay_in_memory(geometry: LayerGeometry, folder: Path, reads: list[Path]) -> None:
    every = LayerGeometry.load(folder).graphs
    assert isinstance(every, StoredGraphs)
    few, keys = StoredGraphs(every.files, kept=2), list(every)
    for key in keys[:3]:
        same(few[key], geometry.graphs[key])
    assert len(reads) == 3
    _ = few[keys[1]], few[keys[2]]
    assert len(reads) == 3
    _ = few[keys[0]]
    assert len(reads) == 4


def test_geometries_are_joined_and_written_without_reading_all_at_once(
    geometry: LayerGeometry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {}
    for network in geometry.networks():
        mine = {key: graph for key, graph in geometry.graphs.items() if key[1] == network}
        tables = {
            name: getattr(geometry, name)[getattr(geometry, name)["network"] == network]
            for name in ("table", "per_class", "per_node")
        }
        left_out = {key: geometry.left_out[key] for key in mine}
        part = LayerGeometry(
            **tables, graphs=mine, labels=geometry.labels, groups=geometry.groups, settings=geometry.settings,
            group=geometry.group, resample=geometry.resample, unit=geometry.unit, left_out=left_out,
        )  # fmt: skip
        part.save(tmp_path / network)
        parts[network] = LayerGeometry.load(tmp_path / network)
    monkeypatch.chdir(tmp_path)
    joined = merge_geometries(list(parts.values()))
    joined.save("joined")
    again = LayerGeometry.load("joined")
    monkeypatch.chdir("/")  # graphs are found from wherever they are asked for
    assert list(again.graphs) == list(joined.graphs)
    assert set(again.graphs) == set(geometry.graphs)
    for key, graph in geometry.graphs.items():
        same(again.graphs[key], graph)
    mixed = merge_geometries([parts["trained"], *(each for name, each in parts.items() if name != "trained")])
    assert set(mixed.graphs) == set(geometry.graphs)


def test_a_graph_that_was_written_anew_or_is_missing_is_refused(geometry: LayerGeometry, folder: Path) -> None:
    stored, key = LayerGeometry.load(folder), next(iter(geometry.graphs))
    file = folder / "graphs" / "000.npz"
    os.utime(file, ns=(0, 0))
    with pytest.raises(GraphError, match="was written anew since its geometry was opened"):
        _ = stored.graphs[key]
    file.unlink()
    with pytest.raises(GraphError, match="a graph of the geometry is missing"):
        _ = stored.graphs[key]
    with pytest.raises(GraphError, match="missing"):
        LayerGeometry.load(folder)
