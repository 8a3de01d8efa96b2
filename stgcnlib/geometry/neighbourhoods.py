"""What a layer's neighbourhoods are like besides their labels: diameter, dimension, and overlap with another layer's.

Everything is read off a DS-Graph or its distances, node by node. Intervals and tables are made in `statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError, suggest
from stgcnlib.groups import candidate_counts

__all__ = [
    "Estimator",
    "Members",
    "Rows",
    "chance_overlap",
    "graph_similarity",
    "intrinsic_dimension",
    "neighbourhood_overlap",
    "pointwise_dimension",
    "polytope_diameters",
]

Floats = NDArray[np.float64]
Members = Literal["candidates", "kept"]
Estimator = Literal["mle", "twonn"]
_BLOCK = 2**20  # distances among candidates that are read at once


@dataclass(frozen=True, eq=False)
class Rows:
    """The neighbourhoods of some of a graph's N nodes.

    Attributes:
        nodes: (n,) which nodes.
        candidates, weights: (n, K) their rows of the graph.
        count: N.
    """

    nodes: NDArray[np.int64]
    candidates: NDArray[np.int64]
    weights: Floats
    count: int

    @classmethod
    def of(cls, graph: DSGraph, nodes: NDArray[np.int64] | None = None) -> Rows:
        """Those of `nodes` (n,); None: of all."""
        chosen = np.arange(len(graph)) if nodes is None else nodes
        return cls(chosen, graph.candidates[chosen], graph.weights[chosen], len(graph))


def polytope_diameters(graph: DSGraph, distances: LayerDistances | ArrayLike) -> Floats:
    """(N,) largest distance between two kept neighbours of each node, in the unit of the distances.

    The kept NNK neighbours are the corners of a polytope around the node; its diameter tells how far the
    layer's local patches reach (Shekkizhar and Ortega, "Revisiting local neighborhood methods in machine
    learning", 2021). A node with fewer than two kept neighbours has 0.

    Args:
        graph: N nodes.
        distances: (N, N) or a `LayerDistances`, those that the graph was built from.

    Raises:
        GraphError: sizes do not fit, or a distance between two kept neighbours is not known.
    """
    known = as_layer_distances(distances)
    if known.count != len(graph):
        wanted = f"expected ({len(graph)}, {len(graph)}) of the graph's nodes"
        raise GraphError(f"distances have shape ({known.count}, {known.count}); {wanted}")
    diameters = np.empty(len(graph))
    step = max(1, _BLOCK // graph.candidates.shape[1] ** 2)
    for start in range(0, len(graph), step):
        part = slice(start, start + step)
        among, kept = known.among(graph.candidates[part]), graph.weights[part] > 0
        among[~(kept[:, :, None] & kept[:, None, :])] = 0.0
        diameters[part] = among.max(axis=(1, 2))
    if np.isnan(diameters).any():
        node = int(np.isnan(diameters).argmax())
        raise GraphError(f"distances between the neighbours of node {node} are not known; give those of its graph")
    return diameters


def intrinsic_dimension(
    distances: LayerDistances | ArrayLike,
    *,
    method: Estimator = "mle",
    k: int = 20,
    exclude: ArrayLike | None = None,
) -> float:
    """Intrinsic dimension of a layer's embedding from its distances, by scikit-dimension.

    Source: MLE after Levina and Bickel 2004, TwoNN after Facco et al. 2017, both computed by scikit-dimension.

    Args:
        distances: (N, N), or a `LayerDistances`.
        method: "mle": Levina and Bickel's estimate from k neighbours, nodes joined by MacKay and Ghahramani's
            harmonic mean. "twonn": Facco and others' fit to the ratio of the second to the first neighbour's distance.
        k: neighbours per node ("mle" only).
        exclude: (N,) or (N, N), who may not be a neighbour, as in `nnk_graph`. Distances to one's own
            repetitions measure how alike they are, not the embedding, so give the subjects where they are known.

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

    nearest = as_layer_distances(distances).nearest(2, exclude=exclude)[1]
    nearest = nearest[nearest[:, 0] > 0]
    return float(TwoNN(dist=True).fit(nearest).dimension_) if len(nearest) >= 3 else float("nan")


def pointwise_dimension(
    distances: LayerDistances | ArrayLike, *, k: int = 20, exclude: ArrayLike | None = None
) -> Floats:
    """(N,) Levina and Bickel's local estimate around each node; NaN for a node with a duplicate.

    Arguments and errors as `intrinsic_dimension`.
    """
    from skdim.id import MLE

    nearest = as_layer_distances(distances).nearest(k, exclude=exclude)[1]
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


def neighbourhood_overlap(first: DSGraph | Rows, second: DSGraph | Rows, *, of: Members = "kept") -> Floats:
    """(N,) Jaccard index of each node's neighbours in two graphs over the same nodes: 1 equal, 0 disjoint.

    Source: our choice (docs/method.md, "Further measures of a layer").

    Args:
        first, second: graphs of N nodes, say of two layers, or the same rows of both.
        of: "candidates": the K nearest. "kept": those with a weight above 0, which NNK selects.

    Raises:
        GraphError: the graphs differ in size, or the name is unknown.
    """
    _check_members(of)
    a, b = (_members(rows, of) for rows in _same_rows(first, second))
    shared = np.asarray(a.multiply(b).sum(axis=1)).ravel().astype(np.float64)
    either = np.asarray(a.sum(axis=1) + b.sum(axis=1)).ravel() - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def chance_overlap(
    first: DSGraph | Rows, second: DSGraph | Rows, *, of: Members = "kept", exclude: ArrayLike | None = None
) -> Floats:
    """(N,) mean Jaccard index of each node's neighbours in two graphs that have nothing to do with each other.

    It is exact: both graphs draw as many neighbours as they have, at random among the node's M admissible recordings,
    so that the number shared is hypergeometric. A node with fewer admissible recordings has a higher chance level.

    Args:
        first, second, of: as `neighbourhood_overlap`.
        exclude: (N,) or (N, N), who may not be a neighbour, as in `nnk_graph`.

    Raises:
        GraphError: the graphs differ in size or do not fit `exclude`, or the name is unknown.
    """
    from scipy.stats import hypergeom

    _check_members(of)
    both = _same_rows(first, second)
    sizes = [np.asarray(_members(rows, of).sum(axis=1), dtype=np.int64).ravel() for rows in both]
    cases = np.stack([candidate_counts(exclude, both[0].count)[both[0].nodes], *sizes], axis=1)
    if (cases[:, 1:] > cases[:, :1]).any():
        raise GraphError("a graph has neighbours that `exclude` bars; give the groups that it was built with")
    distinct, back = np.unique(cases, axis=0, return_inverse=True)
    admissible, a, b = distinct.T[:, :, None]
    shared = np.arange(int(distinct[:, 1:].max(initial=0)) + 1)
    either = np.maximum(a + b - shared, 1)
    means = (hypergeom.pmf(shared, admissible, a, b) * shared / either).sum(axis=1)
    return np.asarray(means[back.ravel()], dtype=np.float64)


def graph_similarity(first: DSGraph | Rows, second: DSGraph | Rows) -> Floats:
    """(N,) share of its neighbourhood weight that each node puts on the same neighbours in both graphs.

    It is Σ_j min(P_ij, Q_ij) with P and Q the rows of weights divided by their sums, which is 1 minus their total
    variation distance: 1 where a random step from the node is the same in both layers, 0 where it never is.

    Source: our choice.

    `first` and `second` are graphs of the same N nodes, or their rows of weights.

    Raises:
        GraphError: the graphs differ in size.
    """
    a, b = (_shares(rows) for rows in _same_rows(first, second))
    shared = a.minimum(b)
    return np.asarray(shared.sum(axis=1), dtype=np.float64).ravel()


def _check_members(of: str) -> None:
    if of not in get_args(Members):
        raise GraphError(f"of={of!r} is unknown; {suggest(str(of), get_args(Members))}")


def _members(rows: Rows, of: Members) -> sp.csr_array:
    """(n, N) of 0 and 1."""
    chosen = rows.weights > 0 if of == "kept" else np.ones_like(rows.weights, dtype=np.bool_)
    return _sparse(rows, chosen.astype(np.float64))


def _shares(rows: Rows) -> sp.csr_array:
    """(n, N) weights, of which each row sums to 1 or is empty."""
    total = rows.weights.sum(axis=1, keepdims=True)
    return _sparse(rows, np.divide(rows.weights, total, out=np.zeros_like(rows.weights), where=total > 0))


def _sparse(rows: Rows, values: Floats) -> sp.csr_array:
    """(n, N) with those of the values (n, K) that are not 0."""
    i, column = np.nonzero(values)
    shape = (len(rows.nodes), rows.count)
    return sp.csr_array((values[i, column], (i, rows.candidates[i, column])), shape=shape)


def _same_rows(first: DSGraph | Rows, second: DSGraph | Rows) -> tuple[Rows, Rows]:
    a, b = (each if isinstance(each, Rows) else Rows.of(each) for each in (first, second))
    if a.count != b.count:
        raise GraphError(f"graphs of {a.count} and {b.count} nodes; compare graphs over the same recordings")
    if not np.array_equal(a.nodes, b.nodes):
        raise GraphError("rows of different nodes; compare the same rows of both graphs")
    return a, b
