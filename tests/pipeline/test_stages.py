"""Running stages, with small notebooks that need no network: order, skipping, failure, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from stgcnlib.errors import StageError
from stgcnlib.pipeline import jobs
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.runner import _in_order, run_stages
from stgcnlib.pipeline.stages import STAGES, Record, Stage, followers
from stgcnlib.pipeline.study import Study
from stgcnlib.threads import THREAD_VARIABLES

LINE = (
    Stage("00_data", (), ("seed",)),
    Stage("02_activations", ("00_data",), ("layers",), writes=("layers.json",), artefacts=("made*",)),
    Stage("05_layer", ("02_activations", "06_relevance"), per_layer=True),
    Stage("06_relevance", ("02_activations",), ("explain",)),
)
TRACE = 'with open(output + "/trace.txt", "a") as trace:\n    trace.write({} + "\\n")'
LAYERS = """
import json, os
names = ["input", "block <0>"] if not os.path.exists(output + "/one-layer") else ["input"]
layers = [{"name": name, "title": name, "index": i} for i, name in enumerate(names)]
with open(output + "/layers.json", "w") as file:
    json.dump(layers, file)
"""
FAIL = """
import os
first = 1
if os.path.exists(output + "/break"):
    raise ValueError("the tyre is flat")
"""
SLEEP = """
import os, time
with open(output + "/kernel.pid", "w") as file:
    file.write(str(os.getpid()))
time.sleep(0 if os.path.exists(output + "/quick") else 100)
"""


def write_notebook(folder: Path, name: str, *sources: str, layer: bool = False) -> None:
    parameters = 'study = "demo"\noutput = "reports/demo"' + ('\nlayer = "input"' if layer else "")
    cells = [new_markdown_cell(f"# Title of {name}\nWhat it shows."), new_code_cell(parameters)]
    cells[1].metadata["tags"] = ["parameters"]
    cells += [new_code_cell(source) for source in sources]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "no-such-kernel", "display_name": "none"}})
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def write_line(folder: Path, *, first: str = "1") -> Path:
    write_notebook(folder, "00_data", first, TRACE.format('"00_data"'))
    write_notebook(folder, "02_activations", LAYERS, TRACE.format('"02_activations"'))
    write_notebook(folder, "05_layer", FAIL, TRACE.format('"05_layer " + layer'), layer=True)
    write_notebook(folder, "06_relevance", TRACE.format('"06_relevance"'))
    return folder


def run(output: Path, notebooks: Path, settings: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """Names of the notebooks that ran, in the order in which they finished writing."""
    trace = output / "trace.txt"
    trace.unlink(missing_ok=True)
    study = Study.load({"name": "small", **(settings or {})})
    run_stages(study, output, LINE, notebooks, progress=False, **{"workers": 2, "fork": False, **options})
    return trace.read_text().splitlines() if trace.exists() else []


def test_a_line_runs_in_order_and_repeats_only_what_changed(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    ran = run(output, notebooks)
    assert ran[:3] == ["00_data", "02_activations", "06_relevance"]
    assert sorted(ran[3:]) == ["05_layer block <0>", "05_layer input"]
    executed = {path.name for path in (output / "notebooks").iterdir()}
    wanted = ["00_data", "02_activations", "05_layer_00", "05_layer_01", "06_relevance"]
    assert executed == {f"{name}.ipynb" for name in wanted}
    assert {path.stem for path in (output / "pages").iterdir()} == set(wanted)
    assert (output / "index.html").exists()
    record = json.loads((output / "stages.json").read_text())["notebooks"]
    assert list(record) == wanted
    assert record["05_layer_01"]["parameters"]["layer"] == "block <0>"
    assert [path for path in output.rglob(".*") if path.is_file()] == []

    assert run(output, notebooks) == []  # nothing changed
    assert run(output, notebooks, {"name": "another name", "compute": {"workers": 1}}) == []
    (output / "notebooks" / "00_data.ipynb").unlink()
    ran = run(output, notebooks, {"explain": {"examples": 2}})  # only what is missing, and what depends on the change
    assert ran[:2] == ["00_data", "06_relevance"]
    assert sorted(ran[2:]) == ["05_layer block <0>", "05_layer input"]

    manifest = output / "artefacts" / "made.npz.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    (output / "one-layer").touch()
    forced = run(output, notebooks, {"explain": {"examples": 2}}, force="02_activations")
    assert forced == ["02_activations", "06_relevance", "05_layer input"]
    assert not manifest.exists()  # so that the artefact is made anew
    assert not (output / "notebooks" / "05_layer_01.ipynb").exists()
    assert not (output / "pages" / "05_layer_01.html").exists()


def test_a_failure_says_where_and_keeps_what_is_done(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    output.mkdir()
    (output / "break").touch()
    with pytest.raises(StageError) as caught:
        run(output, notebooks, workers=1)
    message = str(caught.value)
    for word in (
        "05_layer_00",
        "layer input",
        "05_layer.ipynb",
        "In [3]",
        "ValueError: the tyre is flat",
        "output='..'",
    ):
        assert word in message, message
    assert 'raise ValueError("the tyre is flat")' in message
    failed = output / "notebooks" / "05_layer_00.failed.ipynb"
    assert str(failed) in message
    assert any(o.output_type == "error" for c in nbformat.read(failed, 4).cells for o in c.get("outputs", []))
    assert "half-executed" in (output / "index.html").read_text()
    assert (output / "pages" / "06_relevance.html").exists()

    (output / "break").unlink()
    assert sorted(run(output, notebooks)) == ["05_layer block <0>", "05_layer input"]  # goes on from there
    assert not failed.exists()


def test_a_kernel_that_dies_is_an_error_not_a_hang(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks", first="import os; os._exit(7)")
    with pytest.raises(StageError, match=r"(?s)00_data: its kernel died.*DeadKernelError.*cell 4 of 5"):
        run(tmp_path / "out", notebooks)


def test_an_interrupted_run_leaves_nothing_half_done_and_goes_on(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", SLEEP)
    script = (
        "import signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_stages\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background shell ignores it
        "test_stages.run(Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    arguments = [sys.executable, "-c", script, str(Path(__file__).parent), str(output), str(notebooks)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    pid_file = output / "kernel.pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text() != "")
    kernel = int(pid_file.read_text())
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in complaints
    wait_for(lambda: not alive(kernel))
    assert {path.name for path in (output / "notebooks").iterdir()} == {"00_data.ipynb", "02_activations.ipynb"}
    (output / "quick").touch()
    assert sorted(run(output, notebooks)) == ["05_layer block <0>", "05_layer input"]


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def test_unknown_parameters_are_refused_before_a_kernel_starts(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks")
    write_notebook(notebooks, "05_layer", "layer", layer=False)
    with pytest.raises(StageError, match=r"05_layer\.ipynb: its parameters cell defines no 'layer'"):
        check_parameters(notebooks / "05_layer.ipynb", {"study": "", "output": "", "layer": ""})
    write_notebook(notebooks, "00_data")
    untagged = nbformat.read(notebooks / "00_data.ipynb", 4)
    untagged.cells[1].metadata["tags"] = []
    nbformat.write(untagged, notebooks / "00_data.ipynb")
    with pytest.raises(StageError, match="no cell is tagged 'parameters'"):
        run(tmp_path / "out", notebooks)
    assert not (tmp_path / "out" / "trace.txt").exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    output = tmp_path / "out"
    output.mkdir()
    handle = os.open(output, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(StageError, match="another run"):
            run(output, write_line(tmp_path / "notebooks"))
    finally:
        os.close(handle)


def test_missing_and_damaged_notebooks_are_named(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks")
    (notebooks / "02_activations.ipynb").write_text("{half")
    with pytest.raises(StageError, match=r"02_activations\.ipynb: not readable"):
        run(tmp_path / "out", notebooks)
    (notebooks / "02_activations.ipynb").unlink()
    with pytest.raises(StageError, match=r"02_activations\.ipynb: the stage notebook is missing"):
        run(tmp_path / "out", notebooks)


def test_unknown_stage_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="did you mean '05_layer'"):
        run(tmp_path / "out", write_line(tmp_path / "notebooks"), force="05_layers")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"notebooks": 3}', '{"notebooks": {"00_data": 3}}'])
def test_a_damaged_record_only_costs_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "stages.json").write_text(text)
    assert Record.read(tmp_path).done == {}


def test_the_real_stages_fit_their_notebooks() -> None:
    for stage in STAGES:
        layer = {"layer": "input"} if stage.per_layer else {}
        check_parameters(notebook_folder() / f"{stage.name}.ipynb", {"study": "", "output": "", **layer})
    order = [stage.name for stage in _in_order(STAGES)]
    for stage in STAGES:
        assert all(order.index(other) < order.index(stage.name) for other in stage.needs)
    assert followers(STAGES, "00_data") == set(order)
    assert followers(STAGES, "05_layer") == {"05_layer", "09_summary"}


def test_stages_in_a_circle_are_refused() -> None:
    with pytest.raises(StageError, match="circle"):
        list(_in_order([Stage("a", ("b",)), Stage("b", ("a",))]))


def test_a_bound_on_threads_holds_for_all_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert {jobs._environment(4)[name] for name in THREAD_VARIABLES} == {"4"}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # torch would take more from MKL_NUM_THREADS
    assert {jobs._environment(4)[name] for name in THREAD_VARIABLES} == {"1"}
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert jobs._environment(4)["NUMBA_NUM_THREADS"] == "2"
