"""Where each class comes apart from the others, and which classes it is mixed with at every layer.

All of it is read off the graphs of a LayerGeometry, on the neighbours that its main curve counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, shorten
from stgcnlib.geometry.measure import graphs_without
from stgcnlib.geometry.smoothness import check_labels, transition

if TYPE_CHECKING:
    from stgcnlib.geometry.layers import LayerGeometry

__all__ = ["class_confusions", "class_separation", "class_shares", "node_shares"]

Floats = NDArray[np.float64]

CLEAR = 0.1
"""A class whose smoothness at the input is at most this is separate before the network begins."""
RELEVANT = 0.1
"""A fall of less than this share of the value at the input counts as none."""


def node_shares(graph: DSGraph, labels: ArrayLike, *, classes: int | None = None) -> Floats:
    """(N, C) share of each node's neighbourhood weight that lies on each class; rows sum to 1.

    A node without neighbours has a row of zeros. `classes=None` takes the largest label + 1.

    Raises:
        GraphError: labels do not fit the graph.
    """
    y = check_labels(labels, len(graph))
    count = int(y.max()) + 1 if classes is None else classes
    if count <= y.max():
        raise GraphError(f"classes={count}, but label {int(y.max())} occurs; give at least {int(y.max()) + 1}")
    shares: Floats = np.asarray(transition(graph) @ np.eye(count)[y], dtype=np.float64)
    return shares


def class_shares(graph: DSGraph, labels: ArrayLike, *, classes: int | None = None) -> Floats:
    """(C, C) where the neighbourhood weight of a class leads, every node counting 1: row c is the mean over its nodes.

    The diagonal is 1 minus the class's random-walk smoothness. Rows of classes without nodes are NaN.
    """
    shares = node_shares(graph, labels, classes=classes)
    y = check_labels(labels, len(graph))
    total = np.zeros((shares.shape[1], shares.shape[1]))
    np.add.at(total, y, shares)
    rows = total.sum(axis=1, keepdims=True)
    means: Floats = np.divide(total, rows, out=np.full_like(total, np.nan), where=rows > 0)
    return means


def class_confusions(
    geometry: LayerGeometry, *, distances: Mapping[str, ArrayLike] | None = None, network: str = "trained"
) -> pd.DataFrame:
    """Which classes each class is mixed with, at every layer.

    Args:
        geometry: whose graphs are read.
        distances: layer name -> (N, N) distances that its graphs were built from: intervals make the graphs anew
            without each part of the recordings. None: no intervals (NaN).
        network: whose.

    Returns:
        One row per (layer, class, other class that occurs): layer, index, title, class_index, class_name,
        other_index, other_name, share (of the class's neighbourhood weight that lies on the other; 1 − smoothness
        for the class itself), low, high (jackknife interval), chance (the share with shuffled labels, to the
        accuracy of large N), rank (1 = the class it is mixed with most, itself left out; 0 = itself).

    Raises:
        GraphError: the geometry has no such network.
    """
    y, names, jackknife = geometry.labels, class_names(geometry), geometry.jackknife
    present = np.unique(y)
    sizes = np.bincount(y, minlength=len(names))
    rows: list[dict[str, Any]] = []
    for where, graph in _layers(geometry, network):
        shares = node_shares(graph, y, classes=len(names))
        without = None if distances is None else _shares_without(geometry, distances[where["layer"]], len(names))
        for c in present:
            mean = shares[y == c].mean(axis=0)
            rank = np.zeros(len(names), dtype=np.int64)
            others = [int(other) for other in np.argsort(-mean, kind="stable") if other != c]
            rank[others] = np.arange(1, len(others) + 1)
            for other in present:
                low, high = float("nan"), float("nan")
                if without is not None:
                    found = jackknife.mean(shares[:, other], without[:, :, other], nodes=y == c)
                    low, high = max(found.low, 0.0), min(found.high, 1.0)
                rows.append(
                    where
                    | {"class_index": int(c), "class_name": names[c], "other_index": int(other)}
                    | {"other_name": names[other], "share": float(mean[other]), "low": low, "high": high}
                    | {"chance": float((sizes[other] - (other == c)) / (len(y) - 1)), "rank": int(rank[other])}
                )
    return pd.DataFrame(rows)


def class_separation(geometry: LayerGeometry, *, network: str = "trained", clear: float = CLEAR) -> pd.DataFrame:
    """Which classes separate from the others, and at which layer.

    Whether: the fall of a class's smoothness from the input to the last layer is tested by its jackknife interval
    (graphs made anew without each subject). Among many classes some fall by chance, so the p-values of all classes that
    are not separate at the input are corrected together after Benjamini and Hochberg: of the classes that are said to
    separate, at most a share of 1 − confidence does so by chance, on average; where none does, none is named in that
    share of cases (simulated in tests/geometry/test_separation.py).

    Where: at the first layer from which on, at every layer, the fall from the input is above 0, each by an interval of
    the level that the correction left. Without a test, `half` is the depth at which half of the fall from the input to
    the last layer is done, and `half_least` and `half_most` are its range with nobody or one subject left out: they show
    how firm it is and are no confidence interval.

    Args:
        geometry: with the input (index 0) and one layer at least.
        network: "trained" or "untrained".
        clear: a class at or below this at the input is "separate at the input", whatever follows.

    Returns:
        One row per class that occurs: class_index, class_name, n, status ("separates"; "separate at the input";
        "does not": the interval excludes a fall of 10% of the value at the input; "not decided"), layer, index, title
        (of the separating layer; None, NaN and None where there is none), half, half_least, half_most (index of a
        layer, with fractions; NaN without a fall), input, at (smoothness at that layer, else at the last), drop, low,
        high (input − at, with the interval of one class alone), p, p_adjusted (of the fall to the last layer; NaN for a
        class that is separate at the input), last (smoothness at the last layer).

    Raises:
        GraphError: the geometry lacks the network, the input or a further layer.
    """
    y, names, jackknife = geometry.labels, class_names(geometry), geometry.jackknife
    curve, values = geometry.curve(network), geometry.node_values(network)
    if len(curve) < 2 or curve["index"].iloc[0] != 0:
        raise GraphError(f"separation needs the input and a layer of network {network!r}; here are {len(curve)} layers")
    without = geometry.node_values_without(network)
    indices = curve["index"].to_numpy(dtype=np.float64)
    present = np.unique(y)
    falls = {
        c: [jackknife.mean(values[0] - v, without[0] - w, nodes=y == c) for v, w in zip(values, without, strict=True)]
        for c in present
    }
    start = {c: float(values[0, y == c].mean()) for c in present}
    tested = [c for c in present if start[c] > clear]
    p = np.array([falls[c][-1].p_value for c in tested])
    adjusted = benjamini_hochberg(p)
    level = _level(p, adjusted, 1 - jackknife.confidence)
    rows: list[dict[str, Any]] = []
    for c in present:
        drops = falls[c]
        place, known = len(curve), c in tested
        row: dict[str, Any] = {"class_index": int(c), "class_name": names[c], "n": int((y == c).sum())}
        own = {"p": float("nan"), "p_adjusted": float("nan")}
        if known:
            own = {"p": float(p[tested.index(c)]), "p_adjusted": float(adjusted[tested.index(c)])}
            margins = np.array([replace(each, confidence=1 - level).half if level else np.inf for each in drops])
            if own["p_adjusted"] <= 1 - jackknife.confidence and drops[-1].value > 0:
                place = int(_first_kept(np.array([each.value for each in drops]) > margins))
        left = np.stack([jackknife.means(without[0] - w, nodes=y == c) for w in without], axis=1)  # (P, layers)
        half = _half(np.array([each.value for each in drops]), indices)
        halves = np.array([depth for depth in [half, *(_half(each, indices) for each in left)] if np.isfinite(depth)])
        status = "separate at the input"
        if known:
            none = drops[-1].high < RELEVANT * start[c]
            status = "separates" if place < len(curve) else "does not" if none else "not decided"
        at = min(place, len(curve) - 1)
        here = status == "separates"
        rows.append(
            row
            | {"status": status, "layer": str(curve["layer"].iloc[at]) if here else None}
            | {"index": float(curve["index"].iloc[at]) if here else float("nan")}
            | {"title": str(curve["title"].iloc[at]) if here else None}
            | {"half": half}
            | {"half_least": float(halves.min()) if halves.size else float("nan")}
            | {"half_most": float(halves.max()) if halves.size else float("nan")}
            | {"input": start[c], "at": float(values[at, y == c].mean()), "drop": drops[at].value}
            | {"low": drops[at].low, "high": drops[at].high, **own, "last": float(values[-1, y == c].mean())}
        )
    return pd.DataFrame(rows)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """(n,) p-values adjusted after Benjamini and Hochberg (1995); NaN stays and is not counted."""
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    if known.size:
        from scipy.stats import false_discovery_control

        adjusted[known] = false_discovery_control(given[known])
    return adjusted


def _level(p: Floats, adjusted: Floats, share: float) -> float:
    """The level that the correction leaves for one class's interval: the share times the part of classes found.

    It is also the level at which intervals of selected classes hold together (Benjamini and Yekutieli 2005).
    """
    known = np.isfinite(p)
    return share * float((adjusted[known] <= share).sum()) / max(1, int(known.sum()))


def _shares_without(geometry: LayerGeometry, distances: ArrayLike, classes: int) -> Floats:
    """(P, N, C) shares of each node where graphs are made anew without each part; NaN for the part's own nodes."""
    y, settings = geometry.labels, geometry.settings
    found = np.full((geometry.jackknife.count, len(y), classes), np.nan)
    graphs = graphs_without(
        geometry.jackknife, distances, k=int(settings["k"]), exclude=geometry.groups, sigma=settings["sigma"],
        symmetrize=settings["symmetrize"], solver=settings["solver"],
    )  # fmt: skip
    for part, (keep, graph) in enumerate(graphs):
        if graph is not None:
            found[part, keep] = node_shares(graph, y[keep], classes=classes)
    return found


def _half(drops: Floats, indices: Floats) -> float:
    """The depth at which half of the last drop is reached first, straight between layers; NaN without a fall."""
    if not drops[-1] > 0:
        return float("nan")
    goal = drops[-1] / 2
    after = int((drops >= goal).argmax())
    if after == 0:
        return float(indices[0])
    share = (goal - drops[after - 1]) / (drops[after] - drops[after - 1])
    return float(indices[after - 1] + share * (indices[after] - indices[after - 1]))


def _first_kept(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(…,) first position along the last axis from which on all are true; its length where there is none."""
    kept = np.logical_and.accumulate(holds[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(np.where(kept.any(axis=-1), kept.argmax(axis=-1), holds.shape[-1]), dtype=np.int64)


def class_names(geometry: LayerGeometry) -> list[str]:
    """Name of every class up to the largest label."""
    geometry.expect_classes()
    known = geometry.per_class.drop_duplicates("class_index").set_index("class_index")["class_name"]
    return [str(known.get(c, f"class {c}")) for c in range(int(geometry.labels.max()) + 1)]


def _layers(geometry: LayerGeometry, network: str) -> Sequence[tuple[dict[str, Any], DSGraph]]:
    """(where, graph) of each layer of the main curve, by depth."""
    curve = geometry.curve(network)
    if curve.empty:
        raise GraphError(
            f"the geometry has no network {network!r}; it has {shorten(geometry.table['network'].unique())}"
        )
    return [
        (
            {"layer": str(row["layer"]), "index": int(row["index"]), "title": str(row["title"])},
            geometry.graphs[(str(row["layer"]), network, geometry.neighbours)],
        )
        for _, row in curve.iterrows()
    ]
