"""Finished studies side by side: their curves, their classes, and tests on the recordings that they share.

It computes nothing that needs a network. What the tables mean is said in `stgcnlib.verdicts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.geometry import Estimate, Jackknife, rescaled
from stgcnlib.geometry.layers import TRAINED, UNTRAINED
from stgcnlib.geometry.uncertainty import Spread, estimate_sum
from stgcnlib.groups import resampled_count
from stgcnlib.studies.finished import FinishedStudy, level_settings, unequal_settings

__all__ = ["PAIRS", "Comparison", "compare_finished"]

Floats = NDArray[np.float64]

PAIRS = ["first", "second", "quantity", "scale", "first_value", "second_value", "difference", "low", "high", "p",
         "units", "unit", "n"]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Several finished studies in one set of tables; `study` names the row's study everywhere.

    Attributes:
        studies: one row per study: study, folder, network, data, layers, n, k, accuracy, input, last, fall, fall_low,
            fall_high (smoothness of the input minus that of the last layer), input_rescaled, last_rescaled,
            untrained_last. Means over the networks of a kind.
        curves: one row per layer: layer, index, depth (0 the input, 1 the last), title, kind ("trained",
            "untrained"), smoothness, low, high, null_mean, floor, rescaled, rescaled_low, rescaled_high.
        classes: one row per class and layer of the trained network: class_name, index, depth, title, smoothness, low,
            high, n.
        pairs: one row per two studies of the same recordings and quantity ("input", "early layers", "last layer",
            "accuracy"): first, second, quantity, scale, first_value, second_value, difference (first − second), low,
            high, p, units (how many subjects, or other parts, were left out one by one, or in random groups where they
            are more than 20), unit ("subject", …, "part"), n. The scale is "S", or "share" for accuracy. Where settings
            that decide levels are not equal, it is "rescaled" and nothing is tested (low, high and p are NaN): the
            settings alone make a difference. The same distances with K = 8 and 30 differ by 0.08 after rescaling at the
            last layer of UTD-MHAD, and a test finds this significant (p = 0.007).
        unequal: settings that decide the level of smoothness and differ: setting, study, value.
        warnings: what makes a study's result doubtful, a sentence each that names the study.
    """

    studies: pd.DataFrame
    curves: pd.DataFrame
    classes: pd.DataFrame
    pairs: pd.DataFrame
    unequal: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["setting", "study", "value"]))
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the studies, in their order."""
        return [str(name) for name in self.studies["study"]]

    @property
    def comparable(self) -> bool:
        """Whether levels of smoothness can be compared: all settings that decide them are equal."""
        return self.unequal.empty

    def class_groups(self) -> list[pd.DataFrame]:
        """Rows of `classes`, studies with the same classes together."""
        groups: dict[frozenset[str], list[str]] = {}
        for name in self.names:
            rows = self.classes[self.classes["study"] == name]
            groups.setdefault(frozenset(rows["class_name"]), []).append(name)
        return [self.classes[self.classes["study"].isin(members)] for members in groups.values()]


def compare_finished(studies: Sequence[FinishedStudy]) -> Comparison:
    """Tables of several studies, and paired tests of any two whose nodes are the same recordings, by name and class.

    Source: our choice.

    Args:
        studies: as `read_finished` gives them.
    """
    pairs = []
    for first, second in combinations(studies, 2):
        order = _shared(first, second)
        if order is not None:
            names = {"first": first.name, "second": second.name}
            pairs += [names | row for row in _tests(first, second, order)]
    curves = [_curves(each) for each in studies]
    return Comparison(
        pd.DataFrame([_summary(each, curve) for each, curve in zip(studies, curves, strict=True)]),
        pd.concat(curves, ignore_index=True),
        pd.concat([_classes(each) for each in studies], ignore_index=True),
        pd.DataFrame(pairs, columns=PAIRS),
        unequal_settings(studies),
        tuple(f"{each.name}: {warning}" for each in studies for warning in each.warnings),
    )


def _curves(study: FinishedStudy) -> pd.DataFrame:
    geometry, parts = study.geometry, []
    for kind in (TRAINED, UNTRAINED):
        curve = geometry.mean_curve(kind)
        for name in ("null_mean", "floor"):
            curve[name] = _mean_over_networks(study, kind, name) if len(curve) else []
        for name, column in (("rescaled", "smoothness"), ("rescaled_low", "low"), ("rescaled_high", "high")):
            curve[name] = rescaled(curve[column], curve["floor"], curve["null_mean"])
        parts.append(curve.assign(kind=kind))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    table["depth"] = table["index"] / table["index"].max()
    shown = ["layer", "index", "depth", "title", "kind", "smoothness", "low", "high", "null_mean", "floor", "rescaled",
             "rescaled_low", "rescaled_high"]  # fmt: skip
    return table[shown].assign(study=study.name)


def _mean_over_networks(study: FinishedStudy, kind: str, column: str) -> Floats:
    """(layers,) mean of a column of the table over the networks of a kind."""
    curves = [study.geometry.curve(name)[column].to_numpy(dtype=np.float64) for name in study.geometry.networks(kind)]
    return np.asarray(np.mean(curves, axis=0), dtype=np.float64)


def _summary(study: FinishedStudy, curves: pd.DataFrame) -> dict[str, Any]:
    trained, untrained = (curves[curves["kind"] == kind] for kind in (TRAINED, UNTRAINED))
    ends = np.eye(len(trained))
    fall = study.geometry.contrast({TRAINED: ends[0] - ends[-1]})
    first, last = trained.iloc[0], trained.iloc[-1]
    return {
        "study": study.name,
        "folder": study.folder.resolve().name,
        "network": str(study.settings["network"]["name"]),
        "data": Path(str(study.settings["data"]["path"])).name,
        "layers": len(trained) - 1,
        "n": len(study.recordings),
        "k": int(study.geometry.settings["k"]),
        "accuracy": float(study.recordings["correct"].mean()),
        "input": float(first["smoothness"]),
        "last": float(last["smoothness"]),
        "fall": fall.value,
        "fall_low": fall.low,
        "fall_high": fall.high,
        "input_rescaled": float(first["rescaled"]),
        "last_rescaled": float(last["rescaled"]),
        "untrained_last": float(untrained["smoothness"].iloc[-1]) if len(untrained) else np.nan,
    }


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


def _tests(first: FinishedStudy, second: FinishedStudy, order: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Differences of smoothness and accuracy, tested by leaving one part of the recordings out of both at a time."""
    jackknife = first.geometry.jackknife
    scale = "S" if level_settings(first) == level_settings(second) else "rescaled"
    places = _same_parts(jackknife.parts, second.geometry.parts[order])
    own = None if places is None else np.arange(jackknife.count)
    a = _Curves(first, np.arange(len(order)), jackknife, own, scale)
    b = _Curves(second, order, jackknife, places, scale)
    units = resampled_count(first.geometry.resample, first.geometry.groups) or jackknife.count
    words = {"units": units, "unit": first.unit, "n": len(order)}
    rows = []
    for quantity in ("input", "early layers", "last layer"):
        ours, theirs = a.of(quantity), b.of(quantity)
        found = estimate_sum([ours, -theirs], jackknife)
        if scale == "rescaled":
            found = replace(found, error=float("nan"))
        rows.append(_row(quantity, scale, ours.each.mean(), theirs.each.mean(), found) | words)
    right = [each.recordings["correct"].to_numpy(dtype=np.float64) for each in (first, second)]
    right[1] = right[1][order]
    found = jackknife.mean(right[0] - right[1])
    return [*rows, _row("accuracy", "share", right[0].mean(), right[1].mean(), found) | words]


def _row(quantity: str, scale: str, first: float, second: float, found: Estimate) -> dict[str, Any]:
    row = {"quantity": quantity, "scale": scale, "first_value": float(first), "second_value": float(second)}
    return row | {"difference": found.value, "low": found.low, "high": found.high, "p": found.p_value}


def _same_parts(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """(P,) the number in the second study of each part of the first; `None` where their parts are not the same."""
    pairs = np.unique(np.stack([first, second], axis=1), axis=0)
    if len(pairs) != first.max() + 1 or len(pairs) != second.max() + 1:
        return None
    return np.asarray(pairs[:, 1], dtype=np.int64)


class _Curves:
    """The trained networks' curves of one study, on the scale of the comparison."""

    def __init__(
        self,
        study: FinishedStudy,
        order: NDArray[np.int64],
        jackknife: Jackknife,
        places: NDArray[np.int64] | None,
        scale: str,
    ) -> None:
        """`places` as `_same_parts`; None: values without a part are from the graphs of all recordings."""
        geometry = study.geometry
        curves: list[tuple[Floats, Floats]] = []  # (layers,), and (P, layers) without each part, per network
        for name in geometry.networks(TRAINED):
            curve = geometry.curve(name)
            if places is None:
                without = np.stack([jackknife.means(each[order]) for each in geometry.node_values(name)], axis=1)
            else:
                without = geometry.means_without(name)[places]
            values = curve["smoothness"].to_numpy(dtype=np.float64)
            if scale == "rescaled":
                floor, null = (curve[column].to_numpy(dtype=np.float64) for column in ("floor", "null_mean"))
                values, without = rescaled(values, floor, null), rescaled(without, floor, null)
            curves.append((values, without))
        self.spread = Spread(*(np.stack(parts) for parts in zip(*curves, strict=True)))

    def of(self, quantity: str) -> Spread:
        """Values of the networks, and without each part; the early layers are the first third."""
        layers = self.spread.each.shape[1]
        early = max(1, round((layers - 1) / 3))
        chosen = {"input": slice(0, 1), "early layers": slice(1, 1 + early), "last layer": slice(layers - 1, layers)}
        part = chosen[quantity]
        return Spread(self.spread.each[:, part].mean(axis=1), self.spread.without[:, :, part].mean(axis=2))
