"""The distances of one layer that graphs of its recordings need: all pairs, or in a large set the nearest.

Graphs of N recordings read the nearest of each, and distances among those. Enough neighbours are found here to make the
graphs again without any one part of the recordings, as confidence intervals need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph.asking import ask_for_graphs
from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.executor import Executor
from stgcnlib.dtw.known import LayerDistances
from stgcnlib.dtw.neighbors import search
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.reach import ReachTable, needed_reach
from stgcnlib.dtw.refine import PairCache
from stgcnlib.dtw.set_costs import SetCosts
from stgcnlib.dtw.source import frame_source
from stgcnlib.groups import check_candidates, fewest_candidates, group_codes
from stgcnlib.sequences import SequenceSet

__all__ = ["MOST_ALL_PAIRS", "HowMany", "all_or_nearest", "computing", "nearest_distances", "takes_all_pairs"]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Fill = Callable[[Codes], object]
HowMany = Literal["auto", "all", "neighbours"]

MOST_ALL_PAIRS = 2000
"""Of up to so many recordings the distances of all pairs are taken, unless the nearest are asked for."""
_REACH = 1.2  # of a second search, in multiples of what most rows need at least
_FEW = 0.01  # share of rows: if more are too short, a further search costs less than comparing them with everyone


def takes_all_pairs(how_many: HowMany, count: int) -> bool:
    """Whether the distances of all pairs of `count` recordings are taken."""
    return how_many == "all" or (how_many == "auto" and count <= MOST_ALL_PAIRS)


def all_or_nearest(
    activations: Any, options: DTWOptions, *, how_many: HowMany = "auto", device: str = "cpu", **asked: Any
) -> LayerDistances:
    """Distances of all pairs, or of the nearest (`nearest_distances`, which gets `asked`), as `how_many` says."""
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
    executor: Executor | None = None,
) -> LayerDistances:
    """The nearest of each recording by windowed DTW, as far as graphs of `k` candidates read them.

    Args:
        activations: N sequences, as of `stgcnlib.dtw.dtw_neighbors`.
        options: of DTW, in input frames.
        k: most candidates of a graph, K.
        exclude: (N,) groups whose members are no neighbours of each other; None: everyone else may be one.
        parts: (N,) parts of the recordings, from 0: K neighbours are known also without any one part. None: no
            graph is made without a part.
        everyone: a second table is made, in which everyone else may be a neighbour.
        device: where distances are computed, as of `stgcnlib.dtw.dtw_distances`; what is asked for later is computed on
            the processor.
        executor: where the tasks of the search run; None: in this process. The result is the same, byte for byte.

    Returns:
        The distances that graphs of up to k candidates read, with all recordings and without any one part, and a sample
        for the mean. Others are computed from the activations when they are asked for.

    Raises:
        GraphError: a recording has fewer than k candidates. SequenceError: as `dtw_neighbors`.
    """
    count = len(activations)
    check_candidates(k, exclude, count)
    codes = None if exclude is None else group_codes(exclude, count)
    part = None if parts is None else group_codes(parts, count)
    table, cache = _searched(activations, options, k, codes, part, device, executor)
    pairs = _known(cache)
    fill = _adding(cache, pairs)
    tables = [_completed(table, k, part, pairs, fill)]
    if everyone and codes is not None:
        own = _of_own_groups(activations, options, table.indices.shape[1], codes, pairs, device)
        tables.append(_completed(table.joined(own), k, part, pairs, fill))
    known = LayerDistances(count, tables=tables, pairs=pairs, fill=fill)
    for each in tables:
        ask_for_graphs(known, k, exclude=each.codes, parts=parts)
    return computing(known, activations, options)


def computing(distances: LayerDistances, activations: Any, options: DTWOptions) -> LayerDistances:
    """The same distances; missing ones are computed from the features of the layer when they are asked for."""
    if distances.complete:
        return distances
    fill: Fill | None = None

    def first(pairs: Codes) -> None:
        nonlocal fill
        if fill is None:  # features are read only if something is missing
            fill = _filling(distances, activations, options)
        fill(pairs)

    distances.fill = first
    return distances


def _searched(
    activations: Any,
    options: DTWOptions,
    k: int,
    codes: Codes | None,
    part: Codes | None,
    device: str,
    executor: Executor | None,
) -> tuple[ReachTable, PairCache]:
    """A table that reaches as far as most of its rows must, and the search's cache."""
    count = len(activations)
    most = fewest_candidates(codes, count).candidates
    reach = k if part is None else min(most, _first_reach(k, codes, part))
    while True:
        found, cache = search(
            activations, reach, options, exclude=codes, device=device, progress=False, executor=executor
        )
        table = ReachTable.of(found, codes)
        needed = np.zeros(count, np.int64) if part is None else needed_reach(table.indices, part, k)
        if reach == most or (needed > reach).mean() <= _FEW:
            return table, cache
        reach = min(most, math.ceil(_REACH * np.quantile(needed, 1 - _FEW / 2)))


def _first_reach(k: int, codes: Codes | None, part: Codes) -> int:
    """How many neighbours are enough for most rows.

    On UTD-MHAD with K = 50, 99% of rows need 2.7 k where one of 4 subjects is left out, and 1.2 k with 20 random parts.
    """
    others = len(part) - (0 if codes is None else int(np.bincount(codes).max()))
    share = min(1.0, float(np.bincount(part).max()) / max(others, 1))
    return math.ceil(k * (1.5 + 6 * share))


def _completed(table: ReachTable, k: int, part: Codes | None, pairs: KnownPairs, fill: Fill) -> ReachTable:
    """The table with enough neighbours in each row: rows that are too short are compared with everyone admissible."""
    count, reach = table.indices.shape
    if part is None:
        return table
    short = np.flatnonzero(needed_reach(table.indices, part, k) > table.known)
    others = {
        int(i): np.flatnonzero(np.arange(count) != i if table.codes is None else table.codes != table.codes[i])
        for i in short
    }
    others = {i: nodes for i, nodes in others.items() if len(nodes) > table.known[i]}
    if not others:
        return table
    fill(np.concatenate([np.stack([np.full(len(nodes), i), nodes], axis=1) for i, nodes in others.items()]))
    rows: dict[int, Codes] = {}
    for i, nodes in others.items():
        order = nodes[np.argsort(pairs.get(i, nodes), kind="stable")]
        rows[i] = order[: needed_reach(order[None], part, k, nodes=[i])[0]]
    width = max([reach, *(len(row) for row in rows.values())])
    indices, distances = np.zeros((count, width), np.int64), np.full((count, width), np.inf)
    indices[:, :reach], distances[:, :reach] = table.indices, table.distances
    known = table.known.copy()
    for i, row in rows.items():
        known[i] = len(row)
        indices[i, : len(row)], distances[i, : len(row)] = row, pairs.get(i, row)
    return ReachTable(table.codes, indices, distances, known)


def _of_own_groups(
    activations: Any, options: DTWOptions, reach: int, codes: Codes, pairs: KnownPairs, device: str
) -> tuple[Codes, Floats]:
    """(N, reach) nearest of the same group, and their distances, infinite where there are no more; pairs are added."""
    indices = np.zeros((len(codes), reach), np.int64)
    distances = np.full((len(codes), reach), np.inf)
    strided = options.at_temporal_stride(getattr(activations, "temporal_stride", 1))
    for group in range(int(codes.max()) + 1):
        members = np.flatnonzero(codes == group)
        width = min(reach, len(members) - 1)
        if width:
            found, cache = search(_some(activations, members), width, strided, device=device, progress=False)
            known = _known(cache)
            first, second = members[known.pairs.T]
            pairs.add(first, second, known.values)
            indices[members, :width] = members[found.indices]
            distances[members, :width] = found.distances
    return indices, distances


def _some(activations: Any, nodes: Codes) -> Any:
    """Some of the sequences."""
    if isinstance(activations, SequenceSet):
        return activations.select(nodes)
    return [activations.sequence(i) if hasattr(activations, "sequence") else activations[i] for i in nodes]


def _known(cache: PairCache) -> KnownPairs:
    return KnownPairs(cache.count, cache.known.keys, cache.known.values)


def _filling(distances: LayerDistances, activations: Any, options: DTWOptions) -> Fill:
    source = frame_source(activations, "activations")
    cache = PairCache(SetCosts.of(options.at_temporal_stride(source.temporal_stride), source))
    return _adding(cache, distances.pairs)


def _adding(cache: PairCache, known: KnownPairs) -> Fill:
    """Computes pairs (P, 2) that are unknown, and adds them."""

    def fill(pairs: Codes) -> None:
        missing = pairs[~known.knows(pairs[:, 0], pairs[:, 1])]
        cache.fill(missing)
        known.add(missing[:, 0], missing[:, 1], cache.known.get(missing[:, 0], missing[:, 1]))

    return fill
