"""Tables of DS-Graphs, statistics, classes and sensitivity give the numbers of the results that they are given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from table_results import geometry

from stgcnlib import figures, layer_geometry, tables
from stgcnlib.errors import LayerNotFoundError
from stgcnlib.geometry import LayerStatistics
from stgcnlib.geometry.separation import shows_fall


class Store:
    """What `layer_geometry` asks of a store where all distances are given."""

    def __init__(self, layers: list[SimpleNamespace]) -> None:
        self.found = {f"l{i}": layer for i, layer in enumerate(layers)}
        self.layers = tuple(self.found)

    def __getitem__(self, name: str) -> SimpleNamespace:
        return self.found[name]


def test_graphs_of_the_main_curve():
    table = tables.graphs_table(geometry())
    assert table.index.tolist() == ["input", "layer 1", "layer 2"]
    assert table.loc["layer 1"].to_dict() == {
        "nodes": 6, "neighbours kept (mean)": 3.142, "kernel width σ": 0.123, "largest KKT residual": "2.0e-09",
    }  # fmt: skip


def test_smoothness_with_everything_beside_it():
    table = tables.smoothness_table(geometry())
    assert table.index.tolist() == ["input", "layer 1", "layer 2"]
    assert table["S"].tolist() == ["0.500", "0.400", "0.300"]
    assert table["all neighbours"].tolist() == ["0.450", "0.350", "0.250"]
    assert table.loc["layer 2"].to_dict() == {
        "S": "0.300", "interval": "0.290 to 0.310", "floor": "0.100", "null": "0.600", "rescaled": "0.500",
        "untrained": "0.500", "kNN graph": "0.450", "RMSE": "0.250", "all neighbours": "0.250",
    }  # fmt: skip


def test_where_everyone_is_a_neighbour_there_is_one_column():
    table = tables.smoothness_table(geometry(subjects=False, untrained=False))
    assert table.columns.tolist() == ["S", "interval", "floor", "null", "rescaled", "kNN graph", "RMSE"]
    assert table["S"].tolist() == ["0.450", "0.350", "0.250"]


def test_several_networks_are_means_with_their_range():
    labels = np.repeat([0, 1, 2], 8)
    layers = [SimpleNamespace(index=i, title=f"layer {i}") for i in range(2)]
    rng = np.random.default_rng(0)

    def matrix() -> np.ndarray:
        points = rng.normal(0, 1, (24, 3)) + labels[:, None]
        return np.linalg.norm(points[:, None] - points[None], axis=-1)

    names = ["trained", "trained-2", "untrained", "untrained-2", "untrained-3", "initial"]
    distances = {name: {f"l{i}": matrix() for i in range(2)} for name in names}
    found = layer_geometry(
        {"trained": Store(layers)}, labels, groups=np.arange(24) % 4, distances=distances, k=5, permutations=5
    )
    table = tables.smoothness_table(found)
    each = [found.curve(name)["smoothness"].to_numpy() for name in names]
    assert [float(v) for v in table["S"]] == pytest.approx((each[0] + each[1]) / 2, abs=6e-4)
    mean = found.mean_curve()
    assert table["interval"].iloc[1] == f"{mean['low'][1]:.3f} to {mean['high'][1]:.3f}"
    untrained = np.stack(each[2:5])[:, 1]
    expected = f"{untrained.mean():.3f} ({untrained.min():.3f} to {untrained.max():.3f})"
    assert table["untrained (3)"].iloc[1] == expected
    assert table["as initialised"].iloc[1] == f"{each[5][1]:.3f}"
    figure = figures.smoothness_curve(found.table, mean=mean)
    words = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"mean of 2\ntrained networks", "3 untrained networks", "untrained, batch norm\nas initialised"} <= words


def test_facts_about_one_layer():
    facts = tables.layer_facts(geometry(), layer="blocks.1")["value"]
    assert facts.to_dict() == {
        "layer": "layer 2 (blocks.1)",
        "label smoothness S": "0.300, interval 0.290 to 0.310",
        "lowest possible S": "0.100, by the classes of the candidates",
        "with shuffled labels": "0.600 (0.550 to 0.650)",
        "neighbours kept by NNK": "3.1 of 4 candidates (mean)",
        "kernel width σ": "0.1235",
        "largest KKT residual": "2.0e-09",
        "untrained network": "S = 0.500",
    }
    assert "untrained network" not in tables.layer_facts(geometry(untrained=False), layer="input").index
    with pytest.raises(LayerNotFoundError, match=r"no layer 'block\.1' was recorded; did you mean 'blocks\.1'"):
        tables.layer_facts(geometry(), layer="block.1")


def test_baselines_beside_dtw():
    rows = [
        {"index": i, "title": title, "baseline": name, "smoothness": s, "dtw": 0.3, "gain": s - 0.3,
         "gain_low": s - 0.4, "gain_high": s - 0.2}
        for i, title, name, s in [
            (1, "layer 1", "pooled", 0.5), (0, "input", "pooled", 0.4), (0, "input", "duration", 0.9),
        ]
    ]  # fmt: skip
    table = tables.baselines_table(pd.DataFrame(rows))
    assert table.loc["input"].to_dict() == {
        "S by DTW": "0.300", "S pooled": "0.400", "pooled − DTW": "+0.100 (+0.000 to +0.200)", "S duration": "0.900",
        "duration − DTW": "+0.600 (+0.500 to +0.700)",
    }  # fmt: skip
    assert table.loc["layer 1", ["S pooled", "S duration", "duration − DTW"]].tolist() == ["0.500", "", ""]


def test_statistics_have_intervals_where_they_are_known():
    rows = [
        {"index": index, "title": title, "network": network, "statistic": name, "value": value, "low": low, "high": 0.9}
        for network in ("trained", "untrained")
        for index, title in ((1, "layer 1"), (0, "input"))
        for name, value, low in (("probe_accuracy", 0.5 + 0.25 * index, 0.25), ("knn_accuracy", -0.001, np.nan))
    ]
    table = tables.statistics_table(LayerStatistics(pd.DataFrame(rows), pd.DataFrame()))
    assert table.index.tolist() == ["input", "layer 1"]
    assert table.columns.tolist() == ["k-NN accuracy", "linear probe accuracy"]  # in the order of STATISTICS
    assert table["linear probe accuracy"].tolist() == ["0.50 (0.25 to 0.90)", "0.75 (0.25 to 0.90)"]
    assert table["k-NN accuracy"].tolist() == ["0.00", "0.00"]


def test_classes_in_the_order_in_which_they_separate():
    columns = ["class_name", "status", "index", "title", "half", "half_least", "half_most", "input", "at", "drop",
               "low", "high", "p_adjusted", "last", "n"]  # fmt: skip
    rows = [
        ("throw", "not decided", np.nan, None, np.nan, np.nan, np.nan, 0.9, 0.8, 0.1, -0.001, 0.2, 0.06, 0.8, 4),
        ("sit", "separates", 2, "layer 2", 1.25, 1, 1.5, 0.8, 0.2, 0.6, 0.5, 0.7, 0.0004, 0.2, 3),
        ("kick", "separates", 1, "layer 1", 0.5, 0.25, 0.75, 0.7, 0.3, 0.4, np.nan, np.nan, 0.02, 0.1, 3),
        ("wave", "separate at the input", np.nan, None, np.nan, np.nan, np.nan, 0.1, 0.1, 0, 0, 0, np.nan, 0.05, 2),
    ]
    found = pd.DataFrame(rows, columns=columns)
    table = tables.separation_table(found)
    assert table.index.tolist() == ["wave", "kick", "sit", "throw"]
    some = found.assign(index=found["index"].map({1: 4, 2: 10}))  # blocks 4 and 10 alone were recorded
    assert tables.separation_table(some).index.tolist() == table.index.tolist()
    assert table["separates at"].tolist() == ["separate at the input", "layer 1", "layer 2", "not decided"]
    assert table["half of the fall by layer"].tolist() == [
        "no fall shown", "0.5 (0.2 to 0.8)", "1.2 (1.0 to 1.5)", "no fall shown",
    ]  # fmt: skip
    assert table["p, corrected"].tolist() == ["", "0.020", "< 0.001", "0.060"]
    assert table["fall"].tolist() == [
        "0.00 (0.00 to 0.00)", "0.40", "0.60 (0.50 to 0.70)", "0.10 (0.00 to 0.20)",
    ]  # fmt: skip
    assert table.loc["sit", ["S at the input", "S at that layer", "S at the last", "recordings"]].tolist() == [
        "0.80", "0.20", "0.20", 3,
    ]  # fmt: skip


def test_classes_are_named_with_those_they_are_mixed_with():
    columns = ["layer", "class_name", "rank", "other_name", "share", "low", "high"]
    rows = [
        ("a", "wave", 0, "wave", 0.9, 0.8, 1.0),
        ("a", "wave", 1, "kick", 0.004, 0, 0.1),
        ("a", "kick", 2, "sit", 0.1, 0.05, 0.2),
        ("a", "kick", 1, "wave", 0.3, 0.2, 0.4),
        ("a", "kick", 0, "kick", 0.55, 0.5, 0.6),
        ("a", "kick", 3, "run", 0.05, 0.0, 0.1),
        ("b", "kick", 0, "kick", 0.1, 0.1, 0.1),
    ]
    found = pd.DataFrame(rows, columns=columns)
    table = tables.confusions_table(found, layer="a")
    assert table.index.tolist() == ["kick", "wave"]
    assert table["own"].tolist() == ["55%", "90%"]
    assert table["mixed with"].tolist() == ["wave 30% (20%-40%), sit 10% (5%-20%), run 5% (0%-10%)", "no other"]
    fewer = tables.confusions_table(found, layer="a", most=1)
    assert fewer.loc["kick", "mixed with"] == "wave 30% (20%-40%)"


def test_half_of_a_fall_is_said_only_of_a_fall_that_is_shown():
    rows = [
        ("clap", "separate at the input", 0.0, 0.0, -0.1), ("throw", "not decided", 0.23, 0.01, -0.3),
        ("sit", "separates", 0.8, 0.6, 0.5), ("kick", "not decided", 0.8, 0.3, 0.01),
        ("wave", "does not", 0.8, 0.02, 0.01), ("jump", "not decided", 0.8, 0.3, np.nan),
        ("run", "not decided", 0.8, 0.05, np.nan),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["class_name", "status", "input", "drop", "low"]).assign(half=1.0)
    assert table["class_name"][shows_fall(table)].tolist() == ["sit", "kick", "jump"]


def test_only_what_is_doubtful_or_odd_is_kept():
    suspects = pd.DataFrame({"name": list("abc"), "verdict": ["all", "most", ""], "score": [2.0, 0.5, -0.2]})
    assert tables.doubtful_labels(suspects)["name"].tolist() == ["a", "b"]
    assert len(tables.doubtful_labels(suspects.tail(1))) == 0
    assert tables.odd_performances(suspects.assign(score=[4.0, 3.0, 1.3]))["name"].tolist() == ["a"]


def test_the_input_is_named_once():
    assert tables.layer_facts(geometry(), layer="input")["value"]["layer"] == "input"


def test_the_worst_come_first_and_the_rest_is_left_out():
    suspects = pd.DataFrame(
        {
            "rank": [1, 2, 3], "name": list("abc"), "class_name": "wave", "alternative_name": "kick",
            "score": [0.9, 0.8, 0.7], "own_share": 0.1, "alternative_share": 0.75, "agreeing": 2, "layers": 3,
            "verdict": ["all", "most", ""],
        }
    )  # fmt: skip
    table = tables.suspects_table(suspects, most=2)
    assert table.loc[1].to_dict() == {
        "recording": "a", "labelled": "wave", "looks like": "kick", "score": "0.90", "weight on its label": "10%",
        "weight on the other": "75%", "layers that agree": "2 of 3", "neighbours": "none carries the label",
    }  # fmt: skip
    assert table.index.tolist() == [1, 2]
    assert tables.suspects_table(suspects)["neighbours"].tolist()[1:] == ["mostly the other class", ""]

    remote = pd.DataFrame({"rank": range(1, 11), "name": "a", "class_name": "wave", "distance": 1.5, "score": 4.25})
    table = tables.outliers_table(remote)
    assert len(table) == 8
    assert len(tables.outliers_table(remote, most=3)) == 3
    assert table.loc[1].to_dict() == {
        "recording": "a", "class": "wave", "distance / median": "1.50", "robust z": "4.2",
    }  # fmt: skip


def test_sensitivity_compares_with_the_own_choices():
    curves = {("own choices", "", 10): (0.5, 0.4, 0.2), ("graph", "kNN, K = 14 (for 50)", 14): (0.4, 0.5, 0.6)}
    rows = [
        {"varied": varied, "choice": choice, "k": k, "index": i, "title": f"layer {i}", "smoothness": s,
         "fall": values[0] - s, "fall_low": values[0] - s - 0.1, "fall_high": values[0] - s + 0.1}
        for (varied, choice, k), values in curves.items()
        for i, s in enumerate(values)
    ]  # fmt: skip
    table = tables.sensitivity_table(pd.DataFrame(rows))
    assert table.loc["own choices"].to_dict() == {
        "choice": "", "K": 10, "S at the input": "0.500", "S at the last layer": "0.200",
        "fall": "0.300 (0.200 to 0.400)", "of the input": "60%", "smoothest": "layer 2",
        "rank correlation with own choices": "1.00",
    }  # fmt: skip
    assert table.loc["graph", ["choice", "fall", "of the input", "smoothest"]].tolist() == [
        "kNN, K = 14 (for 50)", "rises by 0.200 (rises by 0.100 to 0.300)", "rises by 50%", "layer 0",
    ]  # fmt: skip
    assert table.loc["graph", "rank correlation with own choices"] == "-1.00"
