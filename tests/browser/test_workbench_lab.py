"""The workbench in JupyterLab, as `stgcnlib explore` opens it, on a finished study; other machines are out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_pages import Watched, explored
from small_study import small_study
from workbench_walk import Walk, interactions, state_of, walk

EXPLORE, TABLE = 1, 2  # cells of code


@pytest.fixture(scope="module")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    study = small_study(tmp_path_factory)
    home = tmp_path_factory.mktemp("lab")
    with explored(study, home) as address:
        watched = Watched(browser)
        watched.open_notebook(address)
        watched.run_cell(0)
        watched.run_cell(EXPLORE)
        yield watched
        watched.close()
    assert not list(study.glob("*.ipynb"))


def quiet(lab: Watched) -> None:
    """Nobody complained, and nothing was asked of another machine."""
    assert lab.complaints == []
    assert lab.strangers == []


def test_everything_that_one_does(lab: Watched) -> None:
    here = walk(lab.page)
    state = state_of(here)
    assert lab.page.locator(".stgcnlib-still").is_hidden()
    lab.run_cell(TABLE)
    table = lab.output_of(TABLE).locator("tbody tr")
    table.first.wait_for()
    assert table.count() == len(state["subset"])
    # JupyterLab does not act on the explorer's keys: no cell was added, cut or changed.
    assert lab.page.locator(".jp-Notebook .jp-CodeCell").count() == 3
    quiet(lab)


def test_a_reload_finds_the_same_view(lab: Watched) -> None:
    before = state_of(Walk(lab.page))
    lab.page.wait_for_timeout(400)
    lab.page.keyboard.press("Control+s")
    lab.page.wait_for_timeout(500)
    lab.open_notebook()
    assert state_of(Walk(lab.page)) == before
    quiet(lab)


def test_a_cell_that_runs_again_leaves_one_explorer_and_frees_the_other(lab: Watched) -> None:
    count = "import ipywidgets.widgets.widget as w; print(len(w._instances), 'widgets')"
    cell = lab.page.locator(".jp-Notebook .jp-CodeCell").nth(TABLE).locator(".cm-content")
    cell.click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type(count)
    numbers = []
    for _ in range(3):
        lab.run_cell(EXPLORE)
        Walk(lab.page).until("explorer.panels.length > 0")
        lab.run_cell(TABLE)
        lab.output_of(TABLE).get_by_text("widgets").wait_for()
        lab.page.wait_for_timeout(300)
        numbers.append(lab.output_of(TABLE).inner_text())
    assert len(set(numbers)) == 1
    assert lab.page.locator(".explorer.stgcnlib-live").count() == 1
    quiet(lab)


def test_memory_does_not_grow_with_use(lab: Watched) -> None:
    here = Walk(lab.page)
    interactions(here, 20)
    before = lab.heap()
    interactions(here, 120)
    assert lab.heap() <= 1.2 * before
    quiet(lab)


def test_without_its_kernel_a_notebook_shows_the_picture(lab: Watched, tmp_path: Path) -> None:
    lab.page.keyboard.press("Control+s")
    lab.page.wait_for_timeout(500)
    for session in lab.page.evaluate("fetch('/api/sessions').then(answer => answer.json())"):
        lab.page.evaluate(
            "id => fetch('/api/sessions/' + id, {method: 'DELETE',"
            " headers: {'X-XSRFToken': (document.cookie.match(/_xsrf=([^;]*)/) || [])[1] || ''}})",
            session["id"],
        )
    address = lab.page.url
    lab.page.goto("about:blank")
    lab.open_notebook(address)
    picture: Any = lab.page.locator(".stgcnlib-still img")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert lab.page.get_by_text("model not found").is_hidden()
    assert lab.strangers == []
