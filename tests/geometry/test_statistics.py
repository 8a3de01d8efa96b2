"""layer_statistics and sensitivity: their tables against the single functions, and what they say of a planted world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from geometry_world import World, world
from scipy.stats import t
from textbook import jackknife_interval

from stgcnlib.dsgraph import knn_graph, nnk_graph
from stgcnlib.dtw import DTWOptions
from stgcnlib.errors import GraphError, LayerNotFoundError, SequenceError
from stgcnlib.geometry import (
    LayerStatistics,
    baseline_distances,
    debiased_cka,
    intrinsic_dimension,
    knn_predictions,
    label_smoothness,
    layer_statistics,
    neighbourhood_overlap,
    pooled_features,
    probe_predictions,
    sensitivity,
    smoothness_floor,
)
from stgcnlib.geometry.readout import gram
from stgcnlib.geometry.sensitivity import OWN, dtw_variants, sensitivity_summary
from stgcnlib.geometry.statistics import BETWEEN, STATISTICS
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups


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
    with pytest.raises(LayerNotFoundError, match=r"distances of 'trained' lack .*block\.2"):
        layer_statistics(
            trained.store,
            trained.geometry(),
            distances={n: d for n, d in trained.distances.items() if n != "block.2"},
        )


def test_jackknife_of_a_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=7)
    left_out = [np.delete(values, i).mean() for i in range(7)]
    found = Jackknife(np.arange(7)).of(values.mean(), left_out)
    half = t.ppf(0.975, 6) * values.std(ddof=1) / np.sqrt(7)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    for left_out in ([1.0], [1.0, np.nan]):
        estimate = Jackknife(np.arange(2)).of(1.0, left_out)
        assert np.isnan([estimate.low, estimate.high]).all()


def test_deletion_groups() -> None:
    subjects = np.array([5, 5, 9, 9, 7])
    assert deletion_groups(5, groups=subjects).tolist() == [0, 0, 2, 2, 1]
    many = deletion_groups(90, groups=np.arange(90) // 2, most=10)
    assert (many[::2] == many[1::2]).all()
    assert np.bincount(many).min() >= 8
    assert np.bincount(deletion_groups(45, most=20)).tolist() == [3] * 5 + [2] * 15


# -- sensitivity ------------------------------------------------------------------------------


def test_sensitivity_is_smoothness_with_one_choice_changed(trained: World) -> None:
    asked: list[tuple[str, str, int]] = []

    def distances(name: str, options: DTWOptions) -> np.ndarray:
        asked.append((name, options.reading, options.window))
        return trained.distances[name] * (2.0 if options.reading == "frames" else 1.0)

    table = sensitivity(
        trained.store, trained.labels, groups=trained.groups, k=12, other_k=(5, 90, 100),
        readings=("sliding", "frames"), windows=(9, 3), normalizations=(), sigmas=("mean-kth/3", 0.5),
        baselines=("pooled",),
        layers=["block.2", "input"], distances=distances, permutations=10,
    )  # fmt: skip
    wanted = {("sliding", 9), ("frames", 9), ("sliding", 3)}
    assert sorted(asked) == sorted((name, *each) for name in ("input", "block.2") for each in wanted)  # once each
    curves = table.drop_duplicates(["varied", "choice"])[["varied", "choice", "k"]].to_records(index=False).tolist()
    assert curves == [
        (OWN, "", 12), ("K", "5", 5), ("K", "75 (for 90)", 75), ("graph", "kNN, K = 12", 12),
        ("graph", "kNN, K = 5", 5), ("graph", "kNN, K = 75 (for 90)", 75), ("reading", "frames", 12),
        ("window", "3", 12), ("sigma", "0.5", 12), ("distance", "pooled", 12),
    ]  # fmt: skip
    assert table["layer"].tolist() == ["input", "block.2"] * len(curves)
    rows = table.set_index(["layer", "varied", "choice"])
    last = trained.distances["block.2"]
    for choice, graph in {
        (OWN, ""): nnk_graph(last, k=12, exclude=trained.groups),
        ("K", "5"): nnk_graph(last, k=5, exclude=trained.groups),
        ("graph", "kNN, K = 5"): knn_graph(last, k=5, exclude=trained.groups),
        ("sigma", "0.5"): nnk_graph(last, k=12, exclude=trained.groups, sigma=0.5),
        # The kernel width follows the distances, so their unit does not matter.
        ("reading", "frames"): nnk_graph(last, k=12, exclude=trained.groups),
        ("distance", "pooled"): nnk_graph(
            baseline_distances(trained.store["block.2"], "pooled"), k=12, exclude=trained.groups
        ),
    }.items():
        row = rows.loc[("block.2", *choice)]
        assert row["smoothness"] == pytest.approx(label_smoothness(graph, trained.labels)), choice
        assert row["neighbor_count"] == pytest.approx(graph.neighbor_counts().mean())
        floor = smoothness_floor(graph, trained.labels, trained.groups).mean()
        assert row["floor"] == pytest.approx(floor)
        assert row["rescaled"] == pytest.approx((row["smoothness"] - floor) / (row["null_mean"] - floor))
        assert row["fall"] == pytest.approx(rows.loc[("input", *choice), "smoothness"] - row["smoothness"])
        assert row["fall_low"] <= row["fall"] <= row["fall_high"]
    assert table["null_mean"].between(0.7, 0.9).all()
    assert (table[table["layer"] == "input"][["fall", "fall_low", "fall_high"]] == 0).all().all()

    summary = sensitivity_summary(table)
    assert len(summary) == len(curves)
    assert (summary["fall"] > 0.1).all()
    assert (summary["lowest"] == "layer 3").all()
    assert summary["rank_correlation"].tolist() == pytest.approx([1.0] * len(curves))


def test_sensitivity_takes_the_solver_of_the_study(trained: World) -> None:
    own: dict[str, Any] = {
        "other_k": (),
        "readings": (),
        "windows": (),
        "normalizations": (),
        "sigmas": (),
        "baselines": (),
    }
    table = sensitivity(
        trained.store, trained.labels, groups=trained.groups, k=12, layers=["block.2"], solver="pynnk", permutations=2,
        distances=lambda name, _: trained.distances[name], **own,
    )  # fmt: skip
    rows = table.set_index("varied")
    last = trained.distances["block.2"]
    graphs = [nnk_graph(last, k=12, exclude=trained.groups, solver=solver) for solver in ("pynnk", "exact")]
    assert rows.loc[OWN, "neighbor_count"] == graphs[0].neighbor_counts().mean() != graphs[1].neighbor_counts().mean()
    assert rows.loc["graph", "smoothness"] == pytest.approx(
        label_smoothness(knn_graph(last, k=12, exclude=trained.groups), trained.labels)
    )


def test_sensitivity_computes_distances_by_options(rng: np.random.Generator) -> None:
    from stgcnlib.dtw import dtw_distances

    class Layer(list[np.ndarray]):
        index, title = 0, "input"

    sequences = Layer([rng.normal(size=(8 + i % 3, 2)) for i in range(9)])
    store = {"input": sequences}
    table = sensitivity(
        store, np.arange(9) % 2, k=3, other_k=(), kinds=("nnk",), layers=["input"], dtw={"window": 3, "segments": 2},
        windows=(2,), normalizations=("path", None), sigmas=(), baselines=(), permutations=5,
    ).set_index(["varied", "choice"])  # fmt: skip
    chosen: dict[tuple[str, str], dict[str, Any]] = {
        (OWN, ""): {}, ("reading", "frames"): {"reading": "frames"}, ("reading", "segments"): {"reading": "segments"},
        ("window", "2"): {"window": 2}, ("normalization", "path"): {"normalize": "path"},
        ("normalization", "none"): {"normalize": None},
    }  # fmt: skip
    assert list(table.index) == list(chosen)
    for key, options in chosen.items():
        matrix = dtw_distances(sequences, **({"window": 3, "segments": 2} | options))
        expected = label_smoothness(nnk_graph(matrix, k=3), np.arange(9) % 2)
        assert table.loc[key, "smoothness"] == pytest.approx(expected), key


def test_variants_of_dtw_leave_out_what_changes_nothing() -> None:
    base = DTWOptions(window=5)
    found = dtw_variants(base, readings=("frames", "sliding"), windows=(5, 7, 7), normalizations=("length", None))
    assert found == {
        "reading frames": replace(base, reading="frames"), "window 7": replace(base, window=7),
        "normalization none": replace(base, normalize=None),
    }  # fmt: skip
    assert dtw_variants(DTWOptions(reading="frames"), windows=(5, 7)) == {}  # frames have no window
    with pytest.raises(SequenceError, match="window=0"):
        dtw_variants(base, windows=(0,))


def test_sensitivity_leaves_out_what_is_named(trained: World) -> None:
    days = np.arange(len(trained.labels)) % 3
    few: dict[str, Any] = {"k": 8, "other_k": (), "kinds": ("knn",), "readings": (), "windows": (), "sigmas": ()}
    few |= {"normalizations": (), "baselines": (), "layers": ["block.0"], "permutations": 5}
    matrix, y = trained.distances["block.0"], trained.labels
    for resample, parts in ((None, trained.groups), (days, days)):
        table = sensitivity(
            trained.store, y, groups=trained.groups, resample=resample, distances=lambda *_: matrix, **few
        )
        for row, build in zip(table.to_dict("records"), (nnk_graph, knn_graph), strict=True):
            means = []
            for part in np.unique(parts):
                keep = np.flatnonzero(parts != part)
                graph = build(matrix[np.ix_(keep, keep)], k=8, exclude=trained.groups[keep])
                means.append(label_smoothness(graph, y[keep]))
            low, high = jackknife_interval(row["smoothness"], means)
            assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_bad_sensitivity(trained: World) -> None:
    with pytest.raises(GraphError, match="layers is empty"):
        sensitivity(trained.store, trained.labels, layers=())
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
    def rows(varied: str, choice: str, k: int, curve: list[float]) -> pd.DataFrame:
        index = np.arange(len(curve))
        titles = [f"layer {i}" if i else "input" for i in index]
        falls = curve[0] - np.array(curve)
        table = pd.DataFrame({"index": index, "title": titles, "smoothness": curve, "fall": falls})
        return table.assign(varied=varied, choice=choice, k=k, fall_low=falls - 0.1, fall_high=falls + 0.1)

    curves = {(OWN, "", 5): [0.8, 0.6, 0.2], ("K", "7 (for 9)", 7): [0.2, 0.5, 0.4], ("K", "9", 9): [0.0, 0.0, 0.0]}
    table = pd.concat(rows(*key, curve).iloc[::-1] for key, curve in curves.items())
    first, second, flat = sensitivity_summary(table).to_dict("records")
    assert (first["varied"], first["k"], first["first"], first["last"]) == (OWN, 5, 0.8, 0.2)
    assert [first[name] for name in ("fall", "fall_low", "fall_high", "relative_fall")] == pytest.approx(
        [0.6, 0.5, 0.7, 0.75]
    )
    assert (first["lowest"], first["rank_correlation"]) == ("layer 2", pytest.approx(1))
    assert (second["choice"], second["k"], second["lowest"]) == ("7 (for 9)", 7, "input")
    assert second["relative_fall"] == pytest.approx(-1)
    assert second["rank_correlation"] == pytest.approx(-0.5)  # ranks 3, 2, 1 against 1, 3, 2
    assert np.isnan(flat["relative_fall"])
    assert np.isnan(flat["rank_correlation"])
    (single,) = sensitivity_summary(rows(OWN, "", 5, [0.4])).to_dict("records")
    assert (single["k"], single["first"], single["last"], single["fall"]) == (5, 0.4, 0.4, 0)


def test_left_out_parts_are_twenty_at_most() -> None:
    """The statistics of every layer are computed as often as there are parts."""
    assert np.bincount(deletion_groups(45)).tolist() == [3] * 5 + [2] * 15
    assert deletion_groups(12).max() == 11
    assert deletion_groups(100, groups=np.arange(100) // 2).max() == 19
