"""The settings of a study as rows for a reader: what holds where a key has no value is said in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stgcnlib.pipeline.no_value import no_value_words

__all__ = ["settings_rows"]


def settings_rows(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted key, text) rows; an empty list is "none", and null is said in words (`no_value`).

    Args:
        settings: of a study or comparison, with every default filled in.
        prefix: of the keys.
    """
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += settings_rows(value, f"{name}.")
        else:
            rows.append((name, _text(name, value)))
    return rows


def _text(name: str, value: Any) -> str:
    if value is None:
        return no_value_words(name) or "not set"
    if isinstance(value, list | tuple | Mapping) and not value:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
