"""Class matrices: a heat map with names along its sides and numbers where they fit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.figures.style import COUNTS, MUTED, text_color

__all__ = ["class_matrix", "likeness_matrix", "slim_colorbar", "without_classes"]


def class_matrix(
    ax: Axes,
    values: NDArray[Any],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    cmap: Colormap,
    vmin: float | None = None,
    vmax: float | None = None,
    label: str = "",
    texts: Sequence[Sequence[str]] | None = None,
    text_size: float = 7.5,
    colorbar: bool = True,
    square: bool = True,
) -> None:
    """Draw (rows, columns) values; NaN cells stay light grey.

    Raises:
        SequenceError: if there is not one name per row and column.
    """
    if values.shape != (len(rows), len(columns)):
        raise SequenceError(f"matrix of shape {values.shape} has {len(rows)} row and {len(columns)} column names")
    finite = values[np.isfinite(values)]
    low = float(finite.min()) if vmin is None and finite.size else float(vmin or 0.0)
    high = float(finite.max()) if vmax is None and finite.size else float(vmax if vmax is not None else 1.0)
    norm = Normalize(low, high if high > low else low + 1.0)
    tinted = cmap.with_extremes(bad="#eef0f2")
    mesh = ax.pcolormesh(np.ma.masked_invalid(values), cmap=tinted, norm=norm, edgecolors="white", linewidth=0.8)
    ax.invert_yaxis()
    if square:
        ax.set_aspect("equal")
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
    figure = ax.get_figure(root=True)
    room = (figure.get_figwidth() if figure else 6.0) * 0.6 / max(len(columns), 1)
    rotate = max((len(c) for c in columns), default=0) * 0.08 > room
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90 if rotate else 0)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if texts is not None:
        for i, line in enumerate(texts):
            for j, text in enumerate(line):
                if text:
                    color = text_color(tinted(norm(values[i, j])))
                    ax.text(j + 0.5, i + 0.52, text, ha="center", va="center", fontsize=text_size, color=color)
    if colorbar:
        slim_colorbar(ax, mesh, label, shrink=1.0 if len(rows) < 10 else 0.6)


def without_classes(figure: Figure, shown: int, named: int, lacks: str = "without a recording") -> None:
    """Say below a figure how many named classes it does not show; nothing where it shows all.

    Args:
        figure: to write on.
        shown: number of classes that it shows.
        named: number of classes that the data name.
        lacks: why the others are not shown.
    """
    if shown == named:
        return
    text = textwrap.fill(
        f"Not shown: {named - shown} of the {named} named classes, {lacks}.", int(12 * figure.get_figwidth())
    )
    figure.supxlabel(text, x=0.006, ha="left", fontsize=8.5, color=MUTED)


def likeness_matrix(
    ax: Axes, values: NDArray[Any], rows: Sequence[str], columns: Sequence[str], *, diagonal: bool = True
) -> None:
    """Draw (rows, columns) likeness of layers from 0 to 1, with numbers where they fit, also on the `diagonal`."""
    fits = max(len(rows), len(columns)) <= 16
    texts = [
        [f"{v:.2f}".replace("0.", ".") if fits and np.isfinite(v) and (diagonal or i != j) else ""
         for j, v in enumerate(row)] for i, row in enumerate(values)
    ]  # fmt: skip
    class_matrix(ax, values, rows, columns, cmap=COUNTS, vmin=0.0, vmax=1.0, texts=texts, colorbar=False, text_size=6.5)


def slim_colorbar(ax: Axes | list[Axes], mappable: Any, label: str, **options: Any) -> Any:
    """A thin colour bar without outline."""
    first = ax[0] if isinstance(ax, list) else ax
    bar = first.figure.colorbar(mappable, ax=ax, **{"shrink": 0.6, "aspect": 28, "pad": 0.015, **options})
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)
    bar.set_label(label)
    return bar
