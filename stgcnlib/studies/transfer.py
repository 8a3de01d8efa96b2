"""Transfer to another task: fine-tune with the first blocks frozen, against training from scratch and a linear probe.

Every fit is kept by itself, so that hours of training survive a stop. What the numbers advise and mean is said in
`stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations import record
from stgcnlib.dtw import DTWLike
from stgcnlib.errors import SequenceError, StudyError, shorten
from stgcnlib.geometry import LayerGeometry, bootstrap_counts, layer_geometry
from stgcnlib.geometry.uncertainty import interval
from stgcnlib.groups import RECORDINGS, SUBJECT, largest_k, resampled_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import KeptResults, Values, compute_all, load_tables, network_fingerprint, save_tables
from stgcnlib.studies.transfer_fits import FROZEN, PROBE, SCRATCH, Work, fresh_network, measure

__all__ = [
    "FROZEN", "PROBE", "SCRATCH", "TransferResult", "plan_fits", "target_geometry",
    "transfer_result", "transfer_study",
]  # fmt: skip

EPOCHS = 15
_TABLES = ("fits", "table", "predictions", "smoothness", "smoothness_nodes")


@dataclass(frozen=True)
class TransferResult:
    """What `transfer_study` found.

    Attributes:
        fits: one row per training: method ("frozen", "from scratch", "linear probe"), frozen (blocks; -1 where the
            method freezes none by number), seed, accuracy (test), train_accuracy, parameters (trained), seconds.
        table: one row per method and number of frozen blocks, means over seeds: accuracy, low, high (bootstrap over
            recordings, by subject where known, and seeds), seed_sd, against fine-tuning all blocks on the same
            recordings change, change_low, change_high; parameters, seconds (of one fit), seeds, n.
        predictions: label, predicted and correct of each test recording in each fit.
        smoothness: the target's labels on the source network's layers, before any fine-tuning: layer, index, title,
            smoothness, low, high, null_mean, null_low, null_high.
        smoothness_nodes: layer, index, node, smoothness.
        settings: everything that was asked for.
    """

    fits: pd.DataFrame
    table: pd.DataFrame
    predictions: pd.DataFrame
    smoothness: pd.DataFrame
    smoothness_nodes: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def correct(self, method: str, frozen: int = -1) -> NDArray[np.float64]:
        """(seeds, N) 1 where a fit named a test recording right."""
        rows = self.predictions
        rows = rows[(rows["method"] == method) & (rows["frozen"] == frozen)].sort_values(["seed", "node"])
        if rows.empty:
            raise StudyError(f"the transfer study has no fit {method!r} with {frozen} frozen blocks")
        return rows["correct"].to_numpy(dtype=np.float64).reshape(rows["seed"].nunique(), -1)

    def difference(self, first: tuple[str, int], second: tuple[str, int]) -> dict[str, float]:
        """Accuracy of one method less that of another, on the same resampled recordings and seeds, with interval."""
        a, b = self.correct(*first), self.correct(*second)
        samples = self._samples(a, b)
        low, high = interval(samples, float(self.settings["confidence"]))
        return {"value": float(a.mean() - b.mean()), "low": low, "high": high, "se": float(samples.std())}

    def node_values(self) -> NDArray[np.float64]:
        """(layers, N) smoothness of each test recording on the source network, in order of depth."""
        rows = self.smoothness_nodes.sort_values(["index", "node"])
        return rows["smoothness"].to_numpy(dtype=np.float64).reshape(rows["index"].nunique(), -1)

    def counts(self) -> NDArray[np.int32]:
        """(draws, N) the bootstrap samples of recordings that all intervals share."""
        s = self.settings
        drawn = resampled_groups(s.get("resample"), s["groups"])
        return bootstrap_counts(int(s["n"]), draws=int(s["bootstrap"]), groups=drawn, seed=int(s["seed"]))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables (parquet) and the settings into a folder, atomically."""
        save_tables(folder, {name: getattr(self, name) for name in _TABLES}, kind="transfer", settings=self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TransferResult:
        """Read what `save` wrote; `StudyError` if it is not there or not whole."""
        tables, settings = load_tables(folder, _TABLES, kind="transfer")
        return cls(**tables, settings=settings)

    def _samples(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return _resampled(a, self.counts(), 0) - _resampled(b, self.counts(), 0 if len(a) == len(b) else 1)


def transfer_study(
    source: nn.Module,
    train: SequenceSet,
    test: SequenceSet,
    *,
    frozen: Sequence[int] | None = None,
    seeds: int | Sequence[int] = 3,
    training: Mapping[str, Any] | None = None,
    fresh: Callable[..., nn.Module] | None = None,
    groups: ArrayLike | None = None,
    group: str = SUBJECT,
    resample: ArrayLike | None = None,
    unit: str = SUBJECT,
    k: int | None = None,
    graph: Mapping[str, Any] | None = None,
    dtw: DTWLike = None,
    permutations: int = 200,
    bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    axes: Any = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> TransferResult:
    """Fine-tune a source network on a target task with the first f blocks frozen, for every f, and compare.

    All fits but the probe see the target's training part equally often. Training from scratch has the learning rate
    of `stgcnlib.fit`, fine-tuning the lower one of `stgcnlib.fine_tune`, unless `training` gives one for both. The
    linear probe is a logistic regression on the source's last layer, averaged over frames and joints.

    Args:
        source: trained on the source task; not changed.
        train: target recordings to learn from, prepared as for the source.
        test: N target recordings to measure.
        frozen: numbers of first blocks to freeze; None: 0 to all L.
        seeds: how many, or which, seeds of head, order and variation.
        training: arguments of `stgcnlib.fit` for every fit; epochs are 15 if left out.
        fresh: makes an untrained network of the same shape for the target's classes, called with ``seed=``; None:
            the source's own class with its options, which all networks of the zoo understand.
        groups: (N,) subjects of `test`, or another group; its own are no neighbours. None: unknown.
        group, resample, unit: name of `groups`, and what intervals resample as a whole, as `layer_geometry`.
        k: candidates of the DS-Graphs; None: 50, or as many as every recording has.
        graph, dtw: further options of `layer_geometry`.
        permutations, bootstrap, confidence, seed: of the intervals, see there.
        folder: where each finished fit is kept; a study that was stopped goes on from there. None: nowhere.
        workers: processes at a time; None: as many as cores.
        axes: how the layers' outputs lie, for networks that do not say, as `stgcnlib.record`.
        device: where networks compute.
        progress: draw a bar; None: on a terminal.

    Raises:
        StudyError: a number of frozen blocks out of range, no seed, or a training that fails.
        LayoutError, SequenceError: recordings and network do not belong together.
    """
    plan = plan_fits(source, frozen, seeds, seed=seed)
    if train.class_names != test.class_names:
        raise SequenceError("train and test name different classes; read them together and split them then")
    settings = {"epochs": EPOCHS, **(training or {})}
    work = Work(source, train, test, settings, fresh, axes, device)
    tasks: list[Values] = plan["fits"]
    networks = [network_fingerprint(source), network_fingerprint(fresh_network(work, seed))]
    shared = [networks, train.fingerprint(), test.fingerprint(), settings]
    geometry = target_geometry(
        source, test, groups=groups, k=k, permutations=permutations, bootstrap=bootstrap, confidence=confidence,
        seed=seed, group=group, resample=resample, unit=unit, dtw=dtw, axes=axes, device=device, **(graph or {}),
    )  # fmt: skip
    # The dearest first: what is left for the end should be short.
    order = sorted(range(len(tasks)), key=lambda i: tasks[i]["frozen"])
    found = compute_all(
        measure, work, [tasks[i] for i in order], KeptResults(folder, shared), workers=workers,
        description="Transfer fits", progress=progress,
    )  # fmt: skip
    results = [found[order.index(i)] for i in range(len(tasks))]
    return transfer_result(
        plan, results, train, test, geometry, training=settings, confidence=confidence, bootstrap=bootstrap, seed=seed
    )


def plan_fits(source: nn.Module, frozen: Sequence[int] | None, seeds: int | Sequence[int], *, seed: int) -> Values:
    """What a transfer study fits: blocks of the source, frozen and seeds as chosen, and fits, the probe among them.

    Args:
        source, frozen, seeds, seed: as of `transfer_study`.

    Raises:
        StudyError: a number of frozen blocks out of range, or no seed.
    """
    blocks = len(getattr(source, "layer_names", ()))
    chosen = sorted(set(range(blocks + 1) if frozen is None else frozen))
    if not blocks or not chosen or not 0 <= chosen[0] <= chosen[-1] <= blocks:
        raise StudyError(
            f"frozen is {shorten(chosen)}; {type(source).__name__} has {blocks} blocks: choose 0 to {blocks}"
        )
    which = list(range(seeds)) if isinstance(seeds, int) else list(dict.fromkeys(seeds))
    if not which:
        raise StudyError(f"seeds is {seeds!r}; at least one is needed")
    fits: list[Values] = [{"method": PROBE, "frozen": -1, "seed": seed}]
    for each in which:
        fits += [{"method": FROZEN, "frozen": f, "seed": each} for f in chosen]
        fits.append({"method": SCRATCH, "frozen": -1, "seed": each})
    return {"blocks": blocks, "frozen": chosen, "seeds": which, "fits": fits}


def transfer_result(
    plan: Values,
    results: Sequence[Values],
    train: SequenceSet,
    test: SequenceSet,
    geometry: LayerGeometry,
    *,
    training: Mapping[str, Any],
    confidence: float,
    bootstrap: int,
    seed: int,
) -> TransferResult:
    """The tables of fits that were made one by one.

    Args:
        plan: of `plan_fits`.
        results: what `transfer_fits.measure` gave for each of its fits.
        train, test: parts of the target.
        geometry: of `target_geometry`.
        training: arguments of `stgcnlib.fit` that every fit had.
        confidence, bootstrap, seed: of the intervals.
    """
    settings = {
        "training": dict(training), "blocks": plan["blocks"], "frozen": plan["frozen"], "seeds": plan["seeds"],
        "confidence": confidence, "bootstrap": bootstrap, "seed": seed, "classes": len(test.class_names),
        "train_n": len(train),
    }  # fmt: skip
    return _tables(plan["fits"], results, test, geometry, settings)


def target_geometry(
    source: nn.Module,
    test: SequenceSet,
    *,
    groups: ArrayLike | None,
    k: int | None,
    axes: Any,
    device: str,
    **options: Any,
) -> LayerGeometry:
    """DS-Graphs of the target's test part on every layer of the source network; `options` as of `layer_geometry`."""
    if k is None:
        k = largest_k(50, groups, len(test))
    with tempfile.TemporaryDirectory(prefix="stgcnlib-transfer-") as scratch:
        store = record(source, test, store=Path(scratch) / "layers.zarr", axes=axes, device=device, progress=False)
        return layer_geometry(
            store, test.labels, class_names=test.class_names, groups=groups, k=k, progress=False, **options
        )


def _tables(
    tasks: Sequence[Values],
    results: Sequence[Values],
    test: SequenceSet,
    geometry: LayerGeometry,
    settings: dict[str, Any],
) -> TransferResult:
    N = len(test)
    plain = ("accuracy", "train_accuracy", "parameters", "seconds")
    fits = pd.DataFrame(
        [task | {key: result[key] for key in plain} for task, result in zip(tasks, results, strict=True)]
    )
    parts = []
    for task, result in zip(tasks, results, strict=True):
        predicted = np.asarray(result["predicted"])
        own = {"node": np.arange(N), "label": test.labels, "predicted": predicted, "correct": predicted == test.labels}
        parts.append(pd.DataFrame(task | own))
    curve, nodes = geometry.curve(), geometry.per_node
    nodes = nodes[(nodes["network"] == "trained") & (nodes["neighbours"] == geometry.neighbours)]
    shown = ["layer", "index", "title", "smoothness", "low", "high", "null_mean", "null_low", "null_high"]
    groups, drawn = (None if codes is None else codes.tolist() for codes in (geometry.groups, geometry.resampled))
    found = TransferResult(
        fits,
        pd.DataFrame(),
        pd.concat(parts, ignore_index=True),
        curve[shown],
        nodes[["layer", "index", "node", "smoothness"]].reset_index(drop=True),
        settings
        | {"groups": groups, "resample": RECORDINGS if drawn is None else drawn, "unit": geometry.resampled_unit}
        | {"n": N, "k": geometry.settings["k"], "neighbours": geometry.neighbours},
    )
    return replace(found, table=_summary(found))


def _summary(result: TransferResult) -> pd.DataFrame:
    """One row per method and number of frozen blocks."""
    counts, confidence = result.counts(), float(result.settings["confidence"])
    least = int(result.settings["frozen"][0])
    rows = []
    for method, frozen in dict.fromkeys(zip(result.fits["method"], result.fits["frozen"].tolist(), strict=True)):
        each = result.fits[(result.fits["method"] == method) & (result.fits["frozen"] == frozen)]
        correct = result.correct(method, frozen)
        low, high = interval(_resampled(correct, counts, 0), confidence)
        difference = result.difference((method, frozen), (FROZEN, least))
        rows.append(
            {
                "method": method, "frozen": frozen, "accuracy": float(correct.mean()), "low": low, "high": high,
                "seed_sd": float(each["accuracy"].std(ddof=1)) if len(each) > 1 else np.nan,
                "change": difference["value"], "change_low": difference["low"], "change_high": difference["high"],
                "parameters": int(each["parameters"].iloc[0]), "seconds": float(each["seconds"].mean()),
                "seeds": len(each), "n": int(result.settings["n"]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _resampled(correct: NDArray[np.float64], counts: NDArray[np.int32], stream: int) -> NDArray[np.float64]:
    """(draws,) mean accuracy of (seeds, N) over resampled recordings and resampled seeds."""
    total = counts.sum(axis=1).astype(np.float64)
    means = np.divide(counts @ correct.T, total[:, None])
    S = len(correct)
    drawn = np.random.default_rng([S, stream]).multinomial(S, np.full(S, 1 / S), size=len(counts)) / S
    return np.asarray((means * drawn).sum(axis=1), dtype=np.float64)
