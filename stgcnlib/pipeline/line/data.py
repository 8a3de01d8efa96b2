"""Recordings: read, prepared, split, and chosen as nodes of the DS-Graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.groups import Grouping, grouping
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from stgcnlib.artefacts.keys import Settings

__all__ = [
    "explained_nodes",
    "group_nodes",
    "make_demo",
    "make_sensors",
    "pick_nodes",
    "prepare",
    "read_recordings",
    "split_parts",
]


def make_demo(settings: Settings) -> SequenceSet:
    """The embedded data set, of the size that the study says."""
    from stgcnlib.demo import demo_sequences

    return demo_sequences(seed=settings.seed, **settings.data.demo.model_dump())


def make_sensors(settings: Settings) -> SequenceSet:
    """The generated sensor network, of the size that the study says."""
    from stgcnlib.demo import sensor_demo

    return sensor_demo(seed=settings.seed, **settings.data.sensor_demo.model_dump())


def read_recordings(demo: SequenceSet | None, sensors: SequenceSet | None, settings: Settings) -> SequenceSet:
    """All recordings of the study, prepared, with what it tells of them: classes, or real targets and no classes.

    Raises:
        StudyError: the recordings have no such target.
    """
    from stgcnlib.transforms import windows

    given = demo if demo is not None else sensors if sensors is not None else _read(settings.data)
    if settings.data.windows is not None:
        given = windows(given, **settings.data.windows.model_dump())
    return prepare(_told(given, settings.data.target), settings.data, settings.data.split)


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


def explained_nodes(nodes: SequenceSet, settings: Settings) -> NDArray[np.int64]:
    """Indices of the nodes that have relevance maps: a few of each class, or quarter of the target, spread over it."""
    from stgcnlib.groups import strata

    few, codes = settings.explain.per_class, strata(nodes)[0]
    members = [np.flatnonzero(codes == c) for c in np.unique(codes)]
    places = [np.linspace(0, len(m) - 1, min(few, len(m))).round().astype(int) for m in members]
    return np.sort(np.concatenate([m[p] for m, p in zip(members, places, strict=True)]))


def _told(data: SequenceSet, target: str) -> SequenceSet:
    """The same recordings with classes and no targets, or with targets and no classes."""
    from stgcnlib.errors import StudyError

    if target == "class" and not data.class_names:
        raise StudyError("data.target is class, but the recordings have no classes; set it to value, and give windows")
    if target == "value" and data.targets is None:
        raise StudyError(
            "data.target is value, but the recordings have no targets; give windows, or a set with targets"
        )
    if (target == "value" and not data.class_names) or (target == "class" and data.targets is None):
        return data
    return SequenceSet(
        data.coords, groups=data.groups, layout=data.layout, names=data.names,
        labels=data.labels if target == "class" else None,
        class_names=data.class_names if target == "class" else (),
        targets=data.targets if target == "value" else None,
        target_names=data.target_names if target == "value" else None,
    )  # fmt: skip


def _read(chosen: Any) -> SequenceSet:
    from stgcnlib.readers import read

    return read(chosen.path, format=chosen.format, skip=chosen.skip)
