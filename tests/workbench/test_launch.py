"""The command: where its notebook lies, what it starts, and how it refuses."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest

from stgcnlib.errors import StudyError
from stgcnlib.trust import state_folder
from stgcnlib.workbench import launch as launching
from stgcnlib.workbench.launch import launch, place_notebook, server_command, workbench_notebook


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / 'a "study"'
    folder.mkdir()
    (folder / "study.yml").write_text("name: a\n")
    return folder


def parameters(notebook: Path) -> dict[str, object]:
    (cell,) = [c for c in nbformat.read(notebook, 4).cells if "parameters" in c.metadata.get("tags", [])]
    values: dict[str, object] = {}
    exec(cell.source, values)
    return values


def test_the_notebook_lies_in_the_state_folder_with_the_study_filled_in(study: Path) -> None:
    notebook = place_notebook([study])
    assert notebook.name == "workbench.ipynb"
    assert notebook.is_relative_to(state_folder())
    assert [path.name for path in study.iterdir()] == ["study.yml"]
    nbformat.validate(nbformat.read(notebook, 4))
    assert parameters(notebook)["folders"] == [str(study.resolve())]
    assert parameters(notebook)["state"] is None


@pytest.mark.parametrize("keep", [True, False])
def test_a_notebook_that_came_with_a_study_is_not_opened(study: Path, *, keep: bool) -> None:
    (study / "workbench.ipynb").write_text("theirs")
    notebook = place_notebook([study], keep=keep)
    assert not notebook.is_relative_to(study.resolve())
    assert parameters(notebook)["folders"] == [str(study.resolve())]


def test_each_study_has_a_notebook_of_its_own(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "deep" / study.name
    other.mkdir(parents=True)
    assert place_notebook([study]) != place_notebook([other])


def test_a_second_study_is_named_beside_the_first(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "deep" / "other"
    other.mkdir(parents=True)
    (other / "study.yml").write_text("name: other\n")
    notebook = place_notebook([study, other])
    assert notebook.name == "workbench-other.ipynb"
    assert parameters(notebook)["folders"] == [str(study.resolve()), str(other.resolve())]


def test_a_notebook_that_is_there_is_left_as_it_is(study: Path) -> None:
    notebook = place_notebook([study])
    notebook.write_text("mine")
    assert place_notebook([study]).read_text() == "mine"


def test_an_application_writes_nothing_into_the_study(study: Path) -> None:
    notebook = place_notebook([study], keep=False)
    assert [path.name for path in study.iterdir()] == ["study.yml"]
    assert parameters(notebook)["folders"] == [str(study.resolve())]


def test_without_a_state_folder_the_notebook_is_temporary(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(study / "study.yml"))
    notebook = place_notebook([study])
    assert notebook.name == "workbench.ipynb"
    assert not notebook.is_relative_to(study.resolve())


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"nowhere.*study\.yml.*stgcnlib run"):
        launch([tmp_path / "nowhere"])


def test_a_study_without_results_is_refused(study: Path) -> None:
    with pytest.raises(StudyError, match=r"has no results yet.*stgcnlib run"):
        launch([study])
    assert [path.name for path in study.iterdir()] == ["study.yml"]


@pytest.mark.parametrize("app", [False, True])
def test_the_server_listens_here_alone_and_keeps_its_token(
    study: Path, monkeypatch: pytest.MonkeyPatch, *, app: bool
) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    started: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(launching.os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.chdir(study)  # what lies there may be settings of Voilà, which are code
    monkeypatch.setattr(launching, "read_study", lambda folder: folder)  # as if it had results
    launch([study], app=app, port=8999, browser=False)
    ((program, command, environment),) = started
    assert not Path.cwd().is_relative_to(study.resolve())
    assert program == sys.executable
    assert {"-P", "--no-browser", "--port=8999"} <= set(command)
    assert any(part.endswith("ip=127.0.0.1") for part in command)
    assert not any("token=" in part for part in command)
    if not app:
        assert environment["JUPYTER_CONFIG_PATH"].endswith(f"config{os.pathsep}/mine")
        assert (Path(environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0]) / "labconfig").is_dir()


def test_without_voila_the_command_says_how_to_get_it(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"pip install 'stgcnlib\[app\]'"):
        launch([study], app=True)


def test_nothing_of_the_application_asks_a_network(study: Path) -> None:
    """The template that replaces Voilà's names no address."""
    _, environment = server_command(study, app=True, port=None, browser=True)
    template = Path(environment["JUPYTER_PATH"].split(os.pathsep)[0]) / "voila" / "templates" / "stgcnlib"
    files = [path for path in template.iterdir() if path.is_file()]
    assert {path.name for path in files} == {"conf.json", "index.html.j2", "page.html"}
    assert not any("://" in path.read_text() for path in files)


def test_the_notebook_of_the_repository_is_thin() -> None:
    notebook = nbformat.read(workbench_notebook(), 4)
    assert len(notebook.cells) <= 6
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_jupyterlab_opens_on_the_notebook_alone(study: Path, tmp_path: Path) -> None:
    other = tmp_path / 'b "study"'
    other.mkdir()
    notebook = place_notebook([study, other])
    command, _ = server_command(notebook, app=False, port=None, browser=True)
    assert "--LabApp.default_url=/doc/tree/workbench-b%20%22study%22.ipynb" in command
    assert f"--ServerApp.root_dir={notebook.parent}" in command


@pytest.mark.parametrize("user", [0, 1000])
def test_jupyterlab_starts_in_a_container_too(study: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(launching.os, "geteuid", lambda: user)
    command, _ = server_command(study / "workbench.ipynb", app=False, port=None, browser=False)
    assert ("--allow-root" in command) == (user == 0)
