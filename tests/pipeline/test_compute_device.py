"""A study's ``compute.device`` is where its DTW distances are computed, each kind of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from line_changes import BASE

from stgcnlib.activations import record
from stgcnlib.dsgraph.distances import nearest_distances
from stgcnlib.dtw import DTWOptions
from stgcnlib.geometry import layer_geometry
from stgcnlib.networks import load_network
from stgcnlib.pipeline.run import StudyRun, open_study

SMALL: dict[str, Any] = {
    **{name: value for name, value in BASE.items() if name not in ("transfer", "sensitivity")},
    "geometry": {"permutations": 5},
    "sensitivity": {"k": [4, 8], "readings": ["segments"]},
    "noise": {"jitter": [20], "joint_dropout": [], "frame_dropout": [], "rotation": [], "neighbours": "clean"},
}
VARIANT = "variant-pairs/reading segments/input"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    run = open_study(SMALL, folder)
    _ = run["all-pairs/trained/input"], run[VARIANT]
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the devices that DTW is to run on; the processor takes their place."""
    names: list[str] = []

    def device(name: str) -> torch.device:
        names.append(name)
        return torch.device("cpu")

    monkeypatch.setattr("stgcnlib.dtw.gpu.dtw_device", device)
    return names


def opened(made: Path, folder: Path) -> StudyRun:
    return open_study({**SMALL, "compute": {"device": "cuda:7"}}, shutil.copytree(made, folder / "study"))


@pytest.mark.parametrize(
    ("declared", "name"),
    [("all-pairs/{network}/{layer}", "all-pairs/trained/input"), ("variant-pairs/{variant}/{swept}", VARIANT)],
)
def test_all_pairs_are_computed_on_the_device_and_agree(
    made: Path, tmp_path: Path, asked: list[str], declared: str, name: str
) -> None:
    run = opened(made, tmp_path)
    before = run[name].matrix()
    assert not asked  # a change of device makes nothing anew
    run.forget(declared)
    np.testing.assert_allclose(run[name].matrix(), before, rtol=2e-5)
    assert asked == ["cuda:7"]


def test_distances_of_noisy_recordings_too(
    made: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between clean ones, and from noisy to clean ones; the network itself runs where torch can."""
    monkeypatch.setattr("stgcnlib.activations.observe.usable_device", lambda name: torch.device("cpu"))
    run = opened(made, tmp_path)
    _ = run["noise-level/trained/jitter 20.0"]
    assert len(asked) >= 2
    assert set(asked) == {"cuda:7"}


def test_a_geometry_that_computes_distances_is_told_where(small_set: Any, asked: list[str]) -> None:
    network = load_network("st-gcn", layout=small_set.layout, classes=2, seed=0, width=4, depth=2)
    store = record(network, small_set, progress=False)
    given: dict[str, Any] = {"k": 2, "permutations": 5, "progress": False}
    on_device = layer_geometry(store, small_set.labels, device="cuda:7", **given)
    assert asked == ["cuda:7"] * len(store.layers)
    here = layer_geometry(store, small_set.labels, **given)
    np.testing.assert_allclose(on_device.curve()["smoothness"], here.curve()["smoothness"], rtol=1e-3)


def test_so_is_a_search_for_the_nearest(small_set: Any, asked: list[str]) -> None:
    """In a set so large that not all pairs are kept, with a second table of everyone."""
    groups = np.arange(len(small_set)) % 3
    given: dict[str, Any] = {"k": 2, "exclude": groups, "parts": np.arange(len(small_set)) % 4, "everyone": True}
    on_device = nearest_distances(small_set, DTWOptions(), **given, device="cuda:7")
    assert set(asked) == {"cuda:7"}
    here = nearest_distances(small_set, DTWOptions(), **given)
    for exclude in (groups, None):
        found, expected = (each.nearest(2, exclude=exclude) for each in (on_device, here))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], rtol=2e-5)
