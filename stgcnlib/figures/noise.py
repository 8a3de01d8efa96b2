"""Noise on the input: label smoothness by layer and level, and what share of it and of accuracy is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stgcnlib.errors import StudyError, shorten
from stgcnlib.figures.style import (
    INK,
    LEFT,
    MUTED,
    RIGHT,
    SMOOTH,
    band,
    direct_labels,
    head,
    layer_ticks,
    new_figure,
    styled,
)
from stgcnlib.verdicts.noise import LIMIT, shown_level

__all__ = ["noise_loss", "noise_smoothness"]

TITLES = {
    "jitter": "Gaussian jitter",
    "joint dropout": "Lost joints",
    "frame dropout": "Lost frames",
    "rotation": "Other views",
}


@styled
def noise_smoothness(table: pd.DataFrame, *, network: str = "trained") -> Figure:
    """Label smoothness against layer, one panel per kind of noise, one line per level, darker with more noise.

    Args:
        table: `NoiseResult.table`.
        network: "trained", the mean over networks trained on clean recordings; or the name of one trained on noise.

    Raises:
        StudyError: if the table has no such network.
    """
    rows = _of(table, network)
    clean = rows[rows["kind"] == "clean"].sort_values("index")
    kinds = _kinds(rows)
    columns = min(2, len(kinds))
    lines = -(-len(kinds) // columns)
    figure = new_figure(
        0.35 + 2.75 * lines, alt=f"Label smoothness against layer under {', '.join(kinds)}, network {network}."
    )
    axes = np.atleast_2d(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False))
    x = clean["index"].to_numpy(dtype=float)
    low = float(rows[["low", "smoothness"]].min().min())  # without two people there are no intervals
    high = float(rows[["high", "smoothness"]].max().max())
    margin = 0.06 * (high - low) or 0.02
    place = np.arange(len(x), dtype=float)
    for number, ax in enumerate(axes.ravel()):
        if number >= len(kinds):
            ax.set_visible(False)
            continue
        kind = kinds[number]
        levels = [each for _, each in rows[rows["kind"] == kind].groupby("severity")]
        colors = sns.color_palette("YlOrBr", as_cmap=True)(np.linspace(0.45, 0.95, max(len(levels), 2)))
        band(ax, place, clean["low"], clean["high"], LEFT, bounds=SMOOTH)
        ax.plot(place, clean["smoothness"], color=LEFT, linewidth=2.4, marker="o", markersize=4.5, zorder=3)
        ends: list[tuple[float, str, Any]] = [(float(clean["smoothness"].iloc[-1]), "clean", LEFT)]
        for each, color in zip(levels, colors, strict=False):
            line = each.sort_values("index")
            band(ax, place, line["low"], line["high"], color, alpha=0.08, bounds=SMOOTH)
            ax.plot(place, line["smoothness"], color=color, linewidth=1.5, marker="o", markersize=3)
            ends.append((float(line["smoothness"].iloc[-1]), shown_level(kind, float(line["level"].iloc[0])), color))
        ax.set_ylim(max(0.0, low - margin), high + margin)
        direct_labels(ax, place[-1], ends)
        ax.set_title(TITLES.get(kind, kind))
        layer_ticks(ax, clean["title"].astype(str).tolist(), place)
        below = number + columns
        ax.tick_params(labelbottom=below >= len(kinds))
        if below < len(kinds):
            ax.set_xlabel("")
        ax.set_xlim(place[0] - 0.2, place[-1] + 0.15)
        ax.grid(axis="y")
        ax.set_axisbelow(True)
    figure.supylabel(r"label smoothness $S_\mathrm{rw}$ (lower = smoother)", fontsize=9, parse_math=True)
    if network != "trained":
        head(figure, f"Network trained on {network}; clean: the same network on clean recordings")
    elif (count := int(clean["networks"].iloc[0])) > 1:
        head(figure, f"Mean of {count} networks trained on clean recordings")
    return figure


@styled
def noise_loss(table: pd.DataFrame, accuracy: pd.DataFrame) -> Figure:
    """Share lost against level, of smoothness at the last layer and of accuracy; a row per network.

    Of smoothness it is the share of what training gained, where untrained networks were measured; else, and as a thin
    line, the share of the way to shuffled labels. Of accuracy it is the share of the way to the
    accuracy of always naming the largest class.

    Args:
        table: `NoiseResult.table`.
        accuracy: `NoiseResult.accuracy`.

    Raises:
        StudyError: if the tables are empty.
    """
    networks = list(dict.fromkeys(table["network"]))
    if not networks:
        raise StudyError("the noise study has no rows")
    kinds = _kinds(table)
    last = table[table["index"] == table["index"].max()]
    title = str(last["title"].iloc[0])
    gained = bool(last["lost"].notna().any())
    drawn = ((last, "lost" if gained else "loss", LEFT, "o"), (accuracy, "loss", RIGHT, "s"))
    figure = new_figure(
        0.75 + 2.2 * len(networks), alt="Share of label smoothness and of accuracy that noise takes, by level."
    )
    axes = figure.subplots(len(networks), len(kinds), sharey=True, squeeze=False)
    for row, network in enumerate(networks):
        for column, kind in enumerate(kinds):
            ax: Axes = axes[row, column]
            for number, (source, share, color, marker) in enumerate(drawn):
                of_network = source[source["network"] == network]
                line = of_network[of_network["kind"] == kind].sort_values("severity")
                x = np.arange(len(line)) + 0.12 * (number - 0.5)
                ax.vlines(x, line[f"{share}_low"], line[f"{share}_high"], color=color, linewidth=2, alpha=0.45)
                ax.plot(x, line[share], color=color, marker=marker, markersize=5, linewidth=1.4)
                if share == "lost":
                    ax.plot(x, line["loss"], color=color, linewidth=0.9, linestyle=(0, (1.5, 1.5)), marker=".")
                labels = [shown_level(kind, float(v)).replace(" of ", "\nof ") for v in line["level"]]
                ax.set_xticks(np.arange(len(line)), labels)
            ax.axhline(LIMIT, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            ax.axhline(0, color=INK, linewidth=0.8)
            ax.set_xlim(-0.45, max(len(line) - 0.55, 0.45))
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
            ax.grid(axis="y")
            ax.set_axisbelow(True)
            if row == 0:
                ax.set_title(TITLES.get(kind, kind))
        if len(networks) > 1:
            name = "trained on clean recordings" if network == "trained" else f"trained on {network}"
            axes[row, 0].set_ylabel(name)
    handles = [
        axes[0, 0].plot([], [], color=color, marker=marker, label=label)[0]
        for color, marker, label in ((LEFT, "o", f"smoothness at {title}"), (RIGHT, "s", "accuracy"))
    ]
    if gained:
        handles += axes[0, 0].plot(
            [],
            [],
            color=LEFT,
            linewidth=0.9,
            linestyle=(0, (1.5, 1.5)),
            marker=".",
            label="of the way to shuffled labels",
        )
    handles += axes[0, 0].plot([], [], color=MUTED, linestyle=(0, (4, 3)), linewidth=1, label=f"limit {LIMIT:.0%}")
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    figure.supylabel(
        f"share lost (below 0: gained),\nof {'what training gained' if gained else 'the way to chance'}", fontsize=9
    )
    return figure


def _of(table: pd.DataFrame, network: str) -> pd.DataFrame:
    rows = table[table["network"] == network]
    if rows.empty:
        raise StudyError(f"the noise study has no network {network!r}; it has {shorten(table['network'].unique())}")
    return rows


def _kinds(table: pd.DataFrame) -> list[str]:
    return [str(kind) for kind in dict.fromkeys(table["kind"]) if kind != "clean"]
