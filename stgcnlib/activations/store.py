"""LayerStore: every layer's features of every recording, ragged, in memory, in a zarr folder or at a URL.

One array (sum of T_l, V*C) per layer in float32 (or float16, on request; it is read as float32), recordings one after
another, and a manifest that says what made it. Chunks are about 1 MiB and not compressed: on layers 4 and 10 of an
ST-GCN over UTD-MHAD, lz4 saved 13-21% of the disk and made reading recordings 1.2-1.8 times slower, and distances read
everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from stgcnlib.activations.blocks import CHUNK_BYTES, check_array, check_details, open_folder
from stgcnlib.artefacts import Sums, checked_names
from stgcnlib.errors import LayerNotFoundError, SkeletonFormatError, StgcnlibError, check_version, suggest
from stgcnlib.files import is_remote, local_path

__all__ = ["FORMAT", "VERSION", "LayerActivations", "LayerStore", "write_layer", "write_scores"]

FORMAT = "stgcnlib-layers"
VERSION = 1
SCORES = "scores"
DTYPES = ("float32", "float16")

_BLOCK_BYTES = 2**26  # rows that are moved or read ahead at a time


class LayerActivations:
    """Features of all recordings at one layer.

    Made by `LayerStore`, not by hand. Reading features raises SkeletonFormatError where a file is damaged, or where
    another store took the folder's place since it was opened.

    Attributes:
        name: the module's name, or "input".
        index: 0 for the input, then the number of the block.
        title: "input", "layer 1", …, for figures.
        lengths: (N,) int64, frames T_l per recording.
        offsets: (N + 1,) int64; recording i lies in rows offsets[i] to offsets[i + 1] of `features`.
        features: zarr array (sum of T_l, V*C) float32 or float16.
        joints: V.
        channels: C (times the number of people where they are concatenated).
        temporal_stride: input frames per frame of this layer.
        rounding: root mean square of the rounding errors, over that of the features; 0 in float32.
        local: features can be read in this process alone.
    """

    local = False

    def __init__(self, features: zarr.Array[Any], details: Mapping[str, Any], *, origin: str = "LayerStore") -> None:
        self.features = features
        self._describe(details)
        self._origin = origin
        if features.ndim != 2 or features.shape[0] != self.offsets[-1] or features.shape[1] % self.joints:
            raise SkeletonFormatError(
                f"{origin}: layer {self.name!r} has features {features.shape}, its manifest says {self.offsets[-1]} "
                f"rows of {self.joints} joints; record it again"
            )

    def _describe(self, details: Mapping[str, Any]) -> None:
        self.name: str = details["name"]
        self.index: int = details["index"]
        self.title: str = details["title"]
        self.joints: int = details["joints"]
        self.temporal_stride: int = details["temporal_stride"]
        self.rounding: float = details.get("rounding", 0.0)
        self.lengths: NDArray[np.int64] = np.asarray(details["lengths"], dtype=np.int64)
        self.offsets: NDArray[np.int64] = np.concatenate([[0], np.cumsum(self.lengths)])

    @property
    def channels(self) -> int:
        """Features per joint."""
        return int(self.features.shape[1]) // self.joints

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which features are kept; they are read as float32."""
        return np.dtype(self.features.dtype)

    def __len__(self) -> int:
        """Number of recordings N."""
        return len(self.lengths)

    def __repr__(self) -> str:
        return (
            f"LayerActivations({self.title}: {len(self)} sequences, {self.lengths.min()}-{self.lengths.max()} frames, "
            f"{self.joints} joints x {self.channels} channels)"
        )

    def sequence(self, i: int) -> NDArray[np.float32]:
        """(T_l, V*C) float32 of recording `i`, joints outermost; negative `i` counts from the end.

        Raises:
            IndexError: there is no such recording.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"recording {i} of {len(self)}")
        i = int(i) % len(self)
        return self._read(int(self.offsets[i]), int(self.offsets[i + 1]))

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """All recordings in order, read ahead in blocks, which is faster than one at a time."""
        per_block = max(1, _BLOCK_BYTES // (4 * self.channels * self.joints))
        first = 0
        while first < len(self):
            last = int(np.searchsorted(self.offsets, self.offsets[first] + per_block, side="right")) - 1
            last = min(max(last, first + 1), len(self))
            start = int(self.offsets[first])
            block = self._read(start, int(self.offsets[last]))
            for i in range(first, last):
                yield block[int(self.offsets[i]) - start : int(self.offsets[i + 1]) - start]
            first = last

    def load(self) -> list[NDArray[np.float32]]:
        """All recordings in memory, (T_l, V*C) each: views of one array that is read at once."""
        return np.split(self._read(0, int(self.offsets[-1])), self.offsets[1:-1])

    def _read(self, start: int, stop: int) -> NDArray[np.float32]:
        features = self.features
        try:
            return np.asarray(features[start:stop], dtype=np.float32)
        except StgcnlibError:
            raise
        except Exception as error:  # zarr and its stores raise errors of many kinds for damaged files
            raise SkeletonFormatError(
                f"{self._origin}: features of layer {self.name!r} are damaged ({error}); record it again"
            ) from None


class LayerStore:
    """Layers of one network over one set of recordings, by name: ``store["st_gcn_networks.9"]``.

    Made by `record` and `LayerStore.open`, not by hand.

    Attributes:
        manifest: what made it: library version, network options, fingerprints, padding, people, time.
    """

    def __init__(self, root: zarr.Group, *, origin: str = "LayerStore") -> None:
        self._root, self._origin = root, origin
        self._layers: dict[str, LayerActivations] = {}
        try:
            attributes: dict[str, Any] = dict(root.attrs)
            if attributes.get("format") != FORMAT:
                raise SkeletonFormatError(f"{origin}: not a finished LayerStore of stgcnlib; record() makes one")
            wrote = attributes.get("stgcnlib")
            check_version(origin, attributes.get("version"), VERSION, SkeletonFormatError, by=wrote)
            check_details(details := attributes.pop("layers"))
            for entry in details:
                try:
                    array = check_array(root, entry["array"], DTYPES)
                except (KeyError, ValueError) as error:
                    raise ValueError(f"layer {entry['name']!r}: {error}") from None
                self._layers[entry["name"]] = LayerActivations(array, entry, origin=origin)
            if SCORES in root:
                check_array(root, SCORES, ("float32",))
        except StgcnlibError:
            raise
        except Exception as error:  # zarr raises errors of many kinds for damaged metadata
            raise SkeletonFormatError(f"{origin}: incomplete LayerStore ({error}); record it again") from None
        self.manifest: dict[str, Any] = {**attributes, "layers": list(self._layers)}

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, sums: Sums | None = None) -> LayerStore:
        """Open what `record` wrote; features are read when they are asked for.

        Where another store takes a folder's place meanwhile, reading raises SkeletonFormatError; at a URL it is not
        noticed.

        Args:
            path: a folder, or a URL of one that fsspec reads, such as ``s3://bucket/trained.zarr``; zarr reads it
                through fsspec, which needs a further package for most kinds of URL.
            sums: checksums of its files; each file is compared when it is first read. `None`: those in the manifest
                beside the folder, if a study made it.

        Raises:
            DamagedError: by the checksums, a file is missing or does not belong there; on reading, a file is not as it
                was written.
            SkeletonFormatError: if nothing is there, or it is incomplete or something else, or fsspec cannot read URLs
                of this kind.
        """
        if is_remote(path):
            return cls(_remote_group(str(path)), origin=str(path))
        folder = local_path(path)
        if not folder.is_dir():
            raise SkeletonFormatError(f"{folder}: no such folder; record() writes one")
        try:
            root = open_folder(folder, checked_names(folder) if sums is None else sums)
        except StgcnlibError:
            raise
        except Exception as error:  # zarr raises errors of many kinds for damaged metadata
            raise SkeletonFormatError(
                f"{folder}: not a LayerStore ({type(error).__name__}: {error}); give a folder that record() wrote"
            ) from None
        return cls(root, origin=str(folder))

    @staticmethod
    def is_one(path: str | os.PathLike[str]) -> bool:
        """Whether the folder was written by `record`, even if it is incomplete by now."""
        try:
            return bool(open_folder(local_path(path), None).attrs.get("format") == FORMAT)
        except Exception:  # what zarr cannot read is none
            return False

    @property
    def layers(self) -> tuple[str, ...]:
        """Layer names in the network's order, "input" first."""
        return tuple(self._layers)

    @property
    def scores(self) -> NDArray[np.float32] | None:
        """(N, classes) class scores of the network; `None` if it put out anything else.

        Raises:
            SkeletonFormatError: if they are damaged, or another store took the folder's place.
        """
        try:
            array = self._root.get(SCORES)
            return np.asarray(array[:], dtype=np.float32) if isinstance(array, zarr.Array) else None
        except StgcnlibError:
            raise
        except Exception as error:  # as above
            raise SkeletonFormatError(f"{self._origin}: the scores are damaged ({error}); record again") from None

    def __len__(self) -> int:
        """Number of layers, the input counted."""
        return len(self._layers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def __getitem__(self, name: str) -> LayerActivations:
        if name not in self._layers:
            raise LayerNotFoundError(f"the store has no layer {name!r}; {suggest(str(name), self._layers)}")
        return self._layers[name]

    def __repr__(self) -> str:
        first = next(iter(self._layers.values()))
        return f"LayerStore({len(self)} layers of {len(first)} recordings: {', '.join(self._layers)})"


def _remote_group(url: str) -> zarr.Group:
    try:
        return zarr.open_group(url, mode="r")
    except ImportError as error:
        raise SkeletonFormatError(
            f"{url}: fsspec needs a package for it ({error}); install that, say with pip"
        ) from None
    except Exception as error:  # each kind of store has errors of its own
        raise SkeletonFormatError(
            f"{url}: no LayerStore can be read there ({type(error).__name__}: {error}); copy a folder that record() "
            "wrote to it, files and names unchanged"
        ) from None


def write_scores(root: zarr.Group, scores: NDArray[np.float32]) -> None:
    """Write class scores (N, classes), in the recordings' order, as one chunk."""
    array = root.create_array(SCORES, shape=scores.shape, chunks=scores.shape, dtype="float32", compressors=None)
    array[:] = scores


def write_layer(
    root: zarr.Group,
    array: str,
    rows: NDArray[np.floating],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> None:
    """Copy one layer into the store in the recordings' order: recording i is rows[starts[i]:][:lengths[i]].

    The store has the dtype of the rows. Chunks are written whole, each once. All-zero chunks are written too, so that a
    missing chunk means damage.
    """
    total, width = int(lengths.sum()), rows.shape[1]
    row_bytes = rows.dtype.itemsize * width
    chunk = min(total, max(1, CHUNK_BYTES // row_bytes))
    features = root.create_array(
        array,
        shape=(total, width),
        chunks=(chunk, width),
        dtype=rows.dtype.name,
        compressors=None,
        fill_value=float("nan"),
        config={"write_empty_chunks": True},
    )
    source = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(total)
    block = chunk * max(1, _BLOCK_BYTES // (row_bytes * chunk))
    for first in range(0, total, block):
        features[first : first + block] = rows[source[first : first + block]]
