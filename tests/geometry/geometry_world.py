"""A small world of layers whose truth is known: classes and people as clusters, features and distances that agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from stgcnlib.geometry import LayerGeometry, layer_geometry


class Activations:
    """What the geometry reads of a LayerActivations: two frames around each point."""

    def __init__(self, points: np.ndarray, index: int) -> None:
        self.points, self.index = points, index
        self.title = f"layer {index}" if index else "input"

    def __iter__(self) -> Iterator[np.ndarray]:
        for point in self.points:
            yield np.stack([point - 0.1, point + 0.1])


class World:
    """Points (N, D) per layer, labels and subjects."""

    def __init__(self, points: list[np.ndarray], labels: np.ndarray, groups: np.ndarray) -> None:
        names = ("input", *(f"block.{i}" for i in range(len(points) - 1)))
        self.store: Any = Store(
            {name: Activations(p, i) for i, (name, p) in enumerate(zip(names, points, strict=True))}
        )
        self.distances = {name: cdist(p, p) for name, p in zip(names, points, strict=True)}
        self.labels, self.groups = labels, groups

    def geometry(self, labels: np.ndarray | None = None, **options: Any) -> LayerGeometry:
        chosen: dict[str, Any] = {"groups": self.groups, "k": 10, "permutations": 20}
        y = self.labels if labels is None else labels
        return layer_geometry(self.store, y, **({"distances": {"trained": self.distances}} | chosen | options))


class Store(dict[str, Activations]):
    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self)


def world(
    strengths: list[float], *, classes: int = 5, subjects: int = 4, repeats: int = 5, dimension: int = 6, seed: int = 0
) -> World:
    """Classes lie `strength` apart at each layer, in the unit of the scatter within a class; people 0.7 apart."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), subjects * repeats)
    groups = np.tile(np.repeat(np.arange(subjects), repeats), classes)
    centres, people = rng.normal(size=(classes, dimension)), rng.normal(size=(subjects, dimension))
    own = rng.normal(size=(len(labels), dimension))
    points = [s * centres[labels] + 0.7 * people[groups] + own + 0.3 * rng.normal(size=own.shape) for s in strengths]
    return World(points, labels, groups)


def swapped(labels: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a share of them changed to another class, and the indices that were changed."""
    classes = int(labels.max()) + 1
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    wrong = labels.copy()
    wrong[chosen] = (labels[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return wrong, np.sort(chosen)
