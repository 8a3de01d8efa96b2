"""Tables of recordings, of the network and of settings say what lies in them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from table_results import LAYERS, recordings
from tiny_network import TinyNetwork

from stgcnlib import find_leakage, tables
from stgcnlib.activations import record
from stgcnlib.errors import SequenceError
from stgcnlib.geometry import ChosenK
from stgcnlib.training import Evaluation


def test_parts_are_counted():
    data = recordings()
    table = tables.parts_table((data.select([0, 1, 2]), data.select([3, 5])), nodes=data)
    assert table.index.tolist() == ["train", "test", "nodes of the DS-Graphs"]
    assert table.loc["train"].to_dict() == {
        "recordings": 3, "classes": 1, "subjects": 3, "shortest": 4, "mean length": 5.0, "longest": 6, "most people": 1,
    }  # fmt: skip
    assert table["subjects"].tolist() == [3, 2, 3]
    assert table["most people"].tolist() == [1, 2, 2]
    assert table.loc["nodes of the DS-Graphs", "mean length"] == 6.5


def test_recordings_are_named_with_what_the_network_says():
    data = recordings()
    logits = np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 1, 0]]
    table = tables.recordings_table(data, Evaluation(logits, data.labels, data.class_names))
    assert table.columns.tolist() == ["node", "name", "label", "class_name", "predicted", "correct", "group subject"]
    assert table["name"].tolist() == list("abcdef")
    assert table["class_name"].tolist() == ["wave"] * 3 + ["kick"] * 3
    assert table["predicted"].tolist() == [0, 1, 0, 1, 1, 0]
    assert table["correct"].tolist() == [True, False, True, True, True, False]
    assert table["group subject"].tolist() == [1, 2, 3, 1, 2, 3]
    with pytest.raises(SequenceError, match="6 recordings that are not these 5"):
        tables.recordings_table(data.select(range(5)), Evaluation(logits, data.labels, data.class_names))


@pytest.mark.parametrize(
    ("checkpoint", "history", "weights"),
    [
        ("net.pt", None, "net.pt"),
        (None, pd.DataFrame({"seconds": [1.4, 2.0]}), "trained here for 2 epochs, 3 s"),
        (None, None, None),
    ],
)
def test_facts_about_the_network(checkpoint, history, weights):
    data, network = recordings(), TinyNetwork(classes=2)
    settings = SimpleNamespace(name="tiny", options={"width": 6}, checkpoint=checkpoint)
    right = Evaluation(np.eye(2, dtype=np.float32)[[0, 0, 0, 1]], data.labels[2:], data.class_names)
    facts = tables.network_facts(network, right, settings=settings, data=data, layers=LAYERS, history=history)["value"]
    assert facts.drop("weights", errors="ignore").to_dict() == {
        "network": "tiny",
        "layers": 2,
        "parameters": f"{sum(p.numel() for p in network.parameters()):,}",
        "joints": 20,
        "channels": 3,
        "classes": 2,
        "width": "6",
        "test accuracy": "50.0% of 4 recordings",
    }
    assert facts.get("weights") == weights


def test_layers_have_their_sizes():
    data = recordings().select(range(5))  # 4 to 8 frames
    table = tables.layers_table(record(TinyNetwork(classes=2), data))
    assert table.index.tolist() == ["input", "layer 1", "layer 2", "layer 3"]
    assert table["module"].tolist() == ["input", "blocks.0", "blocks.1", "blocks.2"]
    assert table["channels"].tolist() == [3, 6, 6, 8]
    assert table["features per frame"].tolist() == [60, 120, 120, 160]
    assert table["stride"].tolist() == [1, 1, 1, 2]
    assert table["frames in all"].tolist() == [30, 30, 30, 2 + 3 + 3 + 4 + 4]
    assert set(table["joints"]) == {20}
    assert set(table["MiB"]) == {0.0}


def study(**dtw):
    chosen = {"reading": "sliding", "metric": "euclidean", "band": None, "normalize": "length", "window": 9} | dtw
    return SimpleNamespace(
        seed=7,
        network=SimpleNamespace(name="tiny"),
        dtw=SimpleNamespace(**chosen, stride=2),
        graph=SimpleNamespace(part="test", sigma="mean-kth/3", solver="exact"),
        geometry=SimpleNamespace(confidence=0.95, permutations=20),
    )


def test_settings_are_put_into_words():
    k = ChosenK(4, "as the study says", median=2.0, least=1)
    facts = tables.settings_facts(study(), nodes=recordings(), k=k, left_out="subject", resampled="day")["value"]
    assert facts.to_dict() == {
        "nodes": "6 recordings (test)",
        "distance": "DTW, sliding windows, euclidean, no band, by length",
        "window": "9 input frames, stride 2",
        "graph": "NNK, K = 4, σ by mean-kth/3, solver exact",
        "why this K": "as the study says",
        "candidates of a node's own class": "median 2, least 1",
        "warning": str(k.warning),
        "left out as neighbours": "same subject",
        "left out for intervals": "one day at a time",
        "interval": "95%, graphs made anew without each part",
        "null": "20 shuffles of the labels",
        "seed": "7",
    }
    chosen = study(reading="frames", band=3)
    suited = ChosenK(3, "suited")
    other = tables.settings_facts(chosen, nodes=recordings(), k=suited, left_out=None, resampled=None)["value"]
    assert other["why this K"] == "suited"
    assert not {"warning", "candidates of a node's own class"} & set(other.index)
    assert other["distance"] == "DTW, classic DTW on frames, euclidean, band of radius 3, by length"
    assert other["left out as neighbours"] == "nobody"
    assert other["left out for intervals"] == "random parts of the recordings"


def test_a_report_begins_with_facts():
    data = recordings()
    parts = data.select(range(4)), data.select([4, 5])
    accuracies = pd.DataFrame({"network": ["trained", "trained-2"], "seed": [7, 8], "accuracy": [0.5, 1.0]})
    given = {"data": data, "parts": parts, "nodes": parts[1], "layers": LAYERS, "k": ChosenK(4, ""),
             "compared": "nothing equal"}  # fmt: skip
    facts = tables.report_facts(study(), **given, accuracies=accuracies.head(1))
    assert facts == {
        "recordings": "6 (4 train, 2 test)",
        "parts compared": "nothing equal",
        "classes": "2",
        "network": "tiny, 2 layers",
        "test accuracy": "50.0%",
        "DS-Graph": "2 nodes, K = 4",
    }
    several = tables.report_facts(study(), **given, accuracies=accuracies)
    assert several["network"] == "tiny, 2 layers, 2 trained"
    assert several["test accuracy"] == "75.0% (50.0%, 100.0%)"


def test_what_parts_share_has_a_row_per_kind_and_class():
    data = recordings()
    test = data.select([0, 2, 4, 5]).with_coords([data.coords[0], data.coords[2], data.coords[4], data.coords[5]])
    table = tables.leakage_table(find_leakage(data.select(range(4)), test, near=0))
    assert list(table.columns) == ["class", "test recordings", "of", "for example"]
    assert set(table.index) == {"equal"}
    assert table["test recordings"].sum() == 2
    assert (table["of"] >= table["test recordings"]).all()
    assert f"{data.names[0]} and {data.names[0]}" in " ".join(table["for example"])
    empty = tables.leakage_table(find_leakage(data.select(range(3)), data.select([4, 5]), near=0))
    assert len(empty) == 0
