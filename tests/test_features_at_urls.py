"""Features at URLs that fsspec reads: the same numbers as from the folder, and errors that name the URL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import fsspec
import numpy as np
import pytest
from tiny_network import TinyNetwork

from stgcnlib import dtw_distances, open_study
from stgcnlib.activations import LayerStore, record
from stgcnlib.errors import SkeletonFormatError, StudyError
from stgcnlib.files import is_remote, local_path
from stgcnlib.report.study import run_study
from stgcnlib.sequences import SequenceSet


@pytest.fixture
def folder(tmp_path: Path, small_set: SequenceSet) -> Path:
    record(TinyNetwork(), small_set, store=tmp_path / "layers.zarr")
    return tmp_path / "layers.zarr"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Where a copy of the folder lies in memory."""
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket/layers.zarr", recursive=True)
    yield "memory://bucket/layers.zarr"
    memory.rm("/bucket", recursive=True)


def test_features_and_distances_are_those_of_the_folder(folder: Path, url: str) -> None:
    here = LayerStore.open(folder)
    for store in (LayerStore.open(url), LayerStore.open(folder.as_uri())):
        assert store.manifest == here.manifest
        for name in here.layers:
            assert all(a.tobytes() == b.tobytes() for a, b in zip(store[name].load(), here[name].load(), strict=True))
        np.testing.assert_array_equal(dtw_distances(store["input"].load()), dtw_distances(here["input"].load()))


def test_what_cannot_be_read_is_told_by_the_url(url: str) -> None:
    with pytest.raises(SkeletonFormatError, match=r"memory://bucket/else: no LayerStore can be read there.*copy"):
        LayerStore.open("memory://bucket/else")
    with pytest.raises(SkeletonFormatError, match=r"odd://bucket: no LayerStore can be read there.*odd"):
        LayerStore.open("odd://bucket")
    memory = fsspec.filesystem("memory")
    memory.rm(next(path for path in memory.find("/bucket/layers.zarr/layer02") if not path.endswith("zarr.json")))
    with pytest.raises(SkeletonFormatError, match=r"layers\.zarr: .*layer 'blocks\.1': layer02 has 0 of 1 chunks"):
        LayerStore.open(url)


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_package_that_fsspec_needs_is_named() -> None:
    with pytest.raises(SkeletonFormatError, match=r"s3://bucket: fsspec needs a package for it \(.*s3fs.*\)"):
        LayerStore.open("s3://bucket")


def test_features_are_recorded_to_folders_only(tmp_path: Path, small_set: SequenceSet) -> None:
    record(TinyNetwork(), small_set, store=(tmp_path / "a b.zarr").as_uri())
    assert [path.name for path in tmp_path.iterdir()] == ["a b.zarr"]
    with pytest.raises(SkeletonFormatError, match=r"memory://new: features are recorded to a folder; copy"):
        record(TinyNetwork(), small_set, store="memory://new")


def test_a_study_lies_in_the_folder_of_a_file_url(tmp_path: Path) -> None:
    assert open_study("demo", (tmp_path / "öffen %").as_uri()).output == tmp_path / "öffen %"
    for run in (open_study, run_study):
        with pytest.raises(StudyError, match=r"output memory://demo: a run needs a folder.*share"):
            run("demo", "memory://demo")


def test_paths_that_look_like_urls_a_little() -> None:
    assert not any(is_remote(path) for path in ("a:b", "/a//b", "file:///a", Path("s3://a")))
    assert is_remote("s3://a")
    assert local_path("a:b") == Path("a:b")
    assert local_path("file:///a%20b/c") == local_path("file://localhost/a b/c") == Path("/a b/c")
