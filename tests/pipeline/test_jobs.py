"""What of a study's section `compute` reaches the processes that execute its notebooks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_artefacts import LINE
from small_line import importable, write_notebook

from stgcnlib.errors import StageError
from stgcnlib.pipeline.jobs import Crew, Job
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.stages import Stage
from stgcnlib.pipeline.study import Study

GIB = 2**30

REPORT = """
import json, os, resource
told = {
    "limit": resource.getrlimit(resource.RLIMIT_DATA)[0],
    "threads": os.environ["OMP_NUM_THREADS"],
    "folder": os.getcwd(),
}
with open(output + "/told.json", "w") as file:
    json.dump(told, file)
"""
HOARD = "hoard = bytearray({})"


def run(folder: Path, source: str, compute: dict[str, Any]) -> None:
    write_notebook(folder / "notebooks", "00_data", source)
    study = Study.load({"name": "small", "compute": compute})
    run_stages(study, folder / "out", (Stage("00_data"),), folder / "notebooks", progress=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's memory")
def test_the_memory_limit_of_a_study_holds_in_its_notebooks(tmp_path: Path) -> None:
    run(tmp_path, REPORT, {"memory_limit": 3.5})
    assert json.loads((tmp_path / "out" / "told.json").read_text())["limit"] == int(3.5 * GIB)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's memory")
def test_a_notebook_that_asks_for_more_memory_fails_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"(?s)00_data: cell In \[3\].*MemoryError"):
        run(tmp_path, HOARD.format(8 * GIB), {"memory_limit": 4})
    run(tmp_path, HOARD.format(8 * 2**20), {"memory_limit": 4})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's memory")
def test_without_a_limit_there_is_none_of_ours(tmp_path: Path) -> None:
    import resource

    run(tmp_path, REPORT, {})
    assert (
        json.loads((tmp_path / "out" / "told.json").read_text())["limit"] == resource.getrlimit(resource.RLIMIT_DATA)[0]
    )


def test_the_workers_of_a_study_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two notebooks at a time get half of the cores each; one that runs alone gets all of them."""
    for module in ("jobs", "runner"):
        monkeypatch.setattr(f"stgcnlib.pipeline.{module}.cores", lambda: 6)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    second = REPORT.replace('"/told.json"', '"/told" + layer + ".json"')
    write_notebook(tmp_path / "notebooks", "00_data", REPORT)
    write_notebook(tmp_path / "notebooks", "05_layer", second, layer=True)
    study = Study.load({"name": "small", "layers": ["0", "1", "2"], "compute": {"workers": 2}})
    stages = (Stage("00_data"), Stage("05_layer", per_layer=True))
    with importable():
        run_stages(study, tmp_path / "out", stages, tmp_path / "notebooks", line=LINE, progress=False)
    told = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").glob("told*.json")}
    threads = {name: entry["threads"] for name, entry in told.items()}
    assert threads == {"told": "6", "told0": "3", "told1": "3", "told2": "3"}
    assert {entry["folder"] for entry in told.values()} == {str(tmp_path / "out" / "notebooks")}


def test_a_crew_that_is_interrupted_while_it_stops_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    stopped: list[str] = []
    crew = Crew(1, fork=False)
    environment = crew._started(1)
    assert crew._temporary is not None
    folder = crew._temporary.path
    worker = crew._take(Job("a", "a", tmp_path / "a.ipynb", tmp_path / "b.ipynb", {}), environment)
    monkeypatch.setattr(crew, "_workers", SimpleNamespace(shutdown=interrupt))
    monkeypatch.setattr(crew._kernels, "stop", lambda: stopped.append("kernels"))
    with pytest.raises(KeyboardInterrupt), crew:
        assert folder.is_dir()
    assert worker.process.returncode is not None
    assert stopped == ["kernels"]
    assert not folder.exists()
