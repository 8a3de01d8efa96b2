"""HD-GCN (Lee et al., ICCV 2023): joints by their distance from a centre of mass, each group joined to all of the next.

A block mixes joints level by level, adds an edge convolution over joints with similar features, whatever the bones,
and weighs the levels by attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import hierarchical_adjacency, hierarchy, trunk_joint
from stgcnlib.networks.recognizer import Block, Recognizer, block_plan, fresh_convolutions, fresh_head, halving_option
from stgcnlib.networks.temporal import MultiScaleTemporal, widened
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["HDGCN", "told_centre"]

PARTS = 4  # of a level's channels: the joint itself, outwards, inwards, and the edge convolution
NEIGHBOURS = 5  # joints that an edge convolution looks at, the joint itself included
LEVEL_NEIGHBOURS = 3  # levels that the attention looks at
LIKELY, LEAST = 1.5, 0.2  # least ratio of the best centre's similarity to the second's, and least similarity


class EdgeConv(nn.Module):
    """For each point, the maximum over its nearest points of a convolution of their difference and the point itself.

    Nearest points are those with the most similar features.
    """

    def __init__(self, channels: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.conv = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)
        )
        fresh_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """Points (N, C, P) -> (N, C, P)."""
        products = x.detach().transpose(1, 2) @ x.detach()
        squares = x.detach().square().sum(dim=1)
        distances = squares[:, :, None] + squares[:, None, :] - 2 * products
        nearest = distances.topk(min(self.neighbours, x.shape[2]), dim=2, largest=False).indices
        points = x[:, :, :, None].expand(-1, -1, -1, nearest.shape[2])
        every = x[:, :, None, :].expand(-1, -1, x.shape[2], -1)
        others = every.gather(3, nearest[:, None].expand(-1, x.shape[1], -1, -1))
        found: Tensor = self.conv(torch.cat([others - points, points], dim=1))
        return found.amax(dim=3)


class LevelAttention(nn.Module):
    """A weight for each channel of each level, from the level's joints and from the levels most alike."""

    member: Tensor

    def __init__(self, channels: int, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        inner = channels // PARTS
        member = torch.zeros(len(groups) - 1, sum(map(len, groups)))
        for level in range(len(groups) - 1):
            both = [*groups[level], *groups[level + 1]]
            member[level, both] = 1
        self.register_buffer("member", member, persistent=False)
        self.conv_down = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner), nn.ReLU())
        self.edge_conv = EdgeConv(inner, LEVEL_NEIGHBOURS)
        self.aggregate = nn.Conv1d(inner, channels, 1)
        fresh_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, L, T, V) -> (N*M, C, T, V)."""
        reduced = self.conv_down(x.amax(dim=3))
        levels = (reduced * self.member).sum(dim=3) / self.member.sum(dim=1)
        weights = torch.sigmoid(self.aggregate(self.edge_conv(levels)))
        return (x * weights[:, :, :, None, None]).sum(dim=2)


class HierarchicalGraph(nn.Module):
    """The levels of the hierarchy side by side, then summed or weighed, with a shortcut."""

    def __init__(
        self, channels_in: int, channels_out: int, groups: Sequence[Sequence[int]], *, attention: bool
    ) -> None:
        super().__init__()
        inner = channels_out // PARTS
        self.PA = nn.Parameter(torch.from_numpy(hierarchical_adjacency(groups)))
        self.conv_down = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(channels_in, inner, 1), nn.BatchNorm2d(inner), nn.ReLU()) for _ in self.PA]
        )
        self.conv = nn.ModuleList(
            [
                nn.ModuleList(
                    [
                        *(nn.Sequential(nn.Conv2d(inner, inner, 1), nn.BatchNorm2d(inner)) for _ in range(PARTS - 1)),
                        EdgeConv(inner, NEIGHBOURS),
                    ]
                )
                for _ in self.PA
            ]
        )
        self.aha = LevelAttention(channels_out, groups) if attention else None
        self.down = widened(channels_in, channels_out)
        self.bn = nn.BatchNorm2d(channels_out)
        fresh_convolutions(self)
        nn.init.constant_(self.bn.weight, 1e-6)  # a fresh block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        levels = []
        for A, reduce, convs in zip(self.PA, self.conv_down, self.conv, strict=True):
            assert isinstance(convs, nn.ModuleList)
            reduced = reduce(x)
            *parts, edges = convs
            found = [conv(reduced @ graph.T) for conv, graph in zip(parts, A, strict=True)]
            alike = edges(reduced.mean(dim=2))
            levels.append(torch.cat([*found, alike[:, :, None, :].expand_as(reduced)], dim=1))
        stacked = torch.stack(levels, dim=2)
        mixed = stacked.sum(dim=2) if self.aha is None else self.aha(stacked)
        return torch.relu(self.bn(mixed) + self.down(x))


def told_centre(state: Mapping[str, Tensor], skeleton: SkeletonLayout) -> int | None:
    """The centre of mass that a checkpoint's graphs started from, or `None` if they don't tell.

    Training moves the graphs, but they stay much more like those that they started from than like those of any other
    joint (2.1 times, by cosine, after a training that moved entries by 0.6).
    """
    graphs = [value.float() for key, value in state.items() if key.endswith("gcn1.PA") and value.ndim == 4]
    if not graphs or any(graph.shape != graphs[0].shape for graph in graphs):
        return None
    found = torch.stack(graphs).mean(dim=0).flatten()
    alike = torch.zeros(len(skeleton))
    for joint in range(len(skeleton)):
        start = torch.from_numpy(hierarchical_adjacency(hierarchy(skeleton, joint, len(graphs[0]))))
        if start.shape == graphs[0].shape:
            alike[joint] = torch.cosine_similarity(found, start.flatten(), dim=0)
    best, second = alike.topk(2).values.tolist() if len(skeleton) > 1 else (0.0, 0.0)
    return int(alike.argmax()) if best > max(LIKELY * second, LEAST) else None


class HDGCN(Recognizer):
    """Ten blocks over a hierarchy of joints; the first one has no attention.

    The authors train three networks, with the centre of mass at the belly, the chest and the hip, and add their
    scores. No shape of a checkpoint says which one it is, but its graphs do (`told_centre`).

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published), a multiple of 4; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        centre: joint from which distances count; `None` means the layout's centre, else `trunk_joint`.
            `load_network` takes the checkpoint's.
        levels: pairs of neighbouring groups, at most (6 as published; joints further out are in the last group).
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1, the width is no multiple of 4, or the centre is no joint.
        LayoutError: if the layout is unknown, or has only one joint.
    """

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 64,
        depth: int = 10,
        centre: int | None = None,
        levels: int = 6,
        people: int = 2,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        options = {"width": width, "depth": depth, "levels": levels, "people": people, "dropout": dropout}
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        if centre is None:
            centre = trunk_joint(self.layout) if self.layout.centre is None else self.layout.centre
        if not 0 <= centre < len(self.layout):
            raise ValueError(f"centre is {centre}; the layout has joints 0 to {len(self.layout) - 1}")
        groups = hierarchy(self.layout, centre, levels)
        self.options = {**options, "levels": len(groups) - 1, "centre": centre}
        self.options |= halving_option(halvings)
        self.layer_names = tuple(f"l{index + 1}" for index in range(depth))
        features = channels
        for name, plan in zip(self.layer_names, block_plan(channels, width, depth, halvings), strict=True):
            features = plan.channels_out
            gcn = HierarchicalGraph(plan.channels_in, features, groups, attention=plan.residual)
            tcn = MultiScaleTemporal(
                features, features, kernel=5, stride=plan.stride, dilations=(1, 2), residual=False, activation=False
            )
            block = Block(gcn, tcn, plan)
            fresh_convolutions(block.tcn1)
            fresh_convolutions(block.residual)
            self.add_module(name, block)
        self.fc = fresh_head(features, classes)
