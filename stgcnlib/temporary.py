"""Temporary files and folders that do not stay behind, however their process ends.

A process that makes one holds a lock on it, which ends with the process, even if that is killed. The next process that
makes one in the same place removes those whose lock nobody holds. On systems without such locks (Windows), those of
killed processes stay.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows
    LOCKS = False
else:
    LOCKS = True

__all__ = ["PREFIX", "TemporaryFolder", "aside", "hold", "release", "remove_left"]

PREFIX = ".stgcnlib-"
"""How the names of temporary files and folders beside results begin."""

_RUN = "stgcnlib-run-"
_OLD, _RANDOM = f"{PREFIX}old-", 8


class TemporaryFolder:
    """A private folder in the system's place for temporary files (TMPDIR); a context manager that removes it.

    Args:
        inherited: a program that takes this process's place (``os.exec``) keeps the folder.

    Attributes:
        path: the folder.
    """

    def __init__(self, *, inherited: bool = False) -> None:
        home = Path(tempfile.gettempdir())
        remove_left(home, _RUN)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_RUN, dir=home))
            self._handle = hold(self.path)
            if self._handle is not None:
                break
        if inherited and self._handle >= 0:
            os.set_inheritable(self._handle, True)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process makes its temporary files in there."""
        return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.path))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        release(self._handle)
        self._handle = -1

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()


def hold(path: Path) -> int | None:
    """Take the lock of a temporary file or folder that was just made.

    Returns:
        A handle for `release`; -1 where there are no locks; `None` if another process has removed the path meanwhile.
    """
    if not LOCKS:
        return -1
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except FileNotFoundError:
        pass
    except OSError:  # a file system without locks: nobody else can take it either
        return handle
    os.close(handle)
    return None


def release(handle: int | None) -> None:
    """Give a lock back."""
    if handle is not None and handle >= 0:
        os.close(handle)


def aside(target: Path) -> Path:
    """A name for the old `target` until the new one is in place; `remove_left` restores it if that did not happen."""
    return target.with_name(f"{_OLD}{uuid.uuid4().hex[:_RANDOM]}-{target.name}")


def remove_left(folder: Path, prefix: str = PREFIX) -> None:
    """Remove temporary files and folders that killed processes of this user have left in a folder."""
    if not LOCKS:
        return
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(prefix):
                with suppress(OSError):
                    _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    """Remove a path whose lock nobody holds; `OSError` says why it stays."""
    way = os.O_RDONLY if path.is_dir() else os.O_RDWR  # a network file system locks only files open for writing
    handle = os.open(path, way | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(handle).st_uid != os.geteuid():
            return
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        target = path.name[len(_OLD) + _RANDOM + 1 :] if path.name.startswith(_OLD) else ""
        if target and not path.with_name(target).exists():
            path.rename(path.with_name(target))
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(handle)
