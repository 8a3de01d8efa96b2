"""Label smoothness: how far the neighbours on a DS-Graph share a node's label.

0 is smooth (all neighbours alike), 1 is rough (none alike), except for the raw quadratic form, which has
the unit of the weights. Intervals and controls are in `uncertainty`.
"""

from __future__ import annotations

from typing import Literal, get_args, overload

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, suggest

__all__ = ["Form", "Per", "check_labels", "label_smoothness", "transition"]

Form = Literal["random-walk", "quadratic", "quadratic-normalized", "symmetric", "rmse"]
Per = Literal["graph", "class", "node"]
Floats = NDArray[np.float64]


@overload
def label_smoothness(
    graph: DSGraph, labels: ArrayLike, *, form: Form = ..., per: Literal["graph"] = ..., classes: int | None = ...
) -> float: ...


@overload
def label_smoothness(
    graph: DSGraph, labels: ArrayLike, *, form: Form = ..., per: Literal["class", "node"], classes: int | None = ...
) -> Floats: ...


def label_smoothness(
    graph: DSGraph,
    labels: ArrayLike,
    *,
    form: Form = "random-walk",
    per: Per = "graph",
    classes: int | None = None,
) -> float | Floats:
    """Smoothness of the one-hot labels Y (N, C) on a graph (docs/method.md, "Label smoothness").

    W are the directed rows for "random-walk" and "rmse", where each node is judged by its own neighbours, and
    the undirected weights (`DSGraph.undirected`) for the others; D is the diagonal of W's row sums.

    Args:
        graph: N nodes.
        labels: (N,) class indices.
        form: "random-walk": S_rw = (1/N) tr(Yᵀ(I − D⁻¹W)Y), which is the mean of 1 − ŷ_i[class of i] with
            ŷ = D⁻¹WY. "quadratic": S_quad = tr(YᵀLY) = ½ Σ W_ij ‖y_i − y_j‖², the weight between classes,
            counted from both ends. "quadratic-normalized": that divided by the total weight Σ W_ij.
            "symmetric": S_sym = (1/N) tr(Yᵀ(I − D^−½ W D^−½)Y); exactly 0 for one class only if all degrees are
            equal. "rmse": the mean over nodes of √((1/C) Σ_c (ŷ_ic − y_ic)²), each node's own root mean square, as the
            first author's scripts have it.
        per: "graph": one float. "class": (C,), the same sums over the nodes of the class only (NaN for a class
            without nodes). "node": (N,). Means and weights follow the form: "random-walk", "symmetric" and "rmse" are
            means of node values, "quadratic" their sum, "quadratic-normalized" their mean weighted by degree.
        classes: number of classes C; None: the largest label + 1.

    A node without neighbours (only the "pynnk" options leave any) has ŷ = 0: it counts 1 in "random-walk" and
    "symmetric" and nothing in the quadratic forms; its own value of "quadratic-normalized" is NaN.

    Raises:
        GraphError: labels do not fit the graph, or an option is unknown.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> place = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
        >>> graph = stgcnlib.nnk_graph(np.abs(place[:, None] - place), k=2)
        >>> stgcnlib.label_smoothness(graph, [0, 0, 0, 1, 1, 1])  # neighbours share the label
        0.0
        >>> stgcnlib.label_smoothness(graph, [0, 1, 0, 1, 0, 1])  # no neighbour does
        1.0
    """
    y = check_labels(labels, len(graph))
    count = int(y.max()) + 1 if classes is None else classes
    if count <= y.max():
        raise GraphError(f"classes={count}, but label {int(y.max())} occurs; give at least {int(y.max()) + 1}")
    if per not in get_args(Per):
        raise GraphError(f"per={per!r} is unknown; {suggest(str(per), get_args(Per))}")
    values, weights = _node_values(graph, y, form, count)
    match per:
        case "node":
            return values
        case "class":
            total = np.bincount(y, weights=weights * np.nan_to_num(values), minlength=count).astype(np.float64)
            shown = _join(total, np.bincount(y, weights=weights, minlength=count).astype(np.float64), form)
            shown[np.bincount(y, minlength=count) == 0] = np.nan
            return shown
    return float(_join(np.array([(weights * np.nan_to_num(values)).sum()]), np.array([weights.sum()]), form)[0])


def transition(graph: DSGraph) -> sp.csr_array:
    """(N, N) D⁻¹W of the directed rows: each row sums to 1, or is empty."""
    rows = graph.weights.sum(axis=1, keepdims=True)
    shares = np.divide(graph.weights, rows, out=np.zeros_like(graph.weights), where=rows > 0)
    i, column = np.nonzero(shares)
    size = len(graph)
    return sp.csr_array((shares[i, column], (i, graph.candidates[i, column])), shape=(size, size))


def check_labels(labels: ArrayLike, count: int) -> NDArray[np.int64]:
    """(N,) int64 class indices, or GraphError."""
    given = np.asarray(labels)
    if given.shape != (count,):
        raise GraphError(f"labels have shape {given.shape}; expected ({count},), one class index per node")
    if not np.issubdtype(given.dtype, np.integer) or (given < 0).any():
        raise GraphError(
            "labels must be class indices: whole numbers from 0 (numpy.unique(names, return_inverse=True))"
        )
    return given.astype(np.int64)


def _join(total: Floats, weight: Floats, form: Form) -> Floats:
    """The value of a graph or class, from sums over its nodes."""
    if form == "quadratic":
        return total
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def _node_values(graph: DSGraph, y: NDArray[np.int64], form: Form, classes: int) -> tuple[Floats, Floats]:
    """(N,) value of each node, and the weight with which it enters a mean."""
    ones = np.ones(len(y))
    match form:
        case "random-walk":
            return np.clip(1 - _alike(transition(graph), y), 0.0, 1.0), ones
        case "rmse":
            onehot = np.eye(classes)[y]
            squares = (transition(graph) @ onehot - onehot) ** 2
            return np.sqrt(squares.mean(axis=1)), ones
        case "quadratic" | "quadratic-normalized":
            W = graph.undirected()
            degrees = np.asarray(W.sum(axis=1), dtype=np.float64).ravel()
            between = _alike(W, y, same=False)
            if form == "quadratic":
                return between, ones
            return np.divide(between, degrees, out=np.full_like(between, np.nan), where=degrees > 0), degrees
        case "symmetric":
            W = graph.undirected()
            roots = np.sqrt(np.asarray(W.sum(axis=1)).ravel())
            edges = W.tocoo()
            i, j = edges.coords
            scaled = sp.csr_array((edges.data / roots[i] / roots[j], (i, j)), shape=W.shape)
            return 1 - _alike(scaled, y), ones
    raise GraphError(f"form={form!r} is unknown; {suggest(str(form), get_args(Form))}")


def _alike(W: sp.csr_array, y: NDArray[np.int64], *, same: bool = True) -> Floats:
    """(N,) weight of each row that lies on nodes of the same label (or of another)."""
    edges = W.tocoo()
    i, j = edges.coords
    chosen = (y[i] == y[j]) == same
    return np.bincount(i[chosen], weights=edges.data[chosen], minlength=len(y)).astype(np.float64)
