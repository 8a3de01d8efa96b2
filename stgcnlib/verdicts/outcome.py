"""Outcome, the one form of every verdict, and the words that all verdicts share.

A verdict is made of sentences with numbers put in. What recurs in them is written here: the opening, lists, intervals,
and how intervals were drawn. The rules are in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stgcnlib.groups import plural

__all__ = ["Outcome", "bullets"]


@dataclass(frozen=True)
class Outcome:
    """What numbers say about one question.

    Attributes:
        text: one paragraph, made from the numbers alone.
        holds: whether the numbers support it; None where they do so only in part, cannot tell, or nothing is claimed.
        numbers: plain values, all that is in the text.
        question: what was asked; a claim or an expectation is given as a statement.
    """

    text: str
    holds: bool | None
    numbers: dict[str, Any] = field(default_factory=dict)
    question: str = ""

    def __str__(self) -> str:
        return self.text


def bullets(outcomes: Iterable[Outcome]) -> str:
    """A Markdown list: each question, its answer in a word, and the text."""
    word = {True: "Yes.", False: "No.", None: "Not decided."}
    return "\n".join(f"- *{each.question}.* **{word[each.holds]}** {each.text}" for each in outcomes)


# -- words -------------------------------------------------------------------------------------


def opening(
    claim: str, *, holds: bool | None, because: str = "", where: str = "on these data", undecided: str | None = None
) -> str:
    """The first sentence of a verdict on a claim of the paper.

    Args:
        claim: goes on after "The paper's claim that".
        holds: as `Outcome.holds`.
        because: added at the end, with its own colon.
        where: it holds or not.
        undecided: words for None, `where` included; None: it holds only in part.
    """
    words = {True: f"holds {where}", False: f"does not hold {where}", None: undecided or f"holds only in part {where}"}
    return f"The paper's claim that {claim} {words[holds]}{because}."


def listed(parts: Sequence[str]) -> str:
    """'a', 'a, and b', 'a, b, and c'."""
    *most, last = parts
    return f"{', '.join(most)}, and {last}" if most else last


def counted(number: int, one: str, many: str) -> str:
    """'1 seed', '3 seeds'."""
    return f"{number} {one if number == 1 else many}"


def capital(text: str) -> str:
    """The text as the beginning of a sentence; its other letters stay as they are."""
    return text[0].upper() + text[1:]


def span(low: float, high: float, form: str) -> str:
    """'0.10 to 0.20'; `form` is a format specification, as ".2f"."""
    return f"{low:{form}} to {high:{form}}"


def interval(low: float, high: float, form: str, confidence: float) -> str:
    """'95% interval 0.10 to 0.20'."""
    return f"{confidence:.0%} interval {span(low, high, form)}"


def estimate(value: float, low: float, high: float, form: str) -> str:
    """'0.15 (0.10 to 0.20)'."""
    return f"{value:{form}} ({span(low, high, form)})"


def resampled(draws: int, resampling: str, count: int | None, unit: str) -> str:
    """'300 bootstrap draws of the 4 subjects and their recordings'.

    Args:
        draws: how many.
        resampling: "sequences", "subjects" or "two-level".
        count: how many groups are resampled as a whole; None: none are.
        unit: name of such a group.
    """
    what = {
        "sequences": "recordings as if independent",
        "subjects": f"the {count} {plural(unit)}",
        "two-level": f"the {count} {plural(unit)} and their recordings",
    }["sequences" if count is None else resampling]
    return f"{draws} bootstrap draws of {what}"
