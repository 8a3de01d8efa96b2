"""The pages of the site are true: messages occur in the code, tables have all of it, and what tools read parses.

`make docs` builds the site and fails on warnings; here is what that cannot see.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import stgcnlib
from stgcnlib.pipeline import Study

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip("docs is not part of this distribution", allow_module_level=True)
sys.path.insert(0, str(DOCS))

import written  # noqa: E402  # in docs

PAGES = sorted(DOCS.glob("*.md"))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_the_question_that_it_answers(page: Path) -> None:
    title, _, question = read(page).split("\n")[:3]
    assert title.startswith("# ")
    assert re.fullmatch(r"\*.*\?\*", question), question


def test_every_page_is_in_a_table_of_contents() -> None:
    trees = [tree for page in PAGES for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", read(page), re.M | re.S)]
    listed = {line for tree in trees for line in re.findall(r"^[\w/*]+$", tree, re.M)}
    assert {page.stem for page in PAGES} - {"index"} | {"generated/tutorials/*", "generated/api/*"} <= listed


def test_every_figure_of_the_gallery_is_there_and_below_its_code() -> None:
    sections = read(DOCS / "gallery.md").split("\n## ")[1:]
    shown = [
        re.search(r"^```python\n.*?^```\n\n!\[[^\]]+\]\((pictures/\w+\.png)\)", each, re.M | re.S) for each in sections
    ]
    assert all(shown)
    assert len(shown) >= 8
    assert {DOCS / found[1] for found in shown if found} == set((DOCS / "pictures").iterdir())


def messages() -> list[str]:
    """The texts of the code, with what they fill in as an ellipsis."""
    found = []
    for file in (ROOT / "stgcnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(read(file))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def occurs(quoted: str, said: list[str]) -> bool:
    pieces = [re.escape(piece) for piece in quoted.split("…")]
    pattern = re.compile(".*".join(pieces), re.S)
    return any(pattern.search(text) for text in said)


def test_a_message_that_nobody_says_is_noticed() -> None:
    assert not occurs("the moon is in the way", ["the sun is in the way"])
    assert occurs("has … joints", ["recording … has … joints, expected …"])


def test_every_quoted_message_is_one_of_the_code() -> None:
    said = messages()
    quoted = re.findall(r"^### `(.+)`$", read(DOCS / "troubleshooting.md"), re.M)
    assert len(quoted) == read(DOCS / "troubleshooting.md").count("\n### ") >= 30
    gone = [message for message in quoted if not occurs(message, said)]
    assert not gone, gone


def test_every_public_name_has_a_place() -> None:
    pages = written.api_pages()
    described = "".join(pages.values())
    for room, names in written.rooms().items():
        for name in names:
            assert re.search(rf"^## {re.escape(name)}$|^`{re.escape(name)}` is ", pages[f"api/{room}.md"], re.M), name
    for name in stgcnlib.__all__:
        assert name == "__version__" or f"stgcnlib.{name}`" in pages["api/stgcnlib.md"]
    places = re.findall(r"^\.\. (?:autoclass|autofunction|py:data):: (\S+)$", described, re.M)
    assert len(places) == len(set(places))


def test_every_key_of_a_study_has_a_row() -> None:
    page = written.study_file()
    keys = set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    assert keys >= set(Study.model_fields)
    assert "| `k` | whole number or null" in page
    rows = re.findall(r"^\| `\w+` \|.*$", page, re.M)
    assert all(len(row.split(" | ")) == 4 for row in rows), [row for row in rows if len(row.split(" | ")) != 4]
    assert "| `metric` | `euclidean` or `sqeuclidean` or `cosine` | `euclidean` |" in page


def test_every_command_has_a_heading() -> None:
    page = written.command_line()
    registered = {str(command.name or command.callback.__name__) for command in written.app.registered_commands}
    assert set(re.findall(r"^## stgcnlib ([\w-]+)$", page, re.M)) == registered
    assert "| `--output`, `-o` | Folder for everything made" in page


def places(name: str) -> bool:
    """Whether `stgcnlib.name` is there, as an attribute or a module."""
    found: Any = stgcnlib
    for place, part in enumerate(parts := name.split(".")):
        if not hasattr(found, part):
            try:
                importlib.import_module(f"stgcnlib.{'.'.join(parts[: place + 1])}")
            except ImportError:
                return False
        found = getattr(found, part)
    return True


def test_every_name_that_a_page_gives_with_its_room_is_there() -> None:
    pages = [*PAGES, ROOT / "README.md", ROOT / "benchmarks" / "README.md"]
    said = {name for page in pages for name in re.findall(r"(?<![\w/.])stgcnlib\.([a-z]\w*(?:\.\w+)*)", read(page))}
    said = {name for name in said if name.rpartition(".")[2] not in ("py", "yml")}
    assert len(said) > 20
    assert sorted(name for name in said if not places(name)) == []


def test_every_option_that_a_page_gives_is_one_of_its_command() -> None:
    group: Any = typer.main.get_command(written.app)
    known = {
        name: {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in group.commands.items()
    }
    for page in [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]:
        for name, rest in re.findall(r"\bstgcnlib ([a-z]+)\b([^`|#\n]*)", read(page)):
            for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", rest if name in known else ""):
                assert option in {*known[name], "--help"}, (page.name, name, option)


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load(read(ROOT / "CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["version"] == stgcnlib.__version__
    assert all({"type", "title", "authors"} <= reference.keys() for reference in citation["references"])
