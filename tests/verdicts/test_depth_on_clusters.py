"""The verdict on depth on planted clusters whose classes part with depth, or do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_layers import FALLING, LABELS, PEOPLE, UNTRAINED, measure

from stgcnlib.errors import GraphError
from stgcnlib.geometry import LayerGeometry, bootstrap_counts
from stgcnlib.geometry.uncertainty import bootstrap_means, interval
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


DAYS = np.arange(len(LABELS)) % 3


def test_neighbours_are_called_by_their_group() -> None:
    made = measure(FALLING, groups=DAYS, group="day")
    assert made.neighbours == "other days"
    assert set(made.table["neighbours"]) == {"other days", "all"}
    text = judge_depth(made).text
    assert "Counting only neighbours of other days" in text
    assert "If neighbours of the same day count too" in text
    assert "the 3 days and their recordings" in text
    assert "so few days say little about others" in text
    assert "subject" not in text


@pytest.mark.parametrize(
    ("groups", "resample", "drawn", "said"),
    [
        (PEOPLE, None, PEOPLE, "the 4 subjects and their recordings"),
        (None, PEOPLE, PEOPLE, "the 4 subjects and their recordings"),
        (DAYS, PEOPLE, PEOPLE, "the 4 subjects and their recordings"),
        (PEOPLE, "recordings", None, "of recordings as if independent, with the graphs held fixed."),
        (None, None, None, "with the graphs held fixed; subjects are not known."),
    ],
)
def test_what_is_resampled_is_a_question_of_its_own(
    tmp_path: Path, groups: np.ndarray | None, resample: object, drawn: np.ndarray | None, said: str
) -> None:
    made = measure(FALLING, groups=groups, resample=resample)
    made.save(tmp_path / "geometry")
    for geometry in (made, LayerGeometry.load(tmp_path / "geometry")):
        expected = bootstrap_counts(len(LABELS), draws=300, groups=drawn)
        np.testing.assert_array_equal(geometry.resamples(), expected)
        assert judge_depth(geometry).text.endswith(("others.", said))
        assert said.removesuffix(".") in judge_depth(geometry).text
        means = bootstrap_means(geometry.node_values()[-1], expected)
        assert tuple(geometry.curve().iloc[-1][["low", "high"]]) == pytest.approx(interval(means))
