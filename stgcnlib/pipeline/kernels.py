"""Processes forked from one that has imported everything: kernels for notebooks, and workers.

A kernel spends about five seconds of processor time on imports, and a report has twenty kernels. One process, the
source, imports once; kernels forked from it start at once. Where forking is not safe, kernels start as usual.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from stgcnlib.temporary import TemporaryFolder
from stgcnlib.threads import THREAD_VARIABLES, cores

if sys.platform != "win32":
    import resource

__all__ = ["LAUNCHER", "PROVISIONER", "SOURCE", "ForkProvisioner", "KernelSource"]

PROVISIONER = "stgcnlib-fork"
"""Name of `ForkProvisioner` among Jupyter's kernel provisioners (an entry point of this package)."""

SOURCE = "STGCNLIB_KERNEL_SOURCE"
"""Environment variable with the path of the source's socket."""

LAUNCHER = "ipykernel_launcher"
LONGEST_PATH = 100  # of a Unix socket; the system's limit is 104 to 108 bytes


class KernelSource:
    """The process that kernels are forked from. `path` is that of its socket; `None` while there is no such process.

    Only on Linux: other systems lack fork, or have libraries that a forked process cannot use.
    """

    def __init__(self) -> None:
        self.path: str | None = None
        self._temporary: TemporaryFolder | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str], folder: TemporaryFolder | None = None) -> None:
        """Start it with these variables; it imports in the background, and answers orders when it is ready.

        Args:
            environment: what is added to the variables of this process.
            folder: where its socket lies; it removes this folder if this process is killed. `None`: one of its own.
        """
        if self._process is not None or not sys.platform.startswith("linux"):
            return
        if folder is None:
            folder = self._temporary = TemporaryFolder()
        path = str(folder.path / "kernels")
        if len(os.fsencode(path)) > LONGEST_PATH:
            return
        # One thread for each library: a process with threads cannot be forked. Kernels set their own number.
        threads = dict.fromkeys(THREAD_VARIABLES, "1") | {"NUMBA_NUM_THREADS": str(cores())}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stgcnlib.pipeline.source", str(listener.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=os.environ | environment | threads,
                start_new_session=True,  # Ctrl-C comes to the parent alone
            )
        self.path = path

    def fork(self, module: str, environment: Mapping[str, str], streams: tuple[int, int, int]) -> _Forked | None:
        """A process forked to run a module's `main`, with these standard streams; `None` without a source."""
        return None if self.path is None else _fork(self.path, {"module": module}, environment, streams)

    def stop(self) -> None:
        """End it and all that it has forked."""
        process, self._process, self.path = self._process, None, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()  # the sign to end
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._temporary is not None:
            self._temporary.remove()
            self._temporary = None


class _Forked:
    """A process that the source has forked, with the part of `subprocess.Popen` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid, self.returncode = pid, None  # type: int, int | None
        self._connection = connection

    def poll(self) -> int | None:
        """The exit code, or `None` while it runs."""
        if self.returncode is None:
            self._connection.setblocking(False)
            with suppress(BlockingIOError):
                self._ended(self._connection.recv(64))
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, once it has ended; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self._ended(self._connection.recv(64))
            except (TimeoutError, BlockingIOError):  # the latter for no seconds at all
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0) from None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the kernel."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, answer: bytes) -> None:
        """Take the exit code from the source's answer; no answer: the source has exited, and its kernels with it."""
        self.returncode = int(answer) if answer else 1
        self._connection.close()


class ForkProvisioner(LocalProvisioner):
    """Has Jupyter fork kernels from the source; without a source, kernels start as usual."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel that takes the arguments of `cmd`, which starts `LAUNCHER`."""
        path = os.environ.get(SOURCE)
        if not path:
            return await super().launch_kernel(cmd, **kwargs)
        order = {"arguments": cmd[cmd.index(LAUNCHER) + 1 :], "folder": str(kwargs.get("cwd") or Path.cwd())}
        null = os.open(os.devnull, os.O_RDONLY)
        kernel = _fork(path, order, dict(kwargs.get("env") or os.environ), (null, 2, 2))
        os.close(null)
        if kernel is None:  # the source could not start, for example because memory ran out
            return await super().launch_kernel(cmd, **kwargs)
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid
        return self.connection_info


def _fork(
    path: str, order: Mapping[str, Any], environment: Mapping[str, str], streams: tuple[int, int, int]
) -> _Forked | None:
    """Have the source at a socket fork a process; `None` if it does not answer."""
    full = {
        "folder": str(Path.cwd()),
        "environment": dict(environment),
        "memory": resource.getrlimit(resource.RLIMIT_DATA)[0],  # a fork of the source does not inherit it
        **order,
    }
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
        text = json.dumps(full).encode()
        socket.send_fds(connection, [len(text).to_bytes(4, "big")], list(streams))
        connection.sendall(text)
        answer = connection.recv(64)
    except OSError:
        answer = b""
    if not answer:
        connection.close()
        return None
    return _Forked(connection, int(answer))
