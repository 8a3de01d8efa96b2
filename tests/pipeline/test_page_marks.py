"""A page is made again exactly when its notebook, or something that the notebook reads, has changed."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import HTMLFormatter
from line_changes import BASE, CHANGES, changed, opened

from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import FIRST_PAGE, STAGES, TARGET_STAGES, Stage, page_mark, stages_of

BY_NAME = {stage.name: stage for stage in (*STAGES, *TARGET_STAGES)}
LAST = ("09_summary", "09_result")  # with these, what the first page shows is made
LAYERS = ("input", "st_gcn_networks.2")
Marks = dict[tuple[str, str | None], str]


def trees(stage: Stage) -> Iterator[ast.AST]:
    """The code of a stage's notebook, cell by cell."""
    cells = nbformat.read(notebook_folder() / f"{stage.name}.ipynb", as_version=4).cells
    yield from (ast.parse(cell.source) for cell in cells if cell.cell_type == "code")


def asked(node: ast.expr) -> str:
    """The name in ``run["name"]``; ``{layer}`` for the notebook's parameter."""
    match node:
        case ast.Constant(str(name)):
            return name
        case ast.JoinedStr(parts):
            return "".join(f"{{{ast.unparse(p.value)}}}" if isinstance(p, ast.FormattedValue) else asked(p)
                           for p in parts)  # fmt: skip
    raise AssertionError(f"a name of an artefact is written out, not {ast.unparse(node)}")


@cache
def read_by(stage: Stage) -> set[str]:
    """Names of artefacts that a notebook asks for; what it takes by ``run.get`` ends in ``?``."""
    names = set()
    for tree in trees(stage):
        for node in ast.walk(tree):
            match node:
                case ast.Subscript(ast.Name("run"), key):
                    names.add(asked(key))
                case ast.Call(ast.Attribute(ast.Name("run"), "get"), [key]):
                    names.add(f"{asked(key)}?")
    return names


@pytest.mark.parametrize("name", BY_NAME)
def test_a_stage_shows_what_its_notebook_reads(name: str) -> None:
    stage = BY_NAME[name]
    extra = set(FIRST_PAGE) if name in LAST else set()
    assert read_by(stage) | extra == set(stage.shows)
    assert not read_by(stage) & extra
    assert len(set(stage.shows)) == len(stage.shows)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_notebook_reads_a_study_through_its_artefacts_alone(name: str) -> None:
    """``run`` is opened and asked; nothing else of it is read, and it is handed to no function."""
    for tree in trees(BY_NAME[name]):
        used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "run"]
        fitting = 0
        for node in ast.walk(tree):
            match node:
                case ast.Assign([ast.Name("run")], ast.Call(ast.Attribute(ast.Name("stgcnlib"), "open_study"))):
                    fitting += 1
                case ast.Subscript(ast.Name("run")) | ast.Call(ast.Attribute(ast.Name("run"), "get")):
                    fitting += 1
                case ast.Attribute(ast.Name("stgcnlib"), attribute):
                    assert attribute == "open_study"
        assert fitting == len(used)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_notebook_runs_per_layer_if_it_asks_for_a_layer(name: str) -> None:
    cells = nbformat.read(notebook_folder() / f"{name}.ipynb", as_version=4).cells
    (parameters,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert BY_NAME[name].per_layer == ("layer = " in parameters)
    if BY_NAME[name].per_layer:
        assert any("{layer}" in each for each in BY_NAME[name].shows)


@pytest.mark.parametrize("name", [*BY_NAME, "compare"])
def test_a_page_shows_tables_whole(name: str) -> None:
    """Pandas cuts text after 50 characters, and tables after 60 rows or 20 columns; only notebooks change that, which
    are their own process."""
    (chosen,) = options(name)
    assert chosen == ["display.max_colwidth", None, "display.max_rows", None, "display.max_columns", None]


def test_a_table_of_120_classes_has_all_its_rows() -> None:
    table = pd.DataFrame(np.arange(120 * 25).reshape(120, 25), index=[f"action {c}" for c in range(120)])
    shown_by = HTMLFormatter()  # as a notebook shows it
    with pd.option_context("display.max_colwidth", 50, "display.max_rows", 60, "display.max_columns", 20):
        assert "action 60" not in shown_by(table)
        pd.set_option(*options("04a_classes")[0])
        shown = shown_by(table)
    assert shown.count("<td>") == 120 * 25
    assert all(f"<th>action {c}</th>" in shown for c in range(120))
    assert "..." not in shown


@pytest.mark.parametrize("name", ["03_ds_graphs", "03_neighbours"])
def test_counts_of_neighbours_have_the_names_of_layers(name: str) -> None:
    """Where some blocks were recorded, numbers that count them would be wrong."""
    (titles,) = [
        ast.unparse(option.value)
        for tree in trees(Stage(name))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "figures.neighbor_counts"
        for option in node.keywords
        if option.arg == "titles"
    ]
    assert titles == "geometry.curve()['title']"


def options(name: str) -> list[list[Any]]:
    """What a notebook gives to ``pd.set_option``, call by call."""
    return [
        [ast.literal_eval(each) for each in node.args]
        for tree in trees(Stage(name))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pd.set_option"
    ]


def pages(run: StudyRun) -> Iterator[tuple[Stage, str | None]]:
    """Every page of a study, with its layer."""
    for stage in stages_of(run.study):
        yield from ((stage, layer) for layer in (LAYERS if stage.per_layer else (None,)))


def marks(run: StudyRun, notebooks: Path | None = None) -> Marks:
    folder = notebooks or notebook_folder()
    return {(stage.name, layer): page_mark(stage, run, folder, layer) for stage, layer in pages(run)}


def shown_keys(run: StudyRun) -> dict[tuple[str, str | None], list[str | None]]:
    """Page -> keys of what its notebook reads, and of what is made for the first page."""
    found: dict[tuple[str, str | None], list[str | None]] = {}
    for stage, layer in pages(run):
        names = read_by(stage) | (set(FIRST_PAGE) if stage.name == "09_summary" else set())
        found[stage.name, layer] = [
            run.key(name) if run.keys.has(run.line.find(name).artefact) else None
            for name in (each.replace("{layer}", layer or "").removesuffix("?") for each in sorted(names))
        ]
    return found


@pytest.fixture(scope="module")
def before(base: StudyRun) -> Marks:
    return marks(base)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> StudyRun:
    return opened(BASE, tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(("field", "value"), [each[:2] for each in CHANGES], ids=[field for field, _, _ in CHANGES])
def test_a_mark_changes_exactly_when_something_shown_does(
    base: StudyRun, before: Marks, field: str, value: Any, tmp_path: Path
) -> None:
    run = opened(changed(BASE, field, value), tmp_path)
    after, keys, others = marks(run), shown_keys(base), shown_keys(run)
    assert set(before) == set(after)
    assert {page for page in before if before[page] != after[page]} == {
        page for page in before if keys[page] != others[page]
    }


MEASURED = {"03_ds_graphs", "04_geometry", "04a_classes", "04b_sensitivity", "05_layer", "06_relevance", "07_noise",
            "09_summary"}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "again"),
    [
        ("name", "another", {"09_summary"}),
        ("compute.device", "cuda", set()),
        ("seed", 1, {stage.name for stage in STAGES}),
        ("network.training.epochs", 2, {stage.name for stage in STAGES} - {"00_data"}),
        ("layers", ["st_gcn_networks.2"], MEASURED | {"01_network", "02_activations"}),
        ("dtw.window", 5, MEASURED | {"08_transfer"}),
        ("graph.k", 5, MEASURED | {"08_transfer"}),  # distances reach as far as K needs
        ("geometry.permutations", 77, (MEASURED | {"08_transfer"}) - {"06_relevance"}),
        ("statistics.votes", 3, {"04_geometry"}),
        ("sensitivity.k", [4], {"04b_sensitivity"}),
        ("explain.steps", 3, {"06_relevance"}),
        ("explain.examples", 1, {"05_layer", "06_relevance", "09_summary"}),
        ("noise.jitter", [15], {"07_noise", "09_summary"}),
        ("transfer.seeds", 1, {"08_transfer", "09_summary"}),
    ],
)
def test_pages_that_a_field_makes_again(before: Marks, field: str, value: Any, again: set[str], tmp_path: Path) -> None:
    """Some of them by hand, as a check of the check."""
    after = marks(opened(changed(BASE, field, value), tmp_path))
    assert {name for name, layer in before if before[name, layer] != after[name, layer]} == again


def test_a_changed_distance_of_one_layer_is_on_its_own_page(before: Marks) -> None:
    assert len({mark for (name, _), mark in before.items() if name == "05_layer"}) == len(LAYERS)


def test_a_section_adds_its_page_and_changes_the_summary_alone(tmp_path: Path) -> None:
    plain = {name: value for name, value in BASE.items() if name not in ("noise", "transfer", "sensitivity")}
    before, after = (marks(opened(fields, tmp_path)) for fields in (plain, {**plain, "noise": BASE["noise"]}))
    assert set(after) - set(before) == {("07_noise", None)}
    assert {page for page in before if before[page] != after[page]} == {("09_summary", None)}


CELLS: list[tuple[str, Callable[[Any], object], bool]] = [
    ("counter", lambda book: code(book)[2].update(execution_count=7), False),
    ("output", lambda book: code(book)[2].outputs.append(nbformat.v4.new_output("stream", text="5")), False),
    ("kernel", lambda book: book.metadata.update(kernelspec={"name": "other", "display_name": "other"}), False),
    ("identity", lambda book: code(book)[2].update(id="another-id"), False),
    ("code", lambda book: code(book)[2].update(source=code(book)[2].source + "\n# more"), True),
    ("words", lambda book: book.cells[0].update(source=book.cells[0].source + " More."), True),
    ("tags", lambda book: code(book)[2].metadata.update(tags=["hide-input"]), True),
    ("cell less", lambda book: book.cells.pop(), True),
]


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize(("change", "counts"), [each[1:] for each in CELLS], ids=[name for name, _, _ in CELLS])
def test_of_a_notebook_its_source_counts(
    base: StudyRun, before: Marks, change: Callable[[Any], object], counts: bool, tmp_path: Path
) -> None:
    """And for its own pages alone: others show artefacts, not pages."""
    shutil.copytree(notebook_folder(), tmp_path / "stages")
    file = tmp_path / "stages" / "05_layer.ipynb"
    notebook = nbformat.read(file, as_version=4)
    change(notebook)
    nbformat.write(notebook, file)
    after = marks(base, tmp_path / "stages")
    assert {name for name, layer in before if before[name, layer] != after[name, layer]} == (
        {"05_layer"} if counts else set()
    )
