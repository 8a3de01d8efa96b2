"""BasicTS folders: a long series of sensors, its description, and the graph of the sensors (Shao et al., TKDE 2024).

``desc.json`` with `shape` (L frames, N sensors, C features) lies beside ``data.dat``, raw float32 values; newer
folders hold ``meta.json`` and ``train_data.npy``, ``val_data.npy`` and ``test_data.npy``, (L, N) or (L, N, C) each. The
first feature is the measured one; others tell the time. The graph is ``adj_mx.pkl``: an (N, N) matrix of weights, or a
list that ends with one; where ``adj_mx.npy`` exists, it is read instead. Nothing of a pickle is run.

A series is one recording, to be cut with `stgcnlib.transforms.windows`. The format is known from the project's public
documents and scripts; the reader was not tried on a folder of the published data.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import LayoutError, SequenceError, SkeletonFormatError, shorten
from stgcnlib.readers.arrays import read_array
from stgcnlib.readers.content import read_json
from stgcnlib.readers.pickled import PickledArray, read_pickle
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, graph_layout

__all__ = ["PATTERN", "read", "recognises"]

PATTERN = "desc.json with data.dat, or meta.json with train_data.npy"
MOST_BYTES = 2**34
PARTS = ("train", "val", "test")
_DESCRIBED = {"desc.json": "data.dat", "meta.json": "train_data.npy"}
_NAMES = {
    *_DESCRIBED, "data.dat", "adj_mx.pkl", "adj_mx.npy", *(f"{part}_data.npy" for part in PARTS),
    *(f"{part}_timestamps.npy" for part in PARTS),
}  # fmt: skip


def recognises(file: Path) -> bool:
    """Whether a file belongs to such a folder: by its name, and by the two files that every such folder has."""
    folder = file.parent
    return file.name in _NAMES and any(
        (folder / first).is_file() and (folder / second).is_file() for first, second in _DESCRIBED.items()
    )


def read(files: list[Path], source: Path) -> SequenceSet:
    """The series of one folder, as recordings (L, N, C) without classes on the graph of the sensors.

    One recording, or three with the group "part" (train, val, test). A folder without a graph file gives a
    layout without edges, with a warning.

    Raises:
        SkeletonFormatError: naming the file that is missing, damaged, or does not fit the description.
    """
    folder = files[0].parent
    newer = (folder / "meta.json").is_file() and (folder / "train_data.npy").is_file()
    described = folder / ("meta.json" if newer else "desc.json")
    description = read_json(described)
    if not isinstance(description, dict):
        raise SkeletonFormatError(f"{described}: the description is no JSON object; is it a BasicTS folder?")
    parts = [part for part in PARTS if (folder / f"{part}_data.npy").is_file()] if newer else ["series"]
    series = [_array(folder / f"{part}_data.npy") for part in parts] if newer else [_described(folder, description)]
    sensors = {values.shape[1] for values in series}
    if len(sensors) > 1:
        raise SkeletonFormatError(f"{folder}: its parts have {sorted(sensors)} sensors; all need the same")
    layout = _layout(folder, str(description.get("name") or folder.name), sensors.pop())
    try:
        return SequenceSet(
            series,
            layout=layout,
            names=[f"{layout.name} {part}" for part in parts] if newer else [layout.name],
            class_names=[],
            groups={"part": parts} if newer else None,
        )
    except SequenceError as error:
        raise SkeletonFormatError(f"{folder}: {error}") from None


def _described(folder: Path, description: dict[str, Any]) -> NDArray[np.float32]:
    """(L, N, C) of ``data.dat``."""
    shape, file = description.get("shape"), folder / "data.dat"
    if not isinstance(shape, list) or len(shape) != 3 or not all(type(n) is int and n > 0 for n in shape):
        raise SkeletonFormatError(
            f"{folder / 'desc.json'}: 'shape' is {shape!r}; expected [frames, sensors, features], each at least 1"
        )
    size = _size(file)
    if size != math.prod(shape) * 4:
        raise SkeletonFormatError(
            f"{file}: has {size} bytes, a float32 series of shape {shape} has {math.prod(shape) * 4}; "
            "copy it again, or mend 'shape' in desc.json"
        )
    return _finite(file, np.fromfile(file, dtype="<f4").reshape(shape).astype(np.float32, copy=False))


def _array(file: Path) -> NDArray[np.float32]:
    """(L, N, C) of an npy file of (L, N) or (L, N, C)."""
    values = _numbers(file)
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise SkeletonFormatError(
            f"{file}: has shape {values.shape}; expected (frames, sensors) or one more for features"
        )
    return _finite(file, np.atleast_3d(values).astype(np.float32, copy=False))


def _finite(file: Path, values: NDArray[np.float32]) -> NDArray[np.float32]:
    wrong = ~np.isfinite(values)
    if wrong.any():
        frame, sensor, _ = np.argwhere(wrong)[0]
        raise SkeletonFormatError(
            f"{file}: {int(wrong.sum())} values are NaN or infinite, the first at frame {frame}, sensor {sensor}; "
            "fill them before the series is read"
        )
    return values


def _numbers(file: Path) -> NDArray[Any]:
    _size(file)
    return read_array(file)


def _size(file: Path) -> int:
    try:
        size = file.stat().st_size
    except OSError:
        raise SkeletonFormatError(f"{file}: is missing; copy it from where the folder is from") from None
    if size > MOST_BYTES:
        raise SkeletonFormatError(f"{file}: {size} bytes is too large; cut the series first")
    return size


def _layout(folder: Path, name: str, sensors: int) -> SkeletonLayout:
    """The graph of the sensors; edges wherever a weight in one of the two directions is above 0."""
    names, matrix = _graph(folder)
    if matrix is None:
        warnings.warn(f"{folder}: no adj_mx.pkl or adj_mx.npy, so that no sensors are joined", stacklevel=4)
        matrix = np.zeros((sensors, sensors))
    if matrix.shape != (sensors, sensors) or matrix.dtype.kind not in "biuf":
        raise SkeletonFormatError(f"{folder}: adj_mx has shape {matrix.shape}; the series has {sensors} sensors")
    joined = np.triu((matrix > 0) | (matrix.T > 0), 1)
    titles = names if names and len(names) == sensors else [f"sensor {j}" for j in range(sensors)]
    try:
        edges = np.argwhere(joined).tolist()
        if edges:
            return graph_layout(name, edges, names=titles)
        return SkeletonLayout(name, tuple(titles), (), dimensions=0)
    except LayoutError as error:
        raise SkeletonFormatError(f"{folder}: {error}") from None


def _graph(folder: Path) -> tuple[list[str] | None, NDArray[Any] | None]:
    """Names of the sensors where the file tells them, and their matrix."""
    if (folder / "adj_mx.npy").is_file():
        return None, _numbers(folder / "adj_mx.npy")
    file = folder / "adj_mx.pkl"
    if not file.is_file():
        return None, None
    content = read_pickle(file)
    names: list[str] | None = None
    if isinstance(content, list | tuple) and content:
        first, content = content[0], content[-1]
        if isinstance(first, list) and all(isinstance(each, str | int) for each in first):
            names = [str(each) for each in first]
    if not isinstance(content, PickledArray) or content.array.ndim != 2:
        held = shorten(content, 4) if isinstance(content, dict) else type(content).__name__
        raise SkeletonFormatError(
            f"{file}: holds no matrix of sensors by sensors ({held}); "
            f"save one as {folder / 'adj_mx.npy'} with numpy.save"
        )
    return names, content.array
