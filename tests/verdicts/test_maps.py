"""Sentences on maps say what the numbers say, and intervals decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stgcnlib.explain import MapEvaluation
from stgcnlib.verdicts import Outcome, describe_relevance, judge_maps

BETTER = {
    "area": 0.3, "low": 0.2, "high": 0.4, "random": 0.6, "random_low": 0.5, "random_high": 0.7, "motion": 0.5,
    "motion_low": 0.4, "motion_high": 0.6, "beats_random": 0.3, "beats_random_low": 0.2, "beats_random_high": 0.4,
    "beats_motion": 0.2, "beats_motion_low": 0.1, "beats_motion_high": 0.3,
}  # fmt: skip


def evaluation(**changes: Any) -> MapEvaluation:
    """Two layers where everything that was expected came true; `changes` are columns of the last rows, by table."""
    layers = pd.DataFrame({"layer": ["a", "b"], "title": ["layer 1", "layer 2"], "index": [1, 2]})
    summary = pd.concat(
        layers.assign(unit=unit, mode=mode, **BETTER)
        for unit in ("joints", "frames", "joint-frames")
        for mode in ("deletion", "insertion")
    ).reset_index(drop=True)
    random = pd.concat(
        layers.assign(
            step=step, randomised=str(step), correlation=value, low=value - 0.1, high=value + 0.1, signed=value / 2,
            similarity=value, chance=0.1, pairs=10, empty=0,
        )
        for step, value in ((0, 1.0), (1, 0.4), (2, 0.1))
    ).reset_index(drop=True)  # fmt: skip
    tables = {
        "curves": pd.DataFrame(), "areas": pd.DataFrame(), "summary": summary, "random": random,
        "contrast": layers.assign(correlation=0.2, low=0.1, high=0.3, empty=0),
        "stable": layers.assign(correlation=0.99, low=0.98, high=0.995, empty=0),
        "smoothness": layers.assign(
            k=3, maps=[0.6, 0.3], maps_low=[0.55, 0.25], maps_high=[0.65, 0.35], features=[0.6, 0.2],
            fall=[0.0, 0.3], fall_low=[0.0, 0.2], fall_high=[0.0, 0.4],
        ),
        "arms": layers.assign(label=-1, share=[0.2, 0.5], low=[0.1, 0.4], high=[0.3, 0.6], even=0.2),
    }  # fmt: skip
    tables["arms"] = pd.concat([tables["arms"], tables["arms"].assign(label=0)])
    for name, columns in changes.items():
        rows = tables[name]["index"] == 2
        tables[name] = tables[name].copy()
        for column, value in columns.items():
            tables[name].loc[rows, column] = value
    return MapEvaluation(**tables)


def said(word: str, **changes: Any) -> Outcome:
    (found,) = [f for f in judge_maps(evaluation(**changes)) if word in f.question]
    return found


def test_all_that_was_expected_came_true() -> None:
    found = judge_maps(evaluation())
    assert [f.holds for f in found] == [True] * 9
    assert all(f.sentence.count(".") == 1 and f.sentence.endswith(".") for f in found)
    assert all(test.answer for f in found for test in f.tests)
    assert [len(f.tests) for f in found] == [3, 3, 3, 3, 1, 1, 1, 1, 1]
    text = " ".join(f.text for f in found)
    for words in (
        "In deletion, maps of layer 2 against random maps: better for joints, frames, and joint-frames.",
        "In insertion, maps of layer 2 against the joints' motion energy: better for joints, frames, and joint-frames.",
        "joints 0.300 (0.200 to 0.400) against 0.600 (0.500 to 0.700)",
        "better beyond their intervals at 2 for joints, 2 for frames, and 2 for joint-frames.",
        "no layer's maps resemble the trained ones", "0.10 for maps moved to random places",
        "every layer's maps stay as they are", "0.60 (0.55 to 0.65) at layer 1 and 0.30 (0.25 to 0.35) at layer 2",
        "of the features 0.60 and 0.20", "50% (40% to 60%) of the relevance of layer 2", "in 1 of 1.",
    ):  # fmt: skip
        assert words in text, words
    assert "What stays" not in text
    assert "Left out" not in text


@pytest.mark.parametrize(
    ("word", "changes", "holds", "words"),
    [
        ("than by random", {"summary": {"beats_random_low": -0.1}}, None, "not decided for joints, frames"),
        ("than by random", {"summary": {"beats_random_high": 0.01}}, True, "better for"),
        (
            "than by random",
            {"summary": {"beats_random_low": -0.1, "beats_random_high": 0.01}},
            False,
            "no better for joints",
        ),
        ("than by the joints", {"summary": {"beats_motion_low": -0.1}}, None, "motion energy: not decided for joints"),
        (
            "than by the joints",
            {"summary": {"beats_motion_low": -0.3, "beats_motion_high": -0.1}},
            False,
            "no better for joints, frames, and joint-frames",
        ),
        ("differ", {"contrast": {"low": 0.4, "high": 0.6}}, None, "this is not decided"),
        ("differ", {"contrast": {"low": 0.5, "high": 0.6}}, False, "are much alike"),
        ("differ", {"contrast": {"empty": 2}}, True, "Left out because a map has no relevance: 2."),
        (
            "random, no",
            {"random": {"correlation": 0.9, "low": 0.8, "high": 0.95}},
            False,
            "the maps of layer 2 still resemble the trained ones",
        ),
        ("random, no", {"random": {"correlation": 0.4, "high": 0.6}}, None, "it is not decided whether"),
        ("random, no", {"random": {"empty": 5}}, True, "Left out because a map has no relevance: 5 of 25."),
        ("jitter", {"stable": {"correlation": 0.98, "low": 0.3}}, None, "it is not decided"),
        ("jitter", {"stable": {"correlation": 0.2, "low": 0.1, "high": 0.3}}, False, "the maps of layer 2 change"),
        ("explained more alike", {"smoothness": {"fall_low": -0.1}}, None, "this is not decided"),
        (
            "explained more alike",
            {"smoothness": {"fall": 0.0, "fall_low": -0.05, "fall_high": 0.05}},
            False,
            "no more alike by layer 2",
        ),
        ("one-armed", {"arms": {"low": 0.1}}, None, "50% (10% to 60%)"),
        ("one-armed", {"arms": {"share": 0.1, "low": 0.05, "high": 0.15}}, False, "has less relevance"),
    ],
)
def test_what_did_not_come_true_is_said(word: str, changes: dict[str, Any], holds: bool | None, words: str) -> None:
    found = [f for f in judge_maps(evaluation(**changes)) if word in f.question]
    assert {f.holds for f in found} == {holds}
    assert all(words in f.text for f in found)


def test_a_weak_layer_in_between_is_found() -> None:
    """The worst layer decides on jitter and on random weights, wherever it lies."""
    made = evaluation()
    stable = made.stable.copy()
    stable.loc[stable["index"] == 1, ["correlation", "low", "high"]] = (0.3, 0.2, 0.4)
    (found,) = [f for f in judge_maps(replace(made, stable=stable)) if "jitter" in f.question]
    assert found.holds is False
    assert "at layer 1: 0.30" in found.text


def test_units_are_told_apart() -> None:
    made = evaluation()
    summary = made.summary.copy()
    summary.loc[(summary["unit"] == "frames") & (summary["index"] == 2), "beats_random_low"] = -0.1
    found = [f for f in judge_maps(replace(made, summary=summary)) if "than by random" in f.question]
    assert [f.holds for f in found] == [None, None]
    assert "better for joints, and joint-frames; not decided for frames." in found[0].sentence
    assert "at 2 for joints, 1 for frames, and 2 for joint-frames" in found[0].details


def test_without_one_armed_actions_nothing_is_said_of_arms() -> None:
    made = evaluation()
    (found,) = [f for f in judge_maps(replace(made, arms=made.arms.iloc[:0])) if "one-armed" in f.question]
    assert found.holds is None
    assert "could not be asked" in found.text


def test_maps_that_are_all_empty_decide_nothing() -> None:
    made = evaluation()
    random = made.random.copy()
    random.loc[random["step"] == 2, ["correlation", "low", "high", "signed", "similarity"]] = float("nan")
    random.loc[random["step"] == 2, ["pairs", "empty"]] = (0, 10)
    (found,) = [f for f in judge_maps(replace(made, random=random)) if "random, no" in f.question]
    assert found.holds is None
    assert "no layer has a map left to compare" in found.sentence
    assert "20 of 20" in found.details


def test_relevance_by_body_part_names_limbs_and_direction() -> None:
    rows = []
    for index, arm in enumerate([0.2, 0.2, 0.4, 0.5, 0.6, 0.7], start=1):
        rows.append({"index": index, "limb": "right arm", "share": arm, "even": 0.2})
        rows.append({"index": index, "limb": "rest", "share": 1 - arm, "even": 0.8})
    text = describe_relevance(pd.DataFrame(rows))
    assert "has the most relevance at the early layers (1 to 2)" in text
    assert "the right arm (65% of the relevance on 20% of the joints) at the late layers (5 to 6)" in text
    assert "rises from 20% to 65%" in text or "falls from 80% to 35%" in text
    assert "Late maps are more uneven than early ones: 45% and 0%" in text
    arm = pd.DataFrame(rows).assign(share=lambda t: np.where(t["limb"] == "rest", 0.3, 0.7))
    same = describe_relevance(arm)
    assert "the right arm has the most relevance at the early layers (1 to 2) and at the late layers (5 to 6) (" in same
    assert "(70% and 70% of the relevance on 20% of the joints)" in same
    flat = pd.DataFrame(rows).assign(share=lambda t: t["even"])
    assert "no part's share changes by 5 points" in describe_relevance(flat)
    assert "names no body parts" in describe_relevance(flat.iloc[:0])
    assert "cannot be compared" in describe_relevance(flat[flat["index"] == 1])


def test_a_layer_without_maps_is_not_the_one_with_the_largest_correlation() -> None:
    """All maps of layer 2 are without relevance once all weights are random."""
    made = evaluation()
    random = made.random.copy()
    random.loc[(random["index"] == 2) & (random["step"] == 2), ["correlation", "low", "high"]] = np.nan
    (found,) = [f for f in judge_maps(replace(made, random=random)) if "random, no" in f.question]
    assert "The largest absolute rank correlation is at layer 1: 0.10 (0.00 to 0.20)" in found.text
    assert found.tests[0].question == "maps of layer 1 are lost"


def test_the_layer_that_is_shown_is_one_that_decides() -> None:
    """Layer 1 is kept for certain; layer 2 has a larger correlation and is not decided."""
    made = evaluation()
    random, end = made.random.copy(), made.random["step"] == 2
    random.loc[end & (random["index"] == 1), ["correlation", "low", "high"]] = [0.55, 0.52, 0.58]
    random.loc[end & (random["index"] == 2), ["correlation", "low", "high"]] = [0.60, 0.40, 0.80]
    (found,) = [f for f in judge_maps(replace(made, random=random)) if "random, no" in f.question]
    assert found.holds is False
    assert (found.tests[0].question, found.tests[0].low) == ("maps of layer 1 are lost", 0.52)


def limbs(
    early: dict[str, float], late: dict[str, float], even: float, layers: tuple[int, ...] = (1, 2)
) -> pd.DataFrame:
    rows = [
        {"index": index, "limb": limb, "share": share, "even": even}
        for place, index in enumerate(layers)
        for limb, share in (early if place < len(layers) / 2 else late).items()
    ]
    return pd.DataFrame(rows)


def test_joints_of_no_body_part_count_as_one_more_part() -> None:
    """Twenty joints, of which two are named parts: an even share on both leaves 90% elsewhere."""
    table = limbs({"a": 0.5, "b": 0.5}, {"a": 0.05, "b": 0.05}, 0.05)
    assert "Late maps are less uneven than early ones: 0% and 90% of the relevance" in describe_relevance(table)


def test_layers_are_named_by_their_own_numbers() -> None:
    parts = {"a": 0.4, "b": 0.6}
    said = describe_relevance(limbs(parts, parts, 0.5, (2, 4, 6, 8, 9, 10)))
    assert "the early layers (2 to 4)" in said
    assert "the late layers (9 to 10)" in said
    assert "the first layer (4)" in describe_relevance(limbs(parts, parts, 0.5, (4, 7, 10)))
