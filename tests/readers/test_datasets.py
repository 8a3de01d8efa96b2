"""Data sets with files of their own: values, names, classes and groups, and what an honest error says."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import (
    lines,
    motion,
    write_deeplabcut,
    write_florence,
    write_h36m,
    write_humanact,
    write_humanact_npy,
    write_kard,
    write_pku,
    write_sbu,
    write_smarthome,
)

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import openni, read
from stgcnlib.readers.pickled import read_pickle
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import SkeletonLayout, layout


def groups(data: SequenceSet) -> dict[str, list[Any]]:
    return {key: values.tolist() for key, values in data.groups.items()}


# -- OpenNI ---------------------------------------------------------------------------------------


def test_florence(tmp_path: Path) -> None:
    write_florence(tmp_path)
    data = read(tmp_path)
    assert (data.layout.name, data.names) == ("openni-15", ("video 1", "video 2"))
    assert [data.class_names[k] for k in data.labels] == ["wave", "bow"]
    assert groups(data) == {"subject": [1, 3]}
    for coords, wanted in zip(data.coords, (motion(4, 15, seed=1), motion(5, 15, seed=2)), strict=True):
        np.testing.assert_allclose(coords, wanted, atol=6e-5)


def test_sbu_lies_three_folders_down(tmp_path: Path) -> None:
    write_sbu(tmp_path)
    data = read(tmp_path)
    assert (data.names, data.class_names[data.labels[0]]) == (("s01s02_03_001",), "kicking")
    assert groups(data) == {"pair": ["s01s02"]}
    np.testing.assert_allclose(data.coords[0], np.stack([motion(4, 15), motion(4, 15, seed=1)]), atol=6e-5)


def test_kard_has_another_order(tmp_path: Path) -> None:
    data = read(write_kard(tmp_path))
    assert (data.names, data.labels.tolist(), len(data.class_names)) == (("a02_s03_e01",), [1], 18)
    assert groups(data) == {"subject": [3], "trial": [1]}
    file = motion(4, 15)
    order = (
        "head", "neck", "right shoulder", "right elbow", "right hand", "left shoulder", "left elbow", "left hand",
        "torso", "right hip", "right knee", "right foot", "left hip", "left knee", "left foot",
    )  # fmt: skip
    for line, joint in enumerate(order):
        np.testing.assert_allclose(data.coords[0][:, data.layout.index(joint)], file[:, line], atol=6e-5)


@pytest.mark.parametrize(
    ("writer", "text", "message"),
    [
        (write_florence, "1 1 1 2 3\n", "line 1 has 5 numbers, expected 48"),
        (write_florence, "1 1 12" + " 1" * 45, "video 1 has category 12"),
        (write_florence, "% only a comment\n", "holds no frame"),
        (write_florence, "nan 1 1" + " 1" * 45, "starts with nan"),
        (write_florence, "1 1 1" + " inf" * 45, "holds infinite"),
        (write_sbu, "1,a" + ",1" * 89, "line 1 holds other than numbers"),
        (write_kard, "1 2 3\n" * 16, "16 lines, which is no multiple of 15"),
    ],
)
def test_openni_wrong_content(tmp_path: Path, writer: Callable[[Path], Path], text: str, message: str) -> None:
    file = writer(tmp_path)
    file.write_text(text)
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(tmp_path)
    assert file.name in str(caught.value)


def test_joints_that_are_no_number_were_not_found(tmp_path: Path) -> None:
    file = write_florence(tmp_path)
    whole = file.read_text().splitlines()
    file.write_text("\n".join(["1 1 1 nan" + " 1" * 44, *whole[4:], "9 1 1" + " nan" * 45]))
    with pytest.warns(UserWarning, match="1 of 3 recordings left out, nobody was tracked: 'video 9'"):
        data = read(file)
    assert data.coords[0][0, :2].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_openni_wrong_names(tmp_path: Path) -> None:
    write_kard(tmp_path).rename(tmp_path / "a19_s03_e01_realworld.txt")
    with pytest.raises(SkeletonFormatError, match="action 19 does not exist; KARD has 1 to 18"):
        read(tmp_path)
    write_florence(tmp_path)
    with pytest.raises(SkeletonFormatError, match="several of Florence 3D, SBU and KARD"):
        read(tmp_path)
    (tmp_path / "in").mkdir()
    alone = tmp_path / "in" / openni.SBU
    alone.write_bytes(write_sbu(tmp_path).read_bytes())
    with pytest.raises(SkeletonFormatError, match=r"lies in folder .*, which is no action; expected folders such as"):
        read(alone)


# -- PKU-MMD --------------------------------------------------------------------------------------


def test_pku_mmd_cuts_actions(tmp_path: Path) -> None:
    write_pku(tmp_path)
    data = read(tmp_path)
    assert (data.layout.name, data.names) == ("ntu-rgb+d", ("0002-L_1_4", "0002-L_6_20"))
    assert (data.labels.tolist(), len(data.class_names)) == ([11, 50], 51)
    assert groups(data) == {"video": ["0002", "0002"], "camera": ["L", "L"]}
    np.testing.assert_allclose(data.coords[0], motion(12, 25)[1:5], atol=6e-5)
    assert data.coords[1].shape == (2, 6, 25, 3)  # the second person is there, and the recording ends before frame 20
    np.testing.assert_allclose(data.coords[1][1], motion(6, 25, seed=1), atol=6e-5)
    np.testing.assert_array_equal(read(tmp_path / "skeletons").coords[0], data.coords[0])


def test_pku_mmd_without_labels_or_recordings(tmp_path: Path) -> None:
    file = write_pku(tmp_path)
    with pytest.raises(SkeletonFormatError, match=r"holds labels .* but no recordings"):
        read(tmp_path / "labels")
    (tmp_path / "labels" / file.name).unlink()
    with pytest.raises(SkeletonFormatError, match="its labels are not there; put the folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("52,1,4,2\n", "tells action 52 from frame 1 to 4"),
        ("1,4,1,2\n", "expected 1 to 51, and frames in order"),
        ("1,1,4,2\n1,4\n", "line 2 has 2 fields"),
        ("1,1,4,2\n1,x,3,4\n", "'x'; expected a whole number"),
    ],
)
def test_pku_mmd_wrong_labels(tmp_path: Path, labels: str, message: str) -> None:
    file = write_pku(tmp_path)
    (tmp_path / "labels" / file.name).write_text(labels)
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path)


def test_pku_mmd_damaged_labels(tmp_path: Path, rng: np.random.Generator) -> None:
    file = write_pku(tmp_path)
    labels = tmp_path / "labels" / file.name
    whole = labels.read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.integers(len(damaged))] = rng.choice(list(b"0129-e.,\n \0\xff"))
        labels.write_bytes(damaged)
        try:
            data = read(file)
        except SkeletonFormatError as error:
            assert file.name in str(error)  # noqa: PT017
        else:
            assert data.lengths.max() <= 12


def test_pku_mmd_wrong_frames(tmp_path: Path) -> None:
    file = write_pku(tmp_path)
    whole = file.read_text()
    file.write_text(whole + "1 2 3\n")
    with pytest.raises(SkeletonFormatError, match="line 13 has 3 numbers, expected 150"):
        read(tmp_path)
    file.write_text(whole + "x" + " 1" * 149)
    with pytest.raises(SkeletonFormatError, match="line 13 holds other than numbers"):
        read(tmp_path)


# -- Toyota Smarthome -----------------------------------------------------------------------------


def test_smarthome(tmp_path: Path) -> None:
    data = read(write_smarthome(tmp_path))
    assert (data.layout.name, data.names) == ("lcr-net-13", ("Cook.Cleandishes_p02_r00_v02_c03",))
    assert (data.class_names[data.labels[0]], len(data.class_names)) == ("Cook.Cleandishes", 31)
    assert groups(data) == {"subject": [2], "repetition": [0], "video": [2], "camera": [3]}
    np.testing.assert_allclose(data.coords[0][[0, 1, 3, 4]], motion(4, 13), atol=6e-5)
    assert not data.coords[0][2].any()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (None, "[]", "has no list 'frames'"),
        (None, '{"frames": [3]}', "has no list 'frames' of lists"),
        (None, '{"frames": [[3]]}', "frame 0: a person is no object"),
        (None, '{"frames": [[{"pose3d": [1, 2]}]]}', r"'pose3d' has shape \(2,\)"),
        (None, '{"frames": [[]]}', "nobody was tracked"),
        ("Cook.Dance_p02_r00_v02_c03.json", "{}", "'Cook.Dance' is no action of Toyota Smarthome"),
    ],
)
def test_smarthome_wrong_content(tmp_path: Path, name: str | None, text: str, message: str) -> None:
    file = write_smarthome(tmp_path)
    file.write_text(text)
    file = file.rename(tmp_path / (name or file.name))
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


# -- Human3.6M and HumanAct12 ---------------------------------------------------------------------


def test_human36m(tmp_path: Path) -> None:
    data = read(write_h36m(tmp_path))
    assert (data.layout.name, data.names) == ("human3.6m-32", ("S1 Directions", "S1 Directions 1", "S9 Walking 2"))
    assert [data.class_names[k] for k in data.labels] == ["Directions", "Directions", "Walking"]
    assert groups(data) == {"subject": [1, 1, 9], "trial": [0, 1, 2]}
    np.testing.assert_array_equal(data.coords[2], motion(6, 32, seed=2).astype(np.float32))


def test_human36m_of_17_joints(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", positions_3d=np.array({"S1": {"Sitting": motion(5, 17)}}, dtype=object))
    assert read(tmp_path / "a.npz").layout.name == "human3.6m-17"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"S1": [1]}, "is no dict of subjects"),
        ({"x": {"Sitting": motion(5, 17)}}, "has the subject 'x'"),
        ({"S1": {"Sitting": [1, 2]}}, "S1, Sitting is a list"),
        ({"S1": {"Sitting": motion(5, 19)}}, r"has shape \(5, 19, 3\); expected \(frames, 32 or 17 joints, 3\)"),
        ({"S1": {"a": motion(5, 17), "b": motion(5, 32)}}, r"have \[17, 32\] joints"),
        ({}, "holds no recording"),
        ({"S1": {"a": np.full((2, 17, 3), np.inf)}}, "infinite"),
    ],
)
def test_human36m_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    np.savez(tmp_path / "a.npz", positions_3d=np.array(content, dtype=object))
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path / "a.npz")


def test_objects_of_an_npz_are_data_and_never_run(tmp_path: Path) -> None:
    class Spell:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "touched",))

    np.savez(tmp_path / "a.npz", positions_3d=np.array({"S1": Spell()}, dtype=object))
    with pytest.raises(SkeletonFormatError, match="refused, since this pickle asks for"):
        read(tmp_path / "a.npz")
    assert not (tmp_path / "touched").exists()
    for array in (np.ones(3), np.array([1, {}], dtype=object)):
        np.savez(tmp_path / "a.npz", positions_3d=array)
        with pytest.raises(SkeletonFormatError, match="expected one object"):
            read(tmp_path / "a.npz")
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(np.array({"a": 1}, dtype=object)))
    with pytest.raises(SkeletonFormatError, match="refused, since this pickle asks for arrays of 'O8'"):
        read_pickle(tmp_path / "a.pkl")


def test_humanact12(tmp_path: Path) -> None:
    data = read(write_humanact(tmp_path))
    assert (data.layout.name, data.names) == ("smpl-24", ("recording 0", "recording 1"))
    assert [data.class_names[k] for k in data.labels] == ["warm up", "throw"]
    np.testing.assert_array_equal(data.coords[1], motion(4, 24, seed=1).astype(np.float32))
    (tmp_path / "npy").mkdir()
    data = read(write_humanact_npy(tmp_path / "npy"))
    assert data.class_names[data.labels[0]] == "run"
    assert groups(data) == {"subject": [2], "group": [1], "repetition": [3]}
    write_humanact_npy(tmp_path)
    with pytest.raises(SkeletonFormatError, match="name one of them"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no lists 'joints3D' and 'y'"),
        ({"joints3D": [motion(3, 24)], "y": []}, "of the same length"),
        ({"joints3D": [motion(3, 22)], "y": [0]}, r"'joints3D' 0 has shape \(3, 22, 3\)"),
        ({"joints3D": [[1]], "y": [0]}, "'joints3D' 0 is a list"),
        ({"joints3D": [motion(3, 24)], "y": [12]}, "has class 12; HumanAct12 has 0 to 11"),
    ],
)
def test_humanact12_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    file = write_humanact(tmp_path)
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


# -- DeepLabCut -----------------------------------------------------------------------------------


def test_deeplabcut(tmp_path: Path) -> None:
    data = read(write_deeplabcut(tmp_path))
    assert (data.names, data.layout.name, data.channels) == (("mouse1",), "deeplabcut-4", 3)
    assert data.layout.joints == ("snout", "left ear", "right ear", "tailbase")
    assert data.layout.mirror == ((1, 2),)
    np.testing.assert_allclose(data.coords[0], motion(5, 4) * [100, 80, 1], atol=6e-5)


def test_deeplabcut_of_several_animals_with_gaps(tmp_path: Path) -> None:
    head = ["scorer" + ",D" * 6, "individuals,a,a,a,b,b,b", "bodyparts,n,n,n,n,n,n", "coords" + ",x,y,likelihood" * 2]
    rows = ["0,1,2,.9,5,6,.8", "1,,,,5,7,.8", "4,3,2,.9,nan,6,.8"]
    (tmp_path / "cage.csv").write_text("\n".join([*head, *rows]))
    people = read(tmp_path / "cage.csv").coords[0]
    assert people.shape == (2, 5, 1, 3)
    first, second = people[..., 0, 0]
    assert sorted([first.tolist(), second.tolist()]) == [[1, 0, 0, 0, 3], [5, 5, 0, 0, 0]]


def test_deeplabcut_with_a_layout_and_labels(tmp_path: Path) -> None:
    write_deeplabcut(tmp_path)
    (tmp_path / "labels.csv").write_text("name,label,cage\nmouse1,groom,3\n")
    mouse = SkeletonLayout("mouse", ("a", "b", "c", "d"), ((1, 0), (2, 0), (3, 0)), dimensions=2)
    data = read(tmp_path, layout=mouse)
    assert (data.layout, data.class_names) == (mouse, ("groom",))
    with pytest.raises(SkeletonFormatError, match=r"has the body parts 'snout', .*, expected 17: 'nose'"):
        read(tmp_path, layout=layout("coco-17"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scorer,D\nbodyparts,a\ncoords,x\n0,1\n", "the coords 'x'; expected x, y and likelihood"),
        ("scorer,D,D,D\nbodyparts,a,a,a\ncoords,x,y,likelihood\n", "holds no frame"),
        ("scorer,D,D,D\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2\n", "frame line 0 has 3 fields, the header 4"),
        ("scorer,D,D,D\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,x\n", "holds other than numbers"),
        ("scorer,D,D,D\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,1\n0,1,2,1\n", "expected a number of its own"),
        ("scorer" + ",D" * 6 + "\nbodyparts" + ",a" * 6 + "\ncoords" + ",x,y,likelihood" * 2 + "\n", "a column twice"),
    ],
)
def test_deeplabcut_wrong_content(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SkeletonFormatError, match=message):
        read(tmp_path)


def test_numbers_are_written_as_they_are() -> None:
    assert lines(np.array([[1.0, 0.25], [0.0, -3.5]])) == "1 0.25\n0 -3.5\n"
