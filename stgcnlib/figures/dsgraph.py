"""The DS-Graph of one layer: its map, its neighbourhoods, and where its edges lead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.figures.activations import quantile_marks
from stgcnlib.figures.embedding import map_points
from stgcnlib.figures.graph import signal_scale
from stgcnlib.figures.matrix import class_matrix
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.style import (
    BAD,
    COUNTS,
    FAINT,
    GOOD,
    INK,
    MUTED,
    WIDTH,
    class_styles,
    halo,
    head,
    layer_colors,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.separation import class_shares
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.sequences import SequenceSet

__all__ = ["ds_graph_map", "edge_agreement", "neighbor_counts", "neighbors_of"]

NAMED = 12  # so many classes are named on the map; more are numbered there and named beside it


@styled
def ds_graph_map(
    graph: DSGraph,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    embedding: ArrayLike | None = None,
    distances: ArrayLike | None = None,
    seed: int = 0,
) -> Figure:
    """The graph in the plane: recordings coloured by class, edges within a class in its colour, others grey.

    Args:
        labels: (N,) class indices.
        embedding: (N, 2); `None` takes `embed(distances, seed)`.
        distances: (N, N), needed where there is no embedding.

    Raises:
        GraphError: if sizes do not fit, or neither embedding nor distances are given.
    """
    codes = _codes(graph, labels)
    points = map_points(graph, embedding, distances, seed, what="ds_graph_map")
    present = np.unique(codes)
    numbered = len(present) > NAMED
    figure = new_figure(6.6, width=WIDTH if numbered else 8.2, alt=f"DS-Graph of {len(graph)} recordings in the plane.")
    ax = figure.subplots()
    styles = class_styles(max(len(class_names), int(codes.max()) + 1))
    _edges(ax, graph, points, codes, styles)
    size = float(np.clip(9000 / len(points), 13, 46))
    for c in present:
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
    texts = [str(k + 1) if numbered else class_names[c] for k, c in enumerate(present)]
    anchors = np.array([_medoid(points[codes == c]) for c in present])
    unit = max((high - low + 2 * pad) / np.array([6.4, 6.2])) / 72  # data units per point of text
    places = _apart(anchors, texts, unit)
    for text, place, anchor, c in zip(texts, places, anchors, present, strict=True):
        if np.hypot(*(place - anchor)) > 14 * unit:
            ax.plot(*np.stack([anchor, place]).T, color="#7c8792", linewidth=0.7, zorder=4)
        ax.text(place[0], place[1], text, ha="center", va="center", fontsize=8.5, fontweight="bold", zorder=6,
                color=_darker(styles[c][0]), path_effects=halo(3.0))  # fmt: skip
    if numbered:
        handles = [
            Line2D([], [], color=styles[c][0], marker=styles[c][1], markersize=6, linestyle="none",
                   label=f"{k + 1}  {class_names[c]}") for k, c in enumerate(present)
        ]  # fmt: skip
        columns = math.ceil(len(present) / 32)
        figure.legend(handles=handles, loc="outside right upper", ncols=columns, labelspacing=0.35, handletextpad=0.1)
    within = _agreement(graph, codes, int(codes.max()) + 1)[1]
    ax.set_title(
        f"{len(graph)} recordings, {int(graph.neighbor_counts().sum())} edges; "
        f"{within:.0%} of edge weight stays within a class", fontweight="normal",
    )  # fmt: skip
    return figure


def _edges(ax: Axes, graph: DSGraph, points: NDArray[Any], codes: NDArray[Any], styles: Sequence[Any]) -> None:
    edges = graph.undirected().tocoo()
    i, j = edges.coords
    upper = i < j
    i, j, weight = i[upper], j[upper], edges.data[upper]
    if not len(i):
        return
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


def _medoid(points: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.linalg.norm(points[:, None] - points[None], axis=-1).sum(axis=1)
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


@styled
def neighbor_counts(graphs: Mapping[str, DSGraph], *, titles: Sequence[str] | None = None) -> Figure:
    """How many neighbours nodes keep at each layer, as a distribution.

    Args:
        graphs: layer name -> DSGraph, in order of depth.
        titles: of the layers; `None` says "input" for a layer of that name and counts the others.
    """
    if not graphs:
        raise GraphError("neighbor_counts: there is no graph; give at least one layer")
    if titles is None:
        first = 0 if next(iter(graphs)) == "input" else 1
        titles = ["input" if name == "input" else f"layer {k}" for k, name in enumerate(graphs, first)]
    counts = [graph.neighbor_counts() for graph in graphs.values()]
    colors = layer_colors(len(counts))
    figure = new_figure(3.2, alt="Distribution of the number of neighbours kept at each layer.")
    ax = figure.subplots()
    where = np.repeat(np.arange(len(counts)), [len(c) for c in counts])
    sns.violinplot(
        x=where, y=np.concatenate(counts), hue=where, palette=[(*c, 0.35) for c in colors], legend=False, inner=None,
        cut=0, bw_adjust=1.2, linewidth=0, density_norm="width", width=0.82, saturation=1.0, ax=ax,
    )  # fmt: skip
    quantile_marks(ax, counts, colors)
    layer_ticks(ax, list(titles))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("neighbours kept per recording")
    kept = next(iter(graphs.values())).candidates.shape[1]
    ax.set_title(f"Of {kept} candidates each. Dot: median. Thick: middle half.", fontweight="normal")
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return figure


@styled
def neighbors_of(graph: DSGraph, i: int, data: SequenceSet, *, most: int = 9) -> Figure:
    """A recording and its neighbours as bodies, heaviest first; bars show shares of the node's edge weight.

    Args:
        most: neighbours drawn at most; what is left out is said.

    Raises:
        GraphError: if there is no such node, or data has another size.
    """
    if len(data) != len(graph):
        raise GraphError(f"the graph has {len(graph)} nodes, data {len(data)} recordings; give the graph's own nodes")
    if not 0 <= i < len(graph):
        raise GraphError(f"node {i} does not exist; the graph has nodes 0 to {len(graph) - 1}")
    indices, weights = graph.neighbors(i)
    total = float(weights.sum())
    shown = indices[:most]
    columns = 5
    rows = max(1, math.ceil((len(shown) + 1) / columns))
    own = data.class_names[data.labels[i]]
    figure = new_figure(0.35 + 1.72 * rows, alt=f"Neighbours of {data.names[i]}, class {own}.")
    same = float(weights[data.labels[indices] == data.labels[i]].sum())
    text = f"{data.names[i]}: {len(indices)} neighbours"
    text += f", {same / total:.0%} of weight in its class" if total > 0 else ""
    if len(indices) > len(shown):
        text += f"; not drawn: {len(indices) - len(shown)} more with {weights[most:].sum() / total:.1%} of weight"
    head(figure, text)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    scale = None if data.layout.dimensions else signal_scale(data)
    _thumbnail(axes[0], data, i, "this recording", None, None, scale)
    for ax, j, weight in zip(axes[1:], shown, weights, strict=False):
        color = GOOD if data.labels[j] == data.labels[i] else BAD
        note = "same class" if color == GOOD else "other class"
        _thumbnail(ax, data, int(j), note, color, float(weight) / total, scale)
    return figure


def _thumbnail(
    ax: Axes, data: SequenceSet, i: int, note: str, color: str | None, share: float | None, scale: Normalize | None
) -> None:
    # A graph is as wide as three bodies side by side.
    count = 3 if scale is None else 1
    chronophoto(ax, data.people(i), data.layout, count=count, linewidth=1.3, joints=2.5, scale=scale)
    name = data.class_names[data.labels[i]]
    label = f"{note}\n{name if len(name) <= 29 else name[:28] + '…'}"
    ax.set_title(label, loc="center", fontsize=8, fontweight="bold" if color is None else "normal",
                 color=color or INK, pad=4)  # fmt: skip
    if share is not None:
        ax.add_patch(Rectangle((0.2, -0.085), 0.42, 0.045, transform=ax.transAxes, color=FAINT, clip_on=False))
        ax.add_patch(Rectangle((0.2, -0.085), 0.42 * share, 0.045, transform=ax.transAxes, color=color, clip_on=False))
        ax.text(0.65, -0.063, f"{share:.0%}", transform=ax.transAxes, va="center", fontsize=8, color=MUTED)


@styled
def edge_agreement(graph: DSGraph, labels: ArrayLike, class_names: Sequence[str]) -> Figure:
    """Where the edge weight of each class leads: rows are classes of nodes, columns of their neighbours."""
    codes = _codes(graph, labels)
    names = [str(n) for n in class_names]
    shares, within = _agreement(graph, codes, len(names))
    size = float(np.clip(0.262 * len(names) + 2.6, 4.6, WIDTH))
    figure = new_figure(size * 0.94, width=size, alt="Share of edge weight between classes.")
    ax = figure.subplots()
    texts = [[f"{100 * v:.0f}" if np.isfinite(v) and v >= 0.01 else "" for v in row] for row in shares]
    class_matrix(ax, shares, names, names, cmap=COUNTS, vmin=0.0, vmax=1.0, texts=texts, colorbar=False,
                 text_size=7.5 if len(names) < 40 else 6)  # fmt: skip
    ax.set_ylabel("class of the recording")
    ax.set_xlabel("class of its neighbours")
    head(figure, f"Edge weight, % of each row; {within:.0%} within the class")
    return figure


def _agreement(graph: DSGraph, codes: NDArray[np.int64], classes: int) -> tuple[NDArray[np.float64], float]:
    """(classes, classes) shares of edge weight, each node's own weights counting 1; and the mean within classes."""
    return class_shares(graph, codes, classes=classes), 1.0 - label_smoothness(graph, codes, classes=classes)


def _codes(graph: DSGraph, labels: ArrayLike) -> NDArray[np.int64]:
    codes = np.asarray(labels, dtype=np.int64)
    if codes.shape != (len(graph),):
        raise GraphError(f"labels have shape {codes.shape}; the graph has {len(graph)} nodes")
    return codes
