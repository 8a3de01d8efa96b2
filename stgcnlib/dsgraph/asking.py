"""Which distances graphs read: those among the candidates of each node, asked for together.

The problem of a node is defined on the whole block of its candidates, which may have to be projected onto the PSD cone;
so the whole block is computed. On UTD-MHAD (430 recordings, K = 12) no block of 110 graphs had to be projected, but a
part of the block seldom proves this. An unknown similarity lies between 0 and the similarity at the last distance of a
neighbour table. With K = 50 these limits certify at most 40% of the blocks (28 to 94% with tables of 75 neighbours). If
they certified all blocks, 1 to 39% of these distances would be saved where groups are left out, and 17 to 50%
elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import LayerDistances
from stgcnlib.groups import fewest_candidates, group_codes, of_nodes

__all__ = ["ask_among", "ask_for_graphs"]

_BLOCK = 2**22  # distances among candidates that are looked up at once


def ask_among(distances: LayerDistances, candidates: NDArray[np.int64]) -> None:
    """Compute the unknown distances among each row of candidates (n, K), all at once.

    Raises:
        GraphError: some are unknown, and nothing computes them.
    """
    if not distances.complete:
        distances.ask(*_unknown(distances, candidates))


def ask_for_graphs(
    distances: LayerDistances, k: int, *, exclude: ArrayLike | None = None, parts: ArrayLike | None = None
) -> None:
    """Compute all distances that NNK graphs of `k` candidates, their jackknife and the mean distance read.

    Afterwards `nnk_graph` finds what it needs for this graph and for the graph without any one part, for every
    kernel width and also for fewer candidates; `LayerDistances.mean` finds its pairs.

    Args:
        distances: with a `fill`, and tables that reach far enough (`needed_reach`).
        k: candidates per node; lowered where a node has fewer left without a part.
        exclude: (N,) groups whose members are no neighbours of each other, or None.
        parts: (N,) parts of the recordings that are left out one by one, or None.

    Raises:
        GraphError: the nearest are not known, or nothing computes what is unknown.
    """
    if distances.complete:
        return
    count, keys = distances.count, np.zeros(0, dtype=np.int64)
    for nodes in _kept(distances.count, parts):
        groups = of_nodes(exclude, nodes)
        fewest = fewest_candidates(groups, len(nodes)).candidates if len(nodes) else 0
        if fewest:
            chosen = distances.select(nodes)
            i, j = nodes[_unknown(chosen, chosen.nearest(min(k, fewest), exclude=groups)[0])]
            keys = np.union1d(keys, np.minimum(i, j) * count + np.maximum(i, j))  # most are those of the graph before
    distances.ask(keys // count, keys % count)
    distances.mean()


def _kept(count: int, parts: ArrayLike | None) -> list[NDArray[np.int64]]:
    """All nodes, and those that are left without each part."""
    every = [np.arange(count)]
    if parts is None:
        return every
    part = group_codes(parts, count)
    return [*every, *(np.flatnonzero(part != p) for p in range(int(part.max()) + 1))]


def _unknown(distances: LayerDistances, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, P) ends of the unknown pairs among rows of candidates, each once."""
    keys = [np.zeros(0, dtype=np.int64)]
    step = max(1, _BLOCK // candidates.shape[1] ** 2)
    for start in range(0, len(candidates), step):
        chosen = candidates[start : start + step]
        node, i, j = np.nonzero(np.triu(np.isnan(distances.among(chosen))))
        a, b = chosen[node, i], chosen[node, j]
        keys.append(np.unique(np.minimum(a, b) * distances.count + np.maximum(a, b)))
    found = np.unique(np.concatenate(keys))
    return np.stack([found // distances.count, found % distances.count])
