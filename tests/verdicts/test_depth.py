"""The rules of the verdict on depth, each decided by planted curves, and its words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stgcnlib.errors import GraphError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.verdicts import judge_depth
from stgcnlib.verdicts.depth import depth_of_half, steps

NODES, SUBJECTS = 80, 8


def geometry(
    levels: Sequence[float],
    *,
    untrained: Sequence[float] | None = None,
    more: Sequence[Sequence[float]] = (),
    null: tuple[float, float] = (0.85, 0.95),
    spread: float = 0.002,
    everyone: Sequence[float] | None = None,
    subjects: bool = True,
) -> LayerGeometry:
    """Curves of exactly these means; nodes scatter independently by `spread`, and values do not depend on others."""
    rng = np.random.default_rng(0)
    nodes, rows, left_out, main = [], [], {}, "other subjects" if subjects else "all"
    curves = [("trained", main, levels), ("untrained", main, untrained or [])]
    curves += [(f"trained-{n}", main, values) for n, values in enumerate(more, 2)]
    if subjects:
        curves += [(network, "all", everyone or values) for network, _, values in curves if network != "untrained"]
    groups = np.arange(NODES) % SUBJECTS if subjects else None
    for network, neighbours, values in curves:
        for index, level in enumerate(values):
            scatter = rng.normal(size=NODES)
            scatter = level + spread * (scatter - scatter.mean())
            layer = f"block.{index}" if index else "input"
            key = {"layer": layer, "index": index, "network": network, "neighbours": neighbours}
            nodes += [{**key, "node": n, "smoothness": value} for n, value in enumerate(scatter)]
            title = f"layer {index}" if index else "input"
            nulls = {"null_mean": sum(null) / 2, "null_low": null[0], "null_high": null[1]}
            rows.append({**key, "title": title, "smoothness": level, **nulls})
            left_out[(layer, network, neighbours)] = np.tile(scatter, (SUBJECTS if subjects else 20, 1))
    settings = {"confidence": 0.95, "seed": 0}
    labels = np.zeros(NODES, dtype=np.int64)
    tables = pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(nodes)
    return LayerGeometry(*tables, {}, labels, groups, settings, left_out=left_out)


def ladder(*levels: float) -> list[float]:
    return list(levels)


LINE = np.linspace(0.6, 0.2, 11).tolist()
STEP = [0.6] * 4 + [0.2] * 7
LATE = [0.6] * 8 + [0.45, 0.3, 0.2]
EARLY = [0.6, 0.35, *[0.2] * 9]
FACTORS = (0.6 * 0.85 ** np.arange(11)).tolist()  # every layer takes the same share
FLAT = [0.6] * 11
WORSE = [0.7] * 11
YES, NO = True, False

# name: curve, options, then answers to: falls, falls late, below untrained, below shuffled; does the claim hold
CASES = {
    "a straight line falls, not late": (LINE, {}, YES, NO, YES, YES, NO),
    "a step at layer 4 of 10 is not late": (STEP, {}, YES, NO, YES, YES, NO),
    "a late fall is late": (LATE, {}, YES, YES, YES, YES, YES),
    "an early fall is not late": (EARLY, {}, YES, NO, YES, YES, NO),
    "equal factors are not late": (FACTORS, {}, YES, NO, YES, YES, NO),
    "flat": (FLAT, {}, NO, None, YES, YES, NO),
    "a rise": (LINE[::-1], {}, NO, None, YES, YES, NO),
    "a sure fall of 5% is none": ([0.6] * 10 + [0.57], {}, NO, None, YES, YES, NO),
    "a sure fall of 15% is one": ([0.6] * 9 + [0.55, 0.51], {}, YES, YES, YES, YES, YES),
    "no control": (LATE, {"untrained": None}, YES, YES, None, YES, None),
    "the control does as well": (LATE, {"untrained": LATE}, YES, YES, NO, YES, NO),
    "the control does better": (LATE, {"untrained": [0.1] * 11}, YES, YES, NO, YES, NO),
    "within shuffled labels": (LATE, {"null": (0.1, 0.7)}, YES, YES, YES, None, None),
    "as shuffled labels": (LATE, {"null": (0.19, 0.21)}, YES, YES, YES, NO, NO),
    "three layers, late": (ladder(0.6, 0.6, 0.3), {}, YES, YES, YES, YES, YES),
    "noise hides a fall": (ladder(0.32, 0.32, 0.31, 0.30, 0.27, 0.24), {"spread": 0.5}, None, None, YES, YES, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rules(case: tuple) -> None:
    levels, options, *answers, holds = case
    verdict = judge_depth(geometry(levels, **{"untrained": WORSE[: len(levels)], **options}))
    assert [test.answer for test in verdict.tests] == answers
    assert verdict.holds is holds


def test_the_answer_changes_where_the_fall_becomes_late() -> None:
    """Half done at 0.55 of the depth is not late; at 0.65 it is."""
    places = np.linspace(0, 1, 11)
    found = {}
    for where in (0.55, 0.65):
        levels = np.interp(places, [0, where - 0.15, where + 0.15, 1], [0.6, 0.6, 0.2, 0.2]).tolist()
        found[where] = judge_depth(geometry(levels, untrained=WORSE)).tests[1]
        assert found[where].value == pytest.approx(where, abs=0.02)
    assert [found[where].answer for where in (0.55, 0.65)] == [False, True]


def test_a_true_fall_in_few_recordings_is_not_refused() -> None:
    """0.32 to 0.24 with much scatter: not decided, where an earlier rule said that it does not hold."""
    verdict = judge_depth(geometry(ladder(0.32, 0.32, 0.31, 0.30, 0.27, 0.24), untrained=[0.4] * 6, spread=0.3))
    assert verdict.tests[0].answer is None
    assert verdict.holds is None
    assert "is not decided on these data: whether smoothness falls with depth is not decided" in verdict.sentence


@given(st.lists(st.floats(0.05, 0.95), min_size=3, max_size=9), st.floats(0.5, 2.0))
def test_half_of_the_fall_is_where_the_curve_first_comes_to_half(levels: list[float], scale: float) -> None:
    low, value, high = depth_of_half(geometry(levels, spread=0.0))
    start, end = levels[0], levels[-1]
    if start <= end:
        assert not (0 < value <= 1)
        return
    dense = np.interp(np.linspace(0, 1, 200_001), np.linspace(0, 1, len(levels)), levels)
    first = np.linspace(0, 1, 200_001)[(dense <= (start + end) / 2 + 1e-12).argmax()]
    assert value == pytest.approx(first, abs=2e-3)
    assert 0 <= low <= high <= 1
    scaled = depth_of_half(geometry([scale * each for each in levels], spread=0.0))
    assert scaled == pytest.approx((low, value, high), abs=2e-3)


def test_several_seeds_widen_the_interval_by_their_spread() -> None:
    one = judge_depth(geometry(LATE, untrained=WORSE))
    other = [[*LATE[:-1], LATE[-1] + shift] for shift in (-0.1, 0.1)]
    three = judge_depth(geometry(LATE, untrained=WORSE, more=other))
    assert three.tests[0].value == pytest.approx(one.tests[0].value)
    assert three.tests[0].high - three.tests[0].low > 10 * (one.tests[0].high - one.tests[0].low)
    assert "(1 trained network)." in one.sentence
    assert "(3 trained networks)." in three.sentence
    assert "one training seed; another may give another curve" in one.details
    half = three.tests[0].high - three.tests[0].value
    assert half == pytest.approx(4.303 * 0.1 / np.sqrt(3), rel=0.02)  # Student's t of 2 degrees, three networks


def test_steps_are_judged_with_holms_correction() -> None:
    found = steps(geometry(STEP, spread=0.01))
    assert [each["to"] for each in found if each["p"] < 0.05] == ["layer 4"]
    text = judge_depth(geometry(STEP, untrained=WORSE, spread=0.01)).text
    assert "Clear single steps, with Holm's correction for 10: layer 3 to layer 4 (-0.400)." in text
    assert "No single step" in judge_depth(geometry(FLAT, untrained=WORSE)).text


def test_without_an_interval_nothing_is_decided() -> None:
    made = geometry(LATE, untrained=WORSE)
    for key in made.left_out:
        made.left_out[key] = np.full_like(made.left_out[key], np.nan)
    verdict = judge_depth(made)
    assert [test.answer for test in verdict.tests] == [None] * 4
    assert verdict.holds is None
    assert "(no interval)" in verdict.text
    assert "nan" not in verdict.text


@pytest.mark.parametrize(
    ("levels", "options", "words"),
    [
        (LATE, {}, ["holds on these data: smoothness falls with depth, and late (1 trained network)."]),
        (LINE, {}, ["does not hold on these data: smoothness falls with depth, but not late", "done at 50% of the"]),
        (FLAT, {}, ["smoothness does not fall by a relevant amount"]),
        (LINE[::-1], {}, ["smoothness rises with depth", "rises by 0.400"]),
        (LATE, {"untrained": LATE}, ["untrained networks do as well"]),
        (LATE, {"untrained": None}, ["is not decided", "no untrained network was measured"]),
        (LATE, {"everyone": [0.2] * 11}, ["0.20 at the input", "the lower start comes from people's own"]),
        (LATE, {"everyone": [0.8] * 11}, ["it does not clearly change (falls by 0.000, 95% interval: "]),
        (LATE, {"subjects": False}, ["all neighbours, whoever performed them", "subjects are not known", "20 random"]),
        (LATE, {"null": (0.19, 0.21)}, ["the last layer is not clearly better than shuffled labels"]),
    ],
)
def test_words(levels: list[float], options: dict[str, object], words: list[str]) -> None:
    text = judge_depth(geometry(levels, **{"untrained": WORSE, **options})).text  # type: ignore[arg-type]
    for word in words:
        assert word in text.replace("rises by 0.000", "falls by 0.000")
    assert ("own repetitions" in text) == (options.get("everyone") == [0.2] * 11)


def test_a_rise_is_called_a_rise_and_a_question_not_asked_has_no_numbers() -> None:
    rising = [0.12, 0.3, 0.28, 0.29]
    verdict = judge_depth(geometry(rising, untrained=[0.2] * 4, spread=1.5))
    fall, late, control, _ = verdict.tests
    assert fall.answer is None
    assert (fall.value, verdict.numbers["fall"]["value"]) == (pytest.approx(-0.17), pytest.approx(-0.17))
    assert np.isnan([late.value, late.low, late.high]).all()
    low, high = -fall.low, fall.high
    assert (
        f"not clearly change (rises by 0.170, 95% interval: rises by {low:.3f} to falls by {high:.3f})" in verdict.text
    )
    assert f"0.20 at layer 3, lower by 0.090 (95% interval lower by {-control.low:.3f} to higher by" in verdict.text


def test_depth_is_needed() -> None:
    with pytest.raises(GraphError, match="this geometry has 2 in all"):
        judge_depth(geometry([0.6, 0.5]))
