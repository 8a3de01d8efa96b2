"""A study's folder that somebody hostile passed on: none of its code runs, and no path leads out of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import small_line
from small_study import small_study

import stgcnlib
from stgcnlib.errors import StageError, StgcnlibError, StudyError
from stgcnlib.files import fingerprint_file
from stgcnlib.report.compare import compare
from stgcnlib.report.html import render_report
from stgcnlib.report.live import LivePages
from stgcnlib.workbench.explore import explore
from stgcnlib.workbench.launch import launch

if os.name == "nt":
    pytest.skip("links and pipes of Unix", allow_module_level=True)

MODULES = (
    "sitecustomize", "usercustomize", "conftest", "numbers", "numpy", "pandas", "json", "ipykernel", "stgcnlib",
    "jupyter_config", "jupyter_server_config", "jupyter_lab_config", "jupyter_notebook_config", "voila",
    "ipython_config", "ipython_kernel_config", "jupyter_nbconvert_config", "own_network",
)  # fmt: skip
"""Names under which Python, Jupyter, IPython or Voilà would look for code where they start."""
SECRET = "the secret of somebody else"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory)


@pytest.fixture
def received(study: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy full of code that would touch `canary`, beside a folder with a secret; both are as before afterwards."""
    home, outside = tmp_path / "received", tmp_path / "outside"
    shutil.copytree(study, home)
    outside.mkdir()
    (outside / "secret.html").write_text(SECRET)
    (outside / "secret.json").write_text(f'{{"notebooks": {{}}, "name": "{SECRET}"}}')
    for folder in (".", "notebooks", "tables", ".ipython/profile_default/startup", ".jupyter"):
        plant(home / folder, tmp_path / "canary")
    text = (home / "study.yml").read_text()
    own = text.replace("  name: st-gcn\n  folder: null\n", "  name: own_network:Net\n  folder: .\n")
    assert own != text
    (home / "study.yml").write_text(own)
    before = state(outside)
    yield home
    assert not (tmp_path / "canary").exists()
    assert state(outside) == before


def plant(folder: Path, canary: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    code = f"open({str(canary)!r}, 'a').close()\nraise SystemExit('code of a received folder ran')\n"
    for name in MODULES:
        (folder / f"{name}.py").write_text(code)
    (folder / "matplotlibrc").write_text(f"backend: module://{MODULES[3]}\ntext.usetex: True\n")
    (folder / ".numba_config.yaml").write_text("cache_dir: .\n")


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_its_code_does_not_run_where_it_is_read(received: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(received)
    monkeypatch.delenv("STGCNLIB_TRUSTED", raising=False)
    study = stgcnlib.read_study(received)
    assert len(study["geometry"].table)
    with pytest.raises(StgcnlibError, match="only if you trust it"):
        study["network/trained"]
    workbench = explore(received)
    assert len(workbench.table) >= 0
    assert SECRET not in render_report(received).read_text()
    with pytest.raises(StgcnlibError, match="only if you trust it"):
        stgcnlib.open_study(received / "study.yml", received).check()


def pages(home: Path) -> None:
    render_report(home)


def read(home: Path) -> None:
    stgcnlib.read_study(home)


def reopen(home: Path) -> None:
    stgcnlib.open_study(home / "study.yml", home)


def side_by_side(home: Path) -> None:
    compare([home, home], home.parent / "comparison", progress=False)


def compare_into(home: Path) -> None:
    (home / "study.yml").unlink()
    compare([home, home], home, progress=False)


def run_again(home: Path) -> None:
    stgcnlib.run_study(home / "study.yml", home, progress=False)


def start(home: Path) -> None:
    launch([home], browser=False)


LINKS = ("pages", "tables", "assets", "index.html", "notebooks", "summary", "artefacts/geometry/extra", "progress.json")


@pytest.mark.parametrize("name", [*LINKS, "stages.json", "artefacts/layers.json", "artefacts/.stamps.json"])
def test_no_link_and_no_pipe_is_followed(received: Path, name: str) -> None:
    outside = received.parent / "outside"
    place = received / name
    for make in (
        lambda: place.symlink_to(outside / "secret.json" if place.suffix == ".json" else outside),
        lambda: place.symlink_to(os.path.relpath(outside / "secret.html", place.parent)),
        lambda: os.mkfifo(place),
    ):
        shutil.rmtree(place, ignore_errors=True)
        place.unlink(missing_ok=True)
        make()
        for look in (pages, read, reopen, side_by_side, run_again, start):
            with pytest.raises(StudyError, match=r"link out of|neither a file nor a folder") as caught:
                look(received)
            assert SECRET not in str(caught.value)
    with pytest.raises(StgcnlibError):
        compare_into(received)
    assert not (received.parent / "comparison").exists()


def test_a_name_does_not_lead_out_of_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    for name in ("../outside", "/tmp/outside", "..", "a/b"):
        (tmp_path / "study.yml").write_text(f"name: {name}\n")
        with pytest.raises(StudyError, match=r"cannot name a folder.*--output"):
            stgcnlib.run_study(tmp_path / "study.yml", progress=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != "study.yml"] == ["reports"]


def test_a_study_whose_data_lie_elsewhere_names_the_field(received: Path) -> None:
    text = (received / "study.yml").read_text().replace("  path: demo\n", "  path: ../data/gone.npz\n")
    (received / "study.yml").write_text(re.sub(r"  demo:\n(    .*\n)+", "", text))
    message = r"data\.path: .*gone\.npz: cannot be read .*; write in the study file where it lies on this machine"
    with pytest.raises(StgcnlibError, match=message):
        stgcnlib.run_study(received / "study.yml", received, progress=False)


class Fires:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.canary,)


def test_no_pickle_is_read(received: Path) -> None:
    """Arrays of objects in place of arrays of numbers, with manifests that fit."""
    bad = np.array([Fires(received.parent / "canary")], dtype=object)
    for file in sorted((received / "artefacts").rglob("*.np[yz]")):
        if file.suffix == ".npz":
            with np.load(file) as stored:
                names = stored.files
            np.savez(file, **dict.fromkeys(names, bad))
        else:
            np.save(file, bad)
        resign(file, received / "artefacts")
    study = stgcnlib.read_study(received)
    for name in ("geometry", "maps", "planes/trained", "nodes"):
        with pytest.raises((StgcnlibError, ValueError)):
            study[name]


def resign(file: Path, artefacts: Path) -> None:
    """Put a file's new checksum into its manifest, as whoever forges a folder can."""
    for above in (file, *file.parents):
        manifest = above.with_name(above.name + ".manifest.json")
        if manifest.is_file():
            content = json.loads(manifest.read_text())
            name = "" if above == file else file.relative_to(above).as_posix()
            content["files"][name][0] = fingerprint_file(file)
            manifest.write_text(json.dumps(content))
            return
        if above == artefacts:
            return


def test_kernels_and_pages_know_nothing_of_the_machine_and_run_nothing_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run into a folder full of code, whose last notebook fails: what is left of it may be passed on."""
    home = tmp_path / "somebody"
    monkeypatch.setenv("HOME", str(home))
    output = home / "reports" / "a"
    for folder in (output, output / "notebooks"):
        plant(folder, tmp_path / "canary")
    (output / "break").touch()
    first = "import numbers, json, warnings\nprint(__import__('os').getcwd())\nwarnings.warn('look')\n1"
    notebooks = small_line.write_line(tmp_path / "sources", first=first)
    small_line.write_notebook(
        notebooks, "05_layer", "import pathlib\n(pathlib.Path.home() / 'data' / 'x.npz').read_bytes()", layer=True
    )
    monkeypatch.chdir(output)
    with pytest.raises(StageError, match="FileNotFoundError") as caught:
        small_line.run(output, notebooks, workers=1, watch=partial(LivePages, show=False))
    assert str(output) in str(caught.value)  # who ran it is told where to look
    render_report(output)
    assert not (tmp_path / "canary").exists()
    for folder in (output, output / "notebooks"):
        for name in MODULES:
            (folder / f"{name}.py").unlink()
    assert (output / "notebooks" / "05_layer_00.failed.ipynb").is_file()
    assert told(output, "somebody", str(tmp_path), str(Path(sys.prefix))) == []


def told(folder: Path, *words: str) -> list[str]:
    """Files that hold one of these words, as "file: word"."""
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return [f"{name}: {word}" for name, content in found.items() for word in words if word.encode() in content]


@pytest.mark.long
def test_commands_started_in_it_run_nothing_of_it(received: Path, study: Path) -> None:
    """As a user who changes into the folder first: report, compare with its own notebook, explore, and a run."""
    other = received.parent / "other"
    shutil.copytree(study, other)
    code = "import sys; from stgcnlib.cli import main; sys.argv = ['stgcnlib', *sys.argv[1:]]; main()"
    environment = {key: value for key, value in os.environ.items() if key != "STGCNLIB_TRUSTED"}

    def command(*words: str, cwd: Path = received) -> subprocess.CompletedProcess[str]:
        start = [sys.executable, "-P", "-c", code, *words]
        return subprocess.run(start, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)

    assert command("report", ".").returncode == 0
    asked = command("run", "study.yml", "-o", ".")
    assert asked.returncode == 2
    assert "--trust" in asked.stderr
    made = command("compare", ".", str(other), "-o", "comparison")
    assert made.returncode == 0, made.stderr
    comparison = received / "comparison"
    assert told(comparison, str(received.parent), str(Path(sys.prefix))) == []
    assert (comparison / "tables" / "studies.parquet").is_file()
