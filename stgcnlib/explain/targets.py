"""Which of a network's outputs is explained: names of targets to output numbers, and these to the score to derive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet

__all__ = ["Target", "check_classes", "resolve_targets", "target_classes", "target_of_set", "target_scores"]

Target: TypeAlias = Literal["predicted", "true"] | int | tuple[int, int] | None
"""What is explained: the logit of the predicted class (also `None`), of the true class, or of any class by its index;
for a pair of classes, the first logit minus the second. In a network of real targets it is an output by its number:
relevance is what makes its value larger."""


def target_of_set(target: Target, network: nn.Module, data: SequenceSet) -> Target:
    """The target itself; for recordings without classes, output 0 of a network that has no other.

    Args:
        target: as asked for.
        network: `classes`, where it has that attribute, is the number of its outputs.
        data: the recordings to explain.

    Raises:
        SequenceError: the recordings have no classes, and the network has several outputs.
    """
    if data.class_names or target not in (None, "predicted", "true"):
        return target
    if getattr(network, "classes", 1) > 1:
        raise SequenceError("target: the recordings have no classes; give the number of the network's output")
    return 0


def check_classes(what: str, data: SequenceSet, logits: Tensor | None = None) -> None:
    """Refuse what is about the scores of classes where there are none.

    Args:
        what: the check that needs classes, and what it does with them.
        data: the explained recordings.
        logits: (N, classes), where they are known.

    Raises:
        SequenceError: the recordings have targets and no classes, or the network has one output.
    """
    if not data.class_names:
        raise SequenceError(f"{what}; these recordings have no classes")
    if logits is not None and logits.shape[1] < 2:
        raise SequenceError(f"{what}; this network has only one output")


def target_classes(target: Target, labels: NDArray[np.int64]) -> list[tuple[int, int | None]] | None:
    """(class, class to subtract or `None`) per recording; `None` for the predicted classes."""
    match target:
        case None | "predicted":
            return None
        case "true":
            return [(int(label), None) for label in labels]
        case (first, second):
            return [(int(first), int(second))] * len(labels)
        case int() | np.integer():
            return [(int(target), None)] * len(labels)
    raise SequenceError(f"target={target!r} is unknown; give 'predicted', 'true', a class index, or two for a contrast")


def resolve_targets(
    classes: Sequence[tuple[int, int | None]] | None, logits: Tensor
) -> Sequence[tuple[int, int | None]]:
    """The classes to explain, the predicted ones where none are given. SequenceError for one that the network lacks."""
    if classes is None:
        return [(int(c), None) for c in logits.argmax(dim=1)]
    known = logits.shape[1]
    for c in (c for pair in classes for c in pair if c is not None):
        if not 0 <= c < known:
            raise SequenceError(f"target: there is no class {c}; the network has {known} classes (0 to {known - 1})")
    return classes


def target_scores(logits: Tensor, classes: Sequence[tuple[int, int | None]]) -> Tensor:
    """(N,) logit of each recording's class, minus that of the class to subtract, if there is one."""
    rows = torch.arange(len(classes), device=logits.device)
    score = logits[rows, torch.tensor([first for first, _ in classes], device=logits.device)]
    for n, (_, second) in enumerate(classes):
        if second is not None:
            score = score - logits[n, second] * (rows == n)
    return score
