"""Running stages, with small notebooks that need no network: order, skipping, failure, interruption."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
import small_line
from small_artefacts import BEGAN, LINE, SLOW
from small_line import alive, run, wait_for, write_line, write_notebook

from stgcnlib.errors import ArtefactError, OutputError, StageError
from stgcnlib.pipeline.foreign import check_study_folder
from stgcnlib.pipeline.guard import alone, in_use
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.stages import STAGES, TARGET_STAGES, Stage, page_order, repeated, shown, stages_of
from stgcnlib.pipeline.state import Progress, RunState
from stgcnlib.pipeline.study import Study
from stgcnlib.pipeline.workers import process_environment
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
    hidden = {path.name for path in output.rglob(".*") if path.is_file()}
    assert {name for name in hidden if not name.endswith(".lock")} == set()

    there = made(output)
    widths = {"width/input.json", "width/block %3C0%3E.json"}
    assert there.keys() == {"seeded.json", "layers.json", "explained.json", *widths}
    assert run(output, notebooks) == []  # nothing changed
    assert run(output, notebooks, {"name": "another name", "compute": {"workers": 1}}) == []
    (output / "notebooks" / "00_data.ipynb").unlink()
    ran = run(output, notebooks, {"explain": {"examples": 2}})  # only what is missing, and what depends on the change
    assert ran[:2] == ["00_data", "06_relevance"]
    assert sorted(ran[2:]) == ["05_layer block <0>", "05_layer input"]
    assert {name for name, time in made(output).items() if time != there[name]} == {"explained.json"}


def test_a_stage_that_is_forced_is_repeated_with_what_builds_on_it(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)
    there = made(output)
    ran = run(output, notebooks, force="02_activations")
    assert ran[:2] == ["02_activations", "06_relevance"]
    assert sorted(ran[2:]) == ["05_layer block <0>", "05_layer input"]
    again = {name for name, time in made(output).items() if time != there[name]}
    assert again == {"layers.json", "explained.json"}  # what was made before for 00_data stays, and what is made of it
    there = made(output)
    assert sorted(run(output, notebooks, force="05_layer")) == ["05_layer block <0>", "05_layer input"]
    again = {name for name, time in made(output).items() if time != there[name]}
    assert again == {"width/block %3C0%3E.json", "width/input.json"}


def test_a_layer_that_is_gone_takes_its_notebook_along(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)
    assert run(output, notebooks, {"layers": ["input"]}) == ["02_activations", "06_relevance", "05_layer input"]
    assert (output / "notebooks" / "05_layer_00.ipynb").exists()
    assert not (output / "notebooks" / "05_layer_01.ipynb").exists()
    assert "05_layer_01" not in json.loads((output / "stages.json").read_text())["notebooks"]


def made(output: Path) -> dict[str, int]:
    """Artefact -> when it was made."""
    folder = output / "artefacts"
    files = [path for path in folder.rglob("*.json") if "manifest" not in path.name and path.name[0] != "."]
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


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


def test_a_failure_in_making_names_the_artefact_and_begins_no_notebook(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    with pytest.raises(ArtefactError, match=r"^seeded: making it failed with ValueError: 13 is unlucky$"):
        run(output, notebooks, {"seed": 13})
    assert not (output / "trace.txt").exists()
    assert made(output) == {}
    assert run(output, notebooks, {"seed": 12})[0] == "00_data"


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
    assert seen[2:] == ["skipped skipped skipped waiting", "raised", "failed"]


def test_a_kernel_that_dies_is_an_error_not_a_hang(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks", first="import os; os._exit(7)")
    with pytest.raises(StageError, match=r"(?s)00_data: its kernel died.*DeadKernelError.*cell 4 of 5"):
        run(tmp_path / "out", notebooks)


SCRIPT = """
import json, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import small_line
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
small_line.run(Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4]))
"""


def begun(output: Path, notebooks: Path, settings: dict[str, Any] | None = None) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    tests = str(Path(small_line.__file__).parent)
    arguments = [tests, str(output), str(notebooks), json.dumps(settings or {})]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True)


def test_an_interrupted_run_leaves_nothing_half_done_and_goes_on(tmp_path: Path, temporary: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", SLEEP)
    process = begun(output, notebooks)
    pid_file = output / "kernel.pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text() != "")
    kernel = int(pid_file.read_text())
    (private,) = temporary.iterdir()
    assert list(private.glob("*.json"))  # with the keys of a kernel's connections
    assert private.stat().st_mode & 0o777 == 0o700
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in complaints
    wait_for(lambda: not alive(kernel))
    assert list(temporary.iterdir()) == []
    assert {path.name for path in (output / "notebooks").iterdir()} == {"00_data.ipynb", "02_activations.ipynb"}
    (output / "quick").touch()
    assert sorted(run(output, notebooks)) == ["05_layer block <0>", "05_layer input"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_while_it_makes_an_artefact_goes_on_there(
    tmp_path: Path, temporary: Path, number: int
) -> None:
    """No process is left, nothing half made is taken for whole, and what the artefact had kept is found again."""
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    slow = {"explain": {"steps": SLOW}}
    process = begun(output, notebooks, slow)
    wait_for(lambda: any(file.read_text() for file in output.glob(BEGAN)))
    (kept,) = output.glob(BEGAN)
    maker = int(kept.read_text())
    assert alive(maker)
    children = children_of(process.pid)
    assert maker in children
    process.send_signal(number)
    _, complaints = process.communicate(timeout=30)
    assert ("KeyboardInterrupt" in complaints) == (number != signal.SIGKILL)
    wait_for(lambda: not any(alive(child) for child in children))
    assert made(output).keys() == {"seeded.json", "layers.json"}
    assert {path.name for path in (output / "notebooks").iterdir()} == {"00_data.ipynb", "02_activations.ipynb"}

    there = made(output)
    kept.with_name("go-on").touch()
    ran = run(output, notebooks, slow)
    assert ran[0] == "06_relevance"
    assert sorted(ran[1:]) == ["05_layer block <0>", "05_layer input"]
    assert {name: made(output)[name] for name in there} == there
    first, second = json.loads((output / "artefacts" / "explained.json").read_text())
    assert int(first) == maker != int(second)
    assert not any((output / "artefacts" / ".unfinished").iterdir())
    assert list(temporary.iterdir()) == []


def children_of(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(file.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(file.parent.name))
    return found


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


def test_who_only_looks_neither_looks_like_a_run_nor_has_one_refused(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)  # as `in_use` of another process does for a moment
    assert not in_use(tmp_path)
    threading.Timer(0.1, os.close, (handle,)).start()
    with alone(tmp_path):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)


def test_a_folder_that_cannot_be_locked_is_used_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(handle: int, what: int) -> None:
        raise OSError(errno.EBADF, "a folder cannot be open for writing, as this file system wants it")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with alone(tmp_path):
        assert not in_use(tmp_path)


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


WHOLE = {"stage": "00_data", "mark": "x", "sum": "y", "seconds": 1.5, "parameters": {"layer": "input"}}


@pytest.mark.parametrize(
    "change",
    [
        {"stage": []}, {"mark": {}}, {"sum": 3}, {"parameters": []}, {"seconds": None}, {"seconds": "x"},
        {"seconds": True}, {"seconds": -1}, {"seconds": 10**400}, {"seconds": float("nan")}, {"seconds": float("inf")},
    ],
)  # fmt: skip
def test_of_a_record_only_what_has_its_form_is_read(tmp_path: Path, change: dict[str, Any]) -> None:
    content = {"notebooks": {"a": WHOLE | change, "00_data": WHOLE}, "times": {"b": change.get("seconds", []), "c": 2}}
    (tmp_path / "stages.json").write_text(json.dumps(content))
    record = Record.read(tmp_path)
    assert record.done == {"00_data": WHOLE}
    assert record.times == {"00_data": 1.5, "c": 2.0}


def test_of_a_record_only_names_of_files_are_read(tmp_path: Path) -> None:
    names = ("../a", "/a", "a/b", "a\\b", "", ".a", "a\0", "a" * 200)
    (tmp_path / "stages.json").write_text(json.dumps({"notebooks": dict.fromkeys(names, WHOLE)}))
    assert Record.read(tmp_path).done == {}


def test_a_progress_file_that_no_run_wrote_is_none(tmp_path: Path) -> None:
    now = "2026-01-01T00:00:00+00:00"
    whole: dict[str, Any] = {"started": now, "changed": now, "steps": [{"name": "00_data"}]}
    for change, fine in (
        ({}, True), ({"elapsed": 3}, True), ({"elapsed": float("nan")}, False), ({"left": 10**400}, False),
        ({"steps": [{"name": "a", "notebooks": [{"name": "b", "seconds": float("inf")}]}]}, False),
    ):  # fmt: skip
        (tmp_path / "progress.json").write_text(json.dumps(whole | change))
        assert (Progress.read(tmp_path) is not None) == fine, change
    with (tmp_path / "progress.json").open("wb") as stream:
        stream.truncate(2**42)  # takes no room on the disk
    assert Progress.read(tmp_path) is None


OWN = {
    "notebooks": "notebooks/analysis.ipynb", "study": "study.yml", "index": "index.html", "pages": "pages/mine.html",
    "tables": "tables/mine.parquet", "comparison": "comparison.yml",
}  # fmt: skip


@pytest.mark.parametrize("name", OWN.values(), ids=OWN)
def test_a_folder_where_a_run_would_replace_files_of_its_user_is_refused(tmp_path: Path, name: str) -> None:
    notebooks, project = write_line(tmp_path / "sources"), tmp_path / "project"
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("name: mine  # a comment\n")
    with pytest.raises(OutputError, match=r"project: holds .*; (choose|give) another folder .*--output"):
        run(project, notebooks)
    assert [path for path in project.rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "name: mine  # a comment\n"


def test_a_folder_that_a_run_left_at_once_or_that_holds_other_files_is_accepted(tmp_path: Path) -> None:
    left = {
        "study.yml": Study.load({"name": "another"}).to_yaml(), "progress.json": "{", "stages.json": "",
        "artefacts/.locks/a.lock": "", "data/a.npz": "", "notebooks/notes.txt": "", ".DS_Store": "",
    }  # fmt: skip
    for number, (name, text) in enumerate(left.items()):
        output = tmp_path / str(number)
        (output / name).parent.mkdir(parents=True)
        (output / name).write_text(text)
        if number < 4:  # it is a run's
            (output / "index.html").write_text("")
        check_study_folder(output)


def test_the_real_stages_fit_their_notebooks() -> None:
    for stage in (*STAGES, *TARGET_STAGES):
        layer = {"layer": "input"} if stage.per_layer else {}
        check_parameters(notebook_folder() / f"{stage.name}.ipynb", {"study": "", "output": "", **layer})


def test_what_the_real_stages_show_is_made_for_them(tmp_path: Path) -> None:
    """A stage is repeated with every stage that shows what is made of it."""
    sections = {"sensitivity": {}, "noise": {}, "transfer": {"source": {"classes": 6}}}
    run = StudyRun(Study.load(sections), tmp_path)
    for stage in STAGES:
        layer = "input" if stage.per_layer else None
        assert list(shown(stage, run, layer)), stage.name
    everything = {stage.name for stage in STAGES}
    assert repeated(STAGES, "00_data", run)[1] == everything
    assert "sequences" in repeated(STAGES, "00_data", run)[0]
    artefacts, stages = repeated(STAGES, "01_network", run)
    assert stages == everything - {"00_data", "08_transfer"}  # whose source is trained on other classes
    assert "training/{trained}" in artefacts
    assert "sequences" not in artefacts
    assert repeated(STAGES, "05_layer", run) == ({"fields", "topologies"}, {"05_layer"})
    assert repeated(STAGES, "04b_sensitivity", run)[1] == {"04b_sensitivity"}
    assert repeated(STAGES, "07_noise", run)[1] == {"07_noise", "09_summary"}
    assert repeated(STAGES, "08_transfer", run)[1] == {"08_transfer", "09_summary"}
    assert not list(tmp_path.iterdir())


def test_stages_run_in_the_order_in_which_they_are_listed(tmp_path: Path) -> None:
    """A run and its report have one order, whatever the stages' names."""
    assert [stage.name for stage in small_line.STAGES] != sorted(stage.name for stage in small_line.STAGES)
    names: list[str] = []

    @contextmanager
    def watch(_: Path, state: RunState) -> Iterator[None]:
        names.extend(step.name for step in state.shown().steps)
        yield

    stages = (Stage("06_relevance"), Stage("00_data"))
    notebooks = write_line(tmp_path / "notebooks")
    study = Study.load({"name": "small"})
    run_stages(study, tmp_path / "out", stages, notebooks, line=LINE, watch=watch, progress=False, fork=False)
    assert (tmp_path / "out" / "trace.txt").read_text().split() == ["06_relevance", "00_data"]
    assert names == ["06_relevance", "00_data"]


@pytest.mark.parametrize("stages", [STAGES, TARGET_STAGES])
def test_pages_have_the_order_of_the_stages(stages: tuple[Stage, ...]) -> None:
    layers = [f"{stage.name}_{number:02d}" for stage in stages if stage.per_layer for number in (0, 10)]
    names = [name for stage in stages for name in (layers if stage.per_layer else [stage.name])]
    assert sorted(sorted([*names, "another"]), key=page_order) == [*names, "another"]


def test_a_bound_on_threads_holds_for_all_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert {process_environment(4)[name] for name in THREAD_VARIABLES} == {"4"}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # torch would take more from MKL_NUM_THREADS
    assert {process_environment(4)[name] for name in THREAD_VARIABLES} == {"1"}
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert process_environment(4)["NUMBA_NUM_THREADS"] == "2"


def test_every_stage_of_the_demo_has_its_measured_seconds() -> None:
    """A first run guesses from them how long it has to go."""
    demo = stages_of(Study.load("demo"))
    assert [stage.name for stage in demo if not stage.cost] == []
