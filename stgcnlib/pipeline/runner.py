"""run_study: the stage notebooks of a study in order, and the pages made of them.

What is done already is skipped, what is interrupted goes on with the next call. The artefacts
themselves are kept by `StudyRun`, which the notebooks ask.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import fingerprint, write_text
from stgcnlib.errors import StageError
from stgcnlib.pipeline.board import Board
from stgcnlib.pipeline.html import render_report
from stgcnlib.pipeline.jobs import Crew, Job, cores, forget_partial
from stgcnlib.pipeline.run import open_study
from stgcnlib.pipeline.stages import (
    STAGES,
    Record,
    Stage,
    check_parameters,
    followers,
    notebook_folder,
    stage_fingerprints,
    stages_of,
)
from stgcnlib.pipeline.study import Study

__all__ = ["run_stages", "run_study"]


def run_study(
    study: Study | Mapping[str, Any] | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    force: str | None = None,
    workers: int | None = None,
    progress: bool | None = None,
) -> Path:
    """Run a study from recordings to report; what is there already is not repeated.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.
        output: folder for everything that is made; `None` means ``reports/NAME`` below the working directory.
        force: name of a stage to repeat, with every stage that builds on it.
        workers: notebooks at a time; `None` takes the study's, or as many as there are cores.
        progress: `False` for silence; `None` shows rows on a terminal and lines elsewhere.

    Returns:
        Path of ``index.html``.

    Raises:
        StudyError: the study cannot be run; nothing has been started.
        StageError: a notebook failed: which cell, with which parameters and error. Finished ones stay.
    """
    run = open_study(study, output)
    run.check()
    return run_stages(run.study, run.output, force=force, workers=workers, progress=progress)


def run_stages(
    study: Study,
    output: Path,
    stages: Sequence[Stage] = STAGES,
    notebooks: Path | None = None,
    *,
    force: str | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    fork: bool = True,
) -> Path:
    """`run_study` with stages and notebooks of one's own; same results and errors.

    With `fork`, kernels are taken from one process that has imported the library; that pays where notebooks use it.
    """
    stages = stages_of(study, stages)
    sources = notebooks or notebook_folder()
    marks = stage_fingerprints(study, stages, sources)
    forced = followers(stages, force) if force is not None else set()
    output.mkdir(parents=True, exist_ok=True)
    with _alone(output):
        forget_partial(output / "notebooks")
        write_text(output / "study.yml", study.to_yaml())
        crew = Crew(workers or study.compute.workers or cores(), memory_limit=study.compute.memory_limit, fork=fork)
        line = _Line(output, sources, Record.read(output), crew)
        line.forget(stage for stage in stages if stage.name in forced)
        try:
            with crew, Board([stage.name for stage in stages], show=progress) as board:
                for stage in _in_order(stages):
                    line.run(stage, marks[stage.name], board)
        finally:
            _forget_strangers(output, line.record)
            index = render_report(output)
        return index


@dataclass(frozen=True)
class _Line:
    """What every stage of one run shares."""

    output: Path
    sources: Path
    record: Record
    crew: Crew

    def forget(self, stages: Iterable[Stage]) -> None:
        """Have stages repeated: their notebooks, and what they have made."""
        for stage in stages:
            self.record.drop([name for name, entry in self.record.done.items() if entry.get("stage") == stage.name])
            for pattern in stage.artefacts:
                for manifest in (self.output / "artefacts").glob(f"{pattern}.json"):
                    manifest.unlink()

    def run(self, stage: Stage, mark: str, board: Board) -> None:
        """Run the notebooks of a stage that are not there."""
        written = [self.output / path for path in stage.writes]
        marks: dict[str, str] = {}
        jobs: list[Job] = []
        for job, extra in self._jobs(stage):
            marks[job.name] = fingerprint([mark, extra])
            jobs.append(job)
        others = [name for name, entry in self.record.done.items() if entry.get("stage") == stage.name]
        self.record.drop(name for name in others if name not in marks)
        due = [job for job in jobs if not self.record.holds(job.name, marks[job.name], [job.target, *written])]
        for job in due:
            check_parameters(job.notebook, job.parameters)
        board.plan(stage.name, len(jobs), len(jobs) - len(due))
        if not due:
            return
        self._clear(stage, due)

        def show(job: Job, cell: int, count: int) -> None:
            board.cell(stage.name, job.name, cell, count)

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


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Refuse to write to a folder that another run is writing to."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    handle = os.open(output, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(f"{output}: another run is writing to it; wait for it, or choose another folder") from None
        yield
    finally:
        os.close(handle)
