"""Places in the plane for things of which only distances are known: recordings of a DS-Graph, nodes of a layout."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.manifold import smacof

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError

__all__ = ["embed", "map_points"]


def embed(distances: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Points in the plane whose distances follow `distances`: (N, N) -> (N, 2).

    Metric MDS (SMACOF) from the classical solution. Distances are made symmetric; missing ones (infinite or NaN)
    count as the largest.

    Raises:
        GraphError: if the matrix is not square.
    """
    matrix = _square(distances)
    start = _classical(matrix)
    found, _ = smacof(matrix, n_components=2, init=start, n_init=1, max_iter=120, eps=1e-5, random_state=seed,
                      normalized_stress=False)  # fmt: skip
    points: NDArray[np.float64] = np.asarray(found, dtype=np.float64)
    points -= points.mean(axis=0)
    return points


def map_points(
    graph: DSGraph, embedding: ArrayLike | None, distances: ArrayLike | None, seed: int, *, what: str
) -> NDArray[np.float64]:
    """(N, 2) places of a graph's nodes: those given, or `embed(distances, seed)`; `what` needs them, for the message.

    Raises:
        GraphError: neither is given, or they are not one point per node.
    """
    if embedding is None and distances is None:
        raise GraphError(f"{what} needs distances, or an embedding such as embed(distances)")
    points = embed(distances, seed) if embedding is None and distances is not None else np.asarray(embedding, float)
    if points.shape != (len(graph), 2):
        raise GraphError(f"the embedding has shape {points.shape}; expected ({len(graph)}, 2)")
    return points


def _square(distances: ArrayLike) -> NDArray[np.float64]:
    matrix = np.array(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"distances have shape {matrix.shape}; expected (N, N)")
    known = np.isfinite(matrix)
    matrix[~known] = matrix[known].max() if known.any() else 1.0
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _classical(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) by Torgerson: the two leading axes of the centred squared distances."""
    squared = matrix**2
    centred = -0.5 * (squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean())
    values, vectors = np.linalg.eigh(centred)
    points: NDArray[np.float64] = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0))
    # An eigenvector's sign is arbitrary: the largest entry points right and up.
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    points *= np.where(signs == 0, 1.0, signs)
    return points
