"""KnownPairs: the distances of some pairs of N sequences, sorted by pair, without anything N x N."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError

__all__ = ["KnownPairs"]


class KnownPairs:
    """Exact distances of some pairs of N sequences: symmetric, 0 from a sequence to itself, NaN where unknown.

    Attributes:
        count: sequences, N.
        keys: (P,) int64, i * count + j of every known pair i < j, ascending.
        values: (P,) float32, their distances.
        changes: how often pairs were added or given other values.
    """

    def __init__(
        self, count: int, keys: NDArray[np.int64] | None = None, values: NDArray[np.float32] | None = None
    ) -> None:
        """Begin with known pairs, given as in the attributes `keys` and `values`; None: with no pair.

        Raises:
            SequenceError: the keys are not those of pairs i < j in ascending order, or the values do not fit them.
        """
        self.count = int(count)
        self.keys = np.empty(0, np.int64) if keys is None else np.asarray(keys, dtype=np.int64)
        self.values = np.empty(0, np.float32) if values is None else np.asarray(values, dtype=np.float32)
        if self.keys.ndim != 1 or self.keys.shape != self.values.shape:
            raise SequenceError(
                f"known pairs: keys have shape {self.keys.shape}, values {self.values.shape}; expected (P,) of both"
            )
        self.changes = 0
        first, second = self._ends(self.keys)
        if ((first < 0) | (first >= second)).any() or (np.diff(self.keys) <= 0).any():
            raise SequenceError(f"known pairs: keys must be i * {self.count} + j with i < j, each once, ascending")
        _check_values(self.values)

    def __len__(self) -> int:
        """Pairs known, i < j."""
        return len(self.keys)

    @property
    def pairs(self) -> NDArray[np.int64]:
        """(P, 2) int64, the ends i < j of every known pair, ascending."""
        return np.stack(self._ends(self.keys), axis=1)

    def add(self, i: ArrayLike, j: ArrayLike, values: ArrayLike) -> None:
        """Remember the distances of pairs (i, j), in any order of their ends; the last value of a pair counts.

        Args:
            i, j: (P,) sequences; pairs of a sequence with itself are left out, for they are at 0.
            values: (P,) distances, kept as float32.

        Raises:
            SequenceError: a sequence is out of range, or a distance is negative or not finite.
        """
        keys, kept = self._keys(np.ravel(i), np.ravel(j)), np.ravel(np.asarray(values, dtype=np.float32))
        if keys.shape != kept.shape:
            raise SequenceError(f"known pairs: {keys.size} pairs, {kept.size} values; expected as many of both")
        _check_values(kept)
        apart = keys % self.count != keys // self.count
        self._merge(keys[apart], kept[apart])

    def get(self, i: ArrayLike, j: ArrayLike) -> NDArray[np.float32]:
        """Distances of pairs, float32 in the shape to which i and j broadcast; NaN where unknown, 0 where i is j.

        Raises:
            SequenceError: a sequence is out of range.
        """
        first, second = np.broadcast_arrays(np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64))
        keys = self._keys(first, second)
        found = np.full(keys.shape, np.nan, np.float32)
        if len(self.keys):
            places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            there = self.keys[places] == keys
            found[there] = self.values[places[there]]
        found[first == second] = 0
        return found

    def knows(self, i: ArrayLike, j: ArrayLike) -> NDArray[np.bool_]:
        """Whether pairs are known, in the shape to which i and j broadcast; a sequence and itself always are."""
        return ~np.isnan(self.get(i, j))

    def rows(self) -> sp.csr_array:
        """(N, N) symmetric float32; an entry that is stored is known, and one stored as 0 is of equal sequences."""
        first, second = self._ends(self.keys)
        ends = np.concatenate([first, second]), np.concatenate([second, first])
        rows = sp.coo_array((np.tile(self.values, 2), ends), shape=(self.count, self.count)).tocsr()
        rows.sort_indices()
        return rows

    def _ends(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return keys // max(self.count, 1), keys % max(self.count, 1)

    def _keys(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
        first, second = np.minimum(i, j), np.maximum(i, j)
        if first.size and (first.min() < 0 or second.max() >= self.count):
            wrong = first.min() if first.min() < 0 else second.max()
            raise SequenceError(f"known pairs: there is no sequence {wrong}; they are 0 to {self.count - 1}")
        return np.asarray(first, dtype=np.int64) * self.count + second

    def _merge(self, keys: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        self.changes += 1
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
        keys, values = keys[last], values[last]
        places = np.searchsorted(self.keys, keys)
        there = np.zeros(len(keys), np.bool_)
        inside = places < len(self.keys)
        there[inside] = self.keys[places[inside]] == keys[inside]
        if there.any():
            self.values = self.values.copy()  # the constructor keeps the caller's
            self.values[places[there]] = values[there]
        new = ~there
        self.keys = np.insert(self.keys, places[new], keys[new])
        self.values = np.insert(self.values, places[new], values[new])


def _check_values(values: NDArray[np.float32]) -> None:
    if not (np.isfinite(values).all() and (values >= 0).all()):
        wrong = values[~(np.isfinite(values) & (values >= 0))][0]
        raise SequenceError(f"known pairs: a distance is {wrong}; distances are finite and not negative")
