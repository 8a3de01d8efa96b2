"""Classes across layers: where each separates, and which class it is mixed with most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stgcnlib.figures.matrix import class_matrix
from stgcnlib.figures.style import (
    COUNTS,
    GOOD,
    LEFT,
    MUTED,
    WIDTH,
    head,
    layer_ticks,
    new_figure,
    styled,
)  # fmt: skip

__all__ = ["class_mixing", "class_separation_layers"]


@styled
def class_mixing(confusions: pd.DataFrame) -> Figure:
    """For each class and layer the class it is mixed with most: its number, and its share as the colour.

    Args:
        confusions: of `stgcnlib.geometry.class_confusions`.
    """
    top = confusions[confusions["rank"] == 1]
    shares = top.pivot(index="class_index", columns="index", values="share")
    others = top.pivot(index="class_index", columns="index", values="other_index")
    names = confusions.drop_duplicates("class_index").set_index("class_index")["class_name"].sort_index()
    titles = top.drop_duplicates("index").sort_values("index")["title"].astype(str).tolist()
    labels = [f"{name}  {number + 1}" for number, name in zip(names.index.astype(int), names, strict=True)]
    texts = [
        [
            f"{int(number) + 1}" if np.isfinite(share) and share >= 0.02 else ""
            for number, share in zip(a, b, strict=True)
        ]
        for a, b in zip(others.to_numpy(dtype=float), shares.to_numpy(dtype=float), strict=True)
    ]
    figure = new_figure(
        1.25 + 0.245 * max(len(names), 5),
        width=float(np.clip(3.4 + 0.56 * len(titles), 6.0, WIDTH)),
        alt="The class that each class is mixed with most, at each layer.",
    )
    ax = figure.subplots()
    class_matrix(
        ax, shares.to_numpy(dtype=float), labels, ["" for _ in titles], cmap=COUNTS, vmin=0.0,
        label="share of neighbourhood weight", texts=texts, square=False,
    )  # fmt: skip
    layer_ticks(ax, titles, np.arange(len(titles)) + 0.5)
    head(figure, "Number: the other class that holds most of the class's neighbourhood (none under 2%)")
    return figure


@styled
def class_separation_layers(separation: pd.DataFrame, titles: list[str]) -> Figure:
    """The layer at which each class separates, earliest first; bars span what leaving out one subject changes.

    Args:
        separation: of `stgcnlib.geometry.class_separation`.
        titles: of all layers in order of depth, the input first.
    """
    end = len(titles)
    place = separation["index"].to_numpy(dtype=float)
    status = separation["status"].to_numpy()
    place = np.where(status == "separate at the input", 0.0, np.where(status == "separates", place, float(end)))
    order = np.lexsort((separation["last"].to_numpy(dtype=float), place))
    rows = separation.iloc[order]
    x, y = place[order], np.arange(len(rows))
    figure = new_figure(0.95 + 0.235 * max(len(rows), 4), alt="The layer at which each class separates.")
    ax = figure.subplots()
    found = (rows["status"] == "separates").to_numpy()
    clear = (rows["status"] == "separate at the input").to_numpy()
    ax.hlines(y[~clear], rows["earliest"][~clear], rows["latest"][~clear], color="#b9cfe4", linewidth=5, zorder=1)
    ax.scatter(x[found], y[found], s=34, color=LEFT, zorder=3, label="separates here")
    ax.scatter(x[clear], y[clear], s=34, marker="D", color=GOOD, zorder=3, label="separate at the input")
    for word, marker in (("not decided", "o"), ("does not", "X")):
        mine = (rows["status"] == word).to_numpy()
        if mine.any():
            ax.scatter(
                x[mine], y[mine], s=34, marker=marker, facecolors="white", edgecolors=MUTED, zorder=3, label=word
            )
    ax.set_yticks(y, rows["class_name"].astype(str))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    layer_ticks(ax, [*titles, "nowhere"], np.arange(end + 1))
    ax.set_xlim(-0.4, end + 0.4)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    for row, (before, after) in enumerate(zip(rows["input"], rows["last"], strict=True)):
        ax.annotate(
            f"{before:.2f} → {after:.2f}", (1.0, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    figure.legend(loc="outside upper right", ncols=3, handletextpad=0.2)
    return figure
