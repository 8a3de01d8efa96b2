"""A two-block network with every trap of the real ones: in-place ReLU, residuals, stride 2, several people."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stgcnlib.skeleton import layout


class Block(nn.Module):
    def __init__(self, before: int, after: int, joints: int, stride: int) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.eye(joints) + 0.1 * torch.randn(joints, joints))
        self.conv = nn.Conv2d(before, after, (9, 1), stride=(stride, 1), padding=(4, 0))
        self.norm = nn.BatchNorm2d(after)
        self.drop = nn.Dropout(0.5)
        self.same = before == after and stride == 1
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(self.norm(self.relu(self.conv(x @ self.mix))))
        return y + x if self.same else y


class TinyNetwork(nn.Module):
    """(N, C, T, V, M) -> (N, classes); `act` changes each block's output in place."""

    def __init__(self, name: str = "kinect-v1", classes: int = 3, channels: int = 3, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layout, self.classes, self.channels = layout(name), classes, channels
        self.options = {"layout": name, "classes": classes, "channels": channels}
        joints = len(self.layout)
        self.data_bn = nn.BatchNorm1d(joints * channels)
        self.blocks = nn.ModuleList([Block(channels, 6, joints, 1), Block(6, 6, joints, 1), Block(6, 8, joints, 2)])
        self.act = nn.ReLU6(inplace=True)
        self.head = nn.Linear(8, classes)
        self.layer_names = ("blocks.0", "blocks.1", "blocks.2")
        self.fail = False
        # Batch statistics of a network that has seen data, so that eval mode differs from train mode.
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        N, C, T, V, M = x.shape
        y = x.permute(0, 4, 3, 1, 2).reshape(N * M, V * C, T)
        y = self.data_bn(y).view(N * M, V, C, T).permute(0, 2, 3, 1)
        for block in self.blocks:
            y = self.act(block(y))
            if self.fail:
                raise RuntimeError("no forward today")
        return self.head(y.mean(dim=(2, 3)).view(N, M, -1).mean(dim=1))
