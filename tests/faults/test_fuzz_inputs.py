"""Inputs damaged at random: recordings, study files, reports. Each is read, or refused by one error of ours."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from bad_inputs import Watch, damaged
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from small_study import small_study

from stgcnlib.pipeline.asking import expected_seconds
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study, bundled_folder
from stgcnlib.pipeline.verify import verify_study
from stgcnlib.readers import read
from stgcnlib.report.html import render_report
from stgcnlib.yaml_text import read_yaml, write_yaml

sys.path.append(str(Path(__file__).resolve().parents[1] / "readers"))
from format_writers import WRITERS

ALL = os.environ.get("STGCNLIB_FAULTS") == "all"
CASES = [pytest.param(name, writer, id=writer.__name__) for name, writers in WRITERS.items() for writer in writers]
Tally = Callable[..., None]


@pytest.mark.long
@pytest.mark.parametrize(("format", "writer"), CASES)
def test_recordings(
    format: str, writer: Callable[[Path], Path], tmp_path: Path, rng: np.random.Generator, tally: Tally
) -> None:
    watch, file = Watch(), writer(tmp_path)
    beside = [each for each in sorted(tmp_path.rglob("*")) if each.is_file()]
    whole = {each: each.read_bytes() for each in beside}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(200):
            victim = file if i % 3 else beside[int(rng.integers(len(beside)))]
            victim.write_bytes(damaged(whole[victim], rng))
            named = format if i % 2 else None
            source = tmp_path if i % 5 == 0 else file
            watch.tried(f"{victim.name} {i}", lambda named=named, source=source: read(source, format=named))
            victim.write_bytes(whole[victim])
    tally("damaged recordings", **watch.counts())
    watch.check()


def _used(file: Path) -> None:
    """A study as far as it goes without data: its fields, its paths, its keys."""
    study = Study.from_file(file)
    assert Study.model_validate(read_yaml(study.to_yaml())).fingerprint() == study.fingerprint()
    run = StudyRun(study, file.parent / "out")
    for name in ("prepared", "network/untrained", "settings"):
        run.key(name)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(leaf for key, each in items for leaf in _leaves(each, (*path, key)))]


VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 10**6, 10**30, -(10**30), 0.5, -0.0, float("nan"), float("inf"), "", " ", "a",
    "demo", "\0", "a\0b", "/", "..", "~", "~nobody/x", "/dev/null", "${HOME}", "${NO_SUCH_NAME}", "é" * 300,
    "x" * 5000, "/" + "y" * 300, "a:b", "os:system", "stgcnlib:fit", "numpy.linalg:norm", "a.b.c:d", ":", "x:", ":y",
    "*", "[", "(?P<a>", "{a}", "{", "tcp://a:1", "s3://a/b", "file:///tmp", [], [[]], [1, 2], ["a", None], {},
    {"a": {"b": 1}}, {"": ""}, [[1] * 50] * 50,
)  # fmt: skip


@pytest.mark.parametrize("count", [60, pytest.param(1500, marks=pytest.mark.long)])
def test_study_files(
    count: int, tmp_path: Path, rng: np.random.Generator, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STGCNLIB_DATA", str(tmp_path))
    importlib.import_module("stgcnlib.networks")  # what is imported on the way takes its time once
    texts = [file.read_bytes() for file in sorted(bundled_folder().glob("*.yml"))]
    full = [Study.load(file.stem).to_yaml() for file in sorted(bundled_folder().glob("*.yml"))]
    watch, file = Watch(), tmp_path / "study.yml"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(count):
            file.write_bytes(damaged(texts[i % len(texts)], rng))
            watch.tried(f"text {i}", lambda: _used(file))
            value = read_yaml(full[i % len(full)])
            leaves = _leaves(value)[1:]
            for place in rng.integers(len(leaves), size=int(rng.integers(1, 3))):
                *above, last = leaves[place]
                home = value
                with suppress(LookupError, TypeError):  # what was changed before may have no such place any more
                    for part in above:
                        home = home[part]
                    home[last] = VALUES[int(rng.integers(len(VALUES)))]
            file.write_text(write_yaml(value))
            watch.tried(f"value {i}", lambda: _used(file))
    tally("damaged study files", **watch.counts())
    watch.check()
    assert watch.refused > count / 4


def report(home: Path, *, finished: bool = False) -> Path:
    """A folder as a failed or finished run leaves it, with a small page and all files that pages are made from."""
    cells = [
        new_markdown_cell("# Title\nWhat it shows. $x^2$ <b>bold</b>"),
        new_code_cell(
            "1", execution_count=1, outputs=[new_output("execute_result", {"text/plain": "1"}, execution_count=1)]
        ),
        new_code_cell("print()", outputs=[new_output("stream", name="stdout", text="a\n")]),
    ]
    (home / "notebooks").mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells), home / "notebooks" / "00_data.ipynb")
    (home / "study.yml").write_text(Study.load("demo").to_yaml())
    then = "2026-01-01T00:00:00+00:00"
    page = {"stage": "00_data", "mark": "x", "seconds": 1.5, "finished": then, "parameters": {"layer": "l1"}}
    steps = [{"name": "00_data", "state": "done", "notebooks": [{"name": "00_data", "state": "done", "seconds": 1.5}]}]
    progress = {"status": "failed", "started": then, "changed": then, "error": "x", "steps": steps}
    verdict = {"title": "Falls", "holds": True, "sentence": "It falls.", "details": ["a"], "tests": []}
    summary = {
        "title": "Falls", "verdict": verdict, "facts": {"nodes": "3"}, "table": {"columns": ["a"], "rows": [[1]]},
        "figures": [{"title": "a", "file": "a.png", "width": 300, "alt": "b"}], "warnings": ["one"], "notes": [],
    }  # fmt: skip
    layers = [{"name": "l1", "title": "Layer 1", "index": 1}]
    for name, value in (
        ("stages.json", {"notebooks": {"00_data": page}, "times": {}}), ("progress.json", progress),
        ("artefacts/layers.json", layers), ("artefacts/summary/summary.json", summary),
    ):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(json.dumps(value))
    (home / "artefacts" / "summary" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    if finished:
        (home / "progress.json").unlink()
    return home


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.long)])
def test_reports(count: int, finished: bool, tmp_path: Path, rng: np.random.Generator, tally: Tally) -> None:
    home, watch = report(tmp_path / "report", finished=finished), Watch()
    files = [each for each in sorted(home.rglob("*")) if each.is_file()]
    whole = {each: each.read_bytes() for each in files}
    render_report(home)
    for i in range(count):
        victim = files[i % len(files)]
        victim.write_bytes(damaged(whole[victim], rng))
        watch.tried(f"{victim.name} {i}", lambda: render_report(home))
        victim.write_bytes(whole[victim])
    tally("damaged reports", **watch.counts())
    watch.check()


THEN = "2026-01-01T00:00:00+00:00"
NOTEBOOK: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
FORMS: tuple[Any, ...] = (
    [], None, 3, "x", True, {}, [[]], {"a": 1}, {"notebooks": []}, {"notebooks": {"00_data": []}}, [3],
    {"notebooks": {"00_data": {"parameters": [], "seconds": "x", "finished": [1]}}}, [{"name": 1}], {"steps": 3},
    {"notebooks": {"00_data": {"parameters": {"layer": [1]}, "seconds": float("nan"), "finished": 3}}},
    {"notebooks": {"00_data": {"seconds": None}}}, [{"name": "l1", "title": None}], [{"name": [], "title": 3}],
    {"status": "running"}, {"verdict": 3, "facts": [1], "table": 3, "figures": 3, "warnings": "x"},
    {"table": {"columns": [1], "rows": [[1, 2], 3]}}, {"facts": {"a": [1]}}, {"verdict": {"tests": [3]}},
    {"status": "failed", "started": THEN, "changed": THEN, "elapsed": float("nan"), "steps": []},
    {"status": "failed", "started": THEN, "changed": THEN, "elapsed": 10**400, "steps": []},
    NOTEBOOK | {"metadata": []}, NOTEBOOK | {"cells": [3]}, NOTEBOOK | {"cells": {}}, NOTEBOOK | {"cells": [{}]},
    NOTEBOOK | {"cells": [{"cell_type": "markdown", "metadata": {}, "source": 3}]},
    NOTEBOOK | {"cells": [{"cell_type": "code", "metadata": {}, "source": "", "outputs": 3}]},
    NOTEBOOK | {"cells": [{"cell_type": "markdown", "metadata": {}, "source": "\ud800"}]},
)  # fmt: skip
ENTRIES: tuple[Any, ...] = (
    [], None, 3, {}, {"stage": []}, {"stage": {}}, {"mark": [1]}, {"sum": 3}, {"sum": []}, {"sum": "x"},
    {"parameters": []}, {"parameters": None}, {"parameters": {"layer": {}}}, {"parameters": {"layer": "\ud800"}},
    {"seconds": None}, {"seconds": "x"}, {"seconds": []}, {"seconds": True}, {"seconds": -1}, {"seconds": 10**400},
    {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": 1e300}, {"finished": {}}, {"stgcnlib": []},
)  # fmt: skip
"""Of a notebook in ``stages.json``."""


@pytest.mark.parametrize("finished", [False, True])
def test_reports_whose_record_has_other_entries(finished: bool, tmp_path: Path, tally: Tally) -> None:
    home, watch = report(tmp_path / "report", finished=finished), Watch()
    for entry in ENTRIES:
        (home / "stages.json").write_text(json.dumps({"notebooks": {"00_data": entry}, "times": {"00_data": entry}}))
        watch.tried(f"{entry!r}", lambda: render_report(home))
    tally("damaged reports", **watch.counts())
    watch.check()
    assert watch.taken > len(ENTRIES) / 2


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.long)])
def test_studies_whose_record_has_other_entries_verified(
    every: int, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, tally: Tally
) -> None:
    """And asked how long the rest will take, which a run and an estimate do as well."""
    home, watch = Path(shutil.copytree(small_study(tmp_path_factory), tmp_path / "study")), Watch()
    run = StudyRun(Study.from_file(home / "study.yml"), home)
    report(tmp_path / "report")
    (tmp_path / "report" / "notebooks").rename(home / "notebooks")

    def verified() -> None:
        verify_study(home, progress=False)
        expected_seconds(run, run.study, ["geometry"])

    names = ("00_data", "../00_data", "a\0b", "a" * 3000, "\ud800")
    for number, entry in enumerate(ENTRIES):
        for name in names[number % every :: every]:
            (home / "stages.json").write_text(json.dumps({"notebooks": {name: entry}, "times": {name: entry}}))
            watch.tried(f"{name[:20]!r} {entry!r}", verified)
    tally("damaged studies verified", **watch.counts())
    watch.check()


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.long
def test_reports_whose_files_have_another_form(finished: bool, tmp_path: Path, tally: Tally) -> None:
    home, watch = report(tmp_path / "report", finished=finished), Watch()
    names = ("stages.json", "progress.json", "artefacts/layers.json", "artefacts/summary/summary.json", "study.yml")
    for name in (*names[: 1 if finished else 2], *names[2:], "notebooks/00_data.ipynb"):
        whole = (home / name).read_bytes()
        for value in FORMS:
            (home / name).write_text(json.dumps(value))
            watch.tried(f"{name} {value!r}", lambda: render_report(home))
        (home / name).write_bytes(whole)
    tally("damaged reports", **watch.counts())
    watch.check()
