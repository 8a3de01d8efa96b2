"""What a newer version wrote is refused, and says which; what an older one wrote opens."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import small_study
from tiny_network import TinyNetwork

import stgcnlib
from stgcnlib.activations import LayerStore, demand, record
from stgcnlib.artefacts.sums import FORMAT
from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import StgcnlibError
from stgcnlib.explain import grad_cam_set, load_relevance, save_relevance
from stgcnlib.pipeline.verify import verify_study
from stgcnlib.report.compare import compare
from stgcnlib.report.html import render_report
from stgcnlib.sequences import SequenceSet
from stgcnlib.version import __version__


def distances() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(9, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def newer(place: str, version: int, *, by: str = "") -> str:
    """What the error about each of them matches; the last version that is read is the one before."""
    said = f"{place}: was written by a newer stgcnlib{f' ({by})' * bool(by)}, in version {version} of its format, and "
    return rf"^\S*{re.escape(said)}this one reads up to {version - 1}; update stgcnlib, or make it again elsewhere$"


def test_layers(tmp_path: Path, small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        for module in ("recording", "store"):
            later.setattr(f"stgcnlib.activations.{module}.VERSION", 2)
        record(TinyNetwork(), small_set, store=tmp_path / "layers")
    with pytest.raises(StgcnlibError, match=newer("layers", 2, by=__version__)):
        LayerStore.open(tmp_path / "layers")


def test_recipes_of_layers(tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    recipe = {"format": demand.FORMAT, "version": demand.VERSION + 1, "stgcnlib": "99.0", "layers": []}
    (tmp_path / "layers" / demand.RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    with pytest.raises(StgcnlibError, match=newer("layers", 2, by="99.0")):
        demand.LayersOnDemand.open(tmp_path / "layers")


def test_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("stgcnlib.dsgraph.graph.VERSION", 2)
        nnk_graph(distances(), k=4).save(tmp_path / "graph.npz")
    with pytest.raises(StgcnlibError, match=newer("graph.npz", 2)):
        DSGraph.load(tmp_path / "graph.npz")


def test_maps(tmp_path: Path, small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = grad_cam_set(TinyNetwork(), small_set.select(range(2)))
    with monkeypatch.context() as later:
        later.setattr("stgcnlib.explain.keep.VERSION", 3)
        save_relevance(tmp_path / "maps.npz", maps)
    with pytest.raises(StgcnlibError, match=newer("maps.npz", 3)):
        load_relevance(tmp_path / "maps.npz")


def test_recordings(tmp_path: Path, small_set: SequenceSet) -> None:
    small_set.save(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays["header"])) | {"version": 3}
    np.savez(tmp_path / "set.npz", **arrays | {"header": np.array(json.dumps(header))})
    with pytest.raises(StgcnlibError, match=newer("set.npz", 3)):
        SequenceSet.load(tmp_path / "set.npz")


def renumbered(home: Path, number: int) -> int:
    """Every manifest of a study says that it has this format; how many there are."""
    manifests = sorted((home / "artefacts").rglob("*.manifest.json"))
    for file in manifests:
        content = json.loads(file.read_text(encoding="utf-8")) | {"format": number, "stgcnlib": "99.0"}
        if number == 1:  # had shorter sums
            content["files"] = {name: [total[:16], state] for name, (total, state) in content["files"].items()}
        file.write_text(json.dumps(content), encoding="utf-8")
    return len(manifests)


@pytest.fixture
def study(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(small_study(tmp_path_factory), tmp_path / "study"))


def test_a_study_of_a_newer_version_is_refused_by_all_ways_in(study: Path) -> None:
    assert renumbered(study, FORMAT + 1)
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    message = newer(".manifest.json", FORMAT + 1, by="99.0").strip("^$")
    for way in (
        lambda: stgcnlib.read_study(study)["geometry"],
        lambda: stgcnlib.open_study(study / "study.yml", study)["geometry"],
        lambda: stgcnlib.run_study(study / "study.yml", study, progress=False),
        lambda: stgcnlib.explore(study),
        lambda: render_report(study),
        lambda: verify_study(study),
        lambda: compare([study, study], study.parent / "comparison", progress=False),
    ):
        with pytest.raises(StgcnlibError, match=message):
            way()
    assert {path: path.read_bytes() for path in before} == before


def test_a_study_of_an_older_version_opens(study: Path) -> None:
    whole = stgcnlib.read_study(study)["geometry"].table
    assert renumbered(study, 1)
    pd.testing.assert_frame_equal(stgcnlib.read_study(study)["geometry"].table, whole)
    assert verify_study(study).problems == ()
