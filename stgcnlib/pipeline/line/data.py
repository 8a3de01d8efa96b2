"""Recordings: read, prepared, split, and chosen as nodes of the DS-Graphs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.errors import StudyError, about, shorten, suggest
from stgcnlib.groups import Grouping, grouping
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stgcnlib.artefacts.keys import Settings
    from stgcnlib.geometry import ChosenK
    from stgcnlib.leakage import Leakage
    from stgcnlib.sampling import NodeSample

__all__ = ["choose_candidates", "draw_sample", "explained_nodes", "find_leaks", "find_repeated", "group_nodes",
           "keep_recordings", "make_demo", "make_sensors", "part_indices", "parts_of", "pick_nodes", "prepare",
           "read_recordings", "reference_part", "split_parts", "unprepared"]  # fmt: skip

Parts = tuple[SequenceSet | None, SequenceSet]
"""(train, test); no training part where the study names none, for a network from a checkpoint."""


def make_demo(settings: Settings) -> SequenceSet:
    """The embedded data set, of the size that the study says."""
    from stgcnlib.demo import demo_sequences

    return demo_sequences(seed=settings.seed, **settings.data.demo.model_dump())


def make_sensors(settings: Settings) -> SequenceSet:
    """The generated sensor network, of the size that the study says."""
    from stgcnlib.demo import sensor_demo

    return sensor_demo(seed=settings.seed, **settings.data.sensor_demo.model_dump())


def read_recordings(demo: SequenceSet | None, sensors: SequenceSet | None, settings: Settings) -> SequenceSet:
    """All recordings of the study, prepared, with what is to be predicted: classes, or real targets and no classes.

    Raises:
        StudyError: the recordings have no such target, or none of a class that is named.
    """
    return prepare(unprepared(demo, sensors, settings), settings.data, settings.data.split)


def unprepared(demo: SequenceSet | None, sensors: SequenceSet | None, settings: Settings) -> SequenceSet:
    """All recordings of the study as they were recorded, or cut into windows, with what is to be predicted."""
    from stgcnlib.transforms import windows

    given = demo if demo is not None else sensors if sensors is not None else _read(settings.data)
    if settings.data.windows is not None:
        with about("data.windows", "windows"):
            given = windows(given, **settings.data.windows.model_dump())
    return _of_classes(_told(given, settings.data.target), settings.data.classes)


def prepare(data: SequenceSet, chosen: Any, split: Any) -> SequenceSet:
    """Recordings as the study's section `data` prepares them: fewer frames, then normalised as it says.

    Features on a graph that is no body are standardized by the mean and deviation of the training part of `split`, so
    that nothing is learned from the test part.
    """
    from stgcnlib import transforms

    data = transforms.subsample(data, chosen.frame_step)
    if chosen.published:
        with about("data.published"):
            return transforms.published(data, *chosen.published)
    if not chosen.normalize:
        return data
    if data.layout.dimensions:
        with about("data.centre", "centre"):
            return transforms.normalize(data, per=chosen.centre)
    train = parts_of(data, split)[0]
    if train is None:
        raise StudyError(
            "data.normalize: signals are standardized by the training part, and data.split names none; name it, or set "
            "data.normalize to false"
        )
    return transforms.standardize(data, like=train)


def part_indices(data: SequenceSet, split: Any, key: str = "data.split") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the recordings that train and that test, by a section `split`; without one, all test.

    Args:
        data: all recordings.
        split: the section.
        key: where the study has it.

    Raises:
        StudyError: the recordings have no such groups or values, or a part is empty.
    """
    if split is None:
        return np.arange(0), np.arange(len(data))
    with about(key, "split"):
        return data.split_indices(split.by, split.train, split.test)


def parts_of(data: SequenceSet, split: Any, key: str = "data.split") -> Parts:
    """(train, test) recordings by a section `split`, which the study has at `key`; as `part_indices`."""
    train, test = part_indices(data, split, key)
    return data.select(train) if len(train) else None, data.select(test)


def reference_part(parts: Parts) -> SequenceSet:
    """The recordings that tell what is usual, such as a mean pose: the training part, or without one the test part."""
    train, test = parts
    return test if train is None else train


def find_repeated(prepared: SequenceSet, settings: Settings) -> pd.DataFrame:
    """The recordings that repeat another one of the parts. Equal recordings are still equal after preparation."""
    from stgcnlib.duplicates import repeated_recordings

    split = settings.data.split
    indices = dict(zip(("train", "test"), part_indices(prepared, split), strict=True))
    found = repeated_recordings(*parts_of(prepared, split))
    places = [int(indices[part][i]) for part, i in zip(found["part"], found["index"], strict=True)]
    return found.assign(index=np.array(places, dtype=np.int64))


def keep_recordings(prepared: SequenceSet, repeated: pd.DataFrame, settings: Settings) -> SequenceSet:
    """The recordings that the study uses: all, or all without the repeated ones."""
    if not settings.data.drop_duplicates or repeated.empty:
        return prepared
    return prepared.select(np.setdiff1d(np.arange(len(prepared)), repeated["index"]))


def find_leaks(parts: Parts, repeated: pd.DataFrame, settings: Settings) -> Leakage:
    """What the test part shares with the training part, and what was left out for that."""
    from stgcnlib.leakage import find_leakage

    found = find_leakage(*parts)
    if not settings.data.drop_duplicates:
        return found
    return replace(found, repeats=repeated, facts=found.facts | {"dropped": True})


def split_parts(sequences: SequenceSet, settings: Settings) -> Parts:
    """(train, test) recordings."""
    return parts_of(sequences, settings.data.split)


def draw_sample(sequences: SequenceSet, parts: Parts, settings: Settings) -> NodeSample:
    """Which recordings of the chosen part are nodes, where the study asks for a sample.

    Raises:
        StudyError: too few nodes for the classes.
    """
    from stgcnlib.sampling import draw_nodes

    part = settings.graph.part
    return draw_nodes(
        _part(sequences, parts, part), part=part, **settings.graph.sample.model_dump(), seed=settings.seed
    )


def pick_nodes(sequences: SequenceSet, parts: Parts, sample: NodeSample | None, settings: Settings) -> SequenceSet:
    """The recordings that are nodes of the DS-Graphs: those of the chosen part, or a sample of them."""
    part = _part(sequences, parts, settings.graph.part)
    return part if sample is None else part.select(sample.indices)


def _part(sequences: SequenceSet, parts: Parts, name: str) -> SequenceSet:
    match name:
        case "train" if parts[0] is not None:
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
    """Indices of the nodes that have relevance maps: a few, spread over each class or each quarter of the target."""
    from stgcnlib.groups import strata

    few, codes = settings.explain.per_class, strata(nodes)[0]
    members = [np.flatnonzero(codes == c) for c in np.unique(codes)]
    places = [np.linspace(0, len(m) - 1, min(few, len(m))).round().astype(int) for m in members]
    return np.sort(np.concatenate([m[p] for m, p in zip(members, places, strict=True)]))


def _told(data: SequenceSet, target: str) -> SequenceSet:
    """The same recordings with classes and no targets, or with targets and no classes."""
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


def _of_classes(data: SequenceSet, names: Sequence[str]) -> SequenceSet:
    """The recordings of some classes, which keep their numbers, as a checkpoint needs; all where none is named."""
    if not names:
        return data
    for name in names:
        if name not in data.class_names:
            raise StudyError(f"data.classes: no class is named {name!r}; {suggest(name, data.class_names)}")
    wanted = np.isin(data.labels, [data.class_names.index(name) for name in names])
    if lacking := [name for name in names if not (data.labels == data.class_names.index(name)).any()]:
        raise StudyError(f"data.classes: no recording is of class {shorten(lacking)}; leave it out")
    return data.select(wanted)


def _read(chosen: Any) -> SequenceSet:
    from stgcnlib.readers import read

    told = {"layout": chosen.layout, "pattern": chosen.pattern, "names": chosen.names}
    return read(chosen.path, format=chosen.format, skip=chosen.skip, **told)
