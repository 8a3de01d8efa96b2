"""Pictures of real targets: how they are spread, how well they are estimated, and how they lie on a DS-Graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import GraphError, SequenceError
from stgcnlib.figures.embedding import map_points
from stgcnlib.figures.graph import signal_scale
from stgcnlib.figures.graph_map import CROWDED, crowd, heaviest_pairs
from stgcnlib.figures.matrix import slim_colorbar
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.style import (
    INK,
    LEFT,
    MUTED,
    SIGNAL,
    SMOOTHNESS,
    WIDTH,
    head,
    layer_colors,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.smoothness import transition
from stgcnlib.geometry.targets import r_squared, target_smoothness
from stgcnlib.sequences import SequenceSet

__all__ = [
    "neighbor_targets", "target_distances", "target_estimates", "target_map", "target_recordings", "target_spread",
]  # fmt: skip

_LEVELS = ("lowest", "middle", "highest")


@styled
def target_spread(
    parts: Sequence[SequenceSet] | Mapping[str, SequenceSet], *, group: str | None = None, column: int = 0
) -> Figure:
    """How a target is spread in each part, and how it differs from group to group.

    Args:
        parts: (train, test), or parts by name, of recordings with targets.
        group: whose values are on the x axis of the right picture; `None` takes "block" or the first group.
        column: of the targets.

    Raises:
        SequenceError: there are no targets.
    """
    named = dict(parts) if isinstance(parts, Mapping) else dict(zip(("train", "test"), parts, strict=False))
    values = {name: _column(part, column) for name, part in named.items()}
    first = next(iter(named.values()))
    chosen = group or ("block" if "block" in first.groups else next(iter(first.groups), None))
    figure = new_figure(3.4, alt=f"Spread of {first.target_names[column]} in {', '.join(named)}.")
    axes = figure.subplots(
        1, 1 if chosen is None else 2, squeeze=False, width_ratios=None if chosen is None else [1, 2]
    )
    left = axes[0, 0]
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), bins=24)
    colors = dict(zip(named, layer_colors(len(named) + 1)[1:], strict=True))
    for name, found in values.items():
        label = f"{name} ({len(found)})"
        left.hist(found, bins=edges, density=True, histtype="stepfilled", alpha=0.45, color=colors[name], label=label)
    left.set_xlabel(first.target_names[column])
    left.set_ylabel("density")
    left.legend()
    if chosen is not None:
        right = axes[0, 1]
        everything = np.unique(np.concatenate([part.groups[chosen] for part in named.values()]))
        for name, part in named.items():
            place = np.searchsorted(everything, part.groups[chosen])
            right.scatter(place, values[name], s=12, color=colors[name], linewidths=0, label=name)
        step = max(1, len(everything) // 14)
        right.set_xticks(np.arange(len(everything))[::step], [str(v) for v in everything[::step]])
        right.set_xlabel(chosen)
        right.set_ylabel(first.target_names[column])
        right.grid(axis="y")
        right.set_axisbelow(True)
    return figure


@styled
def target_recordings(data: SequenceSet, *, frames: int = 4, column: int = 0) -> Figure:
    """The recordings of the lowest, the middle and the highest target, as a few frames side by side.

    Args:
        frames: how many frames of each recording are drawn.
        column: of the targets, from 0.

    Raises:
        SequenceError: there are no targets.
    """
    y = _column(data, column)
    order = y.argsort(kind="stable")
    chosen = [int(order[0]), int(order[len(order) // 2]), int(order[-1])]
    figure = new_figure(
        5.6, width=7.6, alt=f"Recordings of the lowest, middle and highest {data.target_names[column]}."
    )
    axes = figure.subplots(len(chosen), 1)
    scale = None if data.layout.dimensions else signal_scale(data)
    for ax, level, i in zip(axes, _LEVELS, chosen, strict=True):
        chronophoto(ax, data.people(i), data.layout, count=frames, scale=scale)
        ax.set_title(f"{level}: {y[i]:.3g}, {data.names[i]}", fontsize=8.5, fontweight="normal")
    if scale is not None:
        slim_colorbar(list(axes), ScalarMappable(scale, SIGNAL), "channel 0", shrink=0.7)
    head(figure, f"{data.target_names[column]}; frames from left to right")
    return figure


@styled
def target_estimates(evaluation: Any) -> Figure:
    """Estimates against targets, one picture per target; on the line both are equal.

    Args:
        evaluation: a TargetEvaluation.
    """
    names = list(evaluation.target_names)
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    size = 4.4 if columns == 1 else WIDTH / columns
    figure = new_figure(size * rows, width=size * columns * 1.08, alt=f"Estimates against targets, {', '.join(names)}.")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for q, (ax, name) in enumerate(zip(axes, names, strict=False)):
        y, found = evaluation.targets[:, q], evaluation.estimates[:, q]
        low, high = float(min(y.min(), found.min())), float(max(y.max(), found.max()))
        pad = 0.05 * (high - low) or 1.0
        ax.plot([low - pad, high + pad], [low - pad, high + pad], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        ax.scatter(y, found, s=16, color=LEFT, alpha=0.6, linewidths=0)
        ax.set_xlim(low - pad, high + pad)
        ax.set_ylim(low - pad, high + pad)
        ax.set_aspect("equal")
        ax.set_xlabel(name)
        ax.set_ylabel("estimate")
        fit = f"R² {r_squared(y, found):.2f}, " if np.ptp(y) > 0 else ""
        ax.set_title(f"{fit}mean absolute error {evaluation.mae[q]:.3g}", fontweight="normal")
        ax.grid()
        ax.set_axisbelow(True)
    return figure


@styled
def target_map(
    graph: DSGraph,
    targets: ArrayLike,
    *,
    name: str = "target",
    embedding: ArrayLike | None = None,
    distances: LayerDistances | ArrayLike | None = None,
    seed: int = 0,
) -> Figure:
    """The graph in the plane: recordings coloured by their target, edges darker with more weight.

    Args:
        targets: (N,), or (N, Q) of which the first column is shown.
        name: of the target, with its unit.
        embedding: (N, 2); `None` places recordings by their distances (`stgcnlib.geometry.planes.placed`).
        distances: `LayerDistances` or (N, N) array, needed where there is no embedding.

    Raises:
        GraphError: if sizes do not fit, or neither embedding nor distances are given.
    """
    y = _first(targets, graph)
    points = map_points(graph, embedding, distances, seed, what="target_map")
    figure = new_figure(6.2, width=8.2, alt=f"DS-Graph of {len(graph)} recordings in the plane, coloured by {name}.")
    ax = figure.subplots()
    i, j, weight, _ = heaviest_pairs(graph)
    if len(i):
        strength = np.clip(weight / np.percentile(weight, 95), 0.08, 1.0)
        colors = np.tile([0.45, 0.49, 0.54, 0.0], (len(i), 1))
        colors[:, 3] = 0.42 * min(1.0, 4000 / len(i)) * strength
        lines = np.stack([points[i], points[j]], axis=1)
        ax.add_collection(LineCollection(list(lines), colors=colors, linewidths=0.3 + 0.9 * strength, zorder=1))
    shown = ScalarMappable(_scale(y), SIGNAL)
    if len(points) > CROWDED:
        crowd(ax, points, shown.to_rgba(y))
    else:
        size = float(np.clip(9000 / len(points), 13, 60))
        ax.scatter(
            points[:, 0],
            points[:, 1],
            s=size,
            c=y,
            cmap=SIGNAL,
            norm=_scale(y),
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
        )
    ax.margins(0.06)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    slim_colorbar(ax, shown, name, extend="both")
    ax.set_title(
        f"{len(graph)} recordings, {int(graph.neighbor_counts().sum())} edges; target smoothness "
        f"{target_smoothness(graph, y):.2f}", fontweight="normal",
    )  # fmt: skip
    return figure


@styled
def neighbor_targets(graph: DSGraph, targets: ArrayLike, *, name: str = "target") -> Figure:
    """Each recording's target against the weighted mean of its neighbours' targets; on the line both are equal.

    Args:
        targets: (N,), or (N, Q) of which the first column is shown.
        name: of the target, with its unit.

    Raises:
        GraphError: targets do not fit the graph.
    """
    y = _first(targets, graph)
    mean = np.asarray(transition(graph) @ y)
    known = graph.neighbor_counts() > 0
    figure = new_figure(4.6, width=5.2, alt=f"{name} of each recording against that of its neighbours.")
    ax = figure.subplots()
    low, high = float(y.min()), float(y.max())
    pad = 0.05 * (high - low)
    ax.plot([low - pad, high + pad], [low - pad, high + pad], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    ax.axhline(float(y.mean()), color=MUTED, linewidth=0.8, linestyle=(0, (1.5, 1.5)))
    ax.scatter(y[known], mean[known], s=16, color=LEFT, alpha=0.6, linewidths=0)
    ax.set_xlim(low - pad, high + pad)
    ax.set_ylim(low - pad, high + pad)
    ax.set_aspect("equal")
    ax.set_xlabel(name)
    ax.set_ylabel("mean of its neighbours, by weight")
    ax.set_title("Dashed: equal. Dotted: mean of all.", fontweight="normal", color=MUTED)
    ax.grid()
    ax.set_axisbelow(True)
    return figure


@styled
def target_distances(
    distances: ArrayLike, targets: ArrayLike, *, name: str = "target", title: str | None = None
) -> Figure:
    """All distances, recordings sorted by target: dark along the diagonal where those of similar targets lie close.

    Args:
        distances: (N, N).
        targets: (N,), or (N, Q) of which the first column is taken.
        name: of the target, with its unit.
        title: of the layer.

    Raises:
        GraphError: if the matrix is not square or there is not one target per row.
    """
    matrix = np.asarray(distances, dtype=np.float64)
    y = np.asarray(targets, dtype=np.float64)
    y = y.reshape(len(y), -1)[:, 0]
    if matrix.ndim != 2 or matrix.shape != (len(y), len(y)):
        raise GraphError(f"distances have shape {matrix.shape}, targets ({len(y)},); expected (N, N) and (N,)")
    order = y.argsort(kind="stable")
    shown = matrix[np.ix_(order, order)]
    apart = shown[~np.eye(len(y), dtype=bool) & np.isfinite(shown)]
    low, high = np.percentile(apart, [1, 95]) if apart.size else (0.0, 1.0)
    figure = new_figure(6.6, width=8.0, alt=f"Distances between all recordings, sorted by {name}.")
    ax = figure.subplots()
    mesh = ax.imshow(np.ma.masked_invalid(shown), cmap=SMOOTHNESS, vmin=low, vmax=high, interpolation="nearest")
    places = np.unique(np.linspace(0, len(y) - 1, 6).round().astype(int))
    texts = [f"{y[order[k]]:.3g}" for k in places]
    ax.set_xticks(places, texts)
    ax.set_yticks(places, texts)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(f"{name}, {len(y)} recordings in order", color=INK)
    ax.set_title("Distances between recordings" + (f", {title}" if title else ""))
    slim_colorbar(ax, mesh, "DTW distance", extend="both")
    return figure


def _column(data: SequenceSet, column: int) -> NDArray[np.float64]:
    if data.targets is None:
        raise SequenceError("the recordings have no targets; give targets= to SequenceSet")
    return data.targets[:, column]


def _first(targets: ArrayLike, graph: DSGraph) -> NDArray[np.float64]:
    y = np.asarray(targets, dtype=np.float64)
    if y.ndim not in (1, 2) or len(y) != len(graph):
        raise GraphError(f"targets have shape {y.shape}; the graph has {len(graph)} nodes")
    return y.reshape(len(y), -1)[:, 0]


def _scale(values: NDArray[np.float64]) -> Normalize:
    low, high = np.percentile(values, [2, 98])
    return Normalize(low, high if high > low else low + 1.0)
