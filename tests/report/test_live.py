"""Pages while a run works, and after one that failed, was stopped or was killed."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
import small_line
from rich.console import Console
from small_artefacts import BEGAN, LINE, SLOW
from small_line import STAGES, alive, importable, wait_for, write_line, write_notebook

from stgcnlib.artefacts import Form
from stgcnlib.artefacts.store import Store
from stgcnlib.errors import ArtefactError, StageError
from stgcnlib.pipeline.board import Board
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.state import Notebook, Progress, RunState, Step
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import render_report
from stgcnlib.report.live import LivePages

WAIT = """
import os, time
open(output + "/in-" + {name!r}, "w").close()
while not os.path.exists(output + "/go-on"):
    time.sleep(0.05)
"""
EVIL = "<script>alert(1)</script>"
PAGES = partial(LivePages, show=False)


def run(output: Path, notebooks: Path, **options: Any) -> list[str]:
    return small_line.run(output, notebooks, watch=PAGES, **options)


def rows(output: Path) -> dict[str, str]:
    """State of each line of the index, by its title."""
    text = (output / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'<tr class="(\w+)">.*?<th scope="row">(.*?)</th>', text, re.DOTALL)
    return {html.unescape(re.sub("<[^>]*>", "", title)): state for state, title in found}


def words(output: Path) -> str:
    """What the index says, without its tags."""
    text = (output / "index.html").read_text(encoding="utf-8").partition("<main")[2]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


def dead_links(output: Path) -> list[str]:
    pages = [output / "index.html", *(output / "pages").glob("*.html")]
    links = [(page, link) for page in pages for link in re.findall(r'href="([^"#]+)"', page.read_text("utf-8"))]
    return [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()]


@contextmanager
def running(output: Path, notebooks: Path, settings: dict[str, Any] | None = None) -> Iterator[list[BaseException]]:
    """A run in a thread, which notebooks hold up until the block ends."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            run(output, notebooks, settings=settings)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield errors
    finally:
        output.mkdir(exist_ok=True)
        (output / "go-on").touch()
        thread.join()


def test_the_index_grows_while_the_run_works(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", WAIT.format(name="06"))
    titles = {name: f"Title of {name}" for name in ("00_data", "02_activations", "06_relevance")}
    with running(output, notebooks) as errors:
        wait_for(lambda: (output / "index.html").exists())
        first = rows(output)
        assert list(first) == [titles["00_data"], titles["02_activations"], titles["06_relevance"], "Layer by layer"]
        assert set(first.values()) <= {"waiting", "running"}  # the page is there before the first kernel is
        wait_for(lambda: (output / "in-06").exists())
        wait_for(lambda: rows(output)[titles["06_relevance"]] == "running")
        wait_for(lambda: (output / "pages" / "02_activations.html").exists())
        wait_for(lambda: 'href="pages/02_activations.html"' in (output / "index.html").read_text())
        assert rows(output) == {
            titles["00_data"]: "done", titles["02_activations"]: "done", "Layer by layer": "waiting",
            titles["06_relevance"]: "running",
        }  # fmt: skip
        text = words(output)
        assert "Running: 2 of 4 stages done" in text
        assert "Reload this page to see more." in text
        wait_for(lambda: re.search(r"running cell \d of 4", words(output)))
        assert re.search(r"Block <0>", text)  # layers to come are named as soon as they are known
        assert dead_links(output) == []
        assert "pages/05_layer" not in (output / "index.html").read_text()
        assert Progress.read(output).status == "running"  # type: ignore[union-attr]
        assert "Running" in render_report(output).read_text()  # another process may render meanwhile
    assert errors == []
    assert "Running" not in words(output)
    assert rows(output) == {}
    assert not (output / "progress.json").exists()
    assert dead_links(output) == []
    first_page = (output / "pages" / "00_data.html").read_text()
    assert 'href="../pages/06_relevance.html"' in first_page  # its list was completed at the end


def test_the_index_says_that_results_are_made(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    with running(output, notebooks, {"explain": {"steps": SLOW}}) as errors:
        wait_for(lambda: any(output.glob(BEGAN)))
        wait_for(lambda: "making results" in words(output))
        assert rows(output)["Title of 06_relevance"] == "running"
        (began,) = output.glob(BEGAN)
        began.with_name("go-on").touch()
    assert errors == []
    assert "making" not in words(output)


def test_pages_are_those_of_the_executed_notebooks(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)
    wanted = {"00_data", "02_activations", "05_layer_00", "05_layer_01", "06_relevance"}
    assert {path.stem for path in (output / "pages").iterdir()} == wanted
    assert (output / "index.html").exists()
    run(output, notebooks, settings={"layers": ["input"]})
    assert {path.stem for path in (output / "pages").iterdir()} == wanted - {"05_layer_01"}


def test_files_of_the_user_in_the_folder_of_a_run_stay(tmp_path: Path) -> None:
    """Also where a layer is gone, whose notebook and page are removed; they get no page."""
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)
    own = [output / name for name in ("notebooks/mine.ipynb", "pages/mine.html", "assets/mine.js")]
    for file in own:
        file.parent.mkdir(exist_ok=True)
        shutil.copyfile(output / "notebooks" / "00_data.ipynb", file)
    run(output, notebooks, settings={"layers": ["input"]})
    render_report(output)
    assert all(file.read_bytes() for file in own)
    assert not (output / "notebooks" / "05_layer_01.ipynb").exists()
    left = {"00_data", "02_activations", "05_layer_00", "06_relevance", "mine"}
    assert {path.stem for path in (output / "pages").iterdir()} == left
    assert (output / "pages" / "mine.html").read_bytes() == own[0].read_bytes()
    assert "mine.html" not in (output / "index.html").read_text()


def test_a_page_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stgcnlib.report import html as pages

    converted: list[str] = []

    def counted(notebook: Any, title: str) -> Any:
        converted.append(title)
        return real(notebook, title)

    real = pages.converted
    monkeypatch.setattr(pages, "converted", counted)
    run(tmp_path / "out", write_line(tmp_path / "notebooks"))
    wanted = ["00_data", "02_activations", "05_layer", "05_layer", "06_relevance"]
    assert sorted(converted) == [f"Title of {name}" for name in wanted]


def test_a_failure_leaves_a_page_that_says_where(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    output.mkdir()
    (output / "break").write_text("")
    with pytest.raises(StageError):
        run(output, notebooks, workers=1)
    assert rows(output)["Layer by layer"] == "failed"
    text = words(output)
    assert "The run has failed: 05_layer_00 (layer input): cell In [3] of 05_layer.ipynb failed" in text
    assert "ValueError: the tyre is flat" in text
    assert "3 of 4 stages done" in text
    assert "Running" not in text
    index = (output / "index.html").read_text()
    assert 'href="notebooks/05_layer_00.failed.ipynb"' in index
    assert "half-executed" in index
    assert 'href="pages/06_relevance.html"' in index
    assert dead_links(output) == []
    assert render_report(output).read_text().count("the tyre is flat") == index.count("the tyre is flat")


def test_a_failure_in_making_leaves_a_page_that_names_the_artefact(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    with pytest.raises(ArtefactError):
        run(output, notebooks, settings={"seed": 13})
    assert rows(output)["Title of 00_data"] == "failed"
    assert "The run has failed: seeded: making it failed with ValueError: 13 is unlucky" in words(output)
    assert "0 of 4 stages done" in words(output)
    assert dead_links(output) == []


def test_an_error_text_is_escaped(tmp_path: Path) -> None:
    notebooks = write_line(tmp_path / "notebooks", first=f"raise ValueError({EVIL!r})")
    title = nbformat.read(notebooks / "06_relevance.ipynb", 4)
    title.cells[0].source = f"# {EVIL}\n{EVIL} is what it shows."
    nbformat.write(title, notebooks / "06_relevance.ipynb")
    with pytest.raises(StageError):
        run(tmp_path / "out", notebooks)
    text = (tmp_path / "out" / "index.html").read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3  # the error, the title and what it shows


def test_an_error_of_ours_is_a_failure_too(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", "1", layer=False)
    broken = nbformat.read(notebooks / "06_relevance.ipynb", 4)
    broken.cells[1].metadata["tags"] = []
    nbformat.write(broken, notebooks / "06_relevance.ipynb")
    with pytest.raises(StageError, match="no cell is tagged"):
        run(output, notebooks)
    assert "The run has failed: " in words(output)
    assert "no cell is tagged 'parameters'" in words(output)


SCRIPT = (
    "import signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import small_line\n"
    "from stgcnlib.report.live import LivePages\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background shell ignores it
    "small_line.run(Path(sys.argv[2]), Path(sys.argv[3]), watch=LivePages)"
)


def end_with(number: int, output: Path, notebooks: Path) -> str:
    """Start a run in a process of its own, end it by a signal in its third stage; what it printed on stderr."""
    arguments = [sys.executable, "-c", SCRIPT, str(Path(small_line.__file__).parent), str(output), str(notebooks)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (output / "kernel.pid").exists() and (output / "kernel.pid").read_text() != "")
    wait_for(lambda: rows(output)["Title of 06_relevance"] == "running")
    process.send_signal(number)
    _, complaints = process.communicate(timeout=60)
    kernel = int((output / "kernel.pid").read_text())
    wait_for(lambda: not alive(kernel))
    return complaints


HOLD = """
import os, time
with open(output + "/kernel.pid", "w") as file:
    file.write(str(os.getpid()))
time.sleep(0 if os.path.exists(output + "/quick") else 100)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_that_it_was_stopped(tmp_path: Path, number: int) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", HOLD)
    assert "KeyboardInterrupt" in end_with(number, output, notebooks)
    assert rows(output)["Title of 06_relevance"] == "stopped"
    text = words(output)
    assert "The run was stopped before its end" in text
    assert "2 of 4 stages done" in text
    assert "left" not in text
    assert 'href="pages/02_activations.html"' in (output / "index.html").read_text()
    assert dead_links(output) == []


def test_a_killed_run_is_told_as_stopped_and_the_next_one_corrects_the_page(tmp_path: Path, temporary: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    write_notebook(notebooks, "06_relevance", HOLD)
    end_with(signal.SIGKILL, output, notebooks)
    (private,) = temporary.iterdir()
    wait_for(lambda: not list(private.rglob("*.json")))  # with the keys of a kernel's connections
    assert "Running" in words(output)  # nobody was left to write another page, but it says when it was written:
    assert re.search(r"At \d\d:\d\d:\d\d UTC: .* so far", words(output))
    assert "The run was stopped before its end" in render_report(output).read_text()
    assert rows(output)["Title of 06_relevance"] == "stopped"

    write_notebook(notebooks, "06_relevance", WAIT.format(name="06"))
    with running(output, notebooks) as errors:
        wait_for(lambda: rows(output).get("Title of 06_relevance") in ("waiting", "running"))
        wait_for(lambda: not private.exists())
        assert rows(output)["Title of 00_data"] == "done"  # from the killed run
        assert "done before" in words(output)
    assert errors == []
    assert rows(output) == {}


@pytest.mark.parametrize(("settings", "linked"), [({}, True), ({"seed": 1}, False)], ids=["notebook", "setting"])
def test_results_of_another_run_are_not_shown_as_this_one(
    tmp_path: Path, settings: dict[str, Any], linked: bool
) -> None:
    """A changed notebook outdates its own page alone, a changed setting every page that shows what depends on it."""
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)

    def old(path: Path) -> None:
        path.mkdir()
        verdict = {"sentence": "An old verdict.", "holds": True, "facts": [], "table": {}}
        (path / "summary.json").write_text(json.dumps(verdict))

    Store(output / "artefacts").write("summary", Form("", Path, None), "old", {}, old)
    assert "An old verdict." in render_report(output).read_text()
    write_notebook(notebooks, "00_data", WAIT.format(name="00"))
    with running(output, notebooks, settings):
        wait_for(lambda: (output / "in-00").exists())
        wait_for(lambda: "running" in rows(output).values())
        assert "An old verdict." not in words(output)
        shown = (output / "index.html").read_text()
        assert 'href="pages/00_data' not in shown
        assert ('href="pages/' in shown) == ('href="pages/02_activations' in shown) == linked
        assert re.search(r"about \d+ s", words(output))  # it ran before, so its time is known from the start


def test_times_of_notebooks_that_were_done_outlive_their_results(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    run(output, notebooks)
    record = json.loads((output / "stages.json").read_text())
    record["notebooks"]["00_data"]["seconds"] = 1000
    (output / "stages.json").write_text(json.dumps(record))
    write_notebook(notebooks, "00_data", "raise ValueError")
    for _ in range(2):  # the second run knows it too, though no result of 00_data is left
        with pytest.raises(StageError):
            run(output, notebooks)
        assert json.loads((output / "stages.json").read_text())["times"]["00_data"] == 1000
        step = Progress.read(output).steps[0]  # type: ignore[union-attr]
        assert (step.name, step.expected) == ("00_data", 1000)


def test_nobody_reads_half_a_page(tmp_path: Path) -> None:
    notebooks, output = write_line(tmp_path / "notebooks"), tmp_path / "out"
    seen: list[str] = []
    with running(output, notebooks) as errors:
        output.mkdir(exist_ok=True)
        (output / "go-on").touch()
        wait_for(lambda: (output / "progress.json").exists())
        while (output / "progress.json").exists() and not errors:
            for page in [output / "index.html", *(output / "pages").glob("[!.]*.html")]:
                with suppress(FileNotFoundError):  # not there yet, or of a stage that is made again
                    seen.append(page.read_text(encoding="utf-8"))
            time.sleep(0.01)
    assert len(seen) > 10
    assert all(text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>") for text in seen)


# -- without kernels ---------------------------------------------------------------------------


def small_state(**options: Any) -> RunState:
    state = RunState(
        [Step(name="00_data", title="Data", cost=10), Step(name="05_layer", per_layer=True, cost=20)], **options
    )
    state.plan("00_data", [Notebook(name="00_data")])
    state.plan("05_layer", [Notebook(name=f"05_layer_{i:02d}", layer=f"b{i}") for i in range(4)])
    return state


def test_layers_to_come_are_expected_to_take_what_the_others_took() -> None:
    state = small_state(workers=2)
    assert [step.expected for step in state.shown().steps] == [None, None]
    state.begin("00_data")
    state.done("00_data", "00_data", 30.0)
    assert state.shown().steps[1].expected == 60.0  # three times slower than the demo
    state.begin("05_layer")
    state.done("05_layer", "05_layer_00", 8.0)
    state.done("05_layer", "05_layer_01", 10.0)
    assert state.shown().steps[1].expected == pytest.approx(4 * 9.0 / 2)
    assert state.shown().left == pytest.approx(18.0, abs=5)
    for name in ("05_layer_02", "05_layer_03"):
        state.done("05_layer", name, 9.0)
    assert (state.shown().done, state.shown().left, state.shown().left_complete) == (2, 0, True)


def test_the_first_trouble_counts() -> None:
    state = small_state()
    state.begin("00_data")
    with pytest.raises(StageError), state.working():
        raise StageError("first")
    state.end(KeyboardInterrupt())
    state.end(None)
    assert (state.shown().status, state.shown().error) == ("failed", "first")
    late = small_state()
    with late.working():
        pass
    late.end(OSError("disk full"))
    assert (late.shown().status, late.shown().error) == ("failed", "OSError: disk full")


def test_pages_that_cannot_be_written_meanwhile_do_not_disturb_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stgcnlib.report.html import Report

    (tmp_path / "study.yml").write_text(Study.load({"name": "small"}).to_yaml())
    tried = threading.Event()

    def fail(*_: Any) -> None:
        tried.set()
        raise OSError("disk full")

    monkeypatch.setattr(Report, "update", fail)
    state = small_state()
    with LivePages(tmp_path, state), state.working():
        assert (tmp_path / "index.html").exists()
        state.begin("00_data")
        assert tried.wait(20)
    monkeypatch.setattr(Report, "write", fail)
    with pytest.raises(OSError, match="disk full"), LivePages(tmp_path, fresh := small_state()), fresh.working():
        pass  # a run that went well has no pages: that is an error
    with pytest.raises(StageError, match="the cause"), LivePages(tmp_path, other := small_state()), other.working():
        raise StageError("the cause")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": "running"}', '{"status": "odd", "steps": []}'])
def test_a_damaged_account_is_no_account(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yml").write_text(Study.load({"name": "small"}).to_yaml())
    (tmp_path / "progress.json").write_text(text)
    assert Progress.read(tmp_path) is None
    assert "Nothing has been run yet" in render_report(tmp_path).read_text()


def test_the_terminal_names_the_page_first_and_says_how_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STGCNLIB_PROGRESS", raising=False)
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=False)
    state = small_state(workers=1)
    monkeypatch.chdir(tmp_path)
    folder = Path("reports/[demo]")
    folder.mkdir(parents=True)
    (folder / "study.yml").write_text(Study.load({"name": "small"}).to_yaml())
    pages = LivePages(folder, state, console=console)
    with pages, Board(state, console=console) as board, state.working():
        for stage, names in (("00_data", ["00_data"]), ("05_layer", [f"05_layer_{i:02d}" for i in range(4)])):
            board.begin(stage)
            for name in names:
                board.done(stage, name, 5.0)
    lines = console.export_text().splitlines()
    assert lines[0].startswith("pages: reports/[demo]/index.html (there from now on")
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "00_data running",
        "00_data done in 5.0 s; about 10 s left",
        "05_layer running, 4 notebooks, about 10 s",
        "05_layer_00 done in 5.0 s; about 20 s left",
        "05_layer_01 done in 5.0 s; about 20 s left",
        "05_layer_02 done in 5.0 s; about 20 s left",
        "05_layer_03 done in 5.0 s",
    ]


def test_the_live_table_shows_every_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STGCNLIB_PROGRESS", raising=False)
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    state = small_state(workers=1)
    state.begin("00_data")
    state.done("00_data", "00_data", 5.0)
    state.begin("05_layer")
    state.cell("05_layer", "05_layer_00", 2, 6)
    with pytest.raises(StageError), Board(state, console=console), state.working():
        raise StageError("05_layer_00 failed")
    last = console.export_text()
    assert "✓  00_data" in last
    assert "✗  05_layer" in last.rpartition("00_data")[2]
    assert "1 of 2 stages" in last


def test_a_run_within_a_thread_sets_no_signals(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    notebooks = write_line(tmp_path / "notebooks")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with importable():
                study = Study.load({"name": "small"})
                run_stages(study, tmp_path / "out", STAGES[:1], notebooks, line=LINE, fork=False)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
    assert signal.getsignal(signal.SIGTERM) is before
