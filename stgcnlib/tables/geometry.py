"""Tables of the DS-Graphs: how many neighbours they keep, and label smoothness against layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from stgcnlib.errors import LayerNotFoundError, suggest
from stgcnlib.geometry.layers import INITIAL, TRAINED, UNTRAINED
from stgcnlib.tables.words import spans
from stgcnlib.verdicts.outcome import NO_INTERVAL, known

if TYPE_CHECKING:
    from stgcnlib.geometry import LayerGeometry

__all__ = ["baselines_table", "graphs_table", "layer_facts", "smoothness_table"]


def graphs_table(geometry: LayerGeometry) -> pd.DataFrame:
    """One row per layer of the main curve: nodes, neighbours kept, kernel width, largest KKT residual."""
    columns = {
        "title": "layer",
        "n": "nodes",
        "neighbor_count": "neighbours kept (mean)",
        "sigma": "kernel width σ",
    }
    table = geometry.curve()[[*columns, "kkt_residual"]].rename(columns=columns)
    table["largest KKT residual"] = table.pop("kkt_residual").map("{:.1e}".format)
    return table.round(3).set_index("layer")


def smoothness_table(geometry: LayerGeometry) -> pd.DataFrame:
    """Label smoothness S against layer, with interval, floor, null, rescaled value, untrained controls, kNN and RMSE.

    The floor is the lowest S that the graph allows; rescaled is (S − floor) / (null − floor); both are of classes only.
    All are means over the trained networks, where there are several. Of untrained networks there is the mean, with the
    least and the most.

    Where the main curve excludes some neighbours, a last column has S with all neighbours.
    """
    several = len(geometry.networks(TRAINED)) > 1
    mean = (geometry.mean_curve() if several else geometry.curve()).set_index("index")
    main = _means(geometry, geometry.neighbours)
    table = pd.DataFrame(
        {
            "layer": mean["title"],
            "S": main["smoothness"].map("{:.3f}".format),
            "interval": [
                f"{low:.3f} to {high:.3f}" if known(low, high) else "none"
                for low, high in zip(mean["low"], mean["high"], strict=True)
            ],
            "floor": main["floor"].map("{:.3f}".format),
            "null": main["null_mean"].map("{:.3f}".format),
            "rescaled": main["rescaled"].map("{:.3f}".format),
            **_controls(geometry),
            "kNN graph": main["knn_smoothness"].map("{:.3f}".format),
            "RMSE": main["rmse"].map("{:.3f}".format),
        }
    )
    everyone = _means(geometry, "all")
    if geometry.neighbours != "all" and len(everyone):
        table["all neighbours"] = everyone["smoothness"].map("{:.3f}".format)
    if geometry.targets is not None:
        table = table.drop(columns=["floor", "rescaled"])  # the floor of targets is not known
    return table.set_index("layer")


def _means(geometry: LayerGeometry, neighbours: str) -> pd.DataFrame:
    """Means over the trained networks by index of the layer."""
    rows = geometry.table[geometry.table["network"].isin(geometry.networks(TRAINED))]
    return rows[rows["neighbours"] == neighbours].groupby("index").mean(numeric_only=True)


def _controls(geometry: LayerGeometry) -> dict[str, pd.Series]:
    """Columns of the untrained networks, "untrained (5)" and "as initialised", as far as they were measured."""
    columns = {}
    for kind, name in ((UNTRAINED, "untrained"), (INITIAL, "as initialised")):
        names = geometry.networks(kind)
        if count := len(names):
            rows = geometry.table[geometry.table["network"].isin(names)]
            by_layer = rows[rows["neighbours"] == geometry.neighbours].groupby("index")["smoothness"]
            curve = pd.DataFrame({"smoothness": by_layer.mean(), "least": by_layer.min(), "most": by_layer.max()})
            shown = spans(curve, "smoothness", "least", "most", "{:.3f}") if count > 1 else [
                f"{value:.3f}" for value in curve["smoothness"]
            ]  # fmt: skip
            columns[name if count == 1 else f"{name} ({count})"] = pd.Series(shown, index=curve.index)
    return columns


def baselines_table(baselines: pd.DataFrame) -> pd.DataFrame:
    """One row per layer: S by DTW, S by each baseline, and how much smoother DTW is than it, with interval.

    Args:
        baselines: of `stgcnlib.geometry.layer_baselines`.
    """
    layers = baselines.drop_duplicates("index").sort_values("index").set_index("index")
    table = pd.DataFrame({"layer": layers["title"], "S by DTW": layers["dtw"].map("{:.3f}".format)})
    for name, rows in baselines.groupby("baseline", sort=False):
        mine = rows.set_index("index")
        table[f"S {name}"] = mine["smoothness"].map("{:.3f}".format).reindex(table.index).fillna("")
        gains = pd.Series(spans(mine, "gain", "gain_low", "gain_high", "{:+.3f}"), index=mine.index)
        table[f"{name} − DTW"] = gains.reindex(table.index).fillna("")
    return table.set_index("layer")


def layer_facts(geometry: LayerGeometry, *, layer: str) -> pd.DataFrame:
    """Facts about one layer, one per row, in the column "value".

    `layer` is its module name.

    Raises:
        LayerNotFoundError: no such layer was measured; suggests the nearest names.
    """
    main = geometry.curve().set_index("layer")
    if layer not in main.index:
        raise LayerNotFoundError(f"no layer {layer!r} was recorded; {suggest(layer, main.index)}")
    row = main.loc[layer]
    low, high = main.loc[[layer], ["low", "high"]].to_numpy(dtype=float)[0]
    sure = f"interval {low:.3f} to {high:.3f}" if known(low, high) else NO_INTERVAL
    facts = {
        "layer": layer if row["title"] == layer else f"{row['title']} ({layer})",
        f"{geometry.measured} smoothness S": f"{row['smoothness']:.3f}, {sure}",
        "lowest possible S": f"{row['floor']:.3f}, by the classes of the candidates",
        f"with shuffled {geometry.measured}s": spans(main.loc[[layer]], "null_mean", "null_low", "null_high", "{:.3f}")[
            0
        ],
        "neighbours kept by NNK": f"{row['neighbor_count']:.1f} of {geometry.settings['k']} candidates (mean)",
        "kernel width σ": f"{row['sigma']:.4g}",
        "largest KKT residual": f"{row['kkt_residual']:.1e}",
    }
    if geometry.targets is not None:
        del facts["lowest possible S"]
    for name, shown in _controls(geometry).items():
        facts["untrained network" if name == "untrained" else name] = f"S = {shown.loc[row['index']]}"
    return pd.DataFrame({"value": facts})
