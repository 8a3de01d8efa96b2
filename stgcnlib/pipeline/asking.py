"""Messages and questions in interactive notebooks: which study is open, and whether long work may begin.

There are none in plain scripts and in notebooks that become pages. There, and in kernels where nobody can answer,
missing artefacts are made without a question.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from stgcnlib.artefacts import Artefacts
from stgcnlib.errors import StudyError, shorten
from stgcnlib.pipeline.expect import about
from stgcnlib.pipeline.finding import written
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.stages import Stage, shown, stages_of
from stgcnlib.pipeline.study import Study

__all__ = ["agree", "attended", "expected_seconds", "say"]

QUICK = 15.0
"""Seconds of work that begins without a question."""


def attended() -> bool:
    """Whether this is a notebook's kernel and someone can answer a question of the cell that runs."""
    return bool(getattr(_kernel(), "_allow_stdin", False)) and not _told_as_page()


def say(study: Study, folder: Path) -> None:
    """In a notebook, write one line: which study is open, and when it was made."""
    if _kernel() is None or _told_as_page():
        return
    there = (folder / "study.yml").is_file()
    when = f"made {written(folder).astimezone():%Y-%m-%d %H:%M}" if there else "nothing is made yet"
    sys.stdout.write(f"{study.name}: {folder}, {when}\n")


def agree(artefacts: Artefacts, study: Study, name: str, given: str) -> None:
    """Ask before work that takes long, or that would begin a new folder.

    Args:
        artefacts: of the study.
        study: the settings.
        name: what was asked for.
        given: a study file or the name of a bundled study, for the command that makes it.

    Raises:
        StudyError: the answer is no; says how to make it in a terminal.
    """
    missing = artefacts.missing(name)
    if not missing:
        return
    seconds = expected_seconds(artefacts, study, missing)
    if seconds is not None and seconds < QUICK and artefacts.folder.exists():
        return
    takes = "may take long" if seconds is None else f"takes {about(seconds)}"
    sys.stdout.write(f"{shorten(missing, 4)}: not in {artefacts.folder}, or made from other settings or code.\n")
    if input(f"Making {name!r} {takes}. Make it? [y/N] ").strip().lower() not in ("y", "yes"):
        command = f"stgcnlib run {shlex.quote(given)} --output {shlex.quote(str(artefacts.folder.resolve()))}"
        raise StudyError(f"{name!r} was not made; run this cell again, or make the study in a terminal: {command}")


def expected_seconds(artefacts: Artefacts, study: Study, missing: Sequence[str]) -> float | None:
    """How long making artefacts takes: the whole time of every stage that one of them is made for.

    A stage is expected to take as long as before in this folder; else as long as in the demo study, scaled by how much
    longer other stages took here. `None` if neither is known of a stage.
    """
    line = artefacts.line
    wanted = {line.find(name).artefact.name for name in missing}
    stages = stages_of(study)
    times = _times(Record.read(artefacts.folder), stages)
    ratios = [times[stage.name] / stage.cost for stage in stages if stage.name in times and stage.cost]
    speed = median(ratios) if ratios else 1.0 if study.data.path in ("demo", "sensor-demo") else None
    total = 0.0
    for stage in stages:
        made = set().union(*(line.needed_by(place.artefact.name) for place in shown(stage, artefacts)))
        if wanted & made:
            if stage.name in times:
                total += times[stage.name]
            elif stage.cost is not None and speed is not None:
                total += stage.cost * speed
            else:
                return None
        wanted -= made
    return None if wanted else total


def _times(record: Record, stages: Sequence[Stage]) -> dict[str, float]:
    """Seconds of stages that ran before, all layers together."""
    times: dict[str, float] = {}
    for name, seconds in record.times.items():
        for stage in stages:
            if name == stage.name or (stage.per_layer and name.startswith(f"{stage.name}_")):
                times[stage.name] = times.get(stage.name, 0.0) + seconds
    return times


def _kernel() -> Any:
    """The kernel of the notebook that this runs in; `None` elsewhere."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None)


def _told_as_page() -> bool:
    return bool(os.environ.get("STGCNLIB_STAGE"))
