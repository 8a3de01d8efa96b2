"""Stage notebooks as files: where they lie, what they are called, and which parameters they take.

`jobs` runs them; `stgcnlib.report` shows them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.errors import StageError, suggest

__all__ = ["check_parameters", "notebook_folder", "opening", "read_notebook"]


def notebook_folder() -> Path:
    """Where the stage notebooks lie: in the repository, or inside the installed package."""
    installed = Path(__file__).resolve().parents[1] / "notebooks" / "stages"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "notebooks" / "stages"


def read_notebook(notebook: Path) -> Any:
    """A notebook in nbformat 4.

    Raises:
        StageError: it is missing or damaged.
    """
    import nbformat  # here, since it takes a second of processor time, and most processes read no notebook

    try:
        return nbformat.read(notebook, as_version=4)
    except Exception as error:
        raise StageError(f"{notebook}: not readable as a notebook ({' '.join(str(error).split())[:200]})") from None


def opening(notebook: Any, name: str) -> tuple[str, str]:
    """Title and first sentence of a notebook, as plain text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            head, _, rest = cell.source.partition("\n")
            text = re.sub(r"[*`]", "", " ".join(rest.split("\n\n")[0].split()))
            sentence = re.match(r".*?[.!?](?=\s|$)", text)
            return head.removeprefix("# ").strip(), sentence[0] if sentence else text
    return name, ""


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook's cell tagged `parameters` doesn't define.

    Raises:
        StageError: names the notebook, the parameter and those it has; or there is no such cell.
    """
    cells = [c for c in read_notebook(notebook).cells if "parameters" in c.metadata.get("tags", [])]
    if not cells:
        raise StageError(
            f"{notebook}: no cell is tagged 'parameters'; tag the one that defines {', '.join(parameters)}"
        )
    known: list[str] = []
    for statement in ast.parse(cells[0].source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        known += [target.id for target in targets if isinstance(target, ast.Name)]
    for name in parameters:
        if name not in known:
            raise StageError(f"{notebook}: its parameters cell defines no {name!r}; {suggest(name, known)}")
