"""StudyView: the tables and examples that stage notebooks show, taken from a StudyRun.

Nothing is computed here that the artefacts don't hold; this room only chooses, averages and names.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.groups import ALL, barred_pairs, plural, resampled_groups

if TYPE_CHECKING:
    from stgcnlib.dsgraph import DSGraph
    from stgcnlib.explain import RelevanceMap
    from stgcnlib.pipeline.maps import MapView
    from stgcnlib.pipeline.run import StudyRun

__all__ = ["StudyView"]

STRONGEST = 5  # nodes that stand for the parts of a graph without any
READINGS = {"frames": "classic DTW on frames", "sliding": "sliding windows", "segments": "proportional segments"}


class StudyView:
    """What a report shows of one study.

    Args:
        run: the study with its artefacts.
    """

    def __init__(self, run: StudyRun) -> None:
        self.run = run

    # -- tables --------------------------------------------------------------------------------

    def recordings(self) -> pd.DataFrame:
        """One row per part: sequences, classes, groups and lengths."""
        run = self.run
        parts = {"train": run.parts[0], "test": run.parts[1], "nodes of the DS-Graphs": run.nodes}
        rows = []
        for name, part in parts.items():
            row: dict[str, Any] = {"part": name, "sequences": len(part), "classes": len(np.unique(part.labels))}
            row |= {f"{group}s": len(np.unique(values)) for group, values in part.groups.items()}
            row |= {"shortest": part.lengths.min(), "mean length": round(part.lengths.mean(), 1)}
            row |= {"longest": part.lengths.max(), "most people": part.people_counts.max()}
            rows.append(row)
        return pd.DataFrame(rows).set_index("part")

    def network(self) -> pd.DataFrame:
        """Facts about the network, one per row."""
        run, network = self.run, self.run.network
        facts = {
            "network": run.study.network.name,
            "blocks": len(self.network_layers),
            "parameters": f"{sum(p.numel() for p in network.parameters()):,}",
            "joints": len(run.data.layout),
            "channels": run.data.channels,
            "classes": len(run.data.class_names),
            **{name: str(value) for name, value in run.study.network.options.items()},
        }
        if run.study.network.checkpoint:
            facts["weights"] = str(run.study.network.checkpoint)
        elif run.history is not None:
            facts["weights"] = f"trained here for {len(run.history)} epochs, {run.history['seconds'].sum():.0f} s"
        facts["test accuracy"] = f"{run.evaluation.accuracy:.1%} of {len(run.parts[1])} sequences"
        return pd.DataFrame({"value": facts})

    def layers(self) -> pd.DataFrame:
        """One row per recorded layer: shape, stride and size on disk."""
        store = self.run.activations()
        rows = []
        for name in store.layers:
            layer = store[name]
            frames = int(layer.lengths.sum())
            rows.append(
                {
                    "layer": layer.title,
                    "module": name,
                    "channels": layer.channels,
                    "joints": layer.joints,
                    "features per frame": layer.channels * layer.joints,
                    "stride": layer.temporal_stride,
                    "frames in all": frames,
                    "MiB": round(frames * layer.channels * layer.joints * 4 / 2**20, 1),
                }
            )
        return pd.DataFrame(rows).set_index("layer")

    def graphs(self) -> pd.DataFrame:
        """One row per layer of the main table: neighbours kept, kernel width, certificate."""
        columns = {
            "title": "layer",
            "n": "nodes",
            "neighbor_count": "neighbours kept (mean)",
            "sigma": "kernel width σ",
        }
        table = self.main_table()[[*columns, "kkt_residual"]].rename(columns=columns)
        table["largest KKT residual"] = table.pop("kkt_residual").map("{:.1e}".format)
        return table.round(3).set_index("layer")

    def main_table(self, network: str = "trained") -> pd.DataFrame:
        """Rows of the geometry table that the main curve draws, by layer."""
        table = self.run.geometry.table
        chosen = (table["network"] == network) & (table["neighbours"] == self.neighbours)
        return table[chosen].sort_values("index")

    def smoothness(self) -> pd.DataFrame:
        """Label smoothness against layer, with interval, null, untrained control and all neighbours."""
        main = self.main_table().set_index("index")
        untrained = self.main_table("untrained").set_index("index")
        table = pd.DataFrame(
            {
                "layer": main["title"],
                "S": main["smoothness"].map("{:.3f}".format),
                "interval": [f"{low:.3f} to {high:.3f}" for low, high in zip(main["low"], main["high"], strict=True)],
                "null": main["null_mean"].map("{:.3f}".format),
                "untrained": untrained["smoothness"].map("{:.3f}".format),
                "kNN graph": main["knn_smoothness"].map("{:.3f}".format),
                "RMSE": main["rmse"].map("{:.3f}".format),
            }
        )
        full = self.run.geometry.table
        everyone = full[(full["network"] == "trained") & (full["neighbours"] == ALL)].set_index("index")
        if self.neighbours != ALL and len(everyone):
            table["all neighbours"] = everyone["smoothness"].map("{:.3f}".format)
        return table.set_index("layer")

    def layer(self, name: str) -> pd.DataFrame:
        """Facts about one layer, one per row."""
        known = self.run.layer(name)
        row = self.main_table().set_index("layer").loc[name]
        facts = {
            "layer": f"{known['title']} ({name})",
            "label smoothness S": f"{row['smoothness']:.3f}, interval {row['low']:.3f} to {row['high']:.3f}",
            "with shuffled labels": f"{row['null_mean']:.3f} ({row['null_low']:.3f} to {row['null_high']:.3f})",
            "neighbours kept by NNK": f"{row['neighbor_count']:.1f} of {self.run.study.graph.k} candidates (mean)",
            "kernel width σ": f"{row['sigma']:.4g}",
            "largest KKT residual": f"{row['kkt_residual']:.1e}",
        }
        untrained = self.main_table("untrained").set_index("layer")
        if name in untrained.index:
            facts["untrained network"] = f"S = {float(untrained['smoothness'][name]):.3f}"
        return pd.DataFrame({"value": facts})

    def choices(self) -> pd.DataFrame:
        """The settings that decide the numbers, one per row."""
        study = self.run.study
        band = "no band" if study.dtw.band is None else f"band of radius {study.dtw.band}"
        grouping = self.run.grouping
        left_out = "nobody" if grouping.groups is None else f"same {grouping.group}"
        drawn = "recordings"
        if resampled_groups(grouping.resample, grouping.groups) is not None:
            drawn = f"{plural(grouping.unit)}, then their recordings"
        values = {
            "nodes": f"{len(self.run.nodes)} sequences ({study.graph.part})",
            "distance": f"DTW, {READINGS[study.dtw.reading]}, {study.dtw.metric}, {band}, by {study.dtw.normalize}",
            "window": f"{study.dtw.window} input frames, stride {study.dtw.stride}",
            "graph": f"NNK, K = {study.graph.k}, σ by {study.graph.sigma}, solver {study.graph.solver}",
            "left out as neighbours": left_out,
            "interval": f"{study.geometry.confidence:.0%}, {study.geometry.bootstrap} bootstrap draws",
            "resampled": drawn,
            "null": f"{study.geometry.permutations} shuffles of the labels",
            "seed": str(study.seed),
        }
        return pd.DataFrame({"value": values})

    def facts(self) -> dict[str, str]:
        """Short facts for the head of the report."""
        run = self.run
        return {
            "sequences": f"{len(run.data)} ({len(run.parts[0])} train, {len(run.parts[1])} test)",
            "classes": str(len(run.data.class_names)),
            "network": f"{run.study.network.name}, {len(self.network_layers)} layers",
            "test accuracy": f"{run.evaluation.accuracy:.1%}",
            "DS-Graph": f"{len(run.nodes)} nodes, K = {run.study.graph.k}",
        }

    # -- graphs and examples -------------------------------------------------------------------

    @property
    def network_layers(self) -> list[dict[str, Any]]:
        """The recorded layers without the input."""
        return [layer for layer in self.run.layers if layer["index"] > 0]

    @property
    def neighbours(self) -> str:
        """Which neighbours the main curve counts, as the geometry table names them."""
        return self.run.grouping.neighbours

    @cached_property
    def main_graphs(self) -> dict[str, DSGraph]:
        """Layer name -> DS-Graph of the trained network that the main curve reads."""
        graphs = self.run.geometry.graphs
        return {layer["name"]: graphs[(layer["name"], "trained", self.neighbours)] for layer in self.run.layers}

    def example_pair(self) -> tuple[int, int]:
        """Two nodes of one class that may be neighbours: the pair at the median input distance."""
        nodes = self.run.nodes
        distances = self.run.distances(self.run.layers[0]["name"])
        same = nodes.labels[:, None] == nodes.labels[None, :]
        allowed = same & ~barred_pairs(self.run.groups, len(nodes))
        first, second = np.nonzero(np.triu(allowed, 1))
        order = np.argsort(distances[first, second], kind="stable")
        middle = order[len(order) // 2]
        return int(first[middle]), int(second[middle])

    def alignment(self, pair: tuple[int, int], layer: str) -> dict[str, Any]:
        """What `figures.dtw_alignment` needs to draw one pair at one layer."""
        features = self.run.activations()[layer]
        i, j = pair
        nodes, options = self.run.nodes, self.run.study.dtw.model_dump()
        return {
            "x": features.sequence(i),
            "y": features.sequence(j),
            "names": [f"{nodes.names[k]} ({nodes.class_names[nodes.labels[k]]})" for k in pair],
            "title": features.title,
            "temporal_stride": features.temporal_stride,
            "options": options,
        }

    def example_nodes(self, layer: str) -> list[int]:
        """The best, the middle and the worst node of a layer by its own label smoothness."""
        table = self.run.geometry.per_node
        rows = table[
            (table["layer"] == layer) & (table["network"] == "trained") & (table["neighbours"] == self.neighbours)
        ].sort_values("smoothness", kind="stable")
        nodes = rows["node"].to_numpy()
        return [int(nodes[0]), int(nodes[len(nodes) // 2]), int(nodes[-1])]

    # -- relevance -----------------------------------------------------------------------------

    @cached_property
    def maps(self) -> MapView:
        """How far the maps may be trusted, what they look at, and players."""
        from stgcnlib.pipeline.maps import MapView

        return MapView(self.run)

    def example_maps(self) -> list[tuple[str, NDArray[np.float32], dict[str, RelevanceMap]]]:
        """(title, sequence (T, V, C), maps) of a few recordings, spread over the classes."""
        run, count = self.run, self.run.study.explain.examples
        chosen = np.unique(np.linspace(0, len(run.explained) - 1, count).round().astype(int))
        examples = []
        for k in chosen:
            node, maps = int(run.explained[k]), run.relevance[k]
            target = run.nodes.class_names[next(iter(maps.values())).target]
            title = f"{run.nodes.names[node]}: {run.nodes.class_names[run.nodes.labels[node]]}, explained as {target}"
            examples.append((title, run.nodes.people(node)[0], maps))
        return examples

    def class_joint_relevance(self, layer: str) -> NDArray[np.float64] | None:
        """(classes, V) mean relevance over frames, people and recordings of a class; rows sum to 1.

        `None` for the input, which has no map; rows of classes without a recording are NaN.
        """
        run = self.run
        if self.run.layer(layer)["index"] == 0:
            return None
        labels = run.nodes.labels[run.explained]
        total = np.full((len(run.nodes.class_names), len(run.nodes.layout)), np.nan)
        joints = np.stack([maps[layer].values.mean(axis=(0, 1), dtype=np.float64) for maps in run.relevance])
        for c in np.unique(labels):
            mean = joints[labels == c].mean(axis=0)
            total[c] = mean / mean.sum() if mean.sum() > 0 else 0.0
        return total

    def limb_relevance(self) -> pd.DataFrame:
        """Share of relevance per body part and layer: columns title, index, limb, share, even.

        On a layout that names no parts, the nodes that have most relevance over all layers take their place.
        """
        layout = self.run.nodes.layout
        relevance = {layer["name"]: self.class_joint_relevance(layer["name"]) for layer in self.network_layers}
        known = {name: np.nanmean(values, axis=0) for name, values in relevance.items() if values is not None}
        strongest = np.argsort(-np.sum(list(known.values()), axis=0), kind="stable")[:STRONGEST]
        parts = layout.limbs or {layout.joints[j]: (int(j),) for j in strongest}
        rows = []
        for layer in self.network_layers:
            joints = known[layer["name"]]
            for limb, members in parts.items():
                share = float(joints[list(members)].sum() / max(joints.sum(), np.finfo(float).tiny))
                even = len(members) / len(layout)
                rows.append(
                    {"title": layer["title"], "index": layer["index"], "limb": limb, "share": share, "even": even}
                )
        return pd.DataFrame(rows)
