"""How far relevance maps may be trusted: deletion and insertion, and maps of randomised weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stgcnlib.errors import SequenceError
from stgcnlib.figures.style import (
    LEFT,
    MUTED,
    RIGHT,
    band,
    direct_labels,
    layer_colors,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip

__all__ = ["faithfulness_areas", "faithfulness_curves", "randomisation_decay"]

_MODES = {"deletion": "Deletion: lower is better", "insertion": "Insertion: higher is better"}
_COMPARISONS: dict[str, tuple[str, str, tuple[int, tuple[int, ...]]]] = {
    "random": ("random maps", MUTED, (0, (4, 3))),
    "motion": ("motion energy", RIGHT, (0, (1, 1))),
}

_NAMED = 5  # most layers that a legend names one by one; of more the first, the middle and the last


@styled
def faithfulness_curves(curves: pd.DataFrame, *, unit: str = "joints") -> Figure:
    """Probability of the explained class while joints or frames are removed or put back: a line per layer.

    Dashed and dotted: random maps and motion energy.

    Args:
        curves: as of `stgcnlib.explain.Faithfulness`.
        unit: which of its units.

    Raises:
        SequenceError: if a column is missing or the table has no such unit.
    """
    _needs(curves, "title", "index", "unit", "mode", "kind", "fraction", "probability")
    part = curves[curves["unit"] == unit]
    if not len(part):
        raise SequenceError(f"the table has no unit {unit!r}; it has {', '.join(map(str, curves['unit'].unique()))}")
    layers = part.drop_duplicates("index").sort_values("index")
    colors = layer_colors(len(layers))
    figure = new_figure(3.0, alt=f"Deletion and insertion of {unit} against random maps, layer by layer.")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (mode, title) in zip(axes, _MODES.items(), strict=True):
        rows = part[part["mode"] == mode]
        for color, index in zip(colors, layers["index"], strict=True):
            line = rows[(rows["index"] == index) & (rows["kind"] == "map")].sort_values("fraction")
            ax.plot(line["fraction"], line["probability"], color=color, linewidth=1.6)
        for kind, (_, shade, style) in _COMPARISONS.items():
            mean = rows[rows["kind"] == kind].groupby("fraction")["probability"].mean()
            ax.plot(mean.index, mean.to_numpy(), color=shade, linestyle=style, linewidth=2.2)
        ax.set_title(title)
        ax.set_xlabel(f"share of {unit} {'replaced' if mode == 'deletion' else 'put back'}")
        ax.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        ax.set_ylim(0, 1.03)
        ax.set_xlim(0, 1)
        ax.grid(axis="y")
    axes[0].set_ylabel("probability of the class")
    shown = range(len(layers)) if len(layers) <= _NAMED else (0, len(layers) // 2, len(layers) - 1)
    titles = layers["title"].astype(str).tolist()
    handles = [Line2D([], [], color=colors[k], label=titles[k]) for k in shown]
    handles += _comparison_lines()
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), handlelength=1.8)
    return figure


@styled
def faithfulness_areas(summary: pd.DataFrame) -> Figure:
    """Area under the deletion and the insertion curve against layer, with interval, beside its comparisons.

    Args:
        summary: as of `Faithfulness.summary`; one row of panels per unit.

    Raises:
        SequenceError: the table lacks a column.
    """
    ends = [f"{kind}{end}" for kind in _COMPARISONS for end in ("", "_low", "_high")]
    _needs(summary, "title", "index", "unit", "mode", "area", "low", "high", *ends)
    units = list(dict.fromkeys(summary["unit"]))
    figure = new_figure(0.4 + 2.2 * len(units), alt="Area under deletion and insertion curves against layer.")
    axes = figure.subplots(len(units), 2, squeeze=False, sharex=True)
    for row, unit in zip(axes, units, strict=True):
        for ax, (mode, title) in zip(row, _MODES.items(), strict=True):
            rows = summary[(summary["unit"] == unit) & (summary["mode"] == mode)].sort_values("index")
            x = rows["index"]
            for kind, (_, color, style) in _COMPARISONS.items():
                band(ax, x, rows[f"{kind}_low"], rows[f"{kind}_high"], color, alpha=0.15)
                ax.plot(x, rows[kind], color=color, linestyle=style)
            band(ax, x, rows["low"], rows["high"], LEFT)
            ax.plot(x, rows["area"], color=LEFT, marker="o", markersize=4)
            ax.set_title(f"{title} ({unit})")
            ax.grid(axis="y")
            ax.margins(y=0.12)
            layer_ticks(ax, rows["title"].astype(str).tolist(), x)
            if ax not in axes[-1]:
                ax.set_xlabel("")
        row[0].set_ylabel("area under curve")
    handles = [
        Line2D([], [], color=LEFT, marker="o", markersize=4, label="maps of the layer"),
        *_comparison_lines(),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=3)
    return figure


@styled
def randomisation_decay(table: pd.DataFrame) -> Figure:
    """Likeness of maps to the original maps while weights are randomised from the head down: a line per layer.

    Bands are intervals over recordings and draws of the weights. The dashed line is the mean likeness of maps to
    copies of themselves that were moved to random places.

    Args:
        table: as of `stgcnlib.explain.randomisation`.

    Raises:
        SequenceError: the table lacks a column.
    """
    _needs(table, "step", "randomised", "title", "index", "correlation", "low", "high", "chance", "similarity")
    layers = table.drop_duplicates("index").sort_values("index")
    steps = table.drop_duplicates("step").sort_values("step")
    names = steps["randomised"].astype(str).str.replace("layer ", "", regex=False)
    colors = layer_colors(len(layers))
    titles = layers["title"].astype(str).tolist()
    figure = new_figure(3.1, alt="Rank correlation and SSIM of maps while the network's weights are randomised.")
    axes = figure.subplots(1, 2)
    names_of = {"correlation": "Rank correlation, absolute", "similarity": "SSIM"}
    for ax, (column, title) in zip(axes, names_of.items(), strict=True):
        ends = []
        for color, name, index in zip(colors, titles, layers["index"], strict=True):
            line = table[table["index"] == index].sort_values("step")
            if column == "correlation":
                band(ax, line["step"], line["low"], line["high"], color, alpha=0.08)
            ax.plot(line["step"], line[column], color=color, linewidth=1.6)
            ends.append((float(line[column].iloc[-1]), name, color))
        ax.axhline(0, color=MUTED, linewidth=0.9)
        if column == "correlation":
            level = float(table["chance"].mean())
            ax.axhline(level, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2)
            ax.annotate(
                "maps at random places",
                (0.0, level),
                xytext=(2, 3),
                textcoords="offset points",
                fontsize=8,
                color=MUTED,
            )
        ax.set_xticks(steps["step"], names, rotation=45, ha="right")
        ax.set_xlabel("weights randomised, from the head down to")
        ax.set_xlim(-0.4, float(np.max(table["step"])))
        ax.set_title(title)
        ax.set_ylim(min(-0.12, float(table[column].min()) - 0.05), 1.04)
        ax.grid(axis="y")
        shown = sorted({0, len(ends) - 1})
        direct_labels(ax, float(np.max(table["step"])), [ends[k] for k in shown])
    return figure


def _comparison_lines() -> list[Line2D]:
    return [Line2D([], [], color=color, linestyle=style, label=name) for name, color, style in _COMPARISONS.values()]


def _needs(table: pd.DataFrame, *columns: str) -> None:
    if missing := [c for c in columns if c not in table.columns]:
        raise SequenceError(f"the table lacks {', '.join(missing)}")
