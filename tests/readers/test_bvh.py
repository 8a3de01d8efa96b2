"""BVH: forward kinematics against matrices written out, the layout that names give, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from format_writers import BVH, write_bvh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stgcnlib import transforms
from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import read
from stgcnlib.readers.bvh_layout import bvh_layout

Array = NDArray[np.float64]


def turn(axis: str, degrees: float) -> Array:
    """4 x 4, written out; axis X, Y or Z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(4)
    a, b = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def shift(x: float, y: float, z: float) -> Array:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def by_hand(values: Array) -> Array:
    """Positions of Hips, Neck, Neck end, LeftArm, LeftArm end, RightArm, RightArm end for one frame of `BVH`."""
    hips = shift(*values[:3]) @ turn("Z", values[3]) @ turn("X", values[4]) @ turn("Y", values[5])
    neck = hips @ shift(0, 10, 0) @ turn("Z", values[6]) @ turn("X", values[7]) @ turn("Y", values[8])
    left = hips @ shift(3, 9, 0) @ turn("Z", values[9]) @ turn("X", values[10]) @ turn("Y", values[11])
    right = hips @ shift(-3, 9, 0) @ turn("Y", values[12]) @ turn("Z", values[13]) @ turn("X", values[14])
    ends = [neck @ shift(0, 2, 0), left @ shift(5, 0, 0), right @ shift(-5, 0, 0)]
    return np.array([m[:3, 3] for m in (hips, neck, ends[0], left, ends[1], right, ends[2])])


def test_forward_kinematics(tmp_path: Path) -> None:
    file = write_bvh(tmp_path)
    values = np.loadtxt(file.read_text().splitlines()[-4:])
    expected = np.stack([by_hand(line) for line in values])
    with_ends = read(file, end_sites=True)
    np.testing.assert_allclose(with_ends.coords[0], expected, atol=1e-4)
    assert with_ends.layout.joints == (
        "Hips", "Neck", "Neck end", "LeftArm", "LeftArm end", "RightArm", "RightArm end"
    )  # fmt: skip
    without = read(file)
    np.testing.assert_allclose(without.coords[0], expected[:, [0, 1, 3, 5]], atol=1e-4)
    assert without.layout.bones == ((1, 0), (2, 0), (3, 0))


@given(st.permutations(["Xrotation", "Yrotation", "Zrotation"]), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_any_order_of_channels(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], count: int, seed: int
) -> None:
    channels = order[:count]
    angles = np.random.default_rng(seed).uniform(-180, 180, count).round(3)
    text = (
        f"HIERARCHY\nROOT r\n{{\nOFFSET 1 2 3\nCHANNELS {count} {' '.join(channels)}\n"
        "JOINT c\n{\nOFFSET 0.5 -1 2\nCHANNELS 0\n}\n}\n"
        f"MOTION\nFrames: 1\nFrame Time: 0.1\n{' '.join(map(str, angles))}\n"
    )
    file = tmp_path_factory.mktemp("bvh") / "a.bvh"
    file.write_text(text)
    matrix = shift(1, 2, 3)
    for channel, angle in zip(channels, angles, strict=True):
        matrix = matrix @ turn(channel[0], angle)
    expected = [matrix[:3, 3], (matrix @ shift(0.5, -1, 2))[:3, 3]]
    np.testing.assert_allclose(read(file).coords[0][0], expected, atol=1e-5)


def test_bone_lengths_stay(tmp_path: Path) -> None:
    data = read(write_bvh(tmp_path), end_sites=True)
    for (child, parent), length in zip(data.layout.bones, (10, 2, np.hypot(3, 9), 5, np.hypot(3, 9), 5), strict=True):
        sizes = np.linalg.norm(data.coords[0][:, child] - data.coords[0][:, parent], axis=-1)
        np.testing.assert_allclose(sizes, length, rtol=1e-4)


def test_folder_of_one_hierarchy_and_its_labels(tmp_path: Path) -> None:
    write_bvh(tmp_path, "walk1")
    write_bvh(tmp_path, "run1")
    assert read(tmp_path).class_names == ("class 0",)
    (tmp_path / "labels.csv").write_text("name,label,subject\nwalk1,walk,ann\nrun1,run,bob\n")
    data = read(tmp_path)
    assert data.names == ("run1", "walk1")
    assert [data.class_names[c] for c in data.labels] == ["run", "walk"]
    assert data.groups["subject"].tolist() == ["bob", "ann"]
    (tmp_path / "labels.csv").write_text("name,label\nwalk1,walk\n")
    with pytest.raises(SkeletonFormatError, match=r"labels\.csv: has no line for 'run1'"):
        read(tmp_path)
    (tmp_path / "labels.csv").write_text("file,label\nwalk1,walk\n")
    with pytest.raises(SkeletonFormatError, match=r"has the columns 'file', 'label'; expected name, label"):
        read(tmp_path)
    (tmp_path / "labels.csv").write_text("name,label\nwalk1\n")
    with pytest.raises(SkeletonFormatError, match=r"line 2 has 1 fields, expected 2"):
        read(tmp_path)


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for name in ("run", "walk"):
        (tmp_path / name).mkdir()
        write_bvh(tmp_path / name, f"{name}1")
    data = read(tmp_path)
    assert [data.class_names[c] for c in data.labels] == ["run", "walk"]


def test_other_hierarchy(tmp_path: Path) -> None:
    write_bvh(tmp_path, "a")
    file = write_bvh(tmp_path, "b")
    file.write_text(file.read_text().replace("Neck", "Head"))
    with pytest.raises(SkeletonFormatError, match=r"b\.bvh: its hierarchy of 4 joints is not the one of a\.bvh"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("names", "mirror", "spine", "shoulders"),
    [
        (("Hips", "Neck", "LeftArm", "RightArm"), ((2, 3),), (0, 1), (2, 3)),
        (("hip", "chest", "lShldr", "rShldr", "lForeArm", "rForeArm"), ((2, 3), (4, 5)), (0, 1), (2, 3)),
        (("root", "Spine", "L_UpperArm", "R_UpperArm"), ((2, 3),), (0, 1), (2, 3)),
        (("pelvis", "spine", "upper_arm.L", "upper_arm.R"), ((2, 3),), (0, 1), (2, 3)),
        (("a", "b", "c", "d"), (), None, None),
        (("Hips", "LeftForeArm", "RightForeArm", "lowerback"), ((1, 2),), None, None),
    ],
)
def test_layout_of_names(names: tuple[str, ...], mirror: object, spine: object, shoulders: object) -> None:
    layout = bvh_layout(names, [-1, *([0] * (len(names) - 1))])
    assert (layout.mirror, layout.spine, layout.shoulders) == (mirror, spine, shoulders)


@pytest.mark.parametrize(
    ("tree", "hips"),
    [
        ({"Root": None, "Hips": "Root", "LeftUpLeg": "Hips", "RightUpLeg": "Hips", "Neck": "Hips"}, "Hips"),
        ({"World": None, "pelvis": "World", "thigh.L": "pelvis", "thigh.R": "pelvis", "spine": "pelvis"}, "pelvis"),
        ({"Hips": None, "LHip": "Hips", "lHip": "LHip", "rHip": "Hips", "neck": "Hips"}, "Hips"),
        ({"Armature": None, "Hips": "Armature", "Spine": "Hips", "LeftArm": "Spine", "RightArm": "Spine"}, "Hips"),
        ({"Reference": None, "Trajectory": "Reference", "b": "Trajectory", "neck": "b"}, "b"),
        ({"root": None, "LeftFoot": "root", "RightFoot": "root", "Neck": "root"}, "root"),
        ({"rootJoint": None}, "rootJoint"),
    ],
)
def test_hips_below_a_root_that_is_no_joint(tree: dict[str, str | None], hips: str) -> None:
    names = list(tree)
    layout = bvh_layout(names, [-1 if above is None else names.index(above) for above in tree.values()])
    assert layout.centre == names.index(hips)
    assert layout.spine is None or layout.spine[0] == names.index(hips)


def test_a_root_at_the_origin_tilts_nobody(tmp_path: Path) -> None:
    """The body walks away from the root, upright; normalised, it is upright still."""
    lines = ["HIERARCHY", "ROOT Reference", "{", "OFFSET 0 0 0", "JOINT Hips", "{", "OFFSET 0 90 0"]
    lines += ["CHANNELS 3 Xposition Yposition Zposition"]
    for name, offset in (
        ("Neck", "0 50 0"),
        ("LeftUpLeg", "10 -5 0"),
        ("RightUpLeg", "-10 -5 0"),
        ("LeftArm", "18 45 0"),
        ("RightArm", "-18 45 0"),
    ):
        lines += [
            f"JOINT {name}",
            "{",
            f"OFFSET {offset}",
            "CHANNELS 1 Xrotation",
            "End Site",
            "{",
            "OFFSET 0 -9 0",
            "}",
            "}",
        ]
    lines += ["}", "}", "MOTION", "Frames: 3", "Frame Time: 0.03"]
    lines += [f"{200 + 5 * t} 90 {-300 + 7 * t} 0 {t} {-t} 0 0" for t in range(3)]
    (tmp_path / "walk.bvh").write_text("\n".join(lines))
    data = read(tmp_path / "walk.bvh")
    assert data.layout.centre == 1
    pose = transforms.normalize(data).coords[0][0]
    np.testing.assert_allclose(pose[1], 0, atol=1e-6)
    np.testing.assert_allclose(pose[2], [0, 0, 1], atol=1e-5)
    assert pose[data.layout.index("LeftUpLeg"), 2] < 0


def test_normalize_uses_the_layout(tmp_path: Path) -> None:
    data = transforms.normalize(read(write_bvh(tmp_path)))
    assert np.abs(data.coords[0][0, 0]).max() < 1e-6
    np.testing.assert_allclose(data.coords[0][0, 1], [0, 0, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIER", "does not start with HIERARCHY"),
        ("MOTION", "", "has no line MOTION"),
        ("Frames: 4", "Frames: 5", "MOTION holds 60 numbers, expected 5 frames of 15"),
        ("Frames: 4", "Frames: x", "'Frames:' is 'x'"),
        ("Frame Time: 0.033333\n", "", "'Frame Time:' does not follow"),
        ("CHANNELS 6", "CHANNELS 7", "a joint has 7 CHANNELS"),
        ("Xposition", "Wposition", "unknown channel 'wposition'"),
        ("OFFSET 0 10 0", "OFFSET 0 a 0", "OFFSET holds other than numbers"),
        ("OFFSET 0 10 0", "OFFSET 0 nan 0", "NaN or infinite"),
        ("OFFSET 0 10 0", "ORIGIN 0 10 0", "'ORIGIN' is unknown in HIERARCHY"),
        ("JOINT Neck", "ROOT Neck", "ROOT is not allowed here"),
        ("JOINT LeftArm", "JOINT Neck", "two joints have one name"),
        ("JOINT LeftArm", "JOINT Left Arm", "no brace follows 'Left'"),
        ("}\nMOTION", "MOTION", "HIERARCHY is not closed"),
    ],
)
def test_wrong_content(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = write_bvh(tmp_path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(SkeletonFormatError, match=message) as caught:
        read(file)
    assert "walk.bvh" in str(caught.value)


def test_no_frames_and_too_many_joints(tmp_path: Path) -> None:
    file = tmp_path / "a.bvh"
    file.write_text(BVH.replace("Frames: 4", "Frames: 0"))
    with pytest.raises(SkeletonFormatError, match="holds no frame"):
        read(file)
    deep = "".join(f"JOINT j{i}\n{{\n" for i in range(2000))
    file.write_text("HIERARCHY\nROOT r\n{\n" + deep + "}" * 2001 + "\nMOTION\nFrames: 1\nFrame Time: 1\n1\n")
    with pytest.raises(SkeletonFormatError, match="more than 500 joints"):
        read(file)
