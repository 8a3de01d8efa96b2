"""What a page needs to show a live figure: its element and the scripts.

This module imports nothing that only making a figure needs. The scripts in ``assets`` are plain pieces of one program.
Joined in the order of `SCRIPTS` they share one scope; a page runs them inside a function, the workbench's widget as a
module. Comments and indentation are removed.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "LIVE_MIME", "SCRIPTS", "live_assets", "live_markup", "live_page", "live_scripts"]

LIVE_MIME = "application/vnd.stgcnlib.live+json"
KINDS = ("player", "explorer")
SCRIPTS = (
    "canvas.js", "svg.js", "gif.js", "export.js", "body.js", "stage.js", "player.js",
    "colours.js", "store.js", "marks.js", "card.js", "pointing.js", "map.js",
    "controls.js", "costs.js", "strip.js", "recording.js", "members.js", "classes.js",
    "takeaway.js", "legend.js", "panel.js", "explorer.js",
)  # fmt: skip
"""What draws live figures, in the order in which they are joined; `pages.js` comes last on a page."""

_STYLES = ("live.css", "map.css", "explorer.css")
_ASSETS = Path(__file__).resolve().parent / "assets"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def live_markup(
    kind: str, content: Mapping[str, Any], picture: bytes, *, width: int, alt: str, light: bool = False
) -> str:
    """The HTML element in which the scripts draw: it has the static picture, and the numbers as JSON.

    Args:
        kind: one of `KINDS`.
        content: JSON, see `stgcnlib.figures.live.embedded`.
        picture: PNG for print and for readers without script.
        width: of the picture in CSS pixels.
        alt: what the figure shows, in one sentence.
        light: whether the page stays light if the reader's theme is dark.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"a live figure of kind {kind!r} is unknown; expected one of {', '.join(KINDS)}")
    # "<" is all that could end the element early.
    numbers = json.dumps({"kind": kind, "content": content}, separators=(",", ":")).replace("<", "\\u003c")
    image = base64.b64encode(picture).decode("ascii")
    theme = ' data-jp-theme-light="true"' if light else ""
    return (
        f'<figure class="live" data-kind="{kind}"{theme}>'
        f'<img src="data:image/png;base64,{image}" alt="{html.escape(alt)}" width="{int(width)}">'
        f'<script type="application/json">{numbers}</script></figure>'
    )


def live_page(kind: str, content: Mapping[str, Any], picture: bytes, *, width: int, alt: str) -> str:
    """A whole page that needs no network and no server; arguments and errors as `live_markup`."""
    assets = live_assets()
    markup = live_markup(kind, content, picture, width=width, alt=alt)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{html.escape(alt)}</title>'
        f'<style id="live-style">{assets["live.css"]}</style></head><body class="live-page">{markup}'
        f"<script>{assets['live.js']}</script></body></html>"
    )


@cache
def live_scripts() -> str:
    """The classes that draw live figures (`Player`, `Explorer`, …), as statements of one scope."""
    return "\n".join(_text(name) for name in SCRIPTS)


@cache
def live_assets() -> dict[str, str]:
    """File name -> text of what a page with live figures needs: live.js and live.css."""
    script = f'(function live() {{\n"use strict";\n{live_scripts()}\n{_text("pages.js")}\n}})();\n'
    return {"live.js": script, "live.css": "\n".join(_text(name) for name in _STYLES)}


def _text(name: str) -> str:
    text = (_ASSETS / name).read_text(encoding="utf-8")
    if name.endswith(".js"):
        # Only comments that begin a line: what looks like one behind other code may be part of a string.
        text = re.sub(r"^[ \t]*(?:/\*.*?\*/[ \t]*\n|//[^\n]*\n)", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\n\s+", "\n", text)
