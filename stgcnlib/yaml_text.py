"""YAML as version 1.2 has it, for every file that is read: 010 is ten, and no, on and 12:30 are text.

PyYAML reads YAML 1.1, in which they are eight, false, true and 750. What is written is quoted where the two versions
differ, so that both read the same.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["YAMLError", "read_yaml", "write_yaml"]

YAMLError = yaml.YAMLError
# The core schema of YAML 1.2 (section 10.3.2), and the merge key, which is no value.
_PLAIN = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    (
        "float",
        re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
        list("-+.0123456789"),
    ),
    ("merge", re.compile(r"^<<$"), ["<"]),
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Plain values only, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """A mapping whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = str(self.construct_object(key, deep=True))
            if name in seen:
                line = key.start_mark.line + 1
                raise yaml.MarkedYAMLError(problem=f"key {name!r} is written twice, again in line {line}")
            seen.add(name)
        return super().construct_mapping(node, deep=deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number: decimal whatever it begins with, or marked as octal (0o) or hexadecimal (0x)."""
        text = str(self.construct_scalar(node))
        if len(text) > 400:
            raise yaml.MarkedYAMLError(problem=f"a number of {len(text)} digits in line {node.start_mark.line + 1}")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


class _Dumper(yaml.SafeDumper):
    """Quotes what either version would read as something else than text."""


_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _starts in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, _starts)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _form, _starts)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)


def read_yaml(text: str) -> Any:
    """The value of a YAML 1.2 text: plain values, lists and mappings only.

    Raises:
        YAMLError: if it is no YAML, has a key twice, or asks for anything but plain values.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise YAMLError("nested too deeply") from None
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # a tag before a value of another kind: !!int abc
        raise YAMLError(f"a value is not what its tag says ({type(error).__name__}: {error})") from None


def write_yaml(value: Any) -> str:
    """Plain values as YAML that `read_yaml` reads, keys in the order given."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
