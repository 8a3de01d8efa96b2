"""An engine for declared results: keys, forms on disk, storage and order all follow from one table of declarations.

It knows nothing of skeletons, networks or graphs; `stgcnlib.pipeline.line` is the table of a study.
"""

from __future__ import annotations

from stgcnlib.artefacts.declare import Artefact, Axis, Form, Line, Place
from stgcnlib.artefacts.forms import ARRAY, ARRAYS, JSON, saved_as, table_of, tables_of
from stgcnlib.artefacts.making import Artefacts
from stgcnlib.artefacts.onlooker import Onlooker
from stgcnlib.artefacts.reading import (
    check_arrays,
    is_described,
    npz_shapes,
    plain_text,
    read_arrays,
    read_described,
    read_table,
)
from stgcnlib.artefacts.schedule import Event, make_all
from stgcnlib.artefacts.store import Store
from stgcnlib.artefacts.sums import MANIFEST, Sums, checked, checked_names, manifest_state, names_in, read_manifest
from stgcnlib.artefacts.tasks import Tasks

__all__ = [
    "ARRAY",
    "ARRAYS",
    "JSON",
    "MANIFEST",
    "Artefact",
    "Artefacts",
    "Axis",
    "Event",
    "Form",
    "Line",
    "Onlooker",
    "Place",
    "Store",
    "Sums",
    "Tasks",
    "check_arrays",
    "checked",
    "checked_names",
    "is_described",
    "make_all",
    "manifest_state",
    "names_in",
    "npz_shapes",
    "plain_text",
    "read_arrays",
    "read_described",
    "read_manifest",
    "read_table",
    "saved_as",
    "table_of",
    "tables_of",
]
