"""Baselines: what windowed DTW adds to distances that do not warp time."""

from __future__ import annotations

import pandas as pd

from stgcnlib.errors import GraphError
from stgcnlib.verdicts.outcome import Outcome, Test, decided, estimate

__all__ = ["QUESTION", "RELEVANT", "judge_baselines"]

QUESTION = "Does warping time by DTW add to distances without it?"

RELEVANT = 0.1
"""A difference of less than this share of the smoothness by DTW counts as none."""
_NAMES = {
    "resampled": "resampling without warping",
    "pooled": "means over time",
    "duration": "the difference of durations",
}


def judge_baselines(table: pd.DataFrame, *, confidence: float = 0.95) -> Outcome:
    """Compare label smoothness S by DTW with that by each baseline, at the input and at the last layer.

    Each comparison is a test of S(baseline) − S(DTW). Yes: its interval is above 0. No: it is below 10% of S(DTW), so
    that the baseline does as well or better. The question is about warping, and the tests of "resampled" decide it: yes
    or no where both layers say so, else not decided.

    Source: the rule is our choice.

    Args:
        table: of `stgcnlib.geometry.layer_baselines`.
        confidence: of its intervals.

    Raises:
        GraphError: the table has no row.
    """
    if table.empty:
        raise GraphError("the table of baselines has no row; name at least one in controls.baselines")
    ends = table[table["index"].isin([table["index"].min(), table["index"].max()])]
    ends = ends.sort_values("index", kind="stable")
    tests = tuple(_test(row) for _, row in ends.iterrows())
    decide = [test for test, name in zip(tests, ends["baseline"], strict=True) if name == "resampled"]
    answers = {test.answer for test in decide}
    holds = answers.pop() if len(answers) == 1 else None
    numbers = {
        "confidence": confidence,
        "rows": ends.to_dict("records"),
        "tests": {test.question: test.answer for test in tests},
    }
    return Outcome(_sentence(ends, decide), holds, numbers, QUESTION, _details(ends, confidence), tests)


def _test(row: pd.Series) -> Test:
    low, high, relevant = float(row["gain_low"]), float(row["gain_high"]), RELEVANT * float(row["dtw"])
    answer = decided(low, high, least=relevant)
    return Test(
        f"DTW smoother than {row['baseline']}, {row['title']}", float(row["gain"]), low, high, answer, 0.0, relevant,
        ways=("smoother by", "less smooth by"),
    )  # fmt: skip


def _sentence(ends: pd.DataFrame, decide: list[Test]) -> str:
    rows = ends[ends["baseline"] == "resampled"]
    if rows.empty:
        return "Warping was not compared with resampling, so what it adds is not known."
    words = {
        True: "is smoother than",
        False: "is no smoother than",
        None: "is not clearly smoother than",
    }
    places = [
        f"at {_place(row['title'])} (S {row['dtw']:.3f} against {row['smoothness']:.3f})" for _, row in rows.iterrows()
    ]
    by_answer = {
        answer: [place for place, test in zip(places, decide, strict=True) if test.answer is answer]
        for answer in dict.fromkeys(test.answer for test in decide)
    }
    parts = [f"{words[answer]} resampling without warping {' and '.join(found)}" for answer, found in by_answer.items()]
    return f"Windowed DTW {', and '.join(parts)}."


def _details(ends: pd.DataFrame, confidence: float) -> str:
    parts = [
        f"{_NAMES[row['baseline']]} at {_place(row['title'])}: "
        f"{estimate(row['gain'], row['gain_low'], row['gain_high'], '+.3f')}"
        for _, row in ends.iterrows()
    ]
    return (
        f"Smoothness without warping less smoothness by DTW, with {confidence:.0%} intervals (above 0: DTW smoother): "
        + "; ".join(parts)
        + ". Graphs, neighbours and K are the same."
    )


def _place(title: str) -> str:
    return "the input" if title == "input" else str(title)
