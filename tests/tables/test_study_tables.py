"""Tables of noise, transfer and comparison, and that the room's list of functions is true."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from table_results import recordings

from stgcnlib import tables
from stgcnlib.studies import Comparison, NoiseResult, TransferResult


def test_noise_at_the_last_layer_beside_accuracy():
    levels = [("clean", np.nan, np.nan), ("jitter", 20.0, 0.25), ("rotation", 90.0, -0.02)]
    where = [{"network": "trained", "networks": 2, "kind": kind, "level": level} for kind, level, _ in levels]
    rows = [
        each | {"index": index, "title": f"layer {index}", "smoothness": 0.4 - index / 10, "low": 0.1, "high": 0.9}
        | {"loss": loss, "loss_low": loss - 0.1, "loss_high": loss + 0.1}
        | {"lost": 2 * loss, "lost_low": np.nan if loss < 0 else loss, "lost_high": np.nan if loss < 0 else 1.0}
        for index in (2, 1)
        for each, (_, _, loss) in zip(where, levels, strict=True)
    ]  # fmt: skip
    accuracy = [each | {"accuracy": 0.5, "low": 0.4, "high": 0.6, "loss": loss, "motion_db": 9.56}
                for each, (_, _, loss) in zip(where, levels, strict=True)]  # fmt: skip
    nothing = pd.DataFrame()
    result = NoiseResult(pd.DataFrame(rows), pd.DataFrame(accuracy), nothing, nothing, nothing, nothing)
    table = tables.noise_table(result)
    assert table.index.tolist() == ["clean recordings"] * 3
    assert set(table["networks"]) == {2}
    assert table["noise"].tolist() == ["clean", "20 dB (9.6 of motion)", "±90°"]
    assert set(table["S at layer 2"]) == {"0.200 (0.100 to 0.900)"}
    assert table["lost of the way to shuffled labels"].tolist() == [
        "",
        "25% (15% to 35%)",
        "a gain of 2% (a gain of 12% to a loss of 8%)",
    ]
    assert table["lost of what training gained"].tolist() == ["", "50% (25% to 100%)", "a gain of 4%"]
    result.table["lost"] = np.nan  # no untrained network was measured
    assert "lost of what training gained" not in tables.noise_table(result)
    assert set(table["accuracy"]) == {"50% (40% to 60%)"}
    assert table["share of accuracy lost"].tolist() == ["", "25%", "a gain of 2%"]


def transfer() -> TransferResult:
    table = pd.DataFrame(
        {
            "method": ["frozen", "from scratch"], "frozen": [2, -1], "accuracy": [0.9, 0.5], "low": [0.8, 0.4],
            "high": [1.0, 0.6], "validation": [0.75, 0.5],
            "seed_sd": [0.015, np.nan], "change": [np.nan, -0.4], "change_low": [np.nan, -0.5],
            "change_high": [np.nan, 0.1], "parameters": [1234, 56789], "seconds": [1.25, 60.0],
        }
    )  # fmt: skip
    settings = {
        "classes": 4, "train_n": 8, "n": 6, "blocks": 3, "frozen": [0, 2], "seeds": [0, 1],
        "training": {"epochs": 5, "batch_size": 16}, "sources": 2, "validation": "subject",
    }  # fmt: skip
    nothing = pd.DataFrame()
    return TransferResult(pd.DataFrame({"seconds": [30.0, 60.0]}), table, nothing, nothing, nothing, settings)


def test_transfer_names_each_fit():
    table = tables.transfer_table(transfer())
    assert table.index.tolist() == ["2 frozen", "from scratch"]
    assert table["accuracy"].tolist() == ["90.0% (80.0% to 100.0%)", "50.0% (40.0% to 60.0%)"]
    assert table["validation"].tolist() == ["75.0%", "50.0%"]
    assert table["sd over seeds"].tolist() == ["1.5 points", ""]
    assert table["against tuning all"].tolist() == ["", "-40.0% (-50.0% to +10.0%)"]
    assert table["parameters trained"].tolist() == ["1,234", "56,789"]
    assert table["seconds"].tolist() == ["1.2", "60.0"]


@pytest.mark.parametrize(
    ("classes", "checkpoint", "path", "words"),
    [
        (1, None, None, "1 of the 2 classes of these data"),
        (("kick",), None, None, "1 of the 2 classes of these data"),
        (None, "net.pt", None, "net.pt"),
        (None, None, "folder", "folder"),
    ],
)
def test_transfer_says_from_where(classes, checkpoint, path, words):
    source = SimpleNamespace(classes=classes, checkpoint=checkpoint, path=path)
    target = "2 classes" if classes is None else "1 class"
    facts = tables.transfer_facts(transfer(), source=source, data=recordings())["value"]
    assert facts.to_dict() == {
        "source": words,
        "target": f"{target} with recordings (4 are named), 8 training and 6 test recordings",
        "blocks": "3",
        "frozen": "0, 2",
        "training of each fit": "epochs 5, batch_size 16",
        "fits": "2, 1.5 min",
        "seeds": "0, 1",
        "source networks": "2",
        "held out of each fit for validation": "about a fifth of the training part's subjects",
    }


def test_advice_rests_on_a_row_per_choice():
    evidence = pd.DataFrame(
        {
            "frozen": [0, 2], "validation": [0.9, 0.75], "accuracy": [0.8, 0.7],
            "behind": [0.0, 0.15], "standard_error": [0.0, 0.021],
            "as_good": [True, False], "smoothness": [0.5, np.nan],
        }
    )  # fmt: skip
    table = tables.advice_table(evidence)
    assert table.loc[2].to_dict() == {
        "validation": "75.0%", "behind": "15.0 points", "standard error": "2.1 points", "as good": "no",
        "test accuracy": "70.0%", "smoothness": "nan",
    }  # fmt: skip
    assert table.loc[0, "as good"] == "yes"


def test_studies_side_by_side():
    studies = pd.DataFrame(
        {
            "study": list("abc"), "network": "st-gcn", "data": "demo", "layers": 3, "n": 20, "k": 12, "accuracy": 0.875,
            "input_rescaled": 0.45, "last_rescaled": 0.15,
            "input": 0.5, "last": 0.2, "fall": 0.3, "fall_low": 0.25, "fall_high": 0.35, "untrained_last": np.nan,
            "holds": [True, False, None],
        }
    )  # fmt: skip
    pairs = pd.DataFrame(
        {
            "first": ["a"], "second": "b", "quantity": "input", "scale": "S", "first_value": 0.5, "second_value": 0.25,
            "difference": 0.25, "low": -0.1, "high": 0.6, "p": 0.01234, "units": 4,
            "unit": "subject",
        }
    )  # fmt: skip
    found = Comparison(studies, pd.DataFrame(), pd.DataFrame(), pairs)
    table = tables.studies_table(found)
    assert table["claim on depth"].tolist() == ["holds", "does not hold", "not decided"]
    assert table.loc["a"].drop("claim on depth").to_dict() == {
        "network": "st-gcn", "data": "demo", "layers": 3, "recordings": 20, "K": 12, "accuracy": "87.5%",
        "S, input": "0.500", "S, last layer": "0.200", "fall": "0.300 (0.250 to 0.350)", "rescaled, input": "0.450",
        "rescaled, last layer": "0.150", "S, untrained": "nan",
    }  # fmt: skip
    assert tables.pairs_table(found).loc["a"].to_dict() == {
        "second": "b", "quantity": "input", "scale": "S", "first value": "0.500", "second value": "0.250",
        "difference": "+0.250 (-0.100 to +0.600)", "p": "0.0123", "subjects": 4,
    }  # fmt: skip
    assert tables.pairs_table(Comparison(studies, studies, studies, pairs.iloc[:0])).empty
    untested = tables.pairs_table(
        Comparison(studies, studies, studies, pairs.assign(low=np.nan, high=np.nan, p=np.nan))
    )
    assert untested.loc["a", ["difference", "p"]].tolist() == ["+0.250", "not tested"]
    sure = tables.pairs_table(Comparison(studies, studies, studies, pairs.assign(p=0.0)))
    assert sure.loc["a", "p"] == "< 0.001"
    unequal = pd.DataFrame(
        [
            {"setting": setting, "study": study, "value": value}
            for setting, values in (("graph.k", "8 30 8"), ("dtw.window", "9 9 5"))
            for study, value in zip("abc", values.split(), strict=True)
        ]
    )
    table = tables.unequal_table(Comparison(studies, studies, studies, pairs, unequal))
    assert table.to_dict("index") == {
        "graph.k": {"a": "8", "b": "30", "c": "8"}, "dtw.window": {"a": "9", "b": "9", "c": "5"},
    }  # fmt: skip


# -- the room ----------------------------------------------------------------------------------


def test_the_list_of_functions_is_true():
    listed = re.findall(r"^    (\w+)(\(.*\))$", str(tables.__doc__), re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(tables.__all__)
    for name, arguments in listed:
        signature = inspect.signature(getattr(tables, name))
        plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
        bare = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
        assert bare == arguments, name


def test_importing_the_room_is_quick():
    code = "import sys, stgcnlib.tables; print(sorted({'pandas', 'torch', 'matplotlib'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
