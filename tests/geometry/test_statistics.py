"""layer_statistics and sensitivity: their tables against the single functions, and what they say of a planted world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from geometry_world import World, world
from scipy.stats import t

from stgcnlib.dsgraph import knn_graph, nnk_graph
from stgcnlib.errors import GraphError, SequenceError
from stgcnlib.geometry import (
    LayerStatistics,
    debiased_cka,
    intrinsic_dimension,
    knn_predictions,
    label_smoothness,
    layer_statistics,
    neighbourhood_overlap,
    pooled_features,
    probe_predictions,
    sensitivity,
)
from stgcnlib.geometry.readout import gram
from stgcnlib.geometry.sensitivity import sensitivity_summary
from stgcnlib.geometry.statistics import BETWEEN, STATISTICS
from stgcnlib.geometry.uncertainty import (
    bootstrap_counts,
    bootstrap_means,
    deletion_groups,
    interval,
    jackknife_interval,
)


@pytest.fixture(scope="module")
def trained() -> World:
    return world([0.4, 0.4, 1.2, 2.0])


@pytest.fixture(scope="module")
def untrained() -> World:
    return world([0.4, 0.4, 0.3, 0.2], seed=1)


@pytest.fixture(scope="module")
def found(trained: World, untrained: World) -> LayerStatistics:
    geometry = trained.geometry(distances={"trained": trained.distances, "untrained": untrained.distances})
    return layer_statistics(
        trained.store,
        geometry,
        distances=trained.distances,
        untrained=untrained.store,
        untrained_distances=untrained.distances,
    )


def test_every_statistic_has_a_row_of_every_layer(found: LayerStatistics) -> None:
    table = found.table
    assert set(table["statistic"]) == set(STATISTICS) - {"knn_r2", "probe_r2"}  # those are of targets
    assert not table.duplicated(["layer", "network", "statistic"]).any()
    assert len(table) == 4 * (2 * (len(STATISTICS) - 3) + 1)
    assert (table["low"] <= table["value"] + 1e-9).all()
    assert (table["value"] <= table["high"] + 1e-9).all()
    accuracies = table[table["statistic"].str.endswith("accuracy")]
    assert accuracies["null_mean"].between(0.1, 0.3).all()
    assert table.loc[~table["statistic"].str.endswith("accuracy"), "null_mean"].isna().all()


def test_values_are_those_of_the_single_functions(found: LayerStatistics, trained: World) -> None:
    name, y, groups = "block.2", trained.labels, trained.groups
    distances = trained.distances[name]
    rows = found.table[(found.table["network"] == "trained") & (found.table["layer"] == name)]
    value = rows.set_index("statistic")["value"]
    graph = nnk_graph(distances, k=10, exclude=groups)
    votes = knn_predictions(distances, y, k=5, exclude=groups)
    features = pooled_features(trained.store[name])
    expected = {
        "neighbor_count": graph.neighbor_counts().mean(),
        "knn_accuracy": (votes == y).mean(),
        "probe_accuracy": (probe_predictions(features, y, groups=groups) == y).mean(),
        "dimension_mle": intrinsic_dimension(distances, k=10, exclude=groups),
        "dimension_twonn": intrinsic_dimension(distances, method="twonn", exclude=groups),
    }
    for statistic, number in expected.items():
        assert value[statistic] == pytest.approx(number), statistic
    assert 0 < value["polytope_diameter"] < 2


def test_intervals_make_everything_anew_without_each_person(found: LayerStatistics, trained: World) -> None:
    name, y, groups = "block.2", trained.labels, trained.groups
    without: dict[str, list[float]] = {}
    for person in range(4):
        keep = np.flatnonzero(groups != person)
        near = {n: trained.distances[n][np.ix_(keep, keep)] for n in (name, "input")}
        graph, first = (nnk_graph(near[n], k=10, exclude=groups[keep]) for n in (name, "input"))
        right = knn_predictions(near[name], y[keep], k=5, exclude=groups[keep]) == y[keep]
        values = {
            "neighbor_count": graph.neighbor_counts().mean(),
            "dimension_mle": intrinsic_dimension(near[name], k=10, exclude=groups[keep]),
            "knn_accuracy": right.mean(),
            "overlap": neighbourhood_overlap(first, graph).mean(),
        }
        for statistic, value in values.items():
            without.setdefault(statistic, []).append(float(value))
    rows = found.table.set_index(["layer", "network", "statistic"])
    for statistic, values in without.items():
        if statistic == "overlap":
            pairs = found.pairs.set_index(["first", "second", "network", "statistic"])
            row = pairs.loc[("input", name, "trained", "nnk_overlap")]
        else:
            row = rows.loc[(name, "trained", statistic)]
        low, high = jackknife_interval(row["value"], values)
        most = 1.0 if statistic in ("overlap", "knn_accuracy") else np.inf
        assert (row["low"], row["high"]) == pytest.approx((max(low, 0), min(high, most))), statistic
    probe = rows.loc[(name, "trained", "probe_accuracy")]  # its predictions stay as they are
    right = probe_predictions(pooled_features(trained.store[name]), y, groups=groups) == y
    fixed = [right[groups != person].mean() for person in range(4)]
    low, high = jackknife_interval(right.mean(), fixed)
    assert (probe["low"], probe["high"]) == pytest.approx((low, min(high, 1)))


def test_depth_shows_in_what_should_show_it(found: LayerStatistics) -> None:
    for statistic in ("knn_accuracy", "probe_accuracy"):
        curve, control = found.curve(statistic), found.curve(statistic, "untrained")
        assert curve["value"].iloc[-1] > curve["value"].iloc[0] + 0.2
        assert curve["low"].iloc[-1] > curve["null_high"].iloc[-1]
        assert control["value"].iloc[-1] < curve["value"].iloc[-1] - 0.2


def test_pairs(found: LayerStatistics, trained: World) -> None:
    for statistic in BETWEEN:
        matrix = found.matrix(statistic)
        assert matrix.index.tolist() == matrix.columns.tolist() == ["input", "layer 1", "layer 2", "layer 3"]
        np.testing.assert_allclose(matrix, matrix.T)
        np.testing.assert_allclose(np.diag(matrix), 1)
        assert matrix.loc["input", "layer 1"] > matrix.loc["input", "layer 3"]
    grams = [gram(pooled_features(trained.store[name])) for name in ("input", "block.1")]
    assert found.matrix("cka").loc["input", "layer 2"] == pytest.approx(debiased_cka(*grams))
    graphs = [nnk_graph(trained.distances[n], k=10, exclude=trained.groups) for n in ("input", "block.1")]
    overlap = found.matrix("nnk_overlap").loc["input", "layer 2"]
    assert overlap == pytest.approx(neighbourhood_overlap(*graphs).mean())
    off = found.pairs[found.pairs["first"] != found.pairs["second"]]
    assert (off["low"] <= off["value"]).all()
    assert (off["value"] <= off["high"]).all()
    assert set(found.pairs["network"]) == {"trained", "untrained"}


def test_chance_of_overlap_is_that_of_unrelated_layers() -> None:
    rng = np.random.default_rng(0)
    labels, groups = np.tile([0, 1], 60), np.repeat(np.arange(60), 2)
    unrelated = World([rng.normal(size=(120, 3)) for _ in range(2)], labels, groups)
    pairs = layer_statistics(unrelated.store, unrelated.geometry(), distances=unrelated.distances).pairs
    off = pairs[pairs["first"] != pairs["second"]].set_index("statistic")
    for statistic in ("knn_overlap", "nnk_overlap", "cka"):
        row = off.loc[statistic].iloc[0]
        assert row["value"] == pytest.approx(row["chance"], abs=0.03)


def test_save_and_load(found: LayerStatistics, tmp_path: Path) -> None:
    found.save(tmp_path / "s")
    again = LayerStatistics.load(tmp_path / "s")
    pd.testing.assert_frame_equal(again.table, found.table, check_dtype=False)
    pd.testing.assert_frame_equal(again.pairs, found.pairs, check_dtype=False)
    assert again.settings == found.settings
    (tmp_path / "s" / "pairs.parquet").unlink()
    with pytest.raises(GraphError, match=r"no complete LayerStatistics"):
        LayerStatistics.load(tmp_path / "s")


def test_without_subjects_and_with_two(trained: World) -> None:
    plain = layer_statistics(trained.store, trained.geometry(groups=None), distances=trained.distances)
    assert plain.table["value"].notna().all()
    two = World([trained.store[n].points for n in trained.store], trained.labels, trained.groups % 2)
    rows = layer_statistics(two.store, two.geometry(), distances=two.distances).table.set_index("statistic")
    assert rows.loc["probe_accuracy", "value"].notna().all()
    assert rows.loc["dimension_twonn", "low"].isna().all()  # without one of two people nobody has a neighbour


def test_bad_statistics(found: LayerStatistics, trained: World) -> None:
    with pytest.raises(GraphError, match="did you mean 'knn_accuracy'"):
        found.curve("knn_acuracy")
    with pytest.raises(GraphError, match="cka"):
        found.matrix("ckka")
    with pytest.raises(GraphError, match="give both or neither"):
        layer_statistics(trained.store, trained.geometry(), distances=trained.distances, untrained=trained.store)


def test_jackknife_of_a_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=7)
    left_out = [np.delete(values, i).mean() for i in range(7)]
    low, high = jackknife_interval(values.mean(), left_out)
    half = t.ppf(0.975, 6) * values.std(ddof=1) / np.sqrt(7)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert all(np.isnan(jackknife_interval(1.0, [1.0])))
    assert all(np.isnan(jackknife_interval(1.0, [1.0, np.nan])))


def test_deletion_groups() -> None:
    subjects = np.array([5, 5, 9, 9, 7])
    assert deletion_groups(5, groups=subjects).tolist() == [0, 0, 2, 2, 1]
    many = deletion_groups(90, groups=np.arange(90) // 2, most=10)
    assert (many[::2] == many[1::2]).all()
    assert np.bincount(many).min() >= 8
    assert np.bincount(deletion_groups(45, most=20)).tolist() == [3] * 5 + [2] * 15


# -- sensitivity ------------------------------------------------------------------------------


def test_sensitivity_is_smoothness_of_each_combination(trained: World) -> None:
    asked: list[tuple[str, str]] = []

    def distances(name: str, options: object) -> np.ndarray:
        asked.append((name, options.reading))  # type: ignore[attr-defined]
        return trained.distances[name] * (2.0 if options.reading == "frames" else 1.0)  # type: ignore[attr-defined]

    table = sensitivity(
        trained.store, trained.labels, groups=trained.groups, k=(5, 20, 100), readings=("sliding", "frames"),
        layers=["input", "block.2"], distances=distances, permutations=10, bootstrap=50,
    )  # fmt: skip
    assert sorted(asked) == sorted({(n, r) for n in ("input", "block.2") for r in ("sliding", "frames")})  # once each
    assert len(table) == 2 * 2 * 3 * 2
    assert not table.duplicated(["layer", "reading", "kind", "k_asked"]).any()
    assert table.loc[table["k_asked"] == 100, "k"].unique().tolist() == [75]  # 100 less the own 25
    rows = table.set_index(["layer", "reading", "kind", "k_asked"])
    for kind, build in (("nnk", nnk_graph), ("knn", knn_graph)):
        graph = build(trained.distances["block.2"], k=20, exclude=trained.groups)
        expected = label_smoothness(graph, trained.labels)
        assert rows.loc[("block.2", "sliding", kind, 20), "smoothness"] == pytest.approx(expected)
        # The kernel width follows the distances, so their unit does not matter.
        assert rows.loc[("block.2", "frames", kind, 20), "smoothness"] == pytest.approx(expected)
    assert (table["low"] <= table["smoothness"]).all()
    assert (table["smoothness"] <= table["high"]).all()
    assert table["null_mean"].between(0.7, 0.9).all()
    knn = table[table["kind"] == "knn"]
    assert (knn["neighbor_count"] == knn["k"]).all()

    summary = sensitivity_summary(table)
    assert len(summary) == 2 * 2 * 3
    assert (summary["fall"] > 0.1).all()
    assert (summary["lowest"] == "layer 3").all()
    assert summary["rank_correlation"].tolist() == pytest.approx([1.0] * 12)


def test_sensitivity_computes_distances_by_reading(rng: np.random.Generator) -> None:
    from stgcnlib.dtw import dtw_distances

    class Layer(list[np.ndarray]):
        index, title = 0, "input"

    sequences = Layer([rng.normal(size=(8 + i % 3, 2)) for i in range(9)])
    store = {"input": sequences}
    table = sensitivity(
        store, np.arange(9) % 2, k=(3,), kinds=("nnk",), layers=["input"], dtw={"window": 3, "segments": 2},
        permutations=5, bootstrap=5,
    )  # fmt: skip
    assert table["reading"].tolist() == ["frames", "sliding", "segments"]
    for _, row in table.iterrows():
        matrix = dtw_distances(sequences, reading=row["reading"], window=3, segments=2)
        assert row["smoothness"] == pytest.approx(label_smoothness(nnk_graph(matrix, k=3), np.arange(9) % 2))


def test_sensitivity_resamples_what_is_named(trained: World) -> None:
    days = np.arange(len(trained.labels)) % 3
    one = {"k": (8,), "kinds": ("nnk",), "readings": ("sliding",), "layers": ["block.0"], "permutations": 5}
    for resample, drawn in ((None, trained.groups), (days, days), ("recordings", None)):
        row = sensitivity(
            trained.store, trained.labels, groups=trained.groups, resample=resample, bootstrap=50,
            distances=lambda name, _: trained.distances[name], **one,
        ).iloc[0]  # fmt: skip
        graph = nnk_graph(trained.distances["block.0"], k=8, exclude=trained.groups)
        counts = bootstrap_counts(len(days), draws=50, groups=drawn)
        expected = interval(bootstrap_means(label_smoothness(graph, trained.labels, per="node"), counts))
        assert (row["low"], row["high"]) == pytest.approx(expected)


def test_bad_sensitivity(trained: World) -> None:
    with pytest.raises(GraphError, match="k is empty"):
        sensitivity(trained.store, trained.labels, k=())
    with pytest.raises(GraphError, match="did you mean 'nnk'"):
        sensitivity(trained.store, trained.labels, kinds=("nkn",))  # type: ignore[arg-type]
    with pytest.raises(SequenceError, match="sliding"):
        sensitivity(trained.store, trained.labels, readings=("slide",))  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="no candidate"):
        sensitivity(trained.store, trained.labels, groups=np.zeros(100))
    with pytest.raises(GraphError, match=r"shape \(3, 3\)"):
        sensitivity(trained.store, trained.labels, distances=lambda *_: np.zeros((3, 3)))


def test_the_null_of_accuracy_is_that_of_the_same_predictions_on_shuffled_labels(
    found: LayerStatistics, trained: World
) -> None:
    y, rng = trained.labels, np.random.default_rng(9)
    votes = knn_predictions(trained.distances["block.2"], y, k=5, exclude=trained.groups)
    shuffled = np.array([(rng.permutation(y) == votes).mean() for _ in range(2000)])
    row = found.table.set_index(["layer", "network", "statistic"]).loc[("block.2", "trained", "knn_accuracy")]
    assert row["null_mean"] == pytest.approx(shuffled.mean(), abs=0.03)  # of 20 permutations
    assert row["null_low"] == pytest.approx(np.quantile(shuffled, 0.025), abs=0.04)
    assert row["null_high"] == pytest.approx(np.quantile(shuffled, 0.975), abs=0.04)


def test_summary_of_sensitivity_by_hand() -> None:
    def rows(kind: str, k: int, asked: int, curve: list[float]) -> pd.DataFrame:
        index = np.arange(len(curve))
        titles = [f"layer {i}" if i else "input" for i in index]
        fixed = {"reading": "sliding", "kind": kind, "k": k, "k_asked": asked}
        return pd.DataFrame({"index": index, "title": titles, "smoothness": curve}).assign(**fixed)

    curves = {("nnk", 5, 5): [0.8, 0.6, 0.2], ("knn", 7, 9): [0.2, 0.5, 0.4], ("knn", 5, 5): [0.0, 0.0, 0.0]}
    table = pd.concat(rows(*key, curve).iloc[::-1] for key, curve in curves.items())
    first, second, flat = sensitivity_summary(table).to_dict("records")
    assert (first["k"], first["k_asked"], first["first"], first["last"]) == (5, 5, 0.8, 0.2)
    assert (first["fall"], first["relative_fall"]) == pytest.approx((0.6, 0.75))
    assert (first["lowest"], first["rank_correlation"]) == ("layer 2", pytest.approx(1))
    assert (second["k"], second["k_asked"], second["lowest"]) == (7, 9, "input")
    assert second["relative_fall"] == pytest.approx(-1)
    assert second["rank_correlation"] == pytest.approx(-0.5)  # ranks 3, 2, 1 against 1, 3, 2
    assert np.isnan(flat["relative_fall"])
    assert np.isnan(flat["rank_correlation"])
    (single,) = sensitivity_summary(rows("nnk", 5, 5, [0.4])).to_dict("records")
    assert (single["k"], single["first"], single["last"], single["fall"]) == (5, 0.4, 0.4, 0)


def test_left_out_parts_are_twenty_at_most() -> None:
    """The statistics of every layer are computed as often as there are parts."""
    assert np.bincount(deletion_groups(45)).tolist() == [3] * 5 + [2] * 15
    assert deletion_groups(12).max() == 11
    assert deletion_groups(100, groups=np.arange(100) // 2).max() == 19
