"""Window-based dynamic time warping between sequences of different length: distances, neighbours, paths.

Local costs are blocked matrix products, the recursion is compiled, and small costs are recomputed exactly.
Graphs over the neighbours are the business of `stgcnlib.dsgraph`.
"""

from __future__ import annotations

from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.neighbors import NeighborTable, dtw_neighbors
from stgcnlib.dtw.options import DTWLike, DTWOptions, dtw_options
from stgcnlib.dtw.path import dtw_path, local_costs

__all__ = ["DTWLike", "DTWOptions", "NeighborTable", "dtw_distances", "dtw_neighbors", "dtw_options", "dtw_path",
           "local_costs"]  # fmt: skip
