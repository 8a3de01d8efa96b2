"""Classes across layers: where each separates, and which class it is mixed with most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from stgcnlib.geometry.separation import shows_fall

__all__ = ["class_mixing", "class_separation_layers"]

_LETTER = 0.052  # width of a letter in a cell, in inches
_LEAST = 5  # letters of a name that can be read
_STATES = (
    ("separates", "o", LEFT, LEFT),
    ("not decided", "o", "white", LEFT),
    ("does not", "X", "white", MUTED),
    ("separate at the input", "D", GOOD, GOOD),
)
"""Status of a class, and how it is marked."""


@styled
def class_mixing(confusions: pd.DataFrame) -> Figure:
    """For each class and layer the class it is mixed with most: its name, shortened, and its share as the colour.

    Where cells are too narrow for names, they hold numbers, which the names at the left explain.

    Args:
        confusions: of `stgcnlib.geometry.class_confusions`.
    """
    top = confusions[confusions["rank"] == 1]
    names = confusions.drop_duplicates("class_index").set_index("class_index")["class_name"].sort_index().astype(str)
    layers = confusions.drop_duplicates("index").set_index("index")["title"].sort_index().astype(str)
    titles = layers.tolist()
    shares, others = (
        top.pivot(index="class_index", columns="index", values=value)
        .reindex(index=names.index, columns=layers.index)  # every class has a row, also one with no other beside it
        .to_numpy(dtype=float)
        for value in ("share", "other_index")
    )
    width = float(np.clip(3.4 + 0.8 * len(titles), 6.0, WIDTH))
    room = int((width - 2.6) / len(titles) / _LETTER)
    short = _shortened(names.tolist(), room)
    # Names that no longer tell classes apart in so little room are numbers, as before the names at the left.
    words = short or [str(number + 1) for number in names.index]
    labels = names.tolist() if short else [f"{name}  {word}" for name, word in zip(names, words, strict=True)]
    known = dict(zip(names.index, words, strict=True))
    texts = [
        [
            known.get(int(number), str(int(number) + 1)) if np.isfinite(share) and share >= 0.02 else ""
            for number, share in zip(a, b, strict=True)
        ]
        for a, b in zip(others, shares, strict=True)
    ]
    figure = new_figure(
        1.25 + 0.245 * max(len(names), 5),
        width=width,
        alt="The class that each class is mixed with most, at each layer.",
    )
    ax = figure.subplots()
    class_matrix(
        ax, shares, labels, ["" for _ in titles], cmap=COUNTS, vmin=0.0,
        label="share of neighbourhood weight", texts=texts, text_size=6.5, square=False,
    )  # fmt: skip
    layer_ticks(ax, titles, np.arange(len(titles)) + 0.5)
    written = "In a cell" if short else "Number"
    head(figure, f"{written}: the other class that holds most of the class's neighbourhood (none under 2%)")
    return figure


def _shortened(names: list[str], room: int) -> list[str]:
    """Names cut to `room` letters at the end, or else in the middle; none where two would be the same."""
    if room < _LEAST:
        return []
    head = [name if len(name) <= room else f"{name[: room - 1].rstrip()}…" for name in names]
    tail = room // 2
    middle = [name if len(name) <= room else f"{name[: room - 1 - tail].rstrip()}…{name[-tail:]}" for name in names]
    return next((each for each in (head, middle) if len(set(each)) == len(set(names))), [])


@styled
def class_separation_layers(separation: pd.DataFrame, *, layers: Sequence[Mapping[str, Any]]) -> Figure:
    """The depth at which half of each class's fall in label smoothness is done, and whether the class separates.

    Layers are drawn side by side, also where only some of the network's blocks were recorded. Bars span what leaving
    out one subject changes. Classes whose interval allows no fall are at the right.

    Args:
        separation: of `stgcnlib.geometry.class_separation`.
        layers: title and index of each recorded layer, the input first.
    """
    end = len(layers)
    depths = [float(layer["index"]) for layer in layers]
    known = {name: np.interp(separation[name], depths, np.arange(end)) for name in ("half", "half_least", "half_most")}
    separation = separation.assign(**known)  # places among the layers, no longer in their indices
    status = separation["status"].to_numpy()
    half = separation["half"].where(shows_fall(separation)).to_numpy(dtype=float)
    place = np.where(status == "separate at the input", 0.0, np.where(np.isnan(half), float(end), half))
    order = np.lexsort((separation["last"].to_numpy(dtype=float), place))
    rows = separation.iloc[order]
    x, y = place[order], np.arange(len(rows))
    figure = new_figure(0.95 + 0.235 * max(len(rows), 4), alt="The depth at which half of each class's fall is done.")
    ax = figure.subplots()
    spread = ((rows["status"] != "separate at the input") & shows_fall(rows)).to_numpy()
    ax.hlines(y[spread], rows["half_least"][spread], rows["half_most"][spread], color="#b9cfe4", linewidth=5, zorder=1)
    for word, marker, face, edge in _STATES:
        mine = (rows["status"] == word).to_numpy()
        if mine.any():
            ax.scatter(x[mine], y[mine], s=34, marker=marker, facecolors=face, edgecolors=edge, zorder=3, label=word)
    ax.set_yticks(y, rows["class_name"].astype(str))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    layer_ticks(ax, [*(str(layer["title"]) for layer in layers), "no fall\nshown"], np.arange(end + 1))
    ax.set_xlabel("half of the fall is done by layer")
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
    figure.legend(loc="outside upper right", ncols=4, handletextpad=0.2)
    return figure
