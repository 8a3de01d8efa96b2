"""Temporal convolutions that several families share, and the shortcuts around blocks.

They do not mix joints, and turn T frames into ceil(T / stride).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["MultiScaleTemporal", "NoShortcut", "TemporalConv", "shortcut", "widened"]


class TemporalConv(nn.Module):
    """Convolution over frames, then batch norm."""

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel: int = 9, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        padding = (kernel - 1) * dilation // 2
        self.conv = nn.Conv2d(
            channels_in, channels_out, (kernel, 1), stride=(stride, 1), padding=(padding, 0), dilation=(dilation, 1)
        )
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        out: Tensor = self.bn(self.conv(x))
        return out


class NoShortcut(nn.Module):
    """Adds nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """A zero that any tensor can be added to."""
        return x.new_zeros(())


def shortcut(channels_in: int, channels_out: int, *, stride: int, residual: bool = True) -> nn.Module:
    """The shortcut around a block: nothing, the input itself, or a 1x1 convolution where the shape changes."""
    if not residual:
        return NoShortcut()
    if channels_in == channels_out and stride == 1:
        return nn.Identity()
    return TemporalConv(channels_in, channels_out, kernel=1, stride=stride)


def widened(channels_in: int, channels_out: int) -> nn.Module:
    """The shortcut around a graph convolution: the input itself, or widened by a 1x1 convolution and batch norm."""
    if channels_in == channels_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1), nn.BatchNorm2d(channels_out))


class MultiScaleTemporal(nn.Module):
    """Parallel branches side by side: dilated convolutions, a maximum over three frames, a plain 1x1 convolution.

    MS-G3D's temporal module (Liu et al., CVPR 2020, section 4.2); CTR-GCN uses it with fewer and wider branches.

    Raises:
        ValueError: if the output channels cannot be divided evenly among the branches.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        dilations: Sequence[int] = (1, 2, 3, 4),
        residual: bool = True,
        activation: bool = True,
    ) -> None:
        super().__init__()
        count = len(dilations) + 2
        if channels_out % count:
            raise ValueError(f"{channels_out} channels do not divide into {count} branches; choose another width")
        channels = channels_out // count

        def entry() -> list[nn.Module]:
            return [nn.Conv2d(channels_in, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()]

        branches = [
            nn.Sequential(*entry(), TemporalConv(channels, channels, kernel=kernel, stride=stride, dilation=dilation))
            for dilation in dilations
        ]
        pool = nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0))
        branches.append(nn.Sequential(*entry(), pool, nn.BatchNorm2d(channels)))
        branches.append(
            nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=(stride, 1)), nn.BatchNorm2d(channels))
        )
        self.branches = nn.ModuleList(branches)
        self.residual = shortcut(channels_in, channels_out, stride=stride, residual=residual)
        self.activation = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        out: Tensor = torch.cat([branch(x) for branch in self.branches], dim=1) + self.residual(x)
        out = self.activation(out)
        return out
