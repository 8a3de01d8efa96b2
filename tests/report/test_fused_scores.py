"""Scores of finished studies added: a network of joints and one of bones, whatever the order of their recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_study import SMALL

from stgcnlib import evaluate, open_study, read_study, tables
from stgcnlib.pipeline.study import Study
from stgcnlib.report.compare import fused_scores
from stgcnlib.studies import fuse_scores


def finished(folder: Path, **data: object) -> Path:
    study = Study.load(SMALL | {"data": {**SMALL["data"], **data}})
    open_study(study, folder)["evaluation"]
    (folder / "study.yml").write_text(study.to_yaml(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("streams")
    return [finished(folder / "joint"), finished(folder / "bone", published=["bone"])]


def test_joints_and_bones_are_added(streams: list[Path]) -> None:
    found = fused_scores(streams, ["joint", "bone"])
    assert found is not None
    joint, bone = (read_study(folder) for folder in streams)
    test = joint["parts"][1]
    by_hand = fuse_scores({
        "joint": evaluate(joint["network/trained"], test),
        "bone": evaluate(bone["network/trained"], bone["parts"][1]),
    })  # fmt: skip
    np.testing.assert_allclose(found.evaluation.logits, by_hand.evaluation.logits, atol=1e-4)
    np.testing.assert_array_equal(found.evaluation.labels, test.labels)
    shown = tables.fusion_table(found)
    assert shown.index.tolist() == ["joint", "bone", "all together"]
    assert shown.loc["all together", "accuracy"] == f"{found.evaluation.accuracy:.1%}"
    assert shown.loc["bone", "the others together"] == shown.loc["joint", "accuracy"]


def test_other_test_parts_are_not_added(streams: list[Path], tmp_path: Path) -> None:
    other = finished(tmp_path / "other", split={"by": "subject", "train": [1, 2]})
    assert fused_scores([streams[0], other], ["joint", "other"]) is None


def test_a_folder_without_predictions_is_no_error(streams: list[Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(streams[1], tmp_path / "copy"))
    shutil.rmtree(copy / "artefacts" / "evaluations")
    assert fused_scores([streams[0], copy], ["joint", "bone"]) is None
