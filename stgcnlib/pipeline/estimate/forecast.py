"""Forecast: what is still to be made of a study, stage by stage, and what that takes of time, memory and disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import Artefacts, Place
from stgcnlib.pipeline.estimate.cost import Cost
from stgcnlib.pipeline.estimate.costs import BASE, cost_of, page_cost
from stgcnlib.pipeline.estimate.facts import Facts
from stgcnlib.pipeline.estimate.trials import Units
from stgcnlib.pipeline.expect import Foreseen
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.stages import Stage, page_mark, shown

__all__ = ["DISK", "FILES", "MEMORY", "SECONDS", "Forecast", "StageForecast", "due_artefacts", "forecast"]

SECONDS, MEMORY, DISK, FILES = (0.7, 1.5), (0.8, 1.3), (0.9, 1.1), (0.4, 1.5)
"""Lowest and highest multiple of a forecast between which the true value is expected."""
HELP = 0.75
"""What each further thread adds to a task's speed, as a share of its speed on one thread."""
REPORT = 6 * 10**6
"""Bytes of the index, scripts and tables."""
ENTRIES = (12, 4, 50)
"""Files and folders of a result (its manifest, lock, arrays, graphs), of a page, and of a report besides."""


@dataclass(frozen=True)
class StageForecast:
    """One stage.

    Attributes:
        name: of the stage.
        results, pages: how many are to be made.
        page_count: pages that it has, made or not.
        seconds: of wall time; `artefacts`: of that, by the names of the results.
        memory: bytes of all processes together, at most.
        process: bytes of the largest process.
        disk: bytes that it leaves in the output.
        scratch: further bytes of the output's disk that it needs only while it runs; `temporary`: of the temporary
            folder.
    """

    name: str
    results: int
    pages: int
    page_count: int
    seconds: float
    artefacts: Mapping[str, float]
    memory: float
    process: float
    disk: float
    scratch: float
    temporary: float


@dataclass(frozen=True)
class Forecast:
    """A study, or what is still to be made of it.

    Attributes:
        stages: in the order in which they run.
        facts: "nodes", "recordings", "layers", "networks", "candidates" and "read", the share that was looked at.
        workers, threads: processes at a time, and threads that they share.
    """

    stages: tuple[StageForecast, ...]
    facts: Mapping[str, Any]
    workers: int
    threads: int

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def memory(self) -> float:
        """Bytes of all processes together, at most."""
        return max((stage.memory for stage in self.stages), default=0.0)

    @property
    def process(self) -> float:
        """Bytes of the largest process."""
        return max((stage.process for stage in self.stages), default=0.0)

    @property
    def disk(self) -> float:
        """Bytes that are left in the output."""
        return sum(stage.disk for stage in self.stages)

    @property
    def most_disk(self) -> float:
        """Bytes of the output's disk that are needed at one time."""
        most = left = 0.0
        for stage in self.stages:
            left += stage.disk
            most = max(most, left + stage.scratch)
        return most

    @property
    def temporary(self) -> float:
        """Bytes of the temporary folder that are needed at one time."""
        return max((stage.temporary for stage in self.stages), default=0.0)

    @property
    def files(self) -> int:
        """Files and folders that are added, very roughly."""
        results, pages = sum(stage.results for stage in self.stages), sum(stage.pages for stage in self.stages)
        return ENTRIES[0] * results + ENTRIES[1] * pages + ENTRIES[2] * bool(pages)

    def foreseen(self) -> Foreseen:
        """Its seconds, for the state of a run."""
        stages = {stage.name: stage.seconds * stage.page_count / stage.pages for stage in self.stages if stage.pages}
        return Foreseen(stages, {name: each for stage in self.stages for name, each in stage.artefacts.items()})

    def plain(self) -> dict[str, Any]:
        """For a JSON file: seconds and bytes, and the ranges in which they are expected."""
        ranges = {"seconds": SECONDS, "memory": MEMORY, "process": MEMORY, "disk": DISK, "most_disk": DISK,
                  "temporary": DISK}  # fmt: skip
        together = {name: _range(getattr(self, name), *ends) for name, ends in ranges.items()}
        about = {"facts": dict(self.facts), "workers": self.workers, "threads": self.threads}
        return {**about, "together": together, "stages": [asdict(stage) for stage in self.stages]}


def _range(value: float, low: float, high: float) -> dict[str, float]:
    return {"expected": value, "low": value * low, "high": value * high}


def forecast(
    made: Artefacts,
    facts: Facts,
    units: Units,
    stages: Sequence[Stage],
    *,
    sources: Path,
    workers: int,
    threads: int,
) -> Forecast:
    """What making a study takes from now on; what is there already takes nothing.

    Args:
        made: artefacts of the study in its folder; only read.
        facts: its sizes.
        units: measured here, or the usual ones.
        stages: those that the study has, in order.
        sources: folder of the notebooks.
        workers: artefacts and notebooks at a time.
        threads: that these share.
    """
    record, there = Record.read(made.folder), set[str]()
    found: list[StageForecast] = []
    kept: dict[str, float] = {}
    for stage in stages:
        due = [place for place in due_artefacts(made, facts, stage) if place.name not in there]
        there |= {place.name for place in due}
        kinds = {place.name: (place.artefact.name, place.axes) for place in due}
        costs = {name: (kind, cost_of(kind, axes, facts, units)) for name, (kind, axes) in kinds.items()}
        pages = _pages_due(made, facts, stage, sources, record)
        found.append(_stage(stage, costs, pages, facts, units, kept, workers=workers, threads=threads))
    if any(stage.pages for stage in found):
        found[-1] = replace(found[-1], disk=found[-1].disk + REPORT)
    study = facts.study
    about = {
        "recordings": len(facts.every), "nodes": len(facts.nodes), "layers": len(facts.layers),
        "networks": study.network.seeds + study.controls.untrained + study.controls.initial,
        "candidates": facts.k, "read": round(facts.read, 3),
    }  # fmt: skip
    return Forecast(tuple(found), about, workers, threads)


def due_artefacts(made: Artefacts, facts: Facts, stage: Stage) -> list[Place]:
    """What would be made for a stage's pages now; axes whose values are not known yet are taken from `facts`."""
    names: dict[str, None] = {}
    for place in shown(stage, made):
        for name in made.missing(place.name):
            names.update(dict.fromkeys(each.name for each in _single(made, facts, made.find(name))))
    places = [made.find(name) for name in names]
    return [place for place in places if place.artefact.form is not None and not made.held(place)]


def _single(made: Artefacts, facts: Facts, place: Place) -> Iterable[Place]:
    layers = [layer.name for layer in facts.layers]
    chosen = facts.study.sensitivity
    known = {"layer": layers, "fit": list(facts.fits),
             "swept": layers if chosen is None or chosen.layers is None else list(chosen.layers)}  # fmt: skip
    every = [known[star] if star in known else made.axis(star) for star in place.stars]
    for values in product(*every):
        yield Place(place.artefact, {**place.axes, **dict(zip(place.stars, values, strict=True))})


def _pages_due(made: Artefacts, facts: Facts, stage: Stage, sources: Path, record: Record) -> int:
    """How many of a stage's notebooks would run."""
    targets = made.folder / "notebooks"
    if not stage.per_layer:
        mark = page_mark(stage, made, sources)
        return int(not record.holds(stage.name, mark, targets / f"{stage.name}.ipynb"))
    due = 0
    for number, layer in enumerate(facts.layers):
        name = f"{stage.name}_{number:02d}"
        due += not record.holds(name, page_mark(stage, made, sources, layer.name), targets / f"{name}.ipynb")
    return due


def _stage(
    stage: Stage,
    costs: Mapping[str, tuple[str, Cost]],
    pages: int,
    facts: Facts,
    units: Units,
    kept: dict[str, float],
    *,
    workers: int,
    threads: int,
) -> StageForecast:
    """One stage; `kept` is the memory that processes keep, by kind of work, and is updated."""
    kinds: dict[str, list[Cost]] = {}
    for kind, cost in costs.values():
        kinds.setdefault(kind, []).append(cost)
        kept.update({word: max(size, kept.get(word, 0.0)) for word, size in cost.keeps.items()})
    page = page_cost(stage.name, facts, units)
    walls = {kind: _wall(each, workers, threads) for kind, each in kinds.items()}
    artefacts = {name: walls[kind] / len(kinds[kind]) for name, (kind, _) in costs.items()}
    seconds = sum(walls.values())
    seconds += page.seconds * pages / min(workers, max(1, pages))
    every = [cost for _, cost in costs.values()]
    # Pages have processes of their own; meanwhile those that make artefacts keep their memory.
    making, telling = _largest([cost.memory for cost in every], workers), _largest([page.memory] * pages, workers)
    keeping = sum(kept.values())
    together = [BASE + sum(OWN + keeping + each for each in making), BASE + sum(OWN + each for each in telling)]
    together[1] += workers * keeping
    return StageForecast(
        stage.name, len(costs), pages, len(facts.layers) if stage.per_layer else 1, seconds, artefacts,
        memory=max(together),
        process=BASE + max([0.0, *(keeping + each for each in making), *telling]),
        disk=sum(cost.disk for cost in every) + page.disk * pages,
        scratch=sum(_largest([cost.scratch for cost in every], workers)),
        temporary=sum(_largest([cost.temporary for cost in every], workers)),
    )  # fmt: skip


OWN = 150 * 10**6
"""Part of `BASE` that a process does not share with others forked from the same process."""


def _largest(values: Iterable[float], count: int) -> list[float]:
    return sorted(values, reverse=True)[:count]


def _wall(costs: Sequence[Cost], workers: int, threads: int) -> float:
    """Seconds of tasks of one kind, as many at a time as there are workers; these share the threads."""
    together = sum(cost.seconds for cost in costs)
    at_once = min(workers, len(costs))
    share = max(1, min(costs[0].threads, threads // at_once))
    return together / (at_once * (1 + HELP * (share - 1)))
