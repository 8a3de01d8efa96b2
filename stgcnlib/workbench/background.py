"""Long work in a thread of a notebook's kernel: one piece at a time, with progress and cancel.

The kernel's main thread stays free, so that clicks are answered while something is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

__all__ = ["Background", "Cancelled", "Task"]


class Cancelled(Exception):
    """Raised inside a piece of work that is no longer wanted."""


@dataclass(eq=False)
class Task:
    """A piece of work that waits or runs.

    Attributes:
        id: to cancel it by.
        work: called with the task in the background thread; what it raises goes to `failed`.
        failed: called there with an error, `Cancelled` included.
        told: called there with a share from 0 to 1 and a few words.
    """

    id: str
    work: Callable[[Task], None]
    failed: Callable[[Exception], None]
    told: Callable[[float, str], None] = lambda share, text: None
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def progress(self, share: float, text: str) -> None:
        """Report progress; raises `Cancelled` where it is no longer wanted."""
        self.check()
        self.told(share, text)

    def check(self) -> None:
        """Raise `Cancelled` where the work is no longer wanted."""
        if self._cancelled.is_set():
            raise Cancelled("cancelled")

    def cancel(self) -> None:
        """Ask the work to stop; it does at its next `progress` or `check`."""
        self._cancelled.set()


class Background:
    """A thread that starts with the first piece of work and ends with `close`."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Task | None] = SimpleQueue()
        self._tasks: dict[str, Task] = {}
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, task: Task) -> None:
        """Do `task` after those that wait already; after `close` it fails at once."""
        with self._lock:
            if not self._closed:
                self._tasks[task.id] = task
                self._queue.put(task)
                if self._thread is None:
                    # The thread has no reference to this object, so it is freed even if nobody calls `close`.
                    arguments = (self._queue, self._tasks)
                    self._thread = threading.Thread(target=_work, args=arguments, name="workbench", daemon=True)
                    self._thread.start()
                return
        task.failed(Cancelled("the workbench is closed"))

    def cancel(self, id: str | None = None) -> None:
        """Cancel one piece of work, or all; an unknown id is ignored, since its work is done."""
        for task in [self._tasks.get(id)] if id is not None else list(self._tasks.values()):
            if task is not None:
                task.cancel()

    @property
    def busy(self) -> bool:
        """Whether work waits or runs."""
        return bool(self._tasks)

    def close(self, seconds: float = 2.0) -> None:
        """Cancel everything and end the thread; waits at most `seconds` for the work to stop."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self.cancel()
        self._queue.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def __del__(self) -> None:
        self._queue.put(None)


def _work(queue: SimpleQueue[Task | None], tasks: dict[str, Task]) -> None:
    while (task := queue.get()) is not None:
        try:
            task.check()
            task.work(task)
        except Exception as error:
            task.failed(error)
        finally:
            tasks.pop(task.id, None)
            del task  # not kept while waiting for the next
