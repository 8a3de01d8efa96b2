"""The explorer in a browser: layers, maps, choosing, ways in, classes, keys."""

from __future__ import annotations

import numpy as np
import pytest
from explorer_opened import L, N, Opened, answered, put, side, waiting
from explorer_pages import HOSTILE
from explorer_studies import study_content


def test_layers_by_slider_buttons_keys_and_name(opened: Opened) -> None:
    page = opened()
    at = "store.state.panels[0].at"
    slider = page.get_by_role("slider", name="layer")
    slider.evaluate("(s) => { s.value = 1.4; s.dispatchEvent(new Event('input')); }")
    assert page.evaluate(at) == 1.4
    slider.evaluate(
        "(s) => { s.value = 1.1; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); }"
    )
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


def test_playing_through_the_layers_moves_on_and_stops_at_the_last(opened: Opened) -> None:
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


def test_comparing_asks_for_the_other_network_and_shares_hover_and_choice(opened: Opened) -> None:
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


def test_a_map_that_cannot_be_had_is_said_on_its_panel(opened: Opened) -> None:
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


def test_the_legend_counts_and_chooses(opened: Opened) -> None:
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


def test_numbers_have_a_scale_and_flips_their_layers(opened: Opened) -> None:
    page = opened()
    page.get_by_label("colour").select_option(label="neighbours changed")
    page.evaluate("settled()")
    legend = page.locator(".explorer-legend")
    assert legend.inner_text().startswith("neighbours changed, layer 2 to layer 3")
    assert legend.locator("button").count() == 0
    page.locator(".explorer-left").get_by_label("from").select_option(label="input")
    page.evaluate("settled()")
    assert legend.inner_text().startswith("neighbours changed, input to layer 3")
    page.get_by_role("button", name="Compare").click()
    waiting(page, "store.map('untrained')")
    page.evaluate("settled()")
    assert "trained network: neighbours changed" in legend.inner_text()
    assert "untrained network: neighbours changed" in legend.inner_text()
    put(page, colour="frames")  # the same on both maps
    assert legend.inner_text().split("\n")[0] == "frames"
    assert legend.locator(".explorer-ramp").count() == 1


def test_searching_tells_how_many_and_enter_takes_them(opened: Opened) -> None:
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


def test_ways_in_go_where_they_lead(opened: Opened) -> None:
    page = opened(state={"subset": ["r000"]})
    page.get_by_role("tab", name="Ways in").click()
    assert side(page).locator("h4").all_inner_texts()[1:] == ["Suspect labels", "Groups that change most"]
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


def test_the_table_of_classes_leads_to_class_and_layer(opened: Opened) -> None:
    content = study_content(N, L)
    table = np.array(
        [[0.1, 0.2, 0.3, 0.9], [0.1, 0.2, 0.3, 0.2], [0.3] * 4, [0.4] * 4, [0.5] * 4, [np.nan] * 4], np.float32
    )
    content["maps"][0]["classes"] = table
    page = opened(content)
    page.get_by_role("tab", name="Classes").click()
    page.evaluate("settled()")
    assert page.evaluate("explorer.classes.rows.map(row => row.label)") == [
        "all recordings", "wave", "<i>pick up</i>", "sit down", "throw", "clap",
    ]  # fmt: skip
    canvas = page.locator(".classes-table")
    box = canvas.bounding_box()
    left, wide = page.evaluate("[explorer.classes.left, explorer.classes.wide]")
    page.mouse.move(box["x"] + left + 1.5 * wide, box["y"] + 20 + 18 * 5 + 9)
    told = side(page).locator("[role=status]")
    assert told.inner_text() == "clap, layer 1: 0.200"
    page.mouse.click(box["x"] + left + 1.5 * wide, box["y"] + 20 + 18 * 5 + 9)
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 1
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(1, N, 6)]
    # By keys: up to the class before, right, and choose.
    canvas.focus()
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 2
    assert page.evaluate("store.state.subset") == [f"r{i:03d}" for i in range(2, N, 6)]
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    assert told.inner_text() == "clap, layer 2: 0.300"
    # Beside a second map, its value at the same layer too; both share one scale of colours.
    page.evaluate("""() => {
        const [map] = store.maps;
        store.maps.push({ ...map, key: "other", title: "other network", classes: map.classes.map((x) => x + 1) });
    }""")
    put(page, panels=[{"map": "trained", "at": 2}, {"map": "other", "at": 2}])
    page.keyboard.press("ArrowLeft")
    assert told.inner_text() == "clap, layer 1: 0.200; other network: 1.200"


def test_recordings_with_targets_have_no_table_of_classes(opened: Opened) -> None:
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


def test_everything_by_keyboard(opened: Opened) -> None:
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


def test_whatever_can_be_used_has_a_name_and_shows_its_focus(opened: Opened) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(".explorer :is(button, select, input, textarea, canvas[tabindex])")]
            .filter((part) => !(part.textContent.trim() || part.getAttribute("aria-label") || part.closest("label")
                || part.getAttribute("aria-labelledby") || ["alert", "status"].includes(part.getAttribute("role"))))
            .map((part) => part.outerHTML)"""
    )
    assert nameless == []
    for selector in (".explorer-top select", ".explorer-legend button", ".explorer-list button", "input[type=range]"):
        page.keyboard.press("Tab")  # focus by keyboard
        page.locator(selector).first.focus()
        assert page.locator(selector).first.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_the_hint_goes_away(opened: Opened) -> None:
    page = opened()
    hint = page.locator(".explorer-hint")
    assert hint.is_visible()
    put(page, open="r001")
    assert hint.count() == 0
    page = opened()
    page.get_by_role("button", name="Close the hint").click()
    assert page.locator(".explorer-hint").count() == 0
    assert opened(state={"open": "r001"}).locator(".explorer-hint").count() == 0


def test_the_hint_promises_movement_only_where_there_are_poses(opened: Opened) -> None:
    assert "it moves" in opened().locator(".explorer-hint").inner_text()
    page = opened({**study_content(N, L), "poses": None}, kernel=False)
    assert page.locator(".explorer-hint span").inner_text().startswith("Click a recording: it opens.")


def test_two_explorers_do_not_disturb_each_other(opened: Opened) -> None:
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


def test_destroying_ends_everything(opened: Opened) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.evaluate("explorer.play(); explorer.panels[0].playLayers(); kernel.hold.add('open')")
    put(page, open="r002")
    page.evaluate("explorer.destroy()")
    assert page.locator(".explorer").inner_text() == ""
    page.evaluate("kernel.held.forEach((answer) => answer())")
    page.evaluate("window.dispatchEvent(new Event('resize')); document.body.click(); settled()")
    assert page.evaluate("kernel.heard.get('progress').size") == 0
    assert page.evaluate("store.listeners.size") == 0


def test_those_chosen_or_found_are_listed_and_their_neighbours_compared(opened: Opened) -> None:
    content = study_content(N, L)
    page = opened(content)
    page.get_by_role("tab", name="Ways in").click()
    assert (
        side(page)
        .inner_text()
        .startswith("All recordings\n\nTheir neighbours at trained network, layer 3:\nsame class: ")
    )
    put(page, panels=[{"map": "trained", "at": 1}])
    codes = np.asarray(content["nodes"]["categories"][2]["codes"])
    first = content["maps"][0]
    starts, ends, weights = (np.asarray(first["edges"][key]) for key in ("starts", "ends", "weights"))
    chosen = [0, 1, 2, 3]
    of_all = np.concatenate([np.arange(starts[1, i], starts[1, i + 1]) for i in chosen])
    own = np.concatenate([np.full(starts[1, i + 1] - starts[1, i], codes[i]) for i in chosen])
    labels = np.asarray(content["nodes"]["categories"][0]["codes"])
    titles = [layer["title"] for layer in first["layers"]]
    share = weights[of_all][codes[ends[of_all]] == own].sum() / weights[of_all].sum()
    put(page, subset=[f"r{i:03d}" for i in chosen])
    told = side(page).inner_text()
    assert told.startswith("4 chosen\n\nTheir neighbours")
    # 20 of 60 are of each subject.
    assert f"same subject: {share:.0%} (by chance {19 / 59:.0%})".replace("%", " %") in told
    classes = told.split("Their neighbours by class: ")[1].splitlines()[0]
    shares = [int(part.split(" % ")[0]) for part in classes.split(", ")]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=3)
    rows = side(page).locator(".members-list button")
    # Those come first whose neighbours are of other classes.
    span = [np.arange(starts[1, i], starts[1, i + 1]) for i in chosen]
    alike = [
        weights[of][labels[ends[of]] == labels[i]].sum() / weights[of].sum() for i, of in zip(chosen, span, strict=True)
    ]
    order = [f"r{i:03d}" for i in np.argsort(alike, kind="stable")]
    assert rows.locator("span:nth-child(2)").all_inner_texts() == order
    assert rows.locator(".recording-weight").all_inner_texts() == [f"{100 * x:.0f} %" for x in sorted(alike)]
    rows.nth(2).hover()
    assert page.evaluate("store.state.open") is None
    assert page.evaluate("store.nodes.names[store.hovered]") == order[2]
    for _ in range(2):  # the second time it is open already
        rows.nth(2).click()
        page.evaluate("settled()")
        assert page.evaluate("store.state.open") == order[2]
        assert page.get_by_role("tab", name="Recording").get_attribute("aria-selected") == "true"
        page.get_by_role("tab", name="Ways in").click()
    # Where neighbours that changed are shown, of what classes these are.
    assert "gained" not in told
    put(page, colour="flips")
    before = [set(ends[starts[0, i] : starts[0, i + 1]]) for i in chosen]
    gained = [
        end for i, old in zip(chosen, before, strict=True) for end in set(ends[starts[1, i] : starts[1, i + 1]]) - old
    ]
    assert f"gained from {titles[0]} to {titles[1]}: {len(gained)}" in side(page).inner_text()
    put(page, subset=[], search="s1")
    assert side(page).inner_text().startswith("20 found\n")
    put(page, search="r")
    assert rows.count() == N


def test_arrows_and_enter_walk_from_the_explorer_itself(opened: Opened) -> None:
    page = opened()
    page.locator(".explorer").focus()
    page.keyboard.press("ArrowRight")
    hovered = page.evaluate("store.hovered")
    assert hovered >= 0
    page.keyboard.press("Enter")
    page.evaluate("settled()")
    assert page.evaluate("store.opened") == hovered
    # Arrows within the side's lists scroll there.
    page.get_by_role("tabpanel").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("store.hovered") == hovered


def test_the_focus_stays_where_lists_are_drawn_anew(opened: Opened) -> None:
    page = opened(state={"open": "r007"})
    answered(page)
    focused = "document.activeElement.closest('.explorer') && document.activeElement.className"
    row = page.locator(".explorer-list button[aria-pressed]").nth(2)
    row.focus()
    page.keyboard.press("[")
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 2
    assert page.evaluate(focused) is not None
    page.keyboard.press("[")  # still heard
    page.evaluate("settled()")
    assert page.evaluate("store.state.panels[0].at") == 1
    page.locator(".explorer-list button[aria-pressed]").first.focus()
    node = page.evaluate("document.activeElement.value")
    put(page, colour="subject")
    assert page.evaluate("document.activeElement.value") == node
    put(page, colour="flips")
    chosen = page.locator(".explorer-left").get_by_label("from")
    chosen.focus()
    page.keyboard.press("ArrowUp")
    page.evaluate("settled()")
    assert chosen.evaluate("select => select === document.activeElement")


def test_a_list_chosen_twice_does_not_keep_the_next_recording_away(opened: Opened) -> None:
    page = opened()
    page.get_by_role("tab", name="Ways in").click()
    for _ in range(2):
        side(page).get_by_text("clap from layer 1 to layer 2").click()
        page.evaluate("settled()")
    put(page, open="r020")
    assert page.get_by_role("tab", name="Recording").get_attribute("aria-selected") == "true"


def test_content_without_maps_and_maps_that_are_not_there(opened: Opened) -> None:
    content = {**study_content(N, L), "maps": [], "offered": []}
    page = opened(content, kernel=False)
    assert page.get_by_role("button", name="Compare").is_disabled()
    page.locator(".explorer").focus()
    page.keyboard.press("c")
    page.keyboard.press("]")
    assert page.evaluate("store.state.panels") == []
    page = opened(state={"panels": [{"map": "untrained", "at": 1}], "open": "r001"}, kernel=False)
    assert page.evaluate("explorer.panels[0].view.message").startswith('the map "untrained" is not in this page')
    assert side(page).locator("h3").inner_text() == "r001"
    page.get_by_role("button", name="Compare").click()
    page.evaluate("settled()")
    assert page.evaluate("explorer.panels[1].view.title") == "trained network, layer 1"
