"""Graphs that are not bodies: the positions of their nodes, and the colour scale of their signals.

`skeleton` draws them as it draws bodies, with positions and scale from this module.
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from stgcnlib.figures.embedding import embed
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["node_positions", "signal_scale"]


def node_positions(layout: SkeletonLayout) -> NDArray[np.float64]:
    """(V, 2) places of a graph's nodes: as the layout gives them (three coordinates are seen from above), else laid
    out so that distances in the plane follow the number of edges between nodes (Kamada and Kawai 1989)."""
    from stgcnlib.networks.graph import hop_distance  # its package imports torch, which takes seconds

    if layout.positions is not None:
        return np.array(layout.positions, dtype=np.float64)[:, :2]
    return embed(hop_distance(layout))


def signal_scale(data: SequenceSet) -> Normalize:
    """One colour scale for the first channel of all recordings, from its 1st to its 99th percentile."""
    values = np.concatenate([c[..., 0].ravel() for c in data.coords])
    low, high = np.percentile(values, [1, 99])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return Normalize(low, high if high > low else low + 1.0)
