"""The command: where its notebook lies, what it starts, and how it refuses."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest

from stgcnlib.errors import StudyError
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


def test_the_notebook_lies_in_the_study_with_its_folder_filled_in(study: Path) -> None:
    notebook = place_notebook([study])
    assert notebook == study.resolve() / "workbench.ipynb"
    nbformat.validate(nbformat.read(notebook, 4))
    assert parameters(notebook)["folders"] == ["."]
    assert parameters(notebook)["state"] is None


def test_a_second_study_is_named_from_the_first(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "deep" / "other"
    other.mkdir(parents=True)
    (other / "study.yml").write_text("name: other\n")
    notebook = place_notebook([study, other])
    assert notebook.name == "workbench-other.ipynb"
    folders = parameters(notebook)["folders"]
    assert isinstance(folders, list)
    assert [(notebook.parent / folder).resolve() for folder in folders] == [study.resolve(), other.resolve()]


def test_a_notebook_that_is_there_is_left_as_it_is(study: Path) -> None:
    notebook = place_notebook([study])
    notebook.write_text("mine")
    assert place_notebook([study]).read_text() == "mine"


def test_an_application_writes_nothing_into_the_study(study: Path) -> None:
    notebook = place_notebook([study], keep=False)
    assert [path.name for path in study.iterdir()] == ["study.yml"]
    assert parameters(notebook)["folders"] == [str(study.resolve())]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_not(study: Path) -> None:
    study.chmod(0o555)
    try:
        assert place_notebook([study]).parent != study.resolve()
    finally:
        study.chmod(0o755)


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
    monkeypatch.setattr(launching, "read_study", lambda folder: folder)  # as if it had results
    launch([study], app=app, port=8999, browser=False)
    ((program, command, environment),) = started
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


def test_jupyterlab_opens_on_the_notebook_alone(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.parent)
    command, _ = server_command(place_notebook([study]), app=False, port=None, browser=True)
    assert "--LabApp.default_url=/doc/tree/a%20%22study%22/workbench.ipynb" in command
    assert f"--ServerApp.root_dir={study.parent.resolve()}" in command
    (study.parent / "elsewhere").mkdir()
    monkeypatch.chdir(study.parent / "elsewhere")
    command, _ = server_command(place_notebook([study]), app=False, port=None, browser=True)
    assert {"--LabApp.default_url=/doc/tree/workbench.ipynb", f"--ServerApp.root_dir={study.resolve()}"} <= set(command)


@pytest.mark.parametrize("user", [0, 1000])
def test_jupyterlab_starts_in_a_container_too(study: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(launching.os, "geteuid", lambda: user)
    command, _ = server_command(study / "workbench.ipynb", app=False, port=None, browser=False)
    assert ("--allow-root" in command) == (user == 0)
