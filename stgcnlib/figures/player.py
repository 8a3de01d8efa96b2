"""The skeleton player: a recording to play, scrub and turn, its joints coloured by a layer's relevance.

Python packs the numbers, and our own scripts draw them (assets/player.js). Without scripts, and on paper, a static
picture is shown.
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
from stgcnlib.figures.skeleton import side_colors
from stgcnlib.figures.space import camera_of, packed_points, reach_of, space_of, unit_of
from stgcnlib.figures.style import DPI
from stgcnlib.sequences import SequenceSet

__all__ = ["aligned_frames", "player_content", "skeleton_player"]


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
        normalize: what full colour means, as in `skeleton_strip`; the two recordings are scaled separately.
        fps: frames per second of the recording.
        title: `None` names recording and class.

    Raises:
        SequenceError: if maps, path or indices do not fit the recordings.
    """
    indices = [i] if neighbor is None else [i, neighbor]
    content = player_content(
        data, indices, [maps or {}, neighbor_maps or {}][: len(indices)], path=path, normalize=normalize, fps=fps
    )
    titles = [body["title"] for body in content["bodies"]]
    says = title or (titles[0] if len(titles) == 1 else f"{titles[0]} beside {titles[1]}")
    picture, width = _picture(data, i, maps, normalize, says)
    return LiveFigure("player", content, picture, width, f"Skeleton player, {says}.")


def player_content(
    data: SequenceSet,
    indices: Sequence[int],
    maps: Sequence[Mapping[str, Any]],
    *,
    path: ArrayLike | None = None,
    normalize: Scale = "map",
    fps: float = 30.0,
) -> dict[str, Any]:
    """What a player of several recordings side by side draws: plain JSON with arrays as leaves.

    Args:
        data: as of `skeleton_player`.
        indices: of B recordings.
        maps: of each of them: layer -> map; empty for one without maps.
        path: (L, B) input frames to show together; `None` runs all at the same speed.
        normalize, fps: as of `skeleton_player`.

    Raises:
        SequenceError: if maps, path or indices do not fit the recordings.
    """
    for k in indices:
        if not 0 <= k < len(data):
            raise SequenceError(f"there is no recording {k}; the set has {len(data)} (0 to {len(data) - 1})")
    layers: list[str] = next((list(each) for each in maps if each), [])
    for k, each in zip(indices, maps, strict=True):
        if each:
            check_maps(each, data.layout, int(data.lengths[k]))
        if each and list(each) != layers:
            raise SequenceError(f"recording {k} has maps of {list(each)}, another of {layers}; give the same layers")
    colors, signed = map_colors([m for each in maps for m in each.values()])
    spaces = [space_of(data.people(k), data.layout) for k in indices]
    flat, unit = spaces[0].shape[-1] == 2, unit_of(spaces)
    names = {name: each[name].title for each in maps for name in each}
    return {
        "dimensions": 2 if flat else 3,
        "fps": float(fps),
        "unit": unit,
        "joints": list(data.layout.joints),
        "bones": [list(bone) for bone in data.layout.bones],
        "sides": side_colors(data.layout),
        "layers": [names[name] for name in layers],
        "signed": signed,
        "scale": [[round(x, 3), to_hex(colors(x))] for x in np.linspace(0, 1, 21)],
        "range": reach_of(spaces),
        "path": None if path is None else _checked_path(path, [int(data.lengths[k]) for k in indices]),
        "bodies": [
            {
                "title": _title(data, k),
                "people": space.shape[0],
                "frames": space.shape[1],
                "camera": None if flat else camera_of(space, data.layout),
                "points": packed_points(space, unit),
                "maps": _levels(each, normalize, signed=signed),
            }
            for space, k, each in zip(spaces, indices, maps, strict=True)
        ],
        "active": 0,
    }


def _title(data: SequenceSet, k: int) -> str:
    """A recording's name, with its class where there are classes."""
    return f"{data.names[k]}: {data.class_names[data.labels[k]]}" if data.class_names else data.names[k]


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
    # Frames between items, and those before the first and after the last, are filled by straight lines.
    knots = np.concatenate([[[0, 0]], middle, [ends]])
    pieces = [knots[:1]]
    for first, second in pairwise(knots):
        count = int(np.abs(second - first).max())
        pieces.append(np.round(np.linspace(first, second, count + 1)[1:]).astype(np.int64))
    return np.concatenate(pieces)


def _levels(maps: Mapping[str, Any], normalize: Scale, *, signed: bool) -> list[NDArray[Any]]:
    if not maps:
        return []
    scales, _ = map_scales(maps, normalize)
    low, full, dtype = (-1, 127, np.int8) if signed else (0, 255, np.uint8)
    return [np.round(np.clip(m.values / scales[name], low, 1) * full).astype(dtype) for name, m in maps.items()]


def _checked_path(path: ArrayLike, lengths: Sequence[int]) -> NDArray[np.uint16]:
    pairs = np.asarray(path)
    if len(lengths) < 2:
        raise SequenceError("path: aligns two recordings, but no neighbor is given")
    fits = pairs.ndim == 2 and pairs.shape[1] == len(lengths) and len(pairs) and pairs.dtype.kind in "iu"
    if not fits or (pairs < 0).any() or (pairs >= np.array(lengths)).any():
        limits = " and ".join(map(str, lengths))
        raise SequenceError(f"path has shape {pairs.shape}; expected (L, {len(lengths)}) input frames below {limits}")
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
