"""Tables of classes and single recordings: when classes separate, what mixes with what, and what looks wrong.

Their rows are those of `stgcnlib.geometry`, with the names of recordings and classes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stgcnlib.geometry.separation import shows_fall
from stgcnlib.geometry.suspects import doubtful_labels, odd_performances
from stgcnlib.tables.words import changes
from stgcnlib.verdicts.outcome import FALLS, p_value

__all__ = [
    "confusions_table",
    "doubtful_labels",
    "odd_performances",
    "outliers_table",
    "separation_table",
    "suspects_table",
]

NO_FALL = "no fall shown"
"""Of a class whose fall in label smoothness may be none by its interval."""


def separation_table(separation: pd.DataFrame) -> pd.DataFrame:
    """One row per class, in the order in which they separate; those that do not come last.

    `separation` is what `stgcnlib.geometry.class_separation` gives.
    """
    place = separation["index"].where(separation["status"] == "separates", np.inf)
    rows = separation.assign(place=place.where(separation["status"] != "separate at the input", 0))
    rows = rows.sort_values(["place", "last"])
    return pd.DataFrame(
        {
            "class": rows["class_name"],
            "separates at": rows["title"].fillna("").where(rows["status"] == "separates", rows["status"]),
            "half of the fall by layer": [
                f"{half:.1f} ({least:.1f} to {most:.1f})" if falls else NO_FALL
                for falls, half, least, most in zip(
                    shows_fall(rows), rows["half"], rows["half_least"], rows["half_most"], strict=True
                )
            ],
            "p, corrected": ["" if np.isnan(p) else p_value(p) for p in rows["p_adjusted"]],
            "S at the input": rows["input"].map("{:.2f}".format),
            "S at that layer": rows["at"].map("{:.2f}".format),
            "fall": changes(rows, "drop", "low", "high", "{:z.2f}", FALLS),
            "S at the last": rows["last"].map("{:.2f}".format),
            "recordings": rows["n"],
        }
    ).set_index("class")


def confusions_table(confusions: pd.DataFrame, *, layer: str, most: int = 3) -> pd.DataFrame:
    """One row per class: the classes it is mixed with most at one layer, with their shares and intervals.

    Args:
        confusions: of `stgcnlib.geometry.class_confusions`.
        layer: name of the layer.
        most: classes that are named per row; shares below 0.5% are left out.
    """
    rows = confusions[(confusions["layer"] == layer) & (confusions["rank"] <= most)]
    lines = []
    for name, mine in rows.groupby("class_name", sort=False):
        own = mine[mine["rank"] == 0].iloc[0]
        others = mine[(mine["rank"] > 0) & (mine["share"] >= 0.005)].sort_values("rank")
        words = [
            f"{other} {share:.0%} ({low:.0%}-{high:.0%})"
            for other, share, low, high in others[["other_name", "share", "low", "high"]].itertuples(index=False)
        ]
        lines.append({"class": name, "own": own["share"], "mixed with": ", ".join(words) or "no other"})
    table = pd.DataFrame(lines).sort_values("own", kind="stable").set_index("class")
    table["own"] = table["own"].map("{:.0%}".format)
    return table


def suspects_table(suspects: pd.DataFrame, *, most: int = 12) -> pd.DataFrame:
    """The most suspicious labels in words, by rank.

    Args:
        suspects: table of `stgcnlib.geometry.suspect_labels`, with columns name and class_name.
        most: rows.
    """
    rows = suspects.head(most)
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


def outliers_table(outliers: pd.DataFrame, *, most: int = 8) -> pd.DataFrame:
    """The most remote recordings in words, by rank.

    Args:
        outliers: table of `stgcnlib.geometry.outliers`, with columns name and class_name.
        most: rows.
    """
    rows = outliers.head(most)
    return pd.DataFrame(
        {
            "rank": rows["rank"],
            "recording": rows["name"],
            "class": rows["class_name"],
            "distance / median": rows["distance"].map("{:.2f}".format),
            "robust z": rows["score"].map("{:.1f}".format),
        }
    ).set_index("rank")
