"""What `stgcnlib doctor` finds wrong on a machine that is made to lack something."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stgcnlib import cli, doctor
from stgcnlib.doctor import Finding
from stgcnlib.pipeline.estimate import Room
from stgcnlib.pipeline.verify import Health

ROOM = Room(disk=10**12, temporary=10**12, same=False, memory=10**11, free=10**11, files=10**6)


@pytest.fixture(autouse=True)
def sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with room for everything, whatever the real one has."""
    monkeypatch.setattr(doctor, "find_room", lambda folder: ROOM)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(doctor, "LONGEST_TEMPORARY", 1000)
    for name in doctor.THREAD_VARIABLES:
        monkeypatch.setenv(name, "2")


def test_a_sound_machine(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["doctor", str(tmp_path / "reports")])
    assert result.exit_code == 0, result.output
    for word in (
        "numpy",
        "torch",
        "OMP_NUM_THREADS=2",
        "GPU",
        "100 GB",
        "1,000,000 more files",
        "kernels",
        "would stop",
    ):
        assert word in " ".join(result.output.split())
    assert not (tmp_path / "reports").exists()


def lacking(monkeypatch: pytest.MonkeyPatch, **room: int) -> None:
    monkeypatch.setattr(doctor, "find_room", lambda folder: replace(ROOM, **room))


def old(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "0.1.2+cpu" if name == "torch" else real(name))


def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError(f"cannot import name 'Integral' of {name}")

    monkeypatch.setattr(doctor, "import_module", broken)


def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda patch: lacking(patch, free=10**9), r"memory: 1\.0 GB free; .* end other programs"),
        (lambda patch: lacking(patch, disk=10**9), r"1\.0 GB free; a small study takes 2\.0 GB; choose another disk"),
        (lambda patch: lacking(patch, files=10), r"room for 10 more files; .* remove files"),
        (lambda patch: lacking(patch, temporary=10**6), r"1 MB free; set TMPDIR"),
        (
            lambda patch: patch.setenv("OMP_NUM_THREADS", "many"),
            r"OMP_NUM_THREADS=many is no number; unset|no number of",
        ),
        (old, r"torch 0\.1\.2\+cpu is older than 2\.10; install the package again"),
        (hidden, r"numpy cannot be imported \(ImportError: cannot import name 'Integral' of numpy\)"),
        (nowhere, r"No usable temporary directory found.*set TMPDIR"),
        (
            lambda patch: patch.setattr("resource.getrlimit", lambda _: (64, 64)),
            r"open files: 64 at a time .* ulimit -n",
        ),
    ],
)
def test_what_would_stop_a_study_is_named_with_its_mend(
    make: Callable[[pytest.MonkeyPatch], None], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make(monkeypatch)
    result = CliRunner().invoke(cli.app, ["doctor", str(tmp_path)])
    assert result.exit_code == 1, result.output
    problems = [line for line in result.stderr.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 1
    assert re.search(said, problems[0]), problems[0]


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    (finding,) = [each for each in doctor.examine(tmp_path / "taken" / "reports") if each.name == "disk"]
    assert "taken is a file, not a folder" in finding.problem


def test_a_long_temporary_folder_is_said_and_no_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "LONGEST_TEMPORARY", 5)
    (finding,) = [each for each in doctor.examine(tmp_path) if each.name == "temporary"]
    assert "too long for a socket" in finding.found
    assert not finding.problem


def test_a_study_that_lies_there_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(folder: Path) -> Finding:
        (finding,) = [each for each in doctor.examine(folder) if each.name == "study"]
        return finding

    (tmp_path / "study.yml").write_text("name: mine")
    assert "no results yet" in found(tmp_path).problem
    monkeypatch.setattr(doctor, "verify_study", lambda folder: Health(3, 7, 10**6, ()))
    assert found(tmp_path) == Finding("study", f"{tmp_path}: 3 results in 7 files, 1 MB")
    monkeypatch.setattr(doctor, "verify_study", lambda folder: Health(3, 7, 10**6, ("a is damaged", "b is gone")))
    assert found(tmp_path).problem == f"a is damaged ('stgcnlib verify {tmp_path}' lists all 2)"
