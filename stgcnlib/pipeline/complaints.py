"""What is wrong with a study file, in words: complaints by key.

Knows pydantic's errors, but no particular key.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from stgcnlib.errors import shorten, suggest

__all__ = ["complaints"]

MOST, LONGEST = 8, 300
"""Most complaints that are listed, and most characters of a value, key or sentence in one of them."""


def complaints(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence per wrong key of a `model`; the errors of all members of a union count as one."""
    by_key: dict[tuple[str | int, ...], list[Any]] = {}
    for each in error.errors():
        by_key.setdefault(_key(each["loc"], model), []).append(each)
    for key in [key for key in by_key if any(len(other) > len(key) and other[: len(key)] == key for other in by_key)]:
        del by_key[key]  # "too few items" is not said where one of the items is wrong
    found = [_complaint(key, errors, model) for key, errors in by_key.items()]
    return found[:MOST] + ([f"… ({len(found) - MOST} more)"] if len(found) > MOST else [])


def _key(loc: tuple[str | int, ...], root: type[BaseModel]) -> tuple[str | int, ...]:
    """The path of a key as the file has it, without the union members that pydantic appends."""
    model: Any = root
    for depth, part in enumerate(loc):
        field = model.model_fields.get(part)
        if field is None:
            return loc[: depth + 1]
        model = _model(field.annotation)
        if model is None:
            return loc[: depth + 2] if len(loc) > depth + 1 and isinstance(loc[depth + 1], int) else loc[: depth + 1]
    return loc


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, optional or not; `None` for plain values."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _complaint(key: tuple[str | int, ...], errors: list[Any], root: type[BaseModel]) -> str:
    error = errors[0]
    path = _cut(".".join(str(part) for part in key))
    if error["type"] == "extra_forbidden":
        model: Any = root
        for part in key[:-1]:
            model = _model(model.model_fields[part].annotation)
        known = list(model.model_fields)
        wanted = suggest(_cut(str(key[-1])), known)
        return f"unknown key {path!r}; {wanted if wanted.startswith('did') else f'known keys: {shorten(known, 16)}'}"
    names = [name for e in errors if e["type"] == "literal_error" for name in _expected(e)]
    value = error["input"]
    if names:
        other = " (or a number)" if len(errors) > 1 else ""
        return f"{path}: {_cut(repr(value))} is not one of {', '.join(names)}{other}{_near(value, names)}"
    message = " or ".join(dict.fromkeys(_plain(e["msg"]) for e in errors))
    return f"{path}: {_cut(message)}, not {_cut(repr(value))}" if path else _cut(message)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


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
