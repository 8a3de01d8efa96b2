"""Label smoothness against layer: the main picture of a study, and classes one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stgcnlib.errors import GraphError, shorten
from stgcnlib.figures.matrix import class_matrix
from stgcnlib.figures.style import (
    INK,
    LEFT,
    MUTED,
    RIGHT,
    SHARE,
    SMOOTH,
    SMOOTHNESS,
    WIDTH,
    band,
    direct_labels,
    head,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip
from stgcnlib.geometry.layers import INITIAL, TRAINED, UNTRAINED, kind_of
from stgcnlib.groups import ALL, main_neighbours

__all__ = ["class_heatmap", "class_smoothness", "smoothness_curve"]

_LABEL = r"label smoothness $S_\mathrm{rw}$ (lower = smoother)"
_TARGET = r"target smoothness $S$ (lower = smoother)"
_THIN = "#7fa6cf"
_FLOOR_SHOWN = 0.005  # a lower floor cannot be told from 0


@styled
def smoothness_curve(
    table: pd.DataFrame,
    *,
    mean: pd.DataFrame | None = None,
    neighbours: str | None = None,
    measured: str = "label",
) -> Figure:
    """Smoothness of each layer with its interval, beside shuffled labels (or targets) and untrained networks.

    The band of untrained networks is hatched. Smoothness is not below 0, where the picture ends, and
    of labels not above 1: an interval that goes on there is cut.

    Several trained networks are thin lines around their mean. Several untrained networks are a band from the least to
    the most of them, with their mean as a line; those with batch norm as initialised are a dotted line.

    The lowest value that the graphs allow is a thin line where it is above 0.005 somewhere.

    Args:
        table: `LayerGeometry.table`.
        mean: `LayerGeometry.mean_curve()`: the mean of several trained networks with its interval; `None`: without one.
        neighbours: which neighbours the main curves count; `None` takes "other subjects" (or days, …) where the
            table has them. Then the curve with all neighbours is drawn too, as a thin line.
        measured: smoothness of what, "label" or "target": `LayerGeometry.measured`.

    Raises:
        GraphError: if the table has no row for these neighbours.
    """
    label, bounds = (_LABEL, SHARE) if measured == "label" else (_TARGET, SMOOTH)
    kind = _neighbours(table, neighbours)
    each, untrained, initial = (_kind(table, name, kind) for name in (TRAINED, UNTRAINED, INITIAL))
    main = _mean(each)
    if mean is not None and len(mean) == len(main):
        main = main.assign(low=mean["low"].to_numpy(), high=mean["high"].to_numpy())
    control = _mean(untrained)
    if len(networks := untrained["network"].unique()) > 1:
        extent = untrained.groupby("index")["smoothness"]
        control = control.assign(low=extent.min().to_numpy(), high=extent.max().to_numpy())
    initially = _mean(initial)
    everyone = _mean(_kind(table, TRAINED, ALL)) if kind != ALL else main.iloc[:0]
    curves = pd.concat([main, control, each, initially])[["smoothness", "low", "high"]].clip(*bounds)
    top = float(np.nanmax([curves.max().max(), everyone["smoothness"].max()]))
    bottom = float(np.nanmin([curves.min().min(), everyone["smoothness"].min()]))
    has_floor = "floor" in main and bool((main["floor"] > _FLOOR_SHOWN).any())
    if has_floor:
        bottom = min(bottom, float(main["floor"].min()))
    null_low = float(main["null_low"].min())
    broken = null_low > top + 0.25 * (top - min(bottom, 0.5 * top))

    alt = f"{measured.capitalize()} smoothness against layer, with interval, null and untrained networks."
    figure = new_figure(4.7, alt=alt)
    upper: Axes | None = None
    if broken:
        upper, ax = figure.subplots(2, 1, sharex=True, height_ratios=[1, 5.5])
    else:
        ax = figure.subplots()
    x = main["index"].to_numpy(dtype=float)
    ends: list[tuple[float, str, Any]] = []
    null_ax = upper if upper is not None else ax
    _draw_null(null_ax, main)  # draws nothing where no labels were shuffled
    null_end = (float(main["null_mean"].iloc[-1]), f"shuffled {measured}s", MUTED)
    has_null = bool(np.isfinite(null_end[0]))
    if has_floor:
        ax.plot(x, main["floor"], color=INK, linewidth=0.9)
        ends.append((float(main["floor"].iloc[-1]), "lowest possible with this K", INK))
    if len(everyone):
        ax.plot(everyone["index"], everyone["smoothness"], color=_THIN, linewidth=1.2, linestyle=(0, (5, 2)))
        ends.append((float(everyone["smoothness"].iloc[-1]), "trained, all neighbours", "#4f7fb0"))
    if len(initially):
        ax.plot(initially["index"], initially["smoothness"], color=RIGHT, linewidth=1.1, linestyle=(0, (1.5, 1.5)))
        ends.append((float(initially["smoothness"].iloc[-1]), "untrained, batch norm\nas initialised", RIGHT))
    if len(control):
        u = control["index"].to_numpy(dtype=float)
        band(ax, u, control["low"], control["high"], RIGHT, hatched=True, bounds=bounds)
        ax.plot(u, control["smoothness"], color=RIGHT, linewidth=1.6, marker="s", markersize=4)
        name = "untrained network" if len(networks) == 1 else f"{len(networks)} untrained networks"
        ends.append((float(control["smoothness"].iloc[-1]), name, RIGHT))
    band(ax, x, main["low"], main["high"], LEFT, bounds=bounds)
    ax.plot(x, main["smoothness"], color=LEFT, linewidth=2.6, marker="o", markersize=6, zorder=3)
    trained = each["network"].unique()
    if len(trained) > 1:
        for _, line in each.groupby("network"):
            ax.plot(line["index"], line["smoothness"], color=LEFT, linewidth=0.7, alpha=0.75)
    name = "trained network" if len(trained) == 1 else f"mean of {len(trained)}\ntrained networks"
    ends.append((float(main["smoothness"].iloc[-1]), name, LEFT))

    margin = 0.07 * (top - bottom) or 0.05
    ax.set_ylim(max(0.0, bottom - margin), top + margin)
    if upper is not None:
        _break(upper, ax, main)
        direct_labels(upper, x[-1], [null_end])
    else:
        ends += [null_end] if has_null else []
        ax.set_ylim(max(0.0, bottom - margin), np.fmax(top, main["null_high"].max()) + margin)
    direct_labels(ax, x[-1], ends)
    if broken:
        figure.supylabel(label, fontsize=9, parse_math=True)
    else:
        ax.set_ylabel(label, parse_math=True)
    layer_ticks(ax, main["title"].astype(str).tolist(), x)
    ax.set_xlim(x[0] - 0.25, x[-1] + 0.15)
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    return figure


def _draw_null(ax: Axes, main: pd.DataFrame) -> None:
    x = main["index"].to_numpy(dtype=float)
    band(ax, x, main["null_low"], main["null_high"], MUTED, alpha=0.22)
    ax.plot(x, main["null_mean"], color=MUTED, linewidth=1.3, linestyle=(0, (1.5, 1.5)))


def _break(upper: Axes, lower: Axes, main: pd.DataFrame) -> None:
    """Mark that the axis of values is interrupted between the two axes."""
    low, high = float(main["null_low"].min()), float(main["null_high"].max())
    pad = max(0.4 * (high - low), 0.004)
    upper.set_ylim(low - pad, high + pad)
    upper.set_yticks([round(float(main["null_mean"].mean()), 2)])
    upper.spines["bottom"].set_visible(False)
    upper.tick_params(axis="x", length=0, labelbottom=False)
    slash: Any = [(-1, -0.6), (1, 0.6)]
    for ax, y in ((upper, 0), (lower, 1)):
        ax.plot([0], [y], transform=ax.transAxes, marker=slash, markersize=8, color="#8a949e", clip_on=False)


@styled
def class_heatmap(
    per_class: pd.DataFrame,
    *,
    separation: pd.DataFrame | None = None,
    neighbours: str | None = None,
    network: str = "trained",
) -> Figure:
    """Label smoothness of each class at each layer, classes ordered by the layer at which they separate.

    Args:
        per_class: `LayerGeometry.per_class`.
        separation: of `stgcnlib.geometry.class_separation`: an orange mark where a class separates, which is the input
            for one that is separate there. `None`: no marks.
        neighbours: as in `smoothness_curve`.
        network: whose rows are drawn.

    Raises:
        GraphError: the table has no such network or neighbours.
    """
    kind = _neighbours(per_class, neighbours)
    rows = per_class[(per_class["network"] == network) & (per_class["neighbours"] == kind)]
    if rows.empty:
        raise GraphError(
            f"per_class has no row of network {network!r}; it has {shorten(per_class['network'].unique())}"
        )
    values = rows.pivot(index="class_index", columns="index", values="smoothness")
    names = rows.drop_duplicates("class_index").set_index("class_index")["class_name"]
    titles = rows.drop_duplicates("index").sort_values("index")["title"].astype(str).tolist()
    first = _separates_at(separation, values)
    order = np.lexsort((values.mean(axis=1).fillna(np.inf).to_numpy(), first))
    matrix = values.to_numpy()[order]
    layers = len(titles)
    figure = new_figure(
        1.25 + 0.245 * max(len(matrix), 5),
        width=float(np.clip(3.4 + 0.56 * layers, 6.0, WIDTH)),
        alt="Label smoothness of each class at each layer.",
    )
    ax = figure.subplots()
    fits = layers <= 24
    texts = [[f"{v:.2f}".removeprefix("0") if fits and np.isfinite(v) else "" for v in row] for row in matrix]
    class_matrix(
        ax, matrix, [str(names.loc[values.index[k]]) for k in order], ["" for _ in titles], cmap=SMOOTHNESS, vmin=0.0,
        label="label smoothness", texts=texts, square=False,
    )  # fmt: skip
    for row, k in enumerate(order):
        if first[k] < layers:
            ax.plot(
                [first[k]] * 2, [row + 0.06, row + 0.94], color=RIGHT, linewidth=3, solid_capstyle="butt", clip_on=False
            )
    layer_ticks(ax, titles, np.arange(layers) + 0.5)
    if separation is None:
        head(figure, "Lower = smoother")
    elif (first < layers).any():
        head(figure, "Orange: the class separates here, or is separate at the input (lower = smoother)")
    else:
        head(figure, "No class is known to separate (lower = smoother)")
    return figure


def _separates_at(separation: pd.DataFrame | None, values: pd.DataFrame) -> NDArray[np.int64]:
    """(classes,) column of (classes, layers) `values` at which each class separates; the number of columns if none."""
    first = np.full(len(values), values.shape[1])
    if separation is None:
        return first
    rows = separation.set_index("class_index")
    places = rows["index"].where(rows["status"] == "separates")
    places = places.mask(rows["status"] == "separate at the input", values.columns[0])
    for row, c in enumerate(values.index):
        if c in places.index and np.isfinite(places[c]):
            first[row] = values.columns.get_loc(int(places[c]))
    return first


@styled
def class_smoothness(per_class: pd.DataFrame, *, layer: str, neighbours: str | None = None) -> Figure:
    """Each class at one layer with its interval, and its value at the input, smoothest class first.

    Intervals are cut at 0 and 1, which a share cannot pass.

    Args:
        per_class: `LayerGeometry.per_class`.
        layer: name of the layer.
        neighbours: as in `smoothness_curve`.

    Raises:
        GraphError: if the table has no such layer.
    """
    kind = _neighbours(per_class, neighbours)
    rows = per_class[(per_class["network"] == "trained") & (per_class["neighbours"] == kind)]
    here = (
        rows[(rows["layer"] == layer) & rows["smoothness"].notna()]
        .sort_values(["smoothness", "class_index"])
        .reset_index(drop=True)
    )
    if here.empty:
        raise GraphError(f"per_class has no layer {layer!r}; it has {shorten(rows['layer'].unique(), 12)}")
    first = rows[rows["index"] == rows["index"].min()].set_index("class_index")["smoothness"]
    is_first = bool((here["index"] == rows["index"].min()).all())
    figure = new_figure(0.85 + 0.235 * max(len(here), 3), alt=f"Label smoothness of each class at {layer}.")
    ax = figure.subplots()
    y = np.arange(len(here))
    before = here["class_index"].map(first).to_numpy(dtype=float)
    low, high = here["low"].clip(*SHARE), here["high"].clip(*SHARE)
    ax.hlines(y, low, high, color="#b9cfe4", linewidth=5, zorder=1)
    if not is_first:
        ax.hlines(y, np.fmin(before, here["smoothness"]), np.fmax(before, here["smoothness"]), color="#98a2ad",
                  linewidth=1, zorder=2)  # fmt: skip
        ax.scatter(
            before, y, s=26, facecolors="white", edgecolors=MUTED, linewidths=1.3, zorder=3, label="at the input"
        )
    title = str(here["title"].iloc[0])
    ax.scatter(here["smoothness"], y, s=30, color=LEFT, zorder=4, label=f"at {title}" if is_first else title)
    ax.set_yticks(y, here["class_name"].astype(str))
    ax.set_ylim(len(here) - 0.4, -0.6)
    ax.set_xlim(0, min(ax.get_xlim()[1], 1.02))
    ax.set_xlabel(f"{_LABEL}, with interval", parse_math=True)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    if not is_first:
        figure.legend(loc="outside upper right", ncols=2, handletextpad=0.2)
    for row, n in enumerate(here["n"]):
        ax.annotate(
            f"n = {int(n)}", (1.0, row), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=8, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    ax.xaxis.label.set_color(INK)
    return figure


def _neighbours(table: pd.DataFrame, wanted: str | None) -> str:
    known = table["neighbours"].unique().tolist()
    if wanted is None:
        return main_neighbours(known)
    if wanted not in known:
        raise GraphError(f"the table has no neighbours {wanted!r}; it has {shorten(known)}")
    return wanted


def _kind(table: pd.DataFrame, kind: str, neighbours: str) -> pd.DataFrame:
    """Rows of all networks of a kind, in order of depth."""
    rows = (table["network"].map(kind_of) == kind) & (table["neighbours"] == neighbours)
    found = table[rows].sort_values("index", kind="stable")
    if kind == TRAINED and neighbours != ALL and found.empty:
        raise GraphError(f"the table has no trained network with neighbours {neighbours!r}")
    return found


def _mean(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per layer: that of the only network, or means over several, whose intervals are then not known."""
    if rows["network"].nunique() < 2:
        return rows
    means = rows.groupby("index").mean(numeric_only=True).assign(low=np.nan, high=np.nan).reset_index()
    return means.assign(title=rows.drop_duplicates("index")["title"].to_numpy())
