"""Table of the sensitivity study."""

from __future__ import annotations

import pandas as pd

__all__ = ["sensitivity_table"]


def sensitivity_table(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """One row per combination: smoothness at the first and last layer, and whether the curve keeps its shape.

    Args:
        sensitivity: of `stgcnlib.geometry.sensitivity`.
    """
    from stgcnlib.geometry.sensitivity import sensitivity_summary

    rows = sensitivity_summary(sensitivity)
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
