"""What a run shows in the terminal: one row per stage, or plain lines where the output is no terminal.

It only draws what `RunState` knows; `jobs` and `runner` tell it what happens.
"""

from __future__ import annotations

import os
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stgcnlib.pipeline.expect import about, duration
from stgcnlib.pipeline.state import Progress, RunState, Step, left_in_words

__all__ = ["Board", "tell"]


def tell(text: str, *, show: bool | None = None, console: Console | None = None) -> None:
    """Show one line in the terminal, unbroken; `show` and `console` as for `Board`."""
    if not _silent(show=show):
        (console or _stderr()).print(text, markup=False, soft_wrap=True)


class Board:
    """A context manager that shows the states of stages.

    Args:
        state: of the run.
        show: `False` for silence; `None` decides: a live table on a terminal, nothing where the environment
            has ``STGCNLIB_PROGRESS=0``, plain lines elsewhere.
        console: where to draw; stderr if left out.
    """

    def __init__(
        self,
        state: RunState,
        *,
        show: bool | None = None,
        console: Console | None = None,
    ) -> None:
        self._state = state
        self._console = console or _stderr()
        self._silent = _silent(show=show)
        live = self._console.is_terminal and not self._silent
        self._live = Live(console=self._console, get_renderable=self._drawn, refresh_per_second=4) if live else None

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, stage: str) -> None:
        """A stage begins, or has nothing to do."""
        step = self._step(stage)
        if step.state == "skipped":
            return self._say(stage, "already there, skipped")
        self._state.begin(stage)
        due = step.total - step.skipped
        expected = "" if (seconds := self._step(stage).expected) is None else f", {about(seconds)}"
        self._say(stage, f"running{f', {due} notebooks' if due > 1 else ''}{expected}")

    def done(self, stage: str, notebook: str, seconds: float) -> None:
        """A notebook has finished."""
        self._state.done(stage, notebook, seconds)
        left = left_in_words(progress) if (progress := self._state.shown()).done < len(progress.steps) else ""
        self._say(notebook, f"done in {duration(seconds)}" + (f"; {left}" if left else ""))

    def failed(self, stage: str) -> None:
        """A notebook of the stage has failed."""
        self._say(stage, "failed")

    def note(self, text: str) -> None:
        """Something that belongs to no stage, in one line; from any thread."""
        if not self._silent:
            self._console.print(text, markup=False, soft_wrap=True)

    def _step(self, stage: str) -> Step:
        return next(step for step in self._state.shown().steps if step.name == stage)

    def _say(self, who: str, what: str) -> None:
        if self._live is None and not self._silent:
            self._console.print(f"{who:<22} {what}", markup=False)

    def _drawn(self) -> RenderableType:
        progress = self._state.shown()
        table = Table.grid(padding=(0, 2))
        for step in progress.steps:
            table.add_row(*_row(step))
        return Group(table, Text(_together(progress), "dim"))


def _silent(*, show: bool | None) -> bool:
    silenced = os.environ.get("STGCNLIB_PROGRESS", "").lower() in {"0", "false", "no"}
    return show is False or (show is None and silenced)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "skipped": ("=", "dim"),
    "failed": ("✗", "bold red"),
    "stopped": ("■", "yellow"),
}


def _row(step: Step) -> tuple[Text, Text, ProgressBar | Text, Text]:
    mark, style = _MARKS[step.state]
    bar: ProgressBar | Text = Text("")
    text: str = step.state
    match step.state:
        case "running" if step.making:
            text = f"making {step.making}" + (f", {step.made} made" if step.made else "")
        case "running" if step.total > 1:
            bar, text = ProgressBar(step.total, step.ended, width=24), f"{step.ended} of {step.total}"
        case "running":
            cell, count = next(((each.cell, each.of) for each in step.notebooks if each.cell), (0, 0))
            bar = ProgressBar(max(count, 1), max(cell - 1, 0), width=24)
            text = f"cell {cell} of {count}" if cell else "starting"
        case "done":
            text = f"done in {duration(step.elapsed or 0.0)}" + (f", {step.skipped} skipped" if step.skipped else "")
        case "skipped":
            text = "already there, skipped"
        case "waiting" if step.expected is not None:
            text = about(step.expected)
    if step.state == "running":
        text += f", {step.elapsed or 0.0:.0f} s" + (f" of {about(step.expected)}" if step.expected is not None else "")
    return Text(mark, style), Text(step.name, style), bar, Text(text, style)


def _together(progress: Progress) -> str:
    words = f"{progress.done} of {len(progress.steps)} stages, {duration(progress.elapsed)} so far"
    left = left_in_words(progress) if progress.status == "running" and progress.done < len(progress.steps) else ""
    return f"{words}, {left}" if left else words
