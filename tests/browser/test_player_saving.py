"""The skeleton player taken away: pages that need nothing else, moving and still pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from player_pages import (
    HOSTILE,
    PLAYER,
    levels,
    opened,
    places,
    wait_until,
)

from stgcnlib.figures.live import LiveFigure


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


def test_damaged_numbers_leave_the_picture(browser: Any, players: dict[str, LiveFigure], tmp_path: Path) -> None:
    text = players["aligned"].to_html().replace('"dtype":"int16"', '"dtype":"int61"', 1)
    (tmp_path / "player.html").write_text(text)
    page = browser.new_page()
    page.goto((tmp_path / "player.html").as_uri())
    page.wait_for_timeout(200)
    assert page.is_visible("figure.live > img")
    assert page.locator(".player-live").count() == 0
    page.close()


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
    players["flat"].save(tmp_path / "player.html")
    page, *_ = opened(browser, (tmp_path / "player.html").as_uri(), 1000)
    root = ElementTree.fromstring(saved(page, "SVG", tmp_path).read_text())
    assert f"{HOSTILE}: class 0" in [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {node.tag.rpartition("}")[2] for node in root.iter()} == {"svg", "g", "clipPath", "path", "text", "rect"}
    page.close()
