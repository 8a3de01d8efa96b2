"""run_stages: the stage notebooks of a study in order.

What is done already is skipped, what is interrupted goes on with the next call. The artefacts themselves are kept
by `StudyRun`, which the notebooks ask; pages are made of the executed notebooks in `stgcnlib.report`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from stgcnlib.errors import StageError
from stgcnlib.files import fingerprint, write_text
from stgcnlib.pipeline.board import Board
from stgcnlib.pipeline.guard import alone, stoppable
from stgcnlib.pipeline.jobs import Crew, Job, cores, forget_partial
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder, opening, read_notebook
from stgcnlib.pipeline.stages import STAGES, Record, Stage, followers, stage_fingerprints, stages_of
from stgcnlib.pipeline.state import Notebook, RunState, Step
from stgcnlib.pipeline.study import Study

__all__ = ["Watch", "run_stages"]

Watch = Callable[[Path, RunState], AbstractContextManager[object]]
"""Given the output folder and the account of the run, a block around the run: it sees how the run ends."""


def run_stages(
    study: Study,
    output: Path,
    stages: Sequence[Stage] = STAGES,
    notebooks: Path | None = None,
    *,
    watch: Watch | None = None,
    force: str | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    fork: bool = True,
) -> None:
    """Run the notebooks of a study's stages; what is there already is not repeated.

    Args:
        study: what is measured.
        output: folder for everything that is made.
        stages: which there are; the study's sections choose among them.
        notebooks: folder of their sources; `None`: the library's own.
        watch: told of the run from before its first stage to after its last one; `None`: nobody is.
        force: name of a stage to repeat, with every stage that builds on it.
        workers: notebooks at a time; `None` takes the study's, or as many as there are cores.
        progress: `False` for silence; `None` shows rows on a terminal and lines elsewhere.
        fork: take kernels from one process that has imported the library; that pays where notebooks use it.

    Raises:
        StageError: a notebook failed: which cell, with which parameters and error. Finished ones stay. Or another
            run is writing to the folder, no stage is named `force`, or a source is missing: nothing has been started.
    """
    stages = stages_of(study, stages)
    sources = notebooks or notebook_folder()
    marks = stage_fingerprints(study, stages, sources)
    forced = followers(stages, force) if force is not None else set()
    output.mkdir(parents=True, exist_ok=True)
    with alone(output), stoppable():
        forget_partial(output / "notebooks")
        write_text(output / "study.yml", study.to_yaml())
        crew = Crew(workers or study.compute.workers or cores(), memory_limit=study.compute.memory_limit, fork=fork)
        state = RunState([_step(stage, sources) for stage in stages], workers=crew.workers)
        line = _Line(output, sources, Record.read(output), crew, state, marks)
        line.forget(stage for stage in stages if stage.name in forced)
        line.foresee(stages)
        with nullcontext() if watch is None else watch(output, state):
            try:
                with crew, Board(state, show=progress) as board, state.working():
                    for stage in _in_order(stages):
                        line.run(stage, board)
                        line.foresee(stages)
            finally:
                _forget_strangers(output, line.record)


@dataclass(frozen=True)
class _Line:
    """What every stage of one run shares."""

    output: Path
    sources: Path
    record: Record
    crew: Crew
    state: RunState
    marks: Mapping[str, str]

    def forget(self, stages: Iterable[Stage]) -> None:
        """Have stages repeated: their notebooks, and what they have made."""
        for stage in stages:
            self.record.drop([name for name, entry in self.record.done.items() if entry.get("stage") == stage.name])
            for pattern in stage.artefacts:
                for manifest in (self.output / "artefacts").glob(f"{pattern}.json"):
                    manifest.unlink()

    def foresee(self, stages: Iterable[Stage]) -> None:
        """Note which notebooks the stages that have not begun will run, as far as that is known."""
        waiting = {step.name for step in self.state.shown().steps if step.state in ("waiting", "skipped")}
        for stage in stages:
            if stage.name in waiting:
                with suppress(StageError):  # layers are not known before the stage that lists them
                    self._plan(stage)

    def run(self, stage: Stage, board: Board) -> None:
        """Run the notebooks of a stage that are not there."""
        marks, due = self._plan(stage)
        others = [name for name, entry in self.record.done.items() if entry.get("stage") == stage.name]
        self.record.drop(name for name in others if name not in marks)
        for job in due:
            check_parameters(job.notebook, job.parameters)
        board.begin(stage.name)
        if not due:
            return
        self._clear(stage, due)
        written = [self.output / path for path in stage.writes]

        def show(job: Job, cell: int, count: int) -> None:
            self.state.cell(stage.name, job.name, cell, count)

        try:
            for job, seconds in self.crew.run(due, show):
                missing = [str(path) for path in written if not path.exists()]
                if missing:
                    raise StageError(f"{job.name}: finished, but did not write {', '.join(missing)}")
                self.record.add(
                    job.name, stage=stage.name, mark=marks[job.name], seconds=seconds, parameters=job.parameters
                )
                board.done(stage.name, job.name, seconds)
        except StageError:
            board.failed(stage.name)
            raise

    def _plan(self, stage: Stage) -> tuple[dict[str, str], list[Job]]:
        """Fingerprints of a stage's notebooks, and those that have to run; the state is told."""
        written = [self.output / path for path in stage.writes]
        marks: dict[str, str] = {}
        due: list[Job] = []
        planned: list[Notebook] = []
        for job, extra in self._jobs(stage):
            mark = marks[job.name] = fingerprint([self.marks[stage.name], extra])
            there = self.record.holds(job.name, mark, [job.target, *written])
            due += [] if there else [job]
            planned.append(
                Notebook(
                    name=job.name,
                    layer=extra.get("layer", ""),
                    state="done" if there else "waiting",
                    seconds=self.record.times.get(job.name),
                )
            )
        self.state.plan(stage.name, planned)
        return marks, due

    def _jobs(self, stage: Stage) -> Iterator[tuple[Job, dict[str, str]]]:
        for name, extra in _notebooks_of(stage, self.output):
            source = self.sources / f"{stage.name}.ipynb"
            target = self.output / "notebooks" / f"{name}.ipynb"
            yield Job(name, stage.name, source, target, {"study": "../study.yml", "output": "..", **extra}), extra

    def _clear(self, stage: Stage, due: Sequence[Job]) -> None:
        """Remove results that no longer hold."""
        self.record.drop(job.name for job in due)
        for job in due:
            job.target.unlink(missing_ok=True)
        if "summary.json" in stage.writes:
            (self.output / "summary.json").unlink(missing_ok=True)


def _step(stage: Stage, sources: Path) -> Step:
    title, about = opening(read_notebook(sources / f"{stage.name}.ipynb"), stage.name)
    return Step(name=stage.name, title=title, about=about, cost=stage.cost, per_layer=stage.per_layer)


def _notebooks_of(stage: Stage, output: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, parameters besides study and output) of each notebook that a stage runs."""
    if not stage.per_layer:
        yield stage.name, {}
        return
    file = output / "layers.json"
    try:
        layers = json.loads(file.read_text(encoding="utf-8"))
        for layer in layers:
            yield f"{stage.name}_{int(layer['index']):02d}", {"layer": str(layer["name"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(f"{file}: no list of layers ({error}); repeat the stage that writes it with force") from None


def _in_order(stages: Sequence[Stage]) -> Iterator[Stage]:
    """Stages by their numbers, each after those that it needs."""
    known, done = {stage.name for stage in stages}, set[str]()
    while len(done) < len(stages):
        ready = [s for s in stages if s.name not in done and not (set(s.needs) & known) - done]
        if not ready:
            raise StageError(f"stages need each other in a circle: {', '.join(sorted(known - done))}")
        done.add(ready[0].name)
        yield ready[0]


def _forget_strangers(output: Path, record: Record) -> None:
    """Remove executed notebooks that no longer belong to the study, say of a layer that is gone."""
    for path in (output / "notebooks").glob("*.ipynb"):
        if path.stem not in record.done and not path.stem.endswith(".failed"):
            path.unlink(missing_ok=True)
