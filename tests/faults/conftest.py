"""Tests that break things on purpose: what they count is summed and printed at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest


@pytest.fixture
def tally(record_property: pytest.RecordProperty) -> Callable[..., None]:
    """Adds to the counts of a kind of fault, before a test asserts: `tally("kills", injected=1, survived=1)`."""

    def count(kind: str, **counts: int) -> None:
        record_property("faults", [kind, counts])

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    kinds: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
                if name == "faults":
                    kinds.setdefault(value[0], Counter()).update(value[1])
    if kinds:
        terminalreporter.section("faults")
        for kind, counts in sorted(kinds.items()):
            terminalreporter.write_line(f"{kind}: {', '.join(f'{number} {what}' for what, number in counts.items())}")
