"""How alike the layers of several networks are: of two seeds, two epochs of a training, or two input streams.

The measures are those between the layers of one network (`statistics`), taken between networks that were recorded on
the same recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import GraphError, shorten, suggest
from stgcnlib.geometry.given import by_network, layer_of
from stgcnlib.geometry.layers import LayerGeometry
from stgcnlib.geometry.quantities import Quantities
from stgcnlib.geometry.readout import gram, pooled_features
from stgcnlib.progress import track

__all__ = ["network_likeness"]


def network_likeness(
    stores: Mapping[str, Any],
    geometry: LayerGeometry,
    *,
    distances: Mapping[str, Mapping[str, LayerDistances | ArrayLike]],
    base: str | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """How alike each layer of one network and each layer of every other network are, on the same recordings.

    Neighbours are those of the geometry's main curve. Intervals are by jackknife: one part of the recordings is left
    out at a time, and graphs and likeness are made anew. They do not cover further training runs. Above 2,000
    recordings the likeness is measured on 2,000 of them, drawn at random; their neighbours are among all.

    Source: docs/method.md, "Further measures of a layer".

    Args:
        stores: name of network -> its LayerStore; all of the same N recordings in the same order, two or more.
        geometry: of these networks (`layer_geometry`); its graphs, subjects and settings are used.
        distances: name of network -> layer name -> (N, N) distances, or `LayerDistances`, that its graphs were built
            from.
        base: the network with which all others are compared; None: the first.
        progress: draw a progress bar; None: on a terminal.

    Returns:
        One row per (other network, statistic, layer of the base, layer of the other): base, network, statistic
        ("knn_overlap", "nnk_overlap", "graph_similarity" or "cka"), first, first_index, first_title (the base's
        layer), second, second_index, second_title (the other's), value, low, high, chance (the value for unrelated
        neighbourhoods or features; NaN for "graph_similarity").

    Raises:
        GraphError: fewer than two networks, an unknown base, or geometry and distances that lack a network or layer.
    """
    given = by_network(distances)
    names = list(stores)
    if len(names) < 2:
        raise GraphError(f"{len(names)} network to compare; give the stores of two or more")
    base = names[0] if base is None else base
    if base not in names:
        raise GraphError(f"base={base!r} is unknown; {suggest(base, names)}")
    for network in names:
        missing = [layer for layer in stores[network].layers if layer not in given.get(network, {})]
        if missing or network not in geometry.networks():
            lacking = f"distances of {network!r} lack {shorten(missing)}" if missing else f"no graphs of {network!r}"
            raise GraphError(f"{lacking}; give what its geometry was measured from")
    work = Quantities(geometry, votes=1, C=1.0)
    graphs: dict[tuple[str, str], Any] = {}
    grams: dict[tuple[str, str], Any] = {}
    jobs = [(network, layer) for network in names for layer in stores[network].layers]
    for network, layer in track(jobs, "likeness of networks", total=len(jobs), show=progress):
        known = layer_of(given[network][layer], work.n, f"{layer!r} ({network})")
        graph = geometry.graphs[(layer, network, geometry.neighbours)]
        graphs[network, layer] = work.rows(work.graphs(graph, known))
        grams[network, layer] = gram(pooled_features(stores[network][layer], work.sample))
    rows = []
    for network in names:
        if network == base:
            continue
        sides = [(of, layer) for of in (base, network) for layer in stores[of].layers]
        cka = work.likeness([grams[side] for side in sides])
        own = len(stores[base].layers)
        for (i, a), (j, b) in product(enumerate(sides[:own]), enumerate(sides[own:], own)):
            first, second = a[1], b[1]
            found = work.overlaps(graphs[a], graphs[b]) | {"cka": cka(i, j)}
            chance = work.chances(graphs[a], graphs[b])
            one, other = stores[base][first], stores[network][second]
            where = {"base": base, "network": network}
            layers = {"first": first, "first_index": int(one.index), "first_title": str(one.title)}
            layers |= {"second": second, "second_index": int(other.index), "second_title": str(other.title)}
            for statistic, row in found.items():
                numbers = {key: row[key] for key in ("value", "low", "high")} | {"chance": chance[statistic]}
                rows.append(where | {"statistic": statistic} | layers | numbers)
    table = pd.DataFrame(rows)
    order = table["network"].map(names.index)
    table = table.assign(order=order).sort_values(["order", "statistic", "first_index", "second_index"], kind="stable")
    return table.drop(columns="order").reset_index(drop=True)
