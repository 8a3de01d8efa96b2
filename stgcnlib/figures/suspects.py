"""Pictures of single recordings worth a look: suspect labels beside their neighbours, and outliers."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.style import BAD, GOOD, INK, MUTED, head, new_figure, styled
from stgcnlib.sequences import SequenceSet

__all__ = ["outlier_pictures", "suspect_pictures"]

_ROOM = 27  # letters that fit above a picture


@styled
def suspect_pictures(
    table: pd.DataFrame, graph: DSGraph, data: SequenceSet, *, count: int = 5, neighbors: int = 3
) -> Figure:
    """The most suspicious recordings, each beside its heaviest neighbours.

    A neighbour is red if it has the class that is suggested instead, green if it has the given label, else grey.

    Args:
        table: `Findings.table` of `suspect_labels`.
        graph: DS-Graph of the layer whose neighbours are drawn, such as the last.
        data: the N recordings.
        count: rows at most.
        neighbors: pictures per row besides the recording itself.

    Raises:
        GraphError: sizes do not fit.
    """
    _check(len(graph), data)
    shown = table.head(count)
    columns = neighbors + 1
    figure = new_figure(0.35 + 1.95 * len(shown), alt="Recordings whose labels are doubtful, and their neighbours.")
    axes = figure.subplots(len(shown), columns, squeeze=False)
    for line, (_, row) in zip(axes, shown.iterrows(), strict=True):
        node = int(row["node"])
        text = f"{row['rank']}. {_cut(data.names[node])}\nlabelled {_cut(str(row['class_name']), 18)}"
        _picture(line[0], data, node, text, INK, bold=True)
        nodes, weights = graph.neighbors(node)
        total = float(weights.sum())
        for ax in line[1:]:
            ax.set_axis_off()
        for ax, j, weight in zip(line[1:], nodes, weights, strict=False):
            label = int(data.labels[j])
            color = BAD if label == row["alternative"] else GOOD if label == row["label"] else MUTED
            name = _cut(data.class_names[label])
            _picture(ax, data, int(j), f"{name}\n{weight / total:.0%} of weight", color)
    head(figure, "Left: the recording; right: its heaviest neighbours, red where they carry the other class")
    return figure


@styled
def outlier_pictures(table: pd.DataFrame, data: SequenceSet, *, count: int = 8) -> Figure:
    """The most remote recordings, with their distance to their own neighbours relative to the median recording's.

    Args:
        table: `Findings.table` of `outliers`.
        data: the N recordings.
        count: pictures at most.

    Raises:
        GraphError: the table names recordings that the data lacks.
    """
    shown = table.head(count)
    if len(shown) and int(table["node"].max()) >= len(data):
        raise GraphError(f"the table names node {int(table['node'].max())}; the data has {len(data)} recordings")
    columns = 4
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(0.35 + 1.95 * rows, alt="Recordings that lie far from all others.")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (_, row) in zip(axes, shown.iterrows(), strict=False):
        node = int(row["node"])
        text = f"{row['rank']}. {_cut(data.names[node])}\n{_cut(str(row['class_name']), 16)}: {row['distance']:.1f} ×"
        _picture(ax, data, node, text, INK)
    head(figure, "Mean distance to the kept neighbours, in multiples of the median recording's")
    return figure


def _picture(ax: Axes, data: SequenceSet, i: int, text: str, color: str, *, bold: bool = False) -> None:
    chronophoto(ax, data.people(i), data.layout, count=3, linewidth=1.2, joints=2.0)
    weight = "bold" if bold else "normal"
    ax.set_title(text, loc="center", fontsize=8, fontweight=weight, color=color, pad=3)


def _cut(text: str, room: int = _ROOM) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _check(count: int, data: SequenceSet) -> None:
    if count != len(data):
        raise GraphError(f"the graph has {count} nodes, the data {len(data)} recordings; give the graph's own")
