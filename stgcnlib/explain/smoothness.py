"""Label smoothness of relevance maps: are recordings of one class explained alike?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph, knn_graph, nnk_graph
from stgcnlib.dtw import DTWLike, LayerDistances, as_layer_distances, dtw_distances, dtw_options
from stgcnlib.errors import SequenceError, suggest
from stgcnlib.explain.relevance import Maps
from stgcnlib.geometry.floor import same_class_candidates
from stgcnlib.geometry.measure import values_without
from stgcnlib.geometry.smoothness import label_smoothness
from stgcnlib.geometry.uncertainty import Estimate, Jackknife, deletion_groups
from stgcnlib.groups import at_least_two, fewest_candidates, largest_k, resampled_groups

__all__ = ["AUTHOR_K", "MapForm", "map_smoothness"]

MapForm: TypeAlias = Literal["own", "author"]
AUTHOR_K = 10
"""Neighbours per map in the first author's script."""

Floats = NDArray[np.float64]


def map_smoothness(
    maps: Maps,
    labels: ArrayLike,
    *,
    form: MapForm = "own",
    k: int | None = None,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    feature_distances: Mapping[str, LayerDistances | NDArray[np.float32]] | None = None,
    dtw: DTWLike = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Label smoothness of the maps per layer, beside that of the features; low where a class has similar maps.

    Both are measured on graphs of the same recordings with the same K; members of one group are no neighbours of each
    other. Intervals are by jackknife: graphs are built again without each subject.

    Source: docs/method.md, "L-STG-GradCAM".

    Args:
        labels: (N,) class indices.
        form: "own": maps have unit mass, are summed over people and compared by windowed DTW as sequences (T, V), on
            NNK graphs. "author", as in the first author's script: the first person's map, flattened to one series of
            T · V numbers, compared by plain DTW, on a graph of nearest neighbours weighted by 1 / distance. It costs
            (T · V)² per pair of recordings.
        k: candidates per node, lowered to what N and the groups allow. None: 10 for "author"; for "own" the number of
            admissible recordings of a node's own class (median), so that maps of one class alone can reach 0.
        groups: (N,) subject of each recording, or `None`; one subject for all counts as none.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; `None`: `groups`.
        feature_distances: layer -> (N, N) DTW distances of the features of these recordings, or a `LayerDistances`.
        dtw: a `DTWOptions` or some of its fields, for "own".
        confidence: of the intervals.
        seed: of random parts of the recordings, where no groups are known.
        maps: of N recordings, as `grad_cam_set` gives them.

    Columns layer, title, index, k, maps, maps_low, maps_high, and features, features_low, features_high; fall,
    fall_low, fall_high: of the maps from the first layer to this one; empty, the maps of the layer without any
    relevance. Such maps are equal to each other and show no likeness, so they are left out of the graph, and the
    features' graph leaves out the same recordings. With fewer than two maps left, all are NaN.

    Raises:
        SequenceError: an unknown form.
    """
    if form not in get_args(MapForm):
        raise SequenceError(f"form={form!r} is unknown; {suggest(str(form), get_args(MapForm))}")
    y, excluded = np.asarray(labels), at_least_two(groups)
    parts = deletion_groups(len(y), groups=at_least_two(resampled_groups(resample, groups)), seed=seed)
    rows, start = [], None
    for name, first in maps[0].items():
        values = [each[name].values for each in maps]
        shown = np.flatnonzero([(each if form == "own" else each[0]).any() for each in values])
        barred = None if excluded is None else excluded[shown]
        wanted = k or (AUTHOR_K if form == "author" else _own_candidates(y[shown], barred))
        row: dict[str, object] = {"layer": name, "title": first.title, "index": first.index}
        row["k"] = largest_k(wanted, barred, len(shown)) if len(shown) else 0
        given: dict[str, LayerDistances | NDArray[np.float32]] = {}
        given["maps"] = (
            _distances([values[i] for i in shown], form, dtw) if len(shown) else np.zeros((0, 0), np.float32)
        )
        if feature_distances is not None and name in feature_distances:
            given["features"] = as_layer_distances(feature_distances[name]).select(shown)
        for what, distances in given.items():
            found, without = _smoothness(distances, y, shown, wanted, excluded, form, parts)
            mean = _mean(found, without, parts, confidence)
            row |= {what: mean.value, f"{what}_low": max(mean.low, 0.0), f"{what}_high": min(mean.high, 1.0)}
            if what == "maps":
                start = start or (found, without)
                fall = _mean(start[0] - found, start[1] - without, parts, confidence)
                row |= {"fall": fall.value, "fall_low": fall.low, "fall_high": fall.high}
        rows.append(row | {"empty": len(values) - len(shown)})
    return pd.DataFrame(rows)


def _own_candidates(y: NDArray[np.int64], excluded: NDArray[Any] | None) -> int:
    """Admissible recordings of a node's own class (median), at least 1."""
    return max(1, int(np.median(same_class_candidates(y, excluded)))) if len(y) else 1


def _distances(values: list[NDArray[np.float32]], form: MapForm, dtw: DTWLike) -> NDArray[np.float32]:
    """(N, N) distances of maps (M, T, V)."""
    if form == "own":
        return dtw_distances([_unit_mass(each).sum(axis=0) for each in values], dtw=dtw_options(dtw), progress=False)
    flat = [each[0].reshape(-1, 1) for each in values]
    return dtw_distances(flat, dtw={"reading": "frames", "normalize": None}, progress=False)


def _smoothness(
    distances: LayerDistances | NDArray[np.float32],
    y: NDArray[np.int64],
    shown: NDArray[np.int64],
    k: int,
    excluded: NDArray[Any] | None,
    form: MapForm,
    parts: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """(N,) random-walk smoothness, and (P, N) the same where the graph is built again without each part.

    `distances` are among the n nodes `shown`; the others, and all where a node has no candidate, are NaN.
    """
    count = int(parts.max()) + 1
    values, without = np.full(len(y), np.nan), np.full((count, len(y)), np.nan)
    barred = None if excluded is None else excluded[shown]
    if len(shown) < 2 or fewest_candidates(barred, len(shown)).candidates < 1:
        return values, without
    build = nnk_graph if form == "own" else _weighted_by_distance
    graph = build(distances, k=largest_k(k, barred, len(shown)), exclude=barred)
    values[shown] = label_smoothness(graph, y[shown], per="node")
    known, own = np.unique(parts[shown], return_inverse=True)
    without[:, shown] = values[shown]  # without a part that has no node here nothing changes
    without[np.ix_(known, shown)] = values_without(
        Jackknife(own), distances, y[shown], k=k, exclude=barred, build=build
    )
    return values, without


def _mean(values: Floats, without: Floats, parts: NDArray[np.int64], confidence: float) -> Estimate:
    """Mean over the nodes (N,) that have a value, with its interval by the parts in which these lie."""
    some = np.flatnonzero(np.isfinite(values))
    if not some.size:
        return Estimate(float("nan"), float("nan"), 0, confidence)
    known, own = np.unique(parts[some], return_inverse=True)
    return Jackknife(own, confidence).mean(values[some], without[np.ix_(known, some)])


def _weighted_by_distance(distances: LayerDistances | ArrayLike, *, k: int, exclude: ArrayLike | None) -> DSGraph:
    """The k nearest, weighted by 1 / distance; those at distance 0, where there are any, share all the weight."""
    graph = knn_graph(distances, k=k, exclude=exclude)
    near = graph.candidate_distances
    twins = near == 0
    weights = np.where(twins.any(axis=1, keepdims=True), twins, 1 / np.where(twins, 1.0, near))
    return replace(graph, weights=weights)


def _unit_mass(values: NDArray[np.float32]) -> NDArray[np.float64]:
    total = float(np.abs(values).sum())
    # Times the number of frames, so that the mean of a frame does not depend on the recording's length.
    return values.astype(np.float64) * (values.shape[1] / total if total > 0 else 0.0)
