"""The skeleton player in a real browser: it plays, scrubs, changes speed and layer, quietly and offline."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from stgcnlib.demo import demo_sequences
from stgcnlib.explain import RelevanceMap
from stgcnlib.figures import skeleton_player
from stgcnlib.figures.player import SkeletonPlayer
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import render_report
from stgcnlib.sequences import SequenceSet

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# WebGL by the processor.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


def rising_maps(T: int, V: int, people: int = 1) -> dict[str, RelevanceMap]:
    """At layer 1 relevance rises with the frame, at layer 2 it sits on joint 3."""
    rising = np.broadcast_to(np.linspace(0, 1, T)[None, :, None], (people, T, V)).astype(np.float32)
    single = np.zeros((people, T, V), np.float32)
    single[..., 3] = 1
    return {
        name: RelevanceMap(values, values, name, k, f"layer {k}", target=0)
        for k, (name, values) in enumerate([("a", rising), ("b", single)], start=1)
    }


@pytest.fixture(scope="module")
def players() -> dict[str, SkeletonPlayer]:
    data = demo_sequences(subjects=2, repeats=1)
    T, V = int(data.lengths[0]), len(data.layout)
    other = int(data.lengths[10])
    path = np.stack([np.linspace(0, T - 1, 90).astype(int), np.linspace(0, other - 1, 90).astype(int)], axis=1)
    rng = np.random.default_rng(0)
    flat = 200 + 30 * rng.normal(size=(2, 30, 17, 2)).cumsum(axis=1)
    couple = SequenceSet([np.abs(flat)], layout="coco-17", names=["two <b>people</b>"])
    return {
        "aligned": skeleton_player(
            data, 0, rising_maps(T, V), neighbor=10, neighbor_maps=rising_maps(other, V), path=path
        ),
        "flat": skeleton_player(couple, 0, rising_maps(30, 17, people=2)),
    }


@pytest.fixture(scope="module")
def report(players: dict[str, SkeletonPlayer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "study.yml").write_text(Study.load({"name": "players"}).to_yaml())
    (folder / "notebooks").mkdir()
    for name, player in players.items():
        data, metadata = player._repr_mimebundle_()
        data.pop("text/html")
        cell = new_code_cell("player", outputs=[new_output("display_data", data=data, metadata=metadata)])
        notebook = new_notebook(cells=[new_markdown_cell(f"# {name}\nA player."), cell])
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    plain = new_notebook(cells=[new_markdown_cell("# Plain\nNo player.")])
    nbformat.write(plain, folder / "notebooks" / "plain.ipynb")
    (folder / "stages.json").write_text(json.dumps({"notebooks": {}}))
    render_report(folder)
    return folder


def opened(browser: Any, address: str, width: int) -> tuple[Any, list[str], list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    # The drivers of WebGL by software warn about their own speed.
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address)
    page.wait_for_selector("figure.player[data-ready]", timeout=30_000)
    return page, complaints, requests


def trace(page: Any, k: int) -> Any:
    """Coordinates, colours and sizes that trace k shows now."""
    page.evaluate("document.querySelector('figure.player').player.drawing")
    return page.evaluate(
        "k => { const t = document.querySelector('.player-plot').data[k];"
        " return {x: Array.from(t.x), color: t.marker && t.marker.color, size: t.marker && t.marker.size}; }",
        k,
    )


def wait_until(page: Any, expression: str, seconds: float = 30.0) -> None:
    """As playwright's wait_for_function, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} never came true"
        page.wait_for_timeout(40)


@pytest.mark.parametrize(("name", "width"), [("aligned", 1400), ("aligned", 800), ("flat", 800)])
def test_player_plays_scrubs_and_changes_speed_and_layer(browser: Any, report: Path, name: str, width: int) -> None:
    page, complaints, requests = opened(browser, (report / "pages" / f"{name}.html").as_uri(), width)
    slider, layer = page.locator(".player-frame"), page.locator(".player-layer")
    last = int(slider.get_attribute("max"))
    assert last == (89 if name == "aligned" else 29)

    # The last layer is chosen at first: all relevance on joint 3.
    assert trace(page, 1)["color"] == [float(j == 3) for j in range(len(trace(page, 1)["color"]))]
    layer.select_option("0")
    assert set(trace(page, 1)["color"]) == {0.0}
    before = trace(page, 1)
    slider.fill(str(last))
    after = trace(page, 1)
    assert set(after["color"]) == {1.0}
    assert after["x"] != before["x"]
    assert min(after["size"]) > max(before["size"])
    layer.select_option("-1")
    assert all(str(color).startswith("#") for color in trace(page, 1)["color"])

    page.locator(".player-speed").select_option("0.25")
    page.click(".player-play")
    assert page.text_content(".player-play") == "Pause"
    wait_until(page, "+document.querySelector('.player-frame').value > 0")
    page.click(".player-play")
    stopped = slider.input_value()
    page.wait_for_timeout(300)
    assert slider.input_value() == stopped
    page.locator(".player-speed").select_option("4")
    page.click(".player-play")
    wait_until(page, f"+document.querySelector('.player-frame').value === {last}")
    wait_until(page, "document.querySelector('.player-play').textContent === 'Play'")
    if name == "aligned":
        assert page.text_content(".player-readout") == "frame 58 of 58 · neighbour 82 of 82"

    assert complaints == []
    folder = report.as_uri()
    assert sorted(url.removeprefix(folder) for url in requests if not url.startswith(("data:", "blob:"))) == [
        "/assets/player.js", "/assets/plotly.min.js", f"/pages/{name}.html",
    ]  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_axes_are_equal_and_stay(browser: Any, report: Path) -> None:
    page, *_ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1400)
    scenes = "['scene', 'scene2'].map(s => document.querySelector('.player-plot')._fullLayout[s])"
    measure = (
        f"{scenes}.flatMap(s => ['x', 'y', 'z'].map(a => s.aspectratio[a] / (s[a + 'axis'].range[1] - "
        "s[a + 'axis'].range[0])))"
    )
    before = page.evaluate(measure)
    np.testing.assert_allclose(before, before[0], rtol=1e-3)
    page.locator(".player-frame").fill("40")
    trace(page, 0)
    np.testing.assert_allclose(page.evaluate(measure), before)
    page.close()


def test_flat_players_show_names_as_text(browser: Any, report: Path) -> None:
    page, *_ = opened(browser, (report / "pages" / "flat.html").as_uri(), 800)
    assert "two <b>people</b>: class 0" in page.text_content(".player-plot")
    page.close()


def test_paper_and_pages_without_script_show_the_picture(browser: Any, report: Path) -> None:
    page, *_ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    assert not page.is_visible("figure.player > img")
    page.emulate_media(media="print")
    assert page.is_visible("figure.player > img")
    assert not page.is_visible(".player-live")
    page.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "pages" / "aligned.html").as_uri())
    assert page.is_visible("figure.player > img")
    context.close()


def test_script_is_only_on_pages_with_players(report: Path) -> None:
    assert "<script" not in (report / "pages" / "plain.html").read_text()
    text = (report / "pages" / "aligned.html").read_text()
    assert text.count("<script") == 3
    assert len(text) < 700_000  # plotly.js lies beside the pages, not in them
    assert "script-src 'nonce-" in text


def test_a_saved_player_needs_nothing_else(browser: Any, players: dict[str, SkeletonPlayer], tmp_path: Path) -> None:
    players["aligned"].save(tmp_path / "player.html")
    page, complaints, requests = opened(browser, (tmp_path / "player.html").as_uri(), 800)
    page.locator(".player-layer").select_option("0")
    assert set(trace(page, 1)["color"]) == {0.0}
    assert complaints == []
    assert len([url for url in requests if url.startswith(("http", "file"))]) == 1
    page.close()
