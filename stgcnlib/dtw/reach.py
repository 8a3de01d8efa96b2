"""Tables of nearest neighbours with the number that is known per row, and how many a jackknife needs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw.neighbors import NeighborTable
from stgcnlib.errors import GraphError

__all__ = ["FIELDS", "ReachTable", "finer", "needed_reach", "sampled_pairs"]

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReachTable:
    """The nearest admissible nodes of each of n nodes, as far as they are known.

    Attributes:
        codes: (n,) nodes of equal code are no neighbours; None: everyone else may be one.
        indices, distances: (n, R) neighbours, nearest first; the first `known` of each row are valid.
        known: (n,) number of valid neighbours in each row.
    """

    codes: Codes | None
    indices: Codes
    distances: NDArray[np.float64]
    known: Codes

    @classmethod
    def of(cls, table: NeighborTable, codes: Codes | None) -> ReachTable:
        """All of a table in which nodes of equal `codes` are no neighbours.

        Raises:
            GraphError: the table names a neighbour that `codes` bar, or its arrays do not fit.
        """
        indices, distances = table.indices.astype(np.int64), table.distances.astype(np.float64)
        known = np.full(len(indices), indices.shape[1], dtype=np.int64)
        made = cls(codes, indices, distances, known)
        made.check(len(indices))
        return made

    def select(self, nodes: Codes) -> ReachTable:
        """The table of some nodes, with neighbours among these nodes only, renumbered in the order of `nodes`."""
        place = np.full(len(self.known), -1, dtype=np.int64)
        place[nodes] = np.arange(len(nodes))
        kept = self._held()[nodes] & (place[self.indices[nodes]] >= 0)
        return self._rows(nodes, place, kept, None if self.codes is None else self.codes[nodes])

    def without(self, codes: Codes) -> ReachTable:
        """The same table, in which nodes of equal `codes` are no neighbours either."""
        every = np.arange(len(codes))
        return self._rows(every, every, self._held() & (codes[self.indices] != codes[:, None]), codes)

    def joined(self, own: tuple[Codes, NDArray[np.float64]]) -> ReachTable:
        """A table in which everyone else may be a neighbour: this one of other groups, joined with the own group's.

        Args:
            own: (n, R) indices and distances of the nearest of the same group, infinite where there are no more.
        """
        reach = own[0].shape[1]
        indices = np.concatenate([own[0], self.indices[:, :reach]], axis=1)
        distances = np.concatenate([own[1], self.distances[:, :reach]], axis=1)
        order = np.lexsort((indices, distances), axis=1)[:, :reach]
        indices, distances = (np.take_along_axis(each, order, axis=1) for each in (indices, distances))
        return ReachTable(None, indices, distances, np.isfinite(distances).sum(axis=1))

    def check(self, count: int) -> None:
        """Raise GraphError where this is no table of `count` nodes."""
        shape = (count, self.indices.shape[-1])
        if self.indices.shape != shape or self.distances.shape != shape or self.known.shape != (count,):
            raise GraphError(
                f"a table's indices have shape {self.indices.shape}, its distances {self.distances.shape}; expected "
                f"({count}, R) of both"
            )
        if self.indices.min(initial=0) < 0 or self.indices.max(initial=0) >= count:
            raise GraphError(f"a table names recordings outside 0 to {count - 1}")
        barred = self.indices == np.arange(count)[:, None]
        if self.codes is not None:
            barred |= self.codes[self.indices] == self.codes[:, None]
        wrong = (barred & self._held()).any(axis=1)
        if wrong.any():
            raise GraphError(
                f"the table names a neighbour of recording {int(wrong.argmax())} that `exclude` bars; give the groups "
                "that it was made with"
            )

    def _held(self) -> NDArray[np.bool_]:
        """(n, R) which entries count."""
        return np.asarray(np.arange(self.indices.shape[1]) < self.known[:, None])

    def _rows(self, nodes: Codes, place: Codes, kept: NDArray[np.bool_], codes: Codes | None) -> ReachTable:
        order = np.argsort(~kept, axis=1, kind="stable")
        indices = np.take_along_axis(np.where(kept, place[self.indices[nodes]], 0), order, axis=1)
        distances = np.take_along_axis(np.where(kept, self.distances[nodes], np.inf), order, axis=1)
        return ReachTable(codes, indices, distances, kept.sum(axis=1))


FIELDS = tuple(each.name for each in fields(ReachTable))


def needed_reach(indices: ArrayLike, parts: ArrayLike, k: int, *, nodes: ArrayLike | None = None) -> Codes:
    """(n,) how many neighbours each recording's row must name, so that k are left whichever part is removed.

    A jackknife builds the graph again without each part of the recordings in turn. If a neighbour table has as many
    columns as the largest of these numbers, the k nearest of the remaining recordings are always known.

    Args:
        indices: (n, R) neighbours among N recordings, nearest first.
        parts: (N,) part of each recording, from 0, as of `geometry.uncertainty.deletion_groups`; a recording's own part
            does not count, since the recording is left out with it.
        k: neighbours, at least 1.
        nodes: (n,) recordings to which the rows belong; None: all N in order.

    Returns:
        (n,) int64: at most R where the R neighbours are enough; above R where they are not, and then it is the least
        that could be enough.
    """
    rows, part = np.asarray(indices, dtype=np.int64), np.asarray(parts, dtype=np.int64)
    every, own = np.arange(len(rows)), part if nodes is None else part[np.asarray(nodes)]
    of_part = np.zeros((len(rows), int(part.max(initial=0)) + 1), dtype=np.int64)
    most, needed = np.zeros((2, len(rows)), dtype=np.int64)
    for place, there in enumerate(part[rows.T]):
        of_part[every, there] += 1
        most = np.maximum(most, np.where(there != own, of_part[every, there], 0))
        needed[(needed == 0) & (place + 1 - most >= k)] = place + 1
    return np.where(needed > 0, needed, k + most)


def finer(codes: Codes, others: Codes) -> bool:
    """Whether each group of `codes` lies within one group of `others`."""
    return bool(np.unique(np.stack([codes, others]), axis=1).shape[1] == len(np.unique(codes)))


def sampled_pairs(count: int, *, most: int = 20_000) -> Codes:
    """(2, P) ends of pairs of `count` recordings: all of them up to `most`, else `most` random ones (seed 0)."""
    if count * (count - 1) // 2 <= most:
        return np.stack(np.triu_indices(count, 1)).astype(np.int64)
    rng = np.random.default_rng(0)
    first = rng.integers(0, count, most)
    return np.stack([first, (first + rng.integers(1, count, most)) % count])
