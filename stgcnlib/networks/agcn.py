"""Adaptive graph networks: AGCN of 2s-AGCN (Shi et al., CVPR 2019) and AAGCN (Shi et al., IEEE TIP 2020).

The graph is learned: a matrix per block, and one per recording from how alike joints are. AAGCN adds attention
over joints, frames and channels. Only one stream is here; bones and motion are transforms of the data.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from stgcnlib.networks.recognizer import Block, BlockPlan, PlannedRecognizer, fresh_convolutions
from stgcnlib.networks.temporal import TemporalConv, widened

__all__ = ["AAGCN", "AGCN"]

EMBEDDING = 4  # output channels per channel of the embedding that joints are compared in
PARTITIONS = 3


class AdaptiveGraph(nn.Module):
    """Graph convolution over A + B + C: the skeleton, a learned graph, and the joints' likeness in this input."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        embedding = max(1, channels_out // EMBEDDING)
        self.PA = self.learned_graph(A)
        self.conv_a = nn.ModuleList([nn.Conv2d(channels_in, embedding, 1) for _ in range(PARTITIONS)])
        self.conv_b = nn.ModuleList([nn.Conv2d(channels_in, embedding, 1) for _ in range(PARTITIONS)])
        self.conv_d = nn.ModuleList([nn.Conv2d(channels_in, channels_out, 1) for _ in range(PARTITIONS)])
        self.down = widened(channels_in, channels_out)
        self.bn = nn.BatchNorm2d(channels_out)
        fresh_convolutions(self)
        nn.init.constant_(self.bn.weight, 1e-6)  # a fresh block starts as its shortcut

    def learned_graph(self, A: Tensor) -> nn.Parameter:
        """The learned graph B before training: almost zero, since the fixed A is added to it."""
        self.register_buffer("A", A.clone(), persistent=False)
        return nn.Parameter(torch.full_like(A, 1e-6))

    def likeness(self, part: int, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, V, V), how alike two joints are for one partition."""
        left, right = self.conv_a[part](x), self.conv_b[part](x)
        likeness: Tensor = torch.einsum("nctv,nctw->nvw", left, right) / (left.shape[1] * left.shape[2])
        return likeness

    def graph(self, part: int, likeness: Tensor) -> Tensor:
        """Likeness (N*M, V, V) of joints -> the graph of one partition, for each person."""
        A = self.get_buffer("A")
        return torch.softmax(likeness, dim=-2) + (A[part] + self.PA[part])

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        out: Tensor | None = None
        for part, d in enumerate(self.conv_d):
            mixed = x.flatten(1, 2) @ self.graph(part, self.likeness(part, x))
            term = d(mixed.view_as(x))
            out = term if out is None else out + term
        return torch.relu(self.bn(out) + self.down(x))


class AttentiveGraph(AdaptiveGraph):
    """AAGCN's graph convolution: the learned graph starts as the skeleton, likeness is gated, and attention follows."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__(channels_in, channels_out, A)
        self.alpha = nn.Parameter(torch.zeros(1))
        joints = A.shape[-1]
        kernel = joints - 1 + joints % 2
        self.conv_sa = nn.Conv1d(channels_out, 1, kernel, padding=(kernel - 1) // 2)
        self.conv_ta = nn.Conv1d(channels_out, 1, 9, padding=4)
        self.fc1c = nn.Linear(channels_out, max(1, channels_out // 2))
        self.fc2c = nn.Linear(max(1, channels_out // 2), channels_out)
        nn.init.xavier_normal_(self.conv_sa.weight)
        nn.init.kaiming_normal_(self.fc1c.weight)
        for layer in (self.conv_ta, self.fc2c):
            nn.init.zeros_(layer.weight)
        for biased in (self.conv_sa, self.conv_ta, self.fc1c, self.fc2c):
            if biased.bias is not None:
                nn.init.zeros_(biased.bias)

    def learned_graph(self, A: Tensor) -> nn.Parameter:
        """The learned graph before training: the skeleton."""
        return nn.Parameter(A.clone())

    def graph(self, part: int, likeness: Tensor) -> Tensor:
        """Likeness (N*M, V, V) of joints -> the graph of one partition, for each person."""
        return self.PA[part] + torch.tanh(likeness) * self.alpha

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        x = super().forward(x)
        joints = torch.sigmoid(self.conv_sa(x.mean(dim=2)))
        x = x * joints[:, :, None, :] + x
        frames = torch.sigmoid(self.conv_ta(x.mean(dim=3)))
        x = x * frames[:, :, :, None] + x
        channels = torch.sigmoid(self.fc2c(torch.relu(self.fc1c(x.mean(dim=(2, 3))))))
        return x * channels[:, :, None, None] + x


class AGCN(PlannedRecognizer):
    """Ten blocks with a learned graph and one from the likeness of joints (Shi et al., CVPR 2019).

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published); they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1.
        LayoutError: if the layout is unknown.
    """

    graph_convolution: ClassVar[type[AdaptiveGraph]] = AdaptiveGraph

    def block(self, plan: BlockPlan, A: Tensor) -> Block:
        """The family's graph convolution, then nine frames at a time."""
        gcn = self.graph_convolution(plan.channels_in, plan.channels_out, A)
        block = Block(gcn, TemporalConv(plan.channels_out, plan.channels_out, stride=plan.stride), plan)
        fresh_convolutions(block.tcn1)
        fresh_convolutions(block.residual)
        return block


class AAGCN(AGCN):
    """AGCN with a gated likeness and attention over joints, frames and channels (Shi et al., IEEE TIP 2020).

    Arguments, errors and attributes are those of `AGCN`.
    """

    graph_convolution = AttentiveGraph
