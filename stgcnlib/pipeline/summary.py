"""What the first page of a report shows, written by the last notebook of a study or of a comparison.

Only words, numbers and a picture as files; `html` makes the page of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stgcnlib.files import atomic_path, write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from stgcnlib.verdicts import Outcome

__all__ = ["write_summary"]


def write_summary(
    output: Path,
    *,
    title: str,
    verdict: str,
    holds: bool | None,
    figure: Figure,
    facts: Mapping[str, str],
    table: pd.DataFrame,
    claims: Sequence[tuple[str, Outcome]] = (),
) -> None:
    """Write ``summary.json`` and its figure: main verdict, further claims (title, verdict), facts, main table."""
    shown = table.reset_index()
    path = output / "figures" / "summary.png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=160)
    write_json(
        output / "summary.json",
        {
            "title": title,
            "verdict": verdict,
            "holds": holds,
            "claims": [{"title": name, "text": each.text, "holds": each.holds} for name, each in claims],
            "figure": str(path.relative_to(output)),
            "facts": [{"label": label, "value": value} for label, value in facts.items()],
            "table": {"columns": [str(c) for c in shown.columns], "rows": shown.astype(str).values.tolist()},
        },
    )
