"""The skeleton player in a real browser: it plays, scrubs, changes speed and layer, turns, quietly and offline."""

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
from stgcnlib.figures.live import LiveFigure
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import render_report
from stgcnlib.sequences import SequenceSet

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PLAYER = "document.querySelector('figure.live').player"
HOSTILE = "<img src=http://x.invalid onerror=alert(1)></script><b>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as engine:
        started = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
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


def gappy() -> LiveFigure:
    """Two people on 17 flat joints, one joint of the second unseen throughout; a name that is no mere name."""
    rng = np.random.default_rng(0)
    flat = np.abs(200 + 30 * rng.normal(size=(2, 30, 17, 2)).cumsum(axis=1))
    data = SequenceSet([flat], layout="coco-17", names=[HOSTILE])
    player = skeleton_player(data, 0, rising_maps(30, 17, people=2))
    player.content["bodies"][0]["points"][1, :, 5] = -32768
    return player


@pytest.fixture(scope="module")
def players() -> dict[str, LiveFigure]:
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


@pytest.fixture(scope="module")
def report(players: dict[str, LiveFigure], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_player_needs_nothing_else(
    browser: Any, players: dict[str, LiveFigure], tmp_path: Path, scheme: str
) -> None:
    players["aligned"].save(tmp_path / "player.html")
    page, complaints, requests = opened(browser, (tmp_path / "player.html").as_uri(), 800, color_scheme=scheme)
    page.locator(".player-layer").select_option("0")
    assert set(levels(page)) == {0.0}
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 30)")
    other = "dark" if scheme == "light" else "light"
    page.emulate_media(color_scheme=other)
    wait_until(page, f"getComputedStyle(document.body).backgroundColor !== '{paper}'")
    assert complaints == []
    assert len([url for url in requests if url.startswith(("http", "file"))]) == 1
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


def test_damaged_numbers_leave_the_picture(browser: Any, players: dict[str, LiveFigure], tmp_path: Path) -> None:
    text = players["aligned"].to_html().replace('"dtype":"int16"', '"dtype":"int61"', 1)
    (tmp_path / "player.html").write_text(text)
    page = browser.new_page()
    page.goto((tmp_path / "player.html").as_uri())
    page.wait_for_timeout(200)
    assert page.is_visible("figure.live > img")
    assert page.locator(".player-live").count() == 0
    page.close()


def test_a_player_shows_another_recording_and_goes_without_a_trace(
    browser: Any, report: Path, players: dict[str, LiveFigure]
) -> None:
    from stgcnlib.figures.live import embedded

    page, complaints, _ = opened(browser, (report / "pages" / "aligned.html").as_uri(), 1000)
    page.locator(".player-frame").fill("40")
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


# -- taking it away ---------------------------------------------------------------------------


def saved(page: Any, words: str, folder: Path) -> Path:
    """The file that an entry of the player's menu gives."""
    page.click(".player-menu > summary")
    with page.expect_download() as waited:
        page.click(f".player-menu button:has-text('{words}')")
    path: Path = folder / waited.value.suggested_filename
    waited.value.save_as(path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_player_is_taken_away_as_moving_and_still_pictures(
    browser: Any, players: dict[str, LiveFigure], tmp_path: Path, scheme: str
) -> None:
    from PIL import Image

    players["aligned"].save(tmp_path / "player.html")
    page, complaints, requests = opened(browser, (tmp_path / "player.html").as_uri(), 1000, color_scheme=scheme)
    paper = (255, 255, 255) if scheme == "light" else (21, 24, 30)
    page.locator(".player-frame").fill("40")
    size = page.evaluate(
        "[document.querySelector('canvas').clientWidth, document.querySelector('canvas').clientHeight]"
    )

    with Image.open(saved(page, "GIF", tmp_path)) as film:
        assert film.n_frames == 45  # 90 steps at 30 a second, 15 frames a second shown
        assert film.info["duration"] == 70
        assert film.size[0] == 720
        film.seek(20)
        moving = np.asarray(film.convert("RGB")).astype(int)
    with Image.open(saved(page, "PNG", tmp_path)) as still:
        assert list(still.size) == [2 * side for side in size]
        expected = np.asarray(still.convert("RGB").resize(film.size, Image.Resampling.BOX)).astype(int)
    assert tuple(expected[2, 2]) == tuple(moving[2, 2]) == paper
    # The same frame, but for the colours of a GIF and the smoothing of edges.
    assert (np.abs(expected - moving).max(-1) > 60).mean() < 0.003
    assert (np.abs(moving - paper).sum(-1) > 60).mean() > 0.01

    text = saved(page, "SVG", tmp_path).read_text()
    page.goto("about:blank")
    page.set_content(f"<body style='margin:0'>{text}")
    page.wait_for_timeout(50)
    page.screenshot(path=tmp_path / "svg.png", clip={"x": 0, "y": 0, "width": size[0], "height": size[1]})
    with Image.open(tmp_path / "svg.png") as drawn_again:
        shown = np.asarray(drawn_again.convert("RGB").resize(film.size, Image.Resampling.BOX)).astype(int)
    assert (np.abs(expected - shown).max(-1) > 60).mean() < 0.003
    assert complaints == []
    assert len([url for url in requests if url.startswith(("http", "file"))]) == 1
    page.close()


@pytest.mark.parametrize("standalone", [False, True])
def test_a_player_is_taken_away_as_a_page_that_can_be_taken_away_again(
    browser: Any, players: dict[str, LiveFigure], report: Path, tmp_path: Path, standalone: bool
) -> None:
    players["flat"].save(tmp_path / "player.html")
    source = tmp_path / "player.html" if standalone else report / "pages" / "flat.html"
    page, complaints, _ = opened(browser, source.as_uri(), 1000)
    file = saved(page, "Page", tmp_path)
    assert complaints == []
    again, complaints, requests = opened(browser, file.as_uri(), 1000, color_scheme="dark")
    np.testing.assert_allclose(places(again), places(page), atol=80)  # the page is wider than the report's column
    assert again.evaluate(f"{PLAYER}.content.bodies[0].title") == f"{HOSTILE}: class 0"
    assert again.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 30)"
    assert saved(again, "Page", tmp_path / "again").read_text() == file.read_text()
    assert complaints == []
    assert [url for url in requests if url.startswith(("http", "file"))] == [file.as_uri()]
    page.close()
    again.close()


def test_a_player_is_taken_away_as_a_video_where_the_browser_can(
    browser: Any, players: dict[str, LiveFigure], tmp_path: Path
) -> None:
    players["flat"].save(tmp_path / "player.html")
    page, complaints, _ = opened(browser, (tmp_path / "player.html").as_uri(), 700)
    kinds = page.locator(".player-menu button").all_text_contents()
    assert kinds[0] == "GIF, moving"
    film = [kind for kind in kinds if kind in ("MP4", "WEBM")]
    if not film:
        pytest.skip("this browser records no video")
    data = saved(page, film[0], tmp_path).read_bytes()
    assert data[4:8] == b"ftyp" if film[0] == "MP4" else data[:4] == b"\x1aE\xdf\xa3"
    assert len(data) > 5000
    wait_until(page, "document.querySelector('.player-readout').textContent.startsWith('frame')")
    assert page.text_content(".player-readout") == "frame 1 of 30"
    assert complaints == []
    page.close()


def test_the_svg_of_a_hostile_name_is_one_safe_picture(
    browser: Any, players: dict[str, LiveFigure], tmp_path: Path
) -> None:
    from xml.etree import ElementTree

    players["flat"].save(tmp_path / "player.html")
    page, *_ = opened(browser, (tmp_path / "player.html").as_uri(), 1000)
    root = ElementTree.fromstring(saved(page, "SVG", tmp_path).read_text())
    assert f"{HOSTILE}: class 0" in [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {node.tag.rpartition("}")[2] for node in root.iter()} == {"svg", "g", "clipPath", "path", "text", "rect"}
    page.close()
