"""The explorer in a real browser, beside a kernel made of JavaScript that is late, fails, or answers out of order."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_pages import CHROMIUM, HOSTILE
from explorer_studies import CLASSES, KERNEL, study_content, study_map

from stgcnlib.figures.live import LiveFigure, embedded
from stgcnlib.figures.live_page import live_assets, live_scripts

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
N, L = 60, 4
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens `content` as `explorer` with a `kernel`; in the end nothing has complained or left the machine."""
    complaints: list[str] = []
    requests: list[str] = []
    pages = []

    def show(
        content: dict[str, Any] | None = None, *, state: dict[str, Any] | None = None, kernel: bool = True, count: int = 1
    ) -> Any:
        content = study_content(N, L) if content is None else content
        codes = np.arange(content["nodes"]["count"]) % len(CLASSES)
        other = study_map("untrained", codes, L, np.random.default_rng(5))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        pages.append(page)
        page.on("console", lambda message: complaints.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        data, more = (_inert(embedded(each)) for each in ({**content, "state": state or {}}, other))
        link = "link" if kernel else "null"
        path = tmp_path / f"{len(pages)}.html"
        path.write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><style>{live_assets()["live.css"]}</style><body>'
            f'<script>"use strict"; (() => {{\n{live_scripts()}\nconst content = {data}, other = {more};\n{KERNEL}\n'
            f"window.explorers = Array.from({{ length: {count} }}, () => {{ const root = make('div'); document.body.append(root);\n"
            f"return new Explorer(root, content, {link}, {{ html: (state) => JSON.stringify(state) }}); }});\n"
            "window.explorer = window.explorers[0]; Object.assign(window, { store: explorer.store, kernel });\n"
            "window.settled = async () => { for (let k = 0; k < 4; k++) await new Promise(requestAnimationFrame); };\n"
            "})();</script>"
        )
        page.goto(path.as_uri())
        page.evaluate("settled()")
        return page

    yield show
    for page in pages:
        page.close()
    assert complaints == []
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]


def _inert(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")


def put(page: Any, **change: Any) -> None:
    page.evaluate("change => { store.set(change); return settled(); }", change)


def waiting(page: Any, what: str) -> None:
    page.wait_for_function(what, timeout=5000)


def answered(page: Any) -> None:
    waiting(page, "explorer.recording.reply && !explorer.recording.reply.posed")


def side(page: Any) -> Any:
    return page.locator(".explorer-side [role=tabpanel]:visible")


def saved(page: Any, kind: str) -> bytes:
    page.get_by_text("Take away").click()
    with page.expect_download() as download:
        page.locator(f".explorer-top .player-menu button[value={kind}]").click()
    return Path(download.value.path()).read_bytes()


def test_a_click_plays_a_recording_beside_its_neighbours(opened: Open) -> None:
    page = opened()
    assert side(page).inner_text().startswith("No recording is open")
    page.evaluate("kernel.hold.add('open')")
    box = page.locator(".live-map").bounding_box()
    x, y = page.evaluate("explorer.panels[0].view.spot(7)")
    page.mouse.click(box["x"] + x, box["y"] + y)
    name = page.evaluate("store.state.open")
    assert name is not None
    # At once from the poses, then as the kernel has it.
    waiting(page, "kernel.held.length")
    assert page.evaluate("explorer.recording.player.steps") == 12
    page.evaluate("kernel.release(0)")
    answered(page)
    assert page.evaluate("[explorer.recording.player.steps, explorer.recording.player.bodies.length]") == [40, 6]
    assert page.evaluate("kernel.log") == [{"kind": "open", "node": name, "map": "trained", "layer": L - 1}]
    assert side(page).locator("h3").inner_text() == name
    assert "5 neighbours, trained network, layer 3" in side(page).inner_text()
    rows = side(page).locator("[aria-pressed]")
    weights = [float(text) for text in rows.locator(".recording-weight").all_inner_texts()]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) == 5


def test_a_pinned_neighbour_shows_its_cost_matrix_and_pointing_scrubs(opened: Open) -> None:
    page = opened(state={"open": "r007"})
    answered(page)
    assert not page.locator(".recording-matrix").is_visible()
    page.evaluate("explorer.recording.player.show(17)")
    row = side(page).locator("[aria-pressed]").nth(1)
    row.click()
    waiting(page, "store.state.pinned !== null")
    assert row.get_attribute("aria-pressed") == "true"
    assert page.evaluate("explorer.recording.player.content.bodies.map(b => b.title)") == [
        "r007", page.evaluate("store.state.pinned"),
    ]  # fmt: skip
    assert page.evaluate("explorer.recording.player.step") == 17
    # Its own path: 35 frames against 40.
    assert page.evaluate("[...explorer.recording.player.content.path.slice(-2)]") == [39, 34]
    assert "Distances from 0.125 (dark) to 3." in side(page).inner_text()
    matrix = page.locator(".recording-matrix")
    matrix.scroll_into_view_if_needed()
    box = matrix.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    assert page.evaluate("explorer.recording.player.step") in (19, 20)
    seen = "explorer.recording.costs.canvas.toDataURL()"
    before = page.evaluate(seen)
    page.evaluate("explorer.recording.player.show(3)")
    assert page.evaluate(seen) != before
    matrix.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("explorer.recording.player.step") == 4
    row.click()
    waiting(page, "explorer.recording.player.bodies.length === 6")
    assert not matrix.is_visible()


def test_the_drawn_costs_are_those_given(opened: Open) -> None:
    """Dark where recordings are alike, light where they are not, and the path on the dark cells."""
    page = opened(state={"open": "r007"})
    answered(page)
    page.evaluate("store.set({ pinned: explorer.recording.reply.neighbours[0].node })")
    waiting(page, "explorer.recording.costs.cost")
    pixels = np.array(page.evaluate("[...explorer.recording.costs.picture.getContext('2d').getImageData(0, 0, 15, 20).data]"))
    light = pixels.reshape(20, 15, 4)[..., :3].sum(axis=2)
    assert light[0, 0] < light[5, 0] < light[8, 0]
    path = np.array(page.evaluate("[...explorer.recording.costs.cost.path]")).reshape(-1, 2)
    assert light[path[:, 0], path[:, 1]].max() < light[19, 0]


def test_late_answers_of_other_recordings_are_dropped(opened: Open) -> None:
    page = opened()
    page.evaluate("kernel.hold.add('open')")
    for name in ("r001", "r002"):
        put(page, open=name)
        waiting(page, f"kernel.log.some(each => each.node === '{name}')")
    page.evaluate("kernel.release(1)")
    answered(page)
    page.evaluate("kernel.release(0)")
    page.wait_for_timeout(50)
    assert page.evaluate("explorer.recording.player.content.bodies[0].title") == "r002"
    assert side(page).locator("h3").inner_text() == "r002"


def test_layers_passed_by_are_not_asked_for(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    for at in (2.6, 2.1, 1.4, 0.9, 1):
        put(page, panels=[{"map": "trained", "at": at}])
    waiting(page, "kernel.log.length > 1")
    page.wait_for_timeout(300)
    assert [each["layer"] for each in page.evaluate("kernel.log")] == [3, 1]


def test_an_error_is_one_line_and_goes_with_the_next_answer(opened: Open) -> None:
    page = opened()
    page.evaluate("message => { kernel.fail.open = message; }", f"no features of {HOSTILE}")
    put(page, open="r001")
    waiting(page, "explorer.recording.error.textContent")
    assert side(page).locator("[role=alert]").inner_text() == f"no features of {HOSTILE}"
    assert "not aligned" in side(page).inner_text()  # what the page holds is still played
    assert page.evaluate("explorer.recording.player.steps") == 12
    page.evaluate("kernel.fail = {}")
    put(page, open="r002")
    answered(page)
    assert page.evaluate("explorer.recording.error.textContent") == ""


def test_relevance_is_computed_with_progress(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.evaluate("kernel.hold.add('relevance')")
    side(page).get_by_role("button", name="Relevance of this recording").click()
    asked = page.evaluate("kernel.log.at(-1)")
    assert (asked["kind"], asked["node"], asked["map"], asked["layer"]) == ("relevance", "r001", "trained", 3)
    page.evaluate("id => kernel.push('progress', { id, share: 0.25, text: 'a quarter' })", asked["id"])
    page.evaluate("kernel.push('progress', { id: 'of another', share: 0.9, text: 'nearly' })")
    assert page.evaluate("explorer.recording.bar.value") == 0.25
    assert "a quarter" in side(page).inner_text()
    page.evaluate("kernel.release(0)")
    waiting(page, "explorer.recording.reply.relevance === 'stored'")
    assert page.evaluate("explorer.recording.player.content.layers") == ["layer 3"]
    assert not side(page).get_by_role("button", name="Relevance of this recording").is_visible()
    assert not page.locator(".recording-work").is_visible()


def test_relevance_can_be_cancelled_and_its_answer_comes_to_nothing(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.evaluate("kernel.hold.add('relevance')")
    compute = side(page).get_by_role("button", name="Relevance of this recording")
    compute.click()
    job = page.evaluate("kernel.log.at(-1).id")
    side(page).get_by_role("button", name="Cancel").click()
    assert page.evaluate("kernel.log.at(-1)") == {"kind": "cancel", "id": job}
    assert compute.is_visible()
    page.evaluate("kernel.fail.relevance = 'cancelled'; kernel.release(0)")
    page.wait_for_timeout(50)
    assert page.evaluate("explorer.recording.error.textContent") == ""
    # Going on to another recording ends the work as well.
    compute.click()
    put(page, open="r002")
    answered(page)
    assert [each["kind"] for each in page.evaluate("kernel.log.slice(-3)")] == ["relevance", "cancel", "open"]


def test_without_a_kernel_poses_play_and_it_is_said(opened: Open) -> None:
    page = opened(kernel=False, state={"open": "r003"})
    assert page.evaluate("explorer.recording.player.bodies.length") == 6
    assert "Poses at 12 moments of each recording, not aligned" in side(page).inner_text()
    row = side(page).locator("[aria-pressed]").first
    row.click()
    waiting(page, "explorer.recording.player.bodies.length === 2")
    assert not side(page).get_by_role("button", name="Relevance of this recording").is_visible()
    # The network on offer cannot be had here.
    assert page.locator(".explorer-panel select").first.locator("option").all_inner_texts() == ["trained network"]
    page.get_by_role("button", name="Compare").click()
    assert page.evaluate("store.state.panels") == [{"map": "trained", "at": 3}, {"map": "trained", "at": 2}]


def test_without_poses_neighbours_are_still_listed(opened: Open) -> None:
    page = opened({**study_content(N, L), "poses": None}, kernel=False, state={"open": "r003"})
    assert side(page).locator("[aria-pressed]").count() == 5
    assert "This page has no poses." in side(page).inner_text()


def test_neighbours_kept_lost_and_gained_lead_on(opened: Open) -> None:
    page = opened(state={"open": "r005", "from": 0, "to": 3})
    flips = page.evaluate("store.flipsOf('trained', 0, 3, 5)")
    told = side(page).inner_text()
    for kind, found in flips.items():
        assert f"{len(found)} {kind}" in told
    assert sum(map(len, flips.values())) > 5
    side(page).get_by_label("from").select_option(label="layer 2")
    assert page.evaluate("store.state.from") == 2
    gained = page.evaluate("store.flipsOf('trained', 2, 3, 5).kept[0].node")
    side(page).locator("h5:has-text('kept') + ul button").first.click()
    waiting(page, "store.state.open !== 'r005'")
    assert page.evaluate("store.opened") == gained


def test_space_plays_the_opened_recording_from_the_map(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.locator(".live-map").focus()
    page.keyboard.press("Space")
    waiting(page, "explorer.recording.player.step > 2")
    page.keyboard.press("Space")
    assert page.evaluate("explorer.recording.player.playing") is False


def test_layers_by_slider_buttons_keys_and_name(opened: Open) -> None:
    page = opened()
    at = "store.state.panels[0].at"
    slider = page.get_by_role("slider", name="layer")
    slider.evaluate("(s) => { s.value = 1.4; s.dispatchEvent(new Event('input')); }")
    assert page.evaluate(at) == 1.4
    slider.evaluate("(s) => { s.value = 1.1; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); }")
    assert page.evaluate(at) == 1
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(at) == 2
    assert slider.get_attribute("aria-valuetext") in ("layer 1", "layer 2")  # told in the next moment
    page.keyboard.press("[")
    page.get_by_role("button", name="layer before").click()
    assert page.evaluate(at) == 0
    page.locator(".explorer-panel select").last.select_option(label="layer 2")
    assert page.evaluate(at) == 2
    page.evaluate("settled()")
    assert slider.input_value() == "2"


def test_playing_through_the_layers_moves_on_and_stops_at_the_last(opened: Open) -> None:
    page = opened(state={"panels": [{"map": "trained", "at": 2.9}]})
    play = page.get_by_role("button", name="Play layers")
    play.click()
    waiting(page, "store.state.panels[0].at === 3")
    waiting(page, "!explorer.panels[0].timer")
    play.click()
    waiting(page, "store.state.panels[0].at > 0.1 && store.state.panels[0].at < 2")
    page.get_by_role("button", name="Pause layers").click()
    stopped = page.evaluate("store.state.panels[0].at")
    page.wait_for_timeout(100)
    assert page.evaluate("store.state.panels[0].at") == stopped


def test_comparing_asks_for_the_other_network_and_shares_hover_and_choice(opened: Open) -> None:
    page = opened()
    compare = page.get_by_role("button", name="Compare")
    compare.click()
    waiting(page, "store.map('untrained')")
    page.evaluate("settled()")
    assert compare.get_attribute("aria-pressed") == "true"
    assert page.evaluate("kernel.log") == [{"kind": "map", "key": "untrained"}]
    assert page.evaluate("explorer.panels.map(({ view }) => view.title)") == [
        "trained network, layer 3", "untrained network, layer 3",
    ]  # fmt: skip
    # The recording is opened at the layer of the map that it was clicked on.
    page.locator(".live-map").nth(1).focus()
    page.keyboard.press("[")
    put(page, open="r001")
    answered(page)
    assert page.evaluate("[kernel.log.at(-1).map, kernel.log.at(-1).layer]") == ["untrained", 2]
    page.locator(".explorer-panel").nth(1).locator("select").first.select_option(label="trained network")
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels") == [{"map": "trained", "at": 3}, {"map": "trained", "at": 2}]
    compare.click()
    page.evaluate("settled()")
    assert page.locator(".live-map").count() == 1


def test_a_map_that_cannot_be_had_is_said_on_its_panel(opened: Open) -> None:
    page = opened()
    page.evaluate("kernel.fail.map = 'no such network'")
    page.get_by_role("button", name="Compare").click()
    waiting(page, "explorer.panels.length === 2 && explorer.panels[1].view.message === 'no such network'")
    put(page, open="r001")
    answered(page)
    page.locator(".live-map").nth(1).focus()  # a panel without a map breaks nothing
    page.evaluate("settled()")
    page.get_by_role("button", name="Compare").click()
    page.evaluate("settled()")
    assert page.locator(".live-map").count() == 1


def test_the_legend_counts_and_chooses(opened: Open) -> None:
    page = opened()
    entry = page.locator(".explorer-legend button")
    status = page.locator(".explorer-left [role=status]").first
    assert status.inner_text() == f"{N} recordings"
    assert [text.replace("\n", " ") for text in entry.all_inner_texts()[:2]] == ["wave 10", "clap 10"]
    assert entry.all_inner_texts()[4].startswith("<i>pick up</i>")
    entry.nth(0).click()
    entry.nth(1).click()
    page.evaluate("settled()")
    assert status.inner_text() == f"20 of {N} recordings chosen"
    assert entry.all_inner_texts()[2].endswith("0 of 10")
    assert entry.nth(0).get_attribute("aria-pressed") == "true"
    entry.nth(0).click()
    page.evaluate("settled()")
    assert status.inner_text() == f"10 of {N} recordings chosen"
    entry.nth(3).click(modifiers=["Alt"])
    page.evaluate("settled()")
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(3, N, 6)]
    page.get_by_role("button", name="Undo").click()
    page.evaluate("settled()")
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(1, N, 6)]
    page.get_by_role("button", name="Choose none").click()
    page.evaluate("settled()")
    assert status.inner_text() == f"{N} recordings"
    page.get_by_label("colour").select_option(label="subject")
    page.evaluate("settled()")
    assert [text.split("\n")[0] for text in entry.all_inner_texts()] == ["s1", "s2", "s3"]


def test_numbers_have_a_scale_and_flips_their_layers(opened: Open) -> None:
    page = opened()
    page.get_by_label("colour").select_option(label="neighbours changed")
    page.evaluate("settled()")
    legend = page.locator(".explorer-legend")
    assert legend.inner_text().startswith("neighbours changed, layer 2 to layer 3")
    assert legend.locator("button").count() == 0
    legend.get_by_label("from").select_option(label="input")
    page.evaluate("settled()")
    assert legend.inner_text().startswith("neighbours changed, input to layer 3")
    page.get_by_role("button", name="Compare").click()
    waiting(page, "store.map('untrained')")
    page.evaluate("settled()")
    assert "trained network: neighbours changed" in legend.inner_text()
    assert "untrained network: neighbours changed" in legend.inner_text()


def test_searching_tells_how_many_and_enter_takes_them(opened: Open) -> None:
    page = opened()
    status = page.locator(".explorer-left [role=status]").first
    page.keyboard.press("Tab")
    page.locator(".explorer").focus()
    page.keyboard.press("/")
    page.keyboard.type("clap s2")  # letters go into the field, and are no keys
    page.evaluate("settled()")
    assert status.inner_text() == f"{N} recordings, 10 found"
    assert page.evaluate("store.state.mode") == "point"
    page.keyboard.press("Enter")
    page.evaluate("settled()")
    assert status.inner_text() == f"10 of {N} recordings chosen, 10 found"
    page.locator("input[type=search]").fill("r013")
    page.keyboard.press("Enter")
    page.evaluate("settled()")
    assert page.evaluate("store.state.open") == "r013"


def test_ways_in_go_where_they_lead(opened: Open) -> None:
    page = opened(state={"subset": ["r000"]})
    page.get_by_role("tab", name="Ways in").click()
    assert side(page).locator("h4").all_inner_texts() == ["Suspect labels", "Groups that change most"]
    side(page).get_by_text("clap from layer 1 to layer 2").click()
    page.evaluate("settled()")
    state = page.evaluate("store.state")
    assert (state["subset"], state["open"], state["panels"][0]["at"]) == (["r001", "r007"], "r001", 2)
    assert (state["colour"], state["from"], state["to"]) == ("flips", 1, 2)
    side(page).get_by_text("r002: its neighbours clap").click()  # the list was still there
    page.evaluate("settled()")
    state = page.evaluate("store.state")
    assert (state["open"], state["subset"]) == ("r002", [])
    assert side(page).locator("h3").inner_text() == "r002"
    page.get_by_role("tab", name="Ways in").click()
    side(page).get_by_text(HOSTILE).click()
    page.evaluate("settled()")
    assert page.evaluate("store.state.open") == "r004"


def test_the_table_of_classes_leads_to_class_and_layer(opened: Open) -> None:
    content = study_content(N, L)
    table = np.array([[0.1, 0.2, 0.3, 0.9], [0.1, 0.2, 0.3, 0.2], [0.3] * 4, [0.4] * 4, [0.5] * 4, [np.nan] * 4], np.float32)
    content["maps"][0]["classes"] = table
    page = opened(content)
    page.get_by_role("tab", name="Classes").click()
    page.evaluate("settled()")
    assert page.evaluate("explorer.classes.rows.map(row => row.label)") == [
        "all recordings", "clap", "throw", "sit down", "<i>pick up</i>", "wave", "walk",
    ]  # fmt: skip
    canvas = page.locator(".classes-table")
    box = canvas.bounding_box()
    left, wide = page.evaluate("[explorer.classes.left, explorer.classes.wide]")
    page.mouse.move(box["x"] + left + 1.5 * wide, box["y"] + 20 + 18 * 5 + 9)
    told = side(page).locator("[role=status]")
    assert told.inner_text() == "wave, layer 1: 0.200"
    page.mouse.click(box["x"] + left + 1.5 * wide, box["y"] + 20 + 18 * 5 + 9)
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 1
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(0, N, 6)]
    # By keys: up to the class before, right, and choose.
    canvas.focus()
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 2
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(4, N, 6)]
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    assert told.inner_text() == "walk, layer 2: unknown"


def test_recordings_with_targets_have_no_table_of_classes(opened: Open) -> None:
    content = study_content(N, L)
    content["nodes"]["categories"] = content["nodes"]["categories"][2:]
    content["maps"][0]["classes"] = None
    page = opened(content, state={"open": "r001"})
    page.get_by_role("tab", name="Classes").click()
    assert side(page).inner_text() == "This map has no label smoothness by class."
    content["nodes"]["categories"] = []
    page = opened(content, state={"open": "r001"})
    assert page.get_by_label("colour").input_value() == "frames"
    assert side(page).locator("[aria-pressed]").count() == 5


def test_the_table_taken_away_has_everything_known_of_those_chosen(opened: Open) -> None:
    names = ["r001", "r004", HOSTILE]
    page = opened(state={"subset": names, "panels": [{"map": "trained", "at": 1}, {"map": "trained", "at": 3}]})
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv").decode())))
    content = study_content(N, L)
    assert [row["recording"] for row in rows] == names
    assert list(rows[0]) == [
        "recording", "class", "predicted class", "subject", "frames",
        "label smoothness, trained network, layer 1", "degree, trained network, layer 1",
        "label smoothness, trained network, layer 3", "degree, trained network, layer 3",
    ]  # fmt: skip
    assert rows[1]["class"] == CLASSES[4]
    assert rows[2]["class"] == ""
    assert float(rows[1]["frames"]) == content["nodes"]["numbers"][0]["values"][4]
    smooth = content["maps"][0]["smoothness"]
    assert float(rows[0]["label smoothness, trained network, layer 1"]) == pytest.approx(smooth[1, 1], rel=1e-5)
    degrees = page.evaluate("[...store.degree('trained', 3)]")
    assert [int(row["degree, trained network, layer 3"]) for row in rows] == [degrees[1], degrees[4], degrees[N - 1]]


def test_without_a_choice_the_table_has_all(opened: Open) -> None:
    page = opened()
    assert len(list(csv.DictReader(io.StringIO(saved(page, "csv").decode())))) == N


def test_pictures_taken_away_show_maps_and_legend(opened: Open) -> None:
    from xml.etree import ElementTree

    from PIL import Image

    page = opened(state={"panels": [{"map": "trained", "at": 3}, {"map": "trained", "at": 1}]})
    image = Image.open(io.BytesIO(saved(page, "png")))
    svg = saved(page, "svg").decode()
    root = ElementTree.fromstring(svg)
    size = (int(root.get("width", "")), int(root.get("height", "")))
    assert image.size == (2 * size[0], 2 * size[1])
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("trained network, layer 3", "trained network, layer 1", "<i>pick up</i>", "unknown"):
        assert text in texts
    colours = {node.get("fill") for node in root.iter("{http://www.w3.org/2000/svg}path")}
    assert set(page.evaluate("store.colours().palette")) <= colours
    seen = np.asarray(image.convert("RGB")).reshape(-1, 3)
    wave = [int(page.evaluate("store.colours().palette[0]")[k : k + 2], 16) for k in (1, 3, 5)]
    assert (np.abs(seen.astype(int) - wave).max(axis=1) < 30).sum() > 100
    put(page, colour="degree")
    texts = [node.text for node in ElementTree.fromstring(saved(page, "svg").decode()).iter("{http://www.w3.org/2000/svg}text")]
    assert any(text and text.startswith("degree, layer 3: ") for text in texts)


def test_the_opened_recording_is_taken_away_as_gif(opened: Open) -> None:
    from PIL import Image

    page = opened()
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=gif]").click()
    waiting(page, "explorer.leaving.told.textContent === 'Not saved: no recording is open'")
    put(page, open="r001")
    answered(page)
    assert Image.open(io.BytesIO(saved(page, "gif"))).n_frames > 10


def test_pages_come_from_the_kernel_or_are_this_one(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    assert saved(page, "html") == b'<p>"r001"</p>'
    page.evaluate("kernel.fail.html = 'the study is gone'")
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=html]").click()
    waiting(page, "explorer.leaving.told.textContent === 'Not saved: the study is gone'")
    page = opened(state={"open": "r002"}, kernel=False)
    assert json.loads(saved(page, "html"))["open"] == "r002"


def copied(page: Any, kind: str) -> str:
    page.get_by_text("Take away").click()
    page.locator(".explorer-top .player-menu button[value=" + kind + "]").click()
    page.evaluate("settled()")
    return page.locator(".explorer-paper").input_value()


def test_state_and_code_are_copied_and_make_the_same_again(opened: Open) -> None:
    state = {"open": "r001", "subset": ["r001", HOSTILE], "search": 'say "wave"\\', "from": 1}
    page = opened(state=state)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    kept = json.loads(copied(page, "state"))
    assert kept == page.evaluate("store.json()")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == kept
    code = copied(page, "code")
    calls: list[Any] = []

    class Library:
        @staticmethod
        def explore(*folders: str, state: Any = None) -> Any:
            calls.append((folders, state))
            return Library

        table = None

    exec(compile(code.replace("import stgcnlib\n", ""), "copied", "exec"), {"stgcnlib": Library})
    assert calls == [(("reports/small",), kept)]
    again = opened(state=kept)
    assert again.evaluate("store.json()") == kept


def test_where_a_page_may_not_copy_the_text_is_shown(opened: Open) -> None:
    page = opened()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    text = copied(page, "state")
    paper = page.locator(".explorer-paper")
    assert paper.is_visible()
    assert paper.evaluate("p => p.value.slice(p.selectionStart, p.selectionEnd)") == text
    page.keyboard.press("Escape")
    assert not paper.is_visible()


def test_content_without_a_study_offers_no_code(opened: Open) -> None:
    page = opened({**study_content(N, L), "code": {}})
    page.get_by_text("Take away").click()
    assert page.locator(".explorer-top .player-menu button[value=code]").count() == 0


def test_everything_by_keyboard(opened: Open) -> None:
    page = opened()
    outside = page.evaluate("window.heard = 0; document.addEventListener('keydown', () => heard++)")
    assert outside is None
    page.locator(".explorer").focus()
    page.keyboard.press("?")
    assert page.locator(".explorer-help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".explorer-help").is_visible()
    for key, mode in (("l", "lasso"), ("r", "rectangle"), ("p", "point")):
        page.keyboard.press(key)
        assert page.evaluate("store.state.mode") == mode
    page.keyboard.press("2")
    assert page.get_by_role("tab", name="Ways in").get_attribute("aria-selected") == "true"
    page.keyboard.press("c")
    page.evaluate("settled()")
    assert page.locator(".live-map").count() == 2
    page.get_by_role("tab", name="Ways in").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Classes"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Recording"
    page.evaluate("store.choose([1, 2])")
    page.locator(".explorer").focus()
    page.keyboard.press("Escape")
    assert page.evaluate("store.chosen") == 0
    page.keyboard.press("Control+z")
    assert page.evaluate("store.chosen") == 2
    assert page.evaluate("heard") == 0  # JupyterLab would hear nothing


def test_whatever_can_be_used_has_a_name_and_shows_its_focus(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(".explorer :is(button, select, input, textarea, canvas[tabindex], [role])")]
            .filter((part) => !(part.textContent.trim() || part.getAttribute("aria-label") || part.closest("label")
                || part.getAttribute("aria-labelledby") || ["alert", "status"].includes(part.getAttribute("role"))))
            .map((part) => part.outerHTML)"""
    )
    assert nameless == []
    for selector in (".explorer-top select", ".explorer-legend button", ".explorer-list button", "input[type=range]"):
        page.keyboard.press("Tab")  # focus by keyboard
        page.locator(selector).first.focus()
        assert page.locator(selector).first.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_the_hint_goes_away(opened: Open) -> None:
    page = opened()
    hint = page.locator(".explorer-hint")
    assert hint.is_visible()
    put(page, open="r001")
    assert hint.count() == 0
    page = opened()
    page.get_by_role("button", name="Close the hint").click()
    assert page.locator(".explorer-hint").count() == 0
    assert opened(state={"open": "r001"}).locator(".explorer-hint").count() == 0


def test_two_explorers_do_not_disturb_each_other(opened: Open) -> None:
    page = opened(count=2)
    page.locator(".explorer").nth(1).focus()
    page.keyboard.press("l")
    page.keyboard.press("2")
    assert page.evaluate("explorers.map(({ store }) => store.state.mode)") == ["point", "lasso"]
    assert page.locator("[role=tab][aria-selected=true]").all_inner_texts() == ["Recording", "Ways in"]
    ids = page.evaluate("[...document.querySelectorAll('.explorer [id]')].map(({ id }) => id)")
    assert len(ids) == len(set(ids)) == 12
    page.evaluate("explorers[0].destroy()")
    page.keyboard.press("p")
    assert page.evaluate("explorers[1].store.state.mode") == "point"
    assert page.evaluate("explorers[1].panels.length") == 1


def test_destroying_ends_everything(opened: Open) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.evaluate("explorer.play(); explorer.playLayers(explorer.panels[0]); kernel.hold.add('open')")
    put(page, open="r002")
    page.evaluate("explorer.destroy()")
    assert page.locator(".explorer").inner_text() == ""
    page.evaluate("kernel.held.forEach((answer) => answer())")
    page.evaluate("window.dispatchEvent(new Event('resize')); document.body.click(); settled()")
    assert page.evaluate("kernel.heard.get('progress').size") == 0
    assert page.evaluate("store.listeners.size") == 0


def test_nothing_and_one_recording(opened: Open) -> None:
    for n in (0, 1):
        page = opened(study_content(n, L))
        page.get_by_role("tab", name="Classes").click()
        page.evaluate("settled()")
        assert page.locator(".explorer-left [role=status]").first.inner_text() == f"{n} recordings"
    put(page, open=HOSTILE)
    answered(page)
    assert "0 neighbours" in page.evaluate("explorer.recording.heading.textContent")


def test_a_live_figure_is_a_page_that_keeps_its_state(browser: Any, tmp_path: Path) -> None:
    content = study_content(N, L)
    figure = LiveFigure("explorer", {**content, "offered": [], "code": {}}, b"\x89PNG\r\n\x1a\n", 300, "Maps of layers.")
    figure.save(tmp_path / "figure.html")
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.extend([message.text] * (message.type == "error")))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector("figure.live[data-ready=yes]")
    page.evaluate("document.querySelector('figure.live').explorer.store.set({ open: 'r003', subset: ['r003', 'r004'] })")
    (tmp_path / "again.html").write_bytes(saved(page, "html"))
    page.goto((tmp_path / "again.html").as_uri())
    page.wait_for_selector("figure.live[data-ready=yes]")
    state = page.evaluate("document.querySelector('figure.live').explorer.store.state")
    assert (state["open"], state["subset"]) == ("r003", ["r003", "r004"])
    page.close()
    assert complaints == []
