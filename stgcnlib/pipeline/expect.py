"""How long the stages of a run will take, and durations in words.

A stage that ran before in the same folder is expected to take as long again. Otherwise the bundled seconds of
the demo study are scaled by this run's own speed: the median of measured over bundled seconds of what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Load", "about", "duration", "expected", "time_left"]


@dataclass(frozen=True)
class Load:
    """What is known of one stage's wall time; all in seconds.

    Attributes:
        cost: of the whole stage in the demo; `None` if the demo has no such stage.
        share: part of the stage that this run has to do, from 0 to 1.
        before: what the notebooks to do took the last time; `None` if one of them never ran.
        measured: what the finished stage took; `None` before.
        elapsed: since it began; `None` before, and once it is finished.
    """

    cost: float | None = None
    share: float = 1.0
    before: float | None = None
    measured: float | None = None
    elapsed: float | None = None


def expected(loads: Sequence[Load]) -> list[float | None]:
    """Seconds that each stage which is not finished takes from its begin to its end; `None` where nothing is known."""
    speed = _speed(loads)
    times: list[float | None] = []
    for load in loads:
        if load.measured is not None:
            times.append(None)
        elif load.before is not None:
            times.append(load.before)
        else:
            times.append(None if load.cost is None or speed is None else load.cost * load.share * speed)
    return times


def time_left(loads: Sequence[Load]) -> tuple[float | None, bool]:
    """Seconds until the last stage ends, and whether that covers all of them; `None` if nothing is known."""
    known: list[float] = []
    complete = True
    for load, whole in zip(loads, expected(loads), strict=True):
        if load.measured is not None:
            continue
        if whole is None:
            complete = False
        else:
            known.append(max(whole - (load.elapsed or 0.0), 0.0))
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


def duration(seconds: float) -> str:
    """A measured time: "8.1 s", "1 min 42 s", "2 h 5 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """An expected time, no finer than an estimate is: "about 40 s", "about 3 min", "about 1 h 20 min"."""
    if seconds < 92.5:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    minutes = 10 * round(minutes / 10)
    return f"about {minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
