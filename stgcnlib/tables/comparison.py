"""Tables of finished studies side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from stgcnlib.groups import plural
from stgcnlib.tables.words import spans

if TYPE_CHECKING:
    from stgcnlib.studies import Comparison

__all__ = ["pairs_table", "studies_table"]


def studies_table(comparison: Comparison) -> pd.DataFrame:
    """One row per study: network, data, accuracy, label smoothness S, and the verdict on depth."""
    rows = comparison.studies
    words = {True: "holds", False: "does not hold"}
    return pd.DataFrame(
        {
            "study": rows["study"],
            "network": rows["network"],
            "data": rows["data"],
            "layers": rows["layers"],
            "recordings": rows["n"],
            "accuracy": rows["accuracy"].map("{:.1%}".format),
            "S, input": rows["input"].map("{:.3f}".format),
            "S, last layer": rows["last"].map("{:.3f}".format),
            "fall": spans(rows, "fall", "fall_low", "fall_high", "{:.3f}"),
            "S, untrained": rows["untrained_last"].map("{:.3f}".format),
            "claim on depth": [words.get(state, "in part") for state in rows["holds"]],
        }
    ).set_index("study")


def pairs_table(comparison: Comparison) -> pd.DataFrame:
    """One row per pair of studies and quantity: both values, their difference with interval, and p."""
    rows = comparison.pairs
    return pd.DataFrame(
        {
            "first": rows["first"],
            "second": rows["second"],
            "quantity": rows["quantity"],
            "first value": rows["first_value"].map("{:.3f}".format),
            "second value": rows["second_value"].map("{:.3f}".format),
            "difference": spans(rows, "difference", "low", "high", "{:+.3f}"),
            "p": rows["p"].map("{:.3g}".format),
            _heading(rows["unit"]): rows["units"],
        }
    ).set_index("first")


def _heading(units: pd.Series[str]) -> str:
    """Name of the column of counts: "subjects", or what else all rows resample."""
    named = units.unique()
    return plural(str(named[0])) if len(named) == 1 else "subjects" if not len(named) else "resampled as a whole"
