"""dtw_neighbors: ties, exclusions and counts."""

from __future__ import annotations

import numpy as np
import pytest

from stgcnlib.dtw import dtw_distances, dtw_neighbors
from stgcnlib.errors import GraphError, SequenceError


@pytest.fixture
def sequences(rng):
    return [rng.normal(size=(t, 3)) for t in rng.integers(1, 20, size=12)]


def test_nearest_first_and_never_itself(sequences):
    table = dtw_neighbors(sequences, 4, window=3)
    distances = dtw_distances(sequences, window=3)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(table.indices, np.argsort(distances, axis=1, kind="stable")[:, :4])
    np.testing.assert_array_equal(table.distances, np.sort(distances, axis=1)[:, :4])
    assert table.indices.dtype == np.int64
    assert table.distances.dtype == np.float32
    assert len(table) == 12
    assert table.statistics["method"] == "brute force"
    assert table.statistics["pairs"] == table.statistics["pairs_computed"] == 66
    assert table.statistics["seconds"] > 0


def test_ties_are_broken_by_index(sequences):
    table = dtw_neighbors([sequences[0]] * 5, 4)
    assert table.indices.tolist() == [[j for j in range(5) if j != i] for i in range(5)]
    assert not table.distances.any()


def test_groups_and_masks_exclude_alike(sequences):
    subjects = np.array(list("abcabcabcabc"))
    table = dtw_neighbors(sequences, 8, exclude=subjects)
    assert (subjects[table.indices] != subjects[:, None]).all()
    masked = dtw_neighbors(sequences, 8, exclude=subjects[:, None] == subjects[None])
    np.testing.assert_array_equal(masked.indices, table.indices)


@pytest.mark.parametrize(
    ("k", "exclude", "message"),
    [
        (12, None, "node 0 has only 11 admissible candidates"),
        (9, [0, 1] + [2] * 10, "node 2 has only 2 admissible candidates"),
        (0, None, "k=0"),
        (3, [1, 2], "expected \\(12,\\) group values"),
        (3, np.zeros((12, 12)), "bool mask"),
    ],
)
def test_impossible_requests(sequences, k, exclude, message):
    with pytest.raises(GraphError, match=message):
        dtw_neighbors(sequences, k, exclude=exclude)


def test_unknown_method(sequences):
    with pytest.raises(SequenceError, match="did you mean 'exact'"):
        dtw_neighbors(sequences, 2, method="exakt")
