"""Guards of a run: only one process at a time writes to a folder, and a signal to end leaves the folder in order."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from stgcnlib.errors import StageError
from stgcnlib.files import make_folder, missing_folders

__all__ = ["alone", "in_use", "stoppable"]

PATIENCE, PAUSE = 0.5, 0.02
"""Seconds for which a run tries to take a lock, and between two tries: who only looks holds it for a moment."""


@contextmanager
def alone(output: Path) -> Iterator[list[Path]]:
    """Make a folder if it is missing, and hold its lock, where the system has such locks.

    The lock is also released if the process is killed.

    Yields:
        The folders that were missing: `output` first, then those above it.

    Raises:
        OutputError: the folder cannot be made.
        StageError: another run is writing to the folder.
    """
    new, handle = _taken(output)
    try:
        yield new
    finally:
        if handle >= 0:
            os.close(handle)


def in_use(output: Path) -> bool:
    """Whether a run is writing to the folder now; always `False` on Windows, which has no such lock."""
    if os.name == "nt":
        return False
    handle = os.open(output, os.O_RDONLY)
    try:
        return not _locked(handle, shared=True)
    finally:
        os.close(handle)


def _taken(output: Path) -> tuple[list[Path], int]:
    """The folders that were missing, and the handle of the lock; -1 on Windows."""
    while True:
        new = missing_folders(output)
        make_folder(output)
        if os.name == "nt":
            return new, -1
        with suppress(FileNotFoundError):  # a run that was refused removed it meanwhile: make it again
            handle = os.open(output, os.O_RDONLY)
            if not _locked_soon(handle):
                os.close(handle)
                raise StageError(f"{output}: another run is writing to it; wait for it, or choose another folder")
            if _lies_at(output, handle):
                return new, handle
            os.close(handle)


def _lies_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _locked_soon(handle: int) -> bool:
    """Whether a run has got the lock, within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not _locked(handle):
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True


def _locked(handle: int, *, shared: bool = False) -> bool:
    """Take the lock at once, or not at all; `shared` for looking, which several may do at a time."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system that locks only files, not folders
        return True
    return True


SECONDS_TO_END = 30.0


@contextmanager
def stoppable() -> Iterator[None]:
    """Have `kill` and a closed terminal end the block as Ctrl-C does, with KeyboardInterrupt.

    What then ends the work is not interrupted in turn: for `SECONDS_TO_END`, further ones of these signals are ignored.
    Signals that are ignored (nohup) or handled by the caller stay as they are. Outside of the main thread this does
    nothing, since only the main thread can handle signals.
    """
    chosen = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in chosen if main and signal.getsignal(number) is signal.SIG_DFL]
    asked = -math.inf

    def interrupt(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if (now := time.monotonic()) - asked > SECONDS_TO_END:
            asked = now
            raise KeyboardInterrupt(signal.Signals(number).name)

    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
