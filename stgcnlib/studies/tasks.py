"""A source and a target task made of one data set: some of its classes, and the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SequenceError, suggest
from stgcnlib.sequences import SequenceSet

__all__ = ["split_classes"]


def split_classes(data: SequenceSet, source: int | Sequence[str]) -> tuple[SequenceSet, SequenceSet]:
    """Recordings of a source and of a target task: some classes, and the others.

    Source: our choice.

    Args:
        data: recordings of all classes.
        source: how many first classes, or the names of the classes, make the source task.

    Returns:
        (source, target), each with its own classes numbered from 0.

    Raises:
        SequenceError: an unknown class, or fewer than two classes on a side.
    """
    names = data.class_names
    chosen = list(names[:source]) if isinstance(source, int) else list(source)
    for name in chosen:
        if name not in names:
            raise SequenceError(f"split_classes: no class is named {name!r}; {suggest(str(name), names)}")
    count = source if isinstance(source, int) else len(set(chosen))
    if not 2 <= count <= len(names) - 2:
        raise SequenceError(
            f"split_classes: {count} of {len(names)} classes as the source leave fewer than two on a side"
        )
    inside = np.array([name in chosen for name in names])
    return _of_classes(data, inside), _of_classes(data, ~inside)


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
