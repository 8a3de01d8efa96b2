"""A small finished study for tests that only read one: artefacts without pages, made once for all test processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

import stgcnlib
from stgcnlib.artefacts.declare import instance
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


SECTIONS: dict[str, Any] = {
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "train": {"jitter": 10}},
    "transfer": {"source": {"classes": 6}, "frozen": [0, 2, 3], "seeds": 1, "training": {"epochs": 1}},
    "sensitivity": {"windows": [2], "layers": ["input"]},
}
"""With these a study has a result of every form."""


def small_study(temporary: pytest.TempPathFactory) -> Path:
    """The folder of the study; made by whichever test process comes first, and left as it is by all."""
    return _made(temporary, "small", SMALL, SHOWN)


def full_study(temporary: pytest.TempPathFactory) -> Path:
    """As `small_study`, with all sections and every result."""
    return _made(temporary, "full", {**SMALL, **SECTIONS}, None)


def _made(temporary: pytest.TempPathFactory, name: str, settings: dict[str, Any], shown: Sequence[str] | None) -> Path:
    base = temporary.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = folder / name
    with FileLock(folder / f"{name}.lock"):
        if not (home / "study.yml").is_file():
            run = stgcnlib.open_study(settings, home)
            every = [each for each in run.line if run.keys.has(each)]
            for artefact in shown or [instance(each.name, dict.fromkeys(each.axes, "*")) for each in every]:
                run[artefact]
            (home / "study.yml").write_text(Study.load(settings).to_yaml(), encoding="utf-8")
    return home
