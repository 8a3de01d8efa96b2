"""What this machine offers a study: versions, threads, devices, space and permissions, and what would stop one.

`examine` changes nothing: it imports what a study imports, and removes the files with which it tests writing.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from stgcnlib.endings import what_the_system_said
from stgcnlib.errors import OutputError, StgcnlibError
from stgcnlib.files import probe_output
from stgcnlib.pipeline.estimate import Room, find_room, size
from stgcnlib.pipeline.verify import verify_study
from stgcnlib.threads import THREAD_VARIABLES, cores
from stgcnlib.version import __version__

__all__ = ["Finding", "examine"]

LEAST_MEMORY, LEAST_DISK, LEAST_FILES, LEAST_OPEN = 4 * 10**9, 2 * 10**9, 5_000, 256
"""Bytes, bytes, files that can still be made, and files open at a time: the demo study takes about half of each."""
NAMED = ("numpy", "scipy", "numba", "torch", "lightning", "zarr", "pandas", "pyarrow", "papermill", "jupyterlab")
IMPORTED = ("numpy", "numba", "torch", "lightning", "zarr", "pyarrow", "papermill", "ipykernel")
LONGEST_TEMPORARY = 75
"""Most characters of the temporary folder's path with which a socket can be made in it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    Attributes:
        name: what was examined.
        found: what there is, in words.
        problem: why it would stop a study, and the mend; "" if it would not.
    """

    name: str
    found: str
    problem: str = ""


def examine(folder: Path) -> Iterator[Finding]:
    """What there is for a study in `folder`, and whether a study there is undamaged; each finding is given at once."""
    looks: tuple[Callable[[], Finding], ...] = (_python, _packages, _imports, _threads, _blas, _gpu)
    for look in looks:
        yield look()
    room = find_room(folder)
    yield _memory(room)
    yield _disk(folder, room)
    yield _temporary(room)
    yield _open_files()
    yield _kernels()
    if (folder / "study.yml").is_file():
        yield _study(folder)


def _python() -> Finding:
    here = f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding("stgcnlib", here)


def _packages() -> Finding:
    """Whether required packages are installed and new enough; those of extras are not examined."""
    problems = []
    for each in requires("stgcnlib") or []:
        requirement = re.match(r"([\w.-]+)\s*(?:>=\s*([\w.]+))?", each)
        if requirement is None or "extra ==" in each:
            continue
        name, least = requirement.groups()
        try:
            there = version(name)
        except PackageNotFoundError:
            problems.append(f"{name} is missing")
            continue
        if least and _numbers(there) < _numbers(least):
            problems.append(f"{name} {there} is older than {least}")
    found = ", ".join(f"{name} {_version(name)}" for name in NAMED)
    mend = "; install the package again: pip install --upgrade stgcnlib" if problems else ""
    return Finding("packages", found, ", ".join(problems) + mend)


def _imports() -> Finding:
    problems = []
    for name in IMPORTED:
        try:
            import_module(name)
        except Exception as error:  # whatever a broken installation raises
            problems.append(f"{name} cannot be imported ({type(error).__name__}: {' '.join(str(error).split())[:200]})")
    mend = "; install it again, or look for a file of that name that hides it" if problems else ""
    return Finding("imports", f"{len(IMPORTED) - len(problems)} of {len(IMPORTED)} work", ", ".join(problems) + mend)


def _threads() -> Finding:
    chosen = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    wrong = [each for each in chosen if not re.fullmatch(r"\w+=[1-9]\d{0,3}", each)]
    problem = f"{wrong[0]} is no number of threads; unset it, or give a whole number" if wrong else ""
    return Finding("cores", f"{cores()} for this process; {', '.join(chosen) or 'threads are not limited'}", problem)


def _blas() -> Finding:
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    words = [f"{each['internal_api']} {each.get('version') or ''} ({each['num_threads']} threads)"
             for each in threadpool_info()]  # fmt: skip
    return Finding("BLAS, OpenMP", ", ".join(dict.fromkeys(" ".join(each.split()) for each in words)) or "none loaded")


def _gpu() -> Finding:
    try:
        import torch

        found = torch.accelerator.current_accelerator(check_available=True)
        if found is None:
            return Finding("GPU", "none that torch finds; all runs on the processor")
        count = torch.cuda.device_count() if found.type == "cuda" else 0
        names = [torch.cuda.get_device_name(i) for i in range(count)]
        return Finding("GPU", ", ".join(names) or found.type)
    except Exception as error:  # a driver that does not answer is no reason to stop: studies run on the processor
        return Finding("GPU", f"not known ({type(error).__name__}: {' '.join(str(error).split())[:200]})")


def _memory(room: Room) -> Finding:
    if room.memory is None or room.free is None:
        return Finding("memory", "not known on this system")
    problem = ""
    if room.free < LEAST_MEMORY:
        problem = f"memory: {size(room.free)} free; a small study takes {size(LEAST_MEMORY)}; end other programs"
    return Finding("memory", f"{size(room.memory)}, of which {size(room.free)} free now", problem)


def _disk(folder: Path, room: Room) -> Finding:
    files = "" if room.files is None else f", and for {room.files:,} more files"
    found, problem = f"{size(room.disk)} free for {folder}{files}", ""
    try:
        probe_output(folder)
    except OutputError as error:
        return Finding("disk", found, str(error))
    if room.disk < LEAST_DISK:
        problem = f"{folder}: {size(room.disk)} free; a small study takes {size(LEAST_DISK)}; choose another disk"
    elif room.files is not None and room.files < LEAST_FILES:
        problem = f"{folder}: room for {room.files} more files; a small study makes some thousands; remove files there"
    return Finding("disk", found, problem)


def _temporary(room: Room) -> Finding:
    try:
        place = tempfile.gettempdir()
        probe_output(place)
    except OSError as error:
        said = str(error) if isinstance(error, OutputError) else what_the_system_said(error)
        return Finding("temporary", "none can be written to", f"{said}; set TMPDIR to a folder that can be written to")
    found, problem = f"{place}, {size(room.temporary)} free", ""
    if len(place) > LONGEST_TEMPORARY:
        found += "; its path is too long for a socket, so that notebooks start slowly"
    if room.temporary < LEAST_DISK // 20:
        problem = f"{place}: {size(room.temporary)} free; set TMPDIR to a folder on a larger disk"
    return Finding("temporary", found, problem)


def _open_files() -> Finding:
    if sys.platform == "win32":
        return Finding("open files", "not limited")
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    few = 0 <= limit < LEAST_OPEN
    problem = f"open files: {limit} at a time are too few; allow more with: ulimit -n 1024" if few else ""
    return Finding("open files", f"up to {limit:,} at a time", problem)


def _kernels() -> Finding:
    try:
        from stgcnlib.dtw import kernels

        places = {each.stats.cache_path for each in vars(kernels).values() if hasattr(each, "stats")} - {None}
    except Exception as error:  # for example, numba finds no folder for them
        mend = "set NUMBA_CACHE_DIR to a folder that can be written to"
        return Finding("kernels", "cannot be compiled", f"kernels: {' '.join(str(error).split())[:200]}; {mend}")
    if not places:
        return Finding("kernels", "compiled by each process (numba's compiler is switched off, or keeps nothing)")
    place = Path(min(places))
    count = len(list(place.glob("*.nbc")))
    kept = f"{count} compiled, in {place}" if count else f"not compiled yet, they will lie in {place}"
    return Finding("kernels", kept + ("" if os.access(place, os.W_OK) else "; no more can be kept there"))


def _study(folder: Path) -> Finding:
    """Whether all that a study has written is undamaged."""
    try:
        health = verify_study(folder)
    except StgcnlibError as error:
        return Finding("study", f"{folder}: cannot be looked at", str(error))
    found = f"{folder}: {health.artefacts} results in {health.files} files, {size(health.size)}"
    found += f"; {health.unfinished}" if health.unfinished else ""
    more = f" ('stgcnlib verify {folder}' lists all {len(health.problems)})" if len(health.problems) > 1 else ""
    return Finding("study", found, health.problems[0] + more if health.problems else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", text)[0]))
