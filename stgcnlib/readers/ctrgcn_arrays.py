"""Arrays that CTR-GCN and its successors train from: ``NTU60_CS.npz``, ``NTU120_CSet.npz`` (Chen et al., ICCV 2021).

`x_train`, `y_train`, `x_test` and `y_test`. x is (N, T, 150): per frame two people of 25 joints of x, y, z in metres,
padded with zeros, moved so that the middle of the spine of the first frame is the origin; or (N, T, M, V, C) with the
same axes separate. y is one-hot (N, classes), or (N,) class indices. InfoGCN, HD-GCN, BlockGCN and others read the
same.

The file holds no names of recordings, and thus no subject and no camera. They come from a list of names: one a line in
the order of the file, or the ``skes_available_name.txt`` that the preparation writes. The latter is sorted into the
order of the file (by subject, camera or setup, training part first). The label of every recording must agree with its
name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError, shorten, warn
from stgcnlib.readers import ntu
from stgcnlib.readers.arrays import Stored, member_names, members
from stgcnlib.readers.content import Recording, gather
from stgcnlib.readers.padding import unpadded
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_named

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "*.npz with x_train, y_train"
PARTS = ("train", "test")
PEOPLE, JOINTS, AXES = 2, 25, 3
MOST_PEOPLE = 20
MOST_CLASSES = 100_000


def recognises(file: Path) -> bool:
    """Whether a file is an npz with both arrays of a part, by the names of its members."""
    return file.suffix.lower() == ".npz" and bool(_parts(file))


def read(
    files: list[Path],
    source: Path,
    *,
    layout: SkeletonLayout | str | None = None,
    names: Sequence[str] | None = None,
) -> SequenceSet:
    """The recordings of one npz, with the group split ("train", "test") and, where names are given, NTU's groups.

    Args:
        files: the npz.
        source: what `stgcnlib.read` was given, for messages.
        layout: of the joints; `None` is "ntu-rgb+d".
        names: of the recordings, as the module says; `None` warns that subjects are unknown.

    Raises:
        SkeletonFormatError: if there are several files, the npz is damaged or of other axes, or names do not fit.
    """
    if len(files) > 1:
        raise SkeletonFormatError(f"{source}: holds {len(files)} npz ({shorten(f.name for f in files)}); name one")
    file = files[0]
    skeleton = layout_named("ntu-rgb+d" if layout is None else layout)
    recordings: list[Recording] = []
    classes: set[int | None] = set()
    for part in _parts(file):
        with members(file, (f"x_{part}", f"y_{part}")) as (x, y):
            labels, width = _classes(y)
            classes.add(width)
            if x.shape[:1] != (len(labels),):
                raise SkeletonFormatError(f"{x.where} has shape {x.shape}, y_{part} has {len(labels)} labels")
            axes = _axes(x, skeleton)
            for i, row in enumerate(x.rows()):
                coords = unpadded(row.reshape(axes).transpose(1, 0, 2, 3))
                recordings.append(Recording(f"{part}_{i}", coords, labels[i], {"split": part}))
    class_names = None
    if skeleton.name == "ntu-rgb+d" and classes in ({60}, {120}):
        class_names = ntu.ACTIONS[: classes.pop()]
    if names is None:
        warn(
            f"{file}: names no recording, so subjects, cameras and setups are unknown, and none can be left out; "
            "give their names (names=, --names), a line each"
        )
    else:
        _name(recordings, [name.removesuffix(".skeleton") for name in names], file)
        class_names = ntu.add_groups(recordings) or class_names
    return gather(recordings, layout=skeleton, source=source, class_names=class_names)


def _parts(file: Path) -> list[str]:
    held = set(member_names(file))
    return [part for part in PARTS if {f"x_{part}", f"y_{part}"} <= held]


def _axes(x: Stored, skeleton: SkeletonLayout) -> tuple[int, int, int, int]:
    """Frames, people, joints and channels of one recording."""
    shape, numbers = x.shape, len(skeleton) * AXES
    if len(shape) == 3 and 0 < shape[2] <= MOST_PEOPLE * numbers and shape[2] % numbers == 0:
        return shape[1], shape[2] // numbers, len(skeleton), AXES
    if len(shape) == 5 and shape[2] <= MOST_PEOPLE and shape[3] == len(skeleton) and 2 <= shape[4] <= 4:
        return shape[1], shape[2], shape[3], shape[4]
    raise SkeletonFormatError(
        f"{x.where} has shape {shape}; expected (recordings, frames, {PEOPLE * numbers}) or (recordings, frames, "
        f"people, {len(skeleton)}, {AXES}) for layout {skeleton.name!r}; say with layout= if it is another"
    )


def _classes(y: Stored) -> tuple[list[int], int | None]:
    """Class index of each recording, and the number of classes where y is one-hot."""
    if len(y.shape) == 2 and 1 < y.shape[1] <= MOST_CLASSES:
        labels = []
        for i, row in enumerate(y.rows()):
            marked: NDArray[np.int64] = np.flatnonzero(row > 0)
            if len(marked) != 1:
                raise SkeletonFormatError(f"{y.where}: recording {i} has {len(marked)} classes; expected one-hot rows")
            labels.append(int(marked[0]))
        return labels, y.shape[1]
    if len(y.shape) != 1:
        raise SkeletonFormatError(f"{y.where} has shape {y.shape}; expected (recordings, classes), one-hot, or (N,)")
    labels = [int(row) if float(row).is_integer() else -1 for row in y.rows()]
    if wrong := [label for label in labels if not 0 <= label < MOST_CLASSES]:
        raise SkeletonFormatError(f"{y.where}: labels such as {wrong[0]} are no class indices from 0")
    return labels, None


def _name(recordings: list[Recording], names: list[str], file: Path) -> None:
    """Give the recordings their names; NTU's may come in the order of the preparation."""
    if len(names) != len(recordings):
        raise SkeletonFormatError(f"{file}: has {len(recordings)} recordings, but {len(names)} names are given")
    if len(set(names)) != len(names):
        raise SkeletonFormatError(f"{file}: among the names given, some occur twice; give each recording its own")
    found = [ntu.parts_of_name(name) for name in names]
    orders = [names]
    if all(parts is not None for parts in found):
        groups = [parts[0] for parts in found if parts is not None]
        orders += [[names[i] for i in order] for order in _orders(groups, recordings)]
        labels = {name: parts[1] - 1 for name, parts in zip(names, found, strict=True) if parts is not None}
        orders = [order for order in orders if [labels[name] for name in order] == [r.label for r in recordings]]
        if not orders:
            raise SkeletonFormatError(
                f"{file}: the actions in the names given are not the labels of the file, in this order nor in that of "
                "cross-subject, cross-view or cross-setup; give them in the order of the file"
            )
        if any(order != orders[0] for order in orders):
            raise SkeletonFormatError(
                f"{file}: the names given fit the labels in several orders; give them in the order of the file, with "
                "recordings of other sets left out"
            )
    for recording, name in zip(recordings, orders[0], strict=True):
        recording.name = name


def _orders(groups: list[dict[str, int | str]], recordings: list[Recording]) -> list[list[int]]:
    """Indices in the orders in which the preparation writes: by part, then subject, camera or setup, then as given."""
    trained = sum(recording.groups["split"] == "train" for recording in recordings)
    orders = []
    for group, train in (
        ("subject", ntu.XSUB_TRAIN), ("subject", ntu.XSUB_TRAIN_120), ("camera", ntu.XVIEW_TRAIN),
        ("setup", tuple(range(2, 33, 2))),
    ):  # fmt: skip
        keys = [(values[group] not in train, values[group]) for values in groups]
        if sum(not tested for tested, _ in keys) == trained:
            orders.append(sorted(range(len(keys)), key=lambda i, keys=keys: keys[i]))  # type: ignore[misc]
    return orders
