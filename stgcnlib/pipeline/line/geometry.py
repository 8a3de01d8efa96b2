"""Distances between nodes at each layer, and the results that are read off their DS-Graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.dtw import DTWOptions, LayerDistances
from stgcnlib.groups import largest_k
from stgcnlib.pipeline.line.data import Parts
from stgcnlib.pipeline.line.distances import dtw_options, nearest_of_layer
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from stgcnlib.activations import LayerStore
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.geometry import ChosenK, LayerGeometry, LayerStatistics
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections.compute import Compute
    from stgcnlib.sampling import NodeSample

__all__ = ["FINDINGS", "find_recordings", "find_shortages", "measure_baselines", "measure_curve", "measure_density",
           "measure_sensitivity", "measure_statistics", "merge_curves", "name_variants", "place_nodes",
           "swept_layers"]  # fmt: skip

DENSE = 200
"""With this many nodes or more, smoothness is measured on parts of the nodes too; with a sample, always."""
SHARES = (0.25, 0.5)
"""The parts, as shares of the nodes."""
FINDINGS = ("class_confusions", "class_separation", "suspects", "suspect_layers", "outliers", "outlier_layers")
Distances = Mapping[str, LayerDistances]


def place_nodes(distances: Distances, settings: Settings) -> dict[str, NDArray[np.float32]]:
    """(N, 2) places of the nodes in the plane at each layer, each layer aligned to the one before."""
    from stgcnlib.geometry import aligned_planes

    return aligned_planes(distances, settings.seed)


def measure_curve(
    activations: LayerStore,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    distances: Distances,
    network: str,
    settings: Settings,
) -> LayerGeometry:
    """DS-Graphs of all layers of one network and the tables read off them, with intervals and null."""
    from stgcnlib.geometry import layer_geometry

    graph = settings.graph
    return layer_geometry(
        {network: activations}, **_told(nodes), **vars(grouping), distances={network: distances}, k=k.k,
        sigma=graph.sigma,
        symmetrize=graph.symmetrize, solver=graph.solver, seed=settings.seed,
        permutations=settings.geometry.permutations, confidence=settings.geometry.confidence,
    )  # fmt: skip


def merge_curves(curves: Mapping[str, LayerGeometry]) -> LayerGeometry:
    """DS-Graphs and tables of all networks together: the trained ones, and their controls."""
    from stgcnlib.geometry import merge_geometries

    return merge_geometries(list(curves.values()))


def _told(nodes: SequenceSet) -> dict[str, Any]:
    """What smoothness is measured of, as arguments of `layer_geometry`: classes, or without classes, targets."""
    if nodes.class_names:
        return {"labels": nodes.labels, "class_names": nodes.class_names}
    return {"targets": nodes.targets, "target_names": nodes.target_names}


def measure_statistics(
    trained: LayerStore,
    untrained: LayerStore,
    geometry: LayerGeometry,
    distances: Distances,
    untrained_distances: Distances,
    settings: Settings,
) -> LayerStatistics:
    """Statistics of every layer and pair of layers."""
    from stgcnlib.geometry import layer_statistics

    return layer_statistics(
        trained, geometry, distances=distances, untrained=untrained, untrained_distances=untrained_distances,
        votes=settings.statistics.votes, C=settings.statistics.probe,
    )  # fmt: skip


def find_shortages(
    nodes: SequenceSet, parts: Parts, grouping: Grouping, explained: NDArray[np.int64], settings: Settings
) -> dict[str, str]:
    """Name of each result that these recordings are too few or too alike for -> a sentence for that result's page."""
    from stgcnlib.geometry import find_shortages

    found = find_shortages(
        nodes.labels if nodes.targets is None else nodes.targets, groups=grouping.groups, resample=grouping.resample,
        unit=grouping.unit, explained=len(explained), seed=settings.seed,
    )  # fmt: skip
    if parts[0] is None:
        found["training"] = (
            "There is no training part: batch norm of the untrained networks, and the mean pose in the place of "
            "what is removed from a body, are those of the test part."
        )
    return found


def find_recordings(
    geometry: LayerGeometry,
    distances: Distances,
    nodes: SequenceSet,
    layers: list[dict[str, Any]],
    settings: Settings,
) -> dict[str, pd.DataFrame]:
    """Classes and single recordings: class_confusions, class_separation, suspects, outliers, and their layers.

    Where training recordings are among the nodes, the network may have memorised wrong labels: suspects are searched at
    all layers. Otherwise they are searched at the late layers.
    """
    from stgcnlib.geometry import class_confusions, class_separation, outliers, suspect_labels

    def named(table: pd.DataFrame) -> pd.DataFrame:
        found = table.assign(name=[nodes.names[i] for i in table["node"]])
        return found.assign(class_name=[nodes.class_names[c] for c in table["label"]])

    every = [layer["name"] for layer in layers]
    suspects = suspect_labels(geometry, layers=None if settings.graph.part == "test" else every)
    odd = outliers(geometry)
    return {
        "class_confusions": class_confusions(geometry, distances=distances),
        "class_separation": class_separation(geometry),
        "suspects": named(suspects.table),
        "suspect_layers": suspects.evidence,
        "outliers": named(odd.table),
        "outlier_layers": odd.evidence,
    }


def measure_baselines(activations: LayerStore, geometry: LayerGeometry, settings: Settings) -> pd.DataFrame:
    """Smoothness of the first trained network's layers by distances without warping."""
    from stgcnlib.geometry import layer_baselines

    return layer_baselines(activations, geometry, baselines=settings.controls.baselines)


def measure_density(
    geometry: LayerGeometry, distances: Distances, sample: NodeSample | None, settings: Settings
) -> pd.DataFrame:
    """Smoothness of the first trained network's layers on parts of the nodes and on all; of few nodes only on all."""
    from stgcnlib.dtw.known import as_layer_distances
    from stgcnlib.geometry import smoothness_by_density

    known = {layer: as_layer_distances(each) for layer, each in distances.items()}
    measured = (sample is not None or len(geometry.told) >= DENSE) and all(each.complete for each in known.values())
    return smoothness_by_density(geometry, known, shares=SHARES if measured else (), seed=settings.seed)


def name_variants(settings: Settings) -> list[str]:
    """Other options of windowed DTW that the sensitivity study measures, such as "window 5"."""
    from stgcnlib.geometry.sensitivity import dtw_variants

    chosen = settings.sensitivity
    if chosen is None:
        return []
    other = {name: getattr(chosen, name) for name in ("readings", "windows", "normalizations")}
    return list(dtw_variants(dtw_options(settings), **other))


def swept_layers(layers: list[dict[str, Any]], settings: Settings) -> list[str]:
    """Layers of the sensitivity study."""
    if settings.sensitivity is None or settings.sensitivity.layers is None:
        return [layer["name"] for layer in layers]
    return list(settings.sensitivity.layers)


def measure_sensitivity(
    activations: LayerStore,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    distances: Distances,
    others: Mapping[tuple[str, str], LayerDistances],
    settings: Settings,
    compute: Compute,
) -> pd.DataFrame:
    """Smoothness with one choice changed at a time."""
    from stgcnlib.geometry import sensitivity
    from stgcnlib.geometry.sensitivity import dtw_variant

    own = dtw_options(settings)
    names = {dtw_variant(own, variant): variant for variant, _ in others}

    chosen = settings.sensitivity.model_dump()
    most = max(largest_k(asked, grouping.groups, len(nodes)) for asked in (k.k, *chosen["k"]))

    def kept(layer: str, options: DTWOptions) -> LayerDistances:
        if options != own:
            return others[(names[options], layer)]
        if distances[layer].complete or most == k.k:
            return distances[layer]
        return nearest_of_layer(activations[layer], own, grouping, most, settings.seed, device=compute.device)

    return sensitivity(
        activations, nodes.labels, groups=grouping.groups, resample=grouping.resample, k=k.k, other_k=chosen.pop("k"),
        dtw=own, distances=kept, sigma=settings.graph.sigma, solver=settings.graph.solver,
        permutations=settings.geometry.permutations,
        confidence=settings.geometry.confidence, seed=settings.seed, **chosen,
    )  # fmt: skip
