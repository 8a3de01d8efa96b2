"""The map of a DS-Graph in the plane: recordings as points, coloured by class, with their edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances
from stgcnlib.figures.dsgraph import agreement, class_codes
from stgcnlib.figures.embedding import map_points
from stgcnlib.figures.style import WIDTH, class_styles, halo, new_figure, styled

__all__ = ["CROWDED", "crowd", "ds_graph_map", "heaviest_pairs"]

_NAMED = 12  # so many classes are named on the map; more are numbered there and named beside it
CROWDED = 2000  # maps of more recordings show small points without rims, and not all edges and numbers
_EDGES = 20_000  # drawn on a crowded map, the heaviest


@styled
def ds_graph_map(
    graph: DSGraph,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    embedding: ArrayLike | None = None,
    distances: LayerDistances | ArrayLike | None = None,
    seed: int = 0,
) -> Figure:
    """The graph in the plane: recordings coloured by class, edges within a class in its colour, others grey.

    Of more than 2,000 recordings only the heaviest edges are drawn, and only those classes are numbered that keep at
    least half of their edge weight within the class; the title says so.

    Args:
        labels: (N,) class indices.
        embedding: (N, 2); `None` places recordings by their distances (`stgcnlib.geometry.planes.placed`).
        distances: `LayerDistances` or (N, N) array, needed where there is no embedding.

    Raises:
        GraphError: if sizes do not fit, or neither embedding nor distances are given.
    """
    codes = class_codes(graph, labels)
    points = map_points(graph, embedding, distances, seed, what="ds_graph_map")
    present = np.unique(codes)
    numbered = len(present) > _NAMED
    figure = new_figure(6.6, width=WIDTH if numbered else 8.2, alt=f"DS-Graph of {len(graph)} recordings in the plane.")
    ax = figure.subplots()
    styles = class_styles(max(len(class_names), int(codes.max()) + 1))
    crowded = len(points) > CROWDED
    drawn, edges = _edges(ax, graph, points, codes, styles)
    if crowded:
        crowd(ax, points, np.array([styles[c][0] for c in codes]))
    size = float(np.clip(9000 / len(points), 13, 46))
    for c in [] if crowded else present:
        mine = codes == c
        color, marker = styles[c]
        ax.scatter(
            points[mine, 0],
            points[mine, 1],
            s=size,
            color=color,
            marker=marker,
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
        )
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.06 * (high - low).max()
    ax.margins(0.06)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    shares, within = agreement(graph, codes, int(codes.max()) + 1)
    told = [k for k, c in enumerate(present) if not crowded or shares[c, c] >= 0.5]
    texts = [str(k + 1) if numbered else class_names[present[k]] for k in told]
    anchors = np.array([_medoid(points[codes == present[k]]) for k in told]).reshape(-1, 2)
    unit = max((high - low + 2 * pad) / np.array([6.4, 6.2])) / 72  # data units per point of text
    places = _apart(anchors, texts, unit)
    for text, place, anchor, c in zip(texts, places, anchors, present[told], strict=True):
        if np.hypot(*(place - anchor)) > 14 * unit:
            ax.plot(*np.stack([anchor, place]).T, color="#7c8792", linewidth=0.7, zorder=4)
        ax.text(place[0], place[1], text, ha="center", va="center", fontsize=8.5, fontweight="bold", zorder=6,
                color=_darker(styles[c][0]), path_effects=halo(3.0))  # fmt: skip
    if numbered:
        handles = [
            Line2D([], [], color=styles[c][0], marker="o" if crowded else styles[c][1], markersize=6, linestyle="none",
                   label=f"{k + 1}  {class_names[c]}") for k, c in enumerate(present)
        ]  # fmt: skip
        columns = math.ceil(len(present) / 32)
        figure.legend(handles=handles, loc="outside right upper", ncols=columns, labelspacing=0.35, handletextpad=0.1)
    title = (
        f"{len(graph):,} recordings, {int(graph.neighbor_counts().sum()):,} edges; "
        f"{within:.0%} of edge weight stays within a class"
    )
    if drawn < edges:
        title += f"\nDrawn: the {drawn:,} heaviest of {edges:,} pairs."
    if len(told) < len(present):
        which = f"the {len(told)} classes that keep" if told else "none, since no class keeps"
        title += f"\n{'Numbered' if numbered else 'Named'}: {which} at least half of the edge weight."
    ax.set_title(title, fontweight="normal")
    return figure


def crowd(ax: Axes, points: NDArray[Any], colors: NDArray[Any]) -> None:
    """Points (N, 2) of colours (N, 3) or (N, 4), small, without rims, in random order so that none hides another."""
    order = np.random.default_rng(0).permutation(len(points))
    x, y = points[order].T
    ax.scatter(x, y, s=5.0, c=colors[order], linewidths=0, zorder=3)


def heaviest_pairs(graph: DSGraph) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], int]:
    """Nodes i < j and weights of the pairs that a map draws (a crowded map: the heaviest), and the number of all."""
    edges = graph.undirected().tocoo()
    i, j = edges.coords
    upper = i < j
    i, j, weight = i[upper], j[upper], edges.data[upper]
    kept = np.sort(np.argsort(-weight, kind="stable")[: _EDGES if len(graph) > CROWDED else None])
    return i[kept], j[kept], weight[kept], len(i)


def _edges(
    ax: Axes, graph: DSGraph, points: NDArray[Any], codes: NDArray[Any], styles: Sequence[Any]
) -> tuple[int, int]:
    """Draw pairs; gives how many are drawn, and how many there are."""
    i, j, weight, count = heaviest_pairs(graph)
    if not count:
        return 0, 0
    same = codes[i] == codes[j]
    strength = np.clip(weight / np.percentile(weight, 95), 0.08, 1.0)
    faded = 0.42 * min(1.0, 4000 / len(i))
    colors = np.array([(*styles[codes[a]][0], 1.0) for a in i])
    colors[~same, :3] = 0.45, 0.49, 0.54
    colors[:, 3] = strength * np.where(same, 0.2 + faded, faded)
    order = np.argsort(same, kind="stable")  # edges within classes on top
    lines = np.stack([points[i], points[j]], axis=1)[order]
    ax.add_collection(
        LineCollection(list(lines), colors=colors[order], linewidths=0.3 + 0.9 * strength[order], zorder=1)
    )
    return len(i), count


def _medoid(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point with the least sum of distances to the others; of many points, to some of them, evenly chosen."""
    others = points[:: max(1, len(points) // 500)]
    total = np.linalg.norm(points[:, None] - others[None], axis=-1).sum(axis=1)
    chosen: NDArray[np.float64] = points[int(total.argmin())]
    return chosen


def _apart(anchors: NDArray[np.float64], texts: Sequence[str], unit: float) -> NDArray[np.float64]:
    """Places of labels near their anchors whose boxes do not overlap: pushed apart along the smaller overlap."""
    half = np.array([[3.1 * len(t) + 3, 7.0] for t in texts]) * unit
    places = anchors.copy()
    for _ in range(400):
        moved = False
        for a in range(len(texts)):
            for b in range(a + 1, len(texts)):
                gap = places[b] - places[a]
                over = half[a] + half[b] - np.abs(gap)
                if (over <= 0).any():
                    continue
                axis = int(over.argmin())
                push = 0.51 * over[axis] * (1.0 if gap[axis] >= 0 else -1.0)
                places[a, axis] -= push
                places[b, axis] += push
                moved = True
        if not moved:
            break
    return places


def _darker(color: tuple[float, float, float]) -> tuple[float, float, float]:
    return (color[0] * 0.72, color[1] * 0.72, color[2] * 0.72)
