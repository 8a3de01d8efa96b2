"""Players and pages that show them, for the tests of the skeleton player in a browser."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from stgcnlib.demo import demo_sequences
from stgcnlib.explain import RelevanceMap
from stgcnlib.figures import skeleton_player
from stgcnlib.figures.live import LiveFigure
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import render_report
from stgcnlib.sequences import SequenceSet

PLAYER = "document.querySelector('figure.live').player"
HOSTILE = "<img src=http://x.invalid onerror=alert(1)></script><b>"


def rising_maps(T: int, V: int, people: int = 1) -> dict[str, RelevanceMap]:
    """At layer 1 relevance rises with the frame, at layer 2 it sits on joint 3."""
    rising = np.broadcast_to(np.linspace(0, 1, T)[None, :, None], (people, T, V)).astype(np.float32)
    single = np.zeros((people, T, V), np.float32)
    single[..., 3] = 1
    return {
        name: RelevanceMap(values, values, name, k, f"layer {k}", target=0)
        for k, (name, values) in enumerate([("a", rising), ("b", single)], start=1)
    }


def gappy() -> LiveFigure:
    """Two people on 17 flat joints, one joint of the second unseen throughout; a name that is no mere name."""
    rng = np.random.default_rng(0)
    flat = np.abs(200 + 30 * rng.normal(size=(2, 30, 17, 2)).cumsum(axis=1))
    data = SequenceSet([flat], layout="coco-17", names=[HOSTILE])
    player = skeleton_player(data, 0, rising_maps(30, 17, people=2))
    player.content["bodies"][0]["points"][1, :, 5] = -32768
    return player


def made_players() -> dict[str, LiveFigure]:
    """Two recordings aligned, and `gappy`."""
    data = demo_sequences(subjects=2, repeats=1)
    T, V = int(data.lengths[0]), len(data.layout)
    other = int(data.lengths[10])
    path = np.stack([np.linspace(0, T - 1, 90).astype(int), np.linspace(0, other - 1, 90).astype(int)], axis=1)
    return {
        "aligned": skeleton_player(
            data, 0, rising_maps(T, V), neighbor=10, neighbor_maps=rising_maps(other, V), path=path
        ),
        "flat": gappy(),
    }


def write_report(players: dict[str, LiveFigure], folder: Path) -> Path:
    """A report with a page per player, each with a player of an older version too, and a plain page."""
    (folder / "study.yml").write_text(Study.load({"name": "players"}).to_yaml())
    (folder / "notebooks").mkdir()
    for name, player in players.items():
        data, metadata = player._repr_mimebundle_()
        data.pop("text/html")
        old = {"application/vnd.stgcnlib.player+json": {}, "image/png": data["image/png"], "text/plain": "<Player>"}
        outputs = [new_output("display_data", data=data, metadata=metadata), new_output("display_data", data=old)]
        cells = [new_markdown_cell(f"# {name}\nA player."), new_code_cell("player", outputs=outputs)]
        nbformat.write(new_notebook(cells=cells), folder / "notebooks" / f"{name}.ipynb")
    plain = new_notebook(cells=[new_markdown_cell("# Plain\nNo player.")])
    nbformat.write(plain, folder / "notebooks" / "plain.ipynb")
    (folder / "stages.json").write_text(json.dumps({"notebooks": {}}))
    render_report(folder)
    return folder


def opened(browser: Any, address: str, width: int, **options: Any) -> tuple[Any, list[str], list[str]]:
    page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda m: complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_selector("figure.live[data-ready]", timeout=30_000)
    return page, complaints, requests


def drawn(page: Any, body: int = 0) -> list[dict[str, Any]]:
    """The joints of a body that are drawn now, by person and number."""
    joints = [joint for joint in page.evaluate(f"{PLAYER}.drawn") if joint["body"] == body]
    return sorted(joints, key=lambda joint: (joint["person"], joint["joint"]))


def levels(page: Any) -> list[float]:
    return [joint["level"] for joint in drawn(page)]


def places(page: Any, body: int = 0) -> np.ndarray:
    return np.array([(joint["x"], joint["y"]) for joint in drawn(page, body)])


def wait_until(page: Any, expression: str, seconds: float = 30.0) -> None:
    """As playwright's wait_for_function, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} never came true"
        page.wait_for_timeout(40)
