"""Ways into a layer's map: recordings and classes that are worth a first look, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.geometry import LayerGeometry, flip_groups, neighbor_flips
from stgcnlib.geometry.suspects import doubtful_labels, odd_performances
from stgcnlib.sequences import SequenceSet

__all__ = ["ways_in"]

_SHOWN = 20  # entries of a list


def ways_in(
    nodes: SequenceSet,
    geometry: LayerGeometry,
    key: str,
    recordings: pd.DataFrame | None,
    findings: Mapping[str, pd.DataFrame],
) -> list[dict[str, Any]]:
    """Lists of entries, each with nodes, a text, and where it shows: map, layer and, for flips, the layer before.

    Args:
        nodes: N recordings.
        geometry: of these recordings.
        key: of the map that entries lead to.
        recordings: with the predicted class of each node.
        findings: tables "suspects", "outliers" and "class_confusions"; those that are missing give no list.
    """
    lists = [
        ("suspects", "Labels that may be wrong", _suspects(nodes, findings.get("suspects"), geometry)),
        ("predictions", "Wrong predictions", _predictions(nodes, recordings, geometry)),
        ("classes", "Least smooth classes", _classes(nodes, geometry)),
        ("confusions", "Classes that mix", _confusions(nodes, findings.get("class_confusions"), geometry)),
        ("flips", "Classes whose neighbours change most, layer by layer", _flips(nodes, geometry)),
        ("movers", "Recordings that change most neighbours", _movers(nodes, geometry)),
        ("outliers", "Far from all others", _outliers(nodes, findings.get("outliers"), geometry)),
    ]
    return [
        {"key": name, "title": title, "items": [{"map": key, **item} for item in items][:_SHOWN]}
        for name, title, items in ((name, title, list(items)) for name, title, items in lists)
        if items
    ]


def _last(geometry: LayerGeometry) -> int:
    """The place of the last layer; a place counts the recorded layers, an index may leave numbers out."""
    return len(geometry.curve()) - 1


def _suspects(nodes: SequenceSet, table: pd.DataFrame | None, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    if table is None:
        return
    for row in doubtful_labels(table).head(_SHOWN).to_dict("records"):
        layers = f"{row['agreeing']} of {row['layers']} layers"
        text = f"{row['name']}: labelled {row['class_name']}, lies with {row['alternative_name']} at {layers}"
        yield {"nodes": [int(row["node"])], "text": text, "layer": _last(geometry)}


def _outliers(nodes: SequenceSet, table: pd.DataFrame | None, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    if table is None:
        return
    for row in odd_performances(table).head(_SHOWN).to_dict("records"):
        text = f"{row['name']}: {row['distance']:.2g} times as far from its neighbours as is usual"
        yield {"nodes": [int(row["node"])], "text": text, "layer": _last(geometry)}


def _predictions(
    nodes: SequenceSet, recordings: pd.DataFrame | None, geometry: LayerGeometry
) -> Iterable[dict[str, Any]]:
    if recordings is None or "predicted" not in recordings or not nodes.class_names:
        return
    predicted = recordings["predicted"].to_numpy()
    groups: dict[tuple[int, int], list[int]] = {}
    for node in np.flatnonzero(predicted != nodes.labels):
        groups.setdefault((int(nodes.labels[node]), int(predicted[node])), []).append(int(node))
    for (label, taken), members in sorted(groups.items(), key=lambda each: -len(each[1])):
        text = f"{nodes.class_names[label]} taken for {nodes.class_names[taken]}: {_recordings(len(members))}"
        yield {"nodes": members, "text": text, "layer": _last(geometry)}


def _classes(nodes: SequenceSet, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    if geometry.targets is not None:
        return
    table, last = geometry.per_class, geometry.curve()["index"].max()
    rows = table[
        (table["network"] == "trained") & (table["neighbours"] == geometry.neighbours) & (table["index"] == last)
    ].dropna(subset=["smoothness"])
    for row in rows.sort_values("smoothness", ascending=False).to_dict("records"):
        text = f"{row['class_name']}: label smoothness {row['smoothness']:.2f} at {row['title']}"
        yield {"nodes": _members(nodes, int(row["class_index"])), "text": text, "layer": _last(geometry)}


def _confusions(nodes: SequenceSet, table: pd.DataFrame | None, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    """The pairs of classes that mix more than by chance, each at the layer where it does so most in the later half."""
    if table is None:
        return
    places = {int(index): place for place, index in enumerate(geometry.curve()["index"])}
    others = table[(table["class_index"] != table["other_index"]) & (table["index"] >= (table["index"].max() + 1) // 2)]
    others = others.rename(columns={"index": "depth"}).sort_values("share", ascending=False)
    others = others.drop_duplicates(["class_index", "other_index"])
    for row in others[others["share"] > others["chance"]].to_dict("records"):
        share = f"{row['share']:.0%} of its neighbourhood (by chance {row['chance']:.0%})"
        text = f"{row['class_name']}: {share} is {row['other_name']} at {row['title']}"
        both = _members(nodes, int(row["class_index"])) + _members(nodes, int(row["other_index"]))
        yield {"nodes": both, "text": text, "layer": places[int(row["depth"])]}


def _flips(nodes: SequenceSet, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    """The two classes whose neighbours change most from each layer to the next, in order of depth."""
    if not nodes.class_names:
        return
    titles = geometry.curve()["title"].tolist()
    table = flip_groups(_graphs(geometry), nodes.labels).groupby("index").head(2).sort_values("index", kind="stable")
    for row in table.to_dict("records"):
        at, name = int(row["index"]), nodes.class_names[row["class_index"]]
        text = f"{titles[at - 1]} to {titles[at]}: {name}, {row['changed']:.0%} of the neighbours change"
        yield {"nodes": _members(nodes, row["class_index"]), "text": text, "layer": at, "from": at - 1, "to": at}


def _movers(nodes: SequenceSet, geometry: LayerGeometry) -> Iterable[dict[str, Any]]:
    """Recordings, by the mean share of neighbours that change from layer to layer."""
    graphs = list(_graphs(geometry).values())
    if len(graphs) < 2:
        return
    changed: NDArray[np.float64] = np.stack([neighbor_flips(a, b).changed for a, b in pairwise(graphs)])
    for node in np.argsort(-changed.mean(axis=0), kind="stable")[:_SHOWN]:
        at = int(changed[:, node].argmax()) + 1
        text = f"{nodes.names[node]}: {changed[:, node].mean():.0%} of its neighbours change from a layer to the next"
        yield {"nodes": [int(node)], "text": text, "layer": at, "from": at - 1, "to": at}


def _graphs(geometry: LayerGeometry) -> dict[str, Any]:
    """layer -> the first trained network's graph, in order of depth."""
    network = (geometry.networks("trained") or geometry.networks())[0]
    return {
        str(layer): geometry.graphs[(layer, network, geometry.neighbours)] for layer in geometry.curve(network)["layer"]
    }


def _members(nodes: SequenceSet, label: int) -> list[int]:
    return [int(node) for node in np.flatnonzero(nodes.labels == label)]


def _recordings(count: int) -> str:
    return f"{count} recording{'' if count == 1 else 's'}"
