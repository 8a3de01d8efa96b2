"""A small finished study for tests that only read one: artefacts without pages, made once for all test processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import stgcnlib
from stgcnlib.pipeline.study import Study

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {
        "path": "demo",
        "demo": {"subjects": 4, "repeats": 1},
        "split": {"by": "subject", "train": [1, 3]},
    },
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 2}},
    "graph": {"k": 4},
    "controls": {"untrained": 1},
    "geometry": {"permutations": 20},
    "explain": {"examples": 2, "per_class": 1, "sequences": 3, "units": ["joints"], "steps": 2, "draws": 1},
}
SHOWN = ("geometry", "planes/trained", "findings", "maps", "recordings", "summary")
"""What a workbench reads, and with it all that these need."""


def small_study(temporary: pytest.TempPathFactory) -> Path:
    """The folder of the study; made by whichever test process comes first, and left as it is by all."""
    base = temporary.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = folder / "small"
    with FileLock(folder / "small.lock"):
        if not (home / "study.yml").is_file():
            run = stgcnlib.open_study(SMALL, home)
            for name in SHOWN:
                run[name]
            (home / "study.yml").write_text(Study.load(SMALL).to_yaml(), encoding="utf-8")
    return home
