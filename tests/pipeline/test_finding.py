"""A study is found from a folder below it or beside it, and no study is written over another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.finding import find_output, nearest_study, project_folder
from stgcnlib.pipeline.study import Study
from stgcnlib.report.study import run_study

HERE = {"name": "here"}
OTHER = {"name": "here", "seed": 5}


def finished(folder: Path, fields: dict[str, object] = HERE, when: str = "2026-11-26T10:00:00+00:00") -> Path:
    (folder / "artefacts").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    (folder / "study.yml").write_text(Study.load(fields).to_yaml())
    (folder / "stages.json").write_text(json.dumps({"notebooks": {"00_data": {"finished": when}}, "times": {}}))
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose notebooks lie in a folder of their own; the working directory is that."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "notebooks" / "stages").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "stages")
    return tmp_path


def test_a_study_above_is_found_by_its_relative_folder(project: Path) -> None:
    home = finished(project / "reports" / "here")
    assert stgcnlib.open_study(HERE, "reports/here").output == home
    assert stgcnlib.open_study(HERE).output == home
    assert not Path("reports").exists()


def test_what_is_there_is_taken_as_it_is(project: Path) -> None:
    finished(project / "reports" / "here")
    Path("reports/here").mkdir(parents=True)
    assert stgcnlib.open_study(HERE, "reports/here").output == Path("reports/here")
    assert find_output(Study.load(HERE), project / "nowhere") == project / "nowhere"


def test_no_study_is_written_over_another(project: Path) -> None:
    finished(project / "reports" / "here", OTHER)
    assert stgcnlib.open_study(HERE, "reports/here").output == Path("reports/here")
    assert stgcnlib.open_study(OTHER, "reports/here").output == project / "reports" / "here"


def test_a_folder_that_is_no_study_is_not_taken(project: Path) -> None:
    (project / "out").mkdir()
    assert stgcnlib.open_study(HERE, "out").output == Path("out")


def test_the_search_ends_at_the_top_of_the_repository(project: Path) -> None:
    (project / "notebooks" / ".git").mkdir()
    finished(project / "reports" / "here")
    assert stgcnlib.open_study(HERE, "reports/here").output == Path("reports/here")
    with pytest.raises(StudyError, match=r"no finished study lies in .*stages/reports"):
        nearest_study()


def test_the_search_ends_at_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project / "notebooks"))
    finished(project / "reports" / "here")
    with pytest.raises(StudyError, match="stgcnlib run demo"):
        nearest_study()
    home = finished(project / "notebooks" / "reports" / "mine")
    assert nearest_study() == home


def test_the_nearest_study_is_the_one_that_was_finished_last(project: Path) -> None:
    finished(project / "reports" / "a", when="2026-11-26T10:00:00+00:00")
    late = finished(project / "reports" / "b", when="2026-11-26T13:00:00+02:00")
    finished(project / "reports" / "c", when="2026-11-26T10:30:00+00:00")
    running = finished(project / "reports" / "d", when="2026-11-26T20:00:00+00:00")
    (running / "progress.json").write_text("{}")
    (project / "reports" / "comparison").mkdir()
    assert nearest_study() == late
    assert stgcnlib.open_study().output == late
    assert nearest_study(project) == late


def test_nearer_reports_come_first(project: Path) -> None:
    finished(project / "reports" / "far")
    near = finished(project / "notebooks" / "reports" / "near")
    assert nearest_study() == near


def test_a_folder_within_a_study_is_that_study(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = finished(project / "reports" / "a")
    finished(project / "reports" / "b", when="2027-01-01T00:00:00+00:00")
    monkeypatch.chdir(home / "notebooks")
    assert nearest_study() == home
    assert stgcnlib.open_study().output == home
    assert stgcnlib.open_study("../study.yml", "..").output == Path("..")


def test_an_unfinished_study_alone_is_named(project: Path) -> None:
    home = finished(project / "reports" / "here")
    (home / "progress.json").write_text("{}")
    with pytest.raises(StudyError, match=r"not finished.*stgcnlib run .*reports/here/study.yml"):
        nearest_study()


def test_a_study_file_above_is_found(project: Path) -> None:
    home = finished(project / "reports" / "here", OTHER)
    run = stgcnlib.open_study("reports/here/study.yml", "reports/here")
    assert (run.study.seed, run.output) == (5, home)
    assert stgcnlib.open_study(output="reports/here").output == home


def test_the_workbench_opens_the_nearest_study(project: Path) -> None:
    with pytest.raises(StudyError, match="no finished study lies in"):
        stgcnlib.explore()
    finished(project / "reports" / "here")
    for asked in ([], ["reports/here"]):
        with pytest.raises(StudyError, match="reports/here: the study has no results yet"):
            stgcnlib.explore(*asked)
    with pytest.raises(StudyError, match="nowhere"):
        stgcnlib.explore("nowhere")


def test_the_command_writes_where_it_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run from a folder below a finished study makes a folder of its own."""
    finished(project / "reports" / "here")
    outputs: list[Path] = []
    monkeypatch.setattr("stgcnlib.report.study.run_stages", lambda study, output, **_: outputs.append(output))
    run_study(HERE, "reports/here")
    run_study(HERE)
    assert outputs == [Path("reports/here")] * 2


def test_a_project_folder_has_reports_or_a_project_file(project: Path) -> None:
    assert project_folder() == project
    (project / "notebooks" / "pyproject.toml").touch()
    assert project_folder() == project / "notebooks"
