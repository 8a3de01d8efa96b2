"""Sets at the edge: a report with a sentence in the place of what they cannot support, or one error before any work."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stgcnlib
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.notebooks import notebook_folder, read_notebook
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.stages import shown, stages_of
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet

Write = Callable[..., StudyRun]


def recordings(counts: Sequence[Sequence[int]], *, group: str | None = "subject") -> SequenceSet:
    """`counts[c][s]` recordings of class c by subject s, from 1."""
    rng = np.random.default_rng(0)
    who = [(c, s + 1) for c, row in enumerate(counts) for s, count in enumerate(row) for _ in range(count)]
    coords = [
        np.sin(0.2 * (1 + c) * np.arange(12 + i % 5)[:, None, None] + np.arange(20)[:, None]) * [1.0, 0.5, 0.2]
        + rng.normal(0, 0.3, (12 + i % 5, 20, 3))
        for i, (c, _) in enumerate(who)
    ]
    names = [f"act {c}" for c in range(len(counts))]
    groups = {} if group is None else {group: [s for _, s in who]}
    return SequenceSet(coords, labels=[c for c, _ in who], class_names=names, groups=groups, layout="kinect-v1")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes recordings and opens a study of them."""

    def opened(given: SequenceSet, *, checkpoint: bool = False, **settings: Any) -> StudyRun:
        given.save(tmp_path / "data.npz")
        size = {"width": 4, "depth": 3}
        network: dict[str, Any] = {"name": "st-gcn", "options": size, "training": {"epochs": 1}}
        if checkpoint:
            made = stgcnlib.load_network("st-gcn", layout="kinect-v1", classes=len(given.class_names), **size)
            torch.save(made.state_dict(), tmp_path / "weights.pt")
            network = {"name": "st-gcn", "options": size, "checkpoint": str(tmp_path / "weights.pt")}
        chosen: dict[str, Any] = {
            "name": "edge", "network": network, "controls": {"untrained": 1}, "geometry": {"permutations": 5},
            "data": {"path": str(tmp_path / "data.npz")},
            "explain": {"examples": 1, "per_class": 1, "sequences": 2, "units": ["joints"], "steps": 2, "draws": 1},
        }  # fmt: skip
        if not checkpoint:
            chosen["data"]["split"] = {"by": "subject", "train": [1]}
        for name, value in settings.items():
            chosen[name] = {**chosen.get(name, {}), **value}
        study = Study.load(chosen)
        run = StudyRun(study, tmp_path / "report")
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "study.yml").write_text(study.to_yaml(), encoding="utf-8")
        return run

    return opened


EVEN = [[1, 1, 1, 1]] * 3
NULL = {"data": {"split": None}}


@pytest.mark.parametrize(
    ("counts", "settings", "message"),
    [
        ([[2, 2, 2]], {}, "graph.part: all 4 nodes are of class 'act 0'"),
        ([[1, 2, 2], [1, 0, 0]], {}, "graph.part: all 4 nodes are of class 'act 0'"),
        ([[2, 2]] * 2, {}, "graph.k: .* set graph.leave_out to null"),
        ([[3]] * 3, {"graph": {"part": "all"}}, "data.split: no recording tests; name fewer values of subject"),
        (EVEN, {"data": {"split": {"by": "subject", "train": [9]}}}, "data.split: subject has no value 9; it has 1, 2"),
        (EVEN, {"data": {"split": {"by": "person", "train": [1]}}}, "data.split: there is no group 'person'"),
        (EVEN, {"graph": {"k": 50}}, "graph.k: 50 neighbours asked for"),
        (EVEN, {"transfer": {"source": {"classes": 2}}}, "transfer.source.classes: "),
    ],
)
def test_what_the_curve_needs_is_refused_before_work_starts(
    write: Write, counts: Any, settings: dict[str, Any], message: str
) -> None:
    run = write(recordings(counts), **settings)
    with pytest.raises(StudyError, match=message):
        run.check()
    made = {path.parent.name for path in (run.output / "artefacts").glob("*/manifest.json")}
    assert not {name for name in made if name.startswith(("training", "activations", "curves"))}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (NULL, "network: is trained here, but data.split names no training part"),
        (NULL | {"graph": {"part": "train"}, "network": {"checkpoint": "w.pt"}}, "graph.part: train, but data.split"),
        (NULL | {"noise": {"train": {"jitter": 20.0}}, "network": {"checkpoint": "w.pt"}}, "noise.train: "),
        (NULL | {"transfer": {"source": {"classes": 2}}, "network": {"checkpoint": "w.pt"}}, "transfer: "),
    ],
)
def test_what_learns_needs_a_training_part(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Study.load(settings)


def test_a_checkpoint_needs_no_split() -> None:
    assert Study.load({"network": {"checkpoint": "w.pt"}}).data.split is None
    kept = Study.load({"network": {"checkpoint": "w.pt"}, "data": {"split": {"train": [1]}}})
    assert kept.data.split is not None
    assert Study.load({}).data.split is not None


@pytest.mark.parametrize(
    ("counts", "settings", "names"),
    [
        (EVEN, {}, set()),
        ([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0]], {}, set()),
        ([[2, 2, 2]] * 2, {}, {"intervals", "statistic_intervals"}),
        ([[3, 3]] * 2, {"graph": {"leave_out": None}}, set()),
        ([[1, 1], [1, 1], [1, 1]], {"graph": {"leave_out": None}}, {"probe", "likeness", "statistic_intervals"}),
        ([[1, 2, 2], [1, 0, 1]], {}, {"intervals", "statistic_intervals", "probe"}),
    ],
)
def test_what_is_too_few_is_known_before_work_starts(
    write: Write, counts: Any, settings: dict[str, Any], names: set[str]
) -> None:
    run = write(recordings(counts), **settings)
    run.check()
    assert set(run["shortages"]) == names


def test_nine_recordings_with_a_checkpoint_come_to_a_report(write: Write) -> None:
    """No training part, no subjects, a class of one: all stages are made, and the pages say what is missing."""
    run = write(recordings([[1], [2], [1], [3], [2]], group=None), checkpoint=True, graph={"part": "all", "k": 3})
    run.check()
    for stage in stages_of(run.study):
        for place in shown(stage, run):
            run[place.name]
    short = run["shortages"]
    assert set(short) == {"probe", "training"}
    table = run["statistics"].table
    assert table[table["statistic"] == "probe_accuracy"]["value"].isna().all()
    assert table[table["statistic"] == "knn_accuracy"]["value"].notna().all()
    assert np.isfinite(run["geometry"].curve()["smoothness"]).all()
    assert short["probe"] in page(run, "04_geometry")
    assert short["training"] in page(run, "06_relevance")
    assert "names no training part" in page(run, "00_data")
    front = (run.path("summary") / "summary.json").read_text(encoding="utf-8")
    assert short["probe"] in front
    assert short["training"] in front


def page(run: StudyRun, stage: str) -> str:
    """What a stage's notebook shows in words, cell by cell, in this process."""
    said: list[str] = []

    def display(*things: Any) -> None:
        said.extend(str(getattr(thing, "data", thing)) for thing in things)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.display.display", display)
        names: dict[str, Any] = {"display": display}
        for cell in read_notebook(notebook_folder() / f"{stage}.ipynb").cells:
            source = cell.source if cell.cell_type == "code" else ""
            if "parameters" in cell.metadata.get("tags", []):
                source = f"study, output = None, {str(run.output)!r}"
            body = ast.parse(source).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), stage, "exec"), names)
            if isinstance(last, ast.Expr):
                display(eval(compile(ast.Expression(last.value), stage, "eval"), names))
    return "\n".join(said)
