"""The process that kernels and workers are forked from: ``python -P -m stgcnlib.pipeline.source FD``.

It imports what they need, and forks one for every order that comes over the socket with this file descriptor, until
stdin closes.
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
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from stgcnlib.threads import cores, limit_threads

if sys.platform != "win32":
    import resource

__all__ = ["WARM", "main"]

WARM = (
    "ipykernel.ipkernel", "ipykernel.kernelapp", "IPython.core.completer", "lightning.pytorch",
    "matplotlib_inline.backend_inline", "pandas", "pyarrow.parquet", "scipy.stats", "seaborn",
    "skdim.id", "sklearn.linear_model", "sklearn.manifold", "sklearn.model_selection", "torch", "zarr",
    "stgcnlib.activations", "stgcnlib.demo", "stgcnlib.dsgraph", "stgcnlib.dtw", "stgcnlib.explain",
    "stgcnlib.figures", "stgcnlib.geometry", "stgcnlib.networks", "stgcnlib.pipeline.run", "stgcnlib.pipeline.workers",
    "stgcnlib.readers", "stgcnlib.studies", "stgcnlib.tables", "stgcnlib.training", "stgcnlib.training.loop",
    "stgcnlib.transforms", "stgcnlib.verdicts",
)  # fmt: skip
"""What the stage notebooks import, directly or indirectly."""


def main() -> None:
    """Import, then fork a process for every order, until stdin closes; in a forked process, do what is ordered."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    for name in WARM:
        module = importlib.import_module(name)
        for each in getattr(module, "__all__", ()) if name.startswith("stgcnlib.") else ():
            getattr(module, each)  # some rooms import a name when it is first asked for
    gc.collect()
    gc.freeze()  # or else a forked process's garbage collector would copy the memory of all objects
    order = _serve(listener)
    if order is not None:
        _become(order)
    else:
        shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)  # the parent may have been killed


def _serve(listener: socket.socket) -> dict[str, Any] | None:
    """Fork processes and report their exit codes. Returns the order in a forked process, and `None` at the end."""
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
                signal.set_wakeup_fd(-1)  # its socket closes before the last forked process has ended
                for pid in running:
                    _kill(pid)
                return None
            if key.fileobj is wake:
                wake.recv(4096)
                _report_ended(running, selector)
            elif key.fileobj is listener:
                connection, order = _accepted(listener)
                if connection is None or order is None:
                    continue
                forked = _forked()
                if forked == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    selector.close()
                    for each in (listener, wake, woken, connection, *running.values()):
                        each.close()
                    return order
                for stream in order["streams"]:
                    os.close(stream)
                if forked is None:
                    connection.close()  # without an answer, the process that ordered this one starts it as usual
                    continue
                running[forked] = connection
                selector.register(connection, selectors.EVENT_READ)
                with suppress(OSError):  # it is gone: the next round kills what it ordered
                    connection.sendall(str(forked).encode())
            else:  # the process that ordered this kernel is gone
                for pid, connection in running.items():
                    if connection is key.fileobj:  # else it has ended too, which was reported just before
                        _kill(pid)
                        selector.unregister(connection)


def _accepted(listener: socket.socket) -> tuple[socket.socket, dict[str, Any]] | tuple[None, None]:
    """The next connection and its order; nothing if it is broken, or cannot be accepted now."""
    try:
        connection, _ = listener.accept()
    except OSError:  # too many open files, for example: until a process ends, the connection waits
        time.sleep(0.1)
        return None, None
    order = _read(connection)
    if order is None:
        connection.close()
        return None, None
    return connection, order


def _forked() -> int | None:
    """As `os.fork`; `None` if the system has no memory or no place for one more process."""
    try:
        return os.fork()
    except OSError:
        return None


def _read(connection: socket.socket) -> dict[str, Any] | None:
    """An order with its stdin, stdout and stderr, or `None` for a broken connection."""
    streams: list[int] = []
    try:
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        text, size = b"", int.from_bytes(header, "big")
        while len(text) < size and (part := connection.recv(size - len(text))):
            text += part
        if len(streams) == 3:
            order: dict[str, Any] = json.loads(text)
            return order | {"streams": streams}
    except (OSError, ValueError):  # the latter for a text that ends early
        pass
    for stream in streams:
        os.close(stream)
    return None


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
    try:
        os.killpg(pid, signal.SIGKILL)  # a kernel leads its own group
    except ProcessLookupError:  # not yet, if it was forked just now
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _become(order: dict[str, Any]) -> None:
    """Carry out an order as a new process would: with its own session, folder, environment, streams and threads."""
    os.setsid()
    os.chdir(order["folder"])
    compiled_for = os.environ["NUMBA_NUM_THREADS"]
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # tempfile finds it again, from these variables
    os.environ["NUMBA_NUM_THREADS"] = compiled_for  # else numba does not compile; `limit_threads` sets the number
    for target, source in enumerate(order["streams"]):
        os.dup2(source, target)
    for source in order["streams"]:
        os.close(source)
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], resource.getrlimit(resource.RLIMIT_DATA)[1]))
    limit_threads(int(os.environ.get("OMP_NUM_THREADS") or cores()))
    code = 0
    try:
        if "module" in order:
            importlib.import_module(order["module"]).main()
        else:
            _be_kernel(order["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    # A normal exit would dismantle thousands of modules, and so copy their memory first: a second or more.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _be_kernel(arguments: list[str]) -> None:
    from ipykernel.kernelapp import IPKernelApp

    # The kernel exits when this parent, the source, does. The environment's JPY_PARENT_PID comes too late: ipykernel
    # read the variable when it was imported.
    IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


if __name__ == "__main__":
    main()
