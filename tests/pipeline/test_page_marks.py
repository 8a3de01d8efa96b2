"""Pages and artefacts: a stage declares what its notebook shows, and its mark changes with that and nothing else."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from test_line_keys import BASE, CHANGES, changed

from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.pipeline.stages import FIRST_PAGE, STAGES, Stage, page_mark, shown, stages_of


def cells(stage: Stage) -> list[Any]:
    notebook = nbformat.read(notebook_folder() / f"{stage.name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def asked(stage: Stage) -> set[str]:
    """Names of artefacts that a notebook asks its run for, as a stage declares them."""
    found = set()
    for cell in cells(stage):
        for node in ast.walk(ast.parse(cell.source)):
            match node:
                case ast.Subscript(value=ast.Name(id="run"), slice=name):
                    found.add(_text(name))
                case ast.Call(func=ast.Attribute(value=ast.Name(id="run"), attr="get"), args=[name]):
                    found.add(_text(name) + "?")
    return found


def _text(name: ast.expr) -> str:
    """The text of a literal; what is put into it stands in braces."""
    if isinstance(name, ast.Constant):
        return str(name.value)
    assert isinstance(name, ast.JoinedStr), ast.unparse(name)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
        for part in name.values
    )


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_declares_what_its_notebook_shows(stage: Stage) -> None:
    besides = set(FIRST_PAGE) if stage.name == "09_summary" else set()
    assert asked(stage) | besides == set(stage.shows)
    assert len(set(stage.shows)) == len(stage.shows)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_notebook_learns_of_the_study_through_artefacts_alone(stage: Stage) -> None:
    """A setting that it read directly could change without the page's mark."""
    for cell in cells(stage):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "run":
                assert node.attr == "get", ast.unparse(node)


def test_a_notebook_runs_per_layer_if_it_asks_for_a_layer() -> None:
    for stage in STAGES:
        (parameters,) = [cell.source for cell in cells(stage) if "parameters" in cell.metadata.get("tags", [])]
        assert stage.per_layer == ("layer = " in parameters), stage.name


def marks(run: StudyRun, folder: Path | None = None) -> dict[str, str]:
    """Stage -> mark of its page; of the page about the input where there is one for each layer."""
    home = folder or notebook_folder()
    return {s.name: page_mark(s, run, home, "input" if s.per_layer else None) for s in stages_of(run.study)}


def keys(run: StudyRun) -> dict[str, dict[str, str]]:
    """Stage -> key of each artefact that its page shows."""
    return {
        stage.name: {place.name: run.keys.of(place) for place in shown(stage, run, "input")}
        for stage in stages_of(run.study)
    }


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, value, _ in CHANGES])
def test_a_mark_changes_exactly_when_something_shown_does(field: str, value: Any) -> None:
    before, after = open_study(BASE, "unused"), open_study(changed(BASE, field, value), "unused")
    again = {name for name, mark in marks(after).items() if mark != marks(before)[name]}
    assert again == {name for name, found in keys(after).items() if found != keys(before)[name]}


LAYERS = {"05_layer"}
MEASURED = {"03_ds_graphs", "04_geometry", "04a_classes", "04b_sensitivity", "07_noise", "05_layer", "09_summary"}


@pytest.mark.parametrize(
    ("field", "value", "again"),
    [
        ("name", "another", {"09_summary"}),
        ("compute.workers", 1, set()),
        ("statistics.votes", 3, {"04_geometry"}),
        ("sensitivity.k", [4], {"04b_sensitivity"}),
        ("explain.steps", 3, {"06_relevance"}),
        ("explain.examples", 1, {"06_relevance", "05_layer"}),
        ("noise.jitter", [15], {"07_noise", "09_summary"}),
        ("transfer.seeds", 1, {"08_transfer", "09_summary"}),
        ("layers", ["st_gcn_networks.2"], {"01_network", "02_activations", "06_relevance"} | MEASURED),
        ("dtw.window", 5, {"06_relevance", "08_transfer"} | MEASURED),
        ("graph.k", 5, {"06_relevance", "08_transfer"} | MEASURED - {"04b_sensitivity"}),
    ],
)
def test_which_pages_a_setting_repeats(field: str, value: Any, again: set[str]) -> None:
    before, after = marks(open_study(BASE, "unused")), marks(open_study(changed(BASE, field, value), "unused"))
    assert {name for name, mark in after.items() if mark != before[name]} == again


def test_a_section_adds_its_page_and_changes_the_summary_alone() -> None:
    plain = {name: value for name, value in BASE.items() if name not in ("noise", "transfer", "sensitivity")}
    before = marks(open_study(plain, "unused"))
    after = marks(open_study({**plain, "noise": BASE["noise"]}, "unused"))
    assert set(after) - set(before) == {"07_noise"}
    assert {name for name in before if before[name] != after[name]} == {"09_summary"}


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (lambda cell: cell.update(execution_count=7), False),
        (lambda cell: cell.update(source=cell.source + "\n# more"), True),
        (lambda cell: cell.metadata.update(tags=["parameters", "hide-input"]), True),
    ],
)
def test_a_mark_covers_what_a_notebook_says_and_does(
    change: Callable[[Any], Any], counts: bool, tmp_path: Path
) -> None:
    """And the tags of its cells; outputs and counters do not count."""
    folder = tmp_path / "stages"
    shutil.copytree(notebook_folder(), folder)
    run = open_study(BASE, "unused")
    notebook = nbformat.read(folder / "06_relevance.ipynb", as_version=4)
    before = marks(run, folder)
    change(next(cell for cell in notebook.cells if cell.cell_type == "code"))
    nbformat.write(notebook, folder / "06_relevance.ipynb")
    after = marks(run, folder)
    assert {name for name in before if before[name] != after[name]} == ({"06_relevance"} if counts else set())
