"""Study files: what is read, what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stgcnlib.errors import StudyError
from stgcnlib.networks import load_network
from stgcnlib.pipeline import open_study
from stgcnlib.pipeline.study import Study, bundled_folder


def complaint(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.from_file(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dtw: {reading: slidng}", ["dtw.reading", "'slidng'", "did you mean 'sliding'?"]),
        ("dtww: {}", ["unknown key 'dtww'", "'dtw'"]),
        ("dtw: {windw: 3}", ["unknown key 'dtw.windw'", "'window'"]),
        ("network: {training: {epoch: 3}}", ["'network.training.epoch'", "'epochs'"]),
        ("zzz: 1", ["unknown key 'zzz'", "known keys", "'network'", "'geometry'"]),
        ("graph: {k: true}", ["graph.k", "whole number", "True"]),
        ("graph: {k: 2.5}", ["graph.k", "2.5"]),
        ("graph: {k: 0}", ["graph.k", "0"]),
        ("graph: {sigma: fast}", ["graph.sigma", "'fast'", "mean-kth/3", "or a number"]),
        ("geometry: {confidence: 1}", ["geometry.confidence", "less than 1"]),
        ("geometry: {confidence: .nan}", ["geometry.confidence"]),
        ("data: {demo: {noise: true}}", ["data.demo.noise", "number"]),
        ("data: {split: {train: [1.5]}}", ["data.split.train.0", "1.5"]),
        ("data: {path: x, demo: {repeats: 1}}", ["data.demo", "path: demo"]),
        ("name: 3", ["name", "string", "3"]),
        ("noise: {jittr: [3]}", ["unknown key 'noise.jittr'", "did you mean 'jitter'"]),
        ("noise: {jitter: [loud]}", ["noise.jitter.0", "'loud'"]),
        ("noise: {jitter: [], joint_dropout: [], frame_dropout: [], rotation: []}", ["noise", "no kind of noise"]),
        ("transfer: {}", ["transfer.source", "required"]),
        ("transfer: {source: {}}", ["transfer.source", "give one of classes, checkpoint and path, not none"]),
        ("transfer: {source: {classes: 3, path: x}}", ["transfer.source", "not classes and path"]),
        ("transfer: {source: {classes: 3}, training: {epoch: 1}}", ["'transfer.training.epoch'", "'epochs'"]),
        (
            "network: {training: {augment: {cropp: 1}}}",
            ["unknown key 'network.training.augment.cropp'; did you mean 'crop'?"],
        ),
        ("network: {training: {augment: {crop: 3}}}", ["yml: network.training.augment.crop: must be less than", "3"]),
        (
            "network: {training: {augment: miror}}",
            ["yml: network.training.augment: 'miror' is not one of mirror (or true or false or a section); did you"],
        ),
        ("dtw: 3", ["dtw", "keys and values", "3"]),
        ("layers: input", ["layers", "list", "'input'"]),
        ("graph: {k: 3}\ngraph: {k: 4}", ["'graph'", "written twice", "line 2"]),
        ("- 1", ["list", "keys and values"]),
        ("", ["is empty"]),
        ("a: [", ["not readable as YAML"]),
        ("a: !!python/object/apply:os.getcwd []", ["not readable as YAML"]),
    ],
)
def test_a_wrong_study_is_one_clear_line(tmp_path: Path, text: str, words: list[str]) -> None:
    message = complaint(tmp_path, text)
    for word in words:
        assert word in message, message


def test_a_union_gives_one_complaint(tmp_path: Path) -> None:
    assert complaint(tmp_path, "explain: {target: [1]}").count("explain.target") == 1


def test_several_mistakes_are_named_together(tmp_path: Path) -> None:
    message = complaint(tmp_path, "graph: {k: 0}\ndtw: {window: 0}")
    assert "graph.k" in message
    assert "dtw.window" in message


def test_names_that_break_lines_are_refused(tmp_path: Path) -> None:
    assert "one line" in complaint(tmp_path, 'name: "a\\nb"')


def test_missing_file_names_the_bundled_studies(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="demo"):
        Study.load(tmp_path / "nothing.yml")


def test_paths_are_relative_to_the_file_and_variables_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("data: {path: ../recordings}\nnetwork: {checkpoint: net.pt}\n")
    study = Study.from_file(file)
    assert study.data.path == str((tmp_path.parent / "recordings").resolve())
    assert study.network.checkpoint == str((tmp_path / "net.pt").resolve())
    file.write_text("data: {path: '${STUDY_TEST_DATA}/here'}\n")
    monkeypatch.delenv("STUDY_TEST_DATA", raising=False)
    with pytest.raises(StudyError, match=r"data\.path.*STUDY_TEST_DATA is not set; export STUDY_TEST_DATA="):
        Study.from_file(file)
    monkeypatch.setenv("STUDY_TEST_DATA", str(tmp_path))
    assert Study.from_file(file).data.path == str((tmp_path / "here").resolve())
    file.write_text("data: {path: '${STUDY_TEST_OTHER:-/elsewhere}/here'}\n")
    assert Study.from_file(file).data.path == "/elsewhere/here"


def test_a_study_of_tables_of_own_joints(tmp_path: Path) -> None:
    """Layout and pattern go to the reader; the layout's file lies beside the study, and counts by its content."""
    (tmp_path / "mouse.yml").write_text("joints: [snout, tail]\nbones: [[tail, snout]]\ndimensions: 2\n")
    (tmp_path / "recordings").mkdir()
    for subject in (1, 2):
        for label, step in (("rest", 1.0), ("walk", 4.0)):
            rows = [f"{step * t},{subject},{step * t + 9},{subject + 1}" for t in range(1, 6)]
            (tmp_path / "recordings" / f"{subject}_{label}.csv").write_text("\n".join(rows))
    file = tmp_path / "mine.yml"
    file.write_text(
        "data:\n  path: recordings\n  layout: mouse.yml\n  pattern: '{subject}_{label}.csv'\n  normalize: false\n"
        "  split: {by: subject, train: [1]}\n"
    )
    study = Study.from_file(file)
    assert study.data.layout == str((tmp_path / "mouse.yml").resolve())
    run = open_study(study, tmp_path / "out")
    data = run["prepared"]
    assert (data.layout.name, data.class_names, len(data)) == ("mouse", ("rest", "walk"), 4)
    key = run.key("prepared")
    (tmp_path / "mouse.yml").write_text("joints: [nose, tail]\nbones: [[tail, nose]]\ndimensions: 2\n")
    assert open_study(study, tmp_path / "out").key("prepared") != key
    assert Study(data={"path": "x", "layout": "coco-17"}).data.layout == "coco-17"


def test_paths_of_a_source_are_relative_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("transfer: {source: {checkpoint: '${STUDY_TEST_DATA:-nets}/net.pt'}}\n")
    monkeypatch.delenv("STUDY_TEST_DATA", raising=False)
    transfer = Study.from_file(file).transfer
    assert transfer is not None
    assert transfer.source.checkpoint == str((tmp_path / "nets" / "net.pt").resolve())
    file.write_text("transfer: {source: {path: demo}}\n")
    transfer = Study.from_file(file).transfer
    assert transfer is not None
    assert transfer.source.path == "demo"


def test_noise_is_off_by_default_and_names_its_kinds() -> None:
    assert Study.load({}).noise is None
    assert Study.load({}).transfer is None
    noise = Study.load({"noise": {"jitter": [3], "rotation": [], "frame_dropout": []}}).noise
    assert noise is not None
    assert noise.levels == {"jitter": (3.0,), "joint dropout": (0.05, 0.1, 0.2)}


def test_exponents_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("network: {training: {learning_rate: 1e-3}, options: {dropout: 5e-1}}\n")
    study = Study.from_file(file)
    assert study.network.training.learning_rate == pytest.approx(1e-3)
    assert study.network.options["dropout"] == pytest.approx(0.5)


def test_options_of_a_network_may_be_lists(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("network: {name: hyperformer, options: {halvings: [2, 4], width: 24, heads: 2, depth: 4}}\n")
    options = Study.from_file(file).network.options
    assert options["halvings"] == (2, 4)
    assert load_network("hyperformer", layout="kinect-v1", classes=3, **options).options == {
        **options, "people": 2, "dropout": 0.0,
    }  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    study = Study.load({"name": "Ünïcode: <b> & 'quotes' # no comment", "graph": {"k": 7}, "layers": ["input"]})
    file = tmp_path / "study.yml"
    file.write_text(study.to_yaml(), encoding="utf-8")
    again = Study.from_file(file)
    assert again == study
    assert again.fingerprint() == study.fingerprint()


def test_fingerprint_follows_numbers_only() -> None:
    mark = Study.load({"name": "a"}).fingerprint()
    assert Study.load({"name": "b", "compute": {"workers": 1}}).fingerprint() == mark
    assert Study.load({"name": "a", "seed": 1}).fingerprint() != mark


def test_studies_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Study.load({}).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["demo", "utd_mhad", "nw_ucla", "utd_mhad_full", "nw_ucla_full"])
def test_bundled_studies_are_valid(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STGCNLIB_DATA", str(tmp_path))
    study = Study.load(name)
    assert study.graph.k is None  # what suits the recordings
    assert set(yaml.safe_load((bundled_folder() / f"{name}.yml").read_text())) <= set(Study.model_fields)


def test_a_study_that_was_written_with_the_demo_s_defaults_is_read(tmp_path: Path) -> None:
    fields = {"data": {"path": str(tmp_path / "mine.npz"), "demo": {"subjects": 8, "repeats": 4, "noise": 0.01}}}
    assert Study.load(fields).data.demo is None


def test_values_are_those_that_are_written(tmp_path: Path) -> None:
    """YAML 1.1 reads subject 010 as 8, and class no as False."""
    file = tmp_path / "s.yml"
    file.write_text(
        "data: {split: {by: place, train: [001, 010, on], test: [no, 12:30]}}\ngraph: {k: 010}\n"
        "transfer: {source: {classes: [walk, no, 12:30]}}\n"
    )
    study = Study.from_file(file)
    assert (study.data.split.train, study.data.split.test) == ((1, 10, "on"), ("no", "12:30"))
    assert study.graph.k == 10
    assert study.transfer is not None
    assert study.transfer.source.classes == ("walk", "no", "12:30")
    again = tmp_path / "again.yml"
    again.write_text(study.to_yaml())
    assert Study.from_file(again).data.split == study.data.split


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><p>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"", "empty"),
    ],
)
def test_a_study_that_is_another_file(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "s.yml").write_bytes(content)
    with pytest.raises(StudyError, match=rf"s\.yml: is .*{what}"):
        Study.from_file(tmp_path / "s.yml")


@pytest.mark.parametrize("path", ["a\0b", "~no-such-user-here/x", "circle/x"])
def test_what_is_no_path_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"data": {"path": path}, "network": {"checkpoint": path}}))
    with pytest.raises(StudyError, match=r"mine.yml: data.path: .* is no path"):
        Study.from_file(tmp_path / "mine.yml")


def test_complaints_stay_short(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as refused:
        Study.load({f"{'x' * 5000}{i}": "y" * 5000 for i in range(50)} | {"seed": "z" * 5000})
    assert len(str(refused.value)) < 6000
    assert "more)" in str(refused.value)


def test_what_yaml_refuses_is_said_shortly(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text(f"x: !{'a' * 5000} 1\n")
    with pytest.raises(StudyError, match=r"mine\.yml: not readable as YAML \(could not determine") as refused:
        Study.from_file(tmp_path / "mine.yml")
    assert len(str(refused.value)) < 1000
