"""Details: layer statistics, classes, single recordings and sensitivity of one study, as artefacts of its run.

What they are is defined in `stgcnlib.geometry`; here they are kept, written as tables, and put into words.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import StudyError
from stgcnlib.files import atomic_folder
from stgcnlib.pipeline.keep import write_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stgcnlib.dtw import DTWOptions
    from stgcnlib.geometry import LayerStatistics
    from stgcnlib.pipeline.run import StudyRun

__all__ = ["Details"]

_FINDINGS = ("class_confusions", "class_separation", "suspects", "suspect_layers", "outliers", "outlier_layers")


class Details:
    """Compute-or-read access to what a study says besides its main curve.

    Args:
        run: the study with its artefacts.
    """

    def __init__(self, run: StudyRun) -> None:
        self.run = run

    # -- artefacts -----------------------------------------------------------------------------

    @cached_property
    def statistics(self) -> LayerStatistics:
        """Statistics of every layer and pair of layers; tables ``statistics`` and ``layer_pairs``."""
        from stgcnlib.geometry import LayerStatistics, layer_statistics

        run, settings = self.run, self.run.study.statistics

        def make(path: Path) -> None:
            store, control = run.activations(), run.activations("untrained")
            made = layer_statistics(
                store,
                run.geometry,
                distances={name: run.distances(name) for name in store.layers},
                untrained=control,
                untrained_distances={name: run.distances(name, "untrained") for name in store.layers},
                votes=settings.votes,
                C=settings.probe,
            )
            made.save(path)
            write_table(made.table, run.tables / "statistics.parquet")
            write_table(made.pairs, run.tables / "layer_pairs.parquet")

        return LayerStatistics.load(run.artefacts.build("statistics", [run.geometry_key, settings.model_dump()], make))

    @cached_property
    def findings(self) -> dict[str, pd.DataFrame]:
        """Classes and single recordings: class_confusions, class_separation, suspects, outliers, and their layers.

        Where training recordings are among the nodes, the network may know wrong labels by heart, so that all its
        layers are asked for suspects; else the late ones.
        """
        from stgcnlib.geometry import class_confusions, class_separation, outliers, suspect_labels

        run = self.run

        def make(path: Path) -> None:
            geometry = run.geometry
            every = [layer["name"] for layer in run.layers]
            suspects = suspect_labels(geometry, layers=None if run.study.graph.part == "test" else every)
            odd = outliers(geometry)
            made = {
                "class_confusions": class_confusions(geometry),
                "class_separation": class_separation(geometry),
                "suspects": self._named(suspects.table),
                "suspect_layers": suspects.evidence,
                "outliers": self._named(odd.table),
                "outlier_layers": odd.evidence,
            }
            with atomic_folder(path) as temporary:
                for name, table in made.items():
                    table.to_parquet(temporary / f"{name}.parquet")
            for name, table in made.items():
                write_table(table, run.tables / f"{name}.parquet")

        folder = run.artefacts.build("findings", run.geometry_key, make)
        return {name: pd.read_parquet(folder / f"{name}.parquet") for name in _FINDINGS}

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """Smoothness under other choices of K, graph and reading; see `stgcnlib.geometry.sensitivity`.

        Raises:
            StudyError: the study has no section `sensitivity`.
        """
        from stgcnlib.geometry import sensitivity

        run, settings = self.run, self.run.study.sensitivity
        if settings is None:
            raise StudyError("this study has no section 'sensitivity'; add it to the study file")
        study, geometry = run.study, run.study.geometry

        def make() -> pd.DataFrame:
            made = sensitivity(
                run.activations(), run.nodes.labels, groups=run.groups, resample=run.grouping.resample,
                dtw=study.dtw.model_dump(),
                distances=self._distances, sigma=study.graph.sigma, permutations=geometry.permutations,
                bootstrap=geometry.bootstrap, confidence=geometry.confidence, seed=study.seed,
                **settings.model_dump(),
            )  # fmt: skip
            write_table(made, run.tables / "sensitivity.parquet")
            return made

        key = [run.geometry_key, settings.model_dump()]
        return run.artefacts.keep(
            "sensitivity.parquet", key, make, pd.read_parquet, lambda table, path: table.to_parquet(path)
        )

    def _distances(self, layer: str, options: DTWOptions) -> NDArray[np.float32]:
        """Distances by one reading, kept: the study's own are there already."""
        from stgcnlib.dtw import dtw_distances

        run = self.run
        if options.reading == run.study.dtw.reading:
            return run.distances(layer)
        chosen = asdict(options)
        kept: NDArray[np.float32] = run.artefacts.keep(
            f"distances/{options.reading}-{run.layer(layer)['index']:02d}.npy",
            [run.geometry_key[0], chosen, layer],
            lambda: dtw_distances(run.activations()[layer], dtw=options),
            lambda path: np.load(path, allow_pickle=False),
            lambda array, path: np.save(path, array, allow_pickle=False),
        )
        return kept

    # -- tables for notebooks ------------------------------------------------------------------

    def statistics_table(self) -> pd.DataFrame:
        """One row per layer, one column per statistic: value and interval of the trained network."""
        from stgcnlib.geometry.statistics import STATISTICS

        rows = self.statistics.table
        rows = rows[rows["network"] == "trained"]
        titles = rows.drop_duplicates("index").sort_values("index").set_index("index")["title"]
        table = pd.DataFrame({"layer": titles})
        for name, title in STATISTICS.items():
            mine = rows[rows["statistic"] == name].set_index("index")
            if len(mine):
                table[title] = [_spread(*mine.loc[i, ["value", "low", "high"]]) for i in titles.index]
        return table.set_index("layer")

    def separation_table(self) -> pd.DataFrame:
        """One row per class, in the order in which they separate."""
        rows = self.findings["class_separation"]
        end = len(self.run.layers)
        place = rows["index"].where(rows["status"] == "separates", end)
        rows = rows.assign(place=place.where(rows["status"] != "separate at the input", 0))
        rows = rows.sort_values(["place", "last"])
        names = [*(layer["title"] for layer in self.run.layers), "never"]
        indices = [*(layer["index"] for layer in self.run.layers), self.run.layers[-1]["index"] + 1]
        title = dict(zip(indices, names, strict=True))
        return pd.DataFrame(
            {
                "class": rows["class_name"],
                "separates at": rows["title"].fillna("").where(rows["status"] == "separates", rows["status"]),
                "interval": [
                    f"{title[int(a)]} to {title[int(b)]}" if a < indices[-1] else ""
                    for a, b in zip(np.floor(rows["earliest"]), np.ceil(rows["latest"]), strict=True)
                ],
                "S at the input": rows["input"].map("{:.2f}".format),
                "S at that layer": rows["at"].map("{:.2f}".format),
                "fall": [_spread(*each) for each in rows[["drop", "low", "high"]].itertuples(index=False)],
                "S at the last": rows["last"].map("{:.2f}".format),
                "recordings": rows["n"],
            }
        ).set_index("class")

    def confusions_table(self, layer: str, *, most: int = 3) -> pd.DataFrame:
        """One row per class: the classes it is mixed with most at one layer, with their shares and intervals."""
        rows = self.findings["class_confusions"]
        rows = rows[(rows["layer"] == layer) & (rows["rank"] <= most)]
        lines = []
        for name, mine in rows.groupby("class_name", sort=False):
            own = mine[mine["rank"] == 0].iloc[0]
            others = mine[(mine["rank"] > 0) & (mine["share"] >= 0.005)].sort_values("rank")
            words = [f"{o} {s:.0%} ({a:.0%}-{b:.0%})" for o, s, a, b in
                     others[["other_name", "share", "low", "high"]].itertuples(index=False)]  # fmt: skip
            lines.append({"class": name, "own": own["share"], "mixed with": ", ".join(words) or "no other"})
        table = pd.DataFrame(lines).sort_values("own", kind="stable").set_index("class")
        table["own"] = table["own"].map("{:.0%}".format)
        return table

    def suspects_table(self, *, most: int = 12) -> pd.DataFrame:
        """The most suspicious labels in words."""
        rows = self.findings["suspects"].head(most)
        return pd.DataFrame(
            {
                "rank": rows["rank"],
                "recording": rows["name"],
                "labelled": rows["class_name"],
                "looks like": rows["alternative_name"],
                "score": rows["score"].map("{:.2f}".format),
                "weight on its label": rows["own_share"].map("{:.0%}".format),
                "weight on the other": rows["alternative_share"].map("{:.0%}".format),
                "layers that agree": [f"{a} of {b}" for a, b in zip(rows["agreeing"], rows["layers"], strict=True)],
                "neighbours": rows["verdict"].map(
                    {"all": "none carries the label", "most": "mostly the other class", "": ""}
                ),
            }
        ).set_index("rank")

    def outliers_table(self, *, most: int = 8) -> pd.DataFrame:
        """The most remote recordings in words."""
        rows = self.findings["outliers"].head(most)
        return pd.DataFrame(
            {
                "rank": rows["rank"],
                "recording": rows["name"],
                "class": rows["class_name"],
                "distance / median": rows["distance"].map("{:.2f}".format),
                "robust z": rows["score"].map("{:.1f}".format),
            }
        ).set_index("rank")

    def sensitivity_table(self) -> pd.DataFrame:
        """One row per combination: smoothness at the first and last layer, and whether the curve keeps its shape."""
        from stgcnlib.geometry.sensitivity import sensitivity_summary

        rows = sensitivity_summary(self.sensitivity)
        return pd.DataFrame(
            {
                "reading": rows["reading"],
                "graph": rows["kind"].map({"nnk": "NNK", "knn": "kNN"}),
                "K": [str(k) if k == a else f"{k} (for {a})" for k, a in zip(rows["k"], rows["k_asked"], strict=True)],
                "S at the input": rows["first"].map("{:.3f}".format),
                "S at the last layer": rows["last"].map("{:.3f}".format),
                "fall": rows["relative_fall"].map("{:.0%}".format),
                "smoothest": rows["lowest"],
                "rank correlation with the first row": rows["rank_correlation"].map("{:.2f}".format),
            }
        ).set_index("reading")

    def _named(self, table: pd.DataFrame) -> pd.DataFrame:
        """With the recording's name and its class's name as the data has them."""
        nodes = self.run.nodes
        found = table.assign(name=[nodes.names[i] for i in table["node"]])
        return found.assign(class_name=[nodes.class_names[c] for c in table["label"]])


def _spread(value: Any, low: Any, high: Any) -> str:
    return f"{value:z.2f} ({low:z.2f} to {high:z.2f})" if np.isfinite(low) else f"{value:z.2f}"
