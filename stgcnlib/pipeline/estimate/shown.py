"""A forecast in words: a table of stages, and a line on each of time, memory and disk."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from rich.table import Table

from stgcnlib.pipeline.estimate.forecast import DISK, MEMORY, SECONDS, Forecast
from stgcnlib.pipeline.estimate.room import Room, size
from stgcnlib.pipeline.expect import about
from stgcnlib.threads import cores

__all__ = ["busy_line", "forecast_lines", "forecast_table", "load_now"]

BUSY = 0.3
"""Share of the processors in use above which a line says so."""
MANY_TIMES = 3
"""Factor above which it is rounded to a whole number."""
MOMENT = 0.3
"""Seconds for which the use of the processors is watched."""
STAT = Path("/proc/stat")


def forecast_table(forecast: Forecast) -> Table:
    """A row per stage."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("stage")
    for title in ("results", "pages", "time", "memory", "disk"):
        table.add_column(title, justify="right")
    for stage in forecast.stages:
        if stage.results or stage.pages:
            table.add_row(
                stage.name, str(stage.results), str(stage.pages), about(stage.seconds), size(stage.memory),
                size(stage.disk),
            )  # fmt: skip
        else:
            table.add_row(stage.name, "0", "0", "already there", "", "")
    return table


def forecast_lines(forecast: Forecast, room: Room, output: Path, *, load: float | None = None) -> list[str]:
    """What a study takes in all, and what this machine offers.

    Args:
        forecast: of the study.
        room: of this machine.
        output: folder of the study.
        load: as for `busy_line`.
    """
    facts, seconds = forecast.facts, forecast.seconds
    networks, workers, threads = int(facts["networks"]), forecast.workers, forecast.threads
    lines = [
        f"{facts['recordings']} recordings, {facts['nodes']} nodes with {facts['candidates']} candidates, "
        f"{facts['layers']} layers of {networks} network{'s' * (networks > 1)}; "
        f"{workers} process{'es' * (workers > 1)} at a time, {threads} thread{'s' * (threads > 1)}"
    ]
    if facts["read"] < 1:
        lines[0] += f" (from {facts['read']:.1%} of the files, drawn at random)"
    if not any(stage.results or stage.pages for stage in forecast.stages):
        return [*lines, f"everything is there already, in {output}"]
    lines.append(f"time:   {about(seconds)} ({_bare(SECONDS[0] * seconds)} to {_bare(SECONDS[1] * seconds)})")
    lines.append(f"memory: {_sizes(forecast.memory, MEMORY)} together, {size(forecast.process)} in the largest process")
    if room.memory is not None and room.free is not None:
        lines[-1] += f"; {size(room.memory)} here, of which {size(room.free)} free now"
    meanwhile = f", {size(forecast.most_disk)} meanwhile" if forecast.most_disk > 1.02 * forecast.disk else ""
    lines.append(f"disk:   {_sizes(forecast.disk, DISK)} in {output}{meanwhile}; {size(room.disk)} free")
    if forecast.temporary:
        free = "" if room.same else f"; {size(room.temporary)} free"
        lines.append(f"        {size(forecast.temporary)} meanwhile in {tempfile.gettempdir()}{free}")
    return [*lines, *busy_line(load)]


def load_now() -> float:
    """Mean number of programs that computed in the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def busy_line(load: float | None = None) -> list[str]:
    """A sentence if other programs use the processors now, else none; watches them while this process waits.

    Args:
        load: that of the other programs, by `load_now` before this process began to compute; `None`: the load now.
    """
    load = load_now() if load is None else load
    if load <= BUSY * cores() or _share_in_use() <= BUSY:  # the load is also that of the minute before
        return []
    slower = 1 + load / max(cores(), os.cpu_count() or 1)  # each program gets an equal share; the load is the machine's
    return [
        f"Other programs use the {cores()} processors now (load {load:.1f}). Expected times are those of an idle "
        f"machine; now, beside other programs, about {slower:.{0 if slower > MANY_TIMES else 1}f} times longer."
    ]


def _share_in_use() -> float:
    """Share of this process's processors that work; 1 where the system does not tell."""
    try:
        before = _ticks()
        time.sleep(MOMENT)
        busy, idle = (now - then for now, then in zip(_ticks(), before, strict=True))
    except (OSError, ValueError):
        return 1.0
    return busy / (busy + idle) if busy + idle else 1.0


def _ticks() -> tuple[int, int]:
    """(busy, idle) time of this process's processors since the machine started, in the system's unit."""
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)} if hasattr(os, "sched_getaffinity") else {"cpu"}
    busy = idle = 0
    for line in STAT.read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name in mine:
            user, nice, system, waits, disk, *others = map(int, fields[:8])
            busy, idle = busy + user + nice + system + sum(others), idle + waits + disk
    return busy, idle


def _bare(seconds: float) -> str:
    return about(seconds).removeprefix("about ")


def _sizes(value: float, ends: tuple[float, float]) -> str:
    return f"about {size(value)} ({size(ends[0] * value)} to {size(ends[1] * value)})"
