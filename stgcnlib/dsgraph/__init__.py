"""DS-Graphs: the k nearest recordings of each recording, weighted by a kernel (kNN) or by NNK regression.

`kernel` holds the kernel and its width rules, `nnk` the solver and its certificate, `build` puts them
together, `graph` is the result. `stgcnlib.geometry` measures labels on graphs.
"""

from __future__ import annotations

from stgcnlib.dsgraph.build import ds_graph, knn_graph, nnk_graph
from stgcnlib.dsgraph.graph import DSGraph
from stgcnlib.dsgraph.nnk import nnk_weights

__all__ = ["DSGraph", "ds_graph", "knn_graph", "nnk_graph", "nnk_weights"]
