"""The permutation null against its exact mean, and the jackknife against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from stgcnlib.dsgraph import nnk_graph
from stgcnlib.errors import GraphError
from stgcnlib.geometry import Estimate, Jackknife, permutation_null
from stgcnlib.geometry.uncertainty import holm, interval


def test_null_mean_is_the_analytic_one() -> None:
    rng = np.random.default_rng(0)
    points, y = rng.normal(size=(60, 3)), np.repeat([0, 1, 2], [30, 20, 10])
    null = permutation_null(nnk_graph(cdist(points, points), k=8), y, permutations=1500)
    pairs = (30 * 29 + 20 * 19 + 10 * 9) / (60 * 59)
    assert null.mean() == pytest.approx(1 - pairs, abs=4 * null.std() / np.sqrt(1500))
    assert null.std() > 0


def test_null_is_deterministic_and_bounded() -> None:
    rng = np.random.default_rng(1)
    graph = nnk_graph(cdist(*[rng.normal(size=(20, 2))] * 2), k=5)
    y = np.arange(20) % 2
    first = permutation_null(graph, y, permutations=20, seed=3)
    np.testing.assert_array_equal(first, permutation_null(graph, y, permutations=20, seed=3))
    assert ((first >= 0) & (first <= 1)).all()
    np.testing.assert_allclose(permutation_null(graph, np.zeros(20, dtype=int), permutations=3), 0, atol=1e-12)


def test_the_range_of_samples_leaves_out_what_is_not_known() -> None:
    assert interval(np.array([0.5, np.nan, 0.5])) == (0.5, 0.5)
    assert all(np.isnan(interval(np.array([np.nan]))))


def test_bad_confidence_and_permutations() -> None:
    with pytest.raises(GraphError, match="confidence=95"):
        interval(np.zeros(3), 95)
    with pytest.raises(GraphError, match="permutations=0"):
        permutation_null(nnk_graph(1 - np.eye(3), k=1), [0, 0, 1], permutations=0)


def test_the_jackknife_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(size=12)
    found = Jackknife(np.arange(12)).mean(values)
    usual = student.interval(0.95, 11, loc=values.mean(), scale=values.std(ddof=1) / np.sqrt(12))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(usual)
    assert found.p_value == pytest.approx(ttest_1samp(values, 0).pvalue)


def test_the_jackknife_covers_means_of_people_who_differ() -> None:
    rng, hits = np.random.default_rng(0), 0
    parts = np.repeat(np.arange(4), 10)
    for _ in range(600):
        found = Jackknife(parts).mean(0.5 * rng.normal(size=4)[parts] + rng.normal(size=40))
        hits += found.low <= 0 <= found.high
    assert 0.92 < hits / 600 < 0.98


def test_the_spread_between_networks_is_added() -> None:
    quiet = Estimate(1.0, 0.0, 3)
    assert quiet.spread_over([1.0]) is quiet
    values = np.array([0.7, 1.1, 1.2])
    found = quiet.spread_over(values)
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(3))
    assert found.df == pytest.approx(2)
    both = Estimate(1.0, 0.3, 3).spread_over(values)
    assert both.error == pytest.approx(np.hypot(0.3, found.error))
    assert 2 < both.df < 5


def test_holm_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, np.nan, 0.5])
    np.testing.assert_allclose(holm(p), [0.04, 0.09, 0.09, np.nan, 0.5])


def test_no_interval_without_two_parts_or_with_gaps() -> None:
    assert np.isnan(Jackknife(np.zeros(4, dtype=int)).mean(np.arange(4.0)).low)
    assert np.isnan(Jackknife(np.arange(3)).of(1.0, [1.0, np.nan, 1.0]).p_value)
    left_out = np.tile(np.arange(6.0), (3, 1))
    parts = np.repeat(np.arange(3), 2)
    found = Jackknife(parts).mean(np.arange(6.0), left_out, nodes=np.array([0, 1]))
    assert np.isnan(found.low)  # without the first part none of these is left
    assert found.value == 0.5


# -- ratios ------------------------------------------------------------------------------------


def test_a_ratio_holds_all_values_that_a_test_does_not_refuse() -> None:
    """Fieller's interval by its definition: above − q below is tested for many q, with the jackknife's own error."""
    rng = np.random.default_rng(0)
    N, parts = 60, np.arange(60) % 6
    jackknife = Jackknife(parts)
    below = rng.normal(1.0, 0.5, N)
    above = 0.4 * below + rng.normal(0, 0.3, N)
    without = [jackknife.means(each)[None] for each in (above, below)]
    value, low, high = jackknife.ratio([above.mean()], [below.mean()], *without)
    assert value == pytest.approx(above.mean() / below.mean())
    held = [q for q in np.linspace(value - 3, value + 3, 6001) if jackknife.mean(above - q * below).low <= 0
            <= jackknife.mean(above - q * below).high]  # fmt: skip
    assert (low, high) == pytest.approx((min(held), max(held)), abs=2e-3)


def test_a_ratio_to_what_may_be_nothing_has_no_interval() -> None:
    jackknife = Jackknife(np.arange(8))
    below = np.array([1.0, -1.0, 1.1, -0.9, 1.0, -1.0, 0.8, -0.7])
    value, low, high = jackknife.ratio(
        [1.0], [below.mean()], np.ones((1, 8)), jackknife.means(below)[None]
    )  # fmt: skip
    assert np.isfinite(value)
    assert np.isnan([low, high]).all()


def test_a_ratio_of_several_networks_is_less_sure_the_more_they_differ() -> None:
    jackknife = Jackknife(np.arange(8))
    below = np.ones((3, 8)) + 0.01 * np.arange(8)
    widths = []
    for spread in (0.0, 0.1, 0.3):
        above = np.array([0.5 - spread, 0.5, 0.5 + spread])
        value, low, high = jackknife.ratio(above, [1.0, 1.0, 1.0], above[:, None] * below, below)
        assert value == pytest.approx(0.5)
        widths.append(high - low)
    assert widths[0] < widths[1] < widths[2]
    # Of equal networks and a constant below: Student's t of the mean of three.
    from scipy.stats import t

    assert widths[2] == pytest.approx(2 * t.ppf(0.975, 2) * 0.3 / np.sqrt(3), rel=0.05)


def test_a_ratio_covers_at_its_level() -> None:
    """300 sets of 8 people whose gain and loss vary together: 95% intervals hold the true share in 92 to 98%."""
    rng = np.random.default_rng(1)
    jackknife = Jackknife(np.arange(8))
    covered = 0
    for _ in range(300):
        gain = rng.normal(0.5, 0.15, 8)
        loss = 0.2 * gain + rng.normal(0, 0.05, 8)
        without = [jackknife.means(each)[None] for each in (loss, gain)]
        _, low, high = jackknife.ratio([loss.mean()], [gain.mean()], *without)
        covered += low <= 0.2 <= high
    assert 276 <= covered <= 295


@pytest.mark.parametrize("members", [2, 3, 6])
def test_a_mean_over_nodes_of_few_parts_has_their_degrees_of_freedom(members: int) -> None:
    """A class that few of 20 people perform: no effect is found in at most 5% of draws, and not much more seldom."""
    rng, draws = np.random.default_rng(members), 800
    parts = np.repeat(np.arange(20), 4)
    jackknife, nodes = Jackknife(parts), parts < members
    found = [jackknife.mean(rng.normal(size=20)[parts], nodes=nodes) for _ in range(draws)]
    assert {each.df for each in found} == {members - 1}
    wrong = np.mean([each.low > 0 or each.high < 0 for each in found])
    assert 0.01 < wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_a_mean_over_nodes_of_one_part_has_no_interval() -> None:
    found = Jackknife(np.repeat(np.arange(5), 2)).mean(np.arange(10.0), nodes=np.array([0, 1]))
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()
