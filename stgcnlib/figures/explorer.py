"""Layer maps to explore: where the recordings lie at each layer, which are neighbours, and how the bodies move.

Python gathers the numbers, and our own scripts draw them (assets/explorer.js): on a report's page, in a stand-alone
page, or in the workbench, where a kernel sends what the page does not hold. Without scripts, a picture of three layers
is shown instead.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.figures.explorer_columns import categories, numbers
from stgcnlib.figures.explorer_lists import ways_in
from stgcnlib.figures.live import LiveFigure
from stgcnlib.figures.skeleton import side_colors
from stgcnlib.figures.space import camera_of, drawable, packed_points, reach_of, space_of, unit_of
from stgcnlib.figures.style import DPI, class_styles, new_figure, styled
from stgcnlib.geometry import LayerGeometry
from stgcnlib.sequences import SequenceSet

__all__ = ["distinct_names", "explorer_content", "explorer_figure", "layer_maps", "map_content"]

_POSES = 6_000_000  # bytes of all recordings' poses: a page of 5,000 recordings stays below 8 MB with its edges
_MOST_POSED = 5000  # recordings, at most, whose poses a page contains
_EDGES = 4_400_000  # bytes of all edges that a page contains
_FEWEST = 3  # edges of each recording at a layer that it contains at least
_FRAMES = 12  # of each recording's poses; fewer where there are many recordings


def layer_maps(
    nodes: SequenceSet,
    geometry: LayerGeometry,
    planes: Mapping[str, ArrayLike],
    *,
    network: str = "trained",
    recordings: pd.DataFrame | None = None,
    findings: Mapping[str, pd.DataFrame] | None = None,
    poses: bool = True,
    title: str = "",
) -> LiveFigure:
    """The map of every layer, with a slider: point at a recording to see it move, click it to see its neighbours.

    To keep the page small, it has only the heaviest edges of a large set, and no poses of more than 5,000 recordings; a
    note above the map then says so.

    Args:
        nodes: N recordings.
        geometry: of these recordings.
        planes: layer -> (N, 2) places, see `stgcnlib.geometry.aligned_planes`.
        network: whose layers are shown.
        recordings: a row per node, with the predicted class and further columns to colour by.
        findings: tables "suspects", "outliers" and "class_confusions", from which lists are made (`ways_in`).
        poses: include the poses of the bodies; they take most of the bytes.
        title: of the figure.

    Raises:
        GraphError: geometry, planes and recordings do not fit each other.
    """
    layers = [geometry.graphs[(str(layer), network, geometry.neighbours)] for layer in geometry.curve(network)["layer"]]
    most = max(_FEWEST, _EDGES // (8 * max(len(nodes) * len(layers), 1)))
    left_out = []
    if any(graph.neighbor_counts().max(initial=0) > most for graph in layers):
        left_out.append(f"edges but the {most} heaviest of each recording at a layer")
    if poses and len(nodes) > _MOST_POSED:
        left_out.append("poses")
        poses = False
    said = f"Left out of this page to keep it small: {' and '.join(left_out)}; the workbench shows them."
    content = explorer_content(
        nodes,
        geometry,
        [map_content(geometry, planes, network=network, most=most)],
        recordings=recordings,
        findings=findings,
        poses=poses,
        title=title,
        note=said if left_out else "",
    )
    return explorer_figure(content)


def explorer_content(
    nodes: SequenceSet,
    geometry: LayerGeometry,
    maps: Sequence[Mapping[str, Any]],
    *,
    recordings: pd.DataFrame | None = None,
    findings: Mapping[str, pd.DataFrame] | None = None,
    poses: bool = True,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    offered: Sequence[Mapping[str, str]] = (),
    folders: Sequence[str] = (),
) -> dict[str, Any]:
    """What an explorer draws: plain JSON with numpy arrays as leaves.

    Args:
        nodes, geometry, recordings, findings, poses, title: as of `layer_maps`.
        maps: of `map_content`, the first one shown first.
        subtitle: a second line, such as where the study lies and when it was made.
        note: a sentence below them, such as what is left out.
        offered: key and title of each further map that a kernel can send.
        folders: of the finished studies, for code that opens the same view again.

    Raises:
        GraphError: the geometry is of other recordings.
    """
    if len(geometry.labels) != len(nodes):
        raise GraphError(f"the geometry has {len(geometry.labels)} recordings, the set has {len(nodes)}")
    return {
        "version": 1,
        "title": title,
        "subtitle": subtitle,
        "note": note,
        "measured": geometry.measured,
        "nodes": {
            "count": len(nodes),
            "names": distinct_names(nodes.names),
            "apart": None if geometry.groups is None else f"group {geometry.group}",
            "categories": categories(nodes, recordings),
            "numbers": numbers(nodes, recordings, findings or {}),
        },
        "maps": list(maps),
        "offered": [dict(each) for each in offered],
        "poses": _poses(nodes) if poses and drawable(nodes) else None,
        "lists": ways_in(nodes, geometry, maps[0]["key"], recordings, findings or {}) if maps else [],
        "code": {"folders": list(folders)},
        "state": {},
    }


def map_content(
    geometry: LayerGeometry,
    planes: Mapping[str, ArrayLike],
    *,
    network: str = "trained",
    key: str | None = None,
    title: str | None = None,
    study: str = "",
    most: int | None = None,
) -> dict[str, Any]:
    """One network's maps, as an explorer reads them.

    Args:
        geometry: that holds this network.
        planes: layer -> (N, 2) places.
        network: its name there.
        key: by which the explorer knows it; `None`: the network's name.
        title: as shown; `None`: made of the network's name.
        study: whose network it is.
        most: edges of each recording at a layer, the heaviest; `None`: all.

    Returns:
        key, title, study, layers, points (L, N, 2), smoothness (L, N), classes (C, L) or None, curve (L,), all
        float32, and the directed edges: starts (L, N + 1) uint32, into ends (E,) uint32 and weights (E,) float32.

    Raises:
        GraphError: a layer has no plane, or one of another size.
    """
    curve = geometry.curve(network)
    layers, count = [str(name) for name in curve["layer"]], len(geometry.labels)
    for layer in layers:
        if layer not in planes or np.shape(planes[layer]) != (count, 2):
            raise GraphError(
                f"layer {layer!r} has no plane of {count} recordings; give aligned_planes of its distances"
            )
    starts, ends, weights, at = [], [], [], 0
    for layer in layers:
        matrix = _heaviest(geometry.graphs[(layer, network, geometry.neighbours)], most).directed()
        starts.append(matrix.indptr.astype(np.int64) + at)
        ends.append(matrix.indices)
        weights.append(matrix.data)
        at += matrix.nnz
    return {
        "key": key or network,
        "title": title or f"{network} network",
        "study": study,
        "layers": [
            {"name": layer, "title": str(name), "index": int(index)}
            for layer, name, index in zip(layers, curve["title"], curve["index"], strict=True)
        ],
        "points": np.stack([np.asarray(planes[layer], dtype=np.float32) for layer in layers]),
        "smoothness": geometry.node_values(network).astype(np.float32),
        "edges": {
            "starts": np.stack(starts).astype(np.uint32),
            "ends": np.concatenate(ends).astype(np.uint32),
            "weights": np.concatenate(weights).astype(np.float32),
        },
        "classes": _classes(geometry, network, layers),
        "curve": curve["smoothness"].to_numpy(dtype=np.float32),
    }


def explorer_figure(content: Mapping[str, Any]) -> LiveFigure:
    """The figure of a content, with a picture of the first, a middle and the last layer of its first map."""
    first, nodes = content["maps"][0], content["nodes"]
    figure = _three_layers(first, nodes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    alt = f"Maps of {len(first['layers'])} layers, {nodes['count']} recordings{_of(content['title'])}."
    return LiveFigure("explorer", content, buffer.getvalue(), round(figure.get_figwidth() * 100), alt)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Names of recordings such that each names one: of equal ones the second becomes "name (2)", and so on."""
    used, counts, found = set(names), Counter[str](), []
    for name in names:
        counts[name] += 1
        text = name
        while counts[name] > 1 and (text := f"{name} ({counts[name]})") in used:
            counts[name] += 1
        used.add(text)
        found.append(str(text))
    return found


def _heaviest(graph: DSGraph, most: int | None) -> DSGraph:
    """The graph with the `most` largest weights of each node; of equal ones those of the nearest candidates."""
    if most is None or most >= graph.weights.shape[1]:
        return graph
    kept = np.argsort(-graph.weights, axis=1, kind="stable")[:, :most]
    weights = np.zeros_like(graph.weights)
    np.put_along_axis(weights, kept, np.take_along_axis(graph.weights, kept, axis=1), axis=1)
    return replace(graph, weights=weights)


def _of(title: str) -> str:
    return f" of {title}" if title else ""


def _classes(geometry: LayerGeometry, network: str, layers: Sequence[str]) -> NDArray[np.float32] | None:
    """(C, L) label smoothness of each class, NaN for a class without recordings."""
    if geometry.targets is not None or geometry.per_class.empty:
        return None
    table = geometry.per_class
    rows = table[(table["network"] == network) & (table["neighbours"] == geometry.neighbours)]
    wide = rows.pivot(index="class_index", columns="layer", values="smoothness")
    count = int(table["class_index"].max()) + 1
    return wide.reindex(index=range(count), columns=list(layers)).to_numpy(dtype=np.float32)


def _poses(nodes: SequenceSet) -> dict[str, Any]:
    """A few evenly spaced frames of every recording, each recording centred."""
    layout = nodes.layout
    spaces = [space_of(nodes.people(i), layout) for i in range(len(nodes))]
    people, dimensions = max(len(space) for space in spaces), spaces[0].shape[-1]
    share = _POSES // (2 * len(nodes) * people * len(layout) * dimensions)
    frames = int(np.clip(share, 3, _FRAMES))
    points = np.full((len(nodes), people, frames, len(layout), dimensions), np.nan)
    for i, space in enumerate(spaces):
        moments = np.linspace(0, space.shape[1] - 1, frames).round().astype(int)
        points[i, : len(space)] = space[:, moments]
    unit = unit_of(spaces)
    cameras = [] if dimensions == 2 else [camera_of(space, layout) for space in spaces[:: max(1, len(spaces) // 50)]]
    middle = {
        name: float(np.median([camera[name] for camera in cameras])) for name in ("azimuth", "elevation") if cameras
    }
    return {
        "frames": frames,
        "people": people,
        "joints": len(layout),
        "dimensions": dimensions,
        "unit": unit,
        "bones": [list(bone) for bone in layout.bones],
        "sides": side_colors(layout),
        "range": reach_of(spaces),
        "camera": list(middle.values()) or None,
        "points": packed_points(points, unit),
    }


@styled
def _three_layers(shown: Mapping[str, Any], nodes: Mapping[str, Any]) -> Any:
    """Scatter plots of the first, a middle and the last layer."""
    layers, points = shown["layers"], shown["points"]
    picked = sorted({0, len(layers) // 2, len(layers) - 1})
    figure = new_figure(3.4, width=3.2 * len(picked), alt="Maps of some layers.")
    category = next(iter(nodes["categories"]), None)
    size = float(np.clip(3000 / max(nodes["count"], 1), 4, 22))
    for ax, k in zip(figure.subplots(1, len(picked), squeeze=False)[0], picked, strict=True):
        if category is None:
            values = nodes["numbers"][0]["values"] if nodes["numbers"] else None
            ax.scatter(*points[k].T, s=size, c=values, linewidths=0)
        else:
            styles = class_styles(len(category["values"]) + 1)
            codes = np.minimum(category["codes"], len(category["values"]))
            for c in np.unique(codes):
                color, marker = styles[c]
                ax.scatter(*points[k][codes == c].T, s=size, color=color, marker=marker, linewidths=0)
        ax.set_title(layers[k]["title"])
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    return figure
