"""Artefacts of one study: each is read if it is there, and made with all that it needs if it is not.

One is made at a time, in this process; `schedule` makes many at a time in others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stgcnlib.artefacts.declare import Artefact, Axis, Form, Line, Place, instance
from stgcnlib.artefacts.effort import measured
from stgcnlib.artefacts.keys import Keys
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.artefacts.store import Store
from stgcnlib.artefacts.tasks import Tasks, forget_shared
from stgcnlib.errors import ArtefactError, DamagedError, StudyError, warn
from stgcnlib.files import atomic_path

__all__ = ["Artefacts"]


class Artefacts:
    """Read-or-make access to the artefacts of a study.

    It can be pickled: another process then makes the same artefacts in the same folder.

    Methods take the `name` of an artefact with values in place of its axes, such as "distances/trained/input"; `axis`
    takes that of an axis, `forget` that of a declaration. `axes` are values by axis. An unknown name is an
    ArtefactError, and one that the study has no section for a StudyError.

    Args:
        line: the declarations.
        study: a pydantic model with the settings.
        folder: where artefacts lie, and their tables beside it.

    Attributes:
        executor: gives an executor for the tasks of a long computation, see `Tasks`; `None`: they run in its process.
    """

    executor: Callable[[], Executor] | None = None

    def __init__(self, line: Line, study: BaseModel, folder: Path) -> None:
        self.line, self.settings, self.folder = line, study, folder
        self.store = Store(folder / "artefacts")
        self.keys = Keys(line, study, Stamps(self.store.folder / ".stamps.json"))
        self._values: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_values": {}}

    def __getitem__(self, name: str) -> Any:
        """The value of an artefact; a dictionary of values where the name has ``*`` for an axis.

        Raises:
            ArtefactError: no artefact has this name.
            StudyError: the study has no section that the artefact belongs to.
        """
        place = self.find(name)
        if place.stars:
            return self.gathered(place)
        if place.name not in self._values:
            self._values[place.name] = self._whole(place)
        return self._values[place.name]

    def get(self, name: str) -> Any:
        """As ``[name]``, and `None` where the study has no section that the artefact belongs to."""
        return self[name] if self.keys.has(self.line.find(name).artefact) else None

    def find(self, name: str) -> Place:
        """The declaration that a name means, refused if the study has no section for it."""
        place = self.line.find(name)
        section = place.artefact.section
        if not self.keys.has(place.artefact):
            raise StudyError(f"this study has no section {section!r}; add it to the study file")
        return place

    def key(self, name: str) -> str:
        """The hash of everything that decides an artefact; nothing is made for it."""
        return self.keys.of(self.find(name))

    def path(self, name: str) -> Path:
        """Where an artefact lies, made or not."""
        place = self.find(name)
        return self.store.path(place.name, _form(place))

    def held(self, place: Place) -> bool:
        """Whether an artefact is on disk and up to date; `True` for one that is not kept."""
        form = place.artefact.form
        return form is None or self.store.holds(place.name, form, self.keys.of(place))

    def missing(self, name: str) -> list[str]:
        """What would be made for an artefact now, itself last; ``*`` for an axis whose values are not known yet."""
        found: dict[str, None] = {}
        self._misses([self.find(name)], found, {})
        return list(found)

    def make(self, name: str) -> Path:
        """Make an artefact if it is not there, with all that it needs; its place on disk."""
        place = self.find(name)
        self._values[place.name] = self._whole(place)
        return self.store.path(place.name, _form(place))

    def forget(self, name: str) -> None:
        """Have all artefacts of one declaration made again, by its name as declared."""
        artefact = self.line.artefacts[name]
        self._values.clear()
        if artefact.form is not None:
            self.store.forget(instance(name, dict.fromkeys(artefact.axes, "*")), artefact.form)

    def release(self) -> None:
        """Drop all values from memory; they are read again when asked for."""
        self._values.clear()

    def axis(self, name: str) -> list[str]:
        """The values of an axis; what they are computed from is made first if it is missing."""
        axis = self.line.axes[name]
        if not callable(axis.values):
            return list(axis.values)
        return [str(value) for value in axis.values(**self._arguments(axis, axis.values, f"{{{name}}}", {}))]

    def places(self, place: Place) -> list[Place]:
        """The single artefacts that a name with ``*`` stands for."""
        every = [self.axis(axis) for axis in place.stars]
        return [
            Place(place.artefact, {**place.axes, **dict(zip(place.stars, v, strict=True))}) for v in product(*every)
        ]

    def gathered(self, place: Place) -> dict[Any, Any]:
        """Value of each artefact that a name with ``*`` stands for, by the axis' value, or by a tuple of several."""
        found = {}
        for each in self.places(place):
            values = tuple(each.axes[axis] for axis in place.stars)
            found[values[0] if len(values) == 1 else values] = self[each.name]
        return found

    def needed(self, owner: Artefact | Axis, axes: Mapping[str, str]) -> Iterator[Place]:
        """What an artefact or an axis needs in this study, with ``*`` where it needs all values."""
        for name in owner.needs.values():
            place, optional = self.line.need(name, axes)
            if not optional or self.keys.has(place.artefact):
                yield self.find(place.name)

    def _misses(self, places: Iterable[Place], found: dict[str, None], known: dict[str, bool]) -> bool:
        """Collect in `found` what would be made for places, and in `known` whether that is anything, by place."""
        for place in (places := list(places)):
            if place.name not in known:
                known[place.name] = self._lacks(place, found, known)
        return any(known[place.name] for place in places)

    def _lacks(self, place: Place, found: dict[str, None], known: dict[str, bool]) -> bool:
        kept = place.artefact.form is not None
        if place.stars:
            axes = [self.line.axes[star] for star in place.stars]
            if not self._misses((need for axis in axes for need in self.needed(axis, {})), found, known):
                return self._misses(self.places(place), found, known)
        elif kept and self.held(place):
            return False
        lacking = self._misses(self.needed(place.artefact, place.axes), found, known)
        if kept:
            found[place.name] = None
        return kept or lacking

    def _whole(self, place: Place) -> Any:
        """The value of an artefact; if it or one that it needs is damaged, that one is made again, at most once."""
        again: set[str] = set()
        while True:
            try:
                return self._made(place)
            except DamagedError as damage:
                ours = self.store.mend is None and Path(damage.path).is_relative_to(self.store.folder)
                if not ours or damage.path in again:
                    raise
                again.add(damage.path)
                self._values.clear()
                warn(str(damage))

    def _made(self, place: Place) -> Any:
        artefact, form = place.artefact, place.artefact.form
        if form is None:
            return artefact.make(**self._arguments(artefact, artefact.make, place.name, place.axes))
        key = self.keys.of(place)
        if not self.store.holds(place.name, form, key):
            with self.store.making(place.name):
                if not self.store.holds(place.name, form, key):  # another process may have made it meanwhile
                    self._write(place, form, key)
        value = self.store.load(place.name, form)
        self._write_tables(place, value)
        return value

    def _write_tables(self, place: Place, value: Any) -> None:
        """Copy tables for users to the folder ``tables``, where they are missing or older than the artefact."""
        for title, member in place.artefact.tables.items():
            file, made = self.folder / "tables" / f"{title}.parquet", self.store.path(place.name, _form(place))
            if not file.exists() or file.stat().st_mtime_ns < made.stat().st_mtime_ns:
                with atomic_path(file) as temporary:
                    (_member(value, member) if member else value).to_parquet(temporary)

    def _write(self, place: Place, form: Form, key: str) -> None:
        forget_shared()  # memory for what is made now
        with measured() as effort:
            artefact = place.artefact
            given = self._arguments(artefact, artefact.make, place.name, place.axes)

            def write(path: Path) -> None:
                if form.save is None:
                    artefact.make(**given, path=path)
                else:
                    form.save(artefact.make(**given), path)
                self.keys.check_files(place)

            basis, asked = self.keys.basis(place), inspect.signature(artefact.make).parameters
            with ExitStack() as kept:
                if "scratch" in asked or "tasks" in asked:
                    scratch = kept.enter_context(self.store.scratch(place.name, key))
                    given |= {"scratch": scratch} if "scratch" in asked else {}
                    if "tasks" in asked:
                        given["tasks"] = kept.enter_context(Tasks(scratch / "tasks", self.executor))
                self.store.write(place.name, form, key, basis, write, effort.so_far)

    def _arguments(self, owner: Artefact | Axis, function: Any, name: str, axes: Mapping[str, str]) -> dict[str, Any]:
        """What a function gets: exactly what is declared."""
        asked = inspect.signature(function).parameters
        given: dict[str, Any] = {}
        for parameter, need in owner.needs.items():
            place, optional = self.line.need(need, axes)
            absent = optional and not self.keys.has(place.artefact)
            given[parameter] = None if absent else self[place.name]
        if "settings" in asked:
            given["settings"] = self.keys.settings(owner, name)
        if "compute" in asked:
            given["compute"] = getattr(self.settings, "compute")  # noqa: B009
        return {axis: value for axis, value in axes.items() if axis in asked} | given


def _form(place: Place) -> Form:
    if place.artefact.form is None:
        raise ArtefactError(f"{place.name!r} is not kept: it has no place on disk")
    return place.artefact.form


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, Mapping) else getattr(value, name)
