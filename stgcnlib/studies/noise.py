"""Noise on the input: how far label smoothness and accuracy move when recordings are corrupted at test time.

Networks trained on noisy recordings enter as further networks. What the numbers mean for the paper's claim is said in
`stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.dtw import DTWLike, DTWOptions, dtw_options
from stgcnlib.errors import StudyError
from stgcnlib.geometry import bootstrap_counts, paired_difference
from stgcnlib.geometry.uncertainty import Resampling, bootstrap_means, interval
from stgcnlib.groups import RECORDINGS, SUBJECT, group_codes, resampled_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import KeptResults, Values, compute_all, load_tables, network_fingerprint, save_tables
from stgcnlib.studies.noise_levels import CLEAN, KINDS, UNITS, Kind, corrupt, kinds_and_levels, measure_level

__all__ = ["NoiseResult", "noise_result", "noise_study"]

_TABLES = ("table", "accuracy", "per_node", "predictions")


@dataclass(frozen=True)
class NoiseResult:
    """What `noise_study` found; every change is against the same network on clean recordings, node by node.

    Attributes:
        table: one row per (network, kind, level, layer): network ("clean": trained on clean recordings, else the
            name given), kind ("clean" or a `Kind`), level (NaN for clean), unit, severity (0 clean, then 1, 2, …),
            layer, index, title, smoothness, low, high (bootstrap interval), null (expected of shuffled labels),
            change, change_low, change_high (noisy − clean), loss, loss_low, loss_high (change as a share of what
            lies between clean and null), n.
        accuracy: one row per (network, kind, level): accuracy, low, high, chance (share of the largest class), change
            and loss as above (loss: clean − noisy, of what lies between clean and chance), n.
        per_node: smoothness of each node at each layer and level.
        predictions: label, predicted and correct of each node at each level.
        settings: everything that was asked for.
    """

    table: pd.DataFrame
    accuracy: pd.DataFrame
    per_node: pd.DataFrame
    predictions: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def node_values(self, network: str, kind: str, level: float | None) -> NDArray[np.float64]:
        """(layers, N) smoothness of each node at one level (`None`: clean), in order of depth."""
        rows = _chosen(self.per_node, network, kind, level).sort_values(["index", "node"])
        return rows["smoothness"].to_numpy(dtype=np.float64).reshape(rows["index"].nunique(), -1)

    def counts(self) -> NDArray[np.int32]:
        """(draws, N) the bootstrap samples that all intervals share."""
        s = self.settings
        drawn = resampled_groups(s.get("resample"), s["groups"])
        return bootstrap_counts(
            int(s["n"]), draws=int(s["bootstrap"]), groups=drawn, resampling=s["resampling"], seed=int(s["seed"])
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables (parquet) and the settings into a folder, atomically."""
        save_tables(folder, {name: getattr(self, name) for name in _TABLES}, kind="noise", settings=self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> NoiseResult:
        """Read what `save` wrote; `StudyError` if it is not there or not whole."""
        tables, settings = load_tables(folder, _TABLES, kind="noise")
        return cls(**tables, settings=settings)


def noise_study(
    network: nn.Module,
    data: SequenceSet,
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    unit: str = SUBJECT,
    kinds: Sequence[Kind] = KINDS,
    levels: Mapping[Kind, Sequence[float]] | None = None,
    noisy_networks: Mapping[str, nn.Module] | None = None,
    layers: Sequence[str] | None = None,
    distances: Mapping[str, ArrayLike] | None = None,
    k: int = 50,
    sigma: Any = "mean-kth/3",
    symmetrize: Any = "max",
    solver: Any = "exact",
    dtw: DTWLike = None,
    bootstrap: int = 1000,
    resampling: Resampling | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    axes: Any = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> NoiseResult:
    """Corrupt test recordings at rising levels; measure label smoothness of every layer, and accuracy.

    Distances, graphs and predictions are made anew from the corrupted recordings; labels stay.

    Args:
        network: trained on clean recordings.
        data: N test recordings with labels, normalised as for training.
        groups: (N,) subject of each recording, or another group: its own are no neighbours. None: everyone may be one.
        resample: (N,) groups that intervals resample as a whole; "recordings": every one by itself; None: `groups`.
        unit: what those are, in one word.
        kinds: of noise, see `corrupt`.
        levels: kind -> levels, see `corrupt` for units; None, or a kind left out: `LEVELS`.
        noisy_networks: name -> network trained on noisy recordings, measured at the same levels.
        layers: module names or patterns, the input is always there; None: all blocks.
        distances: layer -> (N, N) distances of `network` on clean recordings, where they are known already.
        k, sigma, symmetrize, solver: as `stgcnlib.dsgraph.nnk_graph`.
        dtw: a `DTWOptions` or some of its fields.
        bootstrap, resampling, confidence: of the intervals, as `layer_geometry`.
        seed: of noise and draws. Levels of one kind share their draws, so that they differ in size alone.
        folder: where each finished level is kept; a study that was stopped goes on from there. None: nowhere.
        axes: how the layers' outputs lie, for networks that do not say, as `stgcnlib.record`.
        device: where networks compute.
        progress: draw a bar; None: on a terminal.

    Raises:
        StudyError: an unknown kind, or a kind without levels.
        SequenceError: a level out of range. GraphError: fewer than k candidates.
    """
    wanted = kinds_and_levels(kinds, levels)
    networks = {CLEAN: network} | dict(noisy_networks or {})
    if CLEAN in (noisy_networks or {}):
        raise StudyError(f"noisy_networks: {CLEAN!r} is the name of the first network; choose another")
    codes = None if groups is None else group_codes(groups, len(data))
    graph = {"k": k, "sigma": sigma, "symmetrize": symmetrize, "solver": solver}
    options = dtw_options(dtw)
    work = _Work(networks, data, codes, layers, dict(distances or {}), graph, options, axes, device)
    shared = [
        data.fingerprint(), None if codes is None else codes.tolist(), layers, graph, asdict(options), axes,
    ]  # fmt: skip
    tasks: list[Values] = [
        {"network": name, "weights": network_fingerprint(each), "kind": kind, "level": level, "seed": seed}
        for name, each in networks.items()
        for kind, level in [(CLEAN, None), *wanted]
    ]
    _check_levels(data, wanted, seed)
    results = compute_all(
        _measure, work, tasks, KeptResults(folder, shared), description="Noise levels", progress=progress
    )  # fmt: skip
    measured: dict[str, list[tuple[str, float | None, Values]]] = {name: [] for name in networks}
    for task, result in zip(tasks, results, strict=True):
        measured[task["network"]].append((task["kind"], task["level"], result))
    return noise_result(
        measured, data.labels, groups=codes, resample=resample, unit=unit, **graph, dtw=dtw, bootstrap=bootstrap,
        resampling=resampling, confidence=confidence, seed=seed,
    )  # fmt: skip


def noise_result(
    measured: Mapping[str, Sequence[tuple[str, float | None, Values]]],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None,
    resample: ArrayLike | None,
    unit: str,
    dtw: DTWLike,
    bootstrap: int,
    resampling: Resampling | None = None,
    confidence: float,
    seed: int,
    **graph: Any,
) -> NoiseResult:
    """The tables of levels that were measured one by one.

    Args:
        measured: name of a network -> (kind, level, what `measure_level` gave), the clean level first, the mild ones of
            a kind before the others; the network "clean" first.
        labels: (N,) class indices.
        groups, resample, unit, dtw, bootstrap, resampling, confidence, seed: as of `noise_study`.
        **graph: k, sigma, symmetrize and solver of the DS-Graphs, as of `noise_study`.
    """
    y = np.asarray(labels)
    codes = None if groups is None else group_codes(groups, len(y))
    drawn = resampled_groups(resample, groups)
    wanted = [(kind, level) for kind, level, _ in measured[CLEAN] if kind != CLEAN]
    settings = {
        **graph, "dtw": asdict(dtw_options(dtw)), "kinds": list(dict.fromkeys(kind for kind, _ in wanted)),
        "levels": [[kind, level] for kind, level in wanted], "networks": list(measured),
        "groups": None if codes is None else codes.tolist(), "n": len(y),
        "resample": RECORDINGS if drawn is None else group_codes(drawn, len(y)).tolist(), "unit": unit,
        "bootstrap": bootstrap, "resampling": resampling or ("sequences" if drawn is None else "two-level"),
        "confidence": confidence, "seed": seed,
    }  # fmt: skip
    counts = bootstrap_counts(len(y), draws=bootstrap, groups=drawn, resampling=resampling, seed=seed)
    tasks: list[Values] = [
        {"network": name, "kind": kind, "level": level}
        for name, levels in measured.items()
        for kind, level, _ in levels
    ]
    return _tables(tasks, [result for levels in measured.values() for *_, result in levels], y, counts, settings)


def _check_levels(data: SequenceSet, wanted: Sequence[tuple[str, float]], seed: int) -> None:
    """Refuse a level that is out of range before anything long begins."""
    few = data.select([0])
    for kind, level in wanted:
        corrupt(few, kind, level, seed=seed)


@dataclass(frozen=True)
class _Work:
    """What all levels share."""

    networks: dict[str, nn.Module]
    data: SequenceSet
    groups: NDArray[np.int64] | None
    layers: Sequence[str] | None
    distances: dict[str, Any]
    graph: dict[str, Any]
    dtw: DTWOptions
    axes: Any
    device: str


def _measure(work: _Work, task: Values) -> Values:
    """One network on recordings with one kind and level of noise."""
    return measure_level(
        work.networks[task["network"]], work.data, task["kind"], task["level"], groups=work.groups, layers=work.layers,
        distances=work.distances if task["network"] == CLEAN and task["kind"] == CLEAN else {}, dtw=work.dtw,
        seed=task["seed"], axes=work.axes, device=work.device, **work.graph,
    )  # fmt: skip


def _tables(
    tasks: Sequence[Values],
    results: Sequence[Values],
    labels: NDArray[np.int64],
    counts: NDArray[np.int32],
    settings: dict[str, Any],
) -> NoiseResult:
    N, confidence = len(labels), float(settings["confidence"])
    sizes = np.bincount(labels).astype(np.float64)
    null, chance = 1 - float((sizes * (sizes - 1)).sum()) / (N * max(N - 1, 1)), float(sizes.max() / N)
    rows: list[dict[str, Any]] = []
    accuracies: list[dict[str, Any]] = []
    nodes, predictions = [], []
    clean: Values = {}
    severity = 0
    for task, result in zip(tasks, results, strict=True):
        if task["kind"] == CLEAN:
            clean = result
        before = rows[-1]["kind"] if rows else CLEAN
        severity = 0 if task["kind"] == CLEAN else (severity + 1 if task["kind"] == before else 1)
        level = np.nan if task["level"] is None else float(task["level"])
        where = {"network": task["network"], "kind": task["kind"], "level": level}
        about = where | {"unit": UNITS.get(task["kind"], ""), "severity": severity}
        for layer, reference in zip(result["layers"], clean["layers"], strict=True):
            place = {"layer": layer["name"], "index": int(layer["index"])}
            values, base = np.asarray(layer["smoothness"]), np.asarray(reference["smoothness"])
            room = null - float(base.mean())
            row = about | place | {"title": layer["title"]}
            row |= _mean("smoothness", values, counts, confidence) | {"null": null}
            rows.append(row | _changes(values, base, room, 1.0, counts, confidence) | {"n": N})
            nodes.append(pd.DataFrame(where | place | {"node": np.arange(N), "smoothness": values}))
        predicted = np.asarray(result["predicted"])
        right = (predicted == labels).astype(np.float64)
        base = (np.asarray(clean["predicted"]) == labels).astype(np.float64)
        row = about | _mean("accuracy", right, counts, confidence) | {"chance": chance}
        room = float(base.mean()) - chance
        accuracies.append(row | _changes(right, base, room, -1.0, counts, confidence) | {"n": N})
        own = {"node": np.arange(N), "label": labels, "predicted": predicted, "correct": right == 1}
        predictions.append(pd.DataFrame(where | own))
    return NoiseResult(
        pd.DataFrame(rows),
        pd.DataFrame(accuracies),
        pd.concat(nodes, ignore_index=True),
        pd.concat(predictions, ignore_index=True),
        settings,
    )


def _mean(name: str, values: NDArray[np.float64], counts: NDArray[np.int32], confidence: float) -> dict[str, float]:
    low, high = interval(bootstrap_means(values, counts), confidence)
    return {name: float(values.mean()), "low": low, "high": high}


def _changes(
    values: NDArray[np.float64],
    base: NDArray[np.float64],
    room: float,
    sign: float,
    counts: NDArray[np.int32],
    confidence: float,
) -> dict[str, float]:
    """The change with its interval, and as a share of the room there is to lose; NaN where there is none."""
    change, low, high = paired_difference(values, base, counts, confidence)
    shares = sorted([sign * low / room, sign * high / room]) if room > 0 else [np.nan, np.nan]
    return {
        "change": change, "change_low": low, "change_high": high,
        "loss": sign * change / room if room > 0 else np.nan, "loss_low": shares[0], "loss_high": shares[1],
    }  # fmt: skip


def _chosen(table: pd.DataFrame, network: str, kind: str, level: float | None) -> pd.DataFrame:
    rows = (table["network"] == network) & (table["kind"] == kind)
    if level is not None:
        rows &= np.isclose(table["level"], level) | (table["level"] == level)
    found = table[rows]
    if found.empty:
        raise StudyError(f"the noise study has no network {network!r} at {kind!r} {level}")
    return found
