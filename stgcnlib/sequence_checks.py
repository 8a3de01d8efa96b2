"""Checks of what a `SequenceSet` is given: each returns the value as the set keeps it, or names what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError, shorten
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.texts import check_texts

__all__ = ["checked_coords", "checked_labels", "checked_targets", "expect_count", "expect_texts", "meant_value"]


def expect_count(what: str, values: Any, count: int) -> None:
    """Refuse values that are not one per recording; `what` names them in the message."""
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise SequenceError(f"{what} have shape {values.shape}; expected one value per recording, ({count},)")
    if len(values) != count:
        raise SequenceError(f"{what} has {len(values)} entries for {count} recordings; give one each")


def expect_texts(what: str, values: Iterable[Any]) -> None:
    """Refuse texts that no file can hold; `what` names them in the message."""
    try:
        check_texts([value for value in values if isinstance(value, str)])
    except ValueError as error:
        raise SequenceError(f"{what}: {error}; if it comes from the name of a file or folder, rename that") from None


def checked_coords(value: ArrayLike, name: str, layout: SkeletonLayout, length: int | None) -> NDArray[np.float32]:
    """The coordinates of one recording, (T, V, C) or (M, T, V, C), cut to `length` frames if that is given.

    Raises:
        SequenceError: their shape or values are not those of a recording on this layout.
    """
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


def checked_labels(
    labels: ArrayLike | None, class_names: Sequence[str] | None, count: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) labels and the name of each class; the defaults of `SequenceSet` where they are left out."""
    raw = np.zeros(count, dtype=np.int64) if labels is None else np.asarray(labels)
    expect_count("labels", raw, count)
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


def checked_targets(
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


def meant_value(value: Any, known: set[Any]) -> Any:
    """The one of `known` that a value names: itself, else the only one that is the same text or whole number."""
    if value in known:
        return value
    text = str(value)
    same = [k for k in known if str(k) == text]
    if not same and re.fullmatch(r"[0-9]{1,18}", text):
        same = [k for k in known if re.fullmatch(r"[0-9]{1,18}", str(k)) and int(str(k)) == int(text)]
    return same[0] if len(same) == 1 else value
