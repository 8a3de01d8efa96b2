"""How the line's own results, such as a trained network or a geometry, are stored on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stgcnlib.artefacts import Form, Sums, check_arrays, read_arrays, read_table, saved_as
from stgcnlib.json_text import read_json_file

__all__ = ["ACTIVATIONS", "DISTANCES", "EPOCHS", "EVALUATION", "FIELDS", "GEOMETRY", "LEAKAGE", "MAPS",
           "MAP_EVALUATION", "NOISE", "SEQUENCES", "STATISTICS", "SUMMARY", "TOPOLOGIES", "TRAINING", "TRANSFER",
           "Training"]  # fmt: skip

_EPOCH = {"epoch": "i", "train_loss": "f", "seconds": "f"}
EPOCHS = tuple({**_EPOCH, f"train_{reached}": "f", f"test_{reached}": "f"} for reached in ("accuracy", "r2"))
"""Columns of a training's history: for classes, and for real targets. Here, not among `columns`: a table that is added
there must not change the keys of trainings."""


@dataclass(frozen=True)
class Training:
    """A network that was trained here. Attributes: weights, its checkpoint; history, one row per epoch."""

    weights: Path
    history: pd.DataFrame


def _load_training(path: Path) -> Training:
    return Training(path / "network.pt", read_table(path / "history.parquet", *EPOCHS))


def _save_training(value: Any, path: Path) -> None:
    from stgcnlib.networks import save_checkpoint

    network, history = value
    path.mkdir()
    save_checkpoint(network, path / "network.pt")
    history.to_parquet(path / "history.parquet")


def _load_evaluation(path: Path) -> Any:
    from stgcnlib.training import Evaluation, TargetEvaluation

    stored = read_arrays(path)
    if "estimates" in stored:
        columns = {"estimates": "f N Q", "targets": "f N Q", "target_names": "s Q", "mean": "f Q", "scale": "f Q"}
        check_arrays(stored, columns)
        named = tuple(str(name) for name in stored["target_names"])
        return TargetEvaluation(stored["estimates"], stored["targets"], named, stored["mean"], stored["scale"])
    sizes = check_arrays(stored, {"logits": "f N C", "labels": "i N", "class_names": "s C"})
    labels, names = stored["labels"], tuple(str(name) for name in stored["class_names"])
    if len(labels) and not 0 <= labels.min() <= labels.max() < sizes["C"]:
        raise ValueError(f"a label lies outside of 0 to {sizes['C'] - 1}")
    return Evaluation(stored["logits"], labels, names)


def _save_evaluation(value: Any, path: Path) -> None:
    if hasattr(value, "estimates"):
        columns = {name: getattr(value, name) for name in ("estimates", "targets", "mean", "scale")}
        np.savez(path, **columns, target_names=np.asarray(value.target_names, dtype=np.str_), allow_pickle=False)
        return
    names = np.asarray(value.class_names, dtype=np.str_)
    np.savez(path, logits=value.logits, labels=value.labels, class_names=names, allow_pickle=False)


def _load_activations(path: Path, sums: Sums) -> Any:
    from stgcnlib.activations import LayerStore
    from stgcnlib.activations.demand import LayersOnDemand

    return (LayersOnDemand if LayersOnDemand.is_one(path) else LayerStore).open(path, sums=sums)


def _load_maps(path: Path) -> Any:
    from stgcnlib.explain import load_relevance

    return load_relevance(path)


def _save_maps(value: Any, path: Path) -> None:
    from stgcnlib.explain import save_relevance

    save_relevance(path, value)


def _load_summary(path: Path) -> Any:
    return read_json_file(path / "summary.json")


def _save_records(value: Mapping[str, Any], path: Path) -> None:
    """Dataclasses of numbers, texts and arrays by name, field by field."""
    arrays = {
        f"{k}/{field.name}": np.asarray(getattr(each, field.name))
        for k, each in enumerate(value.values())
        for field in fields(each)
    }
    np.savez(path, **arrays, names=np.asarray(list(value), dtype=np.str_), allow_pickle=False)


def _load_records(kind: str, path: Path) -> dict[str, Any]:
    module, _, name = kind.partition(":")
    made = getattr(import_module(module), name)
    stored = read_arrays(path)
    count = stored["names"].size if "names" in stored else 0
    check_arrays(stored, {"names": "s N"} | {f"{k}/{field.name}": _KINDS.get(str(field.type), "f ...")
                                             for k in range(count) for field in fields(made)})  # fmt: skip
    return {
        str(known): made(**{field.name: _plain(stored[f"{k}/{field.name}"]) for field in fields(made)})
        for k, known in enumerate(stored["names"])
    }


_KINDS = {"str": "s", "int": "i", "float": "f"}
"""Kinds of a record's fields by their types; any other is an array of real numbers."""


def _plain(value: Any) -> Any:
    return value.item() if value.ndim == 0 else value


def _records(kind: str) -> Form:
    """A dictionary of dataclasses of one kind, "package.module:Class"."""
    return Form(".npz", partial(_load_records, kind), _save_records)


SEQUENCES = saved_as("stgcnlib.sequences:SequenceSet", ".npz")
TRAINING = Form("", _load_training, _save_training)
EVALUATION = Form(".npz", _load_evaluation, _save_evaluation)
ACTIVATIONS = Form(".zarr", _load_activations, None, lazy=True)
DISTANCES = saved_as("stgcnlib.dtw:LayerDistances", ".npz")
GEOMETRY = saved_as("stgcnlib.geometry:LayerGeometry")
STATISTICS = saved_as("stgcnlib.geometry:LayerStatistics")
LEAKAGE = saved_as("stgcnlib.leakage:Leakage")
MAPS = Form(".npz", _load_maps, _save_maps)
FIELDS = _records("stgcnlib.explain:ReceptiveField")
TOPOLOGIES = _records("stgcnlib.explain:Topology")
MAP_EVALUATION = saved_as("stgcnlib.explain:MapEvaluation")
NOISE = saved_as("stgcnlib.studies:NoiseResult")
TRANSFER = saved_as("stgcnlib.studies:TransferResult")
SUMMARY = Form("", _load_summary, None)
