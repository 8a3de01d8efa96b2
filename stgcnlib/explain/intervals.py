"""Means over recordings whose maps may say nothing, with jackknife intervals over subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.geometry.uncertainty import Estimate, Jackknife, deletion_groups
from stgcnlib.groups import at_least_two

__all__ = ["known_mean", "over_recordings"]


def known_mean(values: ArrayLike) -> float:
    """Mean of what is finite; NaN if nothing is."""
    given = np.asarray(values, dtype=np.float64)
    finite = given[np.isfinite(given)]
    return float(finite.mean()) if finite.size else float("nan")


def over_recordings(
    values: NDArray[np.float64], groups: ArrayLike | None, *, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean over recordings, NaN left out, with its interval by leaving out a subject at a time.

    A recording's value does not depend on the others here, so nothing is made anew. Of one subject alone, or without
    subjects, 20 random parts of the recordings (each recording, of fewer) take their place.

    Args:
        values: (N,).
        groups: (N,) subjects, or None.
        confidence: of the interval.
        seed: of random parts.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return Estimate(float("nan"), float("nan"), 0, confidence)
    mine = None if groups is None else at_least_two(np.asarray(groups)[known])
    parts = deletion_groups(known.size, groups=mine, seed=seed)
    return Jackknife(parts, confidence).mean(np.asarray(values)[known])
