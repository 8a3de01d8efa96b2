"""Expected times: by hand on small runs, and durations in words."""

from __future__ import annotations

import pytest

from stgcnlib.pipeline.expect import Load, about, duration, expected, time_left


def test_nothing_is_known_before_the_first_stage_is_done() -> None:
    loads = [Load(cost=10, elapsed=3), Load(cost=100), Load(cost=20)]
    assert expected(loads) == [None, None, None]
    assert time_left(loads) == (None, False)


def test_bundled_seconds_are_scaled_by_the_median_speed_of_what_is_done() -> None:
    # Speeds 2, 3 and 50: the one stage with far more work than the demo's does not count for all.
    done = [Load(cost=10, measured=20), Load(cost=100, measured=5000), Load(cost=20, measured=60)]
    assert expected([*done, Load(cost=30), Load(cost=40, share=0.5)]) == [None, None, None, 90, 60]
    assert time_left([*done, Load(cost=30, elapsed=50), Load(cost=40, share=0.5)]) == (40 + 60, True)


def test_a_stage_that_ran_before_is_expected_to_take_as_long_again() -> None:
    loads = [Load(cost=10, measured=50), Load(cost=10, before=7.0, elapsed=2.0), Load(before=3.0)]
    assert expected(loads) == [None, 7.0, 3.0]
    assert time_left(loads) == (8.0, True)


def test_a_stage_longer_than_expected_slows_what_is_expected_after_it() -> None:
    loads = [Load(cost=10, measured=10), Load(cost=10, elapsed=30), Load(cost=10)]
    assert expected(loads) == [None, 20.0, 20.0]  # the median of 1 and 3
    assert time_left(loads) == (20.0, True)  # never less than nothing for the one that runs
    assert expected([Load(cost=10, measured=10), Load(cost=10, elapsed=5), Load(cost=10)]) == [None, 10.0, 10.0]


def test_a_stage_that_the_demo_lacks_makes_the_rest_a_least_time() -> None:
    loads = [Load(cost=10, measured=10), Load(), Load(cost=10)]
    assert expected(loads) == [None, None, 10.0]
    assert time_left(loads) == (10.0, False)
    assert time_left([Load(cost=10, measured=10)]) == (0, True)
    assert expected([Load(measured=4.0), Load(cost=10)]) == [None, None]  # no ratio without bundled seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.13, "8.1 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_measured_times_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "5 s"),
        (8, "10 s"),
        (41, "40 s"),
        (92, "90 s"),
        (95, "2 min"),
        (200, "3 min"),
        (3560, "59 min"),
        (3599, "1 h"),
        (5000, "1 h 20 min"),
    ],
)
def test_expected_times_are_no_finer_than_an_estimate(seconds: float, text: str) -> None:
    assert about(seconds) == f"about {text}"


def test_what_was_foreseen_is_taken_until_something_is_done() -> None:
    loads = [Load(cost=10), Load(cost=100), Load(cost=40, share=0.5)]
    assert expected(loads, foreseen=True) == [10, 100, 20]
    assert time_left(loads, foreseen=True) == (130, True)


def test_long_stages_tell_more_of_the_speed_than_short_ones() -> None:
    # 10 s took 50, 100 s took 100; a tenth of all that was said (18 s) counts as done in time.
    done = [Load(cost=10, measured=50), Load(cost=100, measured=100)]
    assert expected([*done, Load(cost=70)], foreseen=True)[2] == pytest.approx(70 * (18 + 150) / (18 + 110))


def test_what_is_done_of_a_stage_tells_of_its_rest() -> None:
    # Half of 100 s took 100 s: with the 10 s that count as done in time, 110 s for 60 s.
    speed = (10 + 100) / (10 + 50)
    whole = expected([Load(cost=100, elapsed=100, work=0.5)], foreseen=True)
    assert whole == [pytest.approx(100 + 0.5 * 100 * speed)]
    # And that which overran its forecast, without telling what is done, slows the others.
    assert expected([Load(cost=10, elapsed=30), Load(cost=10)], foreseen=True)[1] == pytest.approx(10 * 32 / 12)


def test_results_that_are_there_make_a_stage_shorter_than_before() -> None:
    assert expected([Load(cost=2, before=1200)], foreseen=True) == [2]  # only its page
    assert expected([Load(cost=900, before=1200)], foreseen=True) == [1200]
    assert expected([Load(cost=2, before=1200)]) == [1200]  # the demo's seconds know nothing of it
