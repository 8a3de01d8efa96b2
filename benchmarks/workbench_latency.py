"""How long does the workbench take to answer? Each interaction in headless Chromium, with 430 and 5,000 recordings.

    python benchmarks/workbench_latency.py [--nodes 430,5000] [--repeats 30]

Milliseconds from the event until the frame after the one that draws the answer begins; up to two frames of 16.7 ms of
them are waiting. Then the page's JavaScript heap after 20 and after 200 interactions, each after garbage collection.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from stgcnlib.figures.live_page import live_assets, live_scripts
from stgcnlib.figures.style import class_styles

LAYERS, CLASSES, NEIGHBORS, FRAMES, JOINTS = 11, 10, 8, 12, 20
OPTIONS = ["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]

SCRIPT = Path(__file__).with_suffix(".js").read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="430,5000", help="numbers of recordings (430,5000)")
    parser.add_argument("--repeats", type=int, default=30, help="times that each interaction is measured (30)")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as engine, tempfile.TemporaryDirectory() as folder:
        browser = engine.chromium.launch(executable_path=chromium, args=OPTIONS)
        for count in map(int, arguments.nodes.split(",")):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(600_000)
            address = Path(folder) / f"{count}.html"
            address.write_text(as_page(synthetic(count)))
            page.goto(address.as_uri())
            report(page, count, arguments.repeats)
            page.close()
        browser.close()


def report(page: Page, count: int, repeats: int) -> None:
    """Print the table of one page, the slowest first."""
    times = page.evaluate(f"measure({repeats})")
    rows = {
        name: {"median ms": np.median(each), "95% ms": np.quantile(each, 0.95), "slowest ms": max(each)}
        for name, each in times.items()
    }
    print(f"\n{count} recordings, {LAYERS} layers\n")
    print(pd.DataFrame(rows).T.sort_values("95% ms", ascending=False).round(1).to_string())
    page.evaluate("interact(20)")
    early = page.evaluate("used()")
    page.evaluate("interact(180)")
    late = page.evaluate("used()")
    print(f"\nheap after 20 interactions {early / 1e6:.1f} MB, after 200 {late / 1e6:.1f} MB: {late / early:.2f} times")


def as_page(content: dict[str, Any]) -> str:
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{live_assets()["live.css"]}</style>'
        '<body data-jp-theme-light="true"><div id="root"></div><script>"use strict";(() => {\n'
        f'{live_scripts()}\nconst root = document.getElementById("root"), content = {json.dumps(content)};\n'
        f"{SCRIPT}}})();</script></body>"
    )


def packed(array: NDArray[Any]) -> dict[str, Any]:
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


def category(key: str, values: list[str], codes: NDArray[Any]) -> dict[str, Any]:
    styles = class_styles(len(values))
    looks = {"colours": [to_hex(color) for color, _ in styles], "markers": [marker for _, marker in styles]}
    return {"key": key, "title": key, "values": values, "codes": packed(codes.astype(np.uint16)), **looks}


def synthetic(count: int) -> dict[str, Any]:
    """The content of a study of `count` recordings: classes come apart with depth, people walk about."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, count)
    depth = np.linspace(0, 1, LAYERS)[:, None, None]
    points = 2 * depth * rng.normal(size=(CLASSES, 2))[labels] + (1 - 0.75 * depth) * rng.normal(
        size=(LAYERS, count, 2)
    )
    degrees = rng.integers(2, NEIGHBORS + 1, (LAYERS, count))
    starts = np.zeros((LAYERS, count + 1), np.uint32)
    starts.ravel()[:] = np.append(0, np.cumsum(np.pad(degrees, ((0, 0), (0, 1))).ravel()))[:-1]
    edges = int(degrees.sum())
    own = np.repeat(np.tile(np.arange(count), LAYERS), degrees.ravel())
    ends = (own + rng.integers(1, count, edges)) % count
    poses = np.cumsum(rng.integers(-1500, 1500, (count, 1, FRAMES, JOINTS, 3)), axis=2)
    classes = [f"class {c}" for c in range(CLASSES)]
    return {
        "version": 1, "title": "synthetic", "subtitle": "", "offered": [], "lists": [], "code": {}, "state": {},
        "nodes": {
            "count": count, "names": [f"a{c:02d}_s{i % 8}_r{i}" for i, c in enumerate(labels)],
            "categories": [
                category("class", classes, labels),
                category("predicted", classes, np.where(rng.random(count) < 0.1, 0, labels)),
                category("subject", [f"s{k}" for k in range(8)], np.arange(count) % 8),
            ],
            "numbers": [
                {"key": "frames", "title": "frames", "values": packed(rng.normal(60, 9, count).astype(np.float32))},
            ],
        },
        "maps": [{
            "key": "trained", "title": "trained network", "study": "synthetic",
            "layers": [{"name": str(k), "title": f"layer {k}", "index": k} for k in range(LAYERS)],
            "points": packed(points.astype(np.float32)),
            "smoothness": packed(rng.random((LAYERS, count)).astype(np.float32)),
            "edges": {"starts": packed(starts), "ends": packed(ends.astype(np.uint32)),
                      "weights": packed(rng.random(edges).astype(np.float32))},
            "classes": packed(rng.random((CLASSES, LAYERS)).astype(np.float32)),
            "curve": packed(np.linspace(1, 0, LAYERS).astype(np.float32)),
        }],
        "poses": {
            "frames": FRAMES, "people": 1, "joints": JOINTS, "dimensions": 3, "unit": 1 / 16000,
            "bones": [[k, k - 1] for k in range(1, JOINTS)], "sides": ["#2a6fb0"] * JOINTS, "range": [[-1, 1]] * 3,
            "camera": [-60, 12], "points": packed(poses.astype(np.int16)),
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
