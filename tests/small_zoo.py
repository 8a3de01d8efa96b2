"""Every network of the zoo, narrow enough that a test takes a moment."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from stgcnlib.networks import load_network
from stgcnlib.skeleton import SkeletonLayout

SMALL: dict[str, dict[str, Any]] = {
    "st-gcn": {"width": 8, "depth": 4},
    "agcn": {"width": 8, "depth": 4},
    "aagcn": {"width": 8, "depth": 4},
    "ctr-gcn": {"width": 8, "depth": 4},
    "ms-g3d": {"width": 12, "gcn_scales": 4, "g3d_scales": 3},
    "st-gcn++": {"width": 12, "depth": 4},
    "shift-gcn": {"width": 8, "depth": 4},
    "efficientgcn-b0": {"width": 8},
    "hd-gcn": {"width": 8, "depth": 4},
    "hyperformer": {"width": 12, "heads": 2, "depth": 4},
    "blockgcn": {"width": 8, "heads": 4, "depth": 4},
    "protogcn": {"width": 12, "depth": 4, "prototypes": 7},
    "degcn": {"width": 16, "depth": 4},
}


def make(family: str, layout: SkeletonLayout | str = "kinect-v1", seed: int = 0, **options: Any) -> nn.Module:
    return load_network(family, layout=layout, classes=4, seed=seed, **{**SMALL[family], **options})


def batch(N: int = 2, T: int = 11, V: int = 20, M: int = 2, C: int = 3) -> torch.Tensor:
    return torch.randn(N, C, T, V, M, generator=torch.Generator().manual_seed(1))


def lively(network: nn.Module) -> nn.Module:
    """Fresh blocks start nearly as their shortcuts; make all parts matter, and statistics uneven."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith((".bn.weight", "alpha", "Feature_Mask", "A_res", "conv_ta.weight", "fc2c.weight")):
                parameter.add_(0.3 * torch.rand(parameter.shape, generator=generator))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1 * torch.randn(buffer.shape, generator=generator))
    return network
