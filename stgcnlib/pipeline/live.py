"""The pages of a run while it works: written by a thread, so that nothing waits for them."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from stgcnlib.pipeline.html import Report
from stgcnlib.pipeline.state import RunState

__all__ = ["LivePages"]

SECONDS = 5.0
"""Most between two writings of the index, so that its time says whether the run is alive."""
PAUSE = 2.0
"""Least between two writings."""


class LivePages:
    """A context manager that keeps ``index.html``, the pages and ``progress.json`` up to date.

    The index is there on entry. On exit the run has ended, and every page is written with its full lists. Pages
    that cannot be written meanwhile do not disturb the run; on exit of a run that went well they raise.

    Args:
        output: folder of the run, with its ``study.yml``.
        state: what the run tells of itself.
    """

    def __init__(self, output: Path, state: RunState) -> None:
        self._output, self._state = output, state
        self._report = Report(output)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stgcnlib-pages", daemon=True)

    @property
    def index(self) -> Path:
        """Path of ``index.html``."""
        return self._output / "index.html"

    def __enter__(self) -> LivePages:
        progress = self._state.shown()
        progress.write(self._output)
        self._report.announce(progress)
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
            with suppress(Exception):  # why the run ended is what its caller has to know
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
