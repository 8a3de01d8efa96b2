"""YAML as study files use it: the safe subset, no key twice, and 1e-3 is a number.

What the keys mean is the business of `study`.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

__all__ = ["UniqueKeys"]


class UniqueKeys(yaml.SafeLoader):
    """YAML's safe subset, refusing a key that is written twice, and reading 1e-3 as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """As PyYAML does, once no key is found twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(self.construct_object(key, deep=True))
            if name in seen:
                line = key.start_mark.line + 1
                raise yaml.MarkedYAMLError(problem=f"key {name!r} is written twice, again in line {line}")
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
