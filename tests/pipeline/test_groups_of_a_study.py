"""Who is no neighbour and what is resampled are two settings of a study, and both are named as what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stgcnlib.demo import demo_sequences
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies import Comparison
from stgcnlib.tables import pairs_table
from stgcnlib.verdicts import judge_depth


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demo recordings by three subjects on three days."""
    data = demo_sequences(subjects=3, repeats=2, seed=0)
    groups = {"subject": data.groups["subject"], "day": np.arange(len(data)) * 7 % 5 % 3}
    path = tmp_path_factory.mktemp("days") / "days.npz"
    SequenceSet(data.coords, labels=data.labels, class_names=data.class_names, groups=groups, layout=data.layout).save(
        path
    )
    return path


def study(path: Path, output: Path, **settings: Any) -> StudyRun:
    fields: dict[str, Any] = {
        "name": "days",
        "data": {"path": str(path), "split": {"by": "subject", "train": [1]}},
        "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
        "graph": {"k": 4},
        "controls": {"untrained": 1, "initial": 0},
        "geometry": {"permutations": 5},
    }
    return open_study(fields | {name: fields.get(name, {}) | values for name, values in settings.items()}, output)


def test_neighbours_of_other_days_are_called_so(days: Path, tmp_path: Path) -> None:
    run = study(days, tmp_path, graph={"leave_out": "day"})
    geometry = run["geometry"]
    day = run["nodes"].groups["day"]
    assert set(geometry.table["neighbours"]) == {"other days", "all"}
    assert geometry.neighbours == "other days"
    graph = geometry.graphs[("input", "trained", "other days")]
    assert (day[graph.candidates] != day[:, None]).all()
    words = judge_depth(geometry).text
    assert "Counting only neighbours of other days" in words
    assert "If neighbours of the same day count too" in words
    assert "other subjects" not in words
    assert "leaving out one of 2 subjects at a time" in words  # who is left out for intervals is another question
    assert run["settings"].loc[["left out as neighbours", "left out for intervals"], "value"].tolist() == [
        "same day", "one subject at a time",
    ]  # fmt: skip
    assert set(pd.read_parquet(tmp_path / "tables" / "nodes.parquet")["neighbours"]) == {"other days", "all"}


def test_subjects_are_left_out_one_by_one_where_everyone_may_be_a_neighbour(days: Path, tmp_path: Path) -> None:
    run = study(days, tmp_path, graph={"leave_out": None})
    geometry = run["geometry"]
    subjects = run["nodes"].groups["subject"]
    assert set(geometry.table["neighbours"]) == {"all"}
    np.testing.assert_array_equal(geometry.parts, np.unique(subjects, return_inverse=True)[1])
    words = judge_depth(geometry).text
    assert "all neighbours, whoever performed them" in words
    assert "leaving out one of 2 subjects at a time" in words


def test_random_parts_of_the_recordings_are_left_out_if_the_study_says_so(days: Path, tmp_path: Path) -> None:
    run = study(days, tmp_path, geometry={"resample": None, "permutations": 5})
    geometry = run["geometry"]
    assert geometry.neighbours == "other subjects"
    assert geometry.jackknife.count == min(20, len(run["nodes"]))
    assert "random parts of the recordings at a time, with graphs made anew." in judge_depth(geometry).text
    assert run["settings"].loc["left out for intervals", "value"] == "random parts of the recordings"


def test_a_comparison_names_what_its_pairs_exchange() -> None:
    shown = {"first": "a", "second": "b", "quantity": "input", "scale": "S", "units": 3}
    numbers = dict.fromkeys(["first_value", "second_value", "difference", "low", "high", "p"], 0.5)

    def heading(*units: str) -> str:
        pairs = pd.DataFrame([shown | numbers | {"unit": unit} for unit in units])
        return str(pairs_table(Comparison(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), pairs)).columns[-1])

    assert [heading("subject"), heading("day", "day"), heading("part")] == ["subjects", "days", "parts"]
    assert heading("subject", "day") == "left out one by one"


@pytest.mark.parametrize(("section", "field"), [("graph", "leave_out"), ("geometry", "resample")])
def test_a_group_that_is_not_there_is_refused_before_the_work(
    days: Path, tmp_path: Path, section: str, field: str
) -> None:
    with pytest.raises(StudyError, match=rf"{section}\.{field}: the data has no group 'dya'; did you mean 'day'"):
        study(days, tmp_path, **{section: {field: "dya"}}).check()
