"""A network whose third block throws the target's classes away, and recordings to see it by."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stgcnlib.errors import StudyError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, layout

BLIND = 2  # the block, counted from 0, that the target's classes do not get through


def square(shared: float, task: dict[str, Any]) -> dict[str, Any]:
    """A run for tests of running: refuses to square the number that is shared."""
    if task["x"] == shared:
        raise StudyError(f"{shared} is not to be squared")
    return {"square": task["x"] ** 2}


class PlantedNetwork(nn.Module):
    """Four blocks (1x1 convolution, leaky ReLU), pooled, and a head; (N, C, T, V, M) -> (N, classes)."""

    def __init__(self, skeleton: SkeletonLayout | str, classes: int, channels: int = 3, *, width: int = 6) -> None:
        super().__init__()
        self.layout, self.classes, self.channels = layout(skeleton), classes, channels
        self.options: dict[str, Any] = {"width": width}
        sizes = [channels, width, width, width]
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(size, width, 1), nn.LeakyReLU(0.8)) for size in sizes
        )  # fmt: skip
        self.head = nn.Linear(width, classes)
        self.layer_names = tuple(f"blocks.{i}" for i in range(4))

    def reset_head(self, classes: int) -> None:
        self.head, self.classes = nn.Linear(self.head.in_features, classes), classes

    def forward(self, x: Tensor) -> Tensor:
        N, C, T, V, M = x.shape
        y = x.permute(0, 4, 1, 2, 3).reshape(N * M, C, T, V)
        for block in self.blocks:
            y = block(y)
        scores: Tensor = self.head(y.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1))
        return scores


def planted_source() -> PlantedNetwork:
    """Early blocks keep everything, block `BLIND` gives the same for every input, the last keeps everything."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = PlantedNetwork("kinect-v1", 5)
        for i, block in enumerate(network.blocks):
            convolution: Any = block[0]
            nn.init.orthogonal_(convolution.weight.data.view(convolution.weight.shape[0], -1))
            nn.init.zeros_(convolution.bias)
            if i == BLIND:
                nn.init.zeros_(convolution.weight)
                nn.init.ones_(convolution.bias)
    return network.eval()


def planted_recordings(count: int = 48, seed: int = 0, *, noise: float = 0.12) -> SequenceSet:
    """Three classes told by where the skeleton is, four subjects, 6 to 9 frames."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.5, 0]])
    coords = [
        centres[c] + rng.normal(0, noise, 3) + rng.normal(0, 0.1, (int(rng.integers(6, 10)), 20, 3)) for c in labels
    ]
    return SequenceSet(
        coords,
        labels=labels,
        class_names=["left", "right", "front"],
        groups={"subject": np.arange(count) // 3 % 4},
        layout="kinect-v1",
    )
