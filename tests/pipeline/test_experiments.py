"""Noise, transfer and comparison inside the pipeline: sections of a study, artefacts, stages, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import stgcnlib
from stgcnlib import cli, figures, tables
from stgcnlib.errors import CheckpointError, OutputError, StudyError
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import FIRST_PAGE, page_mark, stages_of
from stgcnlib.pipeline.study import Study
from stgcnlib.report.compare import compare
from stgcnlib.verdicts import advise_frozen, compare_studies, judge_noise

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"path": "demo", "demo": {"subjects": 4, "repeats": 1}, "split": {"by": "subject", "train": [1, 3]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "controls": {"untrained": 1, "initial": 0},
    "geometry": {"permutations": 20},
}
NOISE = {
    "jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [90], "layers": ["st_gcn_networks.2"],
    "train": {"jitter": 10},
}  # fmt: skip
TRANSFER: dict[str, Any] = {"source": {"classes": 6}, "frozen": [0, 2, 3], "seeds": 1, "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyRun:
    """A study whose artefacts and summary are there, without notebooks."""
    output = tmp_path_factory.mktemp("experiments") / "tiny"
    study = Study.load({**TINY, "noise": NOISE, "transfer": {**TRANSFER}, "compute": {"workers": 1}})
    run = stgcnlib.open_study(study, output)
    run.check()
    (output / "study.yml").write_text(study.to_yaml(), encoding="utf-8")
    for name in ("noise", "transfer", "advice", *FIRST_PAGE):
        assert run[name] is not None
    return run


def test_the_clean_rows_are_those_of_the_geometry(finished: StudyRun) -> None:
    table = pd.read_parquet(finished.output / "tables" / "noise.parquet")
    clean = table[(table["kind"] == "clean") & (table["network"] == "trained")].set_index("layer")["smoothness"]
    main = finished["geometry"].curve().set_index("layer")["smoothness"]
    assert set(clean.index) == {"input", "st_gcn_networks.2"}
    np.testing.assert_allclose(clean, main.loc[clean.index], atol=1e-9)
    assert set(table["network"]) == {"trained", "jitter, 10 dB"}
    assert set(table["kind"]) == {"clean", "jitter", "rotation"}
    accuracy = pd.read_parquet(finished.output / "tables" / "noise_accuracy.parquet")
    first = accuracy[(accuracy["kind"] == "clean") & (accuracy["network"] == "trained")].iloc[0]
    assert first["accuracy"] == finished["evaluation"].accuracy


def test_the_transfer_is_between_classes_that_are_apart(finished: StudyRun) -> None:
    source, (train, test) = finished["transfer-source/trained"], finished["transfer-target"]
    assert source.classes == 6
    assert len(train.class_names) == len(test.class_names) == 4
    assert set(train.class_names) & set(finished["sequences"].class_names[:6]) == set()
    assert set(train.groups["subject"]) == {1, 3}
    fits = pd.read_parquet(finished.output / "tables" / "transfer_fits.parquet")
    assert set(zip(fits["method"], fits["frozen"], strict=True)) == {
        ("frozen", 0), ("frozen", 2), ("frozen", 3), ("from scratch", -1), ("linear probe", -1),
    }  # fmt: skip
    for name in ("table", "smoothness", "advice", "predictions"):
        assert len(pd.read_parquet(finished.output / "tables" / f"transfer_{name}.parquet"))


def test_pages_have_their_tables_and_pictures(finished: StudyRun) -> None:
    noise, transfer = finished["noise"], finished["transfer"]
    assert "±90°" in set(tables.noise_table(noise)["noise"])
    assert "nan" not in tables.noise_table(noise).to_string()
    assert {"0 frozen", "from scratch"} <= set(tables.transfer_table(transfer).index)
    advice = tables.advice_table(finished["advice"])
    assert set(advice["as good"]) <= {"yes", "no"}
    assert "yes" in set(advice["as good"])
    assert finished["transfer-facts"].loc["source", "value"] == "6 of the 10 classes of these data"
    for figure in (
        figures.noise_smoothness(noise.table),
        figures.noise_loss(noise.table, noise.accuracy),
        figures.transfer_curve(transfer.table, transfer.smoothness, advised=advise_frozen(transfer).numbers["frozen"]),
    ):
        assert len(figure.axes) >= 2
    claims = json.loads((finished.path("summary") / "summary.json").read_text())["claims"]
    assert [claim["title"] for claim in claims] == ["Noise", "Transfer"]
    assert all(claim["sentence"].startswith("The paper's claim") for claim in claims)


def test_what_is_there_is_read_and_what_changed_is_made_again(finished: StudyRun) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in (finished.output / "artefacts").rglob("*") if path.is_file()}
    again = stgcnlib.open_study(finished.study, finished.output)
    assert judge_noise(again["noise"]).text == judge_noise(finished["noise"]).text
    assert advise_frozen(again["transfer"]).text == advise_frozen(finished["transfer"]).text
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert not any((finished.output / "artefacts" / ".unfinished").iterdir())


def test_a_changed_level_leaves_the_others_and_their_networks(finished: StudyRun) -> None:
    """A network and a measurement per level are artefacts of their own."""
    other = stgcnlib.open_study({**finished.study.model_dump(), "noise": {**NOISE, "jitter": [20, 15]}}, "nowhere")
    names = (
        "noise-training/jitter 10.0",
        "noise-level/trained/jitter 20.0",
        "noise-trained-level/jitter 10.0/rotation 90.0",
    )
    assert [other.key(name) for name in names] == [finished.key(name) for name in names]
    assert set(other.axis("level")) - set(finished.axis("level")) == {"jitter 15.0"}
    assert other.key("noise") != finished.key("noise")


def test_networks_are_named_and_differ_in_what_they_should(finished: StudyRun) -> None:
    several = {**TINY, "network": {**TINY["network"], "seeds": 2}, "controls": {"untrained": 3, "initial": 2}}
    run = stgcnlib.open_study(several, "nowhere")
    assert run.axis("trained") == ["trained", "trained-2"]
    assert run.axis("network") == [
        "trained", "trained-2", "untrained", "untrained-2", "untrained-3", "initial", "initial-2",
    ]  # fmt: skip
    assert run.key("training/trained") == finished.key("training/trained")
    assert len({run.key(f"training/{name}") for name in run.axis("trained")}) == 2
    for other in (finished["network/untrained-2"], finished["network/trained"]):
        assert not torch.equal(other.fcn.weight, finished["network/untrained"].fcn.weight)
    untrained, initial = (finished[f"network/{name}"].state_dict() for name in ("untrained", "initial"))
    statistics = {name for name in untrained if "running" in name or "tracked" in name}
    assert statistics
    # The same weights; batch norm knows the training part, or nothing.
    assert {name for name in untrained if not torch.equal(untrained[name], initial[name])} == statistics
    assert all((initial[name] == ("var" in name)).all() for name in statistics)
    with pytest.raises(StudyError, match=r"network: seeds: 2 networks are to be trained, but a checkpoint is one"):
        Study.load({**several, "network": {**several["network"], "checkpoint": "a.pt"}})


def test_recordings_are_written_for_comparisons(finished: StudyRun) -> None:
    table = pd.read_parquet(finished.output / "tables" / "recordings.parquet")
    assert table["name"].tolist() == list(finished["nodes"].names)
    assert table["correct"].mean() == pytest.approx(finished["evaluation"].accuracy)
    assert set(table["group subject"]) == {2, 4}


def test_compare_shows_studies_on_one_page(finished: StudyRun, tmp_path: Path) -> None:
    output = tmp_path / "both"
    result = CliRunner().invoke(cli.app, ["compare", str(finished.output), str(finished.output), "-o", str(output)])
    assert result.exit_code == 0, result.output
    index = (output / "index.html").read_text(encoding="utf-8")
    assert "tiny (tiny) #1 and tiny (tiny) #2" in index
    assert "comparison.yml" in index
    page = (output / "pages" / "compare.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") >= 3
    assert "Traceback" not in page
    expected = compare_studies([finished.output, finished.output])
    for name in ("studies", "curves", "classes", "pairs"):
        table = pd.read_parquet(output / "tables" / f"{name}.parquet")
        pd.testing.assert_frame_equal(table, getattr(expected, name), check_dtype=False)


def test_compare_refuses_before_it_writes(finished: StudyRun, tmp_path: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(cli.app, ["compare", str(finished.output), str(tmp_path), "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, StudyError)
    assert f"{tmp_path}: no finished study, study.yml is missing" in str(result.exception)
    assert not (tmp_path / "out").exists()
    mine = tmp_path / "mine" / "summary" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(OutputError, match=r"mine: holds 'summary/notes\.txt', which no comparison wrote there"):
        compare([finished.output, finished.output], tmp_path / "mine")
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [mine]
    into = runner.invoke(cli.app, ["compare", str(finished.output), str(finished.output), "-o", str(finished.output)])
    assert "holds a study" in str(into.exception)


# -- sources of a transfer ---------------------------------------------------------------------


def test_a_checkpoint_or_other_data_can_be_the_source(tmp_path: Path, finished: StudyRun) -> None:
    network = load_network("st-gcn", layout="ntu-rgb+d", classes=7, seed=5, width=4, depth=3)
    save_checkpoint(network, tmp_path / "source.pt")
    run = stgcnlib.open_study(
        {**TINY, "transfer": {"source": {"checkpoint": str(tmp_path / "source.pt")}}}, tmp_path / "a"
    )
    run.check()
    train, test = run["transfer-target"]
    assert run["transfer-source/trained"].classes == 7
    assert train.fingerprint() == run["parts"][0].fingerprint()
    assert test.fingerprint() == run["parts"][1].fingerprint()
    assert run.get("transfer-training/trained") is None

    data = finished["sequences"]
    data.select(data.labels < 3).save(tmp_path / "other.npz")
    settings = {"path": str(tmp_path / "other.npz"), "split": {"by": "subject", "train": [1, 2]}}
    run = stgcnlib.open_study({**TINY, "transfer": {"source": settings}}, tmp_path / "b")
    assert run["transfer-source/trained"].classes == len(data.class_names)  # the file keeps the names of all classes
    key = run.key("transfer-training/trained")
    data.select(data.labels < 4).save(tmp_path / "other.npz")
    again = stgcnlib.open_study(run.study, tmp_path / "b")
    assert again.key("transfer-training/trained") != key  # the file's content counts
    assert again.key("sequences") == run.key("sequences")


def test_a_bare_state_dict_tells_its_classes_by_its_shapes(tmp_path: Path) -> None:
    network = load_network("st-gcn", layout="ntu-rgb+d", classes=7, seed=5, width=4, depth=3)
    torch.save(network.state_dict(), tmp_path / "bare.pt")
    settings = {**TINY, "transfer": {"source": {"checkpoint": str(tmp_path / "bare.pt")}}}
    assert stgcnlib.open_study(settings, tmp_path / "a")["transfer-source/trained"].classes == 7
    (tmp_path / "bare.pt").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"bare\.pt"):
        stgcnlib.open_study(settings, tmp_path / "b").check()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"noise": {**NOISE, "joint_dropout": [1.5]}}, r"^noise\.joint_dropout: share=1\.5; give the chance"),
        ({"noise": {**NOISE, "train": {"rotation": 400}}}, r"^noise\.train\.rotation: degrees=400"),
        ({"transfer": {"source": {"classes": 9}}}, r"transfer\.source\.classes: .*fewer than two"),
        ({"transfer": {"source": {"classes": ["wave", "flying"]}}}, r"^transfer\.source\.classes: no class is named"),
        ({"layers": ["st_gcn_networks.2"]}, r"layers: 'input', 'st_gcn_networks\.2'; a verdict on depth needs"),
        ({"transfer": {**TRANSFER, "frozen": [0]}}, r"transfer\.frozen: 0 of 3 blocks; include 0 and a number between"),
        ({"transfer": {**TRANSFER, "frozen": [1, 3]}}, r"transfer\.frozen: 1, 3 of 3 blocks; include 0"),
        ({"transfer": {**TRANSFER, "frozen": [0, 4]}}, r"transfer\.frozen is 0, 4; .* choose 0 to 3"),
    ],
)
def test_levels_and_classes_are_checked_before_any_training(
    sections: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run = stgcnlib.open_study({**TINY, **sections}, tmp_path / "run")
    with pytest.raises(StudyError, match=words):
        run.check()
    assert not run.path("training/trained").exists()


def test_a_study_without_the_section_says_so(tmp_path: Path) -> None:
    run = stgcnlib.open_study(TINY, tmp_path)
    for name in ("noise", "transfer", "sensitivity"):
        assert run.get(name) is None
        with pytest.raises(StudyError, match=f"no section '{name}'"):
            _ = run[name]


def test_a_study_without_them_claims_nothing_else(finished: StudyRun) -> None:
    (finished.output.parent / "plain").mkdir()
    run = stgcnlib.open_study(TINY, finished.output.parent / "plain")
    assert run["summary"]["claims"] == []
    assert run["summary"]["sentence"] == finished["summary"]["sentence"]


# -- stages ------------------------------------------------------------------------------------


def marks(settings: dict[str, Any], output: Path) -> dict[str, str]:
    """Stage -> what decides whether it runs again."""
    run = stgcnlib.open_study(settings, output)
    return {stage.name: page_mark(stage, run, notebook_folder()) for stage in stages_of(run.study)}


def test_stages_are_there_with_their_sections(tmp_path: Path) -> None:
    plain, noisy = marks(TINY, tmp_path), marks({**TINY, "noise": NOISE}, tmp_path)
    assert "07_noise" not in plain
    assert "08_transfer" not in plain
    assert set(noisy) == {*plain, "07_noise"}
    same = {name for name in plain if plain[name] == noisy[name]}
    assert same == set(plain) - {"09_summary"}  # the summary tells of the noise, all else stays as it is
    more = marks({**TINY, "noise": {**NOISE, "jitter": [10]}}, tmp_path)
    assert {name for name in noisy if noisy[name] != more[name]} == {"07_noise", "09_summary"}


def test_a_changed_checkpoint_repeats_the_transfer_alone(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    settings = {**TINY, "transfer": {"source": {"checkpoint": str(file)}}}
    file.write_bytes(b"1")
    before = marks(settings, tmp_path)
    file.write_bytes(b"22")
    after = marks(settings, tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"08_transfer", "09_summary"}


def test_the_comparison_fits_its_notebook() -> None:
    check_parameters(notebook_folder() / "compare.ipynb", {"studies": [], "output": "", "name": ""})
