"""Where each class comes apart from the others, and which classes it is mixed with at every layer.

All of it is read off the graphs of a LayerGeometry, on the neighbours that its main curve counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, shorten
from stgcnlib.geometry.smoothness import check_labels, transition
from stgcnlib.geometry.uncertainty import bootstrap_means, interval

if TYPE_CHECKING:
    from stgcnlib.geometry.layers import LayerGeometry

__all__ = ["class_confusions", "class_separation", "class_shares", "node_shares"]

Floats = NDArray[np.float64]

CLEAR = 0.1
"""A class whose smoothness at the input is at most this is separate before the network begins."""


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


def class_confusions(geometry: LayerGeometry, *, network: str = "trained") -> pd.DataFrame:
    """Which classes each class is mixed with, at every layer.

    Returns:
        One row per (layer, class, other class that occurs): layer, index, title, class_index, class_name,
        other_index, other_name, share (of the class's neighbourhood weight that lies on the other; 1 − smoothness
        for the class itself), low, high (bootstrap interval), chance (the share with shuffled labels, to the
        accuracy of large N), rank (1 = the class it is mixed with most, itself left out; 0 = itself).

    Raises:
        GraphError: the geometry has no such network.
    """
    y, names = geometry.labels, class_names(geometry)
    counts, confidence = geometry.resamples(), float(geometry.settings["confidence"])
    present = np.unique(y)
    sizes = np.bincount(y, minlength=len(names))
    rows: list[dict[str, Any]] = []
    for where, graph in _layers(geometry, network):
        shares = node_shares(graph, y, classes=len(names))
        for c in present:
            nodes = np.flatnonzero(y == c)
            mean = shares[nodes].mean(axis=0)
            rank = np.zeros(len(names), dtype=np.int64)
            others = [int(other) for other in np.argsort(-mean, kind="stable") if other != c]
            rank[others] = np.arange(1, len(others) + 1)
            for other in present:
                low, high = interval(bootstrap_means(shares[nodes, other], counts[:, nodes]), confidence)
                rows.append(
                    where
                    | {"class_index": int(c), "class_name": names[c], "other_index": int(other)}
                    | {"other_name": names[other], "share": float(mean[other]), "low": low, "high": high}
                    | {"chance": float((sizes[other] - (other == c)) / (len(y) - 1)), "rank": int(rank[other])}
                )
    return pd.DataFrame(rows)


def class_separation(geometry: LayerGeometry, *, network: str = "trained", clear: float = CLEAR) -> pd.DataFrame:
    """The layer at which each class separates.

    The rule: a class separates at the first layer from which on, at every layer, its smoothness stays below its
    value at the input by more than the interval of that difference (paired over the same resampled nodes, lower end
    above 0). Its uncertainty: in each bootstrap sample the same search is made for drops larger than the distance
    from the drop to the lower end of its interval; `earliest` and `latest` hold the middle share
    (`settings["confidence"]`) of the layers found.

    Args:
        geometry: with the input (index 0) and one layer at least.
        network: "trained" or "untrained".
        clear: a class at or below this at the input is "separate at the input", whatever follows.

    Returns:
        One row per class that occurs: class_index, class_name, n, status ("separates", "separate at the input",
        "never"), layer, index, title (of the separating layer; None, NaN and None where there is none), earliest,
        latest (indices; the last index + 1 stands for "never"), input, at (smoothness at that layer, else at the last),
        drop, low, high (input − at), last (smoothness at the last layer).

    Raises:
        GraphError: the geometry lacks the network, the input or a further layer.
    """
    y, names = geometry.labels, class_names(geometry)
    counts, confidence = geometry.resamples(), float(geometry.settings["confidence"])
    curve, values = geometry.curve(network), geometry.node_values(network)
    if len(curve) < 2 or curve["index"].iloc[0] != 0:
        raise GraphError(f"separation needs the input and a layer of network {network!r}; here are {len(curve)} layers")
    rows: list[dict[str, Any]] = []
    for c in np.unique(y):
        nodes = np.flatnonzero(y == c)
        drops = values[0, nodes] - values[:, nodes]  # (layers, nodes)
        samples = np.stack([bootstrap_means(drop, counts[:, nodes]) for drop in drops])  # (layers, draws)
        drop, limits = drops.mean(axis=1), np.array([interval(row, confidence) for row in samples])
        margin = drop - limits[:, 0]
        found = int(_first_kept(drop > margin))
        drawn = _first_kept((samples > margin[:, None]).T[np.isfinite(samples).all(axis=0)])
        indices = np.append(curve["index"].to_numpy(dtype=np.float64), curve["index"].iloc[-1] + 1)
        low, high = interval(indices[drawn], confidence)
        start = float(values[0, nodes].mean())
        status = "separate at the input" if start <= clear else "separates" if found < len(curve) else "never"
        known, at = status == "separates", min(found, len(curve) - 1)
        rows.append(
            {"class_index": int(c), "class_name": names[c], "n": len(nodes), "status": status}
            | {"layer": str(curve["layer"].iloc[at]) if known else None}
            | {"index": float(curve["index"].iloc[at]) if known else float("nan")}
            | {"title": str(curve["title"].iloc[at]) if known else None, "earliest": low, "latest": high}
            | {"input": start, "at": float(values[at, nodes].mean()), "drop": float(drop[at])}
            | {"low": float(limits[at, 0]), "high": float(limits[at, 1]), "last": float(values[-1, nodes].mean())}
        )
    return pd.DataFrame(rows)


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
