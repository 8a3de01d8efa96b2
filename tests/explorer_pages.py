"""Small contents of kind "explorer", and blank pages with the scripts that draw them, for tests in a browser."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from stgcnlib.figures.live_page import live_scripts
from stgcnlib.figures.style import class_styles

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ASSETS = files("stgcnlib.figures") / "assets"
HOSTILE = "</script><b onmouseover=alert(1)>x"


def packed(array: NDArray[Any]) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def category(key: str, values: Sequence[str], codes: NDArray[Any]) -> dict[str, Any]:
    styles = class_styles(len(values))
    looks = {"colours": [to_hex(color) for color, _ in styles], "markers": [marker for _, marker in styles]}
    return {"key": key, "title": key, "values": list(values), "codes": codes.astype(np.uint16), **looks}


def random_edges(N: int, L: int, seed: int = 1) -> list[list[list[int]]]:
    """For each layer and node up to 5 others; node 0 has none at layer 0."""
    rng = np.random.default_rng(seed)
    others = [[j for j in range(N) if j != i] for i in range(N)]
    counts = rng.integers(min(1, N - 1), min(6, N), (L, N)) if N else np.zeros((L, 0), int)
    counts[:1, :1] = 0
    return [[sorted(rng.choice(others[i], counts[k, i], replace=False).tolist()) for i in range(N)] for k in range(L)]


def explorer_content(N: int = 40, L: int = 3, classes: int = 3, points: NDArray[Any] | None = None) -> dict[str, Any]:
    """N recordings a00, a01, …, the last with a hostile name and of unknown class; classes by turns."""
    rng = np.random.default_rng(0)
    edges = random_edges(N, L)
    flat = [j for layer in edges for row in layer for j in row]
    counts = np.array([[len(row) for row in layer] for layer in edges], np.uint32).reshape(L, N)
    starts = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0))) + np.pad(np.cumsum(counts.sum(1)), (1, 0))[:-1, None]
    codes = (np.arange(N) % classes).astype(np.uint16)
    codes[-1:] = 65535
    seconds = np.linspace(1, 2, N).astype(np.float32)
    seconds[3:4] = np.nan
    names = [f"a{i:02d}" for i in range(N - 1)] + [HOSTILE] * (N > 0)
    values = ["wave", "clap", "<i>sit</i>"] if classes == 3 else [f"class {c}" for c in range(classes)]
    if points is None:
        points = rng.normal(size=(L, N, 2))
    poses = np.cumsum(rng.integers(-4000, 4000, size=(N, 1, 4, 3, 3)), axis=2).astype(np.int16)
    return {
        "version": 1, "title": "t", "subtitle": "",
        "nodes": {
            "count": N, "names": names,
            "categories": [
                {**each, "codes": packed(each["codes"])} for each in (
                    category("class", values, codes), category("subject", ["S1", "S2"], np.arange(N) * 2 // max(N, 1)),
                )
            ],
            "numbers": [{"key": "seconds", "title": "seconds", "values": packed(seconds)}],
        },
        "maps": [{
            "key": "trained", "title": "trained", "study": "demo",
            "layers": [{"name": f"l{k}", "title": f"layer {k}", "index": k} for k in range(L)],
            "points": packed(points.astype(np.float32)),
            "smoothness": packed(rng.random((L, N)).astype(np.float32)),
            "edges": {"starts": packed(starts.astype(np.uint32)), "ends": packed(np.array(flat, np.uint32)),
                      "weights": packed(rng.uniform(0.1, 1, len(flat)).astype(np.float32))},
            "classes": None, "curve": packed(np.zeros(L, np.float32)),
        }],
        "offered": [{"key": "other", "title": "untrained"}],
        "poses": {"frames": 4, "people": 1, "joints": 3, "dimensions": 3, "unit": 1 / 16000, "bones": [[1, 0], [2, 1]],
                  "sides": ["#2a6fb0", "#d1601f", "#4a5560"], "range": [[-1, 1]] * 3, "camera": [-60, 12],
                  "points": packed(poses)},
        "lists": [], "code": {}, "state": {},
    }  # fmt: skip


def write_page(
    path: Path, content: dict[str, Any], start: str, css: Sequence[str] = ("map.css",), dark: bool = False
) -> str:
    """A page with the scripts, `content` and #root, that then runs `start`; its address."""
    data = json.dumps(content).replace("<", "\\u003c")
    styles = "\n".join((ASSETS / name).read_text() for name in css)
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0 }} #root {{ display: flex; height: 600px }}\n'
        f'#root > div {{ flex: 1 }}\n{styles}</style><div id="root" data-jp-theme-light="{json.dumps(not dark)}"></div>'
        f'<script>"use strict"; (() => {{\n{live_scripts()}\nconst content = {data};\n'
        f'const root = document.getElementById("root");\ndress(root, () => {{}});\n{start}\n}})();</script>'
    )
    return path.as_uri()
