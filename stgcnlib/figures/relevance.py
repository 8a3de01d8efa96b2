"""Which joints, at which times, made a layer support a class: relevance maps on bodies and as heat maps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.figures.matrix import class_matrix, slim_colorbar, without_classes
from stgcnlib.figures.skeleton import bare, draw_skeleton, frame_box, grouped_joints
from stgcnlib.figures.style import LEFT, MUTED, RELEVANCE, WIDTH, head, layer_ticks, new_figure, styled
from stgcnlib.figures.viewpoint import project
from stgcnlib.skeleton import SkeletonLayout

__all__ = [
    "Scale", "check_maps", "class_joint_heatmap", "joint_time_maps", "map_colors", "map_scales", "relevance_by_limb",
    "skeleton_strip",
]  # fmt: skip

Scale = Literal["map", "jointly"] | Mapping[str, float]
"""What full colour means: each map's own largest value, the largest of all maps, or a value per layer."""

_PLACES = {"start": 0.05, "middle": 0.5, "end": 0.95}


@styled
def skeleton_strip(
    sequence: ArrayLike,
    layout: SkeletonLayout,
    maps: Mapping[str, Any],
    *,
    frames: Sequence[str | int] = ("start", "middle", "end"),
    normalize: Scale = "map",
    title: str | None = None,
) -> Figure:
    """The body at a few frames, one row per layer, joints sized and coloured by relevance.

    Args:
        sequence: (T, V, C) or (M, T, V, C). Where maps are of more people, the first of them are drawn, and the figure
            says so.
        maps: layer name -> RelevanceMap.
        frames: "start", "middle", "end" (5%, 50% and 95% of the recording) or frame numbers.
        normalize: what full colour means, see `Scale`; said below the title.

    Raises:
        SequenceError: if a map does not fit the sequence or is of fewer people, or there is none.
    """
    people = np.asarray(sequence, dtype=np.float64)
    people = people[None] if people.ndim == 3 else people
    check_maps(maps, layout, people.shape[1])
    if len(people) > (known := _people_of(maps)):
        raise SequenceError(f"the maps are of {known} people, the sequence is of {len(people)}; give the maps' people")
    chosen = [_frame(f, people.shape[1]) for f in frames]
    bodies = project(people, layout)
    scales, says = map_scales(maps, normalize)
    says += _shown_people(0, len(people), known)
    blocks = 2 if len(maps) > 4 else 1
    rows, columns = math.ceil(len(maps) / blocks), len(chosen)
    width = WIDTH if blocks == 2 else float(np.clip(0.9 + 1.75 * columns, 4.6, WIDTH))
    figure = new_figure(0.75 + 1.5 * rows, width=width, alt=f"Relevance of joints, {title or 'one recording'}.")
    _head(figure, title, says)
    # Between the two blocks lies an empty column.
    ratios = [1.0] * columns if blocks == 1 else [1.0] * columns + [0.28] + [1.0] * columns
    axes = figure.subplots(rows, len(ratios), squeeze=False, width_ratios=ratios)
    for ax in axes.ravel():
        ax.set_axis_off()
    cmap, signed = map_colors(maps.values())
    left, right, bottom, top = frame_box(bodies[:, chosen])
    pad = 0.06 * (top - bottom)
    for k, (name, found) in enumerate(maps.items()):
        block, row = divmod(k, rows)
        for column, t in enumerate(chosen):
            ax = axes[row, block * (columns + 1) + column]
            for body, values in zip(bodies, found.values[: len(bodies)], strict=True):
                _draw_relevance(ax, body[t], values[t] / scales[name], layout, cmap, signed=signed)
            ax.set_xlim(left - pad, right + pad)
            ax.set_ylim(bottom - pad, top + pad)
            bare(ax)
            if row == 0:
                label = f"{frames[column]}, frame {t}" if isinstance(frames[column], str) else f"frame {t}"
                ax.set_title(label, loc="center", fontsize=8.5, fontweight="normal", color=MUTED)
            if column == 0:
                ax.text(-0.02, 0.5, found.title, transform=ax.transAxes, ha="right", va="center", fontweight="bold")
    _bar(figure, list(axes.ravel()), cmap, signed=signed)
    return figure


@styled
def joint_time_maps(
    maps: Mapping[str, Any],
    layout: SkeletonLayout,
    *,
    normalize: Scale = "map",
    person: int = 0,
    title: str | None = None,
) -> Figure:
    """Joints, grouped by body part, against time: one heat map per layer.

    Args:
        maps: layer name -> RelevanceMap.
        normalize: as in `skeleton_strip`.
        person: whose map; of several people, the figure says which.

    Raises:
        SequenceError: if a map does not fit the layout, there is none, or none of that person.
    """
    check_maps(maps, layout, None)
    if not 0 <= person < (known := _people_of(maps)):
        raise SequenceError(f"there is no person {person}; the maps are of {known} people, counted from 0")
    order, groups = grouped_joints(layout)
    scales, says = map_scales(maps, normalize)
    says += _shown_people(person, 1, known)
    columns = 2 if len(maps) > 1 else 1
    rows = math.ceil(len(maps) / columns)
    figure = new_figure(0.9 + 1.35 * rows, alt=f"Relevance by joint and time, {title or 'one recording'}.")
    _head(figure, title, says)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    cmap, signed = map_colors(maps.values())
    # By columns, so that layers are read downwards.
    places = list(axes.T.ravel())
    for ax, (name, found) in zip(places, maps.items(), strict=False):
        values = found.values[person][:, order].T / scales[name]
        ax.imshow(
            values, cmap=cmap, vmin=-1 if signed else 0, vmax=1, aspect="auto", interpolation="nearest",
            extent=(0, values.shape[1], len(order), 0),
        )  # fmt: skip
        for _, start, _ in groups[1:]:
            ax.axhline(start, color="white", linewidth=1.4)
        ax.set_title(found.title, fontsize=9)
        ax.set_yticks([(a + b) / 2 for _, a, b in groups], [n for n, _, _ in groups])
        ax.tick_params(axis="y", length=0)
        ax.spines[:].set_visible(False)
    for ax in places[len(maps) :]:
        ax.set_axis_off()
    for column in axes.T:
        drawn = [ax for ax in column if ax.axison]
        if drawn:
            drawn[-1].set_xlabel("input frame")
            drawn[-1].tick_params(labelbottom=True)
    _bar(figure, list(axes.ravel()), cmap, signed=signed)
    return figure


@styled
def class_joint_heatmap(
    values: ArrayLike, class_names: Sequence[str], layout: SkeletonLayout, *, title: str | None = None
) -> Figure:
    """Class by joint, joints grouped by body part; classes without a recording (NaN) are counted below.

    Args:
        values: (classes, V) mean relevance, such as shares that sum to 1 per class.

    Raises:
        SequenceError: if the shape does not fit.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (len(class_names), len(layout)):
        raise SequenceError(f"values have shape {matrix.shape}; expected ({len(class_names)}, {len(layout)})")
    present = np.flatnonzero(np.isfinite(matrix).any(axis=1))
    names, matrix = [class_names[int(c)] for c in present], matrix[present]
    order, groups = grouped_joints(layout)
    figure = new_figure(2.3 + 0.225 * max(len(matrix), 6), alt="Relevance of each joint for each class.")
    ax = figure.subplots()
    class_matrix(
        ax, matrix[:, order], names, [layout.joints[j] for j in order], cmap=RELEVANCE, vmin=0.0,
        label="share of relevance", square=False,
    )  # fmt: skip
    for name, start, stop in groups:
        ax.annotate(
            name, ((start + stop) / 2, 0), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
            fontsize=8.5, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        if start:
            ax.axvline(start, color="white", linewidth=4)
    if title:
        ax.set_title(title, pad=20)
    without_classes(figure, len(names), len(class_names))
    return figure


@styled
def relevance_by_limb(table: pd.DataFrame, layout: SkeletonLayout | None = None) -> Figure:
    """Share of relevance of each body part against layer; dashed is its share of the joints.

    Args:
        table: columns title, index, limb, share, and even (share of the joints).
        layout: gives `even` where the table has no such column, and the order of body parts.

    Raises:
        SequenceError: if a column is missing.
    """
    if missing := [c for c in ("title", "index", "limb", "share") if c not in table.columns]:
        raise SequenceError(f"the table lacks {', '.join(missing)}")
    limbs = [str(limb) for limb in table["limb"].unique()]
    even = {} if layout is None else {name: len(joints) / len(layout) for name, joints in layout.limbs.items()}
    if "even" in table.columns:
        even |= {str(k): float(v) for k, v in table.groupby("limb")["even"].first().items()}
    layers = table.drop_duplicates("index").sort_values("index")
    figure = new_figure(2.4, alt="Share of relevance of each body part against layer.")
    axes = figure.subplots(1, len(limbs), sharey=True, squeeze=False).ravel()
    for ax, limb in zip(axes, limbs, strict=True):
        rows = table[table["limb"] == limb].sort_values("index")
        if limb in even:
            ax.axhline(even[limb], color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)))
        ax.plot(rows["index"], rows["share"], color=LEFT, marker="o", markersize=3.5)
        ax.set_title(limb)
        layer_ticks(ax, layers["title"].astype(str).tolist(), layers["index"])
        if len(layers) > 6:
            for label in ax.get_xticklabels()[1::2]:
                label.set_visible(False)
        ax.grid(axis="y")
    axes[0].set_ylim(0, max(float(table["share"].max()), *even.values(), 0.05) * 1.12)
    axes[0].yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    axes[0].set_ylabel("share of relevance")
    return figure


def check_maps(maps: Mapping[str, Any], layout: SkeletonLayout, frames: int | None) -> None:
    """Raise a `SequenceError` where there is no map, or one does not fit the layout or the number of frames."""
    if not maps:
        raise SequenceError("there is no relevance map; grad_cam gives one per layer")
    for name, found in maps.items():
        shape = found.values.shape
        if len(shape) != 3 or shape[2] != len(layout) or (frames is not None and shape[1] != frames):
            raise SequenceError(
                f"the map of {name!r} has shape {shape}; expected (people, {frames or 'frames'}, {len(layout)})"
            )


def map_scales(maps: Mapping[str, Any], normalize: Scale) -> tuple[dict[str, float], str]:
    """What full colour means, layer by layer, and the words that say so."""
    largest = {name: float(np.abs(found.values).max()) or 1.0 for name, found in maps.items()}
    if isinstance(normalize, Mapping):
        return {name: float(normalize[name]) for name in maps}, "full colour: the given value of each layer"
    match normalize:
        case "map":
            return largest, "full colour: the largest relevance of each layer's own map"
        case "jointly":
            return dict.fromkeys(largest, max(largest.values())), "full colour: the largest relevance of all layers"
    raise SequenceError(f"normalize={normalize!r} is unknown; give 'map', 'jointly' or a value per layer")


def map_colors(maps: Iterable[Any]) -> tuple[Colormap, bool]:
    """The colour map for these maps, and whether they hold negative relevance."""
    signed = any(float(found.values.min()) < 0 for found in maps)
    return (sns.color_palette("vlag", as_cmap=True) if signed else RELEVANCE), signed


def _draw_relevance(
    ax: Axes, points: NDArray[np.float64], values: NDArray[Any], layout: SkeletonLayout, cmap: Colormap, *, signed: bool
) -> None:
    level = np.clip(values, -1 if signed else 0, 1)
    colors = cmap((level + 1) / 2 if signed else level)
    # Weak joints first, so that strong ones lie on top; a thin rim keeps pale ones visible.
    draw_skeleton(ax, points, layout, colors=["#c3cad1"] * len(points), bone_color="#c3cad1", linewidth=1.4, sizes=3)
    order = [j for j in np.argsort(np.abs(level)) if np.isfinite(points[j]).all()]
    sizes = 6 + 95 * np.abs(level[order])
    ax.scatter(
        points[order, 0], points[order, 1], s=sizes, c=colors[order], edgecolors="#5a4a52", linewidths=0.4, zorder=4,
        clip_on=False,
    )  # fmt: skip


def _people_of(maps: Mapping[str, Any]) -> int:
    return min(len(found.values) for found in maps.values())


def _shown_people(first: int, count: int, known: int) -> str:
    """Which of the people that maps are of are drawn; "" where all are."""
    if count == known:
        return ""
    return f"; person {first + 1} of {known}" if count == 1 else f"; people 1 to {count} of {known}"


def _frame(which: str | int, count: int) -> int:
    if isinstance(which, str):
        if which not in _PLACES:
            raise SequenceError(f"frames: {which!r} is unknown; give 'start', 'middle', 'end' or frame numbers")
        return min(round(_PLACES[which] * (count - 1)), count - 1)
    if not 0 <= which < count:
        raise SequenceError(f"frames: {which} does not exist; the recording has frames 0 to {count - 1}")
    return which


def _head(figure: Figure, title: str | None, says: str) -> None:
    head(figure, f"{title}\n({says})" if title else f"({says})")


def _bar(figure: Figure, axes: list[Axes], cmap: Colormap, *, signed: bool) -> None:
    norm = Normalize(-1 if signed else 0, 1)
    slim_colorbar(axes, ScalarMappable(norm, cmap), "relevance", shrink=0.5, aspect=32)
