"""Maps: what the evaluation of relevance maps says, and which body parts early and late layers look at.

Expectations are stated beside the numbers that decide them. Nothing is computed here but means and comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.verdicts.outcome import Outcome, estimate

if TYPE_CHECKING:
    from stgcnlib.explain import MapEvaluation

__all__ = ["LOST", "STEADY", "describe_gaze", "judge_maps"]

LOST = 0.5
"""Rank correlation with the trained network's maps below which a randomised network's maps count as others."""
STEADY = 0.8
"""Rank correlation under jitter from which maps count as stable."""


def judge_maps(evaluation: MapEvaluation) -> list[Outcome]:
    """Whether each expectation of an evaluation was met, in reading order."""
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


def describe_gaze(shares: pd.DataFrame) -> str:
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
    # Relative to the limb's share of the joints: else a limb with many joints would lead.
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


def _deletion(summary: pd.DataFrame, unit: str) -> Outcome:
    rows = summary[(summary["unit"] == unit) & (summary["mode"] == "deletion")].sort_values("index")
    last = rows.iloc[-1]
    holds = True if last["apart"] else None if last["better"] else False
    areas = (
        f"area {estimate(last['area'], last['low'], last['high'], '.3f')} against "
        f"{estimate(last['random'], last['random_low'], last['random_high'], '.3f')} for random maps"
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
    shown = ("title", "area", "low", "high", "random", "random_low", "random_high", "difference", "apart", "better")
    return Outcome(
        f"Deleting {unit} by the maps of {last['title']} {says}: {areas}.{also}",
        holds,
        {"unit": unit, "last": _plain(last, *shown), "apart": count, "layers": len(rows)},
        f"Deleting {unit} by the last layer's maps lowers the class's probability faster than random maps do",
    )


def _insertion(summary: pd.DataFrame) -> Outcome:
    rows = summary[summary["mode"] == "insertion"]
    last = rows[rows["index"] == rows["index"].max()]
    good = last[last["better"]]["unit"].tolist()
    each = "; ".join(f"{r.unit} {r.area:.3f} against {r.random:.3f}" for r in last.itertuples())
    holds = len(good) == len(last)
    says = "beats random maps for every unit" if holds else (
        f"beats random maps for {', '.join(good)} only" if good else "beats random maps for no unit"
    )  # fmt: skip
    return Outcome(
        f"Insertion by the last layer {says} (paired interval above 0); areas: {each}.",
        holds,
        {"last": [_plain(row, "unit", "area", "random", "better") for _, row in last.iterrows()]},
        "Putting back first what the last layer's maps point at brings the class back sooner than random maps do",
    )


def _contrast(table: pd.DataFrame) -> Outcome:
    first, last = table.iloc[0], table.iloc[-1]
    holds = True if last["high"] < 0.5 else False if last["low"] >= 0.5 else None
    says = {True: "differ", False: "are much alike", None: "differ, but not surely enough,"}[holds]
    return Outcome(
        f"The signed maps of the predicted class and the runner-up {says} at {last['title']}: correlation "
        f"{estimate(last['correlation'], last['low'], last['high'], '.2f')}; at {first['title']} "
        f"{first['correlation']:.2f}.",
        holds,
        {"first": _plain(first, *_CORRELATION), "last": _plain(last, *_CORRELATION)},
        "At the last layer the maps of two classes differ (rank correlation below 0.5)",
    )


def _random(table: pd.DataFrame) -> Outcome:
    end = table[table["step"] == table["step"].max()]
    kept = end[end["correlation"] >= LOST]
    head = table[table["step"] == 1]
    holds = not len(kept)
    says = "every layer's maps are lost"
    if not holds:
        says = f"maps of {', '.join(kept['title'])} stay (correlation {kept['correlation'].max():.2f})"
    means = {
        name: {measure: float(rows[measure].mean()) for measure in ("correlation", "similarity")}
        for name, rows in (("all", end), ("head", head))
    }
    every, alone = means["all"], means["head"]
    return Outcome(
        f"After all weights are drawn anew {says}; mean correlation {every['correlation']:.2f}, "
        f"and {alone['correlation']:.2f} after the head alone (SSIM {every['similarity']:.2f} and "
        f"{alone['similarity']:.2f})." + ("" if holds else " What stays comes from the input, not from training."),
        holds,
        means | {"kept": [_plain(row, "title", "correlation") for _, row in kept.iterrows()]},
        f"Once all weights are random, no layer's maps resemble the trained ones (rank correlation below {LOST})",
    )


def _stable(table: pd.DataFrame) -> Outcome:
    worst, last = table.sort_values("correlation").iloc[0], table.iloc[-1]
    holds = True if worst["low"] >= STEADY else False if worst["correlation"] < STEADY else None
    says = {True: "stay as they are", False: "do not all stay as they are", None: "stay on average as they are"}[holds]
    return Outcome(
        f"Under jitter maps {says}: lowest at {worst['title']}, "
        f"{estimate(worst['correlation'], worst['low'], worst['high'], '.2f')}; at {last['title']} "
        f"{last['correlation']:.2f}.",
        holds,
        {"worst": _plain(worst, *_CORRELATION), "last": _plain(last, *_CORRELATION)},
        f"Small jitter of the joints leaves every layer's maps as they are (rank correlation from {STEADY})",
    )


def _smooth(table: pd.DataFrame) -> Outcome:
    first, last = table.iloc[0], table.iloc[-1]
    holds = True if last["maps_high"] < first["maps_low"] else False if last["maps"] >= first["maps"] else None
    beside = f"; features {first['features']:.2f} and {last['features']:.2f}" if "features" in table.columns else ""
    shown = [name for name in ("title", "maps", "maps_low", "maps_high", "features") if name in table.columns]
    return Outcome(
        f"Label smoothness of the maps is {estimate(first['maps'], first['maps_low'], first['maps_high'], '.2f')} at "
        f"{first['title']} and {estimate(last['maps'], last['maps_low'], last['maps_high'], '.2f')} at "
        f"{last['title']}{beside} (lower: neighbours share the class more).",
        holds,
        {"first": _plain(first, *shown), "last": _plain(last, *shown)},
        "Recordings of one class are explained more alike by the last layer than by the first",
    )


def _arms(table: pd.DataFrame) -> Outcome:
    question = "In one-armed actions the last layer looks at the acting arm more than at joints in general"
    if not len(table):
        return Outcome("No action here is done with one arm, so this could not be asked.", None, {}, question)
    every = table[table["label"] == -1].sort_values("index")
    classes = table[(table["label"] >= 0) & (table["index"] == table["index"].max())]
    last, first = every.iloc[-1], every.iloc[0]
    above = int((classes["share"] > classes["even"]).sum())
    holds = True if last["low"] > last["even"] else False if last["share"] <= last["even"] else None
    best = every.sort_values("share").iloc[-1]
    return Outcome(
        f"In the {len(classes)} one-armed actions {estimate(last['share'], last['low'], last['high'], '.0%')} of the "
        f"relevance of {last['title']} lies on the acting arm, which has {last['even']:.0%} of the joints; "
        f"{first['share']:.0%} at {first['title']}, most at {best['title']} ({best['share']:.0%}). "
        f"The share is above the arm's part of the joints in {above} of the {len(classes)}.",
        holds,
        {"first": _plain(first, "title", "share"), "last": _plain(last, "title", "share", "low", "high", "even")}
        | {"most": _plain(best, "title", "share"), "above": above, "actions": len(classes)},
        question,
    )


_CORRELATION = ("title", "correlation", "low", "high")


def _plain(row: pd.Series, *names: str) -> dict[str, Any]:
    """Some of a row's values as Python's own."""
    return {name: value.item() if isinstance(value := row[name], np.generic) else value for name in names}
