"""What a run shows while it works: one row per stage on a terminal, plain lines elsewhere.

It only draws; `jobs` and `runner` tell it what happens.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

__all__ = ["Board"]


@dataclass
class _Row:
    state: str = "waiting"
    total: int = 0
    ended: int = 0
    skipped: int = 0
    started: float = 0.0
    seconds: float = 0.0
    cells: dict[str, tuple[int, int]] = field(default_factory=dict)


class Board:
    """A context manager that shows the states of stages.

    Args:
        stages: their names, in order.
        show: `False` for silence; `None` decides: a live table on a terminal, nothing where the environment
            has ``STGCNLIB_PROGRESS=0``, plain lines elsewhere.
        console: where to draw; stderr if left out.
    """

    def __init__(self, stages: Sequence[str], *, show: bool | None = None, console: Console | None = None) -> None:
        silenced = os.environ.get("STGCNLIB_PROGRESS", "").lower() in {"0", "false", "no"}
        self._console = console or Console(stderr=True, highlight=False)
        self._silent = show is False or (show is None and silenced)
        self._rows = {name: _Row() for name in stages}
        self._lock = threading.Lock()
        live = self._console.is_terminal and not self._silent
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4) if live else None

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def plan(self, stage: str, total: int, skipped: int) -> None:
        """A stage is about to run `total` notebooks, of which `skipped` are there already."""
        with self._lock:
            row = self._rows[stage]
            row.total, row.ended, row.skipped = total, skipped, skipped
            row.started = time.monotonic()
            row.state = "skipped" if skipped == total else "running"
        if skipped == total:
            self._say(stage, "already there, skipped")

    def cell(self, stage: str, notebook: str, cell: int, count: int) -> None:
        """A notebook has begun cell `cell` of `count`."""
        with self._lock:
            self._rows[stage].cells[notebook] = (cell, count)

    def done(self, stage: str, notebook: str, seconds: float) -> None:
        """A notebook has finished."""
        with self._lock:
            row = self._rows[stage]
            row.cells.pop(notebook, None)
            row.ended += 1
            row.seconds = time.monotonic() - row.started
            if row.ended == row.total:
                row.state = "done"
        self._say(notebook, f"done in {seconds:.1f} s")

    def failed(self, stage: str) -> None:
        """A notebook of the stage has failed."""
        with self._lock:
            self._rows[stage].state = "failed"
        self._say(stage, "failed")

    def _say(self, who: str, what: str) -> None:
        if self._live is None and not self._silent:
            self._console.print(f"{who:<22} {what}", markup=False)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for name, row in self._rows.items():
                table.add_row(*_drawn(name, row))
        return table


_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("▶", "cyan"),
    "done": ("✓", "green"),
    "skipped": ("=", "dim"),
    "failed": ("✗", "bold red"),
}


def _drawn(name: str, row: _Row) -> tuple[Text, Text, ProgressBar | Text, Text]:
    mark, style = _MARKS[row.state]
    bar: ProgressBar | Text = Text("")
    match row.state:
        case "running" if row.total > 1:
            bar, text = ProgressBar(row.total, row.ended, width=24), f"{row.ended} of {row.total}"
        case "running":
            cell, count = next(iter(row.cells.values()), (0, 0))
            bar = ProgressBar(max(count, 1), max(cell - 1, 0), width=24)
            text = f"cell {cell} of {count}" if cell else "starting"
        case "done":
            text = f"done in {row.seconds:.1f} s" + (f", {row.skipped} skipped" if row.skipped else "")
        case "skipped":
            text = "already there, skipped"
        case _:
            text = row.state
    if row.state == "running":
        text += f", {time.monotonic() - row.started:.0f} s"
    return Text(mark, style), Text(name, style), bar, Text(text, style)
