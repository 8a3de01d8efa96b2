"""`read` tells formats apart, and says what it looked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from format_writers import WRITERS, write_bvh, write_ntu
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
    with pytest.raises(SkeletonFormatError, match=r"looked for aAA_sSS_eEE_vVV\.json \(nw-ucla\)\. Tables"):
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
    with pytest.raises(SkeletonFormatError, match=r"empty\.json: is empty; copy or download it again"):
        read(tmp_path / "empty.json")
    with pytest.raises(SkeletonFormatError) as caught:
        read(tmp_path)
    for name in FORMATS[1:]:
        assert f"({name})" in str(caught.value)


def test_subfolders_are_looked_into(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    put_mat(tmp_path / "first")
    (tmp_path / "second" / "notes.txt").write_text("none here")
    with pytest.warns(UserWarning, match=r"not read: 1 file of no known format, 'second/notes\.txt'$"):
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
    names.unlink()
    with pytest.raises(SkeletonFormatError, match="all 3 files are among those to skip"):
        read(tmp_path, skip=[file.stem for file in whole])
    small_set.save(tmp_path / "set.npz")
    assert len(read(tmp_path / "set.npz", skip=small_set.names[:3])) == 5
    with pytest.raises(SkeletonFormatError, match="all 8 recordings are among those to skip"):
        read(tmp_path / "set.npz", skip=small_set.names)


def test_whatever_is_not_read_is_named(tmp_path: Path) -> None:
    write_ntu(tmp_path, "S001C001P001R001A001")
    (tmp_path / "S001C001P001R001A002.skeleton.part").write_text("4")
    (tmp_path / "clip.json").write_text("<!DOCTYPE html><title>Too\nmany requests</title>")
    (tmp_path / "gone.skeleton").symlink_to(tmp_path / "nowhere")
    (tmp_path / "more").mkdir()
    for harmless in ("labels.csv", "README.txt", "Thumbs.db", ".hidden"):
        (tmp_path / harmless).write_text("x")
    with pytest.warns(UserWarning, match="not read") as caught:
        assert len(read(tmp_path)) == 1
    said = [str(each.message) for each in caught]
    assert said == [
        f"{tmp_path}: not read: 2 files of no known format, 'S001C001P001R001A002.skeleton.part', 'clip.json' "
        "(clip.json is a web page ('Too many requests'), not the file that was to be downloaded; download it again)",
        f"{tmp_path}: not read: 1 subfolder, 'more'",
        f"{tmp_path}: not read: 1 link to nothing, 'gone.skeleton'",
    ]


def test_a_link_to_nothing_among_subfolders_and_labels_of_a_subfolder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_ntu(tmp_path / name, f"S001C001P001R001A00{len(name)}")
    (tmp_path / "two" / "labels.csv").write_text("name,label\n")
    (tmp_path / "three").symlink_to(tmp_path / "nowhere")
    with pytest.warns(UserWarning, match="not read") as caught:
        read(tmp_path)
    assert [str(each.message).partition("not read: ")[2] for each in caught] == [
        "1 file of no known format, 'two/labels.csv'", "1 link to nothing, 'three'",
    ]  # fmt: skip


def test_who_names_a_format_is_not_told_of_the_others(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    put_mat(tmp_path)
    put_json(tmp_path)
    read(tmp_path, format="utd-mhad")
    assert not recwarn


@pytest.mark.parametrize(
    "writer",
    [w for name, writers in WRITERS.items() for w in writers if name not in ("basicts", "st-gcn")],  # of fixed names
)
@pytest.mark.filterwarnings("default")
def test_upper_case_suffixes(writer: Callable[[Path], Path], tmp_path: Path) -> None:
    file = writer(tmp_path)
    before = read(file)
    upper = file.with_suffix(file.suffix.upper())
    file.rename(upper)
    after = read(upper)
    assert after.fingerprint() == before.fingerprint()


def test_upper_case_labels(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bvh(tmp_path).rename(tmp_path / f"{name}.BVH")
    (tmp_path / "Labels.CSV").write_text("name,label\none,walk\ntwo,run\n")
    assert read(tmp_path).class_names == ("run", "walk")


WRONG = {
    "web page": (b"<!DOCTYPE html><html><title>Sign in</title>", r"is a web page \('Sign in'\)"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 77\n", "has 77 bytes; fetch it with"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0", "is compressed with gzip; unpack it first"),
    "MATLAB 7.3": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "is a MATLAB 7.3 file, which is HDF5"),
    "UTF-16": ("0\n".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
    "nothing": (b"", "is empty; copy or download it again"),
    "zip": (b"PK\x03\x04" + b"\0" * 22 + b"\x06\0\0\0readme", "is a zip archive that begins with 'readme'"),
}


@pytest.mark.parametrize(("format", "writer"), [(f, w) for f, writers in WRITERS.items() for w in writers])
@pytest.mark.parametrize("kind", WRONG)
def test_another_file_under_the_name(format: str, writer: Callable[[Path], Path], kind: str, tmp_path: Path) -> None:
    """Whether the format is given, known by the name or unknown: the error says what the file is."""
    file = writer(tmp_path)
    content, message = WRONG[kind]
    there = [each for each in tmp_path.iterdir() if each.is_file() and each.name != "actionLabel.txt"]
    for damaged in {file, *there} if file.is_file() else there:
        damaged.write_bytes(content)
    for given in (None, format):
        with pytest.raises(SkeletonFormatError, match=message) as caught:
            read(file, format=given)
        assert str(tmp_path) in str(caught.value)


def test_a_list_of_names_that_is_a_web_page(tmp_path: Path) -> None:
    """Its lines would name no recording, and nothing would be skipped."""
    write_ntu(tmp_path)
    names = tmp_path / "missing.txt"
    names.write_bytes(WRONG["web page"][0])
    with pytest.raises(SkeletonFormatError, match=r"missing\.txt: is a web page"):
        read(tmp_path, skip=names)


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
        "kinetics-skeleton", "coco", "mediapipe", "keypoint-csv", "basicts", "st-gcn", "ctr-gcn", "coco-annotations",
        "openni", "pku-mmd", "smarthome", "mocap-arrays", "deeplabcut", "sleap",
    }  # fmt: skip
