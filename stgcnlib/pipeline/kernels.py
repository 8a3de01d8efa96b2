"""Kernels forked from one process that has imported everything: ``python -P -m stgcnlib.pipeline.kernels FD``.

A kernel spends some five seconds of processor time on imports, and a report has twenty kernels. The source imports
once and forks; a kernel is then there at once. Where a process cannot be forked safely, kernels start as usual.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from stgcnlib.threads import THREAD_VARIABLES, cores, limit_threads

if sys.platform != "win32":
    import resource

__all__ = ["LAUNCHER", "PROVISIONER", "SOURCE", "ForkProvisioner", "KernelSource", "main"]

PROVISIONER = "stgcnlib-fork"
"""Name of `ForkProvisioner` among Jupyter's kernel provisioners (an entry point of this package)."""

SOURCE = "STGCNLIB_KERNEL_SOURCE"
"""Environment variable with the path of the source's socket."""

LAUNCHER = "ipykernel_launcher"
LONGEST_PATH = 100  # of a Unix socket; the system's limit is 104 to 108 bytes
WARM = (
    "ipykernel.ipkernel", "ipykernel.kernelapp", "IPython.core.completer", "lightning.pytorch",
    "matplotlib_inline.backend_inline", "pandas", "plotly.offline", "pyarrow.parquet", "scipy.stats", "seaborn",
    "skdim.id", "sklearn.linear_model", "sklearn.manifold", "sklearn.model_selection", "torch", "zarr",
    "stgcnlib.activations", "stgcnlib.demo", "stgcnlib.dsgraph", "stgcnlib.dtw", "stgcnlib.explain",
    "stgcnlib.figures", "stgcnlib.geometry", "stgcnlib.networks", "stgcnlib.pipeline.details",
    "stgcnlib.pipeline.experiments", "stgcnlib.pipeline.maps", "stgcnlib.pipeline.run", "stgcnlib.pipeline.summary",
    "stgcnlib.readers", "stgcnlib.studies", "stgcnlib.training", "stgcnlib.training.loop", "stgcnlib.transforms",
    "stgcnlib.verdicts",
)  # fmt: skip
"""What the stage notebooks import, at once or on the way."""


class KernelSource:
    """The process that kernels are forked from; a context manager. `path` is `None` where there is none.

    Only on Linux: other systems lack fork, or have libraries that a forked process cannot use.
    """

    def __init__(self) -> None:
        self.path: str | None = None
        self._folder: str | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it with these variables; it imports while others work, and answers when it is ready."""
        if self._process is not None or not sys.platform.startswith("linux"):
            return
        self._folder = tempfile.mkdtemp(prefix="stgcnlib-")
        path = str(Path(self._folder) / "kernels")
        if len(os.fsencode(path)) > LONGEST_PATH:
            return
        # One thread for each library: a process with threads cannot be forked. Kernels set their own number.
        threads = dict.fromkeys(THREAD_VARIABLES, "1") | {"NUMBA_NUM_THREADS": str(cores())}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "stgcnlib.pipeline.kernels", str(listener.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=os.environ | environment | threads,
                start_new_session=True,  # Ctrl-C comes to the parent alone
            )
        self.path = path

    def stop(self) -> None:
        """End it and all kernels that it has forked."""
        process, self._process, self.path = self._process, None, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()  # the sign to end
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class _Forked:
    """A kernel that the source has forked, with the part of `subprocess.Popen` that Jupyter uses."""

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

    def wait(self) -> int | None:
        """The exit code, once it has ended."""
        if self.returncode is None:
            self._connection.setblocking(True)
            self._ended(self._connection.recv(64))
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
        """The source says how a kernel ended; if the source itself is gone, so is the kernel."""
        self.returncode = int(answer) if answer else 1
        self._connection.close()


class ForkProvisioner(LocalProvisioner):
    """Jupyter's way to a kernel of the source; without a source, kernels start as a process of their own."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel that takes the arguments of `cmd`, which starts `LAUNCHER`."""
        path = os.environ.get(SOURCE)
        if not path:
            return await super().launch_kernel(cmd, **kwargs)
        order = {
            "arguments": cmd[cmd.index(LAUNCHER) + 1 :],
            "folder": str(kwargs.get("cwd") or Path.cwd()),
            "environment": dict(kwargs.get("env") or os.environ),
            "memory": resource.getrlimit(resource.RLIMIT_DATA)[0],  # a child would inherit it
        }
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            text = json.dumps(order).encode()
            socket.send_fds(connection, [len(text).to_bytes(4, "big")], [2])  # its stdout and stderr
            connection.sendall(text)
            answer = connection.recv(64)
        except OSError:
            answer = b""
        if not answer:  # the source could not start, say for want of memory
            connection.close()
            return await super().launch_kernel(cmd, **kwargs)
        kernel = _Forked(connection, int(answer))
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid
        return self.connection_info


def main() -> None:
    """Import, then fork a kernel for every order, until stdin closes; in a forked process, be that kernel."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    for name in WARM:
        module = importlib.import_module(name)
        for each in getattr(module, "__all__", ()) if name.startswith("stgcnlib.") else ():
            getattr(module, each)  # some rooms import a name when it is first asked for
    gc.collect()
    gc.freeze()  # the collector of a forked process would copy all that it looks at
    order = _serve(listener)
    if order is not None:
        _be_kernel(order)
    else:
        shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)  # the parent may have been killed


def _serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork kernels and say how they ended. Returns the order in a forked process, and `None` at the end."""
    running: dict[int, socket.socket] = {}
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno())
    selector = selectors.DefaultSelector()
    for stream in (listener, wake, sys.stdin):
        selector.register(stream, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                for pid in running:
                    _kill(pid)
                return None
            if key.fileobj is wake:
                wake.recv(4096)
                _report_ended(running, selector)
            elif key.fileobj is listener:
                connection, _ = listener.accept()
                order = _read(connection)
                if order is None:
                    connection.close()
                    continue
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    selector.close()
                    for each in (listener, wake, woken, connection, *running.values()):
                        each.close()
                    return order
                os.close(order["output"])
                running[pid] = connection
                selector.register(connection, selectors.EVENT_READ)
                connection.sendall(str(pid).encode())
            else:  # the process that ordered this kernel is gone
                for pid, connection in running.items():
                    if connection is key.fileobj:
                        _kill(pid)
                selector.unregister(key.fileobj)


def _read(connection: socket.socket) -> dict[str, Any] | None:
    """An order and the file descriptor for the kernel's output, or `None` for a broken connection."""
    header, descriptors, _, _ = socket.recv_fds(connection, 4, 1)
    if len(header) < 4 or not descriptors:
        return None
    text, size = b"", int.from_bytes(header, "big")
    while len(text) < size:
        part = connection.recv(size - len(text))
        if not part:
            os.close(descriptors[0])
            return None
        text += part
    order: dict[str, Any] = json.loads(text)
    return order | {"output": descriptors[0]}


def _report_ended(running: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        connection = running.pop(pid)
        with suppress(KeyError):
            selector.unregister(connection)
        with suppress(OSError):
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        connection.close()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # a kernel leads its own group


def _be_kernel(order: dict[str, Any]) -> None:
    """Become a kernel as if started by itself: session, folder, environment, output, threads."""
    os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (order["output"], 1), (order["output"], 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(order["output"])
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], resource.getrlimit(resource.RLIMIT_DATA)[1]))
    limit_threads(int(os.environ.get("OMP_NUM_THREADS") or cores()))
    from ipykernel.kernelapp import IPKernelApp

    # It ends with the source. The environment's JPY_PARENT_PID was read when ipykernel was imported.
    code = 0
    try:
        IPKernelApp.launch_instance([*order["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    # Taking thousands of modules apart, as an interpreter does at its end, would copy them first: a second or more.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
