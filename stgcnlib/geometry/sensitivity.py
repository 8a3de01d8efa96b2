"""How much label smoothness depends on choices of ours: K, the kind of graph, the reading.

Distances depend on the reading of windowed DTW only, so they are computed once and serve every K and kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import knn_graph, nnk_graph
from stgcnlib.dsgraph.graph import Kind
from stgcnlib.dtw import DTWLike, DTWOptions, dtw_distances, dtw_options
from stgcnlib.dtw.options import Reading, check_choice
from stgcnlib.errors import GraphError, suggest
from stgcnlib.geometry.smoothness import check_labels, label_smoothness
from stgcnlib.geometry.uncertainty import bootstrap_counts, bootstrap_means, interval, permutation_null
from stgcnlib.groups import fewest_candidates, largest_k, resampled_groups
from stgcnlib.progress import track

__all__ = ["sensitivity", "sensitivity_summary"]

Distances = Callable[[str, DTWOptions], NDArray[np.float32]]


def sensitivity(
    store: Any,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    k: Sequence[int] = (10, 50, 100),
    kinds: Sequence[Kind] = ("nnk", "knn"),
    readings: Sequence[Reading] = ("frames", "sliding", "segments"),
    layers: Sequence[str] | None = None,
    dtw: DTWLike = None,
    distances: Distances | None = None,
    sigma: Any = "mean-kth/3",
    permutations: int = 50,
    bootstrap: int = 500,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Random-walk smoothness of every layer under every combination of K, kind of graph and reading of windowed DTW.

    Args:
        store: a LayerStore of N recordings.
        labels: (N,) class indices.
        groups: (N,) groups, say subjects, whose own recordings are no neighbours of each other, or None.
        resample: what intervals resample as a whole, as `layer_geometry`; None: `groups`.
        k: candidates per node. A K that a node cannot provide is lowered to the most that all can; the table
            says so in `k`, and what was asked for in `k_asked`.
        kinds: "nnk", "knn".
        readings: "frames", "sliding", "segments".
        layers: names; None: all of the store.
        dtw: a `DTWOptions` or some of its fields, equal for all readings but for `reading`.
        distances: (layer name, options) -> (N, N) distances, where they are kept already; None: computed from
            the store, layer by layer, and not kept.
        sigma: as `nnk_graph`.
        permutations, bootstrap, confidence, seed: as `layer_geometry`.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per (layer, reading, kind, k): layer, index, title, reading, kind, k, k_asked, smoothness, low, high,
        null_mean, neighbor_count (mean kept), n.

    Raises:
        GraphError: labels or groups do not fit, or a list is empty or names something unknown.
    """
    names = tuple(layers) if layers is not None else tuple(store.layers)
    for field, given in (("k", k), ("kinds", kinds), ("readings", readings), ("layers", names)):
        if len(given) == 0:
            raise GraphError(f"{field} is empty; give at least one")
    for kind in kinds:
        if kind not in get_args(Kind):
            raise GraphError(f"kind={kind!r} is unknown; {suggest(str(kind), get_args(Kind))}")
    for reading in readings:
        check_choice("reading", reading, get_args(Reading))
    base, count = dtw_options(dtw), len(np.asarray(labels))
    y = check_labels(labels, count)
    if fewest_candidates(groups, count).candidates < 1:
        raise GraphError("some recording has no candidate neighbour; give more groups, or groups=None")
    counts = bootstrap_counts(count, draws=bootstrap, groups=resampled_groups(resample, groups), seed=seed)
    rows: list[dict[str, Any]] = []
    jobs = [(name, reading) for name in names for reading in readings]
    for name, reading in track(jobs, "sensitivity", total=len(jobs), show=progress):
        options = replace(base, reading=reading)
        if distances is not None:
            matrix = distances(name, options)
        else:
            matrix = dtw_distances(store[name], dtw=options, progress=False)
        if np.shape(matrix) != (count, count):
            raise GraphError(f"distances of {name!r} ({reading}) have shape {np.shape(matrix)}; labels are ({count},)")
        where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title), "reading": reading}
        for asked in k:
            possible = largest_k(asked, groups, count)
            for kind in kinds:
                build = nnk_graph if kind == "nnk" else knn_graph
                graph = build(matrix, k=possible, sigma=sigma, exclude=groups)
                values = label_smoothness(graph, y, per="node")
                low, high = interval(bootstrap_means(values, counts), confidence)
                null = permutation_null(graph, y, permutations=permutations, seed=seed)
                rows.append(
                    where
                    | {"kind": kind, "k": possible, "k_asked": int(asked)}
                    | {"smoothness": float(values.mean()), "low": low, "high": high, "null_mean": float(null.mean())}
                    | {"neighbor_count": float(graph.neighbor_counts().mean()), "n": count}
                )
    return pd.DataFrame(rows)


def sensitivity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """What each combination says of depth: one row per (reading, kind, k) of the table of `sensitivity`.

    Columns: reading, kind, k, k_asked, first and last (smoothness at the first and last layer), fall (first − last),
    relative_fall (of the first), lowest (title of the smoothest layer), rank_correlation (Spearman's, of the curve
    over layers with that of the first combination in the table; NaN where a curve is constant).
    """
    keys = ["reading", "kind", "k_asked"]
    curves = {key: rows.sort_values("index") for key, rows in table.groupby(keys, sort=False)}
    reference = next(iter(curves.values()))["smoothness"].rank().to_numpy()
    rows = []
    for key, curve in curves.items():
        values = curve["smoothness"].to_numpy()
        fall = float(values[0] - values[-1])
        ranks = curve["smoothness"].rank().to_numpy()
        constant = np.ptp(ranks) == 0 or np.ptp(reference) == 0
        rows.append(
            dict(zip(keys, key, strict=True))
            | {"k": int(curve["k"].iloc[0]), "first": float(values[0]), "last": float(values[-1]), "fall": fall}
            | {"relative_fall": fall / float(values[0]) if values[0] > 0 else float("nan")}
            | {"lowest": str(curve["title"].iloc[int(values.argmin())])}
            | {"rank_correlation": float("nan") if constant else float(np.corrcoef(ranks, reference)[0, 1])}
        )
    return pd.DataFrame(rows)
