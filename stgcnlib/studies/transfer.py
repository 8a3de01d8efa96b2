"""Transfer to another task: fine-tune with the first blocks frozen, against training from scratch and a linear probe.

Every fit is kept by itself, so that hours of training survive a stop. What the numbers advise and mean is said in
`stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations import record
from stgcnlib.dtw import DTWLike
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry import Estimate, Jackknife, LayerGeometry, layer_geometry
from stgcnlib.geometry.layers import TRAINED
from stgcnlib.geometry.uncertainty import Spread
from stgcnlib.groups import RECORDINGS, SUBJECT, largest_k
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import KeptResults, Values, compute_all, load_tables, save_tables
from stgcnlib.studies.marks import network_fingerprint
from stgcnlib.studies.transfer_fits import Work, fresh_network, measure
from stgcnlib.studies.transfer_plan import EPOCHS, FROZEN, plan_fits, validation_unit
from stgcnlib.temporary import TemporaryFolder

__all__ = ["TransferResult", "target_geometry", "transfer_result", "transfer_study"]

_FIT = {"method": "s", "frozen": "i", "seed": "i", "number": "i"}
_MEANS = {"accuracy": "f", "validation": "a", "parameters": "n", "seconds": "f"}
_TABLES: dict[str, dict[str, str]] = {
    "fits": _FIT | _MEANS | {"source": "i", "train_accuracy": "f"},
    "table": _MEANS | {"method": "s", "frozen": "i", "low": "f", "high": "f", "seed_sd": "f", "change": "f",
                       "change_low": "f", "change_high": "f", "seeds": "i", "n": "i"},
    "predictions": _FIT | {"node": "i", "label": "i", "predicted": "i", "correct": "b"},
    "smoothness": {"layer": "s", "index": "i", "title": "s", "smoothness": "f", "low": "f", "high": "f",
                   "null_mean": "f", "null_low": "f", "null_high": "f"},
    "smoothness_each": {"member": "s", "layer": "s", "index": "i", "part": "i", "smoothness": "f"},
}  # fmt: skip
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TransferResult:
    """What `transfer_study` found.

    Intervals leave out one part of the test recordings at a time (a person, where people are known), and have the
    spread between fits added: other seeds, source networks and validation people.

    Methods take `method` and `frozen` as in `fits`; `first` and `second` are such pairs (method, frozen). What was not
    fitted is a StudyError.

    Attributes:
        fits: one row per training: method ("frozen", "from scratch", "linear probe"), frozen (blocks; -1 where the
            method freezes none by number), seed, number (of the seed, from 0), source (number of the source network it
            began at), accuracy (test), validation (accuracy on training people that it did not see), train_accuracy,
            parameters (trained), seconds.
        table: one row per method and number of frozen blocks, means over fits: accuracy, low, high, seed_sd, against
            the fewest frozen blocks that were tried (0: all are tuned) change, change_low, change_high (paired by fit
            and recording); validation, parameters, seconds (of one fit), seeds, n.
        predictions: label, predicted and correct of each test recording in each fit.
        smoothness: the target's labels on the source networks' layers, before any fine-tuning: layer, index, title,
            smoothness, low, high, null_mean, null_low, null_high; means over the source networks.
        smoothness_each: smoothness of each source network by itself: member, layer, index, part (-1: all recordings,
            else without that part), smoothness.
        settings: everything that was asked for.
    """

    fits: pd.DataFrame
    table: pd.DataFrame
    predictions: pd.DataFrame
    smoothness: pd.DataFrame
    smoothness_each: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def jackknife(self) -> Jackknife:
        """How its intervals are made."""
        return Jackknife(np.asarray(self.settings["parts"], dtype=np.int64), float(self.settings["confidence"]))

    def correct(self, method: str, frozen: int = -1) -> Floats:
        """(fits, N) 1 where a fit predicted the class of a test recording correctly, else 0."""
        rows = self.predictions
        rows = rows[(rows["method"] == method) & (rows["frozen"] == frozen)].sort_values(["number", "node"])
        if rows.empty:
            raise StudyError(f"the transfer study has no fit {method!r} with {frozen} frozen blocks")
        return rows["correct"].to_numpy(dtype=np.float64).reshape(rows["number"].nunique(), -1)

    def accuracy(self, method: str, frozen: int = -1) -> Estimate:
        """Mean test accuracy of a method's fits."""
        return self._over_fits(self.correct(method, frozen))

    def difference(self, first: tuple[str, int], second: tuple[str, int]) -> dict[str, float]:
        """Accuracy of one method minus that of another, on the same recordings and seeds, with interval."""
        found = self._over_fits(self.correct(*first) - self.correct(*second))
        return {"value": found.value, "low": found.low, "high": found.high, "se": found.error}

    def _over_fits(self, values: Floats) -> Estimate:
        """Mean of (fits, N) values; its error is from leaving recordings out, and from the spread between fits.

        Fits that begin at one source network are alike. Where there are more fits than sources, the spread between the
        sources' means counts, if it is larger, and the fewer degrees of freedom.
        """
        found, each = self.jackknife.mean(values.mean(axis=0)), values.mean(axis=1)
        fits, sources = found.spread_over(each), int(self.settings["sources"])
        if not 1 < sources < len(each):
            return fits
        own = found.spread_over([float(each[first::sources].mean()) for first in range(sources)])
        return replace(fits, error=max(fits.error, own.error), df=min(fits.df, own.df))

    def smoother(self) -> tuple[Floats, Floats]:
        """(layers,) smoothness of the target, and the standard error of each layer's distance to the smoothest one."""
        table = self.smoothness_each.pivot_table(index=["member", "part"], columns="index", values="smoothness",
                                                 dropna=False)  # fmt: skip
        whole = table.xs(-1, level="part").to_numpy(dtype=np.float64)
        without = np.stack([
            table.loc[member].drop(index=-1).to_numpy(dtype=np.float64) for member in table.index.unique("member")
        ])  # fmt: skip
        values = whole.mean(axis=0)
        unit = np.eye(len(values))
        spread, least = Spread(whole, without), unit[int(values.argmin())]
        return values, np.array([(spread @ (layer - least)).estimate(self.jackknife).error for layer in unit])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables (parquet) and the settings into a folder, atomically."""
        save_tables(folder, {name: getattr(self, name) for name in _TABLES}, kind="transfer", settings=self.settings)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TransferResult:
        """Read what `save` wrote; `StudyError` if it is not there or not whole."""
        tables, settings = load_tables(folder, _TABLES, kind="transfer")
        return cls(**tables, settings=settings)


def transfer_study(
    source: nn.Module | Sequence[nn.Module],
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
    confidence: float = 0.95,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    axes: Any = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> TransferResult:
    """Fine-tune a source network on a target task with the first f blocks frozen, for every f, and compare.

    Every fit leaves out about a fifth of the training people, different ones for each seed. The number of blocks to
    freeze is chosen on them, so that test accuracy has no part in the choice. All fits but the probe see the rest
    equally often. Training from scratch has the learning rate of `stgcnlib.fit`, fine-tuning the lower one of
    `stgcnlib.fine_tune`, unless `training` gives one for both. The linear probe is a logistic regression on the
    source's last layer, averaged over frames and joints.

    Source: docs/method.md, "Noise and transfer".

    Args:
        source: trained on the source task; not changed. Of several, fit number j begins at source j modulo their
            number, so that the spread between fits includes that between sources.
        train: target recordings to learn from, prepared as for the source.
        test: N target recordings to measure.
        frozen: numbers of first blocks to freeze; None: 0 to all L.
        seeds: how many, or which, seeds of head, order and variation.
        training: arguments of `stgcnlib.fit` for every fit; epochs are 15 if left out.
        fresh: makes an untrained network of the same shape for the target's classes, called with ``seed=``; None:
            the source's own class with its options, which all networks of the zoo accept.
        groups: (N,) subjects of `test`, or another group; recordings of one group are no neighbours. None: unknown.
        group, resample, unit: name of `groups`, and what intervals leave out as a whole, as `layer_geometry`. `group`
            is also what is held out as a whole for validation, where `train.groups` knows at least three.
        k: candidates of the DS-Graphs; None: 50, or as many as every recording has.
        graph, dtw: further options of `layer_geometry`.
        permutations, confidence, seed: as `layer_geometry`.
        folder: where each finished fit is kept; a study that was stopped goes on from there. None: nowhere.
        workers: processes at a time; None: as many as cores.
        axes: the axes of the layers' outputs, for networks that do not state them, as `stgcnlib.record`.
        device: where networks compute.
        progress: draw a bar; None: on a terminal.

    Raises:
        StudyError: a number of frozen blocks out of range, no seed, or a training that fails.
        LayoutError, SequenceError: recordings and network do not belong together.
    """
    sources = [source] if isinstance(source, nn.Module) else list(source)
    plan = plan_fits(sources[0], frozen, seeds, sources=len(sources))
    if train.class_names != test.class_names:
        raise SequenceError("train and test name different classes; read all recordings together, then split them")
    settings = {"epochs": EPOCHS, **(training or {})}
    work = Work(sources, train, test, settings, fresh, group, axes, device)
    tasks: list[Values] = plan["fits"]
    networks = [*(network_fingerprint(each) for each in sources), network_fingerprint(fresh_network(work, seed))]
    shared = [networks, train.fingerprint(), test.fingerprint(), settings, group]
    geometry = target_geometry(
        sources[: plan["sources"]], test, groups=groups, k=k, permutations=permutations, confidence=confidence,
        seed=seed, group=group, resample=resample, unit=unit, dtw=dtw, axes=axes, device=device, **(graph or {}),
    )  # fmt: skip
    # The longest fits first, so that only short ones are left at the end.
    order = sorted(range(len(tasks)), key=lambda i: tasks[i]["frozen"])
    found = compute_all(
        measure, work, [tasks[i] for i in order], KeptResults(folder, shared), workers=workers,
        description="Transfer fits", progress=progress,
    )  # fmt: skip
    results = [found[order.index(i)] for i in range(len(tasks))]
    return transfer_result(plan, results, train, test, geometry, training=settings, by=group)


def transfer_result(
    plan: Values,
    results: Sequence[Values],
    train: SequenceSet,
    test: SequenceSet,
    geometry: LayerGeometry,
    *,
    training: Mapping[str, Any],
    by: str,
    sampled: str | None = None,
) -> TransferResult:
    """The tables of fits that were made one by one.

    Args:
        plan: of `plan_fits`.
        results: what `transfer_fits.measure` gave for each of its fits.
        train, test: parts of the target.
        geometry: of `target_geometry`; its parts and confidence are those of all intervals.
        training: arguments of `stgcnlib.fit` that every fit had.
        by: name of the group that is held out for validation.
        sampled: of which part `test` is a sample ("test"); None: it is whole.
    """
    unit, drawn = validation_unit(train, by), geometry.resampled
    settings = {
        "training": dict(training), "blocks": plan["blocks"], "frozen": plan["frozen"], "seeds": plan["seeds"],
        "sources": plan["sources"], "validation": unit, "classes": len(test.class_names), "train_n": len(train),
        "train_units": None if unit is None else len(np.unique(train.groups[unit])),
        "groups": None if geometry.groups is None else geometry.groups.tolist(), "parts": geometry.parts.tolist(),
        "resample": RECORDINGS if drawn is None else drawn.tolist(), "unit": geometry.resampled_unit, "n": len(test),
        "confidence": geometry.settings["confidence"], "seed": geometry.settings["seed"],
        "k": geometry.settings["k"], "neighbours": geometry.neighbours,
        "sampled": sampled,
    }  # fmt: skip
    plain = ("accuracy", "validation", "train_accuracy", "parameters", "seconds")
    fits, parts = [], []
    for task, result in zip(plan["fits"], results, strict=True):
        own = {"source": task["number"] % plan["sources"]}
        fits.append(task | own | {key: result[key] for key in plain})
        predicted = np.asarray(result["predicted"])
        right = {"label": test.labels, "predicted": predicted, "correct": predicted == test.labels}
        parts.append(pd.DataFrame(task | {"node": np.arange(len(test))} | right))
    nulls = geometry.curve()[["null_mean", "null_low", "null_high"]]
    curve = geometry.mean_curve()[["layer", "index", "title", "smoothness", "low", "high"]]
    found = TransferResult(
        pd.DataFrame(fits), pd.DataFrame(), pd.concat(parts, ignore_index=True), pd.concat([curve, nulls], axis=1),
        _smoothness_each(geometry), settings,
    )  # fmt: skip
    return replace(found, table=_summary(found))


def target_geometry(
    sources: Sequence[nn.Module],
    test: SequenceSet,
    *,
    groups: ArrayLike | None,
    k: int | None,
    axes: Any,
    device: str,
    **options: Any,
) -> LayerGeometry:
    """DS-Graphs of the target's test part on every layer of the source networks; `options` as of `layer_geometry`."""
    if k is None:
        k = largest_k(50, groups, len(test))
    with ExitStack() as stack:
        stores = {}
        for number, source in enumerate(sources):
            scratch = stack.enter_context(TemporaryFolder())
            name = TRAINED if not number else f"{TRAINED}-{number + 1}"
            stores[name] = record(
                source, test, store=scratch / "layers.zarr", axes=axes, device=device, progress=False
            )  # fmt: skip
        return layer_geometry(
            stores,
            test.labels,
            class_names=test.class_names,
            groups=groups,
            k=k,
            device=device,
            progress=False,
            **options,
        )


def _smoothness_each(geometry: LayerGeometry) -> pd.DataFrame:
    found = []
    for name in geometry.networks(TRAINED):
        without = geometry.means_without(name)
        for place, row in enumerate(geometry.curve(name).itertuples()):
            parts = {"part": np.arange(-1, len(without)), "smoothness": [row.smoothness, *without[:, place]]}
            found.append(pd.DataFrame({"member": name, "layer": row.layer, "index": row.index} | parts))
    return pd.concat(found, ignore_index=True)


def _summary(result: TransferResult) -> pd.DataFrame:
    """One row per method and number of frozen blocks."""
    least = int(result.settings["frozen"][0])
    rows = []
    for method, frozen in dict.fromkeys(zip(result.fits["method"], result.fits["frozen"].tolist(), strict=True)):
        each = result.fits[(result.fits["method"] == method) & (result.fits["frozen"] == frozen)]
        accuracy = result.accuracy(method, frozen)
        low, high = (float(np.clip(end, 0, 1)) for end in (accuracy.low, accuracy.high))
        difference = result.difference((method, frozen), (FROZEN, least))
        rows.append(
            {
                "method": method, "frozen": frozen, "accuracy": accuracy.value, "low": low, "high": high,
                "seed_sd": float(each["accuracy"].std(ddof=1)) if len(each) > 1 else np.nan,
                "change": difference["value"], "change_low": difference["low"], "change_high": difference["high"],
                "validation": float(each["validation"].mean()), "parameters": int(each["parameters"].iloc[0]),
                "seconds": float(each["seconds"].mean()), "seeds": len(each), "n": int(result.settings["n"]),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
