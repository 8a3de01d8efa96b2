"""Which preparation a network was trained on is found by trying: planted networks that know one, or none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from stgcnlib import transforms
from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout
from stgcnlib.training import Evaluation, try_preparations
from stgcnlib.training.preparations import near_chance, preparation_advice, preparation_name
from stgcnlib.transforms import published

BODY = layout("ntu-rgb+d")


def recordings(per_class: int = 8, classes: int = 5) -> SequenceSet:
    """People who stand somewhere, each class with a pose of its own and a direction in which it sways."""
    rng = np.random.default_rng(5)
    poses, ways = rng.normal(size=(classes, 25, 3)), rng.normal(size=(classes, 25, 3))
    labels = np.repeat(np.arange(classes), per_class)
    coords = []
    for label in labels:
        time = np.arange(24)[:, None, None] / 24
        place = rng.normal(scale=6.0, size=3)
        coords.append(poses[label] + place + time * ways[label] + rng.normal(scale=0.02, size=(24, 25, 3)))
    names = [f"class {c}" for c in range(classes)]
    return SequenceSet(coords, labels=labels, class_names=names, layout=BODY)


class ByMeans(nn.Module):
    """Knows the mean recording of each class, as it was prepared, and takes the nearest."""

    def __init__(self, prepared: SequenceSet) -> None:
        super().__init__()
        self.layout, self.classes, self.channels = BODY, len(prepared.class_names), 3
        means = np.stack([prepared.people(i)[0].mean(axis=0) for i in range(len(prepared))])
        centres = [means[prepared.labels == c].mean(axis=0) for c in range(self.classes)]
        self.register_buffer("centres", torch.from_numpy(np.stack(centres)).float())

    def forward(self, x: Tensor) -> Tensor:
        mean = x[..., 0].mean(dim=2).permute(0, 2, 1)
        return -(mean[:, None] - self.get_buffer("centres")).square().sum(dim=(2, 3))


PREPARED: dict[str, Callable[[SequenceSet], SequenceSet]] = {
    "normalize: true": transforms.normalize,
    "published: [ntu]": lambda data: published(data, "ntu"),
    "published: [pyskl-3d]": lambda data: published(data, "pyskl-3d"),
    "published: [bone, motion]": lambda data: published(data, "bone", "motion"),
    "published: [ntu, motion]": lambda data: published(data, "ntu", "motion"),
}


@pytest.mark.parametrize("truth", PREPARED)
def test_the_preparation_of_the_training_is_found(truth: str) -> None:
    data = recordings()
    given = "normalize: false" if truth == "normalize: true" else "normalize: true"
    table = try_preparations(ByMeans(PREPARED[truth](data)), data, given=given)
    by_name = table.set_index("preparation")
    assert by_name.loc[truth, "accuracy"] == 1 == table["accuracy"].max()
    assert by_name.index[by_name["given"]].tolist() == [given]
    assert (by_name["n"] == 40).all()
    assert (by_name["chance"] == 0.2).all()
    assert (by_name["low"] <= by_name["accuracy"]).all()
    said = preparation_advice(table)
    assert "near chance" in said
    assert "it predicts 100% right" in said


def test_streams_are_tried_only_where_nothing_else_does() -> None:
    data = recordings()
    joints = try_preparations(ByMeans(PREPARED["normalize: true"](data)), data)
    assert not joints["preparation"].str.contains("bone|motion").any()
    moves = try_preparations(ByMeans(PREPARED["published: [ntu, motion]"](data)), data)
    assert moves["preparation"].str.contains("motion").any()


def test_a_network_that_knows_nothing_is_not_explained_away() -> None:
    data = recordings()
    network = ByMeans(data)
    network.get_buffer("centres").copy_(torch.randn(5, 25, 3, generator=torch.Generator().manual_seed(0)))
    table = try_preparations(network, data, given="normalize: true")
    said = preparation_advice(table)
    assert f"none of {len(table)} named preparations does clearly better" in said
    assert "order of the classes" in said


def test_one_that_is_right_already_is_best() -> None:
    data = recordings()
    table = try_preparations(ByMeans(PREPARED["published: [ntu]"](data)), data, given="published: [ntu]")
    assert table.set_index("preparation").loc["published: [ntu]", "accuracy"] == 1
    assert "another preparation" not in preparation_advice(table)


def test_a_few_recordings_prove_nothing() -> None:
    """Two of three right is no evidence against none of three."""
    row = {"preparation": "published: [ntu]", "accuracy": 2 / 3, "low": 0.13, "high": 0.96, "n": 3, "chance": 1 / 3}
    used = {"preparation": "normalize: true", "accuracy": 0.0, "low": 0.0, "high": 0.69, "n": 3, "chance": 1 / 3}
    table = pd.DataFrame([row | {"given": False}, used | {"given": True}])
    assert "does clearly better" in preparation_advice(table)
    assert preparation_advice(table[:0]) == ""


def test_recordings_are_spread_over_the_classes() -> None:
    data = recordings(per_class=8)
    few = try_preparations(ByMeans(transforms.normalize(data)), data, given="normalize: true", most=7)
    assert (few["n"] == 7).all()
    np.testing.assert_allclose(few["chance"], 2 / 7)


def test_near_chance_counts_from_the_largest_class() -> None:
    def evaluation(right: int, count: int = 100, classes: int = 10) -> Evaluation:
        labels = np.arange(count) % classes
        guesses = np.where(np.arange(count) < right, labels, (labels + 1) % classes)
        logits = np.eye(classes, dtype=np.float32)[guesses]
        return Evaluation(logits, labels, tuple(map(str, range(classes))))

    assert near_chance(evaluation(18))
    assert not near_chance(evaluation(20))
    uneven = Evaluation(np.eye(2, dtype=np.float32)[[0] * 10], np.array([0] * 9 + [1]), ("a", "b"))
    assert near_chance(uneven)


def test_names_are_as_in_a_study() -> None:
    assert preparation_name() == "normalize: true"
    assert preparation_name(centre="frame") == "normalize: true, centre: frame"
    assert preparation_name(normalize=False) == "normalize: false"
    assert preparation_name(published=("ntu", "bone")) == "published: [ntu, bone]"
    with pytest.raises(SequenceError, match="names no preparation"):
        try_preparations(ByMeans(recordings()), recordings(), given="published: [ntx]")
    plain = SequenceSet(recordings().coords, layout=BODY, targets=np.zeros(40))
    with pytest.raises(SequenceError, match="no classes"):
        try_preparations(ByMeans(recordings()), plain)
