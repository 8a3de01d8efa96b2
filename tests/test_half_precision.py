"""Features in float16: half of the room, an error that is measured, and nothing silently too large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from small_study import SMALL
from tiny_network import TinyNetwork

import stgcnlib
from stgcnlib import tables
from stgcnlib.activations import LayerStore, record
from stgcnlib.dtw import dtw_distances
from stgcnlib.errors import SequenceError, StudyError
from stgcnlib.geometry import rounding_error
from stgcnlib.pipeline.study import Study
from stgcnlib.sequences import SequenceSet


def layers(*sequences: list[np.ndarray], stride: int = 1) -> Any:
    """What is read of a LayerStore: layers that hold these sequences."""

    class Layer:
        def __init__(self, index: int) -> None:
            self.index, self.title, self.temporal_stride = index, f"title {index}", stride

        def __iter__(self) -> Any:
            return iter(sequences[self.index])

    class Store:
        layers = tuple(f"layer {i}" for i in range(len(sequences)))

        def __getitem__(self, name: str) -> Layer:
            return Layer(self.layers.index(name))

    return Store()


# -- recording ---------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [True, False])
def test_features_are_rounded_once_and_read_as_float32(small_set: SequenceSet, tmp_path: Path, on_disk: bool) -> None:
    network = TinyNetwork()
    exact = record(network, small_set)
    half = record(network, small_set, dtype="float16", store=tmp_path / "half.zarr" if on_disk else None)
    assert half.manifest["dtype"] == "float16"
    assert exact.manifest["dtype"] == "float32"
    for name in exact.layers:
        assert half[name].features.dtype == np.float16
        whole = np.concatenate(exact[name].load())
        read = np.concatenate(half[name].load())
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, whole.astype(np.float16).astype(np.float32))
        expected = np.sqrt(((read - whole.astype(np.float64)) ** 2).sum() / (whole.astype(np.float64) ** 2).sum())
        assert half[name].rounding == pytest.approx(expected, rel=1e-9)
        assert 0 < half[name].rounding < 2.0**-11
        assert exact[name].rounding == 0
        for each in (*half[name], half[name].sequence(1)):
            assert each.dtype == np.float32


def test_float16_takes_half_of_the_room(small_set: SequenceSet, tmp_path: Path) -> None:
    def size(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.glob("layer*/c/**/*") if file.is_file())

    for dtype in ("float32", "float16"):
        record(TinyNetwork(), small_set, dtype=dtype, store=tmp_path / dtype)  # type: ignore[arg-type]
    assert size(tmp_path / "float32") == 2 * size(tmp_path / "float16") > 0
    assert not list((tmp_path / "float16").glob("*.scratch"))
    table = tables.layers_table(LayerStore.open(tmp_path / "float16"))
    assert (table["MiB"] <= tables.layers_table(LayerStore.open(tmp_path / "float32"))["MiB"]).all()


def test_a_store_of_before_has_no_rounding(small_set: SequenceSet, tmp_path: Path) -> None:
    record(TinyNetwork(), small_set, store=tmp_path / "a")
    root = zarr.open_group(str(tmp_path / "a"))
    old = [{key: value for key, value in each.items() if key != "rounding"} for each in root.attrs["layers"]]
    root.attrs["layers"] = old
    assert LayerStore.open(tmp_path / "a")["blocks.1"].rounding == 0


def test_what_is_too_large_is_refused_by_layer(small_set: SequenceSet, tmp_path: Path) -> None:
    network = TinyNetwork()
    network.blocks[1].conv.weight.data *= 1e6
    with pytest.raises(SequenceError, match=r"layer 'blocks\.1' has features up to .* no more than 65504; keep them"):
        record(network, small_set, dtype="float16", store=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    record(network, small_set, dtype="float16", layers=["blocks.0"])
    with pytest.raises(SequenceError, match="dtype='bfloat16' is unknown"):
        record(network, small_set, dtype="bfloat16")  # type: ignore[arg-type]


# -- what it does to distances -----------------------------------------------------------------


def test_the_error_of_distances_is_that_of_rounded_features() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(int(n), 7)).astype(np.float32) for n in rng.integers(5, 12, 6)]
    table = rounding_error(layers(sequences, [3 * each for each in sequences]), dtw={"window": 3}, progress=False)
    rounded = [each.astype(np.float16).astype(np.float32) for each in sequences]
    exact, other = (dtw_distances(each, dtw={"window": 3}).astype(np.float64) for each in (sequences, rounded))
    upper = np.triu_indices(6, 1)
    error = np.abs(other - exact)[upper] / exact[upper]
    first = table.iloc[0]
    assert first["median"] == pytest.approx(np.median(error), rel=1e-6)
    assert first["largest"] == pytest.approx(error.max(), rel=1e-6)
    assert first["pairs"] == 15
    assert table["index"].tolist() == [0, 1]
    assert table["title"].tolist() == ["title 0", "title 1"]
    assert 1e-5 < first["features"] < 2.0**-11


def test_numbers_that_float16_holds_are_not_moved() -> None:
    sequences = [np.full((4, 3), value, dtype=np.float32) for value in (0.5, 2.0, 2.0)]
    (row,) = rounding_error(layers(sequences), progress=False).to_dict("records")
    assert row["features"] == row["median"] == row["largest"] == 0
    assert row["pairs"] == 2  # two are equal: their distance has no relative error
    (none,) = rounding_error(layers(sequences[1:]), progress=False).to_dict("records")
    assert np.isnan(none["median"])


def test_windows_span_the_same_time_at_a_layer_with_a_stride() -> None:
    rng = np.random.default_rng(1)
    sequences = [rng.normal(size=(9, 4)).astype(np.float32) for _ in range(5)]
    plain, strided = (
        rounding_error(layers(sequences, stride=stride), dtw={"window": 4}, progress=False)["median"].iloc[0]
        for stride in (1, 4)
    )
    assert plain != strided


def test_rounding_to_what_does_not_hold_them() -> None:
    with pytest.raises(SequenceError, match="'layer 0' has features above 65504"):
        rounding_error(layers([np.full((3, 2), 1e5, dtype=np.float32)] * 2), progress=False)


def test_the_table_is_in_per_mille() -> None:
    rows = {"title": ["input"], "features": [1e-4], "median": [2e-5], "largest": [3.4e-3], "pairs": [780]}
    table = tables.rounding_table(pd.DataFrame(rows))
    assert table.loc["input"].tolist() == ["0.100 ‰", "0.020 ‰", "3.400 ‰", 780]


# -- in a study --------------------------------------------------------------------------------


def test_a_study_keeps_features_in_half_and_says_what_that_does(tmp_path: Path) -> None:
    run = stgcnlib.open_study({**SMALL, "activations": {"dtype": "float16"}}, tmp_path)
    store, rounding = run["activations/trained"], run["rounding"]
    assert {store[name].features.dtype for name in store.layers} == {np.dtype(np.float16)}
    assert rounding["layer"].tolist() == list(store.layers)
    assert (rounding["largest"] < 0.01).all()
    assert (rounding["median"] > 0).all()
    exact = stgcnlib.open_study(SMALL, tmp_path / "exact")
    for layer in store.layers:
        whole, half = exact[f"distances/trained/{layer}"], run[f"distances/trained/{layer}"]
        far = np.asarray(whole) > 0
        assert np.abs(np.asarray(half) / np.where(far, whole, 1) - 1)[far].max() < 0.01
    with pytest.raises(StudyError, match=r"no section 'activations\.rounded'"):
        exact["rounding"]


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(StudyError, match=r"activations\.dtype"):
        Study.load({"activations": {"dtype": "bfloat16"}})
