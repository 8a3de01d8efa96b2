"""Memory goes back to the system: after a task in a worker, and after what a run looks at before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_study import SMALL

from stgcnlib.pipeline.run import StudyRun
from stgcnlib.report import study as studies

PIECES = """
import os
import numpy as np
from stgcnlib.memory import give_back_memory

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

pieces = [np.ones(2**13) for _ in range(4000)]  # 64 kB each: none has a mapping of its own
last = np.ones(2**12)
full = held()
del pieces
give_back_memory()
print(full - held())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux tells of processes")
def test_small_pieces_go_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", PIECES], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 200  # MB, of 250


def test_a_run_keeps_nothing_of_what_it_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[StudyRun] = []
    kept: list[int] = []

    class Seen(StudyRun):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            looked.append(self)

        def check(self) -> None:
            super().check()
            kept.append(len(self._values))

    def stages(study: Any, output: Path, *, check: Any, **named: Any) -> None:
        check()

    monkeypatch.setattr(studies, "StudyRun", Seen)
    monkeypatch.setattr(studies, "run_stages", stages)
    studies.run_study(SMALL, tmp_path / "out", progress=False)
    assert kept[0] > 0
    assert [len(run._values) for run in looked] == [0]
