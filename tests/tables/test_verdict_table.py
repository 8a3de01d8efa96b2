"""A verdict as a table, in a notebook, and in the files of a report's first page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from stgcnlib import tables
from stgcnlib.pipeline.summary import write_summary
from stgcnlib.report import show_verdict, show_verdicts
from stgcnlib.verdicts import Outcome
from stgcnlib.verdicts.outcome import BELOW, FALLS, Test

NAN = float("nan")
TESTS = (
    Test("falls with depth", 0.2, 0.1, 0.3, True, 0.0, 0.06),
    Test("falls late", 0.45, 0.4, 0.55, False, 0.5, 0.6, unit="share"),
    Test("below untrained networks", NAN, NAN, NAN, None, note="none was measured"),
)
VERDICT = Outcome("It holds.", True, {"confidence": 0.95}, "claim", "The numbers.", TESTS)


def test_a_row_per_test_as_it_is_read() -> None:
    table = tables.verdict_table(VERDICT)
    assert table.index.name == "question"
    assert table.reset_index().to_numpy().tolist() == [
        ["falls with depth", "0.200", "0.100 to 0.300", "yes"],
        ["falls late", "45%", "40% to 55%", "no"],
        ["below untrained networks", "", "", "not decided: none was measured"],
    ]
    assert list(table.columns) == ["value", "95% interval", "answer"]
    empty = tables.verdict_table(Outcome("Nothing.", None))
    assert list(empty.columns) == ["value", "interval", "answer"]
    assert not len(empty)


def test_a_negative_fall_is_a_rise_and_what_was_not_asked_has_no_interval() -> None:
    tests = (
        Test("falls with depth", -0.167, -0.51, 0.176, None, 0.0, 0.012, ways=FALLS),
        Test("falls with depth", -0.2, -0.3, -0.1, False, 0.0, 0.012, ways=FALLS),
        Test("falls with depth", -0.0001, -0.2, 0.3, None, 0.0, 0.012, ways=FALLS),
        Test("below untrained networks", -0.05, -0.1, 0.2, None, 0.0, 0.06, ways=BELOW),
        Test("falls with depth", 0.3, 0.2, 0.4, True, 0.0, 0.012, ways=FALLS),
        Test("falls late", 0.62, 0.6, 0.7, True, 0.5, 0.6, "share", measured="half at a depth of"),
        Test("falls late", NAN, NAN, NAN, None, 0.5, 0.6, "share", "asked only where smoothness falls"),
    )
    table = tables.verdict_table(Outcome("So.", None, {"confidence": 0.95}, tests=tests))
    assert table[["value", "95% interval"]].to_numpy().tolist() == [
        ["rises by 0.167", "rises by 0.510 to falls by 0.176"],
        ["rises by 0.200", "rises by 0.100 to 0.300"],
        ["0.000", "rises by 0.200 to falls by 0.300"],
        ["above by 0.050", "above by 0.100 to below by 0.200"],
        ["falls by 0.300", "0.200 to 0.400"],
        ["half at a depth of 62%", "60% to 70%"],
        ["", ""],
    ]
    assert tests[0].value == -0.167


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


def test_a_notebook_shows_sentence_table_picture_and_numbers(shown: list[Any]) -> None:
    show_verdict(VERDICT)
    sentence, table, picture, details = shown
    assert sentence.data == "**It holds.**"
    assert isinstance(table, pd.DataFrame)
    assert isinstance(picture, Figure)
    assert details.data == "The numbers."


def test_without_tests_or_details_it_shows_the_sentence(shown: list[Any]) -> None:
    show_verdict(Outcome("Freeze two.", None), title="Advice")
    assert [each.data for each in shown] == ["**Advice. Freeze two.**"]


def test_verdicts_of_one_subject_share_a_table_and_a_picture(shown: list[Any]) -> None:
    show_verdicts([VERDICT, Outcome("So.", None, question="other", tests=TESTS[:1]), Outcome("Thus.", False)])
    table, picture, words = shown
    assert table.index.tolist() == [test.question for test in (*TESTS, TESTS[0])]
    assert len(picture.axes[0].get_yticks()) == 4
    assert words.data.count("\n- *") == 2
    shown.clear()
    show_verdicts([Outcome("Thus.", False)])
    assert len(shown) == 1


def test_the_summary_holds_all_that_the_first_page_shows(tmp_path: Path) -> None:
    from stgcnlib.figures.style import new_figure

    figure = new_figure(2.0, alt="A curve.", width=5.0)
    write_summary(
        tmp_path / "summary", title="study", outcome=VERDICT, figures={"curve": ("The curve", figure)},
        facts={"classes": "3"}, table=pd.DataFrame({"S": ["0.1"]}, index=pd.Index(["input"], name="layer")),
        claims=[("Noise", Outcome("So.", None, details="Why."))], warnings=["Beware."],
    )  # fmt: skip
    content = json.loads((tmp_path / "summary" / "summary.json").read_text())
    assert (content["sentence"], content["details"], content["holds"]) == ("It holds.", "The numbers.", True)
    assert content["warnings"] == ["Beware."]
    assert content["tests"]["columns"] == ["question", "value", "95% interval", "answer"]
    assert content["picture"] | {"alt": ""} == {"file": "verdict.png", "width": 700, "alt": ""}
    assert content["figures"] == [{"file": "curve.png", "width": 500, "alt": "A curve.", "title": "The curve"}]
    (claim,) = content["claims"]
    assert (claim["title"], claim["sentence"], claim["details"], claim["picture"]) == ("Noise", "So.", "Why.", None)
    assert claim["tests"]["rows"] == []
    assert content["table"] == {"columns": ["layer", "S"], "rows": [["input", "0.1"]]}
    assert sorted(path.name for path in (tmp_path / "summary").iterdir()) == [
        "curve.png",
        "summary.json",
        "verdict.png",
    ]
