"""PYSKL annotation files: values, splits and layouts; and pickles that want more than to be read."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import pickletools
import struct
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_writers import annotation, coco_annotations, motion, write_kinetics_pickle, write_pyskl

from stgcnlib import transforms
from stgcnlib.errors import SequenceError, SkeletonFormatError
from stgcnlib.readers import ntu, read
from stgcnlib.readers.pickled import PickledArray, read_pickle

# -- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_coco_values_labels_and_groups(tmp_path: Path, protocol: int, dtype: str) -> None:
    content = coco_annotations(dtype)
    data = read(write_pyskl(tmp_path, content, protocol=protocol))
    assert data.layout.name == "coco-17"
    assert data.names == ("video0", "video1", "video2", "video3")
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert [c.shape for c in data.coords] == [(5, 17, 3), (2, 6, 17, 3), (7, 17, 3), (2, 8, 17, 3)]
    for i, entry in enumerate(content["annotations"]):
        np.testing.assert_array_equal(data.people(i)[..., :2], entry["keypoint"].astype(np.float32))
        np.testing.assert_array_equal(data.people(i)[..., 2], entry["keypoint_score"].astype(np.float32))
    assert data.groups["split 1"].tolist() == ["train", "train", "test", "test"]
    assert data.groups["image height"].tolist() == [240] * 4
    assert data.groups["image width"].tolist() == [320] * 4


def ntu_annotations(names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [annotation(name, int(name[-3:]) - 1, motion(6, 25, seed=k)[None]) for k, name in enumerate(names)]


def test_ntu_names_bring_classes_and_groups(tmp_path: Path) -> None:
    names = ("S001C001P001R001A001", "S001C002P003R002A060")
    split = {"xsub_train": [names[0]], "xsub_val": [names[1]], "xview_train": [names[1]], "xview_val": []}
    data = read(write_pyskl(tmp_path, {"split": split, "annotations": ntu_annotations(names)}))
    assert data.layout.name == "ntu-rgb+d"
    assert data.class_names == ntu.ACTIONS[:60]
    assert data.groups["subject"].tolist() == [1, 3]
    assert data.groups["camera"].tolist() == [1, 2]
    assert data.groups["xsub"].tolist() == ["train", "val"]
    assert data.groups["xview"].tolist() == ["none", "train"]
    train, test = data.split("xsub", ["train"], ["val"])
    assert (train.names, test.names) == (names[:1], names[1:])


@pytest.mark.parametrize(
    ("joints", "axes", "score", "layout"),
    [
        (17, 2, True, "coco-17"),
        (17, 3, False, "coco-17"),
        (18, 2, True, "openpose-18"),
        (25, 2, True, "openpose-25"),
        (21, 2, True, "hand-21"),
        (26, 3, False, "halpe-26"),
        (133, 2, True, "coco-wholebody-133"),
        (25, 3, False, "ntu-rgb+d"),
    ],
)
def test_layouts(tmp_path: Path, joints: int, axes: int, score: bool, layout: str) -> None:
    more = {"keypoint_score": np.ones((1, 4, joints))} if score else {}
    data = read(write_pyskl(tmp_path, [annotation("a", 0, motion(4, joints, axes)[None], **more)]))
    assert (data.layout.name, data.channels) == (layout, 3)


def test_absent_people_are_dropped_and_empty_recordings_reported(tmp_path: Path) -> None:
    two = np.stack([np.zeros((4, 25, 3)), motion(4, 25)])
    content = [annotation("a", 0, two), annotation("b", 1, np.zeros((0, 4, 25, 3))), annotation("c", 1, two * 0)]
    with pytest.warns(UserWarning, match="2 of 3 recordings left out, nobody was tracked: 'b', 'c'"):
        data = read(write_pyskl(tmp_path, content))
    np.testing.assert_allclose(data.coords[0], motion(4, 25), rtol=1e-6)


def test_one_person_without_an_axis_of_people(tmp_path: Path) -> None:
    entry = {"frame_dir": "a", "label": 0, "total_frames": 4, "keypoint": motion(4, 20)}
    data = read(write_pyskl(tmp_path, [entry]), layout="kinect-v1")
    np.testing.assert_array_equal(data.coords[0], motion(4, 20).astype(np.float32))
    scored = {**entry, "keypoint": motion(4, 17, 2), "keypoint_score": np.full((4, 17), 0.5)}
    assert read(write_pyskl(tmp_path, [scored])).coords[0].shape == (4, 17, 3)


def test_nan_joints_were_not_found(tmp_path: Path) -> None:
    keypoint = motion(4, 25)[None]
    keypoint[0, 1, 3, 2] = np.nan
    coords = read(write_pyskl(tmp_path, [annotation("a", 0, keypoint)])).coords[0]
    assert coords[1, 3].tolist() == [0, 0, 0]
    assert coords.any(axis=2).sum() == 99


def test_other_joints_by_a_layout(tmp_path: Path) -> None:
    file = write_pyskl(tmp_path, [annotation("a", 0, motion(4, 20)[None])])
    with pytest.raises(SkeletonFormatError, match=r"\(20, 2\); a file may hold one of .*; give layout= for other"):
        read(file)
    data = read(file, layout="nw-ucla")
    assert (data.layout.name, data.channels) == ("nw-ucla", 3)
    with pytest.raises(SkeletonFormatError, match=r"\(20, 2\); layout 'coco-17' has \(17, 2\)"):
        read(file, layout="coco-17")
    three = write_pyskl(tmp_path, [annotation("a", 0, motion(4, 25)[None])])
    assert read(three).layout.name == "ntu-rgb+d"
    assert read(three, layout="openpose-25").layout.name == "openpose-25"


def test_kinetics_keypoints_in_other_files(tmp_path: Path) -> None:
    """Numbers 1, 3, 5, 7 and 11 were looked at, or are those in which somebody was found: the others are empty."""
    data = read(write_kinetics_pickle(tmp_path))
    wanted = (motion(5, 17, 3) * [300, 200, 1]).astype(np.float16).astype(np.float32)
    assert (data.names, data.labels.tolist(), data.layout.name) == (("abc",), [3], "coco-17")
    np.testing.assert_array_equal(data.coords[0][[0, 2, 4, 6, 10]], wanted)
    assert not np.delete(data.coords[0], [0, 2, 4, 6, 10], axis=0).any()


def test_kinetics_of_two_people(tmp_path: Path) -> None:
    file = write_kinetics_pickle(tmp_path)
    near, far = motion(3, 17, 3) * 100, motion(3, 17, 3, seed=1) * 100 + [500, 0, 0]
    both = np.stack([near[0], far[0], far[1], near[1], near[2], far[2]])
    (tmp_path / "kpfiles" / "abc.pkl").write_bytes(pickle.dumps(both))
    entry = {"frame_dir": "abc", "label": 0, "frame_inds": np.array([1, 1, 2, 2, 3, 3])}
    file.write_bytes(pickle.dumps([entry]))
    people = read(file).coords[0]
    assert people.shape == (2, 3, 17, 3)
    for person in people:  # nobody changes places
        assert np.ptp(person[:, 0, 0]) < 50


@pytest.mark.parametrize(
    ("points", "frames", "message"),
    [
        (None, [1], "has its keypoints in another file, .* put them into .*kpfiles as NAME.pkl"),
        (np.ones((2, 17, 3)), [1], r"has shape \(2, 17, 3\) beside 'frame_inds' \(1,\)"),
        (np.ones((1, 17, 2)), [1], r"expected \(detections, joints, 3\)"),
        (np.ones((1, 17, 3)), [1.5], r"has shape \(1, 17, 3\)"),
        (np.ones((0, 17, 3)), [], "has shape|nobody was tracked"),
    ],
)
def test_wrong_detections(tmp_path: Path, points: Any, frames: Any, message: str) -> None:
    file = write_kinetics_pickle(tmp_path)
    own = tmp_path / "kpfiles" / "abc.pkl"
    if points is None:
        own.unlink()
    else:
        own.write_bytes(pickle.dumps(points))
    file.write_bytes(pickle.dumps([{"frame_dir": "abc", "label": 0, "frame_inds": np.array(frames)}]))
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


def test_detections_outside_the_folder_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = write_kinetics_pickle(tmp_path / "in")
    (tmp_path / "abc.pkl").write_bytes((tmp_path / "in" / "kpfiles" / "abc.pkl").read_bytes())
    file.write_bytes(pickle.dumps([{"frame_dir": "../abc", "label": 0, "frame_inds": np.arange(5)}]))
    with pytest.raises(SkeletonFormatError, match="has its keypoints in another file"):
        read(file)


def test_split_of_unknown_names_warns(tmp_path: Path) -> None:
    content = coco_annotations()
    content["split"]["train1"].append("video9")
    with pytest.warns(UserWarning, match=r"splits name recordings that are not there \(1 in 'train1'\)"):
        read(write_pyskl(tmp_path, content))


def changed(**changes: Any) -> dict[str, Any]:
    content = coco_annotations()
    entry = content["annotations"][1]
    for key, value in changes.items():
        if value is None:
            del entry[key]
        else:
            entry[key] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no list 'annotations'"),
        ({"train": [1]}, r"holds no list 'annotations' \(it holds 'train'\)"),
        (3, "it holds int"),
        ([3], "annotation 0 is a int; expected a dict"),
        (changed(label=None), "annotation 1 lacks 'label'"),
        (changed(keypoint=None), "annotation 1 lacks 'keypoint'"),
        (changed(frame_dir=7), "'frame_dir' is a int"),
        (changed(label=-1), r"annotation 1 \(video1\): 'label' is -1"),
        (changed(label=10**9), "'label' is 1000000000"),
        (changed(label="run"), "'label' is run"),
        (changed(total_frames=9), "'total_frames' is 9, 'keypoint' has 6"),
        (changed(keypoint=[[1]]), "'keypoint' is a list; expected a numpy array"),
        (changed(keypoint=np.ones((5, 17, 2))), r"'keypoint' has shape \(5, 17, 2\)"),
        (changed(keypoint_score=np.ones((2, 5, 17))), r"'keypoint_score' has shape \(2, 5, 17\)"),
        (changed(keypoint=np.full((2, 6, 17, 2), np.inf)), "'keypoint' holds infinite"),
        (changed(keypoint=np.ones((2, 6, 21, 2)), keypoint_score=np.ones((2, 6, 21))), r"\(17, 2\), \(21, 2\)"),
        ({"split": [1], "annotations": coco_annotations()["annotations"]}, "'split' is a list"),
        (
            {"split": {"train": 3}, "annotations": coco_annotations()["annotations"]},
            "split 'train' is no list of names",
        ),
        (
            {"split": {"train": ["video0"], "val": ["video0"]}, "annotations": coco_annotations()["annotations"]},
            "video0 is in two parts of the split 'split'",
        ),
    ],
)
def test_wrong_content(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(write_pyskl(tmp_path, content))
    assert "annotations.pkl" in str(caught.value)


def test_one_array_under_many_names_is_refused(tmp_path: Path) -> None:
    shared = motion(200, 25)[None]
    content = [annotation(f"video{k}", 0, shared) for k in range(5000)]
    file = write_pyskl(tmp_path, content)
    assert file.stat().st_size < 2**20
    with pytest.raises(SkeletonFormatError, match="several annotations share one array"):
        read(file)


def test_two_pickles_in_a_folder(tmp_path: Path) -> None:
    file = write_pyskl(tmp_path)
    (tmp_path / "b.pkl").write_bytes(file.read_bytes())
    with pytest.raises(SkeletonFormatError, match=r"holds 2 pickles \('annotations\.pkl', 'b\.pkl'\); name one"):
        read(tmp_path)


# -- the machine ----------------------------------------------------------------------------------


def loaded(value: Any) -> Any:
    return value.array.tolist() if isinstance(value, PickledArray) else value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 255, 65536, -(2**31), 2**70, -(2**600), 1.5, float("inf"), "", "é😀", "x" * 300,
        b"", b"abc" * 200, [], [1, [2, [3]]], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}, {"a": {1: [2]}}, [[]] * 3,
        {str(k): k for k in range(2000)}, list(range(3000)),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_reads_what_python_reads(tmp_path: Path, value: Any, protocol: int) -> None:
    for text in (pickle.dumps(value, protocol), pickletools.optimize(pickle.dumps(value, protocol))):
        (tmp_path / "x.pkl").write_bytes(text)
        assert read_pickle(tmp_path / "x.pkl") == value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24, dtype=">i2").reshape(2, 3, 4)[:, ::2],
        np.zeros((0, 3)),
        np.array([True, False]),
        np.array(3.0),
        np.arange(5, dtype=np.uint8),
        np.arange(4, dtype=np.float16),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_reads_arrays(tmp_path: Path, array: Any, protocol: int) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([array, np.float32(2.5), np.int64(7)], protocol))
    back, real, whole = read_pickle(tmp_path / "x.pkl")
    assert loaded(back) == array.tolist()
    assert (real, whole) == (2.5, 7)


def test_ordered_dicts_and_shared_lists(tmp_path: Path) -> None:
    shared = [1]
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(OrderedDict(a=shared, b=shared), 2))
    back = read_pickle(tmp_path / "x.pkl")
    assert back == {"a": [1], "b": [1]}
    assert back["a"] is back["b"]


# -- malice ---------------------------------------------------------------------------------------

SPELL = "touch {}"


class Runs:
    """Pickles to a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class State:
    """Pickles with a state that pickle would set."""

    def __init__(self) -> None:
        self.shape = 3


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def programs(target: Path) -> dict[str, bytes]:
    """Pickles that would touch the target, or do other harm, were they run."""
    command = SPELL.format(target)
    stack_global = lambda module, name: text(module) + text(name) + b"\x93"  # noqa: E731
    return {
        "os.system by reduce": pickle.dumps(Runs(os.system, command)),
        "os.system, protocol 0": pickle.dumps(Runs(os.system, command), 0),
        "subprocess": pickle.dumps(Runs(subprocess.check_output, ["touch", str(target)])),
        "eval": pickle.dumps(Runs(eval, f"__import__('os').system('{command}')")),
        "exec in a list": pickle.dumps([1, {"a": Runs(exec, f"open({str(target)!r}, 'w')")}]),
        "getattr": pickle.dumps(Runs(getattr, "", "join")),
        "object array": pickle.dumps({"annotations": [annotation("a", 0, np.array([[Runs(os.system, command)]]))]}),
        "object array of numbers": pickle.dumps(np.array([1, "a", None], dtype=object)),
        "structured array": pickle.dumps(np.zeros(2, dtype=[("a", "f4"), ("b", "O")])),
        "text array": pickle.dumps(np.array(["a", "b"])),
        "copyreg": pickle.dumps(State(), 1),
        "copyreg by hand": b"ccopyreg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
        "copyreg extension": b"\x80\x02\x82\x01.",
        "copyreg extension 4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "add_extension": pickle.dumps(Runs(copyreg.add_extension, "os", "system", 1)),
        "class instance": pickle.dumps(State()),
        "inst": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + command.encode() + b"'\no.",
        "newobj": b"\x80\x02cnumpy\nndarray\n(K\x03t\x81.",
        "stack global": b"\x80\x04" + stack_global("os", "system") + text(command) + b"\x85R.",
        "stack global, dotted": b"\x80\x04" + stack_global("numpy", "f2py.os.system") + text(command) + b"\x85R.",
        "stack global of allowed, dotted": b"\x80\x04" + stack_global("numpy", "ndarray.__class__") + b".",
        "stack global of pieces": b"\x80\x04"
        + stack_global("numpy.core.multiarray", "_reconstruct.__globals__")
        + b".",
        "stack global of lists": b"\x80\x04]]\x93.",
        "stack global of bytes": b"\x80\x04C\x02osC\x06system\x93" + text(command) + b"\x85R.",
        "reduce of text": b"\x80\x04" + text("os.system") + text(command) + b"\x85R.",
        "reduce of a tuple": b"\x80\x04" + text("os") + text("system") + b"\x86)R.",
        "build on a name": b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
        "build on a dict": b"\x80\x02}}U\x01aK\x01sb.",
        "setitem on a name": b"\x80\x02cnumpy\nndarray\nU\x01aK\x01s.",
        "append to a name": b"\x80\x02cnumpy\nndarray\nK\x01a.",
        "persistent": b"Pos.system\n.",
        "persistent 2": b"\x80\x02K\x01Q.",
        "buffer": b"\x80\x05\x97.",
        "set": pickle.dumps({1, 2}, 4),
        "numpy loader": b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
        "numpy function": b"cnumpy.core.multiarray\nfromfile\n(S'/etc/passwd'\ntR.",
        "dtype of objects": b"cnumpy\ndtype\n(S'O8'\nI00\nI01\ntR.",
        "dtype of an expression": b"cnumpy\ndtype\n(S'f4,O'\nI00\nI01\ntR.",
        "encode by another codec": b"c_codecs\nencode\n(Vaaa\nVzlib\ntR.",
        "encode by idna": b"c_codecs\nencode\n(Vaaa\nVidna\ntR.",
        "tuple as a key": b"}(" + b")" + b"\x85" * 50_000 + b"K\x01u.",
    }


@pytest.mark.parametrize("name", programs(Path("x")))
def test_no_code_is_run(name: str, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    file = tmp_path / "evil.pkl"
    file.write_bytes(programs(target)[name])
    with pytest.raises(SkeletonFormatError, match=r"evil\.pkl: refused, since this pickle asks for") as caught:
        read(file)
    assert not target.exists()
    assert len(str(caught.value)) < 600


def test_what_these_programs_would_do(tmp_path: Path) -> None:
    """The spell works where it is run: otherwise the test above shows nothing."""
    target = tmp_path / "touched"
    pickle.loads(programs(target)["os.system by reduce"])
    assert target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 10**12) + b"abc.",  # BINBYTES8
        b"\x80\x05\x96" + struct.pack("<Q", 10**12) + b"abc.",  # BYTEARRAY8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**63 + 1) + b"abc.",  # BINUNICODE8
        b"\x80\x04\x95" + struct.pack("<Q", 10**12) + b"N.",  # FRAME: without a meaning here
        b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",  # LONG4
        b"\x80\x02\x8b" + struct.pack("<i", -5) + b"\x01.",
        b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b"0.",  # LONG_BINPUT
        b"I" + b"9" * 100_000 + b"\n.",
        b"\x80\x02" + b"(" * 30_000,
        b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".",
        b"\x80\x02" + b")" + b"\x85" * 30_000 + b".",
        b"0.", b"a.", b"s.", b"R.", b"b.", b"\x93.", b"t.", b"l.", b"u.", b"1.", b"2.", b"g5\n.", b"h\x05.", b".",
    ],
)  # fmt: skip
def test_machine_survives_anything(content: bytes, tmp_path: Path) -> None:
    import tracemalloc

    file = tmp_path / "evil.pkl"
    file.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(SkeletonFormatError, match=r"evil\.pkl: "):
            read(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 256 * 2**20


def test_huge_shapes_are_not_allocated(tmp_path: Path) -> None:
    class Lies:
        def __reduce__(self) -> Any:
            make, arguments, (version, _, dtype, order, raw) = np.ones(3).__reduce__()
            return make, arguments, (version, (10**9, 10**3), dtype, order, raw)

    file = tmp_path / "x.pkl"
    stream = io.BytesIO()
    pickle.dump([Lies()], stream)
    file.write_bytes(stream.getvalue())
    with pytest.raises(SkeletonFormatError, match="holds 24 bytes"):
        read(file)


def test_too_large(tmp_path: Path) -> None:
    file = write_pyskl(tmp_path)
    with pytest.raises(SkeletonFormatError, match="bytes is too large"):
        read_pickle(file, most=100)


@pytest.mark.parametrize(
    "program",
    [
        b"I1\nI2\n0.",  # POP
        b"I1\n(I2\nI3\n1.",  # POP_MARK
        b"I1\n(I2\n(I3\nI4\n11.",
        b"(I1\n2l.",  # DUP
        b"(I1\nI2\nl.",  # LIST
        b"(I1\nI2\nt.",  # TUPLE
        b"(I1\nI2\nI3\nI4\nd.",  # DICT
        b"}(I1\nI2\nI3\nI4\nuI5\nI6\ns.",  # SETITEMS, SETITEM
        b"](I1\nI2\neI3\na.",  # APPENDS, APPEND
        b"(I1\np7\nI2\ng7\nl.",  # PUT, GET
        b"\x80\x02K\x01K\x02K\x03\x87.",  # TUPLE3
        b"\x80\x02K\x01K\x02K\x03\x86\x86.",  # TUPLE2
        b"\x80\x02K\x01\x85.",  # TUPLE1
        b"\x80\x04]\x94K\x01ah\x00\x86.",  # MEMOIZE, BINGET
    ],
)
def test_instructions_that_python_seldom_writes(program: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.pkl"
    file.write_bytes(program)
    assert read_pickle(file) == pickle.loads(program)


@pytest.mark.parametrize("without", [None, (), [1080], "no key"])
@pytest.mark.parametrize("place", [0, 1])
def test_sizes_of_some_pictures_only(tmp_path: Path, without: Any, place: int) -> None:
    content = coco_annotations()
    if without == "no key":
        del content["annotations"][place]["img_shape"]
    else:
        content["annotations"][place]["img_shape"] = without
    with pytest.warns(UserWarning, match=rf"1 of 4 annotations have no 'img_shape' .* width: 'video{place}'"):
        data = read(write_pyskl(tmp_path, content))
    assert data.groups["image height"].tolist() == [0 if i == place else 240 for i in range(4)]
    assert data.groups["image width"].tolist() == [0 if i == place else 320 for i in range(4)]
    with pytest.raises(SequenceError, match="has a size of 0 or less"):
        transforms.pyskl_normalize_2d(data, image="recorded")
