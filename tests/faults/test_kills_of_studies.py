"""Studies killed in every stage: they come to the tables of an undisturbed one, lose nothing and leave nothing."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killed_studies import END, KilledStudy, choose, differing, events, files_of, stage_at_work
from small_study import SECTIONS, SMALL

from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import STAGES, shown
from stgcnlib.pipeline.study import Study
from stgcnlib.pipeline.verify import verify_study

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells of processes")

TINY: dict[str, Any] = {
    **SMALL,
    **SECTIONS,
    "network": {**SMALL["network"], "options": {"width": 4, "depth": 2}},
    "transfer": {**SECTIONS["transfer"], "frozen": [0, 1, 2]},
}
"""Every section, and few layers."""
HOW = ("kill",) * 6 + ("all",) * 2 + ("term",) * 2
KILLS, STUDIES = 10, 6
LATEST = 0.4
"""Seconds after a sign."""


def check(study: KilledStudy) -> None:
    assert study.lost == []
    assert study.orphans == []
    assert study.left == []


def count(tally: Callable[..., None], study: KilledStudy, injected: int, same: bool) -> None:
    tally(
        "kills of studies", injected=injected, survived=injected * same, lost=len(study.lost),
        orphans=len(study.orphans), left=len(study.left),
    )  # fmt: skip


@pytest.mark.long
def test_two_kills_of_the_first_stages(tmp_path: Path, tally: Callable[..., None]) -> None:
    expected, first = StudyRun(Study.load(SMALL), tmp_path / "whole"), STAGES[:2]
    for stage in first:
        for place in shown(stage, expected):
            expected[place.name]
    study = KilledStudy(tmp_path / "killed", SMALL, stages=len(first))
    folder = Path("artefacts")
    assert study.kill(folder / ".locks" / "prepared.lock", 0.0, "kill")  # what forks processes is not ready yet
    assert study.kill(folder / ".unfinished" / "training__trained", 0.3, "all")
    study.run()
    differ = differing(expected.output / "tables", study.output / "tables")
    count(tally, study, 2, same=not differ)
    assert differ == []
    assert (expected.output / "tables" / "training.parquet").is_file()
    assert list(Record.read(study.output).done) == [stage.name for stage in first]
    check(study)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> KilledStudy:
    study = KilledStudy(tmp_path_factory.mktemp("undisturbed") / "study", TINY)
    study.run()
    check(study)
    return study


@pytest.mark.long
@pytest.mark.parametrize("seed", range(STUDIES))
def test_kills_in_every_stage(undisturbed: KilledStudy, tmp_path: Path, seed: int, tally: Callable[..., None]) -> None:
    """Ten kills in ten of its stages, in their order; which ones, and when in them, differs by the seed."""
    rng, known = random.Random(seed), events(undisturbed.output)
    stages = list(dict.fromkeys(event.stage for event in known))
    assert len(stages) > KILLS
    assert {"00_data", "07_noise", "08_transfer", "09_summary"} <= set(stages)
    notebooks = Counter(entry["stage"] for entry in Record.read(undisturbed.output).done.values())
    expected = {stage: notebooks[stage] for stage in stages if stage != END}

    study = KilledStudy(tmp_path / "killed", TINY)
    injected = 0
    for stage in sorted(rng.sample(stages, KILLS), key=stages.index):
        sign = choose(rng, stage, known, study.output)
        # Where a stage has come to its end all the same: some time after the start.
        delay = rng.uniform(0, LATEST) if sign else rng.uniform(0.2, 6)
        if study.kill(sign, delay, rng.choice(HOW)):
            injected += 1
            tally("kills of studies, by stage", **{stage_at_work(study.output, expected): 1})
    study.run()
    differ = differing(undisturbed.output / "tables", study.output / "tables")
    count(tally, study, injected, same=not differ)
    assert differ == []
    assert injected >= KILLS - 2
    assert files_of(study.output) == files_of(undisturbed.output)
    assert verify_study(study.output).problems == ()
    check(study)
