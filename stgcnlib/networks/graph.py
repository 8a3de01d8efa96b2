"""Graphs of a skeleton: which joints a spatial convolution mixes, and with what weight.

Only adjacency matrices are made here; networks decide what to do with them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from stgcnlib.errors import LayoutError, suggest
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = ["STRATEGIES", "Strategy", "adjacency", "hop_distance"]

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
    (and w itself) are neighbours; each column of the whole sums to 1 over its neighbours before it is parted.

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
    # The authors' code knows distances up to `max_hop` only and takes all joints beyond for equally far, so edges
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
