"""MS-G3D (Liu et al., CVPR 2020): one pathway over joints and then frames, one over windows of both at once.

Each of the three stages adds the two pathways and reads the sum at several temporal scales; its three modules are
the network's layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stgcnlib.networks.graph import disentangled_adjacency
from stgcnlib.networks.recognizer import Recognizer, fresh_head
from stgcnlib.networks.temporal import MultiScaleTemporal
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["MSG3D"]

WINDOWS = (3, 5)


class Mixer(nn.Module):
    """1x1 convolution, batch norm and, where asked for, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, activation: bool) -> None:
        super().__init__()
        last = [nn.ReLU()] if activation else []
        self.layers = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1), nn.BatchNorm2d(channels_out), *last)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        out: Tensor = self.layers(x)
        return out


class MultiScaleGraph(nn.Module):
    """Neighbours at every distance side by side, then mixed; V stands for joints, or joints of a window of frames.

    Args:
        graphs: (K, V, V), one per distance.
    """

    A: Tensor

    def __init__(self, channels_in: int, channels_out: int, graphs: Tensor, *, activation: bool = True) -> None:
        super().__init__()
        self.scales = len(graphs)
        self.register_buffer("A", graphs.flatten(0, 1), persistent=False)
        self.A_res = nn.Parameter(torch.empty_like(self.A).uniform_(-1e-6, 1e-6))
        self.mlp = Mixer(channels_in * self.scales, channels_out, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', T, V)."""
        gathered = torch.einsum("vu,nctu->nctv", self.A + self.A_res, x)
        gathered = gathered.unflatten(3, (self.scales, -1)).permute(0, 3, 1, 2, 4).flatten(1, 2)
        out: Tensor = self.mlp(gathered)
        return out


class Windows(nn.Module):
    """Each frame together with the frames around it, whose joints are further joints; beyond the ends are zeros."""

    def __init__(self, window: int, stride: int) -> None:
        super().__init__()
        self.window = window
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C, ceil(T / stride), W*V)."""
        around = (self.window - 1) // 2
        parts = nn.functional.pad(x, (0, 0, around, around)).unfold(2, self.window, self.stride)
        return parts.transpose(3, 4).flatten(3)


class WindowGraph(nn.Module):
    """Graph convolution over the joints of a window of frames, folded back into one frame."""

    def __init__(
        self, channels_in: int, channels_out: int, graphs: Tensor, *, inner: int, window: int, stride: int
    ) -> None:
        super().__init__()
        self.window = window
        graph = MultiScaleGraph(channels_in, inner, graphs)
        self.gcn3d = nn.Sequential(Windows(window, stride), graph)
        self.out_conv = nn.Conv3d(inner, channels_out, (1, window, 1))
        self.out_bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        mixed = self.gcn3d(x).unflatten(3, (self.window, -1))
        out: Tensor = self.out_bn(self.out_conv(mixed).squeeze(3))
        return out


class WindowGraphs(nn.Module):
    """The sum over windows of 3 and of 5 frames."""

    def __init__(
        self, channels_in: int, channels_out: int, graphs: Sequence[Tensor], *, inner: int, stride: int
    ) -> None:
        super().__init__()
        self.gcn3d = nn.ModuleList(
            [
                WindowGraph(channels_in, channels_out, graph, inner=inner, window=window, stride=stride)
                for window, graph in zip(WINDOWS, graphs, strict=True)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) -> (N*M, C', ceil(T / stride), V)."""
        return torch.stack([branch(x) for branch in self.gcn3d]).sum(dim=0)


class MSG3D(Recognizer):
    """Three stages of a factorised and a joint spatio-temporal pathway.

    The layers ``sgcn1``, ``gcn3d1``, ``tcn1``, … are the pathways and what reads their sum. There are always
    three stages, since the published names and channels are those of three.

    Args:
        skeleton: layout of the joints, by name or as a `SkeletonLayout`.
        classes: number of classes.
        channels: coordinates per joint.
        width: channels of the first stage (96 as published), a multiple of 6; they double with each stage.
        gcn_scales: distances in the factorised pathway (13 as published).
        g3d_scales: distances in the windows (6 as published).
        people: largest number of people in a recording; each has input statistics of their own.
        dropout: share of the pooled features dropped in training.

    Raises:
        ValueError: if a number is below 1, or the width is no multiple of 6.
        LayoutError: if the layout is unknown.
    """

    layer_names = tuple(f"{kind}{stage}" for stage in (1, 2, 3) for kind in ("sgcn", "gcn3d", "tcn"))

    def __init__(
        self,
        skeleton: SkeletonLayout | str,
        classes: int,
        channels: int = 3,
        *,
        width: int = 96,
        gcn_scales: int = 13,
        g3d_scales: int = 6,
        people: int = 2,
        dropout: float = 0.0,
    ) -> None:
        options = {
            "width": width,
            "gcn_scales": gcn_scales,
            "g3d_scales": g3d_scales,
            "people": people,
            "dropout": dropout,
        }
        super().__init__(skeleton, classes, channels, people=people, dropout=dropout, options=options)
        spatial = torch.from_numpy(disentangled_adjacency(self.layout, scales=gcn_scales))
        windows = [
            torch.from_numpy(disentangled_adjacency(self.layout, scales=g3d_scales, window=window))
            for window in WINDOWS
        ]
        before = channels
        for stage in (1, 2, 3):
            after = width * 2 ** (stage - 1)
            stride = 1 if stage == 1 else 2
            # The first stage widens the coordinates at once; later ones work in the channels that come in.
            inner = width if stage == 1 else before
            factorised = nn.Sequential(
                MultiScaleGraph(before, inner, spatial),
                MultiScaleTemporal(inner, after, stride=stride),
                MultiScaleTemporal(after, after, activation=False),
            )
            joint = WindowGraphs(before, after, windows, inner=inner, stride=stride)
            self.add_module(f"gcn3d{stage}", joint)
            self.add_module(f"sgcn{stage}", factorised)
            self.add_module(f"tcn{stage}", MultiScaleTemporal(after, after))
            before = after
        self.fc = fresh_head(before, classes)

    def features(self, x: Tensor) -> Tensor:
        """(N*M, C, T, V) normalised coordinates -> the last stage's output (N*M, C', T', V)."""
        for stage in (1, 2, 3):
            factorised, joint = self.get_submodule(f"sgcn{stage}"), self.get_submodule(f"gcn3d{stage}")
            x = self.get_submodule(f"tcn{stage}")(torch.relu(factorised(x) + joint(x)))
        return x
