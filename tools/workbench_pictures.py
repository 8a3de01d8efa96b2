"""The pictures of tutorial 11, from screenshots: ``python tools/workbench_pictures.py``, after its studies changed.

The tutorial's own cells make its two studies in a temporary folder. ``stgcnlib explore --app`` then shows them in
Chromium, with a kernel, as the tests of the browser do, and each picture lies beside the tutorial.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tutorials
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests" / "browser"), str(ROOT / "tests")]

from jupyter_pages import Watched, explored  # noqa: E402  # in tests
from workbench_walk import Walk  # noqa: E402  # in tests

TUTORIAL = tutorials.TUTORIALS / "11_the_workbench.ipynb"
SIZE = {"width": 1240, "height": 1000}
HEIGHT = 720  # of a picture, from the upper edge of the explorer, px
COLOURS = 128


def main() -> None:
    """Make the studies, and write the pictures."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        known = studies(Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        planted = known["planted"]
        with shown(browser, Path(folder), known["long"]) as page:
            opened(page, planted)
            keep(page, "recording")
            page.ask("explorer.store.set({ colour: 'suspect score' })")
            page.root.get_by_role("tab", name="Ways in").click()
            page.root.get_by_role("button", name=f"{planted}: labelled").focus()
            keep(page, "suspects")
        with shown(browser, Path(folder), known["short"], known["long"]) as page:
            page.root.get_by_text("Compare", exact=True).click()
            page.until("explorer.panels.length === 2")
            page.root.get_by_role("tab", name="Classes").click()
            keep(page, "two_studies")
        browser.close()
        os.chdir(here)


def studies(folder: Path) -> dict[str, Any]:
    """What the tutorial's cells before the first `explore` leave behind, run in `folder`."""
    known: dict[str, Any] = {}
    for cell in tutorials.code_cells(tutorials.read(TUTORIAL)):
        if "explore(" in cell.source:
            break
        exec(cell.source, known)
    return {**known, **{name: Path(known[name]).resolve() for name in ("short", "long")}}


@contextmanager
def shown(browser: Any, folder: Path, first: Path, *more: Path) -> Iterator[Walk]:
    """The workbench of one study or two as an application."""
    home = folder / f"server-{len(more)}"
    with explored(first, home, *map(str, more), "--app") as address:
        watched = Watched(browser, **SIZE)
        watched.page.goto(address)
        yield Walk(watched.page)
        watched.close()


def opened(page: Walk, name: str) -> None:
    """Open a recording, and stop it in its middle."""
    page.open(page.ask("explorer.store.nodes.names.indexOf(argument)", name))
    page.ask("explorer.recording.player.pause()")
    page.ask("explorer.recording.player.show(20)")


def keep(page: Walk, name: str) -> None:
    """A screenshot of the explorer as a small PNG beside the tutorial, with no recording pointed at."""
    page.page.mouse.move(2, 2)
    page.page.wait_for_timeout(1500)
    target = TUTORIAL.with_name(f"11_{name}.png")
    area = page.root.bounding_box() | {"height": HEIGHT}
    page.page.screenshot(path=target, clip=area)
    with Image.open(target) as shot:
        small = shot.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    print(f"{target.name}: {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
