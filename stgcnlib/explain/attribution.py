"""Two attributions besides Grad-CAM, computed by captum: gradient times activation of layers, and integrated gradients
of the input's joints. Both give a `RelevanceMap`, so every check and figure accepts them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.activations import find_layers, observing
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT, in_precision, people_first
from stgcnlib.devices import usable_device
from stgcnlib.errors import LayerNotFoundError, SequenceError
from stgcnlib.explain.baseline import mean_pose, removed
from stgcnlib.explain.gradcam import grad_cam_set
from stgcnlib.explain.relevance import RelevanceMap, layer_maps
from stgcnlib.explain.targets import Target, resolve_targets, target_classes, target_of_set, target_scores
from stgcnlib.networks.batches import check_fit, check_numbers, check_scores, equal_batches, network_batch
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["Method", "attributions"]

Method: TypeAlias = Literal["grad-cam", "gradient-x-activation", "integrated-gradients"]

_BATCH_FRAMES = 1024


def attributions(
    network: nn.Module,
    data: SequenceSet,
    *,
    method: Method = "grad-cam",
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    target: Target = None,
    signed: bool = False,
    reference: SequenceSet | None = None,
    steps: int = 32,
    device: str = "cpu",
    progress: bool | None = None,
) -> list[dict[str, RelevanceMap]]:
    """Relevance maps of every recording by one of three methods, all (M, T, V) at the input's frames.

    "grad-cam" is `grad_cam_set`. "gradient-x-activation" is the sum over channels of dy/dA(t, v) A(t, v) at each
    layer (Ancona et al. 2018; captum's LayerGradientXActivation). "integrated-gradients" is the sum over coordinates
    of captum's IntegratedGradients on the input (Sundararajan et al. 2017), from the class-free mean pose; its maps
    are of the layer "input". With `signed`, a map sums to the recording's logit minus that of the mean pose. People
    who are not in a frame stay absent on the whole path and have no relevance.

    Args:
        layers: as in `record`; for "integrated-gradients" only `None` or "input".
        axes, target, signed: as in `grad_cam`.
        reference: recordings whose mean pose "integrated-gradients" starts from; `None` takes `data`.
        steps: number of points on the path of "integrated-gradients".
        method: "grad-cam", "gradient-x-activation" or "integrated-gradients".

    Returns:
        One dictionary (layer name -> `RelevanceMap`) per recording, in order.

    Raises:
        LayerNotFoundError, LayoutError, SequenceError, StudyError: as `grad_cam_set`.
    """
    if method == "grad-cam":
        return grad_cam_set(
            network, data, layers=layers, axes=axes, target=target, signed=signed, device=device, progress=progress
        )
    check_fit(network, data)
    match method:
        case "integrated-gradients":
            if layers not in (None, INPUT, [INPUT], (INPUT,)):
                raise LayerNotFoundError("integrated gradients are of the input's joints; leave `layers` out")
            chosen = find_layers(network, INPUT)
        case "gradient-x-activation":
            chosen = find_layers(network, layers, axes=axes)
            if any(layer.name == INPUT for layer in chosen):
                raise LayerNotFoundError("gradient x activation is of layers, not of 'input'; leave it out")
        case _:
            raise SequenceError(
                f"method={method!r} is unknown; give 'grad-cam', 'gradient-x-activation' or 'integrated-gradients'"
            )
    place = usable_device(device)
    wanted = target_of_set(target, network, data)
    results: dict[int, dict[str, RelevanceMap]] = {}
    batches = equal_batches(data, _BATCH_FRAMES)
    for batch in track(batches, "Explaining", total=len(batches), show=progress):
        members, names = [data.people(i) for i in batch], [data.names[i] for i in batch]
        M, T = members[0].shape[:2]
        with observing(network, [], device=place, gradients=True) as forward:
            x = network_batch(members).to(place)
            logits = check_scores(forward(x)[0], x)
            for scores, name in zip(logits.detach().cpu().numpy(), names, strict=True):
                check_numbers(scores, "the network's outputs", name)
            found = resolve_targets(target_classes(wanted, data.labels[batch]), logits)
            if method == "integrated-gradients":
                pose = mean_pose(data if reference is None else reference, M, T)
                start = network_batch([_all_removed(each, pose, data.layout) for each in members]).to(place)
                tensors = [_integrated(network, x, start, found, steps)]
            else:
                tensors = _layer_products(network, x, found, [layer.name for layer in chosen])
        for layer, tensor in zip(chosen, tensors, strict=True):
            relevance = people_first(tensor.detach(), layer, x).sum(dim=2)
            maps = layer_maps(relevance, layer, members, names, data.layout, found, signed=signed)
            for i, each in zip(batch.tolist(), maps, strict=True):
                results.setdefault(i, {})[layer.name] = each
    return [results[i] for i in range(len(data))]


def _all_removed(people: NDArray[np.float32], pose: NDArray[np.float32], layout: SkeletonLayout) -> NDArray[np.float32]:
    """(M, T, V, C) with everybody who is there in the mean pose, as when deletion has removed all."""
    every = np.ones((1, *people.shape[:3]), dtype=np.bool_)
    result: NDArray[np.float32] = removed(people, every, replacement="mean-pose", pose=pose, layout=layout)[0]
    return result


class _Scores(nn.Module):
    """The network's explained logits; captum stacks several points of a path into a batch, so classes are repeated."""

    def __init__(self, network: nn.Module, classes: Sequence[tuple[int, int | None]]) -> None:
        super().__init__()
        self.network = network
        self.classes = list(classes)

    def forward(self, x: Tensor) -> Tensor:
        """(points * N, C, T, V, M) -> (points * N,)."""
        # A copy, since a network may change its input in place.
        return target_scores(
            self.network(in_precision(x, self.network).clone()), self.classes * (len(x) // len(self.classes))
        )


def _layer_products(
    network: nn.Module, x: Tensor, classes: Sequence[tuple[int, int | None]], names: Sequence[str]
) -> list[Tensor]:
    from captum.attr import LayerGradientXActivation

    modules = [network.get_submodule(name) for name in names]
    found: Any = LayerGradientXActivation(_Scores(network, classes), modules).attribute(x.requires_grad_())
    return [each[0] if isinstance(each, tuple) else each for each in found]


def _integrated(
    network: nn.Module, x: Tensor, start: Tensor, classes: Sequence[tuple[int, int | None]], steps: int
) -> Tensor:
    from captum.attr import IntegratedGradients

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum turns on the input's gradient by itself and warns of it
        found: Tensor = IntegratedGradients(_Scores(network, classes)).attribute(
            x, baselines=start, n_steps=steps, internal_batch_size=4 * len(x)
        )
    return found
