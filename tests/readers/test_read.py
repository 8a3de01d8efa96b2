"""`read` tells formats apart, and says what it looked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
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
    with pytest.raises(SkeletonFormatError, match=r"set\.npz: not a readable stgcnlib sequence file"):
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
        "kinetics-skeleton", "coco", "mediapipe", "keypoint-csv",
    }  # fmt: skip
