"""The stages of a report: a notebook each, and the artefacts that it shows.

A page's mark covers its notebook's source and the keys of what it shows; a page is made again when the mark changes.
`runner` runs the notebooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import Artefacts, Place
from stgcnlib.artefacts.stamps import file_state
from stgcnlib.errors import StageError, suggest
from stgcnlib.files import fingerprint
from stgcnlib.pipeline.notebooks import read_notebook
from stgcnlib.pipeline.study import Study

__all__ = [
    "FIRST_PAGE", "STAGES", "TARGET_STAGES", "Stage", "is_page", "page_mark", "page_order", "repeated", "shown",
    "stages_of",
]  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One step of the line, shown by one notebook.

    Attributes:
        name: of the notebook, without suffix.
        shows: names of artefacts, as the notebook asks for them; ``{layer}`` is the notebook's own layer, ``*`` stands
            for all values of an axis, and a name that ends in ``?`` is shown only if the study has it.
        per_layer: run once per recorded layer, with the parameter `layer`.
        section: of the study; a study without this section has no such stage.
        cost: seconds that it takes in the demo study on two cores, from which a first run estimates its time left;
            `None` if the demo has no such stage.
    """

    name: str
    shows: tuple[str, ...] = ()
    per_layer: bool = False
    section: str | None = None
    cost: float | None = None


MAPPED = ("nodes", "explained", "maps", "examples", "activations/trained", "grouping", "dtw")
INSIDE = ("fields", "topologies")
GRAPHS = ("nodes", "sample?", "activations/trained", "distances/trained/*", "grouping", "dtw", "geometry",
          "planes/trained")  # fmt: skip
MEASURED = ("sample?", "geometry", "graph-k", "density", "baselines", "statistics", "shortages")
ANSWER = ("geometry", "leakage", "sample?", "nodes", "explained", "maps", "settings")
FIRST_PAGE = ("summary", "recordings")
"""What the index and comparisons of studies read. It is made with the last stage, whose page does not show it."""

STAGES: tuple[Stage, ...] = (
    Stage("00_data", ("parts", "nodes", "sample?", "sequences", "leakage"), cost=9),
    Stage("01_network", ("network-facts", "history?", "evaluation", "preparations?"), cost=43),
    Stage("02_activations", ("activations/trained", "rounding?"), cost=2),
    Stage("03_ds_graphs", GRAPHS, cost=14),
    Stage("04_geometry", (*MEASURED, "findings"), cost=8),
    Stage("04a_classes", ("findings", "layers", "nodes", "geometry", "planes/trained"), cost=2),
    Stage("04b_sensitivity", ("sensitivity",), section="sensitivity"),
    Stage("06_relevance", (*MAPPED, "layers", "distances/trained/*", "map-evaluation", "shortages"), cost=21),
    Stage(
        "05_layer",
        (*MAPPED, *INSIDE, "geometry", "findings", "planes/trained", "distances/trained/{layer}"),
        per_layer=True,
        cost=19,
    ),
    Stage("07_noise", ("noise",), section="noise", cost=7),
    Stage("08_transfer", ("transfer", "advice", "transfer-facts"), section="transfer"),
    Stage("09_summary", (*ANSWER, "noise?", "transfer?", *FIRST_PAGE), cost=3),
)
"""In the order in which they run and in which a report lists their pages: 06 before 05, which shows its maps."""

TARGET_STAGES: tuple[Stage, ...] = (
    Stage("00_series", ("parts", "nodes", "sample?", "sequences", "leakage")),
    Stage("01_estimates", ("network-facts", "history?", "evaluation", "nodes", "recordings")),
    Stage("02_activations", ("activations/trained", "rounding?")),
    Stage("03_neighbours", GRAPHS),
    Stage("04_smoothness", MEASURED),
    Stage("06_outputs", ("nodes", "explained", "maps", "examples", "layers")),
    Stage(
        "05_one_layer",
        ("nodes", "explained", "maps", "examples", *INSIDE, "geometry", "planes/trained", "distances/trained/{layer}"),
        per_layer=True,
    ),
    Stage("09_result", (*ANSWER, *FIRST_PAGE)),
)
"""Stages of a study whose target is a real value instead of a class."""

_PLACES = {stage.name: place for stages in (STAGES, TARGET_STAGES) for place, stage in enumerate(stages)}
_LAYERED = {stage.name for stages in (STAGES, TARGET_STAGES) for stage in stages if stage.per_layer}


def stages_of(study: Study, stages: Sequence[Stage] | None = None) -> tuple[Stage, ...]:
    """The stages that a study has: all but those whose section is left out.

    Args:
        study: the settings.
        stages: those to choose from; `None`: those that fit the study's target.
    """
    if stages is None:
        stages = STAGES if study.data.target == "class" else TARGET_STAGES
    return tuple(stage for stage in stages if stage.section is None or getattr(study, stage.section) is not None)


def page_order(name: str) -> tuple[int, str]:
    """Sorts the `name` of notebooks and pages by their stages; those of no known stage come last."""
    stage = name if name in _PLACES else name.rpartition("_")[0]  # a layer's page ends in its number
    return _PLACES.get(stage, len(_PLACES)), name


def is_page(name: str) -> bool:
    """Whether a stage of the library has a page of this `name` in some study; a user's own have other names."""
    stage, _, number = name.rpartition("_")
    return name in _PLACES or (stage in _LAYERED and number.isdecimal())


def shown(stage: Stage, artefacts: Artefacts, layer: str | None = None) -> Iterator[Place]:
    """The artefacts that a stage's page shows in a study; without a layer, ``*`` takes its place."""
    for name in stage.shows:
        place, optional = artefacts.line.need(name, {"layer": layer or "*"})
        if not optional or artefacts.keys.has(place.artefact):
            yield artefacts.find(place.name)


def page_mark(stage: Stage, artefacts: Artefacts, notebooks: Path, layer: str | None = None) -> str:
    """A hash of what decides a page: its notebook's source, and the keys of what it shows."""
    keys = {place.name: artefacts.keys.of(place) for place in shown(stage, artefacts, layer)}
    return fingerprint({"notebook": _source(notebooks / f"{stage.name}.ipynb"), "shows": keys, "layer": layer})


def repeated(stages: Sequence[Stage], name: str, artefacts: Artefacts) -> tuple[set[str], set[str]]:
    """What repeating a stage makes again: (names of artefacts as declared, names of stages).

    The artefacts are those made for this stage and for no earlier one, and all that need these. The stages are this one
    and all that show one of these artefacts.

    Raises:
        StageError: there is no such stage; suggests the nearest.
    """
    line, shows = artefacts.line, {}
    for stage in stages:
        shows[stage.name] = {place.artefact.name for place in shown(stage, artefacts)}
    if name not in shows:
        raise StageError(f"no stage is named {name!r}; {suggest(name, list(shows))}")
    before: set[str] = set()
    for stage in stages[: list(shows).index(name)]:
        before = before.union(*(line.needed_by(each) for each in shows[stage.name]))
    made = set().union(*(line.needed_by(each) for each in shows[name])) - before
    again = {artefact.name for artefact in line if made & line.needed_by(artefact.name)}
    return again, {name} | {stage for stage, names in shows.items() if names & again}


def _source(notebook: Path) -> str:
    """A hash of a notebook's cells, without outputs and counters."""
    if not notebook.exists():
        raise StageError(f"{notebook}: the stage notebook is missing; reinstall stgcnlib or restore the file")
    return _said(notebook, tuple(file_state(notebook)))


@cache
def _said(notebook: Path, _: tuple[int, ...]) -> str:
    """The hash of a notebook; cached by file state, since a run asks for the marks of its pages after every stage."""
    cells: list[Any] = read_notebook(notebook).cells
    return fingerprint([[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in cells])
