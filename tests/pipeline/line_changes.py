"""Changes of one field of a study, and which artefacts each makes again: written by hand, derived from nothing.

Names are those on disk and, with ``*``, all values of an axis together, which also change with the axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

__all__ = ["BASE", "CHANGES", "EVERYTHING", "changed", "covers", "keys_of", "opened", "variants", "with_files"]

Fields = dict[str, Any]

BASE: Fields = {
    "name": "keys",
    "data": {"path": "demo", "demo": {"subjects": 4, "repeats": 1}, "split": {"by": "subject", "train": [1, 3]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "sensitivity": {"k": [4, 8]},
    "noise": {"train": {"jitter": 10}},
    "transfer": {"source": {"classes": 6}},
}
"""A study with all sections."""

READ = {"demo", "prepared", "repeated"}
RECORDINGS = READ | {"sequences"}
PARTS = {"parts", "leakage", "transfer-target"}
NODES = {"nodes", "grouping", "graph-k", "explained", "shortages"}
CHOSEN = {"grouping", "graph-k", "shortages"}
OF_INITIAL = {"all-pairs/initial/input", "neighbours/initial/input", "distances/initial/input"}
OF_UNTRAINED = {"all-pairs/untrained/input", "neighbours/untrained/input", "distances/untrained/input"}
INITIAL = {"network/initial", "activations/initial"} | OF_INITIAL
UNTRAINED = {"network/untrained", "activations/untrained"} | OF_UNTRAINED | INITIAL
ALL_FITTED = {"history", "accuracies", "network-facts", "facts"}
FITTED = {"training/trained", "network/trained", "evaluations/trained", "evaluation"} | ALL_FITTED
NETWORKS = FITTED | {"network/untrained", "network/initial", "recordings"}
LAYERS = {"layers", "network-facts", "facts"}
ACTIVATIONS = {"activations/trained", "activations/untrained", "activations/initial"} | LAYERS
ALL_PAIRS = {
    "all-pairs/trained/input", "all-pairs/untrained/input", "all-pairs/initial/input", "all-pairs/trained/*",
    "all-pairs/untrained/*", "variant-pairs/reading segments/input", "variant-pairs/*/*",
}  # fmt: skip
"""Distances of all pairs of a small set, which cost most: nothing about graphs may make them again."""
VARIANTS = {"variant-pairs/*/*", "variant-neighbours/*/*", "variants/*/*"}
KNOWN = {
    "neighbours/trained/input", "neighbours/untrained/input", "neighbours/initial/input", "neighbours/trained/*",
    "distances/trained/input",
    "distances/untrained/input", "distances/initial/input", "distances/trained/*", "distances/untrained/*",
    "variant-neighbours/reading segments/input", "variants/reading segments/input", "variant-neighbours/*/*",
    "variants/*/*", "planes/trained",
}  # fmt: skip
DISTANCES = ALL_PAIRS | KNOWN
CURVES = {"curves/trained", "curves/untrained", "curves/initial"}
OF_GEOMETRY = {"geometry", "statistics", "findings", "summary"}
GEOMETRY = CURVES | OF_GEOMETRY | {"baselines", "density"}
MAPS = {"maps", "examples", "map-evaluation", "summary"}
INSIDE = {"fields", "topologies"}
"""What layers see and put together."""
NOISY_NETWORKS = {"noise-training/jitter 10.0", "noise-network/jitter 10.0"}
ALL_NOISY_NETWORKS = {"noise-training/*", "noise-network/*"}
ALL_LEVELS = {"noise-level/*/*", "noise-trained-level/*/*"}
ONE_LEVEL = {"noise-level/trained/clean", "noise-level/trained/jitter 30.0", "noise-trained-level/jitter 10.0/clean"}
LEVELS = ALL_LEVELS | ONE_LEVEL
NOISE = {"noise", "summary"}
SOURCE = {"transfer-training/trained", "transfer-source/trained"}
RUNS = {"transfer-fit/*", "transfer-fit/frozen, 0 blocks, seed 0"}
TRANSFER = {"transfer", "advice", "transfer-facts", "summary"}
MEASURED = DISTANCES | GEOMETRY | {"sensitivity", "map-evaluation"} | LEVELS | NOISE
TARGET = {"transfer-geometry"} | TRANSFER
FITTINGS = SOURCE | {"transfer-plan"} | RUNS | TARGET
SHOWN = {"dtw", "settings"}
EVERYTHING = (
    RECORDINGS | PARTS | NODES | UNTRAINED | NETWORKS | ACTIVATIONS | MEASURED | MAPS | INSIDE | NOISY_NETWORKS
    | ALL_NOISY_NETWORKS | FITTINGS | SHOWN
)  # fmt: skip
BEFORE_NETWORKS = RECORDINGS | PARTS | NODES | SHOWN

CHANGES: list[tuple[str, Any, set[str]]] = [
    ("name", "another", {"summary"}),
    ("compute.device", "cuda", set()),
    ("compute.workers", 1, set()),
    ("compute.memory_limit", 8, set()),
    ("compute.activations", "recompute", set()),
    ("compute.scheduler", "tcp://127.0.0.1:8786", set()),
    ("seed", 1, EVERYTHING - {"dtw"}),
    ("data.demo.repeats", 2, EVERYTHING - {"dtw"}),
    ("data.demo.noise", 0.5, EVERYTHING - {"dtw"}),
    ("data.normalize", False, EVERYTHING - {"dtw", "demo"}),
    ("data.centre", "frame", EVERYTHING - {"dtw", "demo"}),
    ("data.drop_duplicates", True, EVERYTHING - {"dtw"} - READ),
    ("data.frame_step", 2, EVERYTHING - {"dtw", "demo"}),
    ("data.classes", ["wave", "kick", "squat", "point"], EVERYTHING - {"dtw", "demo"}),
    ("data.split.train", [1, 2], EVERYTHING - {"dtw", "demo"}),  # signals are standardized by the training part
    ("network.options.width", 5, EVERYTHING - BEFORE_NETWORKS),
    ("network.training.epochs", 2, EVERYTHING - BEFORE_NETWORKS - UNTRAINED),
    ("network.training.loss", "cross-entropy", EVERYTHING - BEFORE_NETWORKS - UNTRAINED),
    ("network.seeds", 2, ALL_FITTED | OF_GEOMETRY | {"noise-level/*/*", "noise", "transfer-plan"} | RUNS | TARGET),
    # All levels together need the distances of all networks together; no single level does.
    ("controls.untrained", 3, OF_GEOMETRY | {"noise-level/*/*", "noise"}),
    ("controls.initial", 0, OF_GEOMETRY | {"noise-level/*/*", "noise"}),
    (
        "network.axes",
        "NCTV",
        ACTIVATIONS | MEASURED | MAPS | INSIDE | RUNS | TARGET,
    ),
    ("layers", ["st_gcn_networks.2"], ACTIVATIONS | MEASURED | MAPS | INSIDE),  # a transfer is measured at all layers
    ("activations.dtype", "float16", ACTIVATIONS | MEASURED | MAPS | INSIDE),
    ("graph.part", "all", NODES | ACTIVATIONS | MEASURED | MAPS | INSIDE | {"recordings", "settings"}),
    (
        "graph.sample.nodes",
        30,
        NODES | ACTIVATIONS | MEASURED | MAPS | INSIDE | {"recordings", "settings", "transfer-target"} | RUNS | TARGET,
    ),
    ("dtw.window", 5, MEASURED | TARGET | SHOWN),
    ("dtw.metric", "cosine", MEASURED | TARGET | SHOWN),
    ("dtw.normalize", None, MEASURED | TARGET | SHOWN),
    ("dtw.reading", "frames", MEASURED | TARGET | SHOWN),
    ("graph.distances", "neighbours", MEASURED | {"settings"}),
    ("graph.k", None, {"graph-k", "sensitivity"} | KNOWN | GEOMETRY | LEVELS | NOISE | TARGET | {"settings", "facts"}),
    ("graph.sigma", 1.0, GEOMETRY | LEVELS | NOISE | TARGET | {"sensitivity", "settings"}),
    ("graph.solver", "pynnk", GEOMETRY | LEVELS | NOISE | TARGET | {"sensitivity", "settings"}),
    ("graph.leave_out", None, ((MEASURED | RUNS | TARGET) - ALL_PAIRS) | {*CHOSEN, "facts", "settings"}),
    ("geometry.resample", None, ((MEASURED | TARGET) - ALL_PAIRS) | {*CHOSEN, "facts", "settings"}),
    ("geometry.permutations", 33, GEOMETRY | {"noise"} | TARGET | {"sensitivity", "settings"}),
    ("geometry.confidence", 0.9, GEOMETRY | NOISE | TARGET | {"sensitivity", "settings"}),
    ("statistics.votes", 3, {"statistics"}),
    ("statistics.probe", 2.0, {"statistics"}),
    ("sensitivity.k", [4], {"sensitivity"}),
    ("sensitivity.readings", ["frames"], {"sensitivity"} | VARIANTS),
    ("sensitivity.windows", [7], {"sensitivity"} | VARIANTS),
    ("sensitivity.normalizations", [None], {"sensitivity"} | VARIANTS),
    ("sensitivity.sigmas", [0.5], {"sensitivity"}),
    ("sensitivity.layers", ["input"], {"sensitivity"} | VARIANTS),
    ("controls.baselines", ["pooled"], {"baselines"}),
    ("explain.target", "true", MAPS),
    ("explain.per_class", 1, MAPS | {"explained", "shortages", "topologies"}),
    ("explain.steps", 3, {"map-evaluation"}),
    ("explain.jitter", 0.02, {"map-evaluation"}),
    ("explain.maps", "author", {"map-evaluation"}),
    ("explain.examples", 1, {"examples", "summary"}),
    ("noise.jitter", [15], ALL_LEVELS | NOISE),
    ("noise.layers", ["st_gcn_networks.2"], LEVELS | NOISE),
    ("noise.neighbours", "clean", LEVELS | NOISE),
    ("noise.train.jitter", 20, {"noise-trained-level/*/*"} | ALL_NOISY_NETWORKS | NOISE),
    ("transfer.source.classes", 5, {"transfer-target"} | FITTINGS),
    ("transfer.frozen", [0], {"transfer-plan", "transfer-fit/*"} | TRANSFER),
    ("transfer.seeds", 1, {"transfer-plan", "transfer-fit/*"} | TRANSFER),
    ("transfer.training.epochs", 2, RUNS | TRANSFER),
]
"""Field, its new value, and all that is made again."""


def changed(fields: Mapping[str, Any], key: str, value: Any) -> Fields:
    """A copy of a study's fields with one of them, named by its dotted key, set."""
    first, _, rest = key.partition(".")
    return {**fields, first: changed(fields.get(first) or {}, rest, value) if rest else value}


def opened(fields: Mapping[str, Any], output: Path) -> StudyRun:
    """A study of which only keys are asked."""
    return StudyRun(Study.load(fields), output)


def keys_of(run: StudyRun, names: set[str]) -> dict[str, str]:
    """Name -> key."""
    return {name: run.key(name) for name in sorted(names)}


def covers(one: str, other: str) -> bool:
    """Whether one dotted key is the other, or a section of it."""
    return one == other or other.startswith(f"{one}.")


def with_files(root: Path) -> Path:
    """Files that studies name: what they hold is of no matter where nothing is made."""
    for name in ("a.npz", "b.npz", "a.txt", "b.txt", "a.pt", "b.pt"):
        (root / name).write_text(f"content of {name}")
    for home in ("one", "two"):
        (root / home).mkdir()
        (root / home / "own_network.py").write_text("def make(): ...\n\n\ndef other(): ...\n")
    return root


def variants(root: Path) -> dict[str, Fields]:
    """Studies with all sections: on the demo; on files; and with a source network from a checkpoint.

    And two of real targets, which have fewer: of windows of a series, and of a file.
    """
    own = {"name": "own_network:make", "folder": str(root / "one"), "options": {"width": 4}}
    files = {
        **BASE,
        "data": {"path": str(root / "a.npz"), "skip": str(root / "a.txt"), "split": BASE["data"]["split"]},
        "network": {**own, "checkpoint": str(root / "a.pt")},
        "transfer": {"source": {"path": str(root / "b.npz")}},
    }
    checkpoints = {**BASE, "network": own, "transfer": {"source": {"checkpoint": str(root / "b.pt")}}}
    value = {"name": "targets", "network": BASE["network"], "graph": BASE["graph"]}
    series = {**value, "data": {"path": "sensor-demo", "target": "value", "windows": {}, "split": {"by": "block"}}}
    values = {**value, "data": {"path": str(root / "a.npz"), "target": "value"}}
    return {"demo": BASE, "files": files, "checkpoints": checkpoints, "series": series, "values": values}
