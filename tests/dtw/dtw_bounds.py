"""All lower bounds of a set as a matrix, from the tiles that a search takes them from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dtw.bounds import Bounds, bound_tile
from stgcnlib.dtw.options import DTWOptions
from stgcnlib.dtw.projection import Projection
from stgcnlib.groups import Exclusion


def lower_bounds(options: DTWOptions, projection: Projection) -> NDArray[np.float32]:
    """(N, N) float32, symmetric."""
    count = len(projection.table)
    bounds = Bounds.fit(options, projection, np.full(count, np.inf), Exclusion())
    matrix = np.zeros((count, count), np.float32)
    for tile in bounds.tiles():
        pairs, values = bound_tile(bounds, tile)
        matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = values
    return matrix
