"""Statistics of layers besides label smoothness: curves against depth, and likeness between layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import GraphError, shorten
from stgcnlib.figures.matrix import likeness_matrix
from stgcnlib.figures.style import (
    LEFT,
    MUTED,
    RIGHT,
    WIDTH,
    band,
    head,
    layer_ticks,
    least_shown,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.statistics import BETWEEN, STATISTICS

__all__ = ["few_ticks", "layer_similarity", "statistics_curves"]


@styled
def statistics_curves(table: pd.DataFrame) -> Figure:
    """Small curves of every statistic that was measured against layer, the trained network beside the untrained one.

    An axis begins at 0 where nothing drawn lies below it. That of R² holds 0, and does not go below -1.

    Args:
        table: `LayerStatistics.table`.

    Raises:
        GraphError: if the table holds no known statistic.
    """
    table = table[table["value"].notna()]
    names = [name for name in STATISTICS if (table["statistic"] == name).any()]
    if not names:
        raise GraphError(f"the table has none of the statistics {shorten(list(STATISTICS), 9)}")
    columns = 3 if len(names) > 4 else 2
    rows = -(-len(names) // columns)
    figure = new_figure(0.55 + 2.15 * rows, alt="Statistics of each layer, trained and untrained.")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes, names, strict=False):
        mine = table[table["statistic"] == name]
        for network, color, marker in (("untrained", RIGHT, "s"), ("trained", LEFT, "o")):
            curve = mine[mine["network"] == network].sort_values("index")
            if curve.empty:
                continue
            x = curve["index"].to_numpy(dtype=float)
            band(ax, x, curve["low"], curve["high"], color, alpha=0.15)
            ax.plot(x, curve["value"], color=color, marker=marker, markersize=3.5, linewidth=1.6, label=network)
        null = mine[(mine["network"] == "trained") & mine["null_mean"].notna()].sort_values("index")
        if len(null):
            ax.plot(null["index"], null["null_mean"], color=MUTED, linestyle=(0, (1.5, 1.5)), linewidth=1.3,
                    label=f"shuffled {'targets' if name.endswith('r2') else 'labels'}")  # fmt: skip
        titles = mine.drop_duplicates("index").sort_values("index")
        few_ticks(ax, titles["title"].astype(str).tolist(), titles["index"].to_numpy(dtype=float))
        ax.set_title(STATISTICS[name])
        # A very wide interval must not flatten all curves.
        top = float(np.nanmax(mine["value"]))
        if np.nanmax(mine["high"].fillna(top)) > 2.5 * top > 0:
            ax.set_ylim(top=1.5 * top)
        least = least_shown([*mine["value"], *mine["low"], *null["null_mean"]])
        if name.endswith("r2"):
            ax.set_ylim(least, max(ax.get_ylim()[1], 0.0))
        elif name.endswith("accuracy") or (least == 0 and ax.get_ylim()[0] < 0 < top):
            ax.set_ylim(bottom=0)
        ax.grid(axis="y")
        ax.set_axisbelow(True)
    known: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    figure.legend(list(known.values()), list(known), loc="outside upper right", ncols=len(known))
    return figure


@styled
def layer_similarity(pairs: pd.DataFrame, *, network: str = "trained") -> Figure:
    """How alike the layers are, one matrix per measure.

    Args:
        pairs: `LayerStatistics.pairs`.
        network: "trained" or "untrained".

    Raises:
        GraphError: if that network is not in the table.
    """
    mine = pairs[pairs["network"] == network]
    if mine.empty:
        raise GraphError(f"the table has no network {network!r}; it has {shorten(pairs['network'].unique())}")
    names = [name for name in BETWEEN if mine["value"][mine["statistic"] == name].notna().any()]
    order = mine.drop_duplicates("first").sort_values("first_index")["first_title"].tolist()
    size = float(np.clip(0.36 * len(order) + 1.3, 3.6, 4.5))
    columns = 2 if len(names) > 1 else 1
    rows = -(-len(names) // columns)
    figure = new_figure(0.3 + size * rows, width=min(WIDTH, 1.05 * size * columns + 0.4), alt="Likeness of layers.")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    short = [title.removeprefix("layer ") for title in order]
    for ax, name in zip(axes, names, strict=False):
        values = mine[mine["statistic"] == name].pivot(index="first_title", columns="second_title", values="value")
        matrix = values.loc[order, order].to_numpy(dtype=float)
        likeness_matrix(ax, matrix, short, short, diagonal=False)
        ax.set_title(BETWEEN[name])
        ax.set_xlabel("layer")
    head(figure, f"1: the same neighbours, weights or features; {network} network")
    return figure


def few_ticks(ax: Axes, titles: list[str], places: Any) -> None:
    """Layer names that fit a small panel: every second one of many, the input as 0."""
    step = 1 if len(titles) <= 7 else 2
    shown = ["0" if title == "input" and len(titles) > 5 else title for title in titles]
    layer_ticks(ax, shown[::step], places[::step])
    if shown[0] == "0":
        ax.set_xlabel("layer (0: input)")
