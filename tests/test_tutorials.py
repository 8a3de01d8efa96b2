"""The outputs of a committed tutorial are those of its cells; nothing is run here, nbval does that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "tools").is_dir() or not (ROOT / "notebooks" / "tutorials").is_dir():
    pytest.skip("tools and tutorials are not part of this distribution", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tools"))

import tutorials  # noqa: E402  # in tools

NOTEBOOKS = sorted(tutorials.TUTORIALS.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_of_a_tutorial_is_stale(path: Path) -> None:
    stale = tutorials.stale_cells(tutorials.read(path))
    assert not stale, f"code cells {stale} changed after the run: python tools/tutorials.py {path.relative_to(ROOT)}"


@pytest.fixture
def notebook():
    cells = [new_code_cell(f"x = {k}", execution_count=k + 1) for k in range(3)]
    made = new_notebook(cells=[new_markdown_cell("text"), *cells])
    tutorials.stamp(made)
    return made


def test_a_stamped_notebook_is_fresh_and_its_text_may_change(notebook) -> None:
    notebook.cells[0].source = "other text"
    assert tutorials.stale_cells(notebook) == []


def test_a_changed_cell_and_those_after_it_are_stale(notebook) -> None:
    notebook.cells[2].source = "x = 7"
    assert tutorials.stale_cells(notebook) == [2, 3]


def test_moved_added_and_removed_cells_are_noticed(notebook) -> None:
    cells = list(notebook.cells)
    notebook.cells = [cells[0], cells[2], cells[1], cells[3]]
    assert tutorials.stale_cells(notebook) == [1, 2, 3]
    notebook.cells = [*cells, new_code_cell("x = 3")]
    assert tutorials.stale_cells(notebook) == [4]
    notebook.cells = [cells[0], *cells[2:]]
    assert tutorials.stale_cells(notebook) == [1, 2]


def test_a_cell_cut_in_two_is_noticed(notebook) -> None:
    halves = [new_code_cell("x ", execution_count=1), new_code_cell("= 0", execution_count=2)]
    for cell in halves:
        cell.metadata[tutorials.STAMP] = notebook.cells[1].metadata[tutorials.STAMP]
    notebook.cells[1:2] = halves
    assert 2 in tutorials.stale_cells(notebook)


def test_a_run_stamps_and_a_changed_file_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.ipynb"
    tutorials.nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")]), path)
    assert check(path, monkeypatch) == 1
    tutorials.run(path)
    assert check(path, monkeypatch) == 0
    assert tutorials.read(path).cells[0].outputs[0].data["text/plain"] == "2"
    path.write_text(path.read_text(encoding="utf-8").replace("1 + 1", "1 + 2"), encoding="utf-8")
    assert check(path, monkeypatch) == 1


def check(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tutorials.py", "--check", str(path)])
    return tutorials.main()
