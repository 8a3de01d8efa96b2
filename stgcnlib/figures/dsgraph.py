"""The DS-Graph of one layer: its neighbourhoods, and where its edges lead. Its map is in `graph_map`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.figures.activations import quantile_marks
from stgcnlib.figures.graph import signal_scale
from stgcnlib.figures.matrix import class_matrix, without_classes
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.style import (
    BAD,
    COUNTS,
    FAINT,
    GOOD,
    INK,
    MUTED,
    WIDTH,
    head,
    layer_colors,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.separation import class_shares
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.sequences import SequenceSet

__all__ = ["agreement", "class_codes", "edge_agreement", "neighbor_counts", "neighbors_of"]


@styled
def neighbor_counts(graphs: Mapping[str, DSGraph], *, titles: Sequence[str] | None = None) -> Figure:
    """How many neighbours nodes keep at each layer, as a distribution.

    Args:
        graphs: layer name -> DSGraph, in order of depth.
        titles: of the layers; `None` says "input" for a layer of that name and counts the others.

    Raises:
        GraphError: there is no graph.
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
        most: neighbours drawn at most; the title says how many are left out.
        i: the recording, from 0.

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
    """Where the edge weight of each class leads: rows are classes of nodes, columns of their neighbours.

    Classes without a node are counted below the picture.

    Args:
        labels: (N,) class indices of the graph's nodes.

    Raises:
        GraphError: there is not one label per node.
    """
    codes = class_codes(graph, labels)
    present, codes = np.unique(codes, return_inverse=True)
    names = [str(class_names[c]) for c in present]
    shares, within = agreement(graph, codes, len(names))
    size = float(np.clip(0.262 * len(names) + 2.6, 4.6, WIDTH))
    figure = new_figure(size * 0.94, width=size, alt="Share of edge weight between classes.")
    ax = figure.subplots()
    texts = [[f"{100 * v:.0f}" if np.isfinite(v) and v >= 0.01 else "" for v in row] for row in shares]
    class_matrix(ax, shares, names, names, cmap=COUNTS, vmin=0.0, vmax=1.0, texts=texts, colorbar=False,
                 text_size=7.5 if len(names) < 40 else 6)  # fmt: skip
    ax.set_ylabel("class of the recording")
    ax.set_xlabel("class of its neighbours")
    head(figure, f"Edge weight, % of each row; {within:.0%} within the class")
    without_classes(figure, len(names), len(class_names), "without a recording in this graph")
    return figure


def agreement(graph: DSGraph, codes: NDArray[np.int64], classes: int) -> tuple[NDArray[np.float64], float]:
    """(classes, classes) shares of edge weight, each node's weights summing to 1; and the mean share within classes."""
    return class_shares(graph, codes, classes=classes), 1.0 - label_smoothness(graph, codes, classes=classes)


def class_codes(graph: DSGraph, labels: ArrayLike) -> NDArray[np.int64]:
    """Labels of a graph's nodes; GraphError where there is not one per node."""
    codes = np.asarray(labels, dtype=np.int64)
    if codes.shape != (len(graph),):
        raise GraphError(f"labels have shape {codes.shape}; the graph has {len(graph)} nodes")
    return codes
