"""Live figures: arrays come back as they went in, and nothing in a label leads out of its element."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stgcnlib.demo import demo_sequences
from stgcnlib.figures import skeleton_player
from stgcnlib.figures.live import LiveFigure, embedded, split
from stgcnlib.figures.live_page import LIVE_MIME, SCRIPTS, live_assets, live_markup

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "float32"]
HOSTILE = "</script><script>alert(1)</script>"


def array_of(found: dict, data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.dtype(found["dtype"]).newbyteorder("<")).reshape(found["shape"])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda name: hnp.arrays(st.sampled_from([name, f">{np.dtype(name).str[1:]}"]), hnp.array_shapes(min_side=0))
    )
)
def test_arrays_come_back_embedded_and_split(array):
    content = {"a": [array, {"b": array.T}], "n": np.float32(2), "text": HOSTILE}
    text = json.loads(json.dumps(embedded(content)))
    packed, buffers = split(content)
    json.dumps(packed)
    assert len(buffers) == 2
    for k, (kept, apart, expected) in enumerate(
        [(text["a"][0], packed["a"][0], array), (text["a"][1]["b"], packed["a"][1]["b"], array.T)]
    ):
        assert apart["buffer"] == k
        np.testing.assert_array_equal(array_of(kept, base64.b64decode(kept["data"])), expected)
        np.testing.assert_array_equal(array_of(apart, buffers[k]), expected)
    assert (text["n"], text["text"]) == (2.0, HOSTILE)


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool", "O"])
def test_types_that_browsers_lack_are_refused(dtype):
    with pytest.raises(TypeError, match="cannot be sent"):
        embedded({"a": np.zeros(2, dtype)})


@pytest.fixture(scope="module")
def player() -> LiveFigure:
    data = demo_sequences(subjects=1, repeats=1)
    return skeleton_player(data.select([0]), 0, title=HOSTILE)


def test_markup_holds_no_way_out_of_its_element(player):
    content = {**embedded(player.content), "layers": [HOSTILE]}
    text = live_markup("player", content, player.picture, width=player.width, alt=player.alt)
    assert text.count("<script") == 1
    assert text.count("</script>") == 1
    with pytest.raises(ValueError, match="'><b>' is unknown"):
        live_markup("><b>", content, player.picture, width=1, alt="")


def test_a_cell_shows_the_figure_and_falls_back_to_its_picture(player, monkeypatch):
    bundle, about = player._repr_mimebundle_()
    assert {LIVE_MIME, "text/html", "image/png", "text/plain"} == set(bundle)
    assert about["image/png"]["width"] == player.width
    assert base64.b64decode(bundle["image/png"]) == player.picture
    monkeypatch.setenv("STGCNLIB_STAGE", "1")
    bundle, _ = player._repr_mimebundle_()
    assert "text/html" not in bundle


def test_scripts_are_joined_in_order_and_can_stand_in_a_page():
    script = live_assets()["live.js"]
    assert "</script" not in script
    heads = [script.index(sign) for sign in ("const make =", "class SvgContext", "class Recording ", "class Player ")]
    assert heads == sorted(heads)
    assert SCRIPTS[0] == "canvas.js"
    assert "Pictures to take away" not in script
    assert not [line for line in script.splitlines() if line.startswith((" ", "//", "/*"))]
