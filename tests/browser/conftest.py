"""The system's Chromium, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from explorer_pages import CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window; tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = engine.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()
