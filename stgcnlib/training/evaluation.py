"""evaluate: what a network predicts for recordings at their own length, exactly as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import nn

from stgcnlib.networks.batches import check_fit, check_scores, equal_batches, network_batch
from stgcnlib.sequences import SequenceSet

__all__ = ["Evaluation", "evaluate"]

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


def evaluate(network: nn.Module, data: SequenceSet, *, device: str = "cpu") -> Evaluation:
    """Run a network over recordings without padding; its train/eval state and device are left as they were.

    Raises:
        LayoutError, SequenceError: if the recordings are on another skeleton or have other channels.
    """
    check_fit(network, data)
    modes = {module: module.training for module in network.modules()}
    logits: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(data)
    first = next(network.parameters(), None)
    home = torch.device(device) if first is None else first.device
    try:
        network.eval().to(device)
        with torch.inference_mode():
            for batch in equal_batches(data, BATCH_FRAMES):
                x = network_batch([data.people(i) for i in batch]).to(device)
                scores = check_scores(network(x), x)
                for i, score in zip(batch, scores.cpu().numpy(), strict=True):
                    logits[i] = score
    finally:
        for module, mode in modes.items():
            module.training = mode
        network.to(home)
    return Evaluation(np.stack(logits), data.labels, data.class_names)
