"""verify: an undamaged study that has not come to its end is no damage, and is not called complete."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_study import SMALL, small_study
from typer.testing import CliRunner

from stgcnlib.cli import app
from stgcnlib.files import fingerprint_file
from stgcnlib.pipeline import verify
from stgcnlib.pipeline.guard import alone
from stgcnlib.pipeline.record import Record
from stgcnlib.pipeline.stages import stages_of
from stgcnlib.pipeline.state import Progress, Step
from stgcnlib.pipeline.study import Study
from stgcnlib.pipeline.verify import verify_study

STAGES = stages_of(Study.load(SMALL))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def study(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A study with all results and pages."""
    folder = Path(shutil.copytree(small_study(tmp_path_factory), tmp_path / "study"))
    layers = json.loads((folder / "artefacts" / "layers.json").read_text())
    for name in ("notebooks", "pages"):
        (folder / name).mkdir()
    for stage in STAGES:
        for name in [f"{stage.name}_{i:02d}" for i in range(len(layers))] if stage.per_layer else [stage.name]:
            (folder / "notebooks" / f"{name}.ipynb").write_text(name)
            (folder / "pages" / f"{name}.html").write_text(name)
    write_record(folder)
    (folder / "index.html").write_text("")
    return folder


def write_record(folder: Path) -> None:
    notebooks = sorted((folder / "notebooks").glob("*.ipynb"))
    entries = {file.stem: {"mark": "", "seconds": 1.0, "sum": fingerprint_file(file)} for file in notebooks}
    (folder / "stages.json").write_text(json.dumps({"notebooks": entries}))


def drop(folder: Path, name: str) -> None:
    (folder / "notebooks" / f"{name}.ipynb").unlink()
    (folder / "pages" / f"{name}.html").unlink()
    write_record(folder)


def write_progress(folder: Path, **states: str) -> None:
    steps = [Step(name=stage.name, state=states.get(f"_{stage.name}", "done")) for stage in STAGES]
    Progress(status="running", started=NOW, changed=NOW, steps=steps).write(folder)


def said(folder: Path) -> tuple[int, list[str]]:
    told = CliRunner().invoke(app, ["verify", str(folder)])
    return told.exit_code, [line.partition("MiB: ")[2] or line for line in told.output.splitlines()]


def test_a_study_with_all_pages_is_complete(study: Path) -> None:
    assert said(study) == (0, ["every file equals its checksum; the study is complete"])


def test_missing_stages_are_named_with_the_command_that_goes_on(study: Path) -> None:
    for name in ("05_layer_01", "09_summary"):
        drop(study, name)
    goes_on = f"go on with: stgcnlib run {study / 'study.yml'} -o {study}"
    missing = f"not finished: 2 of {len(STAGES)} stages are missing (05_layer, 09_summary); {goes_on}"
    assert said(study) == (0, ["every file equals its checksum", missing])
    (study / "artefacts" / "summary" / "summary.json").write_text("{}")  # damage stays a failure, and both are said
    code, lines = said(study)
    assert code == 1
    assert "summary.json: is not as it was written" in lines[0]
    assert lines[1:] == ["1 problems", missing]


def test_a_stage_that_a_stopped_run_was_repeating_is_missing(study: Path) -> None:
    write_progress(study, _06_relevance="running", _09_summary="waiting")
    assert "2 of 9 stages are missing (06_relevance, 09_summary)" in verify_study(study).unfinished
    write_progress(study)
    assert "its last run was ended before the pages were written; go on with" in verify_study(study).unfinished


def test_a_run_that_is_writing_now_is_said_and_what_it_makes_is_not_judged(study: Path) -> None:
    drop(study, "09_summary")
    (study / "pages" / "09_summary.html").write_text("")
    (study / "pages" / "00_data.html").unlink()
    (study / "artefacts" / "being-made.json").write_text("{}")
    with alone(study):
        code, lines = said(study)
    assert code == 0
    assert lines[1:] == [
        "not finished: a run is writing to it now; not done yet: 09_summary. Check it again when the run has ended"
    ]
    assert len(verify_study(study).problems) == 3


def test_what_a_run_removes_or_replaces_meanwhile_is_no_damage(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, names, gone = Record.read, verify.names_in, study / "artefacts" / "geometry.manifest.json"

    def begin(items: list[Path], description: str, *, show: bool | None) -> list[Path]:
        gone.unlink()
        return items

    def dropped(output: Path) -> Record:
        record = read(output)
        if "09_summary" in record.done:
            drop(study, "09_summary")
        return record

    monkeypatch.setattr(verify, "track", begin)
    monkeypatch.setattr(verify, "names_in", lambda path: [*names(path), *["gone"] * (path.name == "layers.json")])
    monkeypatch.setattr(Record, "read", dropped)
    with alone(study):
        assert verify_study(study).problems == ()


def test_damage_beside_a_run_is_damage(study: Path) -> None:
    (study / "artefacts" / "summary" / "summary.json").write_text("{}")
    (study / "notebooks" / "00_data.ipynb").write_text("other")
    with alone(study):
        problems = verify_study(study).problems
    assert [line.partition(";")[0].rpartition("/")[2] for line in problems] == [
        "summary.json: is not as it was written", "00_data.ipynb: is not as it was written",
    ]  # fmt: skip


def test_a_page_that_no_run_wrote_is_said_to_be_kept_elsewhere(study: Path) -> None:
    (study / "notebooks" / "mine.ipynb").write_text("")
    for name, mend in (("mine", "keep it elsewhere, or remove it"), ("05_layer_77", "write the pages anew with")):
        (study / "pages" / f"{name}.html").write_text("")
        (problem,) = verify_study(study).problems
        assert f"{name}.html: belongs to no notebook of this study; {mend}" in problem
        (study / "pages" / f"{name}.html").unlink()


def test_the_first_minute_of_a_run_is_no_damage(study: Path) -> None:
    for name in ("notebooks", "pages"):
        shutil.rmtree(study / name)
    (study / "stages.json").unlink()
    health = verify_study(study)
    assert health.problems == ()
    assert f"{len(STAGES)} of {len(STAGES)} stages are missing" in health.unfinished
    (study / "notebooks").mkdir()
    (study / "notebooks" / "00_data.ipynb").write_text("")
    assert "stages.json: cannot be read" in verify_study(study).problems[0]


def test_a_terminal_shows_how_far_it_is(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    def count(items: list[Path], description: str, *, show: bool | None) -> list[Path]:
        shown.append(len(items))
        return items

    monkeypatch.setattr(verify, "track", count)
    health = verify_study(study)
    assert shown == [health.artefacts]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="file names of other systems are in UTF-8")
def test_names_that_are_no_text_are_shown_escaped(study: Path) -> None:
    strange = study.with_name(os.fsdecode(b"caf\xe9"))
    study.rename(strange)
    Path(os.fsdecode(bytes(strange / "artefacts") + b"/th\xe9.npy")).touch()
    (strange / "stages.json").write_text(r'{"notebooks": {"\ud800": {"mark": ""}}}')
    told = subprocess.run(
        [sys.executable, "-c", "from stgcnlib.cli import main; main()", "verify", str(strange)],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert told.returncode == 1, told.stderr
    assert "Traceback" not in told.stderr
    assert r"caf\udce9/artefacts/th\udce9.npy: has no manifest" in told.stdout
    assert "stages.json: cannot be read" in told.stdout
