"""Tables of real targets, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stgcnlib import SequenceSet, graph_layout
from stgcnlib.errors import SequenceError
from stgcnlib.groups import QUARTERS, strata
from stgcnlib.tables import errors_table, estimates_table, example_maps, kinds, parts_table
from stgcnlib.tables.targets import several_successes, success_facts, told, told_facts
from stgcnlib.training import Evaluation, TargetEvaluation

PATH = graph_layout("path", [(0, 1), (1, 2)])


def recorded(count: int = 8, columns: int = 1) -> SequenceSet:
    y = np.arange(1.0, count * columns + 1).reshape(columns, count).T
    names = [f"heat {q} (W)" for q in range(columns)]
    return SequenceSet(
        np.ones((count, 4, 3, 1)), layout=PATH, groups={"block": np.arange(count) // 2}, targets=y, target_names=names
    )


def evaluated(data: SequenceSet, shift: float = 1.0) -> TargetEvaluation:
    assert data.targets is not None
    width = data.targets.shape[1]
    return TargetEvaluation(
        data.targets + shift, data.targets, data.target_names, np.full(width, 4.0), np.full(width, 2.0)
    )


def test_errors_beside_those_of_the_training_mean() -> None:
    row = errors_table(evaluated(recorded())).loc["heat 0 (W)"]
    # Targets 1 to 8: spread 42, squares of the error 8; the mean of the training part is 4.
    assert row.to_dict() == {
        "R²": f"{1 - 8 / 42:.3f}", "MAE": "1", "RMSE": "1", "MAE of the training mean": "2",
        "RMSE of the training mean": f"{np.sqrt(44 / 8):.3g}",
    }  # fmt: skip


def test_estimates_of_every_node() -> None:
    data = recorded(columns=2)
    table = estimates_table(data, evaluated(data, -0.5))
    assert list(table.columns) == [
        "node", "name", "heat 0 (W)", "estimated heat 0 (W)", "error heat 0 (W)", "heat 1 (W)",
        "estimated heat 1 (W)", "error heat 1 (W)", "group block",
    ]  # fmt: skip
    assert (table["error heat 1 (W)"] == -0.5).all()
    with pytest.raises(SequenceError, match="not these 7"):
        estimates_table(data.select(range(7)), evaluated(data))


def test_what_is_told_in_words() -> None:
    data, two = recorded(), recorded(columns=2)
    classes = SequenceSet(data.coords, labels=[0, 1] * 4, class_names=["a", "b"], layout=PATH)
    assert (told(data, 2), told(two, 2), told(classes, 1)) == ("target 3", "heat 0 (W) 3, heat 1 (W) 11", "b")
    assert told(SequenceSet(data.coords, layout=PATH, class_names=[]), 0) == ""
    assert told_facts(classes) == {"classes": 2}
    assert told_facts(data) == {"target": "heat 0 (W)"}
    assert told_facts(two) == {"targets": "heat 0 (W); heat 1 (W)"}
    assert told_facts(data, short=True) == {"heat 0 (W)": "4.5 ± 2.3"}
    assert told_facts(SequenceSet(data.coords, layout=PATH, class_names=[])) == {}
    assert (data.outputs, two.outputs, classes.outputs) == (1, 2, 2)
    shown = parts_table((data, data), nodes=data)
    assert "classes" not in shown.columns
    assert shown.loc["train", "blocks"] == 4


def test_success_in_words() -> None:
    logits = np.eye(2, dtype=np.float32)[[0, 1, 1, 1]]
    assert success_facts(Evaluation(logits, np.array([0, 1, 1, 0]), ("a", "b"))) == {
        "test accuracy": "75.0% of 4 recordings"
    }
    assert success_facts(evaluated(recorded())) == {"test R²": "0.81, 8 recordings", "mean absolute error": "1"}
    assert several_successes(pd.DataFrame({"r2": [0.5, 0.7]})) == {"test R²": "0.60 (0.50, 0.70)"}
    assert several_successes(pd.DataFrame({"accuracy": [0.5]})) == {"test accuracy": "50.0%"}


def test_kinds_are_quarters_of_the_target() -> None:
    data = recorded()
    shuffled = data.select([7, 0, 3, 1, 6, 2, 5, 4])
    codes, names = strata(shuffled)
    assert names == QUARTERS
    assert kinds(shuffled) == list(QUARTERS)
    assert codes.tolist() == [3, 0, 1, 0, 3, 1, 2, 2]
    classes = SequenceSet(data.coords, labels=[0, 1] * 4, layout=PATH)
    assert strata(classes)[1] == ("class 0", "class 1")
    assert strata(SequenceSet(data.coords, layout=PATH, class_names=[]))[1] == ("all",)


def test_examples_begin_with_the_highest_target() -> None:
    from stgcnlib.explain import RelevanceMap

    data = recorded()
    values = np.zeros((1, 4, 3), dtype=np.float32)
    maps = [{"block": RelevanceMap(values, values, "block", 1, "layer 1", 0)} for _ in range(4)]
    titles = [title for title, _, _ in example_maps(data, [0, 2, 4, 7], maps, count=2)]
    assert titles == ["recording 7: target 8", "recording 0: target 1"]
