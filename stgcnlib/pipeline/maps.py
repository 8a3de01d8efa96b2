"""MapView: how far a study's relevance maps may be trusted, what they look at, and players, for stage notebooks.

The checks are `stgcnlib.explain`'s; here they are kept as an artefact and their tables made readable.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stgcnlib.groups import barred_pairs, of_nodes

if TYPE_CHECKING:
    from stgcnlib.explain import MapEvaluation, RelevanceMap
    from stgcnlib.figures.player import SkeletonPlayer
    from stgcnlib.pipeline.run import StudyRun

__all__ = ["MapView"]


class MapView:
    """What a report shows of the relevance maps of one study.

    Args:
        run: the study with its artefacts.
    """

    def __init__(self, run: StudyRun) -> None:
        self.run = run

    @cached_property
    def evaluation(self) -> MapEvaluation:
        """Deletion, insertion, contrast, randomisation, jitter, label smoothness and limbs of the maps."""
        from stgcnlib.explain import MapEvaluation, evaluate_maps

        run, study = self.run, self.run.study
        settings = study.explain.model_dump(exclude={"target", "examples", "per_class"})
        dtw = study.dtw.model_dump()

        def make(path: Path) -> None:
            chosen = run.explained
            made = evaluate_maps(
                run.network, run.nodes.select(chosen), run.relevance,
                axes=study.network.axes,
                reference=run.parts[0],
                groups=of_nodes(run.groups, chosen),
                resample=of_nodes(run.grouping.resample, chosen),
                feature_distances={name: run.distances(name)[np.ix_(chosen, chosen)] for name in run.relevance[0]},
                k=study.graph.k,
                seed=study.seed,
                device=study.compute.device,
                dtw=dtw, **settings,
            )  # fmt: skip
            made.save(path)

        key: list[Any] = [
            run.relevance_key, settings, dtw, study.graph.model_dump(), study.geometry.resample,
            study.data.split.model_dump(),
        ]  # fmt: skip
        return MapEvaluation.load(run.artefacts.build("map-evaluation", key, make))

    def gaze(self) -> str:
        """One paragraph on what early and late layers look at."""
        from stgcnlib.explain import gaze

        return gaze(self.run.view.limb_relevance())

    def findings(self) -> str:
        """What was expected of the maps and what became of it, as Markdown."""
        from stgcnlib.explain import findings

        word = {True: "Yes.", False: "No.", None: "Not decided."}
        lines = [f"- *{f.expectation}.* **{word[f.met]}** {f.text}" for f in findings(self.evaluation)]
        return "\n".join(lines)

    def tested(self, unit: str, mode: str) -> pd.DataFrame:
        """Areas under the curves against layer, with intervals, beside random maps."""
        table = self.evaluation.summary
        rows = table[(table["unit"] == unit) & (table["mode"] == mode)].sort_values("index")
        spans = [("area", "low", "high"), ("random", "random_low", "random_high")]
        spans.append(("difference", "difference_low", "difference_high"))
        shown = {
            f"{name}": [f"{a:.3f} ({b:.3f} to {c:.3f})" for a, b, c in rows[[name, low, high]].to_numpy()]
            for name, low, high in spans
        }
        apart = rows["apart"].map({True: "yes", False: "no"}).to_numpy()
        return pd.DataFrame({"layer": rows["title"], **shown, "intervals apart": apart}).set_index("layer")

    def checks(self) -> pd.DataFrame:
        """Contrast, jitter and label smoothness against layer."""
        found = self.evaluation

        def spans(table: pd.DataFrame, name: str, low: str, high: str) -> pd.Series[str]:
            shown = [f"{a:.2f} ({b:.2f} to {c:.2f})" for a, b, c in table[[name, low, high]].to_numpy()]
            return pd.Series(shown, index=table["title"])

        columns = {
            "two classes' maps correlate": spans(found.contrast, "correlation", "low", "high"),
            "under jitter": spans(found.stable, "correlation", "low", "high"),
            "label smoothness of maps": spans(found.smoothness, "maps", "maps_low", "maps_high"),
            "of features": spans(found.smoothness, "features", "features_low", "features_high"),
        }
        return pd.DataFrame(columns).rename_axis("layer")

    def arms(self) -> pd.DataFrame | None:
        """Share of relevance on the acting arm: one-armed actions by layers; `None` where no action is one-armed."""
        table = self.evaluation.arms
        if not len(table):
            return None
        named = table.assign(action=table["class"] + " (" + table["limb"] + ")", order=table["label"] % 10**6)
        shown = named.pivot(index=["order", "action"], columns="index", values="share").droplevel("order")
        even = named.drop_duplicates("action").set_index("action")["even"]
        shown.columns = [str(c) for c in shown.columns]
        shown["of the joints"] = even
        return shown.map("{:.0%}".format).rename_axis("action; at layer")

    def extremes(self, layer: str) -> list[tuple[str, NDArray[np.float32], dict[str, RelevanceMap]]]:
        """(title, sequence, the layer's map) of the most and the least typical recording of one class.

        Typical is a small mean distance at the layer to the others of its class; the class is the one whose members
        differ most in that. Only recordings with maps are looked at.
        """
        run, labels = self.run, self.run.nodes.labels[self.run.explained]
        distances = run.distances(layer)[np.ix_(run.explained, run.explained)]
        best: tuple[float, int, int, float, float] | None = None
        for c in np.unique(labels):
            members = np.flatnonzero(labels == c)
            if len(members) < 3:
                continue
            mean = distances[np.ix_(members, members)].sum(axis=1) / (len(members) - 1)
            low, high = int(mean.argmin()), int(mean.argmax())
            spread = float(mean[high] / max(mean[low], 1e-12))
            if best is None or spread > best[0]:
                best = (spread, int(members[low]), int(members[high]), float(mean[low]), float(mean[high]))
        if best is None:
            return []
        result = []
        for word, k, mean_distance in (("Most", best[1], best[3]), ("Least", best[2], best[4])):
            node = int(run.explained[k])
            name = f"{run.nodes.class_names[run.nodes.labels[node]]}: {run.nodes.names[node]}"
            title = f"{word} typical {name}, mean distance {mean_distance:.3g}"
            result.append((title, run.nodes.people(node)[0], {layer: run.relevance[k][layer]}))
        return result

    def player(self, layer: str | None = None) -> SkeletonPlayer | None:
        """One explained recording to play beside the nearest other by other people, aligned as at `layer`.

        `None` where the data holds no positions to draw.

        Args:
            layer: whose map colours the joints and whose alignment joins the two; `None` offers the maps of all layers
                and aligns as the last one does.
        """
        from stgcnlib.dtw import dtw_options, dtw_path
        from stgcnlib.figures.player import aligned_frames, skeleton_player

        run, at = self.run, layer or self.run.layers[-1]["name"]
        if run.nodes.channels < 2 and run.nodes.layout.dimensions > 0:
            return None
        k = len(run.explained) // 2
        node = int(run.explained[k])
        distances = run.distances(at)[node, run.explained].astype(np.float64)
        distances[barred_pairs(of_nodes(run.groups, run.explained), len(run.explained))[k]] = np.inf
        # Among recordings with maps, so that a page needs no network to show one.
        j = int(distances.argmin())
        other = int(run.explained[j])
        maps, beside = None, None
        if run.layer(at)["index"] > 0:
            names = [at] if layer else list(run.relevance[k])
            maps, beside = ({name: run.relevance[n][name] for name in names} for n in (k, j))
        features = run.activations()[at]
        stride = features.temporal_stride
        options = dtw_options(run.study.dtw.model_dump()).at_temporal_stride(stride)
        path, _ = dtw_path(features.sequence(node), features.sequence(other), dtw=options)
        frames = aligned_frames(
            path, (int(run.nodes.lengths[node]), int(run.nodes.lengths[other])), temporal_stride=stride,
            window=options.item_frames, stride=options.item_stride,
        )  # fmt: skip
        return skeleton_player(run.nodes, node, maps, neighbor=other, neighbor_maps=beside, path=frames)

    def examples(self, layer: str) -> list[tuple[str, NDArray[np.float32], dict[str, RelevanceMap]]]:
        """`example_maps` with one layer's map each; empty for the input."""
        if self.run.layer(layer)["index"] == 0:
            return []
        return [(title, sequence, {layer: maps[layer]}) for title, sequence, maps in self.run.view.example_maps()]
