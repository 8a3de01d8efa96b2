"""The rules of the verdict on transfer, on results whose accuracies are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import StudyError
from stgcnlib.studies.transfer import TransferResult
from stgcnlib.studies.transfer_plan import PROBE, SCRATCH
from stgcnlib.verdicts import judge_transfer
from stgcnlib.verdicts.transfer import MARGIN


def made(shares: dict[tuple[str, int], float], *, N: int = 400, seeds: int = 3, people: int = 8) -> TransferResult:
    """A result whose methods are right on the first share of the recordings."""
    rows = []
    for (method, frozen), share in shares.items():
        for seed in range(seeds):
            right = np.random.default_rng([seed, abs(frozen), len(method)]).permutation(N) < share * N
            own = {"node": np.arange(N), "label": 0, "predicted": 1 - right.astype(int), "correct": right}
            rows.append(pd.DataFrame({"method": method, "frozen": frozen, "seed": seed, "number": seed} | own))
    codes = (np.arange(N) % people).tolist()
    settings = {
        "blocks": 4, "frozen": [0, 2, 4], "seeds": list(range(seeds)), "sources": 1, "groups": codes, "n": N,
        "resample": codes, "parts": codes, "unit": "subject", "confidence": 0.95, "seed": 0,
    }  # fmt: skip
    empty = pd.DataFrame()
    return TransferResult(empty, empty, pd.concat(rows), empty, empty, settings)


@pytest.mark.parametrize(
    ("half", "none", "scratch", "every", "holds"),
    [
        (0.90, 0.90, 0.60, 0.50, True),
        (0.90, 0.90, 0.60, 0.90, True),  # not even the deeper blocks need tuning
        (0.60, 0.90, 0.60, 0.50, False),  # freezing half costs much
        (0.70, 0.70, 0.90, 0.50, False),  # training from scratch is better
        (0.90, 0.90, 0.90, 0.50, None),  # and here no worse
        (0.86, 0.91, 0.60, 0.50, None),  # about the margin
    ],
)
def test_the_claim_can_be_answered_either_way(
    half: float, none: float, scratch: float, every: float, holds: bool | None
) -> None:
    shares = {("frozen", 0): none, ("frozen", 2): half, ("frozen", 4): every, (SCRATCH, -1): scratch, (PROBE, -1): 0.5}
    verdict = judge_transfer(made(shares))
    assert verdict.holds is holds, verdict.text
    assert verdict.numbers["enough"]["value"] == pytest.approx(half - none, abs=0.003)
    needed = {test.question: test for test in verdict.tests}["the deeper blocks have to be tuned"]
    assert needed.answer is (True if every < half else None)
    assert "(1 source network, 3 fits of each kind)" in verdict.sentence
    words = {True: "holds on", False: "does not hold", None: "is not decided"}[holds]
    assert words in verdict.text
    assert 0 < MARGIN < 0.1
    words = [test.value_words for test in verdict.tests]
    assert [text.startswith("worse by ") for text in words] == [test.value < -0.005 for test in verdict.tests]
    assert not any("-" in text for text in words)
    assert "give -" not in verdict.text


@pytest.mark.parametrize(
    ("probe", "every", "answer", "words"),
    [
        (0.97, 0.50, False, "blocks need no tuning, since a linear probe on the fixed features does as well as "
         "tuning: what lacks with all blocks frozen is training of the classifier, not of the blocks"),
        (0.90, 0.50, None, "is not decided, since a linear probe on the fixed features does as well as tuning"),
        (0.60, 0.95, False, "the deeper blocks need no tuning."),
        (0.60, 0.50, True, "the deeper blocks have to be tuned."),
    ],
)  # fmt: skip
def test_tuning_is_needed_only_where_no_classifier_on_fixed_features_does_as_well(
    probe: float, every: float, answer: bool | None, words: str
) -> None:
    shares = {("frozen", 0): 0.9, ("frozen", 2): 0.9, ("frozen", 4): every, (SCRATCH, -1): 0.6, (PROBE, -1): probe}
    verdict = judge_transfer(made(shares))
    needed = {test.question: test for test in verdict.tests}["the deeper blocks have to be tuned"]
    assert needed.answer is answer
    assert needed.value == pytest.approx(0.9 - max(probe, every), abs=0.003)
    assert words in verdict.text


def test_accuracy_of_a_sample_is_said_to_be_one() -> None:
    shares = {("frozen", 0): 0.9, ("frozen", 2): 0.9, ("frozen", 4): 0.5, (SCRATCH, -1): 0.6, (PROBE, -1): 0.5}
    result = made(shares)
    assert "accuracy on 400 test recordings by 8 subjects" in judge_transfer(result).text
    result.settings["sampled"] = "test"
    assert "accuracy on 400 sampled recordings of the test part by 8 subjects" in judge_transfer(result).text


def test_fits_that_differ_make_it_less_sure() -> None:
    """The mean over recordings is as sure as before; the fits are not."""
    shares = {("frozen", 0): 0.9, ("frozen", 2): 0.9, ("frozen", 4): 0.5, (SCRATCH, -1): 0.8, (PROBE, -1): 0.5}
    alike, differing = made(shares), made(shares)
    rows = differing.predictions
    own = (rows["method"] == "frozen") & (rows["frozen"] == 2)
    for seed, share in enumerate((0.7, 0.98, 1.0)):
        rows.loc[own & (rows["number"] == seed), "correct"] = np.arange(400) % 100 < 100 * share
    sure, unsure = judge_transfer(alike), judge_transfer(differing)
    assert sure.holds is True
    assert unsure.holds is None
    assert unsure.numbers["pays"]["value"] > 0.05
    widths = [each.numbers["pays"]["high"] - each.numbers["pays"]["low"] for each in (sure, unsure)]
    assert widths[1] > 3 * widths[0]


def test_a_verdict_needs_a_middle() -> None:
    result = made({("frozen", 0): 0.5})
    result.settings["frozen"] = [0, 4]
    with pytest.raises(StudyError, match="between 0 and 4"):
        judge_transfer(result)
