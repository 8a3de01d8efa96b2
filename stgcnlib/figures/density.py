"""Label smoothness on parts of the nodes."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import GraphError
from stgcnlib.figures.statistics import few_ticks
from stgcnlib.figures.style import INK, SMOOTH, band, direct_labels, head, layer_colors, new_figure, styled

__all__ = ["density_curves"]


@styled
def density_curves(table: pd.DataFrame) -> Figure:
    """Smoothness against layer, a curve for each number of nodes: with the same K, and with K in proportion.

    Args:
        table: of `stgcnlib.geometry.smoothness_by_density`.

    Raises:
        GraphError: if the table has no row.
    """
    if table.empty:
        raise GraphError("the table of density has no row; it needs 200 nodes or a sample, and all their distances")
    rules = list(dict.fromkeys(table["rule"]))
    figure = new_figure(
        3.6, alt="Smoothness by layer on parts of the nodes: with the same K, and with K in proportion."
    )
    axes = figure.subplots(1, len(rules), sharey=True, squeeze=False)[0]
    ends = [_panel(ax, table[table["rule"] == rule]) for ax, rule in zip(axes, rules, strict=True)]
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("smoothness S (lower = smoother)")
    for ax, rule, labels in zip(axes, rules, ends, strict=True):
        ax.set_title(rule)
        direct_labels(ax, float(table["index"].max()), labels)
    head(figure, "Curves by number of nodes; bands: least and most of the draws, for all nodes (black) the interval")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame) -> list[tuple[float, str, Any]]:
    """Draw one panel; gives the numbers of nodes at the right ends of its curves."""
    shares = sorted(rows["share"].unique())
    ends: list[tuple[float, str, Any]] = []
    for share, color in zip(shares, [*layer_colors(len(shares))[:-1], INK], strict=True):
        curve = rows[rows["share"] == share].sort_values("index")
        x, last = curve["index"].to_numpy(dtype=float), curve.iloc[-1]
        band(ax, x, curve["low"], curve["high"], color, alpha=0.08 if share == 1 else 0.2, bounds=SMOOTH)
        ax.plot(x, curve["smoothness"], color=color, linewidth=2.0 if share == 1 else 1.5, marker=".", markersize=5)
        ends.append((float(last["smoothness"]), f"{int(last['n']):,} (K = {int(last['k'])})", color))
    few_ticks(ax, curve["title"].astype(str).tolist(), x)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return ends
