"""The pages of a run while it works, written by a thread so that the run does not wait for them."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rich.console import Console

from stgcnlib.pipeline.board import tell
from stgcnlib.pipeline.state import RunState
from stgcnlib.report.html import Report

__all__ = ["LivePages"]

SECONDS = 5.0
"""Longest time between two writings of the index, so that the time in it shows whether the run is alive."""
PAUSE = 2.0
"""Shortest time between two writings."""


class LivePages:
    """A context manager that keeps ``index.html``, the pages and ``progress.json`` up to date.

    The index is there on entry, and named in the terminal. On exit the run has ended, and every page is written with
    its full lists. A page that cannot be written during the run is no error; after a run that went well, it is one.

    Args:
        output: folder of the run, with its ``study.yml``.
        state: of the run, shown on the pages.
        show: whether the index is named in the terminal; `None` decides as `Board` does.
        console: where to name it; stderr if left out.
    """

    def __init__(
        self, output: Path, state: RunState, *, show: bool | None = None, console: Console | None = None
    ) -> None:
        self._output, self._state = output, state
        self._show, self._console = show, console
        self._report = Report(output)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stgcnlib-pages", daemon=True)

    def __enter__(self) -> LivePages:
        progress = self._state.shown()
        progress.write(self._output)
        index = self._report.announce(progress)
        tell(f"pages: {index} (there from now on; reload it to see more)", show=self._show, console=self._console)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._state.end(error)
        self._thread.join()
        progress = self._state.shown()
        if error is None:
            progress.write(self._output)
            self._report.write()
        else:
            with suppress(Exception):  # the caller needs the error that ended the run
                progress.write(self._output)
                self._report.write(progress)

    def _work(self) -> None:
        seen = -1
        while not self._stop.is_set():
            seen = self._state.wait(seen, SECONDS)
            if self._stop.is_set():
                return
            progress = self._state.shown()
            with suppress(Exception):
                progress.write(self._output)
                self._report.update(progress)
            self._stop.wait(PAUSE)
