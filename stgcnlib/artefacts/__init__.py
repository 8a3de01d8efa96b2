"""An engine for declared results: keys, forms on disk, storage and order all follow from one table of declarations.

It knows nothing of skeletons, networks or graphs; `stgcnlib.pipeline.line` is the table of a study.
"""

from __future__ import annotations

from stgcnlib.artefacts.declare import Artefact, Axis, Form, Line, Place
from stgcnlib.artefacts.forms import ARRAY, ARRAYS, JSON, TABLE, TABLES, saved_as
from stgcnlib.artefacts.making import Artefacts
from stgcnlib.artefacts.onlooker import Onlooker
from stgcnlib.artefacts.schedule import Event, make_all
from stgcnlib.artefacts.tasks import Tasks

__all__ = [
    "ARRAY",
    "ARRAYS",
    "JSON",
    "TABLE",
    "TABLES",
    "Artefact",
    "Artefacts",
    "Axis",
    "Event",
    "Form",
    "Line",
    "Onlooker",
    "Place",
    "Tasks",
    "make_all",
    "saved_as",
]
