"""DeGCN (Myung et al., IEEE TIP 2024), as released: frames are read at learned places, in streams that share the input.

The released code does not have the paper's deformable graph convolution, but CTR-GCN's in groups of channels. The
released weights belong to that code, and this network follows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import directed_adjacency
from stgcnlib.networks.recognizer import BlockPlan, Recognizer, block_plan, fresh_head, halving_option
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["DeGCN"]

SCALES = 4  # groups of channels with a graph each, and temporal branches
SLOPE = 0.1  # of leaky ReLU
KERNEL = 5  # before training, the places span so many frames, which are 1 or 2 apart
COMPARED = 8  # input channels per channel in which joints are compared


class PointConv(nn.Module):
    """1x1 convolution in groups, then batch norm."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 1, stride=(stride, 1), groups=groups)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        out: Tensor = self.bn(self.conv(x))
        return out


class PlainGraph(nn.Module):
    """The first block's graph convolution: learned graphs that start as the skeleton."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        self.A = nn.Parameter(A.clone())
        self.conv = nn.Conv2d(channels_in, channels_out * len(A), 1)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        parts = self.conv(x).unflatten(1, (len(self.A), -1))
        out: Tensor = self.bn(torch.einsum("hvu,nhctu->nctv", self.A, parts))
        return out


class GroupedGraph(nn.Module):
    """CTR-GCN's refined graphs, in groups of channels."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor, *, scales: int) -> None:
        super().__init__()
        self.scales = scales
        self.A = nn.Parameter(A.clone())
        parts, compared = len(A), _compared(channels_in)
        self.conv1 = nn.Conv2d(channels_in, compared * parts, 1, groups=scales)
        self.conv2 = nn.Conv2d(channels_in, compared * parts, 1, groups=scales)
        self.conv3 = nn.Conv2d(channels_in, channels_out * parts, 1, groups=scales)
        self.conv4 = nn.Conv2d(compared * parts, channels_out * parts, 1, groups=scales * parts)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.bn = nn.BatchNorm2d(channels_out)

    def graph(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, scales, parts, C'', V, V), the weight of joint u for joint v at [v, u]."""
        one, other = self.conv1(x).mean(dim=2), self.conv2(x).mean(dim=2)
        refined = self.conv4(torch.tanh(one[:, :, :, None] - other[:, :, None, :]))
        graph: Tensor = refined.unflatten(1, (self.scales, len(self.A), -1)) * self.alpha + self.A[:, None]
        return graph

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        parts = self.conv3(x).unflatten(1, (self.scales, len(self.A), -1))
        mixed = torch.einsum("ngacvu,ngactu->ngctv", self.graph(x), parts)
        out: Tensor = self.bn(mixed.flatten(1, 2))
        return out


class LearnedPlaces(nn.Module):
    """Frames at learned distances from each (linear between frames; the ends repeat), then a convolution over them."""

    def __init__(self, channels: int, *, places: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.stride = stride
        reach = (KERNEL - 1) * dilation / 2
        self.tr = nn.Parameter(torch.linspace(-reach, reach, places))
        self.conv_out = nn.Sequential(nn.Conv3d(channels, channels, (places, 1, 1)), nn.BatchNorm3d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        N, C, T, V = x.shape
        start = torch.arange(0, T, self.stride, dtype=x.dtype, device=x.device)
        place = (start + self.tr[:, None]).flatten()
        whole = place.detach().floor()
        share, before = (place - whole)[:, None], whole.long()

        def frames(at: Tensor) -> Tensor:
            return x.gather(2, at.clamp(0, T - 1)[None, None, :, None].expand(N, C, -1, V))

        read = (1 - share) * frames(before) + share * frames(before + 1)
        out: Tensor = self.conv_out(read.unflatten(2, (len(self.tr), -1))).squeeze(2)
        return out


class PlacedTemporal(nn.Module):
    """Two branches with learned places, a maximum over three frames, and a plain convolution, side by side."""

    def __init__(self, channels: int, *, places: int, stride: int) -> None:
        super().__init__()
        each = channels // SCALES

        def entry() -> tuple[nn.Module, nn.Module]:
            return PointConv(channels, each), nn.LeakyReLU(SLOPE)

        self.tcn1 = nn.Sequential(*entry(), LearnedPlaces(each, places=places, stride=stride, dilation=1))
        self.tcn2 = nn.Sequential(*entry(), LearnedPlaces(each, places=places, stride=stride, dilation=2))
        pool = nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))
        self.maxpool3x1 = nn.Sequential(*entry(), pool, nn.BatchNorm2d(each))
        self.conv1x1 = PointConv(channels, each, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        return torch.cat([self.tcn1(x), self.tcn2(x), self.maxpool3x1(x), self.conv1x1(x)], dim=1)


class PlacedBlock(nn.Module):
    """A graph convolution and temporal branches, each with a shortcut."""

    def __init__(self, plan: BlockPlan, A: Tensor, *, places: int) -> None:
        super().__init__()
        before, after, stride, residual = plan
        # The first block reads coordinates and has no groups.
        scales = math.gcd(SCALES, _compared(before)) if residual else 1
        self.gcn = GroupedGraph(before, after, A, scales=scales) if residual else PlainGraph(before, after, A)
        self.tcn = PlacedTemporal(after, places=places, stride=stride)
        self.residual1 = None if before == after else PointConv(before, after, groups=scales)
        self.shortcut = residual
        changes = residual and (before != after or stride > 1)
        self.residual2 = PointConv(before, after, stride=stride, groups=scales) if changes else None
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.Conv3d)):
                nn.init.kaiming_normal_(part.weight, a=SLOPE, mode="fan_out", nonlinearity="leaky_relu")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        mixed = self.gcn(x) + (x if self.residual1 is None else self.residual1(x))
        out = self.tcn(nn.functional.leaky_relu(mixed, SLOPE))
        if self.shortcut:
            out = out + (x if self.residual2 is None else self.residual2(x))
        return nn.functional.leaky_relu(out, SLOPE)


def _compared(channels: int) -> int:
    return max(1, channels // COMPARED)


class DeGCN(Recognizer):
    """Streams of ten blocks over the same input, each with a head; their scores are added.

    `layer_names` are the blocks of the first stream; the others are chosen by name, as with ``layers="streams.1.*"``.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first blocks (64 as published), a multiple of 4; they double at each temporal stride.
        depth: number of blocks (10 as published), strides as in `block_plan`.
        streams: number of streams (2 as published).
        places: number of places in time that each frame is computed from (4 as published).
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve and channels double, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1, or the width is no multiple of 4.
        LayoutError: if the layout is unknown.
    """

    fc: nn.ModuleList  # type: ignore[assignment]

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 64,
        depth: int = 10,
        streams: int = 2,
        places: int = 4,
        people: int = 2,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "width": width, "depth": depth, "streams": streams, "places": places, "people": people, "dropout": dropout,
        }  # fmt: skip
        options |= halving_option(halvings)
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        if width % SCALES:
            raise ValueError(f"{width} channels do not divide into {SCALES} branches; choose another width")
        A = torch.from_numpy(directed_adjacency(self.layout))
        plans = list(block_plan(channels, width, depth, halvings))
        names = [f"block-{index}_tcngcn" for index in range(depth)]
        self.streams = nn.ModuleList()
        for _ in range(streams):
            stream = nn.Sequential()
            for name, plan in zip(names, plans, strict=True):
                stream.add_module(name, PlacedBlock(plan, A, places=places))
            self.streams.append(stream)
        self.layer_names = tuple(f"streams.0.{name}" for name in names)
        self.fc = nn.ModuleList([fresh_head(plans[-1].channels_out, classes) for _ in range(streams)])

    def reset_head(self, classes: int) -> None:
        """Replace the classifiers by fresh ones for so many classes; everything before them stays."""
        weight = self.get_parameter("fc.0.weight")
        fresh = [fresh_head(weight.shape[1], classes).to(weight.device, weight.dtype) for _ in self.fc]
        self.fc = nn.ModuleList(fresh)
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) coordinates -> (N, classes) scores; absent people are zeros."""
        N, C, T, V, M = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(N, M, V * C, T))
        x = x.view(N * M, V, C, T).permute(0, 2, 3, 1).contiguous()
        scores: list[Tensor] = []
        for stream, head in zip(self.streams, self.fc, strict=True):
            pooled = stream(x).mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)
            scores.append(head(self.drop(pooled)))
        return torch.stack(scores).sum(dim=0)
