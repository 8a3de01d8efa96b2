"""One training of a transfer study, or its linear probe: computed in a process of its own.

`transfer` lists the fits and makes tables of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations import record
from stgcnlib.networks.copies import copied
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import Values
from stgcnlib.studies.transfer_plan import PROBE, SCRATCH, validation_part
from stgcnlib.temporary import TemporaryFolder
from stgcnlib.training import evaluate, fine_tune, fit

__all__ = ["Work", "fresh_network", "measure"]


@dataclass(frozen=True)
class Work:
    """What all fits share; sent to each process once. `by` names the group that is held out for validation."""

    sources: Sequence[nn.Module]
    train: SequenceSet
    test: SequenceSet
    training: dict[str, Any]
    fresh: Callable[..., nn.Module] | None
    by: str
    axes: Any
    device: str


def measure(work: Work, task: Values) -> Values:
    """One training, or the probe: its predictions for the test part, and its accuracy on the validation part."""
    began = time.perf_counter()
    number, method = int(task["number"]), task["method"]
    source = work.sources[number % len(work.sources)]
    held = validation_part(work.train, number, by=work.by)
    train, validation = work.train.select(~held), work.train.select(held)
    if method == PROBE:
        (known, predicted), train_accuracy, parameters = _probe(work, source, train, [validation, work.test])
    else:
        frozen, seed = max(0, int(task["frozen"])), int(task["seed"])
        options = {"device": work.device, "progress": False, **work.training}
        if method == SCRATCH:
            network = fresh_network(work, seed)
            result = fit(network, train, seed=seed, **options)
        else:
            network = copied(source)
            result = fine_tune(network, train, frozen=frozen, new_head=True, seed=seed, **options)
        train_accuracy = float(result.history["train_accuracy"].iloc[-1])
        known, predicted = (
            evaluate(network, data, device=work.device).predictions for data in (validation, work.test)
        )  # fmt: skip
        parameters = _trained(network, frozen)
    return {
        "accuracy": float((predicted == work.test.labels).mean()),
        "validation": float((known == validation.labels).mean()),
        "train_accuracy": train_accuracy,
        "parameters": parameters,
        "seconds": round(time.perf_counter() - began, 2),
        "predicted": predicted.tolist(),
    }


def fresh_network(work: Work, seed: int) -> nn.Module:
    """An untrained network of the source's shape for the target's classes."""
    if work.fresh is not None:
        return work.fresh(seed=seed)
    source: Any = work.sources[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: nn.Module = type(source)(source.layout, len(work.train.class_names), source.channels, **source.options)
    return made


def _trained(network: nn.Module, frozen: int) -> int:
    """Number of parameters that `fine_tune` changes with so many frozen blocks."""
    from stgcnlib.training.fitting import _first_blocks

    kept = {id(parameter) for parameter in _first_blocks(network, frozen)[1]}
    return sum(p.numel() for p in network.parameters() if id(p) not in kept)


def _probe(
    work: Work, source: nn.Module, train: SequenceSet, others: Sequence[SequenceSet]
) -> tuple[list[NDArray[np.int64]], float, int]:
    """Predictions, training accuracy and parameters of a logistic regression on the source's last layer."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = _pooled(work, source, train)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    probe.fit(known, train.labels)
    right = float((probe.predict(known) == train.labels).mean())
    named = [np.asarray(probe.predict(_pooled(work, source, data)), dtype=np.int64) for data in others]
    weights = probe[-1]
    return named, right, weights.coef_.size + weights.intercept_.size


def _pooled(work: Work, source: Any, data: SequenceSet) -> NDArray[np.float64]:
    """(N, C) features of the source's last block, averaged over frames and joints."""
    name = source.layer_names[-1]
    with TemporaryFolder() as scratch:
        place = scratch / "layers.zarr"
        layer = record(source, data, layers=[name], store=place, axes=work.axes, device=work.device, progress=False)[
            name
        ]
        frames = [features.mean(axis=0, dtype=np.float64) for features in layer]
    joints = np.stack(frames).reshape(len(data), layer.joints, -1)
    return np.asarray(joints.mean(axis=1), dtype=np.float64)
