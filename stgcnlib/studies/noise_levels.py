"""Kinds and levels of noise, and what one network does on recordings with one of them.

Studies of many levels, and their tables, are in `noise`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib import transforms
from stgcnlib.activations import LayerStore, record
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import DTWLike, dtw_distances
from stgcnlib.errors import StudyError, suggest
from stgcnlib.geometry import label_smoothness
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.kept import Values

__all__ = ["CLEAN", "KINDS", "LEVELS", "UNITS", "Kind", "kinds_and_levels", "corrupt", "measure_level"]

Kind = Literal["jitter", "joint dropout", "frame dropout", "rotation"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CLEAN = "clean"
LEVELS: Mapping[Kind, tuple[float, ...]] = {
    "jitter": (30.0, 20.0, 10.0),
    "joint dropout": (0.05, 0.1, 0.2),
    "frame dropout": (0.1, 0.25, 0.5),
    "rotation": (15.0, 30.0, 60.0),
}
UNITS: Mapping[Kind, str] = {
    "jitter": "dB signal-to-noise ratio",
    "joint dropout": "share of joints lost",
    "frame dropout": "share of frames lost",
    "rotation": "degrees, largest turn",
}


def corrupt(data: SequenceSet, kind: str, level: float | None, *, seed: int = 0) -> SequenceSet:
    """Recordings with one kind of noise.

    Args:
        data: any recordings.
        kind: "jitter" (level: signal-to-noise ratio in dB, less is more), "joint dropout" and "frame dropout"
            (shares lost), "rotation" (largest turn in degrees), or "clean", for which the level is None.
        level: see `transforms.jitter`, `drop_joints`, `drop_frames` and `rotate`.
        seed: of the noise.
    """
    if kind == CLEAN or level is None:
        return data
    match kind:
        case "jitter":
            return transforms.jitter(data, snr_db=level, seed=seed)
        case "joint dropout":
            return transforms.drop_joints(data, level, seed=seed)
        case "frame dropout":
            return transforms.drop_frames(data, level, seed=seed)
        case "rotation":
            return transforms.rotate(data, level, seed=seed)
    raise StudyError(f"no noise is named {kind!r}; {suggest(kind, KINDS)}")


def kinds_and_levels(kinds: Sequence[Kind], levels: Mapping[Kind, Sequence[float]] | None) -> list[tuple[str, float]]:
    """(kind, level) of all levels of some kinds, the mild ones of a kind first; arguments as of `noise_study`.

    Raises:
        StudyError: an unknown kind, a kind without levels, or no kind.
    """
    for name in [*kinds, *(levels or {})]:
        if name not in KINDS:
            raise StudyError(f"no noise is named {name!r}; {suggest(str(name), KINDS)}")
    wanted: list[tuple[str, float]] = []
    for kind in kinds:
        # Mild first: infinity dB is no noise, and less is more.
        chosen = sorted({float(x) for x in (levels or {}).get(kind, LEVELS[kind])}, reverse=kind == "jitter")
        if not chosen:
            raise StudyError(f"levels of {kind!r} are empty; give at least one, or leave the kind out of kinds")
        wanted += [(kind, level) for level in chosen]
    if not wanted:
        raise StudyError("kinds is empty; name at least one kind of noise")
    return wanted


def measure_level(
    network: nn.Module,
    data: SequenceSet,
    kind: str,
    level: float | None,
    *,
    groups: ArrayLike | None,
    layers: Sequence[str] | None,
    distances: Mapping[str, ArrayLike],
    dtw: DTWLike,
    seed: int,
    axes: Any,
    device: str,
    **graph: Any,
) -> Values:
    """One network on recordings with one kind and level of noise: smoothness of each node per layer, and predictions.

    Args:
        network, data: as of `noise_study`.
        kind, level: as of `corrupt`.
        groups, layers, distances, dtw, seed, axes, device: as of `noise_study`.
        **graph: k, sigma, symmetrize and solver of the DS-Graphs.

    Returns:
        Plain values: predicted, (N,) classes; layers, each with name, index, title and smoothness, (N,).
    """
    noisy = corrupt(data, kind, level, seed=seed)
    names = None if layers is None else [name for name in layers if name != "input"]
    found = []
    with tempfile.TemporaryDirectory(prefix="stgcnlib-noise-") as scratch:
        store = record(
            network, noisy, layers=names, store=Path(scratch) / "layers.zarr", axes=axes, device=device, progress=False
        )  # fmt: skip
        predicted = _predictions(store, network)
        for name in store.layers:
            matrix = distances.get(name)
            if matrix is None:
                matrix = dtw_distances(store[name], dtw=dtw, progress=False)
            values = label_smoothness(nnk_graph(matrix, exclude=groups, **graph), data.labels, per="node")
            about = {"name": name, "index": store[name].index, "title": store[name].title}
            found.append(about | {"smoothness": values.tolist()})
    return {"predicted": predicted.tolist(), "layers": found}


def _predictions(store: LayerStore, network: nn.Module) -> NDArray[np.int64]:
    """(N,) classes that the network names in the pass that recorded its layers."""
    scores = store.scores
    if scores is None:
        raise StudyError(f"{type(network).__name__} puts out no class scores (N, classes), which the noise study reads")
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)
