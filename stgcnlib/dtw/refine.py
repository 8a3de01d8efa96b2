"""Exact distances, each computed once, and the nearest neighbours from them; near ties are settled in float64.

`PairCache` keeps every exact distance of a set; `nearest_known` ranks them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.executor import Executor, HereExecutor
from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.projection import RELATIVE_ERROR
from stgcnlib.dtw.set_costs import PairTask, SetCosts, pair_task
from stgcnlib.errors import SequenceError
from stgcnlib.groups import Exclusion

__all__ = ["PairCache", "kth_limits", "likely", "nearest_known"]

TIE = 1e-10
"""Relative difference up to which two float64 distances are equal, and the index decides."""

COSINE_FLOOR = 1e-20
"""Cosine distances below this are rounding errors: the vectors are parallel."""


class PairCache:
    """Every exact DTW distance that was asked for, once.

    Attributes:
        known: those distances, except those above their limit.
        computed: pairs computed in float32 so far, or far enough to know that they exceed their limit.
        recomputed: pairs computed in float64 as well, to settle ties.
    """

    def __init__(self, costs: SetCosts, *, known: KnownPairs | None = None, executor: Executor | None = None) -> None:
        self.costs = costs
        self.count = len(costs.source)
        self.known = KnownPairs(self.count) if known is None else known
        self.computed = len(self.known)
        self.recomputed = 0
        self._executor = executor or HereExecutor()
        self._beyond = np.empty(0, np.int64)  # keys of pairs above an earlier limit; limits only decrease

    def fill(
        self, pairs: NDArray[np.int64], limits: NDArray[np.float64] | None = None, *, remembered: bool = True
    ) -> None:
        """Compute the pairs (P, 2), ends in any order, that are not known yet.

        A distance above its limit (P,) does not become known, and is not computed again under a limit: limits may only
        decrease. Of a pair that is given twice the first limit counts. Pairs above their limit are `remembered`, unless
        they will not be given again.

        Raises:
            SequenceError: a distance exceeds float32.
        """
        ends = np.sort(pairs, axis=1)
        keys, first = np.unique(ends[:, 0] * self.count + ends[:, 1], return_index=True)
        wanted = ~self.known.knows(*ends[first].T)
        if limits is not None:
            wanted &= (limits[first] >= 0) & ~_among(keys, self._beyond)
        keys, first = keys[wanted], first[wanted]
        ends = ends[first]
        most = None if limits is None else limits[first]
        found = self._costs(ends, most, precise=False)
        near = np.ones(len(ends), np.bool_) if most is None else found <= most
        with np.errstate(over="ignore"):  # refused below
            values = found[near].astype(np.float32)
        if not np.isfinite(values).all():
            raise SequenceError("DTW distances exceed float32; scale the features down")
        self.known.add(ends[near, 0], ends[near, 1], values)
        if remembered:
            far = keys[~near]  # none of them is there yet
            self._beyond = np.insert(self._beyond, np.searchsorted(self._beyond, far), far)
        self.computed += len(ends)

    def precise(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """(P,) distances of pairs (P, 2), i < j, to 1e-11 relative, by products in float64."""
        self.recomputed += len(pairs)
        return self._costs(pairs, None, precise=True)

    def _costs(
        self, pairs: NDArray[np.int64], limits: NDArray[np.float64] | None, *, precise: bool
    ) -> NDArray[np.float64]:
        costs = np.empty(len(pairs))
        if not len(pairs):
            return costs
        members = self.costs.tasks(pairs)
        tasks = [PairTask(pairs[own], None if limits is None else limits[own], precise) for own in members]
        for own, found in zip(members, self._executor.map(pair_task, self.costs, tasks), strict=True):
            costs[own] = found
        self.costs.spare.clear()
        return costs


def _among(keys: NDArray[np.int64], those: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P,) which keys are among others, which are ascending."""
    if not len(those):
        return np.zeros(len(keys), np.bool_)
    return np.asarray(those[np.minimum(np.searchsorted(those, keys), len(those) - 1)] == keys)


def directed(known: KnownPairs, exclusion: Exclusion) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Rows, columns and float64 distances of all known pairs that may be neighbours, in both directions."""
    pairs = known.pairs
    rows, columns = np.concatenate([pairs, pairs[:, ::-1]]).T
    values = np.tile(known.values.astype(np.float64), 2)
    kept = ~exclusion.barred(rows, columns)
    return rows[kept], columns[kept], values[kept]


def kth_limits(
    known: KnownPairs, exclusion: Exclusion, k: int, most: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(N,) upper bound of each sequence's k-th nearest distance; infinite where fewer than k are known.

    `most` (N,): such bounds of fewer known pairs, if there are any; larger distances need not be sorted.
    """
    rows, _, values = directed(known, exclusion)
    if most is not None:
        near = values <= most[rows]
        rows, values = rows[near], values[near]
    order = np.lexsort((values, rows))
    counts = np.bincount(rows, minlength=known.count)
    limits = np.full(known.count, np.inf)
    enough = counts >= k
    place = (np.cumsum(counts) - counts)[enough] + k - 1
    limits[enough] = values[order][place] * (1 + 2 * RELATIVE_ERROR)
    return limits


def likely(
    pairs: NDArray[np.int64],
    least: NDArray[np.float32],
    limits: NDArray[np.float64],
    known: KnownPairs,
    exclusion: Exclusion,
    k: int,
) -> NDArray[np.bool_]:
    """(P,) which pairs (P, 2) are probably neighbours: to compute them first lowers the limits (N,) of the others.

    A distance is guessed as its lower bound (P,) times the median ratio of known distances to their bounds.
    """
    values = known.get(*pairs.T)
    there = values > 0
    ratio = np.median(values[there] / np.maximum(least[there], values[there] * 0.1)) if there.any() else 1.0
    guesses = np.minimum(least * np.float32(ratio), np.finfo(np.float32).max)
    first, second = pairs[:, 0], pairs[:, 1]
    near = np.isnan(values) & (guesses <= exclusion.pair_limits(first, second, limits))
    expected = KnownPairs(known.count, known.keys, known.values)
    expected.add(first[near], second[near], guesses[near])
    lowered = kth_limits(expected, exclusion, k, limits)
    return np.asarray(near & (guesses <= exclusion.pair_limits(first, second, lowered)))


def nearest_known(cache: PairCache, k: int, exclusion: Exclusion) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and distances (N, K) of the k nearest known; float64 decides near ties, the index equal distances.

    Every sequence must have at least k known admissible neighbours.
    """
    near = kth_limits(cache.known, exclusion, k) * (1 + 2 * RELATIVE_ERROR)
    rows, columns, values = directed(cache.known, exclusion)
    kept = values <= near[rows]
    rows, columns, values = _sorted(rows[kept], columns[kept], values[kept])
    floor = COSINE_FLOOR if cache.costs.options.metric == "cosine" else 0.0
    close = (rows[1:] == rows[:-1]) & (values[1:] <= values[:-1] * (1 + 4 * RELATIVE_ERROR) + floor)
    doubtful = np.zeros(len(rows), np.bool_)
    doubtful[1:] |= close
    doubtful[:-1] |= close
    doubtful &= values > 0  # equal sequences are at exactly 0
    if doubtful.any():
        first, second = np.minimum(rows, columns)[doubtful], np.maximum(rows, columns)[doubtful]
        codes, back = np.unique(first * cache.count + second, return_inverse=True)
        ends = np.stack([codes // cache.count, codes % cache.count], axis=1)
        settled = cache.precise(ends)
        cache.known.add(ends[:, 0], ends[:, 1], settled)
        values[doubtful] = settled[back]
    # by value, then in groups of equal values by index
    rows, columns, values = _sorted(rows, columns, values)
    new = np.append(True, (rows[1:] != rows[:-1]) | (values[1:] > values[:-1] * (1 + TIE) + floor))
    by_index = np.lexsort((columns, np.cumsum(new)))
    columns, values = columns[by_index], values[by_index]
    first = np.searchsorted(rows, np.arange(cache.count))[:, None] + np.arange(k)
    return columns[first], values[first].astype(np.float32)


def _sorted(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((columns, values, rows))
    return rows[order], columns[order], values[order]
