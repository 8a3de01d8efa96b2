"""Table of the noise study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stgcnlib.tables.words import changes, spans
from stgcnlib.verdicts.outcome import LOSSES, directed

if TYPE_CHECKING:
    from stgcnlib.studies import NoiseResult

__all__ = ["noise_table"]


def noise_table(result: NoiseResult) -> pd.DataFrame:
    """Loss of smoothness at the last layer and of accuracy, by network, kind and level.

    A negative loss is written as a gain. Jitter has its level against the whole signal and, in brackets, against motion
    alone.
    """
    from stgcnlib.verdicts import shown_level

    last = result.table[result.table["index"] == result.table["index"].max()]
    both = last.merge(result.accuracy, on=["network", "kind", "level"], suffixes=("", " of accuracy"))
    smoothness = spans(both, "smoothness", "low", "high", "{:.3f}", missing="")
    names = ["clean recordings" if name == "trained" else name for name in both["network"]]
    levels = zip(both["kind"], both["level"], both["motion_db"], strict=True)
    shown = {
        "trained on": names,
        "networks": both["networks"],
        "noise": [shown_level(kind, level, motion) for kind, level, motion in levels],
        f"S at {last['title'].iloc[0]}": smoothness,
        "lost of what training gained": _losses(both, "lost"),
        "lost of the way to shuffled labels": _losses(both, "loss"),
        "accuracy": spans(both, "accuracy", "low of accuracy", "high of accuracy", "{:.0%}", missing=""),
        "share of accuracy lost": [
            "" if np.isnan(v) else directed(f"{v:z.0%}", LOSSES) for v in both["loss of accuracy"]
        ],
    }
    if both["lost"].isna().all():
        del shown["lost of what training gained"]
    return pd.DataFrame(shown).set_index("trained on")


def _losses(table: pd.DataFrame, name: str) -> list[str]:
    return changes(table, name, f"{name}_low", f"{name}_high", "{:z.0%}", LOSSES, missing="")
