"""A study that searches neighbours says what the same study of all distances says, and all its pages can be read."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.display import Markdown
from small_study import SMALL

import stgcnlib
from stgcnlib import figures
from stgcnlib.dsgraph.distances import computing
from stgcnlib.dtw import LayerDistances
from stgcnlib.errors import StudyError
from stgcnlib.pipeline.finished import read_study
from stgcnlib.pipeline.notebooks import read_notebook
from stgcnlib.pipeline.run import StudyRun
from stgcnlib.pipeline.study import Study
from stgcnlib.workbench.studies import StudySource

STAGES = Path(__file__).parents[2] / "notebooks" / "stages"
LAST = "st_gcn_networks.1"
FIELDS: dict[str, Any] = {
    **SMALL,
    "data": {"path": "demo", "demo": {"subjects": 6, "repeats": 1}, "split": {"by": "subject", "train": [1]}},
    "network": {"name": "st-gcn", "options": {"width": 4, "depth": 2}, "training": {"epochs": 1}},
    "layers": ["st_gcn_networks.*"],
    "graph": {"k": 4, "distances": "all"},
    "controls": {"untrained": 1, "initial": 0},
    "geometry": {"permutations": 5},
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "layers": [LAST]},
    "sensitivity": {"k": [6], "readings": [], "windows": [5], "normalizations": [], "layers": ["input", LAST]},
}
TABLES = ("smoothness", "classes", "nodes", "statistics", "layer_pairs", "class_confusions", "class_separation",
          "outliers", "baselines", "sensitivity", "noise", "noise_nodes")  # fmt: skip


def with_distances(how: str) -> dict[str, Any]:
    return {**FIELDS, "graph": {**FIELDS["graph"], "distances": how}}


def made(folder: Path, how: str) -> StudyRun:
    run = stgcnlib.open_study(with_distances(how), folder)
    for name in ("geometry", "planes/trained", "statistics", "findings", "baselines", "sensitivity", "noise", "maps"):
        _ = run[name]
    (folder / "study.yml").write_text(Study.load(with_distances(how)).to_yaml(), encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyRun, StudyRun]:
    """(of all distances, of the nearest), with the same network and features."""
    home = tmp_path_factory.mktemp("neighbours")
    first = made(home / "all", "all")
    shutil.copytree(home / "all", home / "near")
    return first, made(home / "near", "neighbours")


def test_the_nearest_of_each_are_known_and_nothing_else(both: tuple[StudyRun, StudyRun]) -> None:
    for run, complete in zip(both, (True, False), strict=True):
        for name, distances in run["distances/trained/*"].items():
            assert distances.complete is complete
            assert distances.count == len(run["nodes"])
            assert run[f"all-pairs/trained/{name}"].complete is complete
            assert run[f"neighbours/trained/{name}"].reach == (0 if complete else distances.reach)


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_all_distances(both: tuple[StudyRun, StudyRun], name: str) -> None:
    every, near = (pd.read_parquet(run.output / "tables" / f"{name}.parquet") for run in both)
    pd.testing.assert_frame_equal(near, every, rtol=1e-5, atol=2e-5)


def test_what_an_unknown_distance_is_asked_for_is_computed(both: tuple[StudyRun, StudyRun]) -> None:
    every, near = both
    pairs, options = every[f"distances/trained/{LAST}"], near["dtw"]
    found = computing(LayerDistances(pairs.count), near["activations/trained"][LAST], options)
    i, j = np.triu_indices(pairs.count, 1)
    assert np.isnan(found.get(i, j)).all()
    found.ask(i[::3], j[::3])
    np.testing.assert_allclose(found.get(i[::3], j[::3]), pairs.get(i[::3], j[::3]), rtol=2e-5)
    assert np.isnan(found.get(i[1::3], j[1::3])).all()


@pytest.mark.parametrize(("page", "layer"), [("03_ds_graphs", ""), ("04a_classes", ""), ("05_layer", LAST)])
def test_pages_can_be_read(both: tuple[StudyRun, StudyRun], page: str, layer: str) -> None:
    """The cells of a stage's notebook, run one after the other here: a kernel takes long to start."""
    _, near = both
    shown: list[Any] = []
    given = {"study": str(near.output / "study.yml"), "output": str(near.output), "layer": layer}
    names: dict[str, Any] = {"display": lambda *values: shown.extend(values)}
    for cell in read_notebook(STAGES / f"{page}.ipynb").cells:
        if "parameters" in cell.metadata.get("tags", []):
            names |= given
        elif cell.cell_type == "code":
            body = ast.parse(cell.source).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), page, "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), page, "eval"), names))
    bundles = [value._repr_mimebundle_() for value in shown if hasattr(value, "_repr_mimebundle_")]
    assert len(bundles) >= 4
    words = [value.data for value in shown if isinstance(value, Markdown)]
    assert any("nearest of each were searched" in each for each in words) == (page == "03_ds_graphs")


def test_a_workbench_places_networks_by_their_nearest(both: tuple[StudyRun, StudyRun]) -> None:
    _, near = both
    source = StudySource(near.output)
    assert [each["key"] for each in source.figure.content["offered"]] == ["untrained"]
    offered = source.map("untrained")
    assert np.isfinite(offered["points"]).all()
    name = near["nodes"].names[0]
    reply = source.open(name, "untrained", 1)
    assert reply["neighbours"]
    assert source.open(name, "trained", 2)["player"] is not None
    study = read_study(near.output)
    graph = study["geometry"].graphs[(LAST, "trained", "other subjects")]
    nodes, known = study["nodes"], study[f"distances/trained/{LAST}"]
    assert figures.ds_graph_map(graph, nodes.labels, nodes.class_names, distances=known).axes  # as "Take away" says
    shutil.rmtree(study.output / "artefacts" / "neighbours")
    assert not StudySource(near.output).figure.content["offered"]


def test_noise_among_clean_recordings_is_refused_before_work(tmp_path: Path) -> None:
    fields = with_distances("neighbours")
    clean = StudyRun(Study.load({**fields, "noise": {**fields["noise"], "neighbours": "clean"}}), tmp_path)
    with pytest.raises(StudyError, match=r"noise.neighbours: clean .* set noise.neighbours to noisy"):
        clean.check()
    wide = StudyRun(Study.load({**fields, "graph": {**fields["graph"], "sigma": "pynnk"}}), tmp_path)
    with pytest.raises(StudyError, match=r"graph.sigma: pynnk reads all distances"):
        wide.check()
