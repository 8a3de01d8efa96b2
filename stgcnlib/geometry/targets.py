"""Real targets on a DS-Graph, where labels are not classes: smoothness, its null, and read-outs with R².

The same random-walk operator as in `smoothness`, divided by twice the variance: 0 where all neighbours share the
target, 1 on average where the target is shuffled. For one-hot labels it is label smoothness divided by its null.
"""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.readout import folds, probe_shortage
from stgcnlib.geometry.smoothness import label_smoothness, transition

__all__ = [
    "check_targets",
    "explained",
    "knn_estimates",
    "node_smoothness",
    "probe_estimates",
    "r_squared",
    "target_null",
    "target_smoothness",
    "total_variance",
    "vary",
]

Floats = NDArray[np.float64]


@overload
def target_smoothness(graph: DSGraph, targets: ArrayLike, *, per: Literal["graph"] = ...) -> float: ...


@overload
def target_smoothness(graph: DSGraph, targets: ArrayLike, *, per: Literal["node"]) -> Floats: ...


def target_smoothness(graph: DSGraph, targets: ArrayLike, *, per: Literal["graph", "node"] = "graph") -> float | Floats:
    """Smoothness of real targets on a graph, a scalar or (N,): S = (1/N) Σ_i Σ_j P_ij ‖y_i − y_j‖² / (2 Var y).

    P = D⁻¹W are the directed rows, each node's own weights, which sum to 1. Var y is the total variance with N − 1 in
    the denominator, Σ_i ‖y_i − ȳ‖² / (N − 1): the mean of ‖y_i − y_j‖² over all pairs i ≠ j is exactly twice that, so
    that shuffled targets give 1 on average, whatever the graph. 0: all neighbours share the target. Above 1:
    neighbours differ more than recordings picked at random.

    For one-hot targets of classes, ‖y_i − y_j‖² is 2 where labels differ, and Var y is the mean of label smoothness
    over shuffled labels, 1 − Σ_c n_c (n_c − 1) / N (N − 1); so S is `label_smoothness` ("random-walk") divided
    by its null.

    Source: our choice (docs/method.md, "Label smoothness").

    Args:
        graph: N nodes.
        targets: (N,) or (N, Q) real numbers in any unit; S does not change with unit or origin. Columns count by their
            variance: divide each by its standard deviation where all should count alike.
        per: "graph": one float, the mean over nodes. "node": (N,).

    A node without neighbours counts 1, as nothing is known of it.

    Raises:
        GraphError: targets do not fit the graph, are not finite, or do not vary.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> place = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
        >>> graph = stgcnlib.nnk_graph(np.abs(place[:, None] - place), k=2)
        >>> round(stgcnlib.target_smoothness(graph, place), 3)
        0.016
    """
    if per not in ("graph", "node"):
        raise GraphError(f"per={per!r} is unknown; choose 'graph' or 'node'")
    y = check_targets(targets, len(graph))
    P = transition(graph)
    edges = P.tocoo()
    i, j = edges.coords
    squares = ((y[i] - y[j]) ** 2).sum(axis=1)
    values = np.bincount(i, weights=edges.data * squares, minlength=len(y)) / (2 * total_variance(y))
    values[np.bincount(i, minlength=len(y)) == 0] = 1.0
    return values if per == "node" else float(values.mean())


def node_smoothness(graph: DSGraph, told: NDArray[np.int64] | Floats) -> Floats:
    """(N,) smoothness of each node: of class labels (N,) int64, or of targets (N, Q) float64."""
    return target_smoothness(graph, told, per="node") if told.ndim == 2 else label_smoothness(graph, told, per="node")


def target_null(graph: DSGraph, targets: ArrayLike, *, permutations: int = 200, seed: int = 0) -> Floats:
    """(permutations,) smoothness of the same graph with shuffled targets; the counterpart of `permutation_null`.

    Targets are shuffled `permutations` times. The expected mean is 1; the spread says how far chance alone takes S from
    1 on this graph.

    Source: our choice of a control (docs/method.md, "Label smoothness").

    `targets` are (N,) or (N, Q), as in `target_smoothness`.

    Raises:
        GraphError: targets do not fit the graph, or `permutations` is below 1.
    """
    if permutations < 1:
        raise GraphError(f"permutations={permutations}; expected at least 1")
    y = check_targets(targets, len(graph))
    generator = np.random.default_rng(seed)
    edges = transition(graph).tocoo()
    i, j = edges.coords
    alone = len(y) - len(np.unique(i))
    scale = 2 * total_variance(y)
    null = np.empty(permutations)
    for draw in range(permutations):
        shuffled = generator.permutation(y)
        null[draw] = (edges.data * ((shuffled[i] - shuffled[j]) ** 2).sum(axis=1)).sum() / scale + alone
    return null / len(y)


def total_variance(targets: ArrayLike) -> float:
    """Σ_i ‖y_i − ȳ‖² / (N − 1) of (N,) or (N, Q) targets: the sum of the columns' variances."""
    y = np.asarray(targets, dtype=np.float64)
    return float(np.var(y.reshape(len(y), -1), axis=0, ddof=1).sum())


def knn_estimates(
    distances: LayerDistances | ArrayLike, targets: ArrayLike, *, k: int = 5, exclude: ArrayLike | None = None
) -> Floats:
    """(N, Q) mean target of each node's k nearest admissible nodes; ties go to the lower index.

    Source: docs/method.md, "Further measures of a layer".

    Args:
        distances: (N, N), or a `LayerDistances`.
        targets: (N,) or (N, Q).
        k: number of neighbours.
        exclude: (N,) or (N, N), who may not be asked, as in `nnk_graph`: give the blocks of time, or the subjects.

    Raises:
        GraphError: sizes do not fit, or a node has fewer than k candidates.
    """
    known = as_layer_distances(distances)
    y = check_targets(targets, known.count)
    return np.asarray(y[known.nearest(k, exclude=exclude)[0]].mean(axis=1), dtype=np.float64)


def probe_estimates(
    features: ArrayLike, targets: ArrayLike, *, groups: ArrayLike | None = None, C: float = 1.0, seed: int = 0
) -> Floats:
    """(N, Q) target that a linear probe estimates for each node, trained on the other groups (scikit-learn).

    The probe is ridge regression with penalty ‖w‖²/C on features and targets that are standardised over its training
    part. Folds are those of `readout.probe_predictions`: whole groups where there are any, else five at random.

    Source: docs/method.md, "Further measures of a layer"; penalty and folds are our choice.

    Args:
        features: (N, D), of `pooled_features`.
        targets: (N,) or (N, Q).
        groups: (N,) blocks of time or subjects, or None.
        C: inverse strength of the penalty.
        seed: of the folds where there are no groups.

    Raises:
        GraphError: sizes do not fit, or the recordings do not allow a probe (`readout.probe_shortage`).
    """
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    X = np.asarray(features, dtype=np.float64)
    y = check_targets(targets, len(X))
    if why := probe_shortage(y, groups, seed=seed):
        raise GraphError(why)
    estimates = np.full_like(y, np.nan)
    for train, test in folds(len(y), None, groups, seed):
        inputs, outputs = StandardScaler().fit(X[train]), StandardScaler().fit(y[train])
        with threadpool_limits(1, user_api="blas"):
            probe = Ridge(alpha=1 / C).fit(inputs.transform(X[train]), outputs.transform(y[train]))
            found = probe.predict(inputs.transform(X[test])).reshape(len(test), -1)
        estimates[test] = outputs.inverse_transform(found)
    return estimates


def explained(targets: ArrayLike, estimates: ArrayLike) -> Floats:
    """(N,) 1 − ‖y_i − ŷ_i‖² / mean ‖y − ȳ‖²: what each node adds to R², which is their mean.

    Raises:
        GraphError: sizes do not fit, or the targets do not vary.
    """
    y = check_targets(targets)
    found = np.asarray(estimates, dtype=np.float64).reshape(len(y), -1)
    if found.shape != y.shape:
        raise GraphError(f"estimates have shape {np.shape(estimates)}; targets have {np.shape(targets)}")
    return np.asarray(1 - ((y - found) ** 2).sum(axis=1) / (y.var(axis=0).sum()), dtype=np.float64)


def r_squared(targets: ArrayLike, estimates: ArrayLike) -> float:
    """R² over all columns: 1 for exact estimates, 0 for the mean of the targets, below 0 for worse estimates.

    Source: the coefficient of determination; sums that run over all columns together are our choice.

    `targets` and `estimates` are (N,) or (N, Q) of the same N nodes.

    Raises:
        GraphError: sizes do not fit, or the targets do not vary.
    """
    return float(explained(targets, estimates).mean())


def vary(told: NDArray[np.int64] | Floats) -> bool:
    """Whether smoothness can be measured: always of class labels (N,), of targets (N, Q) where not all are equal."""
    return told.ndim == 1 or bool((told != told[:1]).any())


def check_targets(targets: ArrayLike, count: int | None = None) -> Floats:
    """(N, Q) float64 targets.

    Args:
        targets: (N,) or (N, Q) real numbers.
        count: what N must be; None: any.

    Raises:
        GraphError: they have another shape, are not finite real numbers, or are all equal.
    """
    given = np.asarray(targets)
    wanted = "N" if count is None else str(count)
    if given.ndim not in (1, 2) or 0 in given.shape or count not in (None, len(given)):
        raise GraphError(f"targets have shape {given.shape}; expected ({wanted},) or ({wanted}, Q), one row per node")
    if given.dtype.kind not in "biuf" or not np.isfinite(given).all():
        raise GraphError("targets hold values that are not finite numbers; drop those recordings, or fill the gaps")
    y = given.reshape(len(given), -1).astype(np.float64)
    if not vary(y):
        raise GraphError("targets are all equal, so that no neighbour can differ; choose a target that varies")
    return y
