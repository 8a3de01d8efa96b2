"""Comparison: finished studies side by side, each with its verdict on depth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from stgcnlib.studies.comparison import Comparison, compare_finished
from stgcnlib.studies.finished import read_finished
from stgcnlib.verdicts.depth import judge_depth

__all__ = ["compare_studies"]


def compare_studies(outputs: Sequence[str | os.PathLike[str]]) -> Comparison:
    """Read finished studies and compare them.

    Two studies are tested against each other where their nodes are the same recordings, by name and class: smoothness
    (and accuracy) under one study minus that under the other, leaving out one subject at a time. Where settings that
    decide levels are not equal (`Comparison.unequal`), smoothness is shown as (S − floor) / (null − floor) and not
    tested.

    Source: the rules are our choice.

    Args:
        outputs: folders that `stgcnlib run` wrote, at least two.

    Returns:
        Tables; `studies` has two further columns: holds (whether the paper's claim on depth holds; None: not decided)
        and verdict (its words).

    Raises:
        StudyError: fewer than two folders, or one that holds no finished study; says what is missing.
    """
    finished = read_finished(outputs)
    tables = compare_finished(finished)
    outcomes = [judge_depth(each.geometry) for each in finished]
    studies = tables.studies.assign(
        holds=pd.Series([each.holds for each in outcomes]), verdict=[each.text for each in outcomes]
    )
    return replace(tables, studies=studies)
