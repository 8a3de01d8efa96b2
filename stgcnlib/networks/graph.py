"""Graphs of a skeleton: which joints a spatial convolution mixes, and with what weight.

Only adjacency matrices are made here; networks decide what to do with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from stgcnlib.errors import LayoutError, suggest
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = [
    "STRATEGIES",
    "Strategy",
    "adjacency",
    "directed_adjacency",
    "disentangled_adjacency",
    "hands_apart",
    "hierarchical_adjacency",
    "hierarchy",
    "hop_distance",
    "hop_index",
    "parents",
    "trunk_joint",
]

Strategy = Literal["spatial", "distance", "uniform"]
STRATEGIES: tuple[Strategy, ...] = ("spatial", "distance", "uniform")


def hop_distance(skeleton: SkeletonLayout | str) -> NDArray[np.float64]:
    """(V, V) number of bones on the shortest way between two joints; infinite where there is none."""
    skeleton = layout(skeleton)
    child, parent = np.array(skeleton.bones, dtype=np.int64).reshape(-1, 2).T
    bones = coo_array((np.ones(len(child)), (child, parent)), shape=(len(skeleton), len(skeleton)))
    hops: NDArray[np.float64] = shortest_path(bones.tocsr(), directed=False, unweighted=True)
    return hops


def adjacency(
    skeleton: SkeletonLayout | str, *, strategy: Strategy = "spatial", max_hop: int = 1
) -> NDArray[np.float32]:
    """Partitioned adjacency of a skeleton (Yan, Xiong, Lin, AAAI 2018, section 3.3).

    Entry ``[k, v, w]`` weighs joint v in the sum for joint w under partition k. Joints within `max_hop` bones
    (and w itself) are neighbours. Over all partitions together, each column sums to 1 over its neighbours.

    Args:
        skeleton: the layout, or its name.
        strategy: "uniform", one partition; "distance", one per number of hops; "spatial", root (same distance to
            the centre joint), centripetal (nearer to it) and centrifugal (farther), further split by hops beyond 1.
            As in the authors' code, and unlike the paper's text, joints more than `max_hop` bones from the centre
            count as equally far from it.
        max_hop: how many bones away a neighbour may be.

    Returns:
        (K, V, V) float32.

    Raises:
        LayoutError: if the strategy is unknown, `max_hop` is below 1, or "spatial" has no centre to start from.
    """
    skeleton = layout(skeleton)
    if max_hop < 1:
        raise LayoutError(f"max_hop is {max_hop}; a graph convolution needs neighbours at least 1 bone away")
    hops = hop_distance(skeleton)
    near = hops <= max_hop
    weights = near / near.sum(axis=0, keepdims=True)
    match strategy:
        case "uniform":
            parts = [weights]
        case "distance":
            parts = [np.where(hops == hop, weights, 0) for hop in range(max_hop + 1)]
        case "spatial":
            if skeleton.centre is None:
                raise LayoutError(
                    f"layout {skeleton.name!r} has no centre to part neighbours by; choose strategy 'distance' or "
                    "'uniform', or give the layout a centre"
                )
            parts = _spatial(weights, hops, skeleton.centre, max_hop)
        case _:
            raise LayoutError(f"no partition strategy is named {strategy!r}; {suggest(str(strategy), STRATEGIES)}")
    return np.stack(parts).astype(np.float32)


def _spatial(
    weights: NDArray[np.float64], hops: NDArray[np.float64], centre: int, max_hop: int
) -> list[NDArray[np.float64]]:
    # The authors' code knows distances up to `max_hop` only and treats all joints beyond as equally far, so edges
    # among them fall into the root partition. Published weights were trained that way.
    radius = np.where(hops[:, centre] <= max_hop, hops[:, centre], np.inf)
    source, target = radius[:, None], radius[None, :]
    parts = []
    for hop in range(max_hop + 1):
        here = np.where(hops == hop, weights, 0)
        same, farther, nearer = (
            np.where(mask, here, 0) for mask in (source == target, source > target, source < target)
        )
        if hop == 0:
            parts.append(same)
        else:
            parts += [same + farther, nearer]
    return parts


def directed_adjacency(skeleton: SkeletonLayout | str) -> NDArray[np.float32]:
    """Joint itself, bones towards the parent, bones towards the children (Shi, Zhang, Cheng, Lu, CVPR 2019).

    The labelling of 2s-AGCN and of the networks after it; MMAction2's and PYSKL's mode "spatial". Unlike
    `adjacency` with strategy "spatial", every part is normalised by itself and follows the bones as directed.

    Returns:
        (3, V, V) float32; entry ``[k, v, w]`` weighs joint v in the sum for joint w, and a column with any entry
        sums to 1.
    """
    skeleton = layout(skeleton)
    V = len(skeleton)
    inward = np.zeros((V, V))
    for child, parent in skeleton.bones:
        inward[parent, child] = 1
    parts = np.stack([np.eye(V), inward, inward.T])
    return np.asarray(parts / np.maximum(parts.sum(axis=1, keepdims=True), 1), dtype=np.float32)


def disentangled_adjacency(skeleton: SkeletonLayout | str, *, scales: int, window: int = 1) -> NDArray[np.float32]:
    """One graph per distance, over a window of frames (Liu et al., MS-G3D, CVPR 2020, equations 4 and 6).

    Graph k joins joints that are exactly k bones apart, and each to itself. Over several frames all frames are
    joined as if they were one, and a joint is one step from itself in another frame. Each graph is normalised
    symmetrically by its degrees.

    Args:
        skeleton: the layout, or its name.
        scales: number of graphs K, for 0 to K - 1 bones.
        window: frames W.

    Returns:
        (K, W*V, W*V) float32, symmetric; frames outermost.
    """
    hops = np.tile(hop_distance(skeleton), (window, window))
    hops[hops == 0] = 1
    np.fill_diagonal(hops, 0)
    own = np.eye(len(hops), dtype=bool)
    graphs = np.stack([(hops == k) | own for k in range(scales)]).astype(np.float64)
    scale = graphs.sum(axis=2) ** -0.5
    return np.asarray(scale[:, :, None] * graphs * scale[:, None, :], dtype=np.float32)


def hands_apart(skeleton: SkeletonLayout | str) -> SkeletonLayout:
    """The layout with each hand tip joined to the hand where it is joined to the thumb.

    2s-AGCN, CTR-GCN and MS-G3D join the tips of Kinect v2 to the thumbs; HD-GCN, BlockGCN, Hyperformer and MMAction2
    join them to the hands.
    """
    skeleton = layout(skeleton)
    above = dict(skeleton.bones)
    bones = tuple(
        (child, above[parent])
        if skeleton.joints[child].endswith("hand tip") and skeleton.joints[parent].endswith("thumb")
        else (child, parent)
        for child, parent in skeleton.bones
    )
    return replace(skeleton, bones=bones)


def hop_index(skeleton: SkeletonLayout | str) -> NDArray[np.int64]:
    """(V, V) number of bones between two joints, with `hands_apart`; without a path, one more than the most."""
    hops = hop_distance(hands_apart(skeleton))
    known = np.isfinite(hops)
    return np.where(known, hops, hops[known].max() + 1).astype(np.int64)


def hierarchy(skeleton: SkeletonLayout | str, centre: int, levels: int) -> tuple[tuple[int, ...], ...]:
    """Joints by their distance from a centre of mass (Lee et al., HD-GCN, ICCV 2023, section 3.2).

    Returns:
        Groups from the centre outwards, at most ``levels + 1``: joints further away, and those without a path to the
        centre, are in the last one.

    Raises:
        LayoutError: if there is no second group.
    """
    skeleton = layout(skeleton)
    hops = hop_distance(hands_apart(skeleton))[centre]
    reached = int(hops[np.isfinite(hops)].max())
    last = min(levels, reached if np.isfinite(hops).all() else reached + 1)
    if last < 1:
        raise LayoutError(f"layout {skeleton.name!r} has 1 joint; a hierarchy needs at least 2")
    level = np.minimum(hops, last).astype(np.int64)
    return tuple(tuple(np.flatnonzero(level == k).tolist()) for k in range(last + 1))


def hierarchical_adjacency(groups: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Every joint of a group joined to every joint of the next (HD-GCN, section 3.2).

    Returns:
        (L, 3, V, V) float32 for L + 1 groups, per pair of neighbours: each joint itself, edges outwards, inwards. Entry
        ``[l, k, v, u]`` weighs joint u in the sum for joint v; a column with any entry sums to 1.
    """
    V = sum(map(len, groups))
    graphs = np.zeros((len(groups) - 1, 3, V, V), dtype=np.float32)
    for (own, outwards, inwards), (near, far) in zip(graphs, itertools.pairwise(groups), strict=True):
        both = [*near, *far]
        own[both, both] = 1
        outwards[np.ix_(far, near)] = 1 / len(far)
        inwards[np.ix_(near, far)] = 1 / len(near)
    return graphs


def trunk_joint(skeleton: SkeletonLayout | str) -> int:
    """The joint in the middle of the trunk: halfway along the spine, or the centre where no spine is known.

    In a graph that is no body, it is the joint whose distance to the furthest other joint is smallest.
    """
    skeleton = layout(skeleton)
    hops = hop_distance(skeleton)
    centre = int(hops.max(axis=1).argmin()) if skeleton.centre is None else skeleton.centre
    if skeleton.spine is None:
        return centre
    lower, upper = skeleton.spine
    length = hops[lower, upper]
    if not np.isfinite(length):
        return centre
    between = (hops[lower] + hops[upper] == length) & (hops[lower] == length // 2)
    return int(np.flatnonzero(between)[0])


def parents(skeleton: SkeletonLayout | str, root: int) -> NDArray[np.int64]:
    """(V,) the next joint on the path to `root`; the root, and joints without a path to it, are their own."""
    skeleton = layout(skeleton)
    hops = hop_distance(skeleton)
    result = np.arange(len(skeleton))
    for joint in result:
        if joint != root and np.isfinite(hops[joint, root]):
            result[joint] = np.flatnonzero((hops[joint] == 1) & (hops[root] == hops[root, joint] - 1))[0]
    return result
