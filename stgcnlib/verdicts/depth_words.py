"""The words of the verdict on depth, made from its numbers and tests alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from stgcnlib.geometry.layers import INITIAL, UNTRAINED
from stgcnlib.groups import SUBJECT, neighbours_phrase, plural
from stgcnlib.verdicts.outcome import (
    FALLS,
    Test,
    directed_interval,
    directed_span,
    estimate,
    interval,
    known,
    left_out,
    listed,
    moves,
)

__all__ = ["because", "paragraph"]


def because(tests: tuple[Test, ...], measured: str) -> str:
    """What decided it, as the end of the first sentence."""
    falls, late, control, chance = tests
    if falls.answer is not True:
        rises = falls.high < 0
        reasons = [
            "smoothness rises with depth"
            if rises
            else "smoothness does not fall by a relevant amount"
            if falls.answer is False
            else "whether smoothness falls with depth is not decided"
        ]
    else:
        words = {True: ", and late", False: ", but not late", None: ", but whether late is not decided"}
        reasons = [f"smoothness falls with depth{words[late.answer]}"]
    if control.answer is not True:
        missing = control.note or (
            "untrained networks do as well"
            if control.answer is False
            else "whether untrained networks do worse is not decided"
        )
        reasons.append(missing)
    if chance.answer is not True:
        reasons.append(f"the last layer is not clearly better than shuffled {measured}s")
    return f": {listed(reasons)}"


def paragraph(numbers: dict[str, Any]) -> str:
    """The sentences behind the first, from the numbers alone."""
    confidence, group, last, null = numbers["confidence"], numbers["group"], numbers["last_layer"], numbers["null"]
    what = "label smoothness (0: every neighbour shares the label, 1: none does)"
    everyone_counts = "all neighbours, whoever performed them"
    if numbers["measured"] == "target":
        what = "smoothness of the target (0: all neighbours share its value, 1: they differ as shuffled targets do)"
        everyone_counts = "all neighbours"
    whose = f"only neighbours {neighbours_phrase(group)}" if group else everyone_counts
    sentences = [
        f"Counting {whose}, {what} is "
        f"{numbers['input']:.2f} at the input and {numbers['last']:.2f} at {last}: it "
        f"{_moves(numbers['fall'], confidence)}.",
        _half(numbers),
        _steps(numbers),
        _control(numbers),
        f"Shuffled {numbers['measured']}s would give {estimate(null[0], null[1], null[2], '.2f')}.",
    ]
    everyone = numbers["all_neighbours"]
    if everyone is not None:
        sentences.append(
            f"If neighbours {neighbours_phrase(group, same=True)} count too, it is {everyone['input']:.2f} at the "
            f"input and {everyone['last']:.2f} at {last}: it {_moves(everyone, confidence)}"
            + (
                f"; the lower start comes from {'people' if group == SUBJECT else f'each {group}'}'s own repetitions."
                if everyone["input"] < numbers["input"]
                else "."
            )
        )
    sentences.append(_caution(numbers))
    return " ".join(sentence for sentence in sentences if sentence)


def _moves(difference: dict[str, float], confidence: float) -> str:
    """A difference first − last as a verb with its interval, as changes of smoothness."""
    value, low, high = difference["value"], difference["low"], difference["high"]
    if high < 0:
        return f"{moves(value, '.3f')} ({interval(-high, -low, '.3f', confidence)})"
    if low > 0 or not known(low, high):
        return f"{moves(value, '.3f')} ({interval(low, high, '.3f', confidence)})"
    ends = directed_span(low, high, "{:z.3f}".format, FALLS)
    return f"does not clearly change ({moves(value, '.3f')}, {confidence:.0%} interval: {ends})"


def _half(numbers: dict[str, Any]) -> str:
    half = numbers["half"]
    if numbers["tests"]["falls with depth"] is not True or not np.isfinite(half["value"]):
        return ""
    return (
        f"Half of the fall is done at {half['value']:.0%} of the depth "
        f"({interval(half['low'], half['high'], '.0%', numbers['confidence'])}); an even fall would be at 50%, and "
        f"from {numbers['late_from']:.0%} on it counts as late."
    )


def _steps(numbers: dict[str, Any]) -> str:
    found = numbers["steps"]
    sure = [each for each in found if each["p"] < 1 - numbers["confidence"]]
    if not sure:
        return (
            f"No single step from one layer to the next is clear by itself (Holm's correction for {len(found)} steps)."
        )
    words = [f"{each['from']} to {each['to']} ({-each['value']:+.3f})" for each in sure]
    return f"Clear single steps, with Holm's correction for {len(found)}: {listed(words)}."


def _control(numbers: dict[str, Any]) -> str:
    last = numbers["last_layer"]
    if UNTRAINED not in numbers:
        return "No untrained network was measured, so what training adds is not known."
    other, count = numbers[UNTRAINED], int(numbers[UNTRAINED]["networks"])
    among = f" ({other['least']:.2f} to {other['most']:.2f} among {count})" if count > 1 else ""
    control = numbers["control"]
    text = (
        f"{'Untrained networks' if count > 1 else 'An untrained network'} of the same shape "
        f"{'have' if count > 1 else 'has'} {other['smoothness']:.2f} at {last}{among}, "
        f"{_differs(control, numbers['confidence'])}"
    )
    if INITIAL in numbers:
        text += f"; with batch-norm statistics as initialised it is {numbers[INITIAL]['smoothness']:.2f}"
    return f"{text}."


def _differs(control: dict[str, float], confidence: float) -> str:
    """How untrained networks differ, from untrained − trained: higher, or lower, by how much."""
    value, low, high = (control[key] for key in ("value", "low", "high"))
    ways = ("higher by", "lower by")
    return f"{moves(value, '.3f', ways)} ({directed_interval(low, high, '.3f', ways, confidence)})"


def _caution(numbers: dict[str, Any]) -> str:
    subjects, unit = numbers["subjects"], numbers["unit"]
    drawn = left_out(numbers["parts"], unit, subjects)
    end = ""
    if subjects is None:
        unknown = "subjects are not known, so that the intervals are of these people"
        if numbers["measured"] == "target":
            unknown = "neither subjects nor blocks of time are known, so that the intervals are too narrow"
        end = f"; {unknown}" if unit is None else ""
    elif subjects < 10:
        end = f"; so few {'people' if unit == SUBJECT else plural(unit)} say little about others"
    one = "one training seed; another may give another curve" if numbers["networks"] == 1 else (
        f"{numbers['networks']} training seeds, whose spread is in the intervals"
    )  # fmt: skip
    return f"Intervals are from {drawn}{end}. They are of {one}."
