"""Sentences on maps say what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from stgcnlib.explain import MapEvaluation
from stgcnlib.verdicts import describe_gaze, judge_maps
from stgcnlib.verdicts.maps import _deletion


def evaluation(**changes: Any) -> MapEvaluation:
    """Two layers where everything that was expected came true; `changes` are columns of the last rows, by table."""
    layers = pd.DataFrame({"layer": ["a", "b"], "title": ["layer 1", "layer 2"], "index": [1, 2]})
    tested = {"area": 0.3, "low": 0.2, "high": 0.4, "random": 0.6, "random_low": 0.5, "random_high": 0.7}
    tested |= {"difference": 0.3, "apart": True, "better": True}
    summary = pd.concat(
        layers.assign(unit=unit, mode=mode, **tested)
        for unit in ("joints", "frames", "joint-frames")
        for mode in ("deletion", "insertion")
    ).reset_index(drop=True)
    random = pd.concat(
        layers.assign(step=step, randomised=str(step), correlation=value, similarity=value)
        for step, value in ((0, 1.0), (1, 0.4), (2, 0.1))
    ).reset_index(drop=True)
    tables = {
        "curves": pd.DataFrame(), "areas": pd.DataFrame(), "summary": summary, "random": random,
        "contrast": layers.assign(correlation=0.2, low=0.1, high=0.3),
        "stable": layers.assign(correlation=0.99, low=0.98, high=0.995),
        "smoothness": layers.assign(
            maps=[0.6, 0.3], maps_low=[0.55, 0.25], maps_high=[0.65, 0.35], features=[0.6, 0.2]
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


def said(word: str, **changes: Any) -> Any:
    (found,) = [f for f in judge_maps(evaluation(**changes)) if word in f.question]
    return found


def test_all_that_was_expected_came_true() -> None:
    found = judge_maps(evaluation())
    assert [f.holds for f in found] == [True] * len(found)
    text = " ".join(f.text for f in found)
    for words in (
        "with intervals apart: area 0.300 (0.200 to 0.400) against 0.600 (0.500 to 0.700)",
        "Intervals are apart at 2 of 2 layers.", "beats random maps for every unit", "every layer's maps are lost",
        "stay as they are", "0.60 (0.55 to 0.65) at layer 1 and 0.30 (0.25 to 0.35) at layer 2",
        "features 0.60 and 0.20", "50% (40% to 60%) of the relevance of layer 2", "in 1 of the 1.",
    ):  # fmt: skip
        assert words in text, words
    assert "What stays" not in text


@pytest.mark.parametrize(
    ("word", "changes", "holds", "words"),
    [
        ("Deleting joints", {"summary": {"apart": False}}, None, "the two intervals overlap"),
        ("Deleting joints", {"summary": {"apart": False, "better": False}}, False, "not surely better"),
        ("Deleting joints", {"summary": {"apart": False, "better": False, "difference": -0.1}}, False, "no better"),
        ("Putting back", {"summary": {"better": False}}, False, "beats random maps for no unit"),
        ("differ", {"contrast": {"low": 0.4, "high": 0.6}}, None, "not surely enough"),
        ("differ", {"contrast": {"low": 0.5, "high": 0.6}}, False, "are much alike"),
        ("random", {"random": {"correlation": 0.9}}, False, "maps of layer 2 stay (correlation 0.90)"),
        ("jitter", {"stable": {"low": 0.3}}, True, "stay as they are: lowest at layer 1"),
        ("jitter", {"stable": {"correlation": 0.98, "low": 0.3}}, None, "stay on average"),
        ("jitter", {"stable": {"correlation": 0.2, "low": 0.1}}, False, "do not all stay"),
        ("explained more alike", {"smoothness": {"maps": 0.5, "maps_high": 0.6}}, None, "0.50"),
        ("explained more alike", {"smoothness": {"maps": 0.6, "maps_high": 0.65}}, False, "0.60"),
        ("one-armed", {"arms": {"low": 0.1}}, None, "50% (10% to 60%)"),
        ("one-armed", {"arms": {"share": 0.2, "low": 0.1}}, False, "20% (10% to 60%)"),
    ],
)
def test_what_did_not_come_true_is_said(word: str, changes: dict[str, Any], holds: bool | None, words: str) -> None:
    found = [f for f in judge_maps(evaluation(**changes)) if word in f.question and words in f.text]
    assert [f.holds for f in found] == [holds]


def test_some_units_are_named() -> None:
    made = evaluation()
    summary = made.summary.copy()
    summary.loc[(summary["unit"] == "frames") & (summary["index"] == 2), "better"] = False
    (found,) = [f for f in judge_maps(replace(made, summary=summary)) if "Putting back" in f.question]
    assert found.holds is False
    assert "beats random maps for joints, joint-frames only" in found.text


def test_without_one_armed_actions_nothing_is_said_of_arms() -> None:
    made = evaluation()
    (found,) = [f for f in judge_maps(replace(made, arms=made.arms.iloc[:0])) if "one-armed" in f.question]
    assert found.holds is None
    assert "could not be asked" in found.text


def test_deleting_by_worse_maps_is_no_better() -> None:
    row = {
        "layer": "b", "title": "layer 2", "index": 2, "unit": "joints", "mode": "deletion", "area": 0.6, "low": 0.5,
        "high": 0.7, "random": 0.5, "random_low": 0.4, "random_high": 0.6, "difference": -0.1, "apart": False,
        "better": False,
    }  # fmt: skip
    said = _deletion(pd.DataFrame([row]), "joints")
    assert said.holds is False
    assert "is no better than random maps: area 0.600" in said.text


def test_gaze_names_limbs_and_direction() -> None:
    rows = []
    for index, arm in enumerate([0.2, 0.2, 0.4, 0.5, 0.6, 0.7], start=1):
        rows.append({"index": index, "limb": "right arm", "share": arm, "even": 0.2})
        rows.append({"index": index, "limb": "rest", "share": 1 - arm, "even": 0.8})
    text = describe_gaze(pd.DataFrame(rows))
    assert "The early layers (1 to 2) look most at" in text
    assert "the late ones (5 to 6) look most at the right arm (65% of the relevance on 20% of the joints)" in text
    assert "from 20% to 65%" in text or "from 80% to 35%" in text
    flat = pd.DataFrame(rows).assign(share=lambda t: t["even"])
    assert "does not move the gaze" in describe_gaze(flat)
    assert "names no body parts" in describe_gaze(flat.iloc[:0])
    assert "cannot be compared" in describe_gaze(flat[flat["index"] == 1])
