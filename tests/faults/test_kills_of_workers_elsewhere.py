"""Runs whose results Dask workers make: the run, a worker, or a process of a worker is killed, again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from killing import MARK, MOMENTS, Place, differences, processes, wait_while
from small_study import SMALL

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc"),
]

STUDY = {**SMALL, "graph": {"k": 4, "distances": "neighbours"}}
VICTIMS = ("worker", "process", "run") * 3


@contextmanager
def workers(home: Path, mark: str) -> Iterator[Path]:
    """The file of a scheduler with two workers, each of which is started again when it dies."""
    file = home / "scheduler.json"
    (home / "tmp").mkdir()
    environment = os.environ | {MARK: mark, "TMPDIR": str(home / "tmp")}
    options = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0"],
        "worker": ["--nworkers", "2", "--nthreads", "1", "--local-directory", str(home / "dask")],
    }
    running = []
    try:
        for what, more in options.items():
            module = f"distributed.cli.dask_{what}"
            command = [sys.executable, "-m", module, "--scheduler-file", str(file), "--no-dashboard", *more]
            with (home / f"{what}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
            assert wait_while(lambda: not file.exists(), 60)
        yield file
    finally:
        for process in reversed(running):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def test_a_study_goes_on_whoever_is_killed(tmp_path: Path, tally: Callable[..., None]) -> None:
    undisturbed = Place(tmp_path / "undisturbed", STUDY, "--workers", "2")
    undisturbed.finish()
    cluster, mark = tmp_path / "cluster", f"cluster of {tmp_path}"
    cluster.mkdir()
    injected = survived = 0
    with workers(cluster, mark) as file:
        place = Place(tmp_path / "killed", STUDY, "--workers", "2", "--scheduler", str(file))
        run = place.start()
        for victim in VICTIMS:
            look = MOMENTS["an artefact is there"]
            before = look(place)
            while look(place) == before and run.poll() is None:
                time.sleep(0.01)
            if run.poll() is not None:
                break
            everyone = processes(mark)
            chosen = [run.pid] if victim == "run" else [n for n, what in everyone.items() if what == victim]
            if not chosen:
                continue
            os.kill(max(chosen), signal.SIGKILL)
            injected += 1
            if victim == "run":
                run.wait()
                survived += wait_while(place.processes, 20)
                run = place.start()
            else:
                survived += run.poll() is None
        code = run.wait(600)
        said = place.log.read_text()
        if code != 0 and "Traceback" not in said:  # the workers of one artefact died again and again
            place.finish()
            code = 0
    orphans = 0 if wait_while(lambda: processes(mark), 30) else len(processes(mark))
    left = place.left()
    tally("kills of workers elsewhere", injected=injected, survived=survived, orphans=orphans, left=len(left))
    assert code == 0, said
    assert (survived, orphans, left) == (injected, 0, [])
    assert injected >= 6
    assert differences(place, undisturbed) == []
