"""Progress of long work: shown on a terminal, silent elsewhere."""

from __future__ import annotations

import pytest

from stgcnlib.progress import name_steps, track


def test_steps_are_named_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("STGCNLIB_PROGRESS", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then draws as on a terminal
    monkeypatch.setenv("TERM", "xterm")
    with name_steps("reading") as step:
        step("the [network]")
    out, err = capsys.readouterr()
    assert out == ""
    assert "the [network]" in err
    assert "0:00:0" in err


def test_elsewhere_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("STGCNLIB_PROGRESS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with name_steps("reading") as step:
        step("the network")
    assert list(track([1, 2], "counting")) == [1, 2]
    assert capsys.readouterr() == ("", "")
