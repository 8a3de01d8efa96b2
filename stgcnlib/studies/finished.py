"""Reads finished studies that `stgcnlib run` wrote, and the settings that decide their level of label smoothness."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from stgcnlib.artefacts import checked, read_table
from stgcnlib.dtw import DTWOptions
from stgcnlib.errors import StgcnlibError, StudyError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.json_text import read_json_file
from stgcnlib.paths import check_contained
from stgcnlib.yaml_text import YAMLError, read_yaml_file

__all__ = ["FinishedStudy", "level_settings", "read_finished", "unequal_settings"]

_FILES = ("study.yml", "tables/recordings.parquet", "artefacts/geometry/manifest.json")
_SUMMARY = "artefacts/summary/summary.json"
_UNKNOWN = "not known"
_RECORDINGS = {"node": "i", "name": "s", "class_name": "s", "predicted": "i", "correct": "b"}


@dataclass(frozen=True)
class FinishedStudy:
    """What is read of one finished study.

    Attributes:
        folder: that `stgcnlib run` wrote.
        name: differs from those of the other studies that were read with it.
        settings: its study file.
        geometry: of its layers.
        recordings: name, class_name, predicted, correct and groups of each node, in order.
        warnings: what makes its result doubtful, a sentence each.
    """

    folder: Path
    name: str
    settings: dict[str, Any]
    geometry: LayerGeometry
    recordings: pd.DataFrame
    warnings: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What its intervals leave out one by one, in one word: "subject", …, "part" for parts drawn at random."""
        unit = self.geometry.resampled_unit
        return "part" if unit in (None, "recording") else str(unit)


def read_finished(outputs: Sequence[str | os.PathLike[str]]) -> list[FinishedStudy]:
    """Read the folders of finished studies; those of the same name are told apart by their folders.

    Args:
        outputs: folders that `stgcnlib run` wrote, at least two.

    Raises:
        StudyError: fewer than two folders, or one that holds no finished study of classes; says what is missing.
    """
    if len(outputs) < 2:
        raise StudyError(f"compare takes at least two folders of finished studies, not {len(outputs)}")
    found = [_read(Path(output)) for output in outputs]
    names = _distinct([each.name for each in found], [each.folder for each in found])
    return [replace(each, name=name) for each, name in zip(found, names, strict=True)]


def level_settings(study: FinishedStudy) -> dict[str, str]:
    """The settings that decide the level of label smoothness, whatever the features: dotted key -> value in words.

    These are K and the other choices of the graphs, who may be a neighbour, the reading of windowed DTW (only the
    options that it has), which part of the recordings is measured, and how recordings are prepared.
    """
    graph, settings = study.geometry.settings, study.settings
    words = {f"graph.{name}": str(graph[name]) for name in ("k", "sigma", "symmetrize", "solver")}
    words["graph.leave_out"] = f"neighbours: {study.geometry.neighbours}"
    words["graph.part"] = _said(settings, "graph", "part")
    words["graph.sample"] = _said(settings, "graph", "sample", None)
    dtw = settings.get("dtw")
    reading = dtw.get("reading") if isinstance(dtw, Mapping) else None
    own = {"sliding": ("window", "stride"), "segments": ("segments",)}
    for name in ("reading", *own.get(str(reading), ()), "band", "metric", "normalize"):
        words[f"dtw.{name}"] = _said(settings, "dtw", name, getattr(DTWOptions, name))
    for name in ("normalize", "centre", "published", "frame_step"):
        words[f"data.{name}"] = _said(settings, "data", name)
    return words


def unequal_settings(studies: Sequence[FinishedStudy]) -> pd.DataFrame:
    """Settings that decide levels and are not equal in all studies: one row per setting and study.

    Returns:
        Columns setting, study, value; without rows where levels can be compared.
    """
    found = {study.name: level_settings(study) for study in studies}
    keys = dict.fromkeys(key for words in found.values() for key in words)
    rows = [
        {"setting": key, "study": name, "value": words.get(key, "does not apply")}
        for key in keys
        if len({words.get(key) for words in found.values()}) > 1
        for name, words in found.items()
    ]
    return pd.DataFrame(rows, columns=["setting", "study", "value"])


def _said(settings: Mapping[str, Any], section: str, name: str, default: Any = _UNKNOWN) -> str:
    values = settings.get(section)
    return str(values.get(name, default) if isinstance(values, Mapping) else default)


def _read(folder: Path) -> FinishedStudy:
    check_contained(folder)
    if missing := [name for name in _FILES if not (folder / name).is_file()]:
        raise StudyError(
            f"{folder}: no finished study, {missing[0]} is missing; run it to its end with "
            f"'stgcnlib run STUDY --output {folder}'"
        )
    try:
        settings = read_yaml_file(folder / "study.yml")
        for place in ("geometry", "recordings.parquet", "summary"):
            checked(folder / "artefacts" / place)
        table = folder / "artefacts" / "recordings.parquet"
        table = table if table.is_file() else folder / "tables" / "recordings.parquet"
        geometry = LayerGeometry.load(folder / "artefacts" / "geometry")
        columns = _RECORDINGS if geometry.targets is None else {"node": "i"}
        recordings = read_table(table, columns).sort_values("node")
        name = str(settings["name"])
        settings["network"]["name"], settings["data"]["path"]
    except (OSError, ValueError, KeyError, TypeError, YAMLError, StgcnlibError) as error:
        raise StudyError(f"{folder}: its files do not belong to a finished study ({error}); run it again") from None
    if geometry.targets is not None:
        raise StudyError(f"{folder}: this study has a real target; only studies of classes can be compared")
    if len(recordings) != len(geometry.labels):
        raise StudyError(
            f"{folder}: {len(recordings)} recordings, but graphs of {len(geometry.labels)} nodes; run it again"
        )
    return FinishedStudy(folder, name, settings, geometry, recordings.reset_index(drop=True), _warnings(folder))


def _warnings(folder: Path) -> tuple[str, ...]:
    """What the study's summary warns of; nothing where it has no summary."""
    try:
        return tuple(read_json_file(folder / _SUMMARY).get("warnings", ()))
    except (OSError, ValueError):
        return ()


def _distinct(names: list[str], folders: list[Path]) -> list[str]:
    """Names that tell the studies apart: with the folder's name where several are called the same."""
    longer = [f"{n} ({f.resolve().name})" if names.count(n) > 1 else n for n, f in zip(names, folders, strict=True)]
    return [f"{n} #{longer[: i + 1].count(n)}" if longer.count(n) > 1 else n for i, n in enumerate(longer)]
