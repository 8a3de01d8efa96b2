"""Many tasks of a study: what is kept, what an error leaves, and results that come back from disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from planted import square
from small_line import alive, wait_for

from stgcnlib.errors import StudyError
from stgcnlib.studies.kept import KeptResults, compute_all, load_tables, save_tables
from stgcnlib.threads import THREAD_VARIABLES

TASKS = [{"x": float(x)} for x in range(5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_as_it_is_and_what_was_done_stays(tmp_path: Path, workers: int) -> None:
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    kept = KeptResults(tmp_path, "shared")
    with pytest.raises(StudyError, match=r"4\.0 is not to be squared"):
        compute_all(square, 4.0, TASKS, kept, workers=workers)
    done = len(list(tmp_path.glob("*.json")))
    assert done == 4 if workers == 1 else 1 <= done <= 4
    results = compute_all(square, None, TASKS, kept, workers=workers)
    assert [result["square"] for result in results] == [0, 1, 4, 9, 16]
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before


PARENT = """
import os, time
from pathlib import Path
from stgcnlib.studies.kept import KeptResults, compute_all
def nap(seconds, task):
    Path(f"{os.getpid()}.pid").touch()
    time.sleep(seconds)
if __name__ == "__main__":
    compute_all(nap, 100, [{}, {}], KeptResults(None, {}), workers=2, progress=False)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    try:
        wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2 or parent.poll() is not None)
        pids = [int(file.stem) for file in tmp_path.glob("*.pid")]
    finally:
        parent.kill()
        parent.wait()
    assert len(pids) == 2
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_results_belong_to_what_made_them(tmp_path: Path) -> None:
    kept = KeptResults(tmp_path, {"data": 1})
    compute_all(square, None, TASKS[:1], kept)
    assert kept.read({"x": 0.0}) == {"square": 0.0}
    assert KeptResults(tmp_path, {"data": 2}).read({"x": 0.0}) is None
    assert kept.read({"x": 1.0}) is None
    file = kept.path({"x": 0.0})
    assert file is not None
    for damaged in ("", "{}", "[]", json.dumps({"task": {"x": 9}, "result": {}})):
        file.write_text(damaged)
        assert kept.read({"x": 0.0}) is None
    nowhere = KeptResults(None, {})
    nowhere.write({"x": 0.0}, {})
    assert nowhere.read({"x": 0.0}) is None


def test_tables_come_back_or_say_why_not(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    save_tables(tmp_path / "kept", {"one": table}, kind="noise", settings={"levels": [["jitter", float("inf")]]})
    tables, settings = load_tables(tmp_path / "kept", {"one": {"a": "i", "b": "s"}}, kind="noise")
    pd.testing.assert_frame_equal(tables["one"], table)
    assert settings == {"levels": [["jitter", float("inf")]]}
    with pytest.raises(StudyError, match="no complete transfer result"):
        load_tables(tmp_path / "kept", {"one": {}}, kind="transfer")
    for lacking, said in (
        ({"two": {}}, "two.parquet"),
        ({"one": {"c": "i"}}, "no column 'c'"),
        ({"one": {"a": "f"}}, "'a' holds"),
    ):
        with pytest.raises(StudyError, match=rf"no complete noise result .*{said}"):
            load_tables(tmp_path / "kept", lacking, kind="noise")
