"""The rules of the verdict on transfer, on results whose accuracies are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import StudyError
from stgcnlib.studies.transfer import PROBE, SCRATCH, TransferResult
from stgcnlib.verdicts import judge_transfer
from stgcnlib.verdicts.transfer import MARGIN


def made(shares: dict[tuple[str, int], float], *, N: int = 400, seeds: int = 3) -> TransferResult:
    """A result whose methods are right on the first share of the recordings."""
    rows = []
    for (method, frozen), share in shares.items():
        for seed in range(seeds if method != PROBE else 1):
            right = np.random.default_rng([seed, abs(frozen), len(method)]).permutation(N) < share * N
            own = {"node": np.arange(N), "label": 0, "predicted": 1 - right.astype(int), "correct": right}
            rows.append(pd.DataFrame({"method": method, "frozen": frozen, "seed": seed} | own))
    settings = {
        "blocks": 4, "frozen": [0, 2, 4], "seeds": list(range(seeds)), "groups": None, "n": N, "confidence": 0.95,
        "bootstrap": 500, "seed": 0,
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
    assert ("hardly have to be tuned" in verdict.text) == (every >= half)
    words = {True: "holds on", False: "does not hold", None: "is not decided"}[holds]
    assert words in verdict.text
    assert 0 < MARGIN < 0.1


def test_a_verdict_needs_a_middle() -> None:
    result = made({("frozen", 0): 0.5})
    result.settings["frozen"] = [0, 4]
    with pytest.raises(StudyError, match="between 0 and 4"):
        judge_transfer(result)
