"""One training of a transfer study, or its linear probe: computed in a process of its own.

`transfer` lists the fits and makes tables of them.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations import record
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import Values
from stgcnlib.training import evaluate, fine_tune, fit

__all__ = ["FROZEN", "PROBE", "SCRATCH", "Work", "fresh_network", "measure"]

FROZEN, SCRATCH, PROBE = "frozen", "from scratch", "linear probe"


@dataclass(frozen=True)
class Work:
    """What all fits share; sent to each process once."""

    source: nn.Module
    train: SequenceSet
    test: SequenceSet
    training: dict[str, Any]
    fresh: Callable[..., nn.Module] | None
    axes: Any
    device: str


def measure(work: Work, task: Values) -> Values:
    """One training, or the probe, and what it predicts for the test part."""
    began = time.perf_counter()
    if task["method"] == PROBE:
        network, (predicted, train_accuracy, parameters) = None, _probe(work)
    else:
        frozen, seed = max(0, int(task["frozen"])), int(task["seed"])
        options = {"device": work.device, "progress": False, **work.training}
        if task["method"] == SCRATCH:
            network = fresh_network(work, seed)
            result = fit(network, work.train, seed=seed, **options)
        else:
            network = copy.deepcopy(work.source)
            result = fine_tune(network, work.train, frozen=frozen, new_head=True, seed=seed, **options)
        train_accuracy = float(result.history["train_accuracy"].iloc[-1])
        predicted = evaluate(network, work.test, device=work.device).predictions
        parameters = _trained(network, frozen)
    return {
        "accuracy": float((predicted == work.test.labels).mean()),
        "train_accuracy": train_accuracy,
        "parameters": parameters,
        "seconds": round(time.perf_counter() - began, 2),
        "predicted": predicted.tolist(),
    }


def fresh_network(work: Work, seed: int) -> nn.Module:
    """An untrained network of the source's shape for the target's classes."""
    if work.fresh is not None:
        return work.fresh(seed=seed)
    source: Any = work.source
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: nn.Module = type(source)(source.layout, len(work.train.class_names), source.channels, **source.options)
    return made


def _trained(network: nn.Module, frozen: int) -> int:
    """Number of parameters that `fine_tune` changes with so many frozen blocks."""
    from stgcnlib.training.fitting import _first_blocks

    kept = {id(parameter) for parameter in _first_blocks(network, frozen)[1]}
    return sum(p.numel() for p in network.parameters() if id(p) not in kept)


def _probe(work: Work) -> tuple[NDArray[np.int64], float, int]:
    """Predictions, training accuracy and parameters of a logistic regression on the last layer."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, unknown = (_pooled(work, part) for part in (work.train, work.test))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    probe.fit(known, work.train.labels)
    right = float((probe.predict(known) == work.train.labels).mean())
    weights = probe[-1]
    return np.asarray(probe.predict(unknown), dtype=np.int64), right, weights.coef_.size + weights.intercept_.size


def _pooled(work: Work, data: SequenceSet) -> NDArray[np.float64]:
    """(N, C) features of the source's last block, averaged over frames and joints."""
    source: Any = work.source
    name = source.layer_names[-1]
    with tempfile.TemporaryDirectory(prefix="stgcnlib-probe-") as scratch:
        place = Path(scratch) / "layers.zarr"
        layer = record(source, data, layers=[name], store=place, axes=work.axes, device=work.device, progress=False)[
            name
        ]
        frames = [features.mean(axis=0, dtype=np.float64) for features in layer]
    joints = np.stack(frames).reshape(len(data), layer.joints, -1)
    return np.asarray(joints.mean(axis=1), dtype=np.float64)
