"""JSON of files that others may have made: size, depth and number of lists are limited, so that none fills memory.

Texts can be written as UTF-8: halves of a character are refused.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from stgcnlib.files import regular_size
from stgcnlib.texts import check_texts

__all__ = ["parse_json", "read_json_file"]

LARGEST = 2**24
"""Most bytes of a file in a study's folder; such files have some thousands."""
MOST_LISTS = 4_000_000
"""Most lists and objects in a text: 64 MiB of empty ones would take more than 1 GiB of memory."""
DEEPEST = 30
"""Most levels of lists and objects within each other; files that are read here have up to ten."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(content: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises:
        ValueError: if it is no JSON or no UTF-8, holds more than `MOST_LISTS` lists and objects, is nested more than
            `DEEPEST` levels deep, or has a text that `check_texts` refuses.
    """
    lists = content.count(b"[") + content.count(b"{")
    if lists > MOST_LISTS:
        raise ValueError(f"{lists:,} lists and objects, {MOST_LISTS:,} at most")
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from None
    level = [value]
    for _ in range(DEEPEST):
        inside: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inside += [part for part in each.values() if isinstance(part, dict | list)]
            elif isinstance(each, list):
                inside += [part for part in each if isinstance(part, dict | list)]
        level = inside
    if level:
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    if _HALF.search(content):  # also half of an escaped pair, as most are
        check_texts(value)
    return value


def read_json_file(path: str | os.PathLike[str], *, most: int = LARGEST) -> Any:
    """The value of a JSON file of at most `most` bytes; kind and size are checked before it is read.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: as `parse_json`; or it is no regular file, or too large.
    """
    file = Path(path)
    if (size := regular_size(file)) > most:
        raise ValueError(f"{size:,} bytes, {most:,} at most")
    return parse_json(file.read_bytes())
