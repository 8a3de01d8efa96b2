"""The schedule: artefacts made in the order of their needs, several at a time, by any executor.

A task gets an `Artefacts` and a name and returns a path, so that no data pass between processes. What is there already
is not made again.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stgcnlib.artefacts.declare import Place
from stgcnlib.artefacts.making import Artefacts
from stgcnlib.artefacts.waiting import wait_while
from stgcnlib.errors import ArtefactError, StgcnlibError
from stgcnlib.threads import limit_threads

__all__ = ["Event", "make_all", "make_one", "make_spreading"]

SPREADING = 2
"""Most artefacts at a time that spread their tasks over an executor: one computes while another waits for tasks."""


@dataclass(frozen=True)
class Event:
    """An artefact was started or made.

    Attributes:
        name: of the artefact.
        state: "started" or "made".
        seconds: how many seconds making it took.
        running: how many artefacts are being made now.
    """

    name: str
    state: str
    seconds: float = 0.0
    running: int = 0


def make_all(
    artefacts: Artefacts,
    names: Sequence[str],
    executor: Executor,
    *,
    workers: int = 1,
    threads: int | None = None,
    patience: float = 0.0,
    watch: Callable[[Event], None] | None = None,
) -> None:
    """Make artefacts and all that they need.

    After a failure, running tasks finish and no further one begins. To cancel, raise from `watch` or interrupt the
    caller: tasks that have not begun are dropped, and the executor has to end those that run.

    Args:
        artefacts: of a study; pickled for each task.
        names: what is wanted; ``*`` stands for all values of an axis.
        executor: where tasks run: threads, processes, or a cluster's.
        workers: most tasks at a time.
        threads: that the tasks share; `None`: each process uses as many as it was started with.
        patience: seconds within which other machines must see what one has written; 0: there is only one machine.
        watch: called with an event whenever an artefact is started or made.

    Raises:
        ArtefactError: the first failure, with the name of its artefact; errors of this library are raised unchanged.
    """
    plan = _Plan(artefacts, names)
    running: dict[Future[tuple[Path, float]], Place] = {}
    failure: Exception | None = None
    tell = watch or (lambda event: None)
    try:
        while True:
            ready = [] if failure else plan.ready({place.name for place in running.values()})
            for place in _startable(artefacts, ready, running.values())[: workers - len(running)]:
                share = threads and max(1, threads // min(workers, len(running) + len(ready)))
                task = make_spreading if place.artefact.spreads else make_one
                running[executor.submit(task, artefacts, place.name, share, patience)] = place
                ready = ready[1:]
                tell(Event(place.name, "started", running=len(running)))
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                place = running.pop(future)
                try:
                    _, seconds = future.result()
                    if patience:
                        _wait_for(artefacts, partial(_absent, artefacts, place), patience)
                except Exception as error:
                    failure = failure or _told(place, error)
                else:
                    plan.done(place)
                    tell(Event(place.name, "made", seconds, len(running)))
    except BaseException:
        for future in running:
            future.cancel()
        raise
    if failure is not None:
        raise failure


def make_spreading(artefacts: Artefacts, name: str, threads: int | None, patience: float) -> tuple[Path, float]:
    """As `make_one`, for an artefact whose tasks the executor runs meanwhile: it should not occupy a worker there."""
    return make_one(artefacts, name, threads, patience)


def _startable(artefacts: Artefacts, ready: Sequence[Place], running: Iterable[Place]) -> list[Place]:
    """Those that may begin now: of artefacts that spread their tasks, a few at a time keep all processes busy."""
    if artefacts.executor is None:
        return list(ready)
    room = SPREADING - sum(place.artefact.spreads for place in running)
    spreading = [place.name for place in ready if place.artefact.spreads][: max(room, 0)]
    return [place for place in ready if not place.artefact.spreads or place.name in spreading]


def make_one(artefacts: Artefacts, name: str, threads: int | None, patience: float) -> tuple[Path, float]:
    """One task; it runs in one of the executor's processes."""
    began = time.monotonic()
    if threads is not None:
        limit_threads(threads)
    if patience:
        _wait_for(artefacts, lambda: [each for each in artefacts.missing(name) if each != name], patience)
    path = artefacts.make(name)
    return path, time.monotonic() - began


def _absent(artefacts: Artefacts, place: Place) -> list[str]:
    return [] if artefacts.held(place) else [place.name]


def _wait_for(artefacts: Artefacts, lacking: Callable[[], list[str]], patience: float) -> None:
    """Wait until artefacts that were made elsewhere are seen here: a shared folder shows them with a delay."""
    name = ""

    def absent() -> Path | None:
        nonlocal name
        name = next(iter(lacking()), "")
        return artefacts.path(name) if name else None

    if not wait_while(absent, patience):
        raise ArtefactError(
            f"{name}: was made on another machine, and {platform.node()} does not see it as {artefacts.path(name)}; is "
            "the output folder the same on all machines?"
        )


class _Plan:
    """What remains to be made, determined again after each artefact: some artefacts decide the values of an axis."""

    def __init__(self, artefacts: Artefacts, names: Sequence[str]) -> None:
        self._artefacts = artefacts
        self._wanted = [artefacts.find(name) for name in names]
        self._there: set[str] = set()

    def done(self, place: Place) -> None:
        """An artefact has been made."""
        self._there.add(place.name)

    def ready(self, running: set[str]) -> list[Place]:
        """Artefacts that are missing while all that they need is there."""
        found: dict[str, Place] = {}
        waiting: dict[str, bool] = {}
        for place in self._wanted:
            self._visit(place, running, found, waiting)
        return list(found.values())

    def _visit(self, place: Place, running: set[str], found: dict[str, Place], waiting: dict[str, bool]) -> bool:
        """Collect in `found` what can be made now for a place; `True` if anything remains to be made for it."""
        if place.name in self._there:
            return False
        if place.name not in waiting:
            waiting[place.name] = self._look(place, running, found, waiting)
            if not waiting[place.name]:
                self._there.add(place.name)
        return waiting[place.name]

    def _look(self, place: Place, running: set[str], found: dict[str, Place], waiting: dict[str, bool]) -> bool:
        if place.stars:
            for star in place.stars:
                needed = self._artefacts.needed(self._artefacts.line.axes[star], {})
                if self._any(needed, running, found, waiting):
                    return True  # its values are not known yet
            return self._any(self._artefacts.places(place), running, found, waiting)
        if place.name in running:
            return True
        kept = place.artefact.form is not None
        if kept and self._artefacts.held(place):
            return False
        needed = self._artefacts.needed(place.artefact, place.axes)
        if self._any(needed, running, found, waiting):
            return True
        if kept:
            found[place.name] = place
        return kept

    def _any(
        self, places: Iterable[Place], running: set[str], found: dict[str, Place], waiting: dict[str, bool]
    ) -> bool:
        due = [self._visit(each, running, found, waiting) for each in places]  # a list: each visit may add to `found`
        return any(due)


def _told(place: Place, error: Exception) -> Exception:
    if isinstance(error, BrokenExecutor):
        return ArtefactError(
            f"{place.name}: the process that made it died, most often because memory ran out; use fewer workers"
        )
    if isinstance(error, StgcnlibError):
        return error
    told = ArtefactError(f"{place.name}: making it failed with {type(error).__name__}: {error}")
    told.__cause__ = error
    return told
