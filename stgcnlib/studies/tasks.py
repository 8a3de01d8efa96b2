"""A source and a target task made of one data set: some of its classes, and the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, shorten, suggest
from stgcnlib.sequences import SequenceSet

__all__ = ["other_classes", "source_classes", "split_classes"]

MOST_NAMED = 30
"""Classes that an error names; of more, the first ones."""


def split_classes(data: SequenceSet, source: int | Sequence[str]) -> tuple[SequenceSet, SequenceSet]:
    """Recordings of a source and of a target task: some classes, and the others.

    Source: our choice.

    Args:
        data: recordings of all classes.
        source: how many first classes that have recordings, or the names of the classes, make the source task.

    Returns:
        (source, target), each with its own classes numbered from 0.

    Raises:
        SequenceError: an unknown class or one without recordings, or fewer than two classes with recordings on a side.
    """
    chosen = source_classes(data, source)
    return _of_classes(data, np.isin(data.class_names, chosen)), other_classes(data, chosen)


def source_classes(data: SequenceSet, source: int | Sequence[str]) -> tuple[str, ...]:
    """Names of the source's classes; arguments and errors as of `split_classes`.

    Source: our choice.
    """
    names = data.class_names
    there = [names[label] for label in np.unique(data.labels)]
    chosen = there[:source] if isinstance(source, int) else list(dict.fromkeys(source))
    for name in chosen:
        if name not in names:
            raise SequenceError(f"split_classes: no class is named {name!r}; {suggest(str(name), names)}")
        if name not in there:
            raise SequenceError(f"split_classes: no recording is of class {name!r}; there are: {_all(there)}")
    count = source if isinstance(source, int) else len(chosen)
    if not 2 <= count <= len(there) - 2:
        raise SequenceError(
            f"split_classes: {count} of {len(there)} classes as the source leave fewer than two on a side; "
            f"there are: {_all(there)}"
        )
    return tuple(chosen)


def other_classes(data: SequenceSet, source: Sequence[str]) -> SequenceSet:
    """Recordings of the target task: of all classes but the source's.

    Source: our choice.

    Args:
        data: recordings of all classes, or a part of them.
        source: names, of `source_classes` of all recordings.

    Raises:
        SequenceError: no recording is of another class.
    """
    wanted = ~np.isin(data.class_names, source)
    if not wanted[data.labels].any():
        raise SequenceError("split_classes: a part has no recording of the target's classes; choose other classes")
    return _of_classes(data, wanted)


def _all(names: Sequence[str]) -> str:
    return shorten(names, MOST_NAMED)


def _of_classes(data: SequenceSet, wanted: NDArray[np.bool_]) -> SequenceSet:
    part = data.select(wanted[data.labels])
    number = np.cumsum(wanted) - 1
    return SequenceSet(
        part.coords,
        labels=number[part.labels],
        class_names=[name for name, inside in zip(data.class_names, wanted, strict=True) if inside],
        groups=part.groups,
        layout=part.layout,
        names=part.names,
    )
