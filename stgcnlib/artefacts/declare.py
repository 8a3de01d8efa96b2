"""Declarations: which artefacts there are, how each is made, from what, and how it lies on disk.

A `Line` checks the whole table when it is made. `keys`, `store` and `schedule` derive keys, storage and order from it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from stgcnlib.errors import ArtefactError, suggest

__all__ = ["Artefact", "Axis", "Form", "Line", "Place", "instance"]

WRITTEN = ("path", "scratch", "tasks")
"""Parameters by which `make` writes into the artefact's folders itself."""

PROVIDED = ("compute", *WRITTEN)
"""Parameters that `make` may have without declaring them, because they never change a number."""


@dataclass(frozen=True)
class Form:
    """How a value lies on disk.

    Attributes:
        suffix: of the file; "" for a folder.
        load: reads the value from that file or folder.
        save: writes the value to a path that does not exist yet; `None`: `make` itself writes to its parameter `path`.
        lazy: `load` also takes the `Sums` of its files, and compares what it reads later with them by itself.
    """

    suffix: str
    load: Callable[..., Any]
    save: Callable[[Any, Path], object] | None
    lazy: bool = False


@dataclass(frozen=True)
class Artefact:
    """One kind of result of a study.

    Attributes:
        name: words and ``{axes}``, separated by slashes, such as ``distances/{network}/{layer}``.
        make: the function that makes it. It gets what is declared and nothing else, by the names of its parameters:
            those of `needs`; ``settings``, which holds the declared settings and files; and those axes of the name that
            it asks for. It may also have ``compute`` (the study's section of that name), ``scratch`` (a folder where
            a long computation keeps its progress), ``tasks`` (runs the tasks of a long computation and keeps their
            results, see `Tasks`) and ``path`` (see `Form`): none of these may change a number.
        form: how it lies on disk; `None`: it is not kept, because making it is quick.
        needs: parameter -> name of an artefact. ``{axis}`` stands for the artefact's own value, ``*`` for all values:
            then the parameter is a dictionary, from value to artefact (from a tuple of values if there are several
            stars). A name that ends in ``?`` gives `None` where the study has no such artefact.
        settings: dotted keys of the study; a section's name stands for all of it.
        files: dotted keys of the study that hold absolute paths; their contents enter the key, their location
            does not. A value that is not an absolute path counts as text.
        section: dotted key of the study; where it has no value, there is no such artefact.
        tables: name -> attribute or key of the value ("": the value itself): DataFrames that users find in the
            folder ``tables``.
    """

    name: str
    make: Callable[..., Any]
    form: Form | None = None
    needs: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    section: str | None = None
    tables: Mapping[str, str] = field(default_factory=dict)

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes in its name, in order."""
        return tuple(part[1:-1] for part in self.name.split("/") if _is_axis(part))

    @property
    def spreads(self) -> bool:
        """Whether it is made by many tasks, which other processes may run."""
        return "tasks" in inspect.signature(self.make).parameters


@dataclass(frozen=True)
class Axis:
    """What the values of an axis are.

    Attributes:
        values: the values, or a function that gives them from what is declared, as `Artefact.make`.
        needs, settings: as of an `Artefact`.
        kinds: of computed values: "trained" is the kind of "trained", "trained-2", …. Kinds distinguish artefacts
            whose names differ in the axis only; empty: any value.
    """

    values: Sequence[str] | Callable[..., Sequence[str]]
    needs: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def takes(self, value: str) -> bool:
        """Whether a value is of one of the kinds; ``*`` is.

        `value` is one value of the axis.
        """
        return not self.kinds or value == "*" or re.sub(r"-\d+$", "", value) in self.kinds


@dataclass(frozen=True)
class Place:
    """An artefact with values for its axes; ``*`` stands for all values.

    `axes` gives the value of each axis of the `artefact`.
    """

    artefact: Artefact
    axes: Mapping[str, str]

    @property
    def name(self) -> str:
        """The artefact's name with the values in it."""
        return instance(self.artefact.name, self.axes)

    @property
    def stars(self) -> tuple[str, ...]:
        """Axes that have no single value."""
        return tuple(axis for axis in self.artefact.axes if self.axes[axis] == "*")


class Line:
    """All artefacts of a study: a table, checked when it is made.

    Methods take the `name` of an artefact, and `axes`, values by axis.

    Args:
        artefacts: in any order.
        axes: name -> what its values are.

    Raises:
        ArtefactError: a name occurs twice or is unknown, artefacts need each other in a circle, or a function's
            parameters are not what is declared.
    """

    def __init__(self, artefacts: Sequence[Artefact], axes: Mapping[str, Axis]) -> None:
        self.artefacts = {artefact.name: artefact for artefact in artefacts}
        self.axes = dict(axes)
        if len(self.artefacts) < len(artefacts):
            names = [artefact.name for artefact in artefacts]
            raise ArtefactError(f"{next(n for n in names if names.count(n) > 1)!r} is declared twice")
        words_before_axes = sorted(artefacts, key=lambda each: len(each.axes))
        self._templates = [(each.name.split("/"), each) for each in words_before_axes]
        for artefact in artefacts:
            _check_axes(artefact, self.axes)
            _check_parameters(artefact)
        self._check_circles()

    def __iter__(self) -> Iterator[Artefact]:
        return iter(self.artefacts.values())

    def find(self, name: str) -> Place:
        """The artefact that is meant by a name with values, or with ``*``, in place of axes.

        Raises:
            ArtefactError: there is none; names the nearest.
        """
        parts = name.split("/")
        for template, artefact in self._templates:
            if len(template) == len(parts) and all(_is_axis(t) or t == p for t, p in zip(template, parts, strict=True)):
                values = {t[1:-1]: unquote(p) for t, p in zip(template, parts, strict=True) if _is_axis(t)}
                if all(self.axes[axis].takes(value) for axis, value in values.items()):
                    return Place(artefact, values)
        raise ArtefactError(f"no artefact is named {name!r}; {suggest(name, list(self.artefacts))}")

    def need(self, name: str, axes: Mapping[str, str]) -> tuple[Place, bool]:
        """The artefact that a declared need means for an owner with these axes, and whether it may be missing.

        Raises:
            ArtefactError: no artefact has that name.
        """
        return self.find(instance(name.removesuffix("?"), axes)), name.endswith("?")

    def needed_by(self, name: str) -> set[str]:
        """Names, as declared, of an artefact and of all that it needs at any depth."""
        found: set[str] = set()
        waiting: list[Artefact | Axis] = [self.artefacts[name]]
        while waiting:
            owner = waiting.pop()
            if isinstance(owner, Artefact):
                if owner.name in found:
                    continue
                found.add(owner.name)
            for axes in self._samples(owner.axes if isinstance(owner, Artefact) else ()):
                for need in owner.needs.values():
                    place, _ = self.need(need, axes)
                    waiting += [place.artefact, *(self.axes[star] for star in place.stars)]
        return found

    def _check_circles(self) -> None:
        """Follow all needs: each must be declared, and none may lead back to where it began."""
        done: set[str] = set()

        def visit(owner: Artefact | Axis, name: str, above: tuple[str, ...]) -> None:
            if name in above:
                circle = " -> ".join([*above[above.index(name) :], name])
                raise ArtefactError(f"artefacts need each other in a circle: {circle}")
            if name in done:
                return
            for axes in self._samples(owner.axes if isinstance(owner, Artefact) else ()):
                for need in owner.needs.values():
                    place, _ = self.need(need, axes)
                    visit(place.artefact, place.artefact.name, (*above, name))
                    for star in place.stars:
                        visit(self.axes[star], f"{{{star}}}", (*above, name))
            done.add(name)

        for artefact in self:
            visit(artefact, artefact.name, ())

    def _samples(self, axes: Sequence[str]) -> Iterator[dict[str, str]]:
        """All combinations of values of these axes; kinds, or ``*``, for an axis whose values are computed."""
        known = [self.axes[axis] for axis in axes]
        for each in product(*((axis.kinds or ("*",)) if callable(axis.values) else axis.values for axis in known)):
            yield dict(zip(axes, each, strict=True))


def instance(name: str, axes: Mapping[str, str]) -> str:
    """A declared name with values in place of its axes."""
    return "/".join(_quoted(axes.get(part[1:-1], part)) if _is_axis(part) else part for part in name.split("/"))


def _quoted(value: str) -> str:
    """A value as part of a path: a layer's name may hold any character."""
    if value == "*" or _is_axis(value):
        return value
    shown = quote(value, safe=" ,=+()[]")
    return shown if shown.strip(".") else shown.replace(".", "%2E")


def _is_axis(part: str) -> bool:
    return part.startswith("{") and part.endswith("}")


def _check_axes(artefact: Artefact, axes: Mapping[str, Axis]) -> None:
    for axis in artefact.axes:
        if axis not in axes:
            raise ArtefactError(f"{artefact.name!r}: no axis is named {axis!r}; {suggest(axis, list(axes))}")


def _check_parameters(artefact: Artefact) -> None:
    """Refuse a function whose parameters are not what its artefact declares."""
    asked = set(inspect.signature(artefact.make).parameters)
    declared = set(artefact.needs) | ({"settings"} if artefact.settings or artefact.files else set())
    if missing := declared - asked:
        raise ArtefactError(f"{artefact.name!r} declares {_listed(missing)}, which {_named(artefact)} does not take")
    if extra := asked - declared - set(artefact.axes) - set(PROVIDED):
        raise ArtefactError(f"{artefact.name!r}: {_named(artefact)} takes {_listed(extra)}, which is not declared")
    writes = artefact.form is not None and artefact.form.save is None
    if writes != ("path" in asked):
        wanted = "must take 'path'" if writes else "takes 'path', but its form is written by the store"
        raise ArtefactError(f"{artefact.name!r}: {_named(artefact)} {wanted}")


def _named(artefact: Artefact) -> str:
    return f"{getattr(artefact.make, '__name__', artefact.make)}()"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
