"""Four small stages, with notebooks, that show a line of small artefacts: for tests of what runs and shows them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_artefacts import LINE

from stgcnlib.pipeline.runner import run_stages
from stgcnlib.pipeline.stages import Stage
from stgcnlib.pipeline.study import Study

STAGES = (
    Stage("00_data", ("seeded",)),
    Stage("02_activations", ("layers",)),
    Stage("06_relevance", ("explained",)),
    Stage("05_layer", ("explained", "width/{layer}"), per_layer=True),
)
TRACE = 'with open(output + "/trace.txt", "a") as trace:\n    trace.write({} + "\\n")'
FAIL = """
import os
first = 1
if os.path.exists(output + "/break"):
    raise ValueError("the tyre is flat")
"""


@contextmanager
def importable() -> Iterator[None]:
    """Processes that are started here find the functions of the line."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def write_notebook(folder: Path, name: str, *sources: str, layer: bool = False) -> None:
    parameters = 'study = "demo"\noutput = "reports/demo"' + ('\nlayer = "input"' if layer else "")
    cells = [new_markdown_cell(f"# Title of {name}\nWhat it shows."), new_code_cell(parameters)]
    cells[1].metadata["tags"] = ["parameters"]
    cells += [new_code_cell(source) for source in sources]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "no-such-kernel", "display_name": "none"}})
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def write_line(folder: Path, *, first: str = "1") -> Path:
    write_notebook(folder, "00_data", first, TRACE.format('"00_data"'))
    write_notebook(folder, "02_activations", TRACE.format('"02_activations"'))
    write_notebook(folder, "05_layer", FAIL, TRACE.format('"05_layer " + layer'), layer=True)
    write_notebook(folder, "06_relevance", TRACE.format('"06_relevance"'))
    return folder


def run(output: Path, notebooks: Path, settings: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """Names of the notebooks that ran, in the order in which they finished writing."""
    trace = output / "trace.txt"
    trace.unlink(missing_ok=True)
    study = Study.load({"name": "small", **(settings or {})})
    with importable():
        run_stages(
            study, output, STAGES, notebooks, line=LINE, progress=False, **{"workers": 2, "fork": False, **options}
        )
    return trace.read_text().splitlines() if trace.exists() else []


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
