"""The noise study: one measurement per network and level, and the tables of all."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.pipeline.line.forms import Training
from stgcnlib.pipeline.line.networks import build, fitted
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.geometry import ChosenK
    from stgcnlib.groups import Grouping
    from stgcnlib.pipeline.sections import Compute
    from stgcnlib.studies import NoiseResult

__all__ = ["CLEAN", "collect", "levels", "levels_and_clean", "measure", "measure_clean", "measure_noisy",
           "noisy_network", "train_noisy", "trainings"]  # fmt: skip

CLEAN = "clean"
Values = dict[str, Any]
Layers = list[dict[str, Any]]


def levels(settings: Settings) -> list[str]:
    """Kinds and levels of noise, such as "jitter 20.0"; mild first within a kind."""
    from stgcnlib.studies.noise_levels import KINDS, kinds_and_levels

    if settings.noise is None:
        return []
    chosen = {kind: getattr(settings.noise, kind.replace(" ", "_")) for kind in KINDS}
    asked = {kind: values for kind, values in chosen.items() if values}
    return [_name(kind, level) for kind, level in kinds_and_levels(list(asked), asked)]


def levels_and_clean(settings: Settings) -> list[str]:
    """The same after the clean recordings."""
    return [CLEAN, *levels(settings)]


def trainings(settings: Settings) -> list[str]:
    """Kinds and levels on which further networks are trained."""
    chosen = {} if settings.noise is None else settings.noise.train
    return [_name(kind.replace("_", " "), level) for kind, level in chosen.items()]


def train_noisy(
    parts: tuple[SequenceSet, SequenceSet], trained_level: str, settings: Settings, compute: Compute, scratch: Path
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained as the study's own, on noisy recordings."""
    from stgcnlib.studies.noise_levels import corrupt

    train = corrupt(parts[0], *_kind_and_level(trained_level), seed=settings.seed + 1)
    return fitted(train, None, settings.network, seed=settings.seed, device=compute.device, scratch=scratch)


def noisy_network(training: Training, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """A network that was trained on noise."""
    classes = len(sequences.class_names)
    return build(settings.network, sequences.layout, sequences.channels, classes, checkpoint=training.weights)


def measure_clean(
    network: nn.Module,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    layers: Layers,
    distances: Mapping[str, NDArray[np.float32]],
    settings: Settings,
    compute: Compute,
) -> Values:
    """The study's network on the clean nodes, from distances that are known."""
    return _measured(network, nodes, grouping, k, layers, CLEAN, settings, compute, distances)


def measure_noisy(
    network: nn.Module,
    nodes: SequenceSet,
    grouping: Grouping,
    k: ChosenK,
    layers: Layers,
    noise: str,
    settings: Settings,
    compute: Compute,
) -> Values:
    """The study's network on nodes with one kind and level of noise."""
    return _measured(network, nodes, grouping, k, layers, noise, settings, compute, {})


def measure(
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
    clean: Values,
    levels: Mapping[str, Values],
    others: Mapping[tuple[str, str], Values],
    settings: Settings,
) -> NoiseResult:
    """The tables of all networks and levels."""
    from stgcnlib.studies.noise import noise_result
    from stgcnlib.verdicts import shown_level

    measured = {CLEAN: [(*_kind_and_level(name), values) for name, values in {CLEAN: clean, **levels}.items()]}
    for (trained_level, level), values in others.items():
        kind, trained = _kind_and_level(trained_level)
        title = f"{kind}, {shown_level(kind, float(trained or 0.0))}"
        measured.setdefault(title, []).append((*_kind_and_level(level), values))
    geometry, graph = settings.geometry, settings.graph
    return noise_result(
        measured, nodes.labels, groups=grouping.groups, resample=grouping.resample, unit=grouping.unit, k=k.k,
        sigma=graph.sigma, symmetrize=graph.symmetrize,
        solver=graph.solver, dtw=settings.dtw.model_dump(), bootstrap=geometry.bootstrap,
        confidence=geometry.confidence, seed=settings.seed,
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
    distances: Mapping[str, NDArray[np.float32]],
) -> Values:
    from stgcnlib.studies.noise_levels import measure_level

    wanted = settings.noise.layers or ("*",)
    names = [layer["name"] for layer in layers if any(fnmatchcase(layer["name"], pattern) for pattern in wanted)]
    graph = settings.graph
    return measure_level(
        network, nodes, *_kind_and_level(level), groups=grouping.groups, layers=[n for n in names if n != "input"],
        distances=distances, k=k.k, sigma=graph.sigma, symmetrize=graph.symmetrize, solver=graph.solver,
        dtw=settings.dtw.model_dump(), axes=settings.network.axes, seed=settings.seed, device=compute.device,
    )  # fmt: skip


def _name(kind: str, level: float) -> str:
    return f"{kind} {float(level)!r}"


def _kind_and_level(name: str) -> tuple[str, float | None]:
    if name == CLEAN:
        return CLEAN, None
    kind, _, level = name.rpartition(" ")
    return kind, float(level)
