"""Jobs: notebooks to execute, each in a process of its own, several at a time.

A job either ends as a finished notebook in its place, or as a StageError that says where it failed.
Which jobs there are, and what their results mean, is the business of `runner`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stgcnlib.errors import StageError
from stgcnlib.pipeline.execute import partial_path

__all__ = ["Job", "cores", "forget_partial", "run_jobs"]

STOP_SECONDS = 10.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One notebook to execute with parameters.

    Attributes:
        name: of the executed notebook, without suffix.
        stage: that it belongs to.
        notebook: the source.
        target: where the executed notebook goes; it runs in that folder.
        parameters: for its `parameters` cell.
    """

    name: str
    stage: str
    notebook: Path
    target: Path
    parameters: Mapping[str, Any]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int,
    memory_limit: float | None = None,
    on_cell: Callable[[Job, int, int], None] | None = None,
) -> Iterator[tuple[Job, float]]:
    """Execute notebooks, `workers` at a time, and yield (job, seconds) as they finish.

    After a failure those that run are let finish and no further one begins. Leaving the iterator early, or an
    interrupt, kills what runs.

    Args:
        jobs: what to execute.
        workers: most processes at a time; the cores are divided among them.
        memory_limit: GiB that one process may allocate.
        on_cell: called from worker threads with (job, cell, cells) as a cell begins.

    Raises:
        StageError: once the others have finished, for the first notebook that failed.
    """
    share = max(1, cores() // max(1, min(workers, len(jobs))))
    crew = _Crew(_environment(share), memory_limit, on_cell)
    waiting = list(jobs)
    running: dict[Future[float], Job] = {}
    failures: list[StageError] = []
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="stgcnlib-notebook") as pool:
        try:
            while running or (waiting and not failures):
                while waiting and len(running) < workers and not failures:
                    job = waiting.pop(0)
                    running[pool.submit(crew.run, job)] = job
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    job = running.pop(future)
                    try:
                        seconds = future.result()
                    except StageError as error:
                        failures.append(error)
                    else:
                        yield job, seconds
        finally:
            crew.stop()
    if failures:
        raise failures[0]


class _Crew:
    """The processes that run at the moment."""

    def __init__(
        self,
        environment: dict[str, str],
        memory_limit: float | None,
        on_cell: Callable[[Job, int, int], None] | None,
    ) -> None:
        self.environment, self.memory_limit, self.on_cell = environment, memory_limit, on_cell
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, job: Job) -> float:
        """Execute one notebook and wait for it; seconds that it took."""
        began = time.monotonic()
        job.target.parent.mkdir(parents=True, exist_ok=True)
        order = {
            "notebook": str(job.notebook.resolve()),
            "target": str(job.target.resolve()),
            "parameters": dict(job.parameters),
            "memory_limit": self.memory_limit,
        }
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
            with self._lock:
                if self._stopped:
                    raise StageError(f"{job.name}: stopped before it began")
                process = subprocess.Popen(
                    [sys.executable, "-m", "stgcnlib.pipeline.execute"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    text=True,
                    encoding="utf-8",
                    env=self.environment,
                    start_new_session=True,  # Ctrl-C comes to us alone; we stop it by closing its stdin
                )
                self._processes[id(job)] = process
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            last: dict[str, Any] = {}
            for line in process.stdout:
                last = json.loads(line)
                if "cell" in last and self.on_cell is not None:
                    self.on_cell(job, last["cell"], last["of"])
            process.wait()
            with self._lock:
                del self._processes[id(job)]
            with suppress(BrokenPipeError):
                process.stdin.close()
            if last.get("done"):
                return time.monotonic() - began
            if "failed" in last:
                raise StageError(_failure(job, last))
            complaints.seek(0)
            text = "\n".join(line for line in complaints.read().splitlines() if line.strip())[-2000:]
        raise StageError(f"{job.name}: its process ended with exit code {process.returncode}\n{text}".strip())

    def stop(self) -> None:
        """Kill what runs, and let nothing begin."""
        with self._lock:
            self._stopped = True
            processes = list(self._processes.values())
            for process in processes:
                with suppress(BrokenPipeError, ValueError):
                    assert process.stdin is not None
                    process.stdin.close()  # `execute` takes it as the sign to kill its kernel and go
        for process in processes:
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(threads: int) -> dict[str, str]:
    environment = dict(os.environ)
    for name in _THREAD_VARIABLES:
        chosen = environment.get(name, "")
        environment[name] = str(min(int(chosen), threads) if chosen.isdigit() and int(chosen) > 0 else threads)
    environment |= {
        "STGCNLIB_PROGRESS": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    return environment


def _failure(job: Job, event: Mapping[str, Any]) -> str:
    layer = f" (layer {job.parameters['layer']})" if "layer" in job.parameters else ""
    cell = f"cell In [{event['execution']}] of {job.notebook.name} failed" if event["execution"] else "failed"
    lines = [
        f"{job.name}{layer}: {cell}",
        f"  {event['failed']}",
        "  parameters: " + ", ".join(f"{name}={value!r}" for name, value in job.parameters.items()),
    ]
    if event["source"]:
        lines += ["  the last lines of the cell:", *(f"    {line}" for line in event["source"])]
    if event["kept"]:
        lines.append(f"  the half-executed notebook is kept as {event['kept']}")
    return "\n".join(lines)


def forget_partial(folder: Path) -> None:
    """Remove what a killed run has left of unfinished notebooks."""
    for path in folder.glob(partial_path(folder / "*.ipynb").name):
        path.unlink(missing_ok=True)
