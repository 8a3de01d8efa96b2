"""Expected times: by hand on small runs, and durations in words."""

from __future__ import annotations

import pytest

from stgcnlib.pipeline import state
from stgcnlib.pipeline.expect import Load, about, duration, expected, time_left
from stgcnlib.pipeline.state import Notebook, RunState, Step, left_in_words


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
    assert time_left(loads) == (20.0, False)  # nobody knows when the one that runs will end
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


def test_the_time_left_goes_down_while_one_long_task_runs() -> None:
    # Half of 100 s took 50 s; the other half is one task, which has not ended.
    def left(elapsed: float) -> tuple[float | None, bool]:
        return time_left([Load(cost=100, elapsed=elapsed, work=0.5, noted=50), Load(cost=40)], foreseen=True)

    assert left(50) == (50 + 40, True)
    assert left(80) == (20 + 40, True)
    assert left(100) == (40, True)
    late, complete = left(200)  # it takes longer than expected: when it ends is not known, and the rest is slower too
    assert not complete
    assert late == pytest.approx(40 * (14 + 200) / (14 + 100))


def test_a_task_that_runs_does_not_count_as_time_for_what_was_done_before_it() -> None:
    quick = [Load(cost=100, elapsed=90, work=0.5, noted=25), Load(cost=100)]
    assert expected(quick, foreseen=True)[1] == pytest.approx(100 * (20 + 25) / (20 + 50))


def test_a_run_notes_when_its_work_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(state.time, "monotonic", lambda: now)
    run = RunState([Step(name="06_relevance", cost=600)], foreseen=True)
    run.plan("06_relevance", [Notebook(name="06_relevance")])
    run.begin("06_relevance")
    now += 60
    run.making("06_relevance", "map-evaluation", 1, 0.1)
    assert left_in_words(run.shown()) == "about 9 min left"
    now += 300
    run.making("06_relevance", "map-evaluation", 1, 0.1)
    assert left_in_words(run.shown()) == "about 4 min left"
    now += 400
    assert left_in_words(run.shown()) == "longer than expected"
