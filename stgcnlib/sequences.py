"""SequenceSet: recordings of different length with their labels or targets, groups and skeleton layout.

This is what readers return and everything else takes. It holds coordinates as they are; centring,
scaling and noise are functions of `stgcnlib.transforms`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.artefacts import npz_shapes, plain_text, read_arrays
from stgcnlib.errors import SequenceError, SkeletonFormatError, StgcnlibError, check_version, shorten, suggest
from stgcnlib.files import atomic_path, fingerprint, mistaken
from stgcnlib.json_text import parse_json
from stgcnlib.skeleton import SkeletonLayout, layout

__all__ = ["SequenceSet"]

FORMAT = "stgcnlib-sequences"
_ARRAYS = ("header", "frames", "lengths", "people", "labels", "targets")
VERSION = 2  # which files with targets have; others are written as version 1


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
        self.layout = _layout(layout)
        count = len(coords)
        if count == 0:
            raise SequenceError("coords holds no recording; give at least one (T, V, C) array")
        self.names = tuple(names) if names is not None else tuple(f"recording {i}" for i in range(count))
        _expect_count("names", self.names, count)
        true_lengths = None if lengths is None else np.asarray(lengths)
        if true_lengths is not None:
            if true_lengths.dtype.kind not in "iu":
                raise SequenceError(f"lengths have dtype {true_lengths.dtype}; expected integers")
            _expect_count("lengths", true_lengths, count)
        self.coords: list[NDArray[np.float32]] = [
            _checked(c, self.names[i], self.layout, None if true_lengths is None else int(true_lengths[i]))
            for i, c in enumerate(coords)
        ]
        channels = {c.shape[-1] for c in self.coords}
        if len(channels) > 1:
            raise SequenceError(f"coords: recordings have {sorted(channels)} channels; all need the same number")
        self.targets, self.target_names = _checked_targets(targets, target_names, count)
        if self.targets is not None and labels is None and class_names is None:
            class_names = ()
        self.labels, self.class_names = _checked_labels(labels, class_names, count)
        self.groups: dict[str, NDArray[Any]] = {}
        for key, values in (groups or {}).items():
            group = np.asarray(values)
            _expect_count(f"groups[{key!r}]", group, count)
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
            _expect_count("mask", chosen, len(self))
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
        train_values = {_meant(value, known) for value in train}
        test_values = known - train_values if test is None else {_meant(value, known) for value in test}
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
        header = {
            "format": FORMAT,
            "version": 1 if self.targets is None else VERSION,
            "class_names": list(self.class_names),
            "names": list(self.names),
            "layout": self.layout.to_dict(),
        }
        if self.targets is not None:
            header["target_names"] = list(self.target_names)
        arrays: dict[str, Any] = {
            "header": np.array(json.dumps(header)),
            "frames": np.concatenate(
                [self.people(i).reshape(-1, *self.coords[i].shape[-2:]) for i in range(len(self))]
            ),
            "lengths": self.lengths,
            # 0 marks a recording given without a people axis, so that it comes back without one.
            "people": np.array([0 if c.ndim == 3 else c.shape[0] for c in self.coords]),
            "labels": self.labels,
        }
        if self.targets is not None:
            arrays["targets"] = self.targets
        for key, values in self.groups.items():
            arrays[f"group/{key}"] = values.astype(str) if values.dtype == object else values
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SequenceSet:
        """Read a file that `save` wrote.

        Raises:
            SkeletonFormatError: if the file is truncated, of another kind, or inconsistent.
        """
        file = Path(path)
        try:
            shapes = npz_shapes(file)
            if not {"header", "frames"} & shapes.keys():
                held = shorten((f"{name} {shape}" for name, shape in shapes.items()), 6)
                raise SkeletonFormatError(
                    f"{file}: an npz of {held}, which is neither stgcnlib's nor another that read() knows; make a "
                    "SequenceSet of these arrays"
                )
            if extra := [name for name in shapes if name not in _ARRAYS and not name.startswith("group/")]:
                raise ValueError(f"{extra[0][:60]!r} does not belong there")
            content = read_arrays(file)
            header = parse_json(plain_text(content["header"]).encode())
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise SkeletonFormatError(f"{file}: not a stgcnlib file of recordings; read() tells the formats apart")
            check_version(file, header["version"], VERSION, SkeletonFormatError)
            lengths, people = content["lengths"], content["people"]
            ends = np.cumsum(lengths * np.maximum(people, 1))
            if ends[-1] != len(content["frames"]):
                raise SkeletonFormatError(
                    f"{file}: 'lengths' sum to {ends[-1]} but 'frames' has {len(content['frames'])}"
                )
            coords = []
            for block, frames, persons in zip(np.split(content["frames"], ends[:-1]), lengths, people, strict=True):
                coords.append(block if persons == 0 else block.reshape(persons, frames, *block.shape[1:]))
            return cls(
                coords,
                labels=content["labels"],
                class_names=header["class_names"],
                groups={k.removeprefix("group/"): v for k, v in content.items() if k.startswith("group/")},
                layout=SkeletonLayout.from_dict(header["layout"]),
                names=header["names"],
                targets=content.get("targets"),
                target_names=header.get("target_names"),
            )
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


def _meant(value: Any, known: set[Any]) -> Any:
    """The one of `known` that a value names: itself, else the only one that is the same text or whole number."""
    if value in known:
        return value
    text = str(value)
    same = [k for k in known if str(k) == text]
    if not same and re.fullmatch(r"[0-9]{1,18}", text):
        same = [k for k in known if re.fullmatch(r"[0-9]{1,18}", str(k)) and int(str(k)) == int(text)]
    return same[0] if len(same) == 1 else value


def _layout(value: SkeletonLayout | str) -> SkeletonLayout:
    return layout(value)


def _expect_count(what: str, values: Any, count: int) -> None:
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise SequenceError(f"{what} have shape {values.shape}; expected one value per recording, ({count},)")
    if len(values) != count:
        raise SequenceError(f"{what} has {len(values)} entries for {count} recordings; give one each")


def _checked(value: ArrayLike, name: str, layout: SkeletonLayout, length: int | None) -> NDArray[np.float32]:
    try:
        raw = np.asarray(value)
        if raw.dtype.kind not in "biufO":
            raise TypeError(f"dtype {raw.dtype}")
        with np.errstate(over="ignore"):  # what overflows float32 is infinite, which is refused below
            array = raw.astype(np.float32, copy=False)
    except (ValueError, TypeError) as error:
        raise SequenceError(f"{name}: coords are not one array of real numbers ({error}); give (T, V, C)") from None
    if array.ndim not in (3, 4):
        raise SequenceError(f"{name}: coords have shape {array.shape}; expected (T, V, C) or (M, T, V, C)")
    if length is not None:
        if not 0 < length <= array.shape[-3]:
            raise SequenceError(f"{name}: lengths says {length} frames, the array holds {array.shape[-3]}")
        array = array[..., :length, :, :]
    if 0 in array.shape:
        raise SequenceError(f"{name}: coords have shape {array.shape}, which is empty; leave the recording out")
    if array.shape[-2] != len(layout):
        raise SequenceError(
            f"{name}: coords have {array.shape[-2]} joints, layout {layout.name!r} has {len(layout)}; "
            "choose the layout that the data was recorded with"
        )
    few = array.shape[-1] < layout.dimensions <= array.shape[0]  # too few channels, but enough on the first axis
    if array.ndim == 4 and (few or _is_channels_first(array, layout.dimensions)):
        raise SequenceError(
            f"{name}: coords have shape {array.shape}, which looks like channels, frames, joints, people; the order "
            f"here is people, frames, joints, channels ({layout.dimensions} or more for layout {layout.name!r}): give "
            "numpy.moveaxis(coords, (-4, -1), (-1, -4)) of an array (N, C, T, V, M)"
        )
    if layout.dimensions and np.isnan(array).any():
        array = _without_nan(array, layout.dimensions)
    bad = ~np.isfinite(array)
    if bad.any():
        frame, joint = (int(k) for k in np.argwhere(bad)[0][-3:-1])
        raise SequenceError(
            f"{name}: {int(bad.sum())} coordinates are NaN or infinite, the first at frame {frame}, joint {joint} "
            f"({layout.joints[joint]}); interpolate or drop those frames"
        )
    if layout.dimensions and not array.any():  # signals may well be zero throughout
        raise SequenceError(f"{name}: all coordinates are zero, so nobody was tracked; leave the recording out")
    return array


def _is_channels_first(array: NDArray[np.float32], axes: int) -> bool:
    """Whether (M, T, V, C) is (C, T, V, M), by its zeros: a lost joint is zero on all axes, a person is zero alone."""
    if not max(axes, 2) <= array.shape[0] <= 4:
        return False
    lost = (array == 0) | np.isnan(array)
    if (lost != lost[:1]).any():
        return False
    lost = lost[0]
    if axes == 3:  # an axis that is zero throughout, as of flat poses, is no absent person
        lost = lost[..., ~lost.all(axis=(0, 1))]
    return int((lost != lost[..., :1]).any(axis=-1).sum()) > 2


def _without_nan(array: NDArray[np.float32], axes: int) -> NDArray[np.float32]:
    """Joints with a NaN coordinate count as not found and are set to zero; a NaN confidence is set to 1."""
    array = array.copy()
    array[np.isnan(array[..., :axes]).any(axis=-1)] = 0
    rest = array[..., axes:]
    rest[np.isnan(rest)] = 1
    return array


def _checked_labels(
    labels: ArrayLike | None, class_names: Sequence[str] | None, count: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    raw = np.zeros(count, dtype=np.int64) if labels is None else np.asarray(labels)
    _expect_count("labels", raw, count)
    if raw.dtype.kind not in "iu" or raw.ndim != 1:
        raise SequenceError(f"labels have dtype {raw.dtype} and shape {raw.shape}; expected (N,) integers")
    if raw.min() < 0:
        raise SequenceError(f"labels contain {raw.min()}; classes count from 0")
    names = tuple(class_names) if class_names is not None else tuple(f"class {c}" for c in range(int(raw.max()) + 1))
    if raw.max() >= len(names) and (names or raw.any()):
        raise SequenceError(
            f"labels contain {raw.max()}, but class_names has {len(names)} names (0 to {len(names) - 1})"
        )
    return raw.astype(np.int64), names


def _checked_targets(
    targets: ArrayLike | None, names: Sequence[str] | None, count: int
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """(N, Q) float64 and Q names, or `None` and none."""
    if targets is None:
        if names:
            raise SequenceError(
                f"target_names {shorten(names)} are given without targets; give targets, (N,) or (N, Q)"
            )
        return None, ()
    raw = np.asarray(targets)
    if raw.dtype.kind not in "biuf" or raw.ndim not in (1, 2) or len(raw) != count or 0 in raw.shape:
        raise SequenceError(
            f"targets have dtype {raw.dtype} and shape {raw.shape}; expected real numbers ({count},) or ({count}, Q)"
        )
    columns = raw.reshape(count, -1).astype(np.float64)
    if (bad := ~np.isfinite(columns).all(axis=1)).any():
        raise SequenceError(
            f"targets are NaN or infinite for {int(bad.sum())} recordings, the first is recording {int(bad.argmax())}; "
            "leave these recordings out"
        )
    width = columns.shape[1]
    titles = tuple(str(n) for n in names) if names else tuple(f"target {q}" for q in range(width))
    if len(titles) != width:
        raise SequenceError(f"target_names has {len(titles)} names for {width} columns of targets; give one each")
    return columns, titles
