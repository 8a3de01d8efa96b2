"""The tasks of one artefact; results are kept, so that a killed computation goes on, in any number of processes.

A task is a function of what all tasks share and of its own item, and of nothing else. Its result is a file in the
artefact's scratch folder. The artefact's key names this folder, so a file that is there is the result. It begins with
the SHA-256 of what follows: a damaged result is computed again.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from stgcnlib.artefacts.waiting import PATIENCE, wait_while
from stgcnlib.errors import ArtefactError
from stgcnlib.files import atomic_path, fingerprint_file, make_folder

__all__ = ["Tasks", "forget_shared"]

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")
_DIGEST = hashlib.sha256().digest_size
SHARED = 2
"""Things that are shared by tasks, kept at a time: a search takes turns with two."""

AHEAD = 256
"""Most tasks that are handed out ahead, from the one whose result is needed next."""


class Tasks:
    """Runs tasks here or in an executor's processes, and keeps their results; a context manager that ends the executor.

    Args:
        folder: where results are kept; all processes see it. Other inputs need another folder.
        opened: gives the executor, when the first task is handed out; `None`: tasks run here, one after the other.
    """

    def __init__(self, folder: str | os.PathLike[str], opened: Callable[[], Executor] | None = None) -> None:
        self._folder, self._opened = Path(folder), opened
        self._executor: Executor | None = None
        self._calls = 0
        self._written: deque[tuple[Any, Path]] = deque(maxlen=SHARED)

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=error is None, cancel_futures=True)
            self._executor = None

    def map(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[Result]:
        """Results of ``function(shared, item)`` in the order of the items.

        The n-th call has to be the same call in each attempt. Function, what is shared and items have to be picklable
        where there is an executor; items and results in any case.

        `shared` goes into each call as it is, `items` one by one. It is written once for calls with the same object
        that follow each other, or take turns with another one, so it must not change.
        """
        home = self._folder / f"{self._calls:03d}"
        self._calls += 1
        make_folder(home)
        return (
            self._here(home, function, shared, items)
            if self._opened is None
            else (self._elsewhere(home, function, shared, items, self._opened))
        )

    def _here(
        self, home: Path, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[Result]:
        for number, item in enumerate(items):
            place = _place(home, number, item)
            yield _kept(place) if _whole(place) else _keep(place, function(shared, item))

    def _elsewhere(
        self,
        home: Path,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        opened: Callable[[], Executor],
    ) -> Iterator[Result]:
        @cache
        def common() -> Path:
            return self._shared(shared)

        waiting: deque[tuple[Path, Future[None] | None]] = deque()
        numbers = iter(range(len(items)))

        def hand_out() -> None:
            while len(waiting) < AHEAD and (number := next(numbers, None)) is not None:
                place = _place(home, number, items[number])
                task = None
                if not _whole(place):
                    place.unlink(missing_ok=True)
                    _keep(_item(place), items[number])
                    self._executor = self._executor or opened()
                    task = self._executor.submit(_task, f"{home.name}/{number}", function, common(), place)
                waiting.append((place, task))

        try:
            hand_out()
            while waiting:
                place, task = waiting.popleft()
                if task is not None:
                    task.result()
                    _appears(place)
                yield _kept(place)
                _item(place).unlink(missing_ok=True)
                hand_out()
        finally:
            for _, task in waiting:
                if task is not None:
                    task.cancel()

    def _shared(self, value: Any) -> Path:
        """A file with what tasks share, named by its content, since the calls of an artefact often share the same."""
        for known, file in self._written:
            if known is value:
                return file
        file = self._folder / f"shared-{uuid.uuid4().hex}.pkl"
        _keep(file, value)
        self._written.append((value, file.replace(file.with_name(f"shared-{fingerprint_file(file)}.pkl"))))
        return self._written[-1][1]


_common: deque[tuple[Path, Any]] = deque(maxlen=SHARED)
"""What the last tasks of this process shared, kept for the next ones."""


def forget_shared() -> None:
    """Give back what this process keeps for tasks; they read it again."""
    _common.clear()


def _task(name: str, function: Callable[[Any, Any], Any], common: Path, place: Path) -> None:
    """One task, in one of the executor's processes, which keep what tasks share from one to the next."""
    if place.exists():
        return  # an earlier attempt made it meanwhile
    for file in (common, _item(place)):
        _appears(file)
    shared = [value for path, value in tuple(_common) if path == common]  # threads may add to it meanwhile
    if not shared:
        shared = [_kept(common)]
        _common.append((common, shared[0]))
    _keep(place, function(shared[0], _kept(_item(place))))


def _place(home: Path, number: int, item: Any) -> Path:
    """Where the result for an item is kept; an item of other content has another place."""
    return home / f"{number:06d}-{hashlib.sha256(pickle.dumps(item)).hexdigest()[:16]}.pkl"


def _item(place: Path) -> Path:
    return place.with_suffix(".item")


def _keep(place: Path, value: Result) -> Result:
    with atomic_path(place) as temporary, temporary.open("w+b") as stream:
        stream.write(bytes(_DIGEST))
        pickle.dump(value, stream, protocol=5)
        stream.seek(_DIGEST)
        total = hashlib.file_digest(stream, "sha256").digest()
        stream.seek(0)
        stream.write(total)
    return value


def _kept(place: Path) -> Any:
    with place.open("rb") as stream:
        stream.seek(_DIGEST)
        return pickle.load(stream)


def _whole(place: Path) -> bool:
    """Whether the file is there and undamaged."""
    try:
        with place.open("rb") as stream:
            return stream.read(_DIGEST) == hashlib.file_digest(stream, "sha256").digest()
    except FileNotFoundError:
        return False


def _appears(place: Path) -> None:
    if not wait_while(lambda: None if place.exists() else place, PATIENCE):
        raise ArtefactError(f"{place}: was written on another machine and is not seen here; is the folder the same?")
