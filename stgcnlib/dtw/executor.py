"""Where the tasks of a search run: in this process, or wherever an executor takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Executor", "HereExecutor"]

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where tasks run. Each is a function of what all tasks share and of its own item, and of nothing else."""

    def map(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[Result]:
        """Results in the order of the items."""
        ...


class HereExecutor:
    """One task after the other in this process; each uses all threads by itself."""

    def map(
        self, function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item]
    ) -> Iterator[Result]:
        """See `Executor`."""
        for item in items:
            yield function(shared, item)
