"""Damaged inputs: how they are made, and how time and memory are watched while they are read."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from stgcnlib.errors import StgcnlibError

SECONDS, WAITING = 10.0, 120.0
"""Of a processor, and by the clock: other tests may have the processor meanwhile."""
MEMORY = 2**30
NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
STRANGE = (
    b"0", b"-1", b"1", b"65536", b"99999999999", b"-99999999999999999999999", b"1e400", b"NaN", b"null", b"true",
    b'""', b"[]", b"{}", b"''", b"~", b"[[]]", b"\\u0000", b"\xc3\xa9", b"\xff", b"\0", b"../../etc/passwd", b"=1+1",
    b"<script>alert(1)</script>", b"{{7*7}}", b"${HOME}", b"*a", b"&a", b"!!python/name:os.system", b"%s%n",
    b"a" * 5000, b"9" * 500, b"[" * 2000, b'{"a":' * 2000,
)  # fmt: skip


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One damaged copy of a file's bytes."""
    found = bytearray(content or b" ")
    for _ in range(int(rng.integers(1, 4))):
        start, end = sorted(int(place) for place in rng.integers(len(found) + 1, size=2))
        match int(rng.integers(9)):
            case 0:
                for place in rng.integers(len(found), size=3) if found else ():
                    found[place] = int(rng.integers(256))
            case 1:
                del found[start:]
            case 2:
                del found[start:end]
            case 3:
                found[start:start] = found[start:end]
            case 4:
                found[start : start + 8] = bytes(8)
            case 5:
                found[start:start] = STRANGE[int(rng.integers(len(STRANGE)))]
            case 6 | 7:
                numbers = list(NUMBER.finditer(found))
                if numbers:
                    one = numbers[int(rng.integers(len(numbers)))]
                    found[one.start() : one.end()] = STRANGE[int(rng.integers(len(STRANGE)))]
            case 8:
                lines = bytes(found).split(b"\n")
                order = rng.permutation(len(lines)) if len(lines) < 5000 else range(len(lines))
                found = bytearray(b"\n".join(lines[i] for i in order))
        found = found or bytearray(b" ")
    return bytes(found[: 2**22])


@dataclass
class Watch:
    """What became of inputs: refused by an error of ours, taken, or neither of the two."""

    inputs: int = 0
    refused: int = 0
    taken: int = 0
    raw: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    most: int = 0

    def tried(self, what: str, read: Callable[[], Any]) -> None:
        """Read one input within the limits of time and memory."""
        self.inputs += 1
        before = _memory("VmRSS")
        _forget_peak()
        try:
            with within(SECONDS, 2 * MEMORY):
                read()
            self.taken += 1
        except StgcnlibError as error:
            self.refused += 1
            if len(str(error)) > 4000:
                self.raw.append(f"{what}: an error of {len(str(error))} characters")
        except TimeoutError:
            self.slow.append(what)
        except Exception as error:
            self.raw.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        self.most = max(self.most, _memory("VmHWM") - before)

    def counts(self) -> dict[str, int]:
        """For the tally."""
        raw, slow = len(self.raw), len(self.slow)
        return {"inputs": self.inputs, "refused": self.refused, "taken": self.taken, "raw": raw, "hangs": slow}

    def check(self) -> None:
        assert not self.raw, "\n".join(self.raw[:20])
        assert not self.slow, self.slow[:20]
        assert self.most < MEMORY, self.most


@contextmanager
def within(seconds: float, memory: int) -> Iterator[None]:
    """Raise TimeoutError after so much work, and let no more than so many bytes be allocated besides what there is."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{seconds} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    timers = ((signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, WAITING))
    before = [signal.signal(number, stop) for _, number, _ in timers]
    resource.setrlimit(resource.RLIMIT_DATA, (_memory("VmData") + memory, hard))
    for timer, _, most in timers:
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _memory(name: str) -> int:
    """Bytes of this process, by the name that Linux gives them."""
    if not sys.platform.startswith("linux"):
        return 0
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _forget_peak() -> None:
    """Have the greatest memory in use counted from now on."""
    if sys.platform.startswith("linux") and os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5")
