"""Layouts in a file of one's own: YAML or JSON with the joints by name, and all else in terms of these names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stgcnlib.errors import LayoutError, shorten, suggest
from stgcnlib.skeleton.definition import SkeletonLayout
from stgcnlib.yaml_text import YAMLError, read_yaml_file

__all__ = ["is_layout_file", "mirror_of", "read_layout"]

MOST_JOINTS = 1000
FIELDS = ("name", "joints", "bones", "centre", "mirror", "spine", "shoulders", "limbs", "dimensions")
SIDE = re.compile(r"(?:^|(?<=[^a-z]))(left|l|right|r)(?=[^a-z]|$)", re.IGNORECASE)


def is_layout_file(name: str) -> bool:
    """Whether the `name` of a layout is that of a file."""
    return name.lower().endswith((".yml", ".yaml", ".json"))


def mirror_of(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs (left, right) of joints whose names differ in nothing but "left" or "l" and "right" or "r".

    `joints` are the names of all joints, in order.
    """
    small = [joint.lower() for joint in joints]
    pairs = []
    for v, joint in enumerate(small):
        found = SIDE.search(joint)
        if found is not None and found[1] in ("left", "l"):
            other = joint[: found.start()] + {"left": "right", "l": "r"}[found[1]] + joint[found.end() :]
            if other in small:
                pairs.append((v, small.index(other)))
    return tuple(pairs)


def read_layout(path: str | os.PathLike[str]) -> SkeletonLayout:
    """The layout that a YAML or JSON file describes.

    `joints` are names in the order of the data. Optional are `name` (default: the file's), `bones` (pairs: child,
    parent), `centre`, `mirror` (pairs: left, right; default: by the names), `spine` (lower, upper), `shoulders` (left,
    right), `limbs` (name: joints) and `dimensions` (default: 3). A joint is given by its name, or its index from 0. All
    values are read as text, so that a joint may be called "no" or "010".

    Raises:
        LayoutError: if the file cannot be read, has unknown fields, or names joints that are not there.
    """
    file = Path(path)
    try:
        content = read_yaml_file(file, plain_texts=True)
    except OSError as error:
        raise LayoutError(f"{file}: cannot be read ({error.strerror or error})") from None
    except YAMLError as error:
        raise LayoutError(f"{file}: is no YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(content, dict) or "joints" not in content:
        raise LayoutError(f"{file}: is no layout; expected at least 'joints', a list of names")
    if unknown := [str(key) for key in content if key not in FIELDS]:
        raise LayoutError(f"{file}: has the field {unknown[0]!r}; {suggest(unknown[0], FIELDS)}")
    joints = content["joints"]
    if not isinstance(joints, list) or not all(isinstance(j, str) for j in joints) or not 0 < len(joints) < MOST_JOINTS:
        raise LayoutError(f"{file}: 'joints' is no list of names, up to {MOST_JOINTS}")
    dimensions = content.get("dimensions", "3")
    if dimensions not in ("0", "2", "3"):
        raise LayoutError(
            f"{file}: 'dimensions' is {str(dimensions)[:40]!r}; expected 2, 3, or 0 for signals on a graph"
        )
    fields = _Fields(file, joints)
    return SkeletonLayout(
        name=str(content.get("name", file.stem)),
        joints=tuple(joints),
        bones=fields.pairs(content.get("bones", []), "bones"),
        centre=None if "centre" not in content else fields.joint(content["centre"], "centre"),
        mirror=fields.pairs(content["mirror"], "mirror") if "mirror" in content else mirror_of(joints),
        spine=None if "spine" not in content else fields.pair(content["spine"], "spine"),
        shoulders=None if "shoulders" not in content else fields.pair(content["shoulders"], "shoulders"),
        limbs=fields.limbs(content.get("limbs", {})),
        dimensions=int(dimensions),
    )


class _Fields:
    """What the fields of a file say in terms of its joints."""

    def __init__(self, file: Path, joints: list[str]) -> None:
        self.file, self.joints = file, joints

    def joint(self, value: Any, key: str) -> int:
        if isinstance(value, str) and value in self.joints:
            return self.joints.index(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and int(value[:9]) < len(self.joints):
            return int(value[:9])
        if not isinstance(value, str):
            raise LayoutError(f"{self.file}: {key!r} holds {str(value)[:60]}; expected joints by name")
        raise LayoutError(
            f"{self.file}: {key!r} names {value[:60]!r}, which is no joint; {suggest(value, self.joints)}"
        )

    def pair(self, value: Any, key: str) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2:
            raise LayoutError(f"{self.file}: {key!r} holds {str(value)[:60]}; expected pairs of joints")
        return self.joint(value[0], key), self.joint(value[1], key)

    def pairs(self, value: Any, key: str) -> tuple[tuple[int, int], ...]:
        if not isinstance(value, list) or len(value) > MOST_JOINTS**2:
            raise LayoutError(f"{self.file}: {key!r} is no list of pairs of joints")
        return tuple(self.pair(each, key) for each in value)

    def limbs(self, value: Any) -> dict[str, tuple[int, ...]]:
        if not isinstance(value, dict) or not all(isinstance(members, list) for members in value.values()):
            raise LayoutError(f"{self.file}: 'limbs' names no lists of joints ({shorten([str(value)[:40]])})")
        return {str(name): tuple(self.joint(each, "limbs") for each in members) for name, members in value.items()}
