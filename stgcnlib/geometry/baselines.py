"""Distances between sequences without time warping, and what label smoothness they give beside windowed DTW.

Each costs about one matrix product per layer. Each leaves something out, and so shows what DTW adds: "pooled" leaves
out the order in time, "resampled" the warping, "duration" everything but the length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import GraphError, SequenceError, suggest
from stgcnlib.geometry.floor import smoothness_floor
from stgcnlib.geometry.layers import TRAINED, LayerGeometry
from stgcnlib.geometry.measure import values_without
from stgcnlib.geometry.points import point_distances
from stgcnlib.geometry.readout import pooled_features
from stgcnlib.geometry.targets import node_smoothness
from stgcnlib.progress import track

__all__ = ["BASELINES", "Baseline", "baseline_distances", "known_baseline", "layer_baselines", "possible_baselines"]

Baseline = Literal["pooled", "resampled", "duration"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
MOST = 2000
"""Up to this number of recordings, all pairs are compared. Above it, "resampled" takes too much memory: left out."""

Floats = NDArray[np.float64]
COLUMNS = [
    "layer", "index", "title", "baseline", "smoothness", "low", "high", "floor", "dtw", "gain", "gain_low",
    "gain_high", "n",
]  # fmt: skip
_NEAR = 1e-6  # share of the squared lengths; below it, a squared distance by products has lost half of its digits
_WIDTH = "mean-kth/3"


def baseline_distances(sequences: Iterable[Any], baseline: Baseline, *, frames: int | None = None) -> Floats:
    """(N, N) distances by a baseline; symmetric, its diagonal exactly 0.

    Source: our choice (docs/method.md, "DS-Graph by NNK").

    Args:
        sequences: N arrays (T_i, D), or a LayerActivations.
        baseline: "pooled": Euclidean distance of the means over time. "resampled": each sequence is brought to
            `frames` frames by linear interpolation, its first and last frame kept; root mean square over frames of the
            Euclidean distances. "duration": difference of the lengths, in frames.
        frames: number of frames to which "resampled" brings each sequence; None: the median length, rounded.

    Raises:
        SequenceError: no sequence, an empty one, or sequences of different D. GraphError: an unknown baseline, or
            `frames` below 1.
    """
    if baseline not in BASELINES:
        raise GraphError(f"baseline={baseline!r} is unknown; {suggest(str(baseline), BASELINES)}")
    if frames is not None and frames < 1:
        raise GraphError(f"frames={frames}; expected at least 1")
    given = [np.asarray(each) for each in sequences]
    if not given or any(each.ndim != 2 or not len(each) or each.shape[1] != given[0].shape[1] for each in given):
        raise SequenceError("expected sequences of shape (T, D), with at least one frame and the same D")
    if baseline == "duration":
        lengths = _lengths(given)[:, 0]
        return np.abs(lengths[:, None] - lengths[None, :])
    if baseline == "pooled":
        return _euclidean(pooled_features(given))
    count = round(float(np.median([len(each) for each in given]))) if frames is None else frames
    points = np.empty((len(given), count * given[0].shape[1]), np.float32)
    for i, each in enumerate(given):
        points[i] = _resampled(each, count).ravel()
    distances: Floats = _euclidean(points) / np.sqrt(count)
    return distances


def possible_baselines(baselines: Sequence[Baseline], count: int) -> list[Baseline]:
    """The baselines that `known_baseline` can compute for `count` recordings."""
    return [each for each in baselines if each != "resampled" or count <= MOST]


def known_baseline(
    sequences: Iterable[Any],
    baseline: Baseline,
    k: int,
    *,
    count: int,
    exclude: ArrayLike | None = None,
    parts: ArrayLike | None = None,
) -> LayerDistances:
    """The distances by a baseline that graphs of `k` candidates and their intervals need.

    Args:
        sequences: N arrays (T_i, D), or a LayerActivations.
        baseline: as `baseline_distances`; above `MOST` recordings "pooled" or "duration".
        k: candidates per node.
        count: N.
        exclude, parts: as `point_distances`.

    Raises:
        GraphError: an unknown baseline, "resampled" above `MOST` recordings, or other than `count` sequences.
        SequenceError: as `baseline_distances`.
    """
    if baseline not in BASELINES:
        raise GraphError(f"baseline={baseline!r} is unknown; {suggest(str(baseline), BASELINES)}")
    if count <= MOST:
        return LayerDistances.all_pairs(baseline_distances(sequences, baseline))
    if baseline == "resampled":
        raise GraphError(f"baseline 'resampled' holds all frames of {count} recordings; it is for up to {MOST}")
    points = _lengths(sequences) if baseline == "duration" else pooled_features(sequences)
    if len(points) != count:
        raise GraphError(f"{len(points)} sequences were given; expected {count}")
    return point_distances(points, k, exclude=exclude, parts=parts)


def layer_baselines(
    store: Any,
    geometry: LayerGeometry,
    *,
    baselines: Sequence[Baseline] = BASELINES,
    network: str = TRAINED,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Smoothness of every layer by distances without warping, beside that by the distances of the geometry.

    Above 2,000 recordings "resampled" is left out: its frames take too much memory. Graphs, neighbours, parts and
    confidence are those of the geometry. A kernel width given as a number suits only the geometry's distances; here
    "mean-kth/3" takes its place.

    Source: our choice (docs/method.md, "DS-Graph by NNK").

    Args:
        store: LayerStore of the network, or anything with `.layers` and ``store[name]``: title, index, and (T_i, D)
            arrays when iterated.
        geometry: of the same recordings, with this network.
        baselines: as `baseline_distances`; "duration" is measured once, at the first layer.
        network: whose curve in the geometry they are compared with.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per layer and baseline: layer, index, title, baseline, smoothness, low, high, floor, dtw (smoothness by
        the geometry's distances), gain (smoothness − dtw; above 0: labels are smoother by the geometry's distances),
        gain_low, gain_high (the jackknife interval of that difference: one part is left out of both), n.

    Raises:
        GraphError: an unknown baseline, or a store of other recordings.
    """
    for baseline in baselines:
        if baseline not in BASELINES:
            raise GraphError(f"baseline={baseline!r} is unknown; {suggest(str(baseline), BASELINES)}")
    chosen = geometry.graph_options
    if not isinstance(chosen["sigma"], str):
        chosen["sigma"] = _WIDTH
    y, codes, jackknife = geometry.told, geometry.groups, geometry.jackknife
    curve, without = geometry.curve(network), geometry.means_without(network)
    rows: list[dict[str, Any]] = []
    for number, name in track(list(enumerate(curve["layer"])), "baselines", total=len(curve), show=progress):
        sequences = list(store[name]) if len(y) <= MOST else store[name]  # else read for each baseline
        if isinstance(sequences, list) and len(sequences) != len(y):
            raise GraphError(f"layer {name!r} has {len(sequences)} recordings, the geometry {len(y)}; give its store")
        dtw = float(curve["smoothness"].iloc[number])
        for baseline in possible_baselines(baselines, len(y)):
            if baseline == "duration" and number > 0:
                continue
            within = {"k": chosen["k"], "exclude": chosen["exclude"], "parts": jackknife.parts}
            known = known_baseline(sequences, baseline, count=len(y), **within)
            graph = nnk_graph(known, **chosen)
            values = node_smoothness(graph, y)
            left_out = values_without(jackknife, known, y, **chosen)
            own = jackknife.mean(values, left_out)
            gain = jackknife.of(own.value - dtw, jackknife.means(left_out) - without[:, number])
            rows.append(
                {"layer": name, "index": int(curve["index"].iloc[number]), "title": str(curve["title"].iloc[number])}
                | {"baseline": baseline, "smoothness": own.value, "low": own.low, "high": own.high}
                | {"floor": 0.0 if y.ndim == 2 else float(smoothness_floor(graph, geometry.labels, codes).mean())}
                | {"dtw": dtw}
                | {"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high, "n": len(y)}
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _lengths(sequences: Iterable[Any]) -> Floats:
    """(N, 1) frames of each."""
    return np.array([[len(each)] for each in sequences], dtype=np.float64)


def _resampled(frames: NDArray[Any], count: int) -> NDArray[np.float32]:
    """(count, D) of (T, D) by linear interpolation: first and last frames stay; `count` 1 takes the middle in time."""
    last = len(frames) - 1
    places = np.linspace(0.0, last, count) if count > 1 else np.array([last / 2])
    before = np.minimum(places.astype(np.int64), max(last - 1, 0))
    part = (places - before)[:, None]
    result: NDArray[np.float32] = np.asarray(
        frames[before] * (1 - part) + frames[np.minimum(before + 1, last)] * part, dtype=np.float32
    )
    return result


def _euclidean(points: NDArray[np.floating]) -> Floats:
    """(N, N) Euclidean distances of (N, D); pairs too near for the matrix product are computed by subtraction.

    The points may be as large as all frames: some coordinates at a time are centred, in float64.
    """
    count = len(points)
    squares, products = np.zeros(count), np.zeros((count, count))
    step = max(1, 2**25 // (8 * count))
    for start in range(0, points.shape[1], step):
        part = points[:, start : start + step].astype(np.float64)
        part -= part.mean(axis=0)
        products += part @ part.T
        squares += np.einsum("ij,ij->i", part, part)
    sums = squares[:, None] + squares[None, :]
    found = np.maximum(sums - 2 * products, 0.0)
    near = np.argwhere(np.triu(found <= _NEAR * sums, 1))
    for i, j in near:
        difference = points[i].astype(np.float64) - points[j]
        found[i, j] = found[j, i] = difference @ difference
    np.fill_diagonal(found, 0.0)
    result: Floats = np.sqrt((found + found.T) / 2)
    return result
