"""The evaluation of maps is its parts by hand, and its sentences say what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_network import TinyNetwork

from stgcnlib.dtw import DTWOptions
from stgcnlib.explain import (
    Faithfulness,
    MapEvaluation,
    contrastivity,
    evaluate_maps,
    faithfulness,
    findings,
    grad_cam_set,
    limb_shares,
    map_smoothness,
    one_armed,
    randomisation,
    stability,
)
from stgcnlib.explain.checks import rank_correlation
from stgcnlib.explain.limbs import limb_share
from stgcnlib.geometry.uncertainty import bootstrap_counts, bootstrap_means, interval
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout

PEOPLE = np.arange(9) // 3
DAYS = np.arange(9) % 4


@pytest.fixture(scope="module")
def data() -> SequenceSet:
    """Nine recordings, three of each of three people; class 0 waves the right arm, class 1 the left, class 2 both."""
    rng = np.random.default_rng(5)
    limbs, coords = layout("kinect-v1").limbs, []
    for label in np.arange(9) % 3:
        T = int(rng.integers(14, 20))
        points = rng.normal(size=(1, 20, 3)) + 0.05 * rng.normal(size=(T, 20, 3))
        for arm, classes in (("right arm", (0, 2)), ("left arm", (1, 2))):
            if label in classes:
                points[:, list(limbs[arm]), 1] += np.sin(np.arange(T))[:, None]
        coords.append(points.astype(np.float32))
    return SequenceSet(
        coords, labels=np.arange(9) % 3, layout="kinect-v1", class_names=["right", "left", "both"],
        groups={"subject": PEOPLE},
    )  # fmt: skip


@pytest.mark.parametrize(("grouped", "resample"), [(True, None), (False, None), (True, DAYS), (True, "recordings")])
def test_an_evaluation_is_its_parts_by_hand(data: SequenceSet, grouped: bool, resample: Any) -> None:
    network, seed = TinyNetwork().eval(), 11
    maps: Any = grad_cam_set(network, data, target="true", signed=True)
    groups = PEOPLE if grouped else None
    far = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    features = {name: np.triu(far, 1) + np.triu(far, 1).T for name in maps[0]}
    made = evaluate_maps(
        network, data, maps, reference=data.select(range(6)), feature_distances=features, groups=groups,
        resample=resample, units=["joints"], replacement="interpolation", sequences=4, steps=3, draws=2, jitter=0.3, k=3, seed=seed,
        dtw={"window": 2},
    )  # fmt: skip
    few = [0, 3, 4, 8]  # in turn from each class, first of another person each
    some, chosen = data.select(few), [maps[i] for i in few]
    drawn = DAYS[few] if resample is DAYS else resample
    tested = faithfulness(
        network, some, chosen, reference=data.select(range(6)), units=["joints"], replacement="interpolation", steps=3,
        draws=2, groups=None if groups is None else groups[few], resample=drawn, seed=seed,
    )  # fmt: skip
    expected = MapEvaluation(
        curves=tested.curves, areas=tested.areas, summary=tested.summary(seed=seed),
        contrast=contrastivity(network, some, resample=drawn, seed=seed),
        random=randomisation(network, some, chosen, seed=seed),
        stable=stability(network, some, chosen, jitter=0.3, resample=drawn, seed=seed),
        smoothness=map_smoothness(
            maps, data.labels, k=3, groups=groups, resample=resample, feature_distances=features, seed=seed,
            dtw=DTWOptions(window=2),
        ),
        arms=limb_shares(maps, data, one_armed(data.select(range(6))), groups=groups, resample=resample, seed=seed),
    )  # fmt: skip
    assert set(made.areas["recording"]) == set(range(4))
    for name in made.__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(made, name), getattr(expected, name))


@pytest.mark.parametrize(("resample", "drawn"), [(None, PEOPLE), (DAYS, DAYS), ("recordings", None)])
def test_intervals_resample_what_is_named(data: SequenceSet, resample: Any, drawn: Any) -> None:
    maps: Any = grad_cam_set(TinyNetwork().eval(), data, target="true", signed=True)
    members = np.flatnonzero(data.labels == 0)
    shares = limb_share([maps[i] for i in members], data.layout, "right arm")
    shares = shares[shares["index"] == shares["index"].max()]["share"]
    counts = bootstrap_counts(len(members), groups=None if drawn is None else drawn[members], seed=3)
    table = limb_shares(maps, data, {0: "right arm"}, groups=PEOPLE, resample=resample, seed=3)
    row = table[table["label"] == 0].sort_values("index").iloc[-1]
    assert (row["low"], row["high"]) == pytest.approx(interval(bootstrap_means(shares, counts)))


def areas(area: np.ndarray, random: np.ndarray, groups: np.ndarray | None, mode: str = "deletion") -> Faithfulness:
    table = pd.DataFrame({"area": area, "random": random, "recording": np.arange(len(area)), "group": groups})
    fixed = {"layer": "a", "title": "layer 1", "index": 1, "unit": "joints", "mode": mode}
    return Faithfulness(pd.DataFrame(), table.assign(**fixed))


def test_intervals_of_areas_are_over_people_where_they_are_known() -> None:
    """Eight people who differ: their recordings are no independent draws, and the intervals are wider for it."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(8), 12)
    area = 0.5 + 0.1 * rng.normal(size=8)[people] + 0.01 * rng.normal(size=96)
    alone = areas(area, area + 0.05, None).summary().iloc[0]
    known = areas(area, area + 0.05, people).summary().iloc[0]
    one = areas(area, area + 0.05, np.zeros(96, int)).summary().iloc[0]
    assert known["area"] == alone["area"] == pytest.approx(area.mean())
    assert known["high"] - known["low"] > 2.5 * (alone["high"] - alone["low"])
    assert (one["low"], one["high"]) == (alone["low"], alone["high"])  # of one person nothing else can be drawn
    assert known["difference_low"] == pytest.approx(0.05)
    assert known["difference_high"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("mode", "area", "random", "apart", "better"),
    [
        ("deletion", 0.3, 0.6, True, True),
        ("deletion", 0.6, 0.3, False, False),
        ("insertion", 0.6, 0.3, True, True),
        ("insertion", 0.3, 0.6, False, False),
        ("insertion", 0.51, 0.5, False, True),
        ("deletion", 0.5, 0.51, False, True),
    ],
)
def test_better_means_less_left_by_deletion_and_more_by_insertion(
    mode: str, area: float, random: float, apart: bool, better: bool
) -> None:
    scatter = 0.1 * np.random.default_rng(0).normal(size=40)
    row = areas(area + scatter, random + scatter, None, mode).summary().iloc[0]
    assert row["difference"] == pytest.approx(abs(area - random) * (1 if better else -1))
    assert (row["apart"], row["better"]) == (apart, better)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_rank_correlation_of_few_values(size: int) -> None:
    assert rank_correlation(np.arange(size), 5 + 1e-9 * np.arange(size)) == pytest.approx(1)
    assert rank_correlation(np.arange(size), -np.arange(size)) == pytest.approx(-1)


# -- sentences ----------------------------------------------------------------------------------


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
    (found,) = [f for f in findings(evaluation(**changes)) if word in f.expectation]
    return found


def test_all_that_was_expected_came_true() -> None:
    found = findings(evaluation())
    assert [f.met for f in found] == [True] * len(found)
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
    ("word", "changes", "met", "words"),
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
def test_what_did_not_come_true_is_said(word: str, changes: dict[str, Any], met: bool | None, words: str) -> None:
    found = [f for f in findings(evaluation(**changes)) if word in f.expectation and words in f.text]
    assert [f.met for f in found] == [met]


def test_some_units_are_named() -> None:
    made = evaluation()
    summary = made.summary.copy()
    summary.loc[(summary["unit"] == "frames") & (summary["index"] == 2), "better"] = False
    (found,) = [f for f in findings(replace(made, summary=summary)) if "Putting back" in f.expectation]
    assert found.met is False
    assert "beats random maps for joints, joint-frames only" in found.text
