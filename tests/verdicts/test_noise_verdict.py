"""The rules of the verdict on noise, on results whose losses are planted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import StudyError
from stgcnlib.sequences import SequenceSet
from stgcnlib.studies.corruption import CLEAN
from stgcnlib.studies.noise_result import NoiseResult, noise_jackknife, noise_result
from stgcnlib.verdicts import judge_noise, moderate_level
from stgcnlib.verdicts.noise import LIMIT, MODERATE

N, PEOPLE = 240, 8
GROUPS = np.arange(N) % PEOPLE
JACKKNIFE = noise_jackknife(N, GROUPS, seed=0)


def recordings() -> SequenceSet:
    rng = np.random.default_rng(0)
    coords = [rng.normal(0, 1, (4, 20, 3)) for _ in range(N)]
    return SequenceSet(coords, labels=np.arange(N) // 12 % 5, layout="kinect-v1", class_names=list("abcde"))


DATA = recordings()


def level_of(values: np.ndarray, accuracy: float) -> dict[str, Any]:
    """What `measure_level` gives, from (layers, N) smoothness; graphs without a part have the same values."""
    right = np.arange(N) < accuracy * N
    return {
        "predicted": np.where(right, DATA.labels, (DATA.labels + 1) % 5).tolist(),
        "layers": [
            {"name": f"l{i}", "index": i, "title": f"layer {i}" if i else "input", "smoothness": each.tolist(),
             "without": JACKKNIFE.means(each).tolist()}
            for i, each in enumerate(values)
        ],
    }  # fmt: skip


def untrained(level: float, count: int = 3) -> SimpleNamespace:
    """A geometry of untrained networks whose smoothness is the same at every layer, a little different for each."""
    levels = {f"untrained-{n + 1}": level + 0.01 * (n - (count - 1) / 2) for n in range(count)}
    return SimpleNamespace(
        parts=JACKKNIFE.parts,
        settings={"k": 5},
        networks=lambda kind: list(levels),
        curve=lambda name: pd.DataFrame(
            {"layer": [f"l{i}" for i in range(3)], "index": range(3), "smoothness": levels[name]}
        ),
        means_without=lambda name: np.full((PEOPLE, 3), levels[name]),
    )


def made(
    losses: dict[str, float], *, spread: float = 0.02, networks: tuple[float, ...] = (1.0,), gained: float | None = 0.5
) -> NoiseResult:
    """Each kind takes a given share of the way from smoothness 0.1 to 0.6 (the untrained) at every layer.

    Args:
        spread: by which people differ in what they lose.
        networks: factor of the loss for each trained network.
        gained: by training; None: no untrained network is known.
    """
    rng = np.random.default_rng(1)
    base = 0.1 + 0 * rng.normal(0, 0.02, (3, N))
    people = rng.normal(0, 1, PEOPLE)
    people = ((people - people.mean()) / people.std(ddof=1))[GROUPS]
    measured: dict[str, list[Any]] = {}
    for number, factor in enumerate(networks):
        name = "trained" if not number else f"trained-{number + 1}"
        measured[name] = [(CLEAN, None, level_of(base, 0.9))]
        for kind, loss in losses.items():
            noisy = base + 0.5 * (loss * factor + spread * people)
            measured[name].append((kind, moderate(kind), level_of(noisy, 0.9 - loss / 2)))
    geometry: Any = None if gained is None else untrained(0.1 + gained)
    return noise_result(
        measured, DATA, groups=GROUPS, resample=None, unit="subject", dtw=None, confidence=0.95, seed=0,
        geometry=geometry, k=5, neighbours="noisy",
    )  # fmt: skip


def moderate(kind: str) -> float:
    return float(MODERATE[kind])  # type: ignore[index]


@pytest.mark.parametrize(
    ("jitter", "rotation", "spread", "holds", "words"),
    [
        (0.05, 0.1, 0.02, True, "holds on these data (1 trained network)."),
        (0.4, 0.5, 0.02, False, "does not hold on these data: not for Gaussian jitter and other views"),
        (0.05, 0.5, 0.02, None, "only in part on these data: limited for Gaussian jitter, not for other views"),
        (LIMIT, 0.9, 0.3, False, "not for other views, not decided for Gaussian jitter"),
        (LIMIT, LIMIT, 0.3, None, "is not decided on these data: not decided for Gaussian jitter and other views"),
    ],
)
def test_the_claim_can_be_answered_either_way(
    jitter: float, rotation: float, spread: float, holds: bool | None, words: str
) -> None:
    verdict = judge_noise(made({"jitter": jitter, "rotation": rotation}, spread=spread))
    assert verdict.holds is holds, verdict.text
    assert words in verdict.sentence
    assert verdict.partly == ("in part" in verdict.sentence)  # the badge says what the sentence says
    assert f"while accuracy on {N} recordings goes from" in verdict.text
    assert verdict.numbers["kinds"]["jitter"]["last"]["value"] == pytest.approx(jitter, abs=0.01)
    answers = {test.question: test.answer for test in verdict.tests}
    assert len(answers) == 4
    assert answers["little lost to Gaussian jitter (20 dB) at layer 2"] is (
        None if spread > 0.1 else jitter <= LIMIT
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "none", "mild"), [("jitter", np.inf, 5.0), ("joint dropout", 0.0, 0.9), ("rotation", 0.0, 90.0)]
)
def test_a_level_without_noise_is_not_judged(kind: str, none: float, mild: float) -> None:
    base = np.full((3, N), 0.1)
    measured = {"trained": [
        (CLEAN, None, level_of(base, 0.9)), (kind, none, level_of(base, 0.9)),
        (kind, mild, level_of(base + 0.4, 0.5)),
    ]}  # fmt: skip
    result = noise_result(
        measured, DATA, groups=GROUPS, resample=None, unit="subject", dtw=None, confidence=0.95, seed=0, k=5,
        neighbours="noisy",
    )  # fmt: skip
    assert moderate_level(result, kind) == mild  # stronger than a moderate one, and the mildest that is noise
    verdict = judge_noise(result)
    assert verdict.holds is False
    assert verdict.numbers["kinds"][kind]["level"] == mild
    silent = replace(result, settings=result.settings | {"levels": [[kind, none]]})
    with pytest.raises(StudyError, match=f"no level of '{kind}' that is noise; measure one, such as"):
        judge_noise(silent)


def test_the_interval_is_that_of_people() -> None:
    """One loss per person, all with equally many recordings: Student's t of their mean."""
    from scipy.stats import t

    last = judge_noise(made({"jitter": 0.3}, spread=0.1)).numbers["kinds"]["jitter"]["last"]
    half = t.ppf(0.975, PEOPLE - 1) * 0.1 / np.sqrt(PEOPLE)
    # The untrained networks' own spread of 0.01 makes it a little wider.
    assert last["high"] - last["low"] == pytest.approx(2 * half, rel=0.05)
    assert (last["low"] + last["high"]) / 2 == pytest.approx(0.3, abs=0.01)


def test_the_same_loss_is_large_where_training_gained_little() -> None:
    """0.05 of smoothness: 7% of the way to shuffled labels, but half of a gain of 0.1."""
    little = judge_noise(made({"jitter": 0.1}, gained=0.1))
    assert little.holds is False
    assert little.numbers["kinds"]["jitter"]["last"]["value"] == pytest.approx(0.5, abs=0.02)
    assert little.numbers["kinds"]["jitter"]["last_of_null"]["high"] < LIMIT
    assert "of the way to shuffled labels" in little.details
    unknown = judge_noise(made({"jitter": 0.1}, gained=None))
    assert unknown.holds is True
    assert "no untrained network was measured" in unknown.details


def test_networks_that_differ_make_it_less_sure() -> None:
    one = judge_noise(made({"jitter": 0.12}))
    several = judge_noise(made({"jitter": 0.12}, networks=(0.3, 1.0, 1.7)))
    assert one.holds is True
    assert several.holds is None
    assert "(3 trained networks)" in several.sentence
    assert several.numbers["kinds"]["jitter"]["last"]["value"] == pytest.approx(0.12, abs=0.01)
    assert "the spread between 3 networks" in several.details


def test_nothing_gained_decides_nothing() -> None:
    verdict = judge_noise(made({"jitter": 0.1}, gained=0.0))
    assert verdict.holds is None
    assert "is not decided" in verdict.sentence
    assert "cannot be told" in verdict.details
    assert all("not sure that training gained" in test.note for test in verdict.tests)


def test_layers_and_levels_are_named() -> None:
    verdict = judge_noise(made({"jitter": 0.05}))
    assert "the measured layers (layers 1, 2)" in verdict.details
    assert "all layers" not in verdict.text
    assert "20 dB (" in verdict.details
    assert "of motion)" in verdict.details


def test_a_negative_loss_is_said_as_a_gain() -> None:
    verdict = judge_noise(made({"jitter": -0.1, "rotation": 0.1}))
    assert "Gaussian jitter, 20 dB" in verdict.details
    assert "a gain of 10% of what training gained at layer 2 (95% interval a gain of " in verdict.details
    assert "a gain of 10% (a gain of " in verdict.details
    assert "Other views, ±30°: a loss of 10% of what training gained at layer 2 (95% interval " in verdict.details
    assert "A gain means that noisy recordings are smoother than clean ones." in verdict.details
    assert "-" not in verdict.text.replace("mean of 3 untrained", "")
    assert [test.value_words for test in verdict.tests] == ["a gain of 10%"] * 2 + ["a loss of 10%"] * 2
    assert "A gain means" not in judge_noise(made({"jitter": 0.1})).details
