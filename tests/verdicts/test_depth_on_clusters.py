"""The verdict on depth on planted clusters whose classes part with depth, or do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_layers import FALLING, UNTRAINED, measure

from stgcnlib.errors import GraphError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.verdicts import Outcome, judge_depth


@pytest.fixture(scope="module")
def falling() -> LayerGeometry:
    return measure(FALLING)


def test_verdict_says_yes_on_a_falling_curve(falling: LayerGeometry) -> None:
    verdict = judge_depth(falling)
    assert isinstance(verdict, Outcome)
    assert verdict.holds is True
    assert all(verdict.numbers["tests"].values())
    assert "holds on these data." in verdict.text
    main = falling.curve()
    for value in (main["smoothness"].iloc[0], main["smoothness"].iloc[-1], verdict.numbers["untrained_last"]):
        assert f"{value:.2f}" in verdict.text
    assert "4 subjects" in verdict.text
    assert "neighbours by the same subject" in verdict.text
    assert "\n" not in verdict.text


@pytest.mark.parametrize(
    ("strengths", "untrained", "words"),
    [
        ([0.9] * 6, UNTRAINED, ["training keeps what the untrained layers lose", "not clearly below the input"]),
        ([1.6, 1.4, 1.2, 0.8, 0.6, 0.4], UNTRAINED, ["rises by", "rises from the early layers to the last"]),
        ([0.2, 1.6, 1.6, 1.2, 0.9, 0.7], UNTRAINED, ["rises from the early layers", "by", "of the input's value"]),
        ([0.0] * 6, [0.0] * 6, ["no better than chance", "within the range of shuffled labels"]),
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
        (FALLING, None, ["only in part", "the control is missing", "what training adds is not known"]),
        (FALLING, FALLING, ["only in part", "the untrained network does as well"]),
        ([0.4, 1.4, 1.5, 1.5, 1.6, 2.0], UNTRAINED, ["only in part", "in the early layers already"]),
    ],
)
def test_verdict_says_in_part(strengths: list[float], untrained: list[float] | None, words: list[str]) -> None:
    verdict = judge_depth(measure(strengths, untrained))
    assert verdict.holds is None
    for text in words:
        assert text in verdict.text


def test_verdict_needs_depth() -> None:
    with pytest.raises(GraphError, match="at least two layers"):
        judge_depth(measure(FALLING[:2], None))


def test_without_subjects_it_says_so() -> None:
    text = judge_depth(measure(FALLING, groups=None)).text
    assert "subjects are not known" in text
    assert "whoever performed them" in text


def test_a_geometry_from_disk_is_judged_the_same(falling: LayerGeometry, tmp_path: Path) -> None:
    falling.save(tmp_path / "geometry")
    assert judge_depth(LayerGeometry.load(tmp_path / "geometry")) == judge_depth(falling)
