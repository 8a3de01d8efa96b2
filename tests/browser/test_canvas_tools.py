"""The tools of live figures, one by one in a blank page: arrays, colours, texts, SVG and GIF."""

from __future__ import annotations

import base64
import io
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from stgcnlib.figures.live import embedded, split
from stgcnlib.figures.live_page import live_scripts

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOOLS = "make, unpack, fit, theme, ramp, clipped, SvgContext, encodeGif, drawBody, Recording"


@pytest.fixture(scope="module")
def page(browser: Any) -> Any:
    opened = browser.new_page()
    opened.set_content("<div data-jp-theme-light='false'><p id='dark'></p></div><p id='plain'></p>")
    opened.add_script_tag(content=f"window.tools = (() => {{ {live_scripts()}; return {{ {TOOLS} }}; }})();")
    return opened


# -- arrays -----------------------------------------------------------------------------------

VALUES = {
    "uint8": [0, 7, 255],
    "int8": [-128, 0, 127],
    "uint16": [0, 300, 65535],
    "int16": [-32768, -1, 32767],
    "uint32": [0, 70000, 4294967295],
    "float32": [-1.5, 0.25, 3.0e38],
}


@pytest.mark.parametrize("dtype", VALUES)
def test_arrays_of_every_type_are_unpacked(page: Any, dtype: str) -> None:
    array = np.array([VALUES[dtype]] * 2, dtype)
    told = "value => [value.constructor.name, value.shape, Array.from(value)]"
    expected = [f"{dtype.title()}Array", [2, 3], [float(x) for x in array.ravel()]]
    unpacked = page.evaluate(f"content => ({told})(tools.unpack(content).a[0].b)", embedded({"a": [{"b": array}]}))
    assert unpacked == expected
    content, (data,) = split({"b": array})
    # A buffer as the kernel sends it: a view into something larger, at any place.
    place = "const all = new Uint8Array(bytes.length + 3); all.set(bytes, 3); const view = new DataView(all.buffer, 3);"
    unpacked = page.evaluate(
        f"([content, bytes]) => {{ {place} return ({told})(tools.unpack(content, [view]).b); }}", [content, list(data)]
    )
    assert unpacked == expected


def test_what_is_unpacked_stays_and_damage_is_told(page: Any) -> None:
    assert page.evaluate("(() => { const a = new Int8Array(2); return tools.unpack({ a }).a === a; })()")
    packed = embedded(np.zeros(3, np.int16))
    for damage, words in [({"dtype": "float64"}, "float64"), ({"shape": [4]}, "shape 4 has 6 bytes")]:
        with pytest.raises(playwright.Error, match=words):
            page.evaluate("packed => tools.unpack(packed)", {**packed, **damage})


# -- colours and texts ------------------------------------------------------------------------


def test_the_theme_is_the_notebooks_before_the_readers(page: Any) -> None:
    told = "id => tools.theme(document.getElementById(id)).dark"
    page.emulate_media(color_scheme="light")
    assert [page.evaluate(told, name) for name in ("dark", "plain")] == [True, False]
    page.emulate_media(color_scheme="dark")
    assert [page.evaluate(told, name) for name in ("dark", "plain")] == [True, True]


def test_a_ramp_runs_through_its_stops_and_turns_lightness_over_in_the_dark(page: Any) -> None:
    stops = [[0, "#ffffff"], [0.5, "#ff0000"], [1, "#000040"]]
    light, dark = page.evaluate("stops => [tools.ramp(stops), tools.ramp(stops, true)]", stops)
    assert (len(light), light[0], light[255]) == (256, "#ffffff", "#000040")
    np.testing.assert_allclose(list(bytes.fromhex(light[128][1:])), [255, 0, 0], atol=2)
    np.testing.assert_allclose(list(bytes.fromhex(light[64][1:])), [255, 127, 127], atol=2)
    assert (dark[0], dark[255]) == ("#000000", "#bfbfff")  # the same blue, as light as the other was dark


def test_long_texts_end_with_an_ellipsis_within_their_width(page: Any) -> None:
    shown, width, whole, none = page.evaluate(
        "(() => { const pen = document.createElement('canvas').getContext('2d');"
        " const cut = (text, width) => tools.clipped(pen, text, width), text = 'a rather long name '.repeat(9);"
        " return [cut(text, 100), pen.measureText(cut(text, 100)).width, cut('short', 100), cut(text, 1)]; })()"
    )
    assert shown.startswith("a rather long")
    assert shown.endswith("…")
    assert 85 < width <= 100
    assert (whole, none) == ("short", "")


# -- pictures ---------------------------------------------------------------------------------

SCENE = """(pen) => {
  pen.fillStyle = "#ffffff"; pen.fillRect(0, 0, 120, 90);
  pen.save(); pen.beginPath(); pen.rect(10, 10, 40, 40); pen.clip();
  pen.fillStyle = "#cc3311"; pen.beginPath(); pen.arc(50, 50, 30, 0, 2 * Math.PI); pen.fill(); pen.restore();
  pen.save(); pen.translate(80, 45); pen.rotate(Math.PI / 6); pen.globalAlpha = 0.5;
  pen.fillStyle = "#0077bb"; pen.fillRect(-15, -5, 30, 10); pen.restore();
  pen.strokeStyle = "#009988"; pen.lineWidth = 3; pen.setLineDash([6, 4]);
  pen.beginPath(); pen.moveTo(5, 80); pen.lineTo(115, 80); pen.stroke(); pen.setLineDash([]);
  pen.beginPath(); pen.moveTo(100, 10); pen.arc(100, 20, 10, -Math.PI / 2, Math.PI / 2); pen.closePath(); pen.fill();
  pen.strokeStyle = "#000000"; pen.lineWidth = 1; pen.strokeRect(60.5, 5.5, 20, 12);
}"""


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_svg_shows_what_a_canvas_shows(page: Any) -> None:
    canvas = page.evaluate(
        "scene => { const canvas = tools.make('canvas', { width: 120, height: 90 });"
        " eval(scene)(canvas.getContext('2d')); return canvas.toDataURL(); }",
        SCENE,
    )
    text = page.evaluate(
        "scene => { const pen = new tools.SvgContext(120, 90); eval(scene)(pen); return pen.toString(); }", SCENE
    )
    ElementTree.fromstring(text)
    again = page.context.browser.new_page()
    again.set_content(f"<body style='margin:0'>{text}")
    shown = pixels(again.screenshot(clip={"x": 0, "y": 0, "width": 120, "height": 90}))
    again.close()
    expected = pixels(base64.b64decode(canvas.partition(",")[2]))
    assert (np.abs(shown - expected).max(-1) > 40).mean() < 0.003
    assert len({tuple(pixel) for pixel in expected.reshape(-1, 3)}) > 5


def test_svg_texts_stand_where_the_canvas_puts_them(page: Any) -> None:
    text = page.evaluate(
        "(() => { const pen = new tools.SvgContext(50, 50); pen.font = '600 20px system-ui, \"A & B\"';"
        " pen.textAlign = 'center'; pen.textBaseline = 'middle';"
        " pen.fillText('<b>\\u0007 & \"', 25, 10); return pen.toString(); })()"
    )
    (node,) = ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")
    assert node.text == '<b>  & "'
    assert (node.get("x"), node.get("y"), node.get("text-anchor")) == ("25", "17", "middle")
    assert (node.get("font-size"), node.get("font-weight"), node.get("font-family")) == (
        "20",
        "600",
        'system-ui, "A & B"',
    )


def gif(page: Any, frames: list[np.ndarray], delays: list[int]) -> bytes:
    height, width = frames[0].shape[:2]
    data = page.evaluate(
        """([frames, width, height, delays]) => new Promise((done) => {
          const bytes = frames.map((text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
          const reader = new FileReader();
          reader.onload = () => done(reader.result);
          const given = bytes.map((each, k) => (k % 2 ? () => each : each));
          reader.readAsDataURL(tools.encodeGif(given, width, height, delays));
        })""",
        [[base64.b64encode(frame.tobytes()).decode() for frame in frames], width, height, delays],
    )
    kind, _, text = data.partition(",")
    assert kind == "data:image/gif;base64"
    return base64.b64decode(text)


def of_colours(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """Random pixels of at most `count` colours that differ by a bin of the palette."""
    table = np.stack(np.unravel_index(rng.permutation(32768)[:count], (32, 32, 32)), 1) * 8
    chosen = table[rng.integers(count, size=(height, width))]
    return np.concatenate([chosen, np.full((height, width, 1), 255)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("count", "height", "width"),
    [(1, 1, 1), (1, 40, 300), (2, 1, 700), (255, 120, 200), (40, 300, 300), (3, 500, 400)],
)
def test_gifs_give_their_frames_back(page: Any, count: int, height: int, width: int) -> None:
    """Sizes and numbers of colours reach every width of the code, full tables and codes that end at a border."""
    rng = np.random.default_rng(count)
    first = of_colours(rng, count, height, width)
    second = first.copy()
    second[: height // 2] = second[: height // 2, ::-1]
    film = Image.open(io.BytesIO(gif(page, [first, second, second, first], [40, 100, 5, 1000])))
    assert film.n_frames == 4 or (first == second).all()
    assert film.info["loop"] == 0
    seen = []
    for k, frame in enumerate([first, second, second, first][: film.n_frames]):
        film.seek(k)
        seen.append(film.info["duration"])
        np.testing.assert_array_equal(np.asarray(film.convert("RGB")), frame[..., :3])
    assert seen == [40, 100, 20, 1000][: film.n_frames]


def lzw_codes(data: bytes) -> list[int]:
    """The codes of a one-frame GIF up to and including its end code, read bit by bit as the format says."""
    place = data.index(b"\x2c") + 10  # the image's head; our colour table holds no comma here
    assert data[place] == 8
    place, stream = place + 1, b""
    while data[place]:
        stream += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    assert data[place + 1] == 0x3B
    bits = "".join(f"{byte:08b}"[::-1] for byte in stream)
    codes, width, entries = [], 9, 258
    while bits:
        code, bits = int(bits[:width][::-1], 2), bits[width:]
        codes.append(code)
        if code == 256:
            width, entries = 9, 257  # the first code after it makes no entry
        elif code == 257:
            assert len(bits) < 8
            assert "1" not in bits
            return codes
        else:
            entries += 1
            width = min(max(9, entries.bit_length()), 12)
    raise AssertionError("no end code")


@pytest.mark.parametrize("length", [254, 255, 256])
def test_gifs_end_at_every_border_of_the_code(page: Any, length: int) -> None:
    """The code grows to 10 bits after 255 pixels without repetition."""
    table = np.stack(np.unravel_index(np.arange(length) % 254, (8, 8, 8)), 1)[None] * 32
    frame = np.concatenate([table, np.full((1, length, 1), 255)], axis=-1).astype(np.uint8)
    data = gif(page, [frame], [50])
    np.testing.assert_array_equal(pixels(data), frame[..., :3])
    codes = lzw_codes(data)
    assert codes[0] == 256
    assert codes[-1] == 257


def test_many_colours_are_drawn_by_near_ones(page: Any) -> None:
    across, down = np.meshgrid(np.linspace(0, 255, 256), np.linspace(0, 255, 200))
    frame = np.stack([across, down, 255 - across, np.full_like(across, 255)], -1).astype(np.uint8)
    assert np.abs(pixels(gif(page, [frame], [50])) - frame[..., :3]).mean() < 12
