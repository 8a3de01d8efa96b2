"""Recordings: read, prepared, split, and chosen as nodes of the DS-Graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.groups import Grouping, grouping
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.geometry import ChosenK

__all__ = ["choose_candidates", "explained_nodes", "group_nodes", "make_demo", "pick_nodes", "prepare",
           "read_recordings", "split_parts"]  # fmt: skip


def make_demo(settings: Settings) -> SequenceSet:
    """The embedded data set, of the size that the study says."""
    from stgcnlib.demo import demo_sequences

    return demo_sequences(seed=settings.seed, **settings.data.demo.model_dump())


def read_recordings(demo: SequenceSet | None, settings: Settings) -> SequenceSet:
    """All recordings of the study, prepared."""
    return prepare(_read(settings.data) if demo is None else demo, settings.data, settings.data.split)


def prepare(data: SequenceSet, chosen: Any, split: Any) -> SequenceSet:
    """Recordings as the study's section `data` prepares them: fewer frames, then normalised as it says.

    Features on a graph that is no body are standardized by the mean and deviation of the training part of `split`, so
    that nothing is learned from the test part.
    """
    from stgcnlib import transforms

    data = transforms.subsample(data, chosen.frame_step)
    if chosen.published:
        return transforms.published(data, *chosen.published)
    if not chosen.normalize:
        return data
    if data.layout.dimensions:
        return transforms.normalize(data, per=chosen.centre)
    return transforms.standardize(data, like=data.split(split.by, split.train, split.test)[0])


def split_parts(sequences: SequenceSet, settings: Settings) -> tuple[SequenceSet, SequenceSet]:
    """(train, test) recordings."""
    split = settings.data.split
    return sequences.split(split.by, split.train, split.test)


def pick_nodes(sequences: SequenceSet, parts: tuple[SequenceSet, SequenceSet], settings: Settings) -> SequenceSet:
    """The recordings that are nodes of the DS-Graphs."""
    match settings.graph.part:
        case "train":
            return parts[0]
        case "test":
            return parts[1]
        case _:
            return sequences


def group_nodes(nodes: SequenceSet, settings: Settings) -> Grouping:
    """Which nodes may not be neighbours of each other, and which ones intervals resample together."""
    return grouping(nodes.groups, leave_out=settings.graph.leave_out, resample=settings.geometry.resample)


def choose_candidates(nodes: SequenceSet, grouping: Grouping, settings: Settings) -> ChosenK:
    """How many candidates each node of a DS-Graph has: the study's K, or one that suits classes and groups."""
    from stgcnlib.geometry import choose_k

    labels = nodes.labels if nodes.targets is None else None
    return choose_k(labels, grouping.groups, wanted=settings.graph.k, count=len(nodes))


def explained_nodes(nodes: SequenceSet, settings: Settings) -> NDArray[np.int64]:
    """Indices of the nodes that have relevance maps: a few of each class, spread over its recordings."""
    few = settings.explain.per_class
    members = [np.flatnonzero(nodes.labels == c) for c in np.unique(nodes.labels)]
    places = [np.linspace(0, len(m) - 1, min(few, len(m))).round().astype(int) for m in members]
    return np.sort(np.concatenate([m[p] for m, p in zip(members, places, strict=True)]))


def _read(chosen: Any) -> SequenceSet:
    from stgcnlib.readers import read

    return read(chosen.path, format=chosen.format, skip=chosen.skip)
