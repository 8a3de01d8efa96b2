"""StudyRun: a study being made in an output folder; ``run["geometry"]`` reads an artefact or makes it first.

`stgcnlib.pipeline.line.table` lists all artefacts. Stage notebooks ask for what they show, so that each also runs by
itself in JupyterLab. `stgcnlib.pipeline.runner` runs them in order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.artefacts import Artefacts, Line
from stgcnlib.errors import LayerNotFoundError, suggest
from stgcnlib.paths import check_contained
from stgcnlib.pipeline import asking
from stgcnlib.pipeline.checks import check_study
from stgcnlib.pipeline.finding import find_file, find_output, nearest_study, output_folder, project_folder, study_folder
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.refused import file_named
from stgcnlib.pipeline.study import Study

__all__ = ["StudyRun", "open_study"]


def open_study(
    study: Study | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
) -> StudyRun:
    """Open a study and the folder of its artefacts; in a notebook, print which study it is and when it was made.

    Relative paths that are not there from the working directory are looked up in the folders above it, up to the top
    of the repository: a notebook in ``notebooks/stages`` finds ``reports/demo`` beside ``notebooks``. A folder
    further up is taken only where the study in it has the same settings.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one. `None`: the study in
            `output`; without that, the nearest finished one (`stgcnlib.pipeline.finding.nearest_study`).
        output: folder for artefacts, or its ``file://`` URL; `None` means ``reports/NAME``. A folder that does not
            exist yet is made below the working directory; in an interactive notebook, below the project's folder
            (`stgcnlib.pipeline.project_folder`).

    Raises:
        StudyError: the study file has an unknown key or a value out of range, or no study is named and none is near.
    """
    if study is None:
        folder = nearest_study() if output is None else find_file(output_folder(output) / "study.yml").parent
        loaded, asked = Study.from_file(folder / "study.yml"), folder
    else:
        if isinstance(study, str | os.PathLike) and Path(study).suffix:  # the name of a bundled study has none
            study = find_file(Path(study))
        loaded = Study.load(study)
        asked = study_folder(loaded, output)
    folder = find_output(loaded, asked)
    if asking.attended() and not folder.exists():
        folder = project_folder() / folder
    run = StudyRun(loaded, folder)
    if study is None:
        study = folder / "study.yml"
    if isinstance(study, str | os.PathLike):
        run.given = str(study)
    asking.say(loaded, folder)
    return run


class StudyRun(Artefacts):
    """Read-or-make access to everything that one study makes: ``run[name]``, see `stgcnlib.artefacts.Artefacts`.

    Attributes:
        study: the validated study.
        output: the folder; artefacts lie in ``output/artefacts``, tables in ``output/tables``.
        given: the study file or bundled name that it was opened by, which errors about keys of the study name; "" if
            by neither.

    Raises:
        StudyError: the folder contains a link that leads out of it, or something that is neither file nor folder.
    """

    def __init__(self, study: Study, output: Path, line: Line = LINE) -> None:
        check_contained(output)
        super().__init__(line, study, output)
        self.study = study
        self.output = output
        self.given = ""
        self._asking = False

    def __getitem__(self, name: str) -> Any:
        """As of `Artefacts`; in a notebook, long work begins only after the user has agreed to it (`asking`).

        Raises:
            StudyError: the user did not agree; says how to make it in a terminal.
        """
        with file_named(self.given or self.study):
            if self._asking or not asking.attended():
                return super().__getitem__(name)
            self._asking = True  # what is made on the way is not asked for again
            try:
                asking.agree(self, self.study, name, self.given or "STUDY.yml")
                return super().__getitem__(name)
            finally:
                self._asking = False

    def __repr__(self) -> str:
        return f"StudyRun({self.study.name!r}, output={str(self.output)!r})"

    def check(self) -> None:
        """Refuse a study that would fail only after long work, see `stgcnlib.pipeline.checks`.

        Raises:
            StgcnlibError: names the study file that this was opened by, the key and what to change.
        """
        with file_named(self.given or self.study):
            check_study(self.study, self)

    def layer(self, name: str) -> dict[str, Any]:
        """Name, title and index of one recorded layer; `LayerNotFoundError` with the nearest names.

        `name` is that of the module.
        """
        for known in self["layers"]:
            if name == known["name"]:
                return dict(known)
        names = [known["name"] for known in self["layers"]]
        raise LayerNotFoundError(f"no layer {name!r} was recorded; {suggest(name, names)}")
