"""How a network learned, and what it confuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from stgcnlib.errors import SequenceError
from stgcnlib.figures.matrix import class_matrix, without_classes
from stgcnlib.figures.style import (
    COUNTS,
    INK,
    LEFT,
    MUTED,
    RIGHT,
    WIDTH,
    direct_labels,
    head,
    least_shown,
    new_figure,
    styled,
)  # fmt: skip

__all__ = ["confusion", "per_class_accuracy", "training_curves"]


@styled
def training_curves(history: pd.DataFrame) -> Figure:
    """Loss and accuracy (of targets: R²) against epoch; of several networks the first is drawn thick, the others thin.

    R² below 0 is drawn down to -1; a curve that ends below has its name and value at the lower end.

    Args:
        history: columns epoch, train_loss, train_accuracy and, where it was measured, test_accuracy (or train_r2 and
            test_r2); of several networks also network.

    Raises:
        SequenceError: if a column is missing or there is no epoch.
    """
    measure = "r2" if "train_r2" in history.columns else "accuracy"
    needed = ["epoch", "train_loss", f"train_{measure}"]
    if missing := [c for c in needed if c not in history.columns]:
        raise SequenceError(f"history lacks {', '.join(missing)}; give FitResult.history")
    if not len(history):
        raise SequenceError("history has no epoch; train for at least one")
    drawn = history.columns.intersection([f"train_{measure}", f"test_{measure}"])
    bottom = least_shown(history[drawn].to_numpy()) if measure == "r2" else 0.0
    figure = new_figure(3.1, alt="Training loss and accuracy against epoch.")
    left, right = figure.subplots(1, 2)
    first = history["network"].iloc[0] if "network" in history else None
    others = [] if first is None else [each for name, each in history.groupby("network", sort=False) if name != first]
    history = history if first is None else history[history["network"] == first]
    epoch = history["epoch"].to_numpy(dtype=float)
    marker = "o" if len(epoch) < 3 else ""
    for other in others:
        left.plot(other["epoch"], other["train_loss"], color=LEFT, linewidth=0.7, alpha=0.6)
    left.plot(epoch, history["train_loss"], color=LEFT, marker=marker)
    left.set_ylim(bottom=0)
    left.set_title("Loss (cross-entropy)" if measure == "accuracy" else "Loss (standardised targets)")
    right.set_title("Accuracy" if measure == "accuracy" else "R²")
    ends, form = [], ".0%" if measure == "accuracy" else ".2f"
    for column, name, color in ((f"train_{measure}", "train", LEFT), (f"test_{measure}", "test", RIGHT)):
        if column not in history.columns or not history[column].notna().any():
            continue
        for other in (each[each[column].notna()] for each in others):
            right.plot(other["epoch"], other[column], color=color, linewidth=0.7, alpha=0.6)
        known = history[history[column].notna()]
        right.plot(known["epoch"], known[column], color=color, marker=marker)
        ends.append((float(known[column].iloc[-1]), f"{name} {known[column].iloc[-1]:{form}}", color))
    right.set_ylim(bottom, 1.02)
    if measure == "accuracy":
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
    direct_labels(right, float(epoch[-1]), [(max(value, bottom), text, color) for value, text, color in ends])
    for ax in (left, right):
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.grid(axis="y")
    return figure


@styled
def confusion(evaluation: Any) -> Figure:
    """True class by row, predicted class by column; shade is the share of the row, numbers are recordings.

    Classes that have no recording and are never predicted are counted below the picture.

    `evaluation` is what `stgcnlib.evaluate` gives.
    """
    counts = np.asarray(evaluation.confusion())
    every = _names(evaluation, len(counts))
    occurs = np.flatnonzero((counts.sum(axis=0) > 0) | (counts.sum(axis=1) > 0))
    counts, names = counts[np.ix_(occurs, occurs)], [every[c] for c in occurs]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    size = float(np.clip(0.262 * len(names) + 2.6, 4.6, WIDTH))
    figure = new_figure(
        size * 0.94, width=size, alt=f"Confusion of {len(names)} classes, accuracy {evaluation.accuracy:.1%}."
    )
    ax = figure.subplots()
    texts = [[f"{n}" if n else "" for n in row] for row in counts]
    class_matrix(
        ax, shares, names, names, cmap=COUNTS, vmin=0.0, vmax=1.0, texts=texts, text_size=7.5 if len(names) < 40 else 6,
        colorbar=False,
    )  # fmt: skip
    for place in range(len(names)):
        ax.axhline(place, color="#eef0f2", linewidth=0.6, zorder=1.5)
    ax.set_ylabel("true class")
    ax.set_xlabel("predicted class")
    head(figure, f"{evaluation.accuracy:.1%} of {counts.sum()} recordings are named right")
    without_classes(figure, len(names), len(every), "without a test recording and never predicted")
    return figure


@styled
def per_class_accuracy(evaluation: Any) -> Figure:
    """Share of each class that is named right with its 95% Wilson interval, best first.

    `evaluation` is what `stgcnlib.evaluate` gives.
    """
    counts = np.asarray(evaluation.confusion())
    names = _names(evaluation, len(counts))
    totals = counts.sum(axis=1)
    known = np.flatnonzero(totals > 0)
    right = np.diag(counts)[known]
    share, total = right / totals[known], totals[known]
    low, high = _wilson(share, total)
    order = np.lexsort((known, -share))
    figure = new_figure(0.75 + 0.235 * max(len(known), 3), alt="Accuracy of each class with its interval.")
    ax = figure.subplots()
    rows = np.arange(len(known))
    ax.hlines(rows, low[order], high[order], color="#b9cfe4", linewidth=5)
    ax.scatter(share[order], rows, color=LEFT, s=26, zorder=3)
    ax.axvline(evaluation.accuracy, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    ax.set_yticks(rows, [names[known[k]] for k in order])
    ax.set_xlim(0, 1.02)
    ax.set_ylim(len(known) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel("recordings named right, with 95% interval")
    for row, k in enumerate(order):
        ax.annotate(
            f"{right[k]} of {total[k]}", (1.0, row), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=8.5, color=INK, annotation_clip=False,
        )  # fmt: skip
    ax.set_title(f"Dashed: all classes together, {evaluation.accuracy:.1%}", fontweight="normal", color=MUTED)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_axisbelow(True)
    return figure


def _names(evaluation: Any, count: int) -> list[str]:
    names = [str(n) for n in evaluation.class_names]
    return names + [f"class {c}" for c in range(len(names), count)]


def _wilson(share: Any, total: Any, z: float = 1.959964) -> tuple[Any, Any]:
    """Wilson's score interval of a proportion."""
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
