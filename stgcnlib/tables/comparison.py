"""Tables of finished studies side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stgcnlib.groups import plural
from stgcnlib.tables.words import changes, spans
from stgcnlib.verdicts.outcome import FALLS, p_value

if TYPE_CHECKING:
    from stgcnlib.studies import Comparison, Fusion

__all__ = ["fusion_table", "pairs_table", "studies_table", "unequal_table"]


def studies_table(comparison: Comparison) -> pd.DataFrame:
    """One row per study: network, data, K, accuracy, label smoothness S, its rescaled values, the verdict on depth."""
    rows = comparison.studies
    words = {True: "holds", False: "does not hold"}
    return pd.DataFrame(
        {
            "study": rows["study"],
            "network": rows["network"],
            "data": rows["data"],
            "layers": rows["layers"],
            "recordings": rows["n"],
            "K": rows["k"],
            "accuracy": rows["accuracy"].map("{:.1%}".format),
            "S, input": rows["input"].map("{:.3f}".format),
            "S, last layer": rows["last"].map("{:.3f}".format),
            "fall": changes(rows, "fall", "fall_low", "fall_high", "{:z.3f}", FALLS),
            "rescaled, input": rows["input_rescaled"].map("{:.3f}".format),
            "rescaled, last layer": rows["last_rescaled"].map("{:.3f}".format),
            "S, untrained": rows["untrained_last"].map("{:.3f}".format),
            "claim on depth": [words.get(state, "not decided") for state in rows["holds"]],
        }
    ).set_index("study")


def unequal_table(comparison: Comparison) -> pd.DataFrame:
    """The settings that affect the level of S and differ between studies: a row per setting, a column per study."""
    table = comparison.unequal.pivot(index="setting", columns="study", values="value")
    order = list(dict.fromkeys(comparison.unequal["setting"]))
    return table.loc[order, [name for name in comparison.names if name in table.columns]].rename_axis(columns=None)


def pairs_table(comparison: Comparison) -> pd.DataFrame:
    """One row per pair of studies and quantity: both values, their difference with interval, and p."""
    rows = comparison.pairs
    return pd.DataFrame(
        {
            "first": rows["first"],
            "second": rows["second"],
            "quantity": rows["quantity"],
            "scale": rows["scale"],
            "first value": rows["first_value"].map("{:.3f}".format),
            "second value": rows["second_value"].map("{:.3f}".format),
            "difference": spans(rows, "difference", "low", "high", "{:+.3f}"),
            "p": [p_value(p, ".3g") if np.isfinite(p) else "not tested" for p in rows["p"]],
            _heading(rows["unit"]): rows["units"],
        }
    ).set_index("first")


def fusion_table(fusion: Fusion) -> pd.DataFrame:
    """One row per stream and one of all together: accuracy alone, of the others together, and what the stream adds.

    Args:
        fusion: of `stgcnlib.studies.fuse_scores`.
    """
    rows, together = fusion.table, fusion.evaluation.accuracy
    table = pd.DataFrame(
        {
            "stream": rows["stream"],
            "accuracy": rows["accuracy"].map("{:.1%}".format),
            "the others together": rows["without"].map("{:.1%}".format),
            "adds": rows["adds"].map("{:+.1%}".format),
            "right with it only": rows["gained"].astype(str),
            "right without it only": rows["lost"].astype(str),
            "p": [p_value(p, ".2g") for p in rows["p"]],
        }
    )
    last = dict.fromkeys(table.columns, "") | {"stream": "all together", "accuracy": f"{together:.1%}"}
    return pd.concat([table, pd.DataFrame([last])], ignore_index=True).set_index("stream")


def _heading(units: pd.Series[str]) -> str:
    """Name of the column of counts: "subjects", or the other units that all rows resample."""
    named = units.unique()
    return plural(str(named[0])) if len(named) == 1 else "subjects" if not len(named) else "left out one by one"
