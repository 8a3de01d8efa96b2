"""Hyperformer (Zhou et al., 2022): attention among joints that uses their distance and the body parts they belong to.

A block attends to joints within each frame, then convolves frames at several scales. The number of channels stays the
same throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import hop_index
from stgcnlib.networks.recognizer import Recognizer, fresh_convolutions, fresh_head, halving_blocks, halving_option
from stgcnlib.networks.temporal import MultiScaleTemporal, shortcut
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["Hyperformer", "joint_groups"]

HEAD_CHANNELS = 24
PROJECTION_GROUPS = 6
# Of the published configurations. On NTU, groups were found by training and are not body parts.
PUBLISHED_GROUPS: dict[str, tuple[int, ...]] = {
    "ntu-rgb+d": (0, 4, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1, 2, 3, 3, 3, 2, 3, 3, 3, 1, 0, 1, 0, 1),
    "nw-ucla": (0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2),
}


def joint_groups(skeleton: SkeletonLayout) -> tuple[int, ...]:
    """The group of each joint: as published, else the layout's limb, with joints of no limb in one further group."""
    if skeleton.name in PUBLISHED_GROUPS:
        return PUBLISHED_GROUPS[skeleton.name]
    groups = [len(skeleton.limbs)] * len(skeleton)
    for number, members in enumerate(skeleton.limbs.values()):
        for joint in members:
            groups[joint] = number
    return tuple(groups)


class JointAttention(nn.Module):
    """Attention among the joints of a frame, added to a learned graph.

    A score is a sum of four products: of a joint's query with another joint's key, with the vector for the number of
    bones between them, and with the features of the other joint's group; and of these features with a learned vector.
    """

    hops: Tensor

    def __init__(self, channels_in: int, channels: int, hops: Tensor, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (channels // heads) ** -0.5
        self.register_buffer("hops", hops.clone(), persistent=False)
        self.rpe = nn.Parameter(torch.zeros(int(hops.max()) + 1, channels))
        self.w1 = nn.Parameter(torch.zeros(heads, channels // heads))
        self.outer = nn.Parameter(torch.eye(len(hops)).repeat(heads, 1, 1))
        self.alpha = nn.Parameter(torch.zeros(1))
        self.kv = nn.Conv2d(channels_in, 2 * channels, 1, bias=False)
        self.q = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.proj = nn.Conv2d(channels, channels, 1, groups=PROJECTION_GROUPS)

    def graph(self, x: Tensor, key: Tensor, group: Tensor) -> Tensor:
        """Features and group as of `forward`, keys (N*M, heads, C'', T, V) -> (N*M, heads, T, V, V), the weight of
        joint w for joint v at [v, w]."""
        query = self.q(x).unflatten(1, (self.heads, -1))
        group = group.unflatten(1, (self.heads, -1))
        place = self.rpe[self.hops].unflatten(2, (self.heads, -1))
        scores = torch.einsum("nhctv,nhctw->nhtvw", query, key + group)
        scores = scores + torch.einsum("nhctv,vwhc->nhtvw", query, place)
        scores = scores + torch.einsum("hc,nhctw->nhtw", self.w1, group)[:, :, :, None]
        graph: Tensor = self.alpha * torch.softmax(self.scale * scores, dim=-1) + self.outer[:, None]
        return graph

    def forward(self, x: Tensor, group: Tensor) -> Tensor:
        """Features (N*M, C, T, V) and those of each joint's group (N*M, C', T, V) -> (N*M, C', T, V)."""
        key, value = self.kv(x).unflatten(1, (2, self.heads, -1)).unbind(1)
        mixed = torch.einsum("nhtvw,nhctw->nhctv", self.graph(x, key, group), value)
        out: Tensor = self.proj(mixed.flatten(1, 2))
        return out


class JointTransformer(nn.Module):
    """Attention to normalised features, with a shortcut."""

    same_group: Tensor

    def __init__(self, channels_in: int, channels: int, hops: Tensor, same_group: Tensor, *, heads: int) -> None:
        super().__init__()
        self.register_buffer("same_group", same_group.clone(), persistent=False)
        self.norm1 = nn.LayerNorm(channels_in)
        self.attn = JointAttention(channels_in, channels, hops, heads=heads)
        self.skip_proj = None if channels_in == channels else nn.Conv2d(channels_in, channels, 1, bias=False)
        self.pe_proj = nn.Conv2d(channels_in, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        group = self.pe_proj(x @ self.same_group / self.same_group.sum(dim=0))
        normed = self.norm1(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        skipped = x if self.skip_proj is None else self.skip_proj(x)
        out: Tensor = skipped + self.attn(normed, group)
        return out


class HyperBlock(nn.Module):
    """Attention among joints, then convolutions over frames, with a shortcut."""

    def __init__(self, vit: JointTransformer, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.vit1 = vit
        self.tcn1 = MultiScaleTemporal(
            channels, channels, kernel=5, stride=stride, dilations=(1, 2), residual=False, activation=False
        )
        self.residual = shortcut(channels_in, channels, stride=stride)
        fresh_convolutions(self.tcn1)
        fresh_convolutions(self.residual)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        return torch.relu(self.tcn1(self.vit1(x)) + self.residual(x))


class Hyperformer(Recognizer):
    """Ten blocks of attention among joints, all of one width.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of all blocks (216 as published), a multiple of 12 and of `heads`.
        heads: of the attention; `None` means one for every 24 channels (9 as published).
        depth: number of blocks (10 as published).
        groups: the group of each joint, counted from 0; `None` means as published for NTU RGB+D and NW-UCLA, else the
            layout's limbs. A checkpoint does not tell them.
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.
        halvings: blocks at which frames halve, counted from 1; `None` means as in `block_plan`.

    Raises:
        ValueError: if a number is below 1, the width does not divide, or there is no group for each joint.
        LayoutError: if the layout is unknown.
    """

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 216,
        heads: int | None = None,
        depth: int = 10,
        groups: Sequence[int] | None = None,
        people: int = 2,
        dropout: float = 0.0,
        halvings: Sequence[int] | None = None,
    ) -> None:
        heads = max(1, width // HEAD_CHANNELS) if heads is None else heads
        options: dict[str, Any] = {
            "width": width, "heads": heads, "depth": depth, "people": people, "dropout": dropout,
        }  # fmt: skip
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        if width % 12 or width % heads:
            raise ValueError(f"width is {width}; it must be a multiple of 12 and of the {heads} heads")
        if groups is not None and (len(groups) != len(self.layout) or min(groups) < 0):
            raise ValueError(f"groups are {list(groups)}; give a number from 0 for each of {len(self.layout)} joints")
        label = torch.tensor(joint_groups(self.layout) if groups is None else list(groups))
        self.options = options | ({} if groups is None else {"groups": tuple(groups)})
        self.options |= halving_option(halvings)
        same = (label[:, None] == label[None, :]).float()
        hops = torch.from_numpy(hop_index(self.layout))
        strided = halving_blocks(depth, halvings)
        self.layer_names = tuple(f"l{block}" for block in range(1, depth + 1))
        for block, name in enumerate(self.layer_names, start=1):
            before = channels if block == 1 else width
            vit = JointTransformer(before, width, hops, same, heads=heads)
            self.add_module(name, HyperBlock(vit, before, width, stride=2 if block in strided else 1))
        self.fc = fresh_head(width, classes)
