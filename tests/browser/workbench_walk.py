"""What someone does with a workbench in a browser, and what must then be there."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = "document.querySelector('.explorer.stgcnlib-live').explorer"


class Walk:
    """A page with one explorer in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.wait_for_selector(".explorer .live-map canvas", timeout=60_000)
        self.root = page.locator(".explorer.stgcnlib-live")
        self.settle()

    def ask(self, expression: str, argument: Any = None) -> Any:
        """What an expression of `explorer` and `argument` is."""
        return self.page.evaluate(f"argument => {{ const explorer = {HERE}; return {expression}; }}", argument)

    def settle(self) -> None:
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def until(self, expression: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < end, f"{expression} never came true"
            self.page.wait_for_timeout(30)

    def spots(self, panel: int = 0) -> Any:
        """(N, 2) places of all recordings in the window."""
        self.root.locator(".live-map").nth(panel).scroll_into_view_if_needed()
        view = f"explorer.panels[{panel}].view"
        x, y = self.ask(f"(box => [box.left, box.top])({view}.over.getBoundingClientRect())")
        return np.array(self.ask(f"[...{view}.screen]"), float).reshape(-1, 2) + np.array([x, y])

    def hover(self, node: int) -> None:
        self.page.mouse.move(*(self.spots()[node] + 1))
        self.settle()

    def open(self, node: int) -> None:
        """Click a recording and wait for what the kernel says of it."""
        self.page.mouse.click(*self.spots()[node])
        self.until("explorer.store.state.open !== null && explorer.recording.reply && !explorer.recording.reply.posed")

    def lasso(self, mode: str = "lasso") -> None:
        """Around everything in the middle half of the map."""
        self.root.locator(f".explorer-modes button[value={mode}]").click()
        spots = self.spots()
        low, high = np.quantile(spots, 0.2, axis=0) - 4, np.quantile(spots, 0.8, axis=0) + 4
        corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for corner in corners[2:3] if mode == "rectangle" else corners[1:]:
            self.page.mouse.move(*corner, steps=3)
        self.page.mouse.up()
        self.root.locator(".explorer-modes button[value=point]").click()
        self.settle()

    def layer(self, at: float) -> None:
        """Move the slider of the first map."""
        self.root.locator(".explorer-maps input[type=range]").first.fill(str(at))
        self.settle()

    def saved(self, kind: str) -> bytes:
        self.root.get_by_text("Take away").click()
        with self.page.expect_download() as download:
            self.root.locator(f".explorer-top .player-menu button[value={kind}]").click()
        return Path(download.value.path()).read_bytes()


def walk(page: Any) -> Walk:
    """Hover, open, play, change the layer, choose, compare and take away; each with its effect."""
    here = Walk(page)
    here.hover(3)
    assert here.ask("explorer.store.hovered") >= 0
    here.open(3)
    assert here.ask("explorer.recording.error.textContent") == ""
    assert here.ask("explorer.recording.reply.neighbours.length") >= 1
    assert here.ask("explorer.recording.reply.costs.length") == here.ask("explorer.recording.reply.neighbours.length")
    step = here.ask("explorer.recording.player.step")
    here.root.focus()
    if not here.ask("explorer.recording.player.playing"):
        page.keyboard.press("Space")
    here.until(f"explorer.recording.player.step !== {step}")
    page.keyboard.press("Space")
    assert not here.ask("explorer.recording.player.playing")
    here.layer(0.5)
    assert here.ask("explorer.store.state.panels[0].at") == 0.5
    page.keyboard.press("]")
    here.until("Number.isInteger(explorer.store.state.panels[0].at)")
    here.lasso()
    chosen = here.ask("explorer.store.state.subset")
    assert 0 < len(chosen) < here.ask("explorer.store.count")
    here.root.get_by_text("Compare", exact=True).click()
    here.until("explorer.panels.length === 2 && explorer.store.map(explorer.store.state.panels[1].map)")
    assert here.ask("explorer.panels.every(({ view }) => view.screen && view.screen.length)")
    take_away(here, chosen)
    return here


def take_away(here: Walk, chosen: list[str]) -> None:
    """Each kind, read by something that did not write it."""
    table = list(csv.DictReader(io.StringIO(here.saved("csv").decode())))
    assert [row["recording"] for row in table] == chosen
    assert {"class", "frames"} <= set(table[0])
    with Image.open(io.BytesIO(here.saved("png"))) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 10
    assert here.saved("svg").lstrip().startswith(b"<svg")
    with Image.open(io.BytesIO(here.saved("gif"))) as picture:
        assert (picture.format, picture.n_frames > 1) == ("GIF", True)
    page = here.saved("html").decode()
    assert page.startswith("<!DOCTYPE html>")
    assert "http://" not in page.replace("http://www.w3.org", "")


def interactions(here: Walk, count: int) -> None:
    """So many things that one does: pointing, opening, moving between layers, choosing, turning back."""
    last = here.ask("explorer.store.maps[0].layers.length - 1")
    nodes = here.ask("explorer.store.count")
    for k in range(count):
        match k % 5:
            case 0:
                here.hover(k % nodes)
            case 1:
                here.open(k % nodes)
            case 2:
                here.layer((k * 0.37) % last)
            case 3:
                here.lasso("rectangle")
            case 4:
                here.ask("explorer.store.set({ colour: argument })", ["class", "smoothness", "frames"][k % 3])
                here.page.keyboard.press("Escape")


def state_of(here: Walk) -> Any:
    return json.loads(here.ask("JSON.stringify(explorer.store.json())"))
