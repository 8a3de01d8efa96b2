"""Texts of files and of file names that a study keeps: all can be written as UTF-8."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["check_texts"]

SHOWN = 40


def check_texts(value: Any) -> None:
    """Refuse a plain value with a text that cannot be written as UTF-8, since it holds half of a character.

    Such halves come from escapes like ``\\ud800`` in JSON and YAML, and from file names that are not in UTF-8.

    Raises:
        ValueError: shows the first one.
    """
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        text, place = error.object, error.start
        shown = text[:place].rpartition('"')[2][-SHOWN:] + text[place:].partition('"')[0][:SHOWN]
        raise ValueError(f"{shown!a} cannot be written as UTF-8") from None
