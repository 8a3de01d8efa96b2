"""The state of a run: what is done, running, and still to do. The terminal and the pages show it.

`runner` tells it what happens. A run that has not finished leaves it in the output folder as ``progress.json``,
so that pages rendered later show where it ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from stgcnlib.errors import StgcnlibError
from stgcnlib.files import write_text
from stgcnlib.json_text import read_json_file
from stgcnlib.paths import without_paths
from stgcnlib.pipeline.expect import Load, about, expected, time_left

__all__ = ["Notebook", "Progress", "RunState", "Step", "left_in_words"]

FILE = "progress.json"

Seconds = Annotated[float, Field(ge=0, lt=1e15, allow_inf_nan=False)]
"""Or a share: a number that pages can show. A file may hold NaN, and whole numbers of hundreds of digits."""


class Notebook(BaseModel):
    """One notebook of a stage.

    Attributes:
        layer: that it shows, if it shows one.
        seconds: that it took, or took the last time it ran; `None` if it never did.
        cell: number of the cell that runs, from 1; `of` is how many there are.
    """

    name: str
    layer: str = ""
    state: Literal["waiting", "running", "done", "failed", "stopped"] = "waiting"
    seconds: Seconds | None = None
    cell: int = 0
    of: int = 0


class Step(BaseModel):
    """One stage.

    Attributes:
        title, about: what its notebook is called, and its first sentence.
        cost: seconds that it takes in the demo, or as foreseen for this study.
        per_layer: it has a notebook per layer; the layers are not known at the start.
        state: "skipped" if all its notebooks were there when the run began.
        skipped: how many of its notebooks were there.
        making: the artefact that is made for it now, before its notebooks run; "" if none is.
        made: how many artefacts have been made for it.
        work: share of its work that is done, from 0 to 1; 0 if unknown.
        elapsed: seconds since it began, or that it took in this run.
        expected: seconds that it is expected to take in this run; `None` if nothing is known.
    """

    name: str
    title: str = ""
    about: str = ""
    cost: Seconds | None = None
    per_layer: bool = False
    state: Literal["waiting", "running", "done", "skipped", "failed", "stopped"] = "waiting"
    skipped: int = 0
    making: str = ""
    made: int = 0
    work: Seconds = 0.0
    elapsed: Seconds | None = None
    expected: Seconds | None = None
    notebooks: list[Notebook] = []

    @property
    def total(self) -> int:
        """Number of its notebooks."""
        return len(self.notebooks)

    @property
    def ended(self) -> int:
        """Number of its notebooks that are done."""
        return sum(notebook.state == "done" for notebook in self.notebooks)


class Progress(BaseModel):
    """A run at one moment; times are UTC, durations in seconds.

    Attributes:
        left: until the end, as far as it is known; `None` if nothing is.
        left_complete: whether `left` covers all stages, and none takes longer than expected.
        error: why it failed.
    """

    status: Literal["running", "finished", "failed", "stopped"] = "running"
    started: datetime
    changed: datetime
    elapsed: Seconds = 0.0
    left: Seconds | None = None
    left_complete: bool = False
    error: str = ""
    steps: list[Step]

    @property
    def done(self) -> int:
        """Number of stages that are done."""
        return sum(step.state in ("done", "skipped") for step in self.steps)

    @classmethod
    def read(cls, output: Path) -> Progress | None:
        """What the last run left in a folder; `None` if it finished, or if the file is damaged."""
        try:
            return cls.model_validate(read_json_file(output / FILE))
        except (OSError, ValueError):  # also of pydantic
            return None

    def write(self, output: Path) -> None:
        """Write it into a folder; of a finished run, remove the file."""
        if self.status == "finished":
            (output / FILE).unlink(missing_ok=True)
        else:
            write_text(output / FILE, self.model_dump_json(indent=1) + "\n")

    def ended(self, status: Literal["failed", "stopped"]) -> Progress:
        """A copy in which all that was running has this status."""
        steps = [step.model_copy(deep=True) for step in self.steps]
        parts: list[Step | Notebook] = [*steps, *(notebook for step in steps for notebook in step.notebooks)]
        for part in parts:
            if part.state == "running":
                part.state = status
        return self.model_copy(update={"status": status, "steps": steps, "left": None})


def left_in_words(progress: Progress) -> str:
    """How long a run still takes: "about 3 min left"; "at least" where a stage has no known end; empty if unknown."""
    if progress.left is None:
        return ""
    if progress.left == 0:
        return "nearly done" if progress.left_complete else "longer than expected"
    return ("" if progress.left_complete else "at least ") + about(progress.left) + " left"


class RunState:
    """The state of a run in progress; safe to change and to read from several threads.

    Args:
        steps: its stages, in order.
        workers: most notebooks at a time.
        foreseen: the steps' `cost` was estimated for this study on this machine.
    """

    def __init__(self, steps: Sequence[Step], *, workers: int = 1, foreseen: bool = False) -> None:
        now = datetime.now(UTC)
        self._progress = Progress(started=now, changed=now, steps=[step.model_copy(deep=True) for step in steps])
        self._steps = {step.name: step for step in self._progress.steps}
        self._workers, self._foreseen = workers, foreseen
        self._began = time.monotonic()
        self._stage_began: dict[str, float] = {}
        self._noted: dict[str, float] = {}  # when a stage's `work` last grew
        self._there: dict[str, set[str]] = {}
        self._changed = threading.Condition()
        self._version = 0

    def plan(self, stage: str, notebooks: Sequence[Notebook]) -> None:
        """Which notebooks a stage has; those that are there already are "done"."""
        with self._changed:
            step = self._steps[stage]
            step.notebooks = [notebook.model_copy() for notebook in notebooks]
            self._there[stage] = {notebook.name for notebook in notebooks if notebook.state == "done"}
            step.skipped = len(self._there[stage])
            step.state = "skipped" if step.skipped == step.total else "waiting"
            self._note()

    def begin(self, stage: str) -> None:
        """A stage begins."""
        with self._changed:
            self._steps[stage].state = "running"
            self._stage_began[stage] = time.monotonic()
            self._note()

    def making(self, stage: str, name: str, made: int, work: float = 0.0) -> None:
        """An artefact is made for a stage ("": no more), after `made` others, which were `work` of all its work."""
        with self._changed:
            step = self._steps[stage]
            if work != step.work:
                self._noted[stage] = time.monotonic()
            step.making, step.made, step.work = name, made, work
            self._note()

    def cell(self, stage: str, name: str, cell: int, count: int) -> None:
        """A notebook begins cell `cell` of `count`."""
        with self._changed:
            notebook = self._notebook(stage, name)
            notebook.state, notebook.cell, notebook.of = "running", cell, count
            self._note()

    def done(self, stage: str, name: str, seconds: float) -> None:
        """A notebook is done."""
        with self._changed:
            step, notebook = self._steps[stage], self._notebook(stage, name)
            notebook.state, notebook.seconds = "done", seconds
            step.elapsed = time.monotonic() - self._stage_began[stage]
            if step.ended == step.total:
                step.state = "done"
            self._note()

    @contextmanager
    def working(self) -> Iterator[None]:
        """A context for the work of the run: the run ends as the block does, with its error or without one."""
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    def end(self, error: BaseException | None) -> None:
        """The run ends: with an error, with an interrupt, or finished; the first error or interrupt counts."""
        with self._changed:
            if self._progress.status in ("failed", "stopped") or (
                self._progress.status == "finished" and error is None
            ):
                return
            shown = self._shown()
            if error is None:
                shown.status, shown.left = "finished", None
            else:
                shown = shown.ended("failed" if isinstance(error, Exception) else "stopped")
            if isinstance(error, Exception):
                said = str(error) if isinstance(error, StgcnlibError) else f"{type(error).__name__}: {error}"
                shown.error = without_paths(said)
            self._progress = shown
            self._steps = {step.name: step for step in shown.steps}
            self._note()

    def shown(self) -> Progress:
        """The run at this moment, a copy."""
        with self._changed:
            return self._shown()

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until something has changed since version `seen`, `timeout` seconds at most; the version then."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout)
            return self._version

    def _note(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _notebook(self, stage: str, name: str) -> Notebook:
        return next(notebook for notebook in self._steps[stage].notebooks if notebook.name == name)

    def _shown(self) -> Progress:
        if self._progress.status != "running":
            return self._progress.model_copy(deep=True)
        now = time.monotonic()
        copy = self._progress.model_copy(deep=True)
        copy.changed, copy.elapsed = datetime.now(UTC), now - self._began
        for step in copy.steps:
            if step.state == "running":
                step.elapsed = now - self._stage_began[step.name]
        loads = [self._load(step) for step in copy.steps]
        for step, seconds in zip(copy.steps, expected(loads, foreseen=self._foreseen), strict=True):
            step.expected = seconds
        copy.left, copy.left_complete = time_left(loads, foreseen=self._foreseen)
        return copy

    def _load(self, step: Step) -> Load:
        ended = step.state in ("done", "skipped")
        there = set() if ended else self._there.get(step.name, set())
        due = [notebook for notebook in step.notebooks if notebook.name not in there]
        ran = [each.seconds for each in due if each.state == "done" and each.seconds is not None]
        typical = sum(ran) / len(ran) if ran else None  # later layers are expected to take as long
        seconds = [typical if each.seconds is None else each.seconds for each in due]
        known = [one for one in seconds if one is not None]
        wall = sum(known) / min(self._workers, len(due)) if due and len(known) == len(due) else None
        running = step.state == "running"
        began = self._stage_began.get(step.name, 0.0)
        return Load(
            cost=None if ended and wall is None else step.cost,
            share=len(due) / step.total if step.total else 1.0,
            before=None if ended else wall,
            measured=(wall or 0.0) if ended else None,
            elapsed=step.elapsed if running else None,
            work=step.work if running else 0.0,
            noted=self._noted.get(step.name, began) - began if running else None,
        )
