"""One vector per recording and layer: features averaged over frames and joints, for use in other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.passes import batches_of, chosen_layers, kept_people, passes
from stgcnlib.activations.store import LayerStore
from stgcnlib.networks.batches import check_fit
from stgcnlib.sequences import SequenceSet

__all__ = ["PooledLayer", "pool_recordings", "pool_store"]


@dataclass(frozen=True, eq=False)
class PooledLayer:
    """Mean features of N recordings at one layer.

    Attributes:
        name: module name, or "input".
        title: "input", "layer 1", …
        index: 0 for the input, then the number of the block.
        frames: (N,) int64, frames of the layer that were averaged.
        features: (N, C) float32; where features of several people are kept, C holds the channels of one person after
            the other, zeros for those who are absent.
    """

    name: str
    title: str
    index: int
    frames: NDArray[np.int64]
    features: NDArray[np.float32]


def pool_store(store: LayerStore) -> Iterator[PooledLayer]:
    """The layers of a store in order, one in memory at a time."""
    for name in store.layers:
        layer = store[name]
        features = np.stack([_mean(rows, layer.joints) for rows in layer])
        yield PooledLayer(layer.name, layer.title, layer.index, layer.lengths, features)


def pool_recordings(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | Sequence[str] | None = None,
    axes: Axes | None = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> list[PooledLayer]:
    """What `pool_store` gives of ``record(network, data)``, without keeping the features themselves.

    Args:
        network: any module that takes (N, C, T, V, M).
        data: N recordings.
        layers, axes, device, progress: as `record`.

    Raises:
        LayerNotFoundError, AxesError, LayoutError, SequenceError: as `record`.
    """
    chosen = chosen_layers(network, layers, axes)
    check_fit(network, data)
    means: dict[str, list[NDArray[np.float32]]] = {layer.name: [] for layer in chosen}
    lengths: dict[str, list[int]] = {layer.name: [] for layer in chosen}
    batches, people = batches_of(data), kept_people(data, "auto")
    for each in passes(network, data, chosen, batches, device=device, people=people, progress=progress):
        for name, joints, _, recordings in each.layers:
            means[name] += [_mean(rows, joints) for rows in recordings]
            lengths[name] += [len(rows) for rows in recordings]
    order = np.argsort(np.concatenate(batches))
    return [
        PooledLayer(
            layer.name, layer.title, layer.index,
            np.array(lengths[layer.name], dtype=np.int64)[order], np.stack(means[layer.name])[order],
        )
        for layer in chosen
    ]  # fmt: skip


def _mean(rows: NDArray[np.float32], joints: int) -> NDArray[np.float32]:
    """(T, V*C) -> (C,); added up in float64, so that long recordings lose nothing."""
    mean: NDArray[np.float64] = rows.reshape(len(rows), joints, -1).mean(axis=(0, 1), dtype=np.float64)
    return mean.astype(np.float32)
