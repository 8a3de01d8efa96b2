"""Folders that somebody hostile passed on, opened in a browser: nothing fires, nothing from outside is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from explorer_opened import Opened
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import stgcnlib
from stgcnlib.figures.live_page import LIVE_MIME
from stgcnlib.pipeline.foreign import COMPARISON
from stgcnlib.pipeline.study import Study
from stgcnlib.report.html import render_report
from stgcnlib.sequences import SequenceSet

SECRET = "the secret of somebody else"
TRICKS = (
    "<script>window.fired = 1</script>",
    "</script></style></title><script>window.fired = 2</script>",
    "<img src=x onerror=window.fired=3>",
    '"><svg onload=window.fired=4>',
    "' onmouseover='window.fired=5' autofocus onfocus='window.fired=6",
    "[a](javascript:window.fired=7)",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
)
NAME = " ".join(TRICKS)
OUTSIDE = ("../../outside/secret.png", "/etc/passwd", "../../etc/passwd", "figure.svg", "file:///etc/passwd")


def plant(home: Path, canary: Path) -> None:
    code = f"open({str(canary)!r}, 'a').close()\n"
    for place in ("notebooks/a.py", "notebooks/sitecustomize.py", "numpy.py", "ipython_config.py"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(code)


def notebook(canary: Path) -> nbformat.NotebookNode:
    live = {"kind": NAME, "content": {"title": NAME, "bodies": [{"title": NAME}]}}
    data = [
        {"text/html": NAME}, {"text/markdown": NAME}, {"text/plain": NAME}, {"image/svg+xml": TRICKS[3]},
        {"application/javascript": "window.fired = 8"}, {"text/latex": NAME}, {LIVE_MIME: live, "text/html": NAME},
        {"text/html": "<table class='dataframe'><tr><td onclick='window.fired=9'>" + NAME + "</td></tr></table>"},
        {"text/html": "<iframe src='../../outside/secret.html'></iframe><link rel=stylesheet href='http://x.invalid'>"},
    ]  # fmt: skip
    outputs = [new_output("display_data", data=each) for each in data]
    outputs += [new_output("stream", text=NAME), new_output("error", ename=NAME, evalue=NAME, traceback=[NAME])]
    words = (
        f"# {NAME}\n\n{NAME}\n\n![picture](../../outside/secret.png) <iframe src='../../outside/secret.html'></iframe>"
    )
    code = f"open({str(canary)!r}, 'a').close()  # {NAME}"
    return new_notebook(cells=[new_markdown_cell(words), new_code_cell(code, outputs=outputs)])


def received(home: Path, settings: str, *, canary: Path) -> None:
    """A made-up folder, of a study or a comparison, with tricks in all that its pages show."""
    plant(home, canary)
    layers = [{"name": NAME, "title": NAME, "index": 0}]
    summary = home / "artefacts" / "summary"
    summary.mkdir(parents=True)
    (home / settings).write_text(
        Study.load({"name": NAME[:100]}).to_yaml() if settings == "study.yml" else json.dumps({"name": NAME})
    )
    (home / "artefacts" / "layers.json").write_text(json.dumps(layers))
    done = {"seconds": 1.0, "finished": NAME, "parameters": {"layer": NAME, NAME: NAME}}
    (home / "stages.json").write_text(json.dumps({"notebooks": {"00_data": done, "05_layer_00": done}}))
    for name in ("00_data", "05_layer_00"):
        nbformat.write(notebook(canary), home / "notebooks" / f"{name}.ipynb")
    table = {"columns": [NAME], "rows": [[NAME]]}
    figures = [{"file": file, "title": NAME, "alt": NAME, "width": 9} for file in OUTSIDE]
    told = {"sentence": NAME, "details": NAME, "title": NAME, "holds": True, "tests": table}
    (summary / "summary.json").write_text(
        json.dumps({
            **told, "figure": OUTSIDE[2], "picture": figures[0], "figures": figures,
            "warnings": [NAME], "notes": [NAME],
            "claims": [{**told, "picture": each} for each in figures], "facts": [{"label": NAME, "value": NAME}],
            "table": table,
        })
    )  # fmt: skip


def walk(opened: Opened, home: Path) -> int:
    """Opens every page of a folder, points at and clicks what there is; how many pages were opened."""
    files = [home / "index.html", *sorted((home / "pages").glob("*.html"))]
    for file in files:
        assert SECRET not in file.read_text(encoding="utf-8")
        assert "root:" not in file.read_text(encoding="utf-8")
        page = opened.page(file.as_uri())
        page.on("dialog", lambda dialog: opened.complaints.append(f"dialog {dialog.message}"))
        page.evaluate("""() => {
            for (const each of document.querySelectorAll("details")) each.open = true;
            const kinds = ["mouseover", "focus", "click"];
            const bare = [...document.querySelectorAll("body *")].filter((each) => !each.closest("a, button"));
            for (const each of bare) for (const kind of kinds) each.dispatchEvent(new Event(kind));
        }""")
        page.wait_for_timeout(50)
        assert page.evaluate("window.fired") is None
        assert page.evaluate("document.querySelectorAll('iframe, object, embed, base').length") == 0
        links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
        assert not [link for link in links if link.strip().lower().startswith(("javascript:", "data:", "vbscript:"))]
    within = home.as_uri()
    assert not [url for url in opened.requests if url.startswith("file:") and not unquote(url).startswith(within)]
    return len(files)


@pytest.mark.parametrize("trick", TRICKS[:4])
def test_the_tricks_would_fire_where_nothing_is_escaped(browser: Any, tmp_path: Path, trick: str) -> None:
    (tmp_path / "bare.html").write_text(f'<!DOCTYPE html><title>a</title><a title="{trick}">{trick}</a>')
    page = browser.new_page()
    page.goto((tmp_path / "bare.html").as_uri())
    page.wait_for_function("window.fired !== undefined", timeout=5000)
    page.close()


@pytest.mark.parametrize("settings", ["study.yml", COMPARISON])
def test_pages_of_a_received_folder(opened: Opened, tmp_path: Path, settings: str) -> None:
    home, outside = tmp_path / "received", tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.html").write_text(SECRET)
    (outside / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n" + SECRET.encode())
    received(home, settings, canary=tmp_path / "canary")
    render_report(home)
    assert walk(opened, home) == 3
    assert not (tmp_path / "canary").exists()


@pytest.mark.skipif(os.name == "nt", reason="links of Unix")
def test_a_picture_behind_a_link_is_not_embedded(tmp_path: Path) -> None:
    home = tmp_path / "received"
    received(home, "study.yml", canary=tmp_path / "canary")
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n" + SECRET.encode())
    (home / "artefacts" / "summary" / "figure.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(stgcnlib.errors.StudyError, match="link out of"):
        render_report(home)
    assert not (home / "index.html").exists()


@pytest.mark.long  # 20 s
def test_the_workbench_of_a_received_study(opened: Opened, tmp_path: Path) -> None:
    """Classes, recordings and groups have tricks for names, in a study that was really made."""
    rng = np.random.default_rng(0)
    count = 16
    given = SequenceSet(
        [rng.normal(0, 0.3, (12 + i % 3, 20, 3)) + i % 2 for i in range(count)],
        labels=[i % 2 for i in range(count)], class_names=[TRICKS[0], TRICKS[2]],
        groups={"subject": [f"{TRICKS[1]}{i // 4}" for i in range(count)]},
        names=[f"{i} {TRICKS[i % len(TRICKS)]}" for i in range(count)], layout="kinect-v1",
    )  # fmt: skip
    given.save(tmp_path / "data.npz")
    home = tmp_path / "received"
    run = stgcnlib.open_study(
        {
            "name": NAME[:100], "data": {"path": str(tmp_path / "data.npz"),
                                         "split": {"by": "subject", "train": [f"{TRICKS[1]}{i}" for i in (0, 1)]}},
            "network": {"name": "st-gcn", "options": {"width": 4, "depth": 2}, "training": {"epochs": 1}},
            "graph": {"part": "all", "k": 3}, "controls": {"untrained": 1}, "geometry": {"permutations": 5},
            "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
        },
        home,
    )  # fmt: skip
    for name in ("geometry", "planes/trained", "findings", "maps", "recordings", "summary"):
        run[name]
    (home / "study.yml").write_text(run.study.to_yaml(), encoding="utf-8")
    plant(home, tmp_path / "canary")
    workbench = stgcnlib.explore(home)
    page = opened(dict(workbench._content), kernel=False)
    names = list(workbench._content["nodes"]["names"])
    assert len(names) == count
    for name in names[: len(TRICKS)]:
        page.evaluate("change => { store.set(change); return settled(); }", {"open": name})
        assert page.evaluate("window.fired") is None
    assert page.evaluate("window.fired") is None
    text = page.locator("body").inner_text()
    assert TRICKS[0] in text  # shown as text
    saved = tmp_path / "saved.html"
    saved.write_text(workbench.to_html(), encoding="utf-8")
    alone = opened.page(saved.as_uri())
    alone.wait_for_timeout(100)
    assert alone.evaluate("window.fired") is None
    assert not (tmp_path / "canary").exists()
