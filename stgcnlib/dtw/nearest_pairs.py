"""NearestPairs: of all pairs, seen a tile at a time, those that may be among the k nearest of either end.

For distances that are all computed anyway, as on a GPU: of N x N distances few are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.pairs import KnownPairs
from stgcnlib.dtw.projection import RELATIVE_ERROR
from stgcnlib.errors import SequenceError
from stgcnlib.groups import Exclusion

__all__ = ["NearestPairs"]

MARGIN = 1 + 8 * RELATIVE_ERROR
"""Factor on the k-th nearest distance seen: float32 may not tell a distance up to there from it."""

SPARE = 2**20  # pairs kept beyond what is needed before they are sorted out


class NearestPairs:
    """Pairs of N sequences with their distances; a pair is dropped once k nearer ones of each end have been seen.

    What is kept at the end depends on all tiles, not on their order.
    """

    def __init__(self, count: int, k: int, exclusion: Exclusion) -> None:
        self.count, self.k, self.exclusion = count, k, exclusion
        self._best = np.full((count, k), np.inf)
        self._keys: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._held, self._most = 0, SPARE

    def add(self, rows: NDArray[np.int64], columns: NDArray[np.int64], costs: NDArray[np.float64]) -> None:
        """Take in a tile: distances (I, J) of sequences (I,) with others (J,). Each pair is in one tile only.

        A tile of sequences with themselves has both directions, and the diagonal.
        """
        itself = np.array_equal(rows, columns)
        self._see(rows, np.where(self.exclusion.barred(rows[:, None], columns), np.inf, costs))
        if not itself:
            self._see(columns, np.where(self.exclusion.barred(columns[:, None], rows), np.inf, costs.T))
        near = costs <= self._limits(rows[:, None], columns)
        if itself:
            near = np.triu(near, 1)
        i, j = np.nonzero(near)
        first, second = np.minimum(rows[i], columns[j]), np.maximum(rows[i], columns[j])
        self._keys.append(first * self.count + second)
        self._values.append(costs[i, j])
        self._held += len(i)
        if self._held > self._most:
            self._sort_out()
            self._most = 2 * self._held + SPARE

    def known(self) -> KnownPairs:
        """The pairs that are left.

        Raises:
            SequenceError: a distance exceeds float32.
        """
        self._sort_out()
        keys, values = self._keys[0], self._values[0]
        with np.errstate(over="ignore"):
            kept = values.astype(np.float32)
        if not np.isfinite(kept).all():
            raise SequenceError("DTW distances exceed float32; scale the features down")
        order = np.argsort(keys)
        return KnownPairs(self.count, keys[order], kept[order])

    def _see(self, sequences: NDArray[np.int64], costs: NDArray[np.float64]) -> None:
        both = np.concatenate([self._best[sequences], costs], axis=1)
        self._best[sequences] = np.partition(both, self.k - 1, axis=1)[:, : self.k]  # the k-th comes last

    def _limits(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.exclusion.pair_limits(i, j, self._best[:, -1] * MARGIN)

    def _sort_out(self) -> None:
        keys = np.concatenate([np.empty(0, np.int64), *self._keys])
        values = np.concatenate([np.empty(0), *self._values])
        kept = values <= self._limits(keys // self.count, keys % self.count)
        self._keys, self._values, self._held = [keys[kept]], [values[kept]], int(kept.sum())
