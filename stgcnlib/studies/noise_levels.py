"""Label smoothness and predictions of one network on recordings with one kind and level of noise.

Kinds and levels are in `corruption`; studies of many levels, and their tables, are in `noise`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.activations import LayerStore, record
from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dsgraph.distances import HowMany, all_or_nearest, takes_all_pairs
from stgcnlib.dtw import DTWLike, LayerDistances, as_layer_distances, dtw_distances, dtw_options
from stgcnlib.errors import StudyError
from stgcnlib.geometry import Jackknife, label_smoothness, values_without
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.corruption import CLEAN, corrupt
from stgcnlib.studies.kept import Values
from stgcnlib.temporary import TemporaryFolder

__all__ = ["Neighbours", "check_queries", "measure_level"]

Neighbours = Literal["noisy", "clean"]


def measure_level(
    network: nn.Module,
    data: SequenceSet,
    kind: str,
    level: float | None,
    *,
    jackknife: Jackknife,
    groups: ArrayLike | None,
    layers: str | Sequence[str] | None,
    distances: Mapping[str, LayerDistances | ArrayLike],
    how_many: HowMany = "auto",
    neighbours: Neighbours = "noisy",
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
        jackknife: its parts are left out one by one.
        groups, layers, neighbours, dtw, seed, axes, device: as of `noise_study`.
        distances: layer -> `LayerDistances` or (N, N) array of the clean recordings, where they are known.
        how_many: which distances are computed where none are given: of "all" pairs, of the nearest "neighbours", or
            "auto", by N.
        **graph: k, sigma, symmetrize and solver of the DS-Graphs.

    Returns:
        Plain values: predicted, (N,) classes; layers, each with name, index, title, smoothness, (N,), and without,
        (P,): the mean smoothness on graphs that are made anew without each part.
    """
    layers = [layers] if isinstance(layers, str) else layers
    names = None if layers is None else [name for name in layers if name != "input"]
    clean, options = kind == CLEAN or level is None, dtw_options(dtw)
    asked = {"k": graph["k"], "exclude": groups, "parts": jackknife.parts}
    check_queries(len(data), neighbours, how_many)
    found = []
    with TemporaryFolder() as scratch:

        def recorded(recordings: SequenceSet, name: str) -> LayerStore:
            return record(
                network, recordings, layers=names, store=scratch / name, axes=axes, device=device, progress=False
            )  # fmt: skip

        store = recorded(corrupt(data, kind, level, seed=seed), "layers.zarr")
        others = store if clean or neighbours == "noisy" else recorded(data, "clean.zarr")
        predicted = _predictions(store, network)
        for name in store.layers:
            known = distances.get(name) if clean or others is not store else None
            if known is None:
                known = all_or_nearest(others[name], options, how_many=how_many, device=device, **asked)
            between = as_layer_distances(known)
            queries = None
            if others is not store:
                queries = dtw_distances(store[name], others[name], dtw=options, device=device, progress=False)
            chosen = {"exclude": groups, "queries": queries, **graph}
            values = label_smoothness(nnk_graph(between, **chosen), data.labels, per="node")
            without = jackknife.means(values_without(jackknife, between, data.labels, **chosen))
            about = {"name": name, "index": store[name].index, "title": store[name].title}
            found.append(about | {"smoothness": values.tolist(), "without": without.tolist()})
    return {"predicted": predicted.tolist(), "layers": found}


def check_queries(count: int, neighbours: Neighbours, how_many: HowMany) -> None:
    """Refuse to look for neighbours among clean recordings where not all distances are taken.

    Raises:
        StudyError: says what to set.
    """
    if neighbours == "clean" and not takes_all_pairs(how_many, count):
        raise StudyError(
            f"noise.neighbours: clean needs the distances of all pairs, but with {count:,} recordings only the "
            "nearest are computed; set noise.neighbours to noisy, graph.distances to all, or take fewer recordings"
        )


def _predictions(store: LayerStore, network: nn.Module) -> NDArray[np.int64]:
    """(N,) classes that the network names in the pass that recorded its layers."""
    scores = store.scores
    if scores is None:
        raise StudyError(f"{type(network).__name__} returns no class scores (N, classes), which the noise study needs")
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)
