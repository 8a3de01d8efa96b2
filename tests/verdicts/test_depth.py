"""The rules of the verdict on depth, each decided by planted node values, and its words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import GraphError
from stgcnlib.geometry import LayerGeometry
from stgcnlib.verdicts import Outcome, judge_depth

NODES, SUBJECTS = 40, 4


def geometry(
    levels: list[float],
    *,
    untrained: list[float] | None = None,
    null: tuple[float, float] = (0.85, 0.95),
    spread: float = 0.001,
    everyone: list[float] | None = None,
    subjects: bool = True,
) -> LayerGeometry:
    """A geometry whose mean smoothness per layer is exactly `levels`; nodes scatter independently by `spread`."""
    rng = np.random.default_rng(0)
    nodes, rows, main = [], [], "other subjects" if subjects else "all"
    curves = [("trained", main, levels), ("untrained", main, untrained or [])]
    if subjects:
        curves.append(("trained", "all", everyone or []))
    for network, neighbours, values in curves:
        for index, level in enumerate(values):
            scatter = rng.normal(size=NODES)
            scatter = level + spread * (scatter - scatter.mean())
            key = {"index": index, "network": network, "neighbours": neighbours}
            nodes += [{**key, "node": n, "smoothness": value} for n, value in enumerate(scatter)]
            title = f"layer {index}" if index else "input"
            rows.append({**key, "title": title, "null_mean": sum(null) / 2, "null_low": null[0], "null_high": null[1]})
    settings = {"bootstrap": 300, "resampling": "sequences", "confidence": 0.95, "seed": 0}
    groups = np.arange(NODES) % SUBJECTS if subjects else None
    labels = np.zeros(NODES, dtype=np.int64)
    return LayerGeometry(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(nodes), {}, labels, groups, settings)


FALLING = [0.60, 0.60, 0.58, 0.50, 0.40, 0.30]  # early layers: the first two
WORSE = [0.60] * 6  # an untrained network that does not get better

CASES = {
    "all five": (FALLING, {}, True, set()),
    "falls, but not below the input": ([0.30, 0.60, 0.60, 0.50, 0.40, 0.30], {}, None, {"below the input", "late"}),
    "below the input, but does not fall": ([0.60, *[0.30] * 5], {}, None, {"falls", "late"}),
    "neither": ([*[0.60] * 5, 0.60003], {}, False, {"falls", "below the input", "below the control", "late"}),
    "falls by less than a tenth of the input": (
        [0.60, 0.60, 0.60, 0.59, 0.58, 0.55], {"untrained": [0.70] * 6}, None, {"below the input"}
    ),
    "below the input by less than a tenth, and does not fall": (
        [0.60, *[0.57] * 5], {}, None, {"falls", "below the input", "late"}
    ),
    "falls by just over a tenth": ([0.60, 0.60, 0.60, 0.59, 0.58, 0.53], {"untrained": [0.70] * 6}, True, set()),
    "rises after the early layers": ([0.60, 0.20, 0.20, 0.30, 0.30, 0.30], {}, False, {"falls", "late"}),
    "most of the fall comes early": ([0.60, 0.41, 0.41, 0.40, 0.35, 0.30], {}, None, {"late"}),
    "half of the fall comes late": ([0.75, 0.53, 0.53, 0.40, 0.35, 0.30], {"untrained": [0.7] * 6}, True, set()),
    "no control": (FALLING, {"untrained": None}, None, {"below the control"}),
    "the control does as well": (FALLING, {"untrained": FALLING}, None, {"below the control"}),
    "the control does better": (FALLING, {"untrained": [0.60, *[0.20] * 5]}, None, {"below the control"}),
    "within shuffled labels": (FALLING, {"null": (0.25, 0.95)}, False, {"above chance"}),
    "just below shuffled labels": (FALLING, {"null": (0.31, 0.95)}, True, set()),
}  # fmt: skip


@pytest.mark.parametrize(("levels", "options", "holds", "failed"), CASES.values(), ids=CASES)
def test_rules(levels: list[float], options: dict[str, object], holds: bool | None, failed: set[str]) -> None:
    verdict = judge_depth(geometry(levels, **{"untrained": WORSE, **options}))  # type: ignore[arg-type]
    assert {name for name, passed in verdict.numbers["tests"].items() if not passed} == failed
    assert verdict.holds is holds
    assert verdict.numbers["holds"] is holds


def test_an_interval_that_contains_zero_decides_nothing() -> None:
    """The same mean fall of 0.05, sure or unsure by the scatter of the nodes alone."""
    levels = [0.45, 0.45, 0.45, 0.44, 0.42, 0.40]
    assert judge_depth(geometry(levels, untrained=WORSE, spread=0.01)).holds is True
    unsure = judge_depth(geometry(levels, untrained=WORSE, spread=0.5))
    assert unsure.holds is False
    assert {"falls", "below the input"} <= {name for name, passed in unsure.numbers["tests"].items() if not passed}
    assert unsure.text.count("does not clearly change (fall 0.050") == 2


def test_numbers_are_means_of_the_planted_nodes() -> None:
    untrained = [0.90, 0.80, 0.70, 0.65, 0.62, 0.60]
    measured = judge_depth(geometry(FALLING, untrained=untrained, everyone=[0.2, 0.2, 0.2, 0.2, 0.15, 0.1])).numbers
    assert measured["early_layers"] == ["layer 1", "layer 2"]
    assert measured["last_layer"] == "layer 5"
    for name, value in {
        "input": 0.60, "early": 0.59, "last": 0.30, "relative_fall": 0.5, "late_share": 0.29 / 0.30,
        "untrained_last": 0.60,
    }.items():  # fmt: skip
        assert measured[name] == pytest.approx(value), name
    for name, value in {"early_minus_last": 0.29, "input_minus_last": 0.30, "untrained_minus_trained": 0.30}.items():
        assert measured[name]["value"] == pytest.approx(value), name
        assert measured[name]["low"] < value < measured[name]["high"], name
    assert measured["all_neighbours"]["value"] == pytest.approx(0.1)
    assert measured["null"] == pytest.approx([0.9, 0.85, 0.95])
    assert measured["subjects"] == SUBJECTS


@pytest.mark.parametrize(("layers", "early"), [(2, 1), (3, 1), (4, 1), (5, 2), (7, 2), (8, 3), (10, 3)])
def test_early_is_the_first_third(layers: int, early: int) -> None:
    levels = np.linspace(0.6, 0.3, layers + 1).tolist()
    verdict: Outcome = judge_depth(geometry(levels))
    assert verdict.numbers["early_layers"] == [f"layer {i}" for i in range(1, early + 1)]
    assert verdict.numbers["early"] == pytest.approx(np.mean(levels[1 : early + 1]))


@pytest.mark.parametrize(
    ("levels", "options", "words"),
    [
        (FALLING, {}, ["50% of the input's value; 97% of this fall comes after the early layers", "rougher by 0.300"]),
        ([0.6, 0.7, 0.7, 0.5, 0.4, 0.3], {}, ["rougher than the input, and all of the fall comes after them"]),
        ([0.6, 0.2, 0.2, 0.3, 0.3, 0.3], {}, ["all of it is reached in the early layers", "rises by 0.100"]),
        ([0.30, 0.60, 0.60, 0.50, 0.40, 0.30], {}, ["not clearly below the input.", "falls by 0.300"]),
        ([0.6, 0.6, 0.6, 0.59, 0.58, 0.55], {}, ["the fall from the input is under 10%, nearly flat"]),
        (FALLING, {"untrained": [0.60, *[0.20] * 5]}, ["even smoother, by 0.100", "untrained network does as well"]),
        (FALLING, {"everyone": [0.2] * 6}, ["0.20 at the input", "the lower start comes from people's own"]),
        (FALLING, {"everyone": [0.8] * 6}, ["it does not clearly change (fall 0.000"]),
        (FALLING, {"subjects": False}, ["all neighbours, whoever performed them", "subjects are not known"]),
        ([0.60] * 6, {"untrained": [0.9] * 6}, ["training keeps what the untrained layers lose"]),
    ],
)
def test_words(levels: list[float], options: dict[str, object], words: list[str]) -> None:
    text = judge_depth(geometry(levels, **{"untrained": WORSE, **options})).text  # type: ignore[arg-type]
    for word in words:
        assert word in text
    assert ("own repetitions" in text) == (options.get("everyone") == [0.2] * 6)


def test_depth_is_needed() -> None:
    with pytest.raises(GraphError, match="this geometry has 2 in all"):
        judge_depth(geometry([0.6, 0.5]))
    assert judge_depth(geometry([0.6, 0.5, 0.3])).numbers["early_layers"] == ["layer 1"]
