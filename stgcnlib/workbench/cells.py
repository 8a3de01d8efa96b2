"""What is open in which cell of a notebook: a cell that runs again closes what it opened before.

Notebooks keep widgets until they are closed; a cell that is run ten times would leave ten.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

__all__ = ["closes_with_its_cell"]


class Closable(Protocol):
    """What can be open in a cell."""

    def close(self) -> None:
        """Release everything; a second call does nothing."""


# Cell -> its last execution, and what that opened.
_OPEN: dict[str, tuple[str, list[weakref.ref[Any]]]] = {}


def closes_with_its_cell(opened: Closable) -> None:
    """Close `opened` once the cell that runs now is run again; nothing happens outside of notebooks."""
    found = _running()
    if found is None:
        return
    cell, execution = found
    last, others = _OPEN.get(cell, ("", []))
    if last != execution:
        for reference in others:
            if (other := reference()) is not None:
                other.close()
        others = []
    _OPEN[cell] = (execution, [*others, weakref.ref(opened)])


def _running() -> tuple[str, str] | None:
    """The cell that runs now and its execution; a cell without an id is identified by its code."""
    from IPython import get_ipython

    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    execution = parent.get("header", {}).get("msg_id")
    if not execution:
        return None
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return str(cell), str(execution)
