"""run_stages: run a study's stages in order: the artefacts that a page shows are made first, then its notebook runs.

Finished work is skipped; the next call continues what was interrupted. Pages are made of the executed notebooks in
`stgcnlib.report`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stgcnlib.artefacts import Event, Line
from stgcnlib.errors import StgcnlibError
from stgcnlib.files import write_text
from stgcnlib.memory import give_back_memory
from stgcnlib.pipeline.board import Board, tell
from stgcnlib.pipeline.expect import Foreseen
from stgcnlib.pipeline.foreign import check_study_folder
from stgcnlib.pipeline.guard import alone, stoppable
from stgcnlib.pipeline.jobs import Crew, Job, cores, forget_partial
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder, opening, read_notebook
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.refused import nothing_left
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.sections.compute import LOCAL
from stgcnlib.pipeline.stages import Stage, page_mark, repeated, shown, stages_of
from stgcnlib.pipeline.state import Notebook, RunState, Step
from stgcnlib.pipeline.study import Study

__all__ = ["Watch", "run_stages"]

Watch = Callable[[Path, RunState], AbstractContextManager[object]]
"""Given the output folder and the state of the run, a context manager around the run: it sees how the run ends."""


def run_stages(
    study: Study,
    output: Path,
    stages: Sequence[Stage] | None = None,
    notebooks: Path | None = None,
    *,
    line: Line = LINE,
    check: Callable[[StudyRun], Foreseen | None] | None = None,
    watch: Watch | None = None,
    force: str | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    fork: bool = True,
    scheduler: str | None = None,
) -> None:
    """Run the notebooks of a study's stages; what is there already is not repeated.

    Args:
        study: what is measured.
        output: folder for everything that is made.
        stages: those to choose from, by the study's sections. `None`: those that fit the study's target.
        notebooks: folder of their sources; `None`: the library's own.
        line: the table of all artefacts.
        check: called with the run before anything begins, if there is anything to do; raises an error if the study
            cannot run, and returns how long it is expected to take.
        watch: gives a context manager around the run, from before its first stage to after its last one; see `Watch`.
        force: name of a stage to repeat, with every artefact and stage that builds on what is made for it.
        workers: artefacts and notebooks at a time; `None` takes the study's, or as many as there are cores.
        progress: `False` for silence; `None` shows rows on a terminal and lines elsewhere.
        fork: take kernels from one process that has imported the library; that pays where notebooks use it.
        scheduler: Dask's, whose workers make artefacts; `None` takes the study's `compute.scheduler`.

    Raises:
        StageError: a notebook failed: which cell, with which parameters and error. Finished ones stay. Or another
            run is writing to the folder, no stage is named `force`, or a source is missing: nothing has been started.
        ClusterError: the scheduler or a worker of it cannot be used, and nothing has been started; or it was lost.
        OutputError: the folder holds files that no run wrote, and that this one would replace.
        StgcnlibError: `check` refuses the study. An output folder that was not there is not there, as after the other
            errors before anything has been started.
    """
    scheduler = scheduler or study.compute.scheduler
    if scheduler != LOCAL:
        output = output.absolute()  # other machines know nothing of our working directory
    run = StudyRun(study, output, line)
    stages = stages_of(study, stages)
    sources = notebooks or notebook_folder()
    crew = Crew(
        workers or study.compute.workers or cores(), memory_limit=study.compute.memory_limit, fork=fork,
        scheduler=scheduler,
    )  # fmt: skip
    crew.say = partial(tell, show=progress)
    with alone(output) as new, stoppable():
        check_study_folder(output)
        forget_partial(output)
        with nothing_left(run, new, held=True):
            for stage in stages:
                page_mark(stage, run, sources)  # refuses what is missing before anything begins
            again: tuple[set[str], set[str]] = repeated(stages, force, run) if force is not None else (set(), set())
            record = Record.read(output)
            before = record.names
            foreseen: Foreseen | None = None
            if force is not None or _anything_due(run, stages, sources, record):
                foreseen = _checked(run, crew, check)
        write_text(output / "study.yml", study.to_yaml(output))
        foreseen = None if force is not None else foreseen  # it does not count what `force` makes again
        steps = [_step(stage, sources, foreseen) for stage in stages]
        state = RunState(steps, workers=crew.workers, foreseen=foreseen is not None)
        work = _Work(run, sources, record, crew, state, foreseen or Foreseen())
        work.forget(*again)
        work.foresee(stages)
        with nullcontext() if watch is None else watch(output, state):
            try:
                with crew, Board(state, show=progress) as board, state.working():
                    crew.say = board.note
                    for stage in stages:
                        work.do(stage, board)
                        work.foresee(stages)
                run.store.clear_unfinished()
            finally:
                _forget_strangers(output, before, work.record)


def _checked(run: StudyRun, crew: Crew, check: Callable[[StudyRun], Foreseen | None] | None) -> Foreseen | None:
    """What `check` returns; before, a scheduler has to answer, which takes less time."""
    try:
        crew.connect(run)
        return None if check is None else check(run)
    except BaseException:
        crew.stop()
        raise
    finally:
        run.release()  # the processes that need it read it again; this one only waits for them
        give_back_memory()


@dataclass(frozen=True)
class _Work:
    """What every stage of one run shares."""

    run: StudyRun
    sources: Path
    record: Record
    crew: Crew
    state: RunState
    foreseen: Foreseen

    def forget(self, artefacts: set[str], stages: set[str]) -> None:
        """Have artefacts made and stages run again."""
        for name in artefacts:
            self.run.forget(name)
        self.record.drop([name for name, entry in self.record.done.items() if entry.get("stage") in stages])

    def foresee(self, stages: Sequence[Stage]) -> None:
        """Note which notebooks the stages that have not begun will run, as far as that is known."""
        waiting = {step.name for step in self.state.shown().steps if step.state in ("waiting", "skipped")}
        for stage in stages:
            if stage.name in waiting and (not stage.per_layer or self.run.held(self.run.find("layers"))):
                self._plan(stage)

    def do(self, stage: Stage, board: Board) -> None:
        """Make what a stage's pages show, and run those of its notebooks that are not there."""
        try:
            if stage.per_layer and not self.run.held(self.run.find("layers")):
                self._make(stage, ["layers"])
            marks, due = self._plan(stage)
            others = [name for name, entry in self.record.done.items() if entry.get("stage") == stage.name]
            self.record.drop(name for name in others if name not in marks)
            for job in due:
                check_parameters(job.notebook, job.parameters)
            board.begin(stage.name)
            if due:
                self._tell(stage, due, marks, board)
        except StgcnlibError:
            board.failed(stage.name)
            raise

    def _tell(self, stage: Stage, due: Sequence[Job], marks: dict[str, str], board: Board) -> None:
        self.record.drop(job.name for job in due)
        for job in due:
            job.target.unlink(missing_ok=True)
        began = time.monotonic()
        layers = [job.parameters.get("layer") for job in due]
        self._make(stage, [place.name for layer in layers for place in shown(stage, self.run, layer)])
        self.run.release()
        # The stage's pages share the time that making took, so that a next run expects it to take as long.
        share = (time.monotonic() - began) * min(self.crew.workers, len(due)) / len(due)

        def show(job: Job, cell: int, count: int) -> None:
            self.state.cell(stage.name, job.name, cell, count)

        for job, told in self.crew.run(due, show):
            seconds = told + share
            self.record.add(
                job.name, job.target, stage=stage.name, mark=marks[job.name], seconds=seconds,
                parameters=job.parameters,
            )  # fmt: skip
            board.done(stage.name, job.name, seconds)

    def _make(self, stage: Stage, names: Sequence[str]) -> None:
        """Make artefacts in the crew's processes."""
        made, spent, whole = 0, 0.0, self.foreseen.stages.get(stage.name, 0.0)

        def watch(event: Event) -> None:
            nonlocal made, spent
            if event.state == "made":
                made, spent = made + 1, spent + self.foreseen.artefacts.get(event.name, 0.0)
            self.state.making(stage.name, event.name, made, min(spent / whole, 1.0) if whole else 0.0)

        self.crew.make(self.run, list(dict.fromkeys(names)), watch)
        self.state.making(stage.name, "", made, min(spent / whole, 1.0) if whole else 0.0)

    def _plan(self, stage: Stage) -> tuple[dict[str, str], list[Job]]:
        """Marks of a stage's notebooks, and those that have to run; notes both in the state of the run."""
        marks: dict[str, str] = {}
        due: list[Job] = []
        planned: list[Notebook] = []
        for job in _jobs(self.run, stage, self.sources):
            layer = job.parameters.get("layer")
            mark = marks[job.name] = page_mark(stage, self.run, self.sources, layer)
            there = self.record.holds(job.name, mark, job.target)
            due += [] if there else [job]
            planned.append(
                Notebook(
                    name=job.name,
                    layer=layer or "",
                    state="done" if there else "waiting",
                    seconds=self.record.times.get(job.name),
                )
            )
        self.state.plan(stage.name, planned)
        return marks, due


def _jobs(run: StudyRun, stage: Stage, sources: Path) -> Iterator[Job]:
    names: dict[str, dict[str, str]] = {stage.name: {}}
    if stage.per_layer:
        names = {f"{stage.name}_{int(each['index']):02d}": {"layer": each["name"]} for each in run["layers"]}
    for name, extra in names.items():
        target = run.output / "notebooks" / f"{name}.ipynb"
        parameters = {"study": "../study.yml", "output": "..", **extra}
        yield Job(name, stage.name, sources / f"{stage.name}.ipynb", target, parameters)


def _anything_due(run: StudyRun, stages: Sequence[Stage], sources: Path, record: Record) -> bool:
    """Whether any page has to be made."""
    return any(
        (stage.per_layer and not run.held(run.find("layers")))
        or any(
            not record.holds(job.name, page_mark(stage, run, sources, job.parameters.get("layer")), job.target)
            for job in _jobs(run, stage, sources)
        )
        for stage in stages
    )


def _step(stage: Stage, sources: Path, foreseen: Foreseen | None) -> Step:
    title, about = opening(read_notebook(sources / f"{stage.name}.ipynb"), stage.name)
    cost = stage.cost if foreseen is None else foreseen.stages.get(stage.name)
    return Step(name=stage.name, title=title, about=about, cost=cost, per_layer=stage.per_layer)


def _forget_strangers(output: Path, before: set[str], record: Record) -> None:
    """Remove executed notebooks that no longer belong to the study, say of a layer that is gone.

    They are among those that the record named `before` the run; others are the user's own, and stay.
    """
    for name in before - record.done.keys():
        (output / "notebooks" / f"{name}.ipynb").unlink(missing_ok=True)
