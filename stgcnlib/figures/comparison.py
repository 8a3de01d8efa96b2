"""Several studies in one picture: curves, classes, and differences on the same recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from stgcnlib.errors import StudyError
from stgcnlib.figures.matrix import class_matrix, slim_colorbar
from stgcnlib.figures.style import (
    INK,
    MUTED,
    SMOOTH,
    SMOOTHNESS,
    WIDTH,
    band,
    class_styles,
    direct_labels,
    head,
    layer_ticks,
    new_figure,
    styled,
)
from stgcnlib.verdicts.outcome import p_value

__all__ = ["compare_classes", "compare_curves", "compare_pairs"]


@styled
def compare_curves(curves: pd.DataFrame, *, rescaled: bool = False) -> Figure:
    """Label smoothness against layer of every study, with its interval, and of its untrained network, thin and dashed.

    Layers are drawn by their number where all studies have equally many, else by their share of the depth.

    Args:
        curves: `Comparison.curves`.
        rescaled: draw (S − floor) / (null − floor), which can be compared where levels of S cannot.

    Raises:
        StudyError: if there is no row.
    """
    names = _names(curves)
    value, low_name, high_name = (
        ("rescaled", "rescaled_low", "rescaled_high") if rescaled else ("smoothness", "low", "high")
    )
    by_number = curves.groupby("study")["index"].max().nunique() == 1
    column = "index" if by_number else "depth"
    figure = new_figure(4.7, alt=f"Label smoothness against layer of {len(names)} studies.")
    ax: Axes = figure.subplots()
    ends: list[tuple[float, str, Any]] = []
    trained = curves[curves["kind"] == "trained"]
    for name, (color, marker) in zip(names, class_styles(len(names)), strict=True):
        line = trained[trained["study"] == name].sort_values("index")
        control = curves[(curves["study"] == name) & (curves["kind"] == "untrained")].sort_values("index")
        x = line[column].to_numpy(dtype=float)
        bounds = (-np.inf, np.inf) if rescaled else SMOOTH  # rescaled, a value may lie below its floor
        band(ax, x, line[low_name], line[high_name], color, alpha=0.12, bounds=bounds)
        ax.plot(x, line[value], color=color, marker=marker, linewidth=2.2, markersize=5, zorder=3)
        if len(control):
            ax.plot(control[column], control[value], color=color, linewidth=1.1, linestyle=(0, (4, 2)), alpha=0.8)
        ends.append((float(line[value].iloc[-1]), _short(name), color))
    low, high = ax.get_ylim()
    ax.set_ylim(max(0.0, low), high)
    last = float(trained[column].max())
    direct_labels(ax, last, ends)
    if by_number:
        line = trained[trained["study"] == names[0]].sort_values("index")
        layer_ticks(ax, line["title"].astype(str).tolist(), line["index"])
        ax.set_xlim(-0.25, last + 0.15)
    else:
        ax.set_xlabel("depth (0: input, 1: last layer)")
        ax.set_xlim(-0.02, last + 0.015)
    scale = "(S − floor) / (null − floor)" if rescaled else r"label smoothness $S_\mathrm{rw}$"
    ax.set_ylabel(f"{scale} (lower = smoother)", parse_math=not rescaled)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    head(figure, "Solid: trained network; dashed: untrained network of the same shape")
    return figure


@styled
def compare_classes(classes: pd.DataFrame) -> Figure:
    """Label smoothness of each class at each layer, one heat map per study, in one order and on one scale.

    Classes are ordered by their smoothness at the last layer, averaged over the studies, smoothest first.

    Args:
        classes: rows of `Comparison.classes` whose studies have the same classes (`Comparison.class_groups`).

    Raises:
        StudyError: if there is no row.
    """
    names = _names(classes)
    last = classes[classes["depth"] == 1.0].groupby("class_name")["smoothness"].mean()
    order = last.sort_values(kind="stable").index.tolist()
    tables = [
        classes[classes["study"] == name].pivot(index="class_name", columns="index", values="smoothness").loc[order]
        for name in names
    ]
    widths = [table.shape[1] for table in tables]
    figure = new_figure(
        1.15 + 0.21 * max(len(order), 5),
        width=float(np.clip(2.9 + 0.3 * sum(widths), 6.0, WIDTH)),
        alt=f"Label smoothness of {len(order)} classes by layer in {len(names)} studies.",
    )
    axes = figure.subplots(1, len(names), width_ratios=widths, squeeze=False)[0]
    top = float(np.nanmax([table.to_numpy().max() for table in tables])) or 1.0
    for number, (ax, name, table) in enumerate(zip(axes, names, tables, strict=True)):
        rows = [str(each) for each in order] if number == 0 else [""] * len(order)
        class_matrix(
            ax, table.to_numpy(dtype=float), rows, [""] * table.shape[1], cmap=SMOOTHNESS, vmin=0.0, vmax=top,
            colorbar=False, square=False,
        )  # fmt: skip
        titles = classes[classes["study"] == name].drop_duplicates("index").sort_values("index")["title"]
        layer_ticks(ax, ["in" if t == "input" else str(t) for t in titles], np.arange(table.shape[1]) + 0.5)
        ax.set_title(_short(name, 12 + 3 * table.shape[1] // 2))
    scale = ScalarMappable(Normalize(0.0, top), SMOOTHNESS)
    slim_colorbar(list(axes), scale, "label smoothness" if len(order) < 12 else "label smoothness (lower = smoother)")
    return figure


@styled
def compare_pairs(pairs: pd.DataFrame) -> Figure:
    """Differences between two studies on the same recordings, with intervals; below 0 the first is smoother.

    Args:
        pairs: `Comparison.pairs`.

    Raises:
        StudyError: if no two studies share their recordings.
    """
    rows = pairs[pairs["quantity"] != "accuracy"]
    if rows.empty:
        raise StudyError("no two of these studies have the same recordings, so there is nothing to pair")
    both = list(dict.fromkeys(zip(rows["first"], rows["second"], strict=True)))
    quantities = list(dict.fromkeys(rows["quantity"]))
    figure = new_figure(0.9 + 0.3 * len(rows) + 0.28 * len(both), alt="Paired differences of label smoothness.")
    ax: Axes = figure.subplots()
    y, ticks, labels = 0.0, [], []
    for first, second in both:
        ax.annotate(
            f"{_short(first, 48)}  −  {_short(second, 48)}", (0, y), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontweight="bold",
        )  # fmt: skip
        for quantity in quantities:
            y += 1
            row = rows[(rows["first"] == first) & (rows["second"] == second) & (rows["quantity"] == quantity)].iloc[0]
            clear = row["low"] > 0 or row["high"] < 0
            color = INK if clear else MUTED
            ax.hlines(y, row["low"], row["high"], color=color, linewidth=2.2, alpha=0.6)
            ax.plot(row["difference"], y, marker="o", color=color, markersize=6)
            p = p_value(row["p"], ".3g")
            tested = "not tested" if np.isnan(row["p"]) else f"p {p}" if p.startswith("<") else f"p = {p}"
            ax.annotate(
                f"{row['difference']:+.3f}, {tested}", (1, y), xycoords=("axes fraction", "data"),
                xytext=(6, 0), textcoords="offset points", va="center", fontsize=8, color=color, annotation_clip=False,
            )  # fmt: skip
            ticks.append(y)
            labels.append(quantity)
        y += 1.2
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.set_yticks(ticks, labels)
    ax.set_ylim(y - 0.5, -0.7)
    scale = "label smoothness" if set(rows["scale"]) == {"S"} else "label smoothness, rescaled where settings differ"
    ax.set_xlabel(f"difference of {scale} (below 0: the first is smoother)")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    reach = 1.15 * float(np.nanmax(np.abs(rows[["difference", "low", "high"]].to_numpy()))) or 0.01
    ax.set_xlim(-reach, reach)
    return figure


def _names(table: pd.DataFrame) -> list[str]:
    names = [str(name) for name in dict.fromkeys(table["study"])]
    if not names:
        raise StudyError("there is no study to draw")
    return names


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
