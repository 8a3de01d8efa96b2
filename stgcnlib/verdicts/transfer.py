"""Transfer: the paper's fifth claim, that fine-tuning the deeper layers is enough for transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stgcnlib.errors import StudyError
from stgcnlib.groups import SUBJECT, plural, resampled_count
from stgcnlib.verdicts.outcome import Outcome, counted, interval, opening

if TYPE_CHECKING:
    from stgcnlib.studies import TransferResult

__all__ = ["CLAIM", "MARGIN", "judge_transfer"]

CLAIM = "fine-tuning the deeper layers is enough for transfer"

MARGIN = 0.05
"""Accuracy that may be lost by freezing before the deeper layers alone no longer count as enough."""


def judge_transfer(result: TransferResult) -> Outcome:
    """Compare fits on the same test recordings and seeds; intervals resample both.

    With H the number of frozen blocks nearest to half of all (the earlier where two are equally near, and neither none
    nor all), three differences of accuracy:

    1. enough: H frozen less none frozen; its lower end is above -5 points;
    2. pays: H frozen less training from scratch with the same budget; its whole interval is above 0;
    3. needed: H frozen less all frozen; its whole interval is above 0. Else not even the deeper blocks need tuning,
       which is said, but does not count against the claim.

    1 and 2: the claim holds. It does not where the whole interval of 1 is below -5 points, or that of 2 below 0.
    Anything between is not decided.

    Raises:
        StudyError: no number of frozen blocks between none and all was tried, or none frozen was not.
    """
    L = int(result.settings["blocks"])
    tried = [int(f) for f in result.settings["frozen"]]
    inner = [f for f in tried if 0 < f < L]
    if 0 not in tried or not inner:
        raise StudyError(f"a verdict on transfer needs 0 and a number between 0 and {L} among frozen, not {tried}")
    half = min(inner, key=lambda f: (abs(f - L / 2), f))
    numbers: dict[str, Any] = {
        "blocks": L,
        "half": half,
        "confidence": float(result.settings["confidence"]),
        "seeds": len(result.settings["seeds"]),
        "n": int(result.settings["n"]),
        "unit": result.settings.get("unit", SUBJECT),
        "subjects": resampled_count(result.settings.get("resample"), result.settings["groups"]),
        "accuracy": {
            "half": float(result.correct("frozen", half).mean()),
            "none": float(result.correct("frozen", 0).mean()),
            "scratch": float(result.correct("from scratch").mean()),
            "probe": float(result.correct("linear probe").mean()),
        },
        "enough": result.difference(("frozen", half), ("frozen", 0)),
        "pays": result.difference(("frozen", half), ("from scratch", -1)),
        "needed": None,
    }
    if L in tried:
        numbers["accuracy"]["all"] = float(result.correct("frozen", L).mean())
        numbers["needed"] = result.difference(("frozen", half), ("frozen", L))
    enough, pays = numbers["enough"], numbers["pays"]
    tests = {"enough": enough["low"] > -MARGIN, "pays": pays["low"] > 0}
    if all(tests.values()):
        holds: bool | None = True
    else:
        holds = False if enough["high"] < -MARGIN or pays["high"] < 0 else None
    numbers |= {"tests": tests, "holds": holds}
    return Outcome(_paragraph(numbers), holds, numbers, CLAIM)


def _paragraph(numbers: dict[str, Any]) -> str:
    accuracy, L, half = numbers["accuracy"], numbers["blocks"], numbers["half"]
    confidence = numbers["confidence"]
    enough, pays, needed = numbers["enough"], numbers["pays"], numbers["needed"]
    seeds = counted(numbers["seeds"], "seed", "seeds")
    unit, count = numbers["unit"], numbers["subjects"]
    people = "" if count is None else f" {'by' if unit == SUBJECT else 'of'} {count} {plural(unit)}"
    sentences = [
        opening(CLAIM, holds=numbers["holds"], undecided="is not decided by these data"),
        f"With the first {half} of {L} blocks frozen, accuracy on {numbers['n']} test recordings{people} is "
        f"{accuracy['half']:.1%} (mean of {seeds}), against {accuracy['none']:.1%} when all blocks are tuned: "
        f"{_points(enough, confidence)}"
        + (
            f", so no more than {100 * MARGIN:.0f} points are lost."
            if numbers["tests"]["enough"]
            else f"; a loss of {100 * MARGIN:.0f} points or more is "
            + ("certain." if enough["high"] < -MARGIN else "not excluded.")
        ),
        f"Training from scratch with the same budget reaches {accuracy['scratch']:.1%}, so that transfer "
        + ("pays" if pays["low"] > 0 else "costs" if pays["high"] < 0 else "makes no clear difference")
        + f": {_points(pays, confidence)}.",
    ]
    if needed is not None:
        sentences.append(
            f"With all blocks frozen it is {accuracy['all']:.1%}; against that the deeper blocks give "
            f"{_points(needed, confidence)}, so they "
            + ("do have to be tuned" if needed["low"] > 0 else "hardly have to be tuned")
            + f"; a linear probe reaches {accuracy['probe']:.1%}."
        )
    if numbers["seeds"] < 3:
        sentences.append(f"With {seeds}, chance in training is hardly known.")
    return " ".join(sentences)


def _points(difference: dict[str, float], confidence: float) -> str:
    value, low, high = (100 * difference[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} points ({interval(low, high, '+.1f', confidence)})"
