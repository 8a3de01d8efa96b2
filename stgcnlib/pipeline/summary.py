"""What the first page of a report shows: words, numbers and a picture as files, of a study or of a comparison.

`stgcnlib.report` makes the page of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stgcnlib.files import write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from stgcnlib.verdicts import Outcome

__all__ = ["FIGURE", "SUMMARY", "write_summary"]

SUMMARY = "summary.json"
FIGURE = "curve.png"


def write_summary(
    folder: Path,
    *,
    title: str,
    outcome: Outcome,
    figure: Figure,
    facts: Mapping[str, str],
    table: pd.DataFrame,
    claims: Sequence[tuple[str, Outcome]] = (),
    warnings: Sequence[str] = (),
) -> None:
    """Write ``summary.json`` and ``curve.png`` into a new folder.

    Args:
        folder: must not exist.
        title: of the report.
        outcome: the main verdict.
        figure: the main curve.
        facts: what each is called -> its value.
        table: the main table.
        claims: (title, verdict) of what else was asked.
        warnings: sentences on what makes the result doubtful; the page shows them above the verdict.
    """
    shown = table.reset_index()
    folder.mkdir(parents=True)
    figure.savefig(folder / FIGURE, dpi=160)
    write_json(
        folder / SUMMARY,
        {
            "title": title,
            "warnings": list(warnings),
            "verdict": outcome.text,
            "holds": outcome.holds,
            "claims": [{"title": name, "text": each.text, "holds": each.holds} for name, each in claims],
            "facts": [{"label": label, "value": value} for label, value in facts.items()],
            "table": {"columns": [str(c) for c in shown.columns], "rows": shown.astype(str).values.tolist()},
        },
    )
