"""Room: the disk and memory that this machine offers, and the refusal of a study that does not fit."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stgcnlib.errors import StudyError
from stgcnlib.pipeline.estimate.forecast import DISK, FILES, MEMORY, Forecast
from stgcnlib.pipeline.study import Study

__all__ = ["Room", "check_room", "find_room", "size"]

GIB = 2**30
OWN_GROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""File with the control groups of this process (of a container, or a job of a cluster), and folder of their limits."""


@dataclass(frozen=True)
class Room:
    """What there is, in bytes; `None` where the system does not tell.

    Attributes:
        disk: free on the output's disk.
        temporary: free in the temporary folder; counted already in `disk` where `same` is true.
        same: whether both are on one disk.
        memory: that processes may have, by the machine or by the limit of its container or job.
        free: of that, what is not in use.
        files: how many more files and folders the output's disk can hold; `None` where it counts none.
    """

    disk: int
    temporary: int
    same: bool
    memory: int | None
    free: int | None
    files: int | None = None


def find_room(output: Path) -> Room:
    """What there is for a study in this folder, which need not exist."""
    home, other = _existing(output.absolute()), Path(tempfile.gettempdir())
    total, free = _memory()
    return Room(
        shutil.disk_usage(home).free, shutil.disk_usage(other).free, home.stat().st_dev == other.stat().st_dev,
        total, free, _free_files(home),
    )  # fmt: skip


def check_room(forecast: Forecast, room: Room, study: Study, output: Path) -> list[str]:
    """Refuse a study that cannot fit; returns warnings about what may not fit.

    Raises:
        StudyError: even the lowest expected need is more than there is; names what is short, and what to change.
    """
    warned: list[str] = []
    needed = [
        ("the output's disk", forecast.most_disk + room.same * forecast.temporary, DISK, room.disk,
         f"free for {output}", ("give --output on a larger disk", *_smaller(study, disk=True))),
        ("the temporary folder", 0.0 if room.same else forecast.temporary, DISK, room.temporary,
         f"free in {tempfile.gettempdir()}", ("set TMPDIR to a folder on a larger disk", *_smaller(study, disk=False))),
        ("memory, for all processes together", forecast.memory, MEMORY, room.memory,
         "here", (*_fewer(forecast), *_smaller(study, disk=False))),
    ]  # fmt: skip
    limit = study.compute.memory_limit
    if limit is not None:
        needed.append(
            ("memory, for one process", forecast.process, MEMORY, int(limit * GIB), "allowed by compute.memory_limit",
             ("raise compute.memory_limit", *_smaller(study, disk=False)))
        )  # fmt: skip
    for what, expected, (low, high), there, where, mends in needed:
        if there is None:
            continue
        told = f"{what}: about {size(expected)} needed ({size(low * expected)} to {size(high * expected)}), "
        told += f"{size(there)} {where}"
        if low * expected > there:
            raise StudyError(f"the study does not fit. {told}; {', or '.join(mends)}")
        if high * expected > there:
            warned.append(f"{told}; it may not be enough")
    if room.files is not None and FILES[1] * forecast.files > room.files:
        told = f"files on the output's disk: about {forecast.files} needed, the disk can hold {room.files} more"
        if FILES[0] * forecast.files > room.files:
            raise StudyError(f"the study does not fit. {told}; remove files there, or give --output on another disk")
        warned.append(f"{told}; it may not be enough")
    if room.free is not None and room.memory is not None and room.free < forecast.memory <= room.memory:
        warned.append(f"{size(room.free)} of {size(room.memory)} memory is free now, and about "
                      f"{size(forecast.memory)} needed; end other programs first")  # fmt: skip
    return warned


def size(count: float) -> str:
    """Bytes in words, rounded as an estimate: "35 MB", "1.4 GB", "120 GB"."""
    if count < 0.95e9:
        return f"{max(1, round(count / 1e6)):d} MB" if count < 1e8 else f"{round(count / 1e7) * 10:d} MB"
    return f"{count / 1e9:.1f} GB" if count < 9.95e9 else f"{count / 1e9:.0f} GB"


def _smaller(study: Study, *, disk: bool) -> list[str]:
    """What makes the study smaller, in words."""
    mends = ["take fewer nodes with graph.sample"]
    if study.layers is None:
        mends.append("choose fewer layers with layers")
    if disk and study.activations.dtype == "float32":
        mends.append("keep features in half precision with activations.dtype: float16")
    if disk and study.compute.activations == "keep":
        mends.append("record features again when they are read with compute.activations: auto")
    if not disk and study.graph.distances == "all":
        mends.append("set graph.distances to auto")
    if disk and study.controls.untrained + study.controls.initial > 1:
        mends.append("fewer controls with controls.untrained and controls.initial")
    return mends


def _fewer(forecast: Forecast) -> list[str]:
    return ["use --workers 1"] if forecast.workers > 1 else []


def _free_files(folder: Path) -> int | None:
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(folder)
    return found.f_favail if found.f_files else None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _memory() -> tuple[int | None, int | None]:
    """(memory that processes may have, of that what is free), as far as the system tells."""
    if not sys.platform.startswith("linux"):
        return None, None
    total = free = None
    try:
        told = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        total, free = (int(told[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        return None, None
    for limit, used in _limits():
        try:
            most, now = (int(file.read_text(encoding="ascii")) for file in (limit, used))
        except (OSError, ValueError):  # none, or "max"
            continue
        total, free = min(total, most), min(free, max(0, most - now))
    return total, free


def _limits() -> Iterator[tuple[Path, Path]]:
    """Files with the limit of memory of each group that this process is in, and with what the group uses."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            home, names = GROUPS, ("memory.max", "memory.current")
        elif "memory" in kinds.split(","):  # version 1
            home, names = GROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            group = home.joinpath(*parts[:depth])
            yield group / names[0], group / names[1]
