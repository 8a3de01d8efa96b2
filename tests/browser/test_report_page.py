"""Report pages in a real browser: nothing overflows, nothing is fetched, nothing complains."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from stgcnlib.errors import StageError
from stgcnlib.pipeline.state import Notebook, RunState, Step
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import Report, render_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up report with a wide figure, a wide table, long names and eleven layers."""
    folder = tmp_path_factory.mktemp("report")
    long = "a_name_that_never_ends_" * 6
    (folder / "study.yml").write_text(Study.load({"name": f"Study {long[:100]}"}).to_yaml())
    layers = [{"name": f"st_gcn_networks.{i}", "title": f"layer {i}", "index": i} for i in range(11)]
    summarized = folder / "artefacts" / "summary"
    summarized.mkdir(parents=True)
    (folder / "artefacts" / "layers.json").write_text(json.dumps(layers))
    (folder / "notebooks").mkdir()
    done = {}
    for i, name in enumerate(["00_data", *(f"05_layer_{i:02d}" for i in range(11)), "09_summary"]):
        parameters = {"layer": layers[i - 1]["name"]} if name.startswith("05") else {"output": ".."}
        done[name] = {"seconds": 61.2, "finished": "2026-01-01T10:20:30+00:00", "parameters": parameters}
        nbformat.write(executed(long), folder / "notebooks" / f"{name}.ipynb")
    (folder / "stages.json").write_text(json.dumps({"notebooks": done}))
    (summarized / "curve.png").write_bytes(base64.b64decode(picture()))
    table = {"columns": [f"column {i}" for i in range(16)], "rows": [["0.123 to 0.234"] * 16] * 11}
    facts = [{"label": "sequences", "value": long}, {"label": "classes", "value": "27"}]
    tests = {"columns": ["question", "value", "95% interval", "answer"], "rows": [[long, "0.1", "0 to 1", "yes"]] * 3}
    verdict = {"sentence": f"Falls. {long}", "details": long * 3, "holds": True, "tests": tests}
    shown = [{"file": "curve.png", "width": 960, "title": long, "alt": "curve"}]
    picture_of = {"file": "curve.png", "width": 700, "alt": "tests"}
    claims = [{"title": "Noise", **verdict, "picture": picture_of}]
    summary = {**verdict, "picture": picture_of, "figures": shown, "claims": claims, "facts": facts, "table": table}
    summary["warnings"] = [long * 4]
    (summarized / "summary.json").write_text(json.dumps(summary))
    render_report(folder)
    return folder


def picture() -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 4))
    figure.subplots().plot([1, 2, 3])
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode()


def executed(long: str) -> nbformat.NotebookNode:
    table = "<table class='dataframe'><tr>" + f"<td>{long}</td>" * 4 + "</tr></table>"
    outputs = [
        new_output("display_data", data={"image/png": picture()}),
        new_output("display_data", data={"text/html": table}),
        new_output("stream", name="stdout", text=long * 3),
        new_output(
            "display_data", data={"text/html": "<script>document.title = 'taken'</script><img src='http://x.invalid/'>"}
        ),
    ]
    cells = [
        new_markdown_cell(f"# Title\nWhat it shows, with `{long}` in it."),
        new_markdown_cell("## First part\n" + "Some words to read. " * 40),
        new_code_cell(f"value = '{long}{long}'", outputs=outputs),
        new_markdown_cell(f"## Second part {long}"),
    ]
    return new_notebook(cells=cells)


@pytest.mark.parametrize("width", [1400, 800, 390])
@pytest.mark.parametrize("page_name", ["index", "pages/00_data", "pages/05_layer_03"])
def test_page_fits_and_is_quiet(browser: Any, report: Path, page_name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = (report / f"{page_name}.html").as_uri()
    page.goto(address)
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert "taken" not in page.title()
    for details in page.query_selector_all("details"):
        details.evaluate("node => node.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    page.close()


def test_links_lead_from_index_to_pages_and_on(browser: Any, report: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto((report / "index.html").as_uri())
    page.click("table.pages-table a >> text=Layer 3")
    assert page.text_content("h1") == "Layer 3"
    page.click("a[rel=next]")
    assert page.text_content("h1") == "Layer 4"
    page.click("nav.pages .sections a >> nth=0")
    assert page.url.endswith("#s1")
    page.click("nav.pages a.study")
    assert page.url.endswith("index.html")
    page.close()


@pytest.fixture(scope="module", params=["running", "failed", "stopped"])
def unfinished(request: pytest.FixtureRequest, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up report half-way through its layers."""
    folder: Path = tmp_path_factory.mktemp("unfinished") / "report"
    shutil.copytree(report, folder)
    long = "a_name_that_never_ends_" * 6
    steps = [
        Step(name="00_data", title="Data", about=f"What it shows: {long}", cost=10),
        Step(name="05_layer", per_layer=True, about="One layer.", cost=20),
        Step(name="09_summary", title=f"Summary {long}", about="What it shows.", cost=5),
    ]
    state = RunState(steps, workers=2)
    state.plan("00_data", [Notebook(name="00_data", state="done", seconds=12.0)])
    layers = [Notebook(name=f"05_layer_{i:02d}", layer=f"st_gcn_networks.{i}") for i in range(11)]
    state.plan("05_layer", layers)
    state.plan("09_summary", [Notebook(name="09_summary")])
    state.begin("05_layer")
    for i in range(4):
        state.done("05_layer", f"05_layer_{i:02d}", 5.0)
    for i in (4, 5):
        state.cell("05_layer", f"05_layer_{i:02d}", 3, 9)
    if request.param != "running":
        failed = StageError(f"05_layer_04: cell In [3] failed\n  ValueError: {long * 4}\n  parameters: study={long!r}")
        state.end(failed if request.param == "failed" else KeyboardInterrupt())
    Report(folder).write(state.shown())
    return folder


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_a_page_half_way_fits_and_its_links_lead_somewhere(browser: Any, unfinished: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((unfinished / "index.html").as_uri())
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    signs = page.evaluate(
        "[...document.querySelectorAll('td.state span')].map(s => getComputedStyle(s, '::before').content)"
    )
    assert all(len(sign.strip('"')) == 1 for sign in signs)  # a sign besides the colour
    assert len(set(signs)) == 3  # done, the stage that was at work, to come
    states = page.eval_on_selector_all("td.state", "cells => cells.map(cell => cell.innerText.split('\\n')[0].trim())")
    assert states[0] == "done before"
    assert states[1] in ("running", "failed", "stopped")
    assert states[2] == ("to come" if states[1] == "running" else "not begun")
    chips = page.query_selector_all("td.what .chips > *")
    assert [chip.evaluate("node => node.tagName") for chip in chips] == ["A"] * 4 + ["SPAN"] * 7
    for link in page.eval_on_selector_all("a[href$='.html']", "links => links.map(link => link.href)"):
        assert Path(link.removeprefix("file://")).exists(), link
    page.click("text=Layer 3")
    assert page.text_content("h1") == "Layer 3"
    assert page.query_selector("a[rel=next]") is None  # the next is not there yet
    page.close()


@pytest.mark.parametrize("width", [1400, 800, 400])
def test_no_column_of_the_list_of_pages_is_cut_off_while_results_are_made(
    browser: Any, tmp_path: Path, width: int
) -> None:
    (tmp_path / "study.yml").write_text("name: small\n")
    steps = [Step(name="03_ds_graphs", title="Distances and DS-Graphs", about="How far apart are two? " * 5, cost=180)]
    state = RunState(steps, workers=2, foreseen=True)
    state.plan("03_ds_graphs", [Notebook(name="03_ds_graphs")])
    state.begin("03_ds_graphs")
    state.making("03_ds_graphs", "all-pairs/untrained/st_gcn_networks.3", 32)
    Report(tmp_path).announce(state.shown())
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "index.html").as_uri())
    assert "making results, 32 made" in page.inner_text(".pages-table")
    assert "st_gcn" not in page.inner_text(".pages-table")
    assert page.evaluate("[...document.querySelectorAll('.wide')].every(each => each.scrollWidth <= each.clientWidth)")
    page.close()
