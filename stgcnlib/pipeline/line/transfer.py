"""The transfer study: a source network, a target task, one result per fit, and the tables of all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import StudyError, about
from stgcnlib.pipeline.line.data import Parts, part_indices, parts_of, prepare
from stgcnlib.pipeline.line.forms import Training
from stgcnlib.pipeline.line.networks import build, fitted, training_seed
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.geometry import LayerGeometry
    from stgcnlib.pipeline.sections.compute import Compute
    from stgcnlib.sampling import NodeSample
    from stgcnlib.studies import TransferResult

__all__ = ["advise", "collect", "describe", "measure", "measure_target", "name_fits", "plan", "read_other",
           "source_network", "target_parts", "train_source"]  # fmt: skip

Target = tuple[SequenceSet, SequenceSet]
"""(train, test) of the target task."""
Values = dict[str, Any]


def read_other(settings: Settings) -> SequenceSet:
    """All recordings of another data set, prepared as the study's."""
    from stgcnlib.demo import demo_sequences
    from stgcnlib.pipeline.sections.recordings import Demo
    from stgcnlib.readers import read

    source = settings.transfer.source
    if source.path == "demo":
        data = demo_sequences(seed=settings.seed, **(settings.data.demo or Demo()).model_dump())
    else:
        data = read(source.path, format=source.format, skip=settings.data.skip)
    return prepare(data, settings.data, source.split or settings.data.split)


def train_source(
    sequences: SequenceSet,
    other: SequenceSet | None,
    trained: str,
    settings: Settings,
    compute: Compute,
    scratch: Path,
) -> tuple[nn.Module, pd.DataFrame]:
    """(network, history) trained on some classes of the study's data, or on another data set."""
    from stgcnlib.studies import split_classes

    source, split, key = settings.transfer.source, settings.data.split, "data.split"
    if other is None:
        with about("transfer.source.classes", "split_classes"):
            task = split_classes(sequences, source.classes)[0]
    else:
        task = other
        if source.split is not None:
            split, key = source.split, "transfer.source.split"
        if task.layout != sequences.layout or task.channels != sequences.channels:
            raise StudyError(
                f"transfer.source.path: recordings on {task.layout.name!r} with {task.channels} channels, the study's "
                f"are on {sequences.layout.name!r} with {sequences.channels}; a transfer needs the same"
            )
    train = parts_of(task, split, key)[0]
    assert train is not None
    seed = training_seed(trained, settings.seed)
    return fitted(train, None, settings.network, seed=seed, device=compute.device, scratch=scratch)


def source_network(training: Training | None, sequences: SequenceSet, settings: Settings) -> nn.Module:
    """The network that is fine-tuned, for the classes that it was trained on."""
    from stgcnlib.networks.checkpoints import open_checkpoint

    weights, classes = settings.transfer.source.checkpoint, None
    if training is not None:
        weights, classes = training.weights, open_checkpoint(training.weights).description["classes"]
    return build(settings.network, sequences.layout, sequences.channels, classes, checkpoint=weights)


def target_parts(sequences: SequenceSet, parts: Parts, sample: NodeSample | None, settings: Settings) -> Target:
    """(train, test) recordings of the target task; the test part is limited to the study's sample, if there is one.

    DS-Graphs are made of this test part, and intervals leave out the same recordings of graphs and predictions.
    """
    from stgcnlib.studies.tasks import other_classes, source_classes

    (train, test), split = parts, settings.data.split
    assert train is not None  # a study of transfer names its training part
    if sample is not None and sample.part == "test":
        test = test.select(sample.indices)
    elif sample is not None and sample.part == "all":
        test = test.select(np.isin(part_indices(sequences, split)[1], sample.indices))
    if settings.transfer.source.classes is None:
        return train, test
    with about("transfer.source.classes", "split_classes"):
        chosen = source_classes(sequences, settings.transfer.source.classes)
        first, second = (other_classes(part, chosen) for part in (train, test))
    return first, second


def plan(source: nn.Module, settings: Settings) -> dict[str, Any]:
    """What is fitted: blocks, frozen, seeds, number of source networks, and the fits themselves."""
    from stgcnlib.studies.transfer_plan import plan_fits

    chosen = settings.transfer
    sources = settings.network.seeds if chosen.source.checkpoint is None else 1
    return plan_fits(source, chosen.frozen, chosen.seeds, sources=sources)


def name_fits(plan: Values) -> list[str]:
    """A name per fit, such as "frozen, 3 blocks, seed 0"."""
    return [_name(task) for task in plan["fits"]]


def measure(sources: Mapping[str, nn.Module], target: Target, fit: str, settings: Settings, compute: Compute) -> Values:
    """One training, or the probe: its predictions for the test part, and its accuracy on a held-out validation part."""
    from stgcnlib.studies.transfer_fits import Work, measure

    train, test = target
    fresh = partial(build, settings.network, test.layout, test.channels, len(test.class_names))
    work = Work(
        list(sources.values()), train, test, _training(settings), fresh, _validated(settings), settings.network.axes,
        compute.device,
    )  # fmt: skip
    return measure(work, _task(fit))


def measure_target(
    sources: Mapping[str, nn.Module], target: Target, settings: Settings, compute: Compute
) -> LayerGeometry:
    """DS-Graphs of the target's test part on every layer of the source networks, before any fine-tuning."""
    from stgcnlib.groups import grouping, largest_k
    from stgcnlib.studies.transfer import target_geometry

    test, graph, geometry = target[1], settings.graph, settings.geometry
    chosen = grouping(test.groups, leave_out=graph.leave_out, resample=geometry.resample)
    networks = list(sources.values())
    if settings.transfer.source.checkpoint is not None:
        networks = networks[:1]  # one checkpoint: all networks are the same
    k = None if graph.k is None else largest_k(graph.k, chosen.groups, len(test))
    return target_geometry(
        networks, test, **vars(chosen), k=k, sigma=graph.sigma,
        symmetrize=graph.symmetrize, solver=graph.solver, permutations=geometry.permutations,
        confidence=geometry.confidence, seed=settings.seed,
        dtw=settings.dtw.model_dump(), axes=settings.network.axes, device=compute.device,
    )  # fmt: skip


def collect(
    target: Target,
    plan: Values,
    fits: Mapping[str, Values],
    geometry: LayerGeometry,
    sample: NodeSample | None,
    settings: Settings,
) -> TransferResult:
    """The tables of all fits."""
    from stgcnlib.studies.transfer import transfer_result

    limited = sample is not None and not sample.complete and sample.part != "train"
    return transfer_result(
        plan, [fits[_name(task)] for task in plan["fits"]], *target, geometry, training=_training(settings),
        by=_validated(settings), sampled="test" if limited else None,
    )  # fmt: skip


def advise(transfer: TransferResult) -> pd.DataFrame:
    """The evidence for the advice on freezing, one row per number of frozen blocks."""
    from stgcnlib.verdicts import advise_frozen

    return pd.DataFrame(advise_frozen(transfer).numbers["evidence"])


def describe(transfer: TransferResult, sequences: SequenceSet, settings: Settings) -> pd.DataFrame:
    """Source, target and budget, one per row."""
    from stgcnlib.tables import transfer_facts

    return transfer_facts(transfer, source=settings.transfer.source, data=sequences)


def _training(settings: Settings) -> dict[str, Any]:
    from stgcnlib.studies.transfer_plan import EPOCHS

    return {"epochs": EPOCHS, **settings.transfer.training.model_dump(exclude_none=True)}


def _validated(settings: Settings) -> str:
    """Name of the group that validation holds out as a whole: that of `graph.leave_out`, or subject."""
    from stgcnlib.groups import SUBJECT

    chosen = settings.graph.leave_out
    return SUBJECT if chosen in (None, "auto") else str(chosen)


def _name(task: Values) -> str:
    return f"{task['method']}, {task['frozen']} blocks, seed {task['seed']}"


def _task(name: str) -> Values:
    """The task of a name; seeds of a study are numbered from 0."""
    method, blocks, seed = name.split(", ")
    number = int(seed.split()[1])
    return {"method": method, "frozen": int(blocks.split()[0]), "seed": number, "number": number}
