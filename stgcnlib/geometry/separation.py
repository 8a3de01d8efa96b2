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
    from stgcnlib.dtw import LayerDistances
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
    """(C, C) share of each class's neighbourhood weight on each class: row c is the mean of `node_shares` over class c.

    The diagonal is 1 minus the class's random-walk smoothness. Rows of classes without nodes are NaN.

    Source: our choice.

    Args:
        labels: (N,) class indices.
        classes: C; None: the largest label + 1.

    Raises:
        GraphError: labels do not fit the graph.
    """
    shares = node_shares(graph, labels, classes=classes)
    y = check_labels(labels, len(graph))
    total = np.zeros((shares.shape[1], shares.shape[1]))
    np.add.at(total, y, shares)
    rows = total.sum(axis=1, keepdims=True)
    means: Floats = np.divide(total, rows, out=np.full_like(total, np.nan), where=rows > 0)
    return means


def class_confusions(
    geometry: LayerGeometry,
    *,
    distances: Mapping[str, LayerDistances | ArrayLike] | None = None,
    network: str = "trained",
) -> pd.DataFrame:
    """Which classes each class is mixed with, at every layer.

    Source: our choice.

    Args:
        geometry: whose graphs are read.
        distances: layer name -> (N, N) distances, or `LayerDistances`, that its graphs were built from: intervals make
            the graphs anew without each part of the recordings. None: no intervals (NaN).
        network: whose.

    Returns:
        One row per (layer, class, other class that occurs): layer, index, title, class_index, class_name,
        other_index, other_name, share (of the class's neighbourhood weight that lies on the other; 1 − smoothness
        for the class itself), low, high (jackknife interval), chance (the expected share with shuffled labels),
        rank (1 = the class it is mixed with most, itself left out; 0 = itself).

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
            others = present[present != c]  # a class that does not occur has no row, and no rank either
            rank[others[np.argsort(-mean[others], kind="stable")]] = np.arange(1, len(others) + 1)
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

    Where: at the first layer from which on, at every layer, the interval of the fall from the input is above 0. These
    intervals have the level that the correction gives. Without a test, `half` is the depth at which half of the fall
    from the input to the last layer is done, and `half_least` and `half_most` are its range with no subject or one
    subject left out: they show how stable it is, and are not a confidence interval.

    Source: our choice (docs/method.md, "Further measures of a layer").

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
    curve = geometry.curve(network)
    if len(curve) < 2 or curve["index"].iloc[0] != 0:
        raise GraphError(
            f"separation needs the input and at least one layer of network {network!r}; the geometry has {len(curve)} "
            "layers of it"
        )
    names, share = class_names(geometry), 1 - geometry.jackknife.confidence
    classes = [_Class(geometry, network, int(c)) for c in np.unique(geometry.labels)]
    p = np.array([each.falls[-1].p_value if each.start > clear else np.nan for each in classes])
    adjusted = benjamini_hochberg(p)
    level = share * float((adjusted <= share).sum()) / max(1, int(np.isfinite(p).sum()))
    rows: list[dict[str, Any]] = []
    for each, own, corrected in zip(classes, p, adjusted, strict=True):
        place = each.place(level) if corrected <= share else len(curve)
        status = "separate at the input"
        if each.start > clear:
            none = each.falls[-1].high < RELEVANT * each.start
            status = "separates" if place < len(curve) else "does not" if none else "not decided"
        at = min(place, len(curve) - 1)
        nowhere = {"layer": None, "index": float("nan"), "title": None}
        where: Any = curve.iloc[at] if status == "separates" else nowhere
        rows.append(
            {"class_index": each.index, "class_name": names[each.index], "n": each.size, "status": status}
            | {"layer": where["layer"], "index": float(where["index"]), "title": where["title"], **each.half()}
            | {"input": each.start, "at": each.start - each.falls[at].value, "drop": each.falls[at].value}
            | {"low": each.falls[at].low, "high": each.falls[at].high, "p": float(own), "p_adjusted": float(corrected)}
            | {"last": each.start - each.falls[-1].value}
        )
    return pd.DataFrame(rows)


def shows_fall(separation: pd.DataFrame) -> pd.Series:
    """Of each row of `class_separation`, whether its class is shown to fall: only then `half` says where.

    It is shown where the class separates, where the interval of the fall is above 0, or, without an interval, where the
    fall is 10% of the value at the input (`RELEVANT`). Nothing is shown of a class that does not separate.

    Source: our choice.
    """
    status, drop, low = separation["status"], separation["drop"], separation["low"]
    clear = (low > 0).where(low.notna(), (drop > 0) & (drop >= RELEVANT * separation["input"]))
    return separation["half"].notna() & ((status == "separates") | clear) & (status != "does not")


class _Class:
    """One class: its falls in smoothness from the input to each layer, with intervals."""

    def __init__(self, geometry: LayerGeometry, network: str, index: int) -> None:
        values, without = geometry.node_values(network), geometry.node_values_without(network)
        jackknife, nodes = geometry.jackknife, geometry.labels == index
        self.index, self.size = index, int(nodes.sum())
        self.layers = geometry.curve(network)["index"].to_numpy(dtype=np.float64)
        self.start = float(values[0, nodes].mean())
        pairs = list(zip(values, without, strict=True))
        self.falls = [jackknife.mean(values[0] - v, without[0] - w, nodes=nodes) for v, w in pairs]
        self.left_out = np.stack([jackknife.means(without[0] - w, nodes=nodes) for w in without], axis=1)  # (P, layers)

    def place(self, level: float) -> int:
        """Position of the first layer from which on the fall is above 0 by intervals of that level.

        Where there is none, the number of layers. The level accounts for the selection of classes (Benjamini and
        Yekutieli 2005).
        """
        sure = np.array([replace(each, confidence=1 - level).low > 0 for each in self.falls])
        kept = np.logical_and.accumulate(sure[::-1])[::-1]
        return int(kept.argmax()) if kept.any() else len(kept)

    def half(self) -> dict[str, float]:
        """Where half of the fall is done, and its range with nobody or one part of the recordings left out."""
        value = _half(np.array([each.value for each in self.falls]), self.layers)
        depths = np.array([value, *(_half(each, self.layers) for each in self.left_out)])
        known = depths[np.isfinite(depths)]
        least, most = (float(known.min()), float(known.max())) if known.size else (float("nan"), float("nan"))
        return {"half": value, "half_least": least, "half_most": most}


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """(n,) p-values adjusted after Benjamini and Hochberg (1995); NaN stays and is not counted."""
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    if known.size:
        from scipy.stats import false_discovery_control

        adjusted[known] = false_discovery_control(given[known])
    return adjusted


def _shares_without(geometry: LayerGeometry, distances: LayerDistances | ArrayLike, classes: int) -> Floats:
    """(P, N, C) shares of each node where graphs are made anew without each part; NaN for the part's own nodes."""
    y = geometry.labels
    found = np.full((geometry.jackknife.count, len(y), classes), np.nan)
    for part, (keep, graph) in enumerate(graphs_without(geometry.jackknife, distances, **geometry.graph_options)):
        if graph is not None:
            found[part, keep] = node_shares(graph, y[keep], classes=classes)
    return found


def _half(drops: Floats, indices: Floats) -> float:
    """The depth at which half of the last drop is reached first, linear between layers; NaN without a fall."""
    if not drops[-1] > 0:
        return float("nan")
    goal = drops[-1] / 2
    after = int((drops >= goal).argmax())
    if after == 0:
        return float(indices[0])
    share = (goal - drops[after - 1]) / (drops[after] - drops[after - 1])
    return float(indices[after - 1] + share * (indices[after] - indices[after - 1]))


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
