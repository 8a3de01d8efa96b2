"""Shift-GCN (Cheng et al., CVPR 2020): joints and frames are mixed by moving channels, not by graphs.

Plain torch, no CUDA extension. The skeleton's bones are not used: the spatial shift is the non-local one, in which
every joint's channels are distributed over all joints in turn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stgcnlib.networks.recognizer import Block, BlockPlan, PlannedRecognizer, fresh_convolutions
from stgcnlib.networks.temporal import widened

__all__ = ["ShiftGCN"]


class SpatialShift(nn.Module):
    """Non-local shift of channels over joints, a linear map with a mask per joint, and the shift back."""

    shift_in: Tensor
    shift_out: Tensor

    def __init__(self, channels_in: int, channels_out: int, joints: int) -> None:
        super().__init__()
        self.Linear_weight = nn.Parameter(torch.randn(channels_in, channels_out) / math.sqrt(channels_out))
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, channels_out))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, joints, channels_in))
        # Channel c of joint v comes from joint v + c (around the end), and goes back there.
        place = torch.arange(joints * channels_in)
        self.register_buffer("shift_in", (place + place % channels_in * channels_in) % (joints * channels_in))
        place = torch.arange(joints * channels_out)
        self.register_buffer("shift_out", (place - place % channels_out * channels_out) % (joints * channels_out))
        self.bn = nn.BatchNorm1d(joints * channels_out)
        self.down = widened(channels_in, channels_out)
        fresh_convolutions(self.down)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        N, C, T, V = x.shape
        moved = x.permute(0, 2, 3, 1).reshape(N * T, V * C)[:, self.shift_in].view(N * T, V, C)
        mapped = (moved * (torch.tanh(self.Feature_Mask) + 1)) @ self.Linear_weight + self.Linear_bias
        back = self.bn(mapped.flatten(1)[:, self.shift_out])
        return torch.relu(back.view(N, T, V, -1).permute(0, 3, 1, 2) + self.down(x))


class FrameShift(nn.Module):
    """Each channel is moved along the frames by a learned, fractional number of frames (zeros beyond the ends).

    With a stride, frames are read at the middle of each step: at t * stride + (stride - 1) / 2 before the shift.
    ``ypos`` holds the shifts, in frames. ``xpos`` is kept for published checkpoints, where it is zero or almost zero.
    """

    xpos: Tensor

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.ypos = nn.Parameter(torch.empty(channels).uniform_(-1, 1))
        self.register_buffer("xpos", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V), linear between frames."""
        T = x.shape[2]
        start = torch.arange(0, T, self.stride, device=x.device)
        moved = self.ypos + (self.stride - 1) / 2
        whole = torch.floor(moved.detach())
        share = (moved - whole)[:, None, None]
        first = start + whole.long()[:, None]
        return (1 - share) * _frames(x, first) + share * _frames(x, first + 1)


def _frames(x: Tensor, index: Tensor) -> Tensor:
    """Frames `index` (C, T') of each channel of (N, C, T, V); zeros where there is no such frame."""
    N, _, T, V = x.shape
    known = ((index >= 0) & (index < T)).to(x.dtype)[:, :, None]
    place = index.clamp(0, T - 1)[None, :, :, None].expand(N, -1, -1, V)
    return x.gather(2, place) * known


class TemporalShift(nn.Module):
    """Shift along the frames, a linear map, and another shift."""

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.shift_in = FrameShift(channels)
        self.temporal_linear = nn.Conv2d(channels, channels, 1)
        self.shift_out = FrameShift(channels, stride=stride)
        self.bn2 = nn.BatchNorm2d(channels)
        fresh_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), V)."""
        x = torch.relu(self.temporal_linear(self.shift_in(self.bn(x))))
        out: Tensor = self.bn2(self.shift_out(x))
        return out


class ShiftGCN(PlannedRecognizer):
    """Ten blocks of non-local spatial and adaptive temporal shifts.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`; only the number of joints matters.
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

    def block(self, plan: BlockPlan, A: Tensor) -> Block:
        """Spatial shift over the joints of A, then temporal shift."""
        gcn = SpatialShift(plan.channels_in, plan.channels_out, A.shape[-1])
        block = Block(gcn, TemporalShift(plan.channels_out, stride=plan.stride), plan)
        fresh_convolutions(block.residual)
        return block
