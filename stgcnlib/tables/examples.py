"""The graphs, pairs, nodes and maps that pictures show as examples, chosen by fixed rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dtw import LayerDistances, as_layer_distances
from stgcnlib.errors import LayerNotFoundError, SequenceError, suggest
from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.targets import told

if TYPE_CHECKING:
    from stgcnlib.activations.store import LayerActivations
    from stgcnlib.dsgraph import DSGraph
    from stgcnlib.dtw import DTWOptions
    from stgcnlib.explain import RelevanceMap
    from stgcnlib.geometry import LayerGeometry

__all__ = [
    "Example", "alignment", "all_pairs_told", "example_maps", "example_nodes", "example_pair", "extremes",
    "layer_maps", "main_graphs", "strip_example",
]  # fmt: skip

Example: TypeAlias = "tuple[str, NDArray[np.float32], dict[str, RelevanceMap]]"
"""(title, coordinates (M, T, V, C), layer -> map): what `stgcnlib.figures.skeleton_strip` draws."""


# -- graphs and pairs --------------------------------------------------------------------------


def main_graphs(geometry: LayerGeometry) -> dict[str, DSGraph]:
    """Layer name -> DS-Graph of the trained network that the main curve reads, in order of depth."""
    return {name: geometry.graphs[(name, "trained", geometry.neighbours)] for name in geometry.curve()["layer"]}


def example_pair(
    nodes: SequenceSet, distances: LayerDistances | ArrayLike, *, groups: ArrayLike | None = None
) -> tuple[int, int]:
    """Two nodes that may be neighbours: the pair at the median distance, among pairs of equal class if there are any.

    Where not all distances are known, the median is over those to the nearest of each node.

    Args:
        nodes: N recordings.
        distances: `LayerDistances` or (N, N) array, at the input.
        groups: (N,) groups whose members are no neighbours of each other; `None`: all may be neighbours.

    Returns:
        Indices of the two nodes.

    Raises:
        SequenceError: no two nodes may be neighbours.
    """
    known, count = as_layer_distances(distances), len(nodes)
    if known.complete:
        first, second = np.triu_indices(count, 1)
    else:
        near, _ = known.nearest(known.reach, exclude=known.exclude)
        first, second = np.repeat(np.arange(count), near.shape[1]), near.ravel()
    if groups is not None:
        allowed = np.asarray(groups)[first] != np.asarray(groups)[second]
        first, second = first[allowed], second[allowed]
    if not len(first):
        raise SequenceError("no two nodes may be neighbours; give more recordings, or leave out fewer")
    same = nodes.labels[first] == nodes.labels[second]
    if same.any():
        first, second = first[same], second[same]
    order = np.argsort(known.get(first, second), kind="stable")
    middle = order[len(order) // 2]
    return int(first[middle]), int(second[middle])


def all_pairs_told(distances: LayerDistances) -> str:
    """Why there is no picture of all distances, in a sentence; "" where all are known."""
    if distances.complete:
        return ""
    return (
        f"Of {distances.count:,} recordings not all distances are computed: the {distances.reach} nearest of each were "
        "searched, which graphs are made of. A study with `graph: {distances: all}` shows the matrix of all pairs."
    )


def alignment(
    pair: tuple[int, int], activations: LayerActivations, *, nodes: SequenceSet, options: DTWOptions
) -> dict[str, Any]:
    """What `stgcnlib.figures.dtw_alignment` takes to draw one pair of nodes at one layer.

    Args:
        pair: indices of two nodes.
        activations: features of all nodes at the layer.
        nodes: N recordings.
        options: of DTW, in input frames.

    Returns:
        Arguments of `dtw_alignment` by name.
    """
    i, j = pair
    return {
        "x": activations.sequence(i),
        "y": activations.sequence(j),
        "names": [f"{nodes.names[k]} ({told(nodes, k)})" for k in pair],
        "title": activations.title,
        "temporal_stride": activations.temporal_stride,
        "options": asdict(options),
    }


def example_nodes(geometry: LayerGeometry, *, layer: str) -> list[int]:
    """The best, the middle and the worst node of a layer by its own label smoothness.

    `layer` is its module name.

    Raises:
        LayerNotFoundError: no such layer was measured; suggests the nearest names.
    """
    table = geometry.per_node
    rows = table[
        (table["layer"] == layer) & (table["network"] == "trained") & (table["neighbours"] == geometry.neighbours)
    ].sort_values("smoothness", kind="stable")
    if not len(rows):
        raise LayerNotFoundError(f"no layer {layer!r} was recorded; {suggest(layer, table['layer'])}")
    nodes = rows["node"].to_numpy()
    return [int(nodes[0]), int(nodes[len(nodes) // 2]), int(nodes[-1])]


# -- relevance maps ----------------------------------------------------------------------------


def example_maps(
    nodes: SequenceSet, explained: ArrayLike, maps: Sequence[Mapping[str, RelevanceMap]], *, count: int
) -> list[Example]:
    """At most `count` explained recordings with their maps, spread over the classes.

    Where there are no classes, they are spread over the targets, and the highest comes first.

    Args:
        nodes: N recordings.
        explained: (n,) indices of the nodes with maps, in order.
        maps: of the explained nodes: one dictionary (layer -> map) each.
        count: how many.
    """
    indices = np.asarray(explained)
    order = np.arange(len(indices))
    if not nodes.class_names and nodes.targets is not None:
        order = np.argsort(-nodes.targets[indices, 0], kind="stable")
    examples: list[Example] = []
    for k in order[np.unique(np.linspace(0, len(indices) - 1, count).round().astype(int))]:
        node, found = int(indices[k]), dict(maps[k])
        output = (nodes.class_names or nodes.target_names)[next(iter(found.values())).target]
        title = f"{nodes.names[node]}: {told(nodes, node)}"
        if nodes.outputs > 1:
            title += f", explained as {output}"
        examples.append((title, nodes.people(node), found))
    return examples


def strip_example(
    examples: Sequence[Example], *, layers: int = 3, frames: int = 6
) -> tuple[str, NDArray[np.float32], dict[str, RelevanceMap], list[int]]:
    """The first example with few layers and frames, for one picture: title, coordinates, maps, frame numbers.

    Args:
        examples: of `example_maps`, at least one.
        layers: most layers, spread evenly from the first with a map to the last.
        frames: most frames, spread evenly from 5% to 95% of the recording.

    Returns:
        The coordinates are (T, V, C) or (M, T, V, C) float32; maps are by layer name; frame numbers are from 0.
    """
    title, coordinates, maps = examples[0]
    names = list(maps)
    chosen = [names[k] for k in _spread(0, len(names) - 1, layers)]
    last = np.shape(coordinates)[-3] - 1
    return title, coordinates, {name: maps[name] for name in chosen}, _spread(0.05 * last, 0.95 * last, frames)


def _spread(first: float, last: float, count: int) -> list[int]:
    """At most `count` whole numbers, evenly from first to last."""
    return [int(k) for k in np.unique(np.linspace(first, last, count).round())]


def layer_maps(examples: Sequence[Example], *, layer: str) -> list[Example]:
    """Examples with one layer's map each; none for the input where it has no maps.

    `examples` are those of `example_maps`; `layer` is the module name.

    Raises:
        LayerNotFoundError: the maps have no such layer; suggests the nearest names.
    """
    if layer == "input" and not all(layer in maps for _, _, maps in examples):
        return []
    return [(title, coordinates, {layer: _map(maps, layer)}) for title, coordinates, maps in examples]


def extremes(
    nodes: SequenceSet,
    explained: ArrayLike,
    maps: Sequence[Mapping[str, RelevanceMap]],
    *,
    layer: str,
    distances: LayerDistances | ArrayLike,
) -> list[Example]:
    """The most and the least typical recording of one class, with the layer's map each.

    Typical is a small mean distance at the layer to the others of its class; the class is the one whose members
    differ most in that. Only recordings with maps are looked at; a class needs three, and if none has, the list is
    empty.

    Args:
        nodes: N recordings.
        explained: (n,) indices of the nodes with maps.
        maps: of the explained nodes: one dictionary (layer -> map) each.
        layer: name of a layer with maps.
        distances: `LayerDistances` or (N, N) array, at the layer.

    Raises:
        LayerNotFoundError: the maps have no such layer; suggests the nearest names.
    """
    indices = np.asarray(explained)
    labels, known = nodes.labels[indices], as_layer_distances(distances)
    first, second = np.nonzero(labels[:, None] == labels[None, :])
    known.ask(indices[first], indices[second])
    best: tuple[float, int, int, float, float] | None = None
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        if len(members) < 3:
            continue
        near = known.get(indices[members][:, None], indices[members])
        mean = near.sum(axis=1) / (len(members) - 1)
        low, high = int(mean.argmin()), int(mean.argmax())
        spread = float(mean[high] / max(mean[low], 1e-12))
        if best is None or spread > best[0]:
            best = (spread, int(members[low]), int(members[high]), float(mean[low]), float(mean[high]))
    if best is None:
        return []
    result: list[Example] = []
    for word, k, mean_distance in (("Most", best[1], best[3]), ("Least", best[2], best[4])):
        node = int(indices[k])
        name = f"{nodes.class_names[nodes.labels[node]]}: {nodes.names[node]}"
        title = f"{word} typical {name}, mean distance {mean_distance:.3g}"
        result.append((title, nodes.people(node), {layer: _map(maps[k], layer)}))
    return result


def _map(maps: Mapping[str, RelevanceMap], layer: str) -> RelevanceMap:
    if layer not in maps:
        raise LayerNotFoundError(f"no map of layer {layer!r}; {suggest(layer, maps)}")
    return maps[layer]
