"""Processes that run functions for the schedule of artefacts, as a `concurrent.futures.Executor`.

They are forked from the process that kernels are forked from, which has imported the library, or started as usual.
Orders (calls) and answers (results) are pickled and sent through pipes that no other process holds. A process exits
when its pipe closes, so that none keeps running after its parent has exited or was killed.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, Protocol

from stgcnlib.memory import give_back_memory
from stgcnlib.pipeline.kernels import KernelSource
from stgcnlib.threads import THREAD_VARIABLES, process_variables

__all__ = ["Workers", "main", "process_environment"]

STOP_SECONDS = 10.0
SHOWN = 2000


def process_environment(threads: int) -> dict[str, str]:
    """Variables of processes that make artefacts or run notebooks: `threads` threads, or fewer if the user set so."""
    environment: dict[str, str] = {}
    for name in THREAD_VARIABLES:
        chosen = os.environ.get(name) or os.environ.get("OMP_NUM_THREADS", "")  # the latter if its own is unset
        environment[name] = str(min(int(chosen), threads) if chosen.isdigit() and int(chosen) > 0 else threads)
    environment |= {
        "STGCNLIB_PROGRESS": "0",
        "STGCNLIB_STAGE": "1",  # outputs are read as pages
        **process_variables(),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    return environment


class Workers(Executor):
    """Runs functions in processes of its own; functions, arguments and results have to be picklable.

    Args:
        count: most processes for what is submitted.
        source: to fork them from, if it has been started.
        environment: variables of the processes.
        memory_limit: GiB that one process may allocate; `None`: no limit.
    """

    def __init__(
        self, count: int, source: KernelSource, environment: Mapping[str, str], *, memory_limit: float | None = None
    ) -> None:
        self._source, self._environment, self._memory_limit = source, dict(environment), memory_limit
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="stgcnlib-worker")
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all: list[_Process] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of the function's result; `BrokenExecutor` in it if the process died."""
        return self._threads.submit(self._run, pickle.dumps((function, args, kwargs)))

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run the function and wait for its result; threads that call at the same time use one process each.

        Raises:
            BrokenExecutor: the process died.
        """
        return self._run(pickle.dumps((function, args, kwargs)))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End all processes; with `wait`, they finish their tasks first.

        An interrupt meanwhile kills them at once.
        """
        try:
            if wait:
                self._threads.shutdown(wait=True, cancel_futures=cancel_futures)
        finally:
            self._stopped.set()  # now a thread that is starting a process dismisses it
            end_all(list(self._all))
        self._threads.shutdown(wait=True, cancel_futures=True)
        processes, self._all = self._all, []
        for process in processes:
            process.close()

    def _run(self, order: bytes) -> Any:
        process = self._take()
        answer = process.ask(order)
        if answer is None:
            raise BrokenExecutor(process.last_words())
        self._idle.put(process)
        good, value = pickle.loads(answer)
        if not good:
            raise value
        return value

    def _take(self) -> _Process:
        with self._lock:
            if self._stopped.is_set():
                raise BrokenExecutor("stopped")
            with suppress(queue.Empty):
                return self._idle.get_nowait()
            process = _Process(self._source, self._environment, self._memory_limit)
            self._all.append(process)
            if self._stopped.is_set():  # meanwhile
                process.dismiss()
                raise BrokenExecutor("stopped")
            return process


class _Process:
    """One process and the pipes to it."""

    def __init__(self, source: KernelSource, environment: Mapping[str, str], memory_limit: float | None) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        limit = "" if memory_limit is None else str(memory_limit)
        settings = os.environ | environment | {"STGCNLIB_MEMORY_LIMIT": limit}
        forked = source.fork("stgcnlib.pipeline.workers", settings, (orders, answers, self._complaints.fileno()))
        self.process: Any = forked or subprocess.Popen(
            [sys.executable, "-P", "-m", "stgcnlib.pipeline.workers"], stdin=orders, stdout=answers,
            stderr=self._complaints, env=settings, start_new_session=True,
        )  # fmt: skip
        os.close(orders)
        os.close(answers)
        self._to: IO[bytes] = os.fdopen(self._orders, "wb")
        self._from: IO[bytes] = os.fdopen(self._answers, "rb")

    def ask(self, order: bytes) -> bytes | None:
        """Send an order and wait for the answer; `None` if the process has died."""
        try:
            send(self._to, order)
            return receive(self._from)
        except (OSError, ValueError):
            return None

    def dismiss(self) -> None:
        """Close its pipe, which ends the process even while it works, unless that holds Python's global lock."""
        with suppress(OSError):
            self._to.close()

    def close(self) -> None:
        """Close the streams that it wrote to; only after it was ended and nobody reads them."""
        self.process.wait()
        self._from.close()
        self._complaints.close()

    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip()[-SHOWN:]


class Dismissible(Protocol):
    """A process that ends when it is told to."""

    @property
    def process(self) -> Any:
        """With `wait` and `kill`, as of `subprocess.Popen`."""

    def dismiss(self) -> None:
        """Tell it to end."""


def end_all(workers: Sequence[Dismissible]) -> None:
    """End processes: all at the same time, and those that do not go within `STOP_SECONDS` by force.

    An interrupt meanwhile kills them at once.
    """
    try:
        for worker in workers:
            worker.dismiss()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout=max(0.0, deadline - time.monotonic()))
    finally:
        for worker in workers:
            with suppress(ProcessLookupError):
                worker.process.kill()


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message with its length before it."""
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Read a message that `send` wrote; `None` at the end of the stream."""
    header = stream.read(8)
    size = int.from_bytes(header, "big")
    message = stream.read(size) if len(header) == 8 else b""
    return message if len(header) == 8 and len(message) == size else None


def main() -> None:
    """Run in such a process: carry out orders from stdin until it closes, then exit at once."""
    from stgcnlib.pipeline.execute import limit_memory

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints go to stderr, not among the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    limit = os.environ.get("STGCNLIB_MEMORY_LIMIT", "")
    limit_memory(float(limit) if limit else None)
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while True:
        send(answers, _answer(orders.get()))
        give_back_memory()  # the next task may be small, or far in the future


def _answer(order: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(order)
        return pickle.dumps((True, function(*args, **kwargs)))
    except BaseException as error:
        traceback.print_exc()
        if not isinstance(error, Exception):  # in the run, it would end the command without a word
            error = RuntimeError(f"the code called exit ({type(error).__name__}: {error}); it must return or raise")
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
        except Exception:
            answer = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer


def _listen(orders: queue.SimpleQueue[bytes]) -> None:
    with os.fdopen(os.dup(0), "rb") as stream:
        while (order := receive(stream)) is not None:
            orders.put(order)
    os._exit(0)


if __name__ == "__main__":
    main()
