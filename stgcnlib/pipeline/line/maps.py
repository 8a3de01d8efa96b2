"""Relevance maps of some nodes, and how far they may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.explain import MapEvaluation, RelevanceMap
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections import Compute

__all__ = ["evaluate", "explain"]

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

    names = [layer["name"] for layer in layers if layer["index"] > 0]
    return grad_cam_set(
        network, nodes.select(explained), layers=names, axes=settings.network.axes, target=settings.explain.target,
        device=compute.device,
    )  # fmt: skip


def evaluate(
    network: nn.Module,
    nodes: SequenceSet,
    parts: tuple[SequenceSet, SequenceSet],
    explained: NDArray[np.int64],
    grouping: Grouping,
    maps: Maps,
    distances: Mapping[str, NDArray[np.float32]],
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
        reference=parts[0],
        groups=of_nodes(grouping.groups, explained),
        resample=of_nodes(grouping.resample, explained),
        feature_distances={name: distances[name][np.ix_(explained, explained)] for name in maps[0]},
        sequences=tests.sequences, units=tests.units, replacement=tests.replacement, steps=tests.steps,
        draws=tests.draws, jitter=tests.jitter, form=tests.maps,
        seed=settings.seed, device=compute.device, dtw=settings.dtw.model_dump(),
    )  # fmt: skip
