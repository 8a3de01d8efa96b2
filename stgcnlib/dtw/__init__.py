"""Window-based dynamic time warping between sequences of different length: distances, neighbours, paths.

Local costs are blocked matrix products, the recursion is compiled, and small costs are recomputed exactly.
Graphs of neighbours are in `stgcnlib.dsgraph`.
"""

from __future__ import annotations

from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.known import LayerDistances, as_layer_distances
from stgcnlib.dtw.neighbors import NeighborTable, dtw_neighbors
from stgcnlib.dtw.options import DTWLike, DTWOptions, dtw_options
from stgcnlib.dtw.path import dtw_path, local_costs
from stgcnlib.dtw.reach import needed_reach

__all__ = ["DTWLike", "DTWOptions", "LayerDistances", "NeighborTable", "as_layer_distances", "dtw_distances",
           "dtw_neighbors", "dtw_options", "dtw_path", "local_costs", "needed_reach"]  # fmt: skip
