"""compare: finished studies on the pages of one report.

One notebook compares and explains, run like the stages of a study; the tables are made in `stgcnlib.studies`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from stgcnlib.errors import StudyError
from stgcnlib.files import fingerprint, write_text
from stgcnlib.groups import plural
from stgcnlib.pipeline.board import Board
from stgcnlib.pipeline.html import COMPARISON, render_report
from stgcnlib.pipeline.jobs import Crew, Job, forget_partial
from stgcnlib.pipeline.keep import write_table
from stgcnlib.pipeline.stages import Record, check_parameters, notebook_folder
from stgcnlib.pipeline.state import Notebook, RunState, Step
from stgcnlib.pipeline.summary import write_summary
from stgcnlib.studies import Comparison, compare_studies

__all__ = ["compare", "pairs_table", "studies_table", "write_comparison"]

NOTEBOOK = "compare"


def compare(
    studies: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    name: str | None = None,
    progress: bool | None = None,
) -> Path:
    """Write a report that shows finished studies side by side.

    Args:
        studies: folders that `stgcnlib run` wrote, at least two.
        output: folder for the report; one that holds a study is refused.
        name: of the report; `None`: the names of the studies.
        progress: `False` for silence; `None` shows rows on a terminal and lines elsewhere.

    Returns:
        Path of ``index.html``.

    Raises:
        StudyError: fewer than two folders, or one without a finished study; nothing is written then.
        StageError: the notebook failed.
    """
    target = Path(output)
    if (target / "study.yml").exists():
        raise StudyError(f"{target}: holds a study; give another folder for the comparison")
    folders = [str(Path(study).resolve()) for study in studies]
    names = compare_studies(folders).names
    title = name or (", ".join(names[:-1]) + f" and {names[-1]}")
    parameters = {"studies": folders, "output": str(target.resolve()), "name": title}
    source = notebook_folder() / f"{NOTEBOOK}.ipynb"
    check_parameters(source, parameters)
    target.mkdir(parents=True, exist_ok=True)
    settings = {"name": title, "studies": folders}
    write_text(target / COMPARISON, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    forget_partial(target / "notebooks")
    job = Job(NOTEBOOK, NOTEBOOK, source, target / "notebooks" / f"{NOTEBOOK}.ipynb", parameters)
    record = Record(target / "stages.json")
    state = RunState([Step(name=NOTEBOOK)])
    state.plan(NOTEBOOK, [Notebook(name=NOTEBOOK)])
    try:
        with Crew(1) as crew, Board(state, show=progress) as board, state.working():
            board.begin(NOTEBOOK)
            shown = crew.run([job], lambda each, cell, count: state.cell(NOTEBOOK, each.name, cell, count))
            for each, seconds in shown:
                mark = fingerprint(settings)
                record.add(each.name, stage=NOTEBOOK, mark=mark, seconds=seconds, parameters=parameters)
                board.done(NOTEBOOK, each.name, seconds)
    finally:
        index = render_report(target)
    return index


def write_comparison(comparison: Comparison, output: str | os.PathLike[str], *, name: str) -> None:
    """Write the tables and what ``index.html`` shows first."""
    from stgcnlib import figures

    home = Path(output)
    for title in ("studies", "curves", "classes", "pairs"):
        write_table(getattr(comparison, title), home / "tables" / f"{title}.parquet")
    verdict, studies = comparison.verdict(), comparison.studies
    facts = {
        "studies": str(len(studies)),
        "networks": ", ".join(dict.fromkeys(studies["network"])),
        "data sets": ", ".join(dict.fromkeys(studies["data"])),
        "pairs on the same recordings": str(len(comparison.pairs[["first", "second"]].drop_duplicates())),
    }
    figure = figures.compare_curves(comparison.curves)
    write_summary(
        home, title=name, verdict=verdict.text, holds=verdict.holds, figure=figure, facts=facts,
        table=studies_table(comparison),
    )  # fmt: skip


def studies_table(comparison: Comparison) -> pd.DataFrame:
    """One row per study, as a reader wants it."""
    rows = comparison.studies
    words = {True: "holds", False: "does not hold"}
    return pd.DataFrame(
        {
            "study": rows["study"],
            "network": rows["network"],
            "data": rows["data"],
            "layers": rows["layers"],
            "recordings": rows["n"],
            "accuracy": rows["accuracy"].map("{:.1%}".format),
            "S, input": rows["input"].map("{:.3f}".format),
            "S, last layer": rows["last"].map("{:.3f}".format),
            "fall": [
                f"{v:.3f} ({a:.3f} to {b:.3f})"
                for v, a, b in zip(rows["fall"], rows["fall_low"], rows["fall_high"], strict=True)
            ],
            "S, untrained": rows["untrained_last"].map("{:.3f}".format),
            "claim on depth": [words.get(state, "in part") for state in rows["holds"]],
        }
    ).set_index("study")


def _heading(units: pd.Series[str]) -> str:
    """Name of the column of counts: "subjects", or what else all rows resample."""
    named = units.unique()
    return plural(str(named[0])) if len(named) == 1 else "subjects" if not len(named) else "resampled as a whole"


def pairs_table(comparison: Comparison) -> pd.DataFrame:
    """One row per pair of studies and quantity, as a reader wants it."""
    rows = comparison.pairs
    return pd.DataFrame(
        {
            "first": rows["first"],
            "second": rows["second"],
            "quantity": rows["quantity"],
            "first value": rows["first_value"].map("{:.3f}".format),
            "second value": rows["second_value"].map("{:.3f}".format),
            "difference": [
                f"{v:+.3f} ({a:+.3f} to {b:+.3f})"
                for v, a, b in zip(rows["difference"], rows["low"], rows["high"], strict=True)
            ],
            "p": rows["p"].map("{:.3g}".format),
            _heading(rows["unit"]): rows["units"],
        }
    ).set_index("first")
