"""Recipes: what `LayersOnDemand` records layers from, where they are not kept.

A recipe is a folder with the network's weights, the recordings, and the entries of a LayerStore's manifest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import temporal_stride
from stgcnlib.activations.passes import chosen_layers, kept_frames, kept_people, passes, true_frames
from stgcnlib.activations.recording import Stored, described
from stgcnlib.files import write_json
from stgcnlib.networks import save_checkpoint
from stgcnlib.networks.batches import check_fit
from stgcnlib.sequences import SequenceSet
from stgcnlib.version import __version__

__all__ = ["feature_bytes", "outside", "write_recipe"]

FORMAT = "stgcnlib-layers-on-demand"
VERSION = 1
RECIPE, WEIGHTS, RECORDINGS = "recipe.json", "network.pt", "recordings.npz"


def feature_bytes(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: Any = None,
    axes: Axes | None = None,
    dtype: Stored = "float32",
    device: str = "cpu",
) -> int:
    """About how many bytes the features of all layers take on disk, from one pass of the longest recording."""
    chosen = chosen_layers(network, layers, axes)
    longest = int(data.lengths.argmax())
    (each,) = passes(network, data, chosen, [np.array([longest])], device=device, people=kept_people(data, "auto"),
                     progress=False)  # fmt: skip
    cells = sum(rows.size for *_, recordings in each.layers for rows in recordings)
    true = _true_frames(data)
    return round(cells * np.dtype(dtype).itemsize * float(true.sum()) / int(true[longest]))


def write_recipe(
    folder: Path,
    network: nn.Module,
    data: SequenceSet,
    *,
    name: str,
    options: Mapping[str, Any],
    home: Path | None = None,
    layers: Any = None,
    axes: Axes | None = None,
    dtype: Stored = "float32",
    device: str = "cpu",
) -> None:
    """Write a recipe, from which the layers can be recorded again, to a new folder.

    One recording of each length and number of people passes through the network, which tells the layers' sizes.

    Args:
        folder: must not exist.
        network: whose layers they are.
        data: N recordings.
        name, options: arguments of `load_network` that make such a network.
        home: folder from which the module of a network of one's own is imported.
        layers, axes, dtype, device: as `record`.

    Raises:
        LayerNotFoundError, AxesError, LayoutError, SequenceError: as `record`.
    """
    chosen, people = chosen_layers(network, layers, axes), kept_people(data, "auto")
    check_fit(network, data)
    keys = np.stack([data.people_counts, data.lengths], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    put_out = {layer.name: np.zeros(len(first), dtype=np.int64) for layer in chosen}
    sizes: dict[str, tuple[int, int]] = {}
    for number, each in enumerate(
        passes(network, data, chosen, [np.array([i]) for i in first], device=device, people=people, progress=False)
    ):
        for layer, joints, frames, (rows,) in each.layers:
            put_out[layer][number] = frames
            sizes[layer] = joints, rows.shape[1]
    folder.mkdir()
    save_checkpoint(network, folder / WEIGHTS)
    data.save(folder / RECORDINGS)
    kept = SequenceSet.load(folder / RECORDINGS)  # groups of objects are texts there
    entered = list(zip(_true_frames(data).tolist(), data.lengths.tolist(), strict=True))
    details = [
        {
            "name": layer.name, "index": layer.index, "title": layer.title, "joints": sizes[layer.name][0],
            "width": sizes[layer.name][1],
            "lengths": [kept_frames(int(n), *each) for n, each in zip(found, entered, strict=True)],
            "temporal_stride": temporal_stride(data.lengths, found),
        }
        for layer in chosen
        for found in [put_out[layer.name][which.ravel()]]
    ]  # fmt: skip
    write_json(folder / RECIPE, {
        "format": FORMAT, "version": VERSION, "stgcnlib": __version__, "network": described(network),
        "data": kept.fingerprint(), "sequences": len(data), "padding": "none", "people": people, "dtype": dtype,
        "device": device, "made": {
            "name": name, "options": dict(options), "classes": _classes(network, data),
            "home": None if home is None else os.path.relpath(home, outside(folder)),
        },
        "axes": axes, "layers": details,
    })  # fmt: skip


def _classes(network: nn.Module, data: SequenceSet) -> int:
    """Outputs with which the network was made, as far as it tells; it may have more than the recordings need."""
    classes = getattr(network, "classes", None)
    return classes if isinstance(classes, int) else data.outputs


def _true_frames(data: SequenceSet) -> NDArray[np.int64]:
    """(N,) frames of each recording without padding."""
    body = data.layout.dimensions > 0
    return np.array([true_frames(data.people(i), body=body) for i in range(len(data))], dtype=np.int64)


def outside(folder: Path) -> Path:
    """The folder that a recipe's paths are relative to: the study's, within which the recipe is moved later.

    `folder` is the recipe's.
    """
    home = folder.resolve()
    return next((each.parent for each in home.parents if each.name == "artefacts"), home)
