"""Finished studies side by side: their curves, their classes, and tests on the recordings that they share.

It reads the folders that `stgcnlib run` wrote, and computes nothing that needs a network. What the tables mean is said
in `stgcnlib.verdicts`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import ArrayLike, NDArray
from scipy.stats import permutation_test

from stgcnlib.errors import StgcnlibError, StudyError
from stgcnlib.geometry import LayerGeometry, bootstrap_counts, paired_difference
from stgcnlib.groups import SUBJECT, group_codes

__all__ = ["Comparison", "FinishedStudy", "compare_finished", "paired_test", "read_finished"]

_SUMMARY = "artefacts/summary/summary.json"
_FILES = ("study.yml", "tables/recordings.parquet", "artefacts/geometry/manifest.json")


@dataclass(frozen=True)
class FinishedStudy:
    """What is read of one finished study.

    Attributes:
        folder: that `stgcnlib run` wrote.
        name: tells it from the others that were read with it.
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
    def resampled(self) -> tuple[NDArray[Any] | None, str]:
        """What is exchanged and resampled as a whole, (N,) groups or None for recordings, and its name.

        That is what the study's own intervals resample, or subjects where it says nothing and they are known.
        """
        column = f"group {SUBJECT}"
        if self.geometry.resampled_unit is None and column in self.recordings:
            return self.recordings[column].to_numpy(), SUBJECT
        return self.geometry.resampled, self.geometry.resampled_unit or "recording"


@dataclass(frozen=True)
class Comparison:
    """Several finished studies in one set of tables; `study` names the row's study everywhere.

    Attributes:
        studies: one row per study: study, folder, network, data, layers, n, accuracy, input, last, fall, fall_low,
            fall_high (smoothness of the input less that of the last layer), untrained_last.
        curves: one row per layer: layer, index, depth (0 the input, 1 the last), title, kind ("trained",
            "untrained"), smoothness, low, high, null_mean.
        classes: one row per class and layer of the trained network: class_name, index, depth, title, smoothness, low,
            high, n.
        pairs: one row per two studies of the same recordings and quantity ("input", "early layers", "last layer",
            "accuracy"): first, second, quantity, first_value, second_value, difference (first − second), low, high,
            p, units (subjects, or what else the first study resamples as a whole), n, unit ("subject", …, "recording").
        warnings: what makes a study's result doubtful, a sentence each that names the study.
    """

    studies: pd.DataFrame
    curves: pd.DataFrame
    classes: pd.DataFrame
    pairs: pd.DataFrame
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the studies, in their order."""
        return [str(name) for name in self.studies["study"]]

    def class_groups(self) -> list[pd.DataFrame]:
        """Rows of `classes`, studies with the same classes together."""
        groups: dict[frozenset[str], list[str]] = {}
        for name in self.names:
            rows = self.classes[self.classes["study"] == name]
            groups.setdefault(frozenset(rows["class_name"]), []).append(name)
        return [self.classes[self.classes["study"].isin(members)] for members in groups.values()]


def read_finished(outputs: Sequence[str | os.PathLike[str]]) -> list[FinishedStudy]:
    """Read the folders of finished studies; those of the same name are told apart by their folders.

    Args:
        outputs: folders that `stgcnlib run` wrote, at least two.

    Raises:
        StudyError: fewer than two folders, or one that holds no finished study; says what is missing.
    """
    if len(outputs) < 2:
        raise StudyError(f"compare takes at least two folders of finished studies, not {len(outputs)}")
    found = [_read(Path(output)) for output in outputs]
    names = _distinct([each.name for each in found], [each.folder for each in found])
    return [replace(each, name=name) for each, name in zip(found, names, strict=True)]


def compare_finished(studies: Sequence[FinishedStudy], *, seed: int = 0) -> Comparison:
    """Tables of several studies, and paired tests of any two whose nodes are the same recordings, by name and class.

    Args:
        studies: as `read_finished` gives them.
        seed: of bootstrap draws and permutations.
    """
    pairs = []
    for first, second in combinations(studies, 2):
        order = _shared(first, second)
        if order is not None:
            names = {"first": first.name, "second": second.name}
            pairs += [names | row for row in _tests(first, second, order, seed)]
    columns = [
        "first",
        "second",
        "quantity",
        "first_value",
        "second_value",
        "difference",
        "low",
        "high",
        "p",
        "units",
        "n",
        "unit",
    ]
    return Comparison(
        pd.DataFrame([_summary(each) for each in studies]),
        pd.concat([_curves(each) for each in studies], ignore_index=True),
        pd.concat([_classes(each) for each in studies], ignore_index=True),
        pd.DataFrame(pairs, columns=columns),
        tuple(f"{each.name}: {warning}" for each in studies for warning in each.warnings),
    )


def paired_test(
    first: ArrayLike,
    second: ArrayLike,
    subjects: ArrayLike | None = None,
    *,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Difference of two values of the same recordings, with a bootstrap interval and a permutation test by subject.

    The test exchanges first and second for whole subjects (recordings, where subjects are not known) and compares
    the mean over subjects of their mean differences: exact up to 13 subjects, 9,999 draws beyond. S subjects give
    no p below 2 / 2^S.

    Args:
        first, second: (N,) values.
        subjects: (N,) subject of each recording; None: unknown.
        draws, confidence: of the interval of the mean over recordings, subjects and recordings resampled.
        seed: of both.

    Returns:
        difference (mean of first − second), low, high, p (two-sided), units (subjects or recordings), n.

    Raises:
        StudyError: values or subjects of different length, or none.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise StudyError(f"paired_test: values of shapes {a.shape} and {b.shape}; give two of one shape (N,)")
    if subjects is not None and np.shape(subjects) != a.shape:
        raise StudyError(f"paired_test: {len(np.asarray(subjects))} subjects for {len(a)} recordings; give one each")
    codes = np.arange(len(a)) if subjects is None else group_codes(subjects)
    counts = bootstrap_counts(len(a), draws=draws, groups=None if subjects is None else codes, seed=seed)
    difference, low, high = paired_difference(a, b, counts, confidence)
    sizes = np.bincount(codes)
    means = [np.bincount(codes, weights=values) / sizes for values in (a, b)]
    p = 1.0
    if len(sizes) > 1 and (means[0] != means[1]).any():
        p = float(
            permutation_test(
                means, lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True,
                n_resamples=9999, rng=np.random.default_rng(seed),
            ).pvalue
        )  # fmt: skip
    return {"difference": difference, "low": low, "high": high, "p": p, "units": len(sizes), "n": len(a)}


# -- reading -----------------------------------------------------------------------------------


def _read(folder: Path) -> FinishedStudy:
    if missing := [name for name in _FILES if not (folder / name).is_file()]:
        raise StudyError(
            f"{folder}: no finished study, {missing[0]} is missing; run it to its end with "
            f"'stgcnlib run STUDY --output {folder}'"
        )
    try:
        settings = yaml.safe_load((folder / "study.yml").read_text(encoding="utf-8"))
        recordings = pd.read_parquet(folder / "tables" / "recordings.parquet").sort_values("node")
        geometry = LayerGeometry.load(folder / "artefacts" / "geometry")
        name = str(settings["name"])
        settings["network"]["name"], settings["data"]["path"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError, StgcnlibError) as error:
        raise StudyError(f"{folder}: its files do not belong to a finished study ({error}); run it again") from None
    if len(recordings) != len(geometry.labels):
        raise StudyError(
            f"{folder}: {len(recordings)} recordings, but graphs of {len(geometry.labels)} nodes; run it again"
        )
    return FinishedStudy(folder, name, settings, geometry, recordings.reset_index(drop=True), _warnings(folder))


def _warnings(folder: Path) -> tuple[str, ...]:
    """What the study's summary warns of; nothing where it has no summary."""
    try:
        return tuple(json.loads((folder / _SUMMARY).read_text(encoding="utf-8")).get("warnings", ()))
    except (OSError, ValueError):
        return ()


def _distinct(names: list[str], folders: list[Path]) -> list[str]:
    """Names that tell the studies apart: with the folder's name where several are called the same."""
    longer = [f"{n} ({f.name})" if names.count(n) > 1 else n for n, f in zip(names, folders, strict=True)]
    return [f"{n} #{longer[: i + 1].count(n)}" if longer.count(n) > 1 else n for i, n in enumerate(longer)]


def _summary(study: FinishedStudy) -> dict[str, Any]:
    geometry = study.geometry
    curve, untrained = geometry.mean_curve()["smoothness"].to_numpy(), geometry.mean_curve("untrained")["smoothness"]
    ends = np.eye(len(curve))
    fall = geometry.contrast({"trained": ends[0] - ends[-1]})
    return {
        "study": study.name,
        "folder": str(study.folder),
        "network": str(study.settings["network"]["name"]),
        "data": Path(str(study.settings["data"]["path"])).name,
        "layers": len(curve) - 1,
        "n": len(study.recordings),
        "accuracy": float(study.recordings["correct"].mean()),
        "input": float(curve[0]),
        "last": float(curve[-1]),
        "fall": fall.value,
        "fall_low": fall.low,
        "fall_high": fall.high,
        "untrained_last": float(untrained.iloc[-1]) if len(untrained) else np.nan,
    }


def _curves(study: FinishedStudy) -> pd.DataFrame:
    parts = [study.geometry.curve(kind).assign(kind=kind) for kind in ("trained", "untrained")]
    table = pd.concat(parts, ignore_index=True)
    table["depth"] = table["index"] / table["index"].max()
    shown = ["layer", "index", "depth", "title", "kind", "smoothness", "low", "high", "null_mean"]
    return table[shown].assign(study=study.name)


def _classes(study: FinishedStudy) -> pd.DataFrame:
    table = study.geometry.per_class
    table = table[(table["network"] == "trained") & (table["neighbours"] == study.geometry.neighbours)]
    shown = ["class_name", "index", "title", "smoothness", "low", "high", "n"]
    return table[shown].assign(study=study.name, depth=table["index"] / table["index"].max())


# -- pairs -------------------------------------------------------------------------------------


def _shared(first: FinishedStudy, second: FinishedStudy) -> NDArray[np.int64] | None:
    """Rows of the second study in the first's order, or `None` if they are not the same recordings."""
    a, b = (each.recordings[["name", "class_name"]] for each in (first, second))
    if len(a) != len(b) or a["name"].duplicated().any() or set(a["name"]) != set(b["name"]):
        return None
    order = b.reset_index().set_index("name").loc[a["name"]]
    if (order["class_name"].to_numpy() != a["class_name"].to_numpy()).any():
        return None
    return order["index"].to_numpy(dtype=np.int64)


def _tests(first: FinishedStudy, second: FinishedStudy, order: NDArray[np.int64], seed: int) -> list[dict[str, Any]]:
    rows = []
    a, b = _quantities(first), _quantities(second)
    drawn, unit = first.resampled
    for quantity, values in a.items():
        others = b[quantity][order]
        row: dict[str, Any] = {"quantity": quantity, "first_value": values.mean(), "second_value": others.mean()}
        rows.append(row | paired_test(values, others, drawn, seed=seed) | {"unit": unit})
    return rows


def _quantities(study: FinishedStudy) -> dict[str, NDArray[np.float64]]:
    """(N,) values of each recording: smoothness at the input, of the first third of the layers, at the last; right."""
    nodes = study.geometry.node_values()
    early = max(1, round((len(nodes) - 1) / 3))
    return {
        "input": nodes[0],
        "early layers": nodes[1 : 1 + early].mean(axis=0),
        "last layer": nodes[-1],
        "accuracy": study.recordings["correct"].to_numpy(dtype=np.float64),
    }
