"""What commands print: tables of facts, lines, and complaints on stderr; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from stgcnlib.summary import Summary

__all__ = ["complain", "facts_table", "show", "show_summary"]

_STYLES = {"warning": "yellow", "problem": "red", "note": ""}


def complain(kind: Literal["warning", "problem", "note"], lines: Iterable[str]) -> None:
    """Print lines on stderr, unbroken, each with its kind before it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text(f"{kind}: {line}", style=_STYLES[kind]))


def show(*parts: Table | str) -> None:
    """Print tables, and lines unbroken."""
    console = Console(highlight=False)
    for part in parts:
        console.print(Text(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """A table of names in bold and what is said of each."""
    table = Table.grid(padding=(0, 2))
    for name, said in facts:
        table.add_row(Text(name, style="bold"), Text(said))
    return table


def show_summary(summary: Summary) -> None:
    """Print what recordings hold, and how many there are of each class."""
    shortest, median, mean, longest = summary.lengths
    name, joints, channels = summary.layout
    facts = {
        "recordings": f"{summary.recordings}, {summary.frames} frames",
        "frames": f"{shortest} to {longest}, median {median:.0f}, mean {mean:.1f}",
        "layout": f"{name}, {joints} joints, {channels} channels",
        "people": ", ".join(f"{people} in {count}" for people, count in summary.people.items()) + " recordings",
        "body size": f"{summary.body_size:.3g} in the unit of the recordings",
        "missing": f"{summary.missing_joints:.1%} of joints, {summary.missing_people:.1%} of people's frames",
        **{group: _listed(list(values)) for group, values in summary.groups.items()},
    }
    classes = Table("class", "recordings", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for label, count in summary.classes.items():
        if count:
            classes.add_row(Text(label), Text(str(count), justify="right"))
    show(facts_table(facts.items()), classes)
    if absent := sum(count == 0 for count in summary.classes.values()):
        Console(highlight=False).print(Text(f"and {absent} classes without recordings", style="dim"))


def _listed(texts: list[str]) -> str:
    shown = ", ".join(texts[:12]) + (f", … ({len(texts) - 12} more)" if len(texts) > 12 else "")
    return f"{len(texts)}: {shown}"
