"""BasicTS folders: both generations, graphs of both kinds, windows, and files that are not what they promise."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stgcnlib import read
from stgcnlib.errors import SkeletonFormatError
from stgcnlib.transforms import windows

SERIES = np.random.default_rng(0).normal(size=(60, 4, 2)).astype(np.float32)
ADJACENCY = np.array([[1, 0.5, 0, 0], [0, 1, 0.2, 0], [0, 0.2, 1, 0], [0.1, 0, 0, 1]])


def put_older(folder: Path, *, series: np.ndarray = SERIES, graph: Any = ADJACENCY, shape: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    series.astype("<f4").tofile(folder / "data.dat")
    content = {"name": "TOY", "shape": list(series.shape) if shape is None else shape, "has_graph": graph is not None}
    (folder / "desc.json").write_text(json.dumps(content))
    if graph is not None:
        (folder / "adj_mx.pkl").write_bytes(pickle.dumps(graph))
    return folder


def put_newer(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for part, (start, end) in {"train": (0, 36), "val": (36, 48), "test": (48, 60)}.items():
        np.save(folder / f"{part}_data.npy", SERIES[start:end, :, 0])
        np.save(folder / f"{part}_timestamps.npy", np.zeros((end - start, 2)))
    (folder / "meta.json").write_text(json.dumps({"name": "TOY", "num_vars": 4}))
    np.save(folder / "adj_mx.npy", ADJACENCY)
    return folder


def test_older_folders(tmp_path: Path) -> None:
    data = read(put_older(tmp_path / "TOY"))
    assert len(data) == 1
    np.testing.assert_array_equal(data.coords[0], SERIES)
    assert data.class_names == ()
    assert data.layout.name == "TOY"
    assert set(data.layout.bones) == {(0, 1), (1, 2), (0, 3)}
    assert data.layout.dimensions == 0
    assert read(tmp_path / "TOY", format="basicts").fingerprint() == data.fingerprint()
    cut = windows(data, 6, 6, block=12, horizon=2)
    assert len(cut) == 5
    assert cut.layout.joints == ("sensor 0", "sensor 1", "sensor 2", "sensor 3")


def test_newer_folders_and_windows_of_their_parts(tmp_path: Path) -> None:
    data = read(put_newer(tmp_path / "TOY"))
    assert data.groups["part"].tolist() == ["train", "val", "test"]
    np.testing.assert_array_equal(data.coords[2][:, :, 0], SERIES[48:, :, 0])
    cut = windows(data, 4, 4, block=6)
    assert cut.groups["part"].tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 2


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_graph_with_names_of_sensors(tmp_path: Path, protocol: int) -> None:
    content = [["a", "b", "c", "d"], {"a": 0, "b": 1, "c": 2, "d": 3}, ADJACENCY.astype(np.float32)]
    folder = put_older(tmp_path / "TOY")
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(content, protocol))
    assert read(folder).layout.joints == ("a", "b", "c", "d")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise RuntimeError('the pickle was run')",)


def test_a_pickle_that_wants_to_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match=r"adj_mx\.pkl: refused"):
        read(put_older(tmp_path / "TOY", graph=Hostile()))


def test_no_graph_is_said(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="no sensors are joined"):
        data = read(put_older(tmp_path / "TOY", graph=None))
    assert data.layout.bones == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [60, 4]}, r"desc\.json: 'shape' is \[60, 4\]"),
        ({"shape": [60, 4, 3]}, r"data\.dat: has 1920 bytes, a float32 series of shape \[60, 4, 3\] has 2880"),
        ({"shape": [-60, 4, -2]}, "each at least 1"),
        ({"graph": ADJACENCY[:3, :3]}, r"adj_mx has shape \(3, 3\); the series has 4 sensors"),
        ({"graph": {"a": 1}}, r"holds no matrix of sensors by sensors .*adj_mx\.npy with numpy\.save"),
        ({"series": np.where(SERIES > 2, np.nan, SERIES)}, "NaN or infinite"),
    ],
)
def test_folders_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message):
        read(put_older(tmp_path / "TOY", **change))


def test_damaged_arrays(tmp_path: Path) -> None:
    folder = put_newer(tmp_path / "TOY")
    whole = (folder / "test_data.npy").read_bytes()
    (folder / "test_data.npy").write_bytes(whole[:-8])
    with pytest.raises(SkeletonFormatError, match=r"test_data\.npy: truncated"):
        read(folder)
    np.save(folder / "test_data.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(SkeletonFormatError, match=r"test_data\.npy: holds object, expected numbers"):
        read(folder)
    np.save(folder / "test_data.npy", SERIES[:5, :3, 0])
    with pytest.raises(SkeletonFormatError, match=r"its parts have \[3, 4\] sensors"):
        read(folder)
    np.save(folder / "test_data.npy", np.zeros(7))
    with pytest.raises(SkeletonFormatError, match=r"expected \(frames, sensors\)"):
        read(folder)
