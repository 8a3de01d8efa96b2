"""Layers that tell a real target more and more, or not at all: curves, statistics, verdicts, files, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_world import World
from scipy.spatial.distance import cdist

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import (
    LayerGeometry,
    class_confusions,
    class_separation,
    find_shortages,
    knn_estimates,
    layer_baselines,
    layer_geometry,
    layer_statistics,
    merge_geometries,
    probe_estimates,
    r_squared,
    smoothness_by_density,
    suspect_labels,
    target_smoothness,
)
from stgcnlib.verdicts import judge_depth

BLOCKS = np.repeat(np.arange(8), 12)
NAME = "load (kW)"


def drifting(strengths: list[float], *, seed: int = 0, shuffled: bool = False) -> tuple[World, np.ndarray]:
    """Points that lie along the target, times a strength by layer; each block of time has a level of its own."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=len(BLOCKS))
    own = rng.normal(size=(len(BLOCKS), 3)) + rng.normal(size=(8, 3))[BLOCKS]
    points = [s * y[:, None] * [1.0, 1.0, 0.0] + own for s in strengths]
    return World(points, np.zeros(len(BLOCKS), dtype=np.int64), BLOCKS), rng.permutation(y) if shuffled else 7 + 50 * y


def measured(world: World, y: np.ndarray, **options: Any) -> LayerGeometry:
    chosen = {"groups": BLOCKS, "group": "block", "unit": "block", "k": 10, "permutations": 30}
    chosen |= {"distances": {"trained": world.distances}}
    return layer_geometry(world.store, targets=y, target_names=[NAME], **(chosen | options))


LATE = [0.0, 0.0, 0.0, 0.1, 1.0, 3.0]


@pytest.fixture(scope="module")
def late() -> LayerGeometry:
    world, y = drifting(LATE)
    flat, _ = drifting([0.0] * 6)
    return measured(world, y, distances={"trained": world.distances, "untrained": flat.distances})


def test_the_table_is_that_of_target_smoothness(late: LayerGeometry) -> None:
    world, y = drifting(LATE)
    curve = late.curve()
    for row, distances in zip(curve.itertuples(), world.distances.values(), strict=True):
        graph = nnk_graph(distances, k=10, exclude=BLOCKS)
        assert row.smoothness == pytest.approx(target_smoothness(graph, y))
        assert row.low < row.smoothness < row.high
        assert row.null_low < 1 < row.null_high
    assert len(late.per_class) == 0
    assert late.measured == "target"
    assert not late.labels.any()
    assert late.neighbours == "other blocks"
    assert curve["rmse"].iloc[-1] < 0.6 < 0.8 < curve["rmse"].iloc[0]


def test_intervals_make_graphs_anew_without_each_block(late: LayerGeometry) -> None:
    world, y = drifting(LATE)
    keep = BLOCKS != 3
    last = list(world.distances)[-1]
    graph = nnk_graph(world.distances[last][np.ix_(keep, keep)], k=10, exclude=BLOCKS[keep])
    found = late.left_out[(last, "trained", "other blocks")][3]
    np.testing.assert_allclose(found[keep], target_smoothness(graph, y[keep], per="node"))
    assert np.isnan(found[~keep]).all()


def test_the_verdict_speaks_of_the_target(late: LayerGeometry) -> None:
    outcome = judge_depth(late)
    assert outcome.holds is True
    assert [test.answer for test in outcome.tests] == [True] * 4
    assert outcome.tests[-1].question == "below shuffled targets"
    for wrong in ("class", "label", "subject", "people", "perform"):
        assert wrong not in outcome.text, wrong
    assert "smoothness of the target (0: all neighbours share its value" in outcome.text
    assert "leaving out one of 8 blocks at a time" in outcome.text
    assert "the paper makes it of actions" in outcome.sentence


def test_a_shuffled_target_is_refused() -> None:
    world, y = drifting(LATE, shuffled=True)
    outcome = judge_depth(measured(world, y))
    assert outcome.holds is not True
    assert outcome.tests[0].answer is not True
    assert outcome.tests[-1].answer is not True


def test_a_fall_that_is_done_at_once_is_not_late() -> None:
    world, y = drifting([0.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    outcome = judge_depth(measured(world, y))
    assert outcome.tests[0].answer is True
    assert outcome.tests[1].answer is False


def test_statistics_are_r_squared(late: LayerGeometry) -> None:
    world, y = drifting(LATE)
    found = layer_statistics(world.store, late, distances=world.distances, votes=4)
    assert not found.table["statistic"].str.endswith("accuracy").any()
    near, probe = found.curve("knn_r2"), found.curve("probe_r2")
    distances = list(world.distances.values())[-1]
    assert near["value"].iloc[-1] == pytest.approx(r_squared(y, knn_estimates(distances, y, k=4, exclude=BLOCKS)))
    pooled = np.stack([frames.mean(axis=0) for frames in world.store["block.4"]])
    assert probe["value"].iloc[-1] == pytest.approx(r_squared(y, probe_estimates(pooled, y, groups=BLOCKS)))
    assert probe["value"].iloc[-1] > 0.8 > 0.2 > probe["value"].iloc[0]
    assert (near["null_high"] < 0.3).all()
    assert near["value"].iloc[-1] > near["null_high"].iloc[-1]


def test_baselines_are_of_the_target_too(late: LayerGeometry) -> None:
    world, y = drifting(LATE)
    table = layer_baselines(world.store, late, baselines=("pooled",))
    last = table.iloc[-1]
    pooled = np.stack([frames.mean(axis=0) for frames in world.store["block.4"]])
    graph = nnk_graph(cdist(pooled, pooled), k=10, exclude=BLOCKS)
    assert last["smoothness"] == pytest.approx(target_smoothness(graph, y), rel=1e-6)
    assert last["floor"] == 0
    assert last["dtw"] == pytest.approx(late.curve()["smoothness"].iloc[-1])


def test_files_and_merging(tmp_path: Path, late: LayerGeometry) -> None:
    late.save(tmp_path / "geometry")
    back = LayerGeometry.load(tmp_path / "geometry")
    np.testing.assert_array_equal(back.targets, late.targets)
    assert back.target_names == (NAME,)
    assert judge_depth(back).text == judge_depth(late).text
    world, y = drifting(LATE)
    first = measured(world, y)
    other = layer_geometry(
        {"untrained": world.store}, targets=y, target_names=[NAME], groups=BLOCKS, group="block", unit="block", k=10,
        permutations=30, distances={"untrained": world.distances},
    )  # fmt: skip
    assert merge_geometries([first, other]).networks() == ["trained", "untrained"]
    with pytest.raises(GraphError, match="different recordings"):
        merge_geometries([measured(world, y + y**2), other])


def test_there_are_no_classes(late: LayerGeometry) -> None:
    for read in (class_confusions, class_separation, suspect_labels):
        with pytest.raises(GraphError, match="has no classes; measure one with labels"):
            read(late)
    world, y = drifting(LATE)
    for both in ({"labels": BLOCKS, "targets": y}, {}):
        with pytest.raises(GraphError, match="not both"):
            layer_geometry(world.store, **both)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="2 names for 1 columns"):
        layer_geometry(world.store, targets=y, target_names=["a", "b"])


@pytest.mark.parametrize("kept", [0.95])
def test_intervals_of_blocks_cover(kept: float) -> None:
    """95% intervals of S over 60 drawn series whose blocks have levels of their own cover its mean in 88% at least."""
    truth, inside = [], []
    for seed in range(60):
        world, y = drifting([1.0, 1.0], seed=seed)
        last = {name: cdist(each.points, each.points) for name, each in world.store.items() if name != "input"}
        store = type(world.store)({name: world.store[name] for name in last})
        row = layer_geometry(
            store, targets=y, groups=BLOCKS, group="block", k=8, permutations=2, confidence=kept,
            distances={"trained": last},
        ).curve().iloc[0]  # fmt: skip
        truth.append(row["smoothness"])
        inside.append((row["low"], row["high"]))
    mean = float(np.mean(truth))
    assert np.mean([low <= mean <= high for low, high in inside]) >= 0.88


def test_a_target_that_one_block_alone_makes_vary_has_values_and_no_intervals() -> None:
    """Without that block all targets are equal: nothing is known of the uncertainty, and nothing stops."""
    world, _ = drifting([0.0, 1.0])
    y = np.where(BLOCKS == 3, np.arange(len(BLOCKS)), 0.0)
    geometry = measured(world, y)
    assert np.isfinite(geometry.table["smoothness"]).all()
    assert geometry.table[["low", "high"]].isna().all(axis=None)
    statistics = layer_statistics(world.store, geometry, distances=world.distances).table
    votes = statistics[statistics["statistic"] == "knn_r2"]
    assert np.isfinite(votes["value"]).all()
    assert votes["low"].isna().all()
    why = find_shortages(y[:, None], groups=BLOCKS, unit="block")["intervals"]
    assert why == ("There are no intervals: they leave out one block at a time, and then all targets left are equal.")
    once = measured(world, np.where(np.arange(len(BLOCKS)) == 5, 1.0, 0.0))
    table = smoothness_by_density(once, world.distances)
    assert np.isfinite(table.loc[table["share"] == 1, "smoothness"]).all()
    assert table["share"].unique().tolist() == [1.0]  # draws of a part lack the one that differs
