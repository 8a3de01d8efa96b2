"""Means over recordings, of which some may have no value, with jackknife intervals over subjects."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.geometry.uncertainty import Estimate, Jackknife, deletion_groups
from stgcnlib.groups import at_least_two

__all__ = ["known_mean", "over_recordings"]


def known_mean(values: ArrayLike) -> float:
    """Mean of the finite values; NaN if there are none."""
    given = np.asarray(values, dtype=np.float64)
    finite = given[np.isfinite(given)]
    return float(finite.mean()) if finite.size else float("nan")


def over_recordings(
    values: NDArray[np.float64], groups: ArrayLike | None, *, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean over recordings, NaN left out, with its interval by leaving out a subject at a time.

    A recording's value does not depend on the others here, so nothing is computed again. With only one subject, or
    none known, 20 random parts of the recordings are left out in turn; with fewer than 20 recordings, each of them.

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
