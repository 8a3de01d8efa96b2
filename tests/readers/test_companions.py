"""Files that readers take from beside what is named: all that they open is known beforehand."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from format_writers import WRITERS

from stgcnlib.pipeline.study import Study
from stgcnlib.readers import read
from stgcnlib.readers.companions import companions

CASES = [pytest.param(name, writer, id=writer.__name__) for name, writers in WRITERS.items() for writer in writers]


@pytest.fixture(scope="module")
def opened() -> Any:
    """Paths that Python code opens, from when the list is emptied."""
    paths: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            paths.append(os.path.realpath(os.fsdecode(arguments[0])))

    sys.addaudithook(note)
    return paths


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("format", "writer"), CASES)
def test_of_a_single_file_all_that_is_opened_counts(
    format: str, writer: Callable[[Path], Path], tmp_path: Path, opened: list[str]
) -> None:
    file = writer(tmp_path)
    opened.clear()
    read(file, format=format)
    taken = {path for path in opened if path.startswith(str(tmp_path)) and Path(path).is_file()}
    known = [file, *companions(file)]
    for path in taken:
        assert any(Path(path).is_relative_to(each) for each in known), path


def test_labels_beside_what_is_named(tmp_path: Path) -> None:
    """Those that no writer makes: in capital letters, above the folder, and beside it."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("Labels.CSV", "clips_label.json", "actionLabel.txt", "other.txt", "walk.bvh"):
        (tmp_path / name).write_text("x")
    assert [file.name for file in companions(tmp_path / "walk.bvh")] == [
        "Labels.CSV", "actionLabel.txt", "clips_label.json",
    ]  # fmt: skip
    assert [file.name for file in companions(clips)] == ["actionLabel.txt", "clips_label.json"]
    assert companions(tmp_path / "none") == ()
    (tmp_path / "kpfiles").mkdir()
    (tmp_path / "k400.pkl").write_text("x")
    assert tmp_path / "kpfiles" in companions(tmp_path / "k400.pkl")


def test_the_labels_of_a_single_file_decide_the_study(tmp_path: Path) -> None:
    from stgcnlib.pipeline.run import StudyRun

    (tmp_path / "walk.bvh").write_text("x")
    (tmp_path / "labels.csv").write_text("name,label\nwalk,walk")
    study = Study.load({"name": "one", "data": {"path": str(tmp_path / "walk.bvh")}})
    before = StudyRun(study, tmp_path / "out").key("prepared")
    (tmp_path / "labels.csv").write_text("name,label\nwalk,rest")
    assert StudyRun(study, tmp_path / "out").key("prepared") != before
    (tmp_path / "labels.csv").write_text("name,label\nwalk,walk")
    assert StudyRun(study, tmp_path / "out").key("prepared") == before
