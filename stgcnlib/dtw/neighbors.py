"""dtw_neighbors: the exact K nearest sequences of every sequence, as a NeighborTable.

For now every pair is computed; the table says so in its statistics.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.options import Metric, Normalization, Reading, check_choice
from stgcnlib.errors import GraphError

__all__ = ["NeighborTable", "dtw_neighbors"]

Method = Literal["exact"]


@dataclass(frozen=True, eq=False)
class NeighborTable:
    """The K nearest sequences of N sequences, nearest first, ties by index.

    Attributes:
        indices: (N, K) int64.
        distances: (N, K) float32.
        statistics: how it was found: "method", "pairs" (all), "pairs_computed", "seconds".
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float32]
    statistics: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)


def dtw_neighbors(
    a: Any,
    k: int,
    *,
    exclude: ArrayLike | None = None,
    method: Method = "exact",
    reading: Reading = "sliding",
    window: int = 9,
    stride: int = 1,
    band: int | None = None,
    segments: int = 4,
    metric: Metric = "euclidean",
    normalize: Normalization | None = "length",
    progress: bool | None = None,
) -> NeighborTable:
    """The `k` nearest other sequences of every sequence by DTW distance.

    Args:
        a: N sequences, as for `dtw_distances`, whose options are the same here.
        k: neighbours per sequence, K.
        exclude: (N,) group values (sequences of equal value are no neighbours: give the subjects to leave the
            same person out), or an (N, N) bool mask, true where j may not be a neighbour of i. A sequence is
            never its own neighbour. None: all others are admissible.
        method: "exact".

    Raises:
        GraphError: `k` is below 1 or more than the admissible neighbours of a sequence, or `exclude` does not fit.
        SequenceError: as `dtw_distances`.
    """
    check_choice("method", method, get_args(Method))
    started = time.perf_counter()
    barred = _barred(exclude, len(a))
    _check_count(k, barred)
    distances = dtw_distances(
        a,
        reading=reading,
        window=window,
        stride=stride,
        band=band,
        segments=segments,
        metric=metric,
        normalize=normalize,
        progress=progress,
    )
    distances[barred] = np.inf
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k].astype(np.int64)
    pairs = len(distances) * (len(distances) - 1) // 2
    statistics = {
        "method": "brute force",
        "pairs": pairs,
        "pairs_computed": pairs,
        "seconds": time.perf_counter() - started,
    }
    return NeighborTable(indices, np.take_along_axis(distances, indices, axis=1), statistics)


def _barred(exclude: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    """(N, N) bool: true where j may not be a neighbour of i."""
    own = np.eye(count, dtype=np.bool_)
    if exclude is None:
        return own
    given = np.asarray(exclude)
    if given.shape == (count,):
        return np.asarray(own | (given[:, None] == given[None, :]), dtype=np.bool_)
    if given.shape == (count, count) and given.dtype == np.bool_:
        return np.asarray(own | given, dtype=np.bool_)
    raise GraphError(
        f"exclude has shape {given.shape} and dtype {given.dtype}; expected ({count},) group values or "
        f"a ({count}, {count}) bool mask"
    )


def _check_count(k: int, barred: NDArray[np.bool_]) -> None:
    if k < 1:
        raise GraphError(f"k={k}; expected at least one neighbour")
    admissible = (~barred).sum(axis=1)
    short = np.flatnonzero(admissible < k)
    if len(short):
        raise GraphError(
            f"k={k}, but sequence {short[0]} has {admissible[short[0]]} admissible neighbours "
            f"({len(short)} of {len(admissible)} sequences have too few); lower k or exclude less"
        )
