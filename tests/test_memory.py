"""Memory goes back to the system: after a task in a worker, and after what a run looks at before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_study import SMALL

from stgcnlib.pipeline.jobs import Crew
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.runner import _checked
from stgcnlib.pipeline.study import Study

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
    run, looked = StudyRun(Study.load(SMALL), tmp_path / "out"), []
    crew = Crew(1)
    monkeypatch.setattr(crew, "connect", lambda run: None)

    def check(run: StudyRun) -> None:
        run.check()
        looked.append(len(run._values))

    assert _checked(run, crew, check) is None
    assert looked[0] > 0
    assert run._values == {}
