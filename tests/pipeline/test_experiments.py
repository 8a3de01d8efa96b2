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
from stgcnlib import cli, figures
from stgcnlib.errors import CheckpointError, StudyError
from stgcnlib.networks import load_network, save_checkpoint
from stgcnlib.pipeline.notebooks import check_parameters, notebook_folder
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import STAGES, stage_fingerprints, stages_of
from stgcnlib.pipeline.study import Study
from stgcnlib.verdicts import advise_frozen, compare_studies, judge_depth, judge_noise

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"path": "demo", "demo": {"subjects": 4, "repeats": 1}, "split": {"by": "subject", "train": [1, 3]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 3}, "training": {"epochs": 1}},
    "graph": {"k": 4},
    "geometry": {"permutations": 20, "bootstrap": 50},
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
    verdict = judge_depth(run.geometry)
    curve = figures.smoothness_curve(run.geometry.table)
    table = run.view.smoothness()
    run.write_recordings()
    write_summary(
        run.output, title=study.name, verdict=verdict.text, holds=verdict.holds, figure=curve, facts=run.view.facts(),
        table=table, claims=run.experiments.verdicts(),
    )  # fmt: skip
    return run


def test_the_clean_rows_are_those_of_the_geometry(finished: StudyRun) -> None:
    table = pd.read_parquet(finished.tables / "noise.parquet")
    clean = table[(table["kind"] == "clean") & (table["network"] == "clean")].set_index("layer")["smoothness"]
    main = finished.view.main_table().set_index("layer")["smoothness"]
    assert set(clean.index) == {"input", "st_gcn_networks.2"}
    np.testing.assert_allclose(clean, main.loc[clean.index], atol=1e-9)
    assert set(table["network"]) == {"clean", "jitter, 10 dB"}
    assert set(table["kind"]) == {"clean", "jitter", "rotation"}
    accuracy = pd.read_parquet(finished.tables / "noise_accuracy.parquet")
    first = accuracy[(accuracy["kind"] == "clean") & (accuracy["network"] == "clean")].iloc[0]
    assert first["accuracy"] == finished.evaluation.accuracy


def test_the_transfer_is_between_classes_that_are_apart(finished: StudyRun) -> None:
    source, train, test = finished.experiments.transfer_task()
    assert source.classes == 6
    assert len(train.class_names) == len(test.class_names) == 4
    assert set(train.class_names) & set(finished.data.class_names[:6]) == set()
    assert set(train.groups["subject"]) == {1, 3}
    runs = pd.read_parquet(finished.tables / "transfer_runs.parquet")
    assert set(zip(runs["method"], runs["frozen"], strict=True)) == {
        ("frozen", 0), ("frozen", 2), ("frozen", 3), ("from scratch", -1), ("linear probe", -1),
    }  # fmt: skip
    for name in ("table", "smoothness", "advice", "predictions"):
        assert len(pd.read_parquet(finished.tables / f"transfer_{name}.parquet"))


def test_pages_have_their_tables_and_pictures(finished: StudyRun) -> None:
    experiments = finished.experiments
    noise, transfer = experiments.noise, experiments.transfer
    assert "±90°" in set(experiments.noise_table()["noise"])
    assert "nan" not in experiments.noise_table().to_string()
    assert {"0 frozen", "from scratch"} <= set(experiments.transfer_table().index)
    advice = experiments.advice_table()
    assert set(advice["as good"]) <= {"yes", "no"}
    assert "yes" in set(advice["as good"])
    assert experiments.transfer_facts().loc["source", "value"] == "6 of the 10 classes of these data"
    for figure in (
        figures.noise_smoothness(noise.table),
        figures.noise_loss(noise.table, noise.accuracy),
        figures.transfer_curve(transfer.table, transfer.smoothness, advised=advise_frozen(transfer).numbers["frozen"]),
    ):
        assert len(figure.axes) >= 2
    claims = json.loads((finished.output / "summary.json").read_text())["claims"]
    assert [claim["title"] for claim in claims] == ["Noise", "Transfer"]
    assert all(claim["text"].startswith("The paper's claim") for claim in claims)


def test_what_is_there_is_read_and_what_changed_is_made_again(finished: StudyRun) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in (finished.output / "artefacts").rglob("*") if path.is_file()}
    again = stgcnlib.open_study(finished.study, finished.output)
    assert judge_noise(again.experiments.noise) == judge_noise(finished.experiments.noise)
    assert advise_frozen(again.experiments.transfer).text == advise_frozen(finished.experiments.transfer).text
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert not (finished.output / "artefacts" / "noise-runs").exists()
    assert not (finished.output / "artefacts" / "transfer-runs").exists()


def test_recordings_are_written_for_comparisons(finished: StudyRun) -> None:
    table = pd.read_parquet(finished.tables / "recordings.parquet")
    assert table["name"].tolist() == list(finished.nodes.names)
    assert table["correct"].mean() == pytest.approx(finished.evaluation.accuracy)
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
    source, train, test = run.experiments.transfer_task()
    assert source.classes == 7
    assert train.fingerprint() == run.parts[0].fingerprint()
    assert test.fingerprint() == run.parts[1].fingerprint()

    finished.data.select(finished.data.labels < 3).save(tmp_path / "other.npz")
    settings = {"path": str(tmp_path / "other.npz"), "split": {"by": "subject", "train": [1, 2]}}
    run = stgcnlib.open_study({**TINY, "transfer": {"source": settings}}, tmp_path / "b")
    source = run.experiments.transfer_task()[0]
    assert source.classes == len(finished.data.class_names)  # the file keeps the names of all classes
    trained = json.loads((tmp_path / "b" / "artefacts" / "transfer-source.pt.json").read_text())
    assert str(tmp_path / "other.npz") in json.dumps(trained["from"])


def test_a_bare_state_dict_tells_its_classes_by_its_shapes(tmp_path: Path) -> None:
    network = load_network("st-gcn", layout="ntu-rgb+d", classes=7, seed=5, width=4, depth=3)
    torch.save(network.state_dict(), tmp_path / "bare.pt")
    settings = {**TINY, "transfer": {"source": {"checkpoint": str(tmp_path / "bare.pt")}}}
    assert stgcnlib.open_study(settings, tmp_path / "a").experiments.transfer_task()[0].classes == 7
    (tmp_path / "bare.pt").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"bare\.pt"):
        stgcnlib.open_study(settings, tmp_path / "b").check()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"noise": {**NOISE, "joint_dropout": [1.5]}}, r"noise\.joint_dropout: .*chance of being lost"),
        ({"noise": {**NOISE, "train": {"rotation": 400}}}, r"noise\.rotation: .*largest angle"),
        ({"transfer": {"source": {"classes": 9}}}, r"transfer\.source\.classes: .*fewer than two"),
        ({"transfer": {"source": {"classes": ["wave", "flying"]}}}, "no class is named 'flying'"),
    ],
)
def test_levels_and_classes_are_checked_before_any_training(
    sections: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run = stgcnlib.open_study({**TINY, **sections}, tmp_path / "run")
    with pytest.raises(StudyError, match=words):
        run.check()
    assert not (tmp_path / "run" / "artefacts" / "network.pt").exists()


def test_a_study_without_the_section_says_so(tmp_path: Path) -> None:
    run = stgcnlib.open_study(TINY, tmp_path)
    assert run.experiments.verdicts() == []
    for name in ("noise", "transfer"):
        with pytest.raises(StudyError, match=f"no section '{name}'"):
            getattr(run.experiments, name)


# -- stages ------------------------------------------------------------------------------------


def test_stages_are_there_with_their_sections(tmp_path: Path) -> None:
    plain, noisy = Study.load(TINY), Study.load({**TINY, "noise": NOISE})
    names = [stage.name for stage in stages_of(plain)]
    assert "07_noise" not in names
    assert "08_transfer" not in names
    assert [stage.name for stage in stages_of(noisy)] == sorted([*names, "07_noise"])
    marks = [stage_fingerprints(study, stages_of(study), notebook_folder()) for study in (plain, noisy)]
    same = {name for name in names if marks[0][name] == marks[1][name]}
    assert same == set(names) - {"09_summary"}  # the summary tells of the noise, all else stays as it is
    more = Study.load({**TINY, "noise": {**NOISE, "jitter": [10]}})
    assert stage_fingerprints(more, STAGES[:1], notebook_folder()) == stage_fingerprints(
        noisy, STAGES[:1], notebook_folder()
    )


def test_a_changed_checkpoint_repeats_the_transfer_alone(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    study = Study.load({**TINY, "transfer": {"source": {"checkpoint": str(file)}}})
    file.write_bytes(b"1")
    before = stage_fingerprints(study, stages_of(study), notebook_folder())
    file.write_bytes(b"22")
    after = stage_fingerprints(study, stages_of(study), notebook_folder())
    assert {name for name in before if before[name] != after[name]} == {"08_transfer", "09_summary"}


def test_the_comparison_fits_its_notebook() -> None:
    check_parameters(notebook_folder() / "compare.ipynb", {"studies": [], "output": "", "name": ""})
