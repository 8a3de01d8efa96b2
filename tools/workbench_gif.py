"""A short GIF of the workbench, from screenshots: ``python tools/workbench_gif.py reports/demo reports/workbench.gif``.

The workbench of a finished study is saved as a page that needs no kernel, and opened in Chromium without a network. The
first recording is opened, and the slider moves all of them from the first layer to the last.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import stgcnlib

SIZE = {"width": 1100, "height": 740}
WIDTH = 825  # of the GIF, px
STEPS = 5  # pictures from one layer to the next
COLOURS = 255


def main() -> None:
    """Write the GIF and say how large it is."""
    study, target = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "workbench.html"
        workbench = stgcnlib.explore(study)
        shown = {**workbench.state, "open": workbench.table.index[0]}
        page_file.write_text(workbench.to_html(shown), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(offline=True, viewport=SIZE).new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector(".explorer canvas")
        shots = [shot for at, wait in steps(page) for shot in [(taken(page, folder, at), wait)]]
        browser.close()
    pictures = [picture for picture, _ in shots]
    colours = pictures[-1].quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    frames = [picture.quantize(palette=colours, dither=Image.Dither.NONE) for picture in pictures]
    waits = [wait for _, wait in shots]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=waits, loop=0, optimize=True)
    print(f"{target}: {len(frames)} pictures, {target.stat().st_size / 1e6:.2f} MB")


def steps(page: Page) -> list[tuple[float, int]]:
    """Where the slider stands in each picture, and for how many ms it is shown."""
    last = float(slider(page).get_attribute("max") or 0)
    places = np.linspace(0, last, int(last) * STEPS + 1)
    return [(float(at), 700 if at in (0, last) else 300 if float(at).is_integer() else 90) for at in places]


def taken(page: Page, folder: str, at: float) -> Image.Image:
    """The page with the slider at a layer."""
    slider(page).evaluate("(s, at) => { s.value = at; s.dispatchEvent(new Event('input')); }", at)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    path = Path(folder) / "shot.png"
    page.screenshot(path=path)
    with Image.open(path) as shot:
        return shot.convert("RGB").resize((WIDTH, WIDTH * shot.height // shot.width), Image.Resampling.LANCZOS)


def slider(page: Page) -> Any:
    """The one that chooses the layer."""
    return page.get_by_role("slider", name="layer").first


if __name__ == "__main__":
    main()
