"""Relevance maps of some nodes, tests of these maps, and the receptive field and the topology of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.pipeline.line.data import Parts, reference_part
from stgcnlib.pipeline.line.distances import dtw_options
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.activations import LayerStore
    from stgcnlib.activations.store import LayerActivations
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.dtw import LayerDistances
    from stgcnlib.explain import MapEvaluation, ReceptiveField, RelevanceMap, Topology
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections.compute import Compute

__all__ = ["evaluate", "explain", "measure_fields", "read_topologies"]

Maps = list[dict[str, "RelevanceMap"]]


def explain(
    network: nn.Module,
    nodes: SequenceSet,
    explained: NDArray[np.int64],
    layers: list[dict[str, Any]],
    settings: Settings,
    compute: Compute,
) -> Maps:
    """L-STG-GradCAM maps of the explained nodes: one dictionary (layer -> map) each."""
    from stgcnlib.explain import grad_cam_set

    return grad_cam_set(
        network, nodes.select(explained), layers=_names(layers), axes=settings.network.axes,
        target=settings.explain.target, device=compute.device,
    )  # fmt: skip


def evaluate(
    network: nn.Module,
    nodes: SequenceSet,
    parts: Parts,
    explained: NDArray[np.int64],
    grouping: Grouping,
    maps: Maps,
    pairs: Mapping[str, LayerDistances],
    activations: LayerStore,
    settings: Settings,
    compute: Compute,
) -> MapEvaluation:
    """Deletion, insertion, contrast, randomisation, jitter, label smoothness and limbs of the maps."""
    from stgcnlib.explain import evaluate_maps
    from stgcnlib.groups import of_nodes

    tests = settings.explain
    return evaluate_maps(
        network, nodes.select(explained), maps,
        axes=settings.network.axes,
        reference=reference_part(parts),
        groups=of_nodes(grouping.groups, explained),
        resample=of_nodes(grouping.resample, explained),
        feature_distances={
            name: _between(explained, pairs[name], activations[name], settings, compute) for name in maps[0]
        },
        sequences=tests.sequences, units=tests.units, replacement=tests.replacement, steps=tests.steps,
        draws=tests.draws, jitter=tests.jitter, form=tests.maps,
        seed=settings.seed, device=compute.device, dtw=settings.dtw.model_dump(),
    )  # fmt: skip


def measure_fields(
    network: nn.Module, nodes: SequenceSet, layers: list[dict[str, Any]], settings: Settings
) -> dict[str, ReceptiveField]:
    """The receptive field of each layer. A network of the user's own gets only the longest node, at its own length."""
    from stgcnlib.explain import receptive_fields

    longest = int(nodes.lengths.argmax())
    own = ":" in settings.network.name
    return receptive_fields(
        network, nodes.select([longest]) if own else nodes, layers=_names(layers), axes=settings.network.axes,
        frames=(int(nodes.lengths[longest]),) if own else None, seed=settings.seed,
    )  # fmt: skip


def read_topologies(
    network: nn.Module,
    nodes: SequenceSet,
    explained: NDArray[np.int64],
    layers: list[dict[str, Any]],
    settings: Settings,
) -> dict[str, Topology]:
    """From which joints each layer's graph convolutions take features; empty if this is known of no layer."""
    from stgcnlib.explain import learned_topologies

    return learned_topologies(network, nodes.select(explained), layers=_names(layers), axes=settings.network.axes)


def _names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers if layer["index"] > 0]


def _between(
    explained: NDArray[np.int64],
    pairs: LayerDistances,
    features: LayerActivations,
    settings: Settings,
    compute: Compute,
) -> NDArray[np.floating]:
    """(n, n) distances between the explained nodes, which are few."""
    from stgcnlib.dtw import dtw_distances

    if pairs.complete:
        return pairs.matrix()[np.ix_(explained, explained)]
    few = [features.sequence(int(node)) for node in explained]
    options = dtw_options(settings).at_temporal_stride(features.temporal_stride)
    return dtw_distances(few, dtw=options, device=compute.device)
