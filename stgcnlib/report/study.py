"""run_study: a study from recordings to report, with pages that are there from the first minute."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stgcnlib.files import probe_output
from stgcnlib.paths import check_contained
from stgcnlib.pipeline.board import tell
from stgcnlib.pipeline.estimate import check_room, find_room, foresee
from stgcnlib.pipeline.estimate.shown import busy_line
from stgcnlib.pipeline.expect import Foreseen, duration
from stgcnlib.pipeline.finding import study_folder
from stgcnlib.pipeline.refused import file_named
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.sections.compute import LOCAL
from stgcnlib.pipeline.study import Study
from stgcnlib.report.live import LivePages

__all__ = ["run_study"]


def run_study(
    study: Study | Mapping[str, Any] | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    force: str | None = None,
    workers: int | None = None,
    progress: bool | None = None,
    scheduler: str | None = None,
) -> Path:
    """Run a study from recordings to report; what is there already is not repeated.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.
        output: folder for everything that is made, or its ``file://`` URL; `None` means ``reports/NAME`` below the
            working directory.
        force: name of a stage to repeat: what it is the first to need is made again, and all results and stages that
            build on that.
        workers: results and notebooks at a time; `None` takes the study's, or as many as there are cores.
        progress: `False` for silence; `None` shows rows on a terminal and lines elsewhere.
        scheduler: Dask's, by address or scheduler file: its workers make the results, notebooks run here; `None` takes
            the study's `compute.scheduler`.

    Returns:
        Path of ``index.html``.

    Raises:
        StudyError: the study cannot be run, or does not fit on the disk or in memory; nothing has been started, and an
            output folder that was not there is not there.
        OutputError: nothing can be written to the output, or it holds files that no run wrote and that this one would
            replace; nothing has been started.
        ClusterError: the scheduler or a worker of it cannot be used: nothing has been started. Or it was lost; the same
            call continues the run.
        StageError: a notebook failed: which cell, with which parameters and error. Finished ones stay.
    """
    began = time.monotonic()
    loaded = Study.load(study)
    folder = study_folder(loaded, output)
    check_contained(folder)
    probe_output(folder, option="--output")

    def check(run: StudyRun) -> Foreseen:
        run.check()
        for line in run["shortages"].values():
            tell(f"note: {line}", show=progress)
        found, room = foresee(run, run.study, workers=workers), find_room(run.output)
        if (scheduler or run.study.compute.scheduler) != LOCAL:
            room = replace(room, memory=None, free=None)  # the work is done on other machines
        else:
            for line in busy_line():
                tell(line, show=progress)
        for line in check_room(found, room, run.study, run.output):
            tell(f"warning: {line}", show=progress)
        return found.foreseen()

    with file_named(study):
        run_stages(
            loaded, folder, check=check, watch=partial(LivePages, show=progress), force=force, workers=workers,
            progress=progress, scheduler=scheduler,
        )  # fmt: skip
    tell(f"finished in {duration(time.monotonic() - began)}", show=progress)
    return folder / "index.html"
