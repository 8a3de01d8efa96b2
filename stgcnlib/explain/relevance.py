"""Relevance maps: what they hold, and how a layer's relevance becomes maps at the input's frames.

All attributions end here. `stgcnlib.explain.gradcam` and `stgcnlib.explain.attribution` compute the relevance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stgcnlib.activations import Layer, temporal_stride
from stgcnlib.errors import StudyError
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.transforms.presence import people_there

__all__ = ["Maps", "RelevanceMap", "at_input_frames", "check_gradient", "layer_maps"]


@dataclass(frozen=True, eq=False)
class RelevanceMap:
    """Relevance of each joint at each time for one class, as one layer sees it.

    Attributes:
        values: (M, T, V) float32 at the input's frames; in units of logit change, at least 0 unless signed, and 0 for a
            person who is not in the frame. It is float64 of a network in float64.
        raw: (M, T_l, V), of the same dtype, at the layer's own frames; V is 1 where the layer does not tell joints
            apart. 0 for a person who is in no frame.
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


def layer_maps(
    relevance: Tensor,
    layer: Layer,
    people: Sequence[NDArray[np.float32]],
    recordings: Sequence[str],
    layout: SkeletonLayout | None,
    explained: Sequence[tuple[int, int | None]],
    *,
    signed: bool,
) -> list[RelevanceMap]:
    """A layer's maps of recordings of equal shape, at its own frames and at the input's; zeros where nobody is.

    Args:
        relevance: (N, M or 1, T_l, V or 1), with its sign, in any floating dtype.
        layer: whose it is.
        people: N recordings (M, T, V, C) float32.
        recordings: their names.
        layout: of the recordings; `None` counts as a body.
        explained: class, and the class that was subtracted or `None`, of each recording.
        signed: keep negative relevance.

    Raises:
        StudyError: a map is NaN or infinite.
    """
    M, T, V, _ = people[0].shape
    there = np.stack([people_there(each, layout) for each in people])
    shown = relevance if signed else relevance.clamp(min=0)
    raw: NDArray[np.float32] = shown.expand(-1, M, -1, -1).cpu().numpy().copy()
    raw[~there.any(axis=2)] = 0
    for each, recording in zip(raw, recordings, strict=True):
        check_gradient(each, f"relevance of layer {layer.name!r} for {recording!r}")
    stride = temporal_stride(np.array([T]), np.array([raw.shape[2]]))
    values = np.broadcast_to(at_input_frames(raw, T, stride), (len(people), M, T, V)).copy()
    values[~there] = 0
    return [
        RelevanceMap(values[n], raw[n], layer.name, layer.index, layer.title, *explained[n]) for n in range(len(people))
    ]


def at_input_frames(raw: NDArray[np.float32], frames: int, stride: int) -> NDArray[np.float32]:
    """(…, T_l, V) -> (…, T, V), linear in time; layer frame j lies at input frame j * stride."""
    last = raw.shape[-2] - 1
    place = np.minimum(np.arange(frames) / stride, last)
    before = place.astype(np.int64)
    share = (place - before).astype(np.float32)[:, None]
    after = np.minimum(before + 1, last)
    result: NDArray[np.float32] = raw[..., before, :] * (1 - share) + raw[..., after, :] * share
    return result


def check_gradient(values: NDArray[np.floating], what: str) -> None:
    """Refuse what was derived from finite scores or features and is not finite.

    Args:
        values: of any shape.
        what: what they are, in a few words.

    Raises:
        StudyError: a value is NaN or infinite; says where in a network to look.
    """
    if not np.isfinite(values).all():
        raise StudyError(
            f"{what} is NaN or infinite: a gradient is. In a forward pass of your own, look for a root, a norm or a "
            "division at 0, and keep it away from 0: sqrt(x + 1e-12)"
        )
