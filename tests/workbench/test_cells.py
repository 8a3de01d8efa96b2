"""A cell that runs again closes what it opened before."""

from __future__ import annotations

import gc
from typing import Any

import IPython
import pytest

from stgcnlib.workbench import cells
from stgcnlib.workbench.cells import closes_with_its_cell


class Thing:
    closed = False

    def close(self) -> None:
        self.closed = True


class Shell:
    parent: dict[str, Any]

    def get_parent(self) -> dict[str, Any]:
        return self.parent


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(cells, "_OPEN", {})
    found = Shell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: found)
    return found


def opened(shell: Shell, execution: str, cell: str | None, code: str = "explore()") -> Thing:
    metadata = {} if cell is None else {"cellId": cell}
    shell.parent = {"header": {"msg_id": execution}, "metadata": metadata, "content": {"code": code}}
    thing = Thing()
    closes_with_its_cell(thing)
    return thing


@pytest.mark.parametrize("named", [True, False])
def test_a_cell_that_runs_again_closes_the_first(shell: Shell, named: bool) -> None:
    first, other = opened(shell, "1", "a" if named else None), opened(shell, "2", "b" if named else None, "other")
    again = opened(shell, "3", "a" if named else None)
    assert (first.closed, other.closed, again.closed) == (True, False, False)


def test_one_execution_may_open_several(shell: Shell) -> None:
    both = [opened(shell, "1", "a"), opened(shell, "1", "a")]
    assert not any(thing.closed for thing in both)
    opened(shell, "2", "a")
    assert all(thing.closed for thing in both)


def test_what_is_open_is_not_kept_by_being_known(shell: Shell) -> None:
    opened(shell, "1", "a")
    gc.collect()
    assert [reference() for _, references in cells._OPEN.values() for reference in references] == [None]
    opened(shell, "2", "a")


def test_outside_of_a_notebook_nothing_is_kept(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    thing = Thing()
    closes_with_its_cell(thing)
    assert cells._OPEN == {}
