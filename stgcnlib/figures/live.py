"""Live figures: what a notebook's cell returns to be played or explored in the browser.

A figure's content is plain JSON with numpy arrays as leaves. On a page the arrays travel inside the JSON as base64, to
a widget beside it as bytes. The scripts that draw it are in `live_page`.
"""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.figures.live_page import LIVE_MIME, live_page

__all__ = ["LiveFigure", "embedded", "split"]

_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "float32")
_HEIGHTS = {"player": 520, "explorer": 860}


def embedded(content: Any) -> Any:
    """Content as JSON: each array becomes ``{"dtype", "shape", "data"}`` with its bytes, little endian, as base64.

    Raises:
        TypeError: an array has a type that browsers do not have, such as float64.
    """
    return _walked(content, lambda data: {"data": base64.b64encode(data).decode("ascii")})


def split(content: Any) -> tuple[Any, list[bytes]]:
    """Content as JSON and buffers: each array becomes ``{"dtype", "shape", "buffer": k}``; errors as `embedded`."""
    buffers: list[bytes] = []

    def kept(data: bytes) -> dict[str, Any]:
        buffers.append(data)
        return {"buffer": len(buffers) - 1}

    return _walked(content, kept), buffers


@dataclass(frozen=True, eq=False)
class LiveFigure:
    """A figure to play or explore, shown by being returned from a cell.

    Attributes:
        kind: "player" or "explorer".
        content: what the scripts draw: plain JSON with numpy arrays of 8, 16 or 32 bits as leaves.
        picture: PNG, for print and for readers without script.
        width: of the picture in CSS pixels.
        alt: what it shows, in one sentence.
    """

    kind: str
    content: Mapping[str, Any]
    picture: bytes
    width: int
    alt: str

    def to_html(self) -> str:
        """A whole page that needs no network and no server."""
        return live_page(self.kind, embedded(self.content), self.picture, width=self.width, alt=self.alt)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_html` to a file, atomically."""
        from stgcnlib.files import write_text

        write_text(Path(path), self.to_html())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle: dict[str, Any] = {
            LIVE_MIME: {"kind": self.kind, "content": embedded(self.content)},
            "image/png": base64.b64encode(self.picture).decode("ascii"),
            "text/plain": f"<{self.kind.capitalize()}: {self.alt}>",
        }
        # A stage's notebook becomes a page, which includes the scripts once. JupyterLab does not trust it to run
        # scripts, so there the picture is shown until the cell is run again.
        if not os.environ.get("STGCNLIB_STAGE"):
            style = f"width:100%;height:{_HEIGHTS[self.kind]}px;border:0"
            bundle["text/html"] = f'<iframe srcdoc="{html.escape(self.to_html())}" style="{style}"></iframe>'
        about = {"width": self.width, "alt": self.alt}
        return bundle, {"image/png": about, LIVE_MIME: about}


def _walked(value: Any, packed: Callable[[bytes], dict[str, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        array: NDArray[Any] = value
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"an array of {array.dtype.name} cannot be sent; convert it to one of {', '.join(_DTYPES)}")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        return {"dtype": array.dtype.name, "shape": list(array.shape), **packed(little.tobytes())}
    if isinstance(value, Mapping):
        return {str(key): _walked(item, packed) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walked(item, packed) for item in value]
    return value.item() if isinstance(value, np.generic) else value
