"""Looking up the distances among many candidates at once, in the pairs that are known."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.pairs import KnownPairs

__all__ = ["PairLookup"]


class PairLookup:
    """The known pairs as sparse rows, which are made when they are first read, and anew when pairs have changed."""

    def __init__(self, pairs: KnownPairs) -> None:
        self.pairs = pairs
        self._rows: tuple[int, Any] | None = None

    def among(self, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, K, K) float64 distances among the different candidates (n, K) of each row; NaN where unknown."""
        if self._rows is None or self._rows[0] != self.pairs.changes:
            self._rows = (self.pairs.changes, self.pairs.rows())
        rows = self._rows[1]
        found = np.empty((*candidates.shape, candidates.shape[1]))
        _among(rows.indptr, rows.indices, rows.data, candidates, found)
        return found


@numba.njit(cache=True, parallel=True)
def _among(
    starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    candidates: NDArray[np.int64],
    found: NDArray[np.float64],
) -> None:
    """found (n, K, K) = entries of sparse rows among each row of candidates; NaN where there is none."""
    for b in numba.prange(candidates.shape[0]):
        size = candidates.shape[1]
        order = np.argsort(candidates[b])
        for s in range(size):
            own = candidates[b, order[s]]
            place, last = starts[own], starts[own + 1]
            for t in range(s, size):
                wanted = candidates[b, order[t]]
                step = 1  # doubled until it is too far: the next entry is near
                while place + step < last and columns[place + step] < wanted:
                    place += step
                    step *= 2
                high = min(place + step, last)
                while place < high:
                    middle = (place + high) >> 1
                    if columns[middle] < wanted:
                        place = middle + 1
                    else:
                        high = middle
                value = 0.0 if wanted == own else np.nan
                if place < last and columns[place] == wanted:
                    value = values[place]
                found[b, order[s], order[t]] = found[b, order[t], order[s]] = value
