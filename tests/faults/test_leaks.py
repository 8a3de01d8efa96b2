"""What is passed on tells nothing of the machine that made it: no path, no home folder, no host."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_study import full_study

import stgcnlib
from stgcnlib import figures
from stgcnlib.report.html import render_report
from stgcnlib.workbench.explore import explore

PACKED = re.compile(rb"[A-Za-z0-9+/]{400,}={0,2}")


def told(content: bytes, *words: str) -> set[str]:
    """Those words that stand in a file, or in what is packed in it by zip or base64."""
    layers = [content]
    for match in PACKED.finditer(content):
        whole = match[0][: len(match[0]) // 4 * 4]
        layers.append(base64.b64decode(whole))
    return {word for word in words for layer in layers if word.encode() in layer}


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files by name, and the members of archives."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        yield name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{name}:{member}", archive.read(member)) for member in archive.namelist())


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = full_study(tmp_path_factory)
    return made


@pytest.fixture(scope="module")
def words(study: Path) -> tuple[str, ...]:
    """Where the study was made, this home and host, and where Python and the library lie."""
    library = Path(stgcnlib.__file__).resolve().parents[1]
    known = {str(study.parent), str(Path.home()) + "/", sys.prefix, str(library), socket.gethostname()}
    return tuple(word for word in known if len(word) > 4)


def test_the_words_would_be_found(tmp_path: Path) -> None:
    said = str(tmp_path).encode()
    np.savez_compressed(tmp_path / "a.npz", header=np.array(str(tmp_path)).astype("S"))
    (tmp_path / "b.html").write_bytes(base64.b64encode(b"x" * 600 + said))
    found = {name for name, content in contents(tmp_path) if told(content, str(tmp_path))}
    assert found == {"a.npz:header.npy", "b.html"}


def test_results_of_every_form(study: Path, words: tuple[str, ...]) -> None:
    every = dict(contents(study))
    kinds = {Path(name).suffix for name in every}
    assert {".json", ".npz", ".parquet", ".yml"} <= kinds
    assert {name: found for name, content in every.items() if (found := told(content, *words))} == {}


def test_exports(study: Path, words: tuple[str, ...]) -> None:
    workbench = explore(study)
    run = stgcnlib.read_study(study)
    player = figures.class_player(run["nodes"])
    assert player is not None
    pages = {
        "workbench": workbench.to_html(),
        "state": str(workbench.state),
        "player": player.to_html(),
    }
    assert {name: found for name, page in pages.items() if (found := told(page.encode(), *words))} == {}


def test_pages(study: Path, words: tuple[str, ...], tmp_path: Path) -> None:
    home = Path(shutil.copytree(study, tmp_path / "study"))
    render_report(home)
    shown = {name: content for name, content in contents(home) if name.endswith((".html", ".js"))}
    assert shown
    assert {name: found for name, content in shown.items() if (found := told(content, *words, str(tmp_path)))} == {}
