"""The opened recording in a browser, beside a kernel that is late, fails, or answers out of order."""

from __future__ import annotations

import numpy as np
import pytest
from explorer_opened import L, N, Opened, answered, put, side, waiting
from explorer_pages import HOSTILE
from explorer_studies import study_content


def test_a_click_plays_a_recording_beside_its_neighbours(opened: Opened) -> None:
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


def test_a_pinned_neighbour_shows_its_cost_matrix_and_pointing_scrubs(opened: Opened) -> None:
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


def test_a_neighbour_that_the_maps_lack_is_not_taken_for_pinned(opened: Opened) -> None:
    """Of two studies that share some recordings, neighbours may be left out."""
    page = opened(state={"open": "r007"})
    answered(page)
    page.evaluate("""() => {
        const { recording } = explorer, { neighbours } = recording.reply;
        neighbours[1] = { ...neighbours[1], node: "left out" };
        recording.show(recording.reply);
        return settled(); }""")
    assert page.evaluate("[explorer.recording.pinned, explorer.recording.player.bodies.length]") == [-1, 6]
    assert not page.locator(".recording-matrix").is_visible()
    put(page, pinned=page.evaluate("explorer.recording.reply.neighbours[2].node"))
    assert page.evaluate("[explorer.recording.pinned, explorer.recording.player.bodies.length]") == [2, 2]


def test_the_drawn_costs_are_those_given(opened: Opened) -> None:
    """Dark where recordings are alike, light where they are not, and the path on the dark cells."""
    page = opened(state={"open": "r007"})
    answered(page)
    page.evaluate("store.set({ pinned: explorer.recording.reply.neighbours[0].node })")
    waiting(page, "explorer.recording.costs.cost")
    pixels = np.array(
        page.evaluate("[...explorer.recording.costs.picture.getContext('2d').getImageData(0, 0, 15, 20).data]")
    )
    light = pixels.reshape(20, 15, 4)[..., :3].sum(axis=2)
    assert light[0, 0] < light[5, 0] < light[8, 0]
    path = np.array(page.evaluate("[...explorer.recording.costs.cost.path]")).reshape(-1, 2)
    assert light[path[:, 0], path[:, 1]].max() < light[19, 0]


def test_late_answers_of_other_recordings_are_dropped(opened: Opened) -> None:
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


def test_layers_passed_by_are_not_asked_for(opened: Opened) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.evaluate(
        "async () => { for (const at of [2.6, 2.1, 1.4, 0.9, 1]) { store.show(0, { at }); await 0; await 0; } }"
    )
    waiting(page, "kernel.log.length > 1")
    page.wait_for_timeout(300)
    assert [each["layer"] for each in page.evaluate("kernel.log")] == [3, 1]


def test_an_error_is_one_line_and_goes_with_the_next_answer(opened: Opened) -> None:
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


def test_relevance_is_computed_with_progress(opened: Opened) -> None:
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
    # Where a layer looks is told in words as well: the joints of the highest mean over frames, for each recording.
    joints = page.evaluate("explorer.recording.reply.player.joints")
    lines = page.locator(".recording-looks").inner_text().splitlines()
    bodies = page.evaluate("explorer.recording.reply.player.bodies.map(({title, maps}) => [title, [...maps[0]]])")
    assert len(lines) == 1 + len(bodies)
    for line, (title, values) in zip(lines[1:], bodies, strict=True):
        means = np.reshape(values, (-1, len(joints))).mean(axis=0) / 255
        most = int(means.argmax())
        assert line.startswith(f"{title}: {joints[most]} {means[most]:.2f}, ")
    assert page.evaluate("explorer.recording.player.content.layers") == ["layer 3"]
    assert not side(page).get_by_role("button", name="Relevance of this recording").is_visible()
    assert not page.locator(".recording-work").is_visible()


def test_relevance_of_other_networks_is_explained_and_not_offered(opened: Opened) -> None:
    page = opened()
    page.evaluate("kernel.relevance = 'unexplained'")
    put(page, open="r001")
    answered(page)
    note = page.locator(".recording-work + p")
    assert note.inner_text() == "Relevance is kept of the first trained network only."
    assert not side(page).get_by_role("button", name="Relevance of this recording").is_visible()
    page.evaluate("kernel.relevance = 'absent'")
    put(page, open="r002")
    answered(page)
    assert note.inner_text() == ""
    assert side(page).get_by_role("button", name="Relevance of this recording").is_visible()


def test_relevance_can_be_cancelled_and_its_answer_comes_to_nothing(opened: Opened) -> None:
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


def test_without_a_kernel_poses_play_and_it_is_said(opened: Opened) -> None:
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


def test_without_poses_neighbours_are_still_listed(opened: Opened) -> None:
    page = opened({**study_content(N, L), "poses": None}, kernel=False, state={"open": "r003"})
    assert side(page).locator("[aria-pressed]").count() == 5
    assert "This page has no poses." in side(page).inner_text()


def test_neighbours_kept_lost_and_gained_lead_on(opened: Opened) -> None:
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


def test_space_plays_the_opened_recording_from_the_map(opened: Opened) -> None:
    page = opened(state={"open": "r001"})
    answered(page)
    page.locator(".live-map").focus()
    page.keyboard.press("Space")
    waiting(page, "explorer.recording.player.step > 2")
    page.keyboard.press("Space")
    assert page.evaluate("explorer.recording.player.playing") is False


def test_nothing_and_one_recording(opened: Opened) -> None:
    for n in (0, 1):
        page = opened(study_content(n, L))
        page.get_by_role("tab", name="Classes").click()
        page.evaluate("settled()")
        assert page.locator(".explorer-left [role=status]").first.inner_text() == f"{n} recordings"
    put(page, open=HOSTILE)
    answered(page)
    assert "0 neighbours" in page.evaluate("explorer.recording.heading.textContent")


def test_the_strip_tells_the_classes_of_neighbours_at_every_layer(opened: Opened) -> None:
    page = opened(state={"open": "r007"})
    answered(page)
    weights = page.evaluate(
        """[0, 1, 2, 3].map((layer) => {
            const sums = {}, { codes, values } = store.nodes.categories[0];
            for (const { node, weight } of store.edgesOf("trained", layer, 7)) {
                const name = values[codes[node]] ?? "unknown";
                sums[name] = (sums[name] || 0) + weight;
            }
            return sums;
        })"""
    )
    strip = page.locator(".recording-strip")
    box = strip.bounding_box()
    told = side(page).locator(".recording-strip + p")
    seen: list[set[str]] = []
    for layer, sums in enumerate(weights):
        page.mouse.move(box["x"] + (layer + 0.5) / L * box["width"], box["y"] + 9)
        where, _, shares = told.inner_text().partition(": ")
        assert where == ("input" if layer == 0 else f"layer {layer}")
        expected = [f"{round(100 * w / sum(sums.values()))} % {name}" for name, w in sums.items()]
        assert sorted(shares.split(", ")) == sorted(expected)
        seen.append(set(sums))
    assert seen[0] != seen[-1]
    page.mouse.click(box["x"] + 1.5 / L * box["width"], box["y"] + 9)
    assert page.evaluate("store.state.panels[0].at") == 1
    strip.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("store.state.panels[0].at") == 2
    # Coloured by subject, neighbours are told apart by subject.
    put(page, colour="subject")
    assert told.inner_text().startswith("layer 2: ")
    assert "% s" in told.inner_text()
    assert "subject, layer by layer" in (strip.get_attribute("aria-label") or "")


def test_the_strip_is_painted_in_the_shares(opened: Opened) -> None:
    page = opened(state={"open": "r007"})
    answered(page)
    shares = dict(page.evaluate("explorer.recording.strip.sharesAt(0)"))
    column = page.evaluate(
        """() => { const strip = explorer.recording.strip.canvas, { width, height } = strip;
            const data = strip.getContext("2d").getImageData(Math.round(width / 8), 0, 1, height).data;
            return [...Array(height).keys()].map((y) => hex([...data.slice(4 * y, 4 * y + 3)])); }""".replace(
            "hex(", "((c) => '#' + c.map((x) => x.toString(16).padStart(2, '0')).join(''))("
        )
    )
    palette = page.evaluate("store.colours().palette")
    for code, share in shares.items():
        assert column.count(palette[int(code)]) / (len(column) - 4) == pytest.approx(share, abs=0.06)
