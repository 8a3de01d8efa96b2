"""The distances of one layer that graphs of its recordings need: of all pairs, or of a large set the nearest.

Graphs of N recordings read the nearest of each, and distances among those. What is found here reaches far enough that
they can be made anew without any one part of the recordings, as intervals do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.frames import frame_table
from stgcnlib.dtw.known import LayerDistances
from stgcnlib.dtw.neighbors import NeighborTable, search
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.reach import needed_reach
from stgcnlib.dtw.refine import PairCache
from stgcnlib.groups import fewest_candidates

__all__ = ["MOST_ALL_PAIRS", "HowMany", "all_or_nearest", "computing", "nearest_distances", "takes_all_pairs"]

HowMany = Literal["auto", "all", "neighbours"]

MOST_ALL_PAIRS = 2000
"""Of up to so many recordings the distances of all pairs are taken, unless the nearest are asked for."""
_REACH = 1.5  # neighbours searched at first, in multiples of K: a second search costs as much as the first


def takes_all_pairs(how_many: HowMany, count: int) -> bool:
    """Whether the distances of all pairs of `count` recordings are taken."""
    return how_many == "all" or (how_many == "auto" and count <= MOST_ALL_PAIRS)


def all_or_nearest(
    activations: Any, options: DTWOptions, *, how_many: HowMany = "auto", device: str = "cpu", **asked: Any
) -> LayerDistances:
    """Distances of all pairs, or of the nearest (`nearest_distances`, with what is `asked` there), by their number."""
    if takes_all_pairs(how_many, len(activations)):
        return LayerDistances.all_pairs(dtw_distances(activations, dtw=options, device=device, progress=False))
    return nearest_distances(activations, options, device=device, **asked)


def nearest_distances(
    activations: Any,
    options: DTWOptions,
    *,
    k: int,
    exclude: ArrayLike | None = None,
    parts: ArrayLike | None = None,
    everyone: bool = False,
    device: str = "cpu",
) -> LayerDistances:
    """The nearest of each recording by windowed DTW, as far as graphs of `k` candidates read them.

    Args:
        activations: N sequences, as of `stgcnlib.dtw.dtw_neighbors`.
        options: of DTW, in input frames.
        k: most candidates of a graph, K.
        exclude: (N,) groups whose members are no neighbours of each other; None: everyone else may be one.
        parts: (N,) parts of the recordings, from 0: K neighbours are known without any one of them too. None: no graph
            is made without a part.
        everyone: a second table is made, in which everyone else may be a neighbour.
        device: where distances are computed, as of `stgcnlib.dtw.dtw_distances`; what is asked for later is computed on
            the processor.

    Returns:
        What is known, and computes more of it from the activations when it is asked for. All pairs where the nearest
        would not do, as in a set so small that some recording has no K neighbours without a part.

    Raises:
        GraphError: a recording has fewer than k candidates. SequenceError: as `dtw_neighbors`.
    """
    tables: list[NeighborTable] = []
    pairs = KnownPairs(len(activations))
    for barred in [exclude, None] if everyone and exclude is not None else [exclude]:
        found = _searched(activations, options, k, barred, parts)
        if found is None:
            return LayerDistances.all_pairs(dtw_distances(activations, dtw=options, device=device, progress=False))
        table, known = found
        pairs.add(known.pairs[:, 0], known.pairs[:, 1], known.values)
        tables.append(table)
    made = LayerDistances.of_table(
        tables[0], pairs, exclude=exclude, everyone=tables[1] if len(tables) > 1 else None, fill=None
    )
    return computing(made, activations, options)


def computing(distances: LayerDistances, activations: Any, options: DTWOptions) -> LayerDistances:
    """The same distances, which compute what they lack, when it is asked for, from the features of the layer."""
    if distances.complete:
        return distances
    fill: Callable[[NDArray[np.int64]], object] | None = None

    def first(pairs: NDArray[np.int64]) -> None:
        nonlocal fill
        if fill is None:  # features are read only if something is missing
            fill = _filling(distances, activations, options)
        fill(pairs)

    distances.fill = first
    return distances


def _searched(
    activations: Any, options: DTWOptions, k: int, exclude: ArrayLike | None, parts: ArrayLike | None
) -> tuple[NeighborTable, KnownPairs] | None:
    """A table that reaches far enough, and the pairs that its search computed; None where none could."""
    most = fewest_candidates(exclude, len(activations)).candidates
    reach = min(max(k, 1 if most < k else min(most, int(np.ceil(_REACH * k)))), max(most, k))
    while True:
        table, cache = search(activations, reach, options, exclude=exclude, progress=False)
        needed = k if parts is None else int(needed_reach(table.indices, parts, k).max())
        if needed <= reach:
            return table, _known(cache)
        if reach >= most:
            return None
        reach = min(most, needed)


def _known(cache: PairCache) -> KnownPairs:
    pairs = KnownPairs(len(cache.known))
    i, j = np.nonzero(np.triu(~np.isnan(cache.known), 1))
    pairs.add(i, j, cache.known[i, j])
    return pairs


def _filling(distances: LayerDistances, activations: Any, options: DTWOptions) -> Callable[[NDArray[np.int64]], object]:
    table = frame_table(activations, "activations")
    cache = PairCache(options.at_temporal_stride(table.temporal_stride), table)

    def fill(pairs: NDArray[np.int64]) -> None:
        i, j = pairs[:, 0], pairs[:, 1]
        wanted = np.zeros(cache.known.shape, dtype=np.bool_)
        wanted[i, j] = True
        cache.fill(wanted)
        distances.pairs.add(i, j, cache.known[i, j])

    return fill
