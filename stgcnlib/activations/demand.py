"""LayersOnDemand: layers of a network that are not kept, but recorded again when they are asked for.

They are made from a recipe (`recipes`). A whole layer is kept in an unnamed file while it is in use; the system removes
the file when the process ends, at the latest. The features equal those of `record`.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stgcnlib.activations.observe import Layer
from stgcnlib.activations.passes import Outputs, batches_of, chosen_layers, passes, rounded_rows
from stgcnlib.activations.recipes import FORMAT, RECIPE, RECORDINGS, VERSION, WEIGHTS, outside
from stgcnlib.activations.recording import weights_digest
from stgcnlib.activations.rows import UnnamedRows
from stgcnlib.activations.store import LayerActivations, LayerStore
from stgcnlib.artefacts import Sums, checked_names
from stgcnlib.errors import LayerNotFoundError, SkeletonFormatError, check_version, suggest
from stgcnlib.json_text import read_json_file
from stgcnlib.modules import module_file
from stgcnlib.networks import load_network
from stgcnlib.networks.own import import_path
from stgcnlib.networks.unpickling import read_pickled
from stgcnlib.sequences import SequenceSet
from stgcnlib.trust import require

__all__ = ["LayersOnDemand"]

_RECENT_BYTES = 2**28  # of features kept in memory: those of the last recordings, at all layers
_SINGLES = 0.25  # share of the batches; once so many passed for single recordings of a layer, all of it is recorded


class LayersOnDemand(LayerStore):
    """Layers of one network over one set of recordings, recorded when their features are asked for.

    It is used as a `LayerStore`. Each ``store[name]`` is a new object; the layer that it recorded is removed with it.
    Weights and recordings are compared with the recipe's hashes when they are first needed: a SkeletonFormatError says
    which of them is another.
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

    def record_layer(self, details: Mapping[str, Any], offsets: NDArray[np.int64]) -> UnnamedRows:
        """All recordings' rows of one layer, in a file without a name."""
        rows = UnnamedRows(self._scratch, (int(offsets[-1]), int(details["width"])), self._recipe["dtype"])
        layer = next(each for each in self._layers_of_network if each.name == details["name"])
        for each in self._passes([layer], self._batches, progress=None):
            for name, _, _, recordings in each.layers:
                for i, found in zip(each.batch, recordings, strict=True):
                    if len(found) != offsets[i + 1] - offsets[i]:
                        raise SkeletonFormatError(
                            f"{self._folder}: recording {i} has {len(found)} frames at layer {name!r}, its recipe says "
                            f"{offsets[i + 1] - offsets[i]}; write_recipe makes the folder again"
                        )
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
                for layer, _, _, recordings in each.layers
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
        found = SequenceSet.load(self._folder / RECORDINGS)
        if found.fingerprint() != self._recipe["data"]:
            raise self._changed(RECORDINGS, "recordings")
        return found

    @cached_property
    def _batches(self) -> list[NDArray[np.int64]]:
        return batches_of(self._data)

    @cached_property
    def _network(self) -> nn.Module:
        made, data = self._recipe["made"], self._data
        home = None if made["home"] is None else (outside(self._folder) / made["home"]).resolve()
        if ":" in made["name"]:
            require(made["name"], module_file(made["name"].partition(":")[0], [*([home] if home else []), Path.cwd()]))
        kept = read_pickled(self._folder / WEIGHTS)
        state = kept.get("state_dict") if isinstance(kept, Mapping) else None
        if not isinstance(state, Mapping) or weights_digest(state) != self._recipe["network"]["weights"]:
            raise self._changed(WEIGHTS, "weights")
        with import_path(home):
            return load_network(
                made["name"], layout=data.layout, channels=data.channels, classes=made.get("classes", data.outputs),
                checkpoint=self._folder / WEIGHTS, **made["options"],
            )  # fmt: skip

    def _changed(self, file: str, what: str) -> SkeletonFormatError:
        return SkeletonFormatError(
            f"{self._folder}: {file} holds other {what} than its recipe names; write_recipe makes the folder again"
        )

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

    local = True

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
