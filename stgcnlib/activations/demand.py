"""LayersOnDemand: layers of a network that are not kept, but recorded again when they are asked for.

A recipe holds the network's weights, the recordings and the entries of a LayerStore's manifest. A whole layer is kept
in an unnamed file while it is in use; the system removes the file when the process ends, at the latest. The features
equal those of `record`.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations.axes import Axes
from stgcnlib.activations.observe import Layer, temporal_stride
from stgcnlib.activations.passes import Outputs, batches_of, chosen_layers, kept_people, passes, rounded_rows
from stgcnlib.activations.recording import Stored, described
from stgcnlib.activations.store import LayerActivations, LayerStore
from stgcnlib.artefacts import Sums, checked_names
from stgcnlib.errors import LayerNotFoundError, SkeletonFormatError, check_version, suggest
from stgcnlib.files import write_json
from stgcnlib.json_text import read_json_file
from stgcnlib.modules import module_file
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.networks.batches import check_fit
from stgcnlib.networks.own import import_path
from stgcnlib.sequences import SequenceSet
from stgcnlib.trust import require
from stgcnlib.version import __version__

__all__ = ["LayersOnDemand", "feature_bytes", "write_recipe"]

FORMAT = "stgcnlib-layers-on-demand"
VERSION = 1
RECIPE, WEIGHTS, RECORDINGS = "recipe.json", "network.pt", "recordings.npz"

_RECENT_BYTES = 2**28  # of features kept in memory: those of the last recordings, at all layers
_SINGLES = 0.25  # share of the batches; once so many passed for single recordings of a layer, all of it is recorded


def feature_bytes(
    network: nn.Module,
    data: SequenceSet,
    *,
    layers: Any = None,
    axes: Axes | None = None,
    dtype: Stored = "float32",
    device: str = "cpu",
) -> int:
    """About how many bytes the features of all layers take on disk, from one pass of the longest recording."""
    chosen = chosen_layers(network, layers, axes)
    longest = int(data.lengths.argmax())
    (each,) = passes(network, data, chosen, [np.array([longest])], device=device, people=kept_people(data, "auto"),
                     progress=False)  # fmt: skip
    cells = sum(rows.size for _, _, recordings in each.layers for rows in recordings)
    return round(cells * np.dtype(dtype).itemsize * float(data.lengths.sum()) / int(data.lengths[longest]))


def write_recipe(
    folder: Path,
    network: nn.Module,
    data: SequenceSet,
    *,
    name: str,
    options: Mapping[str, Any],
    home: Path | None = None,
    layers: Any = None,
    axes: Axes | None = None,
    dtype: Stored = "float32",
    device: str = "cpu",
) -> None:
    """Write a recipe, from which the layers can be recorded again, to a new folder.

    One recording of each length and number of people passes through the network, which tells the layers' sizes.

    Args:
        folder: must not exist.
        network: whose layers they are.
        data: N recordings.
        name, options: arguments of `load_network` that make such a network.
        home: folder from which the module of a network of one's own is imported.
        layers, axes, dtype, device: as `record`.

    Raises:
        LayerNotFoundError, AxesError, LayoutError, SequenceError: as `record`.
    """
    chosen, people = chosen_layers(network, layers, axes), kept_people(data, "auto")
    check_fit(network, data)
    keys = np.stack([data.people_counts, data.lengths], axis=1)
    _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    lengths = {layer.name: np.zeros(len(first), dtype=np.int64) for layer in chosen}
    sizes: dict[str, tuple[int, int]] = {}
    for number, each in enumerate(
        passes(network, data, chosen, [np.array([i]) for i in first], device=device, people=people, progress=False)
    ):
        for layer, joints, (rows,) in each.layers:
            lengths[layer][number] = len(rows)
            sizes[layer] = joints, rows.shape[1]
    folder.mkdir()
    save_checkpoint(network, folder / WEIGHTS)
    data.save(folder / RECORDINGS)
    details = [
        {
            "name": layer.name, "index": layer.index, "title": layer.title, "joints": sizes[layer.name][0],
            "width": sizes[layer.name][1], "lengths": (found := lengths[layer.name][which.ravel()]).tolist(),
            "temporal_stride": temporal_stride(data.lengths, found),
        }
        for layer in chosen
    ]  # fmt: skip
    write_json(folder / RECIPE, {
        "format": FORMAT, "version": VERSION, "stgcnlib": __version__, "network": described(network),
        "data": data.fingerprint(), "sequences": len(data), "padding": "none", "people": people, "dtype": dtype,
        "device": device, "made": {
            "name": name, "options": dict(options),
            "home": None if home is None else os.path.relpath(home, _outside(folder)),
        },
        "axes": axes, "layers": details,
    })  # fmt: skip


def _outside(folder: Path) -> Path:
    """The folder that a recipe's paths are relative to: the study's, within which the recipe is moved later."""
    home = folder.resolve()
    return next((each.parent for each in home.parents if each.name == "artefacts"), home)


class LayersOnDemand(LayerStore):
    """Layers of one network over one set of recordings, recorded when their features are asked for.

    It is used as a `LayerStore`. Each ``store[name]`` is a new object; the layer that it recorded is removed with it.
    """

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        self._folder, self._origin, self._recipe = folder, str(folder), recipe
        self._details = {entry["name"]: entry for entry in recipe["layers"]}
        self._recent: OrderedDict[int, dict[str, NDArray[np.float32]]] = OrderedDict()
        self.manifest = {name: value for name, value in recipe.items() if name not in ("made", "axes")}
        self.manifest["layers"] = list(self._details)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, sums: Sums | None = None) -> LayersOnDemand:
        """Open what `write_recipe` wrote; nothing passes through the network yet.

        Args:
            path: a folder.
            sums: of its files, as for `LayerStore.open`; all are compared now.

        Raises:
            DamagedError: a file is not as it was written.
            SkeletonFormatError: if the folder holds no such recipe.
        """
        folder = Path(path)
        if found := checked_names(folder) if sums is None else sums:
            found.check()
        try:
            recipe = read_json_file(folder / RECIPE)
            if recipe["format"] != FORMAT:
                raise ValueError(f"its format is {recipe['format']!r}")
            check_version(folder, recipe["version"], VERSION, SkeletonFormatError, by=recipe.get("stgcnlib"))
            return cls(folder, recipe)
        except SkeletonFormatError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SkeletonFormatError(f"{folder}: no recipe of layers ({error}); make it again") from None

    @staticmethod
    def is_one(path: str | os.PathLike[str]) -> bool:
        """Whether the folder holds a recipe."""
        return (Path(path) / RECIPE).is_file()

    @property
    def layers(self) -> tuple[str, ...]:
        """Layer names in the network's order, "input" first."""
        return tuple(self._details)

    @property
    def scores(self) -> NDArray[np.float32] | None:
        """(N, classes) class scores; all recordings pass through the network. `None` if it puts out anything else."""
        found = [each.scores for each in self._passes([], self._batches)]
        if any(scores is None for scores in found):
            return None
        order = np.argsort(np.concatenate(self._batches))
        return np.concatenate([scores for scores in found if scores is not None])[order]

    def __len__(self) -> int:
        return len(self._details)

    def __iter__(self) -> Any:
        return iter(self._details)

    def __contains__(self, name: object) -> bool:
        return name in self._details

    def __getitem__(self, name: str) -> LayerActivations:
        if name not in self._details:
            raise LayerNotFoundError(f"the store has no layer {name!r}; {suggest(str(name), self._details)}")
        return _LayerOnDemand(self, self._details[name])

    def __repr__(self) -> str:
        count = self._recipe["sequences"]
        return f"LayersOnDemand({len(self)} layers of {count} recordings: {', '.join(self._details)})"

    def record_layer(self, details: Mapping[str, Any], offsets: NDArray[np.int64]) -> _Rows:
        """All recordings' rows of one layer, in a file without a name."""
        rows = _Rows(self._scratch, (int(offsets[-1]), int(details["width"])), self._recipe["dtype"])
        layer = next(each for each in self._layers_of_network if each.name == details["name"])
        for each in self._passes([layer], self._batches, progress=None):
            for name, _, recordings in each.layers:
                for i, found in zip(each.batch, recordings, strict=True):
                    rows.write(int(offsets[i]), rounded_rows(found, rows.dtype, name))
        return rows

    def single(self, name: str, i: int) -> tuple[NDArray[np.float32], bool]:
        """One recording's rows at a layer, and whether its batch had to pass through the network for them."""
        missed = i not in self._recent
        if missed:
            batch = next(batch for batch in self._batches if i in batch)
            place = int(np.flatnonzero(batch == i)[0])
            (each,) = self._passes(self._layers_of_network, [batch])
            dtype = np.dtype(self._recipe["dtype"])
            self._recent[i] = {
                layer: rounded_rows(recordings[place], dtype, layer).astype(np.float32)
                for layer, _, recordings in each.layers
            }
            size = sum(rows.nbytes for rows in self._recent[i].values())
            while len(self._recent) > max(1, _RECENT_BYTES // max(1, size)):
                self._recent.popitem(last=False)
        self._recent.move_to_end(i)
        return self._recent[i][name], missed

    @property
    def many(self) -> int:
        """Batches that may pass for single recordings of a layer before the whole layer is recorded."""
        return max(1, int(_SINGLES * len(self._batches)))

    def _passes(
        self, layers: Sequence[Layer], batches: Sequence[NDArray[np.int64]], *, progress: bool | None = False
    ) -> Iterator[Outputs]:
        return passes(self._network, self._data, layers, batches, device=self._recipe["device"],
                      people=self._recipe["people"], progress=progress)  # fmt: skip

    @cached_property
    def _data(self) -> SequenceSet:
        return SequenceSet.load(self._folder / RECORDINGS)

    @cached_property
    def _batches(self) -> list[NDArray[np.int64]]:
        return batches_of(self._data)

    @cached_property
    def _network(self) -> nn.Module:
        made, data = self._recipe["made"], self._data
        home = None if made["home"] is None else (_outside(self._folder) / made["home"]).resolve()
        if ":" in made["name"]:
            require(made["name"], module_file(made["name"].partition(":")[0], [*([home] if home else []), Path.cwd()]))
        with import_path(home):
            return load_network(
                made["name"], layout=data.layout, channels=data.channels, classes=data.outputs,
                checkpoint=self._folder / WEIGHTS, **made["options"],
            )  # fmt: skip

    @cached_property
    def _layers_of_network(self) -> tuple[Layer, ...]:
        return chosen_layers(self._network, self.layers, self._recipe["axes"])

    @property
    def _scratch(self) -> Path | None:
        """Folder for whole layers in use: where the recipe's folder is, or `None`, the system's temporary folder."""
        home = self._folder.parent
        return home if os.access(home, os.W_OK) else None


class _LayerOnDemand(LayerActivations):
    """A layer whose features are recorded when they are read."""

    def __init__(self, store: LayersOnDemand, details: Mapping[str, Any]) -> None:
        self._store, self._details, self._width = store, details, int(details["width"])
        self._describe(details)
        if self.dtype != np.float32:
            self.rounding = float("nan")  # known only when all recordings have passed
        self._origin = "LayersOnDemand"
        self._misses = 0

    @cached_property
    def features(self) -> Any:  # type: ignore[override]
        """(sum of T_l, V*C) rows that are read by slices, as of a zarr array; all recordings pass for them."""
        return self._store.record_layer(self._details, self.offsets)

    @property
    def channels(self) -> int:
        return self._width // self.joints

    @property
    def dtype(self) -> np.dtype[Any]:
        kept: np.dtype[Any] = np.dtype(self._store.manifest["dtype"])
        return kept

    def sequence(self, i: int) -> NDArray[np.float32]:
        if "features" in self.__dict__ or not -len(self) <= i < len(self) or self._misses >= self._store.many:
            return super().sequence(i)
        rows, missed = self._store.single(self.name, int(i) % len(self))
        self._misses += missed
        return rows.copy()


class _Rows:
    """(rows, width) numbers in a file without a name, written and read by whole rows."""

    ndim = 2

    def __init__(self, folder: Path | None, shape: tuple[int, int], dtype: str) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        with tempfile.TemporaryFile(dir=folder) as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        self._row = shape[1] * self.dtype.itemsize

    def write(self, first: int, rows: NDArray[np.floating]) -> None:
        data = memoryview(np.ascontiguousarray(rows).tobytes())
        done = 0
        while done < len(data):
            done += os.pwrite(self._file, data[done:], first * self._row + done)

    def __getitem__(self, wanted: slice) -> NDArray[np.floating]:
        start, stop, step = wanted.indices(self.shape[0])
        found = np.empty((max(0, stop - start), self.shape[1]), dtype=self.dtype)
        data: memoryview[int] = memoryview(found.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        done = 0
        while done < len(data):
            got = os.preadv(self._file, [data[done:]], start * self._row + done)
            if not got:
                raise OSError("the file of a layer's features is cut off")
            done += got
        return found[::step]
