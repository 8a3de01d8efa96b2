"""Relevance maps of a set in one npz file, without pickle.

Recordings differ in length and people, so the maps of a layer are stored one after another, beside an
array with the shape of each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.artefacts import check_arrays, plain_text, read_arrays
from stgcnlib.errors import SequenceError, SkeletonFormatError, check_version
from stgcnlib.explain.relevance import RelevanceMap
from stgcnlib.files import atomic_path
from stgcnlib.json_text import parse_json

__all__ = ["load_relevance", "save_relevance"]

FORMAT = "stgcnlib-relevance"
VERSION = 2


def save_relevance(path: str | os.PathLike[str], maps: Sequence[dict[str, RelevanceMap]]) -> None:
    """Write the maps of a set (`grad_cam_set`) as one npz, atomically.

    Arrays per layer k: `k/values` (sum of M*T, V) and `k/raw` (sum of M*T_l, V) float32, `k/shapes`
    (N, 3) with M, T and T_l, `k/targets` (N,),
    `k/versus` (N,) with -1 for none; `header` is JSON with format, version and layers.

    Args:
        maps: one dictionary (layer -> map) per recording.

    Raises:
        SequenceError: if there are no maps, or recordings have different layers.
    """
    if not maps:
        raise SequenceError("save_relevance: there are no maps to save; give those of at least one recording")
    layers = list(maps[0])
    for i, each in enumerate(maps):
        if list(each) != layers:
            raise SequenceError(f"save_relevance: recording {i} has layers {list(each)}, the first has {layers}")
    entries = [{"layer": name, "index": maps[0][name].index, "title": maps[0][name].title} for name in layers]
    header = {"format": FORMAT, "version": VERSION, "layers": entries}
    arrays: dict[str, Any] = {"header": np.array(json.dumps(header))}
    for k, name in enumerate(layers):
        column = [each[name] for each in maps]
        arrays[f"{k}/values"] = np.concatenate([m.values.reshape(-1, m.values.shape[-1]) for m in column])
        arrays[f"{k}/raw"] = np.concatenate([m.raw.reshape(-1, m.raw.shape[-1]) for m in column])
        arrays[f"{k}/shapes"] = np.array([(*m.values.shape[:2], m.raw.shape[1]) for m in column], dtype=np.int64)
        arrays[f"{k}/targets"] = np.array([m.target for m in column], dtype=np.int64)
        arrays[f"{k}/versus"] = np.array([-1 if m.versus is None else m.versus for m in column], dtype=np.int64)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_relevance(path: str | os.PathLike[str]) -> list[dict[str, RelevanceMap]]:
    """Read a file that `save_relevance` wrote.

    Raises:
        SkeletonFormatError: if the file is missing, truncated, inconsistent or of another kind.
    """
    file = Path(path)
    try:
        content = read_arrays(file)
        layers = _layers(content, file)
        maps: list[dict[str, RelevanceMap]] = []
        for k, entry in enumerate(layers):
            shapes = content[f"{k}/shapes"]
            maps = maps or [{} for _ in shapes]
            M, T, T_l = shapes.T
            values = np.split(content[f"{k}/values"], np.cumsum(M * T)[:-1])
            raw = np.split(content[f"{k}/raw"], np.cumsum(M * T_l)[:-1])
            targets = content[f"{k}/targets"]
            versus = content.get(f"{k}/versus", np.full_like(targets, -1))  # version 1 knew no contrast
            for n, (shape, target, other) in enumerate(zip(shapes, targets, versus, strict=True)):
                maps[n][entry["layer"]] = RelevanceMap(
                    values=values[n].reshape(shape[0], shape[1], -1),
                    raw=raw[n].reshape(shape[0], shape[2], -1),
                    layer=entry["layer"],
                    index=entry["index"],
                    title=entry["title"],
                    target=int(target),
                    versus=None if other < 0 else int(other),
                )
        return maps
    except FileNotFoundError:
        raise SkeletonFormatError(f"{file}: no such file") from None
    except SkeletonFormatError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SkeletonFormatError(
            f"{file}: not a readable relevance file ({type(error).__name__}: {error}); save it again"
        ) from None


def _layers(content: Mapping[str, NDArray[Any]], file: Path) -> list[dict[str, Any]]:
    """The header's entry of each layer. ValueError where header and arrays do not agree."""
    header = parse_json(plain_text(content["header"]).encode())
    if header.get("format") != FORMAT:
        raise ValueError(f"format {header.get('format')!r}")
    check_version(file, header.get("version"), VERSION, SkeletonFormatError)
    layers = header["layers"]
    named = all(type(each["layer"]) is type(each["title"]) is str and type(each["index"]) is int for each in layers)
    if not layers or not named or len({each["layer"] for each in layers}) < len(layers):
        raise ValueError("its header does not name each layer once")
    wanted = {"header": "s"}
    for k in range(len(layers)):
        wanted |= {f"{k}/values": f"f R{k} V{k}", f"{k}/raw": f"f S{k} U{k}", f"{k}/shapes": "i N 3"}
        wanted |= {f"{k}/targets": "i N", f"{k}/versus{'?' * (header['version'] == 1)}": "i N"}
    check_arrays(content, wanted)
    for k in range(len(layers)):
        shapes = content[f"{k}/shapes"]
        if shapes.min(initial=1) < 1 or shapes.max(initial=1) >= 2**31:
            raise ValueError(f"'{k}/shapes' has sizes that no maps have")
        for name, frames in (("values", shapes[:, 1]), ("raw", shapes[:, 2])):
            if int((shapes[:, 0] * frames).sum()) != len(content[f"{k}/{name}"]):
                raise ValueError(f"'{k}/{name}' has another number of rows than '{k}/shapes' says")
    return list(layers)
