"""How label smoothness depends on the number of nodes: the same layers measured on parts of the nodes.

With more recordings a node's neighbours are nearer, so a value of smoothness holds for its number of nodes only.
Distances are given; only graphs are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.dtw.known import LayerDistances, as_layer_distances
from stgcnlib.errors import GraphError
from stgcnlib.geometry.floor import smoothness_floor
from stgcnlib.geometry.layers import TRAINED, LayerGeometry
from stgcnlib.geometry.targets import node_smoothness, vary
from stgcnlib.groups import fewest_candidates, largest_k, quarters
from stgcnlib.progress import track
from stgcnlib.sampling import LEAST, proportional_order

__all__ = ["IN_PROPORTION", "SAME", "smoothness_by_density"]

SAME, IN_PROPORTION = "same K", "K in proportion"
"""Rules for K, the number of candidates, in a part of the nodes: the geometry's K, or its K times the part's share."""
COLUMNS = ["layer", "index", "title", "rule", "share", "n", "k", "draws", "smoothness", "low", "high", "floor"]
_FEWEST_K = 2


def smoothness_by_density(
    geometry: LayerGeometry,
    distances: Mapping[str, LayerDistances | ArrayLike],
    *,
    shares: Sequence[float] = (0.25, 0.5),
    draws: int = 4,
    network: str = TRAINED,
    seed: int = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Smoothness of every layer on parts of the nodes, beside that on all.

    A part keeps the shares of classes (of real targets: quarters) and of the groups that intervals leave out. Parts of
    one draw are nested; draws differ by the seed alone. A share is left out where it cannot hold two nodes of each
    class, where a node would have no candidate, or where the targets of a part would all be equal.

    Source: our choice (docs/method.md, "Further measures of a layer").

    Args:
        geometry: of N nodes, with this network; its graphs' options, neighbours and curve are taken.
        distances: layer name -> (N, N) distances between its nodes, or a `LayerDistances` of all pairs.
        shares: of the nodes, above 0 and below 1.
        draws: parts of each share.
        network: whose layers are measured.
        seed: of the draws.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per rule of K ("same K", "K in proportion"), share (ascending, 1 last) and layer: layer, index, title,
        rule, share, n (nodes), k (candidates; "same K" is lowered to what every node can provide), draws, smoothness
        (mean over draws), low, high (the least and the most of the draws; of share 1 the interval of the geometry),
        floor (mean over draws; NaN for real targets).

    Raises:
        GraphError: a share is out of range, `draws` is below 1, or distances lack a layer, are of other nodes or not
            of all pairs.
    """
    if draws < 1 or not all(0 < share < 1 for share in shares):
        raise GraphError(f"draws={draws}, shares={list(shares)}; expected at least one draw and shares between 0 and 1")
    curve, count = geometry.curve(network), len(geometry.told)
    known = {name: _all_pairs(distances, str(name), count) for name in curve["layer"] if shares}
    parts = {share: _parts(geometry, share, draws, seed) for share in sorted(set(shares))}
    jobs = [(name, share) for name in curve["layer"] for share in parts]
    found: dict[tuple[str, float, str], dict[str, Any]] = {}
    for name, share in track(jobs, "density", total=len(jobs), show=progress):
        for rule in (SAME, IN_PROPORTION):
            found[name, share, rule] = _measured(geometry, known[name], parts[share], rule, share)
    rows = []
    for rule in (SAME, IN_PROPORTION):
        for share, drawn in parts.items():
            rows += [_named(row, rule, share) | found[str(row["layer"]), share, rule]
                     for _, row in curve.iterrows() if drawn]  # fmt: skip
        rows += [
            _named(row, rule, 1.0)
            | {"n": count, "k": geometry.settings["k"], "draws": 1, "smoothness": row["smoothness"]}
            | {"low": row["low"], "high": row["high"], "floor": row["floor"] if geometry.targets is None else np.nan}
            for _, row in curve.iterrows()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _all_pairs(distances: Mapping[str, Any], name: str, count: int) -> LayerDistances:
    if name not in distances:
        raise GraphError(f"distances lack the layer {name!r}; give those of every layer of the geometry")
    known = as_layer_distances(distances[name])
    if known.count != count:
        raise GraphError(f"distances of {name!r} are between {known.count} nodes, the geometry has {count}")
    known.matrix()  # refuses distances that are not of all pairs
    return known


def _parts(geometry: LayerGeometry, share: float, draws: int, seed: int) -> list[NDArray[np.int64]]:
    """The nodes of each draw, ascending; an empty list where draws are too small, a node has no candidate or
    targets do not vary."""
    kinds = geometry.labels if geometry.targets is None else quarters(geometry.targets[:, 0])
    groups = geometry.resampled if geometry.resampled is not None else geometry.groups
    count = round(share * len(kinds))
    found = [np.sort(proportional_order(kinds, groups, seed=seed + draw)[:count]) for draw in range(draws)]
    barred = [None if geometry.groups is None else geometry.groups[nodes] for nodes in found]
    enough = count >= np.minimum(np.bincount(kinds), LEAST).sum() and all(
        fewest_candidates(each, count).candidates and vary(geometry.told[nodes])
        for nodes, each in zip(found, barred, strict=True)
    )
    return found if enough else []


def _measured(
    geometry: LayerGeometry, distances: LayerDistances, parts: list[NDArray[np.int64]], rule: str, share: float
) -> dict[str, Any]:
    options = geometry.graph_options
    wanted = options["k"] if rule == SAME else max(_FEWEST_K, round(options["k"] * share))
    values, floors, sizes = [], [], []
    for nodes in parts:
        barred = None if geometry.groups is None else geometry.groups[nodes]
        sizes.append(largest_k(wanted, barred, len(nodes)))
        graph = nnk_graph(distances.select(nodes), **{**options, "k": sizes[-1], "exclude": barred})
        values.append(float(node_smoothness(graph, geometry.told[nodes]).mean()))
        if geometry.targets is None:
            floors.append(float(smoothness_floor(graph, geometry.labels[nodes], barred).mean()))
    if not parts:
        return {}
    return {
        "n": len(parts[0]),
        "k": min(sizes),
        "draws": len(parts),
        "smoothness": float(np.mean(values)),
        "low": min(values),
        "high": max(values),
        "floor": float(np.mean(floors)) if floors else np.nan,
    }


def _named(row: pd.Series, rule: str, share: float) -> dict[str, Any]:
    return {"layer": row["layer"], "index": row["index"], "title": row["title"], "rule": rule, "share": share}
