"""What the recordings are: a pose of each class, how long they are, and who performed what."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stgcnlib.errors import SequenceError, suggest
from stgcnlib.figures.graph import signal_scale
from stgcnlib.figures.matrix import class_matrix, slim_colorbar, without_classes
from stgcnlib.figures.skeleton import chronophoto
from stgcnlib.figures.style import COUNTS, INK, LEFT, MUTED, RIGHT, SIGNAL, WIDTH, layer_colors, new_figure, styled
from stgcnlib.sequences import SequenceSet

__all__ = ["class_counts", "lengths", "middle_recording", "poses"]


@styled
def poses(data: SequenceSet, *, frames: int = 3) -> Figure:
    """One recording of each class, as a few frames side by side.

    It is the class's recording of median length; frames are evenly spaced along the joints' path. On a graph that
    is not a body, frames are evenly spaced in time and nodes are coloured by the first channel, on one scale.

    Args:
        frames: how many frames of each recording are drawn.
    """
    present = np.unique(data.labels)
    body = data.layout.dimensions > 0
    columns = min(len(present), 2 if not body else 5 if len(present) > 8 else 4)
    rows = math.ceil(len(present) / columns)
    width = WIDTH if columns > 2 or not body else WIDTH * columns / 3
    names = ", ".join(data.class_names[c] for c in present)
    figure = new_figure(0.35 + 1.26 * rows * (5 / max(columns, 4)), width=width, alt=f"Example poses of {names}.")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(present) :]:
        ax.set_axis_off()
    scale = None if body else signal_scale(data)
    for ax, c in zip(axes, present, strict=False):
        chronophoto(ax, data.people(middle_recording(data, int(c))), data.layout, count=frames, scale=scale)
        ax.set_title(textwrap.fill(data.class_names[c], 30), fontsize=8.5, fontweight="normal", loc="center", pad=4)
    if scale is not None:
        slim_colorbar(list(axes), ScalarMappable(scale, SIGNAL), "channel 0", shrink=0.8)
    if data.layout.mirror:
        handles = [Line2D([], [], color=LEFT, label="left side"), Line2D([], [], color=RIGHT, label="right side")]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, handlelength=1.2)
    return figure


def middle_recording(data: SequenceSet, c: int) -> int:
    """Index of class c's recording of median length."""
    members = np.flatnonzero(data.labels == c)
    return int(members[np.argsort(data.lengths[members], kind="stable")[len(members) // 2]])


@styled
def lengths(
    data: SequenceSet, *, split: Sequence[SequenceSet | None] | Mapping[str, SequenceSet] | None = None
) -> Figure:
    """Histogram of frames per recording, one row per part.

    Args:
        split: parts by name, or (train, test), of which one may be `None`; `None` shows all recordings as one part.
    """
    parts: dict[str, SequenceSet]
    if split is None:
        parts = {"all": data}
    elif isinstance(split, Mapping):
        parts = dict(split)
    else:
        names = ["train", "test", *(f"part {i}" for i in range(3, len(split) + 1))]
        parts = {name: part for name, part in zip(names, split, strict=False) if part is not None}
    figure = new_figure(0.6 + 1.25 * len(parts), alt=f"Histogram of recording lengths of {', '.join(parts)}.")
    axes = figure.subplots(len(parts), 1, sharex=True, sharey=True, squeeze=False).ravel()
    longest, shortest = int(data.lengths.max()), int(data.lengths.min())
    size = max(1, math.ceil((longest - shortest + 1) / 45))
    edges = np.arange(shortest, longest + size + 1, size) - 0.5
    color = layer_colors(3)[1]
    for ax, (name, part) in zip(axes, parts.items(), strict=True):
        ax.hist(part.lengths, bins=edges, color=color, alpha=0.85, rwidth=0.92)
        middle = float(np.median(part.lengths))
        ax.axvline(middle, color=INK, linewidth=1.2)
        ax.set_title(f"{name}: {len(part)} recordings of {part.lengths.min()} to {part.lengths.max()} frames")
        ax.annotate(
            f"median {middle:g}", (middle, 0.97), xycoords=("data", "axes fraction"), xytext=(5, 0),
            textcoords="offset points", va="top", fontsize=8.5, path_effects=[],
        )  # fmt: skip
        ax.set_ylabel("recordings")
        ax.yaxis.get_major_locator().set_params(integer=True)
    axes[-1].set_xlabel("length (frames)" if size == 1 else f"length (frames, {size} per bar)")
    return figure


@styled
def class_counts(data: SequenceSet, *, by: str | None = None) -> Figure:
    """Recordings per class and per value of a group; classes without a recording are counted below the picture.

    Args:
        by: group name; `None` takes "subject", else the first group, else counts classes only.

    Raises:
        SequenceError: if there is no such group.
    """
    if by is None:
        by = "subject" if "subject" in data.groups else next(iter(data.groups), None)
    elif by not in data.groups:
        raise SequenceError(f"class_counts: there is no group {by!r}; {suggest(by, data.groups)}")
    values = np.zeros(len(data)) if by is None else data.groups[by]
    known, codes = np.unique(values, return_inverse=True)
    present, classes = np.unique(data.labels, return_inverse=True)
    counts = np.zeros((len(present), len(known)))
    np.add.at(counts, (classes, codes), 1)
    rows = [f"{data.class_names[c]}  ({int(n)})" for c, n in zip(present, counts.sum(axis=1), strict=True)]
    figure = new_figure(
        0.9 + 0.24 * max(len(rows), 3),
        width=float(np.clip(2.9 + 0.55 * len(known), 5.2, WIDTH)),
        alt=f"Recordings per class and {by or 'in all'}.",
    )
    ax = figure.subplots()
    columns = ["all"] if by is None else [str(k) for k in known]
    class_matrix(
        ax, counts, rows, columns, cmap=COUNTS, vmin=0.0, vmax=max(counts.max() * 2.2, 1), label="recordings",
        texts=[[f"{int(v)}" if v else "" for v in row] for row in counts], colorbar=False, square=False, text_size=8.5,
    )  # fmt: skip
    ax.set_xlabel("" if by is None else by)
    ax.set_title("Recordings per class" + ("" if by is None else f" and {by}"))
    ax.tick_params(axis="y", labelcolor=INK)
    ax.xaxis.label.set_color(MUTED if by is None else INK)
    without_classes(figure, len(present), len(data.class_names))
    return figure
