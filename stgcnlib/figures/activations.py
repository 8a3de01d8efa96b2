"""What a network's layers hold: their shapes, and the scale of their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from stgcnlib.figures.style import layer_colors, layer_ticks, new_figure, styled

__all__ = ["feature_norms", "layer_shapes", "quantile_marks"]


@styled
def layer_shapes(store: Any) -> Figure:
    """Channels per joint, frames per recording and features per frame of each layer of the LayerStore `store`."""
    layers = [store[name] for name in store.layers]
    titles = [layer.title for layer in layers]
    colors = layer_colors(len(layers))
    figure = new_figure(2.7, alt="Channels, frames and features of each layer.")
    x = np.arange(len(layers))
    quantities = {
        "Channels per joint": [layer.channels for layer in layers],
        "Frames per recording (mean)": [round(float(np.mean(layer.lengths)), 1) for layer in layers],
        "Features per frame": [layer.channels * layer.joints for layer in layers],
    }
    for ax, (name, values) in zip(figure.subplots(1, 3), quantities.items(), strict=True):
        ax.bar(x, values, color=colors, width=0.78)
        for place, value in enumerate(values):
            if place and value == values[place - 1]:
                continue  # a number is written only where it changes
            ax.annotate(_short(value), (place, value), xytext=(0, 2), textcoords="offset points", ha="center",
                        fontsize=7.5)  # fmt: skip
        ax.set_title(name)
        ax.set_ylim(0, max(values) * 1.1)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="x", length=0, labelsize=7.5 if len(layers) > 8 else 8.5)
        layer_ticks(ax, titles)
    return figure


@styled
def feature_norms(store: Any, *, recordings: int = 64) -> Figure:
    """Root mean square of the features of a frame, its distribution per layer.

    `store` is a LayerStore.

    Args:
        recordings: read at most so many, evenly spaced.
    """
    layers = [store[name] for name in store.layers]
    norms = []
    for layer in layers:
        # A few whole recordings: a zarr array is quick along its rows only, and all of them may not fit in memory.
        chosen = np.unique(np.linspace(0, len(layer) - 1, min(recordings, len(layer))).round().astype(int))
        squares = [np.square(layer.sequence(int(i)), dtype=np.float64).mean(axis=1) for i in chosen]
        norms.append(np.sqrt(np.concatenate(squares)))
    figure = new_figure(3.0, alt="Scale of the features of each layer.")
    ax = figure.subplots()
    quantile_marks(ax, norms, layer_colors(len(layers)))
    values = np.concatenate(norms)
    positive = values[values > 0]
    if positive.size and np.percentile(positive, 98) > 30 * np.percentile(positive, 2):
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.set_ylim(bottom=0)
    ax.set_ylabel("root mean square of a frame's features")
    ax.set_title("Thick: middle half of frames. Thin: 5% to 95%.", fontweight="normal")
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    layer_ticks(ax, [layer.title for layer in layers])
    return figure


def quantile_marks(ax: Axes, samples: Sequence[NDArray[Any]], colors: Sequence[Any]) -> None:
    """Per sample a thin bar (5% to 95%), a thick one (quartiles) and a dot (median) at x = 0, 1, …"""
    for x, (values, color) in enumerate(zip(samples, colors, strict=True)):
        low, q1, middle, q3, high = np.percentile(values, [5, 25, 50, 75, 95])
        ax.vlines(x, low, high, color=color, linewidth=1.6, zorder=2)
        ax.vlines(x, q1, q3, color=color, linewidth=8, zorder=2.1, capstyle="butt")
        ax.scatter([x], [middle], s=22, color="white", edgecolors=[color], linewidths=1.4, zorder=3)


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 10000 else f"{value:.0f}" if value >= 10 else f"{value:.3g}"
