"""What a page needs to show a skeleton player: its element and its scripts, without what drawing a player needs."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["PLAYER_MIME", "player_assets", "player_markup"]

PLAYER_MIME = "application/vnd.stgcnlib.player+json"
_ASSETS = Path(__file__).resolve().parent / "assets"


def player_markup(content: Mapping[str, Any], picture: bytes, *, width: int, alt: str) -> str:
    """The HTML element that player.js brings to life: the static picture and the numbers as inert JSON."""
    # "<" is all that could end the element early.
    numbers = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    image = base64.b64encode(picture).decode("ascii")
    return (
        f'<figure class="player">'
        f'<img src="data:image/png;base64,{image}" alt="{html.escape(alt)}" width="{int(width)}">'
        f'<script type="application/json">{numbers}</script></figure>'
    )


@cache
def player_assets() -> dict[str, str]:
    """File name -> text of what a page with players needs: plotly.min.js, player.js and player.css."""
    from plotly.offline import get_plotlyjs

    own = {name: (_ASSETS / name).read_text(encoding="utf-8") for name in ("player.js", "player.css")}
    return {"plotly.min.js": get_plotlyjs(), **own}
