"""A study that is refused: the message begins with its file and the key, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import stgcnlib
from stgcnlib.errors import ArtefactError, SequenceError, StgcnlibError, StudyError, about
from stgcnlib.pipeline.refused import file_named, nothing_left
from stgcnlib.pipeline.study import bundled_folder

DEMO = {"demo": {"subjects": 4, "repeats": 1}, "split": {"train": [1, 3]}}


def refuse(error: StgcnlibError) -> None:
    raise error


def refuse_in(output: Path, *made: str) -> None:
    """Refuse a study after these files were written in its folder."""

    def work() -> None:
        with nothing_left(output):
            for name in made:
                output.mkdir(parents=True, exist_ok=True)
                (output / name).parent.mkdir(exist_ok=True)
                (output / name).write_text("x")
            refuse(StudyError("data.split: no"))

    with pytest.raises(StudyError):
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
        refuse_in(output, "artefacts/prepared.npz")
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")) == [
        "before", "before/artefacts", "before/artefacts/prepared.npz", "before/mine.txt",
    ]  # fmt: skip


def test_what_others_put_there_meanwhile_stays(tmp_path: Path) -> None:
    refuse_in(tmp_path / "reports" / "mine", "artefacts/prepared.npz", "../other/study.yml")
    assert [file.name for file in (tmp_path / "reports").iterdir()] == ["other"]
    refuse_in(tmp_path / "begun", "study.yml")
    assert (tmp_path / "begun" / "study.yml").exists()


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
