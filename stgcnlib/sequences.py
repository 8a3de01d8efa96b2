"""SequenceSet: recordings of different length with their labels or targets, groups and skeleton layout.

This is what readers return and everything else takes. It holds coordinates as they are; centring,
scaling and noise are functions of `stgcnlib.transforms`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError, SkeletonFormatError, StgcnlibError, shorten, suggest
from stgcnlib.files import fingerprint, mistaken
from stgcnlib.sequence_checks import (
    checked_coords,
    checked_labels,
    checked_targets,
    expect_count,
    expect_texts,
    meant_value,
)
from stgcnlib.sequence_files import read_recordings, write_recordings
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as as_layout

__all__ = ["SequenceSet"]


class SequenceSet:
    """N recordings of T_i frames each, on one skeleton layout.

    Args:
        coords: one array per recording, (T, V, C) or (M, T, V, C) where several people move; or one
            padded array (N, T, V, C) or (N, M, T, V, C) together with `lengths`. Kept as float32. A joint of a body
            with a NaN coordinate counts as not found and is set to zero. With several people, C is at least the number
            of the layout's axes: the order (N, C, T, V, M) of ST-GCN's arrays is refused.
        lengths: true number of frames per recording, for padded `coords`.
        labels: class index per recording, integers in 0..len(class_names)-1; all 0 if left out.
        class_names: name of each class; "class 0", … if left out, none where there are targets and no labels. An
            empty list, with labels of 0, means that there are no classes.
        groups: name -> one value per recording, for example ``{"subject": [...], "view": [...]}``.
        layout: the skeleton, by name or as a `SkeletonLayout`.
        names: name of each recording (a file stem, say); "recording 0", … if left out.
        targets: real values per recording, (N,) or (N, Q), where something other than a class is to be predicted.
        target_names: name of each of the Q columns, with its unit; "target 0", … if left out.

    Raises:
        SequenceError: if shapes, counts or values do not fit; the message names the recording.

    Attributes:
        coords: list of (T, V, C) arrays, or (M, T, V, C) where a recording holds several people.
        labels: (N,) int64.
        lengths: (N,) int64, frames per recording.
        groups: name -> (N,) array.
        targets: (N, Q) float64, or `None`. A set without classes has no `class_names`, and labels of 0.

    Examples:
        >>> import numpy as np
        >>> from stgcnlib import SequenceSet, SkeletonLayout
        >>> mouse = SkeletonLayout("mouse", ("snout", "tail"), ((1, 0),), centre=0, dimensions=2)
        >>> recordings = [np.ones((60 + k, 2, 2)) for k in range(4)]  # (T, V, C) each
        >>> data = SequenceSet(
        ...     recordings,
        ...     labels=[0, 1, 0, 1],
        ...     class_names=["groom", "rear"],
        ...     groups={"cage": [1, 1, 2, 2]},
        ...     layout=mouse,
        ... )
        >>> train, test = data.split("cage", train=[1])
        >>> train.labels.tolist(), test.lengths.tolist()
        ([0, 1], [62, 63])
    """

    def __init__(
        self,
        coords: Sequence[ArrayLike] | NDArray[Any],
        lengths: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
        groups: Mapping[str, ArrayLike] | None = None,
        layout: SkeletonLayout | str = "ntu-rgb+d",
        *,
        names: Sequence[str] | None = None,
        targets: ArrayLike | None = None,
        target_names: Sequence[str] | None = None,
    ) -> None:
        self.layout = as_layout(layout)
        count = len(coords)
        if count == 0:
            raise SequenceError("coords holds no recording; give at least one (T, V, C) array")
        self.names = tuple(names) if names is not None else tuple(f"recording {i}" for i in range(count))
        expect_count("names", self.names, count)
        expect_texts("names", self.names)
        true_lengths = None if lengths is None else np.asarray(lengths)
        if true_lengths is not None:
            if true_lengths.dtype.kind not in "iu":
                raise SequenceError(f"lengths have dtype {true_lengths.dtype}; expected integers")
            expect_count("lengths", true_lengths, count)
        self.coords: list[NDArray[np.float32]] = [
            checked_coords(c, self.names[i], self.layout, None if true_lengths is None else int(true_lengths[i]))
            for i, c in enumerate(coords)
        ]
        channels = {c.shape[-1] for c in self.coords}
        if len(channels) > 1:
            raise SequenceError(f"coords: recordings have {sorted(channels)} channels; all need the same number")
        self.targets, self.target_names = checked_targets(targets, target_names, count)
        if self.targets is not None and labels is None and class_names is None:
            class_names = ()
        self.labels, self.class_names = checked_labels(labels, class_names, count)
        expect_texts("class_names", self.class_names)
        expect_texts("target_names", self.target_names)
        self.groups: dict[str, NDArray[Any]] = {}
        for key, values in (groups or {}).items():
            group = np.asarray(values)
            expect_count(f"groups[{key!r}]", group, count)
            expect_texts(f"groups[{key!r}]", [key, *(group.tolist() if group.dtype.kind in "UO" else ())])
            self.groups[str(key)] = group

    # -- sizes ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of recordings N."""
        return len(self.coords)

    def __repr__(self) -> str:
        shortest, longest = self.lengths.min(), self.lengths.max()
        groups = "".join(f", {len(np.unique(v))} {k}s" for k, v in self.groups.items())
        told = f"{len(self.class_names)} classes" if self.class_names else "no classes"
        if self.targets is not None:
            told += f", target {shorten(self.target_names, 3)}"
        return (
            f"SequenceSet({len(self)} recordings, {told}{groups}, "
            f"{shortest}-{longest} frames, {len(self.layout)} joints ({self.layout.name}), {self.channels} channels)"
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) frames per recording."""
        return np.array([c.shape[-3] for c in self.coords], dtype=np.int64)

    @property
    def channels(self) -> int:
        """Number of channels C (coordinates per joint)."""
        return int(self.coords[0].shape[-1])

    @property
    def outputs(self) -> int:
        """How many outputs a network needs to predict the class or, where there are no classes, the targets."""
        return len(self.class_names or self.target_names)

    @property
    def people_counts(self) -> NDArray[np.int64]:
        """(N,) people per recording."""
        return np.array([1 if c.ndim == 3 else c.shape[0] for c in self.coords], dtype=np.int64)

    def people(self, i: int) -> NDArray[np.float32]:
        """Recording `i` as (M, T, V, C), whatever the number of people."""
        c = self.coords[i]
        return c[None] if c.ndim == 3 else c

    def sequence(self, i: int) -> NDArray[np.float32]:
        """Recording `i` as (T, V*C) features per frame, people side by side along each joint's channels."""
        people = self.people(i)
        return np.ascontiguousarray(people.transpose(1, 2, 0, 3).reshape(people.shape[1], -1))

    # -- choosing ------------------------------------------------------------------------------

    def select(self, which: ArrayLike) -> SequenceSet:
        """The recordings at the indices `which` (n,), or where the mask `which` (N,) of bool is true, in that order."""
        chosen = np.asarray(which)
        if chosen.dtype == bool:
            expect_count("mask", chosen, len(self))
            chosen = np.flatnonzero(chosen)
        if chosen.size == 0:
            raise SequenceError("select: no recording is left; loosen the choice")
        return SequenceSet(
            [self.coords[i] for i in chosen],
            labels=self.labels[chosen],
            class_names=self.class_names,
            groups={k: v[chosen] for k, v in self.groups.items()},
            layout=self.layout,
            names=[self.names[i] for i in chosen],
            targets=None if self.targets is None else self.targets[chosen],
            target_names=self.target_names,
        )

    def split(
        self, by: str, train: Iterable[Any], test: Iterable[Any] | None = None
    ) -> tuple[SequenceSet, SequenceSet]:
        """Train and test parts by the values of one group; arguments and errors as `split_indices`."""
        chosen, others = self.split_indices(by, train, test)
        return self.select(chosen), self.select(others)

    def split_indices(
        self, by: str, train: Iterable[Any], test: Iterable[Any] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the train and test parts by the values of one group, in ascending order.

        Args:
            by: group name, for example "subject".
            train: values whose recordings are the train part; 1 is also "1" or "01" where a group's values are text.
            test: values whose recordings are the test part; all others if `None`.

        Returns:
            (n,) indices of the recordings that train, and (m,) of those that test.

        Raises:
            SequenceError: if the group is unknown, a value occurs nowhere, or is on both sides, or if a part is empty.
        """
        if not self.groups:
            raise SequenceError(f"split: the recordings have no groups, so none named {by!r}; give groups=")
        if by not in self.groups:
            raise SequenceError(f"split: there is no group {by!r}; {suggest(by, self.groups)}")
        values = self.groups[by]
        known = set(values.tolist())
        train_values = {meant_value(value, known) for value in train}
        test_values = known - train_values if test is None else {meant_value(value, known) for value in test}
        if missing := sorted((train_values | test_values) - known, key=str):
            raise SequenceError(
                f"split: {by} has no value {shorten(missing)}; it has {shorten(sorted(known, key=str))}"
            )
        if both := sorted(train_values & test_values, key=str):
            raise SequenceError(f"split: {by} {shorten(both)} would both train and test; name it on one side")
        first, second = (
            np.flatnonzero(np.isin(values, np.array(sorted(side, key=str)))) for side in (train_values, test_values)
        )
        for side, other, part in (("trains", "test", first), ("tests", "train", second)):
            if not len(part):
                raise SequenceError(f"split: no recording {side}; name fewer values of {by} in {other}")
        return first, second

    def with_coords(self, coords: Sequence[ArrayLike]) -> SequenceSet:
        """The same recordings with other coordinates (labels, targets, groups and names kept), none of them NaN."""
        for name, array in zip(self.names, map(np.asarray, coords), strict=False):
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise SequenceError(f"{name}: {int(np.isnan(array).sum())} coordinates are NaN; interpolate them")
        return SequenceSet(
            coords,
            labels=self.labels,
            class_names=self.class_names,
            groups=self.groups,
            layout=self.layout,
            names=self.names,
            targets=self.targets,
            target_names=self.target_names,
        )

    def fingerprint(self) -> str:
        """A hash of everything in the set, for manifests and caches."""
        import hashlib

        digest = hashlib.sha256()
        for c in self.coords:
            digest.update(repr(c.shape).encode())
            digest.update(np.ascontiguousarray(c).tobytes())
        groups = {k: v.tolist() for k, v in self.groups.items()}
        rest = [self.labels.tolist(), list(self.class_names), groups, list(self.names), self.layout.to_dict()]
        if self.targets is not None:
            rest += [self.targets.tolist(), list(self.target_names)]
        return fingerprint([digest.hexdigest(), rest])

    # -- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one compressed npz, atomically and without pickle.

        Arrays: `frames` (sum of M·T, V, C) float32, `lengths` (N,), `people` (N,), `labels` (N,),
        `group/NAME` (N,), and `targets` (N, Q) float64 where there are any; `header` is JSON with format, version,
        class names, target names, names and layout.
        """
        write_recordings(
            path, self.coords, labels=self.labels, class_names=self.class_names, groups=self.groups,
            layout=self.layout, names=self.names, targets=self.targets, target_names=self.target_names,
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SequenceSet:
        """Read a file that `save` wrote.

        Raises:
            SkeletonFormatError: if the file is truncated, of another kind, or inconsistent.
        """
        file = Path(path)
        try:
            return cls(**read_recordings(file))
        except StgcnlibError as error:
            if str(error).startswith(str(file)):
                raise
            raise SkeletonFormatError(f"{file}: {error}") from None
        except FileNotFoundError:
            raise SkeletonFormatError(f"{file}: no such file") from None
        except Exception as error:  # damaged bytes raise errors of many kinds in zipfile, zlib, numpy and json
            if what := mistaken(file, fine=["npz"]):
                raise SkeletonFormatError(f"{file}: {what}") from None
            raise SkeletonFormatError(
                f"{file}: not a readable stgcnlib file of recordings ({type(error).__name__}: {error}); save it again"
            ) from None
