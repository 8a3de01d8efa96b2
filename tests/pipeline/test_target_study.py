"""A study of a real target, from end to end: settings, keys, pages, words, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from by_hand import output_text, run_by_hand, state_of, tree
from line_changes import changed, covers, opened, variants

import stgcnlib
from stgcnlib import SequenceSet, graph_layout
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.stages import STAGES, TARGET_STAGES, stages_of
from stgcnlib.pipeline.study import Study, bundled_folder
from stgcnlib.report import run_study

SMALL: dict[str, Any] = {
    "name": "small sensors",
    "data": {
        "path": "sensor-demo",
        "target": "value",
        "sensor_demo": {"days": 8, "sensors": 8},
        "windows": {"length": 12, "stride": 12, "horizon": 4, "block": 96, "joints": [6, 7]},
        "split": {"by": "block", "train": [0, 1, 2, 3]},
    },
    "network": {
        "name": "st-gcn",
        "options": {"width": 4, "depth": 2, "strategy": "uniform"},
        "training": {"epochs": 2, "augment": False, "loss": "mae"},
    },
    "graph": {"k": 5},
    "controls": {"untrained": 1, "initial": 0, "baselines": ["pooled"]},
    "geometry": {"permutations": 10},
    "explain": {"per_class": 1, "examples": 2},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sensors")
    run_study(SMALL, output, progress=False)
    return output


def test_every_page_is_made_and_speaks_of_no_class(finished: Path) -> None:
    pages = sorted(path.stem for path in (finished / "pages").glob("*.html"))
    assert pages == sorted(
        ["05_one_layer_00", "05_one_layer_01", "05_one_layer_02"]
        + [stage.name for stage in TARGET_STAGES if not stage.per_layer]
    )
    for file in sorted((finished / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(file, as_version=4).cells:
            said = [cell.source] if cell.cell_type == "markdown" else []
            for shown in cell.get("outputs", []):
                data = shown.get("data", {})
                said += [shown.get("text", ""), data.get("text/markdown", ""), data.get("text/html", "")]
                said += [data.get("text/plain", "")]
            for text in said:
                words = re.sub(r"<[^>]+>", " ", text)
                # On the page of relevance: "the other checks are of class probabilities", and of actions in the claim.
                words = words.replace("of class probabilities", "").replace("about classes of actions", "")
                for wrong in (r"\bclass(es)?\b", r"\blabels?\b", r"\baccuracy\b", r"\bperformed\b"):
                    assert not re.search(wrong, words), (file.stem, wrong, words[:300])


def test_distances_without_warping_stand_beside_the_curve(finished: Path) -> None:
    baselines = pd.read_parquet(finished / "tables" / "baselines.parquet")
    assert set(baselines["baseline"]) == {"pooled"}
    assert (baselines["floor"] == 0).all()
    assert "DTW" in (finished / "pages" / "04_smoothness.html").read_text()


def test_the_first_page_has_curve_and_strip_and_no_class_map(finished: Path) -> None:
    summary = json.loads((finished / "artefacts" / "summary" / "summary.json").read_text())
    text = json.dumps(summary)
    assert "arget smoothness, layer by layer" in text
    assert "Which classes separate" not in text
    facts = {fact["label"]: fact["value"] for fact in summary["facts"]}
    assert facts["target"] == "mean of the next 4 frames at 2 joints"
    assert "test R²" in facts
    assert "classes" not in facts
    assert "below shuffled targets" in text


def test_results_are_of_the_target(finished: Path) -> None:
    run = stgcnlib.open_study(finished / "study.yml", finished)
    nodes, evaluation, geometry = run["nodes"], run["evaluation"], run["geometry"]
    assert set(nodes.groups["block"].tolist()) == {4, 5, 6, 7}
    assert nodes.class_names == ()
    np.testing.assert_array_equal(geometry.targets, nodes.targets)
    assert geometry.neighbours == "other blocks"
    assert geometry.jackknife.count == 4
    np.testing.assert_array_equal(evaluation.targets, run["parts"][1].targets)
    table = pd.read_parquet(finished / "tables" / "recordings.parquet")
    name = nodes.target_names[0]
    np.testing.assert_allclose(table[f"error {name}"], table[f"estimated {name}"] - table[name])
    assert {"knn_r2", "probe_r2"} <= set(run["statistics"].table["statistic"])
    quarters = np.sort(nodes.targets[run["explained"], 0])
    assert len(quarters) == 4
    assert quarters[-1] > np.quantile(nodes.targets[:, 0], 0.7)
    train = run["parts"][0]
    values = np.concatenate([c.ravel() for c in train.coords])
    assert abs(values.mean()) < 1e-3  # standardised by the training part alone
    assert abs(values.std() - 1) < 1e-3


def test_a_study_of_a_target_is_not_compared(finished: Path) -> None:
    with pytest.raises(StudyError, match="this study has a real target"):
        stgcnlib.compare_studies([finished, finished])


def test_windows_of_a_folder_of_series(tmp_path: Path) -> None:
    """The same by files: a set of one series, saved as a user would."""
    rng = np.random.default_rng(0)
    layout = graph_layout("path", [(0, 1), (1, 2)], names=["a", "b", "c"])
    SequenceSet([rng.normal(size=(200, 3, 1))], layout=layout, class_names=[]).save(tmp_path / "series.npz")
    study = {
        "data": {
            "path": str(tmp_path / "series.npz"), "target": "value",
            "windows": {"length": 6, "stride": 6, "block": 20, "joints": ["c"]},
            "split": {"by": "block", "train": [0, 1, 2, 3, 4]},
        },
        "network": {"options": {"width": 4, "depth": 2, "strategy": "uniform"}},
        "graph": {"k": 3},
    }  # fmt: skip
    run = stgcnlib.open_study(study, tmp_path / "out")
    assert run["sequences"].target_names == ("next frame at c",)
    assert len(run["nodes"]) == 15
    for wrong, message in (
        ({"target": "class", "windows": None}, "data.target is class, but the recordings have no classes"),
        ({"windows": None}, "data.target is value, but the recordings have no targets"),
    ):
        other = stgcnlib.open_study({**study, "data": {**study["data"], **wrong}}, tmp_path / "other")
        with pytest.raises(StudyError, match=message):
            other["sequences"]


def test_a_set_of_both_is_told_by_what_the_study_says(tmp_path: Path) -> None:
    layout = graph_layout("path", [(0, 1), (1, 2)])
    both = SequenceSet(
        [np.full((4, 3, 1), i, dtype=float) for i in range(8)], layout=layout, labels=[0, 1] * 4,
        groups={"day": [0, 1] * 4},
        targets=np.arange(8.0), target_names=["heat (W)"],
    )  # fmt: skip
    both.save(tmp_path / "both.npz")
    data = {"path": str(tmp_path / "both.npz"), "split": {"by": "day", "train": [0]}}
    classes = stgcnlib.open_study({"data": data}, tmp_path / "a")["sequences"]
    values = stgcnlib.open_study({"data": {**data, "target": "value"}}, tmp_path / "b")["sequences"]
    assert (classes.targets, classes.class_names) == (None, ("class 0", "class 1"))
    assert (values.target_names, values.class_names) == (("heat (W)",), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data.target": "class"}, "windows have no classes; set data.target to value"),
        ({"data.windows": None}, "is one long series; give windows"),
        ({"data.path": "demo"}, "only for path: sensor-demo"),
        ({"network.training.loss": "cross-entropy"}, "network.training.loss: is for classes; choose mse or mae"),
        ({"noise": {}}, "noise: is measured for classes only"),
        ({"transfer": {"source": {"classes": 2}}}, "transfer: is measured for classes only"),
        ({"sensitivity": {}}, "sensitivity: is measured for classes only"),
        ({"data.windows.length": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    fields = SMALL
    for key, value in change.items():
        fields = changed(fields, key, value)
    with pytest.raises(StudyError, match=re.escape(message)):
        Study.load(fields)
    with pytest.raises(StudyError, match="is for real values"):
        Study.load({"network": {"training": {"loss": "mse"}}})


def test_stages_follow_the_target() -> None:
    assert stages_of(Study.load("sensors")) == TARGET_STAGES
    assert set(stages_of(Study.load("demo"))) <= set(STAGES)


SERIES = {"sensor-demo", "sequences", "parts", "nodes", "training/trained", "geometry", "maps", "settings"}


@pytest.mark.parametrize(
    ("field", "value", "same"),
    [
        ("data.sensor_demo.days", 9, set()),
        ("data.windows.horizon", 5, {"sensor-demo"}),
        ("data.windows.block", 48, {"sensor-demo"}),
        ("network.training.loss", "mae", {"sensor-demo", "sequences", "parts", "nodes", "settings"}),
        ("geometry.permutations", 33, SERIES - {"geometry", "settings"}),
    ],
)
def test_what_a_field_of_a_series_makes_again(field: str, value: Any, same: set[str], tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    base = variants(tmp_path / "files")["series"]
    before, after = opened(base, tmp_path), opened(changed(base, field, value), tmp_path)
    assert {name for name in SERIES if before.key(name) == after.key(name)} == same


def test_the_bundled_study_is_complete() -> None:
    study = Study.from_file(bundled_folder() / "sensors.yml")
    assert study.data.sensor_demo is not None
    assert study.data.windows is not None
    assert covers("data", "data.windows")
    assert study.data.windows.block == 96


def test_its_notebooks_run_by_hand_where_they_lie(
    finished: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """In their own folder, beside the finished study: nothing is computed again, and no folder is made."""
    stages = tree(tmp_path / "tree", {"sensors": finished})
    before = state_of(tmp_path / "tree")
    given = {"study": "reports/sensors/study.yml", "output": "reports/sensors"}
    told = run_by_hand(stages, {stage.name: given for stage in stages_of(Study.load(SMALL))})
    assert state_of(tmp_path / "tree") == before
    for name, (seconds, notebook) in told.items():
        record_property(name, f"{seconds:.1f} s")
        assert f"{tmp_path}/tree/reports/sensors, made 20" in output_text(notebook), name
