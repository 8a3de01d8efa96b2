"""Which neighbours a recording keeps, loses and gains between two DS-Graphs, such as those of two layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError

__all__ = ["Flips", "flip_groups", "neighbor_flips"]

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Flips:
    """What `neighbor_flips` found.

    Attributes:
        kept, lost, gained: (N,) int64, how many of a node's own neighbours (weights above 0) are in both graphs, in
            the first alone, and in the second alone.
    """

    kept: Counts
    lost: Counts
    gained: Counts

    @property
    def changed(self) -> NDArray[np.float64]:
        """(N,) share of the neighbours in either graph that are in only one of them; 0 for a node without any."""
        either = self.kept + self.lost + self.gained
        share: NDArray[np.float64] = (self.lost + self.gained) / np.maximum(either, 1)
        return share


def neighbor_flips(first: DSGraph, second: DSGraph) -> Flips:
    """How the neighbours of each node differ between two graphs of the same nodes.

    Source: our choice.

    Raises:
        GraphError: the graphs have different numbers of nodes.
    """
    if len(first) != len(second):
        raise GraphError(f"the graphs have {len(first)} and {len(second)} nodes; give two of the same recordings")
    a, b = (graph.directed().astype(bool).astype(np.int64) for graph in (first, second))
    kept, before, after = (np.asarray(m.sum(axis=1), dtype=np.int64).ravel() for m in (a.multiply(b), a, b))
    return Flips(kept, before - kept, after - kept)


def flip_groups(graphs: Mapping[str, DSGraph], labels: ArrayLike) -> pd.DataFrame:
    """How much the neighbourhoods of each class change from each layer to the next.

    Source: our choice.

    Args:
        graphs: layer -> graph of the same N nodes, in order of depth.
        labels: (N,) class indices.

    Returns:
        One row per (class, pair of successive layers), the greatest change first, ties in the order of layers and
        classes: class_index, index (of the second layer), layer, before (the first layer), changed (mean over
        the class of `Flips.changed`), n.

    Raises:
        GraphError: labels or graphs do not fit each other.
    """
    codes, names = np.asarray(labels, dtype=np.int64), list(graphs)
    if any(len(graph) != len(codes) for graph in graphs.values()):
        raise GraphError(f"{len(codes)} labels were given for graphs of {[len(g) for g in graphs.values()]} nodes")
    rows = []
    for index, (before, layer) in enumerate(pairwise(names), start=1):
        changed = neighbor_flips(graphs[before], graphs[layer]).changed
        for c in np.unique(codes):
            mine = codes == c
            rows.append((int(c), index, layer, before, float(changed[mine].mean()), int(mine.sum())))
    table = pd.DataFrame(rows, columns=["class_index", "index", "layer", "before", "changed", "n"])
    return table.sort_values("changed", ascending=False, kind="stable", ignore_index=True)
