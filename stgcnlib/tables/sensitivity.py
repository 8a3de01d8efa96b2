"""Table of the sensitivity study."""

from __future__ import annotations

import pandas as pd

from stgcnlib.tables.words import changes
from stgcnlib.verdicts.outcome import FALLS, directed

__all__ = ["sensitivity_table"]


def sensitivity_table(sensitivity: pd.DataFrame) -> pd.DataFrame:
    """One row per choice: smoothness at the first and last layer, its fall, and whether the curve keeps its shape.

    Args:
        sensitivity: of `stgcnlib.geometry.sensitivity`.
    """
    from stgcnlib.geometry.sensitivity import sensitivity_summary

    rows = sensitivity_summary(sensitivity)
    return pd.DataFrame(
        {
            "varied": rows["varied"],
            "choice": rows["choice"],
            "K": rows["k"],
            "S at the input": rows["first"].map("{:.3f}".format),
            "S at the last layer": rows["last"].map("{:.3f}".format),
            "fall": changes(rows, "fall", "fall_low", "fall_high", "{:z.3f}", FALLS),
            "of the input": [directed(f"{each:z.0%}", FALLS) for each in rows["relative_fall"]],
            "smoothest": rows["lowest"],
            "rank correlation with own choices": rows["rank_correlation"].map("{:.2f}".format),
        }
    ).set_index("varied")
