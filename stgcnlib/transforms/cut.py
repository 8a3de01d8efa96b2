"""Windows cut out of long series on a graph, each with a real target, such as the mean of the hour that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout
from stgcnlib.skeleton import layout as layout_of

__all__ = ["WindowTarget", "windows"]

BLOCK = "block"  # as in stgcnlib.groups
BLOCKS = 20
"""Number of blocks of a series where `block` is not given."""

Array: TypeAlias = NDArray[np.float32]
WindowTarget: TypeAlias = Literal["mean"] | Callable[[Array, Array], ArrayLike] | ArrayLike | None


def windows(
    series: SequenceSet | ArrayLike,
    length: int,
    stride: int = 1,
    *,
    layout: SkeletonLayout | str | None = None,
    horizon: int = 1,
    block: int | None = None,
    target: WindowTarget = "mean",
    joints: Sequence[int | str] | None = None,
    channel: int = 0,
    target_name: str | Sequence[str] | None = None,
) -> SequenceSet:
    """Windows of `length` frames, every `stride` frames, as recordings with the group "block" and a real target.

    Windows that overlap are near-duplicates, as repetitions by one person are. So time is cut into blocks, and a window
    with the frames that its target is of lies in one block: windows of different blocks share no frame. Leave out
    neighbours of the same block (a study does so by itself), split by blocks, and leave out blocks for intervals.

    Args:
        series: (L, V, C) or (L, V) values of L frames at V joints, or a SequenceSet of such series.
        length: frames T of a window.
        stride: frames from the begin of one window to that of the next in its block.
        layout: the graph of an array, of `graph_layout`; a SequenceSet has its own.
        horizon: frames after the window that belong to its target; 0 only for targets that use none of them.
        block: frames of a block, a day say; `None` makes 20 blocks of each series. What is left over at the end of a
            series, and is shorter than a window, is not used.
        target: "mean": mean over the `horizon` frames after the window and over `joints`, of one channel. A function of
            the window (T, V, C) and the frames after it (horizon, V, C) that gives a number or (Q,) numbers. An array
            (L,) or (L, Q) of values per frame, read at the last of the `horizon` frames. `None`: no target.
        joints: over which "mean" is taken, by index or name; `None`: all.
        channel: of which "mean" is taken.
        target_name: what figures call the target, with its unit; `None`: a description, for "mean".

    Returns:
        SequenceSet of (T, V, C) recordings named "frames 0-23", …; group "block", those of a given SequenceSet, and
        "series" where there are several.

    Raises:
        SequenceError: an argument is out of range, a series is shorter than a window, or targets do not fit.

    Examples:
        >>> import numpy as np, stgcnlib
        >>> series, pair = np.arange(24.0).reshape(12, 2), stgcnlib.graph_layout("pair", [(0, 1)])
        >>> cut = stgcnlib.windows(series, 2, 2, block=6, layout=pair)
        >>> cut.names[:2], cut.groups["block"].tolist(), cut.targets[:2, 0].tolist()
        (('frames 0-1', 'frames 2-3'), [0, 0, 1, 1], [4.5, 8.5])
    """
    many, skeleton, names = _series(series, layout)
    if length < 1 or stride < 1 or horizon < 0 or (block is not None and block < length + horizon):
        raise SequenceError(
            f"windows: length={length}, stride={stride}, horizon={horizon}, block={block}; lengths and strides are at "
            "least 1, a horizon at least 0, and a block holds at least length + horizon frames"
        )
    tell = _teller(target, many, skeleton, horizon, joints, channel)
    coords: list[Array] = []
    told: list[Any] = []
    rows: list[tuple[str, int, int]] = []
    first_block = 0
    for number, values in enumerate(many):
        frames = len(values)
        size = block or max(frames // BLOCKS, length + horizon)
        for start in range(0, frames, size):
            last = min(start + size, frames) - length - horizon
            for begin in range(start, last + 1, stride):
                end = begin + length
                coords.append(values[begin:end])
                if tell is not None:
                    told.append(tell(number, begin, end))
                prefix = f"{names[number]} " if len(many) > 1 else ""
                rows.append((f"{prefix}frames {begin}-{end - 1}", first_block + start // size, number))
        first_block += -(-frames // size)
    if not coords:
        longest = max(len(values) for values in many)
        raise SequenceError(
            f"windows: the longest series has {longest} frames, a window and its horizon need {length + horizon}"
        )
    groups: dict[str, Any] = {BLOCK: np.array([row[1] for row in rows])}
    if isinstance(series, SequenceSet):
        groups |= {name: values[[row[2] for row in rows]] for name, values in series.groups.items()}
    if len(many) > 1:
        groups["series"] = np.array([names[row[2]] for row in rows])
    titles = [target_name] if isinstance(target_name, str) else target_name
    if titles is None and isinstance(target, str):
        titles = [_title(skeleton, horizon, joints, channel, many[0].shape[-1])]
    return SequenceSet(
        coords,
        groups=groups,
        layout=skeleton,
        names=[row[0] for row in rows],
        targets=_rows(told) if told else None,
        target_names=titles if told else None,
        class_names=(),
    )


def _series(
    series: SequenceSet | ArrayLike, layout: SkeletonLayout | str | None
) -> tuple[list[Array], SkeletonLayout, list[str]]:
    """Series (L, V, C), their layout and their names."""
    if isinstance(series, SequenceSet):
        if (series.people_counts > 1).any():
            raise SequenceError("windows: a series of several people cannot be cut; give one person each")
        return [series.people(i)[0] for i in range(len(series))], series.layout, list(series.names)
    values = np.asarray(series)
    if layout is None:
        raise SequenceError("windows: an array needs a layout; make one of its edges with graph_layout")
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise SequenceError(f"windows: series has shape {np.shape(series)}; expected (frames, joints, channels)")
    return [SequenceSet([values], layout=layout, names=["series"]).people(0)[0]], layout_of(layout), ["series"]


def _teller(
    target: WindowTarget,
    many: list[Array],
    layout: SkeletonLayout,
    horizon: int,
    joints: Sequence[int | str] | None,
    channel: int,
) -> Callable[[int, int, int], Any] | None:
    """(number of the series, begin, end) -> the target of that window."""
    if target is None:
        return None
    if isinstance(target, str):
        if target != "mean":
            raise SequenceError(f"windows: target={target!r} is unknown; give 'mean', a function, an array or None")
        if horizon < 1:
            raise SequenceError("windows: the mean after a window needs a horizon of at least 1 frame")
        if not 0 <= channel < many[0].shape[-1]:
            raise SequenceError(f"windows: channel={channel}; the series have channels 0 to {many[0].shape[-1] - 1}")
        chosen = _joints(layout, joints)
        return lambda n, _, end: many[n][end : end + horizon, chosen, channel].mean(dtype=np.float64)
    if callable(target):
        call = target
        return lambda n, begin, end: call(many[n][begin:end], many[n][end : end + horizon])
    values = np.asarray(target)
    if len(many) > 1 or values.ndim not in (1, 2) or len(values) != len(many[0]):
        raise SequenceError(
            f"windows: target has shape {values.shape}; expected one value or row per frame of one series, "
            f"({len(many[0])},)"
        )
    return lambda _, __, end: values[end - 1 + horizon]


def _joints(layout: SkeletonLayout, joints: Sequence[int | str] | None) -> list[int]:
    if joints is None:
        return list(range(len(layout)))
    chosen = [layout.index(j) if isinstance(j, str) else int(j) for j in joints]
    if not chosen or not all(0 <= j < len(layout) for j in chosen):
        raise SequenceError(
            f"windows: joints {list(joints)} do not exist; the layout has joints 0 to {len(layout) - 1}"
        )
    return chosen


def _title(
    layout: SkeletonLayout, horizon: int, joints: Sequence[int | str] | None, channel: int, channels: int
) -> str:
    chosen = _joints(layout, joints)
    where = layout.joints[chosen[0]] if len(chosen) == 1 else f"{len(chosen)} joints"
    of = f" of channel {channel}" if channels > 1 else ""
    when = "next frame" if horizon == 1 else f"mean of the next {horizon} frames"
    return f"{when}{of} at {'all joints' if joints is None else where}"


def _rows(told: list[Any]) -> NDArray[np.float64]:
    """(N,) or (N, Q) targets."""
    try:
        return np.array(told, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SequenceError(f"windows: targets are not all numbers, or not equally many ({error})") from None
