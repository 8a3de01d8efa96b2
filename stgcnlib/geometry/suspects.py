"""Single recordings worth a look: labels that their neighbourhoods contradict, and recordings far from all others.

Both are ranked lists with their evidence layer by layer, for a person to check; nothing is corrected here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.errors import GraphError, LayerNotFoundError, suggest
from stgcnlib.geometry.separation import class_names, node_shares

if TYPE_CHECKING:
    from stgcnlib.geometry.layers import LayerGeometry

__all__ = ["Findings", "doubtful_labels", "late_layers", "odd_performances", "outliers", "suspect_labels"]

Floats = NDArray[np.float64]

PRIOR = 0.1
"""Weight, in recordings, of a uniform share of all classes that keeps rare mixtures from having probability 0."""

ODD = 3.0
"""Robust standard deviations, mean over layers, from which a recording counts as an odd performance."""


@dataclass(frozen=True)
class Findings:
    """Attributes: table, one row per recording, most striking first; evidence, one row per recording and layer."""

    table: pd.DataFrame
    evidence: pd.DataFrame


def late_layers(geometry: LayerGeometry, network: str = "trained") -> list[str]:
    """The second half of the network's layers by depth, at least one; the input is none of them."""
    curve = geometry.curve(network)
    deep = curve[curve["index"] > 0]["layer"].astype(str).tolist()
    if not deep:
        raise GraphError(f"the geometry has no layer of network {network!r} besides the input")
    return deep[len(deep) // 2 :]


def suspect_labels(
    geometry: LayerGeometry, *, layers: Sequence[str] | None = None, network: str = "trained"
) -> Findings:
    """Recordings whose neighbours at late layers say that they belong to another class, most suspicious first.

    At each layer a recording has a row p of shares: how much of its neighbourhood weight lies on each class. Only other
    subjects count, where subjects are known, so that a person's own mislabelled repetitions do not confirm each
    other. Q_c is the mean row of class c's recordings, this one left out. The evidence of a layer for class c
    against the given label y is the log-likelihood ratio Σ_d p_d log(Q_c[d] / Q_y[d]), in nats per neighbour: a
    neighbour's vote counts more when its class is rarely confused with this one. `score` is its mean over the layers
    for the class where that mean is largest; above 0 the other class explains the neighbourhood better.

    A network that was trained on a wrong label may have memorised it, and then places the recording within the wrong
    class at the last layer. Several layers are therefore joined. Where training recordings are among the nodes, give
    the earlier layers too (``layers=store.layers``).

    Source: our choice.

    Args:
        geometry: of N recordings.
        layers: names of the layers to join; None: the second half of the network (`late_layers`).
        network: "trained" or "untrained".

    Returns:
        table: rank (from 1), node, label, class_name, alternative, alternative_name, score, agreeing (layers at which
        the alternative holds more weight than the label), layers (number joined), own_share, alternative_share (means
        over layers), verdict: with a score above 0 "all" (no neighbour at any of the layers carries the label)
        or "most" (the alternative outweighs the label at more than half of them), else "".
        evidence: node, layer, index, title, own_share, alternative_share, evidence, in the order of rank and depth.

    Raises:
        GraphError: fewer than two classes occur. LayerNotFoundError: an unknown layer.
    """
    chosen = _chosen(geometry, layers, network)
    y, names = geometry.labels, class_names(geometry)
    present = np.unique(y)
    if len(present) < 2:
        raise GraphError("suspect labels need at least two classes")
    graphs = [geometry.graphs[(name, network, geometry.neighbours)] for name in chosen]
    shares = np.stack([node_shares(graph, y, classes=len(names))[:, present] for graph in graphs])  # (L, N, C)
    codes = np.searchsorted(present, y)
    ratios = np.stack([_log_ratios(layer, codes) for layer in shares])  # (L, N, C)
    mean = ratios.mean(axis=0)
    mean[np.arange(len(y)), codes] = -np.inf
    other = mean.argmax(axis=1)
    score = mean[np.arange(len(y)), other]
    nodes = np.arange(len(y))
    own, alternative = shares[:, nodes, codes], shares[:, nodes, other]  # (L, N)
    agreeing = (alternative > own).sum(axis=0)
    all_other = (own == 0).all(axis=0) & (shares.sum(axis=2) > 0).all(axis=0) & (score > 0)
    most = (agreeing > len(chosen) / 2) & (score > 0)
    order = np.argsort(-score, kind="stable")
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(y) + 1),
            "node": order,
            "label": y[order],
            "class_name": [names[c] for c in y[order]],
            "alternative": present[other[order]],
            "alternative_name": [names[c] for c in present[other[order]]],
            "score": score[order],
            "agreeing": agreeing[order],
            "layers": len(chosen),
            "own_share": own.mean(axis=0)[order],
            "alternative_share": alternative.mean(axis=0)[order],
            "verdict": np.where(all_other, "all", np.where(most, "most", ""))[order],
        }
    )
    evidence = _evidence(
        geometry,
        chosen,
        order,
        {"own_share": own, "alternative_share": alternative, "evidence": ratios[:, nodes, other]},
    )
    return Findings(table, evidence)


def outliers(geometry: LayerGeometry, *, layers: Sequence[str] | None = None, network: str = "trained") -> Findings:
    """Recordings that lie far from their own neighbours, most remote first.

    At each layer `distance` is the mean distance of a node to its kept NNK neighbours by weight (to its nearest
    candidate where solver "pynnk" keeps none), relative to the median of that over all nodes. `z` says how many robust
    standard deviations (1.4826 times the median absolute deviation) the logarithm of `distance` lies above its median.
    `score` is the mean of z over the layers.

    Source: our choice.

    Args:
        geometry: of N recordings.
        layers: names; None: all layers of the network, the input included.
        network: "trained" or "untrained".

    Returns:
        table: rank, node, label, class_name, score, distance (geometric mean over layers). evidence: node, layer,
        index, title, distance, z.

    Raises:
        LayerNotFoundError: an unknown layer.
        GraphError: `layers` is empty.
    """
    every = geometry.curve(network)["layer"].astype(str).tolist()
    chosen = _chosen(geometry, layers if layers is not None else every, network)
    names, y = class_names(geometry), geometry.labels
    relative, scores = [], []
    for name in chosen:
        graph = geometry.graphs[(name, network, geometry.neighbours)]
        total = graph.weights.sum(axis=1)
        # A node that the published solver leaves without a neighbour gets the distance of its nearest candidate.
        near = graph.candidate_distances[:, 0].copy()
        kept = np.divide((graph.weights * graph.candidate_distances).sum(axis=1), total, out=near, where=total > 0)
        # A duplicate has distance 0, which has no logarithm: it gets the smallest distance above 0.
        floor = kept[kept > 0].min() if (kept > 0).any() else 1.0
        logs = np.log(np.maximum(kept, floor))
        logs -= np.median(logs)
        spread = 1.4826 * float(np.median(np.abs(logs)))
        relative.append(np.exp(logs))
        scores.append(logs / spread if spread > 0 else np.zeros(len(y)))
    distance, z = np.stack(relative), np.stack(scores)
    score = z.mean(axis=0)
    order = np.argsort(-score, kind="stable")
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(y) + 1),
            "node": order,
            "label": y[order],
            "class_name": [names[c] for c in y[order]],
            "score": score[order],
            "distance": np.exp(np.log(distance).mean(axis=0))[order],
        }
    )
    return Findings(table, _evidence(geometry, chosen, order, {"distance": distance, "z": z}))


def _log_ratios(shares: Floats, codes: NDArray[np.int64]) -> Floats:
    """(N, C) Σ_d p_d log(Q_c[d] / Q_y[d]) of one layer; Q without the node itself."""
    classes = shares.shape[1]
    total = np.zeros((classes, classes))
    np.add.at(total, codes, shares)
    sizes = np.bincount(codes, minlength=classes).astype(np.float64)
    Q = (total + PRIOR / classes) / (sizes + PRIOR)[:, None]
    against = shares @ np.log(Q).T  # (N, C): Σ_d p_d log Q_c[d]
    own = (total[codes] - shares + PRIOR / classes) / (sizes[codes] - 1 + PRIOR)[:, None]
    given = (shares * np.log(np.maximum(own, np.finfo(np.float64).tiny))).sum(axis=1)
    ratios: Floats = against - given[:, None]
    return ratios


def _chosen(geometry: LayerGeometry, layers: Sequence[str] | None, network: str) -> list[str]:
    known = geometry.curve(network)["layer"].astype(str).tolist()
    chosen = late_layers(geometry, network) if layers is None else [str(name) for name in layers]
    if not chosen:
        raise GraphError("layers is empty; name at least one")
    for name in chosen:
        if name not in known:
            raise LayerNotFoundError(f"the geometry has no layer {name!r} of {network!r}; {suggest(name, known)}")
    return chosen


def _evidence(
    geometry: LayerGeometry, layers: Sequence[str], order: NDArray[np.int64], columns: dict[str, Floats]
) -> pd.DataFrame:
    """One row per (node, layer), nodes in the given order; columns hold (layers, N)."""
    rows = geometry.table.drop_duplicates("layer").set_index("layer")
    count = len(layers)
    table: dict[str, Any] = {"node": np.repeat(order, count), "layer": list(layers) * len(order)}
    table |= {name: [rows[name][layer] for layer in layers] * len(order) for name in ("index", "title")}
    table |= {name: values[:, order].T.ravel() for name, values in columns.items()}
    return pd.DataFrame(table)


def doubtful_labels(suspects: pd.DataFrame) -> pd.DataFrame:
    """The rows of `suspects` whose label is doubtful: another class explains the neighbourhood better.

    It does so over all layers (a score above 0), and outweighs the label at more than half of them.

    Source: our choice.
    """
    return suspects[suspects["verdict"] != ""]


def odd_performances(outliers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `outliers` that lie far from their neighbours: by more than 3 robust standard deviations (`ODD`).

    Source: our choice.
    """
    return outliers[outliers["score"] > ODD]
