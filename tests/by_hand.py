"""Stage notebooks run as by hand: in the folder where they lie, beside finished studies, one after the other."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient

from stgcnlib.pipeline.execute import SameInterpreter
from stgcnlib.pipeline.kernels import SOURCE, KernelSource
from stgcnlib.pipeline.notebooks import notebook_folder

__all__ = ["output_text", "run_by_hand", "state_of", "tree"]


def tree(home: Path, studies: Mapping[str, Path]) -> Path:
    """A repository of stage notebooks and finished studies; where its notebooks lie."""
    (home / ".git").mkdir(parents=True)
    shutil.copytree(notebook_folder(), home / "notebooks" / "stages")
    for name, folder in studies.items():
        shutil.copytree(folder, home / "reports" / name)
    return home / "notebooks" / "stages"


def run_by_hand(
    stages: Path, edits: Mapping[str, Mapping[str, object]]
) -> dict[str, tuple[float, nbformat.NotebookNode]]:
    """Run notebooks in one folder, with some of their parameters changed as a reader would change them.

    Returns:
        name -> seconds, and the notebook with its outputs.
    """
    told: dict[str, tuple[float, nbformat.NotebookNode]] = {}
    source = KernelSource()
    source.start({"STGCNLIB_PROGRESS": "0"})
    try:
        with patch.dict(os.environ, {SOURCE: source.path} if source.path else {}):
            os.environ.pop("STGCNLIB_STAGE", None)
            for name, values in edits.items():
                notebook = nbformat.read(stages / f"{name}.ipynb", as_version=4)
                (cell,) = [each for each in notebook.cells if "parameters" in each.metadata.get("tags", [])]
                cell.source += "".join(f"\n{key} = {value!r}" for key, value in values.items())
                began = time.monotonic()
                client = NotebookClient(
                    notebook,
                    timeout=300,
                    kernel_manager_class=SameInterpreter,
                    resources={"metadata": {"path": str(stages)}},
                )
                client.execute()
                told[name] = time.monotonic() - began, notebook
    finally:
        source.stop()
    return told


def state_of(home: Path) -> dict[str, int]:
    """When each file below a folder was written."""
    return {str(file.relative_to(home)): file.stat().st_mtime_ns for file in home.rglob("*") if file.is_file()}


def output_text(notebook: nbformat.NotebookNode) -> str:
    """What a notebook's cells have printed."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return "".join(output.get("text", "") for output in outputs)
