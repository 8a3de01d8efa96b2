"""Computes many tasks of one study, several at a time, and keeps each result at once, so that a stop costs little.

A task is a few plain values. A function takes what all tasks share and one task, and gives plain values back. The
functions are in `noise` and `transfer`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from stgcnlib.artefacts import is_described, read_described, read_table
from stgcnlib.errors import StudyError
from stgcnlib.files import atomic_folder, atomic_path, fingerprint, write_json
from stgcnlib.json_text import read_json_file
from stgcnlib.progress import track
from stgcnlib.threads import THREAD_VARIABLES, cores, process_variables
from stgcnlib.version import __version__

__all__ = ["KeptResults", "load_tables", "compute_all", "save_tables"]

Values = dict[str, Any]
Function = Callable[[Any, Values], Values]


class KeptResults:
    """Results of tasks, one JSON file each, named by the fingerprint of everything that decides the result.

    Args:
        folder: where the files are, created with the first result; `None` keeps nothing.
        shared: plain values that all tasks depend on.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, shared: Any) -> None:
        self.folder = None if folder is None else Path(folder)
        self._shared = fingerprint([__version__, shared])

    def path(self, task: Mapping[str, Any]) -> Path | None:
        """Where the result of a task is kept."""
        return None if self.folder is None else self.folder / f"{fingerprint([self._shared, task])}.json"

    def read(self, task: Mapping[str, Any]) -> Values | None:
        """The result of a task, or `None` if there is none or its file is damaged: it is then computed again."""
        file = self.path(task)
        if file is None:
            return None
        try:
            kept = read_json_file(file)
            return dict(kept["result"]) if kept["task"] == json.loads(json.dumps(task)) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, task: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Keep the result of a task, atomically."""
        file = self.path(task)
        if file is not None:
            write_json(file, {"task": task, "result": result})


def compute_all(
    function: Function,
    shared: Any,
    tasks: Sequence[Values],
    kept: KeptResults,
    *,
    workers: int | None = 1,
    description: str = "Tasks",
    progress: bool | None = None,
) -> list[Values]:
    """Results of `function(shared, task)` for every task, in their order; those that are kept are not repeated.

    Args:
        function: takes `shared` and one task, gives plain values; defined at module level where `workers` is not 1.
        shared: anything; sent to each process once.
        tasks: plain values that JSON can store.
        kept: earlier results; each new one is written there as soon as it is computed.
        workers: processes at a time, which divide the cores; 1: this process; `None`: as many as cores.
        description: of the progress bar.
        progress: draw a bar; `None`: on a terminal.

    Raises:
        StudyError: `workers` is below 1, or a process died. An error of a task is raised unchanged; results stay.
    """
    if workers is not None and workers < 1:
        raise StudyError(f"workers is {workers}; give at least 1, or None for as many as cores")
    results = [kept.read(task) for task in tasks]
    due = [i for i, result in enumerate(results) if result is None]
    count = min(len(due), cores() if workers is None else workers)
    done = _in_processes if count > 1 else _here
    for i, result in track(
        done(function, shared, [(i, tasks[i]) for i in due], count), description, total=len(due), show=progress
    ):
        kept.write(tasks[i], result)
        results[i] = result
    return [result for result in results if result is not None]


def save_tables(
    folder: str | os.PathLike[str], tables: Mapping[str, pd.DataFrame], *, kind: str, settings: Mapping[str, Any]
) -> None:
    """Write a result as parquet tables and a manifest, atomically.

    Raises:
        OutputError: something else than an earlier result of this kind lies there.
    """
    with atomic_folder(folder, ours=partial(is_described, form=f"stgcnlib-{kind}")) as temporary:
        for name, table in tables.items():
            with atomic_path(temporary / f"{name}.parquet") as file:
                table.to_parquet(file)
        write_json(temporary / "manifest.json", {"format": f"stgcnlib-{kind}", "settings": settings})


def load_tables(
    folder: str | os.PathLike[str], tables: Mapping[str, Mapping[str, str]], *, kind: str
) -> tuple[dict[str, pd.DataFrame], Values]:
    """Tables and settings that `save_tables` wrote.

    Args:
        folder: where they lie.
        tables: name of a table -> its columns, as of `stgcnlib.artefacts.read_table`.
        kind: as of `save_tables`.

    Raises:
        StudyError: the folder holds no such result, or an incomplete one.
    """
    home = Path(folder)
    try:
        manifest = read_described(home / "manifest.json", f"stgcnlib-{kind}", settings=dict)
        found = {name: read_table(home / f"{name}.parquet", columns) for name, columns in tables.items()}
        return found, manifest["settings"]
    except (OSError, ValueError) as error:
        raise StudyError(f"{home}: no complete {kind} result ({error}); give a folder written by save") from None


def _here(function: Function, shared: Any, tasks: list[tuple[int, Values]], _: int) -> Iterator[tuple[int, Values]]:
    for i, task in tasks:
        yield i, function(shared, task)


def _in_processes(
    function: Function, shared: Any, tasks: list[tuple[int, Values]], count: int
) -> Iterator[tuple[int, Values]]:
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, min(cores() // count, int(chosen) if chosen.isdigit() and int(chosen) else cores()))
    # Spawned, not forked: a copy of a process whose thread pools are at work would hang.
    context = multiprocessing.get_context("spawn")
    with _threads_of_children(threads):
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(function, shared, threads))
        waiting: dict[Future[Values], int] = {pool.submit(_compute, task): i for i, task in tasks}
        failure: BaseException | None = None
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    i = waiting.pop(future)
                    error = None if future.cancelled() else future.exception()
                    if error is not None and failure is None:
                        failure = error
                        for other in waiting:
                            other.cancel()
                    elif error is None and not future.cancelled():
                        yield i, future.result()
            pool.shutdown()
        except BaseException:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # an interrupt must not wait for minutes of training
                process.terminate()
            raise
    if failure is not None:
        if type(failure).__name__ == "BrokenProcessPool":
            raise StudyError(
                "a process of the study died, most often because memory ran out; use fewer workers"
            ) from None
        raise failure


@contextmanager
def _threads_of_children(threads: int) -> Iterator[None]:
    """Set variables that new processes read: their share of the cores, and waiting threads that soon sleep."""
    wanted = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {
        **process_variables(),
        "STGCNLIB_PROGRESS": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


_WORK: list[tuple[Function, Any]] = []


def _begin(function: Function, shared: Any, threads: int) -> None:
    """Prepare a new process: what it computes, and on how many threads."""
    import signal

    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with suppress(ImportError):
        import torch

        torch.set_num_threads(threads)
    _WORK[:] = [(function, shared)]


def _end_with_parent() -> None:
    """End this process when its parent ends; it would else wait for tasks forever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _compute(task: Values) -> Values:
    function, shared = _WORK[0]
    return function(shared, task)
