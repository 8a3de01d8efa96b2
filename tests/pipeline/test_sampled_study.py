"""A study whose nodes are a sample: what is measured on the sample, what on whole parts, and what pages say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import SMALL

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.checks import check_study
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study

DATA = {**SMALL["data"], "demo": {"subjects": 4, "repeats": 2}}


def study(sample: dict[str, int] | None, **changes: Any) -> dict[str, Any]:
    return {**SMALL, "data": DATA, "graph": {"k": 4, "sample": sample}, **changes}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StudyRun:
    return stgcnlib.open_study(study({"per_class": 2}), tmp_path_factory.mktemp("sampled"))


def test_nodes_are_the_sample_and_parts_stay_whole(run: StudyRun) -> None:
    parts, nodes, sample = run["parts"], run["nodes"], run["sample"]
    classes = len(nodes.class_names)
    assert len(parts[1]) == 4 * classes
    assert np.bincount(nodes.labels).tolist() == [2] * classes
    for label in range(classes):
        assert len(set(nodes.groups["subject"][nodes.labels == label])) == 2  # one of each subject
    assert list(nodes.names) == [parts[1].names[i] for i in sample.indices]
    evaluation, recordings = run["evaluation"], run["recordings"]
    assert len(evaluation.labels) == len(parts[1])
    assert recordings["predicted"].tolist() == evaluation.predictions[sample.indices].tolist()
    assert run["accuracies"]["n"].tolist() == [len(parts[1])]
    assert run["leakage"].facts == stgcnlib.open_study(study(None), run.folder.with_name("whole"))["leakage"].facts
    assert run["distances/trained/input"].count == 2 * classes


def test_the_first_page_says_that_it_is_a_sample(run: StudyRun) -> None:
    classes = len(run["nodes"].class_names)
    (said,) = (note for note in run["summary"]["notes"] if "a sample" in note)
    assert f"a sample: {2 * classes} of the {4 * classes} recordings of the test part, 2 of each class" in said
    facts = {each["label"]: each["value"] for each in run["summary"]["facts"]}
    assert facts["DS-Graph"] == f"{2 * classes} nodes (a sample of {4 * classes}), K = 4"
    assert run["settings"].loc["nodes", "value"] == f"{2 * classes} recordings (test, a sample of {4 * classes})"


def test_the_seed_draws_the_nodes(tmp_path: Path) -> None:
    def names(**changes: Any) -> list[str]:
        return list(stgcnlib.open_study(study({"nodes": 30}, **changes), tmp_path)["nodes"].names)

    first = names()
    assert names() == first
    assert names(seed=1) != first


@pytest.mark.parametrize("part", ["test", "all", "train"])
def test_a_transfer_tests_those_of_the_sample(part: str, tmp_path: Path) -> None:
    fields = study(None, transfer={"source": {"classes": 6}})
    whole = stgcnlib.open_study(fields, tmp_path)["transfer-target"]
    fields["graph"] = {"k": 4, "part": part, "sample": {"nodes": 24}}
    run = stgcnlib.open_study(fields, tmp_path)
    train, test = run["transfer-target"]
    assert train.names == whole[0].names
    assert test.class_names == whole[1].class_names
    drawn = set(run["nodes"].names)
    kept = list(whole[1].names) if part == "train" else [name for name in whole[1].names if name in drawn]
    assert list(test.names) == kept
    assert (len(kept) < len(whole[1])) == (part != "train")


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({}, "graph.sample: give one of per_class and nodes, not none"),
        ({"per_class": 5, "nodes": 50}, "graph.sample: give one of per_class and nodes, not both"),
        ({"per_class": 1}, "graph.sample.per_class: .*greater than or equal to 2"),
        ({"nodes": True}, "graph.sample.nodes"),
        ({"number": 5}, "graph.sample.number"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(sample: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Study.load(study(sample))


def test_real_targets_have_no_classes_to_draw_from() -> None:
    data = {"path": "sensor-demo", "target": "value", "windows": {}}
    with pytest.raises(StudyError, match=r"per_class: is for classes; give graph\.sample\.nodes"):
        Study.load({"data": data, "graph": {"sample": {"per_class": 5}}})


def test_too_few_nodes_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    fields = study({"nodes": 10})
    with pytest.raises(StudyError, match=r"graph\.sample\.nodes: 10 nodes are too few for \d+ classes; .* choose \d+"):
        check_study(Study.load(fields), StudyRun(Study.load(fields), tmp_path))
