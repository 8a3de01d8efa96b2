"""Several recordings to play side by side: one of each class, or a recording and the one nearest to it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import SequenceError
from stgcnlib.figures.data import middle_recording, poses
from stgcnlib.figures.live import LiveFigure
from stgcnlib.figures.player import aligned_frames, player_content, skeleton_player
from stgcnlib.figures.space import drawable
from stgcnlib.figures.style import DPI
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from stgcnlib.activations.store import LayerActivations
    from stgcnlib.dtw import DTWOptions
    from stgcnlib.explain import RelevanceMap

__all__ = ["Alignment", "align", "class_player", "neighbor_player"]


def class_player(data: SequenceSet, *, most: int = 6) -> LiveFigure | None:
    """One recording of each class to play, side by side at the same speed; the shorter ones wait at their end.

    The recording is the class's one of median length, as in `poses`. `None` where the data holds no positions to draw.

    Args:
        data: recordings with classes.
        most: classes at most, from 1 to 6; if there are more, evenly spaced ones are taken.

    Raises:
        SequenceError: there are no recordings with classes.
    """
    if not drawable(data):
        return None
    if not data.class_names:
        raise SequenceError("class_player: the recordings have no classes; play a single one with skeleton_player")
    present = np.unique(data.labels)
    taken = present[np.linspace(0, len(present) - 1, min(most, len(present))).round().astype(int)]
    indices = [middle_recording(data, int(c)) for c in taken]
    content = player_content(data, indices, [{}] * len(indices))
    buffer = io.BytesIO()
    figure = poses(data.select(indices))
    figure.savefig(buffer, format="png", dpi=DPI)
    names = ", ".join(data.class_names[c] for c in taken)
    return LiveFigure(
        "player", content, buffer.getvalue(), round(figure.get_figwidth() * 100), f"Skeleton player, {names}."
    )


def neighbor_player(
    nodes: SequenceSet,
    explained: ArrayLike,
    maps: Sequence[Mapping[str, RelevanceMap]],
    *,
    activations: LayerActivations,
    distances: LayerDistances | ArrayLike,
    options: DTWOptions,
    groups: ArrayLike | None = None,
    every_map: bool = False,
) -> LiveFigure | None:
    """The middle one of the explained recordings, beside the nearest of those that may be its neighbours.

    `None` where the data holds no positions to draw.

    Args:
        nodes: N recordings.
        explained: (n,) indices of the nodes with maps; only these are shown.
        maps: of the explained nodes: one dictionary (layer -> map) each.
        activations: features of all nodes at the layer that aligns the two.
        distances: `LayerDistances` or (N, N) array, at that layer.
        options: of DTW, in input frames.
        groups: (N,) groups whose members are no neighbours of each other; `None`: all may be neighbours.
        every_map: offer the maps of all layers instead of that layer's; if that layer is the input, there are none.

    Raises:
        SequenceError: maps do not fit the recordings.
    """
    if not drawable(nodes):
        return None
    indices = np.asarray(explained)
    k = len(indices) // 2
    node = int(indices[k])
    known = as_layer_distances(distances)
    known.ask(np.full(len(indices), node), indices)
    away = known.get(node, indices).astype(np.float64)
    barred = None if groups is None else np.asarray(groups)
    away[k if barred is None else barred[indices] == barred[node]] = np.inf
    j = int(away.argmin())
    other = int(indices[j])
    shown, beside = None, None
    if activations.index > 0:
        names = list(maps[k]) if every_map else [activations.name]
        shown, beside = ({name: maps[n][name] for name in names} for n in (k, j))
    lengths = (int(nodes.lengths[node]), int(nodes.lengths[other]))
    features = activations.sequence(node), activations.sequence(other)
    frames = align(*features, lengths, options, activations.temporal_stride).frames
    return skeleton_player(nodes, node, shown, neighbor=other, neighbor_maps=beside, path=frames)


@dataclass(frozen=True)
class Alignment:
    """How DTW aligns two recordings at a layer.

    Attributes:
        frames: (L, 2) input frames to show together, see `aligned_frames`.
        path: (P, 2) aligned items.
        costs: (n, m) float64 local costs of the items.
    """

    frames: NDArray[np.int64]
    path: NDArray[np.int64]
    costs: NDArray[np.float64]


def align(
    first: ArrayLike, second: ArrayLike, lengths: tuple[int, int], options: DTWOptions, temporal_stride: int
) -> Alignment:
    """Two recordings aligned by a layer's features.

    Args:
        first, second: (T_l, D) features.
        lengths: input frames of the two recordings.
        options: of DTW, in input frames.
        temporal_stride: input frames per frame of the layer.
    """
    from stgcnlib.dtw import dtw_path, local_costs

    there = options.at_temporal_stride(temporal_stride)
    costs = local_costs(first, second, dtw=there)
    path, _ = dtw_path(first, second, costs=costs, dtw=there)
    frames = aligned_frames(
        path, lengths, temporal_stride=temporal_stride, window=there.item_frames, stride=there.item_stride
    )
    return Alignment(frames, path, costs)
