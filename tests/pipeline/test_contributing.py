"""CONTRIBUTING.md is true: its example runs as it stands, and its rooms are those that import-linter checks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGE = "04c_speeds"
TINY = {
    "name": "tiny",
    "data": {"demo": {"subjects": 4, "repeats": 1}, "split": {"train": [1, 3]}},
    "network": {"options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "controls": {"untrained": 1, "initial": 0},
}
KEYS = """
import json, sys
from stgcnlib.artefacts import Place
from stgcnlib.pipeline import open_study
run = open_study(json.loads(sys.argv[1]), sys.argv[2])
places = [Place(each, dict.fromkeys(each.axes, "*")) for each in run.line if each.form and "network" not in each.axes]
print(json.dumps({place.name: run.keys.of(place) for place in places if run.keys.has(place.artefact)}))
"""
RUN = """
import json, sys
from pathlib import Path
from stgcnlib.pipeline import Study
from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.stages import STAGES
from stgcnlib.report import render_report
output = Path(sys.argv[2])
run_stages(Study.load(json.loads(sys.argv[1])), output, [s for s in STAGES if s.name == sys.argv[3]], progress=False)
render_report(output)
"""


class Block(NamedTuple):
    file: str
    place: str
    code: str


def blocks() -> list[Block]:
    found = re.findall(r"^\*\*`([^`]+)`\*\*, ([^:]+):[^\n]*\n(?:[^\n]+\n)*\n```python\n(.*?)^```$", TEXT, re.M | re.S)
    assert len(found) == TEXT.count("```python")
    return [Block(*each) for each in found]


def cells(code: str) -> nbformat.NotebookNode:
    """A notebook from its cells in percent format."""
    notebook = new_notebook()
    for marker, source in re.findall(r"^# %%([^\n]*)\n(.*?)(?=^# %%|\Z)", code, re.M | re.S):
        if "markdown" in marker:
            notebook.cells.append(new_markdown_cell(re.sub("^# ", "", source, flags=re.M).strip()))
        else:
            tags = re.search(r"tags=(\[.*\])", marker)
            notebook.cells.append(new_code_cell(source.strip(), metadata={"tags": json.loads(tags[1]) if tags else []}))
    return notebook


def apply(block: Block, folder: Path) -> None:
    file = folder / block.file
    if block.place == "cell by cell":
        nbformat.write(cells(block.code), file)
    elif block.place == "a new file":
        assert not file.exists()
        file.write_text(block.code, encoding="utf-8")
    else:
        start = block.place.removeprefix("below `").removesuffix("`")
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        at = [number for number, line in enumerate(lines) if line.startswith(start)]
        assert len(at) == 1, f"{block.file} has {len(at)} lines that start with {start!r}"
        lines.insert(at[0] + 1, block.code)
        file.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the library with the example in it."""
    folder = tmp_path_factory.mktemp("contribution")
    for name in ("stgcnlib", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for block in blocks():
        apply(block, folder)
    return folder


def python(folder: Path, *arguments: str) -> str:
    """What a command prints, with the library that lies in a folder."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def test_the_example_has_fewer_than_40_lines_of_code() -> None:
    lines = [line.strip() for block in blocks() for line in block.code.splitlines()]
    assert len([line for line in lines if line and not line.startswith(("#", '"""'))]) < 40


def test_the_example_passes_ruff(changed: Path) -> None:
    files = sorted({block.file for block in blocks()})
    python(changed, "-m", "ruff", "check", "--no-cache", *files)
    python(changed, "-m", "ruff", "format", "--no-cache", "--check", *(f for f in files if f.endswith(".py")))


def test_the_page_of_the_example_shows_its_figure(changed: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    python(changed, "-c", RUN, json.dumps(TINY), str(output), PAGE)
    page = (output / "pages" / f"{PAGE}.html").read_text(encoding="utf-8")
    assert "<title>Speed of features" in page
    assert '<img alt="Figure: Speed of features" src="data:image/png;base64,' in page
    assert f"pages/{PAGE}.html" in (output / "index.html").read_text(encoding="utf-8")
    table = pd.read_parquet(output / "tables" / "speeds.parquet")
    assert list(table.columns) == ["input", "layer 1", "layer 2", "layer 3"]
    assert (table > 0).all(axis=None)


def test_the_example_leaves_the_keys_of_other_results_as_they_are(changed: Path, tmp_path: Path) -> None:
    arguments = (KEYS, json.dumps(TINY), str(tmp_path))
    before = json.loads(python(ROOT, "-c", *arguments))
    after = json.loads(python(changed, "-c", *arguments))
    assert after.keys() - before.keys() == {"speeds"}
    assert {name for name, key in before.items() if after[name] != key} == set()


def test_the_rooms_are_told_in_the_order_that_is_checked() -> None:
    [layers] = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    checked = [room.strip() for layer in layers for room in layer.split("|")]
    told = [room for row in re.findall(r"^\| (`.*?) \|", TEXT, re.M) for room in re.findall(r"`(\w+)`", row)]
    assert told == checked
