"""tools/install.py and the Makefile's set-up: what is printed, what a failure and a cut-off installation leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "install.py"


def wheel(folder: Path, name: str) -> Path:
    """A package of one empty module."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return file


def install(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), "two toys", str(log), "--no-index", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_an_installation_is_three_lines_and_a_log(tmp_path: Path) -> None:
    files = [str(wheel(tmp_path, name)) for name in ("toy_one", "toy_two")]
    log = tmp_path / "install.log"
    result = install(log, "--target", str(tmp_path / "there"), *files)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("installing two toys into ")
    assert "2 packages found and fetched in" in lines[1]
    assert "2 packages installed" in lines[2]
    assert (tmp_path / "there" / "toy_two.py").exists()
    assert "Successfully installed" in log.read_text()
    assert not (tmp_path / "install.unfinished").exists()


def test_a_failure_shows_what_pip_said_last(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    result = install(log, "no-such-package-anywhere")
    assert result.returncode == 1
    assert "No matching distribution found for no-such-package-anywhere" in result.stderr
    assert str(log) in result.stderr
    assert not (tmp_path / "install.unfinished").exists()  # nothing was unpacked, so nothing is half-written


@pytest.mark.parametrize("named", [True, False])
def test_an_index_that_does_not_answer_is_told_at_once(tmp_path: Path, named: bool) -> None:
    nowhere = "http://127.0.0.1:9/simple"
    log = tmp_path / "install.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    given = [] if named else ["--index-url", nowhere]
    result = subprocess.run(
        [sys.executable, str(TOOL), "a toy", str(log), "--retries", "1", *given, "no-such-package-anywhere"],
        capture_output=True,
        text=True,
        env=environment | ({"PIP_INDEX_URL": nowhere} if named else {}),
    )
    assert result.returncode == 1
    told = [line for line in result.stdout.splitlines() if "does not answer" in line]
    assert len(told) == 1
    assert "(/simple/no-such-package-anywhere/)" in told[0]
    assert str(log) in told[0]
    assert ("unset PIP_INDEX_URL" in told[0]) == named


def test_a_kill_leaves_a_mark(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    command = [sys.executable, str(TOOL), "toys", str(log), "--no-index", str(wheel(tmp_path, "toy_one"))]
    process = subprocess.Popen([*command, "--target", str(tmp_path / "there")], stdout=subprocess.PIPE, text=True)
    mark = tmp_path / "install.unfinished"
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert mark.exists()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile with an environment that says it is ready; pip is never asked."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    for name in (".ready", ".compiled", ".ready-dev"):
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def planned(clone: Path, target: str) -> str:
    return subprocess.run(["make", "-n", target], cwd=clone, capture_output=True, text=True, check=True).stdout


def test_a_report_installs_the_package_alone(clone: Path) -> None:
    assert "install.py" not in planned(clone, "report")
    assert "install.py" not in planned(clone, "test")
    (clone / ".venv" / ".ready-dev").unlink()
    assert "install.py" not in planned(clone, "report")
    for target in ("test", "lint", "format", "install"):
        assert planned(clone, target).count("install.py") == 1
        assert "--editable '.[dev]'" in planned(clone, target)
    (clone / ".venv" / ".ready").unlink()
    assert planned(clone, "report").count("install.py") == 1
    assert "--editable ." in planned(clone, "report")
    assert "[dev]" not in planned(clone, "report")
    for target in ("report", "test", "install"):
        assert planned(clone, target).count("stgcnlib compile") == 1
    assert "stgcnlib compile" not in planned(clone, "lint")
    assert planned(clone, "test").count("install.py") == 2


def test_an_installation_that_was_cut_off_is_made_anew(clone: Path) -> None:
    time.sleep(0.02)  # the mark is newer than what is ready
    (clone / ".venv" / "install.unfinished").touch()
    assert "venv --clear" in planned(clone, "report")
    assert planned(clone, "test").count("install.py") == 2


def test_help_lists_every_target_with_a_description() -> None:
    result = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    shown = [line.split()[0] for line in result.stdout.splitlines()]
    (listed,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")]
    assert sorted(shown) == sorted(listed.split()[1:])
