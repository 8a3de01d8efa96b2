"""layer_statistics: established measures beside label smoothness, for every layer and every pair of layers.

Neighbour counts, polytope diameters, intrinsic dimension, accuracy (of targets: R²) of neighbours and of a probe;
overlap of neighbourhoods, similarity of graphs and CKA between layers. `quantities` measures them, layer by layer; here
they become tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.artefacts import is_described, read_described, read_table
from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import GraphError, suggest
from stgcnlib.files import atomic_folder, write_json
from stgcnlib.geometry.given import lacks_none, layer_of
from stgcnlib.geometry.layers import LayerGeometry
from stgcnlib.geometry.quantities import Quantities, SomeRows
from stgcnlib.geometry.readout import gram, pooled_features
from stgcnlib.progress import track

__all__ = ["BETWEEN", "STATISTICS", "LayerStatistics", "layer_statistics"]

Floats = NDArray[np.float64]

STATISTICS = {
    "neighbor_count": "NNK neighbours kept",
    "polytope_diameter": "polytope diameter / mean distance",
    "dimension_mle": "intrinsic dimension (MLE)",
    "dimension_twonn": "intrinsic dimension (TwoNN)",
    "knn_accuracy": "k-NN accuracy",
    "probe_accuracy": "linear probe accuracy",
    "knn_r2": "k-NN R²",
    "probe_r2": "linear probe R²",
    "cka_untrained": "CKA with the untrained layer",
}
BETWEEN = {
    "knn_overlap": "overlap of K nearest (Jaccard)",
    "nnk_overlap": "overlap of NNK neighbours (Jaccard)",
    "graph_similarity": "graph similarity",
    "cka": "debiased linear CKA",
}
FORMAT = "stgcnlib-layer-statistics"


@dataclass(frozen=True)
class LayerStatistics:
    """What `layer_statistics` found.

    Methods take `statistic`, a key of `STATISTICS` or `BETWEEN`, and `network`, the name of one network. An unknown
    statistic is a GraphError.

    Attributes:
        table: one row per (layer, network, statistic): layer, index, title, network, statistic (a key of
            `STATISTICS`; accuracies of classes, R² of targets), value, low, high (interval), null_mean, null_low,
            null_high (accuracies and R² only: the same predictions against shuffled labels or targets), n.
        pairs: one row per (first layer, second layer, network, statistic), both orders and the diagonal: first,
            first_index, first_title, second, second_index, second_title, network, statistic (a key of `BETWEEN`),
            value, low, high, chance (the value for unrelated neighbourhoods or features).
        settings: of the computation.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def curve(self, statistic: str, network: str = "trained") -> pd.DataFrame:
        """Rows of one statistic in order of depth; empty where that network was not measured."""
        _known(statistic, STATISTICS)
        rows = (self.table["statistic"] == statistic) & (self.table["network"] == network)
        return self.table[rows].sort_values("index").reset_index(drop=True)

    def matrix(self, statistic: str, network: str = "trained") -> pd.DataFrame:
        """(layers, layers) values of one statistic between layers, titled and in order of depth."""
        _known(statistic, BETWEEN)
        rows = self.pairs[(self.pairs["statistic"] == statistic) & (self.pairs["network"] == network)]
        order = rows.drop_duplicates("first").sort_values("first_index")["first_title"].tolist()
        return rows.pivot(index="first_title", columns="second_title", values="value").loc[order, order]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write both tables (parquet) and a manifest into a folder, atomically.

        Raises:
            OutputError: something else than an earlier result lies there.
        """
        with atomic_folder(folder, ours=partial(is_described, form=FORMAT)) as temporary:
            self.table.to_parquet(temporary / "table.parquet")
            self.pairs.to_parquet(temporary / "pairs.parquet")
            write_json(temporary / "manifest.json", {"format": FORMAT, "settings": self.settings})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> LayerStatistics:
        """Read what `save` wrote.

        Raises:
            GraphError: no LayerStatistics folder, or an incomplete one.
        """
        home = Path(folder)
        try:
            manifest = read_described(home / "manifest.json", FORMAT, settings=dict)
            table, pairs = (read_table(home / f"{name}.parquet", columns) for name, columns in _COLUMNS.items())
        except (OSError, ValueError) as error:
            raise GraphError(f"{home}: no complete LayerStatistics ({error}); give a folder written by save") from error
        return cls(table, pairs, manifest["settings"])


_COLUMNS = {
    "table": {"layer": "s", "index": "i", "title": "s", "network": "s", "statistic": "s", "value": "f", "low": "f",
              "high": "f"},
    "pairs": {"first": "s", "first_index": "i", "first_title": "s", "second": "s", "second_title": "s", "network": "s",
              "statistic": "s", "value": "f"},
}  # fmt: skip


def layer_statistics(
    store: Any,
    geometry: LayerGeometry,
    *,
    distances: Mapping[str, LayerDistances | ArrayLike],
    untrained: Any | None = None,
    untrained_distances: Mapping[str, LayerDistances | ArrayLike] | None = None,
    votes: int = 5,
    C: float = 1.0,
    progress: bool | None = None,
) -> LayerStatistics:
    """Geometry and read-out of every layer, and the likeness of every pair of layers, trained and untrained.

    Neighbours are those that the geometry's main curve counts (other subjects, where they are known). Intervals are by
    jackknife: one part of the recordings is left out at a time, and graphs, neighbours and likeness are made anew. Only
    a probe's predictions stay as they are. Above 2,000 recordings the probe and the likeness of layers are measured on
    2,000 of them, drawn at random (`settings["sample"]`); their neighbours are among all.

    Source: docs/method.md, "Further measures of a layer".

    Args:
        store: the LayerStore that the geometry was made from.
        geometry: its graphs, labels or targets, subjects and settings are used.
        distances: layer name -> (N, N) distances, or `LayerDistances`, that its graphs were built from. Where not all
            pairs are known, the mean distance by which diameters are divided is estimated from some 20,000 pairs.
        untrained, untrained_distances: a store, and (N, N) distances by layer, of the control; both or neither.
        votes: neighbours that vote in "knn_accuracy", or whose mean "knn_r2" is of; lowered where a node has fewer
            candidates.
        C: inverse penalty of the probe (`readout.probe_predictions`, `targets.probe_estimates`).
        progress: draw a progress bar; None: on a terminal.

    Raises:
        GraphError: only one half of the control is given, or sizes do not fit.
        LayerNotFoundError: distances lack a layer of the store.
    """
    if (untrained is None) != (untrained_distances is None):
        raise GraphError("untrained needs untrained_distances, and the other way round; give both or neither")
    work = Quantities(geometry, votes, C)
    given: dict[str, tuple[Any, Mapping[str, LayerDistances | ArrayLike]]] = {"trained": (store, distances)}
    if untrained is not None and untrained_distances is not None:
        given["untrained"] = (untrained, untrained_distances)
    for network, (_, matrices) in given.items():
        lacks_none(matrices, store.layers, network)
    jobs = [(network, name) for network in given for name in store.layers]
    rows: list[dict[str, Any]] = []
    grams: dict[str, list[Floats]] = {network: [] for network in given}
    graphs: dict[str, list[SomeRows]] = {network: [] for network in given}
    for network, name in track(jobs, "layer statistics", total=len(jobs), show=progress):
        source, matrices = given[network]
        where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title), "network": network}
        features = pooled_features(source[name], work.sample)
        grams[network].append(gram(features))
        known = layer_of(matrices[name], work.n, f"{name!r} ({network})")
        made = work.graphs(geometry.graphs[(name, network, geometry.neighbours)], known)
        graphs[network].append(work.rows(made))
        found = work.of_layer(made, known, features)
        rows += [where | {"statistic": statistic} | row for statistic, row in found.items()]
    if "untrained" in grams:
        for position, name in enumerate(store.layers):
            both = [grams["trained"][position], grams["untrained"][position]]
            where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title)}
            rows.append(where | {"network": "trained", "statistic": "cka_untrained"} | work.likeness(both)(0, 1))
    pairs: list[dict[str, Any]] = []
    for network in given:
        pairs += work.between(store, network, graphs[network], grams[network])
    settings = {"votes": work.votes, "C": C, "neighbours": geometry.neighbours, "dimension_k": work.dimension_k}
    settings["sample"] = len(work.sample)
    return LayerStatistics(pd.DataFrame(rows), pd.DataFrame(pairs), settings)


def _known(statistic: str, names: Mapping[str, str]) -> None:
    if statistic not in names:
        raise GraphError(f"statistic={statistic!r} is unknown; {suggest(statistic, names)}")
