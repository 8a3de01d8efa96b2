"""Onlooker: reads the artefacts of a study without writing into its folder."""

from __future__ import annotations

import inspect
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stgcnlib.artefacts.declare import WRITTEN, Line, Place
from stgcnlib.artefacts.keys import Keys
from stgcnlib.artefacts.making import Artefacts
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.artefacts.store import Store
from stgcnlib.errors import ArtefactError, DamagedError

__all__ = ["Onlooker"]


class Onlooker(Artefacts):
    """Artefacts of a study that are read if they are there, and else made in memory; nothing is written.

    An artefact whose `make` takes `path`, `scratch` or `tasks`, so writes to disk itself, is refused.

    Args:
        line, study, folder: as of `Artefacts`; the folder need not be there.
    """

    def __init__(self, line: Line, study: BaseModel, folder: Path) -> None:
        super().__init__(line, study, folder)
        self.store = Store(self.store.folder, mend="the next run makes it again")
        self.keys = Keys(line, study, Stamps(self.store.folder / ".stamps.json", keep=False))

    def _made(self, place: Place) -> Any:
        artefact, form = place.artefact, place.artefact.form
        if form is not None and self.held(place):
            with suppress(DamagedError):
                return self.store.load(place.name, form)
        if refused := sorted(set(WRITTEN) & set(inspect.signature(artefact.make).parameters)):
            raise ArtefactError(f"{place.name}: does not exist, and making it writes to its {' and '.join(refused)}")
        return artefact.make(**self._arguments(artefact, artefact.make, place.name, place.axes))
