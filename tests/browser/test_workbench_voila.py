"""The workbench as an application: Voilà on a finished study, with other machines out of reach."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_pages import Watched, explored
from small_study import small_study
from workbench_walk import Walk, interactions, walk

pytest.importorskip("voila", reason="voila is not installed")


@pytest.fixture(scope="module")
def application(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    study = tmp_path_factory.mktemp("reports") / "small"
    shutil.copytree(small_study(tmp_path_factory), study)
    other = shutil.copytree(study, study.with_name("other")) / "study.yml"
    other.write_text(other.read_text().replace("name: small", "name: other"))
    before = sorted(study.rglob("*"))
    with explored(study, tmp_path_factory.mktemp("voila"), "--app") as address:
        watched = Watched(browser)
        watched.page.goto(address)
        yield watched
        watched.close()
    assert sorted(study.rglob("*")) == before


def test_everything_that_one_does(application: Watched) -> None:
    walk(application.page)
    assert application.page.locator(".jp-InputArea-editor").count() == 0
    assert application.page.locator(".stgcnlib-still").is_hidden()
    assert (application.complaints, application.strangers) == ([], [])


def test_another_study_is_put_beside_this_one(application: Watched) -> None:
    here = Walk(application.page)
    application.page.get_by_label("Study beside this one").select_option("other")
    here.until("explorer.store.content.title === 'small and other'")
    here.until("explorer.panels.length > 0")
    here.root.get_by_text("Compare", exact=True).click()
    here.until("explorer.store.state.panels.map(({ map }) => map).join() === 'small/trained,other/trained'")
    here.open(1)
    assert here.ask("explorer.recording.error.textContent") == ""
    application.page.get_by_label("Study beside this one").select_option("no other")
    here.until("explorer.store.content.title === 'small'")
    assert (application.complaints, application.strangers) == ([], [])


def test_memory_does_not_grow_with_use(application: Watched) -> None:
    here = Walk(application.page)
    interactions(here, 20)
    before = application.heap()
    interactions(here, 60)
    assert application.heap() <= 1.2 * before


def test_a_reload_starts_anew(application: Watched) -> None:
    application.page.reload()
    here = Walk(application.page)
    assert here.ask("explorer.store.state.open") is None
    here.open(2)
    # what the first page still sent to its kernel as it went
    others = [each for each in application.complaints if "Could not send widget sync message" not in each]
    assert (others, application.strangers) == ([], [])


def test_without_the_token_nothing_is_shown(application: Watched) -> None:
    stranger = application.context.browser.new_context()
    shown = [
        context.request.get(application.page.url.split("?")[0]).text() for context in (application.context, stranger)
    ]
    assert ["rendered_cells" in text for text in shown] == [True, False]
    stranger.close()
