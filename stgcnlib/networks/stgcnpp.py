"""ST-GCN++ (Duan et al., PYSKL, ACM Multimedia 2022): ST-GCN with learned graphs and multi-scale temporal branches.

Module names are those of PYSKL and MMAction2 below ``backbone.``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import directed_adjacency
from stgcnlib.networks.recognizer import BlockPlan, Recognizer, block_plan, fresh_head, halving_option
from stgcnlib.networks.temporal import shortcut, widened
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["BRANCHES", "BranchedBlock", "BranchedTemporal", "STGCNPP"]

BRANCHES = 6
DILATIONS = (1, 2, 3, 4)


class LearnedGraph(nn.Module):
    """ST-GCN's graph convolution, with a graph that starts as the skeleton and is learned, and a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        self.A = nn.Parameter(A.clone())
        self.conv = nn.Conv2d(channels_in, channels_out * len(A), 1)
        self.bn = nn.BatchNorm2d(channels_out)
        self.down = widened(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        parts = self.conv(x).unflatten(1, (len(self.A), -1))
        mixed = torch.einsum("nkctv,kvw->nctw", parts, self.A)
        return torch.relu(self.bn(mixed) + self.down(x))


class DilatedConv(nn.Module):
    """Convolution over three frames, some frames apart."""

    def __init__(self, channels: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, (3, 1), stride=(stride, 1), padding=(dilation, 0), dilation=(dilation, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        out: Tensor = self.conv(x)
        return out


class BranchedTemporal(nn.Module):
    """Six branches over frames, side by side and then mixed; the first also takes the remainder of the channels.

    With the number of joints given, the mean of all joints is convolved beside them, and each joint takes a learned
    share of it (DG-STGCN, Duan et al., 2022).
    """

    def __init__(self, channels: int, *, stride: int, dropout: float, joints: int | None = None) -> None:
        super().__init__()
        each = channels // BRANCHES
        first = channels - each * (BRANCHES - 1)

        def branch(size: int, last: nn.Module) -> nn.Module:
            return nn.Sequential(nn.Conv2d(channels, size, 1), nn.BatchNorm2d(size), nn.ReLU(), last)

        sizes = (first, *[each] * (len(DILATIONS) - 1))
        self.branches = nn.ModuleList(
            [
                *(
                    branch(size, DilatedConv(size, stride=stride, dilation=dilation))
                    for size, dilation in zip(sizes, DILATIONS, strict=True)
                ),
                branch(each, nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))),
                nn.Conv2d(channels, each, 1, stride=(stride, 1)),
            ]
        )
        self.transform = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.bn = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(dropout)
        self.add_coeff = None if joints is None else nn.Parameter(torch.zeros(joints))

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        if self.add_coeff is not None:
            x = torch.cat([x, x.mean(dim=3, keepdim=True)], dim=3)
        together = torch.cat([branch(x) for branch in self.branches], dim=1)
        if self.add_coeff is not None:
            together = together[..., :-1] + together[..., -1:] * self.add_coeff
        out: Tensor = self.drop(self.bn(self.transform(together)))
        return out


class BranchedBlock(nn.Module):
    """A module that mixes joints, then temporal branches, with a shortcut around both; named as in PYSKL."""

    def __init__(self, gcn: nn.Module, tcn: BranchedTemporal, plan: BlockPlan) -> None:
        super().__init__()
        self.gcn = gcn
        self.tcn = tcn
        self.residual = shortcut(plan.channels_in, plan.channels_out, stride=plan.stride, residual=plan.residual)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        return torch.relu(self.tcn(self.gcn(x)) + self.residual(x))


class STGCNPP(Recognizer):
    """Ten blocks; all people share the statistics of the input.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published), at least 6; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
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
        width: int = 64,
        depth: int = 10,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        options: dict[str, Any] = {"width": width, "depth": depth, "dropout": dropout}
        options |= halving_option(halvings)
        super().__init__(skeleton, classes, channels, people=None, dropout=0.0, options=options)
        if width < BRANCHES:
            raise ValueError(f"width is {width}; it must be at least {BRANCHES}, one channel for each branch")
        A = torch.from_numpy(directed_adjacency(self.layout))
        blocks, features = [], channels
        for index, plan in enumerate(block_plan(channels, width, depth, halvings)):
            features = plan.channels_out
            gcn = LearnedGraph(plan.channels_in, features, A)
            tcn = BranchedTemporal(features, stride=plan.stride, dropout=dropout if index else 0.0)
            blocks.append(BranchedBlock(gcn, tcn, plan))
        self.gcn = nn.ModuleList(blocks)
        self.layer_names = tuple(f"gcn.{index}" for index in range(depth))
        self.fc = fresh_head(features, classes)
