"""The whole line on a tiny study: every stage notebook, every page, and what is reused afterwards."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from platform import node

import numpy as np
import pandas as pd
import pytest
from by_hand import output_text, run_by_hand, state_of, tree
from small_study import SMALL

import stgcnlib
from stgcnlib.errors import LayerNotFoundError, StudyError
from stgcnlib.pipeline.stages import stages_of
from stgcnlib.pipeline.study import Study

LAST = "st_gcn_networks.2"
TINY = {
    **SMALL,
    "name": "tiny <b>study</b>",
    "controls": {"untrained": 2},
    "sensitivity": {"k": [3], "readings": ["frames"], "windows": [5], "normalizations": [], "layers": ["input", LAST]},
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "layers": [LAST]},
    "transfer": {"source": {"classes": 6}, "frozen": [0, 2, 3], "seeds": 1, "training": {"epochs": 1}},
}
"""Every stage has its section."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("study") / "tiny"
    index = stgcnlib.run_study(TINY, output)
    assert index == output / "index.html"
    return output


def test_every_stage_has_a_page_and_an_executed_notebook(finished: Path) -> None:
    layers = json.loads((finished / "artefacts" / "layers.json").read_text())
    assert [layer["title"] for layer in layers] == ["input", "layer 1", "layer 2", "layer 3"]
    for kind, suffix in (("notebooks", "ipynb"), ("pages", "html")):
        names = {path.stem for path in (finished / kind).glob(f"*.{suffix}")}
        assert {"00_data", "01_network", "02_activations", "03_ds_graphs", "04_geometry"} <= names
        assert {"04a_classes", "04b_sensitivity", "06_relevance", "07_noise", "08_transfer", "09_summary"} <= names
        assert len([name for name in names if name.startswith("05_layer")]) == len(layers)


def test_pages_escape_names_and_show_no_traceback(finished: Path) -> None:
    for page in [finished / "index.html", *(finished / "pages").glob("*.html")]:
        html = page.read_text(encoding="utf-8")
        assert "<b>study</b>" not in html, page
        assert "Traceback" not in html, page
        assert "<title>" in html


def test_tables_hold_the_numbers_of_the_curve(finished: Path) -> None:
    table = pd.read_parquet(finished / "tables" / "smoothness.parquet")
    assert {"trained", "untrained", "untrained-2", "initial"} == set(table["network"])
    assert {"other subjects", "all"} == set(table["neighbours"])
    assert table["smoothness"].between(0, 1).all()
    # Of two people, neighbours by other people are gone without either: no interval.
    assert (table["low"].isna() == (table["neighbours"] == "other subjects")).all()
    assert (table["low"].dropna() <= table["smoothness"][table["low"].notna()] + 1e-9).all()
    assert (table["smoothness"][table["high"].notna()] <= table["high"].dropna() + 1e-9).all()
    assert table["kkt_residual"].max() < 1e-6


def test_curve_is_what_the_library_says_by_hand(finished: Path) -> None:
    run = stgcnlib.open_study(finished / "study.yml", finished)
    table = run["geometry"].curve().set_index("layer")
    name = run["layers"][-1]["name"]
    distances = stgcnlib.dtw_distances(run["activations/trained"][name])
    # Each within 1e-5 of float64, as promised: the study's were made with another number of threads.
    kept, nodes = run[f"distances/trained/{name}"], run["nodes"]
    np.testing.assert_allclose(kept, distances, rtol=2e-5)
    graph = stgcnlib.nnk_graph(kept, k=4, exclude=nodes.groups["subject"])
    by_hand = stgcnlib.label_smoothness(graph, nodes.labels)
    assert by_hand == pytest.approx(table.loc[name, "smoothness"], abs=1e-6)


def test_a_second_run_repeats_nothing(finished: Path) -> None:
    notebooks = {path: path.stat().st_mtime_ns for path in (finished / "notebooks").glob("*.ipynb")}
    artefacts = {p: p.stat().st_mtime_ns for p in (finished / "artefacts").rglob("*") if p.is_file()}
    stgcnlib.run_study(TINY, finished)
    assert notebooks == {path: path.stat().st_mtime_ns for path in notebooks}
    assert artefacts == {path: path.stat().st_mtime_ns for path in artefacts}


def test_players_and_checks_of_maps_are_on_their_pages(finished: Path) -> None:
    for name in ("06_relevance", "05_layer_00", "05_layer_03"):
        assert (finished / "pages" / f"{name}.html").read_text().count('<figure class="live"') == 1
    notebook = (finished / "notebooks" / "06_relevance.ipynb").read_text()
    assert "srcdoc" not in notebook  # a page brings the scripts along once
    assert "class Player" in (finished / "assets" / "live.js").read_text()
    evaluation = stgcnlib.open_study(finished / "study.yml", finished)["map-evaluation"]
    assert set(evaluation.summary["title"]) == {"layer 1", "layer 2", "layer 3"}
    assert set(evaluation.areas["recording"]) == {0, 1, 2}


def test_nothing_tells_of_the_machine(finished: Path) -> None:
    """What is passed on has no path of ours, and no name of the machine that is long enough to be looked for."""
    words = [
        str(finished.parent),
        str(Path(stgcnlib.__file__).parents[1]),
        sys.prefix,
        *([node()] if len(node()) > 4 else []),
    ]
    for path in (each for each in finished.rglob("*") if each.is_file()):
        content = path.read_bytes()
        assert [word for word in words if word.encode() in content] == [], path


def test_nothing_temporary_is_left(finished: Path) -> None:
    hidden = {path.name for path in finished.rglob(".*") if path.is_file() and path.suffix != ".lock"}
    assert hidden == set()
    assert not any((finished / "artefacts" / ".unfinished").iterdir())


def test_unknown_layer_suggests_the_nearest(finished: Path) -> None:
    run = stgcnlib.open_study(finished / "study.yml", finished)
    with pytest.raises(LayerNotFoundError, match=r"st_gcn_networks\.2"):
        run.layer("st_gcn_network.2")


def test_more_neighbours_than_sequences_is_refused_before_any_training(tmp_path: Path) -> None:
    run = stgcnlib.open_study({**TINY, "graph": {"k": 500}}, tmp_path / "run")
    with pytest.raises((StudyError, stgcnlib.errors.GraphError), match="500"):
        run.check()
    assert not run.path("training/trained").exists()


def test_its_notebooks_run_by_hand_where_they_lie(
    finished: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """In their own folder, beside finished studies: nothing is computed again, and only a comparison writes."""
    stages = tree(tmp_path / "tree", {"tiny": finished, "other": finished})
    before = state_of(tmp_path / "tree")
    given = {"study": "reports/tiny/study.yml", "output": "reports/tiny"}
    names = [stage.name for stage in stages_of(Study.load(TINY))]
    told = run_by_hand(
        stages, {**dict.fromkeys(names, given), "compare": {"studies": ["reports/tiny", "reports/other"]}}
    )
    after = state_of(tmp_path / "tree")
    assert {file for file in after if before.get(file) != after[file]} == {
        file for file in after if file.startswith("reports/comparison/")
    }
    assert set(before) < set(after)
    assert "reports/comparison/summary/summary.json" in after
    for name, (seconds, notebook) in told.items():
        record_property(name, f"{seconds:.1f} s")
        assert name == "compare" or f"{tmp_path}/tree/reports/tiny, made 20" in output_text(notebook), name
