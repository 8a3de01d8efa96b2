"""A study's command that is killed, or runs out of disk, again and again: what it leaves: processes, files, tables."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml

from stgcnlib.artefacts import MANIFEST
from stgcnlib.pipeline.execute import partial_path

START = "import stgcnlib.pipeline.stages as all; all.STAGES = all.STAGES[:{}]; from stgcnlib.cli import main; main()"
"""The command, for the first so many stages."""
MARK = "STGCNLIB_TEST_KILLED"
"""A variable that every process of a killed study has; its value is the study's folder."""
LONGEST, GONE_WITHIN = 400.0, 30.0
END = "end"
TOLD = "interrupted; what is finished is kept, and the same command goes on from here"


@dataclass(frozen=True)
class Event:
    """Something that a run makes.

    Attributes:
        stage: of the study's stages, the one that it is made in; `END` after the last one.
        done: the file that says that it is made.
        signs: the paths that change while it is made.
    """

    stage: str
    done: Path
    signs: tuple[Path, ...]


@dataclass
class KilledStudy:
    """A study in a folder of its own, and the commands that run it there.

    Attributes:
        home: with the study file, the output and the place for temporary files.
        settings: of the study.
        stages: how many of them there are; `None`: all.
        lost: results that were finished before a kill and were made again.
        orphans, left: processes and files that outlived a kill or the end.
    """

    home: Path
    settings: dict[str, Any]
    stages: int | None = None
    lost: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.output, self.temporary = self.home / "out", self.home / "tmp"
        self.temporary.mkdir(parents=True)
        (self.home / "study.yml").write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        self._made: dict[str, tuple[int, int]] = {}

    def run(self) -> None:
        """Run to the end."""
        process = self._start()
        try:
            code = process.wait(LONGEST)
        finally:
            process.kill()
        assert code == 0, self.complaints()
        self._look([])
        self.left += [f"temporary: {path.name}" for path in self.temporary.iterdir()]
        self.left += [f"unfinished: {path.name}" for path in (self.output / "artefacts" / ".unfinished").glob("*")]

    def kill(self, sign: Path | None, delay: float, how: str) -> bool:
        """Run, and kill the command so many seconds after a path has changed.

        Args:
            sign: below the output; `None`: from the start.
            delay: in seconds.
            how: "kill" and "term" for the command alone, "all" for a kill of each of its processes.

        Returns:
            Whether it was killed; otherwise it came to its end before.
        """
        before = None if sign is None else _state(self.output / sign)
        there = set(self.temporary.rglob("*"))  # of a run before, all of whose processes were killed
        process = self._start()
        family: list[psutil.Process] = []
        try:
            self._wait(process, sign, before, delay)
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(process.pid).children(recursive=True)
            if process.poll() is not None:
                assert process.returncode == 0, self.complaints()
                return False
            process.send_signal(signal.SIGTERM if how == "term" else signal.SIGKILL)
            for each in family if how == "all" else ():
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
            self._look(family)
        if how == "term":
            if code == 0:
                return False
            # Before it has begun, the system ends it.
            assert code == -signal.SIGTERM or (code == 128 + signal.SIGTERM and TOLD in self.complaints()), code
        new = set(self.temporary.rglob("*")) - there
        if how == "term":
            self.left += [f"after SIGTERM: {path.name}" for path in new]
        if how == "kill":  # the others saw it end and removed the keys of connections; the next run removes stores
            connections = [path.name for path in new if path.suffix == ".json" and path.name != "zarr.json"]
            self.left += [f"connection: {name}" for name in connections]
        return True

    def starve(self, sign: Path, delay: float, fill: Callable[[], object]) -> bool:
        """Run, and take what it needs so many seconds after a path has changed; it ends by itself.

        Returns:
            Whether it ended with an error, which has to be of a full disk; otherwise it needed no more.
        """
        before = _state(self.output / sign)
        process = self._start()
        try:
            self._wait(process, sign, before, delay)
            fill()
            code = process.wait(LONGEST)
        finally:
            process.kill()
            process.wait()
            self._look([])
        return code != 0

    def _wait(self, process: subprocess.Popen[bytes], sign: Path | None, before: int | None, delay: float) -> None:
        """Until so many seconds after a path has changed, or the end of the process."""
        deadline = time.monotonic() + LONGEST
        while sign is not None and process.poll() is None and _state(self.output / sign) in (None, before):
            assert time.monotonic() < deadline, f"{sign} did not change"
            time.sleep(0.002)
        with suppress(subprocess.TimeoutExpired):
            process.wait(delay)

    def complaints(self) -> str:
        """What the last command wrote."""
        return (self.home / "stderr.txt").read_text(errors="replace")[-3000:]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-c", START.format(self.stages), "run", "study.yml"]
        command += ["-o", os.path.relpath(self.output, self.home)]
        environment = os.environ | {MARK: str(self.home), "TMPDIR": str(self.temporary)}
        with (self.home / "stderr.txt").open("wb") as errors:
            return subprocess.Popen(
                command, cwd=self.home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, start_new_session=True,
            )  # fmt: skip

    def _look(self, family: list[psutil.Process]) -> None:
        """Wait until no process of the study is left; note those that stay and end them, and what was lost."""
        deadline = time.monotonic() + GONE_WITHIN
        while living := {each for each in (*family, *self._marked()) if _lives(each)}:
            if time.monotonic() > deadline:
                for each in living:
                    with suppress(psutil.Error):
                        self.orphans.append(" ".join(each.cmdline())[:200])
                        each.kill()
                break
            time.sleep(0.02)
        made = {}
        for file in (self.output / "artefacts").rglob(f"*{MANIFEST}"):
            if ".unfinished" not in file.parts:
                state = file.stat()
                made[file.relative_to(self.output).as_posix()] = state.st_ino, state.st_mtime_ns
        self.lost += [name for name, state in self._made.items() if made.get(name) != state]
        self._made = made

    def _marked(self) -> Iterator[psutil.Process]:
        for each in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if each.environ().get(MARK) == str(self.home):
                    yield each


def events(output: Path) -> list[Event]:
    """What a run has made in its folder, in that order."""
    record = json.loads((output / "stages.json").read_text())["notebooks"]
    ends: dict[str, int] = {}
    for name, entry in record.items():
        notebook = output / "notebooks" / f"{name}.ipynb"
        ends[entry["stage"]] = max(ends.get(entry["stage"], 0), notebook.stat().st_mtime_ns)
    found: list[tuple[Path, tuple[Path, ...]]] = []
    for done in (output / "artefacts").rglob(f"*{MANIFEST}"):
        flat = json.loads(done.read_text())["artefact"].replace("/", "__")
        signs = output / "artefacts" / ".locks" / f"{flat}.lock", output / "artefacts" / ".unfinished" / flat, done
        found.append((done, signs))
    for done in (output / "notebooks").glob("*.ipynb"):
        found.append((done, (partial_path(done), done)))
    for done in (output / "pages").glob("*.html"):
        found.append((done, (done,)))
    times = {done: done.stat().st_mtime_ns for done, _ in found}
    return [
        Event(
            next((stage for stage, end in sorted(ends.items(), key=lambda item: item[1]) if times[done] <= end), END),
            done.relative_to(output),
            tuple(sign.relative_to(output) for sign in signs),
        )
        for done, signs in sorted(found, key=lambda item: times[item[0]])
    ]


def choose(rng: random.Random, stage: str, known: list[Event], output: Path) -> Path | None:
    """The sign to kill at, of something in this stage that is not made yet; `None`: there is nothing.

    At the end, pages that are there are written again. A lock that is there stays as it is.
    """
    due = [event for event in known if event.stage == stage and (stage == END or not (output / event.done).exists())]
    if not due:
        return None
    signs = rng.choice(due).signs
    return rng.choice([sign for sign in signs if sign.suffix != ".lock" or not (output / sign).exists()])


def files_of(output: Path) -> set[str]:
    """The files below a folder, but for locks."""
    paths = (path.relative_to(output) for path in output.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if ".locks" not in path.parts}


def differing(folder: Path, other: Path) -> list[str]:
    """The tables that are not the same, byte for byte; of those with a column of seconds, all other columns."""
    found = []
    for path in sorted(folder.glob("*.parquet")):
        twin = other / path.name
        if not twin.is_file():
            found.append(path.stem)
        elif path.read_bytes() != twin.read_bytes():
            one, two = pd.read_parquet(path), pd.read_parquet(twin)
            if "seconds" not in one or not one.drop(columns="seconds").equals(two.drop(columns="seconds")):
                found.append(path.stem)
    return found


def stage_at_work(output: Path, expected: dict[str, int]) -> str:
    """The first stage whose notebooks are not all done.

    Args:
        output: of the study.
        expected: stage -> number of its notebooks, in the order of the run.
    """
    try:
        record = json.loads((output / "stages.json").read_text())["notebooks"]
    except FileNotFoundError:
        record = {}
    done = [entry["stage"] for entry in record.values()]
    return next((stage for stage, count in expected.items() if done.count(stage) < count), END)


def _state(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return None


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
