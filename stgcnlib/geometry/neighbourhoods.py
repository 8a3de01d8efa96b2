"""What a layer's neighbourhoods are like besides their labels: diameter, dimension, and overlap with another layer's.

Everything is read off a DS-Graph or its distances, node by node. Intervals and tables are made in `statistics`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, suggest
from stgcnlib.geometry.smoothness import transition
from stgcnlib.groups import barred_pairs, candidate_counts, check_candidates

__all__ = [
    "Estimator",
    "Members",
    "chance_overlap",
    "graph_similarity",
    "intrinsic_dimension",
    "nearest_distances",
    "neighbourhood_overlap",
    "pointwise_dimension",
    "polytope_diameters",
]

Floats = NDArray[np.float64]
Members = Literal["candidates", "kept"]
Estimator = Literal["mle", "twonn"]


def polytope_diameters(graph: DSGraph, distances: ArrayLike) -> Floats:
    """(N,) largest distance between two kept neighbours of each node, in the unit of the distances.

    The kept NNK neighbours are the corners of a polytope around the node; its diameter tells how far the
    layer's local patches reach (Shekkizhar and Ortega, "Revisiting local neighborhood methods in machine
    learning", 2021). A node with fewer than two kept neighbours has 0.

    Args:
        graph: N nodes.
        distances: (N, N), those that the graph was built from.

    Raises:
        GraphError: sizes do not fit.
    """
    matrix = _square(distances, len(graph))
    among = matrix[graph.candidates[:, :, None], graph.candidates[:, None, :]].astype(np.float64)
    kept = graph.weights > 0
    among[~(kept[:, :, None] & kept[:, None, :])] = 0.0
    diameters: Floats = among.max(axis=(1, 2))
    return diameters


def nearest_distances(distances: ArrayLike, k: int, *, exclude: ArrayLike | None = None) -> Floats:
    """(N, k) distances to the k nearest admissible nodes, nearest first; `exclude` as in `nnk_graph`.

    Raises:
        GraphError: sizes do not fit, or a node has fewer than k candidates.
    """
    matrix = _square(distances, None).astype(np.float64)
    check_candidates(k, exclude, len(matrix))
    nearest: Floats = np.sort(np.where(barred_pairs(exclude, len(matrix)), np.inf, matrix), axis=1)[:, :k]
    return nearest


def intrinsic_dimension(
    distances: ArrayLike, *, method: Estimator = "mle", k: int = 20, exclude: ArrayLike | None = None
) -> float:
    """Intrinsic dimension of a layer's embedding from its distances, by scikit-dimension.

    Args:
        distances: (N, N).
        method: "mle": Levina and Bickel's estimate from k neighbours, nodes joined by MacKay and Ghahramani's
            harmonic mean. "twonn": Facco and others' fit to the ratio of the second to the first neighbour's distance.
        k: neighbours per node ("mle" only).
        exclude: who may not be a neighbour, as in `nnk_graph`. Distances to one's own repetitions measure how
            alike they are, not the embedding, so give the subjects where they are known.

    "twonn" reads the two nearest only: where they are repetitions by one person, their distances are nearly
    equal and the estimate is far too high. "mle" looks further and suffers less.

    A node with a duplicate (distance 0) says nothing and is left out; NaN where fewer than 3 nodes are left.

    Raises:
        GraphError: an unknown method, or k is out of range.
    """
    if method == "mle":
        values = pointwise_dimension(distances, k=k, exclude=exclude)
        known = values[np.isfinite(values)]
        return float(1 / np.mean(1 / known)) if len(known) >= 3 else float("nan")
    if method != "twonn":
        raise GraphError(f"method={method!r} is unknown; {suggest(str(method), get_args(Estimator))}")
    from skdim.id import TwoNN

    nearest = nearest_distances(distances, 2, exclude=exclude)
    nearest = nearest[nearest[:, 0] > 0]
    return float(TwoNN(dist=True).fit(nearest).dimension_) if len(nearest) >= 3 else float("nan")


def pointwise_dimension(distances: ArrayLike, *, k: int = 20, exclude: ArrayLike | None = None) -> Floats:
    """(N,) Levina and Bickel's local estimate around each node; NaN for a node with a duplicate.

    Arguments and errors as `intrinsic_dimension`.
    """
    from skdim.id import MLE

    nearest = nearest_distances(distances, k, exclude=exclude)
    values = np.full(len(nearest), np.nan)
    # Equal distances to all neighbours would be an infinite dimension.
    usable = (nearest[:, 0] > 0) & (nearest[:, -1] > nearest[:, 0])
    if k < 2 or usable.sum() < 3:
        return values
    rows = nearest[usable]
    # The estimator reads distances only; its check wants points, so it gets a stand-in of the right length.
    stand_in = np.zeros((len(rows), 2))
    found = MLE().fit(stand_in, precomputed_knn_arrays=(rows, np.zeros(rows.shape, dtype=np.int64)), n_neighbors=k)
    values[usable] = found.dimension_pw_
    return values


def neighbourhood_overlap(first: DSGraph, second: DSGraph, *, of: Members = "kept") -> Floats:
    """(N,) Jaccard index of each node's neighbours in two graphs over the same nodes: 1 equal, 0 disjoint.

    Args:
        first, second: graphs of N nodes, say of two layers.
        of: "candidates": the K nearest. "kept": those with a weight above 0, which NNK selects.

    Raises:
        GraphError: the graphs differ in size, or the name is unknown.
    """
    _check_members(of)
    _same_nodes(first, second)
    a, b = (_members(graph, of) for graph in (first, second))
    shared = np.asarray(a.multiply(b).sum(axis=1)).ravel().astype(np.float64)
    either = np.asarray(a.sum(axis=1) + b.sum(axis=1)).ravel() - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def chance_overlap(
    first: DSGraph, second: DSGraph, *, of: Members = "kept", exclude: ArrayLike | None = None
) -> Floats:
    """(N,) mean Jaccard index of each node's neighbours in two graphs that have nothing to do with each other.

    It is exact: both graphs draw as many neighbours as they have, at random among the node's M admissible recordings,
    so that the number shared is hypergeometric. A node with fewer admissible recordings has a higher chance level.

    Args:
        first, second, of: as `neighbourhood_overlap`.
        exclude: who may not be a neighbour, as in `nnk_graph`.

    Raises:
        GraphError: the graphs differ in size or do not fit `exclude`, or the name is unknown.
    """
    from scipy.stats import hypergeom

    _check_members(of)
    _same_nodes(first, second)
    sizes = [np.asarray(_members(graph, of).sum(axis=1), dtype=np.int64).ravel() for graph in (first, second)]
    cases = np.stack([candidate_counts(exclude, len(first)), *sizes], axis=1)
    if (cases[:, 1:] > cases[:, :1]).any():
        raise GraphError("a graph has neighbours that `exclude` bars; give the groups that it was built with")
    distinct, back = np.unique(cases, axis=0, return_inverse=True)
    admissible, a, b = distinct.T[:, :, None]
    shared = np.arange(int(distinct[:, 1:].max(initial=0)) + 1)
    either = np.maximum(a + b - shared, 1)
    means = (hypergeom.pmf(shared, admissible, a, b) * shared / either).sum(axis=1)
    return np.asarray(means[back.ravel()], dtype=np.float64)


def graph_similarity(first: DSGraph, second: DSGraph) -> Floats:
    """(N,) share of its neighbourhood weight that each node puts on the same neighbours in both graphs.

    It is Σ_j min(P_ij, Q_ij) with P and Q the rows of weights divided by their sums, which is 1 minus their total
    variation distance: 1 where a random step from the node is the same in both layers, 0 where it never is.

    Raises:
        GraphError: the graphs differ in size.
    """
    _same_nodes(first, second)
    shared = transition(first).minimum(transition(second))
    return np.asarray(shared.sum(axis=1), dtype=np.float64).ravel()


def _check_members(of: str) -> None:
    if of not in get_args(Members):
        raise GraphError(f"of={of!r} is unknown; {suggest(str(of), get_args(Members))}")


def _members(graph: DSGraph, of: Members) -> sp.csr_array:
    """(N, N) of 0 and 1."""
    chosen = graph.weights > 0 if of == "kept" else np.ones_like(graph.weights, dtype=np.bool_)
    rows, column = np.nonzero(chosen)
    size = len(graph)
    return sp.csr_array((np.ones(len(rows)), (rows, graph.candidates[rows, column])), shape=(size, size))


def _same_nodes(first: DSGraph, second: DSGraph) -> None:
    if len(first) != len(second):
        raise GraphError(f"graphs of {len(first)} and {len(second)} nodes; compare graphs over the same recordings")


def _square(distances: ArrayLike, count: int | None) -> NDArray[np.floating]:
    matrix = np.asarray(distances)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or count not in (None, len(matrix)):
        wanted = "(N, N)" if count is None else f"({count}, {count})"
        raise GraphError(f"distances have shape {matrix.shape}; expected {wanted}")
    return matrix
