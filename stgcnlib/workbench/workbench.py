"""The workbench in a notebook: the widget, a few controls for what needs the kernel, and what was chosen as a table.

The numbers come from a `Source`; `stgcnlib.workbench.explore` makes one from finished studies.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

import ipywidgets
import numpy as np
import pandas as pd

from stgcnlib.errors import StgcnlibError, StudyError, suggest
from stgcnlib.figures.explorer_columns import UNKNOWN
from stgcnlib.figures.live import LiveFigure
from stgcnlib.workbench.background import Background, Cancelled, Task
from stgcnlib.workbench.widget import ExplorerWidget, Question

__all__ = ["STATE", "Progress", "Source", "Workbench", "quietly"]

STATE = ("panels", "colour", "open", "pinned", "subset", "mode", "search", "from", "to", "edges")
"""What a state may say, see `stgcnlib.explore`."""
Progress = Callable[[float, str], None]
"""Called with a share from 0 to 1 and a few words; raises where the work is no longer wanted."""


def quietly(share: float, text: str) -> None:
    """Progress that is not shown."""


class Source(Protocol):
    """What a workbench asks for, in the form that the browser reads (see `stgcnlib.figures.explorer.explorer_content`).

    Methods take `node`, a recording's name; `key`, that of a map in the content; `layer`, the layer's number in it; and
    `progress`, which is called as the work goes on.

    Attributes:
        figure: of kind "explorer": the content and its still picture.
    """

    figure: LiveFigure

    def map(self, key: str, progress: Progress) -> Mapping[str, Any]:
        """A map that the content offers without holding it; may take long."""

    def open(self, node: str, key: str, layer: int) -> Mapping[str, Any]:
        """A recording beside its neighbours at a layer of a map; quick."""

    def relevance(self, node: str, key: str, layer: int, progress: Progress) -> Mapping[str, Any]:
        """As `open`, with relevance computed where none is stored; may take long."""


class Workbench(ipywidgets.VBox):
    """A finished study to explore, shown by being returned from a cell.

    Args:
        source: where its numbers come from.
        state: what is shown and chosen at first.
        others: name -> a function that makes one source of this study and that other one; the user can choose them.

    Raises:
        StudyError: the state has an unknown key.
    """

    _source: Source | None = None  # before it is opened, and after it is closed
    _alone: Source | None = None

    def __init__(
        self,
        source: Source,
        state: Mapping[str, Any] | None = None,
        *,
        others: Mapping[str, Callable[[Progress], Source]] | None = None,
    ) -> None:
        for key in state or {}:
            if key not in STATE:
                raise StudyError(f"state: unknown key {key!r}; {suggest(key, STATE)}")
        self._source = self._alone = source
        self._others = dict(others or {})
        self._content: Mapping[str, Any] = source.figure.content
        self._background = Background()
        self._maps: dict[str, Mapping[str, Any]] = {}
        self.widget = ExplorerWidget(self._content, state or self._content.get("state"), answer=self._answer)
        self._bar = ipywidgets.FloatProgress(max=1.0, layout={"width": "160px"})
        self._words = ipywidgets.Label()
        stop = ipywidgets.Button(description="Cancel", layout={"width": "auto"})
        stop.on_click(lambda _: self._background.cancel())
        self._work = ipywidgets.HBox([self._bar, self._words, stop], layout={"display": "none"})
        super().__init__(
            [ipywidgets.HBox([*self._chooser(), self._work], layout={"flex_flow": "row wrap"}), self.widget]
        )

    @property
    def state(self) -> dict[str, Any]:
        """What is shown and chosen now, as small JSON: for ``explore(..., state=…)``."""
        return dict(self.widget.state)

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.widget.state = dict(state)

    @property
    def selection(self) -> list[str]:
        """Names of the chosen recordings; empty where none is chosen."""
        return list(self.widget.state.get("subset", ()))

    @property
    def table(self) -> pd.DataFrame:
        """The chosen recordings, or all where none is chosen: a row each with every group and number that is known."""
        nodes = self._content["nodes"]
        columns: dict[str, Any] = {}
        for category in nodes["categories"]:
            codes = np.asarray(category["codes"])
            values = np.array([*category["values"], None], dtype=object)
            columns[category["title"]] = values[np.where(codes == UNKNOWN, len(values) - 1, codes)]
        columns |= {number["title"]: np.asarray(number["values"]) for number in nodes["numbers"]}
        table = pd.DataFrame(columns, index=pd.Index(nodes["names"], name="recording"))
        return table[table.index.isin(self.selection)] if self.selection else table

    def to_html(self, state: Mapping[str, Any] | None = None) -> str:
        """A page of what is shown, or of `state`, that needs neither a kernel nor a network.

        Raises:
            StudyError: the workbench is closed.
        """
        source = self._opened()
        shown = dict(self.state if state is None else state)
        keys = {panel.get("map") for panel in shown.get("panels") or ()}
        held = {each["key"] for each in self._content["maps"]}
        more = [self._map(key, quietly) for key in sorted(keys - held - {None})]
        content = {**self._content, "maps": [*self._content["maps"], *more], "offered": [], "state": shown}
        if folders := content.get("code", {}).get("folders"):
            content["code"] = {**content["code"], "folders": [_told(each) for each in folders]}
        figure = source.figure
        return LiveFigure("explorer", content, figure.picture, figure.width, figure.alt).to_html()

    def prepare(self) -> None:
        """Load in the background what opening a recording needs, so that the first click need not wait for it.

        Raises:
            StudyError: the workbench is closed.
        """
        shown, names = self._content["maps"][0], self._content["nodes"]["names"]

        def work(_: Task) -> None:
            self._opened().open(names[0], shown["key"], len(shown["layers"]) - 1)

        if names:
            # An error is ignored here: opening a recording raises it again and shows it.
            self._background.submit(Task("prepare", work, lambda error: None))

    def close(self) -> None:
        """End work and channels, and release the study; the cell shows nothing any more."""
        if self._source is None:
            return
        self._source = self._alone = None
        self._content, self._maps, self._others = {}, {}, {}
        self._background.close()
        for widget in [*_below(self), self]:
            for part in (getattr(widget, "style", None), widget.layout):
                if isinstance(part, ipywidgets.Widget):
                    part.close()
            if widget is not self:
                widget.close()
        super().close()

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import display

        still = self._opened().figure
        display(_still(still), raw=True, metadata={"image/png": {"width": still.width}})
        display({**self._repr_mimebundle_(), "text/plain": f"Workbench: {still.alt}"}, raw=True)

    def __repr__(self) -> str:
        return f"Workbench({self._content.get('title', 'closed')!r})"

    def _opened(self) -> Source:
        if self._source is None:
            raise StudyError("the workbench is closed; open it again with stgcnlib.explore")
        return self._source

    def _chooser(self) -> list[ipywidgets.Dropdown]:
        if not self._others:
            return []
        options = [("no other", ""), *((name, name) for name in self._others)]
        layout, style = {"width": "360px"}, {"description_width": "initial"}
        chooser = ipywidgets.Dropdown(options=options, description="Study beside this one", layout=layout, style=style)
        chooser.observe(lambda change: self._put_beside(change["new"]), "value")
        return [chooser]

    def _put_beside(self, name: str) -> None:
        """Show the recordings that this study shares with another one; "" for this study alone."""

        def work(task: Task) -> None:
            self._show(self._others[name](task.progress) if name else self._alone)

        self._background.cancel()
        self._begin(f"beside {name}", work, failed=lambda words: self._say(1.0, words))

    def _show(self, source: Source | None) -> None:
        if source is not None and self._source is not None:
            self._source, self._content, self._maps = source, source.figure.content, {}
            self.widget.show(self._content)

    def _map(self, key: str, progress: Progress) -> Mapping[str, Any]:
        if key not in self._maps:
            self._maps[key] = self._opened().map(key, progress)
        return self._maps[key]

    def _answer(self, question: Question) -> None:
        source, given = self._opened(), question.payload
        match question.kind:
            case "open":
                question.reply(source.open(given["node"], given["map"], int(given["layer"])))
            case "html":
                question.reply({"text": self.to_html(given.get("state"))})
            case "map":
                self._ask(question, lambda task: self._map(given["key"], task.progress))
            case "relevance":
                asked = (given["node"], given["map"], int(given["layer"]))
                self._ask(question, lambda task: source.relevance(*asked, task.progress))
            case "cancel":
                self._background.cancel(given.get("id"))
                question.reply(None)
            case _:
                question.fail(f"unknown question {question.kind!r}")

    def _ask(self, question: Question, work: Callable[[Task], Any]) -> None:
        """Answer in the background."""
        id = str(question.payload.get("id", question.id))
        self._begin(id, lambda task: question.reply(work(task)), failed=question.fail, told=question.progress)

    def _begin(
        self, id: str, work: Callable[[Task], None], *, failed: Callable[[str], None], told: Progress = quietly
    ) -> None:
        """Work in the background, with bar and Cancel beside the widget."""

        def saying(share: float, text: str) -> None:
            told(share, text)
            self._say(share, text)

        def done(task: Task) -> None:
            work(task)
            self._work.layout.display = "none"

        def over(error: Exception) -> None:
            if self._source is not None:
                self._work.layout.display = "none"
                failed(
                    str(error) if isinstance(error, Cancelled | StgcnlibError) else f"{type(error).__name__}: {error}"
                )

        self._background.submit(Task(id, done, over, saying))

    def _say(self, share: float, text: str) -> None:
        self._bar.value, self._words.value = share, text
        self._work.layout.display = "flex"


def _below(widget: Any) -> list[Any]:
    return [each for child in getattr(widget, "children", ()) for each in [*_below(child), child]]


# The picture hides once the widget is drawn. Reopened without its kernel, JupyterLab writes one line about a missing
# model in the widget's place; the picture stays, and that line goes.
_STILL = """<style>
.jp-OutputArea:has(.stgcnlib-live) .stgcnlib-still {{ display: none }}
.jp-OutputArea:has(.stgcnlib-still):not(:has(.stgcnlib-live)) .jupyter-widgets:not(:has(*)) {{ display: none }}
</style><figure class="stgcnlib-still" style="margin:0"><img src="data:image/png;base64,{image}" width="{width}"
alt="{alt}"><figcaption>Run this cell to explore.</figcaption></figure>"""


def _still(figure: LiveFigure) -> dict[str, Any]:
    image = base64.b64encode(figure.picture).decode("ascii")
    return {
        "text/html": _STILL.format(image=image, width=figure.width, alt=html.escape(figure.alt)),
        "image/png": image,
        "text/plain": figure.alt,
    }


def _told(folder: str) -> str:
    """A folder in the code of a page to share: only its name if the path starts at the root of the file system."""
    path = PurePath(folder)
    tops = path.is_absolute() or path.parts.count("..") >= len(Path.cwd().parts) - 1
    return path.name if tops else folder
