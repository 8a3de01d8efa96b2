"""MSR-Action3D and UTKinect-Action3D: joint orders, labels, groups, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from format_writers import motion, write_msr, write_utkinect

from stgcnlib.errors import SkeletonFormatError
from stgcnlib.readers import msr_action3d, read, utkinect
from stgcnlib.skeleton import LAYOUTS

# The viewer that comes with MSR-Action3D draws a line between each upper and lower number.
MSR_LINES = (
    (20, 1, 2, 1, 8, 10, 2, 9, 11, 3, 4, 7, 7, 5, 6, 14, 15, 16, 17),
    (3, 3, 3, 8, 10, 12, 9, 11, 13, 4, 7, 5, 6, 14, 15, 16, 17, 18, 19),
)


def test_msr_order_maps_its_drawing_onto_our_bones() -> None:
    place = {line: v for v, line in enumerate(msr_action3d.ORDER)}
    drawn = {frozenset((place[a], place[b])) for a, b in zip(*MSR_LINES, strict=True)}
    assert drawn == {frozenset(bone) for bone in LAYOUTS["kinect-v1"].bones}


def test_msr_values_labels_and_groups(tmp_path: Path) -> None:
    data = read(write_msr(tmp_path))
    assert data.names == ("a05_s02_e03",)
    assert data.class_names[data.labels[0]] == "forward punch"
    assert (data.groups["subject"].tolist(), data.groups["trial"].tolist()) == ([2], [3])
    np.testing.assert_allclose(data.coords[0][:, 0], motion(4, 20)[:, 19], atol=1e-5)
    np.testing.assert_allclose(data.coords[0][:, data.layout.index("hip centre")], motion(4, 20)[:, 6], atol=1e-5)
    assert len(data.class_names) == 20


def test_msr_screen_variant_warns(tmp_path: Path) -> None:
    file = write_msr(tmp_path)
    lines = [f"{100 + i} {200 + i} 900 1" for i in range(20)]
    file.write_text("\n".join(lines))
    file.rename(tmp_path / "a05_s02_e03_skeleton.txt")
    with pytest.warns(UserWarning, match="looks like pixels"):
        assert read(tmp_path).names == ("a05_s02_e03",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "has 79 lines, which is no multiple of 20 joints"),
        (lambda lines: ["1 2 3", *lines[1:]], "joint line 1 has 3 numbers, expected 4"),
        (lambda lines: ["1 2 3 x", *lines[1:]], "joint line 1 holds other than numbers"),
        (lambda lines: ["inf 2 3 1", *lines[1:]], "1 coordinates are NaN or infinite"),
        (lambda lines: ["", ""], "nobody was tracked in 'a05_s02_e03'"),
        (lambda lines: ["0 0 0 1"] * 20, "nobody was tracked"),
    ],
)
def test_msr_wrong_content(tmp_path: Path, change: object, message: str) -> None:
    file = write_msr(tmp_path)
    assert callable(change)
    file.write_text("\n".join(change(file.read_text().splitlines())))
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


def test_msr_unknown_action(tmp_path: Path) -> None:
    write_msr(tmp_path).rename(tmp_path / "a21_s01_e01_skeleton.txt")
    with pytest.raises(SkeletonFormatError, match="action 21 does not exist"):
        read(tmp_path)


def test_utkinect_segments_order_and_groups(tmp_path: Path) -> None:
    data = read(write_utkinect(tmp_path))
    assert data.names == ("s01_e01_walk", "s01_e01_sitDown")
    assert data.lengths.tolist() == [3, 2]
    assert [data.class_names[c] for c in data.labels] == ["walk", "sit down"]
    assert data.groups["subject"].tolist() == [1, 1]
    sdk = motion(5, 20)
    for name, place in (("hip centre", 0), ("spine", 1), ("shoulder centre", 2), ("head", 3), ("left hand", 7)):
        np.testing.assert_allclose(data.coords[0][:, data.layout.index(name)], sdk[:3, place], atol=1e-5)
    assert tuple(LAYOUTS["nw-ucla"].joints.index(name) for name in LAYOUTS["kinect-v1"].joints) == utkinect.ORDER


def test_utkinect_doubled_frames_count_once(tmp_path: Path) -> None:
    file = write_utkinect(tmp_path)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[0].replace("0.", "9."), *lines[1:]]))
    data = read(file)
    assert data.lengths.tolist() == [3, 2]
    assert data.coords[0].max() < 2


def test_utkinect_labels_above_and_missing(tmp_path: Path) -> None:
    folder = tmp_path / "joints"
    folder.mkdir()
    write_utkinect(folder)
    (folder / "actionLabel.txt").rename(tmp_path / "actionLabel.txt")
    assert len(read(folder)) == 2
    assert len(read(tmp_path)) == 2
    (tmp_path / "actionLabel.txt").unlink()
    with pytest.raises(SkeletonFormatError, match=r"actionLabel\.txt is not there; put it beside"):
        read(folder)


def test_utkinect_action_without_frames_is_reported(tmp_path: Path) -> None:
    file = write_utkinect(tmp_path)
    with (tmp_path / "actionLabel.txt").open("a") as stream:
        stream.write("throw: 500 600\n")
    with pytest.warns(UserWarning, match="1 of 3 recordings left out, nobody was tracked: 's01_e01_throw'"):
        assert len(read(file)) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("s02_e01\nwalk: 1 2\n", r"has no take s01_e01; it has 's02_e01'"),
        ("walk: 1 2\n", "line 1 is neither a take nor an action"),
        ("s01_e01\nfly: 1 2\n", "line 2 is neither"),
        ("s01_e01\nwalk: 1\n", "line 2 is neither"),
        ("s01_e01\nwalk: 1 b\n", "a frame of line 2 is 'b'"),
    ],
)
def test_utkinect_wrong_labels(tmp_path: Path, labels: str, message: str) -> None:
    file = write_utkinect(tmp_path)
    (tmp_path / "actionLabel.txt").write_text(labels)
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3", "line 6 has 3 numbers, expected 61"),
        ("1.5 " + "1 " * 60, r"line 6 starts with 1\.5; expected a frame's number"),
        ("inf " + "1 " * 60, "line 6 starts with inf"),
        ("x " + "1 " * 60, "line 6 holds other than numbers"),
    ],
)
def test_utkinect_wrong_frames(tmp_path: Path, line: str, message: str) -> None:
    file = write_utkinect(tmp_path)
    with file.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(SkeletonFormatError, match=message):
        read(file)


def test_msr_sides_are_those_of_the_body(tmp_path: Path) -> None:
    """A standing figure in the file's own numbering: lines 2, 9, 11, 13 and 6, 15, 17, 19 on its right."""
    place = {20: (0, 0.8), 3: (0, 0.5), 4: (0, 0.2), 7: (0, 0)}
    for side, lines in ((-1, (1, 8, 10, 12)), (1, (2, 9, 11, 13))):
        place |= {line: (side * (0.2 + 0.1 * k), 0.5 - 0.2 * k) for k, line in enumerate(lines)}
    for side, lines in ((-1, (5, 14, 16, 18)), (1, (6, 15, 17, 19))):
        place |= {line: (side * 0.1, -0.3 * k) for k, line in enumerate(lines)}
    # It looks to where z falls (towards the sensor), as its toes do; its right is where x rises.
    rows = [f"{place[n][0]} {place[n][1]} {2.8 if n in (18, 19) else 3} 1" for n in range(1, 21)]
    (tmp_path / "a05_s02_e03_skeleton3D.txt").write_text("\n".join(rows * 3))
    data = read(tmp_path)
    joint = {name: data.coords[0][0, v] for v, name in enumerate(data.layout.joints)}
    for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot"):
        across = joint[f"right {name}"] - joint[f"left {name}"]
        forward = joint["left foot"] - joint["left ankle"]
        up = joint["head"] - joint["hip centre"]
        assert across @ np.cross(forward, up) > 0
