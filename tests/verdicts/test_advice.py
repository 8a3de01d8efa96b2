"""The advice on freezing: the one-standard-error rule by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stgcnlib.errors import StudyError
from stgcnlib.verdicts import advise_frozen


def fits(accuracies: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"frozen": f, "seed": s, "validation": a} for f, each in accuracies.items() for s, a in enumerate(each)]
    )


def test_advice_is_the_one_standard_error_rule_by_hand() -> None:
    table = fits({0: [0.90, 0.94], 1: [0.91, 0.95], 2: [0.90, 0.95], 3: [0.70, 0.72]})
    advice = advise_frozen(table, smoothness=[0.4, 0.3, 0.25, 0.25])
    leads = [np.array([0.91 - 0.90, 0.95 - 0.94]), np.array([0.01, 0.0]), np.array([0.21, 0.23])]
    error = np.sqrt(np.mean([each.var(ddof=1) for each in leads]) / 2)
    rows = pd.DataFrame(advice.numbers["evidence"]).set_index("frozen")
    assert rows.loc[2, "standard_error"] == pytest.approx(error)
    assert rows.loc[2, "behind"] == pytest.approx(0.005)
    assert 0.005 < error < 0.22
    assert advice.numbers["frozen"] == 2
    assert advice.numbers["by_smoothness"] == 3
    assert rows["as_good"].tolist() == [False, True, True, False]
    assert "within one standard error" in advice.text
    assert "22.0 points behind" in advice.text


def test_what_is_common_to_all_choices_of_a_seed_does_not_blur_the_choice() -> None:
    """One seed has easy validation people: all its accuracies are higher, and differ by the same."""
    easy = advise_frozen(fits({0: [0.5, 0.9], 1: [0.48, 0.88], 2: [0.45, 0.85]}))
    assert easy.numbers["frozen"] == 0
    assert all(row["standard_error"] < 1e-9 for row in easy.numbers["evidence"])


def test_test_accuracy_has_no_part_in_the_choice() -> None:
    table = fits({0: [0.9, 0.9], 1: [0.9, 0.9], 2: [0.5, 0.5]})
    for best in (0, 1, 2):
        assert advise_frozen(table.assign(accuracy=(table["frozen"] == best) * 1.0)).numbers["frozen"] == 1


def test_advice_without_seeds_takes_no_chance() -> None:
    advice = advise_frozen(fits({0: [0.9], 1: [0.9], 2: [0.89]}))
    assert advice.numbers["frozen"] == 1
    assert advice.numbers["by_smoothness"] is None
    assert "smoothness" not in advice.text


@pytest.mark.parametrize(
    ("table", "smoothness", "words"),
    [
        (pd.DataFrame({"frozen": [0]}), None, "columns frozen, seed and validation"),
        (fits({}), None, "columns frozen, seed and validation"),
        (fits({0: [0.5, 0.6], 3: [0.5]}), None, "for the same seeds"),
        (fits({0: [0.5], 3: [0.5]}), [0.1, 0.2], "0 .the input. to 3"),
        (fits({0: [0.5]}), [np.nan], "one number per layer"),
    ],
)
def test_advice_of_nothing(table: pd.DataFrame, smoothness: Any, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        advise_frozen(table, smoothness=smoothness)


def test_blocks_beyond_those_tried_are_not_said_to_be_frozen() -> None:
    """A table that says nothing of the network's depth, where the most that was tried is as good as the best."""
    table = fits({0: [0.9, 0.9], 3: [0.9, 0.9], 6: [0.9, 0.9]})
    assert advise_frozen(table).sentence == "Freeze the first 6 blocks, the most that was tried."
    assert advise_frozen(table, smoothness=[0.5] * 11).sentence == "Freeze the first 6 of 10 blocks."
    assert advise_frozen(table, smoothness=[0.5] * 7).sentence == "Freeze all 6 blocks: train the classifier alone."
    less = fits({0: [0.9, 0.9], 3: [0.9, 0.9], 6: [0.1, 0.1]})
    assert advise_frozen(less).sentence == "Freeze the first 3 blocks."
