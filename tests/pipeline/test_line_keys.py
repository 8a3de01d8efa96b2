"""What each setting changes: a table written by hand, and the declarations against the study's schema."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from stgcnlib.artefacts import Artefact, Axis
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.line.table import LINE, NO_EFFECT
from stgcnlib.pipeline.run import StudyRun, open_study
from stgcnlib.pipeline.study import Study

Settings = dict[str, Any]

BASE: Settings = {
    "name": "keys",
    "data": {"path": "demo", "demo": {"subjects": 4, "repeats": 1}, "split": {"by": "subject", "train": [1, 3]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "sensitivity": {"k": [4, 8]},
    "noise": {"train": {"jitter": 10}},
    "transfer": {"source": {"classes": 6}},
}

# -- a table by hand: kept artefacts, one for each kind with axes --------------------------------------

SAMPLES = {
    "layer": "input", "swept": "input", "reading": "segments", "noise": "jitter 30.0", "level": "clean",
    "trained_level": "jitter 10.0", "fit": "linear probe, -1 blocks, seed 0",
}  # fmt: skip
LEVEL = {"noise-level/clean", "noise-level/jitter 30.0", "noise-level/jitter 10.0/clean"}

TRAINED = {"training", "noise-training/jitter 10.0", "transfer-training"}
PREDICTED = {"evaluation", "recordings"}
ACTIVATIONS = {"activations/trained", "layers"}
CONTROL = {"activations/untrained", "distances/untrained/input"}
OTHER = {"readings/segments/input"}
DISTANCES = {"distances/trained/input"} | OTHER
MEASURED = {"geometry", "statistics", "findings", "sensitivity", "summary"}
MAPS = {"maps", "map-evaluation"}
LEVELS = LEVEL | {"noise"}
FITS = {"transfer-fit/linear probe, -1 blocks, seed 0"}
TRANSFER = FITS | {"transfer-geometry", "transfer", "advice"}
ALL = {"sequences"} | TRAINED | PREDICTED | ACTIVATIONS | CONTROL | DISTANCES | MEASURED | MAPS | LEVELS | TRANSFER

GRAPHS = MEASURED | LEVELS | {"map-evaluation", "transfer-geometry", "transfer", "advice"}
WARPED = DISTANCES | {"distances/untrained/input"} | GRAPHS
BOUNDS = MEASURED | {"noise", "transfer-geometry", "transfer", "advice"}

# Field of the study, its new value, and what is made again; nothing else is.
CHANGES: list[tuple[str, Any, set[str]]] = [
    ("name", "another", {"summary"}),
    ("compute.workers", 1, set()),
    ("compute.memory_limit", 8, set()),
    ("compute.device", "cuda", set()),
    ("seed", 1, ALL),
    ("data.demo.repeats", 2, ALL),
    ("data.demo.noise", 0.5, ALL),
    ("data.normalize", False, ALL),
    ("data.centre", "frame", ALL),
    ("data.frame_step", 2, ALL),
    ("data.split.train", [1, 2], ALL - {"sequences"}),
    ("network.options.width", 5, ALL - {"sequences"}),
    ("network.training.epochs", 2, ALL - {"sequences"} - CONTROL),
    ("network.axes", "NCTV", ALL - {"sequences"} - TRAINED - PREDICTED),
    ("layers", ["st_gcn_networks.2"], ACTIVATIONS | CONTROL | DISTANCES | MEASURED | MAPS | LEVELS),
    (
        "graph.part",
        "all",
        {"recordings"} | ACTIVATIONS | CONTROL | DISTANCES | MEASURED | MAPS | LEVELS,
    ),
    ("dtw.reading", "frames", WARPED - OTHER),
    ("dtw.window", 5, WARPED),
    ("dtw.metric", "cosine", WARPED),
    ("dtw.normalize", None, WARPED),
    ("graph.k", 5, GRAPHS - {"sensitivity"}),
    ("graph.sigma", 1.0, GRAPHS - {"map-evaluation"}),
    ("graph.leave_out", None, GRAPHS),
    ("geometry.resample", None, GRAPHS),
    ("geometry.permutations", 7, BOUNDS - {"noise"}),
    ("geometry.bootstrap", 77, BOUNDS),
    ("geometry.confidence", 0.9, BOUNDS),
    ("statistics.votes", 3, {"statistics"}),
    ("statistics.probe", 2.0, {"statistics"}),
    ("sensitivity.k", [4], {"sensitivity"}),
    ("sensitivity.readings", ["frames"], {"sensitivity"}),
    ("explain.target", "true", MAPS),
    ("explain.per_class", 1, MAPS),
    ("explain.steps", 3, {"map-evaluation"}),
    ("explain.jitter", 0.02, {"map-evaluation"}),
    ("explain.examples", 1, set()),  # how many are drawn on a page
    ("noise.jitter", [15], {"noise", "summary"}),
    ("noise.layers", ["st_gcn_networks.2"], LEVELS | {"summary"}),
    ("noise.train.jitter", 20, {"noise", "summary"}),
    ("transfer.source.classes", 5, TRANSFER | {"transfer-training", "summary"}),
    ("transfer.frozen", [0], {"transfer", "advice", "summary"}),
    ("transfer.seeds", 1, {"transfer", "advice", "summary"}),
    ("transfer.training.epochs", 2, FITS | {"transfer", "advice", "summary"}),
]  # fmt: skip


def changed(given: Mapping[str, Any], field: str, value: Any) -> Settings:
    """A copy of a study's settings with one field, named by its dotted path, set."""
    first, _, rest = field.partition(".")
    return {**given, first: changed(given.get(first) or {}, rest, value) if rest else value}


def keys(study: Study | Settings, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """Key of every artefact of a study, see `nodes`."""
    run = open_study(study, "unused")
    return {name: run.key(name) for name, artefact in nodes(others).items() if run.keys.has(artefact)}


def nodes(others: Mapping[str, str] | None = None) -> dict[str, Artefact]:
    """Name -> declaration: once per value of an axis with fixed values, one value (or ``*``) of other axes."""
    found = {}
    for artefact in LINE:
        values = [LINE.axes[axis].values for axis in artefact.axes]
        for each in product(*(("*",) if callable(one) else one for one in values)):
            name = artefact.name
            for axis, value in zip(artefact.axes, each, strict=True):
                chosen = value if value != "*" or others is None else others[axis]
                name = name.replace(f"{{{axis}}}", chosen)
            found[name] = artefact
    return found


@pytest.fixture(scope="module")
def base() -> dict[str, str]:
    return keys(BASE)


@pytest.fixture(scope="module")
def samples() -> dict[str, str]:
    return keys(BASE, SAMPLES)


@pytest.mark.parametrize(("field", "value", "again"), CHANGES, ids=[field for field, _, _ in CHANGES])
def test_what_a_field_changes(samples: dict[str, str], field: str, value: Any, again: set[str]) -> None:
    found = keys(changed(BASE, field, value), SAMPLES)
    kept = {name for name, artefact in nodes(SAMPLES).items() if artefact.form is not None}
    assert kept == ALL
    assert {name for name in kept if found[name] != samples[name]} == again


def test_the_same_study_has_the_same_keys(base: dict[str, str], tmp_path: Path) -> None:
    """Also where defaults are written out, keys come in another order, or the folder is another one."""
    written = {**dict(reversed(BASE.items())), "seed": 0, "dtw": {"window": 9}, "explain": {"steps": 6}}
    assert keys(written) == base
    run = StudyRun(Study.load(BASE), tmp_path)
    assert {name: run.key(name) for name in base} == base


# -- the declarations against the schema --------------------------------------------------------------


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, annotation) of every field that holds no section."""
    for name, field in model.model_fields.items():
        section = next((each for each in (field.annotation, *get_args(field.annotation)) if _is_model(each)), None)
        whole = name == "augment"  # a section or a word: one value
        if section is not None and not whole:
            yield from leaves(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.rebuild_annotation()


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


LEAVES = dict(leaves(Study))
FILES = ("data.path", "data.skip", "network.checkpoint", "transfer.source.checkpoint", "transfer.source.path")
TEXTS = st.sampled_from(["subject", "day", "input", "st-gcn", "agcn", "x", "y*"])


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type; its limits are for the study to check."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([values(each) for each in arguments])
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if hasattr(annotation, "__metadata__"):
        return values(arguments[0])
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(0, 40)
    if annotation is float:
        return st.floats(0, 2, allow_nan=False)
    if annotation is type(None):
        return st.none()
    if _is_model(annotation):
        return st.fixed_dictionaries({}, optional={n: values(f.annotation) for n, f in annotation.model_fields.items()})
    assert annotation is str, annotation
    return TEXTS


def declares(owner: Artefact | Axis, leaf: str) -> bool:
    """Whether a setting is among those that an artefact or an axis declares, itself or with its section."""
    files = owner.files if isinstance(owner, Artefact) else ()
    read = {"network.source": "network.name"}  # the module that a name means
    named = (*owner.settings, *(read.get(file, file) for file in files))
    return any(leaf == each or leaf.startswith(f"{each}.") for each in named)


def expected(leaf: str, present: set[str]) -> set[str]:
    """Artefacts that declare a setting, or need one that does: the closure, found without the engine.

    Args:
        leaf: the setting.
        present: artefacts that the study has.
    """
    found: set[str] = set()
    axes: set[str] = set()
    known = {name: artefact for name, artefact in nodes().items() if name in present}
    while True:
        before = len(found) + len(axes)
        axes |= {
            name
            for name, axis in LINE.axes.items()
            if declares(axis, leaf) or any(need.removesuffix("?") in found for need in axis.needs.values())
        }
        for name, artefact in known.items():
            needs = set()
            for need in artefact.needs.values():
                parts = [_own(part, artefact, name) for part in need.removesuffix("?").split("/")]
                needs.add("/".join(parts))
            starred = {axis for need in needs & set(known) for axis in _stars(need, known)} | _stars(name, known)
            if declares(artefact, leaf) or needs & found or starred & axes:
                found.add(name)
        if len(found) + len(axes) == before:
            return found


def _own(part: str, artefact: Artefact, name: str) -> str:
    """A part of a need, with the owner's own value in place of an axis."""
    places = dict(zip(artefact.name.split("/"), name.split("/"), strict=True))
    return places.get(part, part) if part.startswith("{") else part


def _stars(name: str, known: Mapping[str, Artefact]) -> set[str]:
    """Axes of which a name means all values."""
    template = known[name].name.split("/")
    return {t[1:-1] for t, part in zip(template, name.split("/"), strict=True) if part == "*"}


def test_every_setting_is_declared_or_has_no_effect() -> None:
    declared = {leaf for leaf in LEAVES if any(declares(each, leaf) for each in (*LINE, *LINE.axes.values()))}
    assert declared & set(NO_EFFECT) == set()
    assert set(LEAVES) - declared == set(NO_EFFECT)


def test_every_declared_setting_exists() -> None:
    sections = {leaf.rpartition(".")[0] for leaf in LEAVES} | set(LEAVES) | set(Study.model_fields)
    computed = {"network.source", "network.trained_here", "transfer.source.trained_here"}
    for each in (*LINE, *LINE.axes.values()):
        named = {*each.settings, *((*each.files, each.section or "data") if isinstance(each, Artefact) else ())}
        assert named <= sections | computed, each


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_change_of_any_setting_changes_exactly_what_depends_on_it(base: dict[str, str], data: st.DataObject) -> None:
    leaf = data.draw(st.sampled_from(sorted(set(LEAVES) - set(FILES))))
    value = data.draw(values(LEAVES[leaf]), label=leaf)
    try:
        study = Study.load(changed(BASE, leaf, value))
    except StudyError:
        assume(False)
    plain, other = Study.load(BASE).model_dump(mode="json"), study.model_dump(mode="json")
    assume(plain != other)
    found = keys(study)
    assert {name for name in base if found.get(name) != base[name]} == expected(leaf, set(base))
