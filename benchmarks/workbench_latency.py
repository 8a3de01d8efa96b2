"""How long does the workbench take to answer? Each interaction in headless Chromium, with 430 and 5,000 recordings.

    python benchmarks/workbench_latency.py [--nodes 430,5000] [--repeats 30] [reports/demo …]

Milliseconds from the event until the frame after the one that draws the answer begins; up to two frames of 16.7 ms of
them are waiting. Then the page's JavaScript heap after 20 and after 200 interactions, each after garbage collection.
Of a finished study also how long the kernel takes to answer a click.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from playwright.sync_api import Browser, sync_playwright

from stgcnlib.figures.explorer import distinct_names
from stgcnlib.figures.live import embedded, split
from stgcnlib.figures.live_page import live_assets, live_scripts
from stgcnlib.figures.style import class_styles
from stgcnlib.workbench.studies import StudySource

LAYERS, CLASSES, NEIGHBORS, FRAMES, JOINTS = 11, 10, 8, 12, 20
OPTIONS = ["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"]

SCRIPT = Path(__file__).with_suffix(".js").read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", help="folders of finished studies, measured too")
    parser.add_argument("--nodes", default="430,5000", help="recordings of made-up studies (430,5000; empty: none)")
    parser.add_argument("--repeats", type=int, default=30, help="times that each interaction is measured (30)")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=OPTIONS)
        for count in filter(None, arguments.nodes.split(",")):
            interactions(browser, "made up", embedded(synthetic(int(count))), arguments.repeats)
        for folder in arguments.studies:
            began = time.perf_counter()
            source = StudySource(folder)
            opening = time.perf_counter() - began
            interactions(browser, source.figure.content["title"], embedded(source.figure.content), arguments.repeats)
            print(f"read from disk in {opening:.1f} s")
            kernel(source, arguments.repeats)
        browser.close()


def interactions(browser: Browser, title: str, content: dict[str, Any], repeats: int) -> None:
    """Print how long each interaction of a page takes, the slowest first, and its heap."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(600_000)
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        file.write(as_page(content))
        file.flush()
        page.goto(Path(file.name).as_uri())
    times = page.evaluate(f"measure({repeats})")
    print(f"\n{title}: {content['nodes']['count']} recordings, {len(content['maps'][0]['layers'])} layers, ", end="")
    print(f"{len(json.dumps(content)) / 1e6:.1f} MB as a page\n")
    print(table(times))
    page.evaluate("interact(20)")
    early = page.evaluate("used()")
    page.evaluate("interact(180)")
    late = page.evaluate("used()")
    print(f"\nheap after 20 interactions {early / 1e6:.1f} MB, after 200 {late / 1e6:.1f} MB: {late / early:.2f} times")
    page.close()


def kernel(source: StudySource, repeats: int) -> None:
    """Print how long the kernel takes to answer a click: the recording beside its neighbours, warm."""
    rng, names = np.random.default_rng(0), distinct_names(source.study["nodes"].names)
    shown = source.figure.content["maps"][0]
    times = []
    for k in range(repeats + 5):
        node, layer = str(rng.choice(names)), int(rng.integers(len(shown["layers"])))
        began = time.perf_counter()
        split(source.open(node, shown["key"], layer))
        if k >= 5:
            times.append(1000 * (time.perf_counter() - began))
    print(table({"kernel: open a recording": times}))


def table(times: Mapping[str, Sequence[float]]) -> str:
    slowest = sorted(times, key=lambda name: -np.quantile(times[name], 0.95))
    lines = ["| interaction | median ms | 95% ms | slowest ms |", "|---|---|---|---|"]
    for name in slowest:
        lines.append(f"| {name} | {' | '.join(f'{ms:.0f}' for ms in np.quantile(times[name], [0.5, 0.95, 1]))} |")
    return "\n".join(lines)


def as_page(content: dict[str, Any]) -> str:
    data = json.dumps(content).replace("<", "\\u003c")
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{live_assets()["live.css"]}</style>'
        '<body data-jp-theme-light="true"><div id="root"></div><script>"use strict";(() => {\n'
        f'{live_scripts()}\nconst root = document.getElementById("root"), content = {data};\n'
        f"{SCRIPT}}})();</script></body>"
    )


def category(key: str, values: list[str], codes: NDArray[Any]) -> dict[str, Any]:
    styles = class_styles(len(values))
    looks = {"colours": [to_hex(color) for color, _ in styles], "markers": [marker for _, marker in styles]}
    return {"key": key, "title": key, "values": values, "codes": codes.astype(np.uint16), **looks}


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
                {"key": "frames", "title": "frames", "values": rng.normal(60, 9, count).astype(np.float32)},
            ],
        },
        "maps": [{
            "key": "trained", "title": "trained network", "study": "synthetic",
            "layers": [{"name": str(k), "title": f"layer {k}", "index": k} for k in range(LAYERS)],
            "points": points.astype(np.float32),
            "smoothness": rng.random((LAYERS, count)).astype(np.float32),
            "edges": {"starts": starts, "ends": ends.astype(np.uint32),
                      "weights": rng.random(edges).astype(np.float32)},
            "classes": rng.random((CLASSES, LAYERS)).astype(np.float32),
            "curve": np.linspace(1, 0, LAYERS).astype(np.float32),
        }],
        "poses": {
            "frames": FRAMES, "people": 1, "joints": JOINTS, "dimensions": 3, "unit": 1 / 16000,
            "bones": [[k, k - 1] for k in range(1, JOINTS)], "sides": ["#2a6fb0"] * JOINTS, "range": [[-1, 1]] * 3,
            "camera": [-60, 12], "points": poses.astype(np.int16),
        },
    }  # fmt: skip


if __name__ == "__main__":
    main()
