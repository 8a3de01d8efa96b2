"""The tests of a verdict as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from stgcnlib.verdicts import Outcome

__all__ = ["verdict_table"]


def verdict_table(outcome: Outcome) -> pd.DataFrame:
    """One row per test: question, value, interval and answer, formatted for reading; no row without tests.

    A value that is not known stays empty. Where a test has a note, the answer ends with it.
    """
    confidence = outcome.numbers.get("confidence")
    heading = "interval" if confidence is None else f"{confidence:.0%} interval"
    rows = [
        {
            "question": test.question,
            "value": test.shown(test.value) if np.isfinite(test.value) else "",
            heading: f"{test.shown(test.low)} to {test.shown(test.high)}" if np.isfinite(test.low) else "",
            "answer": f"{test.word}: {test.note}" if test.note else test.word,
        }
        for test in outcome.tests
    ]
    return pd.DataFrame(rows, columns=["question", "value", heading, "answer"]).set_index("question")
