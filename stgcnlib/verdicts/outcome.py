"""Outcome, the one form of every verdict, and the words that all verdicts share.

A verdict is made of sentences with numbers put in. What recurs in them is written here: the opening, lists, intervals,
and how intervals were drawn. The rules are in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Any

from stgcnlib.geometry.uncertainty import Estimate
from stgcnlib.groups import counted, plural

__all__ = ["ANSWERS", "BELOW", "BETTER", "FALLS", "LOSSES", "Outcome", "Test", "answered", "bullets", "decided"]

ANSWERS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "not decided"}
"""The three states of an answer in words."""

FALLS = ("falls by", "rises by")
"""What first − last does where it is above 0, and where it is below."""
BELOW = ("below by", "above by")
"""Where a value lies if other − value is above 0, and if it is below."""
BETTER = ("better by", "worse by")
"""How a value compares if its lead is above 0, and if it is below."""
LOSSES = ("a loss of", "a gain of")
"""What a share lost is where it is above 0, and where it is below."""
NO_INTERVAL = "no interval"
"""What stands for an interval that is not known."""


@dataclass(frozen=True)
class Test:
    """One question that numbers answer.

    Attributes:
        question: in a few words, as "falls with depth".
        value: what was measured.
        low, high: its interval; NaN where there is none.
        answer: True: the interval excludes `against` on the side of yes. False: it excludes an effect as large as
            `relevant`. None: neither, so that it is not decided.
        against: the value that stands for no effect.
        relevant: the smallest value that counts as an effect; None: any counts.
        unit: how to print the value: "S" (three decimals), "share" (per cent), "" (two decimals).
        note: why there is no answer, where that needs saying.
        ways: words before values above 0 and before values below, as `FALLS`; a value of -0.167 is printed as "rises by
            0.167". Empty: with its sign.
        measured: what the value is, in words before it, where it is not the difference that `ways` tell of.
    """

    __test__ = False  # pytest collects classes of this name

    question: str
    value: float
    low: float
    high: float
    answer: bool | None
    against: float = 0.0
    relevant: float | None = None
    unit: str = "S"
    note: str = ""
    ways: tuple[str, str] = ("", "")
    measured: str = ""

    @property
    def word(self) -> str:
        """The answer as a word."""
        return ANSWERS[self.answer]

    def shown(self, value: float) -> str:
        """A value in the test's unit."""
        return {"S": f"{value:z.3f}", "share": f"{value:z.0%}"}.get(self.unit, f"{value:z.2f}")

    @property
    def value_words(self) -> str:
        """The value for reading, with the words that say what it is; empty where it is not known."""
        if isnan(self.value):
            return ""
        text = self.shown(self.value)
        if not self.ways[0]:
            return f"{self.measured} {text}".lstrip()
        if not text.strip("0.%"):
            return text  # neither way
        return either_way(text, self.ways)

    @property
    def interval_words(self) -> str:
        """The interval for reading; empty where there is none."""
        return directed_span(self.low, self.high, self.shown, self.ways, unknown="")


def decided(low: float, high: float, *, above: float = 0.0, least: float | None = None) -> bool | None:
    """Whether an effect is above `above`, from its interval.

    True: the whole interval is above `above`, and reaches `least`. False: the whole interval is below `least`, the
    smallest effect that counts (None: below `above`, any effect counts). None: neither, also without an interval.
    """
    if high < (above if least is None else least):
        return False
    return True if low > above else None


def answered(
    question: str, estimate: Estimate, *, relevant: float | None = None, against: float = 0.0, **words: Any
) -> Test:
    """The test that an effect is above `against`, and as large as `relevant`; answered as `decided`."""
    low, high = estimate.low, estimate.high
    answer = decided(low, high, above=against, least=relevant)
    return Test(question, estimate.value, low, high, answer, against, relevant, **words)


@dataclass(frozen=True)
class Outcome:
    """What numbers say about one question.

    Attributes:
        sentence: the answer in one sentence.
        holds: whether the numbers support it; None where they cannot decide, do so only in part, or nothing is claimed.
        numbers: plain values, all that is in the words.
        question: what was asked; a claim or an expectation is given as a statement.
        details: one paragraph that follows the sentence, made from the numbers alone.
        tests: the questions that decided it.
        partly: whether the numbers support a part of it; `holds` is None then.
    """

    sentence: str
    holds: bool | None
    numbers: dict[str, Any] = field(default_factory=dict)
    question: str = ""
    details: str = ""
    tests: tuple[Test, ...] = ()
    partly: bool = False

    @property
    def text(self) -> str:
        """Sentence and details."""
        return f"{self.sentence} {self.details}".strip()

    def __str__(self) -> str:
        return self.text


def bullets(outcomes: Iterable[Outcome]) -> str:
    """A Markdown list: each question, its answer in a word, and the text.

    `outcomes` are shown in their order.
    """
    word = {True: "Yes.", False: "No.", None: "Not decided."}
    return "\n".join(
        f"- *{each.question}.* **{'In part.' if each.partly else word[each.holds]}** {each.text}" for each in outcomes
    )


# -- words -------------------------------------------------------------------------------------


def opening(
    claim: str,
    *,
    holds: bool | None,
    because: str = "",
    where: str = "on these data",
    undecided: str | None = None,
    whose: str = "The paper's claim",
) -> str:
    """The first sentence of a verdict on a claim of the paper.

    Args:
        claim: goes on after "The paper's claim that".
        whose: in place of "The paper's claim".
        holds: as `Outcome.holds`.
        because: added at the end, with its own colon.
        where: on what the claim holds or does not hold.
        undecided: words for None, `where` included; None: it holds only in part.
    """
    words = {True: f"holds {where}", False: f"does not hold {where}", None: undecided or f"holds only in part {where}"}
    return f"{whose} that {claim} {words[holds]}{because}."


def listed(parts: Sequence[str]) -> str:
    """'a', 'a, and b', 'a, b, and c'."""
    *most, last = parts
    return f"{', '.join(most)}, and {last}" if most else last


def series(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def capital(text: str) -> str:
    """The text as the beginning of a sentence; its other letters stay as they are."""
    return text[0].upper() + text[1:]


def span(low: float, high: float, form: str) -> str:
    """'0.10 to 0.20'; `form` is a format specification, as ".2f"."""
    return f"{low:{form}} to {high:{form}}"


def known(low: float, high: float) -> bool:
    """Whether there is an interval; where there is none, its ends are NaN."""
    return isfinite(low) and isfinite(high)


def interval(low: float, high: float, form: str, confidence: float) -> str:
    """'95% interval 0.10 to 0.20', or 'no interval' where it is not known."""
    return f"{confidence:.0%} interval {span(low, high, form)}" if known(low, high) else NO_INTERVAL


def estimate(value: float, low: float, high: float, form: str) -> str:
    """'0.15 (0.10 to 0.20)', or '0.15 (no interval)' where it is not known."""
    return f"{value:{form}} ({span(low, high, form) if known(low, high) else NO_INTERVAL})"


def p_value(p: float, form: str = ".3f") -> str:
    """'0.012' by a format specification; '< 0.001' for a smaller one, which is never shown as 0."""
    return "< 0.001" if p < 0.0005 else f"{p:{form}}"


def directed(text: str, ways: tuple[str, str]) -> str:
    """'rises by 0.167' for the formatted number '-0.167'; one that is not negative stays as it is.

    `ways` as in `Test`; empty words leave the sign.
    """
    return f"{ways[1]} {text[1:]}" if ways[1] and text.startswith("-") else text


def either_way(text: str, ways: tuple[str, str]) -> str:
    """'rises by 0.167' for the formatted number '-0.167', and 'falls by 0.225' for '0.225'; `ways` as in `Test`."""
    return directed(text, ways) if text.startswith("-") else f"{ways[0]} {text}"


def directed_span(
    low: float, high: float, show: Callable[[float], str], ways: tuple[str, str], *, unknown: str = NO_INTERVAL
) -> str:
    """'rises by 0.510 to falls by 0.176' for the ends -0.51 and 0.176; '0.1 to 0.3' where none is below 0.

    Where both ends are below 0, the smaller change comes first: 'rises by 0.1 to 0.3'.

    Args:
        low, high: the ends, NaN where there is no interval.
        show: formats a number; -0 is to be shown as 0.
        ways: as in `Test`.
        unknown: the text where there is no interval.
    """
    if not known(low, high):
        return unknown
    first, last = show(low), show(high)
    if not ways[1] or not first.startswith("-"):
        return f"{first} to {last}"
    if last.startswith("-"):
        return f"{ways[1]} {last[1:]} to {first[1:]}"
    return f"{directed(first, ways)} to {ways[0]} {last}"


def moves(value: float, form: str, ways: tuple[str, str] = FALLS) -> str:
    """'falls by 0.225', or 'rises by 0.167' for a negative difference first − last; other `ways` as in `Test`."""
    return either_way(f"{value:z{form}}", ways)


def tested_on(count: int, sampled: str | None) -> str:
    """'80 recordings', or '80 sampled recordings of the test part'.

    `sampled` is the name of the part that they are a sample of; None: they are no sample, "all": of all parts.
    """
    if sampled is None:
        return counted(count, "recording", "recordings")
    of = "" if sampled == "all" else f" of the {sampled} part"
    return counted(count, "sampled recording", "sampled recordings") + of


def left_out(count: int, unit: str | None, units: int | None = None) -> str:
    """'leaving out one of 4 subjects at a time, with graphs made anew'.

    Args:
        count: number of parts.
        unit: what they are in one word; "recording" or None: random parts of the recordings.
        units: how many of these there are; where they are more than the parts, a part is a group of them.
    """
    if unit is None or unit == "recording":
        return f"leaving out one of {count} random parts of the recordings at a time, with graphs made anew"
    of = f"{count} {plural(unit)}" if units is None or units <= count else (
        f"{count} random groups of the {units} {plural(unit)}"
    )  # fmt: skip
    return f"leaving out one of {of} at a time, with graphs made anew"


def directed_interval(
    low: float, high: float, form: str, ways: tuple[str, str], confidence: float | None = None
) -> str:
    """'95% interval rises by 0.510 to falls by 0.176' as of `directed_span`, or 'no interval' where it is not known."""
    ends = directed_span(low, high, f"{{:z{form}}}".format, ways, unknown="")
    share = "" if confidence is None else f"{confidence:.0%} "
    return f"{share}interval {ends}" if ends else NO_INTERVAL
