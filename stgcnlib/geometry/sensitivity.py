"""How much label smoothness depends on choices of ours: each is changed by itself, and all others stay.

Distances depend on the options of windowed DTW only: they are computed once for each and serve every graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import knn_graph, nnk_graph
from stgcnlib.dsgraph.graph import Kind
from stgcnlib.dtw import DTWLike, DTWOptions, LayerDistances, dtw_distances, dtw_options
from stgcnlib.dtw.options import Normalization, Reading
from stgcnlib.errors import GraphError, suggest
from stgcnlib.geometry.baselines import Baseline, known_baseline, possible_baselines
from stgcnlib.geometry.floor import choose_k, rescaled, smoothness_floor
from stgcnlib.geometry.given import layer_of
from stgcnlib.geometry.measure import values_without
from stgcnlib.geometry.smoothness import check_labels, label_smoothness
from stgcnlib.geometry.uncertainty import Jackknife, deletion_groups, permutation_null
from stgcnlib.groups import fewest_candidates, largest_k, resampled_groups
from stgcnlib.progress import track

__all__ = ["OWN", "dtw_variant", "dtw_variants", "sensitivity", "sensitivity_summary"]

Floats = NDArray[np.float64]
Distances = Callable[[str, DTWOptions], LayerDistances | NDArray[np.floating]]

OWN = "own choices"
"""The value of `varied` in the rows of the curve that all others are compared with."""


@dataclass(frozen=True)
class _Variant:
    """One choice: what is varied, the value in words, and how graphs are made."""

    varied: str
    choice: str
    distance: str  # of `dtw_variants`, "" for the own, or a baseline
    kind: Kind = "nnk"
    k: int = 0
    sigma: Any = "mean-kth/3"


def sensitivity(
    store: Any,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    k: int | None = None,
    other_k: Sequence[int] = (10, 50, 100),
    kinds: Sequence[Kind] = ("nnk", "knn"),
    readings: Sequence[Reading] = ("frames", "sliding", "segments"),
    windows: Sequence[int] = (5, 17),
    normalizations: Sequence[Normalization | None] = ("path",),
    sigmas: Sequence[Any] = ("per-node",),
    baselines: Sequence[Baseline] = ("pooled", "resampled"),
    layers: Sequence[str] | None = None,
    dtw: DTWLike = None,
    distances: Distances | None = None,
    sigma: Any = "mean-kth/3",
    solver: Any = "exact",
    permutations: int = 50,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Random-walk smoothness of every layer, with one choice changed at a time.

    For each further reading, window or normalization, all DTW distances of the layers are computed; other choices need
    no further DTW.

    Source: our choice of what is varied; each quantity as in docs/method.md, "Label smoothness".

    Args:
        store: a LayerStore of N recordings.
        labels: (N,) class indices.
        groups: (N,) groups, say subjects, whose own recordings are no neighbours of each other, or None.
        resample: what intervals leave out as a whole, as `layer_geometry`; None: `groups`.
        k: the own number of candidates; None: as `choose_k`. Lowered to the most that every node can provide.
        other_k: further numbers; one that a node cannot provide is lowered, and the words of the choice say so.
        kinds: "nnk", "knn"; kNN graphs are made with every K.
        readings, windows, normalizations: of windowed DTW. Windows are changed for the reading "sliding" only.
        sigmas: kernel widths, as `nnk_graph`.
        baselines: distances without warping, as `baseline_distances`; above 2,000 recordings without "resampled".
        layers: names; None: all of the store.
        dtw: the own options, a `DTWOptions` or some of its fields.
        distances: a function (layer name, options) -> (N, N) distances, or a `LayerDistances` that reaches as far as
            the largest K needs; give it where distances are stored already. None: all pairs are computed from the
            store, layer by layer, and not kept.
        sigma: the own kernel width, as `nnk_graph`.
        solver: of NNK graphs, as `nnk_graph`.
        permutations, confidence, seed: as `layer_geometry`.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per (layer, varied, choice), the own choices first: layer, index, title, varied ("own choices", "K",
        "graph", "reading", "window", "normalization", "sigma", "distance"), choice, k, smoothness, low, high,
        null_mean, floor, rescaled, fall (smoothness at the first of the layers minus this), fall_low, fall_high,
        neighbor_count (mean kept), n. Intervals leave out one part at a time, with graphs made anew.

    Raises:
        GraphError: labels or groups do not fit, or a list names something unknown.
        SequenceError: an option of DTW is out of range or unknown.
    """
    names = tuple(layers) if layers is not None else tuple(store.layers)
    if not names:
        raise GraphError("layers is empty; give at least one")
    for kind in kinds:
        if kind not in get_args(Kind):
            raise GraphError(f"kind={kind!r} is unknown; {suggest(str(kind), get_args(Kind))}")
    names = tuple(sorted(names, key=lambda name: int(store[name].index)))
    base, count = dtw_options(dtw), len(np.asarray(labels))
    y = check_labels(labels, count)
    if fewest_candidates(groups, count).candidates < 1:
        raise GraphError("some recording has no candidate neighbour; give more groups, or groups=None")
    own = largest_k(choose_k(y, groups, wanted=k).k, groups, count)
    options = dtw_variants(base, readings=readings, windows=windows, normalizations=normalizations)
    variants = [_Variant(OWN, "", "", k=own, sigma=sigma)]
    variants += _graph_variants(own, [(asked, largest_k(asked, groups, count)) for asked in other_k], kinds, sigma)
    variants += [_Variant(*_split(name), name, k=own, sigma=sigma) for name in options]
    variants += [_Variant("sigma", str(each), "", k=own, sigma=each) for each in sigmas if each != sigma]
    variants += [
        _Variant("distance", name, name, k=own, sigma=sigma if isinstance(sigma, str) else "mean-kth/3")
        for name in possible_baselines(baselines, count)
    ]
    jackknife = Jackknife(deletion_groups(count, groups=resampled_groups(resample, groups), seed=seed), confidence)
    rows: list[dict[str, Any]] = []
    first: dict[_Variant, tuple[float, Floats]] = {}
    for name in track(names, "sensitivity", total=len(names), show=progress):
        known: dict[str, LayerDistances] = {}
        for variant in variants:
            if variant.distance not in known:
                chosen = options.get(variant.distance, base)
                if variant.varied == "distance":
                    known[variant.distance] = known_baseline(
                        store[name], variant.choice, own, count=count, exclude=groups, parts=jackknife.parts  # type: ignore[arg-type]
                    )  # fmt: skip
                else:
                    known[variant.distance] = _distances(store, name, variant, chosen, distances, count)
            layer = known[variant.distance]
            build = nnk_graph if variant.kind == "nnk" else knn_graph
            made = {"k": variant.k, "sigma": variant.sigma, "exclude": groups}
            made |= {"solver": solver} if variant.kind == "nnk" else {}
            graph = build(layer, **made)
            values = label_smoothness(graph, y, per="node")
            without = jackknife.means(values_without(jackknife, layer, y, build=build, **made))
            mean = jackknife.of(float(values.mean()), without)
            start, start_without = first.setdefault(variant, (mean.value, without))
            fall = jackknife.of(start - mean.value, start_without - without)
            null = float(permutation_null(graph, y, permutations=permutations, seed=seed).mean())
            floor = float(smoothness_floor(graph, y, groups).mean())
            rows.append(
                {"layer": name, "index": int(store[name].index), "title": str(store[name].title)}
                | {"varied": variant.varied, "choice": variant.choice, "k": variant.k}
                | {"smoothness": mean.value, "low": mean.low, "high": mean.high, "null_mean": null, "floor": floor}
                | {"rescaled": float(rescaled(mean.value, floor, null))}
                | {"fall": fall.value, "fall_low": fall.low, "fall_high": fall.high}
                | {"neighbor_count": float(graph.neighbor_counts().mean()), "n": count}
            )
    # Rows were computed layer by layer; the table lists them curve by curve.
    order = [layer * len(variants) + v for v in range(len(variants)) for layer in range(len(names))]
    return pd.DataFrame([rows[place] for place in order])


def dtw_variants(
    base: DTWOptions,
    *,
    readings: Sequence[Reading] = (),
    windows: Sequence[int] = (),
    normalizations: Sequence[Normalization | None] = (),
) -> dict[str, DTWOptions]:
    """Options that differ from `base` in one field, by name: "reading frames", "window 5", "normalization path".

    What equals `base` is left out, and so are windows where the reading has none.

    Raises:
        SequenceError: a value is out of range or unknown.
    """
    names = [f"reading {each}" for each in readings]
    names += [f"window {each}" for each in windows] if base.reading == "sliding" else []
    names += [f"normalization {'none' if each is None else each}" for each in normalizations]
    found = {name: dtw_variant(base, name) for name in dict.fromkeys(names)}
    return {name: options for name, options in found.items() if options != base}


def dtw_variant(base: DTWOptions, name: str) -> DTWOptions:
    """The options that a name of `dtw_variants` means."""
    field, value = _split(name)
    match field:
        case "window":
            return replace(base, window=int(value))
        case "normalization":
            return replace(base, normalize=None if value == "none" else value)  # type: ignore[arg-type]
        case _:
            return replace(base, reading=value)  # type: ignore[arg-type]


def _split(name: str) -> tuple[str, str]:
    field, _, value = name.partition(" ")
    return field, value


def sensitivity_summary(table: pd.DataFrame) -> pd.DataFrame:
    """How smoothness changes with depth under each choice: one row per (varied, choice) of `sensitivity`'s table.

    Columns: varied, choice, k, first and last (smoothness at the first and last layer), fall (first − last), fall_low,
    fall_high, relative_fall (of the first), lowest (title of the smoothest layer), rank_correlation (Spearman's, of the
    curve over layers with that of the first choice in the table; NaN where a curve is constant).
    """
    curves = {key: rows.sort_values("index") for key, rows in table.groupby(["varied", "choice"], sort=False)}
    reference = next(iter(curves.values()))["smoothness"].rank().to_numpy()
    rows = []
    for key, curve in curves.items():
        values, last = curve["smoothness"].to_numpy(), curve.iloc[-1]
        ranks = curve["smoothness"].rank().to_numpy()
        constant = np.ptp(ranks) == 0 or np.ptp(reference) == 0
        rows.append(
            dict(zip(("varied", "choice"), key, strict=True))
            | {"k": int(last["k"]), "first": float(values[0]), "last": float(values[-1])}
            | {name: float(last[name]) for name in ("fall", "fall_low", "fall_high")}
            | {"relative_fall": float(last["fall"]) / float(values[0]) if values[0] > 0 else float("nan")}
            | {"lowest": str(curve["title"].iloc[int(values.argmin())])}
            | {"rank_correlation": float("nan") if constant else float(np.corrcoef(ranks, reference)[0, 1])}
        )
    return pd.DataFrame(rows)


def _graph_variants(own: int, other_k: list[tuple[int, int]], kinds: Sequence[Kind], sigma: Any) -> list[_Variant]:
    """Other K, and kNN graphs with every K; one that was lowered to another's number is made once."""
    words = {own: str(own)}
    for asked, possible in other_k:
        words.setdefault(possible, str(possible) if possible == asked else f"{possible} (for {asked})")
    found = [_Variant("K", text, "", "nnk", k, sigma) for k, text in words.items() if k != own]
    if "knn" in kinds:
        found += [_Variant("graph", f"kNN, K = {text}", "", "knn", k, sigma) for k, text in words.items()]
    return found if "nnk" in kinds else [each for each in found if each.kind == "knn"]


def _distances(
    store: Any, name: str, variant: _Variant, options: DTWOptions, kept: Distances | None, count: int
) -> LayerDistances:
    matrix: Any = kept(name, options) if kept is not None else dtw_distances(store[name], dtw=options, progress=False)
    return layer_of(matrix, count, f"{name!r} ({variant.distance or OWN})")
