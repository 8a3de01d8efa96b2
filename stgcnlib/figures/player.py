"""The skeleton player: a recording to play, scrub and turn, its joints coloured by what a layer looks at.

Python packs the numbers, scripts of our own draw them (assets/player.js). Without script, and on paper, a static
picture stands in their place.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from stgcnlib.errors import SequenceError
from stgcnlib.figures.live import LiveFigure
from stgcnlib.figures.relevance import Scale, check_maps, map_colors, map_scales, skeleton_strip
from stgcnlib.figures.skeleton import project, side_colors, upright
from stgcnlib.figures.style import DPI
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["aligned_frames", "skeleton_player"]

_MISSING = -32768


def skeleton_player(
    data: SequenceSet,
    i: int,
    maps: Mapping[str, Any] | None = None,
    *,
    neighbor: int | None = None,
    neighbor_maps: Mapping[str, Any] | None = None,
    path: ArrayLike | None = None,
    normalize: Scale = "map",
    fps: float = 30.0,
    title: str | None = None,
) -> LiveFigure:
    """Recording `i` to play, alone or side by side with a neighbour.

    Args:
        data: recordings with C = 2 or 3 coordinates, or of a graph whose joints have places; those and 2-D layouts
            are drawn flat.
        maps: layer name -> RelevanceMap of recording i; `None` colours joints by side.
        neighbor: index of a second recording of the same set.
        neighbor_maps: its maps, of the same layers.
        path: (L, 2) aligned input frames of the two (see `aligned_frames`), the order in which frames are shown;
            `None` runs both at the same speed, and the shorter waits at its end.
        normalize: what full colour means, as in `skeleton_strip`; the two recordings are scaled apart.
        fps: frames per second of the recording.
        title: `None` names recording and class.

    Raises:
        SequenceError: if maps, path or indices do not fit the recordings.
    """
    indices = [i] if neighbor is None else [i, neighbor]
    for k in indices:
        if not 0 <= k < len(data):
            raise SequenceError(f"there is no recording {k}; the set has {len(data)} (0 to {len(data) - 1})")
    all_maps = [maps or {}, neighbor_maps or {}][: len(indices)]
    layers = list(all_maps[0]) or list(all_maps[-1])
    for k, each in zip(indices, all_maps, strict=True):
        if each:
            check_maps(each, data.layout, int(data.lengths[k]))
        if each and list(each) != layers:
            raise SequenceError(f"recording {k} has maps of {list(each)}, the other of {layers}; give the same layers")
    colors, signed = map_colors([m for each in all_maps for m in each.values()])
    spaces = [_space(data.people(k), data.layout) for k in indices]
    flat = spaces[0].shape[-1] == 2
    unit = max(float(np.nanmax(np.abs(space))) for space in spaces) / 32000 or 1.0
    titles = [f"{data.names[k]}: {data.class_names[data.labels[k]]}" for k in indices]
    names = {name: each[name].title for each in all_maps for name in each}
    content: dict[str, Any] = {
        "dimensions": 2 if flat else 3,
        "fps": float(fps),
        "unit": unit,
        "joints": list(data.layout.joints),
        "bones": [list(bone) for bone in data.layout.bones],
        "sides": side_colors(data.layout),
        "layers": [names[name] for name in layers],
        "signed": signed,
        "scale": [[round(x, 3), to_hex(colors(x))] for x in np.linspace(0, 1, 21)],
        "range": _range(spaces),
        "path": None if path is None else _checked_path(path, [int(data.lengths[k]) for k in indices]),
        "bodies": [
            {
                "title": label,
                "people": space.shape[0],
                "frames": space.shape[1],
                "camera": None if flat else _camera(space, data.layout),
                "points": np.where(np.isfinite(space), np.round(space / unit), _MISSING).astype(np.int16),
                "maps": _levels(each, normalize, signed=signed),
            }
            for space, label, each in zip(spaces, titles, all_maps, strict=True)
        ],
        "active": 0,
    }
    says = title or (titles[0] if len(titles) == 1 else f"{titles[0]} beside {titles[1]}")
    picture, width = _picture(data, i, maps, normalize, says)
    return LiveFigure("player", content, picture, width, f"Skeleton player, {says}.")


def aligned_frames(
    path: ArrayLike, lengths: tuple[int, int], *, window: int = 1, stride: int = 1, temporal_stride: int = 1
) -> NDArray[np.int64]:
    """(L, 2) input frames to show together, from the first of both recordings to the last, for a DTW path.

    Args:
        path: (L', 2) aligned items of `stgcnlib.dtw.dtw_path`.
        lengths: input frames of the two recordings.
        window, stride: of the items, in the layer's frames; a window stands for its middle frame.
        temporal_stride: input frames per frame of the layer.
    """
    ends = np.array(lengths, dtype=np.int64) - 1
    middle = np.minimum((np.asarray(path, dtype=np.int64) * stride + (window - 1) // 2) * temporal_stride, ends)
    # Coarse items leave gaps, and windows say nothing of the borders: straight lines fill both.
    knots = np.concatenate([[[0, 0]], middle, [ends]])
    pieces = [knots[:1]]
    for first, second in pairwise(knots):
        count = int(np.abs(second - first).max())
        pieces.append(np.round(np.linspace(first, second, count + 1)[1:]).astype(np.int64))
    return np.concatenate(pieces)


def _space(people: NDArray[np.float32], layout: SkeletonLayout) -> NDArray[np.float64]:
    """(M, T, V, 3) as across, depth, up of a right-handed frame, or (M, T, V, 2) for flat layouts; centred."""
    points = np.asarray(people, dtype=np.float64)
    if layout.dimensions != 3 or points.shape[-1] == 2:
        # One call for all people: which way is up is decided together.
        joined: NDArray[np.float64] = project(points.reshape(-1, *points.shape[-2:]), layout)
        space = joined.reshape(*points.shape[:-1], 2)
    else:
        up, sign = upright(points.reshape(-1, *points.shape[-2:]), layout)
        # The two axes after `up`, in cyclic order, make a right-handed frame; a flip of up flips depth with it.
        across, depth = (up + 1) % 3, (up + 2) % 3
        space = np.stack([points[..., across], sign * points[..., depth], sign * points[..., up]], axis=-1)
    low, high = np.nanmin(space, axis=(0, 1, 2)), np.nanmax(space, axis=(0, 1, 2))
    centred: NDArray[np.float64] = space - (low + high) / 2
    return centred


def _range(spaces: Sequence[NDArray[np.float64]]) -> list[list[float]]:
    """Limits per axis for all frames, people and recordings, so that sizes compare; no axis is flat."""
    reach = np.max([np.nanmax(np.abs(space), axis=(0, 1, 2)) for space in spaces], axis=0)
    reach = np.maximum(1.05 * reach, 0.12 * reach.max())
    return [[-round(float(r), 4), round(float(r), 4)] for r in reach]


def _camera(space: NDArray[np.float64], layout: SkeletonLayout) -> dict[str, float]:
    """Where the viewer stands, in degrees: in front of the people, a little above and to the side."""
    front = np.array([0.0, -1.0])
    if layout.shoulders is not None:
        left, right = layout.shoulders
        # Facing is left x up; of two people who face each other nothing is left, and the default stays.
        line = np.nanmean(space[..., left, :2] - space[..., right, :2], axis=1)
        facing = np.stack([line[:, 1], -line[:, 0]], axis=-1)
        mean = (facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-9)).mean(axis=0)
        if np.linalg.norm(mean) > 0.5:
            front = mean / np.linalg.norm(mean)
    return {"azimuth": round(float(np.rad2deg(np.arctan2(front[1], front[0]))) + 22, 1), "elevation": 13.5}


def _levels(maps: Mapping[str, Any], normalize: Scale, *, signed: bool) -> list[NDArray[Any]]:
    if not maps:
        return []
    scales, _ = map_scales(maps, normalize)
    low, full, dtype = (-1, 127, np.int8) if signed else (0, 255, np.uint8)
    return [np.round(np.clip(m.values / scales[name], low, 1) * full).astype(dtype) for name, m in maps.items()]


def _checked_path(path: ArrayLike, lengths: Sequence[int]) -> NDArray[np.uint16]:
    pairs = np.asarray(path)
    if len(lengths) != 2:
        raise SequenceError("path: aligns two recordings, but no neighbor is given")
    fits = pairs.ndim == 2 and pairs.shape[1] == 2 and len(pairs) and pairs.dtype.kind in "iu"
    if not fits or (pairs < 0).any() or (pairs >= np.array(lengths)).any():
        raise SequenceError(
            f"path has shape {pairs.shape}; expected (L, 2) input frames below {lengths[0]} and {lengths[1]}"
        )
    return pairs.astype(np.uint16)


def _picture(
    data: SequenceSet, i: int, maps: Mapping[str, Any] | None, normalize: Scale, title: str
) -> tuple[bytes, int]:
    """Start, middle and end of recording i; with maps, at the first and the last layer."""
    shown = dict(maps or {})
    if len(shown) > 2:
        names = list(shown)
        shown = {name: shown[name] for name in (names[0], names[-1])}
    if shown:
        figure = skeleton_strip(data.people(i), data.layout, shown, normalize=normalize, title=title)
    else:
        from stgcnlib.figures.data import poses

        figure = poses(data.select([i]))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue(), round(figure.get_figwidth() * 100)
