"""Approximate neighbours for sets whose lower bounds alone would take too long.

Exact DTW ranks the sequences whose vectors are nearest (`vectors`). Some neighbours may be missed, so the recall is
measured on a sample and returned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.projection import RELATIVE_ERROR
from stgcnlib.dtw.refine import PairCache
from stgcnlib.groups import Exclusion

__all__ = ["sampled_recall"]


def sampled_recall(
    cache: PairCache, distances: NDArray[np.float32], exclusion: Exclusion, *, nodes: int = 32, seed: int = 0
) -> tuple[float, int]:
    """Share of true neighbours found, over a random sample of sequences compared with all others; the sample's size.

    A neighbour counts as found if it is no further than the true k-th, so that ties do not count as misses.
    """
    count, k = distances.shape
    sample = np.random.default_rng(seed).choice(count, min(nodes, count), replace=False)
    barred = exclusion.barred(sample[:, None], np.arange(count))
    i, j = np.nonzero(~barred)
    cache.fill(np.stack([sample[i], j], axis=1))
    truth = np.where(barred, np.inf, cache.known.get(sample[:, None], np.arange(count)))
    kth = np.partition(truth, k - 1, axis=1)[:, k - 1]
    found = distances[sample] <= kth[:, None] * (1 + 2 * RELATIVE_ERROR)
    return float(found.mean()), len(sample)
