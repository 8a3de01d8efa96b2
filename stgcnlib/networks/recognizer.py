"""What the networks of the zoo share: how they read a batch, name their layers, pool, and classify.

A family adds its blocks. ST-GCN does not use these classes, since its published head is a convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stgcnlib.errors import SequenceError
from stgcnlib.networks.graph import directed_adjacency
from stgcnlib.networks.temporal import shortcut
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = [
    "Block", "BlockPlan", "PeopleNorm", "PlannedRecognizer", "Recognizer", "block_plan", "fresh_convolutions",
    "fresh_head", "halving_blocks", "halving_option",
]  # fmt: skip


class BlockPlan(NamedTuple):
    """Channels in and out of a block, its temporal stride, and whether a shortcut goes around it."""

    channels_in: int
    channels_out: int
    stride: int
    residual: bool


def halving_blocks(depth: int, halvings: Sequence[int] | None = None) -> tuple[int, ...]:
    """Blocks with temporal stride 2, counted from 1: those given, or those of `block_plan`.

    Raises:
        ValueError: if `halvings` are not blocks from the 2nd on, in rising order.
    """
    if halvings is None:
        return tuple(sorted({4 * depth // 10 + 1, 7 * depth // 10 + 1} - {1}))
    if list(halvings) != sorted({block for block in halvings if 2 <= block <= depth}):
        raise ValueError(f"halvings are {list(halvings)}; give blocks from 2 to {depth}, each once, in rising order")
    return tuple(halvings)


def halving_option(halvings: Sequence[int] | None) -> dict[str, tuple[int, ...]]:
    """The option that rebuilds a network with these halvings; empty for `None`, those of `block_plan`."""
    return {} if halvings is None else {"halvings": tuple(halvings)}


def block_plan(channels: int, width: int, depth: int, halvings: Sequence[int] | None = None) -> Iterator[BlockPlan]:
    """The plan of ST-GCN's blocks, which most later networks use too: channels double where frames halve.

    Args:
        channels: coordinates per joint.
        width: channels of the first blocks.
        depth: number of blocks.
        halvings: blocks with stride 2, counted from 1. `None` means blocks ``4 * depth // 10 + 1`` and
            ``7 * depth // 10 + 1`` (the 5th and 8th of ten), never the first, which has no shortcut.

    Raises:
        ValueError: if `halvings` are not blocks from the 2nd on, in rising order.
    """
    strided = halving_blocks(depth, halvings)
    channels_in, channels_out = channels, width
    for index in range(depth):
        stride = 2 if index + 1 in strided else 1
        channels_out *= stride
        yield BlockPlan(channels_in, channels_out, stride, residual=index > 0)
        channels_in = channels_out


class PeopleNorm(nn.BatchNorm1d):
    """Batch norm of each coordinate of each joint, with statistics of each person or one set for all people.

    Args:
        features: joints times channels.
        people: number of people with statistics of their own; a batch has at most so many. With fewer people in a
            batch, the statistics of the others stay as they are. `None` means that all people share one set.
    """

    def __init__(self, features: int, people: int | None) -> None:
        super().__init__(features * (people or 1))
        self.features = features
        self.people = people

    def forward(self, input: Tensor) -> Tensor:
        """(N, M, V*C, T) -> the same, normalised.

        Raises:
            SequenceError: if there are more people than statistics.
        """
        if self.people is None:
            return super().forward(input.flatten(0, 1)).view_as(input)
        M = input.shape[1]
        if self.people < M:
            raise SequenceError(
                f"the network is for {self.people} people at most, a recording has {M}; "
                f"load a network with people={M}, or keep the main people of each recording"
            )
        if self.people == M:
            return super().forward(input.flatten(1, 2)).view_as(input)
        used = slice(0, M * self.features)
        assert self.running_mean is not None
        assert self.running_var is not None
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # the plain mean of all batches, as in torch
                momentum = 1.0 / float(self.num_batches_tracked)
        out = nn.functional.batch_norm(
            input.flatten(1, 2),
            self.running_mean[used],
            self.running_var[used],
            self.weight[used],
            self.bias[used],
            self.training,
            momentum or 0.0,
            self.eps,
        )
        return out.view_as(input)


class Recognizer(nn.Module):
    """Batches (N, C, T, V, M) -> class scores: norm, blocks, mean over frames, joints and people, linear head.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        people: number of people with input statistics of their own (2 as published); `None`: all share one set.
        dropout: share of the pooled features dropped in training.
        options: the keyword arguments that rebuild the network.

    Raises:
        ValueError: if a number is below 1.
        LayoutError: if the layout is unknown.

    Attributes:
        layer_names: module name of each layer in forward order; its output is (N*M, C_l, T_l, V).
    """

    layer_names: tuple[str, ...] = ()
    fc: nn.Linear

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int,
        *,
        people: int | None,
        dropout: float,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        for name, value in {"classes": classes, "channels": channels, **options}.items():
            if name not in ("dropout", "halvings") and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        self.layout = layout(skeleton)
        self.classes = classes
        self.channels = channels
        self.options: Mapping[str, Any] = dict(options)
        self.data_bn = PeopleNorm(channels * len(self.layout), people)
        self.drop = nn.Dropout(dropout)

    def reset_head(self, classes: int) -> None:
        """Replace the classifier by a fresh one for so many classes; everything before it stays."""
        weight = self.fc.weight
        self.fc = fresh_head(self.fc.in_features, classes).to(weight.device, weight.dtype)
        self.classes = classes

    def features(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) normalised coordinates -> the last layer's output (N*M, C', T', V)."""
        for name in self.layer_names:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) coordinates -> (N, classes) scores; absent people are zeros."""
        N, C, T, V, M = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(N, M, V * C, T))
        x = self.features(x.view(N * M, V, C, T).permute(0, 2, 3, 1).contiguous())
        scores: Tensor = self.fc(self.drop(x.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)))
        return scores


class Block(nn.Module):
    """A module that mixes joints, then one that mixes frames, with a shortcut around both; named as in 2s-AGCN."""

    def __init__(self, gcn: nn.Module, tcn: nn.Module, plan: BlockPlan) -> None:
        super().__init__()
        self.gcn1 = gcn
        self.tcn1 = tcn
        self.residual = shortcut(plan.channels_in, plan.channels_out, stride=plan.stride, residual=plan.residual)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        return torch.relu(self.tcn1(self.gcn1(x)) + self.residual(x))


class PlannedRecognizer(Recognizer):
    """Blocks l1, l2, … as in `block_plan`; each family defines its `block`.

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
        halvings: Sequence[int] | None = None,
    ) -> None:
        options: dict[str, Any] = {"width": width, "depth": depth, "people": people, "dropout": dropout}
        options |= halving_option(halvings)
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        A = torch.from_numpy(directed_adjacency(self.layout))
        self.layer_names = tuple(f"l{index + 1}" for index in range(depth))
        features = channels
        for name, plan in zip(self.layer_names, block_plan(channels, width, depth, halvings), strict=True):
            features = plan.channels_out
            self.add_module(name, self.block(plan, A))
        self.fc = fresh_head(features, classes)

    def block(self, plan: BlockPlan, A: Tensor) -> Block:
        """One block over the graph A (3, V, V): root, centripetal and centrifugal edges."""
        raise NotImplementedError


def fresh_head(features: int, classes: int) -> nn.Linear:
    """A classifier with weights of variance 2 / classes, as the authors of 2s-AGCN start it."""
    head = nn.Linear(features, classes)
    nn.init.normal_(head.weight, 0, math.sqrt(2 / classes))
    return head


@torch.no_grad()
def fresh_convolutions(module: nn.Module) -> None:
    """Initialise all 2-D convolutions of a module as He et al. (fan out), and their biases with 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
