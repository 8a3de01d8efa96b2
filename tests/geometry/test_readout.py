"""CKA against the HSIC formula of Song and others, votes by loops, the probe against scikit-learn itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from geometry_world import Activations
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stgcnlib.errors import GraphError
from stgcnlib.geometry import debiased_cka, knn_predictions, pooled_features, probe_predictions, readout
from stgcnlib.geometry.readout import cka_matrix, folds, gram


def hsic(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. 2012, equation 5, term by term."""
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    total = np.trace(K @ L) + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    return float((total - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3)))


def features(seed: int, count: int = 25, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, width)) + rng.normal(size=width)
    return X, X[:, :10] @ rng.normal(size=(10, 7)) + rng.normal(size=(count, 7))


def test_cka_is_the_published_formula() -> None:
    X, Y = features(0)
    K, L = X @ X.T, Y @ Y.T
    expected = hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))
    assert debiased_cka(K, L) == pytest.approx(expected)
    assert debiased_cka(gram(X), gram(Y)) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.integers(5, 30))
def test_cka_is_bounded_and_does_not_see_rotation_and_scale(seed: int, scale: float, count: int) -> None:
    X, Y = features(seed, count)
    value = debiased_cka(gram(X), gram(Y))
    assert -1 <= value <= 1
    turn = ortho_group.rvs(X.shape[1], random_state=seed)
    assert debiased_cka(gram(scale * X @ turn + 3.0), gram(Y)) == pytest.approx(value, abs=1e-7)
    assert debiased_cka(gram(Y), gram(X)) == pytest.approx(value)
    assert debiased_cka(gram(X), gram(scale * X @ turn)) == pytest.approx(1)


def test_unrelated_wide_features_are_not_alike() -> None:
    """Biased CKA of 30 recordings with 2000 features is near 1 whatever they hold; this one is near 0."""
    rng = np.random.default_rng(0)
    values = [debiased_cka(gram(rng.normal(size=(30, 2000))), gram(rng.normal(size=(30, 2000)))) for _ in range(20)]
    assert abs(np.mean(values)) < 0.03


def test_cka_matrix_agrees_with_pairs_and_constant_layers_have_none() -> None:
    grams = [gram(X) for X in (*features(1), np.ones((25, 3)))]
    matrix = cka_matrix(grams)
    assert matrix[0, 1] == matrix[1, 0] == pytest.approx(debiased_cka(grams[0], grams[1]))
    assert matrix[0, 0] == pytest.approx(1)
    assert np.isnan(matrix[2]).all()
    assert np.isnan(debiased_cka(grams[0], grams[2]))


def test_votes_by_loops() -> None:
    rng = np.random.default_rng(2)
    points, y, groups = rng.normal(size=(30, 2)), rng.integers(0, 4, 30), np.arange(30) % 3
    distances = cdist(points, points)
    found = knn_predictions(distances, y, k=5, exclude=groups)
    for i in range(30):
        near = [j for j in np.argsort(distances[i], kind="stable") if groups[j] != groups[i]][:5]
        votes = Counter(y[near].tolist())
        best = max(votes.values())
        assert found[i] == next(y[j] for j in near if votes[int(y[j])] == best)


@pytest.mark.parametrize("width", [6, 300])
def test_probe_is_scikit_learn(width: int) -> None:
    """Also with more features than recordings, where coordinates of the training part's span are used."""
    rng = np.random.default_rng(3)
    y, groups = np.tile(np.repeat([0, 1, 2], 5), 4), np.repeat(np.arange(4), 15)
    X = (0.5 * rng.normal(size=(3, width))[y] + rng.normal(size=(60, width))) * rng.uniform(0.1, 9, width)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=5000))
    expected = cross_val_predict(probe, X, y, groups=groups, cv=LeaveOneGroupOut())
    found = probe_predictions(X, y, groups=groups, C=0.5)
    assert (found == expected).mean() >= 0.98  # the solver stops where a recording lies on the border
    assert (found == y).mean() > 0.45


def test_probe_does_not_see_the_subject_it_is_asked_about() -> None:
    """Labels that are constant per subject can be read off identity, but not for an unseen subject."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(8), 10)
    y = groups % 2
    X = rng.normal(size=(8, 20))[groups] + 0.1 * rng.normal(size=(80, 20))
    assert (probe_predictions(X, y) == y).mean() > 0.95
    assert (probe_predictions(X, y, groups=groups) == y).mean() < 0.8


def test_many_subjects_share_folds() -> None:
    rng = np.random.default_rng(5)
    y, groups = np.tile([0, 1], 30), np.repeat(np.arange(15), 4)
    X = np.where(y[:, None] == 1, 2.0, -2.0) + rng.normal(size=(60, 3))
    assert (probe_predictions(X, y, groups=groups) == y).mean() > 0.9


def test_pooling_is_the_mean_over_time() -> None:
    points = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(pooled_features(Activations(points, 0)), points)


def test_bad_input() -> None:
    X, y = np.zeros((8, 2)), np.arange(8) % 2
    with pytest.raises(GraphError, match="there is only one group"):
        probe_predictions(X, y, groups=np.zeros(8))
    with pytest.raises(GraphError, match="only one class is left"):
        probe_predictions(X, y, groups=y)
    with pytest.raises(GraphError, match="a class has only one"):
        probe_predictions(X, np.arange(8))
    with pytest.raises(GraphError, match=r"groups have shape \(3,\)"):
        probe_predictions(X, y, groups=[1, 2, 3])
    with pytest.raises(GraphError, match="at least 4"):
        debiased_cka(np.eye(3), np.eye(3))
    with pytest.raises(GraphError, match=r"shapes \(8, 8\) and \(7, 7\)"):
        debiased_cka(np.eye(8), np.eye(7))
    with pytest.raises(GraphError, match="k=8"):
        knn_predictions(np.zeros((8, 8)), y, k=8)


@pytest.mark.parametrize(("count", "groups", "expected"), [(1000, 12, 10), (1001, 12, 5), (1001, 3, 3), (60, 8, 8)])
def test_folds_are_whole_subjects_and_fewer_of_many_recordings(count: int, groups: int, expected: int) -> None:
    subjects = np.arange(count) % groups
    found = list(folds(count, None, subjects, 0))
    assert len(found) == expected
    assert sorted(np.concatenate([test for _, test in found])) == list(range(count))
    for train, test in found:
        assert not set(subjects[train]) & set(subjects[test])


def test_a_probe_of_many_features_predicts_in_the_span_of_its_recordings() -> None:
    """With more features than recordings, and on several threads: the same as scikit-learn with all features."""
    rng = np.random.default_rng(3)
    y = np.arange(120) % 4
    X = rng.normal(size=(120, 5000)) + 0.15 * rng.normal(size=(4, 5000))[y]
    X[:, 7] = 2.0
    groups = np.arange(120) // 4 % 6
    assert X.nbytes > readout.FEW_BYTES
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    expected = cross_val_predict(probe, X, y, groups=groups, cv=LeaveOneGroupOut())
    found = probe_predictions(X, y, groups=groups)
    assert (found == expected).mean() > 0.98
    assert (found == y).mean() > 0.5
    same = np.repeat(X[:1], 120, axis=0)
    assert set(probe_predictions(same, y, groups=groups)) <= set(range(4))


def test_a_layer_of_equal_features_is_constant_whatever_its_mean_rounds_to() -> None:
    rng = np.random.default_rng(0)
    equal = [gram(np.tile(rng.normal(size=16), (30, 1))) for _ in range(2)]
    matrix = cka_matrix([*equal, gram(rng.normal(size=(30, 16)))])
    assert np.isnan(matrix[:2]).all()
    assert matrix[2, 2] == pytest.approx(1)
    assert np.isnan(debiased_cka(*equal))
    small = 1e6 + 1e-3 * rng.normal(size=(30, 16))
    assert cka_matrix([gram(small)])[0, 0] == pytest.approx(1)
