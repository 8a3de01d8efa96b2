"""A finished study on disk: its artefacts are read by name; nothing is made or changed.

For looking at results. A folder that was passed on opens without its recordings, and a folder that an older version
wrote shows that version's results. `stgcnlib.pipeline.run` makes artefacts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from stgcnlib.artefacts import Line, Place, Store
from stgcnlib.errors import ArtefactError, StudyError
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

__all__ = ["FinishedStudy", "read_study"]


def read_study(folder: str | os.PathLike[str], *, line: Line = LINE) -> FinishedStudy:
    """Open the folder of a finished study, only for reading.

    Args:
        folder: that ``stgcnlib run`` wrote to.
        line: the table of all artefacts.

    Raises:
        StudyError: the folder holds no study with results.
    """
    home = Path(folder)
    file = home / "study.yml"
    if not file.is_file():
        raise StudyError(f"{home}: no finished study lies here (it has no study.yml); make one with: stgcnlib run")
    study = FinishedStudy(Study.from_file(file), home, line)
    study.given = str(file)
    if not study.made:
        raise StudyError(f"{home}: the study has no results yet; make them with: stgcnlib run {file} -o {home}")
    return study


class FinishedStudy(StudyRun):
    """Artefacts of a finished study: ``study["geometry"]`` reads one from its file, and writes nothing.

    Artefacts without a file, such as the nodes, are computed from those with one. Files are compared with the
    checksums of their manifests before they are read; a damaged file raises an error.

    `output` is the folder of the study.
    """

    def __init__(self, study: Study, output: Path, line: Line = LINE) -> None:
        super().__init__(study, output, line)
        again = f"make it again with: stgcnlib run {output / 'study.yml'} -o {output}"
        self.store = Store(self.store.folder, mend=again)

    def has(self, name: str) -> bool:
        """Whether an artefact can be read: the study has it, and its file, if it has one, exists.

        `name` is that of an artefact, as in ``study[name]``.
        """
        place = self.line.find(name)
        form = place.artefact.form
        return self.keys.has(place.artefact) and (form is None or self.store.path(place.name, form).exists())

    @property
    def made(self) -> str:
        """When its geometry was made, or else its first result that exists, as ISO 8601 in UTC; "" without results."""
        return str(self._about().get("made", ""))

    @property
    def version(self) -> str:
        """The version of the library that made it; "" if nothing is there."""
        return str(self._about().get("stgcnlib", ""))

    def held(self, place: Place) -> bool:
        """Whether an artefact exists, made by any settings and code."""
        return self.has(place.name)

    def make(self, name: str) -> NoReturn:
        """Raises ArtefactError for every `name`: a finished study is only read."""
        raise ArtefactError(f"{name}: {self.output} is only read; make it with: stgcnlib run")

    def forget(self, name: str) -> NoReturn:
        """Raises ArtefactError for every `name`, as `make`."""
        self.make(name)

    def _made(self, place: Place) -> Any:
        form = place.artefact.form
        if form is None:
            return super()._made(place)
        if not self.store.path(place.name, form).exists():
            raise ArtefactError(
                f"{self.output}: {place.name!r} does not exist, and a finished study is only read; {self.store.mend}"
            )
        return self.store.load(place.name, form)

    def _about(self) -> dict[str, Any]:
        """The manifest of its geometry, or of the first result that is there."""
        for artefact in sorted(self.line, key=lambda each: each.name != "geometry"):
            form = None if artefact.axes else artefact.form
            if form is not None and (about := self.store.about(artefact.name, form)):
                return about
        return {}
