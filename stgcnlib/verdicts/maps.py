"""Maps: what the evaluation of relevance maps says, and which body parts have the relevance of early and late layers.

Expectations are stated beside the numbers that decide them. Nothing is computed here but means and comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.groups import counted
from stgcnlib.verdicts.outcome import BETTER, FALLS, Outcome, Test, decided, directed_span, estimate, listed, moves

if TYPE_CHECKING:
    from stgcnlib.explain import MapEvaluation

__all__ = ["AREA", "DIFFERENT", "FALL", "LOST", "STEADY", "describe_relevance", "judge_maps"]

AREA = 0.02
"""Difference of two areas under curves, in probability, below which maps count as no better."""
DIFFERENT = 0.5
"""Rank correlation of the maps of two classes below which they count as different."""
LOST = 0.5
"""Absolute rank correlation with the trained network's maps below which a random network's maps count as different."""
STEADY = 0.8
"""Rank correlation under jitter from which maps count as stable."""
FALL = 0.1
"""Share of the first layer's label smoothness by which that of the last must be lower to count."""

_OTHER = {"random": "random maps", "motion": "the joints' motion energy"}
_WAYS = {
    "deletion": "Deleting what the last layer's maps point at lowers the class's probability faster",
    "insertion": "Putting back what the last layer's maps point at raises the class's probability sooner",
}


def judge_maps(evaluation: MapEvaluation) -> list[Outcome]:
    """Whether each expectation of an evaluation was met, in reading order.

    Every test is answered yes, no or not decided by a jackknife interval over subjects. An expectation of several tests
    holds if all are yes, does not hold if one is no, and is not decided otherwise.

    Source: the rules are our choice.
    """
    return [
        *(_curves(evaluation.summary, mode, other) for other in _OTHER for mode in ("deletion", "insertion")),
        _contrast(evaluation.contrast),
        _random(evaluation.random),
        _stable(evaluation.stable),
        _smooth(evaluation.smoothness),
        _arms(evaluation.arms),
    ]


def describe_relevance(shares: pd.DataFrame) -> str:
    """One paragraph: on which body parts the relevance of the early and of the late layers lies.

    Source: the words are our choice.

    Args:
        shares: columns index, limb, share and even, one row per layer and body part; shares of a layer sum to 1, or to
            less where some joints belong to no body part.
    """
    if not len(shares):
        return "This skeleton names no body parts, so relevance cannot be given by body part."
    layers = np.sort(shares["index"].unique())
    if len(layers) < 2:
        return "Relevance was measured at one layer only, so early and late layers cannot be compared."
    third = max(1, len(layers) // 3)
    table = shares.pivot(index="index", columns="limb", values="share")
    even = shares.groupby("limb")["even"].first()
    early, late = table.loc[layers[:third]].mean(), table.loc[layers[-third:]].mean()
    # Relative to the limb's share of the joints: else a limb with many joints would lead.
    strongest = [str((part / even).idxmax()) for part in (early, late)]

    def says(limb: str, part: pd.Series) -> str:
        return f"the {limb} ({part[limb]:.0%} of the relevance on {even[limb]:.0%} of the joints)"

    def focus(part: pd.Series) -> float:
        # Joints that belong to no body part are one more part.
        return float(np.abs(part - even).sum() + abs(part.sum() - even.sum())) / 2

    spread_early, spread_late = focus(early), focus(late)
    first = f"the early layers ({layers[0]} to {layers[third - 1]})" if third > 1 else f"the first layer ({layers[0]})"
    last = f"the late layers ({layers[-third]} to {layers[-1]})" if third > 1 else f"the last layer ({layers[-1]})"
    if strongest[0] == strongest[1]:
        limb = strongest[0]
        where = f"the {limb} has the most relevance at {first} and at {last} ({early[limb]:.0%} and {late[limb]:.0%} "
        where += f"of the relevance on {even[limb]:.0%} of the joints)"
    else:
        where = f"{says(strongest[0], early)} has the most relevance at {first}, and "
        where += f"{says(strongest[1], late)} at {last}"
    text = f"For its number of joints, {where}. These are means over the explained recordings, without a test. "
    change = (late - early).abs()
    most = str(change.idxmax())
    if change.max() < 0.05:
        return text + "From early to late layers no part's share changes by 5 points or more."
    direction = "rises" if late[most] > early[most] else "falls"
    text += f"The share of the {most} changes most: it {direction} from {early[most]:.0%} to {late[most]:.0%}. "
    if abs(spread_late - spread_early) < 0.02:
        return (
            text
            + f"Late maps are about as uneven as early ones: {spread_late:.0%} of the relevance is displaced "
            + ("from an even share per joint.")
        )
    word = "more" if spread_late > spread_early else "less"
    return text + (
        f"Late maps are {word} uneven than early ones: {spread_late:.0%} and {spread_early:.0%} of the relevance are "
        "displaced from an even share per joint."
    )


def _joined(tests: tuple[Test, ...]) -> bool | None:
    answers = [test.answer for test in tests]
    return True if all(answers) else False if False in answers else None


def _curves(summary: pd.DataFrame, mode: str, other: str) -> Outcome:
    """Deletion or insertion by the last layer's maps against random maps or motion energy, for every unit."""
    rows = summary[(summary["mode"] == mode) & (summary["index"] == summary["index"].max())]
    tests = tuple(_area_test(row, mode, other) for _, row in rows.iterrows())
    words = {True: "better", False: "no better", None: "not decided"}
    found = [
        f"{word} for {listed(units)}"
        for answer, word in words.items()
        if (units := [str(u) for u, test in zip(rows["unit"], tests, strict=True) if test.answer is answer])
    ]
    sentence = f"In {mode}, maps of {rows['title'].iloc[0]} against {_OTHER[other]}: {'; '.join(found)}."
    areas = "; ".join(
        f"{row['unit']} {estimate(row['area'], row['low'], row['high'], '.3f')} against "
        f"{estimate(row[other], row[f'{other}_low'], row[f'{other}_high'], '.3f')}"
        for _, row in rows.iterrows()
    )
    columns = ("unit", "title", "area", "low", "high", other, *(f"beats_{other}{end}" for end in ("", "_low", "_high")))
    layers = summary[summary["mode"] == mode]
    sure = layers[layers[f"beats_{other}_low"] > 0].groupby("unit").size()
    count = listed([f"{int(sure.get(unit, 0))} for {unit}" for unit in rows["unit"]])
    return Outcome(
        sentence,
        _joined(tests),
        {
            "mode": mode, "other": other, "last": [_plain(row, *columns) for _, row in rows.iterrows()],
            "layers": int(layers["index"].nunique()),
        },
        f"{_WAYS[mode]} than by {_OTHER[other]}",
        f"Areas under the curves: {areas}. Of {counted(int(layers['index'].nunique()), 'layer', 'layers')} the maps "
        f"are better beyond their intervals at {count}.",
        tests,
    )  # fmt: skip


def _area_test(row: pd.Series, mode: str, other: str) -> Test:
    value, low, high = (float(row[f"beats_{other}{end}"]) for end in ("", "_low", "_high"))
    answer = True if low > 0 else False if high < AREA else None
    return Test(f"{mode} of {row['unit']} beats {_OTHER[other]}", value, low, high, answer, 0.0, AREA, ways=BETTER)


def _contrast(table: pd.DataFrame) -> Outcome:
    first, last = table.iloc[0], table.iloc[-1]
    answer = True if last["high"] < DIFFERENT else False if last["low"] >= DIFFERENT else None
    says = {
        True: "differ", False: "are much alike", None: "may or may not differ: this is not decided",
    }[answer]  # fmt: skip
    return Outcome(
        f"At {last['title']} the signed maps of the predicted class and of the runner-up {says}.",
        answer,
        {"first": _plain(first, *_CORRELATION), "last": _plain(last, *_CORRELATION)},
        f"At the last layer the maps of two classes differ (rank correlation below {DIFFERENT})",
        f"Their rank correlation is {estimate(last['correlation'], last['low'], last['high'], '.2f')} at "
        f"{last['title']}, and {first['correlation']:.2f} at {first['title']}.{_left_out(int(table['empty'].max()))}",
        (_limit(f"maps of two classes differ at {last['title']}", last, answer=answer, against=DIFFERENT),),
    )


def _random(table: pd.DataFrame) -> Outcome:
    end = table[table["step"] == table["step"].max()]
    kept, lost = end[end["low"] >= LOST], end[end["high"] < LOST]
    answer = False if len(kept) else True if len(lost) == len(end) else None
    most = (kept if len(kept) else end).sort_values("correlation", na_position="first").iloc[-1]
    says = {
        True: "no layer's maps resemble the trained ones",
        False: f"the maps of {_titles(kept)} still resemble the trained ones",
        None: "it is not decided whether all layers' maps are lost",
    }[answer]
    if not end["correlation"].notna().any():
        says = "no layer has a map left to compare, so that this is not decided"
    head = table[table["step"] == 1]
    means = {
        name: {measure: float(rows[measure].mean()) for measure in ("correlation", "signed", "similarity", "chance")}
        for name, rows in (("all", end), ("head", head))
    }
    every, alone = means["all"], means["head"]
    note = " What stays comes from the input or the network's shape, not from training." if answer is False else ""
    return Outcome(
        f"After all weights are drawn anew, {says}.",
        answer,
        means | {"kept": [_plain(row, *_CORRELATION) for _, row in kept.iterrows()]},
        f"Once all weights are random, no layer's maps resemble the trained ones (rank correlation within ±{LOST})",
        f"The largest absolute rank correlation is at {most['title']}: "
        f"{estimate(most['correlation'], most['low'], most['high'], '.2f')}. Means over layers: "
        f"{every['correlation']:.2f} after all weights, {alone['correlation']:.2f} after the head alone, and "
        f"{every['chance']:.2f} for maps moved to random places; with sign {every['signed']:.2f} and "
        f"{alone['signed']:.2f}; SSIM {every['similarity']:.2f} and {alone['similarity']:.2f}.{note}"
        f"{_left_out(int(end['empty'].sum()), int((end['empty'] + end['pairs']).sum()))}",
        (_limit(f"maps of {most['title']} are lost", most, answer=answer, against=LOST),),
    )


def _stable(table: pd.DataFrame) -> Outcome:
    worst, last = table.sort_values("correlation").iloc[0], table.iloc[-1]
    answer = True if (table["low"] >= STEADY).all() else False if (table["high"] < STEADY).any() else None
    says = {
        True: "every layer's maps stay as they are",
        False: f"the maps of {_titles(table[table['high'] < STEADY])} change",
        None: "it is not decided whether all maps stay as they are",
    }[answer]
    return Outcome(
        f"Under small jitter of the joints {says}.",
        answer,
        {"worst": _plain(worst, *_CORRELATION), "last": _plain(last, *_CORRELATION)},
        f"Small jitter of the joints leaves every layer's maps as they are (rank correlation from {STEADY})",
        f"The lowest rank correlation is at {worst['title']}: "
        f"{estimate(worst['correlation'], worst['low'], worst['high'], '.2f')}; at {last['title']} it is "
        f"{last['correlation']:.2f}.{_left_out(int(table['empty'].max()))}",
        (_limit(f"maps of {worst['title']} stay", worst, answer=answer, against=STEADY),),
    )


def _smooth(table: pd.DataFrame) -> Outcome:
    first, last = table.iloc[0], table.iloc[-1]
    least = FALL * float(first["maps"])
    fall, low, high = (float(last[name]) for name in ("fall", "fall_low", "fall_high"))
    answer = decided(low, high, least=least)
    says = {
        True: f"more alike by {last['title']} than by {first['title']}",
        False: f"no more alike by {last['title']} than by {first['title']}",
        None: f"more alike by {last['title']} than by {first['title']}: this is not decided",
    }[answer]
    beside = f"; of the features {first['features']:.2f} and {last['features']:.2f}" if "features" in table else ""
    shown = [name for name in ("title", "k", "maps", "maps_low", "maps_high", "features") if name in table.columns]
    return Outcome(
        f"Recordings of one class are explained {says}.",
        answer,
        {"first": _plain(first, *shown), "last": _plain(last, *shown, "fall", "fall_low", "fall_high")},
        "Recordings of one class are explained more alike by the last layer than by the first",
        f"Label smoothness of the maps (lower: neighbours share the class more; K = {int(first['k'])}) is "
        f"{estimate(first['maps'], first['maps_low'], first['maps_high'], '.2f')} at {first['title']} and "
        f"{estimate(last['maps'], last['maps_low'], last['maps_high'], '.2f')} at {last['title']}{beside}. It "
        f"{_changes(fall, low, high)}.{_left_out(int(table['empty'].max()) if 'empty' in table else 0)}",
        (Test("label smoothness of maps falls", fall, low, high, answer, 0.0, least, ways=FALLS),),
    )


def _changes(fall: float, low: float, high: float) -> str:
    """'falls by 0.20 (0.10 to 0.30)', or 'rises by …' for a negative fall."""
    return f"{moves(fall, '.2f')} ({directed_span(low, high, '{:z.2f}'.format, FALLS)})"


def _arms(table: pd.DataFrame) -> Outcome:
    question = "In one-armed actions the last layer's relevance lies on the acting arm more than on joints in general"
    if not len(table):
        return Outcome("No action here is done with one arm, so this could not be asked.", None, {}, question)
    every = table[table["label"] == -1].sort_values("index")
    classes = table[(table["label"] >= 0) & (table["index"] == table["index"].max())]
    last, first = every.iloc[-1], every.iloc[0]
    above = int((classes["share"] > classes["even"]).sum())
    answer = decided(last["low"], last["high"], above=last["even"])
    best = every.sort_values("share").iloc[-1]
    says = {
        True: "has more relevance than its share of the joints",
        False: "has less relevance than its share of the joints",
        None: "may or may not have more relevance than its share of the joints: this is not decided",
    }[answer]
    return Outcome(
        f"At {last['title']} the acting arm of one-armed actions {says}.",
        answer,
        {"first": _plain(first, "title", "share"), "last": _plain(last, "title", "share", "low", "high", "even")}
        | {"most": _plain(best, "title", "share"), "above": above, "actions": len(classes)},
        question,
        f"In {counted(len(classes), 'one-armed action', 'one-armed actions')} "
        f"{estimate(last['share'], last['low'], last['high'], '.0%')} of the relevance of {last['title']} lies on the "
        f"acting arm, which has {last['even']:.0%} of the joints; {first['share']:.0%} at {first['title']}, most at "
        f"{best['title']} ({best['share']:.0%}). The share is above the arm's part of the joints in {above} of "
        f"{len(classes)}.",
        (Test("relevance on the acting arm", float(last["share"]), float(last["low"]), float(last["high"]), answer,
              float(last["even"]), unit="share", measured="a share of"),),
    )  # fmt: skip


_CORRELATION = ("title", "correlation", "low", "high")


def _limit(question: str, row: pd.Series, *, answer: bool | None, against: float) -> Test:
    """A test of a correlation against a limit."""
    value, low, high = (float(row[name]) for name in ("correlation", "low", "high"))
    return Test(question, value, low, high, answer, against, unit="", measured="rank correlation")


def _titles(rows: pd.DataFrame) -> str:
    """The layers' titles in one list; nothing where there are no rows."""
    return listed(rows["title"].astype(str).tolist()) if len(rows) else ""


def _left_out(empty: int, total: int | None = None) -> str:
    """How many maps could not be compared, if any."""
    if not empty:
        return ""
    of = "" if total is None else f" of {total}"
    return f" Left out because a map has no relevance: {empty}{of}."


def _plain(row: pd.Series, *names: str) -> dict[str, Any]:
    """Some of a row's values as Python's own."""
    return {name: value.item() if isinstance(value := row[name], np.generic) else value for name in names}
