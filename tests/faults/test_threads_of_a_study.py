"""A study gives the same tables on 1, 2 and 4 threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from small_study import SMALL

from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import shown, stages_of
from stgcnlib.pipeline.study import Study
from stgcnlib.threads import limit_threads

EXTRA = {
    "noise": {"jitter": [20.0], "joint_dropout": [], "frame_dropout": [], "rotation": []},
    "sensitivity": {"k": [3, 5], "windows": [5], "readings": []},
}


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    study = Study.load({**SMALL, **EXTRA})
    run = StudyRun(study, folder)
    for stage in stages_of(study):
        for place in shown(stage, run):
            run[place.name]
    found = {path.stem: pd.read_parquet(path) for path in (folder / "tables").glob("*.parquet")}
    return {name: table.drop(columns="seconds", errors="ignore") for name, table in found.items()}


@pytest.mark.long
def test_tables_agree_on_any_number_of_threads(tmp_path: Path, tally: Callable[..., None]) -> None:
    before, found = torch.get_num_threads(), {}
    try:
        for threads in (1, 2, 4):
            limit_threads(threads)
            found[threads] = tables(tmp_path / str(threads))
    finally:
        limit_threads(before)
    tally("numbers of threads", tables=len(found[1]), compared=2 * len(found[1]))
    assert len(found[1]) > 15
    for threads in (2, 4):
        assert found[threads].keys() == found[1].keys()
        for name, table in found[1].items():
            pd.testing.assert_frame_equal(found[threads][name], table, check_exact=False, rtol=0, atol=1e-6)
