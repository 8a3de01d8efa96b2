"""The verdict on depth on planted clusters whose classes part with depth, or do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_layers import FALLING, LABELS, PEOPLE, UNTRAINED, measure

from stgcnlib.errors import GraphError
from stgcnlib.geometry import Jackknife, LayerGeometry
from stgcnlib.geometry.uncertainty import deletion_groups
from stgcnlib.verdicts import Outcome, judge_depth


@pytest.fixture(scope="module")
def falling() -> LayerGeometry:
    return measure(FALLING)


def test_verdict_says_yes_on_a_falling_curve(falling: LayerGeometry) -> None:
    verdict = judge_depth(falling)
    assert isinstance(verdict, Outcome)
    assert verdict.holds is True
    assert [test.answer for test in verdict.tests] == [True] * 4
    assert "holds on these data: smoothness falls with depth, and late" in verdict.sentence
    main = falling.curve()
    for value in (main["smoothness"].iloc[0], main["smoothness"].iloc[-1], verdict.numbers["untrained"]["smoothness"]):
        assert f"{value:.2f}" in verdict.details
    assert "leaving out one of 4 subjects at a time" in verdict.text
    assert "neighbours by the same subject" in verdict.text
    assert "\n" not in verdict.text


@pytest.mark.parametrize(
    ("strengths", "untrained", "words"),
    [
        ([1.6, 1.4, 1.2, 0.8, 0.6, 0.4], UNTRAINED, ["rises by", "smoothness rises with depth"]),
        ([0.4, 1.4, 1.5, 1.5, 1.6, 2.0], UNTRAINED, ["falls with depth, but not late"]),
        (FALLING, FALLING, ["untrained networks do as well"]),
    ],
)
def test_verdict_says_no(strengths: list[float], untrained: list[float], words: list[str]) -> None:
    verdict = judge_depth(measure(strengths, untrained))
    assert verdict.holds is False
    for text in ["does not hold on these data", *words]:
        assert text in verdict.text


@pytest.mark.parametrize(
    ("strengths", "untrained", "words"),
    [
        (FALLING, None, ["no untrained network was measured", "what training adds is not known"]),
        ([0.9, 0.9, 0.9, 0.9, 0.9, 0.95], UNTRAINED, ["whether smoothness falls with depth is not decided"]),
    ],
)
def test_verdict_says_not_decided(strengths: list[float], untrained: list[float] | None, words: list[str]) -> None:
    verdict = judge_depth(measure(strengths, untrained))
    assert verdict.holds is None
    for text in ["is not decided on these data", *words]:
        assert text in verdict.text


def test_nothing_is_read_from_noise() -> None:
    verdict = judge_depth(measure([0.0] * 6, [0.0] * 6))
    assert verdict.holds is not True
    assert all(test.answer is not True for test in verdict.tests)


def test_verdict_needs_depth() -> None:
    with pytest.raises(GraphError, match="at least two layers"):
        judge_depth(measure(FALLING[:2], None))


def test_without_subjects_it_says_so() -> None:
    text = judge_depth(measure(FALLING, groups=None)).text
    assert "subjects are not known" in text
    assert "whoever performed them" in text


def test_a_geometry_from_disk_is_judged_the_same(falling: LayerGeometry, tmp_path: Path) -> None:
    falling.save(tmp_path / "geometry")
    again, first = judge_depth(LayerGeometry.load(tmp_path / "geometry")), judge_depth(falling)
    assert again.text == first.text
    assert again.numbers == first.numbers


DAYS = np.arange(len(LABELS)) % 3


def test_neighbours_are_called_by_their_group() -> None:
    made = measure(FALLING, groups=DAYS, group="day")
    assert made.neighbours == "other days"
    assert set(made.table["neighbours"]) == {"other days", "all"}
    text = judge_depth(made).text
    assert "Counting only neighbours of other days" in text
    assert "If neighbours of the same day count too" in text
    assert "leaving out one of 3 days at a time" in text
    assert "so few days say little about others" in text
    assert "subject" not in text


@pytest.mark.parametrize(
    ("groups", "resample", "parts", "said"),
    [
        (PEOPLE, None, PEOPLE, "leaving out one of 4 subjects at a time"),
        (None, PEOPLE, PEOPLE, "leaving out one of 4 subjects at a time"),
        (DAYS, PEOPLE, PEOPLE, "leaving out one of 4 subjects at a time"),
        (PEOPLE, "recordings", None, "leaving out one of 20 random parts of the recordings at a time"),
        (None, None, None, "subjects are not known"),
    ],
)
def test_what_is_left_out_is_a_question_of_its_own(
    tmp_path: Path, groups: np.ndarray | None, resample: object, parts: np.ndarray | None, said: str
) -> None:
    made = measure(FALLING, groups=groups, resample=resample)
    made.save(tmp_path / "geometry")
    for geometry in (made, LayerGeometry.load(tmp_path / "geometry")):
        np.testing.assert_array_equal(geometry.parts, deletion_groups(len(LABELS), groups=parts))
        assert said in judge_depth(geometry).text
        without = [geometry.node_values_without()[-1, part, geometry.parts != part].mean() for part in range(4)]
        expected = Jackknife(geometry.parts).of(geometry.node_values()[-1].mean(), without)
        if parts is not None:
            assert tuple(geometry.curve().iloc[-1][["low", "high"]]) == pytest.approx((expected.low, expected.high))
