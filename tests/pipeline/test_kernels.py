"""Kernels forked from one warm process: they are kernels like others, and none outlives what started it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import AsyncKernelManager

from stgcnlib.pipeline.execute import SameInterpreter
from stgcnlib.pipeline.kernels import SOURCE, KernelSource, _fork
from stgcnlib.pipeline.source import _kill

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernels are forked on Linux only")


@pytest.fixture(scope="module")
def source() -> Iterator[KernelSource]:
    source = KernelSource()
    source.start({"STGCNLIB_PROGRESS": "0"})
    yield source
    source.stop()


@pytest.fixture
def forked(source: KernelSource, monkeypatch: pytest.MonkeyPatch) -> KernelSource:
    assert source.path is not None
    monkeypatch.setenv(SOURCE, source.path)
    return source


def in_kernel(work: Callable[[AsyncKernelManager, Any], Any], **options: Any) -> Any:
    """What `work` gives of a started kernel and its client."""

    async def run() -> Any:
        manager = SameInterpreter(kernel_name="python3")
        await manager.start_kernel(**options)
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=120)
            return await work(manager, client)
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    return asyncio.run(run())


def value(code: str, **options: Any) -> Any:
    """The value of an expression in a kernel."""

    async def ask(_: AsyncKernelManager, client: Any) -> Any:
        said: list[str] = []
        reply = await client.execute_interactive(
            f"import json; print(json.dumps({code}))",
            output_hook=lambda message: said.append(message["content"].get("text", "")),
            timeout=60,
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return json.loads("".join(said))

    return in_kernel(ask, **options)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_it_has_the_library_and_its_own_settings(forked: KernelSource, tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MINE": "yes"}
    names = "['stgcnlib.studies.noise', 'stgcnlib.figures.player', 'torch', 'lightning']"
    found = value(
        f"[[n in __import__('sys').modules for n in {names}],"
        " __import__('os').getcwd(), __import__('os').environ['MINE'],"
        " __import__('torch').get_num_threads(), __import__('numba').get_num_threads(),"
        " max(p['num_threads'] for p in __import__('threadpoolctl').threadpool_info())]",
        cwd=str(tmp_path),
        env=environment,
    )
    assert found == [[True] * 4, str(tmp_path), "yes", 1, 1, 1]


def test_it_takes_more_threads_than_the_source_has(forked: KernelSource) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    found = value(
        "[__import__('torch').get_num_threads(), __import__('numba').get_num_threads(),"
        " min(p['num_threads'] for p in __import__('threadpoolctl').threadpool_info())]",
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    assert found == [2, 2, 2]


def test_it_computes_on_its_threads(forked: KernelSource) -> None:
    """BLAS, numba and torch work in a forked process, where a thread pool of the parent would hang."""
    total = value(
        "[float((__import__('numpy').ones((300, 300)) @ __import__('numpy').ones((300, 300))).sum()),"
        " float(__import__('torch').ones(300, 300).matmul(__import__('torch').ones(300, 300)).sum()),"
        " float(__import__('stgcnlib').dtw_distances([__import__('numpy').zeros((9, 4)),"
        " __import__('numpy').ones((9, 4))], reading='frames', normalize=None)[0, 1])]",
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    assert total == [300.0**3, 300.0**3, 18.0]


def test_numba_compiles_in_a_kernel_of_fewer_threads(forked: KernelSource) -> None:
    """Numba reads its variables again at each compilation, and refuses another number of threads than it has."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    code = "[__import__('numba').njit(lambda x: x + 1)(41), __import__('numba').get_num_threads()]"
    assert value(code, env=environment) == [42, 1]


def test_two_kernels_share_nothing(forked: KernelSource) -> None:
    assert value("globals().setdefault('mark', 1)") == 1
    assert value("'mark' in globals()") is False


@pytest.mark.parametrize(("code", "expected"), [("import os; os._exit(7)", 7), ("import os; os.abort()", -6)])
def test_its_exit_code_is_known(forked: KernelSource, code: str, expected: int) -> None:
    async def die(manager: AsyncKernelManager, client: Any) -> int | None:
        client.execute(code)
        while await manager.is_alive():
            await asyncio.sleep(0.05)
        return await manager.provisioner.poll()

    assert in_kernel(die) == expected


def test_it_takes_signals(forked: KernelSource) -> None:
    async def interrupt(manager: AsyncKernelManager, client: Any) -> str:
        client.execute("import time; time.sleep(100)")
        await asyncio.sleep(1)
        await manager.interrupt_kernel()
        while True:
            reply = await client.get_shell_msg(timeout=60)
            if reply["msg_type"] == "execute_reply":
                return str(reply["content"].get("ename"))

    assert in_kernel(interrupt) == "KeyboardInterrupt"


def test_its_memory_is_limited_like_a_childs(forked: KernelSource) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (64 * 2**30, hard))
    try:
        assert value("__import__('resource').getrlimit(__import__('resource').RLIMIT_DATA)[0]") == 64 * 2**30
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def test_without_a_source_a_kernel_starts_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SOURCE, raising=False)
    assert value("'torch' in __import__('sys').modules") is False
    monkeypatch.setenv(SOURCE, str(tmp_path / "gone"))
    assert value("'torch' in __import__('sys').modules") is False


def test_it_ends_with_the_one_that_ordered_it(forked: KernelSource) -> None:
    async def leave(manager: AsyncKernelManager, client: Any) -> int:
        pid = int(manager.provisioner.pid)
        manager.provisioner.process._connection.close()
        wait_for(lambda: gone(pid))
        manager.provisioner.process.returncode = -9
        return pid

    assert in_kernel(leave) > 0
    assert value("1") == 1  # the source is still there


# -- what the source survives ----------------------------------------------------------------------

SLEEPER = """
import os, time
def main():
    with open(os.environ["TOLD"], "a") as file:
        print(os.getpid(), file=file, flush=True)
    time.sleep(100)
"""
QUICK = """
import os, selectors, sys, time
from stgcnlib.pipeline import source

refused = [OSError(12, "no memory")] if "no-memory" in sys.argv else []
fork = os.fork
def fork_later():
    if refused:
        raise refused.pop()
    return fork()
os.fork = fork_later

class Slow(selectors.DefaultSelector):
    def select(self, timeout=None):
        "What came within half a second, the signal of an ended process first."
        found = super().select(timeout)
        if "slow" in sys.argv:
            time.sleep(0.5)
            found = super().select(0)
        return sorted(found, key=lambda each: each[0].fd)
selectors.DefaultSelector = Slow

source.WARM = ()
source.main()
"""


class Quick:
    """A source that imports nothing before it forks; `fork` gives the process of `SLEEPER`, or `None`."""

    def __init__(self, folder: Path, *options: str) -> None:
        (folder / "sleeper.py").write_text(SLEEPER)
        self.path, self.told = str(folder / "socket"), folder / "told.txt"
        variables = {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "NUMBA_NUM_THREADS": "1"}
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen()
            self.process = subprocess.Popen(
                [sys.executable, "-c", QUICK, str(listener.fileno()), *options], pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE, env=os.environ | variables,
            )  # fmt: skip

    def fork(self) -> Any:
        environment = os.environ | {"TOLD": str(self.told)}
        with Path(os.devnull).open() as null:
            return _fork(self.path, {"module": "sleeper"}, environment, (null.fileno(), 2, 2))

    def pids(self) -> list[int]:
        """Of the processes that have begun to sleep."""
        return [int(line) for line in self.told.read_text().split()] if self.told.exists() else []


@pytest.fixture
def quick() -> Iterator[Callable[..., Quick]]:
    made: list[Quick] = []
    with tempfile.TemporaryDirectory() as folder:  # of a short name: a socket's path is short

        def start(*options: str) -> Quick:
            made.append(Quick(Path(folder), *options))
            return made[-1]

        yield start
        for each in made:
            each.process.send_signal(signal.SIGCONT)
            each.process.communicate()


def test_without_memory_for_a_fork_it_says_so_and_goes_on(quick: Callable[..., Quick]) -> None:
    source = quick("no-memory")
    assert source.fork() is None  # and so it is started as usual
    process = source.fork()
    assert process is not None
    wait_for(lambda: source.pids() == [process.pid])


def test_one_who_goes_after_ordering_does_not_end_it(quick: Callable[..., Quick]) -> None:
    source = quick()
    first = source.fork()
    assert first is not None
    os.kill(source.process.pid, signal.SIGSTOP)  # so that it answers later
    order = {"module": "sleeper", "folder": "/", "environment": {"TOLD": str(source.told)}, "memory": -1}
    text = json.dumps(order).encode()
    with socket.socket(socket.AF_UNIX) as connection, Path(os.devnull).open() as null:
        connection.connect(source.path)
        socket.send_fds(connection, [len(text).to_bytes(4, "big")], [null.fileno()] * 3)
        connection.sendall(text)
    os.kill(source.process.pid, signal.SIGCONT)
    last = source.fork()
    assert last is not None
    wait_for(lambda: {first.pid, last.pid} <= set(source.pids()))
    wait_for(lambda: all(gone(pid) for pid in source.pids() if pid not in (first.pid, last.pid)))
    assert first.poll() is None


def test_half_an_order_does_not_end_it(quick: Callable[..., Quick]) -> None:
    source = quick()
    for text in (b"", b"{", b"[" * 9):
        with socket.socket(socket.AF_UNIX) as connection, Path(os.devnull).open() as null:
            connection.connect(source.path)
            socket.send_fds(connection, [(9).to_bytes(4, "big")], [null.fileno()] * 3)
            connection.sendall(text)
    assert source.fork() is not None


def test_a_process_that_ends_as_its_orderer_goes_does_not_end_it(quick: Callable[..., Quick]) -> None:
    source = quick("slow")
    process = source.fork()
    assert process is not None
    wait_for(lambda: source.pids() == [process.pid])
    os.kill(process.pid, signal.SIGKILL)
    process._connection.close()
    assert source.fork() is not None
    assert source.process.poll() is None


def test_a_process_without_a_group_of_its_own_is_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])  # in the group of this one
    _kill(process.pid)
    assert process.wait(10) == -signal.SIGKILL


PARENT = """
import asyncio, os, sys
from stgcnlib.pipeline.execute import SameInterpreter
from stgcnlib.pipeline.kernels import SOURCE, KernelSource
source = KernelSource()
source.start({})
os.environ[SOURCE] = source.path
async def main():
    manager = SameInterpreter(kernel_name="python3")
    await manager.start_kernel()
    print(source._process.pid, manager.provisioner.pid, source.path, flush=True)
    if sys.argv[1] == "stop":
        source.stop()
        print("stopped", flush=True)
    await asyncio.sleep(100)
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_nothing_is_left(how: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        source, kernel, path = process.stdout.readline().split()
        if how == "stop":
            assert process.stdout.readline() == "stopped\n"
        else:
            process.send_signal(signal.SIGKILL)
        wait_for(lambda: gone(int(source)) and gone(int(kernel)) and not Path(path).parent.exists())
    finally:
        process.kill()
        process.communicate()
