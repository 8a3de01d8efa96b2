"""Jobs: notebooks to execute, several at a time, each with a kernel of its own.

A job either ends as a finished notebook in its place, or as a StageError that says where it failed.
`runner` decides which jobs there are and what their results mean.
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
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from stgcnlib.artefacts import Artefacts, Event, make_all
from stgcnlib.artefacts.waiting import PATIENCE
from stgcnlib.errors import StageError
from stgcnlib.files import make_folder
from stgcnlib.pipeline.cluster import Cluster, forget_runs
from stgcnlib.pipeline.execute import partial_path
from stgcnlib.pipeline.kernels import SOURCE, KernelSource
from stgcnlib.pipeline.sections.compute import LOCAL
from stgcnlib.pipeline.workers import Workers, end_all, process_environment
from stgcnlib.temporary import TemporaryFolder
from stgcnlib.threads import cores

__all__ = ["Crew", "Job", "cores", "forget_partial", "thread_count"]


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


@dataclass
class _Worker:
    """A process of `execute`, and what it writes to stderr."""

    process: subprocess.Popen[str]
    complaints: IO[str]

    def send(self, order: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # the process has died: `events` ends, and `Crew` raises an error
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield json.loads(line)

    def dismiss(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()  # has the process kill its kernel and exit

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.complaints.close()


class Crew:
    """Worker processes that execute notebooks; a context manager that ends them all on exit.

    Args:
        workers: most notebooks at a time; the cores are divided among those that run.
        memory_limit: GiB that one process may allocate; `None`: no limit.
        fork: take kernels from one process that has imported the library (`stgcnlib.pipeline.kernels`).
        scheduler: where artefacts are made: "local" for processes of this machine, or a scheduler as for `Cluster`.

    Attributes:
        say: called with one line of text when something happens to workers of other machines.
    """

    def __init__(
        self,
        workers: int,
        *,
        memory_limit: float | None = None,
        fork: bool = True,
        scheduler: str = LOCAL,
    ) -> None:
        self.workers, self.memory_limit, self.fork, self.scheduler = workers, memory_limit, fork, scheduler
        self.say: Callable[[str], None] = lambda _: None
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._ended: list[_Worker] = []
        self._lock = threading.Lock()
        self._stopped = False
        self._kernels = KernelSource()
        self._workers: Workers | None = None
        self._cluster: Cluster | None = None
        self._temporary: TemporaryFolder | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            for worker in self._ended:
                worker.close()

    def run(
        self, jobs: Sequence[Job], on_cell: Callable[[Job, int, int], None] | None = None
    ) -> Iterator[tuple[Job, float]]:
        """Execute notebooks and yield (job, seconds) as they finish.

        After a failure, the notebooks that run finish, and no further one begins. Leaving the iterator early, or an
        interrupt, stops the crew.

        Args:
            jobs: what to execute.
            on_cell: called from other threads with (job, cell, cells) as a cell begins.

        Raises:
            StageError: once the others have finished, for the first notebook that failed.
        """
        environment = self._started(max(1, cores() // max(1, min(self.workers, len(jobs)))))
        waiting = list(jobs)
        running: dict[Future[float], Job] = {}
        failures: list[StageError] = []
        with ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="stgcnlib-notebook") as pool:
            try:
                while running or (waiting and not failures):
                    while waiting and len(running) < self.workers and not failures:
                        job = waiting.pop(0)
                        running[pool.submit(self._execute, job, environment, on_cell)] = job
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        job = running.pop(future)
                        try:
                            seconds = future.result()
                        except StageError as error:
                            failures.append(error)
                        else:
                            yield job, seconds
            except BaseException:
                self.stop()  # or else the pool would wait for its threads, which wait for the processes
                raise
        if failures:
            raise failures[0]

    def connect(self, artefacts: Artefacts) -> None:
        """Connect to the scheduler that makes artefacts, if it is to be one, so that it is refused before work begins.

        Args:
            artefacts: of a study; the scheduler's workers have to see their folder.

        Raises:
            ClusterError: the scheduler or a worker of it cannot be used.
        """
        if self.scheduler != LOCAL and self._cluster is None:
            folder, limit = artefacts.folder, self.memory_limit
            self._cluster = Cluster(self.scheduler, folder, memory_limit=limit, say=lambda text: self.say(text))

    def make(self, artefacts: Artefacts, names: Sequence[str], watch: Callable[[Event], None]) -> None:
        """Make artefacts and all that they need: here at most `workers` at a time; on a cluster, all that are ready.

        Args:
            artefacts: of a study.
            names: what is wanted.
            watch: called with an event whenever an artefact is started or made.

        Raises:
            ClusterError: the scheduler cannot be used, or is lost.
        """
        self.connect(artefacts)
        if self._cluster is not None:
            return self._make_elsewhere(self._cluster, artefacts, names, watch)
        if self._workers is None:
            environment = self._started(cores())
            self._workers = Workers(self.workers, self._kernels, environment, memory_limit=self.memory_limit)
        make_all(artefacts, names, self._workers, workers=self.workers, threads=thread_count(), watch=watch)

    @staticmethod
    def _make_elsewhere(
        cluster: Cluster, artefacts: Artefacts, names: Sequence[str], watch: Callable[[Event], None]
    ) -> None:
        artefacts.executor = cluster.joining
        try:
            make_all(artefacts, names, cluster, workers=sys.maxsize, patience=PATIENCE, watch=watch)
        finally:
            artefacts.executor = None

    def stop(self) -> None:
        """End all processes, even those that are working, and start no new ones.

        An interrupt meanwhile shortens the waiting; what follows is done all the same, and a second call is harmless.
        """
        self._stopped = True
        with ExitStack() as steps:  # from the last to the first, each one also after an interrupt
            if self._temporary is not None:
                steps.callback(self._temporary.remove)
            steps.callback(self._kernels.stop)
            steps.callback(self._end_notebooks)
            for executor in (self._workers, self._cluster):
                if executor is not None:
                    steps.callback(executor.shutdown, wait=False, cancel_futures=True)

    def _end_notebooks(self) -> None:
        with self._lock:
            workers, self._idle = list(self._all), []
        end_all(workers)
        for worker in workers:
            worker.process.wait()
        self._all, self._ended = [], self._ended + workers

    def _started(self, threads: int) -> dict[str, str]:
        """Variables of processes that use so many threads; starts the process that these are forked from."""
        if self._temporary is None:
            self._temporary = TemporaryFolder()
        environment = process_environment(threads) | self._temporary.environment
        if self.fork:
            self._kernels.start(environment, self._temporary)
        return environment

    def _execute(self, job: Job, environment: dict[str, str], on_cell: Callable[[Job, int, int], None] | None) -> float:
        began = time.monotonic()
        make_folder(job.target.parent)
        worker = self._take(job, environment)
        worker.send(
            {
                "notebook": str(job.notebook.resolve()),
                "target": str(job.target.resolve()),
                "parameters": dict(job.parameters),
                "environment": environment,
                "memory_limit": self.memory_limit,
            }
        )
        for event in worker.events():
            if "cell" in event:
                if on_cell is not None:
                    on_cell(job, event["cell"], event["of"])
                continue
            with self._lock:
                self._idle.append(worker)
            if "failed" in event:
                raise StageError(_failure(job, event))
            return time.monotonic() - began
        code = worker.process.wait()
        worker.complaints.seek(0)
        text = "\n".join(line for line in worker.complaints.read().splitlines() if line.strip())[-2000:]
        raise StageError(f"{job.name}: its process ended with exit code {code}\n{text}".strip())

    def _take(self, job: Job, environment: dict[str, str]) -> _Worker:
        with self._lock:
            if self._stopped:
                raise StageError(f"{job.name}: stopped before it began")
            if self._idle:
                return self._idle.pop()
            complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stgcnlib.pipeline.execute"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                encoding="utf-8",
                env=os.environ | environment | ({SOURCE: self._kernels.path} if self._kernels.path else {}),
                start_new_session=True,  # Ctrl-C reaches only this process
            )
            worker = _Worker(process, complaints)
            self._all.append(worker)
            return worker


def thread_count() -> int:
    """Threads that the processes of a run share: the cores, or as many as the environment allows."""
    return int(process_environment(cores())["OMP_NUM_THREADS"])


def _failure(job: Job, event: Mapping[str, Any]) -> str:
    layer = f" (layer {job.parameters['layer']})" if "layer" in job.parameters else ""
    cell = "failed"
    if event["execution"]:
        cell = f"cell In [{event['execution']}] of {job.notebook.name} failed"
    elif "DeadKernelError" in event["failed"]:
        cell = "its kernel died, most often because memory ran out"
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


def forget_partial(output: Path) -> None:
    """Remove what killed runs left in an output folder: unfinished notebooks, and marks for workers elsewhere."""
    for path in output.glob(str(partial_path(Path("notebooks", "*.ipynb")))):
        path.unlink(missing_ok=True)
    forget_runs(output)
