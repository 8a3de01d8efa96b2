"""layer_statistics: quantities that readers already trust, beside label smoothness, for every layer and pair of layers.

Neighbour counts, polytope diameters, intrinsic dimension, accuracy (of targets: R²) of neighbours and of a probe;
overlap of neighbourhoods, similarity of graphs and CKA between layers. The single quantities are defined in
`neighbourhoods`, `readout` and `targets`; here they get their intervals, chance levels and tables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.errors import GraphError, suggest
from stgcnlib.files import atomic_folder, write_json
from stgcnlib.geometry.layers import LayerGeometry
from stgcnlib.geometry.neighbourhoods import (
    chance_overlap,
    graph_similarity,
    intrinsic_dimension,
    neighbourhood_overlap,
    pointwise_dimension,
    polytope_diameters,
)
from stgcnlib.geometry.readout import cka_matrix, gram, knn_predictions, pooled_features, probe_predictions
from stgcnlib.geometry.targets import explained, knn_estimates, probe_estimates
from stgcnlib.geometry.uncertainty import bootstrap_means, deletion_groups, interval, jackknife_interval
from stgcnlib.groups import fewest_candidates, of_nodes
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
        """Write both tables (parquet) and a manifest into a folder, atomically."""
        with atomic_folder(folder) as temporary:
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
            manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
            if manifest.get("format") != FORMAT:
                raise ValueError(f"manifest.json says format {manifest.get('format')!r}")
            table, pairs = (pd.read_parquet(home / f"{name}.parquet") for name in ("table", "pairs"))
        except (OSError, ValueError) as error:
            raise GraphError(f"{home}: no complete LayerStatistics ({error}); give a folder written by save") from error
        return cls(table, pairs, manifest["settings"])


def layer_statistics(
    store: Any,
    geometry: LayerGeometry,
    *,
    distances: Mapping[str, ArrayLike],
    untrained: Any | None = None,
    untrained_distances: Mapping[str, ArrayLike] | None = None,
    votes: int = 5,
    C: float = 1.0,
    progress: bool | None = None,
) -> LayerStatistics:
    """Geometry and read-out of every layer, and the likeness of every pair of layers, trained and untrained.

    Neighbours are those that the geometry's main curve counts (other subjects, where they are known); intervals come
    from its bootstrap with graphs and predictions held fixed, those of CKA and TwoNN from leaving out one at a time of
    what it resamples as a whole (jackknife, with Student's t).

    Args:
        store: the LayerStore that the geometry was made from.
        geometry: its graphs, labels or targets, subjects and settings are used.
        distances: layer name -> (N, N) distances that its graphs were built from.
        untrained, untrained_distances: the same of the control; both or neither.
        votes: neighbours that vote in "knn_accuracy", or whose mean "knn_r2" is of; lowered where a node has fewer
            candidates.
        C: inverse penalty of the probe (`readout.probe_predictions`, `targets.probe_estimates`).
        progress: draw a progress bar; None: on a terminal.

    Raises:
        GraphError: only one half of the control is given, or sizes do not fit.
    """
    if (untrained is None) != (untrained_distances is None):
        raise GraphError("untrained needs untrained_distances, and the other way round; give both or neither")
    work = _Work(geometry, votes, C)
    given: dict[str, tuple[Any, Mapping[str, ArrayLike]]] = {"trained": (store, distances)}
    if untrained is not None and untrained_distances is not None:
        given["untrained"] = (untrained, untrained_distances)
    jobs = [(network, name) for network in given for name in store.layers]
    rows: list[dict[str, Any]] = []
    grams: dict[str, list[Floats]] = {network: [] for network in given}
    for network, name in track(jobs, "layer statistics", total=len(jobs), show=progress):
        source, matrices = given[network]
        where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title), "network": network}
        features = pooled_features(source[name])
        grams[network].append(gram(features))
        graph = geometry.graphs[(name, network, geometry.neighbours)]
        found = work.of_layer(graph, np.asarray(matrices[name], dtype=np.float64), features)
        rows += [where | {"statistic": statistic} | row for statistic, row in found.items()]
    if "untrained" in grams:
        for position, name in enumerate(store.layers):
            both = [grams["trained"][position], grams["untrained"][position]]
            value, low, high = work.by_subject(lambda keep, both=both: cka_matrix(_parts(both, keep))[0, 1], limit=1.0)
            where = {"layer": name, "index": int(store[name].index), "title": str(store[name].title)}
            rows.append(where | {"network": "trained", "statistic": "cka_untrained"} | _row(value, low, high, work.n))
    pairs: list[dict[str, Any]] = []
    for network in given:
        graphs = [geometry.graphs[(name, network, geometry.neighbours)] for name in store.layers]
        pairs += work.between(store, network, graphs, grams[network])
    settings = {"votes": work.votes, "C": C, "neighbours": geometry.neighbours, "dimension_k": work.dimension_k}
    return LayerStatistics(pd.DataFrame(rows), pd.DataFrame(pairs), settings)


class _Work:
    """What every layer of one computation shares."""

    def __init__(self, geometry: LayerGeometry, votes: int, C: float) -> None:
        self.y: Any = geometry.told
        self.groups, self.C = geometry.groups, C
        self.n = len(self.y)
        self.k = int(geometry.settings["k"])
        self.votes, self.dimension_k = min(votes, self.k), min(20, self.k)
        self.counts = geometry.resamples()
        self.confidence = float(geometry.settings["confidence"])
        self.seed = int(geometry.settings["seed"])
        generator = np.random.default_rng(self.seed)
        self.shuffled = np.stack([generator.permutation(self.y) for _ in range(int(geometry.settings["permutations"]))])
        self.parts = deletion_groups(self.n, groups=geometry.resampled, seed=self.seed)

    def of_layer(self, graph: DSGraph, distances: Floats, features: Floats) -> dict[str, dict[str, Any]]:
        """Statistic -> value, interval and null of one layer."""
        scale = float(distances.sum() / (self.n * (self.n - 1)))
        diameters = polytope_diameters(graph, distances) / (scale if scale > 0 else 1.0)
        found = {
            "neighbor_count": self.mean(graph.neighbor_counts().astype(np.float64)),
            "polytope_diameter": self.mean(diameters),
        }
        dimension = pointwise_dimension(distances, k=self.dimension_k, exclude=self.groups)
        usable = np.isfinite(dimension)
        inverse = self.mean(np.where(usable, 1 / np.where(usable, dimension, 1.0), np.nan))
        found["dimension_mle"] = inverse | {
            "value": 1 / inverse["value"], "low": 1 / inverse["high"], "high": 1 / inverse["low"],
        }  # fmt: skip
        value, low, high = self.by_subject(
            lambda keep: intrinsic_dimension(
                distances[np.ix_(keep, keep)],
                method="twonn",
                exclude=of_nodes(self.groups, keep),
            )
        )
        found["dimension_twonn"] = _row(value, max(low, 0.0), high, self.n)
        if self.y.ndim == 2:
            near = knn_estimates(distances, self.y, k=self.votes, exclude=self.groups)
            fitted = probe_estimates(features, self.y, groups=self.groups, C=self.C, seed=self.seed)
            return found | {"knn_r2": self.r2(near), "probe_r2": self.r2(fitted)}
        votes = knn_predictions(distances, self.y, k=self.votes, exclude=self.groups)
        probed = probe_predictions(features, self.y, groups=self.groups, C=self.C, seed=self.seed)
        return found | {"knn_accuracy": self.accuracy(votes), "probe_accuracy": self.accuracy(probed)}

    def mean(self, values: Floats) -> dict[str, Any]:
        """Mean of node values (NaN left out) and its bootstrap interval."""
        known = np.flatnonzero(np.isfinite(values))
        if not known.size:
            return _row(float("nan"), float("nan"), float("nan"), 0)
        low, high = interval(bootstrap_means(values[known], self.counts[:, known]), self.confidence)
        return _row(float(values[known].mean()), low, high, known.size)

    def accuracy(self, predictions: NDArray[np.int64]) -> dict[str, Any]:
        """Share of right predictions, its interval, and what the same predictions score on shuffled labels."""
        null = (self.shuffled == predictions).mean(axis=1)
        low, high = interval(null, self.confidence)
        row = self.mean((predictions == self.y).astype(np.float64))
        return row | {"null_mean": float(null.mean()), "null_low": low, "null_high": high}

    def r2(self, estimates: Floats) -> dict[str, Any]:
        """R² of estimates, its interval, and what the same estimates reach on shuffled targets."""
        null = np.array([explained(shuffled, estimates).mean() for shuffled in self.shuffled])
        low, high = interval(null, self.confidence)
        row = self.mean(explained(self.y, estimates))
        return row | {"null_mean": float(null.mean()), "null_low": low, "null_high": high}

    def by_subject(self, measure: Any, *, limit: float = np.inf) -> tuple[float, float, float]:
        """A statistic of the kept nodes, and its jackknife interval over subjects, or what else is resampled."""
        everyone = np.arange(self.n)
        value = float(measure(everyone))
        # TwoNN needs two neighbours of other groups, and CKA four recordings.
        left = [np.flatnonzero(self.parts != part) for part in np.unique(self.parts)]
        if any(
            len(keep) < 4 or fewest_candidates(of_nodes(self.groups, keep), len(keep)).candidates < 2 for keep in left
        ):
            return value, float("nan"), float("nan")
        low, high = jackknife_interval(value, [measure(keep) for keep in left], self.confidence)
        return value, max(low, -limit), min(high, limit)

    def between(self, store: Any, network: str, graphs: list[DSGraph], grams: list[Floats]) -> list[dict[str, Any]]:
        """Rows of `LayerStatistics.pairs` of one network."""
        names = list(store.layers)
        alike = self._cka(grams)
        rows: list[dict[str, Any]] = []
        for i, first in enumerate(names):
            for j in range(i, len(names)):
                values = {
                    "knn_overlap": neighbourhood_overlap(graphs[i], graphs[j], of="candidates"),
                    "nnk_overlap": neighbourhood_overlap(graphs[i], graphs[j], of="kept"),
                    "graph_similarity": graph_similarity(graphs[i], graphs[j]),
                }
                found = {name: self.mean(each) for name, each in values.items()}
                found["cka"] = _row(float(alike[0][i, j]), float(alike[1][i, j]), float(alike[2][i, j]), self.n)
                chances = (
                    float(chance_overlap(graphs[i], graphs[j], of=of, exclude=self.groups).mean())
                    for of in ("candidates", "kept")
                )
                by_chance = {
                    **dict(zip(("knn_overlap", "nnk_overlap"), chances, strict=True)),
                    "graph_similarity": float("nan"),
                    "cka": 0.0,
                }
                for statistic, row in found.items():
                    numbers = {key: row[key] for key in ("value", "low", "high")} | {"chance": by_chance[statistic]}
                    for a, b in {(first, names[j]), (names[j], first)}:
                        where = {"first": a, "first_index": int(store[a].index), "first_title": str(store[a].title)}
                        where |= {"second": b, "second_index": int(store[b].index), "second_title": str(store[b].title)}
                        rows.append(where | {"network": network, "statistic": statistic} | numbers)
        return sorted(rows, key=lambda row: (row["statistic"], row["first_index"], row["second_index"]))

    def _cka(self, grams: list[Floats]) -> tuple[Floats, Floats, Floats]:
        """(value, low, high), each (L, L)."""
        value = cka_matrix(grams)
        left = [np.flatnonzero(self.parts != part) for part in np.unique(self.parts)]
        if min(len(keep) for keep in left) < 4:
            return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
        drawn = np.stack([cka_matrix(_parts(grams, keep)) for keep in left])
        low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
        for i, j in np.ndindex(*value.shape):
            low[i, j], high[i, j] = jackknife_interval(float(value[i, j]), drawn[:, i, j], self.confidence)
        return value, np.maximum(low, -1.0), np.minimum(high, 1.0)


def _parts(grams: list[Floats], keep: NDArray[np.int64]) -> list[Floats]:
    return [K[np.ix_(keep, keep)] for K in grams]


def _row(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    empty = dict.fromkeys(("null_mean", "null_low", "null_high"), float("nan"))
    return {"value": value, "low": low, "high": high, **empty, "n": n}


def _known(statistic: str, names: Mapping[str, str]) -> None:
    if statistic not in names:
        raise GraphError(f"statistic={statistic!r} is unknown; {suggest(statistic, names)}")
