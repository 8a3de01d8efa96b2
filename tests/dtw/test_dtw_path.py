"""dtw_path: a valid alignment whose costs add up."""

from __future__ import annotations

import numpy as np
import pytest
from dtw_reference import cut, local_cost, reference_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from stgcnlib.dtw import dtw_distances, dtw_path, local_costs
from stgcnlib.errors import SequenceError


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 15),
    m=st.integers(1, 15),
    reading=st.sampled_from(["frames", "sliding"]),
    metric=st.sampled_from(["euclidean", "sqeuclidean", "cosine"]),
    band=st.none() | st.integers(0, 5),
    stride=st.integers(1, 3),
)
def test_path_is_valid_and_its_costs_add_up(seed, n, m, reading, metric, band, stride):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    options = {"reading": reading, "metric": metric, "band": band, "window": 3, "stride": stride}
    path, cost = dtw_path(x, y, normalize=None, **options)
    a, b = (cut(v, reading=reading, window=3, stride=stride) for v in (x, y))
    assert path.dtype == np.int64
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [len(a) - 1, len(b) - 1]
    assert {tuple(step) for step in np.diff(path, axis=0)} <= {(1, 0), (0, 1), (1, 1)}
    assert cost == pytest.approx(sum(local_cost(a[i], b[j], metric) for i, j in path), rel=1e-9)
    assert cost == pytest.approx(reference_distance(x, y, normalize=None, **options), rel=1e-9)
    assert dtw_path(x, y, normalize="path", **options)[1] == pytest.approx(cost / len(path))
    assert dtw_path(x, y, **options)[1] == pytest.approx(float(dtw_distances([x], [y], **options)[0, 0]), rel=1e-5)


def test_segments_follow_each_other(rng):
    x, y = rng.normal(size=(11, 2)), rng.normal(size=(3, 2))
    path, cost = dtw_path(x, y, reading="segments", segments=4)
    assert cost == pytest.approx(reference_distance(x, y, reading="segments", segments=4))
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [10, 2]
    assert (np.diff(path, axis=0) >= 0).all()


def test_equal_sequences_align_on_the_diagonal(rng):
    x = rng.normal(size=(9, 2))
    path, cost = dtw_path(x, x, reading="frames")
    assert cost == 0
    np.testing.assert_array_equal(path, np.stack([np.arange(9)] * 2, axis=1))


def test_features_must_agree():
    with pytest.raises(SequenceError, match="x has 2 features per frame, y has 3"):
        dtw_path(np.zeros((2, 2)), np.zeros((2, 3)))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 15),
    m=st.integers(1, 15),
    reading=st.sampled_from(["frames", "sliding", "segments"]),
    metric=st.sampled_from(["euclidean", "sqeuclidean", "cosine"]),
    window=st.integers(1, 6),
    stride=st.integers(1, 3),
)
def test_local_costs_are_those_of_stacked_windows_and_can_be_given(seed, n, m, reading, metric, window, stride):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    options = {"reading": reading, "metric": metric, "window": window, "stride": stride, "segments": 2}
    items = "frames" if reading == "segments" else reading
    a, b = (cut(v, reading=items, window=window, stride=stride) for v in (x, y))
    costs = local_costs(x, y, **options)
    np.testing.assert_allclose(costs, [[local_cost(p, q, metric) for q in b] for p in a], rtol=1e-9, atol=1e-12)
    path, cost = dtw_path(x, y, costs=costs, **options)
    np.testing.assert_array_equal(path, dtw_path(x, y, **options)[0])
    assert cost == dtw_path(x, y, **options)[1]
