"""Transfer: the paper's fifth claim, that fine-tuning the deeper layers is enough for transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stgcnlib.errors import StudyError
from stgcnlib.groups import SUBJECT, counted, plural, resampled_count
from stgcnlib.verdicts.outcome import BETTER, Outcome, Test, decided, interval, known, left_out, opening, tested_on

if TYPE_CHECKING:
    from stgcnlib.studies import TransferResult

__all__ = ["CLAIM", "MARGIN", "judge_transfer"]

CLAIM = "fine-tuning the deeper layers is enough for transfer"

MARGIN = 0.05
"""Largest loss of accuracy by freezing at which fine-tuning the deeper layers still counts as enough."""


def judge_transfer(result: TransferResult) -> Outcome:
    """Compare fits on the same test recordings and seeds.

    Intervals leave out one person at a time, with the spread between fits added: seeds, source networks and validation
    people. With H the number of frozen blocks nearest to half of all (the earlier where two are equally near, and
    neither none nor all), three differences of accuracy:

    1. "enough": H frozen minus none frozen. Yes: above -5 points. No: below -5 points.
    2. "pays": H frozen minus training from scratch with the same budget. Yes: above 0. No: below 0.
    3. "needed": H frozen minus a classifier on the source's fixed features. There are two, the linear probe and, where
       it was tried, all blocks frozen; the latter may be short of training, so that both must be beaten. The difference
       with the smaller lower end counts. Yes: above 0. No: below 0. It does not count for or against the claim.

    The claim holds if 1 and 2 are yes, and does not hold if one of them is no. Otherwise it is not decided.

    Source: the claim is the abstract's (docs/method.md, "Claims under test"); differences and limits are our choice.

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
        "sources": int(result.settings["sources"]),
        "n": int(result.settings["n"]),
        "sampled": result.settings.get("sampled"),
        "unit": result.settings["unit"] or SUBJECT,
        "subjects": resampled_count(result.settings["resample"], result.settings["groups"]),
        "parts": result.jackknife.count,
        "accuracy": {
            "half": result.accuracy("frozen", half).value,
            "none": result.accuracy("frozen", 0).value,
            "scratch": result.accuracy("from scratch").value,
            "probe": result.accuracy("linear probe").value,
        },
        "enough": result.difference(("frozen", half), ("frozen", 0)),
        "pays": result.difference(("frozen", half), ("from scratch", -1)),
        "all": None,
        "head": None,
        "probe": result.difference(("frozen", half), ("linear probe", -1)),
    }
    if L in tried:
        numbers["accuracy"]["all"] = result.accuracy("frozen", L).value
        numbers["all"] = result.difference(("frozen", half), ("frozen", L))
        numbers["head"] = result.difference(("linear probe", -1), ("frozen", L))
    fixed = [numbers[each] for each in ("probe", "all") if numbers[each] is not None]
    numbers["needed"] = min(fixed, key=lambda each: (known(each["low"], each["high"]), each["low"], each["value"]))
    tests = [_test(f"the first {half} of {L} blocks frozen are as good as none", numbers["enough"], -MARGIN),
             _test("transfer is better than training from scratch", numbers["pays"], 0.0)]  # fmt: skip
    answers = [test.answer for test in tests]
    holds = True if all(answers) else False if False in answers else None
    tests.append(_test("the deeper blocks have to be tuned", numbers["needed"], 0.0))
    numbers |= {"tests": dict(zip(("enough", "pays"), answers, strict=False)), "holds": holds}
    claim = opening(CLAIM, holds=holds, undecided="is not decided by these data")
    networks = counted(numbers["sources"], "source network", "source networks")
    seeds = counted(numbers["seeds"], "fit of each kind", "fits of each kind")
    return Outcome(f"{claim[:-1]} ({networks}, {seeds}).", holds, numbers, CLAIM, _paragraph(numbers), tuple(tests))


def _test(question: str, difference: dict[str, float], against: float) -> Test:
    low, high = difference["low"], difference["high"]
    answer = decided(low, high, above=against)
    return Test(question, difference["value"], low, high, answer, against, unit="share", ways=BETTER)


def _paragraph(numbers: dict[str, Any]) -> str:
    accuracy, L, half = numbers["accuracy"], numbers["blocks"], numbers["half"]
    confidence = numbers["confidence"]
    enough, pays = numbers["enough"], numbers["pays"]
    seeds = counted(numbers["seeds"], "seed", "seeds")
    unit, count = numbers["unit"], numbers["subjects"]
    people = "" if count is None else f" {'by' if unit == SUBJECT else 'of'} {count} {plural(unit)}"
    lost = {
        True: f", so no more than {100 * MARGIN:.0f} points are lost.",
        False: f"; a loss of {100 * MARGIN:.0f} points or more is certain.",
        None: f"; a loss of {100 * MARGIN:.0f} points or more is not excluded.",
    }[numbers["tests"]["enough"]]
    tests = tested_on(numbers["n"], numbers["sampled"]) if numbers["sampled"] else f"{numbers['n']} test recordings"
    sentences = [
        f"With the first {half} of {L} blocks frozen, accuracy on {tests}{people} is "
        f"{accuracy['half']:.1%} (mean of {seeds}), against {accuracy['none']:.1%} when all blocks are tuned: "
        f"{_points(enough, confidence)}{lost}",
        f"Training from scratch with the same budget reaches {accuracy['scratch']:.1%}, so that transfer "
        + ("pays" if pays["low"] > 0 else "costs" if pays["high"] < 0 else "makes no clear difference")
        + f": {_points(pays, confidence)}.",
    ]
    sentences.append(_needed(numbers))
    drawn = left_out(numbers["parts"], None if count is None else unit, count).removesuffix(", with graphs made anew")
    spread = f", with the spread between {numbers['seeds']} fits" if numbers["seeds"] > 1 else ""
    sentences.append(f"Intervals are from {drawn}{spread}.")
    if numbers["seeds"] < 3:
        sentences.append(f"With {seeds}, the effect of chance in training is poorly known.")
    if numbers["sources"] < 2:
        sentences.append("All fits begin at one source network; another may give other results.")
    return " ".join(sentences)


def _needed(numbers: dict[str, Any]) -> str:
    """Whether the deeper blocks have to be tuned, against both classifiers on fixed features."""
    accuracy, confidence, needed = numbers["accuracy"], numbers["confidence"], numbers["needed"]
    text = (
        f"Without tuning any block, a linear probe reaches {accuracy['probe']:.1%}; tuning the deeper blocks makes "
        f"{_points(numbers['probe'], confidence)} to it"
    )
    if numbers["all"] is not None:
        text += (
            f". With all blocks frozen and the network's own classifier it is {accuracy['all']:.1%}, "
            f"{_points(numbers['all'], confidence)} to that"
        )
    if needed["low"] > 0:
        return f"{text}: the deeper blocks have to be tuned."
    answer = (
        "the deeper blocks need no tuning"
        if needed["high"] < 0
        else "whether the deeper blocks have to be tuned is not decided"
    )
    if numbers["head"] is not None and numbers["head"]["low"] > 0:
        reach = "does as well as" if accuracy["probe"] >= accuracy["half"] else "is not clearly worse than"
        answer += (
            f", since a linear probe on the fixed features {reach} tuning: what lacks with all blocks frozen is "
            "training of the classifier, not of the blocks"
        )
    return f"{text}: {answer}."


def _points(difference: dict[str, float], confidence: float) -> str:
    value, low, high = (100 * difference[key] for key in ("value", "low", "high"))
    return f"a difference of {value:+.1f} points ({interval(low, high, '+.1f', confidence)})"
