"""Distances between nodes at each layer: of all pairs of a small set, and in a large one to the nearest of each node.

Two artefacts hold them, so that a small study's distances depend only on features and options of DTW. `known` gives
graphs the one that is not empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stgcnlib.dtw import DTWOptions, LayerDistances

if TYPE_CHECKING:
    from stgcnlib.activations import LayerStore
    from stgcnlib.artefacts import Tasks
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.dtw.executor import Executor
    from stgcnlib.geometry import ChosenK
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections.compute import Compute

__all__ = ["all_pairs", "all_pairs_by_variant", "dtw_options", "find_neighbours", "find_variant_neighbours", "known",
           "known_by_variant", "nearest_of_layer"]  # fmt: skip


def dtw_options(settings: Settings) -> DTWOptions:
    """The study's options of windowed DTW."""
    return DTWOptions(**settings.dtw.model_dump())


def all_pairs(activations: LayerStore, layer: str, settings: Settings, compute: Compute) -> LayerDistances:
    """Windowed DTW distances of all pairs of nodes at one layer; nothing where neighbours are searched instead."""
    return _all_pairs(activations[layer], dtw_options(settings), settings, compute)


def all_pairs_by_variant(
    activations: LayerStore, variant: str, swept: str, settings: Settings, compute: Compute
) -> LayerDistances:
    """As `all_pairs`, by other options of windowed DTW."""
    return _all_pairs(activations[swept], _varied(variant, settings), settings, compute)


def find_neighbours(
    activations: LayerStore,
    pairs: LayerDistances,
    grouping: Grouping,
    k: ChosenK,
    network: str,
    layer: str,
    settings: Settings,
    compute: Compute,
    tasks: Tasks,
) -> LayerDistances:
    """The nearest of each node at one layer, for all graphs of a network; nothing where all pairs are known."""
    from stgcnlib.geometry.layers import TRAINED, kind_of

    if pairs.complete:
        return LayerDistances(pairs.count)
    everyone = kind_of(network) == TRAINED  # these have a second graph, in which any node may be a neighbour
    options = dtw_options(settings)
    return nearest_of_layer(
        activations[layer], options, grouping, k.k, settings.seed, everyone=everyone, device=compute.device,
        executor=tasks,
    )  # fmt: skip


def find_variant_neighbours(
    activations: LayerStore,
    pairs: LayerDistances,
    grouping: Grouping,
    k: ChosenK,
    variant: str,
    swept: str,
    settings: Settings,
    compute: Compute,
    tasks: Tasks,
) -> LayerDistances:
    """As `find_neighbours`, by other options of windowed DTW."""
    if pairs.complete:
        return LayerDistances(pairs.count)
    options = _varied(variant, settings)
    return nearest_of_layer(
        activations[swept], options, grouping, k.k, settings.seed, device=compute.device, executor=tasks
    )


def known(
    activations: LayerStore, pairs: LayerDistances, neighbours: LayerDistances, layer: str, settings: Settings
) -> LayerDistances:
    """The known distances at one layer; other distances are computed when they are asked for."""
    return _known(activations[layer], dtw_options(settings), pairs, neighbours)


def known_by_variant(
    activations: LayerStore,
    pairs: LayerDistances,
    neighbours: LayerDistances,
    variant: str,
    swept: str,
    settings: Settings,
) -> LayerDistances:
    """As `known`, by other options of windowed DTW."""
    return _known(activations[swept], _varied(variant, settings), pairs, neighbours)


def _varied(variant: str, settings: Settings) -> DTWOptions:
    from stgcnlib.geometry.sensitivity import dtw_variant

    return dtw_variant(dtw_options(settings), variant)


def _known(features: Any, options: DTWOptions, pairs: LayerDistances, neighbours: LayerDistances) -> LayerDistances:
    from stgcnlib.dsgraph.distances import computing

    return pairs if pairs.complete else computing(neighbours, features, options)


def _all_pairs(features: Any, options: DTWOptions, settings: Settings, compute: Compute) -> LayerDistances:
    from stgcnlib.dsgraph.distances import takes_all_pairs
    from stgcnlib.dtw import dtw_distances

    if not takes_all_pairs(settings.graph.distances, len(features)):
        return LayerDistances(len(features))
    return LayerDistances.all_pairs(dtw_distances(features, dtw=options, device=compute.device))


def nearest_of_layer(
    features: Any,
    options: DTWOptions,
    grouping: Grouping,
    k: int,
    seed: int,
    *,
    everyone: bool = False,
    device: str = "cpu",
    executor: Executor | None = None,
) -> LayerDistances:
    """The nearest of each node at one layer, for graphs of up to `k` candidates and the study's intervals."""
    from stgcnlib.dsgraph.distances import nearest_distances
    from stgcnlib.geometry.uncertainty import deletion_groups
    from stgcnlib.groups import resampled_groups

    drawn = resampled_groups(grouping.resample, grouping.groups)
    parts = deletion_groups(len(features), groups=drawn, seed=seed)
    return nearest_distances(
        features, options, k=k, exclude=grouping.groups, parts=parts, everyone=everyone, device=device,
        executor=executor,
    )  # fmt: skip
