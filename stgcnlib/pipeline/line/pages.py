"""What pages show besides measured results: facts, settings in words, and choices of examples.

They are artefacts like others so that a page's mark changes with every setting that the page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.pipeline.line.data import Parts
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.explain import RelevanceMap
    from stgcnlib.geometry import ChosenK, LayerGeometry
    from stgcnlib.groups import Grouping
    from stgcnlib.leakage import Leakage
    from stgcnlib.sampling import NodeSample
    from stgcnlib.studies import NoiseResult, TransferResult
    from stgcnlib.training import Evaluation, TargetEvaluation

__all__ = ["choose_examples", "describe_network", "describe_report", "describe_settings", "summarize"]  # fmt: skip

Layers = list[dict[str, Any]]
Maps = list[dict[str, "RelevanceMap"]]


def describe_network(
    network: nn.Module,
    evaluation: Evaluation | TargetEvaluation,
    sequences: SequenceSet,
    layers: Layers,
    history: pd.DataFrame | None,
    accuracies: pd.DataFrame,
    settings: Settings,
) -> pd.DataFrame:
    """Facts about the network, one per row."""
    from stgcnlib.tables import network_facts

    return network_facts(
        network, evaluation, settings=settings.network, data=sequences, layers=layers, history=history,
        accuracies=accuracies,
    )  # fmt: skip


def choose_examples(nodes: SequenceSet, explained: NDArray[np.int64], maps: Maps, settings: Settings) -> list[Any]:
    """(title, coordinates, maps) of a few recordings, spread over the classes."""
    from stgcnlib.tables import example_maps

    return example_maps(nodes, explained, maps, count=settings.explain.examples)


def describe_settings(
    nodes: SequenceSet, grouping: Grouping, k: ChosenK, sample: NodeSample | None, settings: Settings
) -> pd.DataFrame:
    """The settings that decide the numbers, one per row."""
    from stgcnlib.groups import resampled_groups
    from stgcnlib.tables import settings_facts

    left_out = None if grouping.groups is None else grouping.group
    drawn = resampled_groups(grouping.resample, grouping.groups)
    unit = None if drawn is None else grouping.unit
    drawn_from = "" if sample is None else sample.in_short()
    return settings_facts(settings, nodes=nodes, k=k, left_out=left_out, resampled=unit, sample=drawn_from)


def describe_report(
    sequences: SequenceSet,
    parts: Parts,
    nodes: SequenceSet,
    layers: Layers,
    accuracies: pd.DataFrame,
    k: ChosenK,
    leakage: Leakage,
    sample: NodeSample | None,
    settings: Settings,
) -> dict[str, str]:
    """Short facts for the head of the report."""
    from stgcnlib.tables import report_facts

    return report_facts(
        settings, data=sequences, parts=parts, nodes=nodes, layers=layers, accuracies=accuracies, k=k,
        compared=leakage.in_short(), sample="" if sample is None else sample.in_short(),
    )  # fmt: skip


def summarize(
    geometry: LayerGeometry,
    noise: NoiseResult | None,
    transfer: TransferResult | None,
    nodes: SequenceSet,
    examples: list[Any],
    facts: Mapping[str, str],
    leakage: Leakage,
    sample: NodeSample | None,
    preparations: pd.DataFrame | None,
    shortages: Mapping[str, str],
    settings: Settings,
    path: Path,
) -> None:
    """What the report's first page shows: warnings, verdicts, three pictures, facts and the main table."""
    from stgcnlib.figures import class_heatmap, skeleton_strip, smoothness_curve
    from stgcnlib.geometry import class_separation
    from stgcnlib.pipeline.summary import write_summary
    from stgcnlib.tables import smoothness_table, strip_example
    from stgcnlib.training.preparations import preparation_advice
    from stgcnlib.verdicts import judge_depth, judge_noise, judge_transfer

    curve = smoothness_curve(geometry.table, mean=geometry.mean_curve(), measured=geometry.measured)
    figures = {"curve": (f"{geometry.measured.capitalize()} smoothness, layer by layer", curve)}
    if len(geometry.per_class):
        heatmap = class_heatmap(geometry.per_class, separation=class_separation(geometry))
        figures["classes"] = ("Which classes separate, and where", heatmap)
    title, coordinates, maps, frames = strip_example(examples)
    strip = skeleton_strip(coordinates, nodes.layout, maps, frames=frames, title=title)
    figures["strip"] = ("What an early, a middle and the last layer look at", strip)
    claims = [] if noise is None else [("Noise", judge_noise(noise))]
    claims += [] if transfer is None else [("Transfer", judge_transfer(transfer))]
    advice = [] if preparations is None or preparations.empty else [preparation_advice(preparations)]
    write_summary(
        path, title=settings.name, outcome=judge_depth(geometry), figures=figures, facts=facts,
        table=smoothness_table(geometry), claims=claims, warnings=[*advice, *leakage.sentences()],
        notes=[*([] if sample is None else sample.sentences()), *shortages.values()],
    )  # fmt: skip
