"""Table of smoothness on parts of the nodes."""

from __future__ import annotations

import pandas as pd

from stgcnlib.tables.words import spans
from stgcnlib.verdicts.outcome import FALLS, directed

__all__ = ["density_table"]


def density_table(density: pd.DataFrame) -> pd.DataFrame:
    """One row per rule of K and number of nodes: K, smoothness at the first and last layer, its fall, and the floor.

    Args:
        density: of `stgcnlib.geometry.smoothness_by_density`.
    """
    ends = density.sort_values("index").groupby(["rule", "share"], sort=False)
    first, last = ends.first().reset_index(), ends.last().reset_index()
    order = last.sort_values(["rule", "share"], ascending=[False, True]).index
    shown = {
        "K": last["rule"],
        "nodes": last["n"].map("{:,}".format),
        "candidates": last["k"],
        "draws": last["draws"],
        f"S at {_titled(first)}": spans(first, "smoothness", "low", "high", "{:.3f}"),
        f"S at {_titled(last)}": spans(last, "smoothness", "low", "high", "{:.3f}"),
        "fall": [directed(f"{each:z.3f}", FALLS) for each in first["smoothness"] - last["smoothness"]],
        f"floor at {_titled(last)}": last["floor"].map("{:.3f}".format),
    }
    if density["floor"].isna().all():
        shown.popitem()
    return pd.DataFrame(shown).loc[order].set_index("K")


def _titled(rows: pd.DataFrame) -> str:
    title = str(rows["title"].iloc[0]) if len(rows) else "the layer"
    return "the input" if title == "input" else title
