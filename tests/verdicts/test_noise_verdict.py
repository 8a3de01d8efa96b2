"""The rules of the verdict on noise, on results whose losses are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stgcnlib.geometry import bootstrap_counts, paired_difference
from stgcnlib.studies.noise import CLEAN, NoiseResult
from stgcnlib.verdicts import judge_noise
from stgcnlib.verdicts.noise import LIMIT, MODERATE


def made(losses: dict[str, float], *, spread: float = 0.05, N: int = 300) -> NoiseResult:
    """A result in which each kind loses a given share of the way from smoothness 0.1 to 0.8, at every layer."""
    rng = np.random.default_rng(1)
    rows, scores, nodes = [], [], []
    base = rng.normal(0.1, 0.02, (3, N))
    base += 0.1 - base.mean(axis=1, keepdims=True)
    for kind, loss in [(CLEAN, 0.0), *losses.items()]:
        level = np.nan if kind == CLEAN else moderate(kind)
        noisy = base + (0.7 * rng.normal(loss, spread, (3, N)) if kind != CLEAN else 0)
        scores.append({"network": CLEAN, "kind": kind, "level": level, "accuracy": 0.9 - loss})
        for index in range(3):
            values = noisy[index]
            change, low, high = paired_difference(values, base[index], bootstrap_counts(N, draws=300))
            where = {"network": CLEAN, "kind": kind, "level": level, "index": index}
            row = where | {"title": f"layer {index}", "severity": 1, "null": 0.8}
            rows.append(row | {"loss": change / 0.7, "loss_low": low / 0.7, "loss_high": high / 0.7})
            nodes.append(pd.DataFrame(where | {"node": np.arange(N), "smoothness": values}))
    settings = {
        "kinds": list(losses), "levels": [[kind, moderate(kind)] for kind in losses], "networks": [CLEAN], "n": N,
        "groups": None, "bootstrap": 300, "resampling": "sequences", "confidence": 0.95, "seed": 0,
    }  # fmt: skip
    return NoiseResult(pd.DataFrame(rows), pd.DataFrame(scores), pd.concat(nodes), pd.DataFrame(), settings)


def moderate(kind: str) -> float:
    return float(MODERATE[kind])  # type: ignore[index]


@pytest.mark.parametrize(
    ("jitter", "rotation", "spread", "holds", "words"),
    [
        (0.05, 0.1, 0.05, True, "holds on these data."),
        (0.4, 0.5, 0.05, False, "does not hold on these data: not for Gaussian jitter and other views"),
        (0.05, 0.5, 0.05, None, "only in part on these data: limited for Gaussian jitter, not for other views"),
        (LIMIT, 0.5, 0.5, False, "not for other views, not decided for Gaussian jitter"),
        (LIMIT, LIMIT, 0.5, None, "not decided for Gaussian jitter and other views"),
    ],
)
def test_the_claim_can_be_answered_either_way(
    jitter: float, rotation: float, spread: float, holds: bool | None, words: str
) -> None:
    verdict = judge_noise(made({"jitter": jitter, "rotation": rotation}, spread=spread))
    assert verdict.holds is holds, verdict.text
    assert words in verdict.text
    assert verdict.numbers["kinds"]["jitter"]["last"]["value"] == pytest.approx(jitter, abs=0.06)


def test_nothing_to_lose_decides_nothing() -> None:
    result = made({"jitter": 0.1})
    result.table[["loss", "loss_low", "loss_high"]] = np.nan
    verdict = judge_noise(result)
    assert verdict.holds is None
    assert "nothing can be lost" in verdict.text
