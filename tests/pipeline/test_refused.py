"""A study that is refused: the message begins with its file and the key, and nothing is left of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import small_line
import yaml
from small_artefacts import LINE
from small_line import write_line

import stgcnlib
from stgcnlib.demo import demo_sequences
from stgcnlib.errors import ArtefactError, ClusterError, SequenceError, StageError, StgcnlibError, StudyError, about
from stgcnlib.pipeline import guard
from stgcnlib.pipeline.embed import embed_study
from stgcnlib.pipeline.guard import alone
from stgcnlib.pipeline.refused import file_named, nothing_left
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study, bundled_folder

DEMO = {"demo": {"subjects": 4, "repeats": 1}, "split": {"train": [1, 3]}}


def refuse(error: StgcnlibError | SystemExit) -> None:
    raise error


def opened(output: Path) -> StudyRun:
    return StudyRun(Study(), output, LINE)


def refuse_in(output: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Refuse a study after it has made a result in its folder; another command does something meanwhile."""
    run = opened(output)

    def work() -> None:
        with alone(output) as new, nothing_left(run, new, held=True):
            assert run["seeded"] == 0
            meanwhile()
            refuse(StudyError("data.split: no"))

    with pytest.raises(StudyError, match="no"):
        work()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("data.split: subject has no value 77", True),
        ("data.target is class, but the recordings have no classes", True),
        ("network 'st-gnc': none in the zoo has this name", True),
        ("data.spilt: is no key", False),
        ("a1_s2.mat: is empty", False),
        ("02_data: cell 3 failed", False),
    ],
)
def test_errors_about_a_key_name_the_file(said: str, named: bool, tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    with pytest.raises(ArtefactError) as caught, file_named(file), file_named(str(file)):
        refuse(ArtefactError(said))
    assert str(caught.value) == (f"{file}: {said}" if named else said)


def test_the_file_of_a_bundled_study_and_of_a_folder(tmp_path: Path) -> None:
    for given, file in (("demo", bundled_folder() / "demo.yml"), (tmp_path, tmp_path / "study.yml")):
        with pytest.raises(StudyError) as caught, file_named(given):
            refuse(StudyError("graph.k: 5"))
        assert str(caught.value) == f"{file}: graph.k: 5"
    with pytest.raises(StudyError, match=r"^graph\.k: 5$"), file_named({"graph": {"k": 5}}):
        refuse(StudyError("graph.k: 5"))


def test_a_key_takes_the_place_of_a_function() -> None:
    for said in ("split_classes: no class 'clapp'", "no class 'clapp'"):
        with pytest.raises(StudyError) as caught, about("transfer.source.classes", "split_classes"):
            refuse(SequenceError(said))
        assert str(caught.value) == "transfer.source.classes: no class 'clapp'"


def test_only_what_is_new_is_removed(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "mine.txt").write_text("x")
    for output in (tmp_path / "before", tmp_path / "before" / "a" / "b", tmp_path / "new" / "report"):
        refuse_in(output)
    assert [file.name for file in tmp_path.iterdir()] == ["before"]
    assert sorted(file.name for file in (tmp_path / "before").iterdir()) == ["artefacts", "mine.txt"]
    assert (tmp_path / "before" / "artefacts" / "seeded.json").exists()


def test_code_that_calls_exit_leaves_no_new_folder(tmp_path: Path) -> None:
    def work() -> None:
        with alone(tmp_path / "new") as new, nothing_left(opened(tmp_path / "new"), new, held=True):
            refuse(SystemExit(0))

    with pytest.raises(SystemExit):
        work()
    assert list(tmp_path.iterdir()) == []


def test_what_others_put_there_meanwhile_stays(tmp_path: Path) -> None:
    def made_again() -> None:
        other = opened(tmp_path / "again")
        other.forget("seeded")
        other["seeded"]

    refuse_in(tmp_path / "reports" / "mine", (tmp_path / "reports" / "other").mkdir)
    assert [file.name for file in (tmp_path / "reports").iterdir()] == ["other"]
    for name, file, meanwhile in (
        ("begun", "study.yml", lambda: (tmp_path / "begun" / "study.yml").write_text("x")),
        ("made", "artefacts/layers.json", lambda: opened(tmp_path / "made")["layers"]),
        ("again", "artefacts/seeded.json", made_again),
        (
            "making", "artefacts/.unfinished/explained",
            lambda: (tmp_path / "making" / "artefacts" / ".unfinished" / "explained").mkdir(parents=True),
        ),
    ):  # fmt: skip
        refuse_in(tmp_path / name, meanwhile)
        assert (tmp_path / name / file).exists(), name


def test_of_two_first_runs_in_one_folder_the_second_is_refused_and_removes_nothing(tmp_path: Path) -> None:
    output, notebooks = tmp_path / "reports" / "mine", write_line(tmp_path / "notebooks")

    def check(run: StudyRun) -> None:
        run["seeded"]
        with pytest.raises(StageError, match=r"mine: another run is writing to it"):
            small_line.run(output, notebooks)
        assert (output / "artefacts" / "seeded.json").exists()
        refuse(StudyError("data.split: no"))

    with pytest.raises(StudyError, match="no"):
        small_line.run(output, notebooks, check=check)
    assert [file.name for file in tmp_path.iterdir()] == ["notebooks"]


@pytest.mark.skipif(os.name == "nt", reason="no locks of folders")
def test_a_run_holds_the_folder_that_lies_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run made it, was refused, and removed it after this run had opened it."""
    output, locked = tmp_path / "reports" / "mine", guard._locked
    (tmp_path / "reports" / "mine").mkdir(parents=True)

    def removed(handle: int) -> bool:
        monkeypatch.setattr(guard, "_locked", locked)
        shutil.rmtree(tmp_path / "reports")
        return True

    monkeypatch.setattr(guard, "_locked", removed)
    with alone(output) as new:
        assert new == [output, output.parent]
        assert guard.in_use(output)
    assert not guard.in_use(output)


def test_a_notebook_beside_a_run_that_is_refused_keeps_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "mine"

    def check(*_: object) -> None:
        stgcnlib.open_study({"data": DEMO}, output)["nodes"]
        refuse(StudyError("graph.k: 5"))

    monkeypatch.setattr("stgcnlib.pipeline.run.check_study", check)
    with pytest.raises(StudyError, match="5"):
        stgcnlib.run_study({"data": DEMO}, output, progress=False)
    assert (output / "artefacts" / "prepared.npz").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data": DEMO | {"split": {"train": [77]}}}, "data.split: subject has no value 77; it has 1, 2, 3, 4"),
        ({"data": {"path": "nowhere"}}, "data.path: "),
        (
            {"data": DEMO, "transfer": {"source": {"classes": ["wafe", "kick"]}}},
            "transfer.source.classes: no class is named 'wafe'; did you mean 'wave'",
        ),
    ],
)
def test_a_refused_run_names_its_file_and_leaves_nothing(
    settings: dict[str, object], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(StgcnlibError) as caught:
        stgcnlib.run_study(file, tmp_path / "reports" / "mine", progress=False)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert list(tmp_path.iterdir()) == [file]
    (tmp_path / "there").mkdir()
    with pytest.raises(StgcnlibError):
        stgcnlib.run_study(file, tmp_path / "there", progress=False)
    assert (tmp_path / "there").is_dir()


def test_a_folder_of_recordings_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    """Its stamps are kept in the output folder before the study is checked."""
    demo_sequences(subjects=4, repeats=1).save(tmp_path / "data.npz")
    os.utime(tmp_path / "data.npz", (1e9, 1e9))
    time.sleep(2.1)  # younger files are not stamped
    settings = {"data": {"path": str(tmp_path / "data.npz"), "split": {"train": [77]}}}
    with pytest.raises(StudyError, match="no value 77"):
        stgcnlib.run_study(settings, tmp_path / "reports" / "mine", progress=False)
    assert [file.name for file in tmp_path.iterdir()] == ["data.npz"]


def test_a_scheduler_that_does_not_answer_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stgcnlib.pipeline.cluster.SECONDS_TO_ANSWER", 0.5)
    for output, force in (("new/mine", None), ("mine", "00_data")):
        with pytest.raises(ClusterError, match=r"^compute\.scheduler: no scheduler answers at tcp://127\.0\.0\.1:1 "):
            stgcnlib.run_study(
                {"data": DEMO}, tmp_path / output, scheduler="tcp://127.0.0.1:1", force=force, progress=False
            )
        assert not list(tmp_path.iterdir())


def test_features_that_are_refused_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"name": "mine", "data": DEMO | {"split": {"train": [77]}}}))
    with pytest.raises(StudyError, match=r"^mine\.yml: data\.split: subject has no value 77"):
        embed_study("mine.yml", "features.parquet", part="test")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.yml"]


def test_an_open_study_names_its_file(tmp_path: Path) -> None:
    file, said = tmp_path / "mine.yml", "data.split: subject has no value 77"
    file.write_text(yaml.safe_dump({"data": DEMO | {"split": {"train": [77]}}}))
    run = stgcnlib.open_study(file, tmp_path / "out")
    for work in (run.check, lambda: run["nodes"]):
        with pytest.raises(StudyError) as caught:
            work()
        assert str(caught.value).startswith(f"{file}: {said}")
    shutil.copy(file, tmp_path / "out" / "study.yml")
    with pytest.raises(StudyError) as caught:
        stgcnlib.open_study(output=tmp_path / "out").check()
    assert str(caught.value).startswith(f"{tmp_path / 'out' / 'study.yml'}: {said}")
    with pytest.raises(StudyError, match=f"^{said}"):
        stgcnlib.open_study({"data": DEMO | {"split": {"train": [77]}}}, tmp_path / "fields").check()
