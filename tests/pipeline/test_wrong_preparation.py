"""A study of a checkpoint that wants another preparation says so on page 01 and before the verdict."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import SMALL

from stgcnlib import fit, load_network, tables, transforms
from stgcnlib.demo import demo_sequences
from stgcnlib.networks import save_checkpoint
from stgcnlib.pipeline.line.data import unprepared
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

DEMO = {"subjects": 4, "repeats": 2}
SPLIT = {"by": "subject", "train": [1, 3]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, trained on `normalize`d recordings of the demo."""
    folder = tmp_path_factory.mktemp("checkpoint")
    data = transforms.normalize(demo_sequences(seed=0, **DEMO))
    network = load_network("st-gcn", layout=data.layout, classes=len(data.class_names), seed=0, width=12, depth=3)
    fit(network, data, None, epochs=12, seed=0, progress=False)
    save_checkpoint(network, folder / "network.pt")
    return folder / "network.pt"


def opened(checkpoint: Path, output: Path, **data: object) -> StudyRun:
    fields = {
        "data": {"path": "demo", "demo": DEMO, "split": SPLIT, **data},
        "network": {"name": "st-gcn", "checkpoint": str(checkpoint)},
    }
    return StudyRun(Study.load(SMALL | fields), output)


def test_the_preparation_that_is_missing_is_named(checkpoint: Path, tmp_path: Path) -> None:
    wrong = opened(checkpoint, tmp_path / "wrong", published=["motion"])
    table = wrong["preparations"]
    assert wrong["evaluation"].accuracy < 0.2
    assert table["preparation"][0].startswith("normalize: true")
    assert table.loc[table["given"], "preparation"].tolist() == ["published: [motion]"]
    shown = tables.preparations_table(table, most=2)
    assert "published: [motion] (in use)" in shown.index
    assert len(shown) <= 3


def test_nothing_is_tried_where_it_is_right(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = opened(checkpoint, tmp_path / "right")
    assert right["evaluation"].accuracy > 0.5
    monkeypatch.setattr("stgcnlib.training.preparations.try_preparations", None)
    assert right["preparations"].empty
    assert isinstance(StudyRun(right.study, right.output)["preparations"], pd.DataFrame)


def test_recordings_of_a_table_are_read_as_the_study_says(tmp_path: Path) -> None:
    """With a layout and a pattern of one's own: whatever is read here is declared."""
    (tmp_path / "mouse.yml").write_text("joints: [snout, tail]\ndimensions: 2\n")
    for name, number in (("3_walk", 1), ("4_rest", 2)):
        (tmp_path / f"{name}.csv").write_text(f"{number},2,3,4\n{number},3,4,6\n")
    told = {"layout": str(tmp_path / "mouse.yml"), "pattern": "{subject}_{label}.csv"}
    run = opened(tmp_path / "network.pt", tmp_path, path=str(tmp_path), demo=None, split={"train": [3]}, **told)
    place = run.find("preparations")
    assert len(unprepared(None, None, run.keys.settings(place.artefact, place.name))) == 2


def test_networks_that_are_trained_here_have_none() -> None:
    study = Study.load(SMALL)
    assert study.network.loaded is None
    assert not StudyRun(study, Path("nowhere")).keys.has(
        StudyRun(study, Path("nowhere")).line.artefacts["preparations"]
    )


def test_the_first_page_says_it_before_the_verdict(checkpoint: Path, tmp_path: Path) -> None:
    wrong = opened(checkpoint, tmp_path, published=["motion"])
    first, *_ = wrong["summary"]["warnings"]
    assert "near chance" in first
    assert "data.normalize: true" in first
