"""The history of a training by hand, and what the optimiser is told."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import evaluate, fit


def recordings(count: int = 12) -> SequenceSet:
    coords = np.random.default_rng(0).normal(size=(count, 9, 20, 3))
    return SequenceSet(coords, labels=np.arange(count) % 3, class_names=["a", "b", "c"], layout="kinect-v1")


def small() -> nn.Module:
    return load_network("st-gcn", layout="kinect-v1", classes=3, seed=1, width=4, depth=2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_loss_and_accuracy_of_an_epoch_are_those_of_its_batches(smoothing: float) -> None:
    """One batch, so that the network meets it with its first weights, in training mode."""
    data, network = recordings(), small()
    before = copy.deepcopy(network).train()
    result = fit(network, data, epochs=1, batch_size=12, augment=False, label_smoothing=smoothing, progress=False)
    x = torch.stack([torch.from_numpy(data.people(i).transpose(3, 1, 2, 0).copy()) for i in range(12)])
    scores = before(x).detach().double()
    shares = torch.log_softmax(scores, dim=1)
    target = torch.full((12, 3), smoothing / 3, dtype=torch.float64)
    target[torch.arange(12), torch.from_numpy(data.labels)] += 1 - smoothing
    row = result.history.iloc[0]
    assert row["train_loss"] == pytest.approx(float(-(target * shares).sum(dim=1).mean()), rel=1e-4)
    assert row["train_accuracy"] == np.mean(scores.argmax(dim=1).numpy() == data.labels)


def test_an_epoch_counts_every_recording_once() -> None:
    """At a rate that changes nothing, and with frozen statistics: the same loss from one batch as from fourteen."""
    data = recordings(14)
    means = []
    for size in (14, 1):
        network = small()
        settings: dict[str, Any] = {"epochs": 2, "augment": False, "learning_rate": 1e-12, "weight_decay": 0.0}
        means.append(fit(network, data, batch_size=size, frozen=2, progress=False, **settings).history["train_loss"])
    assert means[1].iloc[0] == pytest.approx(means[1].iloc[1], rel=1e-4)
    np.testing.assert_allclose(means[0], means[1], rtol=1e-4)


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, [1]), (3, [1, 2, 3]), (20, range(2, 21, 2)), (25, range(1, 26, 3))]
)
def test_the_test_part_is_measured_about_ten_times_and_at_the_end(epochs: int, expected: Any) -> None:
    data, network = recordings(), small()
    history = fit(network, data, data, epochs=epochs, batch_size=12, augment=False, progress=False).history
    assert history["epoch"].tolist() == list(range(1, epochs + 1))
    assert history["epoch"][history["test_accuracy"].notna()].tolist() == list(expected)
    assert history["test_accuracy"].iloc[-1] == evaluate(network, data).accuracy


def test_scales_and_biases_are_not_decayed() -> None:
    """So strong a decay takes away a share of rate * decay per step from what it is meant for, and nothing else."""
    data, network = recordings(), small()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    fit(network, data, epochs=1, batch_size=12, augment=False, learning_rate=1e-6, weight_decay=1e5, progress=False)
    for name, value in network.named_parameters():
        ratio = float((value.detach() * before[name]).sum() / (before[name] ** 2).sum()) if before[name].any() else 1.0
        assert (ratio < 0.999) == (value.ndim > 1), name
