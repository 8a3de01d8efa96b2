"""A study whose test part holds copies of training recordings: what it says, and what leaving them out changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line_changes import BASE

from stgcnlib import SequenceSet, demo_sequences
from stgcnlib.pipeline.run import StudyRun, open_study

CLASS = 4  # all of its test recordings are copies


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which all test recordings of one class, and one of another, are training recordings."""
    data = demo_sequences(subjects=4, repeats=2, seed=0)
    train = np.flatnonzero(np.isin(data.groups["subject"], [1, 3]))
    test = np.setdiff1d(np.arange(len(data)), train)
    coords = list(data.coords)
    for c in (CLASS, 7):
        mine = test[data.labels[test] == c][: None if c == CLASS else 1]
        for i, j in zip(train[data.labels[train] == c], mine, strict=False):
            coords[j] = coords[i]
    path = tmp_path_factory.mktemp("copied") / "copied.npz"
    data.with_coords(coords).save(path)
    return path


def opened(path: Path, output: Path, *, drop: bool | None) -> StudyRun:
    chosen = {} if drop is None else {"drop_duplicates": drop}
    study: dict[str, Any] = {
        "name": "copies",
        "data": {"path": str(path), "split": BASE["data"]["split"], **chosen},
        "network": BASE["network"],
        "graph": {"k": 4},
        "geometry": {"permutations": 5},
        "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
    }
    return open_study(study, output)


def test_by_default_nothing_is_left_out_and_everything_is_said(copied: Path, tmp_path: Path) -> None:
    run = opened(copied, tmp_path, drop=None)
    assert len(run["sequences"]) == len(SequenceSet.load(copied))
    name = run["sequences"].class_names[CLASS]
    (sentence,) = run["leakage"].sentences()
    assert sentence.startswith("5 of 40 test recordings (12%) equal a training recording number for number.")
    assert f"All test recordings of 1 class are among them: {name!r}." in sentence
    assert run["leakage"].facts["dropped"] is False
    assert (tmp_path / "tables" / "leakage.parquet").exists()


def test_copies_are_left_out_of_the_test_part_alone(copied: Path, tmp_path: Path) -> None:
    before, after = (opened(copied, tmp_path / str(drop), drop=drop) for drop in (False, True))
    everyone = before["sequences"]
    gone = sorted(set(everyone.names) - set(after["sequences"].names))
    assert len(gone) == 5
    assert sorted(after["repeated"]["name"]) == gone
    assert after["parts"][0].names == before["parts"][0].names
    assert set(before["parts"][1].names) - set(after["parts"][1].names) == set(gone)
    assert after["nodes"].names == after["parts"][1].names
    found = after["leakage"]
    assert len(found.pairs) == 0
    name = everyone.class_names[CLASS]
    assert found.sentences() == [
        f"1 of 10 classes has no test recording left: {name!r}. "
        "What is measured on the test part says nothing about it."
    ]
    (note,) = found.notes()
    assert note.startswith("5 of 40 test recordings were left out")
    assert all(repr(each) in note for each in gone[:2])
    # What is kept is read once: the file of prepared recordings is the same.
    assert before.key("prepared") == after.key("prepared")


def test_a_study_goes_on_without_test_recordings_of_a_class(copied: Path, tmp_path: Path) -> None:
    run = opened(copied, tmp_path, drop=True)
    name = run["sequences"].class_names[CLASS]
    summary = run["summary"]
    assert summary["warnings"] == run["leakage"].sentences()
    assert {"label": "parts compared", "value": "5 equal recordings left out"} in summary["facts"]
    geometry = run["geometry"]
    assert name not in set(geometry.per_class["class_name"])
    assert np.isfinite(geometry.per_class["smoothness"]).all()
    assert run["evaluation"].logits.shape == (35, 10)
    assert name not in set(run["recordings"]["class_name"])
    for artefact in ("statistics", "findings", "examples", "map-evaluation"):
        assert run[artefact] is not None
