"""The explorer in a real browser, beside a kernel made of JavaScript that is late, fails, or answers out of order."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_pages import CHROMIUM, HOSTILE
from explorer_studies import CLASSES, KERNEL, study_content, study_map

from stgcnlib.figures.live import LiveFigure, embedded
from stgcnlib.figures.live_page import live_assets, live_scripts

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
N, L = 60, 4
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens `content` as `explorer` with a `kernel`; in the end nothing has complained or left the machine."""
    complaints: list[str] = []
    requests: list[str] = []
    pages = []

    def show(
        content: dict[str, Any] | None = None, *, state: dict[str, Any] | None = None, kernel: bool = True, count: int = 1
    ) -> Any:
        content = study_content(N, L) if content is None else content
        codes = np.asarray(content["nodes"]["categories"][0]["codes"])
        other = study_map("untrained", codes, L, np.random.default_rng(5))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        pages.append(page)
        page.on("console", lambda message: complaints.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        data, more = (_inert(embedded(each)) for each in ({**content, "state": state or {}}, other))
        link = "link" if kernel else "null"
        path = tmp_path / f"{len(pages)}.html"
        path.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><style>{live_assets()["live.css"]}</style><body>'
            f'<script>"use strict"; (() => {{\n{live_scripts()}\nconst content = {data}, other = {more};\n{KERNEL}\n'
            f"window.explorers = Array.from({{ length: {count} }}, () => {{ const root = make('div'); document.body.append(root);\n"
            f"return new Explorer(root, content, {link}, {{ html: (state) => JSON.stringify(state) }}); }});\n"
            "window.explorer = window.explorers[0]; Object.assign(window, { store: explorer.store, kernel });\n"
            "window.settled = async () => { for (let k = 0; k < 4; k++) await new Promise(requestAnimationFrame); };\n"
            "})();</script>"
        )
        page.goto(path.as_uri())
        page.evaluate("settled()")
        return page

    yield show
    for page in pages:
        page.close()
    assert complaints == []
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]


def _inert(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")


def put(page: Any, **change: Any) -> None:
    page.evaluate("change => { store.set(change); return settled(); }", change)


def waiting(page: Any, what: str) -> None:
    page.wait_for_function(what, timeout=5000)


def answered(page: Any) -> None:
    waiting(page, "explorer.recording.reply && !explorer.recording.reply.posed")


def side(page: Any) -> Any:
    return page.locator(".explorer-side [role=tabpanel]:visible")


def saved(page: Any, kind: str) -> bytes:
    page.get_by_text("Take away").click()
    with page.expect_download() as download:
        page.locator(f".explorer-top .player-menu button[value={kind}]").click()
    return Path(download.value.path()).read_bytes()


def test_a_click_plays_a_recording_beside_its_neighbours(opened: Open) -> None:
    page = opened()
    assert side(page).inner_text().startswith("No recording is open")
    page.evaluate("kernel.hold.add('open')")
    box = page.locator(".live-map").bounding_box()
    x, y = page.evaluate("explorer.panels[0].view.spot(7)")
    page.mouse.click(box["x"] + x, box["y"] + y)
    name = page.evaluate("store.state.open")
    assert name is not None
    # At once from the poses, then as the kernel has it.
    waiting(page, "kernel.held.length")
    assert page.evaluate("explorer.recording.player.steps") == 12
    page.evaluate("kernel.release(0)")
    answered(page)
    assert page.evaluate("[explorer.recording.player.steps, explorer.recording.player.bodies.length]") == [40, 6]
    assert page.evaluate("kernel.log") == [{"kind": "open", "node": name, "map": "trained", "layer": L - 1}]
    assert side(page).locator("h3").inner_text() == name
    assert "5 neighbours, trained network, layer 3" in side(page).inner_text()
    rows = side(page).locator("[aria-pressed]")
    weights = [float(text) for text in rows.locator(".recording-weight").all_inner_texts()]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) == 5
