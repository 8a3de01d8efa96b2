"""ST-GCN: spatial temporal graph convolutional network (Yan, Xiong, Lin, AAAI 2018).

A block mixes joints along the bones, then frames. Parameter names are those of the authors'
state dict, so that published weights load as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import Strategy, adjacency
from stgcnlib.networks.recognizer import block_plan, halving_option
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = ["STGCN"]

TEMPORAL_KERNEL = 9


class GraphConvolution(nn.Module):
    """One 1×1 convolution per partition, each summed over its neighbours."""

    def __init__(self, channels_in: int, channels_out: int, partitions: int) -> None:
        super().__init__()
        self.partitions = partitions
        self.conv = nn.Conv2d(channels_in, channels_out * partitions, kernel_size=1)

    def forward(self, x: Tensor, A: Tensor) -> Tensor:
        """(N*M, C, T, V) and the weighted graph (K, V, V) -> (N*M, C', T, V)."""
        x = self.conv(x)
        x = x.unflatten(1, (self.partitions, -1))
        return torch.einsum("nkctv,kvw->nctw", x, A)


class Block(nn.Module):
    """Graph convolution, then temporal convolution, with a shortcut."""

    def __init__(
        self, channels_in: int, channels_out: int, partitions: int, *, stride: int, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.gcn = GraphConvolution(channels_in, channels_out, partitions)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(
                channels_out,
                channels_out,
                (TEMPORAL_KERNEL, 1),
                stride=(stride, 1),
                padding=((TEMPORAL_KERNEL - 1) // 2, 0),
            ),
            nn.BatchNorm2d(channels_out),
            nn.Dropout(dropout),
        )
        self.residual: nn.Module | None
        if not residual:
            self.residual = None
        elif channels_in == channels_out and stride == 1:
            self.residual = nn.Identity()
        else:
            self.residual = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, kernel_size=1, stride=(stride, 1)), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor, A: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        shortcut = 0 if self.residual is None else self.residual(x)
        return torch.relu(self.tcn(self.gcn(x, A)) + shortcut)


class STGCN(nn.Module):
    """Ten blocks over batches (N, C, T, V, M), pooled over frames, joints and people into class scores.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published); they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        strategy: partitions of the neighbourhood: "spatial" (as published), "distance" or "uniform".
        max_hop: how many bones away a neighbour may be.
        edge_importance: learn a weight for every edge in every block.
        dropout: share of temporal features dropped in training, in blocks after the first.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1.
        LayoutError: if the layout or the strategy is unknown.

    Attributes:
        layer_names: module name of each block; "layer l" is the output (N*M, C_l, T_l, V) of block l.
        options: the keyword arguments above that rebuild this network.
    """

    A: Tensor

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 64,
        depth: int = 10,
        strategy: Strategy = "spatial",
        max_hop: int = 1,
        edge_importance: bool = True,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("classes", classes), ("channels", channels), ("width", width), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        self.layout = layout(skeleton)
        self.classes = classes
        self.channels = channels
        self.options: Mapping[str, Any] = {
            "width": width,
            "depth": depth,
            "strategy": strategy,
            "max_hop": max_hop,
            "edge_importance": edge_importance,
            "dropout": dropout,
            **halving_option(halvings),
        }
        self.register_buffer("A", torch.from_numpy(adjacency(self.layout, strategy=strategy, max_hop=max_hop)))
        partitions, joints = self.A.shape[0], self.A.shape[1]
        self.data_bn = nn.BatchNorm1d(channels * joints)

        blocks, features = [], channels
        for index, plan in enumerate(block_plan(channels, width, depth, halvings)):
            features = plan.channels_out
            blocks.append(
                Block(
                    plan.channels_in, features, partitions,
                    stride=plan.stride, dropout=dropout if index else 0.0, residual=plan.residual,
                )
            )  # fmt: skip
        self.st_gcn_networks = nn.ModuleList(blocks)
        self.edge_importance: nn.ParameterList | None = (
            nn.ParameterList([nn.Parameter(torch.ones_like(self.A)) for _ in blocks]) if edge_importance else None
        )
        self.fcn = nn.Conv2d(features, classes, kernel_size=1)
        self.layer_names = tuple(f"st_gcn_networks.{index}" for index in range(depth))

    def reset_head(self, classes: int) -> None:
        """Replace the classifier by a fresh one for so many classes; everything before it stays."""
        weight = self.fcn.weight
        self.fcn = nn.Conv2d(self.fcn.in_channels, classes, kernel_size=1, device=weight.device, dtype=weight.dtype)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """`x` (N, C, T, V, M), coordinates -> (N, classes) scores; absent people are zeros."""
        N, C, T, V, M = x.shape
        x = x.permute(0, 4, 3, 1, 2).reshape(N * M, V * C, T)
        x = self.data_bn(x)
        x = x.view(N * M, V, C, T).permute(0, 2, 3, 1)
        for index, block in enumerate(self.st_gcn_networks):
            A = self.A if self.edge_importance is None else self.A * self.edge_importance[index]
            x = block(x, A)
        x = x.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)
        scores: Tensor = self.fcn(x[:, :, None, None]).flatten(1)
        return scores
