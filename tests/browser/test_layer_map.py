"""The map of a layer in a real browser: pointing, choosing, moving, zooming, keys, and contents at the edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_pages import HOSTILE, explorer_content, packed, random_edges, write_page
from matplotlib.path import Path as Polygon

N, L = 40, 3
Open = Callable[..., Any]
START = """
const store = new Store(content, window.link || null);
const places = store.state.panels.map(() => make("div"));
root.append(...places);
const maps = places.map((place, k) => new LayerMap(place, store, k));
const settled = async () => {
  const frame = () => new Promise(requestAnimationFrame);
  do { await frame(); await frame(); }
  while (maps.some((map) => map.motion || map.frame));
};
Object.assign(window, { content, store, maps, settled, SvgContext, drawMarker });
"""


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a content on a page with `store` and `maps`; in the end nothing has complained or left the machine."""
    complaints: list[str] = []
    requests: list[str] = []
    pages = []

    def show(content: dict[str, Any] | None = None, *, state: dict[str, Any] | None = None, dark: bool = False) -> Any:
        content = explorer_content(N, L) if content is None else content
        page = browser.new_page(viewport={"width": 1000, "height": 620})
        pages.append(page)
        page.on("console", lambda message: complaints.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(write_page(tmp_path / f"{len(pages)}.html", {**content, "state": state or {}}, START, dark=dark))
        page.evaluate("settled()")
        return page

    yield show
    for page in pages:
        page.close()
    assert complaints == []
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]


def two_panels() -> dict[str, Any]:
    return {"panels": [{"map": "trained", "at": 0}, {"map": "trained", "at": 2}]}


def spots(page: Any, panel: int = 0) -> Any:
    """(N, 2) places of all recordings in the window's pixels."""
    inside = np.array(page.evaluate(f"[...maps[{panel}].screen]"), float)
    box = page.evaluate(f"(box => [box.left, box.top])(maps[{panel}].over.getBoundingClientRect())")
    return inside.reshape(-1, 2) + box


def click(page: Any, place: np.ndarray, *keys: str) -> None:
    for key in keys:
        page.keyboard.down(key)
    page.mouse.click(*place)
    for key in keys:
        page.keyboard.up(key)
    page.evaluate("settled()")


def draw(page: Any, corners: Any, *keys: str, release: bool = True) -> None:
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=3)
    if release:
        page.mouse.up()
    for key in keys:
        page.keyboard.up(key)
    page.evaluate("settled()")


def chosen(page: Any) -> Any:
    return page.evaluate("[...store.subset.keys()].filter(node => store.subset[node])")


def painted(page: Any, canvas: str, panel: int = 0) -> Any:
    """Pixels that are not empty."""
    return page.evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((x, i) => i % 4 === 3 && x).length",
        page.evaluate_handle(f"maps[{panel}].{canvas}"),
    )


def test_hovering_shows_who_it_is_and_moves_the_person(opened: Open) -> None:
    page = opened(state={**two_panels(), "edges": "none"})
    assert painted(page, "over", 1) == 0
    page.mouse.move(*spots(page)[4] + 1)
    page.evaluate("settled()")
    assert page.evaluate("store.hovered") == 4
    card = page.locator(".live-card:visible")
    assert card.count() == 1  # in the panel that is pointed at, with a ring in both
    assert card.inner_text().splitlines() == ["a04", "class: clap", "subject: S1"]
    assert page.locator(".live-told").first.text_content() == "a04, class: clap, subject: S1"
    assert painted(page, "over", 1) > 20
    picture = "maps[0].card.pose.toDataURL()"
    first = page.evaluate(picture)
    assert painted(page, "card.pose") > 50
    page.wait_for_function(f"first => {picture} !== first", arg=first)
    page.evaluate("store.hover(5)")  # from a list, say: the card is of what the pointer showed
    assert card.count() == 0
    page.mouse.move(*spots(page)[4] - 1)
    page.evaluate("settled()")
    assert card.count() == 1
    page.mouse.move(2, 300)
    page.evaluate("settled()")
    assert page.evaluate("store.hovered") == -1
    assert card.count() == 0
    assert painted(page, "over", 1) == 0


def test_the_card_stays_within_its_panel_beside_its_point(opened: Open) -> None:
    content = explorer_content(N, L)
    content["nodes"]["categories"][1]["values"] = ["a subject of a rather long name for a card"] * 2
    page = opened(content, state=two_panels())
    for panel in (0, 1):
        left = 500 * panel
        for place in spots(page, panel)[::5]:
            page.mouse.move(*place)
            page.evaluate("settled()")
            box = page.locator(".live-card:visible").bounding_box()
            assert box["x"] >= left
            assert box["x"] + box["width"] <= left + 500
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 600
            # What is pointed at stays in sight.
            right, bottom = box["x"] + box["width"], box["y"] + box["height"]
            assert not (box["x"] <= place[0] <= right and box["y"] <= place[1] <= bottom)


def test_a_click_opens_and_keys_add_or_remove(opened: Open) -> None:
    page = opened()
    at = spots(page)
    click(page, at[7])
    assert page.evaluate("store.state.open") == "a07"
    click(page, at[8], "Shift")
    click(page, at[9], "Control")
    assert chosen(page) == [8, 9]
    click(page, at[8], "Alt")
    assert chosen(page) == [9]
    assert page.evaluate("store.state.open") == "a07"
    page.keyboard.press("Control+z")
    assert chosen(page) == [8, 9]
    page.keyboard.press("Escape")
    assert chosen(page) == []


POLYGON = [(150, 80), (800, 120), (620, 330), (850, 560), (200, 480)]


def test_lasso_replaces_adds_removes_and_stays_in_its_mode(opened: Open) -> None:
    page = opened(state={"mode": "lasso"})
    within = set(np.flatnonzero(Polygon(POLYGON).contains_points(spots(page))).tolist())
    left = [(10, 10), (500, 10), (500, 590), (10, 590)]
    half = set(np.flatnonzero(Polygon(left).contains_points(spots(page))).tolist())
    assert 0 < len(within - half) < len(within)
    draw(page, POLYGON)
    assert set(chosen(page)) == within
    assert page.evaluate("store.state.mode") == "lasso"
    draw(page, left, "Alt")
    assert set(chosen(page)) == within - half
    draw(page, left, "Shift")
    assert set(chosen(page)) == within | half
    draw(page, left)
    assert set(chosen(page)) == half
    draw(page, POLYGON, release=False)
    assert painted(page, "over") > 1000
    page.keyboard.press("Escape")  # gives this lasso up and leaves what was chosen
    page.mouse.up()
    assert set(chosen(page)) == half
    page.keyboard.press("Escape")
    assert chosen(page) == []
    page.evaluate("store.set({search: 'wave'})")
    draw(page, left)
    assert set(chosen(page)) == {node for node in half if node % 3 == 0 and node < N - 1}


def test_a_rectangle_chooses_between_its_corners(opened: Open) -> None:
    page = opened(state={"mode": "rectangle"})
    x, y = spots(page).T
    draw(page, [(700, 500), (500, 100), (300, 200)])
    assert chosen(page) == np.flatnonzero((x > 300) & (x < 700) & (y > 200) & (y < 500)).tolist()
    click(page, spots(page)[3])  # in every mode a click opens
    assert page.evaluate("store.state.open") == "a03"


def test_points_move_with_the_slider_exactly(opened: Open) -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(L, N, 2)).astype(np.float32)
    page = opened(explorer_content(N, L, points=points))
    for at in (2.0, 1.7, 1.5, 1.0, 0.25, 0.0, 2.0):
        page.evaluate(f"store.show(0, {{at: {at}}}), settled()")
        low, t = int(at), at % 1
        share = t * t * (3 - 2 * t)
        expected = points[low] + share * (points[min(low + 1, L - 1)] - points[low])
        world = np.array(page.evaluate("[...maps[0].world]")).reshape(-1, 2)
        np.testing.assert_allclose(world, expected, atol=1e-6)
        # The same frame for all layers, equally long units along both axes, y upwards.
        scale = page.evaluate("maps[0].view().scale")
        np.testing.assert_allclose(np.diff(spots(page), axis=0), np.diff(world, axis=0) * [scale, -scale], atol=1e-3)
    title = "store.show(0, {at: 0.5}), settled().then(() => maps[0].area.getAttribute('aria-label'))"
    assert page.evaluate(title) == f"Map of {N} recordings: trained, layer 0 to layer 1"
    half = page.evaluate("""async () => {
        const [map] = maps, from = [...map.world];
        store.show(0, {at: 2});
        await null;
        // A long way is gone in several frames; at half the time half of it is done.
        const { now } = performance;
        performance.now = () => map.motion.began + 125;
        map.request();
        map.draw();
        performance.now = now;
        const half = [...map.world];
        await settled();
        return half.map((x, i) => x - (from[i] + map.world[i]) / 2); }""")
    np.testing.assert_allclose(half, 0, atol=1e-6)


def test_zoom_keeps_the_point_under_the_pointer(opened: Open) -> None:
    page = opened()
    before = spots(page)
    page.mouse.move(*before[11])
    page.mouse.wheel(0, -400)
    page.evaluate("settled()")
    np.testing.assert_array_equal(spots(page), before)  # without the focus the page scrolls
    place = np.array([700.0, 200.0])
    click(page, place)
    factor = 1.0
    for turns in (-400, -300, 250):
        page.mouse.wheel(0, turns)
        page.evaluate("settled()")
        factor *= np.exp(-0.0015 * turns)
        np.testing.assert_allclose(spots(page) - place, factor * (before - place), atol=0.02)
    zoomed = spots(page)
    draw(page, [(300, 300), (350, 340), (420, 260)])
    np.testing.assert_allclose(spots(page) - zoomed, np.full((N, 2), (120, -40)), atol=0.02)
    assert chosen(page) == []
    page.mouse.dblclick(2, 598)
    page.evaluate("settled()")
    np.testing.assert_allclose(spots(page), before, atol=0.01)


def seen(page: Any, nodes: tuple[int, ...], panel: int = 0) -> Any:
    """Whether the middle of a point is opaque, not faded."""
    pixel = "map.base.getContext('2d').getImageData(...map.spot(node).map(Math.floor), 1, 1).data[3]"
    return page.evaluate(f"nodes => (map => nodes.map(node => {pixel} > 230))(maps[{panel}])", nodes)


def test_two_maps_share_what_is_chosen_and_found(opened: Open) -> None:
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(5)), axis=-1).reshape(1, N, 2)
    page = opened(explorer_content(N, L, classes=25, points=np.repeat(grid, L, axis=0)), state=two_panels())
    for panel in (0, 1):
        assert seen(page, (5, 6), panel) == [True, True]
    page.evaluate("store.set({mode: 'rectangle'})")
    x, y = spots(page, 1)[5]
    draw(page, [(x - 10, y - 10), (x + 10, y + 10)])
    assert chosen(page) == [5]
    for panel in (0, 1):
        assert seen(page, (5, 6), panel) == [True, False]
    page.evaluate("store.choose([]), store.set({search: 'a06'}), settled()")
    page.evaluate("settled()")
    assert seen(page, (5, 6)) == [False, True]


def test_edges_of_what_is_open_and_chosen(opened: Open) -> None:
    edges = random_edges(N, L)
    page = opened(state={"open": "a05", "panels": [{"map": "trained", "at": 1}]})
    drawn = "(maps[0].edges || []).map(e => [e.from, e.node, e.kind])"
    assert sorted(page.evaluate(drawn)) == [[5, j, "open"] for j in edges[1][5]]
    page.evaluate("store.set({edges: 'subset'}), store.choose([2, 5, 6]), settled()")
    page.evaluate("settled()")
    expected = (
        [[2, j, "chosen"] for j in edges[1][2]]
        + [[5, j, "open"] for j in edges[1][5]]
        + [[6, j, "chosen"] for j in edges[1][6]]
    )
    assert sorted(page.evaluate(drawn)) == expected
    page.evaluate("store.set({edges: 'open', colour: 'flips'}), settled()")
    page.evaluate("settled()")
    a, b = set(edges[0][5]), set(edges[1][5])
    flips = {"kept": a & b, "lost": a - b, "gained": b - a}
    assert sorted(page.evaluate(drawn)) == sorted([5, j, kind] for kind, nodes in flips.items() for j in nodes)
    text = page.evaluate("(c => (maps[0].drawTo(c, 800, 500), c.toString()))(new SvgContext(800, 500))")
    assert text.count("stroke-dasharray") >= (len(flips["lost"]) > 0) + (len(flips["gained"]) > 0)
    page.evaluate("store.set({edges: 'none'}), settled()")
    page.evaluate("settled()")
    assert page.evaluate(drawn) == []


def test_names_of_classes_do_not_overlap(opened: Open) -> None:
    rng = np.random.default_rng(2)
    content = explorer_content(400, 1, classes=24, points=rng.normal(size=(1, 400, 2)) * 0.2)
    content["nodes"]["categories"][0]["values"] = [f"a class with number {c}" for c in range(24)]
    page = opened(content, state={"colour": "class"})
    boxes = page.evaluate("""() => {
        const boxes = [], context = document.createElement("canvas").getContext("2d");
        const plain = context.fillRect.bind(context);
        context.fillRect = (x, y, w, h) => { if (h === 17) boxes.push([x, y, x + w, y + h]); plain(x, y, w, h); };
        maps[0].drawTo(context, 900, 600);
        return boxes; }""")
    assert len(boxes) > 10
    for k, a in enumerate(boxes):
        assert 0 <= a[0] < a[2] <= 900
        assert 0 <= a[1] < a[3] <= 600
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:k])


def test_markers_differ_and_are_about_equally_large(opened: Open) -> None:
    """Each of matplotlib's markers that classes take: drawn, different from the others, and about as large."""
    content = explorer_content(12, 1, classes=108, points=np.c_[np.arange(12), np.zeros(12)][None])
    content["nodes"]["categories"][0]["codes"] = packed(np.arange(0, 108, 9).astype(np.uint16))
    page = opened(content, state={"colour": "class"})
    page.evaluate("maps[0].store.nodes.categories[0].values.fill('')")
    shapes = page.evaluate("""[...store.colours().markers.slice(0, 108).filter((_, k) => k % 9 === 0)].map(marker => {
        const context = Object.assign(document.createElement("canvas"), {width: 60, height: 60}).getContext("2d");
        context.beginPath(); drawMarker(context, marker, 30, 30, 18); context.fill();
        return [...context.getImageData(0, 0, 60, 60).data].filter((_, i) => i % 4 === 3); })""")
    areas = [sum(shape) / 255 for shape in shapes]
    assert len({tuple(shape) for shape in shapes}) == 12
    assert min(areas) > 0.6 * np.pi * 18**2
    assert max(areas) < 1.2 * np.pi * 18**2


def test_keys_step_open_and_change_layer_and_mode(opened: Open) -> None:
    grid = np.stack(np.meshgrid(np.arange(8), -np.arange(5)), axis=-1).reshape(1, N, 2)  # 8 a row, downwards
    page = opened(explorer_content(N, L, points=np.repeat(grid, L, axis=0)), state={"open": "a18"})
    page.evaluate("document.addEventListener('keydown', ({key}) => key !== 'Shift' && (window.heard ||= []).push(key));"
                  "document.addEventListener('stgcnlib-play', () => { window.played = true; })")  # fmt: skip
    page.locator(".live-map").focus()
    for key, node in [("ArrowRight", 19), ("ArrowDown", 27), ("ArrowLeft", 26), ("ArrowUp", 18), ("ArrowUp", 10)]:
        page.keyboard.press(key)
        assert page.evaluate("store.hovered") == node
    assert page.locator(".live-told").text_content().startswith("a10, class: clap")
    page.keyboard.press("Enter")
    assert page.evaluate("store.state.open") == "a10"
    for node in (11, 12, 13, 14, 15, 15):  # nobody is further to the right
        page.keyboard.press("ArrowRight")
        assert page.evaluate("store.hovered") == node
    page.keyboard.press("Shift+Enter")
    assert chosen(page) == [15]
    for key, at in [("[", 1), ("[", 0), ("[", 0), ("]", 1), ("]", 2), ("]", 2)]:
        page.keyboard.press(key)
        assert page.evaluate("store.state.panels[0].at") == at
    for key, mode in [("l", "lasso"), ("r", "rectangle"), ("p", "point")]:
        page.keyboard.press(key)
        assert page.evaluate("store.state.mode") == mode
    page.keyboard.press(" ")
    assert page.evaluate("window.played")
    page.keyboard.press("+")
    page.evaluate("settled()")
    assert page.evaluate("maps[0].zoom") > 1
    page.keyboard.press("0")
    assert page.evaluate("maps[0].zoom") == 1
    assert page.evaluate("window.heard") is None  # what the map has done, nobody else shall do
    page.keyboard.press("?")
    assert page.evaluate("window.heard") == ["?"]


def test_names_are_text(opened: Open) -> None:
    page = opened(state={"open": HOSTILE})
    page.mouse.move(*spots(page)[N - 1])
    page.evaluate("settled()")
    assert page.locator(".live-card").inner_text().splitlines()[0] == HOSTILE
    assert page.locator("b, i, .live-card script").count() == 0
    text = page.evaluate("(c => (maps[0].drawTo(c, 800, 500), c.toString()))(new SvgContext(800, 500))")
    assert "<i>" not in text
    assert (
        page.evaluate(
            "text => new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror')", text
        )
        is None
    )


def test_pictures_to_take_away_show_the_same_view(opened: Open) -> None:
    page = opened(state={"open": "a03", "colour": "seconds"})
    text = page.evaluate("(c => (maps[0].drawTo(c, 2000, 1200), c.toString()))(new SvgContext(2000, 1200))")
    assert text.startswith("<svg")
    # Two arcs a circle, filled and rimmed, and the ring around the open one.
    assert text.count("A") == 4 * N + 2


def test_equal_points_are_opened_by_turns(opened: Open) -> None:
    page = opened(explorer_content(5, 1, points=np.zeros((1, 5, 2))))
    place = spots(page)[0]
    np.testing.assert_allclose(spots(page), [place] * 5)
    seen = []
    for _ in range(6):
        click(page, place)
        seen.append(page.evaluate("store.opened"))
    assert seen == [0, 1, 2, 3, 4, 0]
    assert "and 4 more at this place" in page.locator(".live-card").inner_text()


def test_values_and_places_that_are_not_known(opened: Open) -> None:
    points = np.random.default_rng(0).normal(size=(L, N, 2))
    points[:, 6] = np.nan
    page = opened(
        explorer_content(N, L, points=points),
        state={"colour": "seconds", "open": "a06", "edges": "subset", "mode": "lasso"},
    )
    page.evaluate("store.choose([...Array(40).keys()]), settled()")
    page.mouse.move(*spots(page)[3])
    page.evaluate("settled()")
    assert page.locator(".live-card").inner_text().splitlines()[-1] == "seconds: unknown"
    draw(page, [(0, 0), (999, 0), (999, 599), (0, 599)])
    assert chosen(page) == [node for node in range(N) if node != 6]
    page.locator(".live-map").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("store.hovered") != 6


@pytest.mark.parametrize(("count", "layers", "classes"), [(0, 2, 3), (1, 1, 3), (2, 1, 1), (600, 2, 300)])
def test_contents_at_the_edge_are_drawn(opened: Open, count: int, layers: int, classes: int) -> None:
    page = opened(explorer_content(count, layers, classes))
    assert painted(page, "base") > 0
    for colour in page.evaluate("store.choices.map(choice => choice.key)"):
        page.evaluate(f"store.set({{colour: '{colour}', edges: 'subset'}}), settled()")
    page.locator(".live-map").focus()
    for key in ("ArrowRight", "Enter", "[", "]", "+", "Escape"):
        page.keyboard.press(key)
    page.mouse.move(500, 300)
    page.mouse.wheel(0, 300)
    draw(page, [(10, 10), (900, 10), (900, 500)])
    page.evaluate("settled()")


def test_a_map_on_offer_is_loaded_and_errors_are_said(opened: Open) -> None:
    page = opened(state={"panels": [{"map": "other", "at": 1}]})
    assert "no kernel" in page.evaluate("maps[0].message")
    page.evaluate("""async () => {
        store.link = { ask: async () => ({ ...content.maps[0], key: "other", title: "untrained" }) };
        await store.load("other"); await settled(); }""")
    assert page.evaluate("maps[0].title") == "untrained, layer 1"
    assert len(spots(page)) == N


def test_state_shown_again_looks_the_same(opened: Open) -> None:
    state = {
        **two_panels(),
        "colour": "subject",
        "open": "a08",
        "pinned": "a09",
        "subset": ["a02", "a08"],
        "edges": "subset",
    }
    page, again = opened(state=state), opened()
    again.evaluate("state => { maps[0].destroy(); store.restore(state); }", page.evaluate("store.json()"))
    third = opened(state=again.evaluate("store.json()"))
    for panel in (0, 1):
        picture = f"maps[{panel}].base.toDataURL()"
        assert third.evaluate(picture) == page.evaluate(picture)


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_decides_colours(opened: Open, dark: bool) -> None:
    page = opened(dark=dark, state={"colour": "class"})
    assert page.evaluate("store.dark") is dark
    page.evaluate(
        f"document.querySelector('#root').dataset.jpThemeLight = '{str(dark).lower()}', maps[0].request(), settled()"
    )
    assert page.evaluate("store.dark") is not dark


def test_destroy_leaves_nothing(opened: Open) -> None:
    page = opened(state=two_panels())
    page.mouse.move(*spots(page)[4])
    page.evaluate("settled()")
    page.evaluate("maps.forEach(map => map.destroy())")
    assert page.evaluate("[store.listeners.size, document.querySelectorAll('#root > div > *').length]") == [0, 0]
    counts = page.evaluate("""async () => {
        let drawn = 0; for (const map of maps) map.draw = () => drawn++;
        store.set({colour: "degree"}); store.hover(3);
        const pose = maps[0].card.pose.getContext("2d"), clear = pose.setTransform.bind(pose);
        pose.setTransform = (...a) => { drawn++; clear(...a); };
        await new Promise(done => setTimeout(done, 300));
        return drawn; }""")
    assert counts == 0
