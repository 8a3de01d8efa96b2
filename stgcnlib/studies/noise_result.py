"""NoiseResult: what noise does to label smoothness and accuracy, with intervals, from levels that were measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import DTWLike, dtw_options
from stgcnlib.errors import StudyError
from stgcnlib.geometry import Estimate, Jackknife, LayerGeometry
from stgcnlib.geometry.layers import TRAINED, kind_of
from stgcnlib.geometry.uncertainty import Spread, deletion_groups
from stgcnlib.groups import RECORDINGS, group_codes, resampled_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.corruption import CLEAN, UNITS, motion_decibels
from stgcnlib.studies.kept import Values, load_tables, save_tables
from stgcnlib.studies.noise_controls import untrained_controls

__all__ = ["NoiseResult", "noise_jackknife", "noise_result"]

_LEVEL = {"network": "s", "networks": "i", "kind": "s", "level": "f", "unit": "s", "severity": "i", "n": "i"}
_ENDS = {f"{name}{end}": "f" for name in ("change", "loss") for end in ("", "_low", "_high")}
_LOST = {"lost": "f", "lost_low": "f", "lost_high": "f"}
_NODES = {"member": "s", "kind": "s", "level": "f", "node": "i"}
_PARTS = {"member": "s", "layer": "s", "index": "i", "part": "i", "smoothness": "f"}
_TABLES: dict[str, dict[str, str]] = {
    "table": _LEVEL | _ENDS | _LOST | {"layer": "s", "index": "i", "title": "s", "smoothness": "f", "low": "f",
                                       "high": "f", "null": "f", "untrained": "f"},
    "accuracy": _LEVEL | _ENDS | {"accuracy": "f", "low": "f", "high": "f", "chance": "f", "motion_db": "f"},
    "each": _PARTS | {"kind": "s", "level": "f", "title": "s"},
    "per_node": _NODES | {"layer": "s", "index": "i", "smoothness": "f"},
    "predictions": _NODES | {"label": "i", "predicted": "i", "correct": "b"},
    "controls": _PARTS,
}  # fmt: skip
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NoiseResult:
    """What `noise_study` found; every change is against the same network on clean recordings.

    Intervals leave out one part of the recordings at a time, with graphs made anew; of several networks, the spread
    between them is added.

    Methods take `network` or `member`, a name in `networks` or of one network of several; `kind` and `level`, as in the
    table (None: clean); `indices`, of layers in order of depth. What was not measured is a StudyError.

    Attributes:
        table: one row per (network, kind, level, layer): network ("trained": the mean over all networks trained on
            clean recordings, else the name of one trained on noise), networks (how many), kind ("clean" or a `Kind`),
            level (NaN for clean), unit, severity (0 clean, then 1, 2, …), layer, index, title, smoothness, low, high,
            null (expected of shuffled labels), untrained (mean of untrained networks on clean recordings, NaN if not
            known), change, change_low, change_high (noisy − clean), loss, loss_low, loss_high (change as a share of
            what lies between clean and null), lost, lost_low, lost_high (as a share of what training gained, untrained
            − clean), n.
        accuracy: one row per (network, kind, level): accuracy, low, high, chance (share of the largest class), change
            and loss as above (loss: clean − noisy, of what lies between clean and chance), motion_db (jitter against
            motion alone, see `motion_decibels`), networks, n.
        each: one row per (member, kind, level, layer, part): smoothness of each network by itself, part -1 with all
            recordings, else without that part.
        per_node: smoothness of each node at each layer and level, by member.
        predictions: label, predicted and correct of each node at each level, by member.
        controls: smoothness of untrained networks on clean recordings: member, layer, index, part, smoothness.
        settings: everything that was asked for.
    """

    table: pd.DataFrame
    accuracy: pd.DataFrame
    each: pd.DataFrame
    per_node: pd.DataFrame
    predictions: pd.DataFrame
    controls: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def networks(self) -> list[str]:
        """ "trained", and the names of networks trained on noise."""
        return list(self.settings["members"])

    @property
    def layers(self) -> pd.DataFrame:
        """layer, index, title of the measured layers, in order of depth."""
        return self.table[["layer", "index", "title"]].drop_duplicates().sort_values("index").reset_index(drop=True)

    @property
    def jackknife(self) -> Jackknife:
        """How its intervals are made."""
        return Jackknife(np.asarray(self.settings["parts"], dtype=np.int64), float(self.settings["confidence"]))

    def node_values(self, member: str, kind: str, level: float | None) -> Floats:
        """(layers, N) smoothness of each node for one network at one level (`None`: clean), in order of depth."""
        rows = _chosen(self.per_node, member, kind, level).sort_values(["index", "node"])
        return rows["smoothness"].to_numpy(dtype=np.float64).reshape(rows["index"].nunique(), -1)

    def smoothness(self, network: str, kind: str, level: float | None, indices: Sequence[int]) -> Spread:
        """Smoothness of the networks of one name, as a mean over some layers."""
        members = self.settings["members"][network]
        return _join([_mean_over(self._curve(member, kind, level), indices) for member in members])

    def gain(self, network: str, indices: Sequence[int]) -> tuple[Spread, float] | None:
        """What training gained on clean recordings as a mean over some layers, and the untrained networks' own error.

        The gain is untrained − trained. The error is that of the mean of the untrained networks, from the spread
        between them. `None` where no untrained network was measured.
        """
        if self.controls.empty:
            return None
        untrained = _join(
            [_mean_over(_curve(rows), indices) for _, rows in self.controls.groupby("member", sort=False)]
        )  # fmt: skip
        count = len(untrained.each)
        error = float(untrained.each.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
        clean = self.smoothness(network, CLEAN, None, indices)
        mean = Spread(
            np.full_like(clean.each, untrained.each.mean()), untrained.without.mean(axis=0) + 0 * clean.without
        )
        return mean - clean, error

    def lost(self, network: str, kind: str, level: float, indices: Sequence[int]) -> tuple[float, float, float]:
        """(value, low, high) share of what training gained that noise takes, as a mean over some layers."""
        gain = self.gain(network, indices)
        change = self.smoothness(network, kind, level, indices) - self.smoothness(network, CLEAN, None, indices)
        if gain is None or not gain[0].each.mean() > 0:
            return float("nan"), float("nan"), float("nan")
        below, error = gain
        return self.jackknife.ratio(change.each, below.each, change.without, below.without, below_error=error)

    def loss(self, network: str, kind: str, level: float, indices: Sequence[int]) -> tuple[float, float, float]:
        """(value, low, high) share of what lies between clean recordings and shuffled labels that noise takes."""
        clean = self.smoothness(network, CLEAN, None, indices)
        change = self.smoothness(network, kind, level, indices) - clean
        room = Spread(self._null[0] - clean.each, self._null[1] - clean.without)
        if not room.each.mean() > 0:
            return float("nan"), float("nan"), float("nan")
        return self.jackknife.ratio(change.each, room.each, change.without, room.without)

    @cached_property
    def _curves(self) -> dict[tuple[str, str, float | None], pd.DataFrame]:
        """(member, kind, level) -> smoothness by index of the layer and part."""
        levels: Any = self.each.groupby(["member", "kind", "level"], dropna=False, sort=False)
        return {(m, k, None if np.isnan(v) else float(v)): _curve(rows) for (m, k, v), rows in levels}

    def _curve(self, member: str, kind: str, level: float | None) -> pd.DataFrame:
        key = (member, kind, None if level is None or np.isnan(level) else float(level))
        if key not in self._curves:
            raise StudyError(f"the noise study has no network {member!r} at {kind!r} {level}")
        return self._curves[key]

    @cached_property
    def _null(self) -> tuple[float, Floats]:
        """Expected smoothness of shuffled labels, with all recordings and (P,) without each part."""
        labels = _chosen(self.predictions, self.settings["members"][TRAINED][0], CLEAN, None).sort_values("node")
        y = labels["label"].to_numpy()
        return _null(y), np.array([_null(y[keep]) for keep in self.jackknife.kept()])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables (parquet) and the settings into a folder, atomically."""
        save_tables(folder, {name: getattr(self, name) for name in _TABLES}, kind="noise", settings=self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> NoiseResult:
        """Read what `save` wrote; `StudyError` if it is not there or not whole."""
        tables, settings = load_tables(folder, _TABLES, kind="noise")
        return cls(**tables, settings=settings)


def noise_jackknife(count: int, resampled: ArrayLike | None, *, seed: int, confidence: float = 0.95) -> Jackknife:
    """The parts that a noise study leaves out: subjects, or random parts; those of the study's geometry."""
    return Jackknife(deletion_groups(count, groups=resampled, seed=seed), confidence)


def noise_result(
    measured: Mapping[str, Sequence[tuple[str, float | None, Values]]],
    data: SequenceSet,
    *,
    groups: ArrayLike | None,
    resample: ArrayLike | None,
    unit: str,
    dtw: DTWLike,
    confidence: float,
    seed: int,
    geometry: LayerGeometry | None = None,
    sampled: str | None = None,
    **graph: Any,
) -> NoiseResult:
    """The tables of levels that were measured one by one.

    Args:
        measured: name of a network -> (kind, level, what `measure_level` gave), the clean level first, the mild ones of
            a kind before the others; "trained", "trained-2", … are networks trained on clean recordings.
        data: the clean recordings.
        geometry: of the same recordings, with untrained networks: from it what training gained is known.
        groups, resample, unit, dtw, confidence, seed: as of `noise_study`.
        sampled: of which part ("test", "train", "all") `data` are a sample; None: they are all recordings.
        **graph: k, sigma, symmetrize, solver and neighbours, as of `noise_study`.

    Raises:
        StudyError: the geometry is of other recordings or parts, or its graphs are of another k, sigma, symmetrize or
            solver.
    """
    labels, N = data.labels, len(data)
    codes = None if groups is None else group_codes(groups, N)
    drawn = resampled_groups(resample, groups)
    jackknife = noise_jackknife(N, drawn, confidence=confidence, seed=seed)
    members: dict[str, list[str]] = {}
    for name in measured:
        members.setdefault(kind_of(name) if kind_of(name) == TRAINED else name, []).append(name)
    wanted = [(kind, level) for kind, level, _ in measured[TRAINED] if kind != CLEAN]
    settings = {
        **graph, "dtw": asdict(dtw_options(dtw)), "kinds": list(dict.fromkeys(kind for kind, _ in wanted)),
        "levels": [[kind, level] for kind, level in wanted], "members": members,
        "groups": None if codes is None else codes.tolist(), "n": N, "parts": jackknife.parts.tolist(),
        "resample": RECORDINGS if drawn is None else group_codes(drawn, N).tolist(), "unit": unit,
        "confidence": confidence, "seed": seed, "sampled": sampled,
    }  # fmt: skip
    each, nodes, predictions = [], [], []
    for member, levels in measured.items():
        for kind, level, values in levels:
            where = {"member": member, "kind": kind, "level": np.nan if level is None else float(level)}
            for layer in values["layers"]:
                place = {"layer": layer["name"], "index": int(layer["index"])}
                smooth = np.asarray(layer["smoothness"], dtype=np.float64)
                parts = {"part": np.arange(-1, jackknife.count), "smoothness": [smooth.mean(), *layer["without"]]}
                each.append(pd.DataFrame(where | place | {"title": layer["title"]} | parts))
                nodes.append(pd.DataFrame(where | place | {"node": np.arange(N), "smoothness": smooth}))
            predicted = np.asarray(values["predicted"])
            own = {"node": np.arange(N), "label": labels, "predicted": predicted, "correct": predicted == labels}
            predictions.append(pd.DataFrame(where | own))
    every = pd.concat(each, ignore_index=True)
    controls = untrained_controls(geometry, every["layer"].unique().tolist(), jackknife, graph)
    per_node, named = (pd.concat(parts, ignore_index=True) for parts in (nodes, predictions))
    titles = every[["layer", "index", "title"]].drop_duplicates()
    found = NoiseResult(titles, pd.DataFrame(), every, per_node, named, controls, settings)
    decibels = {float(level or 0): motion_decibels(data, kind, level) for kind, level in wanted if kind == "jitter"}
    return replace(found, table=_table(found), accuracy=_accuracy(found, decibels))


def _table(result: NoiseResult) -> pd.DataFrame:
    jackknife, null = result.jackknife, result._null[0]
    rows = []
    for where in _levels(result):
        network, kind, level = where["network"], where["kind"], where["level"]
        for layer in result.layers.to_dict("records"):
            at = [int(layer["index"])]
            here, clean = result.smoothness(network, kind, level, at), result.smoothness(network, CLEAN, None, at)
            untrained = result.controls[(result.controls["index"] == at[0]) & (result.controls["part"] == -1)]
            row: dict[str, Any] = {**where, **layer}  # type: ignore[dict-item]
            row |= _estimated("smoothness", here.estimate(jackknife), ends=("low", "high"))
            row |= {"null": null, "untrained": float(untrained["smoothness"].mean()) if len(untrained) else np.nan}
            row |= _estimated("change", (here - clean).estimate(jackknife))
            for name, shares in (("loss", result.loss), ("lost", result.lost)):
                row |= dict(zip(_ends(name), shares(network, kind, level, at), strict=True))
            rows.append(row | {"n": int(result.settings["n"])})
    return pd.DataFrame(rows)


def _accuracy(result: NoiseResult, decibels: Mapping[float, float]) -> pd.DataFrame:
    jackknife = result.jackknife
    rows = []

    def right(network: str, kind: str, level: float | None) -> Spread:
        found = []
        for member in result.settings["members"][network]:
            values = _chosen(result.predictions, member, kind, level).sort_values("node")["correct"]
            correct = values.to_numpy(dtype=np.float64)
            found.append(Spread(np.array([correct.mean()]), jackknife.means(correct)[None]))
        return _join(found)

    labels = _chosen(result.predictions, result.settings["members"][TRAINED][0], CLEAN, None)["label"]
    chance = float(labels.value_counts().max() / len(labels))
    for where in _levels(result):
        network, kind, level = where["network"], where["kind"], where["level"]
        here, clean = right(network, kind, level), right(network, CLEAN, None)
        change, shares = here - clean, (np.nan, np.nan, np.nan)
        if clean.each.mean() > chance:
            shares = jackknife.ratio(-change.each, clean.each - chance, -change.without, clean.without - chance)
        found = here.estimate(jackknife)
        low, high = (float(np.clip(end, 0, 1)) for end in (found.low, found.high))
        row = where | {"accuracy": found.value, "low": low, "high": high, "chance": chance}
        row |= _estimated("change", change.estimate(jackknife)) | dict(zip(_ends("loss"), shares, strict=True))
        motion = decibels.get(level, np.nan) if kind == "jitter" else np.nan
        rows.append(row | {"motion_db": motion, "n": int(result.settings["n"])})
    return pd.DataFrame(rows)


def _levels(result: NoiseResult) -> list[dict[str, Any]]:
    """network, networks, kind, level, unit and severity of every level."""
    rows: list[dict[str, Any]] = []
    for network, members in result.settings["members"].items():
        about = {"network": network, "networks": len(members)}
        rows.append(about | {"kind": CLEAN, "level": np.nan, "unit": "", "severity": 0})
        for kind, level in result.settings["levels"]:
            severity = rows[-1]["severity"] + 1 if rows[-1]["kind"] == kind else 1
            rows.append(about | {"kind": kind, "level": level, "unit": UNITS[kind], "severity": severity})
    return rows


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _estimated(name: str, found: Estimate, *, ends: tuple[str, str] | None = None) -> dict[str, float]:
    low, high = ends or _ends(name)[1:]
    return {name: found.value, low: found.low, high: found.high}


def _curve(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with index, part and smoothness as a table: a row per layer, a column per part, all recordings first."""
    return rows.pivot(index="index", columns="part", values="smoothness").sort_index(axis=1)


def _mean_over(curve: pd.DataFrame, indices: Sequence[int]) -> Spread:
    """Mean over some layers of one member."""
    values: Floats = np.asarray(curve.loc[list(indices)], dtype=np.float64).mean(axis=0)
    return Spread(values[:1], values[None, 1:])


def _join(spreads: Sequence[Spread]) -> Spread:
    each: Floats = np.concatenate([one.each for one in spreads])
    without: Floats = np.concatenate([one.without for one in spreads])
    return Spread(each, without)


def _null(labels: NDArray[np.int64]) -> float:
    sizes, N = np.bincount(labels).astype(np.float64), len(labels)
    return 1 - float((sizes * (sizes - 1)).sum()) / (N * max(N - 1, 1))


def _chosen(table: pd.DataFrame, member: str, kind: str, level: float | None) -> pd.DataFrame:
    rows = (table["member"] == member) & (table["kind"] == kind)
    if level is not None and not np.isnan(level):
        rows &= np.isclose(table["level"], level) | (table["level"] == level)
    found = table[rows]
    if found.empty:
        raise StudyError(f"the noise study has no network {member!r} at {kind!r} {level}")
    return found
