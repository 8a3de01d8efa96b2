"""A verdict on a page: the answer in one sentence, its tests as table and picture, then the numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stgcnlib import figures, tables

if TYPE_CHECKING:
    from stgcnlib.verdicts import Outcome

__all__ = ["show_verdict"]


def show_verdict(outcome: Outcome, *, title: str = "") -> None:
    """Show an outcome in a notebook, in the order in which it is read.

    Args:
        outcome: of one of `stgcnlib.verdicts`.
        title: a word or two before the sentence.
    """
    from IPython.display import Markdown, display

    display(Markdown(f"**{title}. {outcome.sentence}**" if title else f"**{outcome.sentence}**"))
    if outcome.tests:
        display(tables.verdict_table(outcome))
        display(figures.verdict_figure(outcome))
    if outcome.details:
        display(Markdown(outcome.details))
