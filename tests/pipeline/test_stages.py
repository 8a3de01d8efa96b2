"""Running stages, with small notebooks that need no network: order, skipping, failure, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import small_line
from small_line import alive, run, wait_for, write_line, write_notebook

from stgcnlib.errors import StageError
from stgcnlib.pipeline import jobs
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.runner import _in_order
from stgcnlib.pipeline.stages import STAGES, Record, Stage, followers
from stgcnlib.pipeline.state import RunState
from stgcnlib.threads import THREAD_VARIABLES

SLEEP = """
import os, time
with open(output + "/kernel.pid", "w") as file:
    file.write(str(os.getpid()))
time.sleep(0 if os.path.exists(output + "/quick") else 100)
"""


def test_a_line_runs_in_order_and_repeats_only_what_changed(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    ran = run(output, notebooks)
    assert ran[:3] == ["00_data", "02_activations", "06_relevance"]
    assert sorted(ran[3:]) == ["05_layer block <0>", "05_layer input"]
    executed = {path.name for path in (output / "notebooks").iterdir()}
    wanted = ["00_data", "02_activations", "05_layer_00", "05_layer_01", "06_relevance"]
    assert executed == {f"{name}.ipynb" for name in wanted}
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

    (output / "break").unlink()
    assert sorted(run(output, notebooks)) == ["05_layer block <0>", "05_layer input"]  # goes on from there
    assert not failed.exists()


def test_a_watch_sees_the_run_from_before_its_first_stage_to_its_end(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    seen: list[str] = []

    @contextmanager
    def watch(folder: Path, state: RunState) -> Iterator[None]:
        assert folder == output
        assert (output / "study.yml").exists()
        seen.append(" ".join(step.state for step in state.shown().steps))
        try:
            yield
        except StageError:
            seen.append("raised")
            raise
        finally:
            seen.append(state.shown().status)

    run(output, notebooks, watch=watch)
    assert seen == ["waiting waiting waiting waiting", "finished"]
    (output / "break").touch()
    with pytest.raises(StageError):
        run(output, notebooks, watch=watch, force="05_layer")
    assert seen[2:] == ["skipped skipped waiting skipped", "raised", "failed"]


def test_a_kernel_that_dies_is_an_error_not_a_hang(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks", first="import os; os._exit(7)")
    with pytest.raises(StageError, match=r"(?s)00_data: its kernel died.*DeadKernelError.*cell 4 of 5"):
        run(tmp_path / "out", notebooks)


def test_an_interrupted_run_leaves_nothing_half_done_and_goes_on(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", SLEEP)
    script = (
        "import signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import small_line\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background shell ignores it
        "small_line.run(Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    arguments = [sys.executable, "-c", script, str(Path(small_line.__file__).parent), str(output), str(notebooks)]
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
