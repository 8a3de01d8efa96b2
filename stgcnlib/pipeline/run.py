"""StudyRun: a study being made in an output folder; ``run["geometry"]`` reads an artefact or makes it first.

What artefacts there are is said in `stgcnlib.pipeline.line.table`. Stage notebooks ask for what they show, so that each
also runs by itself in JupyterLab. Running the notebooks in order is `stgcnlib.pipeline.runner`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import Artefacts, Line
from stgcnlib.errors import LayerNotFoundError, suggest
from stgcnlib.pipeline.checks import check_study
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.study import Study

__all__ = ["StudyRun", "open_study"]


def open_study(
    study: Study | Mapping[str, Any] | str | os.PathLike[str] = "demo", output: str | os.PathLike[str] | None = None
) -> StudyRun:
    """A study and the folder that keeps its artefacts.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.
        output: folder for artefacts; `None` means ``reports/NAME`` below the working directory.

    Raises:
        StudyError: if the study file has an unknown key or a value out of range.
    """
    loaded = Study.load(study)
    return StudyRun(loaded, Path(output) if output is not None else Path("reports") / loaded.name)


class StudyRun(Artefacts):
    """Read-or-make access to everything that one study makes: ``run[name]``, see `stgcnlib.artefacts.Artefacts`.

    Attributes:
        study: the validated study.
        output: the folder; artefacts lie in ``output/artefacts``, tables in ``output/tables``.
    """

    def __init__(self, study: Study, output: Path, line: Line = LINE) -> None:
        super().__init__(line, study, output)
        self.study = study
        self.output = output

    def __repr__(self) -> str:
        return f"StudyRun({self.study.name!r}, output={str(self.output)!r})"

    def check(self) -> None:
        """Refuse what could only fail after long work, see `stgcnlib.pipeline.checks`."""
        check_study(self.study, self)

    def layer(self, name: str) -> dict[str, Any]:
        """Name, title and index of one recorded layer; `LayerNotFoundError` with the nearest names."""
        for known in self["layers"]:
            if name == known["name"]:
                return dict(known)
        names = [known["name"] for known in self["layers"]]
        raise LayerNotFoundError(f"no layer {name!r} was recorded; {suggest(name, names)}")
