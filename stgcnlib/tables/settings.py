"""The settings that decide the numbers, and facts about data and network for a report's head.

Of a study, only its plain values are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from stgcnlib.sequences import SequenceSet
from stgcnlib.tables.targets import several_successes, told_facts

if TYPE_CHECKING:
    from stgcnlib.geometry import ChosenK

__all__ = ["READINGS", "report_facts", "settings_facts"]

READINGS = {"frames": "classic DTW on frames", "sliding": "sliding windows", "segments": "proportional segments"}


def settings_facts(
    study: Any, *, nodes: SequenceSet, k: ChosenK, left_out: str | None, resampled: str | None, sample: str = ""
) -> pd.DataFrame:
    """The settings that decide the numbers, one per row, in the column "value".

    Args:
        study: the `Study`, or anything with its `seed` and its sections `dtw`, `graph` and `geometry`.
        nodes: recordings that are nodes of the DS-Graphs.
        k: the number of candidates of each node.
        left_out: name of the group whose members are no neighbours of each other; `None`: all may be neighbours.
        resampled: name of the group that intervals leave out as a whole; `None`: random parts of the recordings.
        sample: what the nodes are a sample of, in a few words; "": they are all of the part.
    """
    dtw, graph, geometry = study.dtw, study.graph, study.geometry
    band = "no band" if dtw.band is None else f"band of radius {dtw.band}"
    facts = {
        "nodes": f"{len(nodes)} recordings ({graph.part}{sample and f', {sample}'})",
        "distance": f"DTW, {READINGS[dtw.reading]}, {dtw.metric}, {band}, by {dtw.normalize}",
        "window": f"{dtw.window} input frames, stride {dtw.stride}",
        "graph": f"NNK, K = {k.k}, σ by {graph.sigma}, solver {graph.solver}",
        **_candidates(k),
        "left out as neighbours": "nobody" if left_out is None else f"same {left_out}",
        "left out for intervals": "random parts of the recordings"
        if resampled is None
        else f"one {resampled} at a time",
        "interval": f"{geometry.confidence:.0%}, graphs made anew without each part",
        "null": f"{geometry.permutations} shuffles of the {'labels' if nodes.class_names else 'targets'}",
        "seed": str(study.seed),
    }
    return pd.DataFrame({"value": facts})


def _candidates(k: ChosenK) -> dict[str, str]:
    """Why this K, how many candidates a node has of its own class, and a warning where K exceeds them."""
    facts = {"why this K": k.why}
    if k.median == k.median:
        facts["candidates of a node's own class"] = f"median {k.median:g}, least {k.least}"
    return facts | ({} if k.warning is None else {"warning": k.warning})


def report_facts(
    study: Any,
    *,
    data: SequenceSet,
    parts: tuple[SequenceSet | None, SequenceSet],
    nodes: SequenceSet,
    layers: Sequence[Mapping[str, Any]],
    accuracies: pd.DataFrame,
    k: ChosenK,
    compared: str,
    sample: str = "",
) -> dict[str, str]:
    """Short facts for the head of a report: name -> value.

    Args:
        study: the `Study`, or anything with `network.name`.
        data: all recordings.
        parts: (train, test) recordings; no training part: `None`.
        nodes: recordings that are nodes of the DS-Graphs.
        layers: name, title and index of each recorded layer; index 0 is the input.
        accuracies: `accuracy` on the test part, one row per trained network.
        k: the number of candidates of each node.
        compared: what the comparison of the two parts found, in a few words.
        sample: what the nodes are a sample of, in a few words; "": they are all of their part.

    Returns:
        Both are short texts.
    """
    train, test = parts
    return {
        "recordings": f"{len(data)} ({0 if train is None else len(train)} train, {len(test)} test)",
        "parts compared": compared,
        **{name: str(value) for name, value in told_facts(data).items()},
        "network": f"{study.network.name}, {sum(layer['index'] > 0 for layer in layers)} layers"
        + (f", {len(accuracies)} trained" if len(accuracies) > 1 else ""),
        **several_successes(accuracies),
        "DS-Graph": f"{len(nodes)} nodes{sample and f' ({sample})'}, K = {k.k}",
    }
