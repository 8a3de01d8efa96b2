"""Nearest neighbours with few exact distances: lower bounds first, exact pairs in their order, ties by float64.

`PairCache` keeps every exact distance of a set; `nearest` says which are needed and when to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from stgcnlib.dtw.frames import FrameTable, on_threads
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import RELATIVE_ERROR, Projection
from stgcnlib.dtw.tile_costs import TileCosts
from stgcnlib.dtw.tiles import exact_costs, panel_costs, turn
from stgcnlib.errors import SequenceError

__all__ = ["PairCache", "leaf_order", "nearest", "nearest_known"]

TIE = 1e-10
"""Relative difference up to which two float64 distances are equal, and the index decides."""

COSINE_FLOOR = 1e-20
"""Cosine distances below it are rounding: parallel vectors."""

ROW_OVERHEAD = 40  # a product of M rows reaches about M / (M + 40) of the peak of one core
COLUMN_FRAMES = 4096


class PairCache:
    """Every exact DTW distance that was asked for, once.

    Attributes:
        known: (N, N) float32, symmetric, NaN where not computed; 0 on the diagonal.
        computed: pairs computed in float32 so far, or far enough to know that they exceed their limit.
        recomputed: pairs computed in float64 as well, to settle ties.
        order: (N,) of the sequences, near ones together, so that tiles are dense.
    """

    def __init__(
        self,
        options: DTWOptions,
        table: FrameTable,
        *,
        known: NDArray[np.float32] | None = None,
        order: NDArray[np.int64] | None = None,
        projection: Projection | None = None,
    ) -> None:
        self.options = options
        self.table = table
        self.known = np.full((len(table), len(table)), np.nan, np.float32) if known is None else known
        np.fill_diagonal(self.known, 0)
        self.computed = 0 if known is None else len(table) * (len(table) - 1) // 2
        self.recomputed = 0
        self.order = np.arange(len(table)) if order is None else order
        self.projection = projection
        self._costs: TileCosts | None = None

    def fill(
        self, wanted: NDArray[np.bool_], limits: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Compute the pairs that are true in `wanted` (N, N), in either direction, and not known yet.

        With `limits` (N,) a pair that exceeds those of both its ends may stay unknown; their ends are returned.
        """
        missing = (wanted | wanted.T) & np.isnan(self.known)
        pairs = np.argwhere(np.triu(missing, 1))
        if not len(pairs):
            return pairs[:, 0], pairs[:, 1]
        prepared = self._prepared()
        most = None if limits is None else limits[pairs].max(axis=1).astype(np.float64)
        found = self._grouped_costs(lambda _: prepared, pairs, most)
        with np.errstate(over="ignore"):  # refused below
            costs = found.astype(np.float32)
        beyond = np.zeros(len(pairs), np.bool_) if most is None else np.isinf(found)
        if not np.isfinite(costs[~beyond]).all():
            raise SequenceError("DTW distances exceed float32; scale the features down")
        costs[beyond] = np.nan
        self.known[pairs[:, 0], pairs[:, 1]] = costs
        self.known[pairs[:, 1], pairs[:, 0]] = costs
        self.computed += len(pairs)
        return pairs[beyond, 0], pairs[beyond, 1]

    def fill_among(self, candidates: NDArray[np.int64]) -> None:
        """Compute what is missing among the candidates (N, K) of each sequence."""
        count = len(self.known)
        chosen = sp.csr_array(
            (
                np.ones(candidates.size, np.float32),
                (np.arange(candidates.size) // candidates.shape[1], candidates.ravel()),
            ),
            shape=(len(candidates), count),
        )
        self.fill((chosen.T @ chosen).toarray() > 0)

    def precise(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """(P,) distances of pairs (P, 2), i < j, to 1e-11 relative, by products in float64."""
        self.recomputed += len(pairs)
        return self._grouped_costs(self._prepared().precise, pairs)

    def _grouped_costs(
        self,
        prepared: Callable[[NDArray[np.int64]], TileCosts],
        pairs: NDArray[np.int64],
        limits: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Costs (P,) of any pairs (P, 2) of sequences, by products of panels dense enough to pay.

        `prepared` gives costs that serve (at least) the sequences they are asked for.
        """
        costs = np.empty(len(pairs), np.float64)
        lengths = self.table.lengths

        def work(panel: _Panel) -> None:
            tile_costs = prepared(np.concatenate([panel.rows, panel.columns]))
            most = None if limits is None else limits[panel.where]
            costs[panel.where] = panel_costs(tile_costs, panel.rows, panel.columns, panel.pairs, most)

        panels = min(
            (_panels(pairs, lengths, self.order, frames) for frames in self._prepared().panel_frames),
            key=lambda some: sum((lengths[p.rows].sum() + ROW_OVERHEAD) * lengths[p.columns].sum() for p in some),
        )
        with turn:
            on_threads(work, panels)
        return costs

    def _prepared(self) -> TileCosts:
        if self._costs is None:
            self._costs = exact_costs(self.options, self.table, self.projection, self.order)
        return self._costs


def nearest(
    cache: PairCache, k: int, barred: NDArray[np.bool_], lower: NDArray[np.float32] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Indices and distances (N, K) of the k nearest admissible sequences, and the rounds it took.

    With `lower`, pairs are computed in rounds: first every sequence's k candidates of least bound, then always
    the next of those whose bound does not exceed the k-th distance known so far. None are left when it ends, so
    that every pair not computed is further than k computed ones. Without `lower` all pairs are computed.
    """
    rounds = 0
    if lower is None:
        cache.fill(~np.eye(len(cache.known), dtype=np.bool_))
    else:
        bounds = np.where(barred, np.inf, lower)
        rank = np.argsort(np.argsort(bounds, axis=1, kind="stable"), axis=1, kind="stable")
        reach = k
        cache.fill(rank < reach)
        while True:
            rounds += 1
            limit = _limits(cache.known, barred, k)
            needed = (bounds <= limit[:, None]) & np.isnan(cache.known)
            left = needed.sum(axis=1)
            if not left.any():
                break
            # half of what is left, nearest bound first: the limit falls with every exact distance
            place = np.cumsum(np.take_along_axis(needed, np.argsort(rank, axis=1), axis=1), axis=1)
            place = np.take_along_axis(place, rank, axis=1)
            share = np.maximum((left + 1) // 2, k // 2) if rounds < 2 else left
            i, j = cache.fill(needed & (place <= share[:, None]), limit)
            bounds[i, j] = bounds[j, i] = np.inf
    indices, distances = nearest_known(cache, k, barred)
    return indices, distances, rounds


def leaf_order(bounds: NDArray[np.float32]) -> NDArray[np.int64]:
    """An order of the sequences in which near ones follow each other: the leaves of average linkage."""
    if len(bounds) < 3:
        return np.arange(len(bounds))
    tree = linkage(squareform(bounds, checks=False), "average")
    return np.asarray(leaves_list(tree), dtype=np.int64)


def _limits(known: NDArray[np.float32], barred: NDArray[np.bool_], k: int) -> NDArray[np.float32]:
    """(N,) what the k-th nearest distance is at most, from the distances known."""
    values = np.where(barred | np.isnan(known), np.inf, known)
    kth = np.partition(values, k - 1, axis=1)[:, k - 1]
    return np.asarray(kth * np.float32(1 + 2 * RELATIVE_ERROR), dtype=np.float32)


def nearest_known(cache: PairCache, k: int, barred: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest of the known: those too close for float32 are computed again in float64, equal ones go by index."""
    values = np.where(barred | np.isnan(cache.known), np.inf, cache.known).astype(np.float64)
    near = np.partition(values, k - 1, axis=1)[:, k - 1] * (1 + 4 * RELATIVE_ERROR)
    width = int((values <= near[:, None]).sum(axis=1).max())
    order = np.argsort(values, axis=1, kind="stable")[:, :width]
    ranked = np.take_along_axis(values, order, axis=1)
    ranked[ranked > near[:, None]] = np.inf
    floor = COSINE_FLOOR if cache.options.metric == "cosine" else 0.0
    with np.errstate(invalid="ignore"):
        close = np.isfinite(ranked[:, 1:]) & (ranked[:, 1:] <= ranked[:, :-1] * (1 + 4 * RELATIVE_ERROR) + floor)
    doubtful = np.zeros(ranked.shape, np.bool_)
    doubtful[:, 1:] |= close
    doubtful[:, :-1] |= close
    doubtful &= ranked > 0  # equal sequences are at exactly 0
    rows, places = np.nonzero(doubtful)
    if len(rows):
        columns, count = order[rows, places], len(values)
        codes, back = np.unique(np.minimum(rows, columns) * count + np.maximum(rows, columns), return_inverse=True)
        ends = np.stack([codes // count, codes % count], axis=1)
        settled = cache.precise(ends)
        cache.known[ends[:, 0], ends[:, 1]] = cache.known[ends[:, 1], ends[:, 0]] = settled
        ranked[rows, places] = settled[back]
    # by value, then in groups of equal values by index
    by_value = np.argsort(ranked, axis=1, kind="stable")
    order, ranked = np.take_along_axis(order, by_value, axis=1), np.take_along_axis(ranked, by_value, axis=1)
    groups = np.zeros(ranked.shape, np.int64)
    with np.errstate(invalid="ignore"):
        groups[:, 1:] = np.cumsum(ranked[:, 1:] > ranked[:, :-1] * (1 + TIE) + floor, axis=1)
    groups[np.isinf(ranked)] = width
    final = np.lexsort((order, groups), axis=1)[:, :k]
    distances = np.take_along_axis(ranked, final, axis=1).astype(np.float32)
    return np.ascontiguousarray(np.take_along_axis(order, final, axis=1)), distances


@dataclass(frozen=True)
class _Panel:
    """Some sequences against some others: row and column sequences, and the pairs asked for."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pairs: NDArray[np.int64]  # (P, 2) numbers within rows and columns
    where: NDArray[np.int64]  # (P,) which of all pairs they are


def _panels(
    pairs: NDArray[np.int64], lengths: NDArray[np.int64], order: NDArray[np.int64], frames: int
) -> list[_Panel]:
    """Groups of sequences that follow each other in `order`, each against all that its members ask for.

    A pair may be done in the group of either end; it goes where its other end is asked for more often, so
    that rows and columns of a product serve as many pairs as possible.
    """
    group = np.empty(len(lengths), np.int64)
    group[order] = np.cumsum(lengths[order]) // frames
    count = int(group.max()) + 1
    i, j = pairs[:, 0], pairs[:, 1]
    asked = np.zeros((count, len(lengths)), np.int32)
    np.add.at(asked, (group[i], j), 1)
    np.add.at(asked, (group[j], i), 1)
    swap = asked[group[j], i] > asked[group[i], j]
    rows, columns = np.where(swap, j, i), np.where(swap, i, j)
    panels = []
    by_group = np.argsort(group[rows], kind="stable")
    edges = np.searchsorted(group[rows[by_group]], np.arange(count + 1))
    for g in range(count):
        members = by_group[edges[g] : edges[g + 1]]
        if not len(members):
            continue
        wide = np.unique(columns[members])
        wide = wide[np.argsort(lengths[wide], kind="stable")]  # lanes are filled evenly
        cut = np.cumsum(lengths[wide]) // COLUMN_FRAMES
        place = np.empty(len(lengths), np.int64)
        place[wide] = np.arange(len(wide))
        piece = cut[place[columns[members]]]
        for c in np.unique(piece):
            where = members[piece == c]
            own, first = np.unique(rows[where]), int(np.searchsorted(cut, c))
            local = np.stack([np.searchsorted(own, rows[where]), place[columns[where]] - first], axis=1)
            panels.append(_Panel(own, wide[cut == c], local, where))
    return panels
