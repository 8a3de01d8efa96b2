"""Workers of a Dask scheduler as an executor: artefacts are made on several machines that share the output folder.

Only names, paths and settings go through the scheduler; data stay in the shared folder. If a worker is lost, Dask
gives its unfinished tasks to another one. If the scheduler is lost, the run ends with one error; the same command
then continues from what is finished.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, InvalidStateError
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stgcnlib.artefacts.schedule import make_spreading
from stgcnlib.errors import ClusterError
from stgcnlib.files import write_text
from stgcnlib.groups import counted
from stgcnlib.pipeline.remote import Terms, carry_out, dismiss, identity, unfit
from stgcnlib.trust import TRUSTED

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Cluster", "forget_runs"]

RETRIES = 2
MARKS = Path("artefacts", ".clusters")
SECONDS_TO_ANSWER = 15.0


class Cluster(Executor):
    """Runs functions on the workers of a Dask scheduler.

    Args:
        scheduler: its address, such as ``tcp://10.0.0.1:8786``, or the path of its scheduler file.
        folder: that the tasks read and write; all machines see it under this path.
        memory_limit: GiB that one process may allocate; `None`: no limit.
        say: called with one line of text when something happens to workers.
        joined: terms of a run in progress, to use its workers; `None`: a new run, which `shutdown` ends.

    Raises:
        ClusterError: there is no such scheduler, or one of its workers has another stgcnlib or does not see the folder.
    """

    def __init__(
        self,
        scheduler: str,
        folder: Path,
        *,
        memory_limit: float | None = None,
        say: Callable[[str], None] = lambda _: None,
        joined: Terms | None = None,
    ) -> None:
        self._say = say
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self.address, self._client = _connected(scheduler)
        self._joined = joined is not None
        self._terms = joined or _terms(folder, memory_limit)
        try:
            if not self._joined:
                write_text(self._terms.mark, self._terms.run)
                self._check()
                self._client.subscribe_topic("all", self._told)
            self._tasks = self._client.get_executor(pure=False, retries=RETRIES)
        except BaseException:
            self.shutdown(wait=False)
            raise

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of the function's result.

        It holds `BrokenExecutor` if the processes or workers died repeatedly, and `ClusterError` if the scheduler is
        lost. Function, arguments and result have to be picklable, and small.
        """
        order = pickle.dumps((function, args, kwargs))
        name = next((arg for arg in args if isinstance(arg, str)), getattr(function, "__name__", "task"))
        key = f"{name}-{uuid.uuid4().hex[:12]}"  # what Dask's pages show
        outer: Future[Any] = Future()
        with self._lock:
            self._waiting.add(key)
        inner = self._tasks.submit(carry_out, self._terms, order, waits=function is make_spreading, key=key)

        def answer(done: Future[tuple[bool, Any]]) -> None:
            with self._lock:
                self._waiting.discard(key)
            with suppress(InvalidStateError):  # it was cancelled meanwhile
                self._answer(done, outer)

        def cancel(done: Future[Any]) -> None:
            if done.cancelled():
                inner.cancel()

        outer.add_done_callback(cancel)
        inner.add_done_callback(answer)
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Leave the scheduler, also when interrupted; without `wait`, tasks of this run on its workers end at once."""
        with ExitStack() as steps:  # from the last to the first, each one also after an interrupt
            steps.callback(self._close)
            if not self._joined:
                steps.callback(self._remove_mark)
                steps.callback(self._dismiss)
            if wait and hasattr(self, "_tasks"):
                steps.callback(self._tasks.shutdown, wait=not cancel_futures)

    def _dismiss(self) -> None:
        with suppress(Exception):  # the scheduler may be lost; then there is nothing to end
            if self._client.status == "running":
                self._client.unsubscribe_topic("all")
                self._client.run(dismiss, self._terms.run, on_error="ignore")

    def _remove_mark(self) -> None:
        with suppress(OSError):
            mark = Path(self._terms.mark)
            mark.unlink(missing_ok=True)
            mark.parent.rmdir()

    def _close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=5)

    @property
    def joining(self) -> Callable[[], Cluster]:
        """A picklable function that gives the same workers in another process, for a task with tasks of its own."""
        return partial(_join, self.address, self._terms)

    def _answer(self, done: Future[tuple[bool, Any]], outer: Future[Any]) -> None:
        from distributed import KilledWorker

        if outer.cancelled():
            return
        try:
            good, value = done.result()
        except CancelledError:
            outer.set_exception(
                ClusterError(
                    f"the scheduler {self.address} is lost; all that was finished is kept. Start it and its workers "
                    "again, and the same command goes on"
                )
            )
        except KilledWorker:
            outer.set_exception(BrokenExecutor("the workers that made it died"))
        except BrokenExecutor as error:
            outer.set_exception(error)
        except Exception as error:
            outer.set_exception(
                ClusterError(
                    f"the workers of {self.address} cannot run stgcnlib ({type(error).__name__}: {error}); install the "
                    "same version for the scheduler and its workers"
                )
            )
        else:
            outer.set_result(value) if good else outer.set_exception(value)

    def _check(self) -> None:
        """Refuse workers that are connected now and unfit; workers that come later are checked with each task."""
        found = self._client.run(unfit, self._terms, on_error="return")
        for worker, complaint in sorted(found.items()):
            if isinstance(complaint, Exception):
                complaint = f"cannot run stgcnlib ({complaint}); install the version of the run there"
            if complaint:
                raise ClusterError(f"worker {worker} {complaint}")
        at_a_time = sum(self._client.nthreads().values())
        many = f"{len(found)} workers" if len(found) != 1 else "one worker"
        self._say(
            f"{many} of {self.address}, {at_a_time} results at a time"
            if found
            else f"{self.address} has no workers yet: waiting for the first"
        )

    def _told(self, event: tuple[float, Any]) -> None:
        """Handle an event of Dask: say if a worker with tasks of this run is lost."""
        _, about = event
        if not isinstance(about, dict) or about.get("action") != "remove-worker":
            return
        with self._lock:
            lost = len(self._waiting & {str(key) for key in about.get("processing-tasks") or ()})
        if lost:
            tasks = counted(lost, "unfinished task", "unfinished tasks")
            self._say(f"worker {about.get('worker')} is lost; other workers repeat its {tasks}")


def _terms(folder: Path, memory_limit: float | None) -> Terms:
    run = uuid.uuid4().hex
    return Terms(run, str(folder.absolute() / MARKS / run), identity(), memory_limit, os.environ.get(TRUSTED, ""))


def forget_runs(output: Path) -> None:
    """Remove the marks of runs that were killed, from an output folder that no run uses now."""
    shutil.rmtree(output / MARKS, ignore_errors=True)


def _join(address: str, terms: Terms) -> Cluster:
    return Cluster(address, Path(terms.mark).parents[2], joined=terms)


def _connected(scheduler: str) -> tuple[str, Client]:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "compute.scheduler: needs the package distributed; install it with: pip install 'stgcnlib[cluster]'"
        ) from None
    address = scheduler if "://" in scheduler else _written(Path(scheduler))
    # A client that could not connect is closed when it is collected. If that happened while another one starts, both
    # would wait for one lock.
    gc.collect()
    try:
        return address, Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False, name="stgcnlib")
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"compute.scheduler: no scheduler answers at {address} ({' '.join(str(error).split())}); start one with "
            "'dask scheduler', or leave the setting out"
        ) from None


def _written(file: Path) -> str:
    """The address in a scheduler file."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except FileNotFoundError:
        mend = f"start one with 'dask scheduler --scheduler-file {file}', or give its address, such as tcp://HOST:8786"
        raise ClusterError(f"compute.scheduler: there is no scheduler file {file}; {mend}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"compute.scheduler: {file} is no scheduler file ({type(error).__name__}: {error}); 'dask scheduler "
            "--scheduler-file …' writes one"
        ) from None
