"""CTR-GCN (Chen et al., ICCV 2021): every channel has its own graph, refined from one that all share.

The refinement comes from the differences of joints in the current input; frames are read at several scales.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stgcnlib.networks.recognizer import Block, BlockPlan, PlannedRecognizer, fresh_convolutions
from stgcnlib.networks.temporal import MultiScaleTemporal, widened

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

    def graph(self, x: Tensor, A: Tensor, alpha: Tensor) -> Tensor:
        """(N*M, C, T, V), graph (V, V), gate (1,) -> (N*M, C', V, V): the weight of joint v for joint u at [u, v]."""
        one, other = self.conv1(x).mean(dim=2), self.conv2(x).mean(dim=2)
        difference = torch.tanh(one[:, :, :, None] - other[:, :, None, :])
        graph: Tensor = self.conv4(difference) * alpha + A
        return graph

    def forward(self, x: Tensor, A: Tensor, alpha: Tensor) -> Tensor:
        """(N*M, C, T, V), graph (V, V), gate (1,) -> (N*M, C', T, V)."""
        return torch.einsum("ncuv,nctv->nctu", self.graph(x, A, alpha), self.conv3(x))


class RefinedGraphs(nn.Module):
    """The sum of the partitions, with a shortcut."""

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


class CTRGCN(PlannedRecognizer):
    """Ten blocks with channel-wise refined graphs and multi-scale temporal convolutions.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published), a multiple of 4; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1, or the width is no multiple of 4.
        LayoutError: if the layout is unknown.
    """

    def block(self, plan: BlockPlan, A: Tensor) -> Block:
        """Refined graphs, then temporal convolutions at several scales."""
        block = Block(
            RefinedGraphs(plan.channels_in, plan.channels_out, A),
            MultiScaleTemporal(
                plan.channels_out, plan.channels_out,
                kernel=5, stride=plan.stride, dilations=(1, 2), residual=False, activation=False,
            ),
            plan,
        )  # fmt: skip
        fresh_convolutions(block.tcn1)
        fresh_convolutions(block.residual)
        return block
