"""Outcomes, their tests, and the words that all verdicts share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.geometry.uncertainty import Estimate
from stgcnlib.tables.words import change, span
from stgcnlib.verdicts.outcome import (
    FALLS,
    LOSSES,
    Outcome,
    Test,
    answered,
    bullets,
    directed_interval,
    directed_span,
    estimate,
    interval,
    left_out,
    moves,
    p_value,
)

NAN = float("nan")


def test_a_small_p_is_not_shown_as_0() -> None:
    assert [p_value(p) for p in (0.0, 0.0004, 0.0005, 0.06)] == ["< 0.001", "< 0.001", "0.001", "0.060"]
    assert [p_value(p, ".3g") for p in (1e-17, 0.0007, 0.01234)] == ["< 0.001", "0.0007", "0.0123"]


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-0.5, 0.5), st.none() | st.floats(0.01, 0.5))
def test_an_answer_needs_the_whole_interval(value: float, error: float, against: float, effect: float | None) -> None:
    relevant = None if effect is None else against + effect
    test = answered("it rises", Estimate(value, error, 5), against=against, relevant=relevant)
    least = against if relevant is None else relevant
    assert (test.answer is False) == (test.high < least)
    assert (test.answer is True) == (test.low > against and test.high >= least)
    assert (test.low, test.high) == (Estimate(value, error, 5).low, Estimate(value, error, 5).high)


def test_without_an_interval_nothing_is_decided() -> None:
    assert answered("it rises", Estimate(0.5, NAN, 5)).answer is None
    assert answered("it rises", Estimate(0.5, 0.01, 0)).answer is None


def test_values_are_shown_in_their_unit() -> None:
    shown = {unit: Test("q", 0, 0, 0, None, unit=unit).shown(0.1234) for unit in ("S", "share", "")}
    assert shown == {"S": "0.123", "share": "12%", "": "0.12"}


def test_an_interval_that_is_not_known_is_not_printed() -> None:
    assert estimate(0.5, 0.25, 0.75, ".2f") == "0.50 (0.25 to 0.75)"
    assert estimate(0.5, NAN, NAN, ".2f") == "0.50 (no interval)"
    assert interval(0.25, 0.75, ".2f", 0.9) == "90% interval 0.25 to 0.75"
    assert interval(NAN, NAN, ".2f", 0.9) == "no interval"


@pytest.mark.parametrize(("holds", "word"), [(True, "Yes."), (False, "No."), (None, "Not decided.")])
def test_a_list_says_question_answer_and_text(holds: bool | None, word: str) -> None:
    outcome = Outcome("It falls.", holds, question="It falls", details="By 0.1.")
    assert bullets([outcome, outcome]) == "\n".join([f"- *It falls.* **{word}** It falls. By 0.1."] * 2)
    assert str(outcome) == outcome.text == "It falls. By 0.1."


@pytest.mark.parametrize(("unit", "zero"), [("S", "0.000"), ("share", "0%"), ("", "0.00")])
def test_no_value_is_shown_as_minus_zero(unit: str, zero: str) -> None:
    shown = Test("a question", 0.0, -1e-9, 1e-9, None, unit=unit).shown
    assert [shown(-1e-9), shown(1e-9)] == [zero, zero]


def test_a_directed_interval_says_both_ways_or_that_there_is_none() -> None:
    assert directed_interval(-0.51, 0.176, ".3f", FALLS, 0.95) == "95% interval rises by 0.510 to falls by 0.176"
    assert directed_interval(-0.1, 0.04, ".0%", LOSSES, 0.95) == "95% interval a gain of 10% to a loss of 4%"
    assert directed_interval(0.1, 0.2, ".1f", FALLS) == "interval 0.1 to 0.2"
    assert directed_interval(NAN, NAN, ".3f", FALLS, 0.95) == "no interval"


@pytest.mark.parametrize(("low", "high"), [(NAN, NAN), (NAN, 0.2), (-0.2, NAN), (-float("inf"), 0.2)])
def test_no_end_that_is_not_known_is_printed_by_any_of_them(low: float, high: float) -> None:
    show = "{:z.1f}".format
    assert directed_span(low, high, show, FALLS) == "no interval"
    assert directed_span(low, high, show, FALLS, unknown="") == ""
    assert Test("it falls", 0.1, low, high, None, ways=FALLS).interval_words == ""
    assert directed_interval(low, high, ".1f", FALLS, 0.95) == interval(low, high, ".1f", 0.95) == "no interval"
    assert estimate(0.1, low, high, ".1f") == "0.1 (no interval)"
    assert span(0.1, low, high, "{:.1f}") == change(0.1, low, high, "{:.1f}", FALLS) == "0.1"


def test_a_change_is_said_with_its_direction() -> None:
    assert [moves(value, ".2f") for value in (0.25, -0.167, -0.001)] == [
        "falls by 0.25",
        "rises by 0.17",
        "falls by 0.00",
    ]
    assert [moves(value, ".0%", LOSSES) for value in (0.04, -0.03)] == ["a loss of 4%", "a gain of 3%"]


def test_more_subjects_than_parts_are_left_out_in_groups() -> None:
    assert left_out(4, "subject", 4) == "leaving out one of 4 subjects at a time, with graphs made anew"
    assert left_out(20, "subject", 53) == (
        "leaving out one of 20 random groups of the 53 subjects at a time, with graphs made anew"
    )
