"""Run the tutorials and keep their outputs: ``python tools/tutorials.py [NOTEBOOK …]``; without one, all stale ones.

Each code cell is stamped with a hash of the sources of all code cells up to it, itself included. A cell that was
changed, added or moved after the run has another hash, and so have all cells after it: their outputs are stale.
``--check`` runs nothing; it lists the stale cells, and its exit code says whether there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

TUTORIALS = Path(__file__).resolve().parents[1] / "notebooks" / "tutorials"
STAMP = "sources"  # the key in a cell's metadata
WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> int:
    """Run and stamp the notebooks, or check them; the exit code says whether stale cells were found by a check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="run nothing, list the stale cells")
    given = parser.parse_args()
    found = False
    for path in given.notebooks or sorted(TUTORIALS.glob("*.ipynb")):
        stale = stale_cells(read(path))
        if given.check:
            found = found or bool(stale)
            print(*(f"{path.name}: code cell {number} is stale" for number in stale), sep="\n", end="\n" * bool(stale))
        elif stale or given.notebooks:
            print(path.name, flush=True)
            run(path)
    return found


def read(path: Path) -> NotebookNode:
    """The notebook in a file."""
    return nbformat.read(path, as_version=4)


def run(path: Path) -> None:
    """Run a notebook in its folder from a fresh kernel, and write it back with outputs and stamps.

    Progress is not drawn, and of a widget its still picture and words are kept: what draws it needs a kernel.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the file is as it was.
    """
    notebook = read(path)
    os.environ["STGCNLIB_PROGRESS"] = "0"
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    notebook.metadata.pop("widgets", None)
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        output.get("data", {}).pop(WIDGET, None)
    stamp(notebook)
    nbformat.write(notebook, path)


def stamp(notebook: NotebookNode) -> None:
    """Stamp the code cells as they are now, in place."""
    for cell, sources in zip(code_cells(notebook), hashes(notebook), strict=True):
        cell.metadata[STAMP] = sources


def stale_cells(notebook: NotebookNode) -> list[int]:
    """Which code cells, counted from 1, have outputs of other sources, were never stamped, or ran out of order."""
    cells = zip(code_cells(notebook), hashes(notebook), strict=True)
    return [
        number
        for number, (cell, sources) in enumerate(cells, 1)
        if cell.metadata.get(STAMP) != sources or cell.execution_count != number
    ]


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def hashes(notebook: NotebookNode) -> list[str]:
    """For each code cell, a hash of the sources up to it."""
    known = hashlib.sha256()
    found = []
    for cell in code_cells(notebook):
        known.update(cell.source.encode() + b"\0")
        found.append(known.hexdigest()[:16])
    return found


if __name__ == "__main__":
    sys.exit(main())
