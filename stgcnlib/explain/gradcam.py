"""L-STG-GradCAM: Grad-CAM of a spatio-temporal graph network, per layer, person, frame and joint.

One forward and one backward pass give the maps of all layers. Values are not normalised, since
that is part of drawing. How far to trust a map is measured by other modules of `stgcnlib.explain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stgcnlib.activations import Layer, find_layers, observing, temporal_stride
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import people_first
from stgcnlib.errors import SequenceError
from stgcnlib.networks.batches import check_fit, check_scores, equal_batches, network_batch
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = [
    "Maps", "PeoplePool", "RelevanceMap", "Target", "at_input_frames", "grad_cam", "grad_cam_set", "resolve_targets",
    "target_classes", "target_scores",
]  # fmt: skip

Target: TypeAlias = Literal["predicted", "true"] | int | tuple[int, int] | None
"""What is explained: the logit of the predicted class (also `None`), of the true class, or of any class by its index;
for a pair of classes, the first logit minus the second. In a network of real targets it is an output by its number:
relevance is what makes its value larger."""
PeoplePool: TypeAlias = Literal["each", "mean"]

BATCH_FRAMES = 1024  # frames of all people in one pass; the autograd graph of a batch is held in memory


@dataclass(frozen=True, eq=False)
class RelevanceMap:
    """Relevance of each joint at each time for one class, as one layer sees it.

    Attributes:
        values: (M, T, V) float32 at the input's frames; in units of logit change, at least 0 unless signed.
        raw: (M, T_l, V) float32 at the layer's own frames; V is 1 where the layer does not tell joints apart.
        layer: module name, or "input".
        index: 0 for the input, then the number of the block.
        title: "input", "layer 1", …
        target: class whose logit was explained, or number of the output.
        versus: class whose logit was subtracted, or `None`.
    """

    values: NDArray[np.float32]
    raw: NDArray[np.float32]
    layer: str
    index: int
    title: str
    target: int
    versus: int | None = None

    @property
    def explained(self) -> int | tuple[int, int]:
        """The class, or the pair of them, as `target` of `grad_cam` takes it."""
        return self.target if self.versus is None else (self.target, self.versus)


Maps: TypeAlias = Sequence[Mapping[str, RelevanceMap]]
"""Maps of several recordings: layer -> map of each."""


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
        sequence: (T, V, C), or (M, T, V, C) for several people; never padded.
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
    converted to float32 for this. A layer whose output does not depend on the recording, such as a branch of velocities
    in a recording of one frame, has a map of zeros.

    Returns:
        Layer name -> `RelevanceMap`, in the network's order.

    Raises:
        LayerNotFoundError: if a layer does not exist.
        AxesError: if an axis string is invalid, or a layer's output has another shape than its axes say.
        LayoutError, SequenceError: if the recording does not fit the network, there is no such class, or the
            network's forward pass blocks gradients.
    """
    if target == "true":
        raise SequenceError('target="true" needs labels; give the class index, or use grad_cam_set')
    array = np.asarray(sequence, dtype=np.float32)
    layout = getattr(network, "layout", None)
    if isinstance(layout, SkeletonLayout):
        data = SequenceSet([array], layout=layout, names=["sequence"])
        check_fit(network, data)
        array = data.people(0)
    elif array.ndim not in (3, 4) or not np.isfinite(array).all():
        raise SequenceError(f"sequence has shape {array.shape}; expected finite (T, V, C) or (M, T, V, C)")
    people = array if array.ndim == 4 else array[None]
    chosen = find_layers(network, layers, axes=axes)
    classes = target_classes(target, np.zeros(1, dtype=np.int64))
    return _maps(network, [people], chosen, classes, signed=signed, pool_people=pool_people, device=device)[0]


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
        LayerNotFoundError, LayoutError, SequenceError: as `grad_cam`.
    """
    check_fit(network, data)
    chosen = find_layers(network, layers, axes=axes)
    wanted = target
    if not data.class_names and target in (None, "predicted", "true"):
        if getattr(network, "classes", 1) > 1:
            raise SequenceError("target: the recordings have no classes; give the number of the network's output")
        wanted = 0
    batches = equal_batches(data, BATCH_FRAMES)
    results: dict[int, dict[str, RelevanceMap]] = {}
    for batch in track(batches, "Explaining", total=len(batches), show=progress):
        classes = target_classes(wanted, data.labels[batch])
        members_ = [data.people(i) for i in batch]
        maps = _maps(network, members_, chosen, classes, signed=signed, pool_people=pool_people, device=device)
        results.update(zip(batch.tolist(), maps, strict=True))
    return [results[i] for i in range(len(data))]


def _maps(
    network: nn.Module,
    people: Sequence[NDArray[np.float32]],
    layers: Sequence[Layer],
    classes: Sequence[tuple[int, int | None]] | None,
    *,
    signed: bool,
    pool_people: PeoplePool,
    device: str,
) -> list[dict[str, RelevanceMap]]:
    """Maps of recordings (M, T, V, C) of equal shape, by one forward and one backward pass."""
    (M, T, V, _), x = people[0].shape, network_batch(people)
    names = [layer.name for layer in layers]
    with observing(network, layers, device=device, gradients=True) as forward:
        logits, outputs = forward(x)
        check_scores(logits, x)
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
        if not signed:
            relevance = relevance.clamp(min=0)
        raw: NDArray[np.float32] = relevance.expand(-1, M, -1, -1).cpu().numpy()
        stride = temporal_stride(np.array([T]), np.array([raw.shape[2]]))
        values = np.broadcast_to(at_input_frames(raw, T, stride), (len(people), M, T, V))
        for n, (target, versus) in enumerate(found):
            results[n][layer.name] = RelevanceMap(
                np.ascontiguousarray(values[n]), raw[n], layer.name, layer.index, layer.title, target, versus
            )
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


def at_input_frames(raw: NDArray[np.float32], frames: int, stride: int) -> NDArray[np.float32]:
    """(…, T_l, V) -> (…, T, V), linear in time; layer frame j lies at input frame j * stride."""
    last = raw.shape[-2] - 1
    place = np.minimum(np.arange(frames) / stride, last)
    before = place.astype(np.int64)
    share = (place - before).astype(np.float32)[:, None]
    after = np.minimum(before + 1, last)
    result: NDArray[np.float32] = raw[..., before, :] * (1 - share) + raw[..., after, :] * share
    return result


def target_classes(target: Target, labels: NDArray[np.int64]) -> list[tuple[int, int | None]] | None:
    """(class, class to subtract or `None`) per recording; `None` for the predicted classes."""
    match target:
        case None | "predicted":
            return None
        case "true":
            return [(int(label), None) for label in labels]
        case (first, second):
            return [(int(first), int(second))] * len(labels)
        case int() | np.integer():
            return [(int(target), None)] * len(labels)
    raise SequenceError(f"target={target!r} is unknown; give 'predicted', 'true', a class index, or two for a contrast")


def resolve_targets(
    classes: Sequence[tuple[int, int | None]] | None, logits: Tensor
) -> Sequence[tuple[int, int | None]]:
    """The classes to explain, the predicted ones where none are given. SequenceError for one that the network lacks."""
    if classes is None:
        return [(int(c), None) for c in logits.argmax(dim=1)]
    known = logits.shape[1]
    for c in (c for pair in classes for c in pair if c is not None):
        if not 0 <= c < known:
            raise SequenceError(f"target: there is no class {c}; the network has {known} classes (0 to {known - 1})")
    return classes


def target_scores(logits: Tensor, classes: Sequence[tuple[int, int | None]]) -> Tensor:
    """(N,) logit of each recording's class, minus that of the class to subtract, if there is one."""
    rows = torch.arange(len(classes), device=logits.device)
    score = logits[rows, torch.tensor([first for first, _ in classes], device=logits.device)]
    for n, (_, second) in enumerate(classes):
        if second is not None:
            score = score - logits[n, second] * (rows == n)
    return score
