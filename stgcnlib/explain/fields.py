"""Receptive fields: on how many frames and joints of the input a layer's features depend, measured by gradients.

The field is all that can change a feature at all; most of a feature's change often comes from a much smaller part of
it, the effective field (Luo, Li, Urtasun and Zemel, NeurIPS 2016). The measurement works for any architecture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.activations import Layer, find_layers, observing, temporal_stride
from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT, Pass, people_first
from stgcnlib.errors import SequenceError
from stgcnlib.explain.relevance import check_gradient
from stgcnlib.networks.batches import check_fit, network_batch
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms import main_person

__all__ = ["FRAMES", "ReceptiveField", "receptive_fields"]

FRAMES = (64, 256)
"""Lengths of recordings, in frames, that are tried in turn until the field is shorter than the recording."""
JOINT_FRAMES = 16  # length of recordings, in frames, for the fields over joints
CELLS = 2**14  # most frames times joints in a pass over frames; the memory for its gradient grows with it
JOINT_CELLS = 2**12  # the same in a pass over joints
RECORDINGS = 2


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The part of the input on which a layer's features depend, for a feature in the middle of a recording.

    Attributes:
        layer: module name.
        title: "layer 1", …
        index: number of the block.
        stride: input frames per frame of the layer.
        frames: input frames from the first to the last that can change a feature; 0 if they reach an end of the
            longest recording that was tried. Then the field is longer, or has all frames, as after a mean over time.
        tried: length of the recording in frames.
        effective_frames: fewest input frames that hold `share` of the influence.
        profile: (F,) float64, share of influence of each input frame; sums to 1.
        first: input frame of `profile[0]`, relative to the feature's own.
        joints: (V_l, V) float64, share of influence of each input joint (columns) on each joint of the layer (rows; one
            row where the layer does not tell joints apart); rows sum to 1.
        share: the share of the influence that effective numbers hold.
    """

    layer: str
    title: str
    index: int
    stride: int
    frames: int
    tried: int
    effective_frames: int
    profile: NDArray[np.float64]
    first: int
    joints: NDArray[np.float64]
    share: float

    @property
    def reach(self) -> NDArray[np.int64]:
        """(V_l,) how many input joints can change each joint of the layer."""
        return np.asarray(np.count_nonzero(self.joints, axis=1), dtype=np.int64)

    @property
    def effective_joints(self) -> NDArray[np.int64]:
        """(V_l,) fewest input joints that hold `share` of the influence."""
        return np.array([_fewest(row, self.share) for row in self.joints], dtype=np.int64)


def receptive_fields(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    frames: Sequence[int] | None = None,
    share: float = 0.9,
    seed: int = 0,
) -> dict[str, ReceptiveField]:
    """The receptive field of each layer: layer name -> `ReceptiveField`, in the network's order.

    A layer's features are summed with random signs. Influence is the sum of absolute derivatives of this sum with
    respect to the input's coordinates, averaged over two recordings. A recording plays forwards and backwards until it
    is long enough. A feature that is 0 after a ReLU in both recordings shows no influence, so the field of a network
    with few channels may come out too small. It is measured on the CPU.

    Source: after Luo et al., NeurIPS 2016; random signs and shares are our choice (docs/method.md, "What a layer sees
    and puts together").

    Args:
        network: any module that takes (N, C, T, V, M).
        data: recordings that fit it; the first and the middle one are used.
        layers, axes: as in `record`; the input has no field.
        frames: lengths to try, in frames; `None` means `FRAMES`. A network with a fixed length needs exactly that one.
        share: the share of the influence that effective numbers hold, between 0 and 1.
        seed: of the random signs.

    Returns:
        Layer name -> `ReceptiveField`, in the network's order.

    Raises:
        LayerNotFoundError, AxesError, LayoutError, SequenceError: as `record`; if `share` or a length is out of range.
        StudyError: a derivative is NaN or infinite.
    """
    if not 0 < share < 1:
        raise SequenceError(f"receptive_fields: share is {share}; give a number between 0 and 1, such as 0.9")
    lengths = FRAMES if frames is None else tuple(frames)
    if not lengths or min(lengths) < 1:
        raise SequenceError(f"receptive_fields: frames is {lengths}; give lengths of at least 1")
    check_fit(network, data)
    chosen = [layer for layer in find_layers(network, layers, axes=axes) if layer.name != INPUT]
    joints = len(data.layout)
    most = max(CELLS // joints, min(lengths))
    fitting = [length for length in lengths if length <= most]
    sources = [data.people(i) for i in sorted({0, len(data) // 2})][:RECORDINGS]
    signs = np.random.default_rng(seed)
    found: dict[str, tuple[NDArray[np.float64], int, int, int]] = {}
    with observing(network, [*chosen, Layer(INPUT, 0, INPUT)], gradients=True) as forward:
        for length in fitting:
            open_ = [layer for layer in chosen if layer.name not in found or not _fits(found[layer.name][0])]
            if open_:
                found |= _profiles(forward, open_, [_played(each, length) for each in sources], signs)
        around = JOINT_FRAMES if frames is None else fitting[0]
        shares = _joint_shares(forward, chosen, [_played(each, around) for each in sources], signs)
    return {layer.name: _field(layer, *found[layer.name], joints=shares[layer.name], share=share) for layer in chosen}


def _field(
    layer: Layer,
    profile: NDArray[np.float64],
    middle: int,
    stride: int,
    tried: int,
    *,
    joints: NDArray[np.float64],
    share: float,
) -> ReceptiveField:
    touched = np.flatnonzero(profile)
    start, stop = (int(touched[0]), int(touched[-1]) + 1) if len(touched) else (middle, middle)
    within = profile[start:stop] / max(float(profile.sum()), np.finfo(float).tiny)
    return ReceptiveField(
        layer.name, layer.title, layer.index, stride,
        frames=stop - start if _fits(profile) else 0,
        tried=tried,
        effective_frames=_fewest(within, share),
        profile=within,
        first=start - middle,
        joints=joints / np.maximum(joints.sum(axis=1, keepdims=True), np.finfo(float).tiny),
        share=share,
    )  # fmt: skip


def _profiles(
    forward: Pass, layers: Sequence[Layer], sources: Sequence[NDArray[np.float32]], signs: np.random.Generator
) -> dict[str, tuple[NDArray[np.float64], int, int, int]]:
    """Layer name -> (T,) influence of each input frame on the middle one of the layer, that frame's own input frame,
    the layer's stride, and T."""
    tried = sources[0].shape[1]
    totals = {layer.name: np.zeros(tried) for layer in layers}
    places: dict[str, tuple[int, int]] = {}
    for people in sources:
        x = network_batch([people])
        _, outputs = forward(x)
        for layer in layers:
            features = _of_person(people_first(outputs[layer.name], layer, x), people)
            middle = features.shape[2] // 2
            stride = temporal_stride(np.array([tried]), np.array([features.shape[2]]))
            places[layer.name] = (middle * stride, stride)
            mixed = (features[0, :, middle] * _signs(signs, features[0, :, middle])).sum()
            totals[layer.name] += _absolute(mixed, outputs[INPUT]).sum(dim=(0, 1, 3, 4)).cpu().double().numpy()
            check_gradient(totals[layer.name], f"influence on layer {layer.name!r}")
    return {name: (total, *places[name], tried) for name, total in totals.items()}


def _joint_shares(
    forward: Pass, layers: Sequence[Layer], sources: Sequence[NDArray[np.float32]], signs: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Layer name -> (V_l, V) influence of each input joint on each joint of the layer."""
    V = sources[0].shape[2]
    totals: dict[str, NDArray[np.float64]] = {}
    for people in sources:
        for copies in _blocks(V, max(1, JOINT_CELLS // (people.shape[1] * V))):
            x = network_batch([people] * len(copies))
            _, outputs = forward(x)
            for layer in layers:
                features = _of_person(people_first(outputs[layer.name], layer, x), people)
                known = features.shape[3]
                rows = totals.setdefault(layer.name, np.zeros((known, V)))
                if known < V and copies[0] > 0:
                    continue  # one row holds for all joints
                used = min(len(copies), known)
                # Copy n of the recording measures joint copies[n] of the layer; copies do not mix. All frames are
                # used, since a joint's features may all be 0 in one of them, after a ReLU.
                own = features[torch.arange(used), :, :, copies[:used] if known == V else 0]
                mixed = (own * _signs(signs, own[0])).sum()
                influence = _absolute(mixed, outputs[INPUT]).sum(dim=(1, 2, 4)).cpu().double().numpy()
                rows[copies[:used] if known == V else [0]] += influence[:used]
                check_gradient(rows, f"influence on layer {layer.name!r}")
    return totals


def _absolute(value: Tensor, source: Tensor) -> Tensor:
    """Absolute derivatives of a number, zero where it does not depend on the source at all."""
    if not value.requires_grad:
        return torch.zeros_like(source)
    (gradient,) = torch.autograd.grad(value, [source], retain_graph=True, materialize_grads=True, allow_unused=True)
    return gradient.abs()


def _of_person(features: Tensor, people: NDArray[np.float32]) -> Tensor:
    """(N, M, C, T, V) -> (N, C, T, V) of the person who moves most, or of all if the layer does not separate people."""
    return features[:, main_person(people) if features.shape[1] > 1 else 0]


def _signs(rng: np.random.Generator, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.choice([-1.0, 1.0], size=tuple(like.shape))).to(like)


def _played(people: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """A recording (M, T, V, C) played forwards and backwards until it has `frames` frames."""
    T = people.shape[1]
    places = np.arange(frames) % max(2 * T - 2, 1)
    return people[:, np.where(places < T, places, 2 * T - 2 - places)]


def _fits(profile: NDArray[np.float64]) -> bool:
    return bool(len(profile) > 1 and profile[0] == 0 and profile[-1] == 0)


def _fewest(shares: NDArray[np.float64], share: float) -> int:
    """The smallest number of shares that sum to at least `share`; all together sum to 1."""
    return int(np.searchsorted(np.cumsum(np.sort(shares)[::-1]), share - 1e-12) + 1) if shares.any() else 0


def _blocks(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield list(range(start, min(start + size, count)))
