"""Signals that end a run: the first one interrupts it, and those that follow do not interrupt how it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from stgcnlib.pipeline import guard
from stgcnlib.pipeline.guard import stoppable

if os.name == "nt":
    pytest.skip("signals of Unix", allow_module_level=True)

NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _usual_handlers() -> Iterator[None]:
    before = [signal.signal(number, signal.SIG_DFL) for number in NUMBERS]
    yield
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


def end(ended: list[str]) -> None:
    """A run that is told to end, and is told so again while it ends."""
    with stoppable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            for number in NUMBERS:
                signal.raise_signal(number)
                ended.append(signal.Signals(number).name)


def test_what_ends_is_not_interrupted_in_turn() -> None:
    for _ in range(2):  # the next one can be ended as well
        ended: list[str] = []
        with pytest.raises(KeyboardInterrupt, match=r"^SIGTERM$"):
            end(ended)
        assert ended == ["SIGTERM", "SIGHUP"]
        assert {signal.getsignal(number) for number in NUMBERS} == {signal.SIG_DFL}


def test_what_does_not_end_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS_TO_END", 0.0)
    ended: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        end(ended)
    assert ended == []
