"""Two estimates: `estimate` measures here and writes nothing; `foresee` uses sizes only, for a run that begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from stgcnlib.artefacts import Artefacts, Line, Onlooker
from stgcnlib.pipeline.estimate.facts import find_facts, looked_at
from stgcnlib.pipeline.estimate.forecast import Forecast, due_artefacts, forecast
from stgcnlib.pipeline.estimate.longest import check_longest
from stgcnlib.pipeline.estimate.room import find_room
from stgcnlib.pipeline.estimate.trials import Units, measure_units
from stgcnlib.pipeline.finding import study_folder
from stgcnlib.pipeline.jobs import thread_count
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.notebooks import notebook_folder
from stgcnlib.pipeline.refused import file_named
from stgcnlib.pipeline.stages import stages_of
from stgcnlib.pipeline.study import Study
from stgcnlib.threads import cores

__all__ = ["estimate", "foresee"]


def estimate(
    study: Study | Mapping[str, Any] | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    line: Line = LINE,
    tell: Callable[[str], None] = lambda text: None,
) -> Forecast:
    """What a study would take from now on, measured in some seconds; nothing is written into its folder.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.
        output: its folder; `None` means ``reports/NAME``. What is there already takes nothing.
        workers: artefacts and notebooks at a time; `None` takes the study's, or as many as there are cores.
        line: the artefacts that there are.
        tell: called with what is done next.

    Raises:
        StgcnlibError: the study cannot be read or run, or a recording is too long for a pass through its network.
    """
    loaded = Study.load(study)
    folder = study_folder(loaded, output)
    made, stages = Onlooker(line, loaded, folder), stages_of(loaded)
    tell("reading recordings")
    with file_named(study), looked_at(loaded, folder, line) as (look, share):
        check_longest(loaded, look)
        facts = find_facts(look, loaded, share)
        due = {place.artefact.name.partition("/")[0] for stage in stages for place in due_artefacts(made, facts, stage)}
        trains = bool(due & {"training", "noise-training", "transfer-training", "transfer-fit"})
        units = measure_units(look, facts, trains=trains, tell=tell)
    return _forecast(made, facts, units, workers)


def foresee(made: Artefacts, study: Study, *, workers: int | None = None) -> Forecast:
    """As `estimate`, but from sizes only, for a run that begins: the same disk and memory, and rough seconds."""
    facts = find_facts(made, study)
    return _forecast(made, facts, Units.usual(facts), workers)


def _forecast(made: Artefacts, facts: Any, units: Units, workers: int | None) -> Forecast:
    facts = replace(facts, free=find_room(made.folder).disk)
    chosen = workers or facts.study.compute.workers or cores()
    return forecast(
        made, facts, units, stages_of(facts.study), sources=notebook_folder(), workers=chosen, threads=thread_count()
    )  # fmt: skip
