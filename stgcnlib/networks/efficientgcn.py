"""EfficientGCN-B0 (Song et al., IEEE TPAMI 2022): three light input branches that are fused early.

The branches read joints, velocities and bones; all three are made here from the coordinates, so that the network
takes the same batches as the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import adjacency, parents, trunk_joint
from stgcnlib.networks.recognizer import fresh_convolutions
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = ["EfficientGCN"]

MAX_HOP = 3
PARTITIONS = 3  # the joint itself and those 1 and 2 bones away; those 3 away count in the norm only, as published
KERNEL = 5
BRANCHES = 3


class DistanceGraph(nn.Module):
    """One 1x1 convolution per distance, with a learned weight for every edge."""

    A: Tensor

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        self.register_buffer("A", A.clone())
        self.edge = nn.Parameter(torch.ones_like(A))
        self.gcn = nn.Conv2d(channels_in, channels_out * len(A), 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        parts = self.gcn(x).unflatten(1, (len(self.A), -1))
        return torch.einsum("nkctv,kvw->nctw", parts, self.A * self.edge)


class SpatialLayer(nn.Module):
    """Graph convolution, batch norm and Swish, with a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, A: Tensor) -> None:
        super().__init__()
        self.conv = DistanceGraph(channels_in, channels_out, A)
        self.bn = nn.BatchNorm2d(channels_out)
        self.residual = _fitted(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        return nn.functional.silu(self.bn(self.conv(x)) + self.residual(x))


class TemporalLayer(nn.Module):
    """Convolution over frames, batch norm and Swish, with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (KERNEL, 1), padding=(KERNEL // 2, 0))
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> the same shape."""
        return nn.functional.silu(self.bn(self.conv(x)) + x)


class SeparableTemporal(nn.Module):
    """Convolutions that widen the channels, mix the frames of each channel, and narrow them, with a shortcut."""

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__()
        inner = 2 * channels
        self.expand_conv = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.depth_conv = nn.Sequential(
            nn.Conv2d(inner, inner, (KERNEL, 1), stride=(stride, 1), padding=(KERNEL // 2, 0), groups=inner),
            nn.BatchNorm2d(inner),
        )
        self.point_conv = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))
        self.residual = _fitted(channels, channels, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        inner = nn.functional.silu(self.depth_conv(nn.functional.silu(self.expand_conv(x))))
        out: Tensor = self.point_conv(inner) + self.residual(x)
        return out


class JointFrameAttention(nn.Module):
    """A weight in 0 to 1 for each channel, frame and joint: one over frames times one over joints."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 4)
        self.fcn = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner), nn.Hardswish())
        self.conv_t = nn.Conv2d(inner, channels, 1)
        self.conv_v = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> the same shape."""
        T, V = x.shape[2:]
        frames, joints = x.mean(dim=3, keepdim=True), x.mean(dim=2, keepdim=True).transpose(2, 3)
        frames, joints = self.fcn(torch.cat([frames, joints], dim=2)).split([T, V], dim=2)
        return torch.sigmoid(self.conv_t(frames)) * torch.sigmoid(self.conv_v(joints.transpose(2, 3)))


class AttentionLayer(nn.Module):
    """Attention, batch norm and Swish, with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.att = JointFrameAttention(channels)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> the same shape."""
        return nn.functional.silu(self.bn(x * self.att(x)) + x)


class EfficientGCN(nn.Module):
    """Joint, velocity and bone branches, then a main stream that halves the frames twice.

    Relative positions start from the trunk joint, and bones lead to it: `trunk_joint` (NTU's "spine mid").

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the branches' stem (64 as published), a multiple of 4; other blocks have 3/4 and 1/2 of it
            in the branches, and 1 and 2 times it in the main stream.
        dropout: share of the pooled features dropped in training.

    Raises:
        ValueError: if a number is below 1, or the width is no multiple of 4.
        LayoutError: if the layout is unknown.

    Attributes:
        layer_names: the three branches, then the modules of the main stream; outputs are (N*M, C_l, T_l, V).
        options: the keyword arguments above that rebuild this network.
    """

    parent: Tensor

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, value in (("classes", classes), ("channels", channels), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if width % 4:
            raise ValueError(f"width is {width}; it must be a multiple of 4")
        self.layout = layout(skeleton)
        self.classes = classes
        self.channels = channels
        self.options: Mapping[str, Any] = {"width": width, "dropout": dropout}
        self.trunk = trunk_joint(self.layout)
        self.register_buffer("parent", torch.from_numpy(parents(self.layout, self.trunk)), persistent=False)
        A = torch.from_numpy(adjacency(self.layout, strategy="distance", max_hop=MAX_HOP)[:PARTITIONS])
        self.input_branches = nn.ModuleList([_branch(2 * channels, width, A) for _ in range(BRANCHES)])
        self.main_stream = _main_stream(BRANCHES * width // 2, width, A)
        self.classifier = nn.Sequential(OrderedDict(dropout=nn.Dropout(dropout), fc=nn.Conv3d(2 * width, classes, 1)))
        self.layer_names = (
            *(f"input_branches.{branch}" for branch in range(BRANCHES)),
            *(f"main_stream.{name}" for name, _ in self.main_stream.named_children()),
        )
        fresh_convolutions(self)

    def reset_head(self, classes: int) -> None:
        """Replace the classifier by a fresh one for so many classes; everything before it stays."""
        weight = self.classifier.get_parameter("fc.weight")
        fresh = nn.Conv3d(weight.shape[1], classes, 1, device=weight.device, dtype=weight.dtype)
        self.classifier.add_module("fc", fresh)
        self.classes = classes

    def inputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the branches read, each (N*M, 2*C, T, V), from coordinates (N*M, C, T, V).

        Joints: positions, and positions relative to the trunk. Velocities: to the next frame and to the one after it,
        zero in the last two frames. Bones: the step from the parent joint, and its angles (radians) to the axes.
        """
        joints = torch.cat([x, x - x[..., self.trunk, None]], dim=1)
        velocities = torch.zeros_like(joints)
        if x.shape[2] > 2:
            steps = torch.cat([x[:, :, 1:-1] - x[:, :, :-2], x[:, :, 2:] - x[:, :, :-2]], dim=1)
            velocities = torch.cat([steps, velocities[:, :, -2:]], dim=2)
        bone = x - x[..., self.parent]
        # The length is never zero, so that joints without a bone have angles of 90 degrees and finite gradients.
        length = torch.sqrt(bone.square().sum(dim=1, keepdim=True).clamp_min(1e-16)) + 1e-4
        bones = torch.cat([bone, torch.acos(bone / length)], dim=1)
        return joints, velocities, bones

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V, M) coordinates -> (N, classes) scores; absent people are zeros."""
        N, C, T, V, M = x.shape
        people = x.permute(0, 4, 1, 2, 3).reshape(N * M, C, T, V)
        branches = [branch(part) for branch, part in zip(self.input_branches, self.inputs(people), strict=True)]
        features = self.main_stream(torch.cat(branches, dim=1))
        pooled = features.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1)
        scores: Tensor = self.classifier(pooled[:, :, None, None, None]).flatten(1)
        return scores


def _fitted(channels_in: int, channels_out: int, *, stride: int = 1) -> nn.Module:
    if channels_in == channels_out and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride=(stride, 1)), nn.BatchNorm2d(channels_out))


def _branch(channels: int, width: int, A: Tensor) -> nn.Sequential:
    middle, last = 3 * width // 4, width // 2
    parts: dict[str, nn.Module] = {
        "init_bn": nn.BatchNorm2d(channels),
        "stem_scn": SpatialLayer(channels, width, A),
        "stem_tcn": TemporalLayer(width),
        "block-0_scn": SpatialLayer(width, middle, A),
        "block-0_att": AttentionLayer(middle),
        "block-1_scn": SpatialLayer(middle, last, A),
        "block-1_att": AttentionLayer(last),
    }
    return nn.Sequential(OrderedDict(parts))


def _main_stream(channels: int, width: int, A: Tensor) -> nn.Sequential:
    parts: dict[str, nn.Module] = {}
    for block, wide in enumerate((width, 2 * width)):
        parts[f"block-{block}_scn"] = SpatialLayer(channels, wide, A)
        parts[f"block-{block}_tcn-0"] = SeparableTemporal(wide, stride=2)
        parts[f"block-{block}_att"] = AttentionLayer(wide)
        channels = wide
    return nn.Sequential(OrderedDict(parts))
