"""Long work: in order, told, cancelled, and gone when closed."""

from __future__ import annotations

import gc
import threading
import time
import weakref

from small_line import wait_for

from stgcnlib.workbench.background import Background, Cancelled, Task


def test_work_is_done_in_order_and_beside_the_main_thread() -> None:
    background, seen = Background(), []
    for k in range(5):
        background.submit(Task(str(k), lambda task: seen.append((task.id, threading.current_thread())), seen.append))
    wait_for(lambda: not background.busy)
    assert [id for id, _ in seen] == list("01234")
    assert {thread for _, thread in seen}.isdisjoint({threading.main_thread()})
    background.close()


def test_progress_is_told_and_errors_arrive() -> None:
    background, told, errors = Background(), [], []

    def work(task: Task) -> None:
        task.progress(0.5, "half")
        raise ValueError("flat tyre")

    background.submit(Task("a", work, errors.append, lambda share, text: told.append((share, text))))
    background.submit(Task("b", lambda task: told.append((1.0, "next")), errors.append))
    wait_for(lambda: not background.busy)
    assert told == [(0.5, "half"), (1.0, "next")]
    assert [str(error) for error in errors] == ["flat tyre"]
    background.close()


def test_cancel_stops_what_runs_and_what_waits() -> None:
    background, errors, started = Background(), {}, threading.Event()

    def endless(task: Task) -> None:
        started.set()
        while True:
            task.progress(0.1, "still")
            time.sleep(0.005)

    for name in "ab":
        background.submit(Task(name, endless, lambda error, name=name: errors.update({name: error})))
    assert started.wait(10)
    background.cancel("b")
    background.cancel("no such work")
    background.cancel("a")
    wait_for(lambda: not background.busy)
    assert list(errors) == ["a", "b"]
    assert all(isinstance(error, Cancelled) for error in errors.values())
    background.close()


def test_closing_ends_the_thread_and_refuses_more() -> None:
    before = threading.active_count()
    background, errors = Background(), []
    background.submit(Task("a", lambda task: None, errors.append))
    background.close()
    assert threading.active_count() == before
    background.submit(Task("b", lambda task: None, errors.append))
    assert len(errors) <= 1 or isinstance(errors[0], Cancelled)
    assert isinstance(errors[-1], Cancelled)


def test_a_dropped_one_leaves_no_thread() -> None:
    before = threading.active_count()
    background = Background()
    background.submit(Task("a", lambda task: None, lambda error: None))
    gone = weakref.ref(background)
    del background
    gc.collect()
    assert gone() is None
    wait_for(lambda: threading.active_count() == before)
