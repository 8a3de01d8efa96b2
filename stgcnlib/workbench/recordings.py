"""An opened recording: it and its neighbours at one layer, aligned, with local costs and relevance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import ArtefactError, SequenceError
from stgcnlib.figures.player import player_content
from stgcnlib.figures.players import align
from stgcnlib.figures.space import drawable

if TYPE_CHECKING:
    from stgcnlib.activations.store import LayerActivations
    from stgcnlib.dtw import DTWOptions
    from stgcnlib.explain import RelevanceMap
    from stgcnlib.pipeline.finished import FinishedStudy

__all__ = ["local_costs_shown", "open_recording", "relevance_of"]

EXPLAINED = "trained"  # the network whose relevance a study keeps
SHOWN = 5  # neighbours that play beside a recording
CELLS = 64  # of a matrix of local costs, along each axis

Maps = Mapping[int, Mapping[str, "RelevanceMap"]]


def open_recording(
    study: FinishedStudy,
    node: int,
    *,
    network: str = "trained",
    layer: str,
    neighbours: int = SHOWN,
    maps: Maps | None = None,
) -> dict[str, Any]:
    """A recording beside its NNK neighbours at a layer.

    Args:
        study: the finished study.
        node: index of the recording.
        network: whose layer it is.
        layer: its name.
        neighbours: how many at most; those of largest weight are taken.
        maps: node -> maps (layer -> map) that the study does not hold.

    Returns:
        player: content of a player of the recording and its neighbours, or None where there is nothing to draw. Its
            path has one row per frame of the recording: the frame of each neighbour that DTW aligns with it.
        neighbours: node, weight, distance and frames of each.
        costs: for each, local costs of at most 64 x 64 blocks of items: values uint8 (rows, columns) from low (0) to
            high (255), and path (P, 2) uint16, the blocks that the DTW path crosses.
        relevance: "stored" if there is a map of the recording at this layer, else "absent", or why there can't be one:
            "input", or "unexplained" for another network than the one that is explained.

    Raises:
        ArtefactError: the study lacks a result that is needed.
        SequenceError: there is no such recording.
    """
    nodes, geometry = study["nodes"], study["geometry"]
    if not 0 <= node < len(nodes):
        raise SequenceError(f"there is no recording {node}; the set has {len(nodes)} (0 to {len(nodes) - 1})")
    graph = geometry.graphs[(layer, network, geometry.neighbours)]
    near = sorted(zip(*graph.neighbors(node), strict=True), key=lambda each: -each[1])[:neighbours]
    others = [int(other) for other, _ in near]
    candidates = dict(zip(graph.candidates[node].tolist(), graph.candidate_distances[node].tolist(), strict=True))
    features = study[f"activations/{network}"][layer]
    frames, costs = _aligned(features, node, others, nodes.lengths, study["dtw"])
    shown = {**_maps_of(study), **(maps or {})} if network == EXPLAINED else {}
    at_layer = [_at(shown.get(k), layer) for k in [node, *others]]
    return {
        "player": player_content(nodes, [node, *others], at_layer, path=frames) if drawable(nodes) else None,
        "neighbours": [
            {"node": k, "weight": float(weight), "distance": candidates[k], "frames": int(nodes.lengths[k])}
            for k, (_, weight) in zip(others, near, strict=True)
        ],
        "costs": costs,
        "relevance": _relevance(features, network, stored=bool(at_layer[0])),
    }


def relevance_of(study: FinishedStudy, node: int) -> dict[str, RelevanceMap]:
    """Maps of a recording at all layers of the first trained network: those stored, or computed now.

    Raises:
        ArtefactError: the study does not hold its network.
    """
    from stgcnlib.explain import grad_cam_set

    nodes = study["nodes"]
    stored = _maps_of(study).get(node)
    if stored:
        return dict(stored)
    names = [layer["name"] for layer in study["layers"] if layer["index"] > 0]
    made = grad_cam_set(
        study[f"network/{EXPLAINED}"], nodes.select([node]), layers=names, axes=study.study.network.axes,
        target=study.study.explain.target, progress=False,
    )  # fmt: skip
    return made[0]


def local_costs_shown(costs: NDArray[np.float64], path: NDArray[np.int64], cells: int = CELLS) -> dict[str, Any]:
    """Local costs (n, m) as a small picture, with the path through it; see `open_recording`."""
    rows, columns = (min(size, cells) for size in costs.shape)
    row_of, column_of = (
        np.arange(size) * count // size for size, count in zip(costs.shape, (rows, columns), strict=True)
    )
    sums = np.add.reduceat(np.add.reduceat(costs, _starts(row_of), axis=0), _starts(column_of), axis=1)
    means = sums / np.outer(np.bincount(row_of), np.bincount(column_of))
    low, high = float(means.min()), float(means.max())
    values = (means - low) / (high - low) if high > low else np.zeros_like(means)
    blocks = np.stack([row_of[path[:, 0]], column_of[path[:, 1]]], axis=1)
    kept = np.concatenate([[True], (np.diff(blocks, axis=0) != 0).any(axis=1)])
    return {
        "rows": rows, "columns": columns, "values": np.round(255 * values).astype(np.uint8), "low": low, "high": high,
        "path": blocks[kept].astype(np.uint16),
    }  # fmt: skip


def _starts(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.concatenate([[True], np.diff(blocks) > 0]))


def _aligned(
    features: LayerActivations, node: int, others: Sequence[int], lengths: NDArray[np.int64], options: DTWOptions
) -> tuple[NDArray[np.int64] | None, list[dict[str, Any]]]:
    """(T, 1 + n) frames of the recording and of each neighbour beside them, and local costs with each."""
    mine = features.sequence(node)
    table, pictures = [np.arange(int(lengths[node]))], []
    for other in others:
        both = (int(lengths[node]), int(lengths[other]))
        found = align(mine, features.sequence(other), both, options, features.temporal_stride)
        pictures.append(local_costs_shown(found.costs, found.path))
        pairs = found.frames
        # Of several frames that are aligned with one, the middle one is shown.
        first = np.searchsorted(pairs[:, 0], table[0], side="left")
        last = np.searchsorted(pairs[:, 0], table[0], side="right") - 1
        table.append(pairs[(first + last) // 2, 1])
    return (np.stack(table, axis=1) if others else None), pictures


def _maps_of(study: FinishedStudy) -> dict[int, Mapping[str, RelevanceMap]]:
    """node -> stored maps; empty where the study has none. Damaged maps count as none, so the rest can be shown."""
    try:
        stored = zip(study["explained"], study["maps"], strict=True) if study.has("maps") else ()
        return {int(node): maps for node, maps in stored}
    except ArtefactError:
        return {}


def _relevance(features: LayerActivations, network: str, *, stored: bool) -> str:
    if features.index == 0:
        return "input"
    if network != EXPLAINED:
        return "unexplained"
    return "stored" if stored else "absent"


def _at(maps: Mapping[str, RelevanceMap] | None, layer: str) -> dict[str, RelevanceMap]:
    return {layer: maps[layer]} if maps and layer in maps else {}
