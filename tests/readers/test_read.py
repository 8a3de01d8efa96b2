"""`read` tells formats apart, and says what it looked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from format_writers import write_ntu
from scipy.io import savemat

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import FORMATS, read
from stgcnlib.sequences import SequenceSet


def put_mat(folder: Path) -> None:
    savemat(folder / "a1_s1_t1_skeleton.mat", {"d_skel": np.ones((20, 3, 4))})


def put_json(folder: Path) -> None:
    content = {"file_name": "a01_s01_e00_v01", "skeletons": np.ones((4, 20, 3)).tolist(), "label": 1}
    (folder / "a01_s01_e00_v01.json").write_text(json.dumps(content))


def test_npz_by_name_and_by_content(tmp_path: Path, small_set: SequenceSet) -> None:
    small_set.save(tmp_path / "set.npz")
    (tmp_path / "set.dat").write_bytes((tmp_path / "set.npz").read_bytes())
    for data in (read(tmp_path / "set.npz"), read(str(tmp_path / "set.dat")), read(tmp_path / "set.npz", format="npz")):
        assert data.fingerprint() == small_set.fingerprint()


def test_npz_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", a=np.ones(3))
    with pytest.raises(SkeletonFormatError, match=r"set\.npz: an npz of 'a \(3,\)', which is neither"):
        read(tmp_path / "set.npz")


def test_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match=r"no format is named 'utdmhad'; did you mean 'utd-mhad'"):
        read(tmp_path, format="utdmhad")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match="no such file or folder"):
        read(tmp_path / "absent")


def test_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(SkeletonFormatError, match=r"aA_sS_tT_skeleton\.mat \(utd-mhad\), aAA_sSS_eEE_vVV\.json"):
        read(tmp_path)
    with pytest.raises(SkeletonFormatError, match=r"looked for aAA_sSS_eEE_vVV\.json \(nw-ucla\)$"):
        read(tmp_path, format="nw-ucla")
    with pytest.raises(SkeletonFormatError, match=r"looked for stgcnlib's \*\.npz"):
        read(tmp_path, format="npz")
    with pytest.raises(SkeletonFormatError, match="no recording found"):
        read(tmp_path / "notes.txt")


def test_the_error_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(SkeletonFormatError, match="it is an empty folder; looked for"):
        read(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(SkeletonFormatError, match=r"it is a folder of 'notes\.txt'; looked for"):
        read(tmp_path)
    with pytest.raises(SkeletonFormatError, match="it is a file that starts with b'nothing here'"):
        read(tmp_path / "notes.txt")
    (tmp_path / "empty.json").touch()
    with pytest.raises(SkeletonFormatError, match="it is an empty file"):
        read(tmp_path / "empty.json")
    with pytest.raises(SkeletonFormatError) as caught:
        read(tmp_path)
    for name in FORMATS[1:]:
        assert f"({name})" in str(caught.value)


def test_subfolders_are_looked_into(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    put_mat(tmp_path / "first")
    (tmp_path / "second" / "notes.txt").touch()
    assert len(read(tmp_path)) == 1


def test_skip_by_names_and_by_a_list(tmp_path: Path, small_set: SequenceSet) -> None:
    whole = [write_ntu(tmp_path, f"S001C001P001R001A00{k}") for k in (1, 2, 3)]
    whole[1].write_text("damaged")
    with pytest.raises(SkeletonFormatError, match="A002"):
        read(tmp_path)
    assert read(tmp_path, skip=["S001C001P001R001A002"]).labels.tolist() == [0, 2]
    names = tmp_path / "missing.txt"
    names.write_text("S001C001P001R001A002.skeleton\r\nS009C001P001R001A002\r\n\r\n")
    assert read(tmp_path, skip=names).labels.tolist() == [0, 2]
    assert read(tmp_path, skip=str(names)).labels.tolist() == [0, 2]
    with pytest.raises(SkeletonFormatError, match="all 3 files are among those to skip"):
        read(tmp_path, skip=[file.stem for file in whole])
    small_set.save(tmp_path / "set.npz")
    assert len(read(tmp_path / "set.npz", skip=small_set.names[:3])) == 5
    with pytest.raises(SkeletonFormatError, match="all 8 recordings are among those to skip"):
        read(tmp_path / "set.npz", skip=small_set.names)


def test_mixed_folder_needs_a_format(tmp_path: Path) -> None:
    put_mat(tmp_path)
    put_json(tmp_path)
    with pytest.raises(SkeletonFormatError, match="recordings of utd-mhad and nw-ucla; say which with format="):
        read(tmp_path)
    assert read(tmp_path, format="utd-mhad").layout.name == "kinect-v1"
    assert read(tmp_path, format="nw-ucla").layout.name == "nw-ucla"


def test_formats_are_named() -> None:
    assert set(FORMATS) == {
        "npz", "utd-mhad", "nw-ucla", "ntu-rgb+d", "msr-action3d", "utkinect", "openpose", "bvh", "pyskl",
        "kinetics-skeleton", "coco", "mediapipe", "keypoint-csv", "basicts", "st-gcn", "ctr-gcn",
    }  # fmt: skip
