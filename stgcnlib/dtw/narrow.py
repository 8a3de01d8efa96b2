"""Whether corridors are narrow enough to pay, from the pairs of a few sequences.

Where lower bounds lie close to the costs, whole frames are compared in few cells, and corridors take down to half the
time of products of whole frames. Where they do not, as with the features of an untrained network, in which all
sequences are alike, they take up to twice that time.
"""

from __future__ import annotations

import numpy as np

from stgcnlib.dtw.listed import listed_costs
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.dtw.source import FrameSource
from stgcnlib.dtw.tile_costs import ShortCosts

__all__ = ["corridors_pay"]

SAMPLE = 24
"""Sequences whose pairs are computed."""
FEW = 4 * SAMPLE
"""Of so few sequences, the sample would take a large part of the time that it saves."""
CLOSE = 0.95
"""Median of bounds over costs. Features of 30 layers on which corridors were faster had 0.970 to 0.997, ten on which
they were slower 0.69 to 0.92 (trained and untrained ST-GCN)."""


def corridors_pay(options: DTWOptions, source: FrameSource, projection: Projection) -> bool:
    """Whether all costs of a set are expected to take less time by corridors than by products of whole frames.

    It depends on the features alone, so that every machine decides alike. Lists of pairs are always computed by
    corridors: products of whole frames are fast for all pairs only.

    Args:
        options: at the set's temporal stride.
        source: the frames.
        projection: short frames for corridors.
    """
    if len(source) < FEW:
        return True
    some = np.sort(np.random.default_rng(0).choice(len(source), SAMPLE, replace=False))
    table, short = source.table(some), projection.of(some)
    pairs = np.stack(np.triu_indices(SAMPLE, 1), axis=1)
    bounds, costs = (listed_costs(ShortCosts.fit(options, table, short, exact=e), pairs) for e in (False, True))
    known = costs > 0
    return not known.any() or float(np.median(bounds[known] / costs[known])) >= CLOSE
