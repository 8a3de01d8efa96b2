"""Guards of a run: only one process at a time writes to a folder, and a signal to end leaves the folder in order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from stgcnlib.errors import StageError

__all__ = ["alone", "in_use", "stoppable"]


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Hold a folder's lock, where the system has such locks; it is also released if the process is killed.

    Raises:
        StageError: another run is writing to the folder.
    """
    handle = os.open(output, os.O_RDONLY) if os.name != "nt" else -1
    try:
        if not _locked(handle):
            raise StageError(f"{output}: another run is writing to it; wait for it, or choose another folder")
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def in_use(output: Path) -> bool:
    """Whether a run is writing to the folder now; always `False` on Windows, which has no such lock."""
    if os.name == "nt":
        return False
    handle = os.open(output, os.O_RDONLY)
    try:
        return not _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system that locks only files, not folders
        return True
    return True


@contextmanager
def stoppable() -> Iterator[None]:
    """Have `kill` and a closed terminal end the block as Ctrl-C does, with KeyboardInterrupt.

    Signals that are ignored (nohup) or handled by the caller stay as they are. Outside of the main thread this does
    nothing, since only the main thread can handle signals.
    """
    chosen = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in chosen if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
