"""BlockGCN (Zhou et al., CVPR 2024): heads of channels with a graph each, and the shape of the whole pose beside them.

A graph has a weight for each number of bones between two joints. The shape is described by the edge lengths of a
spanning tree over the joints (their persistent homology in dimension 0), and is added to the input of every block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import hop_index
from stgcnlib.networks.recognizer import (
    Block,
    BlockPlan,
    PeopleNorm,
    Recognizer,
    fresh_convolutions,
    fresh_head,
    halving_blocks,
    halving_option,
)
from stgcnlib.networks.temporal import MultiScaleTemporal, widened
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["BlockGCN", "spanning_tree_lengths"]

PARTITIONS = 3
HEADS = 8
ELEMENTS = 64  # learned places that the lengths of the spanning tree are compared with
SMALLEST = 1e-4  # added to norms, as published


def spanning_tree_lengths(distances: Tensor) -> Tensor:
    """Lengths of the edges of minimum spanning trees, in the order in which they join (Prim, 1957).

    Args:
        distances: (N, V, V), symmetric.

    Returns:
        (N, V - 1), differentiable by the distances.
    """
    N, V, _ = distances.shape
    rows = torch.arange(N, device=distances.device)
    joined = torch.zeros(N, V, dtype=torch.bool, device=distances.device)
    joined[:, 0] = True
    nearest = distances[:, 0]  # of each joint, its distance from the tree
    lengths = []
    for _ in range(V - 1):
        found = nearest.detach().masked_fill(joined, math.inf).argmin(dim=1)
        lengths.append(nearest[rows, found])
        joined = joined.index_put((rows, found), torch.tensor(data=True, device=joined.device))
        nearest = torch.minimum(nearest, distances[rows, found])
    return torch.stack(lengths, dim=1) if lengths else distances.new_zeros(N, 0)


class StructureElements(nn.Module):
    """How many points of a diagram lie near each of some learned places, where nearness is learned too."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.rand(elements, 2))
        self.sharpness = nn.Parameter(torch.full((elements, 2), 3.0))

    def forward(self, lengths: Tensor) -> Tensor:
        """Points (0, length) of (N, P) lengths -> (N, elements)."""
        born, gone = self.centres.square().unbind(dim=1)[0], lengths[:, None] - self.centres[:, 1:]
        sharp = self.sharpness.square()
        return torch.exp(-(born * sharp[:, 0])[:, None] - gone.square() * sharp[:, 1:]).sum(dim=2)


class Topology(nn.Module):
    """The shape of a recording's mean pose, whatever its size and place."""

    def __init__(self) -> None:
        super().__init__()
        self.pl = StructureElements(ELEMENTS)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) -> (N, elements)."""
        pose = x.mean(dim=4).mean(dim=2).transpose(1, 2)
        distances = torch.linalg.vector_norm(pose[:, :, None] - pose[:, None], dim=3)
        distances = distances / distances.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        # As published, the rows of the distances are the points of the diagram.
        between = torch.linalg.vector_norm(distances[:, :, None] - distances[:, None], dim=3)
        found: Tensor = self.pl(spanning_tree_lengths(between))
        return found


class ShapeBias(nn.Module):
    """The shape as a value to add to each channel of a block's input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Linear(ELEMENTS, channels)
        self.bn = nn.BatchNorm1d(channels)

    def forward(self, shape: Tensor) -> Tensor:
        """(N*M, elements) -> (N*M, C, 1, 1)."""
        return torch.relu(self.bn(self.mlp(shape)))[:, :, None, None]


class HeadsGraph(nn.Module):
    """Three partitions, each with a learned graph and a weight per number of bones for each head of channels."""

    hops: Tensor

    def __init__(self, channels_in: int, channels_out: int, hops: Tensor, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.register_buffer("hops", hops.clone(), persistent=False)
        self.fc1 = nn.Parameter(torch.eye(len(hops)).repeat(PARTITIONS, heads, 1, 1))
        self.rpe = nn.Parameter(torch.zeros(PARTITIONS, heads, int(hops.max()) + 1))
        self.fc2 = nn.ModuleList([nn.Conv2d(channels_in, channels_out, 1, groups=heads) for _ in range(PARTITIONS)])
        self.down = widened(channels_in, channels_out)
        self.bn = nn.BatchNorm2d(channels_out)
        fresh_convolutions(self)
        nn.init.constant_(self.bn.weight, 1e-6)  # a fresh block starts as its shortcut

    def graphs(self) -> Tensor:
        """(partitions, heads, V, V), the weight of joint v for joint w at [v, w]."""
        return _normalised(self.fc1) + _normalised(self.rpe[:, :, self.hops])

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        split = x.unflatten(1, (self.heads, -1))
        out: Tensor | None = None
        for graph, conv in zip(self.graphs(), self.fc2, strict=True):
            term = conv(torch.einsum("nhctv,hvw->nhctw", split, graph).flatten(1, 2))
            out = term if out is None else out + term
        return torch.relu(self.bn(out) + self.down(x))


def _normalised(graph: Tensor) -> Tensor:
    """Columns of length 1."""
    lengths: Tensor = torch.linalg.vector_norm(graph, dim=-2, keepdim=True)
    return graph / (lengths + SMALLEST)


class BlockGCN(Recognizer):
    """Ten blocks of heads; coordinates are embedded first.

    The published code computes the shape from the joints, even for a network that reads bones or motion. Here it is
    computed from what the network reads, so only networks of joints give their published scores. The published code
    divides distances by the largest one of the batch; here each recording is divided by its own, as in batches of one.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (128 as published), a multiple of 4; they double once.
        heads: groups of channels with graphs of their own; `None` means 8 as published, or fewer that divide the width.
        depth: number of blocks (10 as published).
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve, counted from 1; channels double at the first of them. `None` means as
            in `block_plan`.

    Raises:
        ValueError: if a number is below 1, or the width does not divide.
        LayoutError: if the layout is unknown.
    """

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 128,
        heads: int | None = None,
        depth: int = 10,
        people: int = 2,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        heads = math.gcd(HEADS, width) if heads is None else heads
        options: dict[str, Any] = {
            "width": width, "heads": heads, "depth": depth, "people": people, "dropout": dropout,
        }  # fmt: skip
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        if width % heads:
            raise ValueError(f"width is {width}; it must be a multiple of the {heads} heads")
        self.options = options | halving_option(halvings)
        self.data_bn = PeopleNorm(width * len(self.layout), people)
        self.to_joint_embedding = nn.Linear(channels, width)
        self.pos_embedding = nn.Parameter(torch.randn(1, len(self.layout), width))
        self.topo = Topology()
        hops = torch.from_numpy(hop_index(self.layout))
        strided = halving_blocks(depth, halvings)
        self.layer_names = tuple(f"l{block}" for block in range(1, depth + 1))
        before = width
        for block, name in enumerate(self.layer_names, start=1):
            after = 2 * width if strided and block >= strided[0] else width
            plan = BlockPlan(before, after, 2 if block in strided else 1, residual=True)
            tcn = MultiScaleTemporal(
                after, after, kernel=5, stride=plan.stride, dilations=(1, 2), residual=False, activation=False
            )
            made = Block(HeadsGraph(before, after, hops, heads=heads), tcn, plan)
            fresh_convolutions(made.tcn1)
            fresh_convolutions(made.residual)
            self.add_module(name, made)
            self.add_module(f"t{block - 1}", ShapeBias(before))
            before = after
        self.fc = fresh_head(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) coordinates -> (N, classes) scores; absent people are zeros."""
        N, _, T, V, M = x.shape
        shape = self.topo(x).repeat_interleave(M, dim=0)
        x = self.to_joint_embedding(x.permute(0, 4, 2, 3, 1)) + self.pos_embedding
        x = self.data_bn(x.permute(0, 1, 3, 4, 2).reshape(N, M, -1, T))
        x = x.reshape(N * M, V, -1, T).permute(0, 2, 3, 1).contiguous()
        for index, name in enumerate(self.layer_names):
            x = self.get_submodule(name)(x + self.get_submodule(f"t{index}")(shape))
        scores: Tensor = self.fc(self.drop(x.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)))
        return scores
