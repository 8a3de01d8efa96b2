"""Table of the noise study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stgcnlib.tables.words import spans

if TYPE_CHECKING:
    from stgcnlib.studies import NoiseResult

__all__ = ["noise_table"]


def noise_table(result: NoiseResult) -> pd.DataFrame:
    """Loss of smoothness at the last layer and of accuracy, by network, kind and level."""
    from stgcnlib.verdicts import shown_level

    last = result.table[result.table["index"] == result.table["index"].max()]
    both = last.merge(result.accuracy, on=["network", "kind", "level"], suffixes=("", " of accuracy"))
    smoothness = spans(both, "smoothness", "low", "high", "{:.3f}", missing="")
    return pd.DataFrame(
        {
            "trained on": both["network"],
            "noise": [shown_level(k, v) for k, v in zip(both["kind"], both["level"], strict=True)],
            f"S at {last['title'].iloc[0]}": smoothness,
            "share lost": spans(both, "loss", "loss_low", "loss_high", "{:z.0%}", missing=""),
            "accuracy": spans(both, "accuracy", "low of accuracy", "high of accuracy", "{:.0%}", missing=""),
            "share of accuracy lost": both["loss of accuracy"].map(lambda v: "" if np.isnan(v) else f"{v:z.0%}"),
        }
    ).set_index("trained on")
