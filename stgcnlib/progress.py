"""Progress of long work, a bar or a line: on a terminal and in live notebooks, silent elsewhere.

Set ``STGCNLIB_PROGRESS=0`` to silence it; reports do, so that executed notebooks stay clean.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["name_steps", "progress_shown", "track"]

Item = TypeVar("Item")


def progress_shown(*, show: bool | None = None) -> bool:
    """Whether to draw progress; `None` decides by the environment and the terminal."""
    if show is not None:
        return show
    if os.environ.get("STGCNLIB_PROGRESS", "").lower() in {"0", "false", "no"}:
        return False
    from rich.console import Console

    console = Console(stderr=True)
    return console.is_terminal or console.is_jupyter


def track(
    items: Iterable[Item], description: str, *, total: int | None = None, show: bool | None = None
) -> Iterator[Item]:
    """Yield `items` while drawing a bar named `description`; see `progress_shown` for `show`."""
    if not progress_shown(show=show):
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, description=description, total=total, console=Console(stderr=True), transient=True)


@contextmanager
def name_steps(first: str, *, show: bool | None = None) -> Iterator[Callable[[str], None]]:
    """A context that shows a step's name and the seconds so far; gives the function that names the next step.

    Args:
        first: name of the first step.
        show: see `progress_shown`.
    """
    if not progress_shown(show=show):
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        step = shown.add_task(first)
        yield lambda text: shown.update(step, description=text)
