"""The validation part of a training with patience: who is in it, and that its best weights are the ones kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stgcnlib.errors import SequenceError
from stgcnlib.networks import load_network
from stgcnlib.sequences import SequenceSet
from stgcnlib.training import evaluate, fit

CLASSES = 2


def recordings(people: list[int], *, seed: int = 0, noise: float = 0.3, subjects: bool = True) -> SequenceSet:
    """One recording per entry of `people`, classes in turn, told apart by a hand that is lifted, under noise."""
    rng = np.random.default_rng(seed)
    body = rng.normal(0, 1, (20, 3))
    labels = np.arange(len(people)) % CLASSES
    coords = []
    for label in labels:
        person = np.repeat(body[None], 9, axis=0) + rng.normal(0, noise, (9, 20, 3))
        person[:, [7, 11][label], 2] += np.sin(np.linspace(0, np.pi, 9))
        coords.append(person)
    groups = {"subject": people} if subjects else None
    return SequenceSet(coords, labels=labels, class_names=["left", "right"], groups=groups, layout="kinect-v1")


class Watched:
    """A network that notes which recordings it saw in which mode, and its weights whenever an evaluation begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, data: SequenceSet) -> None:
        network = load_network("st-gcn", layout="kinect-v1", classes=CLASSES, seed=1, width=4, depth=2)
        self.network: nn.Module = network
        self.known = np.stack([data.people(i)[0] for i in range(len(data))])
        self.seen: dict[bool, set[int]] = {True: set(), False: set()}
        self.states: list[dict[str, Tensor]] = []
        forward, training = type(network).forward, True

        def watched(module: nn.Module, x: Tensor) -> Tensor:
            nonlocal training
            if training and not module.training:
                self.states.append({key: value.clone() for key, value in module.state_dict().items()})
            training = module.training
            self.seen[training] |= {self.number(one) for one in x}
            return forward(module, x)

        monkeypatch.setattr(type(network), "forward", watched)

    def number(self, x: Tensor) -> int:
        """Which recording an input (C, T, V, M) is."""
        frames = x[..., 0].permute(1, 2, 0).numpy()
        (found,) = np.flatnonzero(np.isclose(self.known, frames, atol=1e-6).all(axis=(1, 2, 3)))
        return int(found)

    def fit(self, data: SequenceSet, **settings: Any) -> Any:
        chosen = {"epochs": 1, "patience": 1, "batch_size": 4, "augment": False, "progress": False}
        return fit(self.network, data, **{**chosen, **settings})


@pytest.mark.parametrize(("people", "held"), [(3, 1), (4, 1), (7, 1), (8, 2), (10, 2), (13, 3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_whole_people_are_held_out(monkeypatch: pytest.MonkeyPatch, people: int, held: int, seed: int) -> None:
    """About a fifth of the people, at least one; nobody is on both sides, and nobody is left out."""
    subjects = np.tile(np.arange(people) * 10 + 7, 2)
    data = recordings(subjects.tolist())
    watched = Watched(monkeypatch, data)
    watched.fit(data, seed=seed)
    learnt, validated = watched.seen[True], watched.seen[False]
    assert learnt | validated == set(range(len(data)))
    assert not learnt & validated
    assert set(subjects[list(learnt)]) & set(subjects[list(validated)]) == set()
    assert len(set(subjects[list(validated)])) == held


@pytest.mark.parametrize("people", [None, [5] * 20, [5, 5, 6, 6] * 5])
def test_fewer_than_three_people_are_split_class_by_class(
    monkeypatch: pytest.MonkeyPatch, people: list[int] | None
) -> None:
    data = recordings(people or list(range(20)), subjects=people is not None)
    watched = Watched(monkeypatch, data)
    watched.fit(data)
    learnt, validated = watched.seen[True], watched.seen[False]
    assert learnt | validated == set(range(len(data)))
    assert not learnt & validated
    np.testing.assert_array_equal(np.bincount(data.labels[list(validated)]), [2, 2])  # a fifth of ten


def test_who_is_held_out_follows_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recordings(list(range(10)) * 2)
    held = []
    for seed in (0, 0, 1, 2, 3):
        with monkeypatch.context() as patch:
            watched = Watched(patch, data)
            watched.fit(data, seed=seed)
        held.append(frozenset(watched.seen[False]))
    assert held[0] == held[1]
    assert len(set(held)) > 2


def test_without_patience_all_recordings_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    data = recordings([1, 2, 3, 4] * 2)
    watched = Watched(monkeypatch, data)
    result = watched.fit(data, patience=None, epochs=2)
    assert watched.seen == {True: set(range(8)), False: set()}
    assert "validation_accuracy" not in result.history
    assert result.best_epoch == 2


def test_too_few_for_a_validation_part() -> None:
    with pytest.raises(SequenceError, match="train: 4 recordings are too few"):
        network = load_network("st-gcn", layout="kinect-v1", classes=CLASSES, seed=1, width=4, depth=1)
        fit(network, recordings([1, 1, 2, 2]), patience=1)


def test_the_weights_of_the_best_epoch_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Best: the highest validation accuracy, among equals the lowest loss; every epoch's weights are measured anew."""
    data = recordings([1, 2, 3, 4, 5] * 4, noise=1.5)
    watched = Watched(monkeypatch, data)
    result = watched.fit(data, epochs=30, patience=4, learning_rate=0.05)
    monkeypatch.undo()
    last = len(result.history)
    assert len(watched.states) == last
    validation = data.select(sorted(watched.seen[False]))
    other, measured = load_network("st-gcn", layout="kinect-v1", classes=CLASSES, width=4, depth=2), []
    for state in watched.states:
        other.load_state_dict(state)
        found = evaluate(other, validation)
        measured.append((found.accuracy, -found.loss))
    best = max(range(last), key=lambda epoch: measured[epoch])
    np.testing.assert_allclose(result.history["validation_accuracy"], [accuracy for accuracy, _ in measured])
    assert result.best_epoch == best + 1
    assert last == best + 1 + 4  # so that the best weights are not the last ones
    kept = watched.network.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in watched.states[best].items())
    assert not all(torch.equal(kept[key], value) for key, value in watched.states[-1].items())


def test_the_reported_accuracy_is_that_of_the_kept_weights() -> None:
    data, test = recordings([1, 2, 3, 4, 5] * 4, noise=1.5), recordings([6, 7] * 20, seed=5, noise=1.5)
    network = load_network("st-gcn", layout="kinect-v1", classes=CLASSES, seed=1, width=4, depth=2)
    settings: dict[str, Any] = {"epochs": 30, "patience": 4, "learning_rate": 0.05, "batch_size": 4, "augment": False}
    result = fit(network, data, test, progress=False, **settings)
    assert result.best_epoch < len(result.history)
    assert result.accuracy == evaluate(network, test).accuracy
    assert np.isnan(fit(network, data, progress=False, **settings).accuracy)


@pytest.mark.parametrize(
    ("epochs", "batch_size"), [(1, 8), (1, 4), (3, 8), (2, 4), (1, 2), (5, 8), (1, 1), (3, 4), (7, 8)]
)
def test_trainings_of_few_steps(epochs: int, batch_size: int) -> None:
    """1 to 8 steps in all; 5 made torch's schedule divide by zero."""
    network = load_network("st-gcn", layout="kinect-v1", classes=CLASSES, seed=1, width=4, depth=1)
    result = fit(network, recordings([1] * 8), epochs=epochs, batch_size=batch_size, progress=False)
    assert len(result.history) == epochs
