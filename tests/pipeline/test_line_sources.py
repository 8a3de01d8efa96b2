"""What runs, and what is read, while the artefacts of a study are made, against what their keys cover."""

from __future__ import annotations

import functools
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from line_changes import BASE, covers

import stgcnlib
from stgcnlib.artefacts import Artefact, Line
from stgcnlib.artefacts.keys import Settings
from stgcnlib.artefacts.sources import source_files, source_parts
from stgcnlib.networks import save_checkpoint
from stgcnlib.pipeline.line.table import LINE
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

ROOT = Path(stgcnlib.__file__).parent
SMALL: dict[str, Any] = {
    **BASE,
    "geometry": {"permutations": 5},
    "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
    "graph": {"k": 4, "sample": {"nodes": 20}, "distances": "neighbours"},
    "activations": {"dtype": "float16"},
    "compute": {"activations": "recompute"},
    "sensitivity": {"k": [4], "readings": ["frames"]},
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "train": {"jitter": 10}},
    "transfer": {"source": {"classes": 6}, "frozen": [0, 2], "seeds": 1, "training": {"epochs": 1}},
}
LAST = ("summary", "recordings", "baselines", "statistics", "findings", "sensitivity", "map-evaluation", "advice",
        "examples", "network-facts", "transfer-facts", "settings", "dtw", "planes/trained", "density",
        "rounding", "fields", "topologies")  # fmt: skip
"""These need all others."""
TARGETS: dict[str, Any] = {
    "data": {
        "path": "sensor-demo", "target": "value", "sensor_demo": {"days": 6, "sensors": 8},
        "windows": {"length": 12, "stride": 12, "horizon": 4, "block": 96},
        "split": {"by": "block", "train": [0, 1, 2]},
    },
    "network": {
        "options": {"width": 4, "depth": 2, "strategy": "uniform"}, "training": {"epochs": 1, "augment": False},
    },
    "compute": {"activations": "keep"},
    "controls": {"untrained": 1, "initial": 0},
    "geometry": {"permutations": 5},
    "explain": {"examples": 1, "per_class": 1},
}  # fmt: skip
LAST_OF_TARGETS = ("summary", "recordings", "statistics", "examples", "network-facts", "settings")

SECTIONS = tuple(f"pipeline/sections/{name}.py" for name in ("compute", "graphs", "networks", "recordings", "studies"))
NO_RESULT = ("artefacts/keys.py", "artefacts/tasks.py", "pipeline/fields.py", *SECTIONS)
"""How settings are handed over, what a study's fields are (their values are in keys), and where tasks run."""

ONLY_ELSEWHERE = {"data.path", "data.format", "data.skip", "data.layout", "data.pattern", "data.names",
                  "network.checkpoint", "transfer.source.split", "data.beside", "network.imports"}  # fmt: skip
"""Read for files and other sources, which this study does not have; the last two count by their contents alone."""


class Watched:
    """A line whose functions are watched: which of our code runs in each, and which settings it reads."""

    def __init__(self) -> None:
        self.ran: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.read: defaultdict[str, set[str]] = defaultdict(set)
        self.now = ""
        self.line = Line([replace(each, make=self.watched(each)) for each in LINE], LINE.axes)

    def watched(self, artefact: Artefact) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            self.now = artefact.name
            sys.setprofile(self.note)
            try:
                return artefact.make(*args, **kwargs)
            finally:
                sys.setprofile(None)
                self.now = ""

        made.__signature__ = inspect.signature(artefact.make)  # type: ignore[attr-defined]
        return functools.update_wrapper(made, artefact.make)

    def note(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(ROOT)) and code.co_name != "<module>":
            name = Path(code.co_filename).relative_to(ROOT).as_posix()
            self.ran[self.now].add((name, code.co_qualname.partition(".")[0]))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    found, getter = Watched(), Settings.__getattr__

    def noted(settings: Settings, name: str) -> Any:
        value = getter(settings, name)
        if not isinstance(value, Settings):
            found.read[found.now].add(f"{settings._prefix}{name}")
        return value

    run = StudyRun(Study.load(SMALL), tmp_path_factory.mktemp("watched"), found.line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "__getattr__", noted)
        for name in LAST:
            _ = run[name]
        weights = tmp_path_factory.mktemp("weights") / "network.pt"
        save_checkpoint(run["network/trained"], weights)
        loaded = {**BASE, "network": {"name": "st-gcn", "checkpoint": str(weights)}}
        _ = StudyRun(Study.load(loaded), tmp_path_factory.mktemp("loaded"), found.line)["preparations"]
        other = StudyRun(Study.load(TARGETS), tmp_path_factory.mktemp("targets"), found.line)
        for name in LAST_OF_TARGETS:
            _ = other[name]
    assert set(found.ran) >= set(LINE.artefacts) - {"transfer-other", "explained", "history", "layers", "nodes"}
    return found


def counted(artefact: Artefact) -> set[tuple[str, str]]:
    """(file, name) of what a key covers of our code, also by what the artefact needs; "" for all of a file."""
    found = set()
    for each in (LINE.artefacts[name] for name in LINE.needed_by(artefact.name)):
        form = each.form
        kept = [] if form is None else [form.load, *([] if form.save is None else [form.save])]
        pieces, files = source_parts(each.make, *kept)
        found |= {(path.relative_to(ROOT).as_posix(), "") for path in files.values()}
        for origin in pieces:
            module, _, name = origin.partition(":")
            found.add(("/".join(module.split(".")[1:]) + ".py", name))
    return found


@pytest.mark.parametrize("artefact", list(LINE), ids=lambda artefact: artefact.name)
def test_all_that_runs_counts(watched: Watched, artefact: Artefact) -> None:
    known = counted(artefact)
    missing = {(file, name) for file, name in watched.ran[artefact.name] if not known & {(file, ""), (file, name)}}
    assert {each for each in missing if each[0] not in NO_RESULT} == set()


@pytest.mark.parametrize(
    "artefact", [each for each in LINE if each.name != "transfer-other"], ids=lambda each: each.name
)
def test_all_that_is_declared_is_read(watched: Watched, artefact: Artefact) -> None:
    """What is declared and not read makes an artefact again for nothing."""
    read = watched.read[artefact.name]
    declared = {*artefact.settings, *artefact.files} - ONLY_ELSEWHERE
    assert {each for each in declared if not any(covers(each, key) or covers(key, each) for key in read)} == set()


def test_a_room_that_is_used_as_a_whole_counts_as_a_whole() -> None:
    """Also where it imports its names on first use."""
    figures = {path.name for path in (ROOT / "figures").glob("*.py")}
    assert figures <= {path.name for path in source_files("stgcnlib.figures").values()}
