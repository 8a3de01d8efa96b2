"""What a newer version wrote is refused, and says which; what an older one wrote opens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_network import TinyNetwork

from stgcnlib.activations import LayerStore, record
from stgcnlib.dsgraph import DSGraph, nnk_graph
from stgcnlib.errors import StgcnlibError
from stgcnlib.explain import grad_cam_set, load_relevance, save_relevance
from stgcnlib.sequences import SequenceSet


def distances() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(9, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def test_layers(tmp_path: Path, small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        for module in ("recording", "store"):
            later.setattr(f"stgcnlib.activations.{module}.VERSION", 2)
        record(TinyNetwork(), small_set, store=tmp_path / "layers")
    with pytest.raises(StgcnlibError, match=r"layers: written by stgcnlib \d.*, a newer one \(version 2 .*update"):
        LayerStore.open(tmp_path / "layers")


def test_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("stgcnlib.dsgraph.graph.VERSION", 2)
        nnk_graph(distances(), k=4).save(tmp_path / "graph.npz")
    with pytest.raises(StgcnlibError, match=r"graph\.npz: DSGraph version 2; this library reads up to 1; update"):
        DSGraph.load(tmp_path / "graph.npz")


def test_maps(tmp_path: Path, small_set: SequenceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = grad_cam_set(TinyNetwork(), small_set.select(range(2)))
    with monkeypatch.context() as later:
        later.setattr("stgcnlib.explain.keep.VERSION", 3)
        save_relevance(tmp_path / "maps.npz", maps)
    with pytest.raises(StgcnlibError, match=r"maps\.npz: .*version 3"):
        load_relevance(tmp_path / "maps.npz")


def test_recordings(tmp_path: Path, small_set: SequenceSet) -> None:
    small_set.save(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz") as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays["header"])) | {"version": 3}
    np.savez(tmp_path / "set.npz", **arrays | {"header": np.array(json.dumps(header))})
    with pytest.raises(StgcnlibError, match=r"set\.npz: written by a newer stgcnlib \(version 3\); update"):
        SequenceSet.load(tmp_path / "set.npz")
