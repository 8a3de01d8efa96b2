"""LayerGeometry: the DS-Graphs of all layers, and the tables read off them with intervals and controls.

Distances are taken by windowed DTW unless they are given. What the tables mean for the paper's claim is said in
`stgcnlib.verdicts`.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph, knn_graph, nnk_graph
from stgcnlib.dtw import DTWLike, dtw_distances, dtw_options
from stgcnlib.errors import GraphError, LayerNotFoundError, shorten
from stgcnlib.files import atomic_folder, write_json
from stgcnlib.geometry.smoothness import check_labels, label_smoothness
from stgcnlib.geometry.uncertainty import (
    Resampling,
    bootstrap_counts,
    bootstrap_means,
    interval,
    permutation_null,
)
from stgcnlib.groups import ALL, RECORDINGS, SUBJECT, group_codes, neighbours_label, resampled_groups
from stgcnlib.progress import track

__all__ = ["LayerGeometry", "layer_geometry"]

Key = tuple[str, str, str]
FORMAT = "stgcnlib-layer-geometry"


@dataclass(frozen=True)
class LayerGeometry:
    """What `layer_geometry` found.

    Attributes:
        table: one row per (layer, network, neighbours): layer, index, title, network ("trained", "untrained"),
            neighbours (`neighbours`, "all"), smoothness (random-walk), low, high (bootstrap interval),
            null_mean, null_low, null_high (shuffled labels), rmse, knn_smoothness (kNN graph of the same
            candidates), neighbor_count (mean kept), kkt_residual (largest), sigma (mean), n.
        per_class: one row per class of those: layer, index, title, network, neighbours, class_index,
            class_name, smoothness, low, high, n.
        per_node: one row per node of those: layer, index, network, neighbours, node, smoothness, neighbor_count.
        graphs: (layer, network, neighbours) -> DSGraph.
        labels: (N,) int64.
        groups: (N,) codes from 0 of groups whose members are no neighbours of each other, or None.
        settings: k, sigma, symmetrize, solver, permutations, bootstrap, resampling, confidence, seed.
        group: what `groups` are, in one word: "subject", "day", ….
        resample: (N,) codes of what intervals resample as a whole, "recordings", or None for `groups`.
        unit: what the codes of `resample` are, in one word.
    """

    table: pd.DataFrame
    per_class: pd.DataFrame
    per_node: pd.DataFrame
    graphs: dict[Key, DSGraph]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    group: str = SUBJECT
    resample: NDArray[np.int64] | str | None = None
    unit: str = SUBJECT

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

    def resamples(self) -> NDArray[np.int32]:
        """(draws, N) the bootstrap samples that its intervals are from; see `uncertainty.bootstrap_counts`."""
        return bootstrap_counts(
            len(self.labels),
            draws=int(self.settings["bootstrap"]),
            groups=self.resampled,
            resampling=self.settings["resampling"],
            seed=int(self.settings["seed"]),
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write tables (parquet), graphs and nodes (npz) and a manifest into a folder, atomically."""
        with atomic_folder(folder) as temporary:
            self.table.to_parquet(temporary / "table.parquet")
            self.per_class.to_parquet(temporary / "per_class.parquet")
            self.per_node.to_parquet(temporary / "per_node.parquet")
            columns = {"labels": self.labels, "groups": self.groups, "resample": self.resample}
            nodes = {name: values for name, values in columns.items() if isinstance(values, np.ndarray)}
            words = {"group": self.group, "unit": self.unit}
            if isinstance(self.resample, str):
                words["resample"] = self.resample
            with (temporary / "nodes.npz").open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **nodes)
            files = {f"graphs/{number:03d}.npz": key for number, key in enumerate(self.graphs)}
            for file, key in files.items():
                self.graphs[key].save(temporary / file)
            write_json(
                temporary / "manifest.json", {"format": FORMAT, "settings": self.settings, **words, "graphs": files}
            )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> LayerGeometry:
        """Read what `save` wrote.

        Raises:
            GraphError: no LayerGeometry folder, or an incomplete one.
        """
        home = Path(folder)
        try:
            manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
            if manifest.get("format") != FORMAT:
                raise ValueError(f"manifest.json says format {manifest.get('format')!r}")
            with np.load(home / "nodes.npz", allow_pickle=False) as stored:
                labels, groups = stored["labels"], stored["groups"] if "groups" in stored.files else None
                resample = stored["resample"] if "resample" in stored.files else manifest.get("resample")
            words = {name: str(manifest.get(name, SUBJECT)) for name in ("group", "unit")}
            graphs: dict[Key, DSGraph] = {}
            for file, (layer, network, neighbours) in manifest["graphs"].items():
                graphs[(layer, network, neighbours)] = DSGraph.load(home / file)
            table, per_class, per_node = (
                pd.read_parquet(home / f"{name}.parquet") for name in ("table", "per_class", "per_node")
            )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise GraphError(f"{home}: no complete LayerGeometry ({error}); give a folder written by save") from error
        return cls(table, per_class, per_node, graphs, labels, groups, manifest["settings"], resample=resample, **words)


def layer_geometry(
    store: Any,
    labels: ArrayLike,
    *,
    class_names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    group: str = SUBJECT,
    resample: ArrayLike | None = None,
    unit: str = SUBJECT,
    distances: Mapping[str, ArrayLike] | None = None,
    untrained: Any | None = None,
    untrained_distances: Mapping[str, ArrayLike] | None = None,
    k: int = 50,
    sigma: Any = "mean-kth/3",
    symmetrize: Any = "max",
    solver: Any = "exact",
    dtw: DTWLike = None,
    permutations: int = 200,
    bootstrap: int = 1000,
    resampling: Resampling | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool | None = None,
) -> LayerGeometry:
    """DS-Graphs and label smoothness of every layer, with intervals and controls (paper.md "Label smoothness").

    Args:
        store: a LayerStore of N recordings (anything with `.layers` and `store[name].index`, `.title`).
        labels: (N,) class indices.
        class_names: name of each class; "class 0", … if left out.
        groups: (N,) subject of each recording, or another group. Where given, each layer gets two graphs: of neighbours
            by "other subjects" only (the main one, so that identity is not mistaken for action), and of "all". None:
            "all".
        group: what `groups` are, in one word; "day" makes them "other days".
        resample: (N,) groups that intervals resample as a whole; "recordings": every one by itself; None: `groups`.
        unit: what those are, in one word.
        distances: layer name -> (N, N) distances; layers left out are computed from the store.
        untrained: store of an untrained network of the same shape, the control; None: no control unless
            `untrained_distances` are given.
        untrained_distances: as `distances`, for the control.
        k, sigma, symmetrize, solver: as `stgcnlib.dsgraph.nnk_graph`.
        dtw: a `DTWOptions` or some of its fields, for distances that are computed.
        permutations: shuffles of the labels for the null.
        bootstrap, resampling: draws and way of resampling of the intervals (`uncertainty.bootstrap_counts`).
        confidence: of the intervals and of the null's range.
        seed: of all draws. The same resamples serve every layer, so curves can be compared pair by pair.
        progress: draw a progress bar; None: on a terminal.

    Raises:
        GraphError: labels, groups or distances do not fit, or a node has fewer than k candidates.
        LayerNotFoundError: distances of the control lack a layer and no store is given for it.
    """
    names, options = tuple(store.layers), dtw_options(dtw)
    given = {"trained": dict(distances or {}), "untrained": dict(untrained_distances or {})}
    networks = ["trained"] + (["untrained"] if untrained is not None or untrained_distances else [])
    stores = {"trained": store, "untrained": untrained}
    for network in networks:
        missing = [name for name in names if name not in given[network]]
        if stores[network] is None and missing:
            raise LayerNotFoundError(
                f"{network}_distances lack {shorten(missing)}; give distances of every layer, or the store"
            )
    count = len(np.asarray(labels))
    y = check_labels(labels, count)
    classes = max(int(y.max()) + 1, len(class_names or ()))
    titles = list(class_names or ()) or [f"class {c}" for c in range(classes)]
    if len(titles) < classes:
        raise GraphError(f"class_names has {len(titles)} names, but label {int(y.max())} occurs; name every class")
    codes = None if groups is None else group_codes(groups, count)
    drawn = resampled_groups(resample, groups)
    counts = bootstrap_counts(count, draws=bootstrap, groups=drawn, resampling=resampling, seed=seed)
    excluded = {neighbours_label(None if codes is None else group): codes, ALL: None}

    graphs: dict[Key, DSGraph] = {}
    rows: list[dict[str, Any]] = []
    class_rows: list[dict[str, Any]] = []
    node_tables: list[pd.DataFrame] = []
    jobs = [(network, name) for network in networks for name in names]
    for network, name in track(jobs, "DS-Graphs", total=len(jobs), show=progress):
        matrix = given[network].get(name)
        if matrix is None:
            matrix = dtw_distances(stores[network][name], dtw=options)
        if np.shape(matrix) != (count, count):
            raise GraphError(f"distances of {name!r} ({network}) have shape {np.shape(matrix)}; labels are ({count},)")
        for neighbours, exclude in excluded.items():
            graph = nnk_graph(matrix, k=k, sigma=sigma, symmetrize=symmetrize, solver=solver, exclude=exclude)
            baseline = knn_graph(matrix, k=k, sigma=sigma, symmetrize=symmetrize, exclude=exclude)
            graphs[(name, network, neighbours)] = graph
            where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title)}
            where |= {"network": network, "neighbours": neighbours}
            values = label_smoothness(graph, y, per="node")
            null = permutation_null(graph, y, permutations=permutations, seed=seed)
            low, high = interval(bootstrap_means(values, counts), confidence)
            null_low, null_high = interval(null, confidence)
            rows.append(
                where
                | {"smoothness": float(values.mean()), "low": low, "high": high}
                | {"null_mean": float(null.mean()), "null_low": null_low, "null_high": null_high}
                | {
                    "rmse": label_smoothness(graph, y, form="rmse", classes=classes),
                    "knn_smoothness": label_smoothness(baseline, y),
                    "neighbor_count": float(graph.neighbor_counts().mean()),
                    "kkt_residual": float(graph.kkt_residual.max()),
                    "sigma": float(np.mean(graph.sigma)),
                    "n": count,
                }
            )
            class_rows += [where | row for row in _class_rows(values, y, titles, counts, confidence)]
            node_tables.append(_node_table(where, values, graph))
    settings = {
        "k": int(k),
        "sigma": sigma if isinstance(sigma, str) else float(sigma),
        "symmetrize": symmetrize,
        "solver": solver,
        "permutations": permutations,
        "bootstrap": bootstrap,
        "resampling": resampling or ("sequences" if drawn is None else "two-level"),
        "confidence": confidence,
        "seed": seed,
    }
    tables = pd.DataFrame(rows), pd.DataFrame(class_rows), pd.concat(node_tables, ignore_index=True)
    return LayerGeometry(
        *tables, graphs=graphs, labels=y, groups=codes, settings=settings, group=group,
        resample=None if resample is None else RECORDINGS if drawn is None else group_codes(drawn), unit=unit,
    )  # fmt: skip


def _class_rows(
    values: NDArray[np.float64],
    y: NDArray[np.int64],
    titles: Sequence[str],
    counts: NDArray[np.int32],
    confidence: float,
) -> list[dict[str, Any]]:
    """Mean and interval of each class that occurs."""
    rows: list[dict[str, Any]] = []
    for c in np.unique(y):
        nodes = np.flatnonzero(y == c)
        low, high = interval(bootstrap_means(values[nodes], counts[:, nodes]), confidence)
        row = {"class_index": int(c), "class_name": titles[c], "smoothness": float(values[nodes].mean())}
        rows.append(row | {"low": low, "high": high, "n": nodes.size})
    return rows


def _node_table(where: Mapping[str, Any], values: NDArray[np.float64], graph: DSGraph) -> pd.DataFrame:
    columns: dict[str, Any] = {name: where[name] for name in ("layer", "index", "network", "neighbours")}
    own = {"node": np.arange(len(values)), "smoothness": values, "neighbor_count": graph.neighbor_counts()}
    return pd.DataFrame(columns | own)
