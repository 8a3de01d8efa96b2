"""Label smoothness by distances without time warping, beside that by windowed DTW."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stgcnlib.errors import GraphError
from stgcnlib.figures.style import INK, LEFT, SMOOTH, band, direct_labels, head, layer_ticks, new_figure, styled

__all__ = ["BASELINE_STYLES", "baseline_curves"]

BASELINE_STYLES: dict[str, tuple[str, str]] = {
    "resampled": ("#aa4499", "resampled, no warping"),
    "pooled": ("#999933", "means over time"),
    "duration": ("#6b7785", "duration alone"),
}
"""Colour and words of each baseline, for all figures that draw them."""


@styled
def baseline_curves(table: pd.DataFrame) -> Figure:
    """Smoothness against layer by DTW and by each baseline (left), and how much smoother DTW is (right).

    Args:
        table: of `stgcnlib.geometry.layer_baselines`.

    Raises:
        GraphError: if the table has no row.
    """
    if table.empty:
        raise GraphError("the table of baselines has no row; name at least one in controls.baselines")
    figure = new_figure(3.7, alt="Smoothness by DTW and by distances without warping, and their difference.")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    layers = table.drop_duplicates("index").sort_values("index")
    x = layers["index"].to_numpy(dtype=float)
    ends: list[tuple[float, str, Any]] = [(float(layers["dtw"].iloc[-1]), "windowed DTW", LEFT)]
    left.plot(x, layers["dtw"], color=LEFT, linewidth=2.4, marker="o", markersize=5, zorder=3)
    gains: list[tuple[float, str, Any]] = []
    for name, (color, words) in BASELINE_STYLES.items():
        rows = table[table["baseline"] == name].sort_values("index")
        if rows.empty:
            continue
        at = rows["index"].to_numpy(dtype=float)
        if len(rows) == 1 and len(x) > 1:  # one value for all layers
            value = float(rows["smoothness"].iloc[0])
            left.axhline(value, color=color, linewidth=1.1, linestyle=(0, (1.5, 1.5)))
            ends.append((value, words, color))
            continue
        band(left, at, rows["low"], rows["high"], color, alpha=0.1, bounds=SMOOTH)
        left.plot(at, rows["smoothness"], color=color, linewidth=1.3, marker=".", markersize=5)
        ends.append((float(rows["smoothness"].iloc[-1]), words, color))
        band(right, at, rows["gain_low"], rows["gain_high"], color, alpha=0.15)
        right.plot(at, rows["gain"], color=color, linewidth=1.5, marker=".", markersize=6)
        gains.append((float(rows["gain"].iloc[-1]), name, color))
    right.axhline(0, color=INK, linewidth=0.9)
    left.set_ylim(bottom=0)
    left.set_ylabel(r"smoothness $S_\mathrm{rw}$ (lower = smoother)", parse_math=True)
    right.set_title("smoothness without warping − by DTW")
    titles = ["in" if title == "input" else str(title) for title in layers["title"]]
    for ax, labels in ((left, ends), (right, gains)):
        _finish(ax, x, titles, labels)
    head(figure, "Same graphs, neighbours and K; only the distance differs. Right: above 0, DTW is smoother")
    return figure


def _finish(ax: Axes, x: np.ndarray, titles: list[str], ends: list[tuple[float, str, Any]]) -> None:
    layer_ticks(ax, titles, x)
    ax.set_xlim(x[0] - 0.25, x[-1] + 0.15)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    direct_labels(ax, x[-1], ends)
