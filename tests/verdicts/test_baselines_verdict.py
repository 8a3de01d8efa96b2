"""The verdict on what DTW adds: planted differences that it must confirm, deny, or leave open."""

from __future__ import annotations

import pandas as pd
import pytest

from stgcnlib.errors import GraphError
from stgcnlib.verdicts import judge_baselines


def table(*gains: tuple[str, int, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"layer": f"l{index}", "index": index, "title": f"layer {index}" if index else "input", "baseline": name,
             "smoothness": 0.3 + gain, "dtw": 0.3, "gain": gain, "gain_low": low, "gain_high": high, "n": 40}
            for name, index, gain, low, high in gains
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "holds", "words"),
    [
        ((0.10, 0.05, 0.15), (0.08, 0.02, 0.14), True, "is smoother than resampling"),
        ((0.00, -0.02, 0.02), (-0.01, -0.03, 0.01), False, "is no smoother than"),
        ((0.10, -0.05, 0.25), (0.10, -0.05, 0.25), None, "is not clearly smoother than"),
        ((0.10, 0.05, 0.15), (0.00, -0.02, 0.02), None, "is no smoother than"),
        ((0.02, 0.01, 0.025), (0.02, 0.01, 0.025), False, "is no smoother than"),  # sure, and less than 10% of 0.3
    ],
    ids=["adds", "adds nothing", "not decided", "at the input only", "too little to count"],
)
def test_three_answers(first: tuple, last: tuple, holds: bool | None, words: str) -> None:
    rows = [("resampled", 0, *first), ("resampled", 1, 0.3, 0.2, 0.4), ("resampled", 2, *last)]
    outcome = judge_baselines(table(*rows, ("pooled", 0, 0.3, 0.2, 0.4), ("pooled", 2, 0.3, 0.2, 0.4)))
    assert outcome.holds is holds
    assert words in outcome.sentence
    assert len(outcome.tests) == 4  # the layers between are not asked
    assert "layer 1" not in outcome.text
    assert "means over time at the input: +0.300 (+0.200 to +0.400)" in outcome.details


def test_without_intervals_or_resampling_nothing_is_decided() -> None:
    nan = float("nan")
    outcome = judge_baselines(table(("resampled", 0, 0.2, nan, nan), ("resampled", 2, 0.2, nan, nan)))
    assert outcome.holds is None
    assert "(no interval)" in outcome.details
    outcome = judge_baselines(table(("pooled", 0, 0.2, 0.1, 0.3)))
    assert outcome.holds is None
    assert "was not compared" in outcome.sentence
    with pytest.raises(GraphError, match=r"controls\.baselines"):
        judge_baselines(table(("pooled", 0, 0.2, 0.1, 0.3)).iloc[:0])
