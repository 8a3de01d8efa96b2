"""Clusters at every layer of no network, whose classes part with depth as one says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.spatial.distance import cdist

from stgcnlib.geometry import LayerGeometry, layer_geometry

CLASSES, SUBJECTS, REPEATS = 5, 4, 5
LABELS = np.repeat(np.arange(CLASSES), SUBJECTS * REPEATS)
PEOPLE = np.tile(np.repeat(np.array(["ann", "bo", "cy", "di"]), REPEATS), CLASSES)


class Layers:
    """What layer_geometry needs of a LayerStore when distances are given."""

    def __init__(self, count: int) -> None:
        self.layers = ("input", *(f"block.{i}" for i in range(count)))

    def __getitem__(self, name: str) -> SimpleNamespace:
        index = self.layers.index(name)
        return SimpleNamespace(name=name, index=index, title=f"layer {index}" if index else "input")


def planted(strengths: list[float], *, seed: int = 0, identity: float = 1.5) -> dict[str, np.ndarray]:
    """Distances per layer; classes are `strength` apart, people `identity`, and each layer has its own noise."""
    rng = np.random.default_rng(seed)
    centres, people = rng.normal(size=(CLASSES, 6)), rng.normal(size=(SUBJECTS, 6))
    own = rng.normal(size=(len(LABELS), 6))
    person = np.unique(PEOPLE, return_inverse=True)[1]
    distances = {}
    for name, strength in zip(Layers(len(strengths) - 1).layers, strengths, strict=True):
        noise = own + 0.3 * rng.normal(size=own.shape)
        points = strength * centres[LABELS] + identity * people[person] + noise
        distances[name] = cdist(points, points)
    return distances


FALLING = [0.4, 0.4, 0.4, 0.5, 0.8, 1.6]
UNTRAINED = [0.4, 0.4, 0.3, 0.2, 0.2, 0.2]


def measure(strengths: list[float], untrained: list[float] | None = UNTRAINED, **options: object) -> LayerGeometry:
    chosen: dict[str, object] = {"groups": PEOPLE, "k": 12, "permutations": 50}
    distances = {"trained": planted(strengths)} | ({} if untrained is None else {"untrained": planted(untrained)})
    return layer_geometry(Layers(len(strengths) - 1), LABELS, distances=distances, **(chosen | options))
