"""Building DS-Graphs: candidates by distance, kernel, weights.

Distances are precomputed (`nnk_graph`, `knn_graph`) or taken by windowed DTW first (`ds_graph`). Everything
is deterministic: candidates at equal distance are ordered by index, and equal recordings share their weight equally.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph.asking import ask_among
from stgcnlib.dsgraph.graph import DSGraph, Kind, Symmetrize, check_symmetrize
from stgcnlib.dsgraph.kernel import Sigma, gaussian, kernel_width, project_psd
from stgcnlib.dsgraph.nnk import Solver, merge_twins, share, solve_blocks
from stgcnlib.dtw.distances import dtw_distances
from stgcnlib.dtw.known import LayerDistances, as_layer_distances
from stgcnlib.dtw.neighbors import Method, search
from stgcnlib.dtw.options import DTWKeywords, DTWLike, dtw_options, names_options
from stgcnlib.dtw.square import nearest_rows
from stgcnlib.errors import GraphError, suggest
from stgcnlib.groups import check_candidates

__all__ = ["ds_graph", "knn_graph", "nnk_graph"]

Floats = NDArray[np.float64]

_FAINT = float(np.finfo(np.float64).tiny)
"""Weight of an edge whose kernel value underflows: the smallest normal float, so that the edge exists."""
_BLOCK_BYTES = 2**26  # kernel blocks held at once


def nnk_graph(
    distances: LayerDistances | ArrayLike,
    *,
    k: int = 50,
    sigma: Sigma | float = "mean-kth/3",
    symmetrize: Symmetrize = "max",
    solver: Solver = "exact",
    exclude: ArrayLike | None = None,
    queries: ArrayLike | None = None,
) -> DSGraph:
    """DS-Graph whose weights are the non-negative kernel regression of each node on its candidates.

    Node i's candidates are its k nearest admissible nodes, K and k the Gaussian kernel among them and to i,
    and its weights θ = argmin over θ ≥ 0 of ½θᵀKθ − kᵀθ; 0 prunes a redundant neighbour (Shekkizhar and
    Ortega, arXiv 1910.09383; docs/method.md, "DS-Graph by NNK"). K is projected onto the PSD cone where it has to be
    (see `nnk_weights`). Three cases are settled before the regression:

    - Candidates at distance 0: they share a weight of 1 equally, all others have 0; residual 0.
    - Candidates that equal each other (`nnk.merge_twins`) share their weight equally.
    - All kernel values underflow to 0 (a far outlier): the nearest candidates are kept with the smallest normal
      float, so that no node is isolated; the certificate still holds.

    So the order of the nodes decides nothing, except which of several candidates at the K-th distance are left out.
    None of the three applies to ``solver="pynnk"``, which reproduces the published behaviour (`nnk.solve_blocks`).

    Args:
        distances: (N, N) symmetric, non-negative, zero diagonal, or a `LayerDistances`, which computes what it lacks.
            Halves that differ by rounding are averaged.
        k: number of candidates per node, K.
        sigma: kernel width: "mean-kth/3", "per-node", "pynnk", or a number in the unit of the distances (see
            `kernel.kernel_width`).
        symmetrize: what `DSGraph.undirected` does by default; each node's own weights do not depend on it.
        solver: "exact" or "pynnk".
        exclude: (N,) group values, where nodes of equal value are no candidates of each other (leave one subject
            out), or an (N, N) bool mask, True where j is no candidate of i. None: everyone but i.
        queries: (N, N) distances from another version of each node (row), say with noise, to the nodes. Each row's
            neighbours are then found among the nodes by these distances; node i is no candidate of row i. Only the
            directed rows of such a graph have a meaning.

    Raises:
        GraphError: distances are no finite symmetric non-negative matrix of zero diagonal, a node has fewer than
            k admissible candidates, an option is unknown, or a distance is not known and can't be computed.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> place = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
        >>> stgcnlib.nnk_graph(np.abs(place[:, None] - place), k=3)
        DSGraph(nnk, 6 nodes, 3 candidates, 1.7 kept)
    """
    check_symmetrize(symmetrize)
    known, candidates, nearest = _candidates(distances, k, exclude, queries)
    return _nnk(known, candidates, nearest, sigma, symmetrize, solver)


def _nnk(
    distances: LayerDistances,
    candidates: NDArray[np.int64],
    nearest: Floats,
    sigma: Sigma | float,
    symmetrize: Symmetrize,
    solver: Solver,
) -> DSGraph:
    """The graph from checked input; of the distances only those among each node's candidates are read."""
    width = kernel_width(sigma, distances, candidates, nearest)
    targets, widths = _targets(nearest, candidates, width)
    count, k = candidates.shape
    weights, residual, errors = np.zeros((count, k)), np.zeros(count), np.zeros(count)
    projected = np.zeros(count, dtype=np.bool_)
    step = max(1, _BLOCK_BYTES // (8 * k * k))
    ask_among(distances, candidates)
    for start in range(0, count, step):
        part = slice(start, start + step)
        chosen = candidates[part]
        local = widths[chosen]
        among = distances.among(chosen)
        blocks, aims, first = gaussian(among, local[:, :, None], local[:, None, :]), targets[part], None
        if solver == "exact":
            blocks, aims, first = merge_twins(blocks, aims)
        blocks, projected[part] = project_psd(blocks)
        solved, residual[part], errors[part] = solve_blocks(blocks, aims, solver=solver)
        weights[part] = solved if first is None else share(solved, first)
    if solver == "exact":
        equal = nearest == 0
        twins = equal[:, 0]
        weights[twins] = equal[twins] / equal[twins].sum(axis=1, keepdims=True)
        residual[twins] = 0.0
        errors[twins] = 0.0
        alone = weights.sum(axis=1) == 0
        weights[alone] = np.where(nearest[alone] == nearest[alone, :1], _FAINT, 0.0)
    return DSGraph(candidates, nearest, weights, width, residual, "nnk", symmetrize, errors, projected)


def knn_graph(
    distances: LayerDistances | ArrayLike,
    *,
    k: int = 50,
    sigma: Sigma | float = "mean-kth/3",
    symmetrize: Symmetrize = "max",
    exclude: ArrayLike | None = None,
) -> DSGraph:
    """The baseline: the same candidates and kernel, each candidate weighted by its kernel value.

    Values that underflow to 0 become the smallest normal float, so that every node keeps k neighbours.
    Arguments and errors as `nnk_graph`.

    Source: our choice of a baseline (docs/method.md, "DS-Graph by NNK").

    Examples:
        >>> import numpy as np, stgcnlib
        >>> place = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
        >>> stgcnlib.knn_graph(np.abs(place[:, None] - place), k=3)
        DSGraph(knn, 6 nodes, 3 candidates, 3.0 kept)
    """
    check_symmetrize(symmetrize)
    known, candidates, nearest = _candidates(distances, k, exclude)
    return _knn(known, candidates, nearest, sigma, symmetrize)


def _knn(
    distances: LayerDistances,
    candidates: NDArray[np.int64],
    nearest: Floats,
    sigma: Sigma | float,
    symmetrize: Symmetrize,
) -> DSGraph:
    width = kernel_width(sigma, distances, candidates, nearest)
    targets, _ = _targets(nearest, candidates, width)
    weights = np.maximum(targets, _FAINT)
    return DSGraph(candidates, nearest, weights, width, np.zeros(len(candidates)), "knn", symmetrize)


@names_options
def ds_graph(
    activations: Any,
    *,
    k: int = 50,
    kind: Kind = "nnk",
    sigma: Sigma | float = "mean-kth/3",
    symmetrize: Symmetrize = "max",
    solver: Solver = "exact",
    exclude: ArrayLike | None = None,
    method: Method = "exact",
    dimensions: int | None = None,
    dtw: DTWLike = None,
    device: str = "cpu",
    progress: bool | None = None,
    **options: Unpack[DTWKeywords],
) -> DSGraph:
    """The graph of sequences by windowed DTW, in one call, from as few distances as it takes.

    The graph is the same as from all distances. Neighbours are those of `stgcnlib.dtw.dtw_neighbors`, found by lower
    bounds. Of the other distances only those among the candidates of one node are computed (none for
    kNN, all for ``sigma="pynnk"``, whose rule reads whole columns).

    Source: docs/method.md, "DS-Graph by NNK".

    Args:
        activations: a list of (T_i, D) arrays, a LayerActivations or a SequenceSet.
        k, sigma, symmetrize, solver, exclude: as `nnk_graph` (`solver` is unused by kNN).
        kind: "nnk" or "knn".
        method, dimensions, dtw, device, progress, **options: as `stgcnlib.dtw.dtw_neighbors`.

    Raises:
        GraphError: as `nnk_graph`. SequenceError: as `dtw_neighbors`.

    Examples:
        >>> import stgcnlib
        >>> data = stgcnlib.demo_sequences(subjects=2, repeats=1, actions=["wave", "squat"])
        >>> stgcnlib.ds_graph(data, k=2)
        DSGraph(nnk, 4 nodes, 2 candidates, 2.0 kept)
    """
    if kind not in ("nnk", "knn"):
        raise GraphError(f"kind={kind!r} is unknown; {suggest(str(kind), ('nnk', 'knn'))}")
    check_symmetrize(symmetrize)
    check_count(k)
    chosen = dtw_options(dtw, **options)
    if sigma == "pynnk":
        given: dict[str, Any] = {"k": k, "sigma": sigma, "symmetrize": symmetrize, "exclude": exclude}
        every = dtw_distances(activations, dtw=chosen, device=device, progress=progress)
        return knn_graph(every, **given) if kind == "knn" else nnk_graph(every, solver=solver, **given)
    table, cache = search(
        activations, k, chosen, exclude=exclude, method=method, dimensions=dimensions, device=device,
        progress=progress,
    )  # fmt: skip
    nearest = table.distances.astype(np.float64)
    codes = exclude if exclude is not None and np.ndim(exclude) == 1 else None
    distances = LayerDistances.of_table(table, cache.known, exclude=codes, fill=cache.fill)
    if kind == "knn":
        return _knn(distances, table.indices, nearest, sigma, symmetrize)
    return _nnk(distances, table.indices, nearest, sigma, symmetrize, solver)


def check_count(k: int) -> None:
    """Raise GraphError unless `k` is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise GraphError(f"k={k!r}; expected a whole number of at least 1")


def _targets(nearest: Floats, candidates: NDArray[np.int64], width: float | Floats) -> tuple[Floats, Floats]:
    """(N, K) kernel values to the candidates, and (N,) widths per node."""
    widths = np.broadcast_to(np.asarray(width, dtype=np.float64), len(nearest))
    return gaussian(nearest, widths[:, None], widths[candidates]), widths


def _candidates(
    distances: LayerDistances | ArrayLike, k: int, exclude: ArrayLike | None, queries: ArrayLike | None = None
) -> tuple[LayerDistances, NDArray[np.int64], Floats]:
    """Checked distances, candidate indices (N, K) and their distances, nearest first."""
    known = as_layer_distances(distances)
    check_count(k)
    if queries is None:
        return known, *known.nearest(k, exclude=exclude)
    rows = np.array(queries, dtype=np.float64)
    if rows.shape != (known.count, known.count) or not (np.isfinite(rows).all() and (rows >= 0).all()):
        raise GraphError(
            f"queries have shape {rows.shape}; expected ({known.count}, {known.count}) finite, non-negative distances "
            "to the nodes"
        )
    check_candidates(k, exclude, known.count)
    return known, *nearest_rows(rows, k, exclude)
