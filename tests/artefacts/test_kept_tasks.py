"""Tasks of one artefact: the same results wherever they run, in order, and none twice, whatever was interrupted."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import BaseModel

from stgcnlib.artefacts import JSON, Artefact, Artefacts, Line, Tasks
from stgcnlib.errors import ArtefactError

CALLS: list[tuple[str, int]] = []
BROKEN: set[int] = set()


@pytest.fixture(autouse=True)
def _none_yet() -> None:
    CALLS.clear()
    BROKEN.clear()


def scaled(shared: NDArray[np.float64], item: int) -> NDArray[np.float64]:
    CALLS.append(("scaled", item))
    return shared * item


def fragile(shared: int, item: int) -> int:
    CALLS.append(("fragile", item))
    if item in BROKEN:
        raise OSError("the lamp went out")
    return item * item


def pool() -> Executor:
    return ThreadPoolExecutor(3)


@pytest.mark.parametrize("opened", [None, pool])
def test_results_come_in_the_order_of_the_items(tmp_path: Path, opened: Any) -> None:
    with Tasks(tmp_path / "key", opened) as tasks:
        first = list(tasks.map(scaled, np.arange(3.0), [5, 1, 5, 0]))
        second = list(tasks.map(scaled, np.ones(2), [7]))
        assert list(tasks.map(scaled, np.ones(2), [])) == []
    np.testing.assert_array_equal(first, np.outer([5, 1, 5, 0], np.arange(3.0)))
    np.testing.assert_array_equal(second, [[7.0, 7.0]])
    assert sorted(CALLS) == [("scaled", item) for item in (0, 1, 5, 5, 7)]
    assert not list(tmp_path.rglob("*.item"))


@pytest.mark.parametrize("then", [None, pool])
@pytest.mark.parametrize("opened", [None, pool])
def test_what_was_finished_is_not_done_again(tmp_path: Path, opened: Any, then: Any) -> None:
    items = list(range(8))
    with Tasks(tmp_path, opened) as tasks:
        list(tasks.map(fragile, 0, items[:3]))
        BROKEN.add(5)
        with pytest.raises(OSError, match="the lamp went out"):
            list(tasks.map(fragile, 0, items))
    done = {item for _, item in CALLS[3:]} - {5}
    assert {0, 1, 2, 3, 4} <= done
    CALLS.clear()
    BROKEN.clear()
    with Tasks(tmp_path, then) as tasks:
        assert list(tasks.map(fragile, 0, items[:3])) == [0, 1, 4]
        assert list(tasks.map(fragile, 0, items)) == [item * item for item in items]
    assert {item for _, item in CALLS} == {*items} - done
    assert len(CALLS) == len(items) - len(done)


def test_what_calls_share_is_written_once(tmp_path: Path) -> None:
    with Tasks(tmp_path, pool) as tasks:
        for _ in range(3):
            list(tasks.map(scaled, np.arange(9.0), [1, 2]))
        list(tasks.map(scaled, np.arange(8.0), [1, 2]))
    assert len(list(tmp_path.glob("shared-*.pkl"))) == 2


class Counted:
    """A number that knows how often it was written."""

    def __init__(self, value: int) -> None:
        self.value, self.written = value, 0

    def __reduce__(self) -> tuple[type[Counted], tuple[int]]:
        self.written += 1
        return Counted, (self.value,)


def plus(shared: Counted, item: int) -> int:
    return shared.value + item


def test_the_same_object_is_not_written_again_for_the_next_call(tmp_path: Path) -> None:
    first, second, third = Counted(10), Counted(20), Counted(30)
    with Tasks(tmp_path, pool) as tasks:
        assert [list(tasks.map(plus, first, [1, 2])) for _ in range(3)] == [[11, 12]] * 3
        assert list(tasks.map(plus, second, [1, 2])) == [21, 22]
        assert list(tasks.map(plus, first, [3])) == [13]
        assert (first.written, second.written) == (1, 1)
        assert list(tasks.map(plus, third, [1])) == [31]
        assert list(tasks.map(plus, first, [4])) == [14]
    assert (first.written, second.written, third.written) == (2, 1, 1)


def test_an_item_of_other_content_is_another_task(tmp_path: Path) -> None:
    assert list(Tasks(tmp_path).map(fragile, 0, [1, 2, 3])) == [1, 4, 9]
    assert list(Tasks(tmp_path).map(fragile, 0, [1, 5, 3])) == [1, 25, 9]


def test_leaving_early_drops_what_has_not_begun(tmp_path: Path) -> None:
    class Idle(Executor):
        def submit(self, function: Any, *args: Any, **kwargs: Any) -> Future[Any]:
            futures.append(Future())
            if len(futures) == 1:
                futures[0].set_result(function(*args, **kwargs))
            return futures[-1]

    futures: list[Future[Any]] = []
    with Tasks(tmp_path, Idle) as tasks:
        results = tasks.map(fragile, 0, [3, 4, 5])
        assert next(results) == 9
        results.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in futures] == [False, True, True]


def test_a_result_that_does_not_appear_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Executor):
        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(None)
            return future

    monkeypatch.setattr("stgcnlib.artefacts.tasks.PATIENCE", 0.2)
    with Tasks(tmp_path, Elsewhere) as tasks, pytest.raises(ArtefactError, match=r"\.pkl: was written on another"):
        list(tasks.map(fragile, 0, [1]))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12), st.sampled_from([1, 2, 100]))
def test_any_number_ahead(tmp_path_factory: pytest.TempPathFactory, items: list[int], ahead: int) -> None:
    with pytest.MonkeyPatch.context() as patch, Tasks(tmp_path_factory.mktemp("tasks"), pool) as tasks:
        patch.setattr("stgcnlib.artefacts.tasks.AHEAD", ahead)
        assert list(tasks.map(fragile, 0, items)) == [item * item for item in items]


# -- of an artefact ------------------------------------------------------------------------------


class Count(BaseModel):
    count: int


def squares(settings: Any, tasks: Tasks) -> list[int]:
    return list(tasks.map(fragile, 0, range(settings.count)))


def test_an_artefact_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    line = Line((Artefact("squares", squares, JSON, settings=("count",)),), {})
    assert line.artefacts["squares"].spreads
    BROKEN.add(3)
    with pytest.raises(OSError, match="the lamp"):
        Artefacts(line, Count(count=6), tmp_path).make("squares")
    BROKEN.clear()
    assert Artefacts(line, Count(count=6), tmp_path)["squares"] == [0, 1, 4, 9, 16, 25]
    assert [item for _, item in CALLS] == [0, 1, 2, 3, 3, 4, 5]
    assert not list((tmp_path / "artefacts" / ".unfinished").rglob("*.pkl"))


@pytest.mark.parametrize("opened", [None, pool])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_result_that_was_damaged_is_computed_again(tmp_path: Path, opened: Any, damage: str) -> None:
    with Tasks(tmp_path, opened) as tasks:
        list(tasks.map(scaled, np.arange(3.0), range(3)))
    CALLS.clear()
    place = next((tmp_path / "000").glob("000001-*.pkl"))
    content = bytearray(place.read_bytes())
    content[-9] ^= 1
    place.write_bytes({"flip": content, "cut": content[:-4], "empty": b""}[damage])
    with Tasks(tmp_path, opened) as tasks:
        np.testing.assert_array_equal(
            list(tasks.map(scaled, np.arange(3.0), range(3))), np.outer(range(3), np.arange(3.0))
        )
    assert CALLS == [("scaled", 1)]
