"""An explorer on a page beside a kernel made of JavaScript, for the tests of the explorer in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from explorer_studies import CLASSES, study_content, study_map

from stgcnlib.figures.live import embedded
from stgcnlib.figures.live_page import live_assets, live_scripts

N, L = 60, 4
KERNEL = (Path(__file__).parent / "explorer_kernel.js").read_text(encoding="utf-8")
START = """
window.explorers = Array.from({ length: count }, () => {
  const root = make("div");
  document.body.append(root);
  return new Explorer(root, content, link, { html: (state) => JSON.stringify(state) });
});
window.explorer = window.explorers[0];
window.store = explorer.store;
window.settled = async () => { for (let k = 0; k < 4; k++) await new Promise(requestAnimationFrame); };
"""


class Opened:
    """Opens contents as pages with `explorer`, `store` and `kernel`."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.pages: list[Any] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def page(self, address: str) -> Any:
        """A page whose complaints and requests are kept."""
        page = self.browser.new_page(viewport={"width": 1400, "height": 900})
        self.pages.append(page)
        page.on("console", lambda message: self.complaints.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)
        return page

    def __call__(
        self,
        content: dict[str, Any] | None = None,
        *,
        state: dict[str, Any] | None = None,
        kernel: bool = True,
        count: int = 1,
    ) -> Any:
        content = study_content(N, L) if content is None else content
        codes = np.arange(content["nodes"]["count"]) % len(CLASSES)
        other = study_map("untrained", codes, L, np.random.default_rng(5))
        given = (json.dumps(embedded(each)) for each in ({**content, "state": state or {}}, other))
        data, more = (text.replace("<", "\\u003c") for text in given)
        path = self.folder / f"{len(self.pages)}.html"
        path.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><style>{live_assets()["live.css"]}</style><body>'
            f'<script>"use strict"; (() => {{\n{live_scripts()}\nconst content = {data}, other = {more};\n'
            f"const count = {count};\n{KERNEL if kernel else 'const link = null;'}\n{START}}})();</script>"
        )
        page = self.page(path.as_uri())
        page.evaluate("settled()")
        return page


@contextmanager
def opening(browser: Any, folder: Path) -> Iterator[Opened]:
    """An `Opened`; in the end nothing has complained or left the machine."""
    opened = Opened(browser, folder)
    yield opened
    for page in opened.pages:
        page.close()
    assert opened.complaints == []
    assert not [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))]


def put(page: Any, **change: Any) -> None:
    """Set the state and wait until it is drawn."""
    page.evaluate("change => { store.set(change); return settled(); }", change)


def waiting(page: Any, what: str) -> None:
    """Until `what` holds on the page."""
    page.wait_for_function(what, timeout=5000)


def answered(page: Any) -> None:
    """Until the kernel's answer about the opened recording is shown."""
    waiting(page, "explorer.recording.reply && !explorer.recording.reply.posed")


def side(page: Any) -> Any:
    """What the chosen tab shows."""
    return page.locator(".explorer-side [role=tabpanel]:visible")


def saved(page: Any, kind: str) -> bytes:
    """What "Take away" saves."""
    page.get_by_text("Take away").click()
    with page.expect_download() as download:
        page.locator(f".explorer-top .player-menu button[value={kind}]").click()
    return Path(download.value.path()).read_bytes()
