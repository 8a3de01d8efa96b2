"""Depth: whether the paper's third claim holds, from the label smoothness of every layer.

The claim: early layers capture general motion, only late ones discriminate actions. Two questions decide it, whether
label smoothness falls with depth and whether it falls late; two controls must agree. Where it does not hold on a data
set, the verdict says so; where the numbers cannot tell, it says that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stgcnlib.errors import GraphError
from stgcnlib.geometry.layers import INITIAL, TRAINED, UNTRAINED
from stgcnlib.geometry.uncertainty import Estimate, holm, jackknife_error, satterthwaite
from stgcnlib.groups import counted, resampled_count
from stgcnlib.verdicts.depth_words import because, paragraph
from stgcnlib.verdicts.outcome import BELOW, FALLS, Outcome, Test, answered, decided, opening

if TYPE_CHECKING:
    from stgcnlib.geometry import LayerGeometry

__all__ = ["CLAIM", "LATE", "RELEVANT", "UNIFORM", "depth_of_half", "depth_tests", "judge_depth", "steps"]

CLAIM = "early layers capture general motion and only late ones discriminate actions"

TARGET_CLAIM = "early layers are general and only late ones tell the target (the paper makes it of actions)"
"""The same where smoothness is that of a real target."""

RELEVANT = 0.1
"""A difference of less than this share of the value that it starts from counts as none, even if it is significant."""
UNIFORM = 0.5
"""Share of the depth at which half of the fall is done if the fall is spread evenly over the layers."""
LATE = 0.6
"""A fall is late if half of it is done at this share of the depth or deeper: one layer in ten after `UNIFORM`."""
NAN = float("nan")
_PLACES = 1001  # places along the depth at which half of the fall is looked for


def judge_depth(geometry: LayerGeometry) -> Outcome:
    """Four questions on the curve of label smoothness S, on neighbours by other subjects where they are known.

    Each is answered yes, no or not decided by an interval that leaves out one subject at a time and makes the graphs
    anew (`LayerGeometry.contrast`); with several networks of a kind, the spread between them is in it.

    1. "falls with depth": S(input) − S(last layer). Yes: above 0. No: below 10% of S(input).
    2. "falls late": the share of the depth at which half of that fall is done (`depth_of_half`); 0.5 if the fall is
       even. Yes: its interval lies above 0.5 and reaches 0.6. No: it lies below 0.6. Asked only if 1 is yes.
    3. "below untrained networks": S(untrained) − S(trained) at the last layer. Yes: above 0. No: below 10% of
       S(untrained).
    4. "below shuffled labels" (or targets): mean S of shuffled labels − S(last layer). Yes: above 0, and the last layer
       lies outside the range of shuffled labels. No: below 10% of the null.

    The claim holds if all are yes, does not hold if one is no, and is not decided otherwise.

    Source: the claim is the abstract's (docs/method.md, "Claims under test"); questions and limits are our choice.

    Args:
        geometry: of at least three layers, the input (index 0) among them.

    Raises:
        GraphError: the input, or a second layer of the network, is missing.
    """
    curve = geometry.curve()
    if len(curve) < 3 or curve["index"].iloc[0] != 0:
        raise GraphError(f"a verdict needs the input and at least two layers; this geometry has {len(curve)} in all")
    tests = depth_tests(geometry)
    answers = [test.answer for test in tests]
    holds = True if all(answers) else False if False in answers else None
    numbers = _numbers(geometry, tests) | {"holds": holds}
    claim, whose = (CLAIM, "The paper's claim") if geometry.targets is None else (TARGET_CLAIM, "The claim")
    sentence = opening(
        claim, holds=holds, because=because(tests, geometry.measured), undecided="is not decided on these data",
        whose=whose,
    )  # fmt: skip
    networks = counted(numbers["networks"], "trained network", "trained networks")
    return Outcome(f"{sentence[:-1]} ({networks}).", holds, numbers, claim, paragraph(numbers), tests)


def depth_tests(geometry: LayerGeometry) -> tuple[Test, ...]:
    """The four questions of `judge_depth`, in order; one that is not asked has no value and no interval."""
    curve, start, end = geometry.mean_curve(), *_ends(geometry)
    first, last = float(curve["smoothness"].iloc[0]), float(curve["smoothness"].iloc[-1])
    fall = geometry.contrast({TRAINED: start - end})
    falls = answered("falls with depth", fall, relevant=RELEVANT * first, ways=FALLS)
    low, half, high = depth_of_half(geometry)
    answer = decided(low, high, above=UNIFORM, least=LATE)
    late = Test("falls late", half, low, high, answer, UNIFORM, LATE, "share", measured="half at a depth of")
    if falls.answer is not True:
        late = Test("falls late", NAN, NAN, NAN, None, UNIFORM, LATE, "share", "asked only where smoothness falls")
    control = Test("below untrained networks", NAN, NAN, NAN, None, note="no untrained network was measured")
    if geometry.networks(UNTRAINED):
        other = float(geometry.mean_curve(UNTRAINED)["smoothness"].iloc[-1])
        difference = geometry.contrast({UNTRAINED: end, TRAINED: -end})
        control = answered("below untrained networks", difference, relevant=RELEVANT * other, ways=BELOW)
    null = geometry.curve().iloc[-1]
    found = geometry.contrast({TRAINED: -end})
    chance = answered(
        f"below shuffled {geometry.measured}s",
        replace(found, value=float(null["null_mean"]) + found.value),
        relevant=RELEVANT * float(null["null_mean"]),
        ways=BELOW,
    )
    if chance.answer and last >= float(null["null_low"]):
        chance = replace(chance, answer=None, note=f"within the range of shuffled {geometry.measured}s")
    return falls, late, control, chance


def _ends(geometry: LayerGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that pick the input and the last layer."""
    unit = np.eye(len(geometry.curve()))
    return unit[0], unit[-1]


def depth_of_half(geometry: LayerGeometry) -> tuple[float, float, float]:
    """(low, value, high): share of the depth at which half of the fall from the input to the last layer is done.

    With S(x) the mean curve of the trained networks, linear between layers, x from 0 (input) to 1 (last layer): the
    first x at which S(x) is no more than (S(0) + S(1))/2. The interval runs from the first to the last x at which a
    test does not reject S(x) = (S(0) + S(1))/2 (Fieller's method for a ratio: exact where a curve's errors are normal,
    also if the fall is small). Where the fall itself is not significant, it is 0 to 1.
    """
    index = geometry.curve()["index"].to_numpy(dtype=np.float64)
    places = np.linspace(0.0, 1.0, _PLACES)
    weights = np.stack([np.interp(places, index / index[-1], unit) for unit in np.eye(len(index))], axis=1)
    start, end = _ends(geometry)
    values, half, _p = _contrasts(geometry, weights - (start + end) / 2)
    done = values <= 1e-12
    value = float(places[done.argmax()]) if values[0] > 0 else float("nan")
    if not np.isfinite(half).all():
        return float("nan"), value, float("nan")
    possible = np.flatnonzero(np.abs(values) <= half + 1e-12)
    if not (values[0] > half[0] and possible.size):
        return 0.0, value, 1.0
    return float(places[possible[0]]), value, float(places[possible[-1]])


def _contrasts(geometry: LayerGeometry, weights: NDArray[np.float64]) -> tuple[Any, Any, Any]:
    """(values, half widths of the intervals, two-sided p-values) of contrasts (n, layers) of the mean trained curve."""
    from scipy.stats import t

    spread, jackknife = geometry.spread(TRAINED) @ weights.T, geometry.jackknife
    each, without = spread.each, spread.without.mean(axis=0)  # (networks, n), (P, n)
    values, nothing = each.mean(axis=0), np.full(len(weights), np.nan)
    if jackknife.count < 2 or not np.isfinite(without).all():
        return values, nothing, nothing
    variance, df = jackknife_error(without) ** 2, np.full(len(weights), jackknife.count - 1.0)
    if len(each) > 1:
        variances = [variance, each.var(axis=0, ddof=1) / len(each)]
        variance, df = satterthwaite(variances, [jackknife.count - 1, len(each) - 1])
    error = np.sqrt(variance)
    ratio = np.divide(np.abs(values), error, out=np.where(values == 0, 0.0, np.inf), where=error > 0)
    return values, t.ppf((1 + jackknife.confidence) / 2, df) * error, 2 * t.sf(ratio, df)


def steps(geometry: LayerGeometry) -> list[dict[str, Any]]:
    """The change from each layer to the next, with p-values adjusted for their number (Holm).

    Returns:
        One per step: from, to (titles), value (S before − S after), low, high (each step's own interval), p.
    """
    titles = geometry.curve()["title"].astype(str).tolist()
    unit = np.eye(len(titles))
    values, half, p = _contrasts(geometry, unit[:-1] - unit[1:])
    columns = zip(titles[:-1], titles[1:], values, values - half, values + half, holm(p), strict=True)
    return [
        {"from": a, "to": b, **dict(zip(("value", "low", "high", "p"), map(float, numbers), strict=True))}
        for a, b, *numbers in columns
    ]


def _numbers(geometry: LayerGeometry, tests: tuple[Test, ...]) -> dict[str, Any]:
    main, null = geometry.mean_curve(), geometry.curve().iloc[-1]
    start, end = _ends(geometry)
    numbers: dict[str, Any] = {
        "measured": geometry.measured,
        "targets": list(geometry.target_names),
        "neighbours": geometry.neighbours,
        "group": None if geometry.groups is None else geometry.group,
        "unit": geometry.resampled_unit,
        "subjects": resampled_count(geometry.resample, geometry.groups),
        "parts": geometry.jackknife.count,
        "confidence": float(geometry.settings["confidence"]),
        "networks": int(main["networks"].iloc[0]),
        "last_layer": str(main["title"].iloc[-1]),
        "late_from": LATE,
        "curve": main["smoothness"].tolist(),
        "input": float(main["smoothness"].iloc[0]),
        "last": float(main["smoothness"].iloc[-1]),
        "null": [float(null[name]) for name in ("null_mean", "null_low", "null_high")],
        "tests": {test.question: test.answer for test in tests},
        "fall": _plain(tests[0]),
        "half": _plain(tests[1]),
        "control": _plain(tests[2]),
        "steps": steps(geometry),
        "all_neighbours": None,
    }
    for kind in (UNTRAINED, INITIAL):
        other = geometry.mean_curve(kind)
        if len(other):
            row = other.iloc[-1]
            numbers[kind] = {name: float(row[name]) for name in ("smoothness", "least", "most", "networks")}
    if geometry.groups is not None:
        everyone = geometry.contrast({TRAINED: start - end}, "all")
        ends = [float(geometry.contrast({TRAINED: each}, "all").value) for each in (start, end)]
        numbers["all_neighbours"] = {"input": ends[0], "last": ends[1]} | _plain(everyone)
    return numbers


def _plain(found: Test | Estimate) -> dict[str, float]:
    return {"value": float(found.value), "low": float(found.low), "high": float(found.high)}
