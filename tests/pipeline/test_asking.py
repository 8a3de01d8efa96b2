"""Long work begins in a notebook only once someone agrees; nobody is asked where nobody can answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from line_changes import BASE
from small_study import SMALL

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.pipeline import asking
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import STAGES
from stgcnlib.pipeline.study import Study


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that were asked of a kernel where someone answers no."""
    asked: list[str] = []

    def refuse(question: str) -> str:
        asked.append(question)
        return "n"

    monkeypatch.delenv("STGCNLIB_STAGE", raising=False)
    monkeypatch.setattr(asking, "_kernel", lambda: SimpleNamespace(_allow_stdin=True))
    monkeypatch.setattr("builtins.input", refuse)
    return asked


def test_nothing_is_asked_for_what_is_there(
    tmp_path: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(stgcnlib.open_study(SMALL, tmp_path)["sequences"])
    monkeypatch.setattr(asking, "QUICK", 0.0)
    run = stgcnlib.open_study(SMALL, tmp_path)
    assert len(run["sequences"])
    assert len(run["nodes"])
    assert questions == []
    with pytest.raises(StudyError):
        run["training/trained"]
    assert len(questions) == 1


def test_a_no_says_how_to_make_it_and_makes_nothing(
    tmp_path: Path, questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = stgcnlib.open_study("demo", tmp_path / "out put")
    with pytest.raises(StudyError, match=rf"stgcnlib run demo --output '{tmp_path}/out put'$"):
        run["geometry"]
    assert questions == ["Making 'geometry' takes about 65 s. Make it? [y/N] "]
    assert "nothing is made yet" in capsys.readouterr().out
    assert not (tmp_path / "out put").exists()
    with pytest.raises(StudyError):
        run.get("geometry")
    assert len(questions) == 2


def test_a_yes_makes_all_that_it_needs_without_another_question(
    tmp_path: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stgcnlib.open_study(SMALL, tmp_path / "out")
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "Y ")
    assert len(run["sequences"])
    assert len(run["nodes"])
    assert len(questions) == 1


def test_quick_work_in_a_folder_that_is_there_begins_at_once(tmp_path: Path, questions: list[str]) -> None:
    run = stgcnlib.open_study({**SMALL, "noise": None}, tmp_path)
    assert len(run["sequences"])
    assert questions == []


@pytest.mark.parametrize("stage", ["", "1"])
def test_nobody_is_asked_who_cannot_answer(
    stage: str, tmp_path: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STGCNLIB_STAGE", stage)
    monkeypatch.setattr(asking, "_kernel", lambda: SimpleNamespace(_allow_stdin=bool(stage)))
    run = stgcnlib.open_study(SMALL, tmp_path / "out")
    assert len(run["sequences"])
    assert questions == []


def test_a_new_folder_lies_in_the_project(
    tmp_path: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert stgcnlib.open_study(SMALL).output == tmp_path / "reports" / "small"
    monkeypatch.setattr(asking, "_kernel", lambda: None)
    assert stgcnlib.open_study(SMALL).output == Path("reports/small")


def test_a_line_says_what_is_open(
    tmp_path: Path,
    questions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "artefacts").mkdir()
    (tmp_path / "study.yml").write_text(Study.load(SMALL).to_yaml())
    pages = {"00_data": {"finished": "2026-11-26T12:30:00+00:00"}, "01": {"finished": "2026-11-26T09:30:00+00:00"}}
    (tmp_path / "stages.json").write_text(json.dumps({"notebooks": pages}))
    stgcnlib.open_study(SMALL, tmp_path)
    local = datetime(2026, 11, 26, 12, 30, tzinfo=UTC).astimezone()
    assert capsys.readouterr().out == f"small: {tmp_path}, made {local:%Y-%m-%d %H:%M}\n"
    monkeypatch.setenv("STGCNLIB_STAGE", "1")
    stgcnlib.open_study(SMALL, tmp_path)
    monkeypatch.delenv("STGCNLIB_STAGE")
    monkeypatch.setattr(asking, "_kernel", lambda: None)
    stgcnlib.open_study(SMALL, tmp_path)
    assert capsys.readouterr().out == ""


def seconds(folder: Path, times: dict[str, float], *names: str, path: str = "demo") -> float | None:
    (folder / "stages.json").write_text(json.dumps({"notebooks": {}, "times": times}))
    data = BASE["data"] if path == "demo" else {"path": path}
    study = Study.load({**BASE, "data": data})
    run = StudyRun(study, folder)
    return asking.expected_seconds(run, study, names)


def test_the_expected_time_is_that_of_the_stages_that_are_missing(tmp_path: Path) -> None:
    cost = {stage.name: stage.cost or 0.0 for stage in STAGES}
    assert seconds(tmp_path, {}, "distances/trained/*") == cost["03_ds_graphs"]
    assert seconds(tmp_path, {}, "training/trained", "distances/trained/*") == cost["01_network"] + cost["03_ds_graphs"]
    assert seconds(tmp_path, {"03_ds_graphs": 700.0}, "distances/trained/*") == 700.0
    # Twice as slow as the demo in what is known, so in the rest too.
    assert seconds(tmp_path, {"01_network": 2 * cost["01_network"]}, "noise") == 2 * cost["07_noise"]
    assert seconds(tmp_path, {"05_layer_00": 4.0, "05_layer_01": 5.0, "01_network": cost["01_network"]}, "noise") == (
        pytest.approx(cost["07_noise"] * (9.0 / cost["05_layer"] + 1) / 2)
    )
    assert seconds(tmp_path, {}, "transfer") is None
    assert seconds(tmp_path, {}, "distances/trained/*", path=str(tmp_path)) is None


@pytest.mark.parametrize("there", [True, False])
def test_a_kernel_asks_the_reader_alone(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's kernel, as JupyterLab runs it (a reader can answer) and as `nbclient` does (nobody can)."""
    monkeypatch.delenv("STGCNLIB_STAGE", raising=False)
    questions: list[str] = []
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))

    def answer(message: dict[str, Any]) -> None:
        questions.append(message["content"]["prompt"])
        client.input("no")

    code = f"import stgcnlib\nlen(stgcnlib.open_study({SMALL!r}, 'out')['sequences'])"
    try:
        reply = client.execute_interactive(
            code, allow_stdin=there, stdin_hook=answer, output_hook=lambda message: None, timeout=120
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert len(questions) == there
    assert (reply["content"].get("ename"), (tmp_path / "out").exists()) == ("StudyError" if there else None, not there)
