"""Layer maps to explore: where the recordings lie at each layer, who neighbours whom, and how the bodies move.

Python gathers the numbers, scripts of our own draw them (assets/explorer.js): on a report's page, in a stand-alone
page, or in the workbench, where a kernel answers what the page does not hold. Without script a picture of three layers
stands in its place.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import GraphError
from stgcnlib.figures.explorer_lists import ways_in
from stgcnlib.figures.live import LiveFigure
from stgcnlib.figures.skeleton import side_colors
from stgcnlib.figures.space import camera_of, drawable, packed_points, reach_of, space_of, unit_of
from stgcnlib.figures.style import DPI, class_styles, new_figure, styled
from stgcnlib.geometry import LayerGeometry
from stgcnlib.sequences import SequenceSet

__all__ = ["distinct_names", "explorer_content", "explorer_figure", "layer_maps", "map_content"]

UNKNOWN = 65535
"""Code of a category that is not known."""
_POSES = 6_000_000  # bytes of all recordings' poses: a page of 5,000 recordings stays below 8 MB with its edges
_FRAMES = 12  # of each recording's poses; fewer where there are many recordings
_COVERED = ("node", "name", "label", "class_name", "predicted", "correct")


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
    """The map of every layer, to move through: point at a recording and it moves, click it and its neighbours show.

    Args:
        nodes: N recordings.
        geometry: of these recordings.
        planes: layer -> (N, 2) places, see `stgcnlib.geometry.aligned_planes`.
        network: whose layers are shown.
        recordings: a row per node, with the predicted class and further columns to colour by.
        findings: tables "suspects", "outliers" and "class_confusions", which become ways in.
        poses: bring the bodies along; they are most of the bytes.
        title: of the figure.

    Raises:
        GraphError: geometry, planes and recordings do not fit each other.
    """
    content = explorer_content(
        nodes,
        geometry,
        [map_content(geometry, planes, network=network)],
        recordings=recordings,
        findings=findings,
        poses=poses,
        title=title,
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
    offered: Sequence[Mapping[str, str]] = (),
    folders: Sequence[str] = (),
) -> dict[str, Any]:
    """What an explorer draws: plain JSON with numpy arrays as leaves.

    Args:
        nodes, geometry, recordings, findings, poses, title: as of `layer_maps`.
        maps: of `map_content`, the first one shown first.
        subtitle: a second line, such as where the study lies and when it was made.
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
        "nodes": {
            "count": len(nodes),
            "names": distinct_names(nodes.names),
            "apart": None if geometry.groups is None else f"group {geometry.group}",
            "categories": _categories(nodes, recordings),
            "numbers": _numbers(nodes, recordings, findings or {}),
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
) -> dict[str, Any]:
    """One network's maps, as an explorer reads them.

    Args:
        geometry: that holds this network.
        planes: layer -> (N, 2) places.
        network: its name there.
        key: by which the explorer knows it; `None`: the network's name.
        title: as shown; `None`: made of the network's name.
        study: whose network it is.

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
        matrix = geometry.graphs[(layer, network, geometry.neighbours)].directed()
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


def _categories(nodes: SequenceSet, recordings: pd.DataFrame | None) -> list[dict[str, Any]]:
    found = []
    names = list(nodes.class_names)
    if names:
        found.append(_category("class", "class", names, nodes.labels))
        if recordings is not None and "predicted" in recordings:
            predicted = recordings["predicted"].to_numpy()
            found.append(_category("predicted", "predicted class", names, predicted))
            right = np.where(predicted == nodes.labels, 0, 1)
            found.append(_category("prediction", "prediction", ["right", "wrong"], right))
    columns = {name: pd.Series(list(values)) for name, values in nodes.groups.items()}
    if recordings is not None:
        for name in recordings.columns:
            if name not in _COVERED and not name.startswith("group ") and not _numeric(recordings[name]):
                columns.setdefault(str(name), recordings[name])
    for name, column in columns.items():
        codes, values = pd.factorize(column, sort=True)
        found.append(_category(f"group {name}", str(name), [str(value) for value in values], codes))
    return found


def _category(key: str, title: str, values: Sequence[str], codes: ArrayLike) -> dict[str, Any]:
    styles = class_styles(len(values))
    return {
        "key": key,
        "title": title,
        "values": list(values),
        "codes": _codes(codes),
        "colours": [to_hex(color) for color, _ in styles],
        "markers": [marker for _, marker in styles],
    }


def _numbers(
    nodes: SequenceSet, recordings: pd.DataFrame | None, findings: Mapping[str, pd.DataFrame]
) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {}
    if nodes.targets is not None:
        columns |= {str(name): nodes.targets[:, q] for q, name in enumerate(nodes.target_names)}
    columns["frames"] = nodes.lengths
    for table, title in (("suspects", "suspect score"), ("outliers", "outlier score")):
        if table in findings:
            values = np.full(len(nodes), np.nan)
            values[findings[table]["node"].to_numpy()] = findings[table]["score"].to_numpy()
            columns[title] = values
    if recordings is not None:
        for name in recordings.columns:
            if name not in _COVERED and not name.startswith("group ") and _numeric(recordings[name]):
                columns.setdefault(str(name), recordings[name].to_numpy())
    return [{"key": name, "title": name, "values": np.asarray(v, dtype=np.float32)} for name, v in columns.items()]


def _numeric(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _codes(values: ArrayLike) -> NDArray[np.uint16]:
    codes = np.asarray(values, dtype=np.int64)
    return np.where(codes < 0, UNKNOWN, codes).astype(np.uint16)


def _poses(nodes: SequenceSet) -> dict[str, Any]:
    """A few moments of every recording, evenly over it, each recording centred."""
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
