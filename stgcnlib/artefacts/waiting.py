"""Waiting for files that another machine has written: a shared folder shows them with a delay."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["PATIENCE", "wait_while"]

PATIENCE = 60.0
"""Seconds within which a file that one machine has written has to be seen by the others."""


def wait_while(absent: Callable[[], Path | None], seconds: float) -> bool:
    """Wait until `absent` names no file any more; False if that takes more than so many seconds."""
    end = time.monotonic() + seconds
    while (path := absent()) is not None:
        if time.monotonic() > end:
            return False
        with suppress(OSError):
            list(path.parent.iterdir())  # makes a network file system update its listing
        time.sleep(0.1)
    return True
