"""Relevance maps of a set in one npz file, without pickle.

Maps are ragged (recordings differ in length and people); they lie one after another, and the header
says where each ends.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stgcnlib.errors import SequenceError, SkeletonFormatError
from stgcnlib.explain.gradcam import RelevanceMap
from stgcnlib.files import atomic_path

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
        with np.load(file, allow_pickle=False) as arrays:
            content = {key: arrays[key] for key in arrays.files}
        header = json.loads(str(content["header"]))
        if header.get("format") != FORMAT or header["version"] > VERSION:
            raise ValueError(f"format {header.get('format')!r}, version {header.get('version')!r}")
        maps: list[dict[str, RelevanceMap]] = []
        for k, entry in enumerate(header["layers"]):
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
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise SkeletonFormatError(
            f"{file}: not a readable relevance file ({type(error).__name__}: {error}); save it again"
        ) from None
