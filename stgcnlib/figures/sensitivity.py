"""Label smoothness under other choices than the study's own."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import GraphError
from stgcnlib.figures.statistics import few_ticks
from stgcnlib.figures.style import INK, SMOOTH, band, class_styles, direct_labels, head, new_figure, styled
from stgcnlib.geometry.sensitivity import OWN

__all__ = ["SHORT", "TITLES", "sensitivity_curves"]

TITLES = {
    "K": "candidates K",
    "graph": "kind of graph",
    "reading": 'reading of "window-based" DTW',
    "window": "window of DTW, input frames",
    "normalization": "division of DTW distances",
    "sigma": "kernel width σ",
    "distance": "distance without warping",
}
"""What is varied, in words, in the order in which panels are drawn."""
SHORT = {"segments": "segments", "frames": "frames", "sliding": "sliding", "none": "by nothing", "path": "by path",
         "length": "by lengths"}  # fmt: skip
"""Choices whose word in a figure is not the choice itself."""


@styled
def sensitivity_curves(table: pd.DataFrame) -> Figure:
    """Label smoothness against layer, a panel for each choice that is varied; the study's own curve is in all of them.

    Its interval is cut at 0, below which smoothness cannot be.

    Args:
        table: of `stgcnlib.geometry.sensitivity`.

    Raises:
        GraphError: if the table has no curve of the study's own.
    """
    own = table[table["varied"] == OWN].sort_values("index")
    if own.empty:
        raise GraphError(f"the table has no row whose 'varied' is {OWN!r}; give the table of sensitivity()")
    panels = [name for name in TITLES if (table["varied"] == name).any()] or [OWN]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(0.5 + 2.5 * rows, alt="Label smoothness by layer, with one choice changed in each panel.")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for ax in axes.ravel()[len(panels) :]:
        ax.set_axis_off()
    drawn = list(zip(axes.ravel(), panels, strict=False))
    ends = [_panel(ax, table[table["varied"] == name], own) for ax, name in drawn]
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(max(low, 0.0), high)
    for (ax, name), labels in zip(drawn, ends, strict=True):
        ax.set_title(TITLES.get(name, name))
        direct_labels(ax, float(own["index"].iloc[-1]), labels)
    for ax in axes[:, 0]:
        ax.set_ylabel(r"smoothness $S_\mathrm{rw}$", parse_math=True)
    head(figure, f"Black: own choices (K = {int(own['k'].iloc[0])}), with interval; lower = smoother")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, own: pd.DataFrame) -> list[tuple[float, str, Any]]:
    """Draw one panel; gives the names of its curves at their right ends."""
    x = own["index"].to_numpy(dtype=float)
    band(ax, x, own["low"], own["high"], INK, alpha=0.1, bounds=SMOOTH)
    ax.plot(x, own["smoothness"], color=INK, linewidth=2.0, zorder=3)
    ends: list[tuple[float, str, Any]] = [(float(own["smoothness"].iloc[-1]), "own", INK)]
    choices = list(dict.fromkeys(rows[rows["varied"] != OWN]["choice"]))
    for choice, (color, marker) in zip(choices, class_styles(len(choices)), strict=True):
        curve = rows[rows["choice"] == choice].sort_values("index")
        ax.plot(curve["index"], curve["smoothness"], color=color, marker=marker, markersize=3, linewidth=1.3)
        ends.append((float(curve["smoothness"].iloc[-1]), SHORT.get(choice, choice), color))
    few_ticks(ax, own["title"].astype(str).tolist(), x)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return ends
