"""From which joints a layer computes each joint, and its receptive field in frames and bones."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stgcnlib.figures.graph import node_positions
from stgcnlib.figures.matrix import class_matrix
from stgcnlib.figures.skeleton import bare, draw_skeleton, frame_box, grouped_joints
from stgcnlib.figures.space import drawable
from stgcnlib.figures.style import INK, LEFT, MUTED, RELEVANCE, RIGHT, new_figure, styled
from stgcnlib.figures.viewpoint import project
from stgcnlib.networks.graph import hop_distance
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["learned_topology", "receptive_field"]

LINKS = 12
"""Largest number of links in a picture that are not bones."""


@styled
def learned_topology(topology: Any, nodes: SequenceSet) -> Figure:
    """From which joints a layer computes each joint: all shares as a matrix with bones framed, the largest on the body.

    Args:
        topology: of `stgcnlib.explain.learned_topologies`, one layer's.
        nodes: recordings of the same layout; the first gives the pose.
    """
    layout = nodes.layout
    order, groups = grouped_joints(layout)
    shares = topology.used[np.ix_(order, order)].T
    names = [layout.joints[j] for j in order]
    figure = new_figure(
        max(4.2, 1.6 + 0.135 * len(order)), alt=f"Shares of joints in each other at {topology.title}, and the bones."
    )
    matrix, body = figure.subplots(1, 2, width_ratios=[1.5, 1])
    class_matrix(
        matrix, shares, names, names, cmap=RELEVANCE, vmin=0.0, vmax=float(np.quantile(shares, 0.99)) or 1.0,
        label="share of weight",
    )  # fmt: skip
    matrix.tick_params(labelsize=7 if len(order) <= 30 else 4)
    matrix.set_xticks(matrix.get_xticks(), matrix.get_xticklabels(), rotation=90)
    matrix.set_xlabel("takes from")
    matrix.set_ylabel("joint")
    place = {joint: position for position, joint in enumerate(order)}
    for child, parent in layout.bones:
        for row, column in ((place[child], place[parent]), (place[parent], place[child])):
            matrix.plot(
                np.array([0, 1, 1, 0, 0]) + column, np.array([0, 0, 1, 1, 0]) + row, color=LEFT, linewidth=0.9, zorder=3
            )
    for _, start, _ in groups[1:]:
        matrix.axhline(start, color="white", linewidth=1.6)
        matrix.axvline(start, color="white", linewidth=1.6)
    matrix.set_title("Shares; bones are framed", fontweight="normal")
    _draw_links(body, topology.used, layout, _pose(nodes))
    return figure


@styled
def receptive_field(field: Any, layout: SkeletonLayout) -> Figure:
    """What a layer's features depend on: influence of input frames before and after, and of joints by number of bones.

    Args:
        field: of `stgcnlib.explain.receptive_fields`, one layer's.
        layout: of the input.
    """
    figure = new_figure(2.3, alt=f"Influence of input frames and joints on {field.title}.")
    frames, joints = figure.subplots(1, 2, width_ratios=[1.6, 1])
    offsets = field.first + np.arange(len(field.profile))
    frames.fill_between(offsets, field.profile, color=LEFT, alpha=0.25, linewidth=0, step="mid")
    frames.step(offsets, field.profile, where="mid", color=LEFT, linewidth=1.2)
    frames.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    held = f"{field.share:.0%} of it in {field.effective_frames}"
    reaches = f"{field.frames} frames" if field.frames else "all frames"
    frames.set_title(f"Influence of {reaches}, {held}", fontweight="normal")
    frames.set_xlabel("input frame, from the feature's own")
    frames.set_ylabel("share of influence")
    frames.set_ylim(bottom=0)
    frames.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.3g}%")
    if len(field.joints) == len(layout):
        away, shares = _by_distance(field.joints, layout)
        joints.bar(away, shares, color=RIGHT, alpha=0.8, width=0.8)
        joints.set_xlabel("bones away")
        joints.set_title("Influence of joints", fontweight="normal")
        joints.xaxis.get_major_locator().set_params(integer=True)
        joints.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    else:
        joints.set_axis_off()
        joints.text(0.5, 0.5, "joints are not told apart", ha="center", va="center", color=MUTED)
    return figure


def _by_distance(shares: NDArray[np.float64], layout: SkeletonLayout) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Distances in bones, and the share of influence from each distance, averaged over joints."""
    hops = hop_distance(layout)
    away = np.unique(hops[np.isfinite(hops)])
    return away, np.array([shares[hops == distance].sum() for distance in away]) / max(len(shares), 1)


def _pose(nodes: SequenceSet) -> NDArray[np.float64]:
    """(V, 2) places of joints: the frame of the first recording in which most are found, or the graph's places."""
    if nodes.layout.dimensions == 0 or not drawable(nodes):
        return node_positions(nodes.layout)
    people = project(nodes.people(0), nodes.layout)
    poses = people.reshape(-1, *people.shape[2:])
    best: NDArray[np.float64] = poses[int(np.isfinite(poses).all(axis=2).sum(axis=1).argmax())]
    return best


def _draw_links(ax: Axes, used: NDArray[np.float64], layout: SkeletonLayout, pose: NDArray[np.float64]) -> None:
    """The body, with the strongest links between joints that no bone joins."""
    count = len(layout)
    strength = np.triu(np.maximum(used, used.T), 1)
    for child, parent in layout.bones:
        strength[child, parent] = strength[parent, child] = 0
    strength[~np.isfinite(pose).all(axis=1)] = 0
    strength[:, ~np.isfinite(pose).all(axis=1)] = 0
    order = [int(k) for k in np.argsort(-strength, axis=None)[:LINKS] if strength.flat[k] > 0]
    draw_skeleton(ax, pose, layout, colors=[INK] * count, bone_color="#c3cad1", linewidth=3.2, sizes=9)
    largest = max((float(strength.flat[k]) for k in order), default=1.0)
    levels = [float(strength.flat[k]) / largest for k in order]
    lines = [pose[list(divmod(k, count))] for k in order]
    colors = [(*RELEVANCE(0.25 + 0.6 * level)[:3], 0.35 + 0.6 * level) for level in levels]
    ax.add_collection(LineCollection(lines, colors=colors, linewidths=[0.6 + 2 * level for level in levels], zorder=3))
    left, right, bottom, top = frame_box(pose)
    pad = 0.08 * max(top - bottom, right - left, 1e-9)
    ax.set_xlim(left - pad, right + pad)
    ax.set_ylim(bottom - pad, top + pad)
    bare(ax)
    says = "Strongest links that are no bones" if order else "No links but bones"
    ax.set_title(says, fontweight="normal", loc="center")
