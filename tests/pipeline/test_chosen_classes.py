"""data.classes: which recordings are left, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib import SequenceSet, demo_sequences
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.run import StudyRun, open_study


def opened(output: Path, *classes: str, **data: Any) -> StudyRun:
    return open_study(
        {
            "name": "some",
            "data": {"demo": {"subjects": 2, "repeats": 1}, "split": {"train": [1]}, "classes": classes} | data,
        },
        output,
    )


def test_recordings_of_the_named_classes_are_used_and_keep_their_numbers(tmp_path: Path) -> None:
    every, some = opened(tmp_path / "all")["sequences"], opened(tmp_path / "some", "kick", "wave")["sequences"]
    kept = np.flatnonzero([every.class_names[label] in ("kick", "wave") for label in every.labels])
    assert list(some.names) == [every.names[i] for i in kept]
    assert some.class_names == every.class_names
    assert some.labels.tolist() == every.labels[kept].tolist()
    np.testing.assert_array_equal(some.coords[0], every.coords[kept[0]])


def test_a_class_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"data\.classes: no class is named 'kik'; did you mean 'kick'"):
        opened(tmp_path, "kik")["sequences"]


def test_a_class_without_recordings_is_refused(tmp_path: Path) -> None:
    data = demo_sequences(subjects=2, repeats=1)
    file = tmp_path / "few.npz"
    data.select(data.labels != data.class_names.index("kick")).save(file)
    assert "kick" in SequenceSet.load(file).class_names
    with pytest.raises(StudyError, match=r"data\.classes: no recording is of class 'kick'; leave it out"):
        opened(tmp_path / "out", "wave", "kick", path=str(file), demo=None)["sequences"]


def test_real_targets_have_no_classes(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"data\.target is value; leave data\.classes out"):
        opened(tmp_path, "wave", target="value")
