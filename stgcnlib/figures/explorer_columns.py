"""What recordings can be coloured by in an explorer: categories and numbers of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from stgcnlib.figures.style import class_styles
from stgcnlib.sequences import SequenceSet

__all__ = ["UNKNOWN", "categories", "numbers"]

UNKNOWN = 65535
"""Code of a category that is not known."""
_COVERED = ("node", "name", "label", "class_name", "predicted", "correct")


def categories(nodes: SequenceSet, recordings: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Classes, predictions and groups: key, title, values, codes (N,) uint16, and a colour and marker per value."""
    found = []
    names = list(nodes.class_names)
    if names:
        found.append(_category("class", "class", names, nodes.labels))
        if recordings is not None and "predicted" in recordings:
            predicted = recordings["predicted"].to_numpy()
            found.append(_category("predicted", "predicted class", names, predicted))
            right = np.where(predicted == nodes.labels, 0, 1)
            found.append(_category("prediction", "prediction", ["right", "wrong"], right))
    columns = {name: pd.Series(list(values)) for name, values in nodes.groups.items()}
    if recordings is not None:
        for name in recordings.columns:
            if name not in _COVERED and not name.startswith("group ") and not _numeric(recordings[name]):
                columns.setdefault(str(name), recordings[name])
    for name, column in columns.items():
        codes, values = pd.factorize(column, sort=True)
        found.append(_category(f"group {name}", str(name), [str(value) for value in values], codes))
    return found


def _category(key: str, title: str, values: Sequence[str], codes: ArrayLike) -> dict[str, Any]:
    styles = class_styles(len(values))
    return {
        "key": key,
        "title": title,
        "values": list(values),
        "codes": _codes(codes),
        "colours": [to_hex(color) for color, _ in styles],
        "markers": [marker for _, marker in styles],
    }


def numbers(
    nodes: SequenceSet, recordings: pd.DataFrame | None, findings: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    """Targets, lengths, scores and further numbers: key, title and values (N,) float32, NaN where unknown."""
    columns: dict[str, Any] = {}
    if nodes.targets is not None:
        columns |= {str(name): nodes.targets[:, q] for q, name in enumerate(nodes.target_names)}
    columns["frames"] = nodes.lengths
    for table, title in (("suspects", "suspect score"), ("outliers", "outlier score")):
        if table in findings:
            values = np.full(len(nodes), np.nan)
            values[findings[table]["node"].to_numpy()] = findings[table]["score"].to_numpy()
            columns[title] = values
    if recordings is not None:
        for name in recordings.columns:
            if name not in _COVERED and not name.startswith("group ") and _numeric(recordings[name]):
                columns.setdefault(str(name), recordings[name].to_numpy())
    return [{"key": name, "title": name, "values": np.asarray(v, dtype=np.float32)} for name, v in columns.items()]


def _numeric(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _codes(values: ArrayLike) -> NDArray[np.uint16]:
    codes = np.asarray(values, dtype=np.int64)
    return np.where(codes < 0, UNKNOWN, codes).astype(np.uint16)
