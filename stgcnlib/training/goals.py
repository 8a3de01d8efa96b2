"""What a training is to reach: classes by cross-entropy, or real targets by their mean square or absolute error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.sequences import SequenceSet
from stgcnlib.training.evaluation import TargetLoss, evaluate, evaluate_targets, target_scale

__all__ = ["Goal", "Loss", "goal_of"]

Loss: TypeAlias = Literal["cross-entropy"] | TargetLoss


@dataclass(frozen=True, eq=False)
class Goal:
    """What a network is trained for, and how success is measured.

    Attributes:
        loss: "cross-entropy", "mse" or "mae".
        like: the part whose mean and deviation standardise the targets.
        label_smoothing: share of a class label that is spread over all classes.
    """

    loss: Loss
    like: SequenceSet
    label_smoothing: float = 0.0

    @property
    def measure(self) -> str:
        """How success is measured: "accuracy" or "r2"."""
        return "accuracy" if self.loss == "cross-entropy" else "r2"

    @property
    def outputs(self) -> int:
        """Number of outputs that the network needs: classes, or columns of the targets."""
        return len(self.like.class_names if self.loss == "cross-entropy" else self.like.target_names)

    def wanted(self, data: SequenceSet) -> Tensor:
        """(N,) int64 classes, or (N, Q) float32 targets in multiples of the deviation from the mean."""
        if self.loss == "cross-entropy":
            return torch.from_numpy(data.labels)
        mean, scale = target_scale(self.like)
        return torch.from_numpy((data.targets - mean) / scale).float()  # type: ignore[operator]

    def criterion(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Outputs and what is wanted -> the mean loss of a batch."""
        match self.loss:
            case "mse":
                return nn.MSELoss()
            case "mae":
                return nn.L1Loss()
        return nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)

    def reached(self, outputs: Tensor, wanted: Tensor) -> float:
        """Sum over a batch, whose mean is `measure`: 1 for each right class, or 1 minus each mean square error."""
        if self.loss == "cross-entropy":
            return float((outputs.argmax(dim=1) == wanted).sum())
        return float((1 - (outputs - wanted).square().mean(dim=1)).sum())

    def evaluate(self, network: nn.Module, data: SequenceSet, *, device: str) -> tuple[float, float]:
        """(measure, mean loss) over recordings; a larger measure and a smaller loss are better."""
        if self.loss == "cross-entropy":
            found = evaluate(network, data, device=device)
            return found.accuracy, found.loss
        estimated = evaluate_targets(network, data, like=self.like, device=device)
        return estimated.r2, estimated.loss(self.loss)


def goal_of(train: SequenceSet, loss: Loss | None, label_smoothing: float) -> Goal:
    """The goal of a training on these recordings; without a loss, cross-entropy where they have classes, else "mse".

    Raises:
        StudyError: there is no such loss.
        SequenceError: the recordings have no classes, or no targets, for it.
    """
    chosen: Loss = loss or ("cross-entropy" if train.class_names or train.targets is None else "mse")
    if chosen not in ("cross-entropy", "mse", "mae"):
        raise StudyError(f"loss is {loss!r}; choose 'cross-entropy' for classes, 'mse' or 'mae' for targets")
    if chosen == "cross-entropy" and not train.class_names:
        raise SequenceError("loss is 'cross-entropy', but the recordings have no classes; choose 'mse' or 'mae'")
    if chosen != "cross-entropy":
        target_scale(train)  # refuses recordings without targets
    return Goal(chosen, train, label_smoothing)
