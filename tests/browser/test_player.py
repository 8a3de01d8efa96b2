"""The skeleton player in a real browser: it plays, scrubs, changes speed and layer, turns, quietly and offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from player_pages import (
    HOSTILE,
    PLAYER,
    drawn,
    levels,
    opened,
    places,
    wait_until,
)

from stgcnlib.figures.live import LiveFigure, embedded
from stgcnlib.report.html import render_report


@pytest.mark.parametrize(("name", "width"), [("aligned", 1400), ("aligned", 800), ("flat", 800)])
def test_player_plays_scrubs_and_changes_speed_and_layer(browser: Any, report: Path, name: str, width: int) -> None:
    page, complaints, requests = opened(browser, (report / "pages" / f"{name}.html").as_uri(), width)
    slider, layer = page.locator(".player-frame"), page.locator(".player-layer")
    last = int(slider.get_attribute("max"))
    assert last == (89 if name == "aligned" else 29)

    # The last layer is chosen at first: all relevance on joint 3.
    assert [joint["level"] for joint in drawn(page)] == [float(joint["joint"] == 3) for joint in drawn(page)]
    layer.select_option("0")
    assert set(levels(page)) == {0.0}
    before = drawn(page)
    slider.fill(str(last))
    after = drawn(page)
    assert set(levels(page)) == {1.0}
    assert [joint["x"] for joint in after] != [joint["x"] for joint in before]
    assert min(joint["radius"] for joint in after) > max(joint["radius"] for joint in before)
    layer.select_option("-1")
    assert set(levels(page)) == {None}

    page.locator(".player-speed").select_option("0.25")
    page.click(".player-play")
    assert page.text_content(".player-play") == "Pause"
    wait_until(page, f"{PLAYER}.step > 0")
    page.click(".player-play")
    stopped = slider.input_value()
    page.wait_for_timeout(300)
    assert slider.input_value() == stopped
    page.locator(".player-speed").select_option("4")
    page.click(".player-play")
    wait_until(page, f"{PLAYER}.step === {last}")
    wait_until(page, "document.querySelector('.player-play').textContent === 'Play'")
    if name == "aligned":
        assert page.text_content(".player-readout") == "frame 58 of 58 · neighbour 82 of 82"

    assert complaints == []
    folder = report.as_uri()
    assert sorted(url.removeprefix(folder) for url in requests if not url.startswith("data:")) == [
        "/assets/live.js", f"/pages/{name}.html",
    ]  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_axes_are_equal_and_lengths_come_from_the_recording(
    browser: Any, report: Path, players: dict[str, LiveFigure]
) -> None:
    """Seen from straight ahead and from above, distances on the screen are those of the recording, times one scale."""
    page, *_ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1400)
    content = players["aligned"].content
    frame = np.array(content["path"]).reshape(-1, 2)[40]
    scales = []
    for view, axes in [("azimuth: -90, elevation: 0", (0, 2)), ("azimuth: 0, elevation: 0", (1, 2))]:
        page.evaluate(f"{PLAYER}.views = [{{{view}}}, {{{view}}}]")
        page.locator(".player-frame").fill("39")
        page.locator(".player-frame").fill("40")
        for body in range(2):
            truth = content["bodies"][body]["points"][0, frame[body]].astype(float)[:, axes] * content["unit"]
            shown = places(page, body) * [1, -1]
            apart, wanted = (
                np.linalg.norm(p[:, None] - p[None], axis=-1)[np.triu_indices(len(p), 1)] for p in (shown, truth)
            )
            scale = (apart @ wanted) / (wanted @ wanted)
            np.testing.assert_allclose(apart, scale * wanted, atol=1e-6 * scale)
            scales.append(scale)
    np.testing.assert_allclose(scales, scales[0])
    page.close()


def test_dragging_turns_all_bodies_or_one_and_a_double_click_turns_back(browser: Any, report: Path) -> None:
    page, complaints, _ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    box = page.locator(".player-canvas").bounding_box()
    middle = (box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)

    def dragged(x: float, y: float) -> list[dict[str, float]]:
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + x, middle[1] + y, steps=4)
        page.mouse.up()
        return page.evaluate(f"{PLAYER}.views")

    start, before = page.evaluate(f"{PLAYER}.views"), places(page)
    turned = dragged(80, 20)
    for old, new in zip(start, turned, strict=True):
        assert new == {"azimuth": old["azimuth"] - 40, "elevation": old["elevation"] + 10}
    assert np.abs(places(page) - before).max() > 5
    page.keyboard.down("Alt")
    alone = dragged(-80, 0)
    page.keyboard.up("Alt")
    assert alone == [{**turned[0], "azimuth": turned[0]["azimuth"] + 40}, turned[1]]
    assert dragged(0, 900)[0]["elevation"] == 90
    page.mouse.dblclick(*middle)
    np.testing.assert_allclose(places(page), before)
    assert complaints == []
    page.close()


def test_everything_goes_by_keyboard_and_nobody_else_hears_the_keys(browser: Any, report: Path) -> None:
    page, complaints, _ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    page.evaluate("window.heard = []; document.addEventListener('keydown', event => heard.push(event.key))")
    page.focus(".player-live")
    step = f"{PLAYER}.step"
    for key, expected in [("End", 89), ("ArrowLeft", 88), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1)]:
        page.keyboard.press(key)
        assert page.evaluate(step) == expected
    page.keyboard.press("Space")
    wait_until(page, f"{step} > 1")
    page.keyboard.press("Space")
    assert not page.evaluate(f"{PLAYER}.playing")
    before = page.evaluate(f"{PLAYER}.views[1]")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    after = {"azimuth": before["azimuth"] + 10, "elevation": before["elevation"] + 10}
    assert page.evaluate(f"{PLAYER}.views[1]") == after
    page.focus(".player-play")
    page.keyboard.press("Space")  # the button itself answers, once
    assert page.evaluate(f"{PLAYER}.playing")
    page.keyboard.press("z")
    assert page.evaluate("heard") == []
    assert complaints == []
    page.close()


def test_a_joint_tells_its_name_and_relevance(browser: Any, report: Path, players: dict[str, LiveFigure]) -> None:
    page, *_ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    box = page.locator(".player-canvas").bounding_box()
    head = drawn(page)[3]
    page.mouse.move(box["x"] + head["x"], box["y"] + head["y"])
    assert page.text_content(".player-tip") == f"{players['aligned'].content['joints'][3]}: 1.00"
    assert page.is_visible(".player-tip")
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    assert not page.is_visible(".player-tip")
    page.close()


def test_the_canvas_shows_joints_where_it_says_and_none_that_are_unseen(browser: Any, report: Path) -> None:
    page, complaints, _ = opened(browser, (report / "pages" / "flat.html").as_uri(), 800, device_scale_factor=2)
    joints = drawn(page)
    assert [(j["person"], j["joint"]) for j in joints] == [
        (m, v) for m in (0, 1) for v in range(17) if (m, v) != (1, 5)
    ]
    strong = [joint for joint in joints if joint["joint"] == 3]
    seen = page.evaluate(
        "places => { const canvas = document.querySelector('.player-canvas'), W = canvas.width;"
        " const { data } = canvas.getContext('2d').getImageData(0, 0, W, canvas.height);"
        " const at = ({x, y}) => 4 * (Math.round(2 * y) * W + Math.round(2 * x));"
        " return [W / canvas.clientWidth, ...places.map(place => [...data.slice(at(place), at(place) + 4)])]; }",
        strong,
    )
    assert seen[0] == 2
    for joint, pixel in zip(strong, seen[1:], strict=True):
        assert pixel == [*bytes.fromhex(joint["colour"][1:]), 255]
    assert page.evaluate(f"{PLAYER}.content.bodies[0].title") == f"{HOSTILE}: class 0"
    assert HOSTILE in page.get_attribute(".player-canvas", "aria-label")
    assert complaints == []
    page.close()


def test_paper_and_pages_without_script_show_the_picture(browser: Any, report: Path) -> None:
    page, *_ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    assert not page.is_visible("figure.live > img")
    page.emulate_media(media="print")
    assert page.is_visible("figure.live > img")
    assert not page.is_visible(".player-live")
    page.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "pages" / "aligned.html").as_uri())
    assert page.is_visible("figure.live > img")
    context.close()


def test_a_player_shows_another_recording_and_goes_without_a_trace(
    browser: Any, report: Path, players: dict[str, LiveFigure]
) -> None:
    page, complaints, _ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    # The same people again, as another layer shows them: what was chosen and turned stays.
    page.locator(".player-frame").fill("40")
    page.evaluate(f"{PLAYER}.turn(30, 5)")
    page.locator(".player-layer").select_option("-1")
    before = page.evaluate(f"{PLAYER}.views")
    page.evaluate(f"content => {PLAYER}.setContent(content)", embedded(players["aligned"].content))
    assert page.evaluate(f"[{PLAYER}.step, {PLAYER}.layer, {PLAYER}.views]") == [0, -1, before]
    assert page.locator(".player-layer").input_value() == "-1"
    page.locator(".player-layer").select_option("1")
    page.evaluate(f"content => {PLAYER}.setContent(content)", embedded(players["flat"].content))
    assert page.evaluate(f"[{PLAYER}.step, {PLAYER}.steps]") == [0, 30]
    assert len(drawn(page)) == 33
    page.evaluate(f"{PLAYER}.play(); {PLAYER}.destroy()")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 600})
    page.wait_for_timeout(150)
    assert page.evaluate(f"[{PLAYER}.step, {PLAYER}.root.childElementCount]") == [0, 0]
    assert complaints == []
    page.close()


def test_script_is_only_on_pages_with_players(report: Path) -> None:
    assert "<script" not in (report / "pages" / "plain.html").read_text()
    text = (report / "pages" / "aligned.html").read_text()
    assert text.count("<script") == 2
    assert text.count('class="live"') == 1  # the old kind of player is its picture
    assert text.count("<img") == 2
    assert "class Player" not in text  # the script lies beside the pages, not in them
    assert "script-src 'nonce-" in text


def test_scripts_of_an_older_version_leave(report: Path) -> None:
    (report / "assets" / "plotly.min.js").write_text("old")
    (report / "assets" / "mine.css").write_text("not ours")
    render_report(report)
    assert {path.name for path in (report / "assets").iterdir()} == {"live.js", "mine.css"}
