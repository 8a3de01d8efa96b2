"""Runs of a study in processes of their own that are killed at chosen moments, and what is left of them."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
from stgcnlib.cli import main
main()
"""
COMMAND = [sys.executable, "-P", "-c", SCRIPT]
MARK = "STGCNLIB_KILLED_RUN"
TIMES = {"zarr.json", "network.pt", "history.parquet"}
"""Files of artefacts that hold times of the clock."""


@dataclass
class Counts:
    """What happened to the runs of a study."""

    injected: int = 0
    survived: int = 0
    lost: int = 0
    orphans: int = 0
    left: int = 0
    by: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


class Place:
    """A folder for one study and its runs, which have their own temporary files and know each other by a variable."""

    def __init__(self, home: Path, study: dict[str, Any], *arguments: str) -> None:
        self.output, self.temporary, self.runtime = home / "out", home / "tmp", home / "jupyter"
        for folder in (self.temporary, self.runtime):
            folder.mkdir(parents=True)
        self.log, file, self.mark = home / "log.txt", home / "study.yml", uuid.uuid4().hex
        file.write_text(yaml.safe_dump(study))
        self._command = [*COMMAND, "run", str(file), "--output", str(self.output), *arguments]

    def start(self) -> subprocess.Popen[bytes]:
        """A run."""
        environment = os.environ | {
            MARK: self.mark, "TMPDIR": str(self.temporary), "JUPYTER_RUNTIME_DIR": str(self.runtime),
        }  # fmt: skip
        with self.log.open("wb") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment
            )

    def finish(self) -> None:
        """A run to its end."""
        assert self.start().wait(900) == 0, self.log.read_text()

    def processes(self) -> dict[int, str]:
        """All that runs for this study, see `processes`."""
        return processes(self.mark)

    def made(self) -> dict[str, tuple[str, int]]:
        """Finished artefacts and notebooks, and what tells that one was made again."""
        found = {}
        for manifest in (self.output / "artefacts").rglob("*.manifest.json"):
            with suppress(OSError, ValueError, KeyError):
                found[str(json.loads(manifest.read_text())["artefact"])] = ("made", manifest.stat().st_mtime_ns)
        with suppress(OSError, ValueError, KeyError):
            for name in json.loads((self.output / "stages.json").read_text())["notebooks"]:
                with suppress(OSError):
                    file = self.output / "notebooks" / f"{name}.ipynb"
                    found[f"notebook {name}"] = ("ran", file.stat().st_mtime_ns)
        return found

    def files(self) -> set[str]:
        """All files in the output folder, locks apart."""
        found = (path.relative_to(self.output) for path in self.output.rglob("*") if not path.is_dir())
        return {path.as_posix() for path in found if path.suffix != ".lock"}

    def left(self) -> list[str]:
        """What lies where temporary files do, and unfinished artefacts."""
        unfinished = self.output / "artefacts" / ".unfinished"
        return [str(path) for folder in (self.temporary, self.runtime, unfinished) for path in folder.glob("*")]

    def contents(self) -> dict[str, bytes]:
        """The bytes of all artefacts and tables, but of files that hold times."""
        folders = (self.output / "artefacts", self.output / "tables")
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {
            path.relative_to(self.output).as_posix(): path.read_bytes()
            for path in files
            if path.name not in TIMES and not path.name.startswith(".") and ".manifest." not in path.name
            and ".locks" not in path.parts
        }  # fmt: skip


def processes(mark: str) -> dict[int, str]:
    """What runs with a value of the variable `MARK`: number of a process -> what it is.

    "source" is what others are forked from; of these "kernel" runs a notebook's cells, "process" makes artefacts.
    "notebook" drives kernels, "worker" is Dask's, and "other" all else, such as the run itself.
    """
    found: dict[int, str] = {}
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if state != "Z":
                number = int(folder.name)
                parents[number], found[number] = int(parent), _kind(words, folder / "fd" / "0")
    # The source and what it forks have the same command: its parent is the run, or Dask's worker.
    forked = {number for number, what in found.items() if what in ("process", "kernel")}
    return {n: what if n not in forked or parents[n] in forked else "source" for n, what in found.items()}


def _kind(words: list[str], stdin: Path) -> str:
    if "stgcnlib.pipeline.source" in words:
        return "kernel" if stdin.readlink() == Path(os.devnull) else "process"
    if "stgcnlib.pipeline.execute" in words:
        return "notebook"
    return "worker" if any("multiprocessing.spawn" in word for word in words) else "other"


def wait_while(condition: Callable[[], Any], seconds: float) -> bool:
    """Wait until something no longer is; whether that came in time."""
    end = time.monotonic() + seconds
    while condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


# -- moments: each gives, for a place, what changes when it comes --------------------------------


def _seen(folder: Path, pattern: str) -> frozenset[tuple[str, int]]:
    found = set()
    for path in folder.glob(pattern):
        with suppress(OSError):
            found.add((str(path), path.stat().st_mtime_ns))
    return frozenset(found)


MOMENTS: dict[str, Callable[[Place], Any]] = {
    "an artefact is there": lambda place: _seen(place.output, "artefacts/**/*.manifest.json"),
    "a file is being written": lambda place: _seen(place.output, "artefacts/.unfinished/*/new/*"),
    "a file lies beside its place": lambda place: _seen(place.output, "**/.stgcnlib-*"),
    "an epoch is over": lambda place: _seen(place.output, "artefacts/.unfinished/training__*/*/training.ckpt"),
    "a task is over": lambda place: _seen(place.output, "artefacts/.unfinished/*/*/tasks/*/*"),
    "a notebook begins": lambda place: _seen(place.output, "notebooks/*") | {
        (str(number), 0) for number, what in place.processes().items() if what == "kernel"
    },
    "a page is written": lambda place: _seen(place.output, "index.html"),
    "some time": lambda place: int(time.monotonic() / 0.7),
}  # fmt: skip

SIGNALS = {"killed": signal.SIGKILL, "ended": signal.SIGTERM, "interrupted": signal.SIGINT}


@dataclass(frozen=True)
class Kill:
    """Which process gets which signal, when something has changed for the n-th time, and how many seconds later."""

    victim: str
    how: str
    moment: str
    times: int
    later: float

    def __str__(self) -> str:
        return f"{self.victim} {self.how} when {self.moment} ({self.times}, {self.later:.2f} s later)"


def plan(seed: int) -> Iterator[Kill]:
    """Kills without end: all victims, signals and moments in turn, in an order by the seed."""
    rng = random.Random(seed)
    run = [("run", how) for how in ("killed", "killed", "killed", "ended", "interrupted")]
    victims = [*run, *((other, "killed") for other in ("process", "process", "kernel", "source", "notebook"))]
    moments = [moment for moment in MOMENTS for _ in range(2)]
    while True:
        for (victim, how), moment in zip(
            rng.sample(victims, len(victims)), rng.sample(moments, len(victims)), strict=True
        ):
            yield Kill(victim, how, moment, rng.randint(1, 3), rng.choice([0.0, 0.0, rng.uniform(0, 0.4)]))


def strike(place: Place, run: subprocess.Popen[bytes], kill: Kill) -> bool:
    """Wait for the moment and send the signal; `False` if the run ended before."""
    look = MOMENTS[kill.moment]
    for _ in range(kill.times):
        before = look(place)
        while look(place) == before:
            if run.poll() is not None:
                return False
            time.sleep(0.003)
    time.sleep(kill.later)
    while run.poll() is None:
        victims = [run.pid] if kill.victim == "run" else [n for n, w in place.processes().items() if w == kill.victim]
        if victims:
            with suppress(ProcessLookupError):
                os.kill(max(victims), SIGNALS[kill.how])
                return True
        time.sleep(0.003)
    return False


def kill_and_go_on(
    place: Place, kills: Iterator[Kill], count: int, *, say: Callable[[str], None] = lambda _: None
) -> Counts:
    """Start runs of a study and kill them until so many kills were injected or it is finished; then finish it.

    A kill is survived if nothing of the run works on, what ended by itself said why, and the next run goes on.
    """
    counts = Counts()
    before: dict[str, tuple[str, int]] = {}
    done = False
    while not done:
        kill = next(kills) if counts.injected < count else None
        run = place.start()
        struck = kill is not None and strike(place, run, kill)
        if kill is not None and struck:
            counts.injected += 1
            counts.by[kill.victim] = counts.by.get(kill.victim, 0) + 1
        code = run.wait(600)
        if not wait_while(place.processes, 20):
            counts.orphans += len(remaining := place.processes())
            counts.said.append(f"{kill}: works on: {remaining}")
            for number in remaining:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        said = place.log.read_text()
        after = place.made()
        lost = [name for name, when in before.items() if after.get(name) != when]
        counts.lost += len(lost)
        if lost:
            counts.said.append(f"made again before {kill}: {lost}")
        fine = "Traceback" not in said and (struck or code == 0)
        if not fine:
            counts.said.append(f"{kill}: exit code {code}: {said[-1500:]}")
        if struck:
            counts.survived += fine
        say(f"{counts.injected:3d} {kill if struck else 'no kill'}: exit code {code}, {len(after)} things made")
        before, done = after, code == 0 or not fine
    counts.left = len(place.left())
    counts.said += place.left()
    return counts


def differences(one: Place, other: Place) -> list[str]:
    """Names of artefacts, tables and other files that differ between two finished studies, seconds apart."""
    first, second = one.contents(), other.contents()
    differ = [name for name in first.keys() & second.keys() if not _alike(name, first[name], second[name])]
    return sorted({*differ, *(first.keys() ^ second.keys()), *(one.files() ^ other.files())})


def _alike(name: str, one: bytes, other: bytes) -> bool:
    if one == other or not name.endswith(".parquet"):
        return one == other
    tables = [pd.read_parquet(io.BytesIO(each)).drop(columns="seconds", errors="ignore") for each in (one, other)]
    return tables[0].equals(tables[1])
