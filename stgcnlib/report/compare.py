"""compare: finished studies on the pages of one report.

One notebook compares and explains, run like the stages of a study; the tables are made in `stgcnlib.studies`, the
words in `stgcnlib.verdicts`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stgcnlib.errors import StgcnlibError, StudyError
from stgcnlib.files import atomic_folder, atomic_path, fingerprint, probe_output, write_text
from stgcnlib.paths import check_contained, portable_path
from stgcnlib.pipeline.board import Board
from stgcnlib.pipeline.finding import project_folder
from stgcnlib.pipeline.finished import read_study
from stgcnlib.pipeline.foreign import COMPARISON, check_comparison_folder
from stgcnlib.pipeline.guard import alone, stoppable
from stgcnlib.pipeline.jobs import Crew, Job, forget_partial
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.state import Notebook, RunState, Step
from stgcnlib.pipeline.summary import SUMMARY, write_summary
from stgcnlib.report.html import render_report
from stgcnlib.studies import Comparison
from stgcnlib.tables import studies_table
from stgcnlib.verdicts import compare_studies, judge_generality
from stgcnlib.verdicts.generality import unequal_words
from stgcnlib.yaml_text import write_yaml

if TYPE_CHECKING:
    from stgcnlib.studies import Fusion

__all__ = ["compare", "fused_scores", "write_comparison"]

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
        OutputError: nothing can be written to the output, or it holds files that no comparison wrote and that this one
            would replace.
        StageError: the notebook failed, or another comparison is being written to the folder.
    """
    target = Path(output)
    probe_output(target, option="--output")
    if (target / "study.yml").exists():
        raise StudyError(f"{target}: holds a study; give another folder for the comparison")
    check_contained(target)
    check_comparison_folder(target)
    names = compare_studies([Path(study).resolve() for study in studies]).names
    title = name or (", ".join(names[:-1]) + f" and {names[-1]}")
    pages = target.resolve() / "notebooks"  # as its notebook sees studies and output
    parameters = {
        "studies": [portable_path(study, pages) for study in studies],
        "output": os.path.relpath(target.resolve(), project_folder(pages)),
        "name": title,
    }
    source = notebook_folder() / f"{NOTEBOOK}.ipynb"
    check_parameters(source, parameters)
    settings = {"name": title, "studies": [portable_path(study, target) for study in studies]}
    job = Job(NOTEBOOK, NOTEBOOK, source, target / "notebooks" / f"{NOTEBOOK}.ipynb", parameters)
    record = Record(target / "stages.json")
    state = RunState([Step(name=NOTEBOOK)])
    state.plan(NOTEBOOK, [Notebook(name=NOTEBOOK)])
    with alone(target), stoppable():
        write_text(target / COMPARISON, write_yaml(settings))
        forget_partial(target)
        try:
            with Crew(1) as crew, Board(state, show=progress) as board, state.working():
                board.begin(NOTEBOOK)
                shown = crew.run([job], lambda each, cell, count: state.cell(NOTEBOOK, each.name, cell, count))
                for each, seconds in shown:
                    mark = fingerprint(settings)
                    record.add(
                        each.name, each.target, stage=NOTEBOOK, mark=mark, seconds=seconds, parameters=parameters
                    )
                    board.done(NOTEBOOK, each.name, seconds)
        finally:
            index = render_report(target)
    return index


def fused_scores(studies: Sequence[str | os.PathLike[str]], names: Sequence[str]) -> Fusion | None:
    """The class scores of all studies' (first) networks, added.

    `None` where they were not tested on the same recordings, or a folder no longer holds what its network predicted.

    Args:
        studies: folders of finished studies.
        names: one per study.
    """
    from stgcnlib.studies import fuse_scores  # its module imports torch

    try:
        read = [read_study(folder) for folder in studies]
        tests = [(study["evaluation"], list(study["parts"][1].names)) for study in read]
    except StgcnlibError:  # a folder that was passed on without these results, or made by an older version
        return None
    first, order = tests[0]
    fitting = {}
    for name, (each, known) in zip(names, tests, strict=True):
        if len(set(known)) < len(known) or set(known) != set(order) or each.class_names != first.class_names:
            return None
        place = {recording: k for k, recording in enumerate(known)}
        fitting[name] = each.select(np.array([place[recording] for recording in order]))
        if not np.array_equal(fitting[name].labels, first.labels):
            return None
    return fuse_scores(fitting)


def write_comparison(comparison: Comparison, output: str | os.PathLike[str], *, name: str) -> None:
    """Write the tables and what ``index.html`` shows first."""
    from stgcnlib import figures

    home = Path(output)
    for title in ("studies", "curves", "classes", "pairs", "unequal"):
        with atomic_path(home / "tables" / f"{title}.parquet") as temporary:
            getattr(comparison, title).to_parquet(temporary)
    studies, unequal = comparison.studies, unequal_words(comparison.unequal)
    facts = {
        "studies": str(len(studies)),
        "networks": ", ".join(dict.fromkeys(studies["network"])),
        "data sets": ", ".join(dict.fromkeys(studies["data"])),
        "levels of smoothness": f"not comparable: {unequal}" if unequal else "comparable",
        "pairs on the same recordings": str(len(comparison.pairs[["first", "second"]].drop_duplicates())),
    }
    curves = figures.compare_curves(comparison.curves, rescaled=not comparison.comparable)
    shown = {"curve": ("Label smoothness, layer by layer", curves)}
    for number, rows in enumerate(rows for rows in comparison.class_groups() if len(rows)):
        shown[f"classes-{number}"] = ("Which classes separate, and where", figures.compare_classes(rows))
    levels = f"Levels of label smoothness are not comparable, for settings differ: {unequal}."
    with atomic_folder(home / "summary", ours=lambda folder: (folder / SUMMARY).is_file()) as temporary:
        write_summary(
            temporary, title=name, outcome=judge_generality(comparison), figures=shown, facts=facts,
            table=studies_table(comparison),
            warnings=[*([levels] if unequal else []), *comparison.warnings],
        )  # fmt: skip
