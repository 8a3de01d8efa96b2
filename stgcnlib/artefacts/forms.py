"""Forms on disk that need nothing but numpy, pandas and JSON; objects bring their own `save` and `load`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.artefacts.declare import Form
from stgcnlib.artefacts.reading import check_arrays, read_array, read_arrays, read_table
from stgcnlib.json_text import read_json_file

__all__ = ["ARRAY", "ARRAYS", "JSON", "saved_as", "table_of", "tables_of"]

_MOST = 2**28  # bytes of a JSON file: levels of noise hold a value for each recording


def _save_array(value: NDArray[Any], path: Path) -> None:
    np.save(path, value, allow_pickle=False)


def _load_array(path: Path) -> NDArray[Any]:
    return read_array(path)


def _save_arrays(value: Mapping[str, NDArray[Any]], path: Path) -> None:
    arrays = {f"{k:04d}": array for k, array in enumerate(value.values())}
    np.savez(path, allow_pickle=False, names=np.asarray(list(value), dtype=np.str_), **arrays)


def _load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    stored = read_arrays(path)
    names = [f"{k:04d}" for k in range(stored["names"].size if "names" in stored else 0)]
    check_arrays(stored, {"names": "s N", **dict.fromkeys(names, "a ...")})
    return {str(name): stored[key] for name, key in zip(stored["names"], names, strict=True)}


def _save_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=True) + "\n", encoding="utf-8")


def _load_json(path: Path) -> Any:
    return read_json_file(path, most=_MOST)


def _save_table(value: pd.DataFrame, path: Path) -> None:
    value.to_parquet(path)


def _save_tables(value: Mapping[str, pd.DataFrame], path: Path) -> None:
    path.mkdir()
    for name, table in value.items():
        table.to_parquet(path / f"{name}.parquet")


def _load_table(layouts: Sequence[Mapping[str, str]], path: Path) -> pd.DataFrame:
    return read_table(path, *layouts)


def _load_tables(tables: Mapping[str, Mapping[str, str]], path: Path) -> dict[str, pd.DataFrame]:
    return {name: read_table(path / f"{name}.parquet", columns) for name, columns in sorted(tables.items())}


ARRAY = Form(".npy", _load_array, _save_array)
ARRAYS = Form(".npz", _load_arrays, _save_arrays)
"""A dictionary from names, such as those of layers, to arrays, in its order."""
JSON = Form(".json", _load_json, _save_json)


def table_of(*layouts: Mapping[str, str]) -> Form:
    """A table, as a parquet file; it is read only with the columns that it should have.

    `layouts` are as of `read_table`.
    """
    return Form(".parquet", partial(_load_table, layouts), _save_table)


def tables_of(tables: Mapping[str, Mapping[str, str]]) -> Form:
    """A dictionary from names to tables, as a folder of parquet files; loaded in alphabetical order.

    `tables` is name -> columns as of `read_table`, for each of them.
    """
    return Form("", partial(_load_tables, tables), _save_tables)


def saved_as(kind: str, suffix: str = "") -> Form:
    """The form of a class with ``save(path)`` and ``load(path)``.

    Args:
        kind: "package.module:Class", imported when the first value is read.
        suffix: of the file; "" for a folder.
    """
    return Form(suffix, partial(_load_object, kind), _save_object)


def _load_object(kind: str, path: Path) -> Any:
    module, _, name = kind.partition(":")
    return getattr(import_module(module), name).load(path)


def _save_object(value: Any, path: Path) -> None:
    value.save(path)
