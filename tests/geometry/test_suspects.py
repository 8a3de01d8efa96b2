"""Planted wrong labels and planted outliers must head their lists."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_world import World, swapped, world

from stgcnlib.errors import GraphError, LayerNotFoundError
from stgcnlib.geometry import outliers, suspect_labels
from stgcnlib.geometry.suspects import late_layers


def found(planted: World, wrong: np.ndarray, changed: np.ndarray, **options: object) -> float:
    """Share of the changed labels among the first tenth of the list."""
    table = suspect_labels(planted.geometry(wrong), **options).table
    return float(np.isin(changed, table["node"][: round(0.1 * len(wrong))]).mean())


@pytest.mark.parametrize("seed", range(4))
def test_swapped_labels_head_the_list(seed: int) -> None:
    planted = world([0.5, 0.8, 1.5, 2.0], repeats=8, dimension=12, seed=seed)
    wrong, changed = swapped(planted.labels, 0.05, np.random.default_rng(seed))
    assert found(planted, wrong, changed) >= 0.8
    table = suspect_labels(planted.geometry(wrong)).table
    hits = table[table["node"].isin(changed) & (table["rank"] <= 16)]
    assert (planted.labels[hits["node"]] == hits["alternative"]).mean() >= 0.8


def test_a_last_layer_that_fits_the_wrong_labels_does_not_hide_them() -> None:
    """The last layer puts every recording among the class that it is labelled with, as a memorising network would."""
    planted = world([0.8, 1.2, 2.0, 2.0, 0.0], repeats=8)
    wrong, changed = swapped(planted.labels, 0.05, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    learned = 3.0 * rng.normal(size=(5, 6))[wrong] + rng.normal(size=(len(wrong), 6))
    memorised = World(
        [*(planted.store[name].points for name in list(planted.store)[:-1]), learned], wrong, planted.groups
    )
    assert found(memorised, wrong, changed, layers=["block.3"]) < 0.5
    assert found(memorised, wrong, changed, layers=memorised.store.layers) >= 0.8


def test_classes_that_are_mixed_anyway_are_no_suspects() -> None:
    """Classes 0 and 1 are one cluster; a label swapped between clear classes comes before them."""
    planted = world([2.5, 2.5, 2.5], repeats=8)
    rng = np.random.default_rng(0)
    labels = planted.labels.copy()
    both = np.flatnonzero(labels <= 1)
    labels[both] = rng.integers(0, 2, both.size)
    changed = np.array([70, 100, 130])
    labels[changed] = (labels[changed] + 1 - 2) % 3 + 2
    findings = suspect_labels(planted.geometry(labels))
    assert set(findings.table["node"][:3]) == set(changed)
    assert (findings.table["verdict"][:3] == "all").all()
    mixed = findings.table[findings.table["label"] <= 1]
    assert mixed["score"].max() < 0.5 * findings.table["score"][:3].min()


def test_tables_agree() -> None:
    planted = world([0.5, 0.8, 1.2, 1.5, 1.5])
    geometry = planted.geometry(class_names=list("abcde"))
    findings = suspect_labels(geometry)
    table, evidence = findings.table, findings.evidence
    assert late_layers(geometry) == ["block.2", "block.3"] == evidence["layer"].unique().tolist()
    assert table["rank"].tolist() == list(range(1, 101))
    assert sorted(table["node"]) == list(range(100))
    assert table["score"].is_monotonic_decreasing
    assert (table["alternative"] != table["label"]).all()
    means = evidence.groupby("node")[["evidence", "own_share", "alternative_share"]].mean().loc[table["node"]]
    np.testing.assert_allclose(means["evidence"], table["score"])
    np.testing.assert_allclose(means["own_share"], table["own_share"])
    assert (table["class_name"] == np.array(list("abcde"))[table["label"]]).all()


def test_evidence_by_hand() -> None:
    planted = world([1.0, 1.0])
    geometry = planted.geometry()
    graph = geometry.graphs[("block.0", "trained", "other subjects")]
    y, table = planted.labels, suspect_labels(geometry, layers=["block.0"]).table.set_index("node")
    shares = np.zeros((100, 5))
    for i in range(100):
        nodes, weights = graph.neighbors(i)
        np.add.at(shares[i], y[nodes], weights / weights.sum())
    i = 42
    rest = np.arange(100) != i
    logs = []
    for c in range(5):
        members = shares[rest & (y == c)]
        logs.append(np.log((members.sum(axis=0) + 0.1 / 5) / (len(members) + 0.1)))
    ratios = [float(shares[i] @ (each - logs[y[i]])) if c != y[i] else -np.inf for c, each in enumerate(logs)]
    assert table.loc[i, "alternative"] == int(np.argmax(ratios))
    assert table.loc[i, "score"] == pytest.approx(max(ratios))


def test_outliers_head_their_list() -> None:
    planted = world([0.5, 1.0, 1.5])
    odd = [3, 50, 77]
    points = [planted.store[name].points.copy() for name in planted.store]
    for layer in points:
        layer[odd] *= 6.0
    findings = outliers(World(points, planted.labels, planted.groups).geometry())
    assert set(findings.table["node"][:3]) == set(odd)
    assert (findings.table["score"][:3] > 3).all()
    assert (findings.table["distance"][:3] > 2).all()
    assert findings.table["score"].median() == pytest.approx(0, abs=0.5)
    assert findings.evidence["layer"].unique().tolist() == ["input", "block.0", "block.1"]
    single = findings.evidence[findings.evidence["layer"] == "input"]
    assert single["distance"].median() == pytest.approx(1, rel=1e-3)
    assert single["z"].median() == pytest.approx(0, abs=0.01)


def test_duplicates_are_no_outliers() -> None:
    planted = world([1.0, 1.0])
    points = [planted.store[name].points.copy() for name in planted.store]
    for layer in points:
        layer[20] = layer[0]
        layer[45] = layer[0]
    table = outliers(World(points, planted.labels, planted.groups).geometry()).table
    assert np.isfinite(table["score"]).all()
    assert table.set_index("node")["rank"].loc[45] > 50


@pytest.mark.parametrize("solver", ["exact", "pynnk"])
def test_a_recording_without_any_neighbour_is_the_most_remote(solver: str) -> None:
    """So far away that the kernel underflows: no edge is left to measure, which is no sign of being near."""
    planted = world([0.5, 1.0])
    points = [planted.store[name].points.copy() for name in planted.store]
    for layer in points:
        layer[30] += 1e4
    geometry = World(points, planted.labels, planted.groups).geometry(solver=solver)
    isolated = [int((graph.neighbor_counts() == 0).sum()) for graph in geometry.graphs.values() if graph.kind == "nnk"]
    assert set(isolated) == {0 if solver == "exact" else 1}
    findings = outliers(geometry)
    assert findings.table["node"][0] == 30
    assert np.isfinite(findings.table[["score", "distance"]]).all(axis=None)
    assert findings.table["distance"][0] > 1000


def test_bad_input() -> None:
    planted = world([1.0, 1.0])
    with pytest.raises(LayerNotFoundError, match=r"did you mean .block\.0."):
        suspect_labels(planted.geometry(), layers=["block.O"])
    with pytest.raises(GraphError, match="layers is empty"):
        outliers(planted.geometry(), layers=[])
    with pytest.raises(GraphError, match="two classes"):
        suspect_labels(planted.geometry(np.zeros(100, dtype=int)))
    with pytest.raises(GraphError, match="besides the input"):
        suspect_labels(world([1.0]).geometry())
