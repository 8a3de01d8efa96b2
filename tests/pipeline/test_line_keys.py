"""Which artefacts a field of the study makes again: by a table written by hand, and by any change of any one key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from line_changes import BASE, CHANGES, EVERYTHING, changed, covers, keys_of, opened, variants, with_files
from study_schema import TEXT, keys_of_schema, values

from stgcnlib.artefacts import Artefact, Axis, Place
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.line.table import LINE, NO_EFFECT
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

SCHEMA = dict(keys_of_schema())
ELSEWHERE = {
    "transfer-other",
    "sensor-demo",
    "sample",
    "rounding",
    "preparations",
}  # artefacts of other studies than BASE
DERIVED = {
    "network.trained_here": ("network.checkpoint",),
    "network.loaded": ("network.checkpoint",),
    "activations.rounded": ("activations.dtype",),
    "network.source": ("network.name", "network.folder"),
    "network.imports": ("network.name", "network.folder"),
    "data.beside": ("data.path",),
    "transfer.source.beside": ("transfer.source.path",),
    "transfer.source.trained_here": ("transfer.source.checkpoint",),
}
"""Properties of the study that artefacts declare, and the keys that they follow from."""
NETWORKS = {"network", "trained", "untrained", "initial"}
"""Axes whose values are names of networks."""


# -- by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "value", "again"), CHANGES, ids=[field for field, _, _ in CHANGES])
def test_what_a_field_makes_again(field: str, value: Any, again: set[str], tmp_path: Path) -> None:
    before, after = (keys_of(opened(fields, tmp_path), EVERYTHING) for fields in (BASE, changed(BASE, field, value)))
    assert {name for name in EVERYTHING if before[name] != after[name]} == again


def test_the_table_by_hand_has_every_artefact() -> None:
    """Also those of three networks, and one as well as all of each other axis; a new artefact is added there."""
    named = {LINE.find(name).artefact.name for name in EVERYTHING}
    assert named == set(LINE.artefacts) - ELSEWHERE
    for artefact in LINE:
        for axis in set(artefact.axes) - NETWORKS:
            places = [LINE.find(name) for name in EVERYTHING if LINE.find(name).artefact is artefact]
            assert {place.axes[axis] == "*" for place in places} == {True, False}, artefact.name


def test_a_section_left_out_takes_its_artefacts_and_changes_only_the_summary(tmp_path: Path) -> None:
    full = opened(BASE, tmp_path)
    for section in ("sensitivity", "noise", "transfer"):
        fewer = opened({name: value for name, value in BASE.items() if name != section}, tmp_path)
        there = {name for name in EVERYTHING if fewer.keys.has(LINE.find(name).artefact)}
        before, after = keys_of(full, there), keys_of(fewer, there)
        assert {name for name in there if before[name] != after[name]} == (
            {"summary"} if section != "sensitivity" else set()
        )
        assert all(LINE.find(name).artefact.section for name in EVERYTHING - there)


def test_the_same_study_has_the_same_keys(tmp_path: Path) -> None:
    """Also where defaults are written out, keys come in another order, or the folder is another one."""
    written = {**dict(reversed(BASE.items())), "seed": 0, "dtw": {"window": 9}, "explain": {"steps": 6}}
    expected = keys_of(opened(BASE, tmp_path / "a"), EVERYTHING)
    assert keys_of(opened(written, tmp_path / "b"), EVERYTHING) == expected
    assert keys_of(opened(Study.load(written).model_dump(), tmp_path / "c"), EVERYTHING) == expected
    assert len(set(expected.values())) == len(expected)


# -- any key of the schema ---------------------------------------------------------------------


def declared(owner: Artefact | Axis) -> set[str]:
    return {*owner.settings, *(owner.files if isinstance(owner, Artefact) else ())}


def test_every_key_is_declared_or_has_no_effect() -> None:
    read = set().union(*(declared(owner) for owner in (*LINE, *LINE.axes.values())))
    for key in SCHEMA:
        is_read = any(covers(each, key) for each in read)
        assert is_read != any(covers(each, key) for each in NO_EFFECT), key
    for key in NO_EFFECT:
        assert any(covers(key, each) for each in SCHEMA), key


def test_every_declared_setting_is_a_key_of_the_study() -> None:
    sections = {artefact.section for artefact in LINE if artefact.section is not None}
    for key in sections.union(*(declared(owner) for owner in (*LINE, *LINE.axes.values()))):
        assert key in DERIVED or any(covers(key, each) for each in SCHEMA), key
    for artefact in LINE:  # what is no field has no plain value: it can be a file or a section
        assert not set(artefact.settings) & set(DERIVED), artefact.name
    for key in DERIVED:
        model: Any = Study
        for part in key.split(".")[:-1]:
            annotation = model.model_fields[part].annotation
            model = next(each for each in (annotation, *getattr(annotation, "__args__", ())) if hasattr(each, "mro"))
        assert isinstance(getattr(model, key.rpartition(".")[2]), property), key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_files(tmp_path_factory.mktemp("files"))


HOMES = {
    "data.path": "files",
    "data.target": "values",
    "data.windows": "series",
    "data.sensor_demo": "series",
    "network.training.loss": "series",
    "data.demo": "demo",
    "network.folder": "checkpoints",
    "transfer.source.classes": "demo",
    "transfer.source.path": "files",
    "transfer.source.checkpoint": "checkpoints",
}
"""Keys that only one of the variants can have."""

WORDS = {
    "data.path": ("a.npz", "b.npz"),
    "data.skip": ("a.txt", "b.txt"),
    "data.names": ("a.txt", "b.txt"),
    "network.checkpoint": ("a.pt", "b.pt"),
    "network.folder": ("one", "two"),
    "transfer.source.path": ("a.npz", "b.npz"),
    "transfer.source.checkpoint": ("a.pt", "b.pt"),
}
"""Keys that name files."""


def text_of(key: str, root: Path) -> st.SearchStrategy[str]:
    match key:
        case "network.axes":
            return st.sampled_from(["NCTV", "NTVC", "NCVT"])
        case "network.name":
            return st.sampled_from(["st-gcn", "agcn", "own_network:make", "own_network:other"])
        case _:
            return st.sampled_from([str(root / name) for name in WORDS[key]]) if key in WORDS else TEXT


def plain(study: Study, key: str) -> str:
    value: Any = study.model_dump(mode="json")
    for part in key.split("."):
        value = None if value is None else value[part]
    return json.dumps(value, sort_keys=True)


class Graph:
    """What depends on a changed key, told from the declarations alone, for two studies that differ in it."""

    def __init__(self, key: str, *studies: Study) -> None:
        self.key, self.studies = key, studies
        self.known: dict[str, bool] = {}

    def there(self, artefact: Artefact) -> list[bool]:
        """In which of the studies an artefact is."""
        found = []
        for study in self.studies:
            value: Any = study
            for part in artefact.section.split(".") if artefact.section else ():
                value = None if value is None else getattr(value, part)
            found.append(value is not None)
        return found

    def touched(self, place: Place) -> bool:
        if place.name not in self.known:
            self.known[place.name] = any(self.reasons(place.artefact, dict(place.axes)))
        return self.known[place.name]

    def reasons(self, owner: Artefact | Axis, axes: dict[str, str]) -> Iterator[bool]:
        for each in declared(owner):
            for key in (each, *DERIVED.get(each, ())):
                yield key not in NO_EFFECT and (covers(key, self.key) or covers(self.key, key))
        for name in owner.needs.values():
            parts = [axes.get(part[1:-1], part) for part in name.removesuffix("?").split("/")]
            place = LINE.find("/".join(parts))
            there = self.there(place.artefact)
            yield there[0] != there[1]
            if any(there):
                yield self.touched(place)
        for axis in (name for name, value in axes.items() if value == "*"):
            yield from self.reasons(LINE.axes[axis], {})


@pytest.mark.parametrize("key", SCHEMA)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_key_changes_exactly_what_depends_on_it(key: str, folder: Path, data: st.DataObject) -> None:
    every = variants(folder)
    homes = [home for section, home in HOMES.items() if covers(section, key)]
    homes = homes or ["demo", "files", "checkpoints"]
    fields = every[data.draw(st.sampled_from(homes))]
    text = text_of(key, folder)
    # Without its folder a module is not found, which is another matter than where it lies.
    value = data.draw(text if key == "network.folder" else values(SCHEMA[key], text=text))
    try:
        before, after = Study.load(fields), Study.load(changed(fields, key, value))
    except StudyError:
        assume(False)
    assume(plain(before, key) != plain(after, key))
    graph = Graph(key, before, after)
    runs = [StudyRun(study, folder / "out") for study in (before, after)]
    again, expected = set(), set()
    for name in sorted(EVERYTHING | ELSEWHERE):
        place = LINE.find(name)
        there = graph.there(place.artefact)
        if all(there):
            again |= {name} if runs[0].key(name) != runs[1].key(name) else set()
            expected |= {name} if graph.touched(place) else set()
        else:
            assert [run.keys.has(place.artefact) for run in runs] == there
    assert again == expected
