"""Learned topologies: from which joints each graph convolution of a trained network computes a joint.

Edge importance, adaptive graphs and graphs computed from the input are on one scale: the share that a joint has in the
weights of another. The weights of the zoo's modules are read here; a module of your own gives its weights by a method
``joint_graph``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.activations import Layer, find_layers, observing
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT
from stgcnlib.errors import LayerNotFoundError
from stgcnlib.networks.agcn import AdaptiveGraph, AttentiveGraph
from stgcnlib.networks.batches import check_fit, network_batch
from stgcnlib.networks.blockgcn import HeadsGraph
from stgcnlib.networks.ctrgcn import RefinedGraphs
from stgcnlib.networks.degcn import GroupedGraph, PlainGraph
from stgcnlib.networks.efficientgcn import DistanceGraph
from stgcnlib.networks.hdgcn import HierarchicalGraph
from stgcnlib.networks.hyperformer import JointAttention
from stgcnlib.networks.msg3d import MultiScaleGraph
from stgcnlib.networks.protogcn import MotionGraph
from stgcnlib.networks.shiftgcn import SpatialShift
from stgcnlib.networks.stgcn import GraphConvolution
from stgcnlib.networks.stgcnpp import LearnedGraph
from stgcnlib.sequences import SequenceSet

__all__ = ["Topology", "learned_topologies"]

RECORDINGS = 16
"""Graphs that depend on the input are averaged over at most this many recordings."""

Graphs = tuple[Tensor, Tensor | None]
"""Weights (K, V, V) from the parameters alone, and (N, K, V, V) for the given inputs or `None` where inputs do not
matter; [v, w] is the weight of joint v in joint w."""


@dataclass(frozen=True, eq=False)
class Topology:
    """From which joints a layer's graph convolutions compute each joint.

    Shares are of absolute weights, summed over partitions (and the mean over channels, frames, people and recordings
    where weights differ); columns sum to 1, or to 0 for a joint without any input. A layer with several
    graph convolutions has their mean.

    Attributes:
        layer: module name.
        title: "layer 1", …
        index: number of the block.
        fixed: (V, V) float64, share of joint v (row) in joint w (column) by the parameters alone.
        used: (V, V) float64, the same with what the inputs add; `fixed` where they add nothing.
        varies: share of a column's weight that lies on other joints in one recording than on average, from 0 to 1.
    """

    layer: str
    title: str
    index: int
    fixed: NDArray[np.float64]
    used: NDArray[np.float64]
    varies: float


def learned_topologies(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
) -> dict[str, Topology]:
    """The topology of each layer in which joints are mixed by known weights: layer name -> `Topology`.

    Known are ST-GCN's edge importance, the learned graphs of ST-GCN++, EfficientGCN, MS-G3D, BlockGCN and HD-GCN
    (without the neighbours in feature space that it adds), AGCN's and AAGCN's with the joints' likeness, CTR-GCN's,
    DeGCN's and ProtoGCN's with their refinement per channel, Hyperformer's with its attention, and the weights
    to which Shift-GCN's shifts and masks are equivalent. In other networks, modules with a method ``joint_graph`` are
    read: it is called with the arguments of `forward` and returns weights (K, V, V), or (N, K, V, V) where they depend
    on the input; [v, w] is the weight of joint v in joint w.

    Source: our choice (docs/method.md, "What a layer sees and puts together").

    Args:
        network: any module that takes (N, C, T, V, M).
        data: recordings that fit it; at most `RECORDINGS` of them are used, spread over the set.
        layers, axes: as in `record`; the input has no topology.

    Returns:
        Layer name -> `Topology`, in the network's order.

    Raises:
        LayerNotFoundError, LayoutError, SequenceError: as `record`; or a ``joint_graph`` gives another shape.
    """
    check_fit(network, data)
    chosen = [layer for layer in find_layers(network, layers, axes=axes) if layer.name != INPUT]
    joints = len(data.layout)
    found = {name: module for name, module in network.named_modules() if _told(module) and _layer_of(name, chosen)}
    fixed: dict[str, NDArray[np.float64]] = {}
    used: dict[str, list[NDArray[np.float64]]] = {name: [] for name in found}
    present: NDArray[np.bool_] = np.ones(1, dtype=bool)

    def hook_for(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> None:
            alone, inputs = _graphs(module, joints, *given)
            fixed[name] = _shares(_checked(alone, name, joints).abs().sum(dim=0))
            if inputs is not None:
                each = _checked(inputs, name, joints).abs().sum(dim=1)
                people = each[torch.from_numpy(present)] if len(each) == len(present) else each
                used[name].append(_shares(people.mean(dim=0)))

        return hook

    handles = [module.register_forward_pre_hook(hook_for(name)) for name, module in found.items()]
    try:
        with observing(network, []) as forward:
            for i in np.unique(np.linspace(0, len(data) - 1, min(RECORDINGS, len(data))).round().astype(int)):
                people = data.people(int(i))
                present = np.any(people, axis=(1, 2, 3))
                forward(network_batch([people]))
    finally:
        for handle in handles:
            handle.remove()
    return {
        layer.name: _topology(layer, [fixed[name] for name in names], [used[name] for name in names])
        for layer in chosen
        if (names := [name for name in fixed if _layer_of(name, chosen) == layer.name])
    }


def _topology(layer: Layer, fixed: list[NDArray[np.float64]], used: list[list[NDArray[np.float64]]]) -> Topology:
    """The mean over a layer's graph convolutions."""
    means, moved = [], []
    for alone, each in zip(fixed, used, strict=True):
        means.append(np.mean(each, axis=0) if each else alone)
        moved.append(np.mean([np.abs(one - means[-1]).sum(axis=0).mean() / 2 for one in each]) if each else 0.0)
    return Topology(
        layer.name, layer.title, layer.index, np.mean(fixed, axis=0), np.mean(means, axis=0), float(np.mean(moved))
    )


def _layer_of(module: str, layers: Sequence[Layer]) -> str | None:
    """The innermost layer that a module is in or is."""
    names = [layer.name for layer in layers if f"{module}.".startswith(f"{layer.name}.")]
    return max(names, key=len, default=None)


def _told(module: nn.Module) -> bool:
    return _graphs.dispatch(type(module)) is not _graphs.dispatch(nn.Module) or hasattr(module, "joint_graph")


def _checked(weights: Any, name: str, joints: int) -> Tensor:
    if not isinstance(weights, Tensor) or weights.ndim not in (3, 4) or weights.shape[-2:] != (joints, joints):
        said = tuple(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
        raise LayerNotFoundError(
            f"module {name!r}: its graph is {said}; joint_graph returns (K, V, V) or (N, K, V, V) with V = {joints}"
        )
    return weights


def _shares(strength: Tensor) -> NDArray[np.float64]:
    """(V, V) with columns that sum to 1, where they are not zero."""
    values: NDArray[np.float64] = strength.detach().cpu().double().numpy()
    shares: NDArray[np.float64] = values / np.maximum(values.sum(axis=0), np.finfo(float).tiny)
    return shares


# -- weights of each kind of module -----------------------------------------------------------------


@singledispatch
def _graphs(module: nn.Module, joints: int, *given: Any) -> Graphs:
    weights: Any = module.joint_graph(*given)  # type: ignore[operator]
    if isinstance(weights, Tensor) and weights.ndim == 4:
        return weights.abs().mean(dim=0), weights
    return weights, None


@_graphs.register
def _(module: GraphConvolution, joints: int, x: Tensor, A: Tensor) -> Graphs:
    return A, None


@_graphs.register
def _(module: LearnedGraph, joints: int, x: Tensor) -> Graphs:
    return module.A, None


@_graphs.register
def _(module: DistanceGraph, joints: int, x: Tensor) -> Graphs:
    return module.A * module.edge, None


@_graphs.register
def _(module: AdaptiveGraph, joints: int, x: Tensor) -> Graphs:
    alone = module.PA if isinstance(module, AttentiveGraph) else module.get_buffer("A") + module.PA
    parts = [module.graph(part, module.likeness(part, x)) for part in range(len(module.PA))]
    return alone, torch.stack(parts, dim=1)


@_graphs.register
def _(module: RefinedGraphs, joints: int, x: Tensor) -> Graphs:
    parts = [
        conv.graph(x, A, module.alpha).abs().mean(dim=1)  # type: ignore[operator]
        for conv, A in zip(module.convs, module.PA, strict=True)
    ]
    return module.PA.transpose(1, 2), torch.stack(parts, dim=1).transpose(2, 3)


@_graphs.register
def _(module: MultiScaleGraph, joints: int, x: Tensor) -> Graphs:
    weights = (module.A + module.A_res).unflatten(0, (module.scales, -1)).transpose(1, 2)
    window = weights.shape[-1] // joints
    if window == 1:
        return weights, None
    # Frames of a window act like more joints: weights are summed over input and averaged over output frames.
    folded = weights.unflatten(2, (window, -1)).unflatten(1, (window, -1)).abs()
    return folded.sum(dim=1).mean(dim=2), None


@_graphs.register
def _(module: HierarchicalGraph, joints: int, x: Tensor) -> Graphs:
    return module.PA.flatten(0, 1).transpose(1, 2), None


@_graphs.register
def _(module: JointAttention, joints: int, x: Tensor, group: Tensor) -> Graphs:
    key = module.kv(x).unflatten(1, (2, module.heads, -1))[:, 0]
    each = module.graph(x, key, group).abs().mean(dim=2)
    return module.outer.transpose(1, 2), each.transpose(2, 3)


@_graphs.register
def _(module: HeadsGraph, joints: int, x: Tensor) -> Graphs:
    return module.graphs().flatten(0, 1), None


@_graphs.register
def _(module: MotionGraph, joints: int, x: Tensor) -> Graphs:
    return module.A, (module.motion(x) + module.A[:, None]).abs().mean(dim=2)


@_graphs.register
def _(module: PlainGraph, joints: int, x: Tensor) -> Graphs:
    return module.A.transpose(1, 2), None


@_graphs.register
def _(module: GroupedGraph, joints: int, x: Tensor) -> Graphs:
    return module.A.transpose(1, 2), module.graph(x).abs().mean(dim=(1, 3)).transpose(2, 3)


@_graphs.register
def _(module: SpatialShift, joints: int, x: Tensor) -> Graphs:
    # Channel c of joint v comes from joint v + c, is read by every channel c', and goes to joint v + c'.
    strength = (torch.tanh(module.Feature_Mask[0]) + 1)[:, :, None] * module.Linear_weight.abs()
    place = torch.arange(joints)[:, None, None]
    channels_in, channels_out = (torch.arange(size) for size in module.Linear_weight.shape)
    source, target = (place + channels_in[:, None]) % joints, (place + channels_out) % joints
    total = torch.zeros(joints * joints)
    total.index_add_(0, (source * joints + target).reshape(-1), strength.cpu().float().reshape(-1))
    return total.view(1, joints, joints), None
