"""What the tables of an evaluation say, in sentences made from their numbers, and able to say no.

Expectations are stated beside the numbers that decide them. Nothing is computed here but means and comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stgcnlib.explain.evaluation import MapEvaluation

__all__ = ["Finding", "findings", "gaze"]

LOST = 0.5
"""Rank correlation with the trained network's maps below which a randomised network's maps count as others."""
STEADY = 0.8
"""Rank correlation under jitter from which maps count as stable."""


@dataclass(frozen=True)
class Finding:
    """One expectation and what became of it.

    Attributes:
        expectation: what was hoped for.
        met: whether the numbers bear it out; `None` where they do so only in part or cannot tell.
        text: a sentence with the numbers.
    """

    expectation: str
    met: bool | None
    text: str


def findings(evaluation: MapEvaluation) -> list[Finding]:
    """All expectations of an evaluation, in reading order."""
    units = dict.fromkeys(evaluation.summary["unit"])
    return [
        *(_deletion(evaluation.summary, str(unit)) for unit in units),
        _insertion(evaluation.summary),
        _contrast(evaluation.contrast),
        _random(evaluation.random),
        _stable(evaluation.stable),
        _smooth(evaluation.smoothness),
        _arms(evaluation.arms),
    ]


def gaze(shares: pd.DataFrame) -> str:
    """One paragraph: which body parts the early and the late layers look at.

    Args:
        shares: columns index, limb, share and even, one row per layer and body part; shares of a layer sum to 1.
    """
    if not len(shares):
        return "This skeleton names no body parts, so what layers look at cannot be said in words."
    layers = np.sort(shares["index"].unique())
    if len(layers) < 2:
        return "Relevance was measured at one layer only, so early and late layers cannot be compared."
    third = max(1, len(layers) // 3)
    table = shares.pivot(index="index", columns="limb", values="share")
    even = shares.groupby("limb")["even"].first()
    early, late = table.loc[layers[:third]].mean(), table.loc[layers[-third:]].mean()
    # Against its share of the joints, so that a limb of many joints is no favourite for that.
    favourite = [str((part / even).idxmax()) for part in (early, late)]

    def says(limb: str, part: pd.Series) -> str:
        return f"the {limb} ({part[limb]:.0%} of the relevance on {even[limb]:.0%} of the joints)"

    def focus(part: pd.Series) -> float:
        return float(np.abs(part - even).sum() / 2)

    spread_early, spread_late = focus(early), focus(late)
    span = f"The early layers (1 to {third})" if third > 1 else "The first layer"
    end = f"the late ones ({layers[-third]} to {layers[-1]})" if third > 1 else f"the last (layer {layers[-1]})"
    verb, finish = ("look", "look") if third > 1 else ("looks", "looks")
    text = f"{span} {verb} most at {says(favourite[0], early)}, {end} {finish} most at {says(favourite[1], late)}, "
    text += "each measured against an even look at all joints. "
    change = (late - early).abs()
    moved = str(change.idxmax())
    if change.max() < 0.05:
        return text + "No body part's share changes by 5 points: by this measure depth does not move the gaze."
    direction = "gains" if late[moved] > early[moved] else "loses"
    text += f"With depth the {moved} {direction} most, from {early[moved]:.0%} to {late[moved]:.0%}. "
    if abs(spread_late - spread_early) < 0.02:
        return text + f"Late maps are about as uneven as early ones ({spread_late:.0%} of the mass off its even place)."
    word = "more" if spread_late > spread_early else "less"
    return (
        text
        + f"Late maps are {word} selective: {spread_late:.0%} of the mass is off its even place, of early maps "
        + f"{spread_early:.0%}."
    )


def _deletion(summary: pd.DataFrame, unit: str) -> Finding:
    rows = summary[(summary["unit"] == unit) & (summary["mode"] == "deletion")].sort_values("index")
    last = rows.iloc[-1]
    met = True if last["apart"] else None if last["better"] else False
    numbers = (
        f"area {last['area']:.3f} ({last['low']:.3f} to {last['high']:.3f}) against {last['random']:.3f} "
        f"({last['random_low']:.3f} to {last['random_high']:.3f}) for random maps"
    )
    if last["apart"]:
        says = "takes the class away faster than random maps do, with intervals apart"
    elif last["better"]:
        says = "is better than random maps recording by recording, but the two intervals overlap"
    elif last["difference"] > 0:
        says = "is not surely better than random maps"
    else:
        says = "is no better than random maps"
    count = int(rows["apart"].sum())
    also = f" Intervals are apart at {count} of {len(rows)} layers."
    return Finding(
        f"Deleting {unit} by the last layer's maps lowers the class's probability faster than random maps do",
        met,
        f"Deleting {unit} by the maps of {last['title']} {says}: {numbers}.{also}",
    )


def _insertion(summary: pd.DataFrame) -> Finding:
    rows = summary[summary["mode"] == "insertion"]
    last = rows[rows["index"] == rows["index"].max()]
    good = last[last["better"]]["unit"].tolist()
    each = "; ".join(f"{r.unit} {r.area:.3f} against {r.random:.3f}" for r in last.itertuples())
    met = len(good) == len(last)
    verdict = "beats random maps for every unit" if met else (
        f"beats random maps for {', '.join(good)} only" if good else "beats random maps for no unit"
    )  # fmt: skip
    return Finding(
        "Putting back first what the last layer's maps point at brings the class back sooner than random maps do",
        met,
        f"Insertion by the last layer {verdict} (paired interval above 0); areas: {each}.",
    )


def _contrast(table: pd.DataFrame) -> Finding:
    first, last = table.iloc[0], table.iloc[-1]
    met = True if last["high"] < 0.5 else False if last["low"] >= 0.5 else None
    says = {True: "differ", False: "are much alike", None: "differ, but not surely enough,"}[met]
    return Finding(
        "At the last layer the maps of two classes differ (rank correlation below 0.5)",
        met,
        f"The signed maps of the predicted class and the runner-up {says} at {last['title']}: correlation "
        f"{last['correlation']:.2f} ({last['low']:.2f} to {last['high']:.2f}); at {first['title']} "
        f"{first['correlation']:.2f}.",
    )


def _random(table: pd.DataFrame) -> Finding:
    end = table[table["step"] == table["step"].max()]
    kept = end[end["correlation"] >= LOST]
    head = table[table["step"] == 1]
    met = not len(kept)
    named = ", ".join(kept["title"])
    says = (
        "every layer's maps are lost" if met else f"maps of {named} stay (correlation {kept['correlation'].max():.2f})"
    )
    return Finding(
        f"Once all weights are random, no layer's maps resemble the trained ones (rank correlation below {LOST})",
        met,
        f"After all weights are drawn anew {says}; mean correlation {end['correlation'].mean():.2f}, "
        f"and {head['correlation'].mean():.2f} after the head alone (SSIM {end['similarity'].mean():.2f} and "
        f"{head['similarity'].mean():.2f})." + ("" if met else " What stays comes from the input, not from training."),
    )


def _stable(table: pd.DataFrame) -> Finding:
    worst, last = table.sort_values("correlation").iloc[0], table.iloc[-1]
    met = True if worst["low"] >= STEADY else False if worst["correlation"] < STEADY else None
    says = {True: "stay as they are", False: "do not all stay as they are", None: "stay on average as they are"}[met]
    return Finding(
        f"Small jitter of the joints leaves every layer's maps as they are (rank correlation from {STEADY})",
        met,
        f"Under jitter maps {says}: lowest at {worst['title']}, "
        f"{worst['correlation']:.2f} ({worst['low']:.2f} to {worst['high']:.2f}); at {last['title']} "
        f"{last['correlation']:.2f}.",
    )


def _smooth(table: pd.DataFrame) -> Finding:
    first, last = table.iloc[0], table.iloc[-1]
    met = True if last["maps_high"] < first["maps_low"] else False if last["maps"] >= first["maps"] else None
    beside = f"; features {first['features']:.2f} and {last['features']:.2f}" if "features" in table.columns else ""
    return Finding(
        "Recordings of one class are explained more alike by the last layer than by the first",
        met,
        f"Label smoothness of the maps is {first['maps']:.2f} ({first['maps_low']:.2f} to {first['maps_high']:.2f}) at "
        f"{first['title']} and {last['maps']:.2f} ({last['maps_low']:.2f} to {last['maps_high']:.2f}) at "
        f"{last['title']}{beside} (lower: neighbours share the class more).",
    )


def _arms(table: pd.DataFrame) -> Finding:
    expectation = "In one-armed actions the last layer looks at the acting arm more than at joints in general"
    if not len(table):
        return Finding(expectation, None, "No action here is done with one arm, so this could not be asked.")
    every = table[table["label"] == -1].sort_values("index")
    classes = table[(table["label"] >= 0) & (table["index"] == table["index"].max())]
    last, first = every.iloc[-1], every.iloc[0]
    above = int((classes["share"] > classes["even"]).sum())
    met = True if last["low"] > last["even"] else False if last["share"] <= last["even"] else None
    best = every.sort_values("share").iloc[-1]
    return Finding(
        expectation,
        met,
        f"In the {len(classes)} one-armed actions {last['share']:.0%} ({last['low']:.0%} to {last['high']:.0%}) of the "
        f"relevance of {last['title']} lies on the acting arm, which has {last['even']:.0%} of the joints; "
        f"{first['share']:.0%} at {first['title']}, most at {best['title']} ({best['share']:.0%}). "
        f"The share is above the arm's part of the joints in {above} of the {len(classes)}.",
    )
