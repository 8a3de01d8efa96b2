"""A verdict on a page: the answer in one sentence, its tests as table and picture, then the numbers in words.

Where something could not be measured, a sentence says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stgcnlib import figures, tables, verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stgcnlib.verdicts import Outcome

__all__ = ["show_shortages", "show_verdict", "show_verdicts"]


def show_shortages(shortages: Mapping[str, str], *names: str) -> None:
    """Say in a notebook why something is not shown; nothing if all is shown.

    Args:
        shortages: name -> sentence, as of `stgcnlib.geometry.find_shortages`.
        names: those that belong in this place.
    """
    from IPython.display import Markdown, display

    if said := [shortages[name] for name in names if name in shortages]:
        display(Markdown(" ".join(said)))


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


def show_verdicts(outcomes: Sequence[Outcome]) -> None:
    """Show outcomes of one subject in a notebook: all their tests as one table and picture, then each in words.

    `outcomes` are shown in their order.
    """
    from IPython.display import Markdown, display

    tests = tuple(test for outcome in outcomes for test in outcome.tests)
    if tests:
        together = verdicts.Outcome("", None, dict(outcomes[0].numbers), tests=tests)
        display(tables.verdict_table(together))
        display(figures.verdict_figure(together))
    display(Markdown(verdicts.bullets(outcomes)))
