"""ProtoGCN (Liu et al., CVPR 2025): graphs from how joints differ and agree in the recording, and prototypes of them.

Module names are those of the published code below ``backbone.``. Prototypes serve a loss in training only; class scores
do not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.recognizer import Recognizer, block_plan, fresh_head, halving_option
from stgcnlib.networks.stgcnpp import BRANCHES, BranchedBlock, BranchedTemporal
from stgcnlib.networks.temporal import widened
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["ProtoGCN"]

SUBSETS = 8
START, SPREAD = 0.04, 0.02  # mean and deviation of the graphs before training


class MotionGraph(nn.Module):
    """Learned graphs, each with what the recording adds: a graph per channel, and one per subset.

    Of ``alpha`` and ``beta``, the published code uses the first entry for all subsets.
    """

    def __init__(self, channels_in: int, channels_out: int, joints: int) -> None:
        super().__init__()
        self.inner = SUBSETS * max(1, channels_out // SUBSETS)
        self.A = nn.Parameter(START + SPREAD * torch.randn(SUBSETS, joints, joints))
        self.pre = nn.Sequential(nn.Conv2d(channels_in, self.inner, 1), nn.BatchNorm2d(self.inner), nn.ReLU())
        self.post = nn.Conv2d(self.inner, channels_out, 1)
        self.alpha = nn.Parameter(torch.zeros(SUBSETS))
        self.beta = nn.Parameter(torch.zeros(SUBSETS))
        self.conv1 = nn.Conv2d(channels_in, self.inner, 1)
        self.conv2 = nn.Conv2d(channels_in, self.inner, 1)
        self.down = widened(channels_in, channels_out)
        self.bn = nn.BatchNorm2d(channels_out)

    def motion(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, subsets, C' / subsets, V, V), what the recording adds to the learned graphs."""
        one, other = (conv(x).mean(dim=2).unflatten(1, (SUBSETS, -1)) for conv in (self.conv1, self.conv2))
        differing = torch.tanh(one[..., :, None] - other[..., None, :])
        agreeing = torch.softmax(torch.einsum("nkcv,nkcw->nkvw", one, other), dim=-2)
        return differing * self.alpha[0] + agreeing[:, :, None] * self.beta[0]

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        graph = self.motion(x) + self.A[:, None]
        mixed = torch.einsum("nkctv,nkcvw->nkctw", self.pre(x).unflatten(1, (SUBSETS, -1)), graph)
        return torch.relu(self.bn(self.post(mixed.flatten(1, 2))) + self.down(x))


class Prototypes(nn.Module):
    """Features as mixtures of learned prototypes."""

    def __init__(self, features: int, prototypes: int) -> None:
        super().__init__()
        self.query_matrix = nn.Linear(features, prototypes, bias=False)
        self.memory_matrix = nn.Linear(prototypes, features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(…, features) -> (…, features)."""
        found: Tensor = self.memory_matrix(torch.softmax(self.query_matrix(x), dim=-1))
        return found


class ProtoGCN(Recognizer):
    """Ten blocks; all people share the statistics of the input.

    The authors train it with a loss that contrasts `reconstructed_graph` of different classes. `stgcnlib.fit` does not
    have this loss, and leaves the prototypes unchanged.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`; only the number of joints matters.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (96 as published), at least 6; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        prototypes: number of prototypes (400 as published for NTU RGB+D).
        dropout: share of temporal features dropped in training, in blocks after the first.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1, or the width below 6.
        LayoutError: if the layout is unknown.
    """

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 96,
        depth: int = 10,
        prototypes: int = 400,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        options: dict[str, Any] = {"width": width, "depth": depth, "prototypes": prototypes, "dropout": dropout}
        options |= halving_option(halvings)
        super().__init__(skeleton, classes, channels, people=None, dropout=0.0, options=options)
        if width < BRANCHES:
            raise ValueError(f"width is {width}; it must be at least {BRANCHES}, one channel for each branch")
        V = len(self.layout)
        blocks, features, inner = [], channels, channels
        for index, plan in enumerate(block_plan(channels, width, depth, halvings)):
            features = plan.channels_out
            gcn = MotionGraph(plan.channels_in, features, V)
            inner = gcn.inner
            tcn = BranchedTemporal(features, stride=plan.stride, dropout=dropout if index else 0.0, joints=V)
            blocks.append(BranchedBlock(gcn, tcn, plan))
        self.gcn = nn.ModuleList(blocks)
        self.layer_names = tuple(f"gcn.{index}" for index in range(depth))
        self.prn = Prototypes(inner, prototypes)
        self.post = nn.Conv2d(inner, inner, 1)
        self.bn = nn.BatchNorm2d(inner)
        self.fc = fresh_head(features, classes)

    def reconstructed_graph(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) coordinates -> (N, V, V), the last block's graph of the recording, rebuilt from prototypes.

        The mean over people and channels; every entry is at least 0.
        """
        N, C, T, V, M = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(N, M, V * C, T))
        x = x.view(N * M, V, C, T).permute(0, 2, 3, 1).contiguous()
        for name in self.layer_names[:-1]:
            x = self.get_submodule(name)(x)
        last = self.get_submodule(f"{self.layer_names[-1]}.gcn")
        assert isinstance(last, MotionGraph)
        graph = last.motion(x).flatten(1, 2).unflatten(0, (N, M)).mean(dim=1)
        rendered = self.prn(graph.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        result: Tensor = torch.relu(self.bn(self.post(rendered))).mean(dim=1)
        return result
