"""CTR-GCN (Chen et al., ICCV 2021): every channel has its own graph, refined from one that all share.

The refinement comes from the differences of joints in the input at hand; frames are read at several scales.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import directed_adjacency
from stgcnlib.networks.recognizer import Recognizer, block_plan, fresh_convolutions, fresh_head
from stgcnlib.networks.temporal import MultiScaleTemporal, shortcut, widened
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["CTRGCN"]

REDUCTION = 8  # input channels per channel in which joints are compared


class RefinedGraph(nn.Module):
    """One partition: the shared graph plus, for each channel, a function of how two joints differ."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        # Coordinates (3, or 9 with derived ones) are too few to be reduced; the authors compare them in 8 channels.
        few = channels_in < REDUCTION or channels_in == 9
        compared = 8 if few else channels_in // REDUCTION
        self.conv1 = nn.Conv2d(channels_in, compared, 1)
        self.conv2 = nn.Conv2d(channels_in, compared, 1)
        self.conv3 = nn.Conv2d(channels_in, channels_out, 1)
        self.conv4 = nn.Conv2d(compared, channels_out, 1)
        fresh_convolutions(self)

    def forward(self, x: Tensor, A: Tensor, alpha: Tensor) -> Tensor:
        """(N*M, C, T, V), graph (V, V), gate (1,) -> (N*M, C', T, V)."""
        one, other = self.conv1(x).mean(dim=2), self.conv2(x).mean(dim=2)
        difference = torch.tanh(one[:, :, :, None] - other[:, :, None, :])
        graph = self.conv4(difference) * alpha + A
        return torch.einsum("ncuv,nctv->nctu", graph, self.conv3(x))


class RefinedGraphs(nn.Module):
    """The partitions summed, around a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        self.PA = nn.Parameter(A.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.convs = nn.ModuleList([RefinedGraph(channels_in, channels_out) for _ in A])
        self.down = widened(channels_in, channels_out)
        self.bn = nn.BatchNorm2d(channels_out)
        fresh_convolutions(self.down)
        nn.init.constant_(self.bn.weight, 1e-6)  # a fresh block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        parts = [conv(x, A, self.alpha) for conv, A in zip(self.convs, self.PA, strict=True)]
        return torch.relu(self.bn(torch.stack(parts).sum(dim=0)) + self.down(x))


class Block(nn.Module):
    """Graph convolution, then temporal convolutions at several scales, around a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor, *, stride: int, residual: bool) -> None:
        super().__init__()
        self.gcn1 = RefinedGraphs(channels_in, channels_out, A)
        self.tcn1 = MultiScaleTemporal(
            channels_out, channels_out, kernel=5, stride=stride, dilations=(1, 2), residual=False, activation=False
        )
        self.residual = shortcut(channels_in, channels_out, stride=stride, residual=residual)
        fresh_convolutions(self.tcn1)
        fresh_convolutions(self.residual)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        return torch.relu(self.tcn1(self.gcn1(x)) + self.residual(x))


class CTRGCN(Recognizer):
    """Ten blocks with channel-wise refined graphs and multi-scale temporal convolutions.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published), a multiple of 4; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        people: people with input statistics of their own, and the most in a recording.
        dropout: share of the pooled features dropped in training.

    Raises:
        ValueError: if a number is below 1, or the width is no multiple of 4.
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
        people: int = 2,
        dropout: float = 0.0,
    ) -> None:
        options = {"width": width, "depth": depth, "people": people, "dropout": dropout}
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        A = torch.from_numpy(directed_adjacency(self.layout))
        self.layer_names = tuple(f"l{index + 1}" for index in range(depth))
        features = channels
        for name, plan in zip(self.layer_names, block_plan(channels, width, depth), strict=True):
            features = plan.channels_out
            self.add_module(name, Block(plan.channels_in, features, A, stride=plan.stride, residual=plan.residual))
        self.fc = fresh_head(features, classes)
