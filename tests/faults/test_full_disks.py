"""Disks that are full, hold no more files, or cannot be written: one line says so, and with room the work goes on."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from killed_studies import KilledStudy, differing, files_of
from pydantic import BaseModel
from small_study import SMALL

from stgcnlib import SequenceSet, load_network
from stgcnlib.artefacts import ARRAYS, JSON, Artefact, Artefacts, Line, table_of
from stgcnlib.errors import OutputError
from stgcnlib.files import atomic_folder, write_text
from stgcnlib.networks import save_checkpoint
from stgcnlib.pipeline.execute import partial_path
from stgcnlib.pipeline.verify import verify_study

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Makes a disk of memory with these options, or gives the one that is there other options."""
    home = tmp_path / "disk"
    home.mkdir()

    def mount(options: str) -> Path:
        if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root can make small disks")
        change = "remount," if home.is_mount() else ""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{change}{options}", "tmpfs", home], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no small disks can be made here ({done.stderr.decode().strip()})")
        return home

    yield mount
    if home.is_mount():
        subprocess.run(["umount", "--lazy", home], check=True)


class _Settings(BaseModel):
    seed: int = 0


def _numbers(settings: Any) -> dict[str, Any]:
    return {"x": np.random.default_rng(settings.seed).normal(size=12_000)}


def _table(numbers: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({"x": numbers["x"]})


def _text(numbers: dict[str, Any], table: pd.DataFrame) -> list[float]:
    return [float(each) for each in numbers["x"][:4000]]


LINE = Line(
    (
        Artefact("numbers", _numbers, ARRAYS, settings=("seed",)),
        Artefact("table", _table, table_of({"x": "f"}), needs={"numbers": "numbers"}, tables={"table": ""}),
        Artefact("text", _text, JSON, needs={"numbers": "numbers", "table": "table"}),
    ),
    {},
)


def results(home: Path) -> dict[str, bytes]:
    """Content of everything that is made, manifests aside, which tell times."""
    files = [file for file in home.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return {
        file.relative_to(home).as_posix(): file.read_bytes()
        for file in files
        if not file.name.endswith((".manifest.json", ".lock"))
    }


def test_work_goes_on_once_there_is_room(disk: Disk, tmp_path: Path, tally: Callable[..., None]) -> None:
    Artefacts(LINE, _Settings(), tmp_path / "whole").make("text")
    expected = results(tmp_path / "whole")
    limits = [f"size={kib}k,nr_inodes=1k" for kib in (16, 60, 100, 160, 230, 300, 360)]
    limits += [f"size=4m,nr_inodes={count}" for count in range(3, 16, 2)]
    survived = 0
    for i, limit in enumerate(limits):
        home = disk(limit) / str(i)
        with pytest.raises(OSError, match="No space left on device") as refused:
            Artefacts(LINE, _Settings(), home).make("text")
        assert str(home) in str(refused.value)
        assert "\n" not in str(refused.value)
        before = results(home)
        assert before.items() <= expected.items(), limit  # what is there is whole
        disk("size=4m,nr_inodes=1k")
        Artefacts(LINE, _Settings(), home).make("text")
        assert results(home) == expected
        survived += 1
        assert not list(home.rglob(".unfinished/*")), limit
        shutil.rmtree(home)
    tally("full disks", injected=len(limits), survived=survived)


def test_a_disk_that_becomes_read_only(disk: Disk) -> None:
    home = disk("size=4m")
    run = Artefacts(LINE, _Settings(), home / "out")
    run.make("table")
    disk("ro")
    with pytest.raises(OSError, match="Read-only file system"):
        run.make("text")
    assert len(Artefacts(LINE, _Settings(), home / "out")["table"]) == 12_000
    disk("rw")
    Artefacts(LINE, _Settings(), home / "out").make("text")


def test_every_writer_says_that_the_disk_is_full(disk: Disk, small_set: SequenceSet) -> None:
    """Also those of numpy and torch, whose own errors do not name the cause."""
    home = disk("size=100k")
    network = load_network("st-gcn", layout=small_set.layout, classes=2, width=8, depth=3, seed=0)

    def folder() -> None:
        with atomic_folder(home / "folder", ours=Path.exists) as temporary:
            np.save(temporary / "a.npy", np.ones(50_000))

    several: dict[str, Callable[[], Any]] = {
        "set.npz": lambda: SequenceSet([np.random.default_rng(0).normal(size=(900, 20, 3))], layout="kinect-v1").save(
            home / "set.npz"
        ),
        "network.pt": lambda: save_checkpoint(network, home / "network.pt", more=list(range(100_000))),
        "page.html": lambda: write_text(home / "page.html", "x" * 200_000),
        "folder": folder,
    }
    for name, write in several.items():
        with pytest.raises(OutputError, match=f"{name}: cannot be written .No space left on device"):
            write()
        assert list(home.iterdir()) == [], name


def fill(home: Path) -> None:
    """Take all room that is left on a disk."""
    with (home / "filler").open("wb", buffering=0) as stream:
        for size in (2**20, 2**12):
            with contextlib.suppress(OSError):
                while True:
                    stream.write(bytes(size))


def take_files(home: Path) -> None:
    """Take all files that a disk still may hold."""
    (home / "files").mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (home / "files" / str(number)).touch()


# In the order of a run, which goes on from what is there.
SIGNS = {
    "before it begins": Path("artefacts", ".unfinished"),
    "as a page is begun": partial_path(Path("notebooks", "00_data.ipynb")),
    "while results are made": Path("artefacts", ".unfinished", "training__trained"),
    "as a later page is begun": partial_path(Path("notebooks", "03_ds_graphs.ipynb")),
    "as a page is written": Path("pages", "04_geometry.html"),
    "after the last notebook": Path("notebooks", "09_summary.ipynb"),
}


@pytest.mark.long
@pytest.mark.parametrize("take", [fill, take_files])
def test_a_run_goes_on_after_its_disk_was_full(
    disk: Disk, tmp_path: Path, take: Callable[[Path], None], tally: Callable[..., None]
) -> None:
    """Also while pages are made: the command ends with the cause, and with room it comes to the same tables."""
    undisturbed = KilledStudy(tmp_path / "undisturbed", SMALL)
    undisturbed.run()
    study, home = KilledStudy(tmp_path / "starved", SMALL), disk("size=1g,nr_inodes=20k")
    study.output = home / "out"
    injected = 0
    for when, sign in SIGNS.items():
        if study.starve(sign, 0.0, lambda: take(home)):
            injected += 1
            said = study.complaints()
            # Before it begins, the run compares the room that there is with what it needs.
            assert "No space left on device" in said or "the output's disk" in said, (when, said)
            assert "Traceback" not in said, (when, said)
        for taken in (home / "filler", home / "files"):
            shutil.rmtree(taken) if taken.is_dir() else taken.unlink(missing_ok=True)
    study.run()
    tally("disks full during a run", injected=injected, survived=injected)
    assert injected >= len(SIGNS) - 1
    assert differing(undisturbed.output / "tables", study.output / "tables") == []
    assert files_of(study.output) == files_of(undisturbed.output)
    assert verify_study(study.output).problems == ()
    assert (study.lost, study.orphans, study.left) == ([], [], [])
