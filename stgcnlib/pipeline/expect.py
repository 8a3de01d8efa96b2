"""How long the stages of a run will take, and durations in words.

A stage that ran before in the same folder is expected to take as long again. Otherwise the seconds that were foreseen
for it, or those of the demo study, are scaled by this run's own speed: the time that finished work took, divided by
the time that was foreseen for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Foreseen", "Load", "about", "duration", "expected", "time_left"]


@dataclass(frozen=True)
class Foreseen:
    """Seconds of wall time that a run is expected to take on this machine, by its sizes.

    Attributes:
        stages: name -> of the whole stage, with all its pages.
        artefacts: name of an artefact to be made -> its part of the stage's time.
    """

    stages: Mapping[str, float] = field(default_factory=dict)
    artefacts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What is known of one stage's wall time; all in seconds.

    Attributes:
        cost: of the whole stage, as foreseen for this study, or in the demo; `None` if nothing is known.
        share: part of the stage that this run has to do, from 0 to 1.
        before: what the notebooks that have to run took the last time; `None` if one of them never ran.
        measured: what the finished stage took; `None` before.
        elapsed: since it began; `None` before, and once it is finished.
        work: share of the stage's work that is done, from 0 to 1; 0 if unknown.
        noted: seconds after which that share was done; what runs since then is part of the rest. `None`: `elapsed`.
    """

    cost: float | None = None
    share: float = 1.0
    before: float | None = None
    measured: float | None = None
    elapsed: float | None = None
    work: float = 0.0
    noted: float | None = None

    @property
    def reached(self) -> float:
        """Seconds that the done share of its work took."""
        if not self.work or self.elapsed is None:
            return 0.0
        return self.elapsed if self.noted is None else self.noted


def expected(loads: Sequence[Load], *, foreseen: bool = False) -> list[float | None]:
    """Seconds that each unfinished stage takes from start to end; `None` if finished, or if nothing is known.

    Args:
        loads: of the stages.
        foreseen: `cost` was estimated for this study on this machine, and is not scaled until something is done.
    """
    speed = _foreseen_speed(loads) if foreseen else _speed(loads)
    times: list[float | None] = []
    for load in loads:
        if load.measured is not None:
            times.append(None)
            continue
        said = None if load.cost is None or speed is None else load.cost * load.share * speed
        whole = said if load.before is None else load.before
        if foreseen and whole is not None and said is not None and said < MUCH_LESS * whole:
            whole = said  # the results that took long before exist already
        if whole is not None and load.elapsed is not None and load.work > 0:
            # The time that the done part took, and the expected time of the rest.
            whole = (1 - load.work) * whole + load.reached
        times.append(whole)
    return times


def time_left(loads: Sequence[Load], *, foreseen: bool = False) -> tuple[float | None, bool]:
    """Seconds until the last stage ends, and whether that covers all of them; `None` if nothing is known.

    Nothing is known of the end of a stage that has taken longer than expected.
    """
    known: list[float] = []
    complete = True
    for load, whole in zip(loads, expected(loads, foreseen=foreseen), strict=True):
        if load.measured is not None:
            continue
        elapsed = load.elapsed or 0.0
        if whole is None or whole < elapsed:
            complete = False
        if whole is not None:
            known.append(max(whole - elapsed, 0.0))
    if not known and not complete:
        return None, False
    return sum(known), complete


def _speed(loads: Sequence[Load]) -> float | None:
    """How many times slower than the bundled seconds this run is; stages that overrun them count while they run."""
    ratios = [load.measured / load.cost for load in loads if load.cost and load.measured is not None]
    if not ratios:
        return None
    speed = median(ratios)
    for load in loads:
        if load.cost and load.elapsed is not None and load.elapsed > load.cost * load.share * speed:
            ratios.append(load.elapsed / (load.cost * load.share))
    return median(ratios)


MUCH_LESS = 0.5
"""A forecast below this share of what a stage took before is used instead: some results exist already."""
TRUST = 0.1
"""Weight of a forecast against what is measured: as if this share of all work had taken the time foreseen for it."""


def _foreseen_speed(loads: Sequence[Load]) -> float:
    """How many times slower than foreseen this run is: 1 at first; what is done counts by its length."""
    said = TRUST * sum(load.cost * load.share for load in loads if load.cost)
    taken = said
    for load in loads:
        if not load.cost:
            continue
        whole = load.cost * load.share
        if load.measured is not None:
            said, taken = said + whole, taken + load.measured
        elif load.elapsed is not None and load.elapsed > whole and load.reached <= load.work * load.elapsed:
            said, taken = said + whole, taken + load.elapsed  # what runs now is late
        elif load.elapsed is not None and load.work > 0:
            said, taken = said + whole * load.work, taken + load.reached
    return taken / said if said else 1.0


def duration(seconds: float) -> str:
    """A measured time: "8.1 s", "1 min 42 s", "2 h 5 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """An expected time, rounded as an estimate: "about 40 s", "about 3 min", "about 1 h 20 min"."""
    if seconds < 92.5:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    minutes = 10 * round(minutes / 10)
    return f"about {minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
