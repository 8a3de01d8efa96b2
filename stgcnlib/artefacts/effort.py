"""What making something took: wall and processor seconds, and the most memory that the process held meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Effort", "measured", "peak_memory"]

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Effort:
    """What a block takes, from its beginning; see `measured`."""

    def __init__(self) -> None:
        self._wall, self._processor, self._peak = time.monotonic(), time.process_time(), 0

    def so_far(self) -> dict[str, float]:
        """Until now: "seconds" of wall time, "processor" seconds of all threads of this process, and "peak".

        "peak" is the bytes of memory that the process held at most; where the system cannot reset its count, since
        the process began.
        """
        self.note(peak_memory())
        wall, processor = time.monotonic() - self._wall, time.process_time() - self._processor
        return {"seconds": round(wall, 3), "processor": round(processor, 3), "peak": self._peak}

    def note(self, peak: int) -> None:
        """Note a peak before the system's count is reset."""
        self._peak = max(self._peak, peak)


_open: list[Effort] = []
_lock = threading.Lock()


@contextmanager
def measured() -> Iterator[Effort]:
    """A block whose effort is measured. Blocks may be nested: an inner block counts for the outer one too."""
    with _lock:
        if _open:
            so_far = peak_memory()
            for each in _open:
                each.note(so_far)
        _count_anew()
        effort = Effort()
        _open.append(effort)
    try:
        yield effort
    finally:
        with _lock:
            _open.remove(effort)


def peak_memory() -> int:
    """Bytes of memory that this process held at most, since the last reset; 0 where the system does not say."""
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def _count_anew() -> None:
    with suppress(OSError):
        CLEAR.write_text("5", encoding="ascii")  # Linux: the peak becomes what the process holds now
