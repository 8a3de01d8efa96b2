"""What a set is too small for is known from labels and groups, and what is measured agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stgcnlib.geometry import find_shortages, probe_predictions
from stgcnlib.geometry.readout import cka_matrix, gram, probe_shortage
from stgcnlib.geometry.shortages import intervals_known
from stgcnlib.geometry.uncertainty import deletion_groups

TWO = np.repeat([0, 1], 6)
FOUR = np.tile([1, 2, 3, 4], 3)


@pytest.mark.parametrize(
    ("told", "options", "names"),
    [
        (TWO, {"groups": FOUR}, set()),
        (TWO, {"resample": "recordings"}, set()),
        (TWO, {"groups": np.tile([1, 2], 6)}, {"intervals", "statistic_intervals"}),
        (np.array([0, 0, 1]), {"resample": "recordings"}, {"likeness", "probe", "statistic_intervals"}),
        (np.array([0, 0, 0, 0, 1]), {"resample": "recordings"}, {"probe"}),
        (np.array([0, 1]), {"resample": "recordings"},
         {"dimension", "intervals", "likeness", "probe", "statistic_intervals"}),
        (np.array([0, 0, 1, 1, 0, 0]), {"groups": [1, 1, 2, 2, 3, 3], "resample": "recordings"}, {"probe"}),
        (TWO, {"groups": FOUR, "explained": 1}, {"maps"}),
        (TWO, {"groups": FOUR, "explained": 2}, set()),
        (np.arange(6.0)[:, None], {"resample": "recordings"}, set()),
        (np.array([0.0, 0, 0, 1, 2, 3])[:, None], {"groups": [0, 0, 0, 1, 1, 1], "resample": "recordings"}, {"probe"}),
    ],
)  # fmt: skip
def test_each_shortage_is_named_by_a_sentence(told: Any, options: dict[str, Any], names: set[str]) -> None:
    found = find_shortages(told, **options)
    assert set(found) == names
    assert all(why.endswith(".") and why[0].isupper() for why in found.values())


@pytest.mark.parametrize("groups", [None, FOUR, np.tile([1, 2], 6), TWO, np.zeros(12, dtype=int)])
def test_a_probe_is_refused_where_a_shortage_is_foreseen(groups: Any) -> None:
    """The rule and the measurement are the same: what has no shortage is measured to the end."""
    features = np.random.default_rng(0).normal(size=(12, 3))
    for labels in (TWO, np.array([0] * 11 + [1]), np.arange(12), np.arange(12) % 3):
        if probe_shortage(labels, groups) is None:
            assert (probe_predictions(features, labels, groups=groups) >= 0).all()
        else:
            with pytest.raises(Exception, match="probe was not measured"):
                probe_predictions(features, labels, groups=groups)


def test_likeness_of_three_recordings_is_unknown() -> None:
    assert np.isnan(cka_matrix([gram(np.eye(3)), gram(np.eye(3))])).all()
    assert np.isfinite(cka_matrix([gram(np.arange(8.0).reshape(4, 2) ** 2)] * 2)).all()


def test_statistics_need_four_recordings_without_any_part() -> None:
    assert intervals_known(deletion_groups(6, groups=[1, 1, 2, 2, 3, 3]), None)
    assert not intervals_known(deletion_groups(5, groups=[1, 1, 2, 2, 3]), None)
