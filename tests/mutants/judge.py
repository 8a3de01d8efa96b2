"""Mutation tests, room by room: changes one line at a time and asks whether the room's tests notice.

Run as ``make mutants``, or ``python tests/mutants/judge.py --help``. It works in a copy, never in the tree itself.
Heavy libraries are imported once; each mutant is judged by pytest in a fork of that process, with all random seeds set.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sample import Mutant, sample

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
PARTS = ("stgcnlib", "tests", "notebooks", "pyproject.toml")
FIRST_LIMIT = 1800.0


@dataclass(frozen=True)
class Room:
    """What is mutated, and the tests that judge it.

    Attributes:
        files: pattern below the repository -> pattern that a line must match to be mutated.
        tests: files and folders below ``tests``.
        count: mutants in a sample.
        options: further arguments of pytest.
        plain: those instead for mutants in a file of kernels, which run as plain Python: compiling takes minutes.
    """

    files: Mapping[str, str]
    tests: tuple[str, ...]
    count: int = 30
    options: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()


ROOMS = {
    "dtw": Room(
        {"stgcnlib/dtw/*.py": ""},
        ("dtw", "test_ds_graph_lazy.py"),
        count=24,
        plain=(
            "-k",
            "dtw_path or float32-4 or slow_loops and not float or adversarial or any_scale or few_cells or precise"
            " or band_is or nearly or limit_may and normalize",
        ),
    ),
    "dsgraph": Room(
        {"stgcnlib/dsgraph/*.py": ""},
        ("test_dsgraph.py", "test_nnk.py", "test_ds_graph_lazy.py", "test_compiled.py"),
        count=24,
        plain=("-k", "not ds_graph_lazy and not compiled"),
    ),
    "geometry": Room(
        {"stgcnlib/geometry/*.py": ""},
        ("geometry",),
        options=("-k", "not intervals_cover_on_resampled and not swapped_labels_of_the_demo"),
    ),
    "explain": Room({"stgcnlib/explain/*.py": ""}, ("explain",)),
    "verdicts": Room({"stgcnlib/verdicts/*.py": ""}, ("verdicts",)),
    "training": Room(
        {"stgcnlib/training/*.py": ""},
        ("test_training.py", "test_training_augment.py", "test_training_loop.py", "test_training_validation.py"),
    ),
    "readers": Room({"stgcnlib/readers/*.py": ""}, ("readers",)),
    "keys": Room(
        {
            "stgcnlib/artefacts/keys.py": "",
            "stgcnlib/artefacts/sources.py": "",
            "stgcnlib/artefacts/stamps.py": "",
            "stgcnlib/pipeline/line/table.py": "",
            "stgcnlib/pipeline/stages.py": "",
        },
        (
            "artefacts",
            "pipeline/test_line_keys.py",
            "pipeline/test_page_marks.py",
            "pipeline/test_nine_faults.py",
            "pipeline/test_study.py",
            "pipeline/test_stages.py",
        ),
        options=("-k", "not interrupted_run and not ended_while_it_makes"),
    ),
}


@dataclass
class Result:
    """Mutants of a room by outcome."""

    room: str
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def main() -> None:
    """Judge the rooms that are asked for, and print what survived."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="*", choices=[[], *ROOMS], help="all, if left out")
    parser.add_argument("--count", type=int, help="mutants per room")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--tests", metavar="COMMIT", help="judge by the tests of a commit, not by those of the tree")
    parser.add_argument(
        "--results", type=Path, help="JSON file to keep outcomes in; what it says was caught is not repeated"
    )
    parser.add_argument("--list", action="store_true", help="only show the sample")
    chosen = parser.parse_args()
    console = Console(width=160, highlight=False)
    results: list[Result] = []
    known: dict[str, str] = {}
    if chosen.results and chosen.results.exists():
        known = json.loads(chosen.results.read_text(encoding="utf-8"))
    with _copy(chosen.tests) as folder:
        _prepare(folder)
        for name in chosen.rooms or ROOMS:
            room, result = ROOMS[name], Result(name)
            began = time.monotonic()
            files = [
                (str(p.relative_to(folder)), lines) for f, lines in room.files.items() for p in _matching(folder, f)
            ]
            mutants = sample(folder, files, chosen.count or room.count, chosen.seed)
            if chosen.list:
                console.print(*(_difference(mutant) for mutant in mutants), sep="\n", markup=False)
                continue
            limits: dict[bool, float] = {}
            for mutant in mutants:
                outcome = _outcome(mutant, known)
                if outcome == "survived":
                    plain = "njit" in mutant.code
                    if plain not in limits:
                        limits[plain] = _first_run(folder, room, plain=plain)
                    outcome = _judge(folder, room, mutant, limits[plain], plain=plain)
                known[_difference(mutant)] = outcome
                if chosen.results:
                    chosen.results.write_text(json.dumps(known, indent=1), encoding="utf-8")
                result.outcomes[outcome] += 1
                if outcome in ("survived", "timeout"):  # a timeout too is to be read: most hang, one may only be slow
                    console.print(f"{outcome} in {name}: {_difference(mutant)}", markup=False)
            result.seconds = time.monotonic() - began
            results.append(result)
            console.print(f"{name}: {dict(result.outcomes)} in {result.seconds:.0f} s", markup=False)
    if results:
        console.print(_table(results))


def _table(results: list[Result]) -> Table:
    table = Table("room", "mutants", "killed", "timeouts", "survived", "equivalent", "caught", "seconds")
    for result in results:
        found = result.outcomes
        caught, real = found["killed"] + found["timeout"], found.total() - found["equivalent"]
        row = (found.total(), found["killed"], found["timeout"], found["survived"], found["equivalent"])
        share = f"{caught / real:.0%}" if real else "-"
        table.add_row(result.room, *map(str, row), share, f"{result.seconds:.0f}")
    return table


def _difference(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line}\n    - {mutant.old}\n    + {mutant.new}"


# -- the copy -----------------------------------------------------------------------------------


@contextmanager
def _copy(commit: str | None) -> Iterator[Path]:
    """A copy of what tests need, with the tests of a commit if one is named."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name) / "tree"
        folder.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / part)
        if commit is not None:
            shutil.rmtree(folder / "tests")
            archive = subprocess.run(["git", "archive", commit, "tests"], cwd=ROOT, capture_output=True, check=True)
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as stream:
                stream.extractall(folder, filter="data")
        if (ROOT.parent / "shared").exists():
            (folder.parent / "shared").symlink_to(ROOT.parent / "shared")
        yield folder


def _matching(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.name != "__init__.py" or "readers" in path.parts)


def _prepare(folder: Path) -> None:
    """One thread, nothing random, no bytecode of mutants; libraries imported once, for the forks."""
    os.environ |= {
        "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "STGCNLIB_PROGRESS": "0", "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "NUMBA_CACHE_DIR": str(folder.parent / "numba"),
    }  # fmt: skip
    sys.dont_write_bytecode = True
    checked = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(folder / "stgcnlib")]
    subprocess.run([sys.executable, *checked], check=True)
    for name in ("captum.attr", "lightning.pytorch", "nbformat", "numba", "pandas", "pyarrow", "pydantic", "pytest",
                 "scipy.optimize", "scipy.stats", "sklearn.manifold", "sklearn.linear_model", "skdim", "torch", "zarr",
                 "hypothesis", "matplotlib.pyplot", "seaborn", "papermill"):  # fmt: skip
        __import__(name)


# -- one mutant ---------------------------------------------------------------------------------


def _outcome(mutant: Mutant, known: Mapping[str, str]) -> str:
    """What is known of a mutant already; "survived" where nothing is."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    said = {"file": mutant.file, "old": mutant.old, "new": mutant.new}
    return (
        "equivalent" if any(said.items() <= e.items() for e in entries) else known.get(_difference(mutant), "survived")
    )


def _first_run(folder: Path, room: Room, *, plain: bool) -> float:
    """Run the tests on the code as it is, and give the seconds after which a mutant hangs.

    Raises:
        SystemExit: the tests fail without any mutant.
    """
    seconds = FIRST_LIMIT
    again = () if plain else (30.0,)  # the first compiles and caches; then it is repeated if that took long
    for limit in (FIRST_LIMIT, *again):
        if seconds < limit:
            break
        began = time.monotonic()
        if _pytest(folder, room, None, FIRST_LIMIT, plain=plain) != 0:
            raise SystemExit((folder.parent / "log").read_text(errors="replace")[-4000:] + "\nno mutant, yet it fails")
        seconds = time.monotonic() - began
    return 60 + 4 * seconds  # others may take the processor meanwhile, and a mutant that is only slow is no hang


def _judge(folder: Path, room: Room, mutant: Mutant, limit: float, *, plain: bool) -> str:
    file = folder / mutant.file
    source, stamp = file.read_text(encoding="utf-8"), file.stat()
    file.write_text(mutant.code, encoding="utf-8")
    try:
        code = _pytest(folder, room, mutant.file, limit, plain=plain)
    finally:
        file.write_text(source, encoding="utf-8")
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # kernels are cached by it
    return {0: "survived", None: "timeout"}.get(code, "killed")


def _pytest(folder: Path, room: Room, mutated: str | None, limit: float, *, plain: bool) -> int | None:
    """Exit code of pytest in a fork of this process; `None` if it took longer than `limit` seconds."""
    arguments = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
    arguments += [*(room.plain if plain and room.plain else room.options)]
    arguments += [str(test) for test in _nearest_first(folder, room, mutated)]
    pid = os.fork()
    if pid == 0:
        _child(folder, arguments, plain=plain)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _end(pid)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    _end(pid)
    os.waitpid(pid, 0)
    return None


def _nearest_first(folder: Path, room: Room, mutated: str | None) -> list[Path]:
    """Test files of the room: those named after the mutated file before the others."""
    found = [f for name in room.tests for f in sorted((folder / "tests").glob(f"{name}/test_*.py"))]
    found += [folder / "tests" / name for name in room.tests if (folder / "tests" / name).is_file()]
    stem = Path(mutated).stem.removesuffix("s") if mutated else "nothing"
    return sorted(found, key=lambda file: stem not in file.stem)


def _end(pid: int) -> None:
    """End what a test has left running; a fork leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _child(folder: Path, arguments: list[str], *, plain: bool) -> None:
    code = 99
    try:
        os.setpgid(0, 0)
        log = os.open(folder.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.chdir(folder)
        sys.path[:] = [str(folder), *(path for path in sys.path if path not in (str(ROOT), str(Path(__file__).parent)))]
        import hypothesis
        import numba
        import pytest

        numba.config.DISABLE_JIT = plain  # a cached caller would go on with the kernel as it was
        hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None)
        hypothesis.settings.load_profile("mutants")
        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
