"""Passing recordings through a network in batches; each layer's output becomes rows, one per frame of a recording.

`record` and `LayersOnDemand` both get their features here: the same batches give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import INPUT, Layer, find_layers, observing, people_first
from stgcnlib.errors import SequenceError
from stgcnlib.networks.batches import check_numbers, equal_batches, network_batch
from stgcnlib.progress import track
from stgcnlib.sequences import SequenceSet
from stgcnlib.transforms import main_person

__all__ = [
    "Outputs", "Padding", "People", "batches_of", "chosen_layers", "kept_frames", "kept_people", "passes",
    "rounded_rows", "true_frames",
]  # fmt: skip

Padding: TypeAlias = Literal["none", "crop"]
People: TypeAlias = Literal["auto", "main", "concatenate"]

_BATCH_FRAMES = 2048  # frames of all people in one forward pass; bounds the memory of a batch


class Outputs(NamedTuple):
    """What a network put out for a batch.

    Attributes:
        batch: (n,) int64, indices of its recordings.
        scores: (n, classes) float32; `None` if the network puts out anything else.
        layers: of each layer in turn: name, joints V, frames T_l that it put out, and of each recording (T, V*C)
            float32: its first frames without padding (`kept_frames`).
    """

    batch: NDArray[np.int64]
    scores: NDArray[np.float32] | None
    layers: Iterator[tuple[str, int, int, list[NDArray[np.float32]]]]


def kept_people(data: SequenceSet, people: People) -> Literal["main", "concatenate"]:
    """Whose features are kept: as asked, or for "auto" those of one person where most recordings hold one."""
    if people != "auto":
        return people
    counts = np.array([_present(data.people(i)).sum() for i in range(len(data))])
    return "main" if np.mean(counts <= 1) > 0.5 else "concatenate"


def true_frames(people: NDArray[np.float32], *, body: bool) -> int:
    """Frames f of a recording (M, T, V, C) up to the last one in which anyone is; what follows is padding.

    Published preparations (`stgcnlib.transforms.pad_with_zeros`) put zeros after the end. All T on a graph that is no
    body (not `body`), where zeros are values.
    """
    return int(np.flatnonzero(people.any(axis=(0, 2, 3)))[-1]) + 1 if body else people.shape[1]


def kept_frames(layer_frames: int, true: int, entered: int) -> int:
    """ceil(T_l * f / F): what a layer keeps of a recording with f true frames among F that entered the network."""
    return -(-layer_frames * true // entered)


def chosen_layers(network: nn.Module, layers: str | Sequence[str] | None, axes: Axes | None) -> tuple[Layer, ...]:
    """The layers that are recorded: the input, and those of `find_layers`."""
    found = find_layers(network, layers, axes=axes)
    return (Layer(INPUT, 0, INPUT), *(layer for layer in found if layer.name != INPUT))


def rounded_rows(rows: NDArray[np.float32], dtype: np.dtype[Any], name: str) -> NDArray[np.floating]:
    """Features in the dtype in which they are kept.

    Raises:
        SequenceError: some are too large for it; names the layer.
    """
    if dtype == rows.dtype:
        return rows
    largest, most = float(np.abs(rows).max(initial=0.0)), float(np.finfo(dtype).max)
    if largest > most:
        raise SequenceError(
            f"layer {name!r} has features up to {largest:.4g}, and {dtype} holds no more than {most:.0f}; keep them in "
            f"float32 (activations.dtype), or leave this layer out"
        )
    return rows.astype(dtype)


def batches_of(data: SequenceSet, padding: Padding = "none") -> list[NDArray[np.int64]]:
    """Indices of the recordings that pass together."""
    return equal_batches(data, _BATCH_FRAMES, frames=int(data.lengths.max()) if padding == "crop" else None)


def passes(
    network: nn.Module,
    data: SequenceSet,
    layers: Sequence[Layer],
    batches: Sequence[NDArray[np.int64]],
    *,
    device: str,
    people: Literal["main", "concatenate"],
    padding: Padding = "none",
    progress: bool | None = None,
) -> Iterator[Outputs]:
    """Batches through the network, in order; the layers of a batch are given before the next one passes.

    Raises:
        StudyError: scores or features are NaN or infinite.
    """
    most = int(data.people_counts.max())
    frames = int(data.lengths.max()) if padding == "crop" else None
    body = data.layout.dimensions > 0
    lie = {layer.name: layer for layer in layers}
    with observing(network, layers, device=device) as forward:
        for batch in track(batches, "Recording layers", total=len(batches), show=progress):
            members = [data.people(i) for i in batch]
            mains = [main_person(member) if people == "main" else None for member in members]
            x = network_batch(members, frames=frames)
            logits, outputs = forward(x)
            scores = None
            if isinstance(logits, torch.Tensor) and logits.ndim == 2 and len(logits) == len(x):
                scores = logits.to("cpu", torch.float32).numpy()

            def arranged(
                batch: NDArray[np.int64] = batch,
                outputs: dict[str, Tensor] = outputs,
                x: Tensor = x,
                members: list[NDArray[np.float32]] = members,
                mains: list[int | None] = mains,
            ) -> Iterator[tuple[str, int, int, list[NDArray[np.float32]]]]:
                for name, output in outputs.items():
                    features = people_first(output, lie[name], x).to("cpu", torch.float32).numpy()
                    rows, layer_frames = [], int(features.shape[3])
                    for n, member in enumerate(members):
                        count = kept_frames(layer_frames, true_frames(member, body=body), int(x.shape[2]))
                        kept = features[n][:, :, :count]
                        main = mains[n] if "M" in lie[name].axes else 0  # else people are not told apart
                        rows.append(_rows(kept, member, main, most))
                        check_numbers(rows[-1], f"features of layer {name!r}", data.names[batch[n]])
                    yield name, int(features.shape[4]), layer_frames, rows

            yield Outputs(batch, scores, arranged())
            if scores is not None:  # after the features, whose error names the layer at fault
                for each, i in zip(scores, batch, strict=True):
                    check_numbers(each, "the network's outputs", data.names[i])


def _rows(
    features: NDArray[np.float32], member: NDArray[np.float32], main: int | None, most: int
) -> NDArray[np.float32]:
    """(M, C, T, V) of one recording -> (T, V*C) of person `main`, or of all, side by side per joint."""
    if main is not None:
        chosen = features[main].transpose(1, 2, 0)
        return np.ascontiguousarray(chosen).reshape(len(chosen), -1)
    M, C, T, V = features.shape
    wide = np.zeros((T, V, most, C), dtype=np.float32)
    wide[:, :, :M] = features.transpose(2, 3, 0, 1)
    # A person whose coordinates are all zero is absent, though the network's biases make features of the zeros.
    wide[:, :, :M][:, :, ~_present(member)] = 0
    return wide.reshape(T, V * most * C)


def _present(member: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(M,) whether a person of (M, T, V, C) was tracked at all."""
    return np.asarray(member.any(axis=(1, 2, 3)), dtype=np.bool_)
