"""Processes that are killed while they write artefacts and while they train: whole or not there, and no epoch twice."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from stgcnlib.artefacts import JSON, Artefact, Artefacts, Form, Line, Tasks, table_of
from stgcnlib.artefacts.store import Store
from stgcnlib.pipeline.kernels import KernelSource
from stgcnlib.pipeline.workers import Workers
from stgcnlib.sequences import SequenceSet

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

HERE = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2]), *sys.path])}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    source = KernelSource()
    source.start(HERE)
    workers = Workers(1, source, HERE | {"OMP_NUM_THREADS": "1"})
    try:
        workers.submit(abs, -1).result()
        yield workers
    finally:  # after a failure its process may never finish what it does
        workers.shutdown(wait=False)
        source.stop()


def kill_after(file: Path, seconds: float, workers: Workers, working: Future[Any]) -> None:
    """Kill the process that works, so long after it has written to a file."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    while not (file.exists() and file.stat().st_mtime_ns != before):
        assert not working.done(), working.exception()
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(workers._all[-1].process.pid, signal.SIGKILL)
    with pytest.raises(BrokenExecutor):
        working.result(60)


# -- the store -----------------------------------------------------------------------------------


class Settings(BaseModel):
    seed: int = 0


def tabled(settings: Any) -> pd.DataFrame:
    return pd.DataFrame({"value": np.arange(2000) + settings.seed})


def foldered(settings: Any, path: Path) -> None:
    path.mkdir()
    for number in range(4):
        (path / f"{number}.txt").write_text(f"{settings.seed}\n" * 2000)


def squared(seed: int, item: int) -> int:
    return item * item + seed


def tasked(settings: Any, tasks: Tasks) -> list[int]:
    return list(tasks.map(squared, settings.seed, range(4)))


def read_folder(path: Path) -> set[str]:
    return {line for file in sorted(path.glob("*.txt")) for line in file.read_text().split("\n")}


LINE = Line(
    (
        Artefact("tabled", tabled, table_of({"value": "i"}), settings=("seed",), tables={"tabled": ""}),
        Artefact("foldered", foldered, Form("", read_folder, None), settings=("seed",)),
        Artefact("tasked", tasked, JSON, settings=("seed",)),
    ),
    {},
)
NAMES = tuple(LINE.artefacts)


def make_over_and_over(folder: Path, first: int) -> None:
    for seed in count(first):
        for name in NAMES:
            Artefacts(LINE, Settings(seed=seed), folder).make(name)
        (folder / "turns.txt").write_text(str(seed))


def right(name: str, value: Any, seed: int) -> bool:
    match name:
        case "tabled":
            return bool((value["value"].to_numpy() == np.arange(2000) + seed).all())
        case "foldered":
            return bool(value == {str(seed), ""})
    return bool(value == [item * item + seed for item in range(4)])


@pytest.mark.parametrize("kills", [20, pytest.param(300, marks=pytest.mark.long)])
def test_an_artefact_is_whole_or_not_there(
    workers: Workers, tmp_path: Path, kills: int, tally: Callable[..., None]
) -> None:
    rng = random.Random(kills)
    survived, hit, seed, turns = 0, set(), 0, tmp_path / "turns.txt"
    for _ in range(kills):
        working = workers.submit(make_over_and_over, tmp_path, seed)
        kill_after(turns, rng.uniform(0, 0.05), workers, working)
        there: dict[str, int] = {}
        fine = True
        for name in NAMES:
            form = LINE.artefacts[name].form
            assert form is not None
            if about := Store(tmp_path / "artefacts").about(name, form):
                there[name] = about["from"]["settings"]["seed"]
                look = Artefacts(LINE, Settings(seed=there[name]), tmp_path)
                fine &= look.store.holds(name, form, look.key(name))
                fine &= right(name, look.store.load(name, form), there[name])
        hit.add(frozenset(there))
        survived += fine
        seed = max(there.values(), default=seed) + 1
    artefacts = Artefacts(LINE, Settings(seed=seed), tmp_path)
    assert all(right(name, artefacts[name], seed) for name in NAMES)
    artefacts.store.clear_unfinished()
    left = [path for path in tmp_path.rglob(".*") if path.name not in (".locks", ".unfinished", ".stamps.json")]
    left += (tmp_path / "artefacts" / ".unfinished").iterdir()
    tally("kills of writers", injected=kills, survived=survived, left=len(left))
    assert survived == kills
    assert left == []
    assert pd.read_parquet(tmp_path / "tables" / "tabled.parquet")["value"][0] == seed
    assert len(hit) > 1  # some came while an artefact was replaced


# -- a training ----------------------------------------------------------------------------------

EPOCHS, PAUSE = 10, 0.03


def train(recordings: SequenceSet, folder: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """A training's history and weights; `folder` keeps it, and is told as an epoch begins."""
    from stgcnlib.networks import load_network
    from stgcnlib.training import fit
    from stgcnlib.training.loop import Task

    begin = Task.on_train_epoch_start

    def told(self: Task) -> None:
        with (folder / "begun.txt").open("a") as file:
            file.write(f"{self.current_epoch}\n")
        time.sleep(PAUSE)
        begin(self)

    Task.on_train_epoch_start = told  # type: ignore[method-assign]
    try:
        network = load_network("st-gcn", layout=recordings.layout, classes=2, channels=3, width=4, depth=2, seed=5)
        history = fit(network, recordings, epochs=EPOCHS, batch_size=4, checkpoint_dir=folder, seed=5).history
    finally:
        Task.on_train_epoch_start = begin  # type: ignore[method-assign]
    return history.drop(columns="seconds"), {k: v.numpy().tobytes() for k, v in network.state_dict().items()}


def begun(folder: Path) -> list[int]:
    file = folder / "begun.txt"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 6))])
def test_a_training_goes_on_from_the_epoch_before(
    workers: Workers, small_set: SequenceSet, tmp_path: Path, seed: int, tally: Callable[..., None]
) -> None:
    folders = tmp_path / "whole", tmp_path / "killed"
    for folder in folders:
        folder.mkdir()
    expected = workers.submit(train, small_set, folders[0]).result(120)
    assert begun(folders[0]) == list(range(EPOCHS))

    rng = random.Random(seed)
    kills, killed = 3, folders[1]
    for _ in range(kills):
        working = workers.submit(train, small_set, killed)
        kill_after(killed / "begun.txt", rng.uniform(0, 2 * PAUSE), workers, working)
    history, weights = workers.submit(train, small_set, killed).result(120)
    again = len(begun(killed)) - EPOCHS
    tally("kills of trainings", injected=kills, survived=kills, **{"epochs trained again": again})
    assert again <= kills
    pd.testing.assert_frame_equal(history, expected[0])
    assert weights == expected[1]
    left = {path.name for path in killed.iterdir()}
    assert left == {"training.ckpt", "begun.txt"}
