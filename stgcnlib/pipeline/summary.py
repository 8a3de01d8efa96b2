"""What the first page of a report shows: words, numbers and pictures as files, of a study or of a comparison.

`stgcnlib.report` makes the page of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stgcnlib.files import write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from stgcnlib.verdicts import Outcome

__all__ = ["SUMMARY", "write_summary"]

SUMMARY = "summary.json"


def write_summary(
    folder: Path,
    *,
    title: str,
    outcome: Outcome,
    figures: Mapping[str, tuple[str, Figure]],
    facts: Mapping[str, str],
    table: pd.DataFrame,
    claims: Sequence[tuple[str, Outcome]] = (),
    warnings: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write ``summary.json`` and its pictures into a folder.

    Args:
        folder: is new or empty.
        title: of the report.
        outcome: the main verdict.
        figures: name of a file, without suffix -> (heading, picture), in the order in which they are shown.
        facts: label -> value.
        table: the main table.
        claims: (title, verdict) of further questions, such as noise.
        warnings: sentences that a reader must see before the verdict.
        notes: sentences on what the study covers, such as a sample.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "title": title,
        "warnings": list(warnings),
        "notes": list(notes),
        **_verdict(folder, "verdict", outcome),
        "figures": [_picture(folder, name, figure) | {"title": head} for name, (head, figure) in figures.items()],
        "claims": [
            {"title": name, **_verdict(folder, f"claim-{number}", each)} for number, (name, each) in enumerate(claims)
        ],
        "facts": [{"label": label, "value": value} for label, value in facts.items()],
        "table": _rows(table),
    }
    write_json(folder / SUMMARY, content)


def _verdict(folder: Path, name: str, outcome: Outcome) -> dict[str, Any]:
    """The parts of an outcome, with a picture of its tests where it has any."""
    from stgcnlib.figures import verdict_figure
    from stgcnlib.tables import verdict_table

    return {
        "sentence": outcome.sentence,
        "details": outcome.details,
        "holds": outcome.holds,
        "partly": outcome.partly,
        "tests": _rows(verdict_table(outcome)),
        "picture": _picture(folder, name, verdict_figure(outcome)) if outcome.tests else None,
    }


def _picture(folder: Path, name: str, figure: Figure) -> dict[str, Any]:
    """Save a picture; its file, width on a page in pixels, and alternative text."""
    file = f"{name}.png"
    figure.savefig(folder / file, dpi=160)
    return {"file": file, "width": round(figure.get_figwidth() * 100), "alt": str(getattr(figure, "alt", ""))}


def _rows(table: pd.DataFrame) -> dict[str, Any]:
    shown = table.reset_index()
    return {"columns": [str(c) for c in shown.columns], "rows": shown.astype(str).values.tolist()}
