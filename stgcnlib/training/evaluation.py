"""A network's predictions for recordings at their own length, as when they are recorded: classes, or real targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import Tensor, nn

from stgcnlib.devices import usable_device
from stgcnlib.errors import SequenceError
from stgcnlib.networks.batches import check_fit, check_numbers, check_scores, equal_batches, network_batch
from stgcnlib.networks.copies import on_copies, one_at_a_time
from stgcnlib.sequences import SequenceSet

__all__ = ["Evaluation", "TargetEvaluation", "TargetLoss", "evaluate", "evaluate_targets", "target_scale"]

TargetLoss: TypeAlias = Literal["mse", "mae"]

BATCH_FRAMES = 2048


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions of one network for one set.

    Attributes:
        logits: (N, classes) float32.
        labels: (N,) int64, the true classes.
        class_names: name of each class.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def select(self, indices: NDArray[np.int64]) -> Evaluation:
        """The predictions for some of the recordings: `indices` (n,), in this order."""
        return Evaluation(self.logits[indices], self.labels[indices], self.class_names)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """(N,) class with the largest logit."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def accuracy(self) -> float:
        """Share of recordings whose class is predicted."""
        return float((self.predictions == self.labels).mean())

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        logits, labels = torch.from_numpy(self.logits.astype(np.float64)), torch.from_numpy(self.labels)
        return float(nn.functional.cross_entropy(logits, labels))

    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) counts: true class by row, predicted class by column."""
        classes = range(max(len(self.class_names), self.logits.shape[1]))
        return np.asarray(confusion_matrix(self.labels, self.predictions, labels=list(classes)), dtype=np.int64)

    def per_class(self) -> NDArray[np.float64]:
        """(classes,) share of each class's recordings that are predicted; NaN for a class without recordings."""
        confusion = self.confusion()
        counts = confusion.sum(axis=1).astype(np.float64)
        shares = np.full(len(counts), np.nan)
        np.divide(np.diag(confusion), counts, out=shares, where=counts > 0)
        return shares


@dataclass(frozen=True, eq=False)
class TargetEvaluation:
    """Estimates of real targets by one network for one set.

    Attributes:
        estimates: (N, Q) float64, in the unit of the targets.
        targets: (N, Q) float64.
        target_names: name of each column.
        mean, scale: (Q,) of the training part's targets: the network's outputs times scale plus mean are the estimates.
    """

    estimates: NDArray[np.float64]
    targets: NDArray[np.float64]
    target_names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def select(self, indices: NDArray[np.int64]) -> TargetEvaluation:
        """The estimates for some of the recordings: `indices` (n,), in this order."""
        return replace(self, estimates=self.estimates[indices], targets=self.targets[indices])

    @property
    def mae(self) -> NDArray[np.float64]:
        """(Q,) mean absolute error, in the unit of the targets."""
        return np.asarray(np.abs(self.estimates - self.targets).mean(axis=0), dtype=np.float64)

    @property
    def rmse(self) -> NDArray[np.float64]:
        """(Q,) root of the mean square error, in the unit of the targets."""
        return np.asarray(np.sqrt(((self.estimates - self.targets) ** 2).mean(axis=0)), dtype=np.float64)

    @property
    def r2(self) -> float:
        """R² over all columns: 1 for exact estimates, 0 for the mean of these targets; NaN where they do not vary."""
        total = ((self.targets - self.targets.mean(axis=0)) ** 2).sum()
        return float(1 - ((self.targets - self.estimates) ** 2).sum() / total) if total > 0 else float("nan")

    def loss(self, kind: TargetLoss = "mse") -> float:
        """Mean loss over recordings and columns, on targets in multiples of `scale`.

        `kind` is "mse" (mean square) or "mae" (mean absolute difference).
        """
        errors = (self.estimates - self.targets) / self.scale
        return float((errors**2 if kind == "mse" else np.abs(errors)).mean())


def target_scale(like: SequenceSet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(Q,) mean and standard deviation of the targets of a training part; 1 for a column that does not vary.

    Raises:
        SequenceError: there are no targets.
    """
    if like.targets is None:
        raise SequenceError("the recordings have no targets; give targets= to SequenceSet, or cut them with windows()")
    deviation = like.targets.std(axis=0)
    return like.targets.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def evaluate(network: nn.Module, data: SequenceSet, *, device: str = "cpu") -> Evaluation:
    """Run a network over recordings without padding; its train/eval state and device are left as they were.

    Raises:
        LayoutError, SequenceError: if the recordings are on another skeleton, have other channels, or have no classes.
    """
    if not data.class_names:
        raise SequenceError("evaluate: the recordings have no classes; targets are evaluated with evaluate_targets")
    check_fit(network, data)
    return Evaluation(_outputs(network, data, device), data.labels, data.class_names)


def evaluate_targets(
    network: nn.Module, data: SequenceSet, *, like: SequenceSet, device: str = "cpu"
) -> TargetEvaluation:
    """What a network that was fitted to targets estimates, run as by `evaluate`.

    Args:
        network: takes (N, C, T, V, M), gives (N, Q) targets less their mean, in multiples of their standard deviation.
        data: recordings with targets.
        like: the part that the network was fitted to, whose mean and deviation these are.
        device: where the network runs meanwhile.

    Raises:
        LayoutError, SequenceError: if the recordings are on another skeleton, have other channels, or other targets
            than `like`, or the network has another number of outputs.
    """
    mean, scale = target_scale(like)
    check_fit(network, data)
    if data.targets is None or data.target_names != like.target_names:
        raise SequenceError(
            f"evaluate_targets: the network was fitted to {list(like.target_names)}, the recordings have "
            f"{list(data.target_names)}; both must have the same targets"
        )
    outputs = _outputs(network, data, device)
    if outputs.shape[1] != len(mean):
        raise SequenceError(
            f"evaluate_targets: the network has {outputs.shape[1]} outputs for {len(mean)} targets; "
            f"load a network with classes={len(mean)} and fit it"
        )
    return TargetEvaluation(outputs.astype(np.float64) * scale + mean, data.targets, data.target_names, mean, scale)


def _outputs(network: nn.Module, data: SequenceSet, device: str) -> NDArray[np.float32]:
    """(N, outputs) of a network in evaluation mode."""
    place = usable_device(device)
    modes = {module: module.training for module in network.modules()}
    outputs: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(data)
    first = next(network.parameters(), None)
    home = place if first is None else first.device
    half = first.dtype if first is not None and first.dtype in (torch.float16, torch.bfloat16) else None
    batches = equal_batches(data, BATCH_FRAMES)

    def scores_of(own: nn.Module, batch: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast(place.type, enabled=False):  # set per thread
            x = network_batch([data.people(i) for i in batch]).to(place)
            scores: Tensor = check_scores(own(x.to(half) if half else x), x)
            values: NDArray[np.float32] = (scores.float() if half else scores).cpu().numpy()
        for i, score in zip(batch, values, strict=True):
            check_numbers(score, "the network's outputs", data.names[i])
        return values

    alone = one_at_a_time(data, BATCH_FRAMES, place.type)
    try:
        network.eval().to(place)
        for batch, scores in zip(batches, on_copies(network, batches, scores_of, alone=alone), strict=True):
            for i, score in zip(batch, scores, strict=True):
                outputs[i] = score
    finally:
        for module, mode in modes.items():
            module.training = mode
        network.to(home)
    return np.stack(outputs)
