"""The tests of a verdict as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from stgcnlib.verdicts import Outcome

__all__ = ["verdict_table"]


def verdict_table(outcome: Outcome) -> pd.DataFrame:
    """One row per test: question, value, interval and answer, formatted for reading; no row without tests.

    A value that is not known stays empty. A negative fall is written as a rise. Where a test has a note, the answer
    ends with it.
    """
    confidence = outcome.numbers.get("confidence")
    heading = "interval" if confidence is None else f"{confidence:.0%} interval"
    rows = [
        {
            "question": test.question,
            "value": test.value_words,
            heading: test.interval_words,
            "answer": f"{test.word}: {test.note}" if test.note else test.word,
        }
        for test in outcome.tests
    ]
    return pd.DataFrame(rows, columns=["question", "value", heading, "answer"]).set_index("question")
