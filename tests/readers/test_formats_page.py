"""docs/formats.md has a row for every format and every layout, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from stgcnlib.readers import FORMATS, TABLES, read
from stgcnlib.skeleton import LAYOUTS, layout
from stgcnlib.transforms import PUBLISHED

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.fixture(scope="module")
def page() -> str:
    if not PAGE.is_file():
        pytest.skip("docs/formats.md is not part of this distribution")
    return PAGE.read_text(encoding="utf-8")


def rows(page: str, columns: int) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == columns and row[0] not in ("format", "layout", "---")]


def test_every_format_has_a_row(page: str) -> None:
    table = rows(page, 6)
    named = [row[0].strip("`") for row in table if row[0]]
    assert sorted(named) == sorted([*FORMATS, TABLES])
    assert all(all(row[1:]) for row in table)
    for row in table:
        for name in re.findall(r"`([a-z0-9.+-]+-\d+|ntu-rgb\+d)`", row[4]):
            assert name in LAYOUTS


def test_every_layout_has_a_row(page: str) -> None:
    table = {row[0].strip("`"): (int(row[1]), int(row[2])) for row in rows(page, 4)}
    assert table == {name: (len(body), body.dimensions) for name, body in LAYOUTS.items()}


def test_the_examples_run(page: str, tmp_path: Path) -> None:
    described = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    command = re.search(r"--pattern '([^']*)' -o mouse", page)
    assert described is not None
    assert code is not None
    assert command is not None
    (tmp_path / "mouse.yml").write_text(described[1])
    made: dict[str, object] = {}
    exec(code[1], made)
    assert layout(str(tmp_path / "mouse.yml")) == made["mouse"]
    folder = tmp_path / "recordings" / "3"
    folder.mkdir(parents=True)
    np.savetxt(folder / "groom_1.csv", np.ones((5, 8)), delimiter=",")
    data = read(tmp_path / "recordings", layout=str(tmp_path / "mouse.yml"), pattern=command[1])
    assert (data.class_names, data.groups["subject"].tolist(), data.groups["trial"].tolist()) == (("groom",), [3], [1])


def test_every_published_preparation_has_a_row(page: str) -> None:
    named = [name for row in rows(page, 3) for name in re.findall(r"`([a-z0-9-]+)`", row[0])]
    assert sorted(set(named) & set(PUBLISHED)) == sorted(PUBLISHED)
