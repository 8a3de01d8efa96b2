"""The rules of the verdict on several studies."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from stgcnlib.studies import Comparison
from stgcnlib.verdicts import judge_generality


def studies(*rows: tuple[str, str, bool | None]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "study": f"{network} on {data}", "network": network, "data": data, "holds": holds, "input": 0.3,
                "last": 0.2 if holds else 0.3, "fall": 0.1, "fall_low": 0.05 if holds else -0.1, "fall_high": 0.15,
            }
            for network, data, holds in rows
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "holds", "words"),
    [
        ((("st-gcn", "a", True), ("ctr-gcn", "b", True)), True, "holds here."),
        ((("st-gcn", "a", True), ("st-gcn", "b", True)), None, "all studies have the same kind of network, st-gcn"),
        ((("st-gcn", "a", True), ("ctr-gcn", "a", True)), None, "all studies have the same data set, a"),
        ((("st-gcn", "a", True), ("ctr-gcn", "b", False)), None, "1 of 2 studies bear it out"),
        ((("st-gcn", "a", None), ("ctr-gcn", "b", False)), False, "does not hold here: 0 of 2"),
        ((("st-gcn", "a", None), ("ctr-gcn", "b", None)), None, "is not decided here: 0 of 2"),
    ],
)
def test_the_claim_can_be_answered_either_way(rows: Any, holds: bool | None, words: str) -> None:
    verdict = judge_generality(studies(*rows))
    assert verdict.holds is holds, verdict.text
    assert words in verdict.text
    assert verdict.numbers["falls"] == sum(state is True for _, _, state in rows)
    assert [test.answer for test in verdict.tests[::2]] == [True if state else None for _, _, state in rows]
    assert [test.answer for test in verdict.tests[1::2]] == [state for _, _, state in rows]
    assert "not comparable" not in verdict.text


def test_unequal_settings_are_named() -> None:
    table = studies(("st-gcn", "a", True), ("ctr-gcn", "b", True))
    values = pd.DataFrame(
        [{"setting": "graph.k", "study": "A", "value": "8"}, {"setting": "graph.k", "study": "B", "value": "30"}]
    )
    none: Any = pd.DataFrame()
    verdict = judge_generality(Comparison(table, none, none, none, values))
    assert verdict.holds is True  # each study is judged by its own curve
    assert "not comparable in level, because these settings are not equal: graph.k (A: 8, B: 30)." in verdict.details
