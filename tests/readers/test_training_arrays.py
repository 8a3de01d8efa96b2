"""The padded arrays that ST-GCN's and CTR-GCN's lines train from: what was padded goes, names and classes stay."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import NTU_NAMES, motion, ntu_recordings, padded, write_ctrgcn, write_stgcn
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import ntu, read
from stgcnlib.readers.padding import unpadded
from stgcnlib.sequences import SequenceSet


def expected() -> list[NDArray[np.float32]]:
    one, two = ntu_recordings()
    return [one[0].astype(np.float32), two.astype(np.float32)]


def put(folder: Path, part: str, stream: str, coords: NDArray[Any], names: Any, labels: Any) -> Path:
    file = folder / f"{part}_data{stream}.npy"
    np.save(file, coords)
    (folder / f"{part}_label.pkl").write_bytes(pickle.dumps((names, labels), 2))
    return file


# -- padding --------------------------------------------------------------------------------------


@given(
    people=st.lists(st.booleans(), min_size=1, max_size=4).filter(any),
    frames=st.integers(1, 6),
    more=st.integers(0, 9),
    repeated=st.booleans(),
    seed=st.integers(0, 99),
)
def test_padding_is_taken_away_again(people: list[bool], frames: int, more: int, repeated: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    original = rng.uniform(1, 2, (len(people), frames, 3, 2)).astype(np.float32)
    original[~np.array(people)] = 0
    if repeated:
        filled = np.stack([original[:, t % frames] for t in range(frames + more)], axis=1)
    else:
        filled = np.concatenate([original, np.zeros((len(people), more, 3, 2), np.float32)], axis=1)
    found = unpadded(filled)
    assert found is not None
    np.testing.assert_array_equal(found if sum(people) > 1 else found[None], original[people])


def test_frames_without_anybody_stay_before_the_last() -> None:
    coords = np.ones((1, 6, 3, 2))
    coords[:, [0, 2, 5]] = 0
    found = unpadded(coords)
    assert found is not None
    np.testing.assert_array_equal(found[:, 0, 0], [0, 1, 0, 1, 1])
    assert unpadded(coords * 0) is None


def test_nan_joints_were_not_found() -> None:
    coords = np.ones((1, 4, 3, 2)) + np.arange(4)[:, None, None]
    coords[0, 1, 2, 0] = np.nan
    found = unpadded(coords)
    assert found is not None
    assert found[1, 2].tolist() == [0, 0]
    assert found[1, 1].tolist() == [2, 2]


# -- ST-GCN ---------------------------------------------------------------------------------------


def test_stgcn_values_names_and_split(tmp_path: Path) -> None:
    write_stgcn(tmp_path)
    coords = motion(4, 25, seed=3)[None]
    put(tmp_path, "val", "", padded([coords], 12).transpose(0, 4, 2, 3, 1), ["S002C003P005R001A002.skeleton"], [1])
    data = read(tmp_path)
    assert (data.layout.name, data.channels) == ("ntu-rgb+d", 3)
    assert data.names == (*NTU_NAMES, "S002C003P005R001A002")
    for found, wanted in zip(data.coords, [*expected(), coords[0].astype(np.float32)], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert data.labels.tolist() == [0, 59, 1]
    assert data.class_names == ntu.ACTIONS[:60]
    assert {key: values.tolist() for key, values in data.groups.items()} == {
        "split": ["train", "train", "val"],
        "setup": [1, 1, 2],
        "camera": [1, 2, 3],
        "subject": [1, 3, 5],
        "replication": [1, 2, 1],
    }


def test_two_splits_of_the_same_recordings_are_not_mixed(tmp_path: Path) -> None:
    for split in ("xsub", "xview"):
        (tmp_path / split).mkdir()
        write_stgcn(tmp_path / split)
    with pytest.raises(SkeletonFormatError, match=r"folders 'xsub', 'xview' hold arrays each, .* name one$"):
        read(tmp_path)
    assert len(read(tmp_path / "xview")) == 2


def test_other_labels_keep_the_groups_of_the_names(tmp_path: Path) -> None:
    array = padded(ntu_recordings(), 12).transpose(0, 4, 2, 3, 1)
    data = read(put(tmp_path, "train", "", array, NTU_NAMES, [1, 0]))
    assert data.groups["subject"].tolist() == [1, 3]
    assert data.class_names == ("class 0", "class 1")


def test_kinetics_of_2s_agcn_and_numpy_labels(tmp_path: Path) -> None:
    clip = motion(6, 18) - [0.5, 0.5, 0]
    filled = np.stack([clip[t % 6] for t in range(15)])[None, None]
    put(tmp_path, "train", "_joint", filled.transpose(0, 4, 2, 3, 1), ["abc"], np.array([399]))
    data = read(tmp_path / "train_data_joint.npy")
    assert (data.layout.name, data.labels.tolist(), data.names) == ("openpose-18", [399], ("abc",))
    np.testing.assert_array_equal(data.coords[0], clip.astype(np.float32))


def test_bones_and_motions_are_left_with_a_warning(tmp_path: Path) -> None:
    array = np.load(write_stgcn(tmp_path))
    for stream in ("bone", "joint_motion", "bone_motion"):
        np.save(tmp_path / f"train_data_{stream}.npy", array)
    with pytest.warns(UserWarning, match=r"not read are 'train_data_bone\.npy', .* from 'train_data\.npy'"):
        data = read(tmp_path)
    assert len(data) == 2
    (tmp_path / "train_data.npy").unlink()
    with pytest.raises(SkeletonFormatError, match=r"has no train_data\.npy or train_data_joint\.npy beside"):
        read(tmp_path)


def test_other_joints_need_a_layout(tmp_path: Path) -> None:
    array = padded([motion(5, 17)[None]], 8).transpose(0, 4, 2, 3, 1)
    file = put(tmp_path, "train", "", array, ["a"], [0])
    with pytest.raises(SkeletonFormatError, match="17 joints and 3 channels; say with layout="):
        read(file)
    assert read(file, layout="coco-17").layout.name == "coco-17"
    with pytest.raises(SkeletonFormatError, match="17 joints, layout 'openpose-18' has 18"):
        read(file, layout="openpose-18")


@pytest.mark.parametrize(
    ("array", "content", "message"),
    [
        (np.zeros((2, 25, 3)), (["a", "b"], [0, 1]), r"has shape \(2, 25, 3\); expected \(recordings, channels"),
        (np.ones((1, 300, 25, 2, 3)), (["a"], [0]), r"expected \(recordings, channels, frames, joints, people\)"),
        (np.ones((2, 3, 4, 25, 1)), (["a"], [0]), r"has 2 recordings, .*train_label\.pkl names 1"),
        (np.ones((2, 3, 4, 25, 1)), (["a", "b"], [0]), "has 2 names and 1 labels"),
        (np.ones((1, 3, 4, 25, 1)), (["a"], [-1]), "labels such as -1 are no class indices"),
        (np.ones((1, 3, 4, 25, 1)), (["a"], ["run"]), "labels such as run are no class indices"),
        (np.ones((1, 3, 4, 25, 1)), {"a": 0}, "is no pair of names and labels"),
        (
            np.ones((1, 25, 4, 3, 1)).T.transpose(4, 1, 2, 3, 0).copy(order="F"),
            (["a"], [0]),
            "stored in Fortran's order",
        ),
        (np.full((1, 3, 4, 25, 1), np.inf), (["a"], [0]), "infinite"),
        (np.array([{"a": 1}]), (["a"], [0]), r"holds object, expected numbers"),
    ],
)
def test_stgcn_wrong_content(tmp_path: Path, array: Any, content: Any, message: str) -> None:
    np.save(tmp_path / "train_data.npy", array, allow_pickle=True)
    (tmp_path / "train_label.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path, layout="ntu-rgb+d" if array.ndim == 5 else None)


# -- CTR-GCN --------------------------------------------------------------------------------------


def test_ctrgcn_values_classes_and_split(tmp_path: Path) -> None:
    file = write_ctrgcn(tmp_path)
    with pytest.warns(UserWarning, match=r"subjects, cameras and setups are unknown, .*names=, --names"):
        data = read(file)
    assert data.names == ("train_0", "test_0")
    assert data.labels.tolist() == [0, 59]
    assert data.class_names == ntu.ACTIONS[:60]
    assert data.groups["split"].tolist() == ["train", "test"]
    for found, wanted in zip(data.coords, expected(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_axes_apart_and_class_indices(tmp_path: Path) -> None:
    x = padded(ntu_recordings(), 12).transpose(0, 2, 1, 3, 4)
    np.savez_compressed(tmp_path / "a.npz", x_train=x, y_train=np.array([3, 1]))
    data = read(tmp_path / "a.npz", names=["one", "two"])
    assert (data.names, data.labels.tolist(), data.class_names[3]) == (("one", "two"), [3, 1], "class 3")
    np.testing.assert_array_equal(data.coords[1], expected()[1])


def test_other_joints_of_an_npz(tmp_path: Path) -> None:
    x = padded([motion(4, 20)[None]], 6, 1).transpose(0, 2, 1, 3, 4).reshape(1, 6, 60)
    np.savez(tmp_path / "a.npz", x_test=x, y_test=np.eye(10)[[4]])
    with pytest.raises(SkeletonFormatError, match=r"\(1, 6, 60\); expected \(recordings, frames, 150\)"):
        read(tmp_path / "a.npz")
    data = read(tmp_path / "a.npz", layout="nw-ucla", names=["a"])
    np.testing.assert_array_equal(data.coords[0], motion(4, 20).astype(np.float32))


def many(folder: Path, names: list[str], train: list[bool]) -> Path:
    """An npz whose recordings have their place among all as value."""
    x = np.arange(1, len(names) + 1)[:, None, None] * np.ones((1, 2, 75))
    y = np.eye(60)[[int(name[-3:]) - 1 for name in names]]
    chosen = np.array(train)
    file = folder / "a.npz"
    np.savez(file, x_train=x[chosen], y_train=y[chosen], x_test=x[~chosen], y_test=y[~chosen])
    return file


def test_names_as_the_preparation_writes_them(tmp_path: Path) -> None:
    """skes_available_name.txt is sorted by setup first; the arrays are by subject, training subjects first."""
    rng = np.random.default_rng(3)
    names = sorted(
        f"S{s:03d}C{c:03d}P{p:03d}R001A{a:03d}"
        for s, c, p, a in {tuple(rng.integers(1, (4, 4, 9, 61)).tolist()) for _ in range(80)}
    )
    parts = [ntu.parts_of_name(name) for name in names]
    subjects = [int(p[0]["subject"]) for p in parts if p is not None]
    written = [n for s in (1, 2, 4, 5, 8, 3, 6, 7) for n, subject in zip(names, subjects, strict=True) if subject == s]
    train = [int(name[9:12]) in (1, 2, 4, 5, 8) for name in written]
    file = many(tmp_path, written, train)
    (tmp_path / "skes_available_name.txt").write_text("\n".join(names) + "\n")
    data = read(file, names=tmp_path / "skes_available_name.txt")
    assert list(data.names) == written
    assert data.groups["subject"].tolist() == [int(name[9:12]) for name in written]
    assert read(file, names=written).names == data.names
    rng.shuffle(names)
    with pytest.raises(SkeletonFormatError, match="are not the labels of the file"):
        read(file, names=names)


def test_names_that_fit_in_two_orders(tmp_path: Path) -> None:
    names = ["S001C001P002R001A001", "S001C001P001R001A001"]
    file = many(tmp_path, names, [True, True])
    with np.load(file) as arrays:
        np.savez(tmp_path / "b.npz", x_train=arrays["x_train"], y_train=arrays["y_train"])
    with pytest.raises(SkeletonFormatError, match="fit the labels in several orders"):
        read(tmp_path / "b.npz", names=names)


@pytest.mark.parametrize(
    ("arrays", "names", "message"),
    [
        ({"x_train": np.ones((1, 2, 150)), "y_train": np.ones((1, 60))}, None, "recording 0 has 60 classes"),
        ({"x_train": np.ones((2, 2, 150)), "y_train": np.eye(60)[:1]}, None, "y_train has 1 labels"),
        ({"x_train": np.ones((1, 2, 150)), "y_train": np.array([-2])}, None, "labels such as -2"),
        ({"x_train": np.ones((1, 2, 150)), "y_train": np.array([0.5])}, None, "labels such as -1"),
        ({"x_train": np.ones((1, 2, 150)), "y_train": np.ones((1, 2, 2))}, None, "one-hot"),
        ({"x_train": np.ones((1, 2, 150)), "y_train": np.array([0])}, ["a", "b"], "1 recordings, but 2 names"),
        ({"x_train": np.ones((2, 2, 150)), "y_train": np.array([0, 0])}, ["a", "a"], "some occur twice"),
        ({"x_train": np.ones((1, 0, 150)), "y_train": np.array([0])}, None, "one entry has 0 bytes"),
    ],
)
def test_ctrgcn_wrong_content(tmp_path: Path, arrays: Any, names: Any, message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path / "a.npz", names=names)


def test_two_npz_in_a_folder(tmp_path: Path) -> None:
    file = write_ctrgcn(tmp_path)
    (tmp_path / "NTU60_CV.npz").write_bytes(file.read_bytes())
    with pytest.raises(SkeletonFormatError, match=r"holds 2 npz \('NTU60_CS\.npz', 'NTU60_CV\.npz'\); name one"):
        read(tmp_path)


def test_options_of_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match="format 'st-gcn' does not take names="):
        read(write_stgcn(tmp_path), names=["a", "b"])


# -- memory ---------------------------------------------------------------------------------------


def zeros_npz(file: Path, name: str, shape: tuple[int, ...]) -> None:
    """An npz with one array of zeros, deflated: small on disk, huge when loaded."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for _ in range(shape[0]):
            stream.write(bytes(4 * int(np.prod(shape[1:]))))


def test_a_foreign_npz_of_two_gigabytes_is_refused_by_its_headers(tmp_path: Path) -> None:
    file = tmp_path / "foreign.npz"
    zeros_npz(file, "images", (512, 1024, 1024))
    for call in (read, SequenceSet.load):
        tracemalloc.start()
        try:
            with pytest.raises(SkeletonFormatError, match=r"an npz of 'images \(512, 1024, 1024\)'"):
                call(file)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * 2**20


def test_recordings_are_read_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    zeros_npz(file, "x_train", (800, 300, 150))
    with zipfile.ZipFile(file, "a") as archive:
        stream = io.BytesIO()
        np.save(stream, np.eye(60)[np.arange(800) % 60])
        archive.writestr("y_train.npy", stream.getvalue())
    tracemalloc.start()
    try:
        with pytest.raises(SkeletonFormatError, match="nobody was tracked"), pytest.warns(UserWarning, match="names"):
            read(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20  # the array has 144 MB
