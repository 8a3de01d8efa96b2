"""LayerGeometry: the DS-Graphs of all layers, and the tables read off them with intervals and controls.

`measure` makes one. What the tables mean for the paper's claim is said in `stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.artefacts import check_arrays, is_described, read_arrays, read_described, read_table
from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError
from stgcnlib.files import atomic_folder, write_json
from stgcnlib.geometry.stored import StoredGraphs, joined_graphs
from stgcnlib.geometry.uncertainty import Estimate, Jackknife, Spread, deletion_groups, estimate_sum
from stgcnlib.groups import SUBJECT, neighbours_label, resampled_groups

__all__ = ["INITIAL", "TRAINED", "UNTRAINED", "LayerGeometry", "kind_of", "merge_geometries"]

Key = tuple[str, str, str]
Floats = NDArray[np.float64]
FORMAT = "stgcnlib-layer-geometry"
TRAINED, UNTRAINED, INITIAL = "trained", "untrained", "initial"
"""Kinds of networks; the second of a kind is called "trained-2"."""


def kind_of(network: str) -> str:
    """The kind of a network by its name: "untrained-3" is "untrained"."""
    name, _, number = network.rpartition("-")
    return name if number.isdigit() and name else network


@dataclass(frozen=True)
class LayerGeometry:
    """What `layer_geometry` found.

    Methods take `network`, the name of one network; `kind`, "trained", "untrained" or "initial", which may have several
    networks; and `neighbours`, one of the table's or None for those of the main curve. What was not measured gives no
    rows, or a GraphError where a value is needed.

    Attributes:
        table: one row per (layer, network, neighbours): layer, index, title, network ("trained", "trained-2", …,
            "untrained", …, "initial", …), neighbours (`neighbours`; of trained networks also "all"), smoothness
            (random-walk), low, high (jackknife interval: graphs made anew without each part), null_mean, null_low,
            null_high (shuffled labels or targets), floor (the lowest value that the graph allows: `smoothness_floor`; 0
            for targets), rescaled ((smoothness − floor) / (null_mean − floor)), rmse, knn_smoothness (kNN graph of the
            same candidates), neighbor_count (mean kept), kkt_residual (largest), sigma (mean), n.
        per_class: one row per row of `table` and class: layer, index, title, network, neighbours, class_index,
            class_name, smoothness, low, high, n; empty where there are targets and no classes.
        per_node: one row per row of `table` and node: layer, index, network, neighbours, node, smoothness,
            neighbor_count.
        graphs: (layer, network, neighbours) -> DSGraph.
        labels: (N,) int64; all 0 where there are targets.
        groups: (N,) codes from 0 of groups whose members are no neighbours of each other, or None.
        settings: k, sigma, symmetrize, solver, permutations, confidence, seed.
        group: what `groups` are, in one word: "subject", "day", ….
        resample: (N,) codes of what intervals resample as a whole, "recordings", or None for `groups`.
        unit: what the codes of `resample` are, in one word.
        left_out: (layer, network, neighbours) -> (P, N) smoothness of each node where the graph is made anew without
            each of P `parts` of the recordings; NaN for the nodes of that part, or where no graph could be made.
        targets: (N, Q) float64 whose smoothness was measured, in place of that of labels; None for labels.
        target_names: name of each column of the targets.
    """

    table: pd.DataFrame
    per_class: pd.DataFrame
    per_node: pd.DataFrame
    graphs: Mapping[Key, DSGraph]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    group: str = SUBJECT
    resample: NDArray[np.int64] | str | None = None
    unit: str = SUBJECT
    left_out: dict[Key, Floats] = field(default_factory=dict)
    targets: Floats | None = None
    target_names: tuple[str, ...] = ()

    @property
    def measured(self) -> str:
        """Whether smoothness is that of labels or of targets, in one word: "label" or "target"."""
        return "label" if self.targets is None else "target"

    @property
    def told(self) -> NDArray[np.int64] | Floats:
        """The values whose smoothness was measured: labels (N,) int64, or targets (N, Q) float64."""
        return self.labels if self.targets is None else self.targets

    @property
    def graph_options(self) -> dict[str, Any]:
        """How its graphs were made: k, sigma, symmetrize, solver and exclude, as of `nnk_graph`."""
        return {name: self.settings[name] for name in ("k", "sigma", "symmetrize", "solver")} | {"exclude": self.groups}

    def expect_classes(self) -> None:
        """Raise a `GraphError` where its smoothness is of targets, so that there are no classes to tell apart."""
        if self.targets is not None:
            raise GraphError("this geometry is of real targets and has no classes; measure one with labels")

    def networks(self, kind: str | None = None) -> list[str]:
        """Names of the networks of a kind ("trained", "untrained", "initial"), in order; None: of all."""
        names = [str(name) for name in self.table["network"].unique()]
        return [name for name in names if kind in (None, kind_of(name))]

    def curve(self, network: str = "trained", neighbours: str | None = None) -> pd.DataFrame:
        """Rows of the table in order of depth; `neighbours=None`: those of the main curve."""
        rows = (self.table["network"] == network) & (self.table["neighbours"] == (neighbours or self.neighbours))
        return self.table[rows].sort_values("index").reset_index(drop=True)

    def node_values(self, network: str = "trained", neighbours: str | None = None) -> NDArray[np.float64]:
        """(layers, N) smoothness of each node, in order of depth; (0, N) if that curve was not computed."""
        table = self.per_node
        rows = table[(table["network"] == network) & (table["neighbours"] == (neighbours or self.neighbours))]
        values = rows.sort_values(["index", "node"])["smoothness"].to_numpy(dtype=np.float64)
        return values.reshape(-1, len(self.labels))

    @property
    def neighbours(self) -> str:
        """The neighbours that the main curve counts: "other subjects", "other days", … by `group`; "all" without it."""
        return neighbours_label(None if self.groups is None else self.group)

    @property
    def resampled(self) -> NDArray[np.int64] | None:
        """(N,) codes of what intervals resample as a whole; None: every recording by itself."""
        return resampled_groups(self.resample, self.groups)

    @property
    def resampled_unit(self) -> str | None:
        """What those codes are in one word; "recording" if that was chosen, None if no groups are known."""
        if isinstance(self.resample, str):
            return "recording"
        if self.resample is not None:
            return self.unit
        return None if self.groups is None else self.group

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """(N,) the parts of the recordings that intervals leave out one by one: subjects, or 20 at random."""
        return deletion_groups(len(self.labels), groups=self.resampled, seed=int(self.settings["seed"]))

    @property
    def jackknife(self) -> Jackknife:
        """How its intervals are made."""
        return Jackknife(self.parts, float(self.settings["confidence"]))

    def node_values_without(self, network: str = TRAINED, neighbours: str | None = None) -> Floats:
        """(layers, P, N) smoothness of each node without each part, in order of depth; see `left_out`."""
        kind = neighbours or self.neighbours
        return np.stack([self.left_out[(str(layer), network, kind)] for layer in self.curve(network, kind)["layer"]])

    def mean_curve(self, kind: str = TRAINED) -> pd.DataFrame:
        """The mean over the networks of a kind, one row per layer.

        Returns:
            layer, index, title, smoothness, low, high (their interval has the spread between networks in it),
            least, most (of the networks), networks (how many). Empty if there is none.
        """
        names = self.networks(kind)
        if not names:
            return pd.DataFrame(
                columns=["layer", "index", "title", "smoothness", "low", "high", "least", "most", "networks"]
            )
        layers, spread = self.curve(names[0])[["layer", "index", "title"]], self.spread(kind)
        found = [(spread @ weights).estimate(self.jackknife) for weights in np.eye(len(layers))]
        return layers.assign(
            smoothness=spread.each.mean(axis=0), low=[e.low for e in found], high=[e.high for e in found],
            least=spread.each.min(axis=0), most=spread.each.max(axis=0), networks=len(names),
        )  # fmt: skip

    def contrast(self, weights: Mapping[str, ArrayLike], neighbours: str | None = None) -> Estimate:
        """A weighted sum over layers of curves, such as the fall from one layer to another.

        Args:
            weights: kind of network -> (layers,) weights of its mean curve.
            neighbours: as `curve`.

        Returns:
            The sum for the mean over each kind's networks. Its error is from leaving out one part of the recordings
            at a time, with graphs made anew; with several networks of a kind, the spread between them is added.

        Raises:
            GraphError: there is no network of a kind.
        """
        return estimate_sum([self.spread(kind, neighbours) @ w for kind, w in weights.items()], self.jackknife)

    def spread(self, kind: str = TRAINED, neighbours: str | None = None) -> Spread:
        """The curves of the networks of a kind, (networks, layers), and without each part of the recordings.

        Raises:
            GraphError: there is no network of that kind.
        """
        names = self.networks(kind)
        if not names:
            raise GraphError(f"the geometry has no network {kind!r}; it has {', '.join(self.networks())}")
        curves = [self.curve(name, neighbours)["smoothness"].to_numpy(dtype=np.float64) for name in names]
        return Spread(np.stack(curves), np.stack([self.means_without(name, neighbours) for name in names]))

    def means_without(self, network: str = TRAINED, neighbours: str | None = None) -> Floats:
        """(P, layers) smoothness of each layer without each part of the recordings."""
        return np.stack([self.jackknife.means(each) for each in self.node_values_without(network, neighbours)], axis=1)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write tables (parquet), graphs and nodes (npz) and a manifest into a folder, atomically.

        Raises:
            OutputError: something else than an earlier result lies there.
        """
        with atomic_folder(folder, ours=partial(is_described, form=FORMAT)) as temporary:
            self.table.to_parquet(temporary / "table.parquet")
            self.per_class.to_parquet(temporary / "per_class.parquet")
            self.per_node.to_parquet(temporary / "per_node.parquet")
            columns = {"labels": self.labels, "groups": self.groups, "resample": self.resample, "targets": self.targets}
            nodes = {name: values for name, values in columns.items() if isinstance(values, np.ndarray)}
            words = {"group": self.group, "unit": self.unit}
            if isinstance(self.resample, str):
                words["resample"] = self.resample
            with (temporary / "nodes.npz").open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **nodes)
            files = {f"graphs/{number:03d}.npz": key for number, key in enumerate(self.graphs)}
            graphs = self.graphs.passing() if isinstance(self.graphs, StoredGraphs) else self.graphs
            for file, key in files.items():
                graphs[key].save(temporary / file)
            with (temporary / "left_out.npz").open("wb") as stream:
                np.savez_compressed(
                    stream, allow_pickle=False, **{f"{n:03d}": self.left_out[key] for n, key in enumerate(self.graphs)}
                )
            write_json(
                temporary / "manifest.json",
                {
                    "format": FORMAT,
                    "settings": self.settings,
                    **words,
                    "graphs": files,
                    "target_names": list(self.target_names),
                },
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> LayerGeometry:
        """Read what `save` wrote.

        Raises:
            GraphError: no LayerGeometry folder, or an incomplete one. Graphs are read when they are asked for, and a
                damaged one is refused then.
        """
        home = Path(folder).absolute()
        try:
            manifest = read_described(home / "manifest.json", FORMAT, settings=dict, graphs=dict, target_names=list)
            nodes = read_arrays(home / "nodes.npz", _NODES)
            labels, groups, targets = nodes["labels"], nodes.get("groups"), nodes.get("targets")
            resample = nodes.get("resample", manifest.get("resample"))
            if not (resample is None or isinstance(resample, np.ndarray | str)):
                raise ValueError(f"manifest.json: 'resample' is {str(resample)[:60]}")
            _check_files(manifest["graphs"])
            words = {name: str(manifest.get(name, SUBJECT)) for name in ("group", "unit")}
            files = {(str(a), str(b), str(c)): home / file for file, (a, b, c) in manifest["graphs"].items()}
            graphs, left_out = StoredGraphs(files), dict[Key, Floats]()
            stored = read_arrays(home / "left_out.npz")
            check_arrays(
                {"labels": labels, **stored}, {"labels": "i N"} | {f"{n:03d}": "f P N" for n in range(len(files))}
            )
            left_out |= {key: stored[f"{number:03d}"] for number, key in enumerate(files)}
            table, per_class, per_node = (
                read_table(home / f"{name}.parquet", {**_COLUMNS, **more}) for name, more in _TABLES.items()
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GraphError(f"{home}: no complete LayerGeometry ({error}); give a folder written by save") from error
        return cls(
            table, per_class, per_node, graphs, labels, groups, manifest["settings"], words["group"], resample,
            words["unit"], left_out, targets, tuple(str(name) for name in manifest["target_names"]),
        )  # fmt: skip


_NODES = {"labels": "i N", "groups?": "i N", "resample?": "i N", "targets?": "f N Q"}
_COLUMNS = {"layer": "s", "index": "i", "network": "s", "neighbours": "s", "smoothness": "f"}
_TABLES: dict[str, dict[str, str]] = {
    "table": {"title": "s", "n": "i"} | dict.fromkeys((
        "low", "high", "null_mean", "null_low", "null_high", "floor", "rescaled", "rmse", "knn_smoothness",
        "neighbor_count", "kkt_residual", "sigma",
    ), "f"),
    "per_class": {"title": "s", "class_index": "i", "class_name": "s", "low": "f", "high": "f", "n": "i"},
    "per_node": {"node": "i", "neighbor_count": "i"},
}  # fmt: skip


def _check_files(files: Mapping[str, Any]) -> None:
    """Refuse names of graphs that `save` does not give; ValueError names one."""
    for number, (file, key) in enumerate(files.items()):
        if file != f"graphs/{number:03d}.npz" or not isinstance(key, list) or [type(part) for part in key] != [str] * 3:
            raise ValueError(f"manifest.json: graph {number} is {file[:60]!r} of {str(key)[:60]}")


def merge_geometries(geometries: Sequence[LayerGeometry]) -> LayerGeometry:
    """One geometry of all networks, from geometries of the same recordings under the same settings.

    `geometries` have networks of different names.

    Raises:
        GraphError: recordings, groups or settings differ, or a network occurs twice.
    """
    first = geometries[0]
    for other in geometries[1:]:
        same = np.array_equal(first.labels, other.labels) and np.array_equal(first.parts, other.parts)
        mine, others = (np.zeros(0) if each.targets is None else each.targets for each in (first, other))
        same = same and np.array_equal(mine, others)
        if not same or first.settings != other.settings or first.neighbours != other.neighbours:
            raise GraphError("geometries of different recordings, groups or settings cannot be merged")
    names = [name for each in geometries for name in each.networks()]
    if len(set(names)) < len(names):
        raise GraphError(f"a network occurs twice among {', '.join(names)}")
    tables = {
        name: pd.concat([getattr(each, name) for each in geometries], ignore_index=True)
        for name in ("table", "per_class", "per_node")
    }
    graphs = joined_graphs([each.graphs for each in geometries])
    left_out = {key: values for each in geometries for key, values in each.left_out.items()}
    return replace(first, **tables, graphs=graphs, left_out=left_out)
