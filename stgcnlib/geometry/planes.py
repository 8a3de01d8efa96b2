"""Places in the plane for things of which only distances are known: recordings of a DS-Graph, nodes of a layout.

MDS follows all distances, of up to 2,000 recordings; for more, only nearest neighbours are followed (`layout`). The
planes of a network's layers are rotated or reflected onto each other, so that only other changes show as movement from
one layer to the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import orthogonal_procrustes
from sklearn.manifold import smacof

from stgcnlib.dtw.known import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.layout import MOST_NEIGHBOURS, place_by_neighbours

__all__ = ["MOST_BY_DISTANCES", "aligned_planes", "embed", "placed", "turned_onto"]

Floats = NDArray[np.float64]

MOST_BY_DISTANCES = 2000
"""Planes of more recordings than this follow their nearest neighbours instead of all distances."""


def embed(distances: ArrayLike, seed: int = 0) -> Floats:
    """Points in the plane whose distances follow `distances`: (N, N) -> (N, 2) float64, centred.

    Metric MDS (SMACOF) from the classical solution. Distances are made symmetric; missing ones (infinite or NaN)
    count as the largest.

    Raises:
        GraphError: if the matrix is not square.
    """
    matrix = _square(distances)
    if not matrix.any():  # nothing is apart; SMACOF would divide by 0
        return np.zeros((len(matrix), 2))
    start = _classical(matrix)
    found, _ = smacof(matrix, n_components=2, init=start, n_init=1, max_iter=120, eps=1e-5, random_state=seed,
                      normalized_stress=False)  # fmt: skip
    points: Floats = np.asarray(found, dtype=np.float64)
    points -= points.mean(axis=0)
    return points


def placed(distances: LayerDistances | ArrayLike, seed: int = 0, *, start: Floats | None = None) -> Floats:
    """Points in the plane for the N recordings of one layer: (N, 2) float64, centred.

    Args:
        distances: a `LayerDistances`, or an (N, N) array. Where all pairs of at most `MOST_BY_DISTANCES` recordings are
            known, they are placed by `embed`, else by `place_by_neighbours`.
        seed: of both.
        start: (N, 2) initial points of `place_by_neighbours`.

    Raises:
        GraphError: the matrix is not square, or not one of distances.
    """
    if not isinstance(distances, LayerDistances):
        if len(np.asarray(distances)) <= MOST_BY_DISTANCES:
            return embed(distances, seed)
        distances = as_layer_distances(distances)
    if distances.complete and distances.count <= MOST_BY_DISTANCES:
        return embed(distances.matrix(), seed)
    near = distances.nearest(min(distances.reach, MOST_NEIGHBOURS), exclude=distances.exclude)
    return place_by_neighbours(*near, start=start, seed=seed)


def aligned_planes(
    distances: Mapping[str, LayerDistances | ArrayLike], seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """A plane per layer, each turned onto the one before it.

    Source: our choice (docs/method.md, "Further measures of a layer").

    Args:
        distances: layer -> distances between N recordings: a `LayerDistances`, or an (N, N) array; in order of depth.
        seed: of `placed`.

    Returns:
        layer -> (N, 2) float32: that layer `placed`, scaled to a root mean square distance of 1 from the centre (0 if
        all points coincide), and rotated or reflected to lie as near to the layer before as it can (orthogonal
        Procrustes). With `embed`, distances within a layer keep their ratios; those of two layers cannot be compared.
        With `place_by_neighbours`, points start from those of the layer before, and show only who is near whom.

    Raises:
        GraphError: matrices are not square, or of different sizes.
    """
    planes: dict[str, Floats] = {}
    before: Floats | None = None
    for layer, given in distances.items():
        count = given.count if isinstance(given, LayerDistances) else len(np.asarray(given))
        if before is not None and count != len(before):
            raise GraphError(f"layer {layer!r} has {count} recordings, the one before has {len(before)}")
        points = _unit(placed(given, seed, start=before))
        if before is not None:
            points = turned_onto(points, before)
        planes[layer] = before = points
    return {layer: points.astype(np.float32) for layer, points in planes.items()}


def turned_onto(points: ArrayLike, target: ArrayLike, *, common: ArrayLike | None = None) -> Floats:
    """Points (N, 2), rotated or reflected about the origin so that those in common lie nearest to their target.

    Source: orthogonal Procrustes (Schönemann 1966), computed by scipy.

    Args:
        points: (N, 2).
        target: (N, 2), or one row per common point.
        common: (K,) indices of the points that the rows of the target are; None: all.
    """
    moved = np.asarray(points, dtype=np.float64)
    chosen = moved if common is None else moved[np.asarray(common)]
    rotation, _ = orthogonal_procrustes(chosen, np.asarray(target, dtype=np.float64))
    turned: Floats = moved @ rotation
    return turned


def _unit(points: Floats) -> Floats:
    """Points whose root mean square distance from the centre is 1."""
    radius = float(np.sqrt((points**2).sum(axis=1).mean())) if len(points) else 0.0
    return points / radius if radius > 0 else points


def _square(distances: ArrayLike) -> Floats:
    matrix = np.array(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"distances have shape {matrix.shape}; expected (N, N)")
    known = np.isfinite(matrix)
    matrix[~known] = matrix[known].max() if known.any() else 1.0
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _classical(matrix: Floats) -> Floats:
    """(N, 2) by Torgerson: the two leading axes of the centred squared distances."""
    squared = matrix**2
    centred = -0.5 * (squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean())
    values, vectors = np.linalg.eigh(centred)
    points: Floats = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0))
    # An eigenvector's sign is arbitrary: the largest entry points right and up.
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    points *= np.where(signs == 0, 1.0, signs)
    return points
