"""The quantities of `statistics`, each with its interval and chance level, for one layer or two layers at a time.

They are defined in `neighbourhoods`, `readout` and `targets`. Intervals are by jackknife: everything but a probe is
made anew without each part of the recordings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.dsgraph import DSGraph
from stgcnlib.dtw import LayerDistances
from stgcnlib.geometry.layers import LayerGeometry
from stgcnlib.geometry.measure import graphs_without
from stgcnlib.geometry.neighbourhoods import (
    Rows,
    chance_overlap,
    graph_similarity,
    intrinsic_dimension,
    neighbourhood_overlap,
    pointwise_dimension,
    polytope_diameters,
)
from stgcnlib.geometry.readout import cka_matrix, knn_predictions, probe_predictions, probe_shortage
from stgcnlib.geometry.shortages import intervals_known, sampled
from stgcnlib.geometry.targets import explained, knn_estimates, probe_estimates, vary
from stgcnlib.geometry.uncertainty import Estimate, Jackknife, interval
from stgcnlib.groups import fewest_candidates, of_nodes

__all__ = ["Graphs", "Quantities"]

Floats = NDArray[np.float64]
Nodes = NDArray[np.int64]
Graphs = tuple[DSGraph, list[DSGraph | None]]
"""A layer's graph, and its graphs without each part of the recordings."""
SomeRows = tuple[Rows, list[Rows | None]]
"""The neighbourhoods of the sampled recordings in each of these graphs."""


class Quantities:
    """Computes the statistics of layers; holds what all layers of one computation share.

    Args:
        geometry: its labels or targets, groups, settings and parts are used.
        votes: neighbours that vote; lowered where a node has fewer candidates.
        C: inverse penalty of the probe.

    Attributes:
        sample: (n,) the recordings on which the probe and the likeness of layers are measured (`sampled`).
            Neighbours are always among all.
    """

    def __init__(self, geometry: LayerGeometry, votes: int, C: float) -> None:
        self.y: Any = geometry.told
        self.groups, self.C = geometry.groups, C
        self.n = len(self.y)
        self.options, settings = geometry.graph_options, geometry.settings
        self.k, self.seed = int(settings["k"]), int(settings["seed"])
        self.votes, self.dimension_k = min(votes, self.k), min(20, self.k)
        self.jackknife = geometry.jackknife
        self.kept = self.jackknife.kept()
        self.enough = intervals_known(self.jackknife.parts, self.groups)
        generator = np.random.default_rng(self.seed)
        self.sample = sampled(self.jackknife.parts, self.seed)
        self.of_sample = Jackknife(self.jackknife.parts[self.sample], self.jackknife.confidence)
        self.shuffled = np.stack([generator.permutation(self.y) for _ in range(int(settings["permutations"]))])

    def candidates(self, nodes: Nodes) -> int:
        """The fewest candidates of any of these nodes, where only these nodes are candidates."""
        return fewest_candidates(of_nodes(self.groups, nodes), len(nodes)).candidates

    def graphs(self, graph: DSGraph, distances: LayerDistances) -> Graphs:
        """The graph, and those made anew without each part."""
        return graph, [each for _, each in graphs_without(self.jackknife, distances, **self.options)]

    def rows(self, graphs: Graphs) -> SomeRows:
        """The neighbourhoods of the sample in a layer's graphs."""
        graph, anew = graphs
        sampled = np.zeros(self.n, dtype=np.bool_)
        sampled[self.sample] = True
        without = [
            None if each is None else Rows.of(each, np.flatnonzero(sampled[keep]))
            for keep, each in zip(self.kept, anew, strict=True)
        ]
        return Rows.of(graph, self.sample), without

    def of_layer(self, graphs: Graphs, distances: LayerDistances, features: Floats) -> dict[str, dict[str, Any]]:
        """Statistic -> value, interval and null of one layer; features (n, D) are those of the sample."""

        def diameters(graph: DSGraph, nodes: Nodes) -> Floats:
            among = distances.select(nodes)
            scale = among.mean()
            return polytope_diameters(graph, among) / (scale if scale > 0 else 1.0)

        def dimension(nodes: Nodes, **method: Any) -> float:
            if self.candidates(nodes) < 2:
                return float("nan")
            among, groups = distances.select(nodes), of_nodes(self.groups, nodes)
            return intrinsic_dimension(among, exclude=groups, **method)

        def mle(nodes: Nodes) -> float:
            return dimension(nodes, method="mle", k=min(self.dimension_k, self.candidates(nodes)))

        known = np.isfinite(pointwise_dimension(distances, k=self.dimension_k, exclude=self.groups)).sum()
        found = {
            "neighbor_count": self.mean(graphs, lambda graph, _: graph.neighbor_counts().astype(np.float64)),
            "polytope_diameter": self.mean(graphs, diameters),
            "dimension_mle": self.number(mle, least=0.0) | {"n": int(known)},
            "dimension_twonn": self.number(lambda nodes: dimension(nodes, method="twonn"), least=0.0),
        }
        near, probe = self._votes(distances), self._probe(features)
        names = ("knn_r2", "probe_r2") if self.y.ndim == 2 else ("knn_accuracy", "probe_accuracy")
        return found | dict(zip(names, (near, probe), strict=True))

    def _votes(self, distances: LayerDistances) -> dict[str, Any]:
        """Accuracy, or R², of neighbours; votes are counted anew without each part."""
        told: Callable[..., Any] = knn_estimates if self.y.ndim == 2 else knn_predictions

        def predicted(nodes: Nodes) -> Any:
            groups, k = of_nodes(self.groups, nodes), min(self.votes, self.candidates(nodes))
            return told(distances.select(nodes), self.y[nodes], k=k, exclude=groups)

        without = np.full((self.jackknife.count, self.n), np.nan)
        for part, keep in enumerate(self.kept):
            if self.enough and vary(self.y[keep]):
                without[part, keep] = self._right(self.y[keep], predicted(keep))
        every = np.arange(self.n)
        return self._judged(every, predicted(every), self.jackknife, without)

    def _probe(self, features: Floats) -> dict[str, Any]:
        """Accuracy, or R², of a linear probe on the sample; its predictions stay as they are."""
        fit: Callable[..., Any] = probe_estimates if self.y.ndim == 2 else probe_predictions
        nodes, groups = self.sample, of_nodes(self.groups, self.sample)
        if probe_shortage(self.y[nodes], groups, seed=self.seed):
            return self._row(self.jackknife.of(np.nan, []), 0)
        predicted = fit(features, self.y[nodes], groups=groups, C=self.C, seed=self.seed)
        return self._judged(nodes, predicted, self.of_sample, None)

    def _right(self, told: Any, predicted: Any) -> Floats:
        """(N,) node values whose mean is the accuracy, or R²."""
        if self.y.ndim == 2:
            return explained(told, predicted)
        return np.asarray(predicted == told, dtype=np.float64)

    def _judged(self, nodes: Nodes, predicted: Any, jackknife: Jackknife, without: Floats | None) -> dict[str, Any]:
        """A score of some nodes, its interval, and what the predictions score on shuffled labels or targets."""
        null = np.array([self._right(shuffled[nodes], predicted).mean() for shuffled in self.shuffled])
        low, high = interval(null, jackknife.confidence)
        values = self._right(self.y[nodes], predicted)
        row = self._row(jackknife.mean(values, without), int(np.isfinite(values).sum()), most=1.0)
        return row | {"null_mean": float(null.mean()), "null_low": low, "null_high": high}

    def mean(self, graphs: Graphs, measure: Callable[[DSGraph, Nodes], Floats]) -> dict[str, Any]:
        """Mean of a value of each node of a graph, made anew without each part."""
        graph, anew = graphs
        values, without = measure(graph, np.arange(self.n)), np.full((self.jackknife.count, self.n), np.nan)
        for part, (keep, each) in enumerate(zip(self.kept, anew, strict=True)):
            if each is not None:
                without[part, keep] = measure(each, keep)
        known = int(np.isfinite(values).sum())
        return self._row(self.jackknife.mean(values, without), known, least=0.0)

    def number(self, measure: Callable[[Nodes], float], *, least: float = -np.inf) -> dict[str, Any]:
        """One number of some nodes, measured anew without each part."""
        value = float(measure(np.arange(self.n)))
        without = [measure(keep) for keep in self.kept] if self.enough else []
        return self._row(self.jackknife.of(value, without), self.n, least=least)

    def likeness(self, grams: list[Floats]) -> Callable[[int, int], dict[str, Any]]:
        """CKA of the features of layers i and j of those given; what both need of one layer is computed once."""
        value, without = self._cka(grams)

        def row(i: int, j: int) -> dict[str, Any]:
            estimate = self.of_sample.of(value[i, j], without[:, i, j])
            return self._row(estimate, len(self.sample), least=-1.0, most=1.0)

        return row

    def between(self, store: Any, network: str, graphs: list[SomeRows], grams: list[Floats]) -> list[dict[str, Any]]:
        """Rows of `LayerStatistics.pairs` of one network."""
        names = list(store.layers)
        cka = self.likeness(grams)
        rows: list[dict[str, Any]] = []
        for i, first in enumerate(names):
            for j in range(i, len(names)):
                found = self.overlaps(graphs[i], graphs[j]) | {"cka": cka(i, j)}
                by_chance = self.chances(graphs[i], graphs[j])
                for statistic, row in found.items():
                    numbers = {key: row[key] for key in ("value", "low", "high")} | {"chance": by_chance[statistic]}
                    for a, b in {(first, names[j]), (names[j], first)}:
                        where = {"first": a, "first_index": int(store[a].index), "first_title": str(store[a].title)}
                        where |= {"second": b, "second_index": int(store[b].index), "second_title": str(store[b].title)}
                        rows.append(where | {"network": network, "statistic": statistic} | numbers)
        return sorted(rows, key=lambda row: (row["statistic"], row["first_index"], row["second_index"]))

    def chances(self, first: SomeRows, second: SomeRows) -> dict[str, float]:
        """What two layers that have nothing to do with each other show in each measure; NaN where it is not known."""
        return {"graph_similarity": float("nan"), "cka": 0.0} | {
            name: float(chance_overlap(first[0], second[0], of=of, exclude=self.groups).mean())
            for name, of in _OVERLAPS.items()
        }

    def overlaps(self, first: SomeRows, second: SomeRows) -> dict[str, dict[str, Any]]:
        """Overlaps and similarity of two layers' graphs."""
        measures: dict[str, Callable[[Rows, Rows], Floats]] = {
            name: partial(neighbourhood_overlap, of=of) for name, of in _OVERLAPS.items()
        }
        measures["graph_similarity"] = graph_similarity
        rows = {}
        for name, measure in measures.items():
            without = np.full((self.of_sample.count, len(self.sample)), np.nan)
            for part, (keep, a, b) in enumerate(zip(self.of_sample.kept(), first[1], second[1], strict=True)):
                if a is not None and b is not None:
                    without[part, keep] = measure(a, b)
            mean = self.of_sample.mean(measure(first[0], second[0]), without)
            rows[name] = self._row(mean, len(self.sample), least=0.0, most=1.0)
        return rows

    def _cka(self, grams: list[Floats]) -> tuple[Floats, Floats]:
        """(L, L) CKA of layers, and (P, L, L) without each part; (0, L, L) where too few recordings are left."""
        value = cka_matrix(grams)
        if not self.enough:
            return value, np.zeros((0, *value.shape))
        kept = self.of_sample.kept()
        return value, np.stack([cka_matrix([K[np.ix_(keep, keep)] for K in grams]) for keep in kept])

    @staticmethod
    def _row(found: Estimate, n: int, *, least: float = -np.inf, most: float = np.inf) -> dict[str, Any]:
        empty = dict.fromkeys(("null_mean", "null_low", "null_high"), float("nan"))
        low, high = max(found.low, least), min(found.high, most)  # NaN, which comes first, stays
        return {"value": found.value, "low": low, "high": high, **empty, "n": n}


_OVERLAPS: dict[str, Any] = {"knn_overlap": "candidates", "nnk_overlap": "kept"}
