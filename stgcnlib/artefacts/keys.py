"""Keys: a hash of everything that decides an artefact, computed from the declarations without making anything.

It covers the artefact's name and axes, the declared settings, the contents of declared files, the sources of the
function, and the keys of all that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stgcnlib.artefacts.declare import Artefact, Axis, Line, Place
from stgcnlib.artefacts.sources import source_fingerprint
from stgcnlib.artefacts.stamps import Stamps
from stgcnlib.errors import ArtefactError
from stgcnlib.files import fingerprint

__all__ = ["Keys", "Settings", "setting"]


class Settings:
    """The declared part of a study, read as the study itself: ``settings.dtw.window``.

    Args:
        study: a model, or a section of one.
        keys: what may be read, as dotted keys.
        owner: name of the artefact, for errors.
        prefix: key of the section.

    Raises:
        ArtefactError: on reading what is not declared.
    """

    def __init__(self, study: Any, keys: tuple[str, ...], owner: str, prefix: str = "") -> None:
        self._study, self._keys, self._owner, self._prefix = study, keys, owner, prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        key = f"{self._prefix}{name}"
        if any(key == each or key.startswith(f"{each}.") for each in self._keys):
            return getattr(self._study, name)
        if any(each.startswith(f"{key}.") for each in self._keys):
            section = getattr(self._study, name)
            return None if section is None else Settings(section, self._keys, self._owner, f"{key}.")
        raise ArtefactError(f"artefact {self._owner!r} reads the setting {key!r}, which it does not declare")


class Keys:
    """Keys of one study.

    Args:
        line: the declarations.
        study: a pydantic model.
        stamps: of the files that it names.
    """

    def __init__(self, line: Line, study: BaseModel, stamps: Stamps) -> None:
        self.line, self.study, self.stamps = line, study, stamps
        self._plain = study.model_dump(mode="json")
        self._known: dict[str, str] = {}

    def has(self, artefact: Artefact) -> bool:
        """Whether the study has the part that the artefact belongs to."""
        return artefact.section is None or _value(self.study, artefact.section) is not None

    def of(self, place: Place) -> str:
        """The key of an artefact; with ``*`` for an axis, of all its values together."""
        if place.name not in self._known:
            self._known[place.name] = fingerprint(self.basis(place))
        return self._known[place.name]

    def basis(self, place: Place) -> dict[str, Any]:
        """The plain values that a key is a hash of; manifests hold them."""
        artefact = place.artefact
        return {
            "artefact": artefact.name,
            "axes": {axis: {"all": self._axis(axis)} if value == "*" else value for axis, value in place.axes.items()},
            **self._declared(artefact),
            "files": {key: self._stamped(key) for key in artefact.files},
            "needs": dict(self._needs(artefact.needs, place.axes)),
            "source": source_fingerprint(artefact.make, *_written_by(artefact)),
        }

    def settings(self, owner: Artefact | Axis, name: str) -> Settings:
        """What a function may read of the study."""
        files = owner.files if isinstance(owner, Artefact) else ()
        return Settings(self.study, (*owner.settings, *files), name)

    def _axis(self, name: str) -> dict[str, Any]:
        axis = self.line.axes[name]
        if not callable(axis.values):
            return {"values": list(axis.values)}
        found = {**self._declared(axis), "needs": dict(self._needs(axis.needs, {}))}
        return found | {"source": source_fingerprint(axis.values)}

    def _declared(self, owner: Artefact | Axis) -> dict[str, Any]:
        return {"settings": {key: setting(self._plain, key) for key in owner.settings}}

    def _needs(self, needs: Mapping[str, str], axes: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
        for parameter, name in needs.items():
            place, optional = self.line.need(name, axes)
            yield parameter, None if optional and not self.has(place.artefact) else self.of(place)

    def check_files(self, place: Place) -> None:
        """Refuse an artefact if its files, or those of artefacts that were made for it and not kept, have changed.

        Raises:
            ArtefactError: naming the file or folder.
        """
        for key in place.artefact.files:
            for value in _listed(_value(self.study, key)):
                self.stamps.check(value)
        for name in place.artefact.needs.values():
            need, _ = self.line.need(name, place.axes)
            if need.artefact.form is None and self.has(need.artefact):
                self.check_files(need)

    def _stamped(self, key: str) -> str | list[str] | None:
        """Stamps of the files that a setting names; a name that is no path, such as that of built-in data, stays."""
        value = _value(self.study, key)
        if value is None:
            return None
        try:
            found = [self.stamps.of(each) if Path(each).is_absolute() else str(each) for each in _listed(value)]
        except ArtefactError as error:  # as in a study that somebody passed on
            raise ArtefactError(f"{key}: {error}; write in the study file where it lies on this machine") from None
        return found[0] if isinstance(value, str) else found


def _written_by(artefact: Artefact) -> list[Any]:
    """The functions that write and read an artefact."""
    form = artefact.form
    return [] if form is None else [form.load, *([] if form.save is None else [form.save])]


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """The plain value of a dotted key; `None` in a section that the study does not have."""
    value: Any = settings
    for part in key.split("."):
        value = None if value is None else value[part]
    return value


def _listed(value: str | Sequence[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _value(study: Any, key: str) -> Any:
    for part in key.split("."):
        study = None if study is None else getattr(study, part)
    return study
