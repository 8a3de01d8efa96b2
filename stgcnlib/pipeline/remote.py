"""What a Dask worker does for a run: it hands tasks to processes of its own, one for each of its threads.

A task may hold Python's global lock for minutes, seed torch's generator or run out of memory. In a process of its own
it disturbs neither the worker nor another task, and ends at once when the run is interrupted. On Linux the processes
of a worker are forked from one that has imported the library, as in a run without a scheduler.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stgcnlib.artefacts.waiting import PATIENCE, wait_while
from stgcnlib.errors import ClusterError
from stgcnlib.files import fingerprint, fingerprint_file
from stgcnlib.pipeline.kernels import KernelSource
from stgcnlib.pipeline.workers import Workers, process_environment
from stgcnlib.temporary import TemporaryFolder
from stgcnlib.threads import cores
from stgcnlib.trust import TRUSTED
from stgcnlib.version import __version__

__all__ = ["Terms", "carry_out", "dismiss", "identity", "unfit"]

IDLE_SECONDS = 600.0

KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
"""What glibc reaches by itself. With Dask's 64 kB, memory is returned so often that each array requests it again."""


@dataclass(frozen=True)
class Terms:
    """What a run asks of the workers that it uses.

    Attributes:
        run: names the run; another one of the same study has another name.
        mark: path of a file in the run's folder that holds this name.
        identity: of the library that the run uses, see `identity`.
        memory_limit: GiB that one process may allocate; `None`: no limit.
        trusted: digests of code that may run, as `stgcnlib.trust.TRUSTED` has them.
    """

    run: str
    mark: str
    identity: Mapping[str, str]
    memory_limit: float | None
    trusted: str = ""


@dataclass
class _Crew:
    """Processes of one run, how many tasks they have, and when the last task ended."""

    workers: Workers
    temporary: TemporaryFolder
    tasks: int = 0
    used: float = 0.0


_lock = threading.Lock()
_source = KernelSource()
_crews: dict[str, _Crew] = {}
_ended: set[str] = set()  # runs that `dismiss` has ended; those that only left a worker idle are not among them


def identity() -> dict[str, str]:
    """The library's version and sources, and Python's version, as they were when this process first asked."""
    if not _IDENTITY:
        import sys

        home = Path(__file__).resolve().parents[1]
        files = sorted(path for path in home.rglob("*.py"))
        sources = fingerprint({path.relative_to(home).as_posix(): fingerprint_file(path) for path in files})
        _IDENTITY.update(stgcnlib=__version__, sources=sources, python=".".join(map(str, sys.version_info[:2])))
    return dict(_IDENTITY)


_IDENTITY: dict[str, str] = {}


def unfit(terms: Terms) -> str | None:
    """Why this process cannot work for a run, in words; `None` if it can."""
    if (mine := identity()) != dict(terms.identity):
        return (
            f"has {_told(mine)}, and the run has {_told(terms.identity)}; install the same on both, then start the "
            "workers again"
        )
    mark = Path(terms.mark)
    if wait_while(lambda: None if _holds(mark, terms.run) else mark, PATIENCE / 12):
        return None
    return (
        f"does not see the folder of the run, {mark.parents[2]}; give --output a folder that all machines share under "
        "the same path"
    )


def carry_out(terms: Terms, order: bytes, *, waits: bool = False) -> tuple[bool, Any]:
    """Run a pickled (function, arguments) in a process of the run; blocks until it is done.

    Args:
        terms: of the run.
        order: what to do.
        waits: it mostly waits for tasks of its own, and gives them its thread on the worker.

    Returns:
        `True` and the result, or `False` and the error. Errors are returned, since Dask repeats a task that raises, and
        an error about input would only occur again.

    Raises:
        BrokenExecutor: the process died.
    """
    from distributed import secede

    if complaint := unfit(terms):
        return False, ClusterError(f"worker {_address()} {complaint}")
    crew = _taken(terms)
    if crew is None:
        return False, ClusterError("the run has ended")
    try:
        if waits:
            secede()
        return True, crew.workers.call(_called, order)
    except BrokenExecutor:
        with _lock:
            if terms.run in _ended:
                return False, ClusterError("the run has ended")
        raise
    except Exception as error:
        return False, error
    finally:
        with _lock:
            crew.tasks, crew.used = crew.tasks - 1, time.monotonic()


def dismiss(run: str) -> None:
    """End the processes of a run at once; the run gets no new ones."""
    with _lock:
        _ended.add(run)
        crew = _crews.pop(run, None)
    _end([] if crew is None else [crew])


def _end(crews: list[_Crew]) -> None:
    """End processes, in threads of their own, so that the worker does not wait."""
    for crew in crews:
        threading.Thread(target=_shut_down, args=(crew,), daemon=True).start()


def _shut_down(crew: _Crew) -> None:
    crew.workers.shutdown(wait=False)
    crew.temporary.remove()


def _taken(terms: Terms) -> _Crew | None:
    """The processes of a run, with one more task; `None` if it has ended. Ends those of other runs that are idle.

    A run that was killed leaves idle processes behind. One that works elsewhere for a while gets new ones later.
    """
    from distributed import get_worker

    with _lock:
        if terms.run in _ended:
            return None
        now = time.monotonic()
        idle = [run for run, crew in _crews.items() if not crew.tasks and now - crew.used > IDLE_SECONDS]
        left = [_crews.pop(run) for run in idle if run != terms.run]
        crew = _crews.get(terms.run)
        if crew is None:
            worker = get_worker()
            environment = process_environment(max(1, cores() // worker.state.nthreads)) | KEEPS_MEMORY
            environment[TRUSTED] = terms.trusted
            temporary = TemporaryFolder()
            if _source.path is None:
                _source.start(environment)
                _dismiss_in_the_end(worker)
            workers = Workers(1, _source, environment | temporary.environment, memory_limit=terms.memory_limit)
            crew = _crews[terms.run] = _Crew(workers, temporary)
        crew.tasks += 1
    _end(left)
    return crew


def _called(order: bytes) -> Any:
    """In a process of the run: the result of an order."""
    function, args, kwargs = pickle.loads(order)
    return function(*args, **kwargs)


def _holds(mark: Path, text: str) -> bool:
    try:
        return mark.read_text(encoding="utf-8") == text
    except OSError:
        return False


def _told(which: Mapping[str, str]) -> str:
    return f"stgcnlib {which['stgcnlib']} (sources {which['sources'][:8]}) on Python {which['python']}"


def _address() -> str:
    from distributed import get_worker

    return str(get_worker().address)


def _dismiss_in_the_end(worker: Any) -> None:
    """End all processes when the worker closes, which would otherwise wait for what they do."""
    from distributed import WorkerPlugin

    class Dismissal(WorkerPlugin):
        def teardown(self, worker: Any) -> None:
            with _lock:
                left = list(_crews.values())
                _crews.clear()  # of runs that go on elsewhere
            _end(left)

    worker.loop.add_callback(worker.plugin_add, Dismissal(), "stgcnlib")
