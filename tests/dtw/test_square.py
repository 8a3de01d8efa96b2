"""The nearest columns of each row against a stable sort of whole rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw.square import nearest_rows


def by_sorting(rows: np.ndarray, k: int, barred: np.ndarray) -> np.ndarray:
    values = np.where(barred | np.isnan(rows), np.inf, rows.astype(np.float64))
    return np.argsort(values, axis=1, kind="stable")[:, :k]


@settings(deadline=None)  # the kernel may have to be compiled
@given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, 40),
    kinds=st.integers(1, 30),
    kind=st.sampled_from(["none", "groups", "mask"]),
    dtype=st.sampled_from([np.float32, np.float64, np.int64]),
    odd=st.booleans(),
)
def test_as_by_a_stable_sort(seed: int, count: int, kinds: int, kind: str, dtype: Any, *, odd: bool) -> None:
    """Equal values go by index; rows need not be symmetric, and may hold infinities."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, kinds, (count, count)).astype(dtype)
    if odd and dtype is not np.int64:
        rows[rng.random(rows.shape) < 0.2] = np.inf
        rows[rng.random(rows.shape) < 0.1] = np.nan
    codes, mask = rng.integers(0, 4, count), rng.random((count, count)) < 0.3
    exclude = {"none": None, "groups": codes, "mask": mask}[kind]
    barred = {"none": False, "groups": codes[:, None] == codes, "mask": mask}[kind] | np.eye(count, dtype=np.bool_)
    k = int(rng.integers(1, count + 1))
    indices, distances = nearest_rows(rows, k, exclude)
    np.testing.assert_array_equal(indices, by_sorting(rows, k, barred))
    np.testing.assert_array_equal(distances, np.take_along_axis(rows, indices, axis=1).astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_many_columns(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    rows, codes = rng.random((300, 300)).astype(dtype), rng.integers(0, 9, 300)
    indices, _ = nearest_rows(rows, 50, codes)
    np.testing.assert_array_equal(indices, by_sorting(rows, 50, codes[:, None] == codes))
