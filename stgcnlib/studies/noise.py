"""Noise on the input: how far label smoothness and accuracy move when recordings are corrupted at test time.

Networks trained on noisy recordings enter as further networks. What the numbers mean for the paper's claim is said in
`stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stgcnlib.dtw import DTWLike, DTWOptions, LayerDistances, dtw_options
from stgcnlib.errors import StudyError
from stgcnlib.geometry import Jackknife, LayerGeometry
from stgcnlib.geometry.layers import TRAINED, kind_of
from stgcnlib.groups import SUBJECT, group_codes, resampled_groups
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.corruption import CLEAN, KINDS, Kind, corrupt, kinds_and_levels
from stgcnlib.studies.kept import KeptResults, Values, compute_all
from stgcnlib.studies.marks import array_fingerprint, network_fingerprint
from stgcnlib.studies.noise_levels import Neighbours, measure_level
from stgcnlib.studies.noise_result import NoiseResult, noise_jackknife, noise_result

__all__ = ["noise_study"]


def noise_study(
    network: nn.Module | Sequence[nn.Module],
    data: SequenceSet,
    *,
    groups: ArrayLike | None = None,
    resample: ArrayLike | None = None,
    unit: str = SUBJECT,
    kinds: Kind | Sequence[Kind] = KINDS,
    levels: Mapping[Kind, Sequence[float]] | None = None,
    noisy_networks: Mapping[str, nn.Module] | None = None,
    layers: str | Sequence[str] | None = None,
    distances: Mapping[str, ArrayLike] | None = None,
    neighbours: Neighbours = "noisy",
    geometry: LayerGeometry | None = None,
    k: int = 50,
    sigma: Any = "mean-kth/3",
    symmetrize: Any = "max",
    solver: Any = "exact",
    dtw: DTWLike = None,
    confidence: float = 0.95,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    axes: Any = None,
    device: str = "cpu",
    progress: bool | None = None,
) -> NoiseResult:
    """Corrupt test recordings at rising levels; measure label smoothness of every layer, and accuracy.

    Distances, graphs and predictions are made anew from the corrupted recordings; labels stay.

    Source: docs/method.md, "Noise and transfer".

    Args:
        network: trained on clean recordings; several, trained with different seeds, give means with the spread between
            them in their intervals.
        data: N test recordings with labels, normalised as for training.
        groups: (N,) subject of each recording, or another group: recordings of one group are no neighbours. None: all
            may be neighbours.
        resample: (N,) groups that intervals leave out as a whole; "recordings": every one by itself; None: `groups`.
        unit: what those are, in one word.
        kinds: of noise, see `corrupt`.
        levels: kind -> levels, see `corrupt` for units; None, or a kind left out: `LEVELS`. A level without noise (0,
            infinite dB) is measured, and not what the verdict judges.
        noisy_networks: name -> network trained on noisy recordings, measured at the same levels.
        layers: module names or patterns, the input is always included; None: all blocks.
        distances: layer -> (N, N) distances of the (first) network on clean recordings, where they are known already.
        neighbours: where a noisy recording's neighbours are searched: among the "noisy" versions of the others, or
            among their "clean" versions, as when one noisy recording is looked up in a clean collection.
        geometry: of the same recordings, with untrained networks. It tells what training gained, and the effect of
            noise is also given as a share of that gain. Its seed, groups, k, sigma, symmetrize and solver have to be
            those of the study.
        k, sigma, symmetrize, solver: as `stgcnlib.dsgraph.nnk_graph`.
        dtw: a `DTWOptions` or some of its fields.
        confidence: of the intervals, as `layer_geometry`.
        seed: of noise and draws. Levels of one kind share their draws, so that they differ in size alone.
        folder: where each finished level is kept; a study that was stopped goes on from there, unless recordings,
            settings, given distances or networks have changed since. Of a network's code and files nothing is known:
            give another folder after changing those. None: nowhere.
        axes: the axes of the layers' outputs, for networks that do not state them, as `stgcnlib.record`.
        device: where networks compute.
        progress: draw a bar; None: on a terminal.

    Raises:
        StudyError: an unknown kind, a kind without levels or with none that is noise, recordings without classes, or a
            geometry of other graphs or recordings.
        SequenceError: a level out of range. GraphError: fewer than k candidates.
    """
    if not data.class_names:
        raise StudyError(
            "noise_study: the recordings have targets and no classes, and it measures label smoothness and accuracy; "
            "give labels, or compare target_smoothness of corrupted recordings"
        )
    wanted = kinds_and_levels(kinds, levels)
    layers = [layers] if isinstance(layers, str) else layers
    several = [network] if isinstance(network, nn.Module) else list(network)
    networks = {TRAINED if not n else f"{TRAINED}-{n + 1}": each for n, each in enumerate(several)}
    for name in noisy_networks or {}:
        if kind_of(name) == TRAINED:
            raise StudyError(f"noisy_networks: {name!r} names a network trained on clean recordings; choose another")
    networks |= dict(noisy_networks or {})
    codes = None if groups is None else group_codes(groups, len(data))
    jackknife = noise_jackknife(len(data), resampled_groups(resample, groups), confidence=confidence, seed=seed)
    graph = {"k": k, "sigma": sigma, "symmetrize": symmetrize, "solver": solver, "neighbours": neighbours}
    options = dtw_options(dtw)
    work = _Work(networks, data, jackknife, codes, layers, dict(distances or {}), graph, options, axes, device)
    shared = [
        data.fingerprint(), None if codes is None else codes.tolist(), jackknife.parts.tolist(), layers, graph,
        asdict(options), axes, {name: _mark(known) for name, known in work.distances.items()},
    ]  # fmt: skip
    tasks: list[Values] = [
        {"network": name, "weights": network_fingerprint(each), "kind": kind, "level": level, "seed": seed}
        for name, each in networks.items()
        for kind, level in [(CLEAN, None), *wanted]
    ]
    _check_levels(data, wanted, seed)
    results = compute_all(
        _measure, work, tasks, KeptResults(folder, shared), description="Noise levels", progress=progress
    )  # fmt: skip
    measured: dict[str, list[tuple[str, float | None, Values]]] = {name: [] for name in networks}
    for task, result in zip(tasks, results, strict=True):
        measured[task["network"]].append((task["kind"], task["level"], result))
    return noise_result(
        measured, data, groups=codes, resample=resample, unit=unit, **graph, dtw=dtw, confidence=confidence, seed=seed,
        geometry=geometry,
    )  # fmt: skip


def _mark(known: Any) -> str:
    """A hash of distances that are given, by which kept results go."""
    if isinstance(known, LayerDistances):
        every = np.arange(known.count)
        known = known.get(every[:, None], every)
    return array_fingerprint(known)


def _check_levels(data: SequenceSet, wanted: Sequence[tuple[str, float]], seed: int) -> None:
    """Refuse a level that is out of range before anything long begins."""
    few = data.select([0])
    for kind, level in wanted:
        corrupt(few, kind, level, seed=seed)


@dataclass(frozen=True)
class _Work:
    """What all levels share."""

    networks: dict[str, nn.Module]
    data: SequenceSet
    jackknife: Jackknife
    groups: NDArray[Any] | None
    layers: Sequence[str] | None
    distances: dict[str, Any]
    graph: dict[str, Any]
    dtw: DTWOptions
    axes: Any
    device: str


def _measure(work: _Work, task: Values) -> Values:
    """One network on recordings with one kind and level of noise."""
    return measure_level(
        work.networks[task["network"]], work.data, task["kind"], task["level"], jackknife=work.jackknife,
        groups=work.groups, layers=work.layers, distances=work.distances if task["network"] == TRAINED else {},
        dtw=work.dtw, seed=task["seed"], axes=work.axes, device=work.device, **work.graph,
    )  # fmt: skip
