"""L-STG-GradCAM: Grad-CAM of a spatio-temporal graph network, per layer, person, frame and joint.

One forward and one backward pass give the maps of all layers. Values are not normalised, since
that is part of drawing. How far to trust a map is measured by other modules of `stgcnlib.explain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stgcnlib.activations import Layer, find_layers, observing
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import people_first
from stgcnlib.errors import SequenceError, suggest
from stgcnlib.explain.relevance import RelevanceMap, layer_maps
from stgcnlib.explain.targets import Target, resolve_targets, target_classes, target_of_set, target_scores
from stgcnlib.networks.batches import check_fit, check_numbers, check_scores, equal_batches, network_batch
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["PeoplePool", "grad_cam", "grad_cam_set"]

PeoplePool: TypeAlias = Literal["each", "mean"]

BATCH_FRAMES = 1024  # frames of all people in one pass; the autograd graph of a batch is held in memory


def grad_cam(
    network: nn.Module,
    sequence: ArrayLike,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    target: Target = None,
    signed: bool = False,
    pool_people: PeoplePool = "each",
    device: str = "cpu",
) -> dict[str, RelevanceMap]:
    """Relevance maps of one recording, one per layer.

    For class c and a layer's output A (C, T_l, V): alpha_k is the mean over t and v of dy_c / dA_k(t, v),
    and the map is ReLU(sum over k of alpha_k A_k(t, v)) (Das, Shekkizhar and Ortega 2024, after Selvaraju
    et al. 2017). At the input's frames a map is linear between layer frames, where frame j of a layer with
    temporal stride r lies at input frame j*r, and constant after the last.

    Args:
        sequence: (T, V, C), or (M, T, V, C) for several people. Frames and people of zeros are padding and have no
            relevance, except on a layout that is no body.
        layers: as in `record`; "input" is there only if asked for.
        axes: as in `record`. A layer that no longer tells joints or people apart gives all of them the same map.
        target: class index, a pair of them for a contrast; `None` or "predicted" means the class with the highest
            logit. In a network of real targets, the number of an output: positive relevance makes its value larger,
            and negative relevance, with `signed`, makes it smaller.
        signed: keep negative relevance (no ReLU).
        pool_people: "each" weighs a person's channels by that person's gradients; "mean" by the mean of all
            people's, as the authors' scripts do.
        device: where the network runs.

    Maps are the same under ``torch.no_grad``, ``inference_mode`` and ``autocast``; weights in half precision are
    converted to float32 for this, and a network in float64 gets the recording in float64. A layer whose output does not
    depend on the recording, such as a branch of velocities in a recording of one frame, has a map of zeros.

    Returns:
        Layer name -> `RelevanceMap`, in the network's order.

    Raises:
        LayerNotFoundError: if a layer does not exist.
        AxesError: if an axis string is invalid, or a layer's output has another shape than its axes say.
        LayoutError, SequenceError: if the recording does not fit the network or has no frame, there is no such class or
            `pool_people`, or the network's forward pass blocks gradients.
        StudyError: if the network's scores or the maps are NaN or infinite.
    """
    if target == "true":
        raise SequenceError('target="true" needs labels; give the class index, or use grad_cam_set')
    array = np.asarray(sequence, dtype=np.float32)
    layout = getattr(network, "layout", None)
    if isinstance(layout, SkeletonLayout):
        data = SequenceSet([array], layout=layout, names=["sequence"])
        check_fit(network, data)
        array = data.people(0)
    elif array.ndim not in (3, 4) or not array.size or not np.isfinite(array).all():
        raise SequenceError(
            f"sequence has shape {array.shape}; expected finite (T, V, C) or (M, T, V, C) with at least one frame"
        )
    people = array if array.ndim == 4 else array[None]
    chosen = find_layers(network, layers, axes=axes)
    classes = target_classes(target, np.zeros(1, dtype=np.int64))
    return _maps(
        network, [people], ["sequence"], layout if isinstance(layout, SkeletonLayout) else None, chosen, classes,
        signed=signed, pool_people=pool_people, device=device,
    )[0]  # fmt: skip


def grad_cam_set(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    target: Target = None,
    signed: bool = False,
    pool_people: PeoplePool = "each",
    device: str = "cpu",
    progress: bool | None = None,
) -> list[dict[str, RelevanceMap]]:
    """Relevance maps of every recording: `grad_cam` for sets, with recordings of equal length run together.

    Source: docs/method.md, "L-STG-GradCAM".

    Args:
        target: as in `grad_cam`, or "true" for each recording's own class. Recordings without classes need the number
            of an output, unless the network has only one.
        progress: whether to draw a bar; `None` decides by the terminal.

    Returns:
        One dictionary (layer name -> `RelevanceMap`) per recording, in order.

    Raises:
        LayerNotFoundError, LayoutError, SequenceError, StudyError: as `grad_cam`.
    """
    check_fit(network, data)
    chosen = find_layers(network, layers, axes=axes)
    wanted = target_of_set(target, network, data)
    batches = equal_batches(data, BATCH_FRAMES)
    results: dict[int, dict[str, RelevanceMap]] = {}
    for batch in track(batches, "Explaining", total=len(batches), show=progress):
        classes = target_classes(wanted, data.labels[batch])
        maps = _maps(
            network, [data.people(i) for i in batch], [data.names[i] for i in batch], data.layout, chosen, classes,
            signed=signed, pool_people=pool_people, device=device,
        )  # fmt: skip
        results.update(zip(batch.tolist(), maps, strict=True))
    return [results[i] for i in range(len(data))]


def _maps(
    network: nn.Module,
    people: Sequence[NDArray[np.float32]],
    recordings: Sequence[str],
    layout: SkeletonLayout | None,
    layers: Sequence[Layer],
    classes: Sequence[tuple[int, int | None]] | None,
    *,
    signed: bool,
    pool_people: PeoplePool,
    device: str,
) -> list[dict[str, RelevanceMap]]:
    """Maps of recordings (M, T, V, C) of equal shape, by one forward and one backward pass."""
    if pool_people not in get_args(PeoplePool):
        raise SequenceError(
            f"pool_people={pool_people!r} is unknown; {suggest(str(pool_people), get_args(PeoplePool))}"
        )
    x = network_batch(people)
    names = [layer.name for layer in layers]
    with observing(network, layers, device=device, gradients=True) as forward:
        logits, outputs = forward(x)
        for scores, recording in zip(check_scores(logits, x).detach().cpu().numpy(), recordings, strict=True):
            check_numbers(scores, "the network's outputs", recording)
        found = resolve_targets(classes, logits)
        # Recordings don't mix in eval mode, so the sum of logits has each one's own gradient.
        score = target_scores(logits, found).sum()
        gradients = _gradients(score, [outputs[name] for name in names])
    results: list[dict[str, RelevanceMap]] = [{} for _ in people]
    for layer, gradient in zip(layers, gradients, strict=True):
        A = people_first(outputs[layer.name].detach(), layer, x)
        alpha = people_first(gradient, layer, x).mean(dim=(3, 4), keepdim=True)
        if pool_people == "mean":
            alpha = alpha.mean(dim=1, keepdim=True)
        relevance = (alpha * A).sum(dim=2)
        for result, each in zip(
            results, layer_maps(relevance, layer, people, recordings, layout, found, signed=signed), strict=True
        ):
            result[layer.name] = each
    return results


def _gradients(score: Tensor, outputs: Sequence[Tensor]) -> list[Tensor]:
    """The score's gradient by each output; zeros for an output without dependence on the input (a constant branch).

    Raises:
        SequenceError: if the score itself does not depend on the input.
    """
    if not score.requires_grad:
        raise SequenceError(
            "the network's scores have no gradient by its input: its forward pass detaches them, or runs under "
            "torch.no_grad; relevance needs a forward pass without that"
        )
    reached = [output for output in outputs if output.requires_grad]
    found = iter(torch.autograd.grad(score, reached, materialize_grads=True) if reached else ())
    return [next(found) if output.requires_grad else torch.zeros_like(output) for output in outputs]
