"""YAML as version 1.2 has it, for every file that is read: 010 is ten, and no, on and 12:30 are text.

PyYAML reads YAML 1.1, in which they are eight, false, true and 750. What is written is quoted where the two versions
differ, so that both read the same. Files may come from others: aliases are refused, since a few lines of them can
stand for billions of values, and size and depth are limited.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from stgcnlib.files import regular_size
from stgcnlib.texts import check_texts

__all__ = ["YAMLError", "read_yaml", "read_yaml_file", "write_yaml"]

YAMLError = yaml.YAMLError
LONGEST = 2**18
"""Most characters of a file: PyYAML takes some seconds for so many, and studies and layouts have thousands."""
DEEPEST = 30
"""Most levels of lists and mappings within each other; studies have five."""
# The core schema of YAML 1.2 (section 10.3.2).
_PLAIN = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    (
        "float",
        re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
        list("-+.0123456789"),
    ),
)  # fmt: skip


class _Bounded(yaml.composer.Composer):
    """No aliases, and nothing nested too deeply."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The node that begins here, with all below it."""
        event = self.peek_event()  # type: ignore[attr-defined]
        if isinstance(event, yaml.AliasEvent):
            raise _at(event, f"the alias *{event.anchor} is not taken; write out what it stands for")
        if isinstance(event, yaml.ScalarEvent):
            try:
                check_texts(event.value)
            except ValueError as error:
                raise _at(event, f"{error}; write the character itself") from None
        self.depth += 1
        if self.depth > DEEPEST:
            raise _at(event, f"nested more than {DEEPEST} levels deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _at(event: Any, problem: str) -> YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


class _Texts(_Bounded, yaml.BaseLoader):
    """Texts, lists and mappings of them, and nothing else."""


class _Loader(_Bounded, yaml.SafeLoader):
    """Plain values only, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """A mapping whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(self.construct_object(key, deep=True))
            if name in seen:
                line = key.start_mark.line + 1
                raise yaml.MarkedYAMLError(problem=f"key {name!r} is written twice, again in line {line}")
            seen.add(name)
        return super().construct_mapping(node, deep=deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number: decimal, with leading zeros too, or marked as octal (0o) or hexadecimal (0x)."""
        text = str(self.construct_scalar(node))
        if len(text) > 400:
            raise yaml.MarkedYAMLError(problem=f"a number of {len(text)} digits in line {node.start_mark.line + 1}")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


class _Dumper(yaml.SafeDumper):
    """Quotes what either version would read as something else than text, and writes out what occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: aliases are not read."""
        return True


_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _starts in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, _starts)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, _starts)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)


def read_yaml(text: str, *, plain_texts: bool = False) -> Any:
    """The value of a YAML 1.2 text: plain values, lists and mappings only.

    Args:
        text: of a file.
        plain_texts: keep every value as the text that the file has.

    Raises:
        YAMLError: if it is no YAML, has a key twice, asks for anything but plain values, has aliases, or halves of
            characters, or is longer or nested more deeply than such files are.
    """
    if len(text) > LONGEST:
        raise YAMLError(f"{len(text)} characters are too many, {LONGEST} at most; is it the right file?")
    try:
        return yaml.load(text, Loader=_Texts if plain_texts else _Loader)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # a tag before a value of another kind: !!int abc
        raise YAMLError(f"a value is not what its tag says ({type(error).__name__}: {error})") from None


def read_yaml_file(path: str | os.PathLike[str], *, plain_texts: bool = False) -> Any:
    """As `read_yaml`, of a file in UTF-8; size and kind are checked before it is read.

    Raises:
        OSError: the file is missing or cannot be read.
        YAMLError: as `read_yaml`; or it is no regular file, or not UTF-8.
    """
    file = Path(path)
    try:
        size = regular_size(file)
    except ValueError as error:
        raise YAMLError(str(error)) from None
    if size > 4 * LONGEST:
        raise YAMLError(f"{size} bytes are too many, {LONGEST} at most; is it the right file?")
    try:
        return read_yaml(file.read_text(encoding="utf-8-sig"), plain_texts=plain_texts)
    except UnicodeDecodeError as error:
        raise YAMLError(f"byte {error.start} is no UTF-8; save it as UTF-8") from None


def write_yaml(value: Any) -> str:
    """Plain values as YAML that `read_yaml` reads, keys in the order given."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
