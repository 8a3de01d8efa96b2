"""StudyRun: the artefacts of one study, each computed once and kept in the output folder.

Stage notebooks ask it for what they show. An artefact that is there with the right fingerprint is
read; otherwise it is made from the artefacts before it, written atomically, and kept. So a notebook
also runs by itself in JupyterLab. Running the notebooks in order is `stgcnlib.pipeline.runner`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.errors import LayerNotFoundError, suggest
from stgcnlib.files import fingerprint, fingerprint_file, write_json
from stgcnlib.groups import Grouping, grouping
from stgcnlib.pipeline.checks import check_study
from stgcnlib.pipeline.keep import ArtefactFolder, write_table
from stgcnlib.pipeline.recordings import read_recordings, recordings_key
from stgcnlib.pipeline.study import Study
from stgcnlib.pipeline.view import StudyView
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from stgcnlib.activations import LayerStore
    from stgcnlib.explain import RelevanceMap
    from stgcnlib.geometry import LayerGeometry
    from stgcnlib.pipeline.details import Details
    from stgcnlib.pipeline.experiments import Experiments
    from stgcnlib.training import Evaluation

__all__ = ["StudyRun", "open_study"]

Kind = Literal["trained", "untrained"]


def open_study(
    study: Study | Mapping[str, Any] | str | os.PathLike[str] = "demo", output: str | os.PathLike[str] | None = None
) -> StudyRun:
    """A study and the folder that keeps its artefacts.

    Args:
        study: a `Study`, its fields, a path to a study file, or the name of a bundled one.
        output: folder for artefacts; `None` means ``reports/NAME`` below the working directory.

    Raises:
        StudyError: if the study file has an unknown key or a value out of range.
    """
    loaded = Study.load(study)
    pd.set_option("display.max_colwidth", None)  # notebooks show tables in words: no cell is cut
    return StudyRun(loaded, Path(output) if output is not None else Path("reports") / loaded.name)


class StudyRun:
    """Compute-or-read access to everything one study makes.

    Attributes:
        study: the validated study.
        output: the folder; artefacts lie in ``output/artefacts``, tables in ``output/tables``.
    """

    def __init__(self, study: Study, output: Path) -> None:
        self.study = study
        self.output = output
        self.artefacts = ArtefactFolder(output / "artefacts")
        self.tables = output / "tables"

    def __repr__(self) -> str:
        return f"StudyRun({self.study.name!r}, output={str(self.output)!r})"

    @cached_property
    def view(self) -> StudyView:
        """Tables and examples for notebooks."""
        return StudyView(self)

    # -- data ----------------------------------------------------------------------------------

    @cached_property
    def data(self) -> SequenceSet:
        """All recordings, normalised if the study says so."""
        return self.artefacts.keep(
            "sequences.npz",
            self._data_key,
            lambda: read_recordings(self.study.data, seed=self.study.seed),
            SequenceSet.load,
            lambda d, p: d.save(p),
        )

    @cached_property
    def parts(self) -> tuple[SequenceSet, SequenceSet]:
        """(train, test) recordings by the study's split."""
        split = self.study.data.split
        return self.data.split(split.by, split.train, split.test)

    @cached_property
    def nodes(self) -> SequenceSet:
        """The recordings that are nodes of the DS-Graphs (``graph.part`` of the study)."""
        match self.study.graph.part:
            case "train":
                return self.parts[0]
            case "test":
                return self.parts[1]
            case _:
                return self.data

    def check(self) -> None:
        """Refuse what could only fail after long work, see `stgcnlib.pipeline.checks`."""
        self.experiments.check()
        check_study(self)

    @cached_property
    def grouping(self) -> Grouping:
        """Who among the nodes is no neighbour of whom, and what intervals resample as a whole."""
        return self.grouping_of(self.nodes)

    def grouping_of(self, data: SequenceSet) -> Grouping:
        """The same of other recordings."""
        return grouping(data.groups, leave_out=self.study.graph.leave_out, resample=self.study.geometry.resample)

    @property
    def groups(self) -> NDArray[Any] | None:
        """(N,) group of every node whose members may not be each other's neighbours, or `None`."""
        return self.grouping.groups

    @cached_property
    def _data_key(self) -> list[Any]:
        return recordings_key(self.study.data, seed=self.study.seed)

    # -- network -------------------------------------------------------------------------------

    @cached_property
    def network(self) -> nn.Module:
        """The trained network: from the study's checkpoint, or fitted on the training part."""
        return self._network_and_history[0]

    @cached_property
    def history(self) -> pd.DataFrame | None:
        """One row per epoch of training, or `None` for a network from a checkpoint."""
        return self._network_and_history[1]

    @cached_property
    def untrained(self) -> nn.Module:
        """A network of the same shape with fresh random weights: the control of every curve."""
        checkpoint = self.study.network.checkpoint
        return self.load_network(checkpoint=checkpoint, seed=self.study.seed + 1, weights="fresh")

    @cached_property
    def evaluation(self) -> Evaluation:
        """Predictions of the trained network on the test part."""
        from stgcnlib.training import evaluate

        return evaluate(self.network, self.parts[1], device=self.study.compute.device)

    @cached_property
    def network_key(self) -> list[Any]:
        """Plain values that decide the weights of the trained network."""
        from stgcnlib.networks.own import find_source

        settings = self.study.network
        checkpoint = fingerprint_file(settings.checkpoint) if settings.checkpoint else None
        split = self.study.data.split.model_dump(mode="json")
        # Where the module lies and how its layers are read change no weight; what the module says may.
        chosen = settings.model_dump(mode="json", exclude={"axes", "folder"})
        key = [self._data_key, split, chosen, checkpoint, self.study.seed]
        source = find_source(settings.name, settings.folder) if ":" in settings.name else None
        return key if source is None else [*key, fingerprint_file(source)]

    def fitted(
        self, train: SequenceSet, test: SequenceSet | None, *, key: Any, progress: bool | None = None
    ) -> tuple[nn.Module, pd.DataFrame]:
        """A network of the study's kind trained on `train` as the study says, and its history.

        A training that was stopped is taken up again, if `key` is the same.
        """
        from stgcnlib.training import fit

        network = self.load_network(seed=self.study.seed, classes=len(train.class_names))
        settings = self.study.network.training.model_dump(exclude_none=True)
        result = fit(
            network, train, test, seed=self.study.seed, device=self.study.compute.device,
            checkpoint_dir=self.artefacts.path("training") / fingerprint(key), progress=progress, **settings,
        )  # fmt: skip
        return network, result.history

    def load_network(
        self,
        *,
        checkpoint: Path | str | None = None,
        seed: int | None = None,
        classes: int | None = None,
        weights: Literal["checkpoint", "fresh"] = "checkpoint",
    ) -> nn.Module:
        """A network of the study's kind for so many classes (`None`: those of the data)."""
        from stgcnlib.networks import load_network
        from stgcnlib.networks.own import import_path

        settings = self.study.network
        options: dict[str, Any] = dict(settings.options)
        with import_path(settings.folder):
            return load_network(
                settings.name,
                layout=self.data.layout,
                classes=classes or len(self.data.class_names),
                channels=self.data.channels,
                checkpoint=checkpoint,
                seed=seed,
                weights=weights,
                **options,
            )

    @cached_property
    def _network_and_history(self) -> tuple[nn.Module, pd.DataFrame | None]:
        if self.study.network.checkpoint is not None:
            return self.load_network(checkpoint=self.study.network.checkpoint), None

        from stgcnlib.networks import save_checkpoint

        history_file = self.tables / "training.parquet"

        def make() -> nn.Module:
            network, history = self.fitted(*self.parts, key=self.network_key)
            write_table(history, history_file)
            return network

        network = self.artefacts.keep(
            "network.pt",
            self.network_key,
            make,
            lambda path: self.load_network(checkpoint=path),
            lambda made, path: save_checkpoint(made, path),
        )
        shutil.rmtree(self.artefacts.path("training"), ignore_errors=True)  # only an unfinished training needs it
        return network, pd.read_parquet(history_file)

    # -- activations and distances -------------------------------------------------------------

    def activations(self, kind: Kind = "trained") -> LayerStore:
        """Every layer's features of the nodes, by the trained or the untrained network."""
        from stgcnlib.activations import LayerStore, record

        def make(path: Path) -> None:
            network = self.network if kind == "trained" else self.untrained
            device = self.study.compute.device
            axes = self.study.network.axes
            record(network, self.nodes, layers=self.study.layers, axes=axes, store=path, device=device)

        store = LayerStore.open(self.artefacts.build(f"activations-{kind}.zarr", self._activations_key, make))
        layers = [{"name": name, "title": store[name].title, "index": store[name].index} for name in store.layers]
        file = self.output / "layers.json"
        if not file.exists() or json.loads(file.read_text(encoding="utf-8")) != layers:
            write_json(file, layers)
        return store

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Name, title and index of every recorded layer, the input first."""
        file = self.output / "layers.json"
        if not file.exists():
            self.activations()
        layers: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return layers

    def layer(self, name: str) -> dict[str, Any]:
        """Name, title and index of one recorded layer; `LayerNotFoundError` with the nearest names."""
        for known in self.layers:
            if name == known["name"]:
                return known
        names = [known["name"] for known in self.layers]
        raise LayerNotFoundError(f"no layer {name!r} was recorded; {suggest(name, names)}")

    def distances(self, layer: str, kind: Kind = "trained") -> NDArray[np.float32]:
        """(N, N) windowed DTW distances between the nodes at one layer."""
        from stgcnlib.dtw import dtw_distances

        options = self.study.dtw.model_dump()
        return self.artefacts.keep(
            f"distances/{kind}-{self.layer(layer)['index']:02d}.npy",
            [self._activations_key, options, layer, kind],
            lambda: dtw_distances(self.activations(kind)[layer], dtw=options),
            lambda path: np.load(path, allow_pickle=False),
            lambda array, path: np.save(path, array, allow_pickle=False),
        )

    @cached_property
    def _activations_key(self) -> list[Any]:
        axes = self.study.network.axes
        return [self.network_key, self.study.layers, self.study.graph.part, *([] if axes is None else [axes])]

    # -- geometry ------------------------------------------------------------------------------

    @cached_property
    def geometry(self) -> LayerGeometry:
        """DS-Graphs of all layers and the tables read off them, with intervals and controls."""
        from stgcnlib.geometry import LayerGeometry, layer_geometry

        graph, settings = self.study.graph, self.study.geometry

        def make(path: Path) -> None:
            store = self.activations()
            made = layer_geometry(
                store,
                self.nodes.labels,
                class_names=self.nodes.class_names,
                **asdict(self.grouping),
                distances={name: self.distances(name) for name in store.layers},
                untrained=self.activations("untrained"),
                untrained_distances={name: self.distances(name, "untrained") for name in store.layers},
                seed=self.study.seed,
                **graph.model_dump(exclude={"part", "leave_out"}),
                **settings.model_dump(exclude={"resample"}),
            )
            made.save(path)
            for name, table in (("smoothness", made.table), ("classes", made.per_class), ("nodes", made.per_node)):
                write_table(table, self.tables / f"{name}.parquet")

        return LayerGeometry.load(self.artefacts.build("geometry", self.geometry_key, make))

    @cached_property
    def geometry_key(self) -> list[Any]:
        """Plain values that decide the geometry."""
        study = self.study
        return [
            self._activations_key, study.dtw.model_dump(), study.graph.model_dump(), study.geometry.model_dump()
        ]  # fmt: skip

    # -- relevance -----------------------------------------------------------------------------

    @cached_property
    def explained(self) -> NDArray[np.int64]:
        """Indices of the nodes that have relevance maps: a few of each class, spread over its recordings."""
        labels, few = self.nodes.labels, self.study.explain.per_class
        members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        places = [np.linspace(0, len(m) - 1, min(few, len(m))).round().astype(int) for m in members]
        return np.sort(np.concatenate([m[p] for m, p in zip(members, places, strict=True)]))

    @cached_property
    def relevance(self) -> list[dict[str, RelevanceMap]]:
        """L-STG-GradCAM maps of the `explained` nodes: one dictionary (layer -> map) each."""
        from stgcnlib.explain import grad_cam_set, load_relevance, save_relevance

        study = self.study

        def make() -> list[dict[str, RelevanceMap]]:
            layers, axes = [layer["name"] for layer in self.layers if layer["index"] > 0], study.network.axes
            nodes = self.nodes.select(self.explained)
            return grad_cam_set(self.network, nodes, layers=layers, axes=axes, target=study.explain.target)

        return self.artefacts.keep(
            "relevance.npz", self.relevance_key, make, load_relevance, lambda maps, path: save_relevance(path, maps)
        )

    @cached_property
    def relevance_key(self) -> list[Any]:
        """All that decides the maps."""
        return [self._activations_key, self.study.explain.target, self.explained.tolist()]

    @cached_property
    def details(self) -> Details:
        """Layer statistics, classes, single recordings, sensitivity."""
        from stgcnlib.pipeline.details import Details

        return Details(self)

    # -- studies and summary -------------------------------------------------------------------

    @cached_property
    def experiments(self) -> Experiments:
        """Noise and transfer, where the study has these sections."""
        from stgcnlib.pipeline.experiments import Experiments

        return Experiments(self)

    def write_summary(
        self, *, verdict: str, holds: bool | None, figure: Figure, facts: Mapping[str, str], table: pd.DataFrame
    ) -> None:
        """What `index.html` shows first; see `summary.write_summary`."""
        from stgcnlib.pipeline.summary import write_summary

        write_table(self.experiments.recordings(), self.tables / "recordings.parquet")
        write_summary(
            self.output, title=self.study.name, verdict=verdict, holds=holds, figure=figure, facts=facts, table=table,
            claims=self.experiments.verdicts(),
        )  # fmt: skip
