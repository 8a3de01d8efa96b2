"""Emulated machines: each takes effect or says why not, and a switch without effect does not pass."""

from __future__ import annotations

import os

import portable
import pytest
from portable import LEFT_OUT, MACHINES, NUMERICAL, REPOSITORY, SWITCHES, Machine


def test_the_machines_are_those_of_vector_width_and_threads() -> None:
    for machine in MACHINES.values():
        assert set(machine.settings) <= set(SWITCHES)
        assert bool(machine.settings) == bool(machine.shows)
    assert {(machine.needs, machine.threads) for machine in MACHINES.values()} == {
        ("", 2), ("AVX2", 1), ("AVX2", 2), ("SSE42", 1), ("SSE42", 2),
    }  # fmt: skip
    assert all((REPOSITORY / path).exists() for path in NUMERICAL)
    for test in LEFT_OUT:
        file, _, name = test.partition("::")
        assert name in (REPOSITORY / file).read_text(encoding="utf-8")


def test_every_machine_has_its_week() -> None:
    assert {portable.of_week(week) for week in range(1, 1 + len(MACHINES))} == set(MACHINES)
    assert portable.of_week(52) in MACHINES


def test_a_run_inherits_no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    environment = portable.environment_of("native-2-threads", MACHINES["native-2-threads"])
    assert "OPENBLAS_CORETYPE" not in environment
    assert environment["NUMBA_NUM_THREADS"] == environment["OMP_NUM_THREADS"] == "2"
    caches = {portable.environment_of(name, machine)["NUMBA_CACHE_DIR"] for name, machine in MACHINES.items()}
    assert len(caches) == len(MACHINES)


def test_a_switch_without_effect_fails() -> None:
    useless = Machine(settings={"NUMBA_CPU_NAME": "generic"}, shows={"numba": "generic", "torch": "of the year 1985"})
    if portable.does_not_apply(useless):
        pytest.skip("no x86 processor")
    fine, said = portable.run("useless", useless, 1)
    assert not fine
    assert said.startswith("the emulation took no effect: torch shows '")
    assert "numba" not in said


def test_what_does_not_apply_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert portable.run("sse", MACHINES["sse-1-thread"], 1) == (
        True,
        "does not apply: its switches are for x86, and this processor is aarch64",
    )
    assert not portable.does_not_apply(Machine())
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert "1 core" in portable.does_not_apply(MACHINES["native-2-threads"])
