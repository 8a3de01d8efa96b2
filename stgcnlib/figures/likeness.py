"""How alike the layers of several networks are: all pairs of layers, and equal layers against depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import GraphError, shorten
from stgcnlib.figures.matrix import likeness_matrix
from stgcnlib.figures.style import (
    MUTED,
    WIDTH,
    band,
    class_styles,
    direct_labels,
    head,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.statistics import BETWEEN

__all__ = ["likeness_curves", "likeness_matrices"]


@styled
def likeness_curves(likeness: pd.DataFrame, *, statistics: tuple[str, ...] = ("cka", "knn_overlap")) -> Figure:
    """Likeness of each layer of the other networks to the same layer of the base network; one panel per measure.

    With intervals. Dotted: the likeness of unrelated layers, where it is known.

    Args:
        likeness: of `stgcnlib.geometry.network_likeness`.
        statistics: keys of `stgcnlib.geometry.statistics.BETWEEN`, those to draw.

    Raises:
        GraphError: the table lacks a statistic.
    """
    known = likeness["statistic"].unique()
    if missing := [name for name in statistics if name not in known]:
        raise GraphError(f"the table has no statistic {missing[0]!r}; it has {shorten(known)}")
    same = likeness[likeness["first_index"] == likeness["second_index"]]
    base, names = str(likeness["base"].iloc[0]), list(likeness["network"].unique())
    figure = new_figure(0.6 + 2.5 * len(statistics), alt=f"Likeness of {len(names)} networks to {base}, by layer.")
    for ax, name in zip(figure.subplots(len(statistics), 1, squeeze=False).ravel(), statistics, strict=True):
        mine = same[same["statistic"] == name].sort_values("first_index")
        ends: list[tuple[float, str, Any]] = []
        # The first style is kept for the base network, as in pictures that draw all curves.
        for network, (color, marker) in zip(names, class_styles(len(names) + 1)[1:], strict=True):
            curve = mine[mine["network"] == network]
            x = curve["first_index"].to_numpy(dtype=float)
            band(ax, x, curve["low"], curve["high"], color, alpha=0.12)
            ax.plot(x, curve["value"], color=color, marker=marker, linewidth=2.0, markersize=4.5)
            ends.append((float(curve["value"].iloc[-1]), str(network), color))
        chance = mine.groupby("first_index")["chance"].mean()
        ax.plot(chance.index, chance, color=MUTED, linestyle=(0, (1.5, 1.5)), linewidth=1.3)
        _finish(ax, mine, ends)
        ax.set_title(BETWEEN[name])
    head(figure, f"The same layer as in “{base}”; 1: the same. Dotted: unrelated layers")
    return figure


@styled
def likeness_matrices(likeness: pd.DataFrame, *, statistic: str = "cka") -> Figure:
    """Likeness of every layer of the base network (rows) to every layer of each other network (columns).

    Args:
        likeness: of `stgcnlib.geometry.network_likeness`.
        statistic: a key of `stgcnlib.geometry.statistics.BETWEEN`.

    Raises:
        GraphError: the table lacks the statistic.
    """
    known = likeness["statistic"].unique()
    if statistic not in known:
        raise GraphError(f"the table has no statistic {statistic!r}; it has {shorten(known)}")
    mine = likeness[likeness["statistic"] == statistic]
    base, names = str(mine["base"].iloc[0]), list(mine["network"].unique())
    rows = _titles(mine, "first")
    columns = 2 if len(names) in (2, 4) else min(3, len(names))
    lines = -(-len(names) // columns)
    size = float(np.clip(0.36 * len(rows) + 1.0, 2.6, 4.5))
    figure = new_figure(0.3 + size * lines, width=min(WIDTH, 0.9 * size * columns + 0.7), alt=f"Likeness to {base}.")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for place, (ax, network) in enumerate(zip(axes, names, strict=False)):
        part = mine[mine["network"] == network]
        across = _titles(part, "second")
        values = part.pivot(index="first_index", columns="second_index", values="value").to_numpy(dtype=float)
        likeness_matrix(ax, values, rows, across)
        ax.set_title(str(network))
        ax.set_xlabel("its layer")
        ax.set_ylabel(f"layer of “{base}”" if place % columns == 0 else "")
    head(figure, f"{BETWEEN[statistic]}; 1: the same")
    return figure


def _titles(table: pd.DataFrame, which: str) -> list[str]:
    ordered = table.drop_duplicates(which).sort_values(f"{which}_index")
    return [str(title).removeprefix("layer ") for title in ordered[f"{which}_title"]]


def _finish(ax: Axes, rows: pd.DataFrame, ends: list[tuple[float, str, Any]]) -> None:
    """Limits, names and ticks of one panel."""
    ax.set_ylim(np.nanmin([0.0, *rows["low"]]), 1.02)
    titles = rows.drop_duplicates("first_index")
    layer_ticks(ax, titles["first_title"].astype(str).tolist(), titles["first_index"])
    last = float(rows["first_index"].max())
    ax.set_xlim(-0.2, last + 0.1)
    direct_labels(ax, last, ends)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
