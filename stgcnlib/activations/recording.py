"""Recording every layer's features of a SequenceSet into a LayerStore.

All recordings pass through the network once, in eval mode. Batch by batch, features are appended to one scratch file
per layer, so that memory does not grow with the set; then they are written to the store in the recordings' order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import nn
from zarr.storage import MemoryStore

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import Layer, temporal_stride
from stgcnlib.activations.passes import (
    Padding,
    People,
    batches_of,
    chosen_layers,
    kept_people,
    passes,
    rounded_rows,
)
from stgcnlib.activations.store import FORMAT, VERSION, LayerStore, write_layer, write_scores
from stgcnlib.errors import AxesError, SequenceError, SkeletonFormatError, suggest
from stgcnlib.files import atomic_folder, is_remote, local_path
from stgcnlib.networks.batches import check_fit
from stgcnlib.sequences import SequenceSet
from stgcnlib.version import __version__

__all__ = ["Stored", "described", "record", "weights_digest"]

Stored: TypeAlias = Literal["float32", "float16"]


def record(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: str | list[str] | tuple[str, ...] | None = None,
    axes: Axes | None = None,
    store: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    padding: Padding = "none",
    people: People = "auto",
    dtype: Stored = "float32",
    progress: bool | None = None,
) -> LayerStore:
    """Features of every recording at the input and at each layer.

    Args:
        network: any module that takes (N, C, T, V, M). Its hooks, modes and device are the same
            afterwards.
        layers: module names or ``fnmatch`` patterns such as "blocks.*"; `None` means ``network.layer_names``. The
            input is always there too, as layer 0.
        axes: axis string of the layers' outputs: "NCTV", "NTVC", "NCT", "(NM)CTV" …, for all layers, or a dictionary by
            name or pattern. Letters are N recordings, M people, C channels, T frames and V joints; (NM) is one axis
            of both. A layer without V or M does not tell joints or people apart. `None` means ``network.layer_axes``,
            else "(NM)CTV".
        store: folder to write (zarr), atomically; a LayerStore that is there already is replaced.
            `None` keeps everything in memory.
        device: where the network runs meanwhile, for example "cuda".
        padding: "none" runs recordings of equal length together, so that nothing is padded. "crop" pads
            all to the longest with zeros, for networks that need one length. Either way the first
            ceil(T_l * f / F) frames are kept of a recording that has f true ones among the F that enter the network:
            zeros that a published preparation put after the end of a body's recording are not measured.
        people: whose features are kept; the network always reads all people. "main" is the person with the
            most motion. "concatenate" puts people side by side along each joint's channels, zeros for
            people who are absent. "auto" is "main" if more than half of the recordings hold one person.
        dtype: in which features are kept. "float16" takes half of the space; each number is rounded to 11 binary
            digits, and ``store[name].rounding`` is the relative error of that at a layer.
        progress: whether to draw a bar; `None` decides by the terminal.

    Returns:
        The store; ``store[name].sequence(i)`` is (T_l, V*C_l) float32, joints outermost, and ``store.scores`` what
        the network put out.

    Raises:
        LayerNotFoundError: if a layer does not exist.
        AxesError: if a layer's output does not agree with its axes; names axes that would fit.
        LayoutError, SequenceError: if the recordings do not fit the network; if a layer's features are too large for
            "float16", or `dtype` is unknown.
        StudyError: if features or scores are NaN or infinite.
        SkeletonFormatError: if `store` names something that is not a LayerStore.
    """
    if dtype not in get_args(Stored):
        raise SequenceError(f"record: dtype={dtype!r} is unknown; {suggest(str(dtype), get_args(Stored))}")
    chosen = chosen_layers(network, layers, axes)
    check_fit(network, data)
    kept = kept_people(data, people)
    entered = np.full_like(data.lengths, data.lengths.max()) if padding == "crop" else data.lengths
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "stgcnlib": __version__,
        "network": described(network),
        "data": data.fingerprint(),
        "sequences": len(data),
        "padding": padding,
        "people": kept,
        "dtype": dtype,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with _destination(store) as (folder, root):
        keeps = {layer.name: _Scratch(folder, f"layer{k:02d}", layer, dtype) for k, layer in enumerate(chosen)}
        order, scores = _pass(network, data, keeps, device=device, padding=padding, people=kept, progress=progress)
        if scores is not None:
            write_scores(root, scores[np.argsort(order)])
        details: list[Any] = []
        for position, layer in enumerate(chosen):
            scratch = keeps.pop(layer.name)
            lengths, put_out, starts = np.empty((3, len(data)), dtype=np.int64)
            lengths[order], put_out[order] = scratch.lengths, scratch.put_out
            # Lengths without padding are rounded up once more, so the stride is that of what entered and what came out.
            stride = temporal_stride(entered, put_out)
            starts[order] = np.concatenate([[0], np.cumsum(scratch.lengths)[:-1]])
            write_layer(root, f"layer{position:02d}", scratch.rows(), starts, lengths)
            scratch.discard()
            details.append(
                {
                    "name": layer.name,
                    "index": layer.index,
                    "title": layer.title,
                    "array": f"layer{position:02d}",
                    "joints": scratch.joints,
                    "temporal_stride": stride,
                    "lengths": lengths.tolist(),
                    "rounding": scratch.rounding,
                }
            )
        # Written last: a store without its manifest is recognised as unfinished.
        root.attrs.update({**manifest, "layers": details})
    return LayerStore(root) if store is None else LayerStore.open(store)


def _pass(
    network: nn.Module,
    data: SequenceSet,
    keeps: dict[str, _Scratch],
    *,
    device: str,
    padding: Padding,
    people: Literal["main", "concatenate"],
    progress: bool | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """Pass all recordings through the network and append their features to `keeps`.

    Returns the order in which they passed, and in that order the class scores (N, classes), if the network has any.
    """
    batches, layers = batches_of(data, padding), [scratch.layer for scratch in keeps.values()]
    scores: list[NDArray[np.float32]] = []
    for each in passes(
        network, data, layers, batches, device=device, people=people, padding=padding, progress=progress
    ):
        if each.scores is not None:
            scores.append(each.scores)
        for name, joints, put_out, recordings in each.layers:
            for rows in recordings:
                keeps[name].append(rows, joints=joints, put_out=put_out)
    return np.concatenate(batches), np.concatenate(scores) if len(scores) == len(batches) else None


def described(network: nn.Module) -> dict[str, Any]:
    """Class, what rebuilds it, and a hash of the weights, for the manifest."""
    skeleton = getattr(network, "layout", None)
    options = getattr(network, "options", None)
    given = {
        "layout": getattr(skeleton, "name", skeleton),
        "classes": getattr(network, "classes", None),
        "channels": getattr(network, "channels", None),
        **(options if isinstance(options, Mapping) else {}),
    }
    plain = json.loads(json.dumps(given, default=str))
    return {"class": type(network).__name__, "options": plain, "weights": weights_digest(network.state_dict())}


def weights_digest(state: Mapping[str, torch.Tensor]) -> str:
    """A hash (16 hex characters) of a state dict's names and bytes, as manifests and recipes hold it."""
    digest = hashlib.sha256()
    for key, value in state.items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _destination(store: str | os.PathLike[str] | None) -> Iterator[tuple[Path | None, zarr.Group]]:
    if store is None:
        yield None, zarr.create_group(MemoryStore())
        return
    if is_remote(store):
        raise SkeletonFormatError(
            f"{store}: features are recorded to a folder; copy it there afterwards, and LayerStore.open reads them"
        )
    target = local_path(store)
    if target.exists() and not (target.is_dir() and (LayerStore.is_one(target) or not any(target.iterdir()))):
        raise SkeletonFormatError(
            f"{target}: exists and is not a LayerStore, so it is not replaced; give another path or remove it"
        )
    with atomic_folder(target, ours=LayerStore.is_one) as folder:
        yield folder, zarr.create_group(str(folder))


class _Scratch:
    """Rows of one layer in the order in which they come, in a raw file or, without a folder, in memory."""

    def __init__(self, folder: Path | None, name: str, layer: Layer, dtype: Stored) -> None:
        self.layer, self.dtype = layer, np.dtype(dtype)
        self.joints = 0
        self.lengths: list[int] = []
        self.put_out: list[int] = []  # frames of the layer with padding
        self._file = None if folder is None else folder / f"{name}.scratch"
        self._parts: list[NDArray[np.floating]] = []
        self._width = 0
        self._squares, self._lost = 0.0, 0.0

    def append(self, rows: NDArray[np.float32], *, joints: int, put_out: int) -> None:
        if self.lengths and rows.shape[1] != self._width:
            raise AxesError(
                f"layer {self.layer.name!r}, read as axes {self.layer.axes!r}, has {rows.shape[1] // joints} channels "
                f"for one recording and {self._width // joints} for another; the number of channels "
                "cannot depend on the length, so the axis string is wrong: C is another axis"
            )
        self.joints = joints
        self.lengths.append(len(rows))
        self.put_out.append(put_out)
        self._width = rows.shape[1]
        kept = self._rounded(rows)
        if self._file is None:
            self._parts.append(kept)
            return
        with self._file.open("ab") as stream:
            stream.write(np.ascontiguousarray(kept).tobytes())

    @property
    def rounding(self) -> float:
        """Root mean square of the rounding errors, over that of the features."""
        return float(np.sqrt(self._lost / self._squares)) if self._squares > 0 else 0.0

    def _rounded(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        kept = rounded_rows(rows, self.dtype, self.layer.name)
        if kept.dtype != rows.dtype:
            exact = rows.astype(np.float64)
            self._squares += float(np.square(exact).sum())
            self._lost += float(np.square(exact - kept).sum())
        return kept

    def rows(self) -> NDArray[np.floating]:
        if self._file is None:
            return np.concatenate(self._parts)
        return np.memmap(self._file, dtype=self.dtype, mode="r", shape=(sum(self.lengths), self._width))

    def discard(self) -> None:
        self._parts.clear()
        if self._file is not None:
            self._file.unlink()
