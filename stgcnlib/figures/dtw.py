"""How two recordings are aligned, and how far all recordings lie from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import DTWLike, dtw_options, dtw_path, local_costs
from stgcnlib.errors import GraphError, SequenceError
from stgcnlib.figures.matrix import slim_colorbar
from stgcnlib.figures.style import INK, LEFT, MUTED, RIGHT, SMOOTHNESS, new_figure, spread, styled

__all__ = ["distance_matrix", "dtw_alignment"]


@styled
def dtw_alignment(
    x: ArrayLike,
    y: ArrayLike,
    *,
    path: ArrayLike | None = None,
    cost_matrix: ArrayLike | None = None,
    names: Sequence[str] = ("first recording", "second recording"),
    title: str | None = None,
    temporal_stride: int = 1,
    options: DTWLike = None,
) -> Figure:
    """Local costs with the warping path, and the two recordings' main component joined where they are aligned.

    Args:
        x, y: (T, D) features, or (T, V, C).
        path: (L, 2) aligned items; `None` asks `dtw_path`.
        cost_matrix: (n, m), items of x by items of y; `None` takes distances of the items.
        names: of the two recordings.
        title: of the layer, say.
        temporal_stride: input frames per frame of x and y; axes count input frames.
        options: a `DTWOptions` or some of its fields, in input frames.

    Raises:
        SequenceError: if the two have different features.
    """
    first, second = (_flat(v) for v in (x, y))
    if first.shape[1] != second.shape[1]:
        raise SequenceError(f"x has {first.shape[1]} features per frame, y has {second.shape[1]}; they must agree")
    chosen = dtw_options(options).at_temporal_stride(temporal_stride)
    window, stride, sliding = chosen.item_frames, chosen.item_stride, chosen.reading == "sliding"
    steps = np.asarray(path) if path is not None else dtw_path(first, second, dtw=chosen)[0]
    costs = (
        np.asarray(cost_matrix, dtype=np.float64) if cost_matrix is not None else local_costs(first, second, dtw=chosen)
    )
    figure = new_figure(4.1, alt=f"DTW alignment of {names[0]} and {names[1]}.")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    if title:
        figure.suptitle(title, x=0.006, ha="left")
    scale = stride * temporal_stride
    mesh = left.imshow(
        costs.T, origin="lower", cmap=SMOOTHNESS.reversed(), aspect="equal",
        extent=(0, costs.shape[0] * scale, 0, costs.shape[1] * scale),
    )  # fmt: skip
    at = (steps + 0.5) * scale
    left.plot(at[:, 0], at[:, 1], color="white", linewidth=3.6)
    left.plot(at[:, 0], at[:, 1], color=RIGHT, linewidth=2.0)
    unit = "start of window (input frame)" if sliding else "input frame"
    left.set_xlabel(f"{_cut(names[0])}\n{unit}")
    left.set_ylabel(f"{_cut(names[1])}\n{unit}")
    left.set_title("Local cost and warping path", fontweight="normal")
    left.spines[:].set_visible(False)
    slim_colorbar(left, mesh, "distance of windows" if sliding else "distance of frames", shrink=0.8)
    _traces(right, first, second, steps, names, temporal_stride, stride, window)
    return figure


def _traces(
    ax: Axes,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    steps: NDArray[Any],
    names: Sequence[str],
    temporal_stride: int,
    stride: int,
    window: int,
) -> None:
    both = np.concatenate([first, second])
    both = both - both.mean(axis=0)
    u, s, _ = np.linalg.svd(both, full_matrices=False)
    component = u[:, 0] * s[0]
    component *= np.sign(component[np.abs(component).argmax()]) or 1.0
    height = max(float(np.ptp(component)), 1e-12)
    upper, lower = component[: len(first)] / height + 1.35, component[len(first) :] / height
    times = [np.arange(len(v)) * temporal_stride for v in (upper, lower)]
    # At most 30 lines: more could not be told apart.
    shown = steps[np.unique(np.linspace(0, len(steps) - 1, min(30, len(steps))).round().astype(int))]
    middle = shown * stride + (window - 1) // 2
    a, b = middle[:, 0].clip(max=len(first) - 1), middle[:, 1].clip(max=len(second) - 1)
    ends = np.stack([np.stack([times[0][a], upper[a]], 1), np.stack([times[1][b], lower[b]], 1)], 1)
    ax.add_collection(LineCollection(list(ends), colors="#b4bcc5", linewidths=0.8, zorder=1))
    for time, values, name, color in zip(times, (upper, lower), names, (LEFT, RIGHT), strict=True):
        ax.plot(time, values, color=color, linewidth=2)
        above = color == LEFT
        ax.annotate(
            _cut(name, 46), (0, values.max() if above else values.min()), xytext=(0, 7 if above else -7),
            textcoords="offset points", color=color, va="bottom" if above else "top",
        )  # fmt: skip
    ax.margins(y=0.14)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("input frame")
    share = s[0] ** 2 / max(float((s**2).sum()), 1e-300)
    ax.set_title(f"First principal component ({share:.0%} of variance), aligned", fontweight="normal")


@styled
def distance_matrix(
    distances: ArrayLike, labels: ArrayLike, class_names: Sequence[str], *, title: str | None = None
) -> Figure:
    """All distances, recordings sorted by class; dark blocks on the diagonal: recordings of one class lie close.

    Args:
        distances: (N, N).
        labels: (N,) class indices.

    Raises:
        GraphError: if the matrix is not square or there is not one label per row.
    """
    matrix, codes = np.asarray(distances, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(codes) != len(matrix):
        raise GraphError(f"distances have shape {matrix.shape}, labels {codes.shape}; expected (N, N) and (N,)")
    order = np.argsort(codes, kind="stable")
    sorted_codes = codes[order]
    shown = np.ma.masked_invalid(matrix[np.ix_(order, order)])
    count = len(matrix)
    figure = new_figure(7.0, width=8.6, alt="Distances between all recordings, sorted by class.")
    figure.set_layout_engine("compressed")  # keeps room for the names beside a square of fixed aspect
    ax = figure.subplots()
    # A few pairs are much farther apart than the rest. Without limits, all others would share a few colours.
    apart = shown[~np.eye(count, dtype=bool)].compressed()
    low, high = np.percentile(apart, [1, 95]) if apart.size else (0.0, 1.0)
    mesh = ax.imshow(
        shown, cmap=SMOOTHNESS, vmin=low, vmax=high, interpolation="nearest" if count < 300 else "antialiased"
    )
    starts = np.flatnonzero(np.diff(sorted_codes, prepend=-1))
    ends = np.append(starts[1:], count)
    for edge in starts[1:]:
        ax.axhline(edge - 0.5, color="white", linewidth=0.6, alpha=0.45)
        ax.axvline(edge - 0.5, color="white", linewidth=0.6, alpha=0.45)
    middles = (starts + ends - 1) / 2
    height = 6.2 * 72 / count  # points per row of the matrix
    places = spread(middles, 11.0 / height, 0, count - 1)
    transform = ax.get_yaxis_transform()
    for middle, place, c in zip(middles, places, sorted_codes[starts], strict=True):
        ax.plot([-0.004, -0.02], [middle, place], transform=transform, color="#aab2bb", linewidth=0.8, clip_on=False)
        ax.text(-0.026, place, class_names[c], transform=transform, ha="right", va="center", fontsize=8, color=INK)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_xlabel(f"{count} recordings in the same order", color=MUTED)
    ax.set_title("Distances between recordings" + (f", {title}" if title else ""))
    slim_colorbar(ax, mesh, "DTW distance", extend="both")
    return figure


def _flat(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(len(array), -1)


def _cut(name: str, most: int = 34) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
