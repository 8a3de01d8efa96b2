"""Comparison: finished studies side by side, each with its verdict on depth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from stgcnlib.studies.comparison import Comparison, compare_finished, read_finished
from stgcnlib.verdicts.depth import judge_depth

__all__ = ["compare_studies"]


def compare_studies(outputs: Sequence[str | os.PathLike[str]], *, seed: int = 0) -> Comparison:
    """Read finished studies and compare them.

    Two studies are tested against each other where their nodes are the same recordings, by name and class: each
    recording's smoothness (and whether it is named right) under one study less that under the other.

    Args:
        outputs: folders that `stgcnlib run` wrote, at least two.
        seed: of bootstrap draws and permutations.

    Returns:
        Tables; `studies` has two further columns: holds (of the paper's claim on depth; None: in part) and verdict (its
        words).

    Raises:
        StudyError: fewer than two folders, or one that holds no finished study; says what is missing.
    """
    finished = read_finished(outputs)
    tables = compare_finished(finished, seed=seed)
    outcomes = [judge_depth(each.geometry) for each in finished]
    studies = tables.studies.assign(
        holds=pd.Series([each.holds for each in outcomes]), verdict=[each.text for each in outcomes]
    )
    return replace(tables, studies=studies)
