"""The noise study: one measurement per network and level, and the tables of all."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stgcnlib.pipeline.line.forms import Training
from stgcnlib.pipeline.line.networks import build, fitted
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.dtw import LayerDistances
    from stgcnlib.geometry import ChosenK, LayerGeometry
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections.compute import Compute
    from stgcnlib.sampling import NodeSample
    from stgcnlib.studies import NoiseResult

__all__ = ["CLEAN", "collect", "levels_and_clean", "measure", "measure_noisy_network", "noisy_network", "train_noisy",
           "trainings"]  # fmt: skip

CLEAN = "clean"
Values = dict[str, Any]
Layers = list[dict[str, Any]]


def levels_and_clean(settings: Settings) -> list[str]:
    """ "clean", and kinds and levels of noise, such as "jitter 20.0"; mild first within a kind."""
    from stgcnlib.studies.corruption import KINDS, kinds_and_levels

    if settings.noise is None:
        return [CLEAN]
    chosen = {kind: getattr(settings.noise, kind.replace(" ", "_")) for kind in KINDS}
    asked = {kind: values for kind, values in chosen.items() if values}
    return [CLEAN, *(_name(kind, level) for kind, level in kinds_and_levels(list(asked), asked))]


def trainings(settings: Settings) -> list[str]:
    """Kinds and levels on which further networks are trained."""
    chosen = {} if settings.noise is None else settings.noise.train
    return [_name(kind.replace("_", " "), level) for kind, level in chosen.items()]


def train_noisy(
    parts: tuple[SequenceSet, SequenceSet], trained_level: str, settings: Settings, compute: Compute, scratch: Path
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained as the study's own, on noisy recordings."""
    from stgcnlib.studies.corruption import corrupt

    assert parts[0] is not None  # a study that trains names its training part
    train = corrupt(parts[0], *_kind_and_level(trained_level), seed=settings.seed + 1)
    return fitted(train, None, settings.network, seed=settings.seed, device=compute.device, scratch=scratch)


def noisy_network(training: Training, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """A network that was trained on noise."""
    classes = len(sequences.class_names)
    return build(settings.network, sequences.layout, sequences.channels, classes, checkpoint=training.weights)


def measure(
    network: nn.Module,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    layers: Layers,
    distances: Mapping[str, LayerDistances],
    level: str,
    settings: Settings,
    compute: Compute,
) -> Values:
    """One of the study's networks on the nodes, clean or with one kind and level of noise."""
    return _measured(network, nodes, grouping, k, layers, level, settings, compute, distances)


def measure_noisy_network(
    network: nn.Module,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    layers: Layers,
    level: str,
    settings: Settings,
    compute: Compute,
) -> Values:
    """A network trained on noise, on nodes with one kind and level of noise."""
    return _measured(network, nodes, grouping, k, layers, level, settings, compute, {})


def collect(
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    geometry: LayerGeometry,
    levels: Mapping[tuple[str, str], Values],
    others: Mapping[tuple[str, str], Values],
    sample: NodeSample | None,
    settings: Settings,
) -> NoiseResult:
    """The tables of all networks and levels."""
    from stgcnlib.studies.noise_result import noise_result
    from stgcnlib.verdicts import shown_level

    measured: dict[str, list[Any]] = {}
    for (network, level), values in levels.items():
        measured.setdefault(network, []).append((*_kind_and_level(level), values))
    for (trained_level, level), values in others.items():
        kind, trained = _kind_and_level(trained_level)
        title = f"{kind}, {shown_level(kind, float(trained or 0.0))}"
        measured.setdefault(title, []).append((*_kind_and_level(level), values))
    graph = settings.graph
    return noise_result(
        measured, nodes, groups=grouping.groups, resample=grouping.resample, unit=grouping.unit, k=k.k,
        sigma=graph.sigma, symmetrize=graph.symmetrize, solver=graph.solver, neighbours=settings.noise.neighbours,
        dtw=settings.dtw.model_dump(), confidence=settings.geometry.confidence, seed=settings.seed, geometry=geometry,
        sampled=None if sample is None or sample.complete else sample.part,
    )  # fmt: skip


def _measured(
    network: nn.Module,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    layers: Layers,
    level: str,
    settings: Settings,
    compute: Compute,
    distances: Mapping[str, LayerDistances],
) -> Values:
    from stgcnlib.groups import resampled_groups
    from stgcnlib.studies.noise_levels import measure_level
    from stgcnlib.studies.noise_result import noise_jackknife

    wanted = settings.noise.layers or ("*",)
    names = [layer["name"] for layer in layers if any(fnmatchcase(layer["name"], pattern) for pattern in wanted)]
    graph = settings.graph
    drawn = resampled_groups(grouping.resample, grouping.groups)
    jackknife = noise_jackknife(len(nodes), drawn, seed=settings.seed)
    return measure_level(
        network, nodes, *_kind_and_level(level), jackknife=jackknife, groups=grouping.groups,
        layers=[n for n in names if n != "input"], distances=distances, neighbours=settings.noise.neighbours,
        how_many=graph.distances, k=k.k, sigma=graph.sigma, symmetrize=graph.symmetrize, solver=graph.solver,
        dtw=settings.dtw.model_dump(), axes=settings.network.axes, seed=settings.seed, device=compute.device,
    )  # fmt: skip


def _name(kind: str, level: float) -> str:
    return f"{kind} {float(level)!r}"


def _kind_and_level(name: str) -> tuple[str, float | None]:
    if name == CLEAN:
        return CLEAN, None
    kind, _, level = name.rpartition(" ")
    return kind, float(level)
