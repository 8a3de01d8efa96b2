"""The explorer's store in a real browser: state, choosing, searching, colours and flips, against plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer_pages import HOSTILE, explorer_content, random_edges, write_page
from matplotlib.colors import to_hex

from stgcnlib.figures.style import class_styles

N, L = 40, 3


@pytest.fixture(scope="module")
def edges() -> list[list[list[int]]]:
    return random_edges(N, L)


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A page with `store`, `told` (what listeners heard) and `content`."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    start = "const told = [], store = new Store(content); store.on('all', changed => told.push([...changed]));"
    start += "Object.assign(window, { content, Store, store, told, rgb });"
    page.goto(write_page(tmp_path / "page.html", explorer_content(N, L), start))
    yield page
    page.close()
    assert complaints == []


def test_listeners_hear_once_what_changed(page: Any) -> None:
    told = page.evaluate("""async () => {
        store.set({ colour: "subject", open: "a03" }); store.set({ edges: "none" }); store.choose([1, 2]);
        const early = told.length;
        await null; await null;
        return [early, told.map(keys => keys.sort())]; }""")
    assert told == [0, [["colour", "edges", "open", "subset"]]]
    assert (
        page.evaluate("async () => { store.set({colour: 'subject'}); await null; await null; return told.length; }")
        == 1
    )
    assert page.evaluate("""() => { const heard = []; const off = store.on("hover", n => heard.push(n));
        store.hover(4); store.hover(4); off(); store.hover(5); return heard; }""") == [4]  # fmt: skip


def test_state_that_cannot_be_is_left_out(page: Any) -> None:
    before = page.evaluate("store.json()")
    assert before["panels"] == [{"map": "trained", "at": 2}]
    page.evaluate("""store.set({
        colour: "constructor", open: "nobody", mode: "spray", edges: 3, search: null, from: "x",
        panels: [{map: "nowhere", at: 1}, null, 7], __proto__: {colour: "subject"}, extra: 1, subset: "all" })""")
    assert page.evaluate("store.json()") == before
    page.evaluate(
        "store.set({ panels: [{map: 'trained', at: 99}, {map: 'trained', at: -1}, {map: 'trained', at: 1}] })"
    )
    assert page.evaluate("store.state.panels") == [{"map": "trained", "at": 2}, {"map": "trained", "at": 0}]


def test_state_returns_as_it_was(page: Any) -> None:
    state = {
        "panels": [{"map": "trained", "at": 0.5}, {"map": "trained", "at": 2}], "colour": "flips",
        "open": HOSTILE,
        "pinned": "a01", "subset": ["a02", "a30"], "mode": "lasso", "search": "wave s1",
        "from": 0, "to": 2, "edges": "subset",
    }  # fmt: skip
    page.evaluate("state => store.restore(state)", state)
    assert page.evaluate("store.json()") == state
    assert page.evaluate("[store.opened, store.pinned, store.chosen, [...store.subset].indexOf(1)]") == [N - 1, 1, 2, 2]
    again = page.evaluate("state => new Store({ ...content, state }).json()", state)
    assert again == state
    assert page.evaluate("store.restore({}); store.json().subset") == []


def test_choosing_replaces_adds_removes_and_is_undone(page: Any) -> None:
    steps = page.evaluate("""() => {
        const now = () => store.state.subset.join(" "), steps = [];
        const act = (f) => { f(); steps.push(now()); };
        act(() => store.choose([1, 2])); act(() => store.choose([2, 3], "add")); act(() => store.choose([1], "remove"));
        act(() => store.choose([7])); act(() => store.choose([7])); act(() => store.undo()); act(() => store.undo());
        act(() => store.undo()); act(() => store.undo()); act(() => store.undo());
        return steps; }""")
    assert steps == ["a01 a02", "a01 a02 a03", "a02 a03", "a07", "a07", "a02 a03", "a01 a02 a03", "a01 a02", "", ""]
    assert page.evaluate("[store.faded(5), (store.choose([1]), store.faded(5)), store.faded(1)]") == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wave", [i for i in range(N - 1) if i % 3 == 0]),
        ("S2  CLAP", [i for i in range(20, N - 1) if i % 3 == 1]),
        ("a1", list(range(10, 20))),
        ("<i>", [i for i in range(N - 1) if i % 3 == 2]),
        ("wave clap", []),
        ("", list(range(N))),
    ],
)
def test_search_finds_where_every_word_is(page: Any, text: str, expected: list[int]) -> None:
    assert page.evaluate("text => store.matches(text)", text) == expected
    page.evaluate("text => store.set({search: text})", text)
    found = page.evaluate("store.found && [...store.found.keys()].filter(k => store.found[k])")
    assert found == (expected if text else None)


def test_flips_and_degrees_are_those_of_sets(page: Any, edges: list[list[list[int]]]) -> None:
    for a, b in [(0, 1), (0, 2), (2, 0), (1, 1)]:
        flips = page.evaluate(f"(f => [[...f.kept], [...f.lost], [...f.gained]])(store.flips('trained', {a}, {b}))")
        for i in range(N):
            p, q = set(edges[a][i]), set(edges[b][i])
            assert [flips[0][i], flips[1][i], flips[2][i]] == [len(p & q), len(p - q), len(q - p)]
        of = page.evaluate(f"store.flipsOf('trained', {a}, {b}, 9)")
        p, q = set(edges[a][9]), set(edges[b][9])
        assert {key: {e["node"] for e in of[key]} for key in of} == {"kept": p & q, "lost": p - q, "gained": q - p}
    joined = [{frozenset((i, j)) for i in range(N) for j in edges[1][i]}][0]
    expected = [sum(i in pair for pair in joined) for i in range(N)]
    assert page.evaluate("[...store.degree('trained', 1)]") == expected
    weights = [e["weight"] for e in page.evaluate("store.edgesOf('trained', 1, 5)")]
    assert len(weights) == len(edges[1][5])
    assert weights == sorted(weights, reverse=True)
    assert page.evaluate("[store.edgesOf('trained', 0, 0), store.edgesOf('trained', 0, -1)]") == [[], []]


def test_span_follows_the_slider_until_it_is_set(page: Any) -> None:
    assert page.evaluate("store.show(0, {at: 1.2}); store.span()") == {"from": 0, "to": 1}
    assert page.evaluate("store.show(0, {at: 0}); store.span()") == {"from": 0, "to": 0}
    assert page.evaluate("store.set({from: 2, to: 50}); store.span()") == {"from": 2, "to": 2}


def test_colours_of_categories_count_what_is_chosen(page: Any) -> None:
    page.evaluate("store.set({colour: 'class'}); store.choose([0, 3, 4, 39])")
    items = page.evaluate("store.colours().items.map(i => [i.label, i.count, i.shown])")
    assert items == [["wave", 13, 2], ["clap", 13, 1], ["<i>sit</i>", 13, 0], ["unknown", 1, 1]]
    page.evaluate("store.choose([])")
    assert page.evaluate("store.colours().items.map(i => i.shown)") == [13, 13, 13, 1]
    light = page.evaluate("store.colours().palette")
    assert page.evaluate("store.setDark(true); store.colours().palette[0]") != light[0]
    assert light[:3] == [to_hex(color) for color, _ in class_styles(3)]
    assert page.evaluate("store.colours().markers") == ["o"] * 4


def test_colours_of_numbers_leave_the_unknown_out(page: Any) -> None:
    page.evaluate("store.set({colour: 'seconds'})")
    codes = page.evaluate("[...store.colours().codes]")
    assert codes[3] == 256
    known = [c for k, c in enumerate(codes) if k != 3]
    assert known == sorted(known)
    assert (known[0], known[-1]) == (0, 255)
    # The ends of the ramp: yellow is left out on white, deep violet in the dark.
    ends = "store.colours().ramp.filter((_, k) => k % 255 === 0).map(hex => Math.max(...rgb(hex)))"
    assert page.evaluate(ends) == [0x54, 0xDC]
    assert page.evaluate(f"store.setDark(true); {ends}") == [0x8B, 0xFD]
    page.evaluate("store.setDark(false)")
    for key in ("smoothness", "degree", "flips"):
        drawn = page.evaluate(
            f"store.set({{colour: '{key}'}}); (c => [c.kind, c.title, c.low < c.high])(store.colours())"
        )
        assert drawn[0] == "number"
        assert "layer 2" in drawn[1]
        assert drawn[2]
    none = page.evaluate("store.nodes.numbers[0].values.fill(NaN); store.cache.clear(); store.set({colour: 'seconds'});"
                         "(c => [c.low, c.high, new Set(c.codes).size])(store.colours())")  # fmt: skip
    assert none == [0, 1, 1]


def test_maps_on_offer_are_asked_for_once(page: Any) -> None:
    result = page.evaluate("""async () => {
        const asked = [];
        store.link = { ask: (kind, payload) => { asked.push([kind, payload]);
          return Promise.resolve({ ...content.maps[0], key: "other", layers: content.maps[0].layers.slice(0, 2) }); } };
        store.set({ panels: [{ map: "other", at: 2 }] });
        const [a, b] = await Promise.all([store.load("other"), store.load("other")]);
        await null;
        return [asked, a === b, store.state.panels, told.flat()]; }""")
    assert result == [
        [["map", {"key": "other"}]], True, [{"map": "other", "at": 1}], ["panels", "panels", "maps"],
    ]  # fmt: skip
    message = page.evaluate("store.link = null, store.load('third').catch(error => error.message)")
    assert "third" in message


@pytest.mark.parametrize("colour", ["smoothness", "degree", "flips"])
def test_a_map_that_arrives_at_the_input_has_its_colours(page: Any, colour: str) -> None:
    kinds = page.evaluate(
        """async (colour) => {
        const kinds = () => new Set(store.colours().codes).has(256);
        store.link = { ask: () => Promise.resolve({ ...content.maps[0], key: "other" }) };
        store.set({ colour, panels: [{ map: "other", at: 0 }] });
        const before = kinds(); // the legend is drawn meanwhile
        await store.load("other");
        return [before, kinds()]; }""",
        colour,
    )
    assert kinds == [True, False]


def test_no_recordings_and_no_maps(page: Any) -> None:
    state = page.evaluate("""() => {
        const s = new Store({ nodes: { count: 0, names: [], categories: [], numbers: [] }, maps: [] });
        return [s.json(), s.colours().codes.length, s.matches("a"), s.opened]; }""")
    assert state[0]["panels"] == []
    assert state[1:] == [0, [], -1]
