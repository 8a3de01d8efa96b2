"""Measuring: the DS-Graphs of every layer of some networks, with label smoothness, intervals and controls.

Distances are taken by windowed DTW unless they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph, knn_graph, nnk_graph
from stgcnlib.dsgraph.distances import all_or_nearest
from stgcnlib.dtw import DTWLike, LayerDistances, as_layer_distances, dtw_options
from stgcnlib.errors import GraphError
from stgcnlib.geometry.floor import choose_k, rescaled, smoothness_floor
from stgcnlib.geometry.given import by_network, lacks_none, layer_of
from stgcnlib.geometry.layers import TRAINED, Key, LayerGeometry, kind_of
from stgcnlib.geometry.smoothness import check_labels, label_smoothness, transition
from stgcnlib.geometry.targets import check_targets, node_smoothness, target_null, total_variance, vary
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups, interval, permutation_null
from stgcnlib.groups import (
    ALL,
    RECORDINGS,
    SUBJECT,
    fewest_candidates,
    group_codes,
    neighbours_label,
    of_nodes,
    resampled_groups,
)
from stgcnlib.progress import track

__all__ = ["graphs_without", "layer_geometry", "values_without"]

Floats = NDArray[np.float64]
CLASS_COLUMNS = [
    "layer", "index", "title", "network", "neighbours", "class_index", "class_name", "smoothness", "low", "high", "n",
]  # fmt: skip


def layer_geometry(
    stores: Any,
    labels: ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    targets: ArrayLike | None = None,
    target_names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    group: str = SUBJECT,
    resample: ArrayLike | None = None,
    unit: str = SUBJECT,
    distances: Mapping[str, Mapping[str, LayerDistances | ArrayLike]] | None = None,
    k: int | None = None,
    sigma: Any = "mean-kth/3",
    symmetrize: Any = "max",
    solver: Any = "exact",
    dtw: DTWLike = None,
    device: str = "cpu",
    permutations: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool | None = None,
) -> LayerGeometry:
    """DS-Graphs and smoothness of every layer, with intervals and controls (docs/method.md "Label smoothness").

    Smoothness is that of class labels (`label_smoothness`), or of real targets (`target_smoothness`).

    Source: docs/method.md, "Label smoothness".

    Args:
        stores: a LayerStore of N recordings (anything with `.layers` and `store[name].index`, `.title`), of the
            network "trained"; or name of network -> its LayerStore. Networks are called "trained", "trained-2", …,
            and as controls "untrained", "untrained-2", … and "initial", ….
        labels: (N,) class indices; `None` where `targets` are given.
        class_names: name of each class; "class 0", … if left out.
        targets: (N,) or (N, Q) real targets, in place of labels.
        target_names: name of each column; "target 0", … if left out.
        groups: (N,) subject of each recording, or another group. Where given, a recording's neighbours are of "other
            subjects" only (so that identity is not mistaken for action), and each layer of a trained network gets a
            second graph, where "all" may be neighbours. None: "all" only.
        group: what `groups` are, in one word; "day" makes them "other days".
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; None: `groups`.
        unit: what those are, in one word.
        distances: name of network -> layer name -> (N, N) distances, or a `LayerDistances`. For layers left
            out, distances are computed from the store: all pairs up to 2,000 recordings, above that only those that
            graphs need. A network whose distances are all given needs no store.
        k: candidates per node; None: what suits labels and groups (`choose_k`).
        sigma, symmetrize, solver: as `stgcnlib.dsgraph.nnk_graph`.
        dtw: a `DTWOptions` or some of its fields, for distances that are computed.
        device: where distances are computed, as of `stgcnlib.dtw.dtw_distances`.
        permutations: shuffles of the labels or targets for the null.
        confidence: of the intervals and of the null's range.
        seed: of shuffles, and of random parts where no groups are known.
        progress: draw a progress bar; None: on a terminal.

    Raises:
        GraphError: labels, targets, groups or distances do not fit, or a node has fewer than k candidates.
        LayerNotFoundError: distances of a network lack a layer and no store is given for it.
    """
    known: dict[str, Any] = dict(stores) if isinstance(stores, Mapping) and not hasattr(stores, "layers") else {
        TRAINED: stores
    }  # fmt: skip
    given = by_network(distances)
    networks = list(dict.fromkeys([*known, *given]))
    described = next(iter(known.values()))
    names, options = tuple(described.layers), dtw_options(dtw)
    for network in networks:
        if network not in known:
            lacks_none(given[network], names, network)
    y, values_told, columns = _told(labels, targets, target_names)
    count, told = len(y), y if values_told is None else values_told
    titles = _titles(y, class_names) if values_told is None else []
    codes = None if groups is None else group_codes(groups, count)
    k = choose_k(y if values_told is None else None, codes, count=count).k if k is None else k
    drawn = resampled_groups(resample, groups)
    jackknife = Jackknife(deletion_groups(count, groups=drawn, seed=seed), confidence)
    main = neighbours_label(None if codes is None else group)
    chosen = {"sigma": sigma, "symmetrize": symmetrize}

    graphs: dict[Key, DSGraph] = {}
    left_out: dict[Key, Floats] = {}
    rows: list[dict[str, Any]] = []
    class_rows: list[dict[str, Any]] = []
    node_tables: list[pd.DataFrame] = []
    jobs = [(network, name) for network in networks for name in names]
    for network, name in track(jobs, "DS-Graphs", total=len(jobs), show=progress):
        matrix = given.get(network, {}).get(name)
        barred = {main: codes} | ({ALL: None} if kind_of(network) == TRAINED else {})
        if matrix is None:
            asked: dict[str, Any] = {"k": k, "exclude": codes, "parts": jackknife.parts, "everyone": ALL in barred}
            matrix = all_or_nearest(known[network][name], options, device=device, **asked)
        matrix = layer_of(matrix, count, f"{name!r} ({network})")
        for neighbours, exclude in barred.items():
            key = (name, network, neighbours)
            graphs[key] = graph = nnk_graph(matrix, k=k, solver=solver, exclude=exclude, **chosen)
            baseline = knn_graph(matrix, k=k, exclude=exclude, **chosen)
            values = node_smoothness(graph, told)
            left_out[key] = values_without(jackknife, matrix, told, k=k, solver=solver, exclude=exclude, **chosen)
            where = {"layer": name, "index": int(described[name].index), "title": str(described[name].title)}
            where |= {"network": network, "neighbours": neighbours}
            estimate = jackknife.mean(values, left_out[key])
            shuffles = {"permutations": permutations, "seed": seed}
            if values_told is None:
                null = permutation_null(graph, y, **shuffles)
                rmse = label_smoothness(graph, np.unique(y, return_inverse=True)[1], form="rmse")
            else:
                null, rmse = target_null(graph, values_told, **shuffles), _target_rmse(graph, values_told)
            null_low, null_high = interval(null, confidence)
            floor = float(smoothness_floor(graph, y, exclude).mean()) if values_told is None else 0.0
            rows.append(
                where
                | {"smoothness": float(values.mean()), "low": estimate.low, "high": estimate.high}
                | {"null_mean": float(null.mean()), "null_low": null_low, "null_high": null_high}
                | {"floor": floor, "rescaled": float(rescaled(values.mean(), floor, null.mean()))}
                | {
                    "rmse": rmse,
                    "knn_smoothness": float(node_smoothness(baseline, told).mean()),
                    "neighbor_count": float(graph.neighbor_counts().mean()),
                    "kkt_residual": float(graph.kkt_residual.max()),
                    "sigma": float(np.mean(graph.sigma)),
                    "n": count,
                }
            )
            if values_told is None:
                class_rows += [where | row for row in _class_rows(values, left_out[key], y, titles, jackknife)]
            node_tables.append(_node_table(where, values, graph))
    settings = {
        "k": int(k),
        "sigma": sigma if isinstance(sigma, str) else float(sigma),
        "symmetrize": symmetrize,
        "solver": solver,
        "permutations": permutations,
        "confidence": confidence,
        "seed": seed,
    }
    tables = (
        pd.DataFrame(rows),
        pd.DataFrame(class_rows, columns=CLASS_COLUMNS),
        pd.concat(node_tables, ignore_index=True),
    )
    return LayerGeometry(
        *tables, graphs=graphs, labels=y, groups=codes, settings=settings, group=group, left_out=left_out,
        resample=None if resample is None else RECORDINGS if drawn is None else group_codes(drawn), unit=unit,
        targets=values_told, target_names=columns,
    )  # fmt: skip


def values_without(
    jackknife: Jackknife,
    distances: LayerDistances | ArrayLike,
    told: NDArray[np.int64] | Floats,
    *,
    k: int,
    exclude: Any = None,
    build: Callable[..., DSGraph] = nnk_graph,
    queries: ArrayLike | None = None,
    **options: Any,
) -> Floats:
    """(P, N) smoothness of each node on graphs that are made anew without each part of the recordings.

    Source: our choice of a jackknife (docs/method.md, "Label smoothness").

    Args:
        jackknife: its parts.
        distances: (N, N), or a `LayerDistances` that reaches far enough (`stgcnlib.dtw.needed_reach`).
        told: (N,) class indices, or (N, Q) float64 targets.
        k: as of `build`; lowered where a node has fewer candidates left.
        exclude: (N,) groups, or None.
        build: makes the graph, from distances, k and exclude.
        queries: (N, N) distances of other versions of the recordings, as of `nnk_graph`.
        options: further ones of `build`.

    Returns:
        NaN for the nodes of the part that is left out; a row is all NaN where some node has no candidate left, or all
        targets that are left are equal.

    Raises:
        GraphError: the k nearest among those that are left are not known.
    """
    found = np.full((jackknife.count, len(told)), np.nan)
    graphs = graphs_without(jackknife, distances, k=k, exclude=exclude, build=build, queries=queries, **options)
    for part, (keep, graph) in enumerate(graphs):
        if graph is not None and vary(told[keep]):
            found[part, keep] = node_smoothness(graph, told[keep])
    return found


def graphs_without(
    jackknife: Jackknife,
    distances: LayerDistances | ArrayLike,
    *,
    k: int,
    exclude: Any = None,
    build: Callable[..., DSGraph] = nnk_graph,
    queries: ArrayLike | None = None,
    **options: Any,
) -> Iterator[tuple[NDArray[np.int64], DSGraph | None]]:
    """(nodes, graph among them) without each part of the recordings; arguments as `values_without`.

    None in place of a graph where a node has no candidate left, or where there are no two parts.
    """
    known = as_layer_distances(distances)
    for keep in jackknife.kept():
        groups = of_nodes(exclude, keep)
        fewest = fewest_candidates(groups, len(keep)).candidates if len(keep) else 0
        if fewest < 1 or jackknife.count < 2:
            yield keep, None
        else:
            more = {} if queries is None else {"queries": np.asarray(queries)[np.ix_(keep, keep)]}
            yield keep, build(known.select(keep), k=min(k, fewest), exclude=groups, **more, **options)


def _told(
    labels: ArrayLike | None, targets: ArrayLike | None, names: Sequence[str] | None
) -> tuple[NDArray[np.int64], Floats | None, tuple[str, ...]]:
    """(N,) labels, all 0 where there are targets; (N, Q) targets or None; and the targets' names."""
    if labels is not None and targets is None:
        return check_labels(labels, len(np.asarray(labels))), None, ()
    if labels is not None or targets is None:
        raise GraphError("give labels, or targets, and not both: a curve is the smoothness of one of them")
    values = check_targets(targets)
    width = values.shape[1]
    columns = tuple(names) if names else tuple(f"target {q}" for q in range(width))
    if len(columns) != width:
        raise GraphError(f"target_names has {len(columns)} names for {width} columns of targets; give one each")
    return np.zeros(len(values), dtype=np.int64), values, columns


def _target_rmse(graph: DSGraph, targets: Floats) -> float:
    """Mean over nodes of the error of the neighbours' weighted mean, in standard deviations of the targets."""
    errors = np.sqrt(((transition(graph) @ targets - targets) ** 2).sum(axis=1))
    return float(errors.mean() / np.sqrt(total_variance(targets)))


def _titles(y: NDArray[np.int64], class_names: Sequence[str] | None) -> list[str]:
    classes = max(int(y.max()) + 1, len(class_names or ()))
    titles = list(class_names or ()) or [f"class {c}" for c in range(classes)]
    if len(titles) < classes:
        raise GraphError(f"class_names has {len(titles)} names, but label {int(y.max())} occurs; name every class")
    return titles


def _class_rows(
    values: Floats, without: Floats, y: NDArray[np.int64], titles: Sequence[str], jackknife: Jackknife
) -> list[dict[str, Any]]:
    """Mean and interval of each class that occurs."""
    rows: list[dict[str, Any]] = []
    for c in np.unique(y):
        estimate = jackknife.mean(values, without, nodes=y == c)
        row = {"class_index": int(c), "class_name": titles[c], "smoothness": estimate.value}
        rows.append(row | {"low": estimate.low, "high": estimate.high, "n": int((y == c).sum())})
    return rows


def _node_table(where: Mapping[str, Any], values: Floats, graph: DSGraph) -> pd.DataFrame:
    columns: dict[str, Any] = {name: where[name] for name in ("layer", "index", "network", "neighbours")}
    own = {"node": np.arange(len(values)), "smoothness": values, "neighbor_count": graph.neighbor_counts()}
    return pd.DataFrame(columns | own)
