"""Places of a graph's nodes in a picture: those given, or in the plane by their distances (`stgcnlib.geometry`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.planes import embed, placed

__all__ = ["embed", "map_points"]


def map_points(
    graph: DSGraph, embedding: ArrayLike | None, distances: LayerDistances | ArrayLike | None, seed: int, *, what: str
) -> NDArray[np.float64]:
    """(N, 2) places of a graph's nodes: those given, or `placed` by distances; `what` is the caller, for the message.

    Raises:
        GraphError: neither is given, or they are not one point per node.
    """
    if embedding is None and distances is None:
        raise GraphError(f"{what} needs distances, or an embedding such as embed(distances)")
    points = placed(distances, seed) if embedding is None and distances is not None else np.asarray(embedding, float)
    if points.shape != (len(graph), 2):
        raise GraphError(f"the embedding has shape {points.shape}; expected ({len(graph)}, 2)")
    return points
