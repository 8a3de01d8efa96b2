"""Processes that make artefacts: what is asked comes back, also as an error, and none outlives what started it."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from pathlib import Path
from typing import Any

import pytest
from small_line import alive, wait_for

from stgcnlib.errors import StudyError
from stgcnlib.pipeline import workers as workers_module
from stgcnlib.pipeline.kernels import KernelSource
from stgcnlib.pipeline.workers import Workers

HERE = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])}
"""Lets a process import the functions below."""
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

Opened = Callable[..., Workers]


@pytest.fixture(scope="module")
def source() -> Iterator[KernelSource]:
    source = KernelSource()
    source.start(HERE)
    yield source
    source.stop()


@pytest.fixture(params=[pytest.param("forked", marks=LINUX), "started"])
def opened(request: pytest.FixtureRequest, source: KernelSource) -> Iterator[Opened]:
    """Makes `Workers`, which are shut down in the end."""
    made: list[Workers] = []

    def open_workers(count: int = 1, **options: Any) -> Workers:
        kernels = source if request.param == "forked" else KernelSource()
        made.append(Workers(count, kernels, HERE | options.pop("environment", {}), **options))
        return made[-1]

    yield open_workers
    for workers in made:
        workers.shutdown(wait=False)


class Odd(Exception):
    """Cannot be read back: pickle calls it with one argument."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def fail(error: Exception) -> None:
    raise error


def fail_oddly() -> None:
    raise Odd("left", "right")


def fail_namelessly() -> None:
    class Local(Exception):
        pass

    raise Local("nobody knows me")


def a_function() -> Any:
    return lambda: 1


def loud(text: str) -> str:
    sys.stdout.write(text)
    sys.stderr.write(text)
    os.system(f"echo {text}")
    return text


def die(words: str) -> None:
    sys.stderr.write(words)
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def nap(file: str, seconds: float) -> int:
    Path(file).write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()


def hold(file: str) -> None:
    """Hold Python's global lock for a long time, as compiled code may: nothing else runs in the process."""
    Path(file).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(100)


def holding(workers: Workers, folder: Path, count: int) -> tuple[list[int], list[Future[None]]]:
    """Processes that `hold`, and what they would give."""
    files = [folder / str(i) for i in range(count)]
    futures = [workers.submit(hold, str(file)) for file in files]
    pids = [asleep(file) for file in files]
    time.sleep(0.5)  # from the file to the lock
    return pids, futures


def asleep(file: Path) -> int:
    wait_for(lambda: file.exists() and file.read_text() != "")
    return int(file.read_text())


def test_results_come_from_processes_of_their_own(opened: Opened, tmp_path: Path) -> None:
    workers = opened(2)
    assert list(workers.map(pow, range(5), [2] * 5)) == [0, 1, 4, 9, 16]
    naps = [workers.submit(nap, str(tmp_path / str(i)), 0.5) for i in range(4)]
    pids = [each.result() for each in naps]
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert workers.submit(sorted, [2, 1], reverse=True).result() == [2, 1]


def test_large_orders_and_answers(opened: Opened) -> None:
    data = os.urandom(8 * 2**20)
    assert opened().submit(bytes, data).result() == data


def test_it_has_the_environment_that_is_given(opened: Opened) -> None:
    workers = opened(environment={"MINE": "yes", "OMP_NUM_THREADS": "1"})
    assert [workers.submit(os.getenv, name).result() for name in ("MINE", "OMP_NUM_THREADS")] == ["yes", "1"]


def test_what_is_printed_does_not_mix_with_answers(opened: Opened) -> None:
    workers = opened()
    assert [workers.submit(loud, text).result() for text in ("one", "two")] == ["one", "two"]


def test_errors_come_back_as_they_are_and_the_process_goes_on(opened: Opened) -> None:
    workers = opened()
    pid = workers.submit(os.getpid).result()
    with pytest.raises(KeyError, match="'missing'"):
        workers.submit(fail, KeyError("missing")).result()
    with pytest.raises(StudyError, match=r"^graph\.k: too many$"):
        workers.submit(fail, StudyError("graph.k: too many")).result()
    with pytest.raises(RuntimeError, match=r"^the code called exit \(SystemExit: 3\); it must return or raise$"):
        workers.submit(sys.exit, 3).result()
    assert workers.submit(os.getpid).result() == pid


def test_what_cannot_be_pickled_is_told_in_words(opened: Opened) -> None:
    workers = opened()
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Odd("left", "right")))
    with pytest.raises(RuntimeError, match=r"^Odd: left right$"):
        workers.submit(fail_oddly).result()
    with pytest.raises(RuntimeError, match=r"^Local: nobody knows me$"):
        workers.submit(fail_namelessly).result()
    with pytest.raises(Exception, match="pickle"):
        workers.submit(a_function).result()
    with pytest.raises(Exception, match="pickle"):
        workers.submit(lambda: 1).result()
    assert workers.submit(abs, -1).result() == 1


def test_a_process_that_dies_leaves_its_last_words_and_is_replaced(opened: Opened) -> None:
    workers = opened()
    pid = workers.submit(os.getpid).result()
    with pytest.raises(BrokenExecutor, match="cannot allocate, giving up"):
        workers.submit(die, "cannot allocate, giving up").result()
    with pytest.raises(BrokenExecutor):
        workers.submit(os._exit, 7).result()
    assert workers.submit(os.getpid).result() != pid


def test_an_interrupt_of_the_terminal_is_for_the_parent_alone(opened: Opened, tmp_path: Path) -> None:
    workers = opened()
    future = workers.submit(nap, str(tmp_path / "pid"), 0.5)
    pid = asleep(tmp_path / "pid")
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGINT)
    assert future.result() == pid


def test_a_shutdown_ends_what_runs_and_drops_what_waits(opened: Opened, tmp_path: Path) -> None:
    workers = opened(1)
    running = workers.submit(nap, str(tmp_path / "pid"), 100)
    waiting = workers.submit(nap, str(tmp_path / "other"), 100)
    pid = asleep(tmp_path / "pid")
    began = time.monotonic()
    workers.shutdown(wait=False, cancel_futures=True)
    assert time.monotonic() - began < 8  # it goes by itself, nobody has to kill it
    assert not alive(pid)
    with pytest.raises(BrokenExecutor):
        running.result()
    with pytest.raises((BrokenExecutor, CancelledError)):
        waiting.result()
    assert not (tmp_path / "other").exists()
    with pytest.raises(RuntimeError, match="after shutdown"):
        workers.submit(abs, 1)


def test_those_that_do_not_go_are_waited_for_at_the_same_time(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stgcnlib.pipeline.workers.STOP_SECONDS", 3.0)
    workers = opened(3)
    pids, _ = holding(workers, tmp_path, 3)
    began = time.monotonic()
    workers.shutdown(wait=False)
    assert 2 < time.monotonic() - began < 8
    assert not any(alive(pid) for pid in pids)


def test_an_interrupt_of_a_shutdown_leaves_none_at_work(opened: Opened, tmp_path: Path) -> None:
    workers = opened(2)
    pids, futures = holding(workers, tmp_path, 2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background commands ignore it
    threading.Timer(1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.shutdown(wait=False)
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: not any(alive(pid) for pid in pids), 5)
    workers.shutdown(wait=False)  # again, as a context manager may do
    for future in futures:
        with pytest.raises(BrokenExecutor):
            future.result()


def test_a_process_that_starts_during_a_shutdown_gets_no_order(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = opened()
    start = workers_module._Process

    def start_late(*args: Any) -> Any:
        process = start(*args)
        workers._stopped.set()
        return process

    monkeypatch.setattr(workers_module, "_Process", start_late)
    with pytest.raises(BrokenExecutor, match="stopped"):
        workers.call(nap, str(tmp_path / "pid"), 0)
    wait_for(lambda: not alive(workers._all[0].process.pid))
    assert not (tmp_path / "pid").exists()


def test_a_shutdown_may_wait(opened: Opened, tmp_path: Path) -> None:
    with opened(1) as workers:
        futures = [workers.submit(nap, str(tmp_path / "pid"), 0.3) for _ in range(2)]
    assert futures[0].result() == futures[1].result()
    assert not alive(futures[0].result())


@LINUX
def test_its_memory_is_limited(opened: Opened) -> None:
    import resource

    inherited = resource.getrlimit(resource.RLIMIT_DATA)[0]
    limited, free = opened(memory_limit=4), opened()
    assert limited.submit(resource.getrlimit, resource.RLIMIT_DATA).result()[0] == 4 * 2**30
    assert free.submit(resource.getrlimit, resource.RLIMIT_DATA).result()[0] == inherited
    with pytest.raises(MemoryError):
        limited.submit(bytearray, 8 * 2**30).result()
    assert limited.submit(len, bytearray(2**20)).result() == 2**20


PARENT = """
import os, sys, time
from stgcnlib.pipeline.kernels import KernelSource
from stgcnlib.pipeline.workers import Workers
source = KernelSource()
if sys.argv[1] == "forked":
    source.start({})
workers = Workers(2, source, {})
futures = [workers.submit(time.sleep, 1) for _ in range(2)]
pids = {workers.submit(os.getpid).result()} | {each.process.pid for each in workers._all}
busy = [workers.submit(time.sleep, 100) for _ in range(2)]
print(*pids, flush=True)
time.sleep(100)
"""


@pytest.mark.parametrize("how", [pytest.param("forked", marks=LINUX), "started"])
def test_none_outlives_a_parent_that_is_killed(how: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids))
    finally:
        process.kill()
        process.communicate()
