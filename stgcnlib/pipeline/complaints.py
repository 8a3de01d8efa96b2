"""What is wrong with a study file, in words: complaints by key.

Knows pydantic's errors, but no particular key.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from stgcnlib.errors import nearest, shorten, suggest
from stgcnlib.pipeline.keys import key_names, section_model

__all__ = ["complaints"]

MOST, LONGEST = 8, 300
"""Most complaints that are listed, and most characters of a value, key or sentence in one of them."""
MOST_MEANT, ALIKE = 3, 0.85
"""Most keys suggested for an unknown one, and how alike (0 to 1) names are across sections, or beside an equal one."""
UNKNOWN = "extra_forbidden"


def complaints(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence per wrong key of a `model`, then how to list keys; the errors of a union's members count as one."""
    by_key: dict[tuple[str | int, ...], list[Any]] = {}
    for each in error.errors():
        by_key.setdefault(_key(each["loc"], model), []).append(each)
    for key in [key for key in by_key if any(len(other) > len(key) and other[: len(key)] == key for other in by_key)]:
        del by_key[key]  # "too few items" is not said where one of the items is wrong
    found = [_complaint(key, errors, model) for key, errors in by_key.items()]
    more = [f"… ({len(found) - MOST} more)"] if len(found) > MOST else []
    listed = ["'stgcnlib keys' lists all keys"] if any(each["type"] == UNKNOWN for each in error.errors()) else []
    return found[:MOST] + more + listed


def _key(loc: tuple[str | int, ...], root: type[BaseModel]) -> tuple[str | int, ...]:
    """The path of a key as the file has it, without the union members that pydantic appends."""
    model: Any = root
    rest, key = list(loc), []
    while rest:
        key.append(rest.pop(0))
        field = model.model_fields.get(key[-1])
        if field is None:
            break
        model = section_model(field.annotation)
        if model is None:
            return tuple(key + rest[:1]) if rest and isinstance(rest[0], int) else tuple(key)
        others = set(get_args(field.annotation)) - {model, type(None)}
        if others and rest and rest.pop(0) != model.__name__:
            break
    return tuple(key)


def _complaint(key: tuple[str | int, ...], errors: list[Any], root: type[BaseModel]) -> str:
    error = errors[0]
    path = _cut(".".join(str(part) for part in key))
    if error["type"] == UNKNOWN:
        return f"unknown key {path!r}; {_meant(tuple(map(str, key)), root)}"
    names = [name for e in errors if e["type"] == "literal_error" for name in _expected(e)]
    value = error["input"]
    if names:
        others = dict.fromkeys(_besides(e["type"]) for e in errors if e["type"] != "literal_error")
        other = f" (or {' or '.join(others)})" if others else ""
        return f"{path}: {_cut(repr(value))} is not one of {', '.join(names)}{other}{_near(value, names)}"
    message = " or ".join(dict.fromkeys(_plain(e["msg"]) for e in errors))
    return f"{path}: {_cut(message)}, not {_cut(repr(value))}" if path else _cut(message)


def _meant(key: tuple[str, ...], root: type[BaseModel]) -> str:
    """The keys that an unknown one may be meant as: near ones of its section, then those of its name in others."""
    *sections, name = map(_cut, key)
    model: Any = root
    for part in sections:
        model = section_model(model.model_fields[part].annotation)
    known = list(model.model_fields)
    others = _elsewhere(sections, name, key_names(root), cutoff=1.0)
    here = nearest(name, known, cutoff=ALIKE) if others else nearest(name, known)
    if not here and not others:
        others = _elsewhere(sections, name, key_names(root), cutoff=ALIKE)
    if meant := [*map(repr, here), *others][:MOST_MEANT]:
        return f"did you mean {' or '.join(meant)}?"
    return f"known keys: {shorten(known, 16)}"


def _elsewhere(sections: list[str], name: str, keys: list[str], *, cutoff: float) -> list[str]:
    """Keys of other sections with such a last name: those that share most of the sections with the unknown one."""
    paths = [key.split(".") for key in keys]
    alike = nearest(name, [path[-1] for path in paths], most=1, cutoff=cutoff)
    found = [path for path in paths if path[-1] in alike and path[:-1] != sections]
    shared = [sum(one == other for one, other in zip(path[:-1], sections, strict=False)) for path in found]
    most = [path for path, count in zip(found, shared, strict=True) if count == max(shared)]
    return [repr(".".join(path)) + (" at the top of the file" if len(path) == 1 else "") for path in most]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _besides(kind: str) -> str:
    """What may stand in place of a name, by the error of that member of a union."""
    return "true or false" if kind.startswith("bool") else "a section" if kind.startswith("model") else "a number"


def _expected(error: Any) -> list[str]:
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _near(value: Any, names: list[str]) -> str:
    text = suggest(_cut(str(value)), names)
    return f"; {text}" if text.startswith("did") else ""


def _plain(message: str) -> str:
    text = message.removeprefix("Value error, ").replace("Input should be", "must be")
    text = re.sub(r"a valid dictionary( or instance of \w+)?", "keys and values", text).replace(
        "a valid tuple", "a list"
    )
    text = re.sub(r"^must be a valid ", "must be a ", text).replace("a integer", "a whole number")
    return text[:1].lower() + text[1:]
