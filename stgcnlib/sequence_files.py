"""The npz file of a `SequenceSet`: what the set is made from, as arrays and a header, without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.artefacts import npz_shapes, plain_text, read_arrays
from stgcnlib.errors import SkeletonFormatError, check_version, shorten
from stgcnlib.files import atomic_path
from stgcnlib.json_text import parse_json
from stgcnlib.skeleton import SkeletonLayout

__all__ = ["read_recordings", "write_recordings"]

FORMAT = "stgcnlib-sequences"
VERSION = 2  # which files with targets have; others are written as version 1
_ARRAYS = ("header", "frames", "lengths", "people", "labels", "targets")


def write_recordings(
    path: str | os.PathLike[str],
    coords: Sequence[NDArray[np.float32]],
    *,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    groups: Mapping[str, NDArray[Any]],
    layout: SkeletonLayout,
    names: Sequence[str],
    targets: NDArray[np.float64] | None,
    target_names: Sequence[str],
) -> None:
    """Write one compressed npz, atomically; `SequenceSet.save` lists its arrays."""
    header = {
        "format": FORMAT,
        "version": 1 if targets is None else VERSION,
        "class_names": list(class_names),
        "names": list(names),
        "layout": layout.to_dict(),
    }
    if targets is not None:
        header["target_names"] = list(target_names)
    arrays: dict[str, Any] = {
        "header": np.array(json.dumps(header)),
        "frames": np.concatenate([c.reshape(-1, *c.shape[-2:]) for c in coords]),
        "lengths": np.array([c.shape[-3] for c in coords], dtype=np.int64),
        # 0 marks a recording given without a people axis, so that it comes back without one.
        "people": np.array([0 if c.ndim == 3 else c.shape[0] for c in coords]),
        "labels": labels,
    }
    if targets is not None:
        arrays["targets"] = targets
    for key, values in groups.items():
        arrays[f"group/{key}"] = values.astype(str) if values.dtype == object else values
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_recordings(file: Path) -> dict[str, Any]:
    """The arguments of the `SequenceSet` that a file holds; damaged bytes raise errors of many kinds.

    Raises:
        SkeletonFormatError: the file is of another kind or version, or inconsistent.
    """
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
        raise SkeletonFormatError(f"{file}: 'lengths' sum to {ends[-1]} but 'frames' has {len(content['frames'])}")
    coords = []
    for block, frames, persons in zip(np.split(content["frames"], ends[:-1]), lengths, people, strict=True):
        coords.append(block if persons == 0 else block.reshape(persons, frames, *block.shape[1:]))
    return {
        "coords": coords,
        "labels": content["labels"],
        "class_names": header["class_names"],
        "groups": {k.removeprefix("group/"): v for k, v in content.items() if k.startswith("group/")},
        "layout": SkeletonLayout.from_dict(header["layout"]),
        "names": header["names"],
        "targets": content.get("targets"),
        "target_names": header.get("target_names"),
    }
