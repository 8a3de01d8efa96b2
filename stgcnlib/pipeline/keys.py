"""The keys of a study file as rows: what each may hold, and what holds where it is left out.

The rows are read off the models that check a study. ``stgcnlib keys`` prints them, and a page of the site shows them.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stgcnlib.errors import StudyError, suggest
from stgcnlib.pipeline.no_value import no_value_words

__all__ = ["Key", "KeySection", "find_keys", "key_lines", "key_names", "key_sections", "section_model"]

WIDTH = 100
"""Characters of a line of words."""


@dataclass(frozen=True)
class Key:
    """One key of a study file.

    Attributes:
        name: with the sections that it lies in, such as "network.training.epochs".
        values: what may stand there.
        default: what holds where it is left out.
        words: what it is or does, and its unit; from the list of its section's docstring.
    """

    name: str
    values: str
    default: str
    words: str = ""


@dataclass(frozen=True)
class KeySection:
    """The keys of one section, and what the section is.

    Attributes:
        name: such as "network.training"; empty at the top of the file.
        words: what it is, and what its keys are; paragraphs.
        keys: in the order of the model.
    """

    name: str
    words: str
    keys: tuple[Key, ...]


def key_sections(model: type[BaseModel], name: str = "") -> list[KeySection]:
    """A section and those within it, each before its own parts.

    Args:
        model: of the section; `stgcnlib.pipeline.Study` for the whole file.
        name: of the section; empty for the whole file.
    """
    words, each = _described(model)
    start = f"{name}." if name else ""
    keys = tuple(
        Key(start + part, _kind(field), _default(start + part, field), each.get(part, ""))
        for part, field in model.model_fields.items()
    )
    found = [KeySection(name, words, keys)]
    for part, field in model.model_fields.items():
        if (inner := section_model(field.annotation)) is not None:
            found += key_sections(inner, start + part)
    return found


def key_names(model: type[BaseModel]) -> list[str]:
    """All keys of a study's `model`, each with the sections that it lies in; a section is a key too."""
    return [key.name for section in key_sections(model) for key in section.keys]


def find_keys(model: type[BaseModel], wanted: str = "") -> list[KeySection]:
    """The keys of one section and of those within it, or else those whose name contains a word.

    Args:
        model: of the whole file.
        wanted: the name of a section, or a word; all keys where it is empty.

    Raises:
        StudyError: no section or key has such a name; suggests the nearest.
    """
    sections = key_sections(model)
    word = wanted.strip().lower().replace("-", "_")
    names = [section.name for section in sections if section.name]
    if word in names:
        return [each for each in sections if each.name == word or each.name.startswith(f"{word}.")]
    found = [
        KeySection(section.name, section.words, keys)
        for section in sections
        if (keys := tuple(key for key in section.keys if word in key.name))
    ]
    if not found:
        known = [*names, *(key.name.rpartition(".")[2] for section in sections for key in section.keys)]
        raise StudyError(f"keys: no section or key is named {wanted!r}; {suggest(word, known)}")
    return found


def key_lines(model: type[BaseModel], wanted: str = "") -> Iterator[str]:
    """The keys that `find_keys` gives as lines for a terminal: below each section's words its keys with theirs.

    Args:
        model: of the whole file.
        wanted: the name of a section, or a word.

    Raises:
        StudyError: no section or key has such a name.
    """
    for number, section in enumerate(find_keys(model, wanted)):
        if number:
            yield ""
        yield section.name or "at the top of the file"
        for paragraph in section.words.split("\n\n"):
            yield from textwrap.wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ")
        rows = [("key", "default", "values", "")]
        rows += [(key.name, _plain(key.default), _plain(key.values), _plain(key.words)) for key in section.keys]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for key, default, values, words in rows:
            yield f"    {key:<{widths[0]}}  {default:<{widths[1]}}  {values}"
            yield from textwrap.wrap(words, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def section_model(annotation: Any) -> type[BaseModel] | None:
    """The model of the section that a key with this `annotation` holds, optional or not; `None` for plain values."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _described(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """What a section is, and what its keys are, by name, from the arguments that its docstring lists."""
    text = inspect.cleandoc(model.__doc__ or "").replace("``", "`").replace("`None`", "`null`")
    words, _, listed = text.partition("\n\nArgs:\n")
    each = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return words, {name: " ".join(said.split()).replace("None:", "null:").rstrip(".") for name, said in each}


def _kind(field: FieldInfo) -> str:
    limits = [_limit(rule) for rule in field.metadata]
    return ", ".join([_words(field.annotation), *filter(None, limits)])


def _words(annotation: Any) -> str:
    """What may stand there, in words of a file rather than of Python."""
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    if annotation in plain:
        return plain[annotation]
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join([_words(parts[0]), *filter(None, map(_limit, parts[1:]))])
    if origin is Literal:
        return " or ".join("null" if part is None else f"`{part}`" for part in parts)
    if origin in (UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_words(part) for part in parts))
    if origin is tuple:
        return "list of " + " or ".join(dict.fromkeys(_words(part) for part in parts if part is not Ellipsis))
    if origin is dict:
        return f"{_words(parts[0])}: {_words(parts[1])}, any number of them"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "a section, below"
    return "anything" if annotation is Any else str(getattr(annotation, "__name__", annotation))


def _limit(rule: Any) -> str:
    signs = {"ge": "from {}", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
    said = [text.format(getattr(rule, name)) for name, text in signs.items() if getattr(rule, name, None) is not None]
    if getattr(rule, "min_length", None):
        said.append("not empty")
    return " ".join(said)


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "the defaults below"
    if isinstance(value, tuple):
        return "`[" + ", ".join("null" if part is None else str(part) for part in value) + "]`"
    if isinstance(value, dict):
        return f"`{value}`" if value else "none"
    if value is None:
        return "`null`" if (words := no_value_words(name)) is None else f"`null`: {words}"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value}`"


def _plain(text: str) -> str:
    return text.replace("`", "")
