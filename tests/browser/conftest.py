"""The system's Chromium, and what several tests of this folder open in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer_opened import Opened, opening
from explorer_pages import CHROMIUM
from player_pages import made_players, write_report

from stgcnlib.figures.live import LiveFigure


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window; tests are skipped where there is none.

    It ends with its file of tests: while it is open, an event loop runs in this thread, where other tests need theirs.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = engine.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens explorers; in the end nothing has complained or left the machine."""
    with opening(browser, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="package")
def players() -> dict[str, LiveFigure]:
    """Some skeleton players by name."""
    return made_players()


@pytest.fixture(scope="package")
def report(players: dict[str, LiveFigure], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a page for each player."""
    return write_report(players, tmp_path_factory.mktemp("report"))
