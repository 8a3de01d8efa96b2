"""The widget: what the browser draws, the state that it shares with Python, and the questions that it asks.

Content is sent once, as JSON and bytes. A question is a message with an id; its reply has the same id.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from stgcnlib.errors import StgcnlibError
from stgcnlib.figures.live import split
from stgcnlib.figures.live_page import live_assets, live_scripts

__all__ = ["ExplorerWidget", "Question", "widget_script", "widget_source"]


_ASSETS = Path(__file__).resolve().parent / "assets"


def widget_source() -> str:
    """The widget's code as one ES module: what report pages draw with, and what connects it to a kernel."""
    return f"{live_scripts()}\n{(_ASSETS / 'widget.js').read_text(encoding='utf-8')}"


@cache
def widget_script() -> str:
    """The ES module that travels to a notebook: `widget_source`, packed by gzip to a third of its size."""
    packed = base64.b64encode(gzip.compress(widget_source().encode(), 9, mtime=0)).decode("ascii")
    return (_ASSETS / "loader.js").read_text(encoding="utf-8").replace('PACKED = ""', f'PACKED = "{packed}"', 1)


@dataclass(frozen=True, eq=False)
class Question:
    """A question of the browser; `reply` or `fail` once, from any thread.

    Attributes:
        kind: "map", "open", "relevance", "cancel" or "html".
        payload: what it is about.
        id: of this question.
        widget: whose browser asks.
    """

    kind: str
    payload: Mapping[str, Any]
    id: str
    widget: ExplorerWidget

    def reply(self, content: Any) -> None:
        """Answer with JSON whose leaves may be arrays."""
        answer, buffers = split(content)
        self.widget.send({"id": self.id, "reply": answer}, buffers)

    def fail(self, message: str) -> None:
        """Answer with an error of one line."""
        self.widget.send({"id": self.id, "error": message})

    def progress(self, share: float, text: str) -> None:
        """Tell how far the answer has come, from 0 to 1."""
        self.widget.push("progress", {"id": self.payload.get("id", self.id), "share": share, "text": text})


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer in a notebook.

    Args:
        content: of an explorer, see `stgcnlib.figures.explorer.explorer_content`: JSON with arrays as leaves.
        state: what is shown and chosen; ``{}`` for the beginning.
        answer: called in the kernel's main thread with each `Question`.

    Attributes:
        state: as the browser has it now; setting it changes the view.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    content = traitlets.Dict().tag(sync=True)
    buffers: Any = traitlets.List().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        content: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        *,
        answer: Callable[[Question], None] | None = None,
    ) -> None:
        plain, buffers = split(content)
        super().__init__(
            _esm=widget_script(),
            _css=live_assets()["live.css"],
            content=plain,
            buffers=buffers,
            state=dict(state or {}),
        )
        self._answer = answer
        self.on_msg(self._heard)

    def show(self, content: Mapping[str, Any]) -> None:
        """Replace the content; the state is kept as far as it fits."""
        plain, buffers = split(content)
        with self.hold_sync():
            self.buffers, self.content = buffers, plain

    def push(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Tell the browser something that it did not ask for."""
        self.send({"push": kind, "payload": dict(payload)})

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        if not (isinstance(message, dict) and isinstance(message.get("id"), str) and "kind" in message):
            return  # a message of anywidget itself
        question = Question(str(message["kind"]), message.get("payload") or {}, message["id"], self)
        if self._answer is None:
            question.fail("This widget belongs to no study that could answer; open one with stgcnlib.explore.")
            return
        try:
            self._answer(question)
        except StgcnlibError as error:
            question.fail(str(error))
        except Exception as error:
            question.fail(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the channel to the browser and release the content."""
        if self.comm is None:
            return
        self._answer = None
        self.show({})
        super().close()
